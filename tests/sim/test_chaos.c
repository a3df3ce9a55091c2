/* Everything at once, in an order that the seed decides: peers come, go and crash, NATs forget, cables are pulled,
 * lines turn bad, the relay dies, and good and bad frames fly all the while. The rules are checked at every event. At
 * the end the network is mended, and what is left must be a party in order. */
#include "scenario.h"

#define STEPS 10000
#define MEMBERS_PER_ROOM 7
/* What its hostile members would send, the relay could not know from other frames; the receivers stop it. */
#define SEALED_ROOM 2

static const struct sim_link weather[] = {
    {.delay_ns = 5 * BASE_MS, .mtu = 1500},
    {.delay_ns = 20 * BASE_MS, .jitter_ns = 10 * BASE_MS, .loss_permille = 20, .mtu = 1492},
    {.delay_ns = 40 * BASE_MS, .jitter_ns = 60 * BASE_MS, .loss_permille = 100, .duplicate_permille = 100, .mtu = 1500},
    {.delay_ns = 15 * BASE_MS, .mtu = 1450, .bytes_per_second = 250000, .backlog_ns = 100 * BASE_MS},
};
#define WEATHERS (sizeof(weather) / sizeof(weather[0]))

static void toggle(struct sim_member *member, bool politely) {
	if (!sim_is_running(member))
		sim_member_start(member);
	else if (politely)
		sim_member_leave(member);
	else
		sim_member_crash(member);
}

static void something_happens(struct sim_party *party) {
	struct sim_member *member = party->members[base_rng_below(&party->net.rng, party->member_count)];
	uint64_t dice = base_rng_below(&party->net.rng, 1000);

	if (dice < 300) {
		toggle(member, dice < 180);
	} else if (dice < 500 && sim_is_running(member)) {
		sim_member_start(member); /* crashed and at once back */
	} else if (dice < 700) {
		sim_member_rebind(member);
	} else if (dice < 850) {
		sim_member_set_link(member, &weather[base_rng_below(&party->net.rng, WEATHERS)]);
	} else if (dice < 960) {
		member->node.up.cut = member->node.down.cut = !member->node.up.cut;
	} else if (party->up) {
		sim_relay_stop(party);
	}
	if (!party->up && sim_chance(&party->net, 500))
		sim_relay_start(party);
}

static bool is_spare(const struct sim_member *member) {
	return member->role == CTRL_ROLE_GATEWAY && member->index % MEMBERS_PER_ROOM == 1;
}

static void mend(struct sim_party *party) {
	if (!party->up)
		sim_relay_start(party);
	for (size_t i = 0; i < party->member_count; i++) {
		struct sim_member *member = party->members[i];

		sim_member_set_link(member, &sim_good_link);
		if (is_spare(member)) /* there is only one seat for a gateway */
			sim_member_crash(member);
		else if (!sim_is_running(member))
			sim_member_start(member);
	}
	sim_net_run(&party->net, 10 * BASE_SECOND); /* congestion control and path MTUs recover */
	sim_settle(party, 60 * BASE_SECOND);
}

static void run_chaos(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &weather[1]);
	size_t joins = 0;

	for (unsigned room = 1; room <= 3; room++) {
		struct sim_member *gateway = sim_gateway(party, room);

		gateway->stations_answer = true;
		gateway->hostile = room == 3;
		sim_gateway(party, room); /* the spare one waits for the first one to go */
		for (unsigned i = 0; i < MEMBERS_PER_ROOM - 2; i++)
			sim_client(party, room)->hostile = i == 0 && room != SEALED_ROOM;
	}
	for (size_t i = 0; i < party->member_count; i++) {
		if (party->members[i]->room == SEALED_ROOM)
			sim_member_set_room_key(party->members[i], "correct horse");
	}
	sim_relay_start(party);
	for (unsigned step = 0; step < STEPS; step++) {
		if (step % 10 == 0)
			something_happens(party);
		for (uint64_t burst = base_rng_below(&party->net.rng, 8); burst > 0; burst--)
			sim_send_random(party);
		sim_net_run(&party->net, base_rng_below(&party->net.rng, 200 * BASE_MS));
		if (step % 100 == 0)
			sim_check_books(party);
	}
	mend(party);
	sim_exact_round(party);
	for (size_t i = 0; i < party->member_count; i++)
		joins += party->members[i]->joins;
	sim_check(&party->net, joins > 100, "only %zu joins", joins);
	print_message("%zu frames, %zu joins, %llu datagrams\n", party->sent_count, joins,
	              (unsigned long long)party->net.sent);
	sim_party_finish(party);
}
SIM_TEST(chaos, 5)

static const struct CMUnitTest tests[] = {cmocka_unit_test(chaos)};
SIM_MAIN(tests)
