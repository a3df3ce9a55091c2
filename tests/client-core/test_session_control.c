/* Control messages: lifecycle, stats, unknown types, and a relay that breaks the protocol. */
#include "base/bytes.h"
#include "base/error.h"
#include "client-core/session_internal.h"
#include "tests/client-core/harness.h"
#include "tests/unit.h"

#include <string.h>

static struct harness h;

static int setup(void **state) {
	(void)state;
	harness_init(&h);
	harness_start(&h);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	harness_done(&h);
	return 0;
}

static void welcome_with_gateway(uint32_t id) {
	struct ctrl_message message = {
	    .type = CTRL_WELCOME,
	    .welcome = {.version = 1, .peer_id = 7, .mtu = 1400, .gateway = true, .gateway_peer = id},
	};

	harness_hello(&h);
	harness_say(&h, &message);
}

static uint32_t gateway(bool *ret_present) {
	struct obs_diagnostics diagnostics;

	client_session_diagnostics(h.session, &diagnostics);
	*ret_present = diagnostics.gateway_present;
	return diagnostics.gateway_peer;
}

static void left(uint32_t id, enum ctrl_leave_reason reason) {
	struct ctrl_message message = {.type = CTRL_PEER_LEFT, .peer_left = {.peer_id = id, .reason = reason}};

	harness_say(&h, &message);
}

static void test_gateway_of_the_welcome_is_remembered(void **state) {
	bool present = false;

	(void)state;
	welcome_with_gateway(4);
	assert_int_equal(gateway(&present), 4);
	assert_true(present);
	assert_int_equal(client_session_peer(h.session, 4)->role, CTRL_ROLE_GATEWAY);
	assert_false(client_session_peer(h.session, 4)->identity_known);
	assert_int_equal(h.peers_joined, 0);
	harness_peer_joined(&h, 4, CTRL_ROLE_GATEWAY, 0); /* the catch-up message completes it */
	assert_int_equal(h.peers_joined, 1);
	assert_true(client_session_peer(h.session, 4)->identity_known);
	left(4, CTRL_LEAVE_TIMEOUT);
	assert_int_equal(h.peers_left, 1);
	assert_int_equal(h.peer.role, CTRL_ROLE_GATEWAY);
	assert_int_equal(gateway(&present), 0);
	assert_false(present);
}

static void test_leave_of_a_gateway_known_from_the_welcome_only(void **state) {
	(void)state;
	welcome_with_gateway(4);
	left(4, CTRL_LEAVE_QUIT);
	assert_int_equal(h.peers_left, 1);
	assert_int_equal(h.peer.id, 4);
	assert_int_equal(h.peer.role, CTRL_ROLE_GATEWAY);
	assert_true(harness_logged(&h, "peer_left"));
}

/* CTL-4: an older relay says yes without an id. */
static void test_gateway_without_an_id(void **state) {
	bool present = false;

	(void)state;
	welcome_with_gateway(0);
	assert_int_equal(gateway(&present), 0);
	assert_true(present);
	harness_peer_joined(&h, 5, CTRL_ROLE_GATEWAY, 0);
	assert_int_equal(gateway(&present), 5);
}

static void test_a_gateway_may_be_told_of_itself(void **state) {
	(void)state;
	harness_reset(&h);
	h.config.role = CTRL_ROLE_GATEWAY;
	harness_start(&h);
	welcome_with_gateway(7);
	assert_int_equal(client_session_state(h.session), CLIENT_JOINED);
	assert_null(client_session_peer(h.session, 7));
}

static void lan(bool up) {
	harness_say(&h, &(struct ctrl_message){.type = CTRL_LAN, .lan = {.up = up}});
}

static bool is_cut_off(void) {
	struct obs_diagnostics diagnostics;

	client_session_diagnostics(h.session, &diagnostics);
	return diagnostics.lan_down;
}

static void test_gateway_is_cut_off_from_its_lan(void **state) {
	(void)state;
	welcome_with_gateway(4);
	harness_peer_joined(&h, 4, CTRL_ROLE_GATEWAY, 0);
	assert_false(is_cut_off());
	lan(false);
	assert_true(is_cut_off());
	assert_true(harness_logged(&h, "gateway_lan state=down"));
	harness_peer_joined(&h, 4, CTRL_ROLE_GATEWAY, 0); /* told twice */
	assert_true(is_cut_off());
	lan(true);
	assert_false(is_cut_off());
	assert_true(harness_logged(&h, "gateway_lan state=up"));

	lan(false);
	harness_peer_joined(&h, 5, CTRL_ROLE_GATEWAY, 0); /* another one has another LAN */
	assert_false(is_cut_off());
	lan(false);
	left(5, CTRL_LEAVE_TIMEOUT);
	assert_false(is_cut_off());
	lan(false); /* of nobody */
	assert_false(is_cut_off());

	harness_peer_joined(&h, 6, CTRL_ROLE_GATEWAY, 0);
	lan(false);
	client_session_lost(h.session, CLIENT_LOSS_TIMEOUT, "gone", h.now);
	assert_false(is_cut_off());
}

/* Asked each second, it says what the relay does not know yet: of a new connection it thinks that all is well. */
static void test_gateway_tells_of_its_lan(void **state) {
	struct ctrl_message message;

	(void)state;
	harness_reset(&h);
	h.config.role = CTRL_ROLE_GATEWAY;
	harness_start(&h);
	client_session_report_lan(h.session, false, h.now);
	harness_join(&h);
	assert_false(harness_sent(&h, &message));
	client_session_report_lan(h.session, true, h.now);
	assert_false(harness_sent(&h, &message));
	h.control_result = BASE_E_FULL;
	client_session_report_lan(h.session, false, h.now);
	h.sent_len = 0;
	h.control_result = 0;
	for (int i = 0; i < 3; i++)
		client_session_report_lan(h.session, false, h.now);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.type, CTRL_LAN);
	assert_false(message.lan.up);
	assert_false(harness_sent(&h, &message));
	lan(true); /* no relay says so to a gateway */
	client_session_report_lan(h.session, true, h.now);
	assert_true(harness_sent(&h, &message));
	assert_true(message.lan.up);

	client_session_report_lan(h.session, false, h.now);
	assert_true(harness_sent(&h, &message));
	client_session_lost(h.session, CLIENT_LOSS_TIMEOUT, "gone", h.now);
	harness_run(&h, BASE_SECOND);
	harness_join(&h);
	client_session_report_lan(h.session, false, h.now);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.type, CTRL_LAN);
}

static void shut_out(uint32_t peer, bool out) {
	harness_say(&h, &(struct ctrl_message){.type = CTRL_SHUT_OUT, .shut_out = {.peer_id = peer, .out = out}});
}

static bool is_shut_out(void) {
	struct obs_diagnostics diagnostics;

	client_session_diagnostics(h.session, &diagnostics);
	return diagnostics.shut_out;
}

static void test_gateway_shuts_us_out(void **state) {
	uint32_t own;

	(void)state;
	welcome_with_gateway(4);
	own = client_session_welcome(h.session)->peer_id;
	shut_out(own + 1, true);
	assert_false(is_shut_out());
	shut_out(own, true);
	assert_true(is_shut_out());
	assert_true(harness_logged(&h, "warn  shut_out out=true"));
	shut_out(own, false);
	assert_false(is_shut_out());
	assert_true(harness_logged(&h, "shut_out out=false"));

	shut_out(own, true);
	harness_peer_joined(&h, 4, CTRL_ROLE_GATEWAY, 0);
	assert_true(is_shut_out());
	harness_peer_joined(&h, 5, CTRL_ROLE_GATEWAY, 0); /* another one may know better */
	assert_false(is_shut_out());
	shut_out(own, true);
	left(5, CTRL_LEAVE_TIMEOUT);
	assert_false(is_shut_out());
	shut_out(own, true); /* by nobody */
	assert_false(is_shut_out());
	harness_peer_joined(&h, 6, CTRL_ROLE_GATEWAY, 0);
	shut_out(own, true);
	client_session_lost(h.session, CLIENT_LOSS_TIMEOUT, "gone", h.now);
	assert_false(is_shut_out());
}

static void test_gateway_tells_whom_it_shuts_out(void **state) {
	struct ctrl_message message;

	(void)state;
	harness_reset(&h);
	h.config.role = CTRL_ROLE_GATEWAY;
	harness_start(&h);
	client_session_report_shut_out(h.session, 3, true, h.now);
	harness_join(&h);
	assert_false(harness_sent(&h, &message));
	client_session_report_shut_out(h.session, 3, true, h.now);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.type, CTRL_SHUT_OUT);
	assert_int_equal(message.shut_out.peer_id, 3);
	assert_true(message.shut_out.out);
}

/* Each change of what the status says of it once, and nothing else. */
static void test_news_of_the_gateway(void **state) {
	size_t news = 0;
	uint32_t own;

	(void)state;
	welcome_with_gateway(4);
	own = client_session_welcome(h.session)->peer_id;
	harness_peer_joined(&h, 4, CTRL_ROLE_GATEWAY, 0); /* the welcome has said so */
	harness_peer_joined(&h, 9, CTRL_ROLE_CLIENT, 0x99);
	left(9, CTRL_LEAVE_QUIT);
	assert_int_equal(h.gateway_news, news);
	for (int i = 0; i < 2; i++) {
		const bool down = i == 0;

		lan(!down);
		lan(!down);
		assert_int_equal(h.gateway_news, ++news);
		shut_out(own, down);
		shut_out(own, down);
		shut_out(own + 1, !down);
		assert_int_equal(h.gateway_news, ++news);
	}
	left(4, CTRL_LEAVE_TIMEOUT);
	assert_int_equal(h.gateway_news, ++news);
	harness_peer_joined(&h, 5, CTRL_ROLE_GATEWAY, 0);
	assert_int_equal(h.gateway_news, ++news);
	client_session_lost(h.session, CLIENT_LOSS_TIMEOUT, "gone", h.now); /* has its own event */
	assert_int_equal(h.gateway_news, news);
}

/* CLI-5: who leaves is told with role and MAC. */
static void test_peers_come_and_go(void **state) {
	(void)state;
	harness_join(&h);
	harness_peer_joined(&h, 9, CTRL_ROLE_CLIENT, 0x99);
	assert_int_equal(h.peers_joined, 1);
	assert_int_equal(h.peer.id, 9);
	assert_int_equal(h.peer.mac.b[5], 0x99);
	assert_true(harness_logged(&h, "peer_joined"));
	assert_true(harness_logged(&h, "02:00:00:00:00:99"));
	harness_peer_joined(&h, 9, CTRL_ROLE_CLIENT, 0x99); /* twice the same: told once */
	assert_int_equal(h.peers_joined, 1);
	h.lines_len = 0;
	left(9, CTRL_LEAVE_CONNECTION_LOST);
	assert_int_equal(h.peers_left, 1);
	assert_int_equal(h.reason, CTRL_LEAVE_CONNECTION_LOST);
	assert_int_equal(h.peer.mac.b[5], 0x99);
	assert_true(harness_logged(&h, "02:00:00:00:00:99"));
	assert_true(harness_logged(&h, "connection_lost"));
	assert_null(client_session_peer(h.session, 9));
	left(9, CTRL_LEAVE_QUIT); /* nobody we know: no event */
	assert_int_equal(h.peers_left, 1);
	assert_int_equal(client_session_state(h.session), CLIENT_JOINED);
}

static void test_unknown_types_are_skipped_and_counted(void **state) {
	(void)state;
	harness_hello(&h);
	harness_say_json(&h, "{\"type\":\"weather\",\"sun\":true}");
	assert_int_equal(client_session_state(h.session), CLIENT_JOINING);
	assert_true(harness_logged(&h, "unknown_control_message count=1"));
	harness_say_json(&h, "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":7,\"mtu\":1400,"
	                     "\"gateway\":false,\"later\":[1,2]}");
	assert_int_equal(client_session_state(h.session), CLIENT_JOINED);
	harness_say_json(&h, "{\"type\":\"weather\"}");
	assert_true(harness_logged(&h, "unknown_control_message count=2"));
}

static void test_bytes_in_any_portions(void **state) {
	struct ctrl_message message = {.type = CTRL_PEER_JOINED, .peer_joined = {.peer_id = 3, .mac = {{2}}}};
	uint8_t buf[2048];
	char error[CTRL_ERROR_BYTES];
	int one = ctrl_message_print(&message, buf, sizeof(buf), error);
	int two;

	(void)state;
	assert_true(one > 0);
	message.peer_joined.peer_id = 4;
	two = ctrl_message_print(&message, buf + one, sizeof(buf) - (size_t)one, error);
	assert_true(two > 0);
	harness_join(&h);
	for (int i = 0; i < one + two; i++)
		client_session_control(h.session, slice_of(buf + i, 1), false, h.now);
	assert_int_equal(h.peers_joined, 2);
	message.peer_joined.peer_id = 5;
	assert_true(ctrl_message_print(&message, buf, (size_t)one, error) == one);
	client_session_control(h.session, slice_of(buf, (size_t)(one + two)), false, h.now);
	assert_int_equal(h.peers_joined, 3); /* 5 is new, 4 is told twice */
}

/* What a relay must not say, before the welcome and after it: closed as a protocol error, the log names the part. */
static const struct {
	const char *label;
	bool joined;
	const char *json;
	const char *names;
} violations[] = {
    {"no JSON", false, "hello", ""},
    {"no object", false, "[]", ""},
    {"no type", false, "{}", "type"},
    {"peer id 0", false, "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":0,\"mtu\":1400}",
     "peer_id"},
    {"no peer id", false, "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"mtu\":1400}", "peer_id"},
    {"tiny mtu", false,
     "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":7,\"mtu\":5,\"gateway\":false}", "mtu"},
    {"our id as gateway", false,
     "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":7,\"mtu\":1400,\"gateway\":true,"
     "\"gateway_peer_id\":7}",
     "gateway_peer"},
    {"joined before welcome", false, "{\"type\":\"peer_left\",\"peer_id\":3,\"reason\":\"quit\"}", "peer_left"},
    {"stats from a relay", true, "{\"type\":\"stats\"}", ""},
    {"hello from a relay", true,
     "{\"type\":\"hello\",\"version\":1,\"role\":\"gateway\",\"room\":\"R\",\"budget\":1200}", "hello"},
    {"second welcome", true,
     "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":7,\"mtu\":1400,\"gateway\":false}",
     "welcome"},
    {"late reject", true, "{\"type\":\"reject\",\"code\":\"room_full\",\"text\":\"\"}", "reject"},
    {"our own join", true, "{\"type\":\"peer_joined\",\"peer_id\":7,\"role\":\"client\",\"mac\":\"02:00:00:00:00:05\"}",
     "peer_id"},
    {"our own leave", true, "{\"type\":\"peer_left\",\"peer_id\":7,\"reason\":\"quit\"}", "peer_id"},
    {"id taken", true, "{\"type\":\"peer_joined\",\"peer_id\":3,\"role\":\"client\",\"mac\":\"02:00:00:00:00:05\"}",
     "peer_id"},
    {"role changed", true, "{\"type\":\"peer_joined\",\"peer_id\":3,\"role\":\"gateway\"}", "peer_id"},
    {"group MAC", true, "{\"type\":\"peer_joined\",\"peer_id\":5,\"role\":\"client\",\"mac\":\"03:00:00:00:00:05\"}",
     "mac"},
    {"duplicate key", true, "{\"type\":\"peer_left\",\"peer_id\":3,\"peer_id\":3,\"reason\":\"quit\"}", ""},
    {"trailing bytes", true, "{\"type\":\"peer_left\",\"peer_id\":3,\"reason\":\"quit\"} {}", ""},
};

static void assert_violation(const char *label, const char *names) {
	unit_assert_int(client_session_state(h.session), CLIENT_WAITING, label);
	unit_assert_int(h.closes, 1, label);
	unit_assert_int(h.close_code, CLIENT_CLOSE_PROTOCOL, label);
	unit_assert_true(harness_logged(&h, "relay_protocol_error"), label);
	unit_assert_true(strstr(h.close_text, names) != NULL, label);
	unit_assert_true(h.close_text[0] != '\0', label);
}

static void test_violations(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(violations) / sizeof(violations[0]); i++) {
		harness_reset(&h);
		harness_start(&h);
		if (violations[i].joined) {
			harness_join(&h);
			harness_peer_joined(&h, 3, CTRL_ROLE_CLIENT, 3);
		} else {
			harness_hello(&h);
		}
		harness_say_json(&h, violations[i].json);
		assert_violation(violations[i].label, violations[i].names);
	}
}

static void test_stream_violations(void **state) {
	static const struct {
		const char *label;
		uint8_t bytes[8];
		size_t len;
		bool fin;
		const char *names;
	} cases[] = {
	    {"over the limit", {0, 0, 0x10, 1}, 4, false, "length"},
	    {"huge", {0xff, 0xff, 0xff, 0xff}, 4, false, "length"},
	    {"empty", {0, 0, 0, 0}, 4, false, "length"},
	    {"half a length", {0, 0}, 2, true, "middle"},
	    {"half a message", {0, 0, 0, 9, '{', '"'}, 6, true, "middle"},
	    {"the end", {0}, 0, true, "ends"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		harness_reset(&h);
		harness_start(&h);
		harness_join(&h);
		client_session_control(h.session, slice_of(cases[i].bytes, cases[i].len), cases[i].fin, h.now);
		assert_violation(cases[i].label, cases[i].names);
	}
}

static void test_control_bytes_before_the_hello(void **state) {
	(void)state;
	h.settled = false;
	client_session_addresses(h.session, harness_addrs, 1, h.now);
	client_session_connected(h.session, h.now);
	assert_int_equal(client_session_state(h.session), CLIENT_SETTLING);
	client_session_control(h.session, slice_of("x", 1), false, h.now);
	assert_violation("before the hello", "before the hello");
}

/* What follows a message that ends the session is not looked at. */
static void test_nothing_after_the_end(void **state) {
	struct ctrl_message message = {.type = CTRL_DISCONNECT, .disconnect = {.reason = CTRL_LEAVE_RATE}};
	uint8_t buf[2048];
	char error[CTRL_ERROR_BYTES];
	int one = ctrl_message_print(&message, buf, sizeof(buf), error), two;

	(void)state;
	assert_true(one > 0);
	message = (struct ctrl_message){.type = CTRL_PEER_JOINED, .peer_joined = {.peer_id = 3, .mac = {{2}}}};
	two = ctrl_message_print(&message, buf + one, sizeof(buf) - (size_t)one, error);
	assert_true(two > 0);
	harness_join(&h);
	client_session_control(h.session, slice_of(buf, (size_t)(one + two)), true, h.now);
	assert_int_equal(h.peers_joined, 0);
	assert_int_equal(h.closes, 1);
	assert_int_equal(h.losses, 1);
}

/* CLI-8, CLI-11. */
static void test_stats_cadence(void **state) {
	struct base_addr v4 = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 5}};
	struct base_addr v6 = {.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80, [15] = 1}, .scope = 3};
	struct ctrl_message message;

	(void)state;
	harness_join(&h);
	client_session_counters(h.session)->value[OBS_DEVICE_RX_FRAMES] = 12;
	client_session_counters(h.session)->drop[OBS_DROP_NOT_FOR_US] = 3;
	harness_run(&h, CLIENT_STATS_NS - 1);
	assert_false(harness_sent(&h, &message));
	client_session_report_device(h.session, true, &v4);
	client_session_report_route(h.session, true);
	harness_run(&h, 1);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.type, CTRL_STATS);
	assert_int_equal(message.stats.counters.value[OBS_DEVICE_RX_FRAMES], 12);
	assert_int_equal(message.stats.counters.drop[OBS_DROP_NOT_FOR_US], 3);
	assert_int_equal(message.stats.rtt_us, 20000);
	assert_true(message.stats.tap_ready);
	assert_true(message.stats.route_pinned);
	assert_int_equal(message.stats.datagram_budget, h.budget);
	assert_string_equal(message.stats.tap_address, "10.0.0.5");
	assert_false(harness_sent(&h, &message));
	client_session_report_device(h.session, false, &v6);
	client_session_report_route(h.session, false);
	harness_run(&h, CLIENT_STATS_NS);
	assert_true(harness_sent(&h, &message));
	assert_false(message.stats.tap_ready);
	assert_false(message.stats.route_pinned);
	assert_string_equal(message.stats.tap_address, "fe80::1");
	h.control_result = BASE_E_FULL; /* a stuck stream is told, not fatal */
	harness_run(&h, CLIENT_STATS_NS);
	assert_true(harness_logged(&h, "stats_not_sent"));
	h.control_result = 0;
	harness_run(&h, 3 * CLIENT_STATS_NS);
	for (size_t i = 0; i < 3; i++)
		assert_true(harness_sent(&h, &message));
	assert_false(harness_sent(&h, &message));
}

static void test_stats_interval_is_configurable(void **state) {
	struct ctrl_message message;

	(void)state;
	harness_reset(&h);
	h.config.stats_interval_ns = BASE_SECOND;
	harness_start(&h);
	harness_join(&h);
	for (size_t i = 0; i < 2; i++) {
		harness_run(&h, BASE_SECOND);
		assert_true(harness_sent(&h, &message));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_gateway_of_the_welcome_is_remembered),
	    TEST(test_leave_of_a_gateway_known_from_the_welcome_only),
	    TEST(test_gateway_without_an_id),
	    TEST(test_a_gateway_may_be_told_of_itself),
	    TEST(test_gateway_is_cut_off_from_its_lan),
	    TEST(test_gateway_tells_of_its_lan),
	    TEST(test_gateway_shuts_us_out),
	    TEST(test_gateway_tells_whom_it_shuts_out),
	    TEST(test_news_of_the_gateway),
	    TEST(test_peers_come_and_go),
	    TEST(test_unknown_types_are_skipped_and_counted),
	    TEST(test_bytes_in_any_portions),
	    TEST(test_violations),
	    TEST(test_stream_violations),
	    TEST(test_control_bytes_before_the_hello),
	    TEST(test_nothing_after_the_end),
	    TEST(test_stats_cadence),
	    TEST(test_stats_interval_is_configurable),
	};

	return cmocka_run_group_tests_name("client-core/session_control", tests, NULL, NULL);
}
