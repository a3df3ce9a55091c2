/* The state machine: every transition, with a transport and an owner that only write down what happens. */
#include "client-core/session.h"

#include "base/error.h"
#include "client-core/session_internal.h"
#include "proto/steer.h"
#include "tests/client-core/harness.h"
#include "tests/unit.h"

#include <string.h>

static struct harness h;

static int setup(void **state) {
	(void)state;
	harness_init(&h);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	harness_done(&h);
	return 0;
}

static void assert_state(enum client_state expected) {
	assert_string_equal(client_state_name(client_session_state(h.session)), client_state_name(expected));
}

static void addresses(size_t count) {
	client_session_addresses(h.session, harness_addrs, count, h.now);
}

/* From the start to a connection with the relay's one address. */
static void start_connected(void) {
	harness_start(&h);
	addresses(1);
	client_session_connected(h.session, h.now);
}

static void lose(enum client_loss loss) {
	client_session_lost(h.session, loss, "test", h.now);
}

static void test_every_state_has_a_name(void **state) {
	(void)state;
	for (int i = 0; i < CLIENT_STATE_COUNT; i++) {
		assert_non_null(client_state_name((enum client_state)i));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(client_state_name((enum client_state)i), client_state_name((enum client_state)j));
	}
}

static void test_refuses_bad_config(void **state) {
	struct client_session *session = NULL;
	struct client_config good = h.config, bad;

	(void)state;
	bad = good;
	bad.room[0] = '\0';
	assert_int_equal(client_session_new(&bad, NULL, NULL, NULL, NULL, &session), BASE_E_INVALID);
	bad = good;
	memset(bad.room, 'A', sizeof(bad.room));
	assert_int_equal(client_session_new(&bad, NULL, NULL, NULL, NULL, &session), BASE_E_INVALID);
	bad = good;
	bad.name[0] = '\x01';
	assert_int_equal(client_session_new(&bad, NULL, NULL, NULL, NULL, &session), BASE_E_INVALID);
	bad = good;
	memset(bad.name, 'A', sizeof(bad.name));
	assert_int_equal(client_session_new(&bad, NULL, NULL, NULL, NULL, &session), BASE_E_INVALID);
	bad = good;
	bad.mac = (struct proto_mac){{1, 0, 0, 0, 0, 1}};
	assert_int_equal(client_session_new(&bad, NULL, NULL, NULL, NULL, &session), BASE_E_INVALID);
	bad.role = CTRL_ROLE_GATEWAY; /* has no MAC */
	assert_int_equal(client_session_new(&bad, NULL, NULL, NULL, NULL, &session), 0);
	client_session_free(session);
	client_session_free(NULL);
}

static void test_joins(void **state) {
	struct ctrl_message message;

	(void)state;
	harness_start(&h);
	assert_state(CLIENT_RESOLVING);
	assert_int_equal(h.resolves, 1);
	addresses(1);
	assert_state(CLIENT_CONNECTING);
	assert_int_equal(h.opens, 1);
	assert_true(base_addr_equal(&h.opened, &harness_addrs[0]));
	assert_null(client_session_welcome(h.session));
	client_session_connected(h.session, h.now);
	assert_state(CLIENT_JOINING);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.type, CTRL_HELLO);
	assert_int_equal(message.hello.version, CTRL_PROTOCOL_VERSION);
	assert_int_equal(message.hello.role, CTRL_ROLE_CLIENT);
	assert_string_equal(message.hello.room, "ROOM1");
	assert_string_equal(message.hello.name, "box");
	assert_memory_equal(message.hello.mac.b, harness_mac, 6);
	assert_int_equal(message.hello.budget, 1440);
	assert_true(message.hello.has_seat_key);
	assert_memory_equal(message.hello.seat_key, h.config.seat_key, CTRL_SEAT_KEY_BYTES);
	message = (struct ctrl_message){
	    .type = CTRL_WELCOME,
	    .welcome = {.version = 1, .peer_id = 7, .mtu = 1280, .gateway = true, .gateway_peer = 4},
	};
	harness_say(&h, &message);
	assert_state(CLIENT_JOINED);
	assert_int_equal(h.joins, 1);
	assert_int_equal(client_session_welcome(h.session)->peer_id, 7);
	assert_int_equal(client_session_welcome(h.session)->mtu, 1280);
	assert_int_equal(h.closes, 0);
	assert_true(harness_logged(&h, "session_joined"));
}

static void test_resolver_may_answer_inside_the_event(void **state) {
	(void)state;
	h.resolve_at_once = true;
	harness_start(&h);
	assert_state(CLIENT_CONNECTING);
	lose(CLIENT_LOSS_UNREACHABLE);
	assert_state(CLIENT_WAITING);
	harness_run(&h, 600 * BASE_MS);
	assert_state(CLIENT_CONNECTING);
	assert_int_equal(h.opens, 2);
}

static void test_no_seat_key_in_the_hello_without_one(void **state) {
	struct ctrl_message message;

	(void)state;
	memset(h.config.seat_key, 0, sizeof(h.config.seat_key));
	start_connected();
	assert_true(harness_sent(&h, &message));
	assert_false(message.hello.has_seat_key);
}

/* Addresses in order: 2 s each while another is left, 10 s for the last, then backoff and a new resolution. */
static void test_tries_addresses_in_order(void **state) {
	(void)state;
	harness_start(&h);
	addresses(3);
	harness_run(&h, 2 * BASE_SECOND - 1);
	assert_int_equal(h.opens, 1);
	harness_run(&h, 1);
	assert_int_equal(h.closes, 1);
	assert_int_equal(h.opens, 2);
	assert_true(base_addr_equal(&h.opened, &harness_addrs[1]));
	lose(CLIENT_LOSS_UNREACHABLE);
	assert_int_equal(h.closes, 1); /* a connection that was lost is not closed again */
	assert_int_equal(h.opens, 3);
	assert_true(base_addr_equal(&h.opened, &harness_addrs[2]));
	harness_run(&h, 10 * BASE_SECOND - 1);
	assert_state(CLIENT_CONNECTING);
	harness_run(&h, 1);
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.closes, 2);
	assert_int_equal(h.losses, 0); /* never joined */
	harness_run(&h, 500 * BASE_MS);
	assert_state(CLIENT_RESOLVING);
	assert_int_equal(h.resolves, 2);
}

static void test_open_may_fail_at_once(void **state) {
	(void)state;
	h.open_result = BASE_E_UNSUPPORTED;
	harness_start(&h);
	addresses(3);
	assert_int_equal(h.opens, 3);
	assert_int_equal(h.closes, 0);
	assert_state(CLIENT_WAITING);
	assert_true(harness_logged(&h, "session_attempt_failed error=\"not supported\""));
	/* What became of one that could be tried is the reason, whatever follows it. */
	h.open_result = 0;
	harness_run(&h, CLIENT_BACKOFF_FAST_MAX_NS);
	addresses(3);
	h.open_result = BASE_E_UNSUPPORTED;
	h.lines_len = 0;
	lose(CLIENT_LOSS_UNREACHABLE);
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.opens, 6);
	assert_true(harness_logged(&h, "relay_not_tried"));
	assert_true(harness_logged(&h, "session_attempt_failed error=test"));
}

/* The LAN's DHCP server may have put its own name server in front, which is behind the tunnel. */
static void test_old_addresses_when_the_name_is_not_found(void **state) {
	(void)state;
	harness_start(&h);
	addresses(2);
	client_session_connected(h.session, h.now);
	harness_say_json(&h, "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":7,\"mtu\":1280,"
	                     "\"gateway\":false}");
	assert_state(CLIENT_JOINED);
	for (unsigned round = 1; round <= 2; round++) {
		lose(CLIENT_LOSS_TIMEOUT);
		harness_run(&h, 600 * BASE_MS);
		assert_state(CLIENT_RESOLVING);
		client_session_resolve_failed(h.session, "no name server answers", h.now);
		assert_true(harness_logged(&h, "relay_not_resolved error=\"no name server answers\""));
		assert_state(CLIENT_CONNECTING);
		assert_true(base_addr_equal(&h.opened, &harness_addrs[0]));
		assert_int_equal(h.opens, 1 + 2 * round - 1);
		lose(CLIENT_LOSS_UNREACHABLE);
		assert_true(base_addr_equal(&h.opened, &harness_addrs[1]));
		client_session_connected(h.session, h.now);
		harness_say_json(&h, "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":8,\"mtu\":1280,"
		                     "\"gateway\":false}");
		assert_state(CLIENT_JOINED);
		harness_run(&h, 6 * BASE_SECOND);
	}
	/* A resolver that says nothing at all is the same, and is not waited for, however long no address can be tried. */
	lose(CLIENT_LOSS_TIMEOUT);
	harness_run(&h, 600 * BASE_MS);
	for (int round = 0; round < 3; round++) {
		h.open_result = round < 2 ? BASE_E_UNREACHABLE : 0;
		assert_state(CLIENT_RESOLVING);
		harness_run(&h, CLIENT_RESOLVE_BACK_NS);
		client_session_hurry(h.session, h.now);
	}
	assert_state(CLIENT_CONNECTING);
	/* When the old addresses are no good, a slow one is. */
	lose(CLIENT_LOSS_UNREACHABLE);
	lose(CLIENT_LOSS_UNREACHABLE);
	assert_state(CLIENT_WAITING);
	client_session_hurry(h.session, h.now);
	harness_run(&h, CLIENT_RESOLVE_NS - 1);
	assert_state(CLIENT_RESOLVING);
	addresses(1);
	assert_state(CLIENT_CONNECTING);
}

/* Else a name server that takes more than its second would never be heard while the old addresses cannot be tried. */
static void test_late_answer_is_kept(void **state) {
	(void)state;
	harness_start(&h);
	harness_join(&h);
	lose(CLIENT_LOSS_TIMEOUT);
	harness_run(&h, 600 * BASE_MS);
	h.open_result = BASE_E_UNREACHABLE;
	harness_run(&h, CLIENT_RESOLVE_BACK_NS);
	assert_state(CLIENT_WAITING);
	h.open_result = 0;
	addresses(2);
	addresses(0);
	assert_state(CLIENT_WAITING);
	h.open_result = BASE_E_UNREACHABLE;
	client_session_hurry(h.session, h.now);
	h.opens = 0;
	harness_run(&h, CLIENT_RESOLVE_BACK_NS);
	assert_int_equal(h.opens, 2);
}

/* An answer that comes while the addresses of another one are tried changes nothing. */
static void test_second_answer_is_too_late(void **state) {
	(void)state;
	harness_start(&h);
	addresses(2);
	client_session_addresses(h.session, &harness_addrs[2], 1, h.now);
	lose(CLIENT_LOSS_UNREACHABLE);
	assert_state(CLIENT_CONNECTING);
	assert_true(base_addr_equal(&h.opened, &harness_addrs[1]));
}

static void test_more_addresses_than_remembered(void **state) {
	struct base_addr many[40];

	(void)state;
	for (size_t i = 0; i < 40; i++)
		many[i] = harness_addrs[1];
	h.open_result = BASE_E_IO;
	harness_start(&h);
	client_session_addresses(h.session, many, 40, h.now);
	assert_int_equal(h.opens, CLIENT_ADDRS_MAX);
}

static void test_resolution_fails(void **state) {
	(void)state;
	harness_start(&h);
	client_session_resolve_failed(h.session, "no such host", h.now);
	assert_state(CLIENT_WAITING);
	harness_run(&h, 600 * BASE_MS);
	assert_state(CLIENT_RESOLVING);
	addresses(0);
	assert_state(CLIENT_WAITING);
	harness_run(&h, 1100 * BASE_MS);
	assert_state(CLIENT_RESOLVING);
	harness_run(&h, CLIENT_RESOLVE_NS); /* no answer at all */
	assert_int_equal(h.ends, 0);
	assert_true(harness_logged(&h, "no such host"));
	assert_true(harness_logged(&h, "has no address"));
	assert_true(harness_logged(&h, "resolver does not answer"));
}

/* Without retries each failure is the end, with its own exit status. */
static void test_exit_statuses_without_retry(void **state) {
	static const struct {
		enum client_loss loss;
		enum client_exit status;
	} cases[CLIENT_LOSS_COUNT] = {
	    {CLIENT_LOSS_UNREACHABLE, CLIENT_EXIT_UNREACHABLE},
	    {CLIENT_LOSS_TIMEOUT, CLIENT_EXIT_UNREACHABLE},
	    {CLIENT_LOSS_RESET, CLIENT_EXIT_UNREACHABLE},
	    {CLIENT_LOSS_CLOSED_BY_RELAY, CLIENT_EXIT_FAILURE},
	    {CLIENT_LOSS_TLS, CLIENT_EXIT_TLS},
	    {CLIENT_LOSS_NO_DATAGRAM, CLIENT_EXIT_NO_DATAGRAM},
	    {CLIENT_LOSS_PROTOCOL, CLIENT_EXIT_FAILURE},
	    {CLIENT_LOSS_NO_ROOM_KEYS, CLIENT_EXIT_REJECTED},
	    {CLIENT_LOSS_REFUSED, CLIENT_EXIT_REJECTED},
	    {CLIENT_LOSS_REPLACED, CLIENT_EXIT_REJECTED},
	};

	(void)state;
	for (size_t i = 0; i < CLIENT_LOSS_COUNT; i++) {
		harness_reset(&h);
		h.config.retry = false;
		harness_start(&h);
		addresses(1);
		lose(cases[i].loss);
		assert_state(CLIENT_FAILED);
		assert_int_equal(h.ends, 1);
		assert_int_equal(h.status, cases[i].status);
		assert_string_equal(h.why, "test");
		assert_true(client_session_deadline(h.session) == BASE_NEVER);
	}
	harness_reset(&h);
	h.config.retry = false;
	harness_start(&h);
	client_session_resolve_failed(h.session, "no such host", h.now);
	assert_int_equal(h.status, CLIENT_EXIT_RESOLVE);
}

/* A relay that never took us won't with another try; one that did may have restarted with another certificate. */
static void test_hopeless_before_the_first_join(void **state) {
	static const enum client_loss hopeless[] = {CLIENT_LOSS_TLS, CLIENT_LOSS_NO_DATAGRAM, CLIENT_LOSS_NO_ROOM_KEYS};

	(void)state;
	for (size_t i = 0; i < sizeof(hopeless) / sizeof(hopeless[0]); i++) {
		harness_reset(&h);
		harness_start(&h);
		addresses(1);
		lose(hopeless[i]);
		assert_state(CLIENT_FAILED);

		harness_reset(&h);
		harness_start(&h);
		harness_join(&h);
		lose(CLIENT_LOSS_RESET);
		harness_run(&h, 600 * BASE_MS);
		addresses(1);
		lose(hopeless[i]);
		assert_state(CLIENT_WAITING);
		assert_int_equal(h.ends, 0);
	}
}

/* The name may lead to another machine too, which answers for something else. */
static void test_right_relay_behind_a_wrong_one(void **state) {
	(void)state;
	harness_start(&h);
	addresses(3);
	lose(CLIENT_LOSS_TLS);
	assert_true(base_addr_equal(&h.opened, &harness_addrs[1]));
	assert_true(harness_logged(&h, "relay_attempt_failed"));
	client_session_connected(h.session, h.now);
	assert_state(CLIENT_JOINING);
	assert_int_equal(h.ends, 0);
}

/* When no other address is better, what the wrong one said is the end, and not the silence of the rest. */
static void test_no_right_relay_behind_a_wrong_one(void **state) {
	(void)state;
	for (unsigned wrong = 0; wrong < 3; wrong++) {
		harness_reset(&h);
		harness_start(&h);
		addresses(3);
		for (unsigned i = 0; i < 3; i++)
			client_session_lost(h.session, i == wrong ? CLIENT_LOSS_TLS : CLIENT_LOSS_TIMEOUT,
			                    i == wrong ? "wrong certificate" : "silence", h.now);
		assert_state(CLIENT_FAILED);
		assert_int_equal(h.opens, 3);
		assert_int_equal(h.status, CLIENT_EXIT_TLS);
		assert_string_equal(h.why, "wrong certificate");
	}
}

/* What sends us to another of its shards is the right one, and may be slow to answer there. */
static void test_wrong_relay_before_another_shard(void **state) {
	(void)state;
	harness_start(&h);
	addresses(2);
	lose(CLIENT_LOSS_TLS);
	client_session_connected(h.session, h.now);
	harness_say_json(&h, "{\"type\":\"reject\",\"code\":\"wrong_shard\",\"cid_byte\":8}");
	assert_state(CLIENT_CONNECTING);
	lose(CLIENT_LOSS_TIMEOUT);
	assert_state(CLIENT_WAITING);
}

/* Each attempt is judged by itself. */
static void test_wrong_relay_is_forgotten(void **state) {
	(void)state;
	harness_start(&h);
	addresses(2);
	lose(CLIENT_LOSS_TLS);
	client_session_connected(h.session, h.now);
	lose(CLIENT_LOSS_TIMEOUT);
	assert_state(CLIENT_WAITING);
	harness_run(&h, 600 * BASE_MS);
	addresses(2);
	lose(CLIENT_LOSS_TIMEOUT);
	lose(CLIENT_LOSS_TIMEOUT);
	assert_state(CLIENT_WAITING);
}

static void test_settles_until_the_budget_is_known(void **state) {
	struct ctrl_message message;

	(void)state;
	h.settled = false;
	h.budget = 1168;
	start_connected();
	assert_state(CLIENT_SETTLING);
	harness_run(&h, 100 * BASE_MS);
	assert_state(CLIENT_SETTLING);
	h.budget = 1412;
	h.settled = true;
	harness_run(&h, CLIENT_POLL_NS);
	assert_state(CLIENT_JOINING);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.hello.budget, 1412);
}

static void test_settling_ends_in_time(void **state) {
	(void)state;
	h.settled = false;
	h.budget = 1168;
	start_connected();
	harness_run(&h, CLIENT_SETTLE_NS - 1);
	assert_state(CLIENT_SETTLING);
	harness_run(&h, 1);
	assert_state(CLIENT_JOINING);
}

static void test_a_budget_for_full_frames_suffices(void **state) {
	struct ctrl_message message;

	(void)state;
	h.settled = false;
	h.budget = 100000;
	start_connected();
	assert_state(CLIENT_JOINING);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.hello.budget, 65535);
}

static void test_a_budget_too_small_is_told(void **state) {
	(void)state;
	h.budget = 500;
	start_connected();
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.closes, 1);
	assert_true(harness_logged(&h, "datagram budget of 500 bytes is too small"));
}

static void test_hello_without_answer(void **state) {
	(void)state;
	harness_start(&h);
	harness_hello(&h);
	harness_run(&h, CLIENT_JOIN_NS - 1);
	assert_state(CLIENT_JOINING);
	harness_run(&h, 1);
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.closes, 1);
	assert_int_equal(h.close_code, CLIENT_CLOSE_HELLO_TIMEOUT); /* "done" would give the seat up */
}

static void test_hello_that_cannot_be_sent(void **state) {
	(void)state;
	h.control_result = BASE_E_STATE;
	start_connected();
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.closes, 1);
}

static void sent_to_shard(uint8_t byte) {
	harness_say(
	    &h, &(struct ctrl_message){.type = CTRL_REJECT, .reject = {.code = CTRL_REJECT_WRONG_SHARD, .cid_byte = byte}});
}

static void hello_again(void) {
	struct ctrl_message message;

	assert_state(CLIENT_CONNECTING);
	client_session_connected(h.session, h.now);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.type, CTRL_HELLO);
}

/* At once and to the same address, also without retries; but a relay that sends us about for ever is left alone. */
static void test_another_shard(void **state) {
	(void)state;
	for (int retry = 0; retry < 2; retry++) {
		uint64_t then;

		harness_reset(&h);
		h.config.retry = retry == 1;
		harness_start(&h);
		addresses(3);
		assert_int_equal(h.steer_byte, proto_steer_byte("ROOM1"));
		lose(CLIENT_LOSS_UNREACHABLE);
		client_session_connected(h.session, h.now);
		h.sent_len = 0;
		then = h.now;
		for (uint8_t i = 1; i <= CLIENT_SHARDS_TRIED_MAX; i++) {
			sent_to_shard((uint8_t)(0x50 + i));
			assert_int_equal(h.opens, 2 + i);
			assert_int_equal(h.closes, i);
			assert_int_equal(h.steer_byte, 0x50 + i);
			assert_true(base_addr_equal(&h.opened, &harness_addrs[1]));
			hello_again();
		}
		assert_int_equal(h.now, then);
		assert_int_equal(h.resolves, 1);
		sent_to_shard(0x70);
		assert_state(retry == 1 ? CLIENT_WAITING : CLIENT_FAILED);
		assert_true(harness_logged(&h, "wrong_shard"));
	}
	/* The next round starts with what the room's name says. */
	harness_run(&h, CLIENT_BACKOFF_FAST_MAX_NS);
	addresses(1);
	assert_int_equal(h.steer_byte, proto_steer_byte("ROOM1"));
	client_session_connected(h.session, h.now);
	h.sent_len = 0;
	sent_to_shard(0x51);
	hello_again();
}

/* A room whose frames do not fit one way to the relay may be had by another, without and with retries. */
static void test_next_address_when_the_path_is_too_narrow(void **state) {
	const struct ctrl_message narrow = {.type = CTRL_REJECT, .reject = {.code = CTRL_REJECT_MTU}};
	const struct ctrl_message full = {.type = CTRL_REJECT, .reject = {.code = CTRL_REJECT_ROOM_FULL}};

	(void)state;
	for (int retry = 0; retry < 2; retry++) {
		harness_reset(&h);
		h.config.retry = retry == 1;
		harness_start(&h);
		addresses(3);
		client_session_connected(h.session, h.now);
		h.sent_len = 0;
		harness_say(&h, &narrow);
		assert_int_equal(h.closes, 1);
		assert_true(base_addr_equal(&h.opened, &harness_addrs[1]));
		assert_true(harness_logged(&h, "relay_attempt_failed"));
		hello_again();
		harness_say(&h, &narrow);
		assert_true(base_addr_equal(&h.opened, &harness_addrs[2]));
		hello_again();
		harness_say(&h, &narrow);
		assert_state(retry == 1 ? CLIENT_WAITING : CLIENT_FAILED);
		assert_int_equal(h.opens, 3);
		assert_true(harness_logged(&h, "error=\"rejected by the relay: mtu"));
	}
	/* What the way has no part in is the same at every address. */
	harness_run(&h, CLIENT_BACKOFF_FAST_MAX_NS);
	addresses(2);
	client_session_connected(h.session, h.now);
	harness_say(&h, &full);
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.opens, 4);
}

static void assert_rejected(int retry) {
	assert_state(retry == 1 ? CLIENT_WAITING : CLIENT_FAILED);
	assert_true(harness_logged(&h, "session_attempt_failed error=\"rejected by the relay: mtu"));
	assert_int_equal(h.status, retry == 1 ? 0 : CLIENT_EXIT_REJECTED);
}

/* What the relay said, to which another path may be wide enough later, is not lost behind an address that is no good:
 * that one cannot be tried, is silent, or is another machine's. */
static void test_too_narrow_a_path_and_a_bad_address(void **state) {
	const struct ctrl_message narrow = {.type = CTRL_REJECT, .reject = {.code = CTRL_REJECT_MTU}};
	static const enum client_loss bad[] = {CLIENT_LOSS_TIMEOUT, CLIENT_LOSS_TLS};

	(void)state;
	for (int retry = 0; retry < 2; retry++) {
		harness_reset(&h);
		h.config.retry = retry == 1;
		harness_start(&h);
		addresses(2);
		client_session_connected(h.session, h.now);
		h.open_result = BASE_E_UNREACHABLE;
		harness_say(&h, &narrow);
		assert_rejected(retry);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			for (int before = 0; before < 2; before++) {
				harness_reset(&h);
				h.config.retry = retry == 1;
				harness_start(&h);
				addresses(3);
				if (before == 1)
					lose(bad[i]);
				client_session_connected(h.session, h.now);
				harness_say(&h, &narrow);
				if (before == 0)
					lose(bad[i]);
				lose(bad[i]);
				assert_rejected(retry);
			}
		}
	}
}

/* Who knows that the way is open again need not wait; a session that does anything but wait goes on with that. */
static void test_hurry(void **state) {
	(void)state;
	harness_start(&h);
	client_session_hurry(h.session, h.now);
	assert_int_equal(h.resolves, 1);
	addresses(1);
	client_session_hurry(h.session, h.now);
	assert_state(CLIENT_CONNECTING);
	lose(CLIENT_LOSS_UNREACHABLE);
	assert_state(CLIENT_WAITING);
	client_session_hurry(h.session, h.now);
	assert_state(CLIENT_RESOLVING);
	assert_int_equal(h.resolves, 2);
}

/* The exit status goes with what is said. */
static void test_status_of_the_address_that_was_tried(void **state) {
	(void)state;
	h.config.retry = false;
	harness_start(&h);
	addresses(2);
	h.open_result = BASE_E_UNREACHABLE;
	lose(CLIENT_LOSS_REFUSED);
	assert_state(CLIENT_FAILED);
	assert_string_equal(h.why, "test");
	assert_int_equal(h.status, CLIENT_EXIT_REJECTED);
}

static void test_every_reject_code(void **state) {
	(void)state;
	for (int code = 0; code < CTRL_REJECT_CODE_COUNT; code++) {
		if (code == CTRL_REJECT_WRONG_SHARD)
			continue;
		for (int variant = 0; variant < 3; variant++) {
			const int retry = variant == 1;
			const bool with_text = variant < 2;
			struct ctrl_message message = {
			    .type = CTRL_REJECT,
			    .reject = {.code = (enum ctrl_reject_code)code, .text = ""},
			};
			if (with_text)
				memcpy(message.reject.text, "because", sizeof("because"));
			bool again = retry == 1 && ctrl_reject_is_transient((enum ctrl_reject_code)code);

			harness_reset(&h);
			h.config.retry = retry == 1;
			harness_start(&h);
			harness_hello(&h);
			harness_say(&h, &message);
			assert_int_equal(h.closes, 1);
			assert_int_equal(h.close_code, CLIENT_CLOSE_DONE);
			assert_state(again ? CLIENT_WAITING : CLIENT_FAILED);
			assert_true(harness_logged(&h, ctrl_reject_name((enum ctrl_reject_code)code)));
			if (again)
				continue;
			assert_int_equal(h.status, CLIENT_EXIT_REJECTED);
			assert_non_null(strstr(h.why, ctrl_reject_name((enum ctrl_reject_code)code)));
			assert_non_null(strstr(h.why, with_text ? " (because)" : ctrl_reject_text((enum ctrl_reject_code)code)));
			/* Not both: the relay's words say more exactly the same, or what ours contradict. */
			assert_true((strstr(h.why, ctrl_reject_text((enum ctrl_reject_code)code)) == NULL) == with_text);
		}
	}
}

static void test_lost_and_back(void **state) {
	struct ctrl_message message;
	uint8_t buf[100];

	(void)state;
	harness_start(&h);
	harness_join(&h);
	harness_peer_joined(&h, 9, CTRL_ROLE_CLIENT, 9);
	assert_int_equal(client_session_send(h.session, harness_frame(buf, 9, 1, 100), h.now), 0);
	harness_run(&h, CLIENT_STABLE_NS);
	lose(CLIENT_LOSS_TIMEOUT);
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.losses, 1);
	assert_int_equal(h.peers_left, 0);
	assert_null(client_session_peer(h.session, 9));
	assert_null(client_session_welcome(h.session));
	assert_int_equal(client_session_counters(h.session)->drop[OBS_DROP_NOT_JOINED], 1); /* what was queued */
	harness_run(&h, 199 * BASE_MS);
	assert_state(CLIENT_WAITING);
	harness_run(&h, 301 * BASE_MS);
	assert_state(CLIENT_RESOLVING);
	assert_int_equal(h.resolves, 2);
	addresses(1);
	client_session_connected(h.session, h.now);
	assert_true(harness_sent(&h, &message));
	assert_memory_equal(message.hello.seat_key, h.config.seat_key, CTRL_SEAT_KEY_BYTES);
	message = (struct ctrl_message){.type = CTRL_WELCOME, .welcome = {.version = 1, .peer_id = 8, .mtu = 1400}};
	harness_say(&h, &message);
	assert_state(CLIENT_JOINED);
	assert_int_equal(h.joins, 2);
}

static void test_lost_without_retry_says_both(void **state) {
	(void)state;
	h.config.retry = false;
	harness_start(&h);
	harness_join(&h);
	lose(CLIENT_LOSS_TIMEOUT);
	assert_state(CLIENT_FAILED);
	assert_int_equal(h.losses, 1);
	assert_int_equal(h.ends, 1);
}

/* A relay that throws us out at once each time must not be asked five times a second. */
static void test_short_sessions_back_off(void **state) {
	uint64_t started = h.now;

	(void)state;
	harness_start(&h);
	for (size_t i = 0; i < 10; i++) {
		harness_join(&h);
		lose(CLIENT_LOSS_CLOSED_BY_RELAY);
		while (client_session_state(h.session) == CLIENT_WAITING)
			harness_run(&h, 50 * BASE_MS);
	}
	assert_true(h.now - started >= 37 * BASE_SECOND);
	harness_join(&h);
	harness_run(&h, CLIENT_STABLE_NS);
	lose(CLIENT_LOSS_RESET);
	assert_true(client_session_deadline(h.session) - h.now <= 500 * BASE_MS);
}

static void test_replaced_does_not_fight(void **state) {
	struct ctrl_message message = {.type = CTRL_DISCONNECT, .disconnect = {.reason = CTRL_LEAVE_REPLACED}};

	(void)state;
	harness_start(&h);
	harness_join(&h);
	harness_say(&h, &message);
	assert_state(CLIENT_FAILED);
	assert_int_equal(h.status, CLIENT_EXIT_REJECTED);
	assert_non_null(strstr(h.why, "replaced"));
}

static void test_disconnected_by_the_relay(void **state) {
	struct ctrl_message message = {.type = CTRL_DISCONNECT, .disconnect = {.reason = CTRL_LEAVE_SHUTDOWN}};

	(void)state;
	harness_start(&h);
	harness_join(&h);
	harness_say(&h, &message);
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.losses, 1);
	assert_non_null(strstr(h.why, "shutdown"));
}

static void test_leave_waits_for_the_message(void **state) {
	struct ctrl_message message;

	(void)state;
	harness_start(&h);
	harness_join(&h);
	client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now);
	assert_state(CLIENT_LEAVING);
	assert_true(harness_sent(&h, &message));
	assert_int_equal(message.type, CTRL_DISCONNECT);
	assert_int_equal(message.disconnect.reason, CTRL_LEAVE_QUIT);
	harness_run(&h, 50 * BASE_MS);
	assert_state(CLIENT_LEAVING);
	client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now); /* a second Ctrl-C changes nothing */
	assert_state(CLIENT_LEAVING);
	assert_false(harness_sent(&h, &message));
	h.flushed = true;
	harness_run(&h, CLIENT_POLL_NS);
	assert_state(CLIENT_CLOSED);
	assert_int_equal(h.closes, 1);
	assert_int_equal(h.close_code, CLIENT_CLOSE_DONE);
	assert_int_equal(h.ends, 1);
	assert_int_equal(h.status, CLIENT_EXIT_OK);
	assert_int_equal(h.losses, 0);
}

static void test_leave_is_bounded(void **state) {
	(void)state;
	harness_start(&h);
	harness_join(&h);
	client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now);
	harness_run(&h, CLIENT_LEAVE_NS);
	assert_state(CLIENT_CLOSED);
	assert_int_equal(h.ends, 1);
}

static void test_lost_while_leaving(void **state) {
	(void)state;
	harness_start(&h);
	harness_join(&h);
	client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now);
	lose(CLIENT_LOSS_TIMEOUT);
	assert_state(CLIENT_CLOSED);
	assert_int_equal(h.status, CLIENT_EXIT_OK);
	assert_int_equal(h.closes, 0);
}

static void go_to(enum client_state target) {
	harness_start(&h);
	if (target == CLIENT_RESOLVING)
		return;
	addresses(1);
	if (target == CLIENT_WAITING)
		lose(CLIENT_LOSS_UNREACHABLE);
	h.settled = target != CLIENT_SETTLING;
	if (target == CLIENT_SETTLING || target == CLIENT_JOINING)
		client_session_connected(h.session, h.now);
}

static void test_leave_from_every_state(void **state) {
	static const enum client_state targets[] = {CLIENT_RESOLVING, CLIENT_CONNECTING, CLIENT_SETTLING, CLIENT_JOINING,
	                                            CLIENT_WAITING};
	struct ctrl_message message;

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		harness_reset(&h);
		go_to(targets[i]);
		assert_state(targets[i]);
		h.sent_len = 0;
		client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now);
		/* The relay may have let us in already; in the other states there is nobody to tell. */
		assert_int_equal(harness_sent(&h, &message), targets[i] == CLIENT_JOINING);
		assert_state(targets[i] == CLIENT_JOINING ? CLIENT_LEAVING : CLIENT_CLOSED);
		harness_run(&h, CLIENT_LEAVE_NS);
		assert_state(CLIENT_CLOSED);
		assert_int_equal(h.status, CLIENT_EXIT_OK);
		assert_int_equal(h.ends, 1);
		assert_true(client_session_deadline(h.session) == BASE_NEVER);
	}
}

/* Calls that come too late or too early change nothing. */
static void test_stray_calls(void **state) {
	(void)state;
	harness_start(&h);
	client_session_start(h.session, h.now);
	client_session_connected(h.session, h.now);
	lose(CLIENT_LOSS_TLS);
	client_session_control(h.session, slice_of_text("xxxxxxxx"), true, h.now);
	assert_state(CLIENT_RESOLVING);
	assert_int_equal(h.resolves, 1);
	harness_join(&h);
	addresses(3);
	client_session_resolve_failed(h.session, "late", h.now);
	client_session_connected(h.session, h.now);
	assert_state(CLIENT_JOINED);
	lose(CLIENT_LOSS_TIMEOUT);
	lose(CLIENT_LOSS_TLS);
	assert_state(CLIENT_WAITING);
	assert_int_equal(h.losses, 1);
	client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now);
	client_session_start(h.session, h.now);
	client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now);
	client_session_tick(h.session, h.now + 100 * BASE_SECOND);
	assert_state(CLIENT_CLOSED);
	assert_int_equal(h.ends, 1);

	harness_reset(&h);
	h.config.retry = false;
	harness_start(&h);
	client_session_resolve_failed(h.session, "no such name", h.now);
	assert_state(CLIENT_FAILED);
	client_session_leave(h.session, CTRL_LEAVE_QUIT, h.now);
	assert_state(CLIENT_FAILED);
	assert_int_equal(h.ends, 1);
}

/* Loops wake up for others, too. */
static void test_ticks_before_the_time_do_nothing(void **state) {
	struct ctrl_message message;

	(void)state;
	harness_start(&h);
	harness_join(&h);
	h.flushed = true;
	client_session_tick(h.session, client_session_deadline(h.session) - 1);
	assert_state(CLIENT_JOINED);
	assert_false(harness_sent(&h, &message));
}

static void test_diagnostics(void **state) {
	struct base_addr address = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 5}};
	struct obs_diagnostics diagnostics;

	(void)state;
	harness_start(&h);
	client_session_diagnostics(h.session, &diagnostics);
	assert_false(diagnostics.relay_connected);
	assert_int_equal(diagnostics.tap_ready, OBS_UNKNOWN);
	harness_join(&h);
	harness_peer_joined(&h, 4, CTRL_ROLE_GATEWAY, 0);
	client_session_report_device(h.session, true, &address);
	client_session_diagnostics(h.session, &diagnostics);
	assert_true(diagnostics.relay_connected);
	assert_true(diagnostics.gateway_present);
	assert_int_equal(diagnostics.gateway_peer, 4);
	assert_int_equal(diagnostics.tap_ready, OBS_YES);
	assert_true(base_addr_equal(&diagnostics.tap_address, &address));
	assert_int_equal(diagnostics.rtt_ns, 20 * BASE_MS);
	assert_int_equal(diagnostics.datagram_budget, 1440);
	assert_int_equal(diagnostics.tap_mtu, 1400);
	client_session_report_device(h.session, false, NULL);
	client_session_diagnostics(h.session, &diagnostics);
	assert_int_equal(diagnostics.tap_ready, OBS_NO);
	assert_int_equal(diagnostics.tap_address.family, BASE_FAMILY_NONE);
	client_session_counters(h.session)->value[OBS_BROADCASTS_TO_LAN] = 5;
	client_session_counters(h.session)->value[OBS_BROADCASTS_FROM_LAN] = 6;
	lose(CLIENT_LOSS_TIMEOUT);
	client_session_diagnostics(h.session, &diagnostics);
	assert_false(diagnostics.relay_connected);
	assert_false(diagnostics.gateway_present);
	assert_int_equal(diagnostics.gateway_peer, 0);
	assert_int_equal(diagnostics.rtt_ns + diagnostics.datagram_budget + diagnostics.tap_mtu, 0);
	assert_int_equal(diagnostics.broadcasts_to_lan, 5);
	assert_int_equal(diagnostics.broadcasts_from_lan, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_every_state_has_a_name),
	    TEST(test_refuses_bad_config),
	    TEST(test_joins),
	    TEST(test_resolver_may_answer_inside_the_event),
	    TEST(test_no_seat_key_in_the_hello_without_one),
	    TEST(test_tries_addresses_in_order),
	    TEST(test_open_may_fail_at_once),
	    TEST(test_old_addresses_when_the_name_is_not_found),
	    TEST(test_late_answer_is_kept),
	    TEST(test_second_answer_is_too_late),
	    TEST(test_more_addresses_than_remembered),
	    TEST(test_resolution_fails),
	    TEST(test_exit_statuses_without_retry),
	    TEST(test_hopeless_before_the_first_join),
	    TEST(test_right_relay_behind_a_wrong_one),
	    TEST(test_no_right_relay_behind_a_wrong_one),
	    TEST(test_wrong_relay_is_forgotten),
	    TEST(test_wrong_relay_before_another_shard),
	    TEST(test_settles_until_the_budget_is_known),
	    TEST(test_settling_ends_in_time),
	    TEST(test_a_budget_for_full_frames_suffices),
	    TEST(test_a_budget_too_small_is_told),
	    TEST(test_hello_without_answer),
	    TEST(test_hello_that_cannot_be_sent),
	    TEST(test_another_shard),
	    TEST(test_next_address_when_the_path_is_too_narrow),
	    TEST(test_too_narrow_a_path_and_a_bad_address),
	    TEST(test_hurry),
	    TEST(test_status_of_the_address_that_was_tried),
	    TEST(test_every_reject_code),
	    TEST(test_lost_and_back),
	    TEST(test_lost_without_retry_says_both),
	    TEST(test_short_sessions_back_off),
	    TEST(test_replaced_does_not_fight),
	    TEST(test_disconnected_by_the_relay),
	    TEST(test_leave_waits_for_the_message),
	    TEST(test_leave_is_bounded),
	    TEST(test_lost_while_leaving),
	    TEST(test_leave_from_every_state),
	    TEST(test_stray_calls),
	    TEST(test_ticks_before_the_time_do_nothing),
	    TEST(test_diagnostics),
	};

	return cmocka_run_group_tests_name("client-core/session", tests, NULL, NULL);
}
