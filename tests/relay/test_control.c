/* What a peer may say when, and what becomes of it when it says something else. */
#include "base/bytes.h"
#include "tests/relay/party.h"
#include "tests/unit.h"

#include <string.h>

static void assert_disconnected(struct conn *conn, enum ctrl_leave_reason reason, enum quic_app_code code,
                                const char *label) {
	const struct heard *heard = party_last(conn, CTRL_DISCONNECT);

	if (heard == NULL)
		fail_msg("%s: no disconnect", label);
	else
		unit_assert_int(heard->message.disconnect.reason, reason, label);
	party_run(conn->party, RELAY_LINGER_NS);
	unit_assert_true(conn->close_asked, label);
	unit_assert_int(conn->code, code, label);
}

#define HELLO                                                                                                        \
	"{\"type\":\"hello\",\"version\":1,\"role\":\"client\",\"room\":\"R\",\"mac\":\"02:00:00:00:00:09\",\"budget\":" \
	"1400}"

static void test_before_hello(void **state) {
	static const struct {
		const char *label;
		const char *json;
		enum ctrl_reject_code code;
	} cases[] = {
	    {"not JSON", "{", CTRL_REJECT_BAD_HELLO},
	    {"no object", "[]", CTRL_REJECT_BAD_HELLO},
	    {"stats first", "{\"type\":\"stats\"}", CTRL_REJECT_BAD_HELLO},
	    {"disconnect first", "{\"type\":\"disconnect\",\"reason\":\"quit\"}", CTRL_REJECT_BAD_HELLO},
	    {"a relay's message", "{\"type\":\"peer_left\",\"peer_id\":1,\"reason\":\"quit\"}", CTRL_REJECT_BAD_HELLO},
	    {"another version", "{\"type\":\"hello\",\"version\":2}", CTRL_REJECT_VERSION},
	    {"no room", "{\"type\":\"hello\",\"version\":1,\"role\":\"gateway\",\"budget\":1400}", CTRL_REJECT_BAD_HELLO},
	    {"client without MAC", "{\"type\":\"hello\",\"version\":1,\"role\":\"client\",\"room\":\"R\",\"budget\":1400}",
	     CTRL_REJECT_BAD_HELLO},
	    {"budget 0", "{\"type\":\"hello\",\"version\":1,\"role\":\"gateway\",\"room\":\"R\",\"budget\":0}",
	     CTRL_REJECT_BAD_HELLO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct party *party = party_new(NULL);
		struct conn *conn = party_connect(party);

		party_say_json(conn, cases[i].json);
		party_assert_rejected(conn, cases[i].code, cases[i].label);
		assert_int_equal(party->core->rooms.len, 0);
		party_free(party);
	}
}

/* What follows in the same bytes is not looked at any more. */
static void test_nothing_after_a_mistake(void **state) {
	static const char *const said[] = {"{", HELLO};
	struct party *party = party_new(NULL);
	struct conn *conn = party_connect(party);
	uint8_t bytes[512] = {0};
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		base_put_u32(bytes + len, (uint32_t)strlen(said[i]));
		memcpy(bytes + len + CTRL_LENGTH_BYTES, said[i], strlen(said[i]));
		len += CTRL_LENGTH_BYTES + strlen(said[i]);
	}
	party_say_bytes(conn, bytes, len, true);
	party_assert_rejected(conn, CTRL_REJECT_BAD_HELLO, "the first message");
	assert_int_equal(party->core->totals.protocol_errors, 1);
	assert_int_equal(party->core->totals.rooms_opened, 0);
	party_free(party);
}

static void test_while_joined(void **state) {
	static const struct {
		const char *label;
		const char *json;
		bool stays;
	} cases[] = {
	    {"second hello", HELLO, false},
	    {"hello of another version", "{\"type\":\"hello\",\"version\":99}", false},
	    {"not JSON", "{\"type\":", false},
	    {"a relay's message",
	     "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":1,\"mtu\":1300,\"gateway\":false}",
	     false},
	    {"unknown type", "{\"type\":\"from_the_future\",\"x\":[1,2]}", true},
	    {"empty stats", "{\"type\":\"stats\"}", true},
	    {"the LAN of a client", "{\"type\":\"lan\",\"up\":true}", false},
	    {"shut out by a client", "{\"type\":\"shut_out\",\"peer_id\":1,\"out\":true}", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct party *party = party_new(NULL);
		struct conn *other = party_join(party, "R", 1, 0);
		struct conn *conn = party_join(party, "R", 2, 0);

		party_say_json(conn, cases[i].json);
		if (cases[i].stays) {
			unit_assert_int(conn->peer->id, 2, cases[i].label);
			unit_assert_int(other->heard_count, 2, cases[i].label);
		} else {
			unit_assert_int(party_heard(other, 2, CTRL_PEER_LEFT)->peer_left.reason, CTRL_LEAVE_PROTOCOL_ERROR,
			                cases[i].label);
			assert_disconnected(conn, CTRL_LEAVE_PROTOCOL_ERROR, QUIC_APP_PROTOCOL, cases[i].label);
		}
		party_free(party);
	}
}

static void test_second_hello_while_settling(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn = party_connect(party);

	(void)state;
	conn->settled = false;
	conn->budget = 1168;
	party_say_json(conn, HELLO);
	assert_int_equal(conn->heard_count, 0);
	party_say_json(conn, HELLO);
	party_assert_rejected(conn, CTRL_REJECT_BAD_HELLO, "second hello");
	assert_int_equal(party->core->totals.joined, 0);
	party_free(party);
}

static void test_sizes(void **state) {
	static const struct {
		const char *label;
		uint8_t bytes[4];
	} cases[] = {{"length 0", {0, 0, 0, 0}}, {"over the limit", {0, 0, 16, 1}}, {"huge", {255, 255, 255, 255}}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct party *party = party_new(NULL);
		struct conn *fresh = party_connect(party);
		struct conn *joined = party_join(party, "R", 1, 0);

		party_say_bytes(fresh, cases[i].bytes, 4, false);
		party_assert_rejected(fresh, CTRL_REJECT_BAD_HELLO, cases[i].label);
		party_say_bytes(joined, cases[i].bytes, 4, false);
		assert_disconnected(joined, CTRL_LEAVE_PROTOCOL_ERROR, QUIC_APP_PROTOCOL, cases[i].label);
		party_free(party);
	}
}

/* The hello in every portion; each proper prefix followed by the end of the stream is half a hello. */
static void test_portions_and_halves(void **state) {
	uint8_t bytes[256];
	size_t len = strlen(HELLO) + 4;

	(void)state;
	memcpy(bytes, (uint8_t[]){0, 0, 0, (uint8_t)strlen(HELLO)}, 4);
	memcpy(bytes + 4, HELLO, strlen(HELLO));
	for (size_t cut = 0; cut < len; cut++) {
		struct party *party = party_new(NULL);
		struct conn *half = party_connect(party);
		struct conn *whole = party_connect(party);

		party_say_bytes(half, bytes, cut, true);
		party_assert_rejected(half, CTRL_REJECT_BAD_HELLO, "half a hello");
		party_say_bytes(whole, bytes, cut, false);
		assert_int_equal(whole->heard_count, 0);
		party_say_bytes(whole, bytes + cut, len - cut, false);
		party_heard(whole, 0, CTRL_WELCOME);
		party_free(party);
	}
}

static void test_end_of_stream_while_joined(void **state) {
	struct party *party = party_new(NULL);
	struct conn *other = party_join(party, "R", 1, 0);
	struct conn *conn = party_join(party, "R", 2, 0);

	(void)state;
	party_say_bytes(conn, "", 0, true);
	assert_int_equal(party_heard(other, 2, CTRL_PEER_LEFT)->peer_left.reason, CTRL_LEAVE_CONNECTION_LOST);
	assert_true(conn->close_asked);
	party_free(party);
}

static void test_hello_deadline(void **state) {
	struct party *party = party_new(NULL);
	struct conn *silent = party_connect(party);
	struct conn *dribbling = party_connect(party);

	(void)state;
	party_run(party, RELAY_HELLO_TIMEOUT_NS - BASE_MS);
	party_say_bytes(dribbling, "\0\0", 2, false);
	assert_false(silent->close_asked);
	party_run(party, 2 * BASE_MS);
	assert_true(silent->close_asked && dribbling->close_asked);
	assert_int_equal(silent->code, QUIC_APP_HELLO_TIMEOUT);
	assert_int_equal(silent->heard_count, 0);
	assert_int_equal(party->core->totals.hello_timeouts, 2);
	party_free(party);
}

static void test_message_rate(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn = party_join(party, "R", 1, 0);

	(void)state;
	/* Twenty a second is fine for ever. */
	for (int i = 0; i < 400; i++) {
		party_say_json(conn, "{\"type\":\"x\"}");
		party_run(party, 50 * BASE_MS);
	}
	assert_int_equal(conn->peer->id, 1);
	assert_int_equal(party->core->totals.unknown_messages, 400);
	assert_int_equal(conn->peer->unknown_messages, 400);
	party_run(party, BASE_SECOND);
	for (int i = 0; i < 50; i++)
		party_say_json(conn, "{\"type\":\"x\"}");
	assert_int_equal(conn->heard_count, 1);
	party_say_json(conn, "{\"type\":\"x\"}");
	assert_disconnected(conn, CTRL_LEAVE_RATE, QUIC_APP_LIMIT, "flood");
	assert_int_equal(party->core->totals.left[CTRL_LEAVE_RATE], 1);
	party_free(party);
}

/* All in one read: what follows the message that ended the peer is not looked at. */
static void test_flood_in_one_read(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn = party_join(party, "R", 1, 0);
	uint8_t bytes[100 * 16];

	(void)state;
	for (size_t i = 0; i < 100; i++)
		memcpy(bytes + i * 16, "\0\0\0\x0c{\"type\":\"x\"}", 16);
	party_say_bytes(conn, bytes, sizeof(bytes), false);
	assert_int_equal(party->core->totals.unknown_messages, 49); /* the hello took one of the 50 */
	assert_disconnected(conn, CTRL_LEAVE_RATE, QUIC_APP_LIMIT, "flood");
	party_free(party);
}

static void test_unknown_before_hello(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn = party_connect(party);

	(void)state;
	party_say_json(conn, "{\"type\":\"x\"}");
	party_say_json(conn, HELLO);
	party_heard(conn, 0, CTRL_WELCOME);
	party_free(party);
}

static void test_stats_are_kept(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn = party_join(party, "R", 1, 0);
	struct ctrl_message stats = {.type = CTRL_STATS};

	(void)state;
	stats.stats.rtt_us = 1234;
	stats.stats.counters.value[OBS_DEVICE_RX_FRAMES] = 5;
	party_say(conn, &stats);
	party_run(party, 700 * BASE_MS);
	stats.stats.rtt_us = 4321;
	party_say(conn, &stats);
	assert_int_equal(conn->peer->stats.rtt_us, 4321);
	assert_int_equal(conn->peer->stats.counters.value[OBS_DEVICE_RX_FRAMES], 5);
	assert_int_equal(conn->peer->stats_at, party->now);
	assert_int_equal(conn->peer->last_seen, party->now);
	party_free(party);
}

static void say_lan(struct conn *conn, bool up) {
	party_say(conn, &(struct ctrl_message){.type = CTRL_LAN, .lan = {.up = up}});
}

/* Those present are told when it changes, those who come later that it is down. */
static void test_lan_is_passed_on(void **state) {
	struct party *party = party_new(NULL);
	struct conn *client = party_join(party, "R", 1, 0);
	struct conn *gateway = party_join(party, "R", 0, 1), *stranger = party_join(party, "S", 1, 0), *late;
	size_t told = gateway->heard_count;

	(void)state;
	say_lan(gateway, true); /* as everybody thought */
	assert_int_equal(client->heard_count, 2);
	say_lan(gateway, false);
	say_lan(gateway, false);
	assert_false(party_heard(client, 2, CTRL_LAN)->lan.up);
	assert_int_equal(client->heard_count, 3);
	late = party_join(party, "R", 2, 0);
	assert_int_equal(late->heard_count, 4); /* behind the welcome and those present */
	assert_false(party_heard(late, 3, CTRL_LAN)->lan.up);
	say_lan(gateway, true);
	assert_true(party_heard(client, 4, CTRL_LAN)->lan.up);
	assert_true(party_heard(late, 4, CTRL_LAN)->lan.up);
	assert_int_equal(gateway->heard_count, told + 1); /* of the late one */
	assert_int_equal(stranger->heard_count, 1);
	late = party_join(party, "R", 3, 0);
	assert_null(party_last(late, CTRL_LAN));

	say_lan(gateway, false); /* the next gateway begins anew */
	gateway = party_join(party, "R", 0, 1);
	late = party_join(party, "R", 4, 0);
	assert_null(party_last(late, CTRL_LAN));
	party_free(party);
}

/* Who is shut out is told, and nobody else. */
static void test_shut_out_is_passed_on(void **state) {
	struct party *party = party_new(NULL);
	struct conn *client = party_join(party, "R", 1, 0), *gateway = party_join(party, "R", 0, 1);
	struct conn *other = party_join(party, "R", 2, 0), *stranger = party_join(party, "S", 1, 0);
	size_t told = other->heard_count;

	(void)state;
	for (uint32_t peer = 0; peer < 3; peer++) { /* the first is in another room, too; the last is not there */
		static const uint32_t peers[] = {1, 99, UINT32_MAX};
		party_say(gateway, &(struct ctrl_message){.type = CTRL_SHUT_OUT, .shut_out = {peers[peer], true}});
	}
	assert_true(party_heard(client, 3, CTRL_SHUT_OUT)->shut_out.out);
	assert_int_equal(party_heard(client, 3, CTRL_SHUT_OUT)->shut_out.peer_id, 1);
	assert_int_equal(client->heard_count, 4);
	assert_int_equal(other->heard_count, told);
	assert_int_equal(stranger->heard_count, 1);
	party_free(party);
}

/* RLY-14 */
static void test_disconnect_reason_is_passed_on(void **state) {
	(void)state;
	for (int reason = 0; reason < CTRL_LEAVE_REASON_COUNT; reason++) {
		struct party *party = party_new(NULL);
		struct conn *other = party_join(party, "R", 1, 0);
		struct conn *conn = party_join(party, "R", 2, 0);
		struct ctrl_message message = {.type = CTRL_DISCONNECT};

		message.disconnect.reason = (enum ctrl_leave_reason)reason;
		party_say(conn, &message);
		assert_int_equal(party_heard(other, 2, CTRL_PEER_LEFT)->peer_left.reason, reason);
		assert_int_equal(party_heard(other, 2, CTRL_PEER_LEFT)->peer_left.peer_id, 2);
		assert_true(conn->close_asked);
		assert_int_equal(conn->code, QUIC_APP_DONE);
		party_hang_up(conn, CTRL_LEAVE_TIMEOUT); /* the end of the connection adds nothing */
		assert_int_equal(other->heard_count, 3);
		party_free(party);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_before_hello),
	    cmocka_unit_test(test_nothing_after_a_mistake),
	    cmocka_unit_test(test_while_joined),
	    cmocka_unit_test(test_second_hello_while_settling),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_portions_and_halves),
	    cmocka_unit_test(test_end_of_stream_while_joined),
	    cmocka_unit_test(test_hello_deadline),
	    cmocka_unit_test(test_message_rate),
	    cmocka_unit_test(test_flood_in_one_read),
	    cmocka_unit_test(test_unknown_before_hello),
	    cmocka_unit_test(test_stats_are_kept),
	    cmocka_unit_test(test_lan_is_passed_on),
	    cmocka_unit_test(test_shut_out_is_passed_on),
	    cmocka_unit_test(test_disconnect_reason_is_passed_on),
	};

	return cmocka_run_group_tests_name("relay/control", tests, NULL, NULL);
}
