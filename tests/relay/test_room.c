/* Who hears of whom and in which order; seats, ids and rooms over time. */
#include "tests/relay/party.h"
#include "tests/unit.h"

#include <string.h>

/* RLY-11, RLY-12: the whole story of a room as each of its peers hears it. */
static void test_order_of_notices(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct conn *gateway = party_gateway(party, "R");
	struct conn *c = party_join(party, "R", 3, 0);

	(void)state;
	party_join(party, "OTHER", 9, 0);
	assert_int_equal(a->heard_count, 4);
	assert_false(party_heard(a, 0, CTRL_WELCOME)->welcome.gateway);
	assert_int_equal(party_heard(a, 1, CTRL_PEER_JOINED)->peer_joined.peer_id, 2);
	assert_true(proto_mac_equal(party_heard(a, 1, CTRL_PEER_JOINED)->peer_joined.mac, party_mac(2)));
	assert_int_equal(party_heard(a, 2, CTRL_PEER_JOINED)->peer_joined.role, CTRL_ROLE_GATEWAY);
	assert_int_equal(party_heard(a, 3, CTRL_PEER_JOINED)->peer_joined.peer_id, 4);
	assert_int_equal(c->heard_count, 4);
	assert_true(party_heard(c, 0, CTRL_WELCOME)->welcome.gateway);
	assert_int_equal(party_heard(c, 0, CTRL_WELCOME)->welcome.gateway_peer, 3);
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(party_heard(c, i, CTRL_PEER_JOINED)->peer_joined.peer_id, i);
	assert_int_equal(gateway->heard_count, 4);
	/* Those present are told before the joiner is welcomed, and it is welcomed before it hears of them. */
	assert_true(party_last(a, CTRL_PEER_JOINED)->seq < party_last(c, CTRL_WELCOME)->seq);
	assert_true(party_last(b, CTRL_PEER_JOINED)->seq < party_last(c, CTRL_WELCOME)->seq);
	assert_true(party_last(gateway, CTRL_PEER_JOINED)->seq < party_last(c, CTRL_WELCOME)->seq);
	party_free(party);
}

static void test_names_are_passed_on(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 2, 0);

	(void)state;
	memcpy(hello.hello.name, "attic pc", 9);
	party_say(b, &hello);
	assert_string_equal(party_heard(a, 1, CTRL_PEER_JOINED)->peer_joined.name, "attic pc");
	party_free(party);
}

static void test_takeover(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 7);
	struct conn *b = party_join(party, "R", 2, 0);
	struct conn *again = party_join(party, "R", 1, 7);

	(void)state;
	assert_int_equal(b->heard_count, 4);
	assert_int_equal(party_heard(b, 2, CTRL_PEER_LEFT)->peer_left.peer_id, 1);
	assert_int_equal(party_heard(b, 2, CTRL_PEER_LEFT)->peer_left.reason, CTRL_LEAVE_REPLACED);
	assert_int_equal(party_heard(b, 3, CTRL_PEER_JOINED)->peer_joined.peer_id, 3);
	assert_true(a->close_asked);
	assert_int_equal(a->code, QUIC_APP_REPLACED);
	assert_int_equal(again->heard_count, 2);
	assert_int_equal(party_heard(again, 0, CTRL_WELCOME)->welcome.peer_id, 3);
	assert_int_equal(party_heard(again, 1, CTRL_PEER_JOINED)->peer_joined.peer_id, 2);
	/* Frames for the MAC go to the new connection; the old one's late frames go nowhere. */
	party_send(b, party_mac(1), party_mac(2), 60);
	party_send(a, party_mac(2), party_mac(1), 60);
	assert_int_equal(party_drain(again), 1);
	assert_int_equal(party_drain(a), 0);
	assert_int_equal(party_drain(b), 0);
	assert_int_equal(party_drops(a, OBS_DROP_NOT_JOINED), 1);
	party_hang_up(a, CTRL_LEAVE_TIMEOUT);
	assert_int_equal(b->heard_count, 4);
	assert_int_equal(party->core->totals.replaced, 1);
	party_free(party);
}

static void test_gateway_takeover_alone(void **state) {
	struct party *party = party_new(NULL);
	struct conn *gateway = party_join(party, "R", 0, 7);
	struct conn *again = party_join(party, "R", 0, 7);
	struct conn *client;

	(void)state;
	assert_true(gateway->close_asked);
	assert_int_equal(again->heard_count, 1);
	client = party_join(party, "R", 1, 0);
	assert_int_equal(party_heard(client, 0, CTRL_WELCOME)->welcome.gateway_peer, 2);
	party_free(party);
}

/* RLY-14, RLY-15: a vanished peer leaves by timeout; its MAC is free, its id is not. */
static void test_timeout_frees_the_seat(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct conn *again;

	(void)state;
	party_hang_up(b, CTRL_LEAVE_TIMEOUT);
	assert_int_equal(party_heard(a, 2, CTRL_PEER_LEFT)->peer_left.reason, CTRL_LEAVE_TIMEOUT);
	assert_null(relay_room_client(party_room(party, "R"), party_mac(2)));
	again = party_join(party, "R", 2, 0);
	assert_int_equal(party_heard(again, 0, CTRL_WELCOME)->welcome.peer_id, 3);
	party_free(party);
}

/* MTU and ids outlive the last peer for a while, then the room is forgotten. */
static void test_empty_room_is_remembered(void **state) {
	static const struct {
		uint64_t wait;
		uint32_t id;
		uint16_t mtu;
	} cases[] = {{RELAY_ROOM_GRACE_NS - BASE_MS, 2, 1146}, {RELAY_ROOM_GRACE_NS, 1, 1344}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct party *party = party_new(NULL);
		struct conn *conn = party_connect(party);
		struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 0);

		hello.hello.budget = 1168;
		party_say(conn, &hello);
		party_hang_up(conn, CTRL_LEAVE_CONNECTION_LOST);
		party_run(party, cases[i].wait);
		assert_int_equal(party->core->rooms.len, i == 0);
		conn = party_join(party, "R", 1, 0);
		assert_int_equal(party_heard(conn, 0, CTRL_WELCOME)->welcome.peer_id, cases[i].id);
		assert_int_equal(party_heard(conn, 0, CTRL_WELCOME)->welcome.mtu, cases[i].mtu);
		/* Somebody is in it again: it stays. */
		party_run(party, 2 * RELAY_ROOM_GRACE_NS);
		assert_int_equal(party->core->rooms.len, 1);
		party_free(party);
	}
}

/* Whoever cannot be told has to go; the others hear of that too, and nobody is told twice. */
static void test_deaf_peers_go(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *deaf1 = party_join(party, "R", 2, 0);
	struct conn *deaf2 = party_join(party, "R", 3, 0);
	struct conn *d;

	(void)state;
	deaf1->deaf = deaf2->deaf = true;
	d = party_join(party, "R", 4, 0);
	assert_true(deaf1->close_asked && deaf2->close_asked);
	assert_int_equal(deaf1->code, QUIC_APP_LIMIT);
	assert_int_equal(a->heard_count, 6); /* welcome, 2, 3, 4, left 2, left 3 */
	assert_int_equal(party_heard(a, 4, CTRL_PEER_LEFT)->peer_left.peer_id, 2);
	assert_int_equal(party_heard(a, 5, CTRL_PEER_LEFT)->peer_left.peer_id, 3);
	assert_int_equal(party_heard(a, 5, CTRL_PEER_LEFT)->peer_left.reason, CTRL_LEAVE_CONNECTION_LOST);
	/* The joiner saw them in the room and then leave. */
	assert_int_equal(d->heard_count, 6);
	assert_int_equal(party->core->totals.stuck_disconnects, 2);
	party_free(party);
}

static void test_deaf_joiner(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *deaf = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 2, 0);

	(void)state;
	deaf->deaf = true;
	party_say(deaf, &hello);
	assert_true(deaf->close_asked);
	party_heard(a, 1, CTRL_PEER_JOINED);
	party_heard(a, 2, CTRL_PEER_LEFT);
	assert_int_equal(party_room(party, "R")->peer_count, 1);
	party_free(party);
}

/* A notice that cannot be made is as one that cannot be sent: nobody stays who does not know who is there. A name that
 * no hello can have stands in for memory that is out. */
static void test_no_memory_for_a_notice(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct conn *c = party_connect(party), *d;
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 3, 0);

	(void)state;
	c->settled = false;
	c->budget = 1168;
	party_say(c, &hello);
	c->peer->hello.name[0] = '\x01';
	c->settled = true;
	c->budget = PARTY_BUDGET;
	party_run(party, 2 * RELAY_POLL_NS);
	assert_true(a->close_asked && b->close_asked);
	assert_int_equal(a->code, QUIC_APP_DONE);
	assert_false(c->close_asked);
	assert_int_equal(party_last(c, CTRL_PEER_LEFT)->message.peer_left.peer_id, 2);
	assert_int_equal(party_room(party, "R")->peer_count, 1);
	d = party_join(party, "R", 4, 0);
	assert_true(d->close_asked);
	assert_int_equal(party_last(c, CTRL_PEER_LEFT)->message.peer_left.peer_id, 4);
	assert_int_equal(party->core->totals.stuck_disconnects, 0);
	party_free(party);
}

/* A room that its only peer could not enter goes as one that its last peer has left. A queue that cannot be stands in
 * for memory that is out. */
static void test_no_memory_to_enter(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;

	(void)state;
	limits.egress.flows_shared_max = UINT32_MAX;
	party = party_new(&limits);
	party_assert_rejected(party_join(party, "R", 1, 0), CTRL_REJECT_INTERNAL, "client");
	party_assert_rejected(party_join(party, "R", 0, 0), CTRL_REJECT_INTERNAL, "gateway");
	assert_int_equal(party->core->rooms.len, 1);
	assert_int_equal(party->core->shared->rooms_used, 0);
	assert_int_equal(party->core->shared->rooms_kept, 1);
	party_run(party, RELAY_ROOM_GRACE_NS);
	assert_int_equal(party->core->rooms.len, 0);
	assert_int_equal(party->core->shared->rooms_kept, 0);
	party_free(party);
}

/* A reject waits for its acknowledgement, but not for ever. */
static void test_linger(void **state) {
	struct party *party = party_new(NULL);
	struct conn *slow, *dead;

	(void)state;
	party_join(party, "R", 1, 0);
	slow = party_connect(party);
	dead = party_connect(party);
	slow->flushed = dead->flushed = false;
	party_say_json(slow, "{}");
	party_say_json(dead, "{}");
	party_run(party, 100 * BASE_MS);
	assert_false(slow->close_asked || dead->close_asked);
	slow->flushed = true;
	party_run(party, 2 * RELAY_POLL_NS);
	assert_true(slow->close_asked);
	assert_false(dead->close_asked);
	/* What it says now is not heard. */
	party_say_json(dead, "{\"type\":\"hello\"");
	assert_int_equal(party->core->totals.protocol_errors, 2);
	party_run(party, RELAY_LINGER_NS);
	assert_true(dead->close_asked);
	party_free(party);
}

static void test_shutdown(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct conn *settling = party_connect(party);
	struct conn *silent = party_connect(party);
	struct conn *shaking = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 3, 0);

	(void)state;
	settling->budget = 1168;
	settling->settled = false;
	party_say(settling, &hello);
	a->flushed = false;
	shaking->peer->state = RELAY_PEER_HANDSHAKE; /* there is no stream yet on which to say anything */
	relay_core_shutdown(party->core, party->now);
	assert_int_equal(shaking->heard_count, 0);
	assert_true(shaking->close_asked);
	assert_int_equal(shaking->code, QUIC_APP_SHUTDOWN);
	assert_int_equal(party_heard(a, 2, CTRL_DISCONNECT)->disconnect.reason, CTRL_LEAVE_SHUTDOWN);
	assert_int_equal(party_heard(b, 2, CTRL_DISCONNECT)->disconnect.reason, CTRL_LEAVE_SHUTDOWN);
	assert_null(party_connect(party)->peer);
	party_assert_rejected(settling, CTRL_REJECT_SHUTTING_DOWN, "settling");
	party_assert_rejected(silent, CTRL_REJECT_SHUTTING_DOWN, "silent");
	party_run(party, 2 * RELAY_POLL_NS);
	assert_true(b->close_asked && a->close_asked);
	assert_int_equal(a->code, QUIC_APP_SHUTDOWN);
	assert_int_equal(relay_core_peer_count(party->core), 0);
	party_free(party);
}

/* Closing a peer that was doomed within the same event, or one that lingers, is the end of it. */
static void test_hang_up_in_any_state(void **state) {
	(void)state;
	for (int step = 0; step < 5; step++) {
		struct party *party = party_new(NULL);
		struct conn *conn = party_connect(party);
		struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 0);

		conn->settled = conn->flushed = false;
		conn->budget = step < 2 ? 1168 : 1440;
		if (step >= 1)
			party_say(conn, &hello);
		if (step >= 3)
			party_say_json(conn, "{}");
		if (step >= 4)
			party_run(party, RELAY_POLL_NS);
		party_hang_up(conn, CTRL_LEAVE_TIMEOUT);
		party_run(party, 3 * BASE_SECOND);
		assert_int_equal(relay_core_peer_count(party->core), 0);
		assert_false(conn->close_asked);
		party_free(party);
	}
}

static void test_nothing_to_do_is_no_deadline(void **state) {
	struct party *party = party_new(NULL);

	(void)state;
	assert_true(relay_core_deadline(party->core) == BASE_NEVER);
	party_hang_up(party_join(party, "R", 1, 0), CTRL_LEAVE_QUIT);
	party_run(party, 2 * RELAY_ROOM_GRACE_NS);
	assert_true(relay_core_deadline(party->core) == BASE_NEVER);
	/* What is left of a peer goes without another one that comes. */
	party_hang_up(party_connect(party), CTRL_LEAVE_TIMEOUT);
	assert_false(base_list_empty(&party->core->gone));
	party_run(party, RELAY_SWEEP_NS);
	assert_true(base_list_empty(&party->core->gone));
	assert_true(relay_core_deadline(party->core) == BASE_NEVER);
	party_free(party);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_of_notices),
	    cmocka_unit_test(test_names_are_passed_on),
	    cmocka_unit_test(test_takeover),
	    cmocka_unit_test(test_gateway_takeover_alone),
	    cmocka_unit_test(test_timeout_frees_the_seat),
	    cmocka_unit_test(test_empty_room_is_remembered),
	    cmocka_unit_test(test_deaf_peers_go),
	    cmocka_unit_test(test_deaf_joiner),
	    cmocka_unit_test(test_no_memory_for_a_notice),
	    cmocka_unit_test(test_no_memory_to_enter),
	    cmocka_unit_test(test_linger),
	    cmocka_unit_test(test_shutdown),
	    cmocka_unit_test(test_hang_up_in_any_state),
	    cmocka_unit_test(test_nothing_to_do_is_no_deadline),
	};

	return cmocka_run_group_tests_name("relay/room", tests, NULL, NULL);
}
