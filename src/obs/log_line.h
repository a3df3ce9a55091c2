/* obs/log_line.h: one log line under construction: text or JSON, bounded, always well-formed. Internal to the room;
 * knows no sink, no clock and no floods. */
#ifndef OBS_LOG_LINE_H
#define OBS_LOG_LINE_H

#include "base/text.h"
#include "obs/log.h"

struct obs_line {
	enum obs_format format;
	bool cut; /* something did not fit */
	struct base_text text;
	char buf[OBS_LINE_BYTES_MAX];
};

/* Starts the line; the event's name is `event` and `event_suffix` put together. */
void obs_line_begin(struct obs_line *line, enum obs_format format, enum obs_level level, uint64_t wall_ns,
                    const char *event, const char *event_suffix);
/* A field whose value needs no quoting in either format: a number or a boolean. */
void obs_line_plain(struct obs_line *line, const char *name, const char *value);
/* A field with any bytes as its value; cut when they do not fit. */
void obs_line_string(struct obs_line *line, const char *name, struct slice value);
/* Closes the line; the result includes the newline and is valid until the next begin. */
struct slice obs_line_end(struct obs_line *line);

#endif
