/* obs/log.h: log lines as records: a level, an event name, typed fields. The binary chooses where they go and whether
 * they are text or one JSON object a line:
 *   2026-11-22T12:00:01.123Z info  peer_joined room=ROOM1 peer=3
 *   {"time":"2026-11-22T12:00:01.123Z","level":"info","event":"peer_joined","room":"ROOM1","peer":3}
 *
 * Usage: obs_begin(log, OBS_INFO, "peer_joined"); obs_u64(log, "peer", 3); obs_end(log); or the one-field short form
 * obs_note(). Building a record allocates nothing; a record that does not fit its line is cut and gets a field
 * truncated=true. Of a level that is off nothing is built; where frames pass, obs_on() saves the calls too: it is one
 * comparison (OBS-4).
 *
 * Values are made harmless for terminals and parsers: text values with blanks, quotes, '=' or anything unprintable are
 * quoted; bytes outside printable ASCII become \xNN in text and \u00NN in JSON, byte by byte, whatever their encoding.
 * Event and field names are printed as they are: string literals of lower-case letters, digits and '_'. */
#ifndef OBS_LOG_H
#define OBS_LOG_H

#include "base/addr.h"
#include "base/slice.h"

#define OBS_LINE_BYTES_MAX 2048

enum obs_level { OBS_ERROR, OBS_WARN, OBS_INFO, OBS_DEBUG, OBS_TRACE };
enum obs_format { OBS_FORMAT_TEXT, OBS_FORMAT_JSON };

/* Identical events beyond `OBS_FLOOD_LINES` in `OBS_FLOOD_NS` are swallowed and summed up in one line later, of the
 * same level: event "<event>_suppressed" with count, key or network and, if there are any, room and reason. Identical
 * means: same event name, and the same given to obs_flood_key() or one of its sisters. While OBS_FLOOD_KEYS are being
 * counted, further rooms, keys and networks of an event and reason are counted together, and the sum has none; the
 * oldest is summed up early to make place for them. */
#define OBS_FLOOD_LINES 5
#define OBS_FLOOD_NS (UINT64_C(10) * 1000000000)
#define OBS_FLOOD_KEYS 64

struct obs_log;

/* What a struct obs_log starts with, so that asking for the level costs no call. */
struct obs_log_head {
	enum obs_level level;
};

/* `sink` gets each finished line with its newline. The wall clock is a callback so that tests can fix it. NULL when
 * memory is out. */
struct obs_log *obs_log_new(enum obs_level level, enum obs_format format, void (*sink)(void *user, struct slice line),
                            uint64_t (*wall_clock_ns)(void), void *user);
void obs_log_free(struct obs_log *log); /* writes pending flood summaries; accepts NULL */
static inline enum obs_level obs_log_level(const struct obs_log *log) {
	return ((const struct obs_log_head *)(const void *)log)->level;
}
const char *obs_level_name(enum obs_level level);
int obs_level_parse(const char *name, enum obs_level *ret);   /* 0 or BASE_E_INVALID */
int obs_format_parse(const char *name, enum obs_format *ret); /* 0 or BASE_E_INVALID */

/* A NULL log is legal everywhere below and is off. */
static inline bool obs_on(const struct obs_log *log, enum obs_level level) {
	return log != NULL && level <= obs_log_level(log);
}

/* `event` is a string literal. A record of a level that is off takes no fields and prints nothing. A record that is
 * still open is finished first, marked as cut. */
void obs_begin(struct obs_log *log, enum obs_level level, const char *event);
void obs_str(struct obs_log *log, const char *name, const char *value);    /* NULL: no field */
void obs_bytes(struct obs_log *log, const char *name, struct slice value); /* untrusted text: escaped */
void obs_u64(struct obs_log *log, const char *name, uint64_t value);
void obs_bool(struct obs_log *log, const char *name, bool value);
void obs_ms(struct obs_log *log, const char *name, uint64_t ns); /* milliseconds with microsecond digits */
void obs_mac(struct obs_log *log, const char *name, const uint8_t mac[static 6]);
/* The address without its port, IPv6 in brackets. */
void obs_ip(struct obs_log *log, const char *name, const struct base_addr *addr);
/* This record may repeat in floods: it is counted under (event, key) and `now` (monotonic ns). Best called right after
 * obs_begin(): the fields of a record that is swallowed then cost nothing. */
void obs_flood_key(struct obs_log *log, uint64_t key, uint64_t now);
/* The same under (event, key, reason); `reason` is a string literal. */
void obs_flood_reason(struct obs_log *log, uint64_t key, const char *reason, uint64_t now);
/* The same for a key that means something in one of several rooms only. The summary gives the name `room`; `number`
 * tells rooms of the same name apart. NULL and 0: no room. `reason` may be NULL. */
void obs_flood_room(struct obs_log *log, const char *room, uint64_t number, uint64_t key, const char *reason,
                    uint64_t now);
/* The same under (event, network of the address, reason). */
void obs_flood_network(struct obs_log *log, const struct base_addr *addr, const char *reason, uint64_t now);
void obs_end(struct obs_log *log);
/* Writes summaries of floods that are over. Call about once a second. */
void obs_log_tick(struct obs_log *log, uint64_t now);

/* Short forms: event with a message text. */
void obs_note(struct obs_log *log, enum obs_level level, const char *event, const char *message);

#endif
