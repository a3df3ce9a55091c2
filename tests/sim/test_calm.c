/* A network that loses nothing: everything that may arrive has to, exactly once, and nothing else. */
#include "scenario.h"

/* --- joining and leaving --- */

static void run_quiet(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	struct sim_member *gateway = sim_gateway(party, 1);
	struct sim_member *clients[4];

	party->lossless = true;
	gateway->stations_answer = true;
	sim_relay_start(party);
	for (size_t i = 0; i < 4; i++)
		clients[i] = sim_client(party, 1);
	for (size_t i = 0; i < 2; i++) { /* before the gateway and after it */
		sim_member_start(clients[i]);
		sim_settle(party, 5 * BASE_SECOND);
	}
	sim_exact_round(party);
	sim_start_all(party);
	sim_settle(party, 5 * BASE_SECOND);
	sim_exact_round(party);
	sim_member_leave(clients[1]);
	sim_settle(party, 2 * BASE_SECOND);
	assert_int_equal(clients[1]->status, CLIENT_EXIT_OK);
	assert_int_equal(clients[1]->newest->reason, CTRL_LEAVE_QUIT);
	sim_exact_round(party);
	sim_member_leave(gateway);
	sim_settle(party, 2 * BASE_SECOND);
	sim_exact_round(party);
	sim_start_all(party);
	sim_settle(party, 5 * BASE_SECOND);
	sim_exact_round(party);
	for (size_t i = 0; i < party->member_count; i++)
		assert_int_equal(party->members[i]->losses, 0);
	sim_party_finish(party);
}
SIM_TEST(quiet, 3)

/* --- rooms --- */

static void make_gateway(struct sim_party *party, unsigned room, bool hostile) {
	struct sim_member *gateway = sim_gateway(party, room);

	gateway->stations_answer = true;
	gateway->hostile = hostile;
}

/* Two with a gateway, one without. */
static struct sim_party *three_rooms(const char *name, uint64_t seed, bool hostile) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);

	for (unsigned room = 1; room <= 3; room++) {
		if (room < 3)
			make_gateway(party, room, hostile && room == 2);
		for (unsigned i = 0; i < 5; i++)
			sim_client(party, room)->hostile = hostile && i == 0;
	}
	sim_all_in(party, 10 * BASE_SECOND);
	return party;
}

static void run_rooms(const char *name, uint64_t seed) {
	struct sim_party *party = three_rooms(name, seed, false);

	party->lossless = party->loops = true;
	assert_int_equal(sim_seats_open(party, 1), 6);
	assert_int_equal(sim_seats_open(party, 3), 5);
	sim_exact_round(party);
	for (unsigned i = 0; i < 2000; i++) {
		sim_send_random(party);
		sim_net_run(&party->net, base_rng_below(&party->net.rng, 4 * BASE_MS));
	}
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(rooms, 3)

/* With a key everything arrives as without. */
static void run_sealed(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	struct sim_member *members[6];

	party->lossless = true;
	members[0] = sim_gateway(party, 1);
	members[0]->stations_answer = true;
	for (size_t i = 1; i < 6; i++)
		members[i] = sim_client(party, 1);
	for (size_t i = 0; i < 6; i++)
		sim_member_set_room_key(members[i], "correct horse");
	sim_all_in(party, 10 * BASE_SECOND);
	for (unsigned i = 0; i < 2000; i++) {
		sim_send_random(party);
		sim_net_run(&party->net, base_rng_below(&party->net.rng, 4 * BASE_MS));
	}
	sim_exact_round(party);
	sim_member_crash(members[1]); /* comes back with new keys */
	sim_member_start(members[1]);
	sim_member_leave(members[2]);
	sim_net_run(&party->net, BASE_SECOND);
	sim_member_start(members[2]);
	sim_settle(party, 10 * BASE_SECOND);
	sim_exact_round(party);
	for (size_t i = 0; i < 6; i++) {
		const struct obs_counters *counters = client_session_counters(members[i]->session);

		assert_int_equal(counters->drop[OBS_DROP_NOT_OPENED] + counters->drop[OBS_DROP_REPLAY], 0);
		assert_true(counters->value[OBS_TUNNEL_RX_DATAGRAMS] > 0);
	}
	sim_party_finish(party);
}
SIM_TEST(sealed, 3)

/* --- hostile clients --- */

static void send_everything_bad(struct sim_member *client) {
	struct sim_party *party = client->party;
	struct proto_mac victim = party->members[client->index + 1]->mac;

	for (unsigned kind = SIM_KINDS_HARMLESS; kind < SIM_KIND_COUNT; kind++) {
		sim_send(client, (enum sim_kind)kind, sim_broadcast, 400);
		sim_send(client, (enum sim_kind)kind, victim, 400);
		sim_send(client, (enum sim_kind)kind, client->station[0], 400);
	}
	/* forged sources: a member of the room, a LAN station, the broadcast address */
	sim_send_as(client, victim, client->ip, SIM_PLAIN, sim_broadcast, 400);
	sim_send_as(client, client->station[0], client->ip, SIM_ARP, sim_broadcast, 400);
	sim_send_as(client, sim_broadcast, client->ip, SIM_PLAIN, sim_broadcast, 400);
	sim_send(client, SIM_PLAIN, client->mac, 400);
	/* under somebody else's id, nobody's id; few enough not to be thrown out */
	sim_send_datagram(client, client->seat->id + 1, sim_broadcast, 400);
	sim_send_datagram(client, 4000000000, victim, 400);
	/* longer than the room's MTU, within the client's own budget */
	sim_send_datagram(client, client->seat->id, victim, proto_frame_bytes_max(client->seat->mtu) + 1);
}

/* What a LAN may never send into a tunnel. */
static void send_lan_rubbish(struct sim_member *gateway) {
	struct sim_member *client = gateway->party->members[gateway->index + 1];

	for (unsigned kind = SIM_STP; kind < SIM_KIND_COUNT; kind++)
		assert_false(
		    sim_lan_send(gateway, gateway->station[0], gateway->station_ip[0], (enum sim_kind)kind, sim_broadcast, 400)
		        ->may_pass);
	/* back from a loop; for a station of its own; for nobody */
	sim_lan_send(gateway, client->mac, client->ip, SIM_PLAIN, sim_broadcast, 400);
	sim_lan_send(gateway, gateway->station[0], gateway->station_ip[0], SIM_PLAIN, gateway->station[1], 400);
	sim_lan_send(gateway, gateway->station[0], gateway->station_ip[0], SIM_PLAIN, gateway->mac, 400);
}

static void run_hostile(const char *name, uint64_t seed) {
	struct sim_party *party = three_rooms(name, seed, true);
	size_t bad = 0;

	party->lossless = party->loops = true;
	sim_exact_round(party);
	for (size_t i = 0; i < party->member_count; i++) {
		struct sim_member *member = party->members[i];
		size_t first = party->sent_count;

		if (!member->hostile || member->role == CTRL_ROLE_GATEWAY)
			continue;
		send_everything_bad(member);
		for (size_t n = first; n < party->sent_count; n++) {
			assert_false(party->sent[n].may_pass);
			bad++;
		}
	}
	send_lan_rubbish(party->members[0]);
	send_lan_rubbish(party->members[6]); /* hostile: the relay has to stop it */
	assert_true(bad > 3 * 3 * (SIM_KIND_COUNT - SIM_KINDS_HARMLESS));
	sim_exact_round(party);
	for (unsigned i = 0; i < 3000; i++) {
		sim_send_random(party);
		sim_net_run(&party->net, base_rng_below(&party->net.rng, 10 * BASE_MS));
	}
	sim_settle(party, 5 * BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(hostile, 3)

/* Claims of LAN stations' addresses reach other clients, never the LAN. */
static void run_address_theft(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	struct sim_member *gateway = sim_gateway(party, 1), *thief = sim_client(party, 1), *other = sim_client(party, 1);
	struct sim_sent *claim;

	sim_all_in(party, 5 * BASE_SECOND);
	sim_lan_send(gateway, gateway->station[0], gateway->station_ip[0], SIM_ARP, sim_broadcast, SIM_FRAME_BYTES_MIN);
	sim_net_run(&party->net, BASE_SECOND);
	claim = sim_send_as(thief, thief->mac, gateway->station_ip[0], SIM_ARP, sim_broadcast, SIM_FRAME_BYTES_MIN);
	sim_net_run(&party->net, BASE_SECOND);
	assert_true(claim->device == UINT64_C(1) << other->index);
	assert_int_equal(gateway->tunnel_drops[OBS_DROP_ADDRESS_GUARD], 1);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(address_theft, 1)

/* Whoever goes on sending rubbish is thrown out, which the others hear. */
static void run_malformed(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	struct sim_member *bad = sim_client(party, 1), *good = sim_client(party, 1);

	bad->hostile = true;
	sim_all_in(party, 5 * BASE_SECOND);
	for (unsigned i = 0; i < 200; i++)
		sim_send_datagram(bad, bad->seat->id + 7, sim_broadcast, SIM_FRAME_BYTES_MIN);
	sim_net_run(&party->net, 300 * BASE_MS);
	assert_int_equal(bad->losses, 1);
	assert_int_equal(good->view.present, 0);
	assert_int_equal(good->losses, 0);
	assert_int_equal(sim_totals(party).left[CTRL_LEAVE_MALFORMED], 1);
	sim_settle(party, 30 * BASE_SECOND); /* it comes back by itself */
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(malformed, 1)

/* --- paths of different width --- */

struct path_case {
	size_t first, second; /* IP MTU of the room's first peer's path, of a later one */
	uint16_t room_mtu;
	bool admitted;
};

static const struct path_case path_cases[] = {
    {1500, 1500, 1344, true}, {1500, 1434, 1344, true}, {1500, 1280, 1344, false}, {1434, 1280, 1340, false},
    {1280, 1280, 1178, true}, {1280, 1500, 1178, true}, {1434, 1500, 1340, true},  {1280, 1434, 1178, true},
};

static struct sim_link wide(size_t mtu) {
	struct sim_link link = sim_good_link;

	link.mtu = mtu;
	return link;
}

static void run_mtu(const char *name, uint64_t seed) {
	for (size_t i = 0; i < sizeof(path_cases) / sizeof(path_cases[0]); i++) {
		const struct path_case *path = &path_cases[i];
		struct sim_link first = wide(path->first), second = wide(path->second);
		struct sim_party *party = sim_party_new(name, seed, &first);
		struct sim_member *gateway = sim_gateway(party, 1), *early = sim_client(party, 1), *late = sim_client(party, 1);
		char label[64];

		(void)snprintf(label, sizeof(label), "room of %zu, joiner with %zu", path->first, path->second);
		sim_relay_start(party);
		sim_member_start(gateway);
		sim_settle(party, 5 * BASE_SECOND);
		sim_member_start(early);
		sim_settle(party, 5 * BASE_SECOND);
		sim_member_set_link(late, &second);
		late->no_retry = true;
		sim_member_start(late);
		if (path->admitted) {
			sim_settle(party, 5 * BASE_SECOND);
		} else {
			sim_net_run(&party->net, 8 * BASE_SECOND);
			unit_assert_true(late->ended, label);
			unit_assert_int(late->status, CLIENT_EXIT_REJECTED, label);
			unit_assert_true(strstr(late->why, "mtu") != NULL, label);
			unit_assert_true(late->newest == NULL, label);
			unit_assert_int(sim_totals(party).rejected[CTRL_REJECT_MTU], 1, label);
		}
		unit_assert_int(early->seat->mtu, path->room_mtu, label);
		party->lossless = true;
		sim_exact_round(party);
		sim_party_finish(party);
	}
}
SIM_TEST(mtu, 1)

/* --- seats --- */

static void run_two_gateways(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	struct sim_member *first = sim_gateway(party, 1), *second = sim_gateway(party, 1),
	                  *elsewhere = sim_gateway(party, 2);
	struct sim_member *client = sim_client(party, 1);

	sim_relay_start(party);
	sim_member_start(first);
	sim_member_start(elsewhere);
	sim_member_start(client);
	sim_settle(party, 5 * BASE_SECOND);
	second->no_retry = true;
	sim_member_start(second);
	sim_net_run(&party->net, 5 * BASE_SECOND);
	assert_true(second->ended);
	assert_int_equal(second->status, CLIENT_EXIT_REJECTED);
	assert_non_null(strstr(second->why, "gateway_exists"));
	sim_settle(party, BASE_SECOND);
	second->no_retry = false; /* waits for its chance */
	sim_member_start(second);
	sim_net_run(&party->net, 20 * BASE_SECOND);
	assert_true(second->newest == NULL);
	sim_member_leave(first);
	sim_settle(party, 20 * BASE_SECOND);
	assert_int_equal(client->view.gateways, 1);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(two_gateways, 2)

static void run_duplicate_mac(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	struct sim_member *first = sim_client(party, 1), *copy = sim_client(party, 1), *other = sim_client(party, 1);

	copy->mac = first->mac; /* but another key */
	copy->no_retry = true;
	sim_relay_start(party);
	sim_member_start(first);
	sim_member_start(other);
	sim_settle(party, 5 * BASE_SECOND);
	sim_member_start(copy);
	sim_net_run(&party->net, 5 * BASE_SECOND);
	assert_true(copy->ended);
	assert_non_null(strstr(copy->why, "duplicate_mac"));
	assert_int_equal(other->view.present, 1);
	sim_settle(party, BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(duplicate_mac, 1)

/* The MAC of a client that vanished is kept for it, that of one that quit for a moment; other clients never see the
 * copy in between. */
static void run_kept_mac(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	struct sim_member *first = sim_client(party, 1), *copy = sim_client(party, 1), *gateway = sim_gateway(party, 1);
	uint64_t left_at;

	copy->mac = first->mac; /* but another key */
	sim_relay_start(party);
	sim_member_start(gateway);
	sim_member_start(first);
	sim_settle(party, 5 * BASE_SECOND);
	sim_member_crash(first);
	sim_net_run(&party->net, 30 * BASE_SECOND);
	assert_int_equal(sim_totals(party).left[CTRL_LEAVE_TIMEOUT], 1);
	sim_member_start(copy); /* tries again and again */
	sim_net_run(&party->net, 60 * BASE_SECOND);
	assert_true(copy->newest == NULL);
	assert_true(sim_totals(party).rejected[CTRL_REJECT_DUPLICATE_MAC] > 0);
	sim_member_start(first);
	sim_net_run(&party->net, 5 * BASE_SECOND);
	assert_int_equal(first->joins, 2);
	assert_int_equal(gateway->view.present, 1);
	sim_member_leave(first);
	left_at = party->net.now;
	sim_settle(party, RELAY_QUIT_HOLD_NS + 20 * BASE_SECOND);
	assert_int_equal(copy->joins, 1);
	assert_true(copy->newest->joined_at >= left_at + RELAY_QUIT_HOLD_NS);
	sim_party_finish(party);
}
SIM_TEST(kept_mac, 2)

/* Whoever has the MAC of a machine of the LAN stays out until that one has not been heard for long. */
static void run_lan_station(const char *name, uint64_t seed) {
	struct sim_party *party = sim_party_new(name, seed, &sim_good_link);
	struct sim_member *gateway = sim_gateway(party, 1), *client = sim_client(party, 1);

	sim_relay_start(party);
	sim_member_start(gateway);
	sim_settle(party, 5 * BASE_SECOND);
	sim_lan_send(gateway, client->mac, client->ip, SIM_PLAIN, sim_broadcast, 400);
	sim_net_run(&party->net, BASE_SECOND);
	client->no_retry = true;
	sim_member_start(client);
	sim_net_run(&party->net, 5 * BASE_SECOND);
	assert_true(client->ended);
	assert_non_null(strstr(client->why, "duplicate_mac"));
	sim_net_run(&party->net, RELAY_STATION_AGE_NS);
	sim_member_start(client);
	sim_settle(party, 5 * BASE_SECOND);
	sim_exact_round(party);
	sim_party_finish(party);
}
SIM_TEST(lan_station, 1)

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(quiet),       cmocka_unit_test(sealed),        cmocka_unit_test(rooms),
    cmocka_unit_test(hostile),     cmocka_unit_test(address_theft), cmocka_unit_test(malformed),
    cmocka_unit_test(mtu),         cmocka_unit_test(two_gateways),  cmocka_unit_test(duplicate_mac),
    cmocka_unit_test(lan_station), cmocka_unit_test(kept_mac),
};
SIM_MAIN(tests)
