/* Bad networks and things that die: the party goes on, and nobody is told or handed anything wrong meanwhile. */
#include "scenario.h"

#define IDLE_TIMEOUT_NS (20 * BASE_SECOND) /* the default of quic/quic.h */

static void set_all_links(struct sim_party *party, const struct sim_link *link) {
	for (size_t i = 0; i < party->member_count; i++)
		sim_member_set_link(party->members[i], link);
}

/* A gateway whose LAN answers, and `clients` clients in room 1. */
static struct sim_party *make_room(const char *name, uint64_t seed, const struct sim_link *link, unsigned clients) {
	struct sim_party *party = sim_party_new(name, seed, link);

	sim_gateway(party, 1)->stations_answer = true;
	for (unsigned i = 0; i < clients; i++)
		sim_client(party, 1);
	return party;
}

static struct sim_party *one_room(const char *name, uint64_t seed, const struct sim_link *link, unsigned clients) {
	struct sim_party *party = make_room(name, seed, link, clients);

	sim_all_in(party, 60 * BASE_SECOND);
	return party;
}

static void chatter(struct sim_party *party, uint64_t ns, uint64_t pause_ns) {
	uint64_t end = party->net.now + ns;

	while (party->net.now < end) {
		sim_send_random(party);
		sim_net_run(&party->net, base_rng_below(&party->net.rng, 2 * pause_ns));
	}
}

/* --- loss, reordering, duplication --- */

static size_t arrived(const struct sim_party *party, size_t first, size_t *ret_of) {
	size_t got = 0;

	*ret_of = 0;
	for (size_t i = first; i < party->sent_count; i++) {
		const struct sim_sent *sent = &party->sent[i];

		if (!sent->may_pass || sent->member->seat == NULL || !proto_mac_is_group(sent->dst))
			continue;
		*ret_of += sim_seats_open(party, sent->member->room) - 1;
		got += (size_t)__builtin_popcountll(sent->device);
	}
	return got;
}

static void run_lossy(const char *name, uint64_t seed) {
	const unsigned loss = 50 + 50 * (unsigned)(seed % 4); /* 5 to 20 % one way in each direction */
	const struct sim_link link = {.delay_ns = 15 * BASE_MS,
	                              .jitter_ns = 30 * BASE_MS,
	                              .loss_permille = loss,
	                              .duplicate_permille = loss,
	                              .mtu = 1500};
	struct sim_party *party = one_room(name, seed, &link, 6);
	size_t first, got, of;

	first = party->sent_count;
	chatter(party, 20 * BASE_SECOND, 10 * BASE_MS);
	sim_settle(party, 60 * BASE_SECOND);
	got = arrived(party, first, &of);
	/* Both links of a way lose; the rest arrives, but for what waited too long. */
	sim_check(&party->net, got > of * 4 / 10 && got < of, "%zu of %zu broadcasts arrived", got, of);
	sim_check(&party->net, party->net.lost > 0 && party->net.duplicated > 0, "the network did nothing");
	set_all_links(party, &sim_good_link);
	sim_net_run(&party->net, 10 * BASE_SECOND);
	sim_settle(party, 30 * BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(lossy, 4)

/* One slow line: its queue fills, what does not fit is dropped by name; control messages get through. */
static void run_slow_line(const char *name, uint64_t seed) {
	struct sim_party *party = make_room(name, seed, &sim_good_link, 3);
	struct sim_member *slow = party->members[1], *fast = party->members[2];
	const struct sim_link line = {
	    .delay_ns = 20 * BASE_MS, .mtu = 1500, .bytes_per_second = 60000, .backlog_ns = 200 * BASE_MS};
	struct obs_counters tx;

	party->limits.egress.bytes_max = 8 * 1024;
	sim_all_in(party, 60 * BASE_SECOND);
	sim_member_set_link(slow, &line);
	for (unsigned i = 0; i < 1500; i++) {
		sim_send(fast, SIM_PLAIN, i % 3 == 0 ? sim_broadcast : slow->mac, 1200);
		sim_net_run(&party->net, i < 1000 ? 4 * BASE_MS : 12 * BASE_MS);
	}
	sim_member_start(sim_client(party, 1));
	sim_settle(party, 20 * BASE_SECOND);
	sim_check(&party->net, slow->losses == 0, "the slow one is gone");
	sim_check_books(party);
	sim_member_leave(slow); /* the relay's totals are of those who left */
	sim_settle(party, 5 * BASE_SECOND);
	tx = sim_totals(party).tx;
	sim_check(&party->net, tx.drop[OBS_DROP_QUEUE_FULL] > 0 && tx.value[OBS_TUNNEL_TX_DATAGRAMS] > 0,
	          "the line was not slow enough");
	sim_member_set_link(slow, &sim_good_link);
	sim_start_all(party);
	sim_settle(party, 10 * BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(slow_line, 2)

/* --- the relay dies --- */

static void run_relay_restart(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 5);
	uint64_t back;

	for (unsigned i = 0; i < 3; i++)
		sim_client(party, 2);
	sim_start_all(party);
	sim_settle(party, 10 * BASE_SECOND);
	chatter(party, BASE_SECOND, 5 * BASE_MS);
	sim_relay_stop(party);
	chatter(party, BASE_SECOND, 5 * BASE_MS);
	sim_relay_start(party);
	back = party->net.now;
	chatter(party, 2 * BASE_SECOND, 5 * BASE_MS);
	sim_settle(party, 30 * BASE_SECOND);
	/* The new relay has the old key: its stateless resets tell the peers long before their idle timeout would. */
	sim_check(&party->net, party->net.now - back < IDLE_TIMEOUT_NS / 2, "it took %llu ms",
	          (unsigned long long)((party->net.now - back) / BASE_MS));
	for (size_t i = 0; i < party->member_count; i++)
		assert_int_equal(party->members[i]->losses, 1);
	party->lossless = true;
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(relay_restart, 3)

/* Nobody listens for longer than the idle timeout. */
static void run_relay_away(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 3);

	sim_relay_stop(party);
	sim_net_run(&party->net, 90 * BASE_SECOND);
	for (size_t i = 0; i < party->member_count; i++)
		assert_int_equal(party->members[i]->losses, 1);
	sim_relay_start(party);
	sim_settle(party, 40 * BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(relay_away, 2)

static void run_relay_shutdown(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 3);

	sim_relay_shutdown(party);
	sim_net_run(&party->net, BASE_SECOND);
	assert_true(sim_relay_is_drained(party));
	for (size_t i = 0; i < party->member_count; i++)
		assert_int_equal(party->members[i]->losses, 1);
	sim_relay_stop(party);
	sim_relay_start(party);
	sim_settle(party, 30 * BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(relay_shutdown, 2)

/* --- peers die --- */

static void run_gateway_crash(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 4);
	struct sim_member *gateway = party->members[0];
	const struct sim_seat *old = gateway->newest;

	sim_member_crash(gateway);
	chatter(party, 3 * BASE_SECOND, 10 * BASE_MS);
	assert_true(old->left_at == BASE_NEVER); /* nobody knows yet */
	sim_member_start(gateway);
	sim_settle(party, 3 * BASE_SECOND);
	assert_ptr_not_equal(gateway->newest, old);
	assert_int_equal(old->reason, CTRL_LEAVE_REPLACED);
	for (size_t i = 1; i < party->member_count; i++) {
		assert_int_equal(party->members[i]->losses, 0);
		assert_int_equal(party->members[i]->view.told[old->id], SIM_GONE);
	}
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(gateway_crash, 3)

static void run_vanish(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 4);
	struct sim_member *gone = party->members[2];
	const struct sim_seat *seat = gone->newest;
	uint64_t at = party->net.now;

	sim_member_crash(gone);
	chatter(party, IDLE_TIMEOUT_NS + 10 * BASE_SECOND, 50 * BASE_MS);
	assert_int_equal(seat->reason, CTRL_LEAVE_TIMEOUT);
	assert_true(seat->left_at - at <= IDLE_TIMEOUT_NS + 2 * BASE_SECOND);
	for (size_t i = 0; i < party->member_count; i++) {
		if (party->members[i] != gone)
			assert_int_equal(party->members[i]->view.told[seat->id], SIM_GONE);
	}
	sim_settle(party, BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(vanish, 2)

/* From when the cable is back until frames pass both ways. */
static uint64_t recovery(struct sim_member *one, struct sim_member *other) {
	struct sim_net *net = &one->party->net;
	uint64_t start = net->now;
	struct sim_sent *up, *down;

	do {
		up = sim_send(one, SIM_PLAIN, other->mac, 300);
		down = sim_send(other, SIM_PLAIN, one->mac, 300);
		sim_net_run(net, 100 * BASE_MS);
		sim_check(net, net->now - start < 60 * BASE_SECOND, "frames do not pass any more");
	} while (up->device == 0 || down->device == 0);
	return net->now - start;
}

static void set_cut(struct sim_member *member, bool cut) {
	member->node.up.cut = member->node.down.cut = cut;
}

/* The cable of one client is out for a while: shorter than the timeout, then longer. */
static void run_cut(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 3);
	struct sim_member *client = party->members[1];
	uint64_t took;

	set_cut(client, true);
	chatter(party, 8 * BASE_SECOND, 50 * BASE_MS);
	set_cut(client, false);
	took = recovery(client, party->members[2]);
	sim_check(&party->net, took <= 8 * BASE_SECOND, "it took %llu ms", (unsigned long long)(took / BASE_MS));
	assert_int_equal(client->losses, 0);
	sim_net_run(&party->net, 2 * BASE_SECOND);
	sim_exact_round(party);
	set_cut(client, true);
	chatter(party, 2 * IDLE_TIMEOUT_NS, 50 * BASE_MS);
	assert_int_equal(client->losses, 1);
	set_cut(client, false);
	sim_settle(party, 40 * BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(cut, 2)

/* --- a NAT forgets --- */

static void run_rebinding(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 3);
	struct sim_member *client = party->members[1], *other = party->members[2];
	const struct sim_seat *seat = client->seat;
	size_t reached = 0, sent_after = 0;

	for (unsigned i = 0; i < 400; i++) {
		struct sim_sent *sent;

		if (i % 100 == 50)
			sim_member_rebind(client);
		sent = sim_send(client, SIM_PLAIN, other->mac, 300);
		sim_send(other, SIM_PLAIN, client->mac, 300);
		sim_net_run(&party->net, 20 * BASE_MS);
		sent_after += i >= 50;
		sim_net_run(&party->net, 20 * BASE_MS);
		reached += i >= 50 && sent->device != 0;
	}
	sim_check(&party->net, reached > sent_after * 9 / 10, "%zu of %zu frames arrived", reached, sent_after);
	sim_settle(party, 10 * BASE_SECOND);
	assert_ptr_equal(client->seat, seat);
	assert_int_equal(client->losses, 0);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(rebinding, 3)

/* --- a narrower path --- */

/* A path that becomes too narrow for the room: the client leaves it rather than that its large frames vanish, says why,
 * and is back when the path is wide again, or when the room has been empty and can have its width. */
static void run_narrower(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 1);
	struct sim_member *gateway = party->members[0], *client = party->members[1];
	struct sim_link narrow = sim_good_link;

	narrow.mtu = 1300;
	for (int round = 0; round < 2; round++) {
		sim_member_set_link(client, &narrow);
		for (unsigned i = 0; i < 100; i++) {
			if (client->seat != NULL)
				sim_send(client, SIM_PLAIN, gateway->station[0], 1300);
			sim_net_run(&party->net, 100 * BASE_MS);
		}
		sim_check(&party->net, client->losses == 1 + (size_t)round, "%zu losses", client->losses);
		assert_null(client->seat);
		assert_false(client->ended);
		assert_true(sim_totals(party).rejected[CTRL_REJECT_MTU] > 0);
		if (round == 1)
			sim_member_leave(gateway);
		else
			sim_member_set_link(client, &sim_good_link);
		sim_settle(party, 150 * BASE_SECOND);
		assert_non_null(client->seat);
	}
	assert_int_equal(client->seat->mtu, 1178);
	sim_member_start(gateway);
	sim_settle(party, 10 * BASE_SECOND);
	party->lossless = true;
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(narrower, 1)

/* The same of the gateway's path, where the room becomes narrower with it: all are back, and large frames arrive. */
static void run_narrower_gateway(const char *name, uint64_t seed) {
	struct sim_party *party = one_room(name, seed, &sim_good_link, 3);
	struct sim_member *gateway = party->members[0];
	struct sim_link narrow = sim_good_link;

	narrow.mtu = 1300;
	sim_member_set_link(gateway, &narrow);
	for (unsigned i = 0; i < 100; i++) {
		if (gateway->seat != NULL && gateway->losses == 0)
			sim_lan_send(gateway, gateway->station[0], 0, SIM_PLAIN, party->members[1]->mac, 1300);
		sim_net_run(&party->net, 100 * BASE_MS);
	}
	assert_true(sim_totals(party).rejected[CTRL_REJECT_MTU] > 0);
	sim_settle(party, 40 * BASE_SECOND);
	for (unsigned i = 0; i < 4; i++) {
		assert_non_null(party->members[i]->seat);
		assert_int_equal(party->members[i]->seat->mtu, 1146);
		assert_int_equal(party->members[i]->losses, 1);
	}
	assert_int_equal(sim_totals(party).rejected[CTRL_REJECT_DUPLICATE_MAC], 0);
	party->lossless = true;
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(narrower_gateway, 1)

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lossy),
    cmocka_unit_test(slow_line),
    cmocka_unit_test(relay_restart),
    cmocka_unit_test(relay_away),
    cmocka_unit_test(relay_shutdown),
    cmocka_unit_test(gateway_crash),
    cmocka_unit_test(vanish),
    cmocka_unit_test(cut),
    cmocka_unit_test(rebinding),
    cmocka_unit_test(narrower),
    cmocka_unit_test(narrower_gateway),
};
SIM_MAIN(tests)
