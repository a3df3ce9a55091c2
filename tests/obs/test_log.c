#include "obs/log.h"

#include "base/error.h"
#include "base/time.h"
#include "tests/obs/sink.h"

#include <jansson.h>
#include <stdio.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void fill_record(struct obs_log *log) {
	static const uint8_t mac[6] = {0x02, 0xab, 0, 0, 0, 0xff};

	obs_begin(log, OBS_INFO, "peer_joined");
	obs_str(log, "room", "ROOM1");
	obs_str(log, "none", NULL);
	obs_u64(log, "peer", 3);
	obs_u64(log, "most", UINT64_MAX);
	obs_bool(log, "ready", true);
	obs_ms(log, "rtt_ms", 23412999);
	obs_ms(log, "zero_ms", 999);
	obs_mac(log, "mac", mac);
	obs_end(log);
}

static void test_formats(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);

	(void)state;
	fill_record(log);
	assert_string_equal(sink.last, SINK_TIME " info  peer_joined room=ROOM1 peer=3 most=18446744073709551615 "
	                                         "ready=true rtt_ms=23.412 zero_ms=0.000 "
	                                         "mac=02:ab:00:00:00:ff");
	obs_log_free(log);
	log = sink_log(&sink, OBS_INFO, OBS_FORMAT_JSON);
	fill_record(log);
	assert_string_equal(sink.last, "{\"time\":\"" SINK_TIME "\",\"level\":\"info\",\"event\":\"peer_joined\","
	                               "\"room\":\"ROOM1\",\"peer\":3,\"most\":18446744073709551615,"
	                               "\"ready\":true,\"rtt_ms\":23.412,"
	                               "\"zero_ms\":0.000,\"mac\":\"02:ab:00:00:00:ff\"}");
	obs_note(log, OBS_ERROR, "failed", "no \"carrier\"");
	assert_string_equal(sink.last, "{\"time\":\"" SINK_TIME "\",\"level\":\"error\",\"event\":\"failed\","
	                               "\"message\":\"no \\\"carrier\\\"\"}");
	obs_log_free(log);
}

static void test_addresses(void **state) {
	const struct base_addr v4 = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443};
	const struct base_addr v6 = {.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80, [15] = 1}, .port = 443, .scope = 3};
	const struct base_addr none = {.family = BASE_FAMILY_NONE};
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);

	(void)state;
	obs_begin(log, OBS_INFO, "route");
	obs_ip(log, "v4", &v4);
	obs_ip(log, "v6", &v6);
	obs_ip(log, "none", &none);
	obs_end(log);
	assert_string_equal(sink.last, SINK_TIME " info  route v4=192.0.2.1 v6=[fe80::1%3] none=-");
	obs_ip(log, "outside_of_a_record", &v4);
	obs_ip(NULL, "v4", &v4);
	obs_log_free(log);
}

static uint64_t wall_ns;

static uint64_t settable_clock(void) {
	return wall_ns;
}

static void test_dates(void **state) {
	static const struct {
		uint64_t seconds;
		unsigned ms;
		const char *text;
	} cases[] = {
	    {0, 0, "1970-01-01T00:00:00.000Z"},           {68255999, 999, "1972-02-29T23:59:59.999Z"},
	    {951825600, 1, "2000-02-29T12:00:00.001Z"},   {951868800, 0, "2000-03-01T00:00:00.000Z"},
	    {1709164801, 10, "2024-02-29T00:00:01.010Z"}, {1795348801, 123, "2026-11-22T12:00:01.123Z"},
	    {4107542399, 0, "2100-02-28T23:59:59.000Z"},  {4107542400, 0, "2100-03-01T00:00:00.000Z"},
	    {9246182399, 0, "2262-12-31T23:59:59.000Z"},  {18446744073, 709, "2554-07-21T23:34:33.709Z"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sink sink = {0};
		struct obs_log *log = obs_log_new(OBS_INFO, OBS_FORMAT_TEXT, sink_take, settable_clock, &sink);

		wall_ns = cases[i].seconds * BASE_SECOND + cases[i].ms * BASE_MS;
		obs_note(log, OBS_WARN, "event", NULL);
		assert_memory_equal(sink.last, cases[i].text, strlen(cases[i].text));
		assert_string_equal(sink.last + strlen(cases[i].text), " warn  event");
		obs_log_free(log);
	}
}

static void test_quoting(void **state) {
	static const struct {
		const char *value;
		size_t len;
		const char *text, *json;
	} cases[] = {
	    {"plain-1.2:/[]", 13, "plain-1.2:/[]", "\"plain-1.2:/[]\""},
	    {"", 0, "\"\"", "\"\""},
	    {"two words", 9, "\"two words\"", "\"two words\""},
	    {"a=b", 3, "\"a=b\"", "\"a=b\""},
	    {"say \"hi\"\\", 9, "\"say \\\"hi\\\"\\\\\"", "\"say \\\"hi\\\"\\\\\""},
	    {"a\nb\0c", 5, "\"a\\x0ab\\x00c\"", "\"a\\u000ab\\u0000c\""},
	    {"\x1b[2J", 4, "\"\\x1b[2J\"", "\"\\u001b[2J\""},
	    {"\xc3\xa4\xff\x7f", 4, "\"\\xc3\\xa4\\xff\\x7f\"", "\"\\u00c3\\u00a4\\u00ff\\u007f\""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (int json = 0; json <= 1; json++) {
			struct sink sink;
			struct obs_log *log = sink_log(&sink, OBS_INFO, json ? OBS_FORMAT_JSON : OBS_FORMAT_TEXT);
			char expected[128];

			obs_begin(log, OBS_INFO, "e");
			obs_bytes(log, "v", slice_of(cases[i].value, cases[i].len));
			obs_end(log);
			snprintf(expected, sizeof(expected), json ? "\"event\":\"e\",\"v\":%s}" : "info  e v=%s",
			         json ? cases[i].json : cases[i].text);
			assert_non_null(strstr(sink.last, expected));
			assert_string_equal(strstr(sink.last, expected), expected);
			obs_log_free(log);
		}
	}
}

/* The line as jansson reads it: strict, so that anything malformed fails. */
static json_t *load(const struct sink *sink) {
	json_error_t problem;
	json_t *root = json_loads(sink->last, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);

	if (root == NULL)
		fail_msg("%s: %s", sink->last, problem.text);
	return root;
}

/* Records of every length around the limit: never longer than a line, always whole JSON, marked when cut. */
static void test_cut(void **state) {
	static uint8_t value[OBS_LINE_BYTES_MAX + 64];
	static const uint8_t kinds[] = {'a', '"', 0xff};

	(void)state;
	for (size_t kind = 0; kind < sizeof(kinds); kind++) {
		memset(value, kinds[kind], sizeof(value));
		for (size_t len = 200; len <= sizeof(value); len++) {
			struct sink sink;
			struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_JSON);
			json_t *root;
			const json_t *copy;
			bool is_cut;

			obs_begin(log, OBS_INFO, "long");
			obs_bytes(log, "value", slice_of(value, len));
			obs_u64(log, "after", UINT64_MAX >> 1);
			obs_end(log);
			root = load(&sink);
			is_cut = json_object_get(root, "truncated") != NULL;
			copy = json_object_get(root, "value");
			if (!is_cut) {
				assert_int_equal(json_string_length(copy), kinds[kind] == 0xff ? 2 * len : len);
				assert_non_null(json_object_get(root, "after"));
			} else {
				assert_true(json_string_length(copy) <= 2 * len);
				assert_true(sink.longest > OBS_LINE_BYTES_MAX - 64);
			}
			json_decref(root);
			obs_log_free(log);
		}
	}
}

static void test_cut_text(void **state) {
	static char value[2 * OBS_LINE_BYTES_MAX];
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);

	(void)state;
	memset(value, 'a', sizeof(value) - 1);
	obs_note(log, OBS_INFO, "plain", value);
	assert_string_equal(sink.last + strlen(sink.last) - 16, "a truncated=true");
	value[0] = ' ';
	obs_note(log, OBS_INFO, "quoted", value);
	assert_string_equal(sink.last + strlen(sink.last) - 17, "a\" truncated=true");
	/* Many fields: those that fit stay whole. */
	obs_begin(log, OBS_INFO, "many");
	for (int i = 0; i < 1000; i++)
		obs_u64(log, "field", 123456789);
	obs_end(log);
	assert_string_equal(sink.last + strlen(sink.last) - 31, " field=123456789 truncated=true");
	obs_log_free(log);
}

static void test_levels(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_WARN, OBS_FORMAT_TEXT);
	enum obs_level level = OBS_TRACE;
	enum obs_format format = OBS_FORMAT_TEXT;

	(void)state;
	assert_true(obs_on(log, OBS_ERROR) && obs_on(log, OBS_WARN));
	assert_false(obs_on(log, OBS_INFO));
	obs_note(log, OBS_INFO, "quiet", "x");
	assert_int_equal(sink.lines, 0);
	obs_log_free(log);
	log = sink_log(&sink, OBS_DEBUG, OBS_FORMAT_TEXT);
	assert_int_equal(obs_log_level(log), OBS_DEBUG);
	obs_note(log, OBS_DEBUG, "loud", "x");
	assert_int_equal(sink.lines, 1);
	obs_log_free(log);

	for (int i = OBS_ERROR; i <= OBS_TRACE; i++) {
		assert_int_equal(obs_level_parse(obs_level_name((enum obs_level)i), &level), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(obs_level_parse("warning", &level), BASE_E_INVALID);
	assert_int_equal(obs_level_parse("", &level), BASE_E_INVALID);
	assert_int_equal(level, OBS_TRACE);
	assert_int_equal(obs_format_parse("json", &format), 0);
	assert_int_equal(format, OBS_FORMAT_JSON);
	assert_int_equal(obs_format_parse("xml", &format), BASE_E_INVALID);
	assert_int_equal(format, OBS_FORMAT_JSON);
}

static void test_null_log(void **state) {
	(void)state;
	assert_false(obs_on(NULL, OBS_ERROR));
	fill_record(NULL);
	obs_note(NULL, OBS_ERROR, "e", "m");
	obs_flood_key(NULL, 1, 1);
	obs_log_tick(NULL, 1);
	obs_log_free(NULL);
}

/* A record begun inside another one ends it: nothing is lost and neither line is torn. */
static void test_nested(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);

	(void)state;
	obs_begin(log, OBS_INFO, "outer");
	obs_u64(log, "a", 1);
	obs_begin(log, OBS_DEBUG, "off");
	obs_u64(log, "b", 2);
	obs_end(log);
	obs_end(log);
	assert_string_equal(sink.all, SINK_TIME " info  outer a=1 truncated=true\n");
	obs_log_free(log);
}

static void log_flood(struct obs_log *log, const char *event, uint64_t key, uint64_t now) {
	obs_begin(log, OBS_INFO, event);
	obs_flood_key(log, key, now);
	obs_str(log, "detail", "x");
	obs_end(log);
}

static void test_flood(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		log_flood(log, "bad", 7, 1000 + i);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES);
	/* Another key or event is news. */
	log_flood(log, "bad", 8, 1100);
	log_flood(log, "worse", 7, 1100);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES + 2);
	obs_log_tick(log, 1000 + OBS_FLOOD_NS - 1);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES + 2);
	/* Nothing is said about events of which none was swallowed. */
	obs_log_tick(log, 2000 + OBS_FLOOD_NS);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES + 3);
	assert_string_equal(sink.last, SINK_TIME " info  bad_suppressed count=95 key=7");
	obs_log_tick(log, 3000 + OBS_FLOOD_NS);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES + 3);
	/* A new window starts from nothing. */
	for (uint64_t i = 0; i < OBS_FLOOD_LINES + 1; i++)
		log_flood(log, "bad", 7, 4000 + OBS_FLOOD_NS);
	assert_int_equal(sink.lines, 2 * OBS_FLOOD_LINES + 3);
	/* Freeing tells what is pending. */
	obs_log_free(log);
	assert_int_equal(sink.lines, 2 * OBS_FLOOD_LINES + 4);
	assert_string_equal(sink.last, SINK_TIME " info  bad_suppressed count=1 key=7");
}

/* Without a tick the next event after the window brings the summary, before its own line. */
static void test_flood_without_tick(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_JSON);
	const char *summary;

	(void)state;
	for (uint64_t i = 0; i < OBS_FLOOD_LINES + 3; i++)
		log_flood(log, "bad", UINT64_MAX, 0);
	log_flood(log, "bad", UINT64_MAX, OBS_FLOOD_NS);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES + 2);
	summary = strstr(sink.all, "{\"time\":\"" SINK_TIME "\",\"level\":\"info\",\"event\":\"bad_suppressed\","
	                           "\"count\":3,\"key\":18446744073709551615}\n");
	assert_non_null(summary);
	assert_string_equal(strchr(summary, '\n') + 1, "{\"time\":\"" SINK_TIME "\",\"level\":\"info\",\"event\":\"bad\","
	                                               "\"detail\":\"x\"}\n");
	obs_log_free(log);
}

/* More kinds of floods than the table holds: the oldest is summed up to make place, and nothing goes uncounted. */
static void test_flood_eviction(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);

	(void)state;
	for (uint64_t key = 0; key < OBS_FLOOD_KEYS; key++) {
		for (int i = 0; i < OBS_FLOOD_LINES + 2; i++)
			log_flood(log, "bad", key, 100 + key);
	}
	assert_int_equal(sink.lines, OBS_FLOOD_KEYS * OBS_FLOOD_LINES);
	log_flood(log, "bad", 1000, 500);
	assert_int_equal(sink.lines, OBS_FLOOD_KEYS * OBS_FLOOD_LINES + 2);
	assert_non_null(strstr(sink.all, " bad_suppressed count=2 key=0\n"));
	assert_null(strstr(sink.all, " bad_suppressed count=2 key=1\n"));
	obs_log_free(log);
	assert_int_equal(sink.lines, OBS_FLOOD_KEYS * OBS_FLOOD_LINES + 1 + OBS_FLOOD_KEYS);
}

/* Who has more keys than the table has places is held to as many lines as others, and leaves them their places. */
static void test_flood_of_keys(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);
	unsigned before;

	(void)state;
	for (uint64_t i = 0; i < 100 * OBS_FLOOD_KEYS; i++)
		log_flood(log, "bad", i % (2 * OBS_FLOOD_KEYS), i);
	assert_int_equal(sink.lines, (OBS_FLOOD_KEYS - 1) * OBS_FLOOD_LINES + 1 + OBS_FLOOD_LINES);
	/* News is told all the same. */
	log_flood(log, "worse", 7, 50000);
	assert_non_null(strstr(sink.last, " worse "));
	/* All are counted. */
	before = (unsigned)sink.lines;
	obs_log_tick(log, 50000 + OBS_FLOOD_NS);
	assert_int_equal(sink.lines, before + OBS_FLOOD_KEYS - 1);
	assert_non_null(strstr(sink.all, " bad_suppressed count=3244\n"));
	log_flood(log, "bad", 1, 60000 + OBS_FLOOD_NS);
	assert_int_equal(sink.lines, before + OBS_FLOOD_KEYS);
	obs_log_free(log);
}

static void test_flood_reason_and_level(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_DEBUG, OBS_FORMAT_TEXT);

	(void)state;
	for (int i = 0; i < OBS_FLOOD_LINES + 2; i++) {
		obs_begin(log, OBS_DEBUG, "frame");
		obs_flood_reason(log, 3, "arp", 0);
		obs_end(log);
	}
	obs_begin(log, OBS_DEBUG, "frame");
	obs_flood_key(log, 3, 0);
	obs_end(log);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES + 1);
	obs_log_tick(log, OBS_FLOOD_NS);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES + 2);
	assert_string_equal(sink.last, SINK_TIME " debug frame_suppressed count=2 key=3 reason=arp");
	obs_log_free(log);
}

/* The same key in two rooms is not the same, also when those have one name; the summary says which room. */
static void test_flood_of_rooms(void **state) {
	static const struct {
		const char *room;
		uint64_t number;
	} rooms[] = {{"R", 1}, {"S", 2}, {"R", 3}, {NULL, 0}};
	char gone[] = "R";
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		for (int n = 0; n < OBS_FLOOD_LINES + 2 + (int)i; n++) {
			obs_begin(log, OBS_INFO, "bad");
			obs_flood_room(log, i == 0 ? gone : rooms[i].room, rooms[i].number, 7, NULL, 0);
			obs_end(log);
		}
	}
	gone[0] = 'X';
	assert_int_equal(sink.lines, 4 * OBS_FLOOD_LINES);
	obs_log_tick(log, OBS_FLOOD_NS);
	assert_non_null(strstr(sink.all, " bad_suppressed count=2 room=R key=7\n"));
	assert_non_null(strstr(sink.all, " bad_suppressed count=3 room=S key=7\n"));
	assert_non_null(strstr(sink.all, " bad_suppressed count=4 room=R key=7\n"));
	assert_non_null(strstr(sink.all, " bad_suppressed count=5 key=7\n"));
	obs_log_free(log);
}

/* Of an address those of its network are, whatever their ports; the summary names it. */
static void test_flood_of_networks(void **state) {
	struct base_addr v4 = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}}, other = v4;
	struct base_addr v6 = {.family = BASE_FAMILY_V6, .ip = {0x20, 1, 0x0d, 0xb8, 0, 5, 6, 7, 8}};
	const struct base_addr *const from[] = {&v4, &other, &v6};
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);

	(void)state;
	other.ip[3] = 2;
	for (int n = 0; n < 3 * (OBS_FLOOD_LINES + 2); n++) {
		obs_begin(log, OBS_INFO, "bad");
		obs_flood_network(log, from[n % 3], "rate", 0);
		obs_end(log);
		v4.port++;
		v6.ip[7]++;
	}
	assert_int_equal(sink.lines, 3 * OBS_FLOOD_LINES);
	obs_log_tick(log, OBS_FLOOD_NS);
	assert_non_null(strstr(sink.all, " bad_suppressed count=2 network=192.0.2.1 reason=rate\n"));
	assert_non_null(strstr(sink.all, " bad_suppressed count=2 network=192.0.2.2 reason=rate\n"));
	assert_non_null(strstr(sink.all, " bad_suppressed count=2 network=2001:db8:5:600::/56 reason=rate\n"));
	obs_flood_network(NULL, &v4, "rate", 0);
	obs_log_free(log);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_formats),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_quoting),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_cut_text),
	    cmocka_unit_test(test_levels),
	    cmocka_unit_test(test_null_log),
	    cmocka_unit_test(test_nested),
	    cmocka_unit_test(test_flood),
	    cmocka_unit_test(test_flood_without_tick),
	    cmocka_unit_test(test_flood_eviction),
	    cmocka_unit_test(test_flood_of_keys),
	    cmocka_unit_test(test_flood_reason_and_level),
	    cmocka_unit_test(test_flood_of_rooms),
	    cmocka_unit_test(test_flood_of_networks),
	};

	return cmocka_run_group_tests_name("obs/log", tests, NULL, NULL);
}
