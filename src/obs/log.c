#include "obs/log.h"

#include "base/error.h"
#include "obs/log_flood.h"
#include "obs/log_line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct obs_log {
	struct obs_log_head head; /* first: obs_log_level() looks here */
	enum obs_format format;
	void (*sink)(void *user, struct slice line);
	uint64_t (*wall_clock_ns)(void);
	void *user;

	/* The record between begin and end. */
	bool open;
	enum obs_level level;
	const char *event;
	struct obs_line line;

	struct obs_flood_table floods;
};

_Static_assert(offsetof(struct obs_log, head) == 0, "obs_log_level() reads the head through a pointer to the log");

static const char *const level_names[] = {
    [OBS_ERROR] = "error", [OBS_WARN] = "warn", [OBS_INFO] = "info", [OBS_DEBUG] = "debug", [OBS_TRACE] = "trace",
};
static const char *const format_names[] = {[OBS_FORMAT_TEXT] = "text", [OBS_FORMAT_JSON] = "json"};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct obs_log *obs_log_new(enum obs_level level, enum obs_format format, void (*sink)(void *user, struct slice line),
                            uint64_t (*wall_clock_ns)(void), void *user) {
	struct obs_log *log = calloc(1, sizeof(*log));

	assert(sink != NULL && wall_clock_ns != NULL);
	if (log == NULL)
		return NULL;
	log->head.level = level;
	log->format = format;
	log->sink = sink;
	log->wall_clock_ns = wall_clock_ns;
	log->user = user;
	return log;
}

void obs_log_free(struct obs_log *log) {
	if (log == NULL)
		return;
	obs_log_tick(log, UINT64_MAX);
	free(log);
}

const char *obs_level_name(enum obs_level level) {
	assert((size_t)level < COUNT_OF(level_names));
	return level_names[level];
}

static int find_name(const char *const *names, size_t count, const char *name) {
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return (int)i;
	}
	return BASE_E_INVALID;
}

int obs_level_parse(const char *name, enum obs_level *ret) {
	int level = find_name(level_names, COUNT_OF(level_names), name);

	if (level < 0)
		return level;
	*ret = (enum obs_level)level;
	return 0;
}

int obs_format_parse(const char *name, enum obs_format *ret) {
	int format = find_name(format_names, COUNT_OF(format_names), name);

	if (format < 0)
		return format;
	*ret = (enum obs_format)format;
	return 0;
}

void obs_begin(struct obs_log *log, enum obs_level level, const char *event) {
	if (log == NULL)
		return;
	if (log->open) {
		log->line.cut = true;
		obs_end(log);
	}
	if (!obs_on(log, level))
		return;
	log->open = true;
	log->level = level;
	log->event = event;
	obs_line_begin(&log->line, log->format, level, log->wall_clock_ns(), event, "");
}

void obs_end(struct obs_log *log) {
	if (log == NULL || !log->open)
		return;
	log->open = false;
	log->sink(log->user, obs_line_end(&log->line));
}

void obs_bytes(struct obs_log *log, const char *name, struct slice value) {
	if (log != NULL && log->open)
		obs_line_string(&log->line, name, value);
}

void obs_str(struct obs_log *log, const char *name, const char *value) {
	if (value != NULL)
		obs_bytes(log, name, slice_of_text(value));
}

static void add_u64(struct obs_line *line, const char *name, uint64_t value) {
	struct base_text text;
	char buf[24];

	base_text_init(&text, buf, sizeof(buf));
	base_text_add_u64(&text, value);
	obs_line_plain(line, name, buf);
}

void obs_u64(struct obs_log *log, const char *name, uint64_t value) {
	if (log != NULL && log->open)
		add_u64(&log->line, name, value);
}

void obs_bool(struct obs_log *log, const char *name, bool value) {
	if (log != NULL && log->open)
		obs_line_plain(&log->line, name, value ? "true" : "false");
}

void obs_ms(struct obs_log *log, const char *name, uint64_t ns) {
	uint64_t us = ns / 1000;
	struct base_text text;
	char buf[32];

	if (log == NULL || !log->open)
		return;
	base_text_init(&text, buf, sizeof(buf));
	base_text_addf(&text, "%llu.%03u", (unsigned long long)(us / 1000), (unsigned)(us % 1000));
	obs_line_plain(&log->line, name, buf);
}

void obs_mac(struct obs_log *log, const char *name, const uint8_t mac[static 6]) {
	struct base_text text;
	char buf[18];

	if (log == NULL || !log->open)
		return;
	base_text_init(&text, buf, sizeof(buf));
	base_text_addf(&text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	obs_bytes(log, name, slice_of(buf, text.len));
}

void obs_ip(struct obs_log *log, const char *name, const struct base_addr *addr) {
	char ip[BASE_ADDR_TEXT_BYTES], buf[BASE_ADDR_TEXT_BYTES];
	struct base_text text;

	if (log == NULL || !log->open)
		return;
	base_text_init(&text, buf, sizeof(buf));
	base_text_addf(&text, addr->family == BASE_FAMILY_V6 ? "[%s]" : "%s", base_addr_ip_text(addr, ip));
	obs_bytes(log, name, slice_of(buf, text.len));
}

/* Has its own line: the record that ended a window may be under construction. */
static void write_summary(struct obs_log *log, const struct obs_flood *flood) {
	char network[BASE_ADDR_TEXT_BYTES];
	struct obs_line line;

	if (obs_flood_swallowed(flood) == 0)
		return;
	obs_line_begin(&line, log->format, flood->level, log->wall_clock_ns(), flood->event, "_suppressed");
	add_u64(&line, "count", obs_flood_swallowed(flood));
	if (!flood->others && flood->room[0] != '\0')
		obs_line_string(&line, "room", slice_of_text(flood->room));
	if (!flood->others && flood->addr.family != BASE_FAMILY_NONE)
		obs_line_string(&line, "network", slice_of_text(base_addr_network_text(&flood->addr, network)));
	else if (!flood->others)
		add_u64(&line, "key", flood->key);
	if (flood->reason != NULL)
		obs_line_string(&line, "reason", slice_of_text(flood->reason));
	log->sink(log->user, obs_line_end(&line));
}

/* Counts the open record, and lets it be if it is to be swallowed. */
static void count(struct obs_log *log, struct obs_flood *flood, uint64_t now) {
	struct obs_flood over;

	flood->event = log->event;
	flood->level = log->level;
	log->open = obs_flood_count(&log->floods, flood, now, &over);
	if (over.event != NULL)
		write_summary(log, &over);
}

void obs_flood_room(struct obs_log *log, const char *room, uint64_t number, uint64_t key, const char *reason,
                    uint64_t now) {
	struct obs_flood flood = {.reason = reason, .key = key, .number = number};

	if (log == NULL || !log->open)
		return;
	base_text_copy(flood.room, sizeof(flood.room), room != NULL ? room : "");
	count(log, &flood, now);
}

void obs_flood_network(struct obs_log *log, const struct base_addr *addr, const char *reason, uint64_t now) {
	if (log != NULL && log->open)
		count(log, &(struct obs_flood){.reason = reason, .addr = *addr}, now);
}

void obs_flood_reason(struct obs_log *log, uint64_t key, const char *reason, uint64_t now) {
	obs_flood_room(log, NULL, 0, key, reason, now);
}

void obs_flood_key(struct obs_log *log, uint64_t key, uint64_t now) {
	obs_flood_reason(log, key, NULL, now);
}

void obs_log_tick(struct obs_log *log, uint64_t now) {
	struct obs_flood over;

	if (log == NULL)
		return;
	while (obs_flood_take_over(&log->floods, now, &over))
		write_summary(log, &over);
}

void obs_note(struct obs_log *log, enum obs_level level, const char *event, const char *message) {
	obs_begin(log, level, event);
	obs_str(log, "message", message);
	obs_end(log);
}
