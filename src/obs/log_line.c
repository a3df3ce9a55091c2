#include "obs/log_line.h"

#include "base/time.h"

#include <assert.h>
#include <string.h>

/* Kept free so that a full line can still be closed. */
#define TAIL_TEXT " truncated=true\n"
#define TAIL_JSON ",\"truncated\":true}\n"
#define TAIL_BYTES_MAX (sizeof(TAIL_JSON) - 1)

#define TIME_BYTES 32

/* Date of the proleptic Gregorian calendar from days since 1970-01-01. Years are counted from March, so that the leap
 * day is the last day of a year and month lengths follow one line of arithmetic. */
static void date_of(uint64_t days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day) {
	uint64_t since = days + 719468; /* days from 0000-03-01 to 1970-01-01 */
	uint64_t era = since / 146097;  /* days in 400 years */
	uint64_t of_era = since % 146097;
	uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * of_year + 2) / 153; /* 0 is March */

	*ret_day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
	*ret_year = (unsigned)(era * 400 + year_of_era + (month < 10 ? 0 : 1));
}

/* ISO 8601 in UTC with milliseconds. */
static void add_time(struct base_text *text, uint64_t wall_ns) {
	uint64_t seconds = wall_ns / BASE_SECOND;
	unsigned of_day = (unsigned)(seconds % 86400);
	unsigned year, month, day;

	date_of(seconds / 86400, &year, &month, &day);
	base_text_addf(text, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month, day, of_day / 3600, of_day / 60 % 60,
	               of_day % 60, (unsigned)(wall_ns % BASE_SECOND / BASE_MS));
}

void obs_line_begin(struct obs_line *line, enum obs_format format, enum obs_level level, uint64_t wall_ns,
                    const char *event, const char *event_suffix) {
	char time_buf[TIME_BYTES];
	struct base_text time;
	const char *pattern =
	    format == OBS_FORMAT_JSON ? "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s%s\"" : "%s %-5s %s%s";

	line->format = format;
	line->cut = false;
	base_text_init(&time, time_buf, sizeof(time_buf));
	add_time(&time, wall_ns);
	/* The NUL that base_text keeps behind the text is overwritten by the tail: room for both is left. */
	base_text_init(&line->text, line->buf, sizeof(line->buf) - TAIL_BYTES_MAX);
	base_text_addf(&line->text, pattern, time_buf, obs_level_name(level), event, event_suffix);
	assert(!line->text.truncated); /* event names are short literals */
}

/* Takes everything after `mark` back if it did not fit. */
static bool fits(struct obs_line *line, size_t mark) {
	if (!line->text.truncated)
		return true;
	line->text.len = mark;
	line->text.buf[mark] = '\0';
	line->text.truncated = false;
	line->cut = true;
	return false;
}

static void add_name(struct obs_line *line, const char *name) {
	if (line->format == OBS_FORMAT_JSON) {
		base_text_add(&line->text, ",\"");
		base_text_add(&line->text, name);
		base_text_add(&line->text, "\":");
	} else {
		base_text_add_char(&line->text, ' ');
		base_text_add(&line->text, name);
		base_text_add_char(&line->text, '=');
	}
}

void obs_line_plain(struct obs_line *line, const char *name, const char *value) {
	size_t mark = line->text.len;

	add_name(line, name);
	base_text_add(&line->text, value);
	fits(line, mark);
}

static bool is_printable(uint8_t byte) {
	return byte >= 0x20 && byte < 0x7f;
}

static bool needs_quotes(struct slice value) {
	for (size_t i = 0; i < value.len; i++) {
		uint8_t byte = value.data[i];

		if (!is_printable(byte) || byte == ' ' || byte == '"' || byte == '\\' || byte == '=')
			return true;
	}
	return value.len == 0;
}

static void add_escaped(struct obs_line *line, uint8_t byte) {
	if (!is_printable(byte)) {
		base_text_add(&line->text, line->format == OBS_FORMAT_JSON ? "\\u00" : "\\x");
		base_text_add_hex(&line->text, slice_of(&byte, 1));
		return;
	}
	if (byte == '"' || byte == '\\')
		base_text_add_char(&line->text, '\\');
	base_text_add_char(&line->text, (char)byte);
}

void obs_line_string(struct obs_line *line, const char *name, struct slice value) {
	bool quoted = line->format == OBS_FORMAT_JSON || needs_quotes(value);
	size_t mark = line->text.len;

	add_name(line, name);
	if (quoted)
		base_text_add(&line->text, "\"\"");
	if (!fits(line, mark))
		return;
	if (!quoted) {
		base_text_add_bytes(&line->text, value);
		if (line->text.truncated) {
			line->text.truncated = false; /* plain characters can be cut anywhere */
			line->cut = true;
		}
		return;
	}
	/* The closing quote is taken back for the time of the loop: its place stays reserved by cap. */
	line->text.len--;
	line->text.cap--;
	for (size_t i = 0; i < value.len; i++) {
		mark = line->text.len;
		add_escaped(line, value.data[i]);
		if (!fits(line, mark))
			break;
	}
	line->text.cap++;
	base_text_add_char(&line->text, '"');
}

struct slice obs_line_end(struct obs_line *line) {
	bool json = line->format == OBS_FORMAT_JSON;
	const char *tail = json ? "}\n" : "\n";

	if (line->cut)
		tail = json ? TAIL_JSON : TAIL_TEXT;
	line->text.cap += TAIL_BYTES_MAX;
	base_text_add(&line->text, tail);
	assert(!line->text.truncated);
	return slice_of(line->buf, line->text.len);
}
