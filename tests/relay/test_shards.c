/* Several cores of one relay: whose room is whose, and what they count together. */
#include "proto/steer.h"
#include "tests/relay/party.h"
#include "tests/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define SHARDS 3

static struct relay_shared *shared; /* NULL: each core has its own */
static size_t rooms_max = 1000;

static struct party *shard_new(unsigned shard) {
	struct relay_core_options options = {
	    .limits = RELAY_LIMITS_DEFAULT, .shared = shared, .shard = shard, .shards = SHARDS};

	options.limits.rooms_max = rooms_max;
	return party_new_with(&options);
}

/* The n-th room of a shard. */
static const char *room_of(unsigned shard, unsigned n) {
	static _Thread_local char code[16];

	for (unsigned i = 0;; i++) {
		snprintf(code, sizeof(code), "r%u", i);
		if (base_steer_shard(proto_steer_byte(code), SHARDS) == shard && n-- == 0)
			return code;
	}
}

static void assert_rooms(size_t used, size_t kept) {
	assert_int_equal(shared->rooms_used, used);
	assert_int_equal(shared->rooms_kept, kept);
}

/* Each room has one core that takes it, and each other says at once which byte leads there. */
static void test_every_room_has_one_shard(void **state) {
	(void)state;
	for (unsigned room = 0; room < 40; room++) {
		unsigned joined = 0;
		char code[16];

		snprintf(code, sizeof(code), "room-%u", room);
		for (unsigned shard = 0; shard < SHARDS; shard++) {
			struct party *party = shard_new(shard);
			struct conn *conn = party_join(party, code, 1, 0);
			const struct heard *reject = party_last(conn, CTRL_REJECT);

			if (reject != NULL) {
				party_assert_rejected(conn, CTRL_REJECT_WRONG_SHARD, code);
				assert_int_not_equal(reject->message.reject.cid_byte, 0);
				assert_int_equal(base_steer_group((uint8_t)reject->message.reject.cid_byte),
				                 base_steer_group(proto_steer_byte(code)));
				assert_int_equal(party->core->rooms.len, 0);
				assert_int_equal(party->core->totals.rejected[CTRL_REJECT_WRONG_SHARD], 1);
			} else {
				party_heard(conn, 0, CTRL_WELCOME);
				assert_int_equal(base_steer_shard(proto_steer_byte(code), SHARDS), shard);
				joined++;
			}
			party_free(party);
		}
		unit_assert_int(joined, 1, code);
	}
}

/* A stray does not wait until its path is known. */
static void test_strays_do_not_wait(void **state) {
	struct party *party = shard_new(0);
	struct conn *conn = party_connect(party);
	struct ctrl_message hello = party_hello("room-2", CTRL_ROLE_CLIENT, 1, 0);

	(void)state;
	assert_int_not_equal(base_steer_shard(proto_steer_byte("room-2"), SHARDS), 0);
	conn->settled = false;
	conn->budget = 600;
	party_say(conn, &hello);
	party_heard(conn, 0, CTRL_REJECT);
	party_assert_rejected(conn, CTRL_REJECT_WRONG_SHARD, "stray");
	party_free(party);
}

/* Nor does it count as a try: it comes again at once, to the right shard, and from there as anybody else. */
static void test_strays_are_not_counted(void **state) {
	struct relay_core_options options = {.limits = RELAY_LIMITS_DEFAULT, .shared = shared, .shards = SHARDS};
	struct party *party;

	(void)state;
	options.limits.address_joins = (struct relay_rate){.per_second = 1, .burst = RELAY_JOIN_TOKENS};
	party = party_new_with(&options);
	party->one_address = true;
	party_assert_rejected(party_join(party, room_of(1, 0), 1, 0), CTRL_REJECT_WRONG_SHARD, "stray");
	party_heard(party_join(party, room_of(0, 0), 1, 0), 0, CTRL_WELCOME);
	party_assert_rejected(party_join(party, room_of(0, 0), 2, 0), CTRL_REJECT_RATE, "the second");
	party_free(party);
}

static int setup(void **state) {
	(void)state;
	shared = relay_shared_new((const uint64_t[]){1, 2});
	rooms_max = 4;
	return shared == NULL;
}

static int teardown(void **state) {
	(void)state;
	relay_shared_free(shared);
	shared = NULL;
	rooms_max = 1000;
	return 0;
}

/* Rooms that somebody is in: as many as allowed over all cores, and a remembered one needs a place to be entered. */
static void test_rooms_of_all_shards(void **state) {
	struct party *a = shard_new(0), *b = shard_new(1);
	struct conn *first, *conns[4];

	(void)state;
	first = party_join(a, room_of(0, 0), 1, 0);
	party_heard(first, 0, CTRL_WELCOME);
	for (unsigned i = 0; i < 3; i++)
		party_heard(conns[i] = party_join(b, room_of(1, i), 1, 0), 0, CTRL_WELCOME);
	assert_rooms(4, 0);
	party_assert_rejected(party_join(a, room_of(0, 1), 1, 0), CTRL_REJECT_TOO_MANY_ROOMS, "fifth room");
	party_assert_rejected(party_join(b, room_of(1, 3), 1, 0), CTRL_REJECT_TOO_MANY_ROOMS, "fifth room elsewhere");
	party_heard(party_join(a, room_of(0, 0), 2, 0), 0, CTRL_WELCOME); /* no new room */
	assert_rooms(4, 0);
	/* A room of b rests; a takes its place, and b has none of its own to forget when it wants it back. */
	party_hang_up(conns[0], CTRL_LEAVE_QUIT);
	assert_rooms(3, 1);
	conns[3] = party_join(a, room_of(0, 1), 1, 0);
	party_heard(conns[3], 0, CTRL_WELCOME);
	assert_rooms(4, 1);
	party_assert_rejected(party_join(b, room_of(1, 0), 1, 0), CTRL_REJECT_TOO_MANY_ROOMS, "remembered room");
	assert_rooms(4, 1);
	/* One more that rests is one too many of those: the oldest of b is forgotten. */
	party_hang_up(conns[1], CTRL_LEAVE_QUIT);
	assert_rooms(3, 1);
	assert_int_equal(b->core->totals.rooms_evicted, 1);
	assert_int_equal(b->core->rooms.len, 2);
	party_heard(party_join(b, room_of(1, 1), 1, 0), 0, CTRL_WELCOME);
	assert_rooms(4, 0);
	party_free(a);
	assert_rooms(2, 0);
	party_free(b);
	assert_rooms(0, 0);
}

/* Whoever takes over the only seat of a room needs no new place for the room. */
static void test_takeover_at_the_limit(void **state) {
	struct party *a = shard_new(0);
	struct conn *again;

	(void)state;
	rooms_max = 1;
	party_free(a);
	a = shard_new(0);
	party_join(a, room_of(0, 0), 1, 9);
	again = party_join(a, room_of(0, 0), 1, 9);
	party_heard(again, 0, CTRL_WELCOME);
	assert_int_equal(again->peer->id, 2);
	assert_rooms(1, 0);
	party_free(a);
}

/* What an unkind peer calls its reason makes no difference. */
static void test_left_for_any_reason(void **state) {
	struct party *a = shard_new(0);

	(void)state;
	for (int reason = 0; reason < CTRL_LEAVE_REASON_COUNT; reason++) {
		struct conn *conn = party_join(a, room_of(0, 0), 1, 0);

		party_heard(conn, 0, CTRL_WELCOME);
		party_say(conn, &(struct ctrl_message){.type = CTRL_DISCONNECT,
		                                       .disconnect = {.reason = (enum ctrl_leave_reason)reason}});
		assert_rooms(0, 1);
	}
	party_free(a);
}

#define THREADS SHARDS
#define TRIES 40

struct opener {
	unsigned shard;
	size_t welcomes, full;
	struct party *party;
};

static void *open_rooms(void *user) {
	struct opener *opener = user;

	for (unsigned i = 0; i < TRIES; i++) {
		const struct conn *conn = party_join(opener->party, room_of(opener->shard, i), 1, 0);

		if (party_last(conn, CTRL_WELCOME) != NULL)
			opener->welcomes++;
		else if (party_last(conn, CTRL_REJECT)->message.reject.code == CTRL_REJECT_TOO_MANY_ROOMS)
			opener->full++;
	}
	return NULL;
}

static void test_concurrent_rooms(void **state) {
	struct opener openers[THREADS];
	pthread_t threads[THREADS];
	size_t welcomes = 0, full = 0;

	(void)state;
	rooms_max = 57;
	for (unsigned i = 0; i < THREADS; i++)
		openers[i] = (struct opener){.shard = i, .party = shard_new(i)};
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_rooms, &openers[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		welcomes += openers[i].welcomes;
		full += openers[i].full;
	}
	assert_int_equal(welcomes, rooms_max);
	assert_int_equal(full, THREADS * TRIES - rooms_max);
	assert_rooms(rooms_max, 0);
	for (unsigned i = 0; i < THREADS; i++)
		party_free(openers[i].party);
	assert_rooms(0, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_room_has_one_shard),
	    cmocka_unit_test(test_strays_do_not_wait),
	    cmocka_unit_test(test_strays_are_not_counted),
	    cmocka_unit_test_setup_teardown(test_rooms_of_all_shards, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_takeover_at_the_limit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_left_for_any_reason, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_concurrent_rooms, setup, teardown),
	};

	return cmocka_run_group_tests_name("relay/shards", tests, NULL, NULL);
}
