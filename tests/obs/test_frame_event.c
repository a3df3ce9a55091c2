#include "obs/frame_event.h"

#include "tests/obs/sink.h"

#include <stdlib.h>

static const uint8_t arp[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06};
static const uint8_t llc[60] = {1, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0x00, 0x26};

struct event_case {
	enum obs_format format;
	struct obs_frame_event event;
	const char *line;
};

static const struct event_case cases[] = {
    {OBS_FORMAT_TEXT,
     {.room = "ROOM1",
      .peer = 3,
      .frame = {arp, sizeof(arp)},
      .direction = OBS_DIR_RELAY,
      .action = OBS_FORWARDED,
      .target_count = 4},
     SINK_TIME " trace frame room=ROOM1 peer=3 dir=relay action=forwarded dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:01 "
               "type=0x0806 len=42 targets=4"},
    {OBS_FORMAT_TEXT,
     {.room = "ROOM1",
      .peer = 3,
      .target_peer = 5,
      .frame = {arp, sizeof(arp)},
      .direction = OBS_DIR_RELAY,
      .action = OBS_DROPPED,
      .reason = "datagram_budget",
      .encoded = 50,
      .budget = 49},
     SINK_TIME " debug frame room=ROOM1 peer=3 target=5 dir=relay action=dropped reason=datagram_budget "
               "dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:01 type=0x0806 len=42 targets=0 encoded=50 budget=49"},
    {OBS_FORMAT_JSON,
     {.frame = {llc, sizeof(llc)},
      .direction = OBS_DIR_DEVICE_TO_TUNNEL,
      .action = OBS_FILTERED,
      .reason = "switch_control"},
     "{\"time\":\"" SINK_TIME "\",\"level\":\"debug\",\"event\":\"frame\",\"dir\":\"device_to_tunnel\","
     "\"action\":\"filtered\",\"reason\":\"switch_control\",\"dst\":\"01:80:c2:00:00:00\","
     "\"src\":\"02:00:00:00:00:01\",\"type\":\"len:38\",\"len\":60}"},
    {OBS_FORMAT_TEXT,
     {.peer = 9,
      .frame = {arp, 13},
      .direction = OBS_DIR_TUNNEL_TO_DEVICE,
      .action = OBS_DROPPED,
      .reason = "malformed"},
     SINK_TIME " debug frame peer=9 dir=tunnel_to_device action=dropped reason=malformed dst=ff:ff:ff:ff:ff:ff "
               "src=02:00:00:00:00:01 len=13"},
};

static void test_lines(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sink sink;
		struct obs_log *log = sink_log(&sink, OBS_TRACE, cases[i].format);

		obs_frame_event(log, &cases[i].event, 0);
		assert_int_equal(sink.lines, 1);
		assert_string_equal(sink.last, cases[i].line);
		obs_log_free(log);
	}
}

/* Frames of every length, each in a block of its own: sanitizers see a read past the end. */
static void test_runts(void **state) {
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_TRACE, OBS_FORMAT_TEXT);

	(void)state;
	for (size_t len = 0; len <= sizeof(arp); len++) {
		struct obs_frame_event event = {.action = OBS_FORWARDED};
		uint8_t *frame = malloc(len > 0 ? len : 1);

		assert_non_null(frame);
		memcpy(frame, arp, len);
		event.frame = slice_of(frame, len);
		obs_frame_event(log, &event, 0);
		assert_int_equal(sink.lines, len + 1);
		assert_int_equal(strstr(sink.last, "dst=") != NULL, len >= 6);
		assert_int_equal(strstr(sink.last, "src=") != NULL, len >= 12);
		assert_int_equal(strstr(sink.last, "type=") != NULL, len >= 14);
		free(frame);
	}
	obs_log_free(log);
}

static void test_levels_and_floods(void **state) {
	struct obs_frame_event event = {.peer = 3, .frame = {arp, sizeof(arp)}, .direction = OBS_DIR_RELAY};
	struct sink sink;
	struct obs_log *log = sink_log(&sink, OBS_DEBUG, OBS_FORMAT_TEXT);

	(void)state;
	event.action = OBS_FORWARDED;
	assert_int_equal(obs_action_level(OBS_FORWARDED), OBS_TRACE);
	obs_frame_event(log, &event, 0);
	assert_int_equal(sink.lines, 0);
	event.action = OBS_RATE_LIMITED;
	event.reason = "rate_broadcast";
	assert_int_equal(obs_action_level(OBS_RATE_LIMITED), OBS_DEBUG);
	for (int i = 0; i < 100; i++)
		obs_frame_event(log, &event, 0);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES);
	/* Another reason of the same peer is news. */
	event.reason = "rate_bandwidth";
	obs_frame_event(log, &event, 0);
	assert_int_equal(sink.lines, OBS_FLOOD_LINES + 1);
	obs_log_tick(log, OBS_FLOOD_NS);
	assert_string_equal(sink.last, SINK_TIME " debug frame_suppressed count=95 key=3 reason=rate_broadcast");
	/* Forwarded frames are shown one by one. */
	obs_log_free(log);
	log = sink_log(&sink, OBS_TRACE, OBS_FORMAT_TEXT);
	event.action = OBS_FORWARDED;
	event.reason = NULL;
	for (int i = 0; i < 100; i++)
		obs_frame_event(log, &event, OBS_FLOOD_NS);
	assert_int_equal(sink.lines, 100);
	obs_log_free(log);
	obs_frame_event(NULL, &event, 0);
}

static void test_actions(void **state) {
	static const struct {
		enum obs_drop drop;
		enum obs_action action;
	} pairs[] = {
	    {OBS_DROP_MALFORMED, OBS_DROPPED},           {OBS_DROP_INVALID_SOURCE, OBS_FILTERED},
	    {OBS_DROP_SWITCH_CONTROL, OBS_FILTERED},     {OBS_DROP_DHCP4_SERVER, OBS_FILTERED},
	    {OBS_DROP_IP_MALFORMED, OBS_FILTERED},       {OBS_DROP_FORGED_SOURCE, OBS_FILTERED},
	    {OBS_DROP_ADDRESS_GUARD, OBS_FILTERED},      {OBS_DROP_TAP_MTU, OBS_DROPPED},
	    {OBS_DROP_UNKNOWN_UNICAST, OBS_DROPPED},     {OBS_DROP_NOBODY, OBS_DROPPED},
	    {OBS_DROP_RATE_BROADCAST, OBS_RATE_LIMITED}, {OBS_DROP_RATE_UNKNOWN_UNICAST, OBS_RATE_LIMITED},
	    {OBS_DROP_RATE_BANDWIDTH, OBS_RATE_LIMITED}, {OBS_DROP_QUEUE_FULL, OBS_DROPPED},
	    {OBS_DROP_DEVICE_FULL, OBS_DROPPED},         {OBS_DROP_RATE_ROOM_BROADCAST, OBS_RATE_LIMITED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		unit_assert_int(obs_action_of_drop(pairs[i].drop), pairs[i].action, obs_drop_name(pairs[i].drop));
	assert_string_equal(obs_action_name(OBS_RATE_LIMITED), "rate_limited");
	assert_string_equal(obs_direction_name(OBS_DIR_RELAY), "relay");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_runts),
	    cmocka_unit_test(test_levels_and_floods),
	    cmocka_unit_test(test_actions),
	};

	return cmocka_run_group_tests_name("obs/frame_event", tests, NULL, NULL);
}
