/* What becomes of the copies: budgets per target, bounded queues, ageing, and a pool that no room can take for itself.
 */
#include "tests/relay/party.h"
#include "tests/unit.h"

#include <string.h>

static uint64_t tx_drops(struct conn *conn, enum obs_drop drop) {
	return relay_peer_tx(conn->peer)->drop[drop];
}

/* RLY-7: a target whose path has become too small is skipped, the others are served; the log has all four numbers. */
static void test_budget_skip(void **state) {
	struct party *party = party_new_logged(OBS_DEBUG);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct conn *c = party_join(party, "R", 3, 0);
	const char *line;

	(void)state;
	b->budget = 1168;
	party_send(a, party_broadcast, party_mac(1), 1160); /* 1168 encoded: fits just */
	party_send(a, party_broadcast, party_mac(1), 1161);
	assert_int_equal(tx_drops(b, OBS_DROP_DATAGRAM_BUDGET), 1);
	assert_int_equal(party_drain(b), 1);
	assert_int_equal(party_drain(c), 2);
	assert_int_equal(a->peer->forwarded, 2);
	line = strstr(party->log_text, "reason=datagram_budget");
	assert_non_null(line);
	assert_non_null(strstr(party->log_text, "peer=1 target=2"));
	assert_non_null(strstr(line, "budget=1168"));
	party_assert_balance(party, "skip");
	party_free(party);
}

/* In a room with a key the frame is shorter than its datagram by more than the header. */
static void test_budget_skip_of_sealed(void **state) {
	struct party *party = party_new_logged(OBS_DEBUG);
	struct conn *conns[2];
	uint8_t datagram[2048];
	size_t len;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct ctrl_message hello = party_keyed_hello("R", CTRL_ROLE_CLIENT, i + 1, 1);

		conns[i] = party_connect(party);
		party_say(conns[i], &hello);
	}
	conns[1]->budget = 1168;
	for (size_t frame = 1136; frame <= 1137; frame++) {
		len = party_sealed(datagram, sizeof(datagram), 1, party_broadcast, party_mac(1), frame);
		relay_core_datagram(conns[0]->peer, slice_of(datagram, len), party->now);
	}
	assert_int_equal(tx_drops(conns[1], OBS_DROP_DATAGRAM_BUDGET), 1);
	assert_int_equal(party_drain(conns[1]), 1);
	assert_non_null(strstr(party->log_text, "len=1137 targets=0 encoded=1169 budget=1168"));
	party_free(party);
}

/* The transport finds out only while it writes. */
static void test_taken_unsent(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct slice payload;

	(void)state;
	party_send(a, party_mac(2), party_mac(1), 100);
	assert_true(relay_core_next(b->peer, &payload, party->now));
	relay_core_taken(b->peer, false, party->now);
	assert_false(relay_core_next(b->peer, &payload, party->now));
	assert_int_equal(tx_drops(b, OBS_DROP_DATAGRAM_BUDGET), 1);
	party_assert_balance(party, "unsent");
	party_free(party);
}

/* A frame that was offered and did not leave waits on: it is offered again, grows too old, or lets a sparser one pass.
 */
static void test_offered_frame_stays_queued(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct conn *c = party_join(party, "R", 3, 0);
	struct slice first, again;

	(void)state;
	party_send(a, party_mac(2), party_mac(1), 1000);
	party_send(a, party_mac(2), party_mac(1), 1001);
	assert_true(relay_core_next(b->peer, &first, party->now));
	relay_core_taken(b->peer, true, party->now);
	assert_true(relay_core_next(b->peer, &first, party->now));
	assert_true(relay_core_next(b->peer, &again, party->now));
	assert_ptr_equal(first.data, again.data);
	party_send(c, party_mac(2), party_mac(3), 100);
	assert_int_equal(relay_peer_queued(b->peer), 2);
	assert_true(relay_core_next(b->peer, &again, party->now));
	assert_int_equal(again.len, 108);
	relay_core_taken(b->peer, true, party->now);
	assert_true(relay_core_next(b->peer, &again, party->now));
	assert_int_equal(again.len, 1009);
	party_run(party, RELAY_SWEEP_NS + BASE_MS);
	assert_int_equal(relay_peer_queued(b->peer), 0);
	relay_core_taken(b->peer, true, party->now); /* too late */
	assert_int_equal(tx_drops(b, OBS_DROP_QUEUE_AGE), 1);
	assert_int_equal(relay_peer_tx(b->peer)->value[OBS_TUNNEL_TX_DATAGRAMS], 2);
	party_assert_balance(party, "offered");
	party_free(party);
}

static void test_offered_frame_ages(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct slice payload;

	(void)state;
	party_send(a, party_mac(2), party_mac(1), 100);
	assert_true(relay_core_next(b->peer, &payload, party->now));
	party->now += 201 * BASE_MS;
	party_send(a, party_mac(2), party_mac(1), 222);
	assert_true(relay_core_next(b->peer, &payload, party->now));
	assert_int_equal(payload.len, 230);
	assert_int_equal(tx_drops(b, OBS_DROP_QUEUE_AGE), 1);
	relay_core_taken(b->peer, true, party->now);
	party_assert_balance(party, "aged");
	party_free(party);
}

static void test_queue_bounds(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct conn *a, *b;

	(void)state;
	limits.egress.frames_max = 10;
	party = party_new(&limits);
	a = party_join(party, "R", 1, 0);
	b = party_join(party, "R", 2, 0);
	for (int i = 0; i < 25; i++)
		party_send(a, party_mac(2), party_mac(1), 100);
	assert_int_equal(tx_drops(b, OBS_DROP_QUEUE_FULL), 15);
	assert_int_equal(a->peer->forwarded, 25);
	party_assert_balance(party, "full, waiting");
	assert_int_equal(party_drain(b), 10);
	party_assert_balance(party, "full, drained");
	party_free(party);
}

/* Twice as many frames as leave: a standing queue, and CoDel's drops are in the books. */
static void test_standing_queue(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct slice payload;

	(void)state;
	for (int ms = 0; ms < 300; ms++, party->now += BASE_MS) {
		party_send(a, party_mac(2), party_mac(1), 1000);
		party_send(a, party_mac(2), party_mac(1), 1000);
		assert_true(relay_core_next(b->peer, &payload, party->now));
		relay_core_taken(b->peer, true, party->now);
	}
	assert_in_range(tx_drops(b, OBS_DROP_QUEUE_CODEL), 3, 20);
	assert_int_equal(tx_drops(b, OBS_DROP_QUEUE_FULL) + tx_drops(b, OBS_DROP_QUEUE_AGE), 0);
	party_assert_balance(party, "standing");
	party_free(party);
}

/* A flood of one peer leaves another peer's frames alone and waiting for one turn only. */
static void test_peers_take_turns(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct conn *c = party_join(party, "R", 3, 0);
	struct slice payload;

	(void)state;
	for (int i = 0; i < 2000; i++)
		party_send(a, party_mac(2), party_mac(1), 1000);
	party_send(c, party_mac(2), party_mac(3), 100);
	for (int i = 0; i < 2; i++) {
		assert_true(relay_core_next(b->peer, &payload, party->now));
		relay_core_taken(b->peer, true, party->now);
	}
	assert_int_equal(payload.len, 108);
	assert_in_range(tx_drops(b, OBS_DROP_QUEUE_FULL), 900, 1100);
	party_assert_balance(party, "turns");
	party_free(party);
}

/* A peer that leaves takes its waiting frames with it, the offered one too. */
static void test_leaving_frees_the_queue(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	struct conn *b = party_join(party, "R", 2, 0);
	struct slice payload;

	(void)state;
	for (int i = 0; i < 5; i++)
		party_send(a, party_mac(2), party_mac(1), 100);
	assert_true(relay_core_next(b->peer, &payload, party->now));
	party_hang_up(b, CTRL_LEAVE_TIMEOUT);
	assert_int_equal(party->core->totals.tx.drop[OBS_DROP_NOT_JOINED], 5);
	assert_int_equal(party_room(party, "R")->held.frames, 0);
	party_assert_balance(party, "left");
	party_free(party);
}

/* One copy for all: a broadcast takes one buffer however many wait for it. */
static void test_broadcast_takes_one_buffer(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	size_t available = queue_pool_available(party->core->pool);

	(void)state;
	for (unsigned i = 2; i < 10; i++)
		party_join(party, "R", i, 0);
	party_send(a, party_broadcast, party_mac(1), 100);
	assert_int_equal(queue_pool_available(party->core->pool), available - 1);
	assert_int_equal(party_room(party, "R")->held.frames, 1);
	for (size_t i = 1; i < 9; i++)
		assert_int_equal(party_drain(&party->conns[i]), 1);
	party_assert_balance(party, "broadcast");
	party_free(party);
}

/* Rooms whose peers do not drain cannot take the buffers of the others. */
static void test_pool_is_shared_fairly(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct conn *greedy[5], *late;
	static const char *const rooms[] = {"A", "B", "C", "D", "E"};
	static const size_t held[] = {25, 19, 14, 11, 8}; /* a quarter of what is left of half of the pool */

	(void)state;
	limits.pool_frames = 200;
	party = party_new(&limits);
	for (size_t i = 0; i < 5; i++) {
		greedy[i] = party_join(party, rooms[i], 1, 0);
		party_join(party, rooms[i], 2, 0);
		for (int n = 0; n < 200; n++)
			party_send(greedy[i], party_mac(2), party_mac(1), 100);
		assert_int_equal(party_room(party, rooms[i])->held.frames, held[i]);
		assert_int_equal(party_drops(greedy[i], OBS_DROP_NO_BUFFER), 200 - held[i]);
	}
	/* Less is left now than this room holds. */
	party_send(greedy[0], party_mac(2), party_mac(1), 100);
	assert_int_equal(party_room(party, "A")->held.frames, held[0]);
	late = party_join(party, "LATE", 1, 0);
	party_join(party, "LATE", 2, 0);
	party_send(late, party_mac(2), party_mac(1), 100);
	assert_int_equal(party_drops(late, OBS_DROP_NO_BUFFER), 0);
	party_assert_balance(party, "fair");
	/* What nobody fetches is old after a moment, and the pool is whole again. */
	party_run(party, 2 * RELAY_SWEEP_NS);
	assert_int_equal(queue_pool_available(party->core->pool), 200);
	party_assert_balance(party, "swept");
	party_free(party);
}

/* Nor can a peer whose accomplices fetch nothing take those of its own room; and it may leave while they hold them. */
static void test_buffers_of_a_peer(void **state) {
	struct party *party = party_new(NULL);
	struct conn *greedy = party_join(party, "R", 1, 0), *a, *b;
	size_t total = queue_pool_available(party->core->pool), held;

	(void)state;
	for (unsigned i = 2; i < 6; i++)
		party_join(party, "R", i, 0);
	a = party_join(party, "R", 10, 0);
	b = party_join(party, "R", 11, 0);
	for (unsigned n = 0; n < 1024; n++) {
		for (unsigned i = 2; i < 6; i++)
			party_send(greedy, party_mac(i), party_mac(1), 14);
	}
	held = party_room(party, "R")->held.frames;
	assert_in_range(held, total / 2 / 4, total / 2 / 3 + 1);
	assert_int_equal(party_drops(greedy, OBS_DROP_NO_BUFFER), 4096 - held);
	for (unsigned n = 0; n < 200; n++)
		party_send(a, party_mac(11), party_mac(10), 100);
	assert_int_equal(party_drops(a, OBS_DROP_NO_BUFFER), 0);
	assert_int_equal(party_drain(b), 200);
	party_hang_up(greedy, CTRL_LEAVE_TIMEOUT);
	party_run(party, 2 * RELAY_SWEEP_NS);
	assert_int_equal(queue_pool_available(party->core->pool), total);
	party_assert_balance(party, "left behind");
	party_free(party);
}

/* Nor can those who fetch nothing take the buffers of an honest sender: it goes on talking to the others. */
static void test_buffers_for_others(void **state) {
	struct party *party = party_new(NULL);
	struct conn *sender = party_join(party, "R", 1, 0), *honest = party_join(party, "R", 2, 0);

	(void)state;
	for (unsigned i = 3; i < 11; i++)
		party_join(party, "R", i, 0);
	for (unsigned n = 0; n < 1024; n++) {
		for (unsigned i = 3; i < 11; i++)
			party_send(sender, party_mac(i), party_mac(1), 14);
		party_send(sender, party_mac(2), party_mac(1), 200);
		assert_int_equal(party_drain(honest), 1);
	}
	assert_true(party_drops(sender, OBS_DROP_NO_BUFFER) > 1000);
	party_assert_balance(party, "for others");
	party_free(party);
}

/* A relay that ends while frames wait frees them with whoever sent them. */
static void test_end_with_frames(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0), *b = party_join(party, "R", 2, 0);

	(void)state;
	party_send(a, party_mac(2), party_mac(1), 100);
	party_send(b, party_mac(1), party_mac(2), 100);
	party_hang_up(a, CTRL_LEAVE_TIMEOUT);
	assert_int_equal(party_room(party, "R")->held.frames, 1);
	party_free(party);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_budget_skip),
	    cmocka_unit_test(test_budget_skip_of_sealed),
	    cmocka_unit_test(test_taken_unsent),
	    cmocka_unit_test(test_offered_frame_stays_queued),
	    cmocka_unit_test(test_offered_frame_ages),
	    cmocka_unit_test(test_queue_bounds),
	    cmocka_unit_test(test_standing_queue),
	    cmocka_unit_test(test_peers_take_turns),
	    cmocka_unit_test(test_leaving_frees_the_queue),
	    cmocka_unit_test(test_broadcast_takes_one_buffer),
	    cmocka_unit_test(test_pool_is_shared_fairly),
	    cmocka_unit_test(test_buffers_of_a_peer),
	    cmocka_unit_test(test_buffers_for_others),
	    cmocka_unit_test(test_end_with_frames),
	};

	return cmocka_run_group_tests_name("relay/egress", tests, NULL, NULL);
}
