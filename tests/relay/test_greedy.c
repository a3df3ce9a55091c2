/* Buffers for the honest while others take all that they can get, one after the other, and give nothing back. */
#include "tests/relay/party.h"
#include "tests/unit.h"

#include <stdio.h>

#define TICKS 1000
#define TICK_NS (10 * BASE_MS)
#define MATES 20

/* As many frames as there are buffers for. */
static void take_all(struct conn *from, struct proto_mac dst, struct proto_mac src) {
	uint64_t before = party_drops(from, OBS_DROP_NO_BUFFER);

	for (unsigned n = 0; n < 1024 && party_drops(from, OBS_DROP_NO_BUFFER) == before; n++)
		party_send(from, dst, src, 14);
}

/* One frame a tick, fetched at once. */
static size_t play(struct conn *from, struct conn *to, struct proto_mac dst, struct proto_mac src) {
	party_send(from, dst, src, 100);
	return party_drain(to);
}

/* Pairs in rooms of their own. */
static void test_other_rooms(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct conn *greedy[37], *a, *b;
	size_t arrived = 0;

	(void)state;
	limits.pool_frames = 4096; /* as there are no more connections */
	party = party_new(&limits);
	a = party_join(party, "R", 1, 0);
	b = party_join(party, "R", 2, 0);
	party->one_address = true;
	for (size_t i = 0; i < 37; i++) {
		char room[8];

		snprintf(room, sizeof(room), "G%zu", i);
		greedy[i] = party_join(party, room, 1, 0);
		assert_int_not_equal(party_join(party, room, 2, 0)->peer->id, 0);
	}
	for (unsigned tick = 0; tick < TICKS; tick++, party_run(party, TICK_NS)) {
		for (size_t i = 0; i < 37; i++)
			take_all(greedy[i], party_mac(2), party_mac(1));
		arrived += play(a, b, party_mac(2), party_mac(1));
		arrived += play(b, a, party_broadcast, party_mac(2));
	}
	assert_int_equal(arrived, 2 * TICKS);
	assert_true(party_drops(greedy[36], OBS_DROP_NO_BUFFER) > 0);
	party_assert_balance(party, "other rooms");
	party_free(party);
}

/* Members of the same room, who send to each other. */
static void test_room_mates(void **state) {
	struct party *party = party_new(NULL);
	struct conn *greedy[MATES], *a = party_join(party, "R", 1, 0), *b = party_join(party, "R", 2, 0);
	size_t arrived = 0;

	(void)state;
	for (unsigned i = 0; i < MATES; i++)
		greedy[i] = party_join(party, "R", 10 + i, 0);
	for (unsigned tick = 0; tick < TICKS; tick++, party_run(party, TICK_NS)) {
		for (unsigned i = 0; i < MATES; i++) {
			for (unsigned j = 0; j < MATES; j++) {
				if (i != j)
					take_all(greedy[i], party_mac(10 + j), party_mac(10 + i));
			}
		}
		arrived += play(a, b, party_mac(2), party_mac(1));
		arrived += play(b, a, party_mac(1), party_mac(2));
	}
	assert_int_equal(arrived, 2 * TICKS);
	party_assert_balance(party, "room mates");
	party_free(party);
}

/* Clients that ask an honest gateway's LAN for frames and fetch none: the gateway has buffers for the others. */
static void test_gateway(void **state) {
	struct party *party = party_new(NULL);
	struct conn *gateway = party_gateway(party, "R"), *honest = party_join(party, "R", 2, 0);
	struct proto_mac host = {{0x00, 0x11, 0x22, 0x33, 0x44, 0x55}};
	size_t arrived = 0;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		party_join(party, "R", 10 + i, 0);
	for (unsigned tick = 0; tick < TICKS; tick++, party_run(party, TICK_NS)) {
		for (unsigned i = 0; i < 40; i++)
			take_all(gateway, party_mac(10 + i), host);
		arrived += play(gateway, honest, party_mac(2), host);
		arrived += play(gateway, honest, party_broadcast, host);
	}
	assert_int_equal(arrived, 2 * TICKS);
	party_assert_balance(party, "gateway");
	party_free(party);
}

/* The parts of a reserve of 64 buffers: half of it is for frames to one peer, a quarter of that for each of four peers,
 * half of that for each of a room of two; and as much as for one peer is for broadcasts, a quarter for each. The other
 * half of the pool, which goes by thresholds, is in use. */
static void test_parts(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct queue_frame *taken[128];
	size_t count = 0;
	struct conn *a, *b, *evil;

	(void)state;
	limits.pool_frames = 128;
	party = party_new(&limits);
	a = party_join(party, "R", 1, 0);
	b = party_join(party, "R", 2, 0);
	evil = party_join(party, "EVIL", 1, 0);
	party_join(party, "EVIL", 2, 0);
	while (queue_pool_available(party->core->pool) > 64)
		taken[count++] = queue_frame_new(party->core->pool);
	for (unsigned n = 0; n < 100; n++)
		party_send(evil, party_mac(2), party_mac(1), 14);
	assert_int_equal(party_room(party, "EVIL")->held.frames, 4);
	for (unsigned n = 0; n < 100; n++)
		party_send(evil, party_broadcast, party_mac(1), 14);
	assert_int_equal(party_room(party, "EVIL")->held.frames, 12);
	for (unsigned n = 0; n < 4; n++)
		party_send(a, party_mac(2), party_mac(1), 14);
	assert_int_equal(party_drain(b), 4);
	assert_int_equal(party_drops(a, OBS_DROP_NO_BUFFER), 0);
	party_send(b, party_broadcast, party_mac(2), 14);
	assert_int_equal(party_drain(a), 1);
	while (count > 0)
		queue_frame_unref(taken[--count]);
	party_free(party);
}

/* A reserve of 16 buffers, 8 of it for frames to one peer: too few for one from each of four peers to each other, so a
 * sender has two of them for whomever it likes; and where there are more than eight peers, still one each. */
static void test_small_parts(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct queue_frame *taken[16];
	struct conn *conns[4];

	(void)state;
	limits.pool_frames = 32;
	party = party_new(&limits);
	for (unsigned i = 0; i < 4; i++)
		conns[i] = party_join(party, "R", 1 + i, 0);
	for (size_t i = 0; i < 16; i++)
		taken[i] = queue_frame_new(party->core->pool);
	party_send(conns[0], party_mac(2), party_mac(1), 14);
	party_send(conns[0], party_mac(3), party_mac(1), 14);
	assert_int_equal(party_drops(conns[0], OBS_DROP_NO_BUFFER), 0);
	party_send(conns[0], party_mac(4), party_mac(1), 14);
	assert_int_equal(party_drops(conns[0], OBS_DROP_NO_BUFFER), 1);
	for (unsigned i = 0; i < 5; i++)
		party_join(party, "S", 1 + i, 0);
	party_send(conns[1], party_mac(1), party_mac(2), 14);
	assert_int_equal(party_drops(conns[1], OBS_DROP_NO_BUFFER), 0);
	party_send(conns[1], party_mac(1), party_mac(2), 14);
	assert_int_equal(party_drops(conns[1], OBS_DROP_NO_BUFFER), 1);
	for (size_t i = 0; i < 16; i++)
		queue_frame_unref(taken[i]);
	party_free(party);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_other_rooms), cmocka_unit_test(test_room_mates),  cmocka_unit_test(test_gateway),
	    cmocka_unit_test(test_parts),       cmocka_unit_test(test_small_parts),
	};

	return cmocka_run_group_tests_name("relay/greedy", tests, NULL, NULL);
}
