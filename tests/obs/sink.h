/* tests/obs/sink.h: a log whose lines a test can read, with a wall clock that stands still. */
#ifndef TESTS_OBS_SINK_H
#define TESTS_OBS_SINK_H

#include "obs/log.h"
#include "tests/unit.h"

#include <string.h>

/* 2026-11-22T12:00:01.123Z */
#define SINK_WALL_NS (UINT64_C(1795348801123) * 1000000)
#define SINK_TIME "2026-11-22T12:00:01.123Z"

struct sink {
	size_t lines;
	size_t longest;
	char last[OBS_LINE_BYTES_MAX + 1];
	char all[65536];
	size_t len;
};

static inline uint64_t sink_clock(void) {
	return SINK_WALL_NS;
}

static inline void sink_take(void *user, struct slice line) {
	struct sink *sink = user;

	assert_in_range(line.len, 1, OBS_LINE_BYTES_MAX);
	assert_int_equal(line.data[line.len - 1], '\n');
	assert_null(memchr(line.data, '\n', line.len - 1));
	sink->lines++;
	if (line.len > sink->longest)
		sink->longest = line.len;
	memcpy(sink->last, line.data, line.len - 1);
	sink->last[line.len - 1] = '\0';
	if (sink->len + line.len < sizeof(sink->all)) {
		memcpy(sink->all + sink->len, line.data, line.len);
		sink->len += line.len;
		sink->all[sink->len] = '\0';
	}
}

static inline struct obs_log *sink_log(struct sink *sink, enum obs_level level, enum obs_format format) {
	struct obs_log *log;

	memset(sink, 0, sizeof(*sink));
	log = obs_log_new(level, format, sink_take, sink_clock, sink);
	assert_non_null(log);
	return log;
}

#endif
