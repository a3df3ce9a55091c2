/* A relay of several shards: rooms on all of them, peers that come to the wrong one, limits that are those of all. */
#include "proto/steer.h"
#include "scenario.h"

#define ROOMS 9

static unsigned shard_of(const struct sim_member *member) {
	return base_steer_shard(proto_steer_byte(member->room_code), SIM_SHARDS);
}

/* A gateway and two clients in each room. */
static struct sim_party *many_rooms(const char *name, uint64_t seed, const struct sim_link *link) {
	struct sim_party *party = sim_party_new(name, seed, link);
	bool used[SIM_SHARDS] = {false};

	for (unsigned room = 1; room <= ROOMS; room++) {
		struct sim_member *gateway = sim_gateway(party, room);

		gateway->stations_answer = true;
		used[shard_of(gateway)] = true;
		sim_client(party, room);
		sim_client(party, room);
	}
	for (unsigned i = 0; i < SIM_SHARDS; i++)
		assert_true(used[i]);
	return party;
}

/* Who comes to the right shard is let in there, and rooms on different shards are as far apart as others. */
static void run_rooms_on_all(const char *name, uint64_t seed) {
	struct sim_party *party = many_rooms(name, seed, &sim_good_link);
	struct relay_totals totals;

	party->lossless = party->loops = true;
	sim_all_in(party, 10 * BASE_SECOND);
	sim_exact_round(party);
	totals = sim_totals(party);
	assert_int_equal(totals.joined, party->member_count);
	assert_int_equal(totals.connections, party->member_count);
	assert_int_equal(totals.rejected[CTRL_REJECT_WRONG_SHARD], 0);
	sim_party_finish(party);
}
SIM_TEST(rooms_on_all, 2)

/* Strays are sent to their shard and are in at once: no backoff, no second thought. */
static void run_strays(const char *name, uint64_t seed) {
	struct sim_party *party = many_rooms(name, seed, &sim_good_link);
	struct relay_totals totals;

	party->lossless = party->loops = true;
	for (size_t i = 0; i < party->member_count; i++)
		party->members[i]->stray = i % 2 == 0;
	sim_all_in(party, 3 * BASE_SECOND); /* path MTU discovery twice is most of it */
	sim_exact_round(party);
	totals = sim_totals(party);
	assert_int_equal(totals.rejected[CTRL_REJECT_WRONG_SHARD], (party->member_count + 1) / 2);
	assert_int_equal(totals.joined, party->member_count);
	for (size_t i = 0; i < party->member_count; i++)
		assert_int_equal(party->members[i]->losses, 0);
	sim_party_finish(party);
}
SIM_TEST(strays, 3)

/* The same over lines that lose and reorder, with peers that come and go. */
static void run_strays_in_bad_weather(const char *name, uint64_t seed) {
	const struct sim_link bad = {.delay_ns = 20 * BASE_MS,
	                             .jitter_ns = 10 * BASE_MS,
	                             .loss_permille = 50,
	                             .duplicate_permille = 10,
	                             .mtu = 1500};
	struct sim_party *party = many_rooms(name, seed, &bad);

	sim_relay_start(party);
	for (unsigned i = 0; i < 60; i++) {
		struct sim_member *member = party->members[base_rng_below(&party->net.rng, party->member_count)];

		member->stray = true;
		member->stray_cid_len = 0;
		sim_member_start(member);
		sim_net_run(&party->net, base_rng_below(&party->net.rng, BASE_SECOND));
		sim_send_random(party);
	}
	for (size_t i = 0; i < party->member_count; i++)
		sim_member_set_link(party->members[i], &sim_good_link);
	sim_start_all(party);
	sim_settle(party, 60 * BASE_SECOND);
	sim_check_books(party);
	sim_party_finish(party);
}
SIM_TEST(strays_in_bad_weather, 2)

/* Everybody at the same moment: as many rooms as there may be are opened, on whichever shards; the others hear why. */
static void run_room_limit(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	size_t in = 0, refused = 0;

	party->limits.rooms_max = 5;
	sim_relay_start(party);
	for (unsigned room = 1; room <= 20; room++)
		sim_client(party, room)->no_retry = true;
	sim_start_all(party);
	sim_net_run(&party->net, 5 * BASE_SECOND);
	for (size_t i = 0; i < party->member_count; i++) {
		const struct sim_member *member = party->members[i];

		in += member->seat != NULL;
		refused +=
		    member->ended && member->status == CLIENT_EXIT_REJECTED && strstr(member->why, "too_many_rooms") != NULL;
	}
	assert_int_equal(in, 5);
	assert_int_equal(refused, 15);
	assert_int_equal(sim_totals(party).rooms_opened, 5);
	assert_int_equal(party->shared->rooms_used, 5);
	sim_party_finish(party);
}
SIM_TEST(room_limit, 3)

static void run_connection_limit(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	size_t in = 0;

	party->limits.peers_max = 7;
	sim_relay_start(party);
	for (unsigned room = 1; room <= 20; room++)
		sim_client(party, room)->no_retry = true;
	sim_start_all(party);
	sim_net_run(&party->net, 2 * BASE_SECOND);
	for (size_t i = 0; i < party->member_count; i++)
		in += party->members[i]->seat != NULL;
	assert_int_equal(in, 7);
	sim_party_finish(party);
}
SIM_TEST(connection_limit, 2)

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rooms_on_all), cmocka_unit_test(strays),           cmocka_unit_test(strays_in_bad_weather),
    cmocka_unit_test(room_limit),   cmocka_unit_test(connection_limit),
};
SIM_MAIN(tests)
