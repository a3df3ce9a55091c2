/* One datagram in: where its copies go, or why it goes nowhere. */
#include "tests/relay/party.h"
#include "tests/unit.h"

#include "base/bytes.h"
#include "proto/ether.h"

#include <string.h>

#define LAN_STATION 0x0a00 /* a MAC behind the gateway */

enum who { G, C1, C2, C3, OTHER_ROOM, WHO_COUNT };

struct scene {
	struct party *party;
	struct conn *conns[WHO_COUNT];
};

static struct scene make_scene(struct party *party) {
	struct scene scene = {.party = party};

	scene.conns[G] = party_gateway(party, "R");
	for (unsigned i = C1; i <= C3; i++)
		scene.conns[i] = party_join(party, "R", i, 0);
	scene.conns[OTHER_ROOM] = party_join(party, "S", 1, 0); /* the same MAC as C1 */
	return scene;
}

#define BCAST 0xffff
#define MCAST 0xfffe

static struct proto_mac mac_of(unsigned n) {
	if (n == BCAST)
		return party_broadcast;
	if (n == MCAST)
		return (struct proto_mac){{0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb}};
	return party_mac(n);
}

/* Everybody gets what `expected` says (a bit a peer), nobody anything else. */
static void assert_got(struct scene *scene, unsigned expected, const char *label) {
	for (unsigned i = 0; i < WHO_COUNT; i++)
		unit_assert_int(party_drain(scene->conns[i]), expected >> i & 1, label);
}

static void test_switching_matrix(void **state) {
	static const struct {
		const char *label;
		enum who from;
		unsigned dst, src;
		unsigned expected; /* bits of who */
		int drop;          /* -1: forwarded */
	} cases[] = {
	    {"client to client", C1, C2, C1, 1 << C2, -1},
	    {"client to a LAN station", C1, LAN_STATION, C1, 1 << G, -1},
	    {"client to nobody known", C1, 0x0b00, C1, 1 << G, -1},
	    {"client to itself", C1, C1, C1, 0, OBS_DROP_REFLECTION},
	    {"client broadcast", C1, BCAST, C1, 1 << G | 1 << C2 | 1 << C3, -1},
	    {"client multicast", C2, MCAST, C2, 1 << G | 1 << C1 | 1 << C3, -1},
	    {"gateway to client", G, C3, LAN_STATION, 1 << C3, -1},
	    {"gateway to nobody known", G, 0x0b00, LAN_STATION, 0, OBS_DROP_UNKNOWN_UNICAST},
	    {"gateway to a LAN station", G, 0x0a01, LAN_STATION, 0, OBS_DROP_UNKNOWN_UNICAST},
	    {"gateway broadcast", G, BCAST, LAN_STATION, 1 << C1 | 1 << C2 | 1 << C3, -1},
	    {"gateway multicast", G, MCAST, LAN_STATION, 1 << C1 | 1 << C2 | 1 << C3, -1},
	    {"client with another's MAC", C1, C3, C2, 0, OBS_DROP_FORGED_SOURCE},
	    {"client with a LAN MAC", C1, C2, LAN_STATION, 0, OBS_DROP_FORGED_SOURCE},
	    {"client broadcast, another's MAC", C1, BCAST, C2, 0, OBS_DROP_FORGED_SOURCE},
	    {"a client's frame comes back", G, BCAST, C1, 0, OBS_DROP_FORGED_SOURCE},
	    {"multicast source", C1, C2, BCAST, 0, OBS_DROP_INVALID_SOURCE},
	    {"multicast source from the LAN", G, C2, MCAST, 0, OBS_DROP_INVALID_SOURCE},
	};
	struct scene scene = make_scene(party_new(NULL));

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conn *from = scene.conns[cases[i].from];
		uint64_t drops = obs_drops_total(&from->peer->rx);
		uint64_t forwarded = from->peer->forwarded;

		party_send(from, mac_of(cases[i].dst), mac_of(cases[i].src), 100);
		assert_got(&scene, cases[i].expected, cases[i].label);
		unit_assert_int(from->peer->forwarded - forwarded, cases[i].drop < 0, cases[i].label);
		unit_assert_int(obs_drops_total(&from->peer->rx) - drops, cases[i].drop >= 0, cases[i].label);
		if (cases[i].drop >= 0)
			unit_assert_true(party_drops(from, (enum obs_drop)cases[i].drop) > 0, cases[i].label);
		party_assert_balance(scene.party, cases[i].label);
	}
	party_free(scene.party);
}

static void test_alone_and_without_gateway(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);

	(void)state;
	party_send(a, party_broadcast, party_mac(1), 60);
	assert_int_equal(party_drops(a, OBS_DROP_NOBODY), 1);
	party_send(a, party_mac(5), party_mac(1), 60);
	assert_int_equal(party_drops(a, OBS_DROP_UNKNOWN_UNICAST), 1);
	party_join(party, "R", 2, 0);
	party_send(a, party_mac(5), party_mac(1), 60);
	assert_int_equal(party_drops(a, OBS_DROP_UNKNOWN_UNICAST), 2);
	party_assert_balance(party, "alone");
	party_free(party);
}

/* The copy is the datagram byte for byte: the source id was checked, so it is in place. */
static void test_copies_are_exact(void **state) {
	struct scene scene = make_scene(party_new(NULL));
	struct slice payload;
	uint8_t buf[512];
	size_t len = party_datagram(buf, sizeof(buf), 2, party_mac(C2), party_mac(C1), 333);

	(void)state;
	for (size_t i = 30; i < len; i++)
		buf[i] = (uint8_t)i;
	relay_core_datagram(scene.conns[C1]->peer, slice_of(buf, len), scene.party->now);
	assert_true(scene.conns[C2]->wakes > 0);
	assert_true(relay_core_next(scene.conns[C2]->peer, &payload, scene.party->now));
	assert_int_equal(payload.len, len);
	assert_memory_equal(payload.data, buf, len);
	relay_core_taken(scene.conns[C2]->peer, true, scene.party->now);
	assert_int_equal(scene.conns[C1]->peer->rx.value[OBS_TUNNEL_RX_BYTES], len);
	assert_int_equal(relay_peer_tx(scene.conns[C2]->peer)->value[OBS_TUNNEL_TX_BYTES], len);
	party_free(scene.party);
}

/* The policy by role: what a stranger may not send, the LAN's router and DHCP server may; switch control nobody. */
static void test_policy(void **state) {
	static const uint8_t dhcp_offer[] = {
	    0x08, 0x00, 0x45, 0,  0x01, 0x10, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255, 255, 255, 255, /* IPv4, UDP */
	    0,    67,   0,    68, 0,    0xfc, 0, 0, 2, 1, 6,  0,                                         /* 67 -> 68 */
	};
	static const uint8_t router_advertisement[] = {
	    0x86, 0xdd, 0x60, 0, 0, 0, 0, 16, 58, 255, 0xfe, 0x80, 0, 0,   0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 1, 0xff, 2, 0,
	    0,    0,    0,    0, 0, 0, 0, 0,  0,  0,   0,    0,    1, 134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0,    0, 0};
	static const uint8_t lldp[] = {0x88, 0xcc, 2, 7, 4};
	static const uint8_t vlan[] = {0x81, 0x00, 0, 5, 0x08, 0x00, 0x45};
	static const struct {
		const char *label;
		const uint8_t *bytes;
		size_t len, frame_len;
		int from_client, from_gateway; /* drop or -1 */
	} cases[] = {
	    {"DHCP offer", dhcp_offer, sizeof(dhcp_offer), 286, OBS_DROP_DHCP4_SERVER, -1},
	    {"router advertisement", router_advertisement, sizeof(router_advertisement), 70, OBS_DROP_ROUTER_ADVERTISEMENT,
	     -1},
	    {"LLDP", lldp, sizeof(lldp), 60, OBS_DROP_SWITCH_CONTROL, OBS_DROP_SWITCH_CONTROL},
	    {"VLAN from a client", vlan, sizeof(vlan), 60, OBS_DROP_VLAN, -2},
	};

	(void)state;
	for (int open = 0; open < 2; open++) {
		struct party *party = open ? party_new_open() : party_new(NULL);
		struct scene scene = make_scene(party);

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			for (int role = G; role <= C1; role++) {
				struct conn *from = scene.conns[role];
				int drop = open ? -1 : role == G ? cases[i].from_gateway : cases[i].from_client;
				uint64_t forwarded = from->peer->forwarded;
				uint8_t buf[512];
				size_t len = party_datagram(buf, sizeof(buf), from->peer->id, party_broadcast,
				                            party_mac(role == G ? LAN_STATION : 1), cases[i].frame_len);

				if (drop == -2)
					continue;
				memcpy(buf + 8 + 12, cases[i].bytes, cases[i].len);
				relay_core_datagram(from->peer, slice_of(buf, len), party->now);
				unit_assert_int(from->peer->forwarded - forwarded, drop < 0, cases[i].label);
				if (drop >= 0)
					unit_assert_true(party_drops(from, (enum obs_drop)drop) > 0, cases[i].label);
			}
		}
		for (unsigned i = 0; i < WHO_COUNT; i++)
			party_drain(scene.conns[i]);
		party_assert_balance(party, "policy");
		party_free(party);
	}
}

/* Without the policy a client is still bound to its MAC, its MTU and its room. */
static void test_no_policy_is_no_licence(void **state) {
	struct scene scene = make_scene(party_new_open());

	(void)state;
	party_send(scene.conns[C1], party_mac(C2), party_mac(C3), 60);
	party_send(scene.conns[C1], party_mac(C2), party_mac(C1), 1344 + 14 + 5);
	assert_int_equal(party_drops(scene.conns[C1], OBS_DROP_FORGED_SOURCE), 1);
	assert_int_equal(party_drops(scene.conns[C1], OBS_DROP_TAP_MTU), 1);
	assert_got(&scene, 0, "open");
	party_free(scene.party);
}

static void test_sizes(void **state) {
	static const struct {
		const char *label;
		enum who from;
		size_t budget, len;
		uint16_t type;
		int drop; /* -1: forwarded */
	} cases[] = {
	    {"smallest", C1, 1440, 14, 0x8137, -1},
	    {"full", C1, 1440, 1358, 0x8137, -1},
	    {"one over", C1, 1440, 1359, 0x8137, OBS_DROP_TAP_MTU},
	    {"full from the LAN", G, 1440, 1358, 0x8137, -1},
	    {"one over from the LAN", G, 1440, 1359, 0x8137, OBS_DROP_TAP_MTU},
	    {"full with a tag", G, 1440, 1362, PROTO_ETHERTYPE_VLAN, -1},
	    {"one over with a tag", G, 1440, 1363, PROTO_ETHERTYPE_VLAN, OBS_DROP_TAP_MTU},
	    {"just the budget", C1, 1366, 1358, 0x8137, -1},
	    {"over the budget it announced", C1, 1366, 1359, 0x8137, OBS_DROP_DATAGRAM_BUDGET},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene scene = make_scene(party_new(NULL));
		struct conn *from = scene.conns[cases[i].from];
		uint8_t buf[2048];
		size_t len = party_datagram(buf, sizeof(buf), from->peer->id, party_mac(C2),
		                            party_mac(cases[i].from == G ? LAN_STATION : C1), cases[i].len);

		base_put_u16(buf + 20, cases[i].type);
		base_put_u32(buf + 22, 0x8137); /* behind a tag of VLAN 0 */
		from->peer->hello.budget = (uint16_t)cases[i].budget;
		relay_core_datagram(from->peer, slice_of(buf, len), scene.party->now);
		unit_assert_int(from->peer->forwarded, cases[i].drop < 0, cases[i].label);
		if (cases[i].drop >= 0)
			unit_assert_int(party_drops(from, (enum obs_drop)cases[i].drop), 1, cases[i].label);
		assert_got(&scene, cases[i].drop < 0 ? 1 << C2 : 0, cases[i].label);
		party_free(scene.party);
	}
}

/* A room with a key: gateway, C1 and C2. */
static struct scene make_sealed_scene(void) {
	struct scene scene = {.party = party_new(NULL)};

	for (unsigned i = G; i <= C2; i++) {
		struct ctrl_message hello = party_keyed_hello("R", i == G ? CTRL_ROLE_GATEWAY : CTRL_ROLE_CLIENT, i, 1);

		scene.conns[i] = party_connect(scene.party);
		party_say(scene.conns[i], &hello);
	}
	scene.conns[C3] = party_join(scene.party, "S", 1, 0);
	scene.conns[OTHER_ROOM] = party_join(scene.party, "S", 2, 0);
	return scene;
}

/* What the relay can know of a frame that it cannot read: addresses, type and length. */
static void test_sealed(void **state) {
	static const struct {
		const char *label;
		enum who from;
		unsigned dst, src;
		uint16_t type;
		size_t len;
		unsigned expected;
		int drop;
	} cases[] = {
	    {"client to client", C1, C2, C1, 0x0800, 60, 1 << C2, -1},
	    {"client to the LAN", C1, LAN_STATION, C1, 0x0800, 60, 1 << G, -1},
	    {"broadcast", C1, BCAST, C1, 0x0806, 60, 1 << G | 1 << C2, -1},
	    {"from the LAN", G, C2, LAN_STATION, 0x86dd, 60, 1 << C2, -1},
	    {"802.3", C1, C2, C1, 46, 60, 1 << C2, -1},
	    {"no payload", C1, C2, C1, 0x0842, 14, 1 << C2, -1},
	    {"full", C1, C2, C1, 0x0800, 1334, 1 << C2, -1},
	    {"one over", C1, C2, C1, 0x0800, 1335, 0, OBS_DROP_TAP_MTU},
	    {"another's address", C1, C2, C3, 0x0800, 60, 0, OBS_DROP_FORGED_SOURCE},
	    {"a client's address on the LAN", G, C2, C1, 0x0800, 60, 0, OBS_DROP_FORGED_SOURCE},
	    {"group source", C1, C2, MCAST, 0x0800, 60, 0, OBS_DROP_INVALID_SOURCE},
	    {"LLDP", C1, C2, C1, 0x88cc, 60, 0, OBS_DROP_SWITCH_CONTROL},
	    {"LLDP from the LAN", G, C2, LAN_STATION, 0x88cc, 60, 0, OBS_DROP_SWITCH_CONTROL},
	    {"VLAN", C1, C2, C1, 0x8100, 60, 0, OBS_DROP_VLAN},
	    {"VLAN from the LAN", G, C2, LAN_STATION, 0x88a8, 60, 0, OBS_DROP_VLAN},
	    {"length over the frame", C1, C2, C1, 47, 60, 0, OBS_DROP_MALFORMED},
	    {"neither type nor length", C1, C2, C1, 1501, 60, 0, OBS_DROP_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene scene = make_sealed_scene();
		struct conn *from = scene.conns[cases[i].from];
		uint8_t buf[2048];
		size_t len =
		    party_sealed(buf, sizeof(buf), from->peer->id, mac_of(cases[i].dst), mac_of(cases[i].src), cases[i].len);

		base_put_u16(buf + 20, cases[i].type);
		relay_core_datagram(from->peer, slice_of(buf, len), scene.party->now);
		unit_assert_int(from->peer->forwarded, cases[i].drop < 0, cases[i].label);
		if (cases[i].drop >= 0)
			unit_assert_int(party_drops(from, (enum obs_drop)cases[i].drop), 1, cases[i].label);
		assert_got(&scene, cases[i].expected, cases[i].label);
		party_assert_balance(scene.party, cases[i].label);
		party_free(scene.party);
	}
}

/* Each room has one kind of datagrams, and the other kind counts as malformed there. */
static void test_sealed_or_not(void **state) {
	struct scene scene = make_sealed_scene();
	struct conn *keyed = scene.conns[C1], *open = scene.conns[OTHER_ROOM];
	uint8_t buf[512];
	size_t len = party_datagram(buf, sizeof(buf), keyed->peer->id, party_broadcast, party_mac(1), 60);

	(void)state;
	relay_core_datagram(keyed->peer, slice_of(buf, len), scene.party->now);
	assert_int_equal(party_drops(keyed, OBS_DROP_BAD_DATAGRAM), 1);
	len = party_sealed(buf, sizeof(buf), open->peer->id, party_broadcast, party_mac(2), 60);
	relay_core_datagram(open->peer, slice_of(buf, len), scene.party->now);
	assert_int_equal(party_drops(open, OBS_DROP_BAD_DATAGRAM), 1);
	len = party_sealed(buf, sizeof(buf), scene.conns[C2]->peer->id, party_broadcast, party_mac(1), 60);
	relay_core_datagram(keyed->peer, slice_of(buf, len), scene.party->now); /* under another's id */
	assert_int_equal(party_drops(keyed, OBS_DROP_BAD_DATAGRAM), 2);
	assert_got(&scene, 0, "nothing");
	party_free(scene.party);
}

static void test_not_joined(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 0);
	uint8_t buf[256];
	size_t len = party_datagram(buf, sizeof(buf), 1, party_broadcast, party_mac(1), 60);

	(void)state;
	relay_core_datagram(conn->peer, slice_of(buf, len), party->now);
	conn->settled = false;
	conn->budget = 1168;
	party_say(conn, &hello);
	relay_core_datagram(conn->peer, slice_of(buf, len), party->now);
	assert_int_equal(party_drops(conn, OBS_DROP_NOT_JOINED), 2);
	conn->settled = true;
	party_run(party, 2 * RELAY_POLL_NS);
	relay_core_datagram(conn->peer, slice_of(buf, len), party->now);
	assert_int_equal(party_drops(conn, OBS_DROP_NOT_JOINED), 2);
	party_free(party);
}

/* RLY-10: each way of being malformed; the 65th within a moment is too many, a slow trickle never is. */
static void test_malformed(void **state) {
	struct scene scene = make_scene(party_new_logged(OBS_WARN));
	struct conn *conn = scene.conns[C1];
	uint8_t good[128], bad[128];
	size_t len = party_datagram(good, sizeof(good), 2, party_mac(C2), party_mac(C1), 60);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		relay_core_datagram(conn->peer, slice_of(good, cut), scene.party->now += BASE_SECOND);
	for (size_t i = 0; i < 8; i++) {
		memcpy(bad, good, len);
		bad[i] ^= 0x80;
		relay_core_datagram(conn->peer, slice_of(bad, len), scene.party->now += BASE_SECOND);
	}
	assert_int_equal(party_drops(conn, OBS_DROP_BAD_DATAGRAM), len + 8);
	assert_non_null(strstr(scene.party->log_text, "malformed_datagram room=R peer=2 bytes=0 count=1\n"));
	assert_non_null(strstr(scene.party->log_text, "malformed_datagram room=R peer=2 bytes=1 count=2\n"));
	relay_core_datagram(conn->peer, slice_of(good, len), scene.party->now);
	assert_got(&scene, 1 << C2, "good");
	scene.party->now += 60 * BASE_SECOND;
	for (int i = 0; i < 64; i++)
		relay_core_datagram(conn->peer, slice_of(bad, len), scene.party->now);
	assert_int_equal(conn->peer->id, 2);
	assert_int_equal(conn->peer->state, RELAY_PEER_JOINED);
	relay_core_datagram(conn->peer, slice_of(bad, len), scene.party->now);
	assert_int_equal(party_last(conn, CTRL_DISCONNECT)->message.disconnect.reason, CTRL_LEAVE_MALFORMED);
	assert_int_equal(party_last(scene.conns[G], CTRL_PEER_LEFT)->message.peer_left.reason, CTRL_LEAVE_MALFORMED);
	relay_core_datagram(conn->peer, slice_of(good, len), scene.party->now);
	assert_int_equal(party_drops(conn, OBS_DROP_NOT_JOINED), 1);
	assert_got(&scene, 0, "disconnected");
	party_run(scene.party, RELAY_LINGER_NS);
	assert_int_equal(conn->code, QUIC_APP_PROTOCOL);
	party_free(scene.party);
}

static uint64_t send_many(struct scene *scene, enum who from, unsigned dst, unsigned src, unsigned count, size_t len) {
	uint64_t before = scene->conns[from]->peer->forwarded;

	for (unsigned i = 0; i < count; i++) {
		party_send(scene->conns[from], mac_of(dst), mac_of(src), len);
		for (unsigned who = 0; who < WHO_COUNT; who++)
			party_drain(scene->conns[who]);
	}
	return scene->conns[from]->peer->forwarded - before;
}

/* RLY-9 in virtual time: the burst, then the rate; known unicast and the other clients are not touched. */
static void test_rate_limits(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct scene scene;

	(void)state;
	limits.broadcast = (struct relay_rate){10, 20};
	limits.unknown_unicast = (struct relay_rate){5, 8};
	limits.gateway_broadcast = (struct relay_rate){100, 200};
	scene = make_scene(party_new(&limits));
	assert_int_equal(send_many(&scene, C1, BCAST, C1, 50, 60), 20);
	assert_int_equal(party_drops(scene.conns[C1], OBS_DROP_RATE_BROADCAST), 30);
	assert_int_equal(send_many(&scene, C2, MCAST, C2, 50, 60), 20);
	assert_int_equal(send_many(&scene, C1, 0x0b00, C1, 50, 60), 8);
	assert_int_equal(party_drops(scene.conns[C1], OBS_DROP_RATE_UNKNOWN_UNICAST), 42);
	assert_int_equal(send_many(&scene, C1, C2, C1, 500, 60), 500);
	assert_int_equal(send_many(&scene, G, BCAST, LAN_STATION, 500, 60), 200);
	party_run(scene.party, BASE_SECOND);
	assert_int_equal(send_many(&scene, C1, BCAST, C1, 50, 60), 10);
	assert_int_equal(send_many(&scene, C1, 0x0b00, C1, 50, 60), 5);
	assert_int_equal(send_many(&scene, G, BCAST, LAN_STATION, 500, 60), 100);
	party_assert_balance(scene.party, "rates");
	party_free(scene.party);
}

/* As many of `count` broadcasts of a member of the room as pass. */
static uint64_t broadcast_many(struct party *party, size_t number, unsigned count) {
	struct conn *conn = &party->conns[number];
	uint64_t before = conn->peer->forwarded;

	for (unsigned i = 0; i < count; i++) {
		party_send(conn, party_broadcast, party_mac(number == 0 ? 0x0a00 : (unsigned)number), 60);
		for (size_t who = 0; who < party->conn_count; who++)
			party_drain(&party->conns[who]);
	}
	return conn->peer->forwarded - before;
}

/* A gateway and clients in a room that may make so many copies of broadcasts. */
static struct party *room_of_copies(unsigned peers, struct relay_rate copies) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;

	limits.room_broadcast = copies;
	party = party_new(&limits);
	for (unsigned mac = 0; mac < peers; mac++)
		party_join(party, "R", mac, 0);
	return party;
}

/* The members' copies together: who floods takes half of them and its own part of the other half, and no more. */
static void test_room_broadcast_rate(void **state) {
	struct party *party = room_of_copies(10, (struct relay_rate){1000, 2000});

	(void)state;
	assert_int_equal(broadcast_many(party, 1, 200), 11 + 111);
	assert_int_equal(party_drops(&party->conns[1], OBS_DROP_RATE_ROOM_BROADCAST), 78);
	for (size_t i = 2; i < 10; i++)
		assert_int_equal(broadcast_many(party, i, 20), 11);
	assert_int_equal(broadcast_many(party, 0, 200), 200); /* the gateway has its own */
	party_run(party, BASE_SECOND);
	assert_int_equal(broadcast_many(party, 1, 200), 5 + 55);
	assert_int_equal(broadcast_many(party, 9, 20), 5);
	party_assert_balance(party, "room");
	party_free(party);

	party = room_of_copies(10, (struct relay_rate){0}); /* unlimited */
	assert_int_equal(broadcast_many(party, 1, 200), 200);
	party_free(party);
}

/* A full room in which everybody plays a game that broadcasts each of its 35 ticks a second. */
static void test_room_of_old_games(void **state) {
	struct party *party = party_new(NULL);

	(void)state;
	for (unsigned mac = 1; mac <= 64; mac++)
		party_join(party, "R", mac, 0);
	for (unsigned tick = 0; tick < 5 * 35; tick++, party_run(party, BASE_SECOND / 35)) {
		for (unsigned mac = 1; mac <= 64; mac++)
			party_send(&party->conns[mac - 1], party_broadcast, party_mac(mac), 60);
		for (size_t i = 0; i < 64; i++)
			party_drain(&party->conns[i]);
	}
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(obs_drops_total(&party->conns[i].peer->rx), 0);
	party_free(party);
}

/* Small rates let something through, now and then. */
static void test_room_broadcast_rate_of_one(void **state) {
	struct party *party = room_of_copies(5, (struct relay_rate){1, 2});

	(void)state;
	assert_int_equal(broadcast_many(party, 1, 20), 2);
	assert_int_equal(broadcast_many(party, 2, 20), 1);
	party_run(party, 4 * BASE_SECOND);
	assert_int_equal(broadcast_many(party, 2, 20), 2);
	party_free(party);
}

/* A station that has spoken through the gateway is no unknown destination any more, for as long as a switch would know
 * it, or until the gateway leaves. */
static void test_learned_stations_are_known(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct scene scene;

	(void)state;
	limits.unknown_unicast = (struct relay_rate){1, 1};
	scene = make_scene(party_new(&limits));
	assert_int_equal(send_many(&scene, C1, LAN_STATION, C1, 5, 60), 1);
	assert_int_equal(send_many(&scene, G, C1, LAN_STATION, 1, 60), 1);
	assert_int_equal(send_many(&scene, C1, LAN_STATION, C1, 500, 60), 500);
	assert_int_equal(send_many(&scene, C1, 0x0b00, C1, 5, 60), 0);
	party_run(scene.party, RELAY_STATION_AGE_NS);
	assert_int_equal(send_many(&scene, C1, LAN_STATION, C1, 5, 60), 1);
	send_many(&scene, G, C1, LAN_STATION, 1, 60);
	assert_int_equal(send_many(&scene, C1, LAN_STATION, C1, 5, 60), 5);
	party_hang_up(scene.conns[G], CTRL_LEAVE_TIMEOUT);
	scene.conns[G] = party_gateway(scene.party, "R");
	party_run(scene.party, 10 * BASE_SECOND);
	assert_int_equal(send_many(&scene, C1, LAN_STATION, C1, 5, 60), 1);
	party_free(scene.party);
}

/* A frame that was filtered teaches nothing. */
static void test_filtered_frames_teach_nothing(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct scene scene;

	(void)state;
	limits.unknown_unicast = (struct relay_rate){1, 1};
	scene = make_scene(party_new(&limits));
	assert_int_equal(send_many(&scene, G, C1, LAN_STATION, 1, 1400), 0);
	assert_int_equal(party_drops(scene.conns[G], OBS_DROP_TAP_MTU), 1);
	assert_int_equal(send_many(&scene, C1, LAN_STATION, C1, 5, 60), 1);
	party_free(scene.party);
}

/* Room "R": the gateway, a client with the router's MAC that came before the router was heard, and another client. */
struct doubles {
	struct party *party;
	struct conn *gateway, *stranger, *client;
};

#define ROUTER 5

static struct doubles make_doubles(void) {
	struct doubles doubles = {.party = party_new_logged(OBS_WARN)};

	doubles.gateway = party_join(doubles.party, "R", 0, 9);
	doubles.stranger = party_join(doubles.party, "R", ROUTER, 5);
	doubles.client = party_join(doubles.party, "R", 6, 6);
	return doubles;
}

/* The router speaks every `pause_ns`, `count` times; returns how often the client hears it. */
static size_t router_speaks(struct doubles *doubles, unsigned count, uint64_t pause_ns) {
	size_t heard = 0;

	for (unsigned i = 0; i < count; i++) {
		party_run(doubles->party, pause_ns);
		party_send(doubles->gateway, party_broadcast, party_mac(ROUTER), 60);
		heard += party_drain(doubles->client);
		party_drain(doubles->stranger);
	}
	return heard;
}

/* Who gets what the client sends to the router's MAC. */
static void assert_router_is(struct doubles *doubles, const struct conn *who, const char *label) {
	party_send(doubles->client, party_mac(ROUTER), party_mac(6), 60);
	unit_assert_int(party_drain(doubles->gateway), who == doubles->gateway, label);
	unit_assert_int(party_drain(doubles->stranger), who == doubles->stranger, label);
}

/* The LAN's own goes first, however often the stranger comes again, but not for what comes for a moment. */
static void test_station_goes_first(void **state) {
	struct doubles doubles = make_doubles();
	struct conn *again;
	const char *line;

	(void)state;
	assert_int_equal(router_speaks(&doubles, 5, BASE_SECOND), 0);
	assert_router_is(&doubles, doubles.stranger, "a moment");
	assert_int_equal(router_speaks(&doubles, 1, RELAY_CLAIM_PAUSE_NS + 1), 0);
	assert_int_equal(router_speaks(&doubles, 4, BASE_SECOND), 0);
	assert_null(strstr(doubles.party->log_text, "client_shut_out"));
	assert_int_equal(router_speaks(&doubles, 4, BASE_SECOND), 4);
	line = strstr(doubles.party->log_text, "client_shut_out room=R peer=2 mac=02:00:00:00:00:05");
	assert_non_null(line);
	assert_null(strstr(line + 1, "client_shut_out")); /* said once, not with each frame */
	assert_router_is(&doubles, doubles.gateway, "the router");
	party_send(doubles.gateway, party_mac(6), party_mac(ROUTER), 60);
	assert_int_equal(party_drain(doubles.client), 1);
	party_send(doubles.gateway, party_mac(ROUTER), party_mac(0x0a00), 60); /* on the LAN */
	party_send(doubles.stranger, party_mac(6), party_mac(ROUTER), 60);
	party_send(doubles.stranger, party_broadcast, party_mac(ROUTER), 60);
	assert_int_equal(party_drain(doubles.client) + party_drain(doubles.stranger) + party_drain(doubles.gateway), 0);
	assert_int_equal(party_drops(doubles.stranger, OBS_DROP_ADDRESS_GUARD), 2);
	again = party_join(doubles.party, "R", ROUTER, 5);
	assert_non_null(party_last(again, CTRL_WELCOME));
	doubles.stranger = again;
	assert_router_is(&doubles, doubles.gateway, "taken over");
	party_hang_up(again, CTRL_LEAVE_TIMEOUT);
	doubles.stranger = party_join(doubles.party, "R", ROUTER, 5);
	assert_int_equal(router_speaks(&doubles, 1, 0), 1);
	assert_router_is(&doubles, doubles.gateway, "came back");
	/* Silent for long, it is gone. */
	party_run(doubles.party, RELAY_STATION_AGE_NS);
	assert_router_is(&doubles, doubles.stranger, "the router is gone");
	party_send(doubles.stranger, party_mac(6), party_mac(ROUTER), 60);
	assert_int_equal(party_drain(doubles.client), 1);
	party_assert_balance(doubles.party, "station");
	party_free(doubles.party);
}

/* On a computer that has just been started a time of 0 is not long ago. */
static void test_station_of_a_young_clock(void **state) {
	struct doubles doubles = make_doubles();

	(void)state;
	doubles.party->now = 2 * RELAY_CLAIM_NS;
	assert_int_equal(router_speaks(&doubles, 1, BASE_SECOND), 0);
	assert_router_is(&doubles, doubles.stranger, "a moment");
	party_free(doubles.party);
}

/* What a gateway said of its LAN goes with it: the same one may come back, another one knows better. So it is for a
 * client that was away meanwhile. */
static void test_station_goes_with_its_lan(void **state) {
	static const struct {
		const char *label;
		bool own, away;
	} cases[] = {
	    {"the same gateway", true, false},
	    {"another gateway", false, false},
	    {"the same gateway, while away", true, true},
	    {"another gateway, while away", false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct doubles doubles = make_doubles();

		router_speaks(&doubles, 7, BASE_SECOND);
		assert_router_is(&doubles, doubles.gateway, "the router");
		if (cases[i].away)
			party_hang_up(doubles.stranger, CTRL_LEAVE_TIMEOUT);
		party_hang_up(doubles.gateway, CTRL_LEAVE_TIMEOUT);
		if (!cases[i].own)
			party_run(doubles.party, RELAY_GATEWAY_HOLD_NS);
		doubles.gateway = party_join(doubles.party, "R", 0, cases[i].own ? 9 : 8);
		assert_non_null(party_last(doubles.gateway, CTRL_WELCOME));
		if (cases[i].away)
			doubles.stranger = party_join(doubles.party, "R", ROUTER, 5);
		assert_non_null(party_last(doubles.stranger, CTRL_WELCOME));
		assert_router_is(&doubles, cases[i].own ? doubles.gateway : doubles.stranger, cases[i].label);
		party_free(doubles.party);
	}
}

static void test_bandwidth(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct scene scene;

	(void)state;
	limits.bandwidth = (struct relay_rate){100000, 10000};
	scene = make_scene(party_new(&limits));
	assert_int_equal(send_many(&scene, C1, C2, C1, 50, 1000), 10);
	assert_int_equal(party_drops(scene.conns[C1], OBS_DROP_RATE_BANDWIDTH), 40);
	party_run(scene.party, 50 * BASE_MS);
	assert_int_equal(send_many(&scene, C1, C2, C1, 50, 1000), 5);
	assert_int_equal(send_many(&scene, G, C2, LAN_STATION, 50, 1000), 50);
	party_assert_balance(scene.party, "bandwidth");
	party_free(scene.party);
}

/* OBS-1: the same vocabulary for forwarded, filtered and dropped frames; OBS-4: nothing at the default level. */
static void test_frame_log(void **state) {
	struct scene scene = make_scene(party_new_logged(OBS_TRACE));
	struct party *quiet = party_new_logged(OBS_INFO);
	size_t len;

	(void)state;
	party_send(scene.conns[C1], party_broadcast, party_mac(C1), 60);
	assert_non_null(strstr(scene.party->log_text, "action=forwarded"));
	assert_non_null(strstr(scene.party->log_text, "targets=3"));
	party_send(scene.conns[C1], party_broadcast, party_mac(C2), 60);
	assert_non_null(strstr(scene.party->log_text, "reason=forged_source"));
	assert_non_null(strstr(scene.party->log_text, "action=filtered"));
	/* What no queue took was not forwarded. */
	len = scene.party->log_len;
	scene.conns[C2]->budget = 60;
	party_send(scene.conns[C1], party_mac(C2), party_mac(C1), 60);
	assert_non_null(strstr(scene.party->log_text + len, "reason=datagram_budget"));
	assert_null(strstr(scene.party->log_text + len, "action=forwarded"));
	party_free(scene.party);
	scene = make_scene(quiet);
	len = quiet->log_len;
	party_send(scene.conns[C1], party_broadcast, party_mac(C1), 60);
	party_send(scene.conns[C1], party_broadcast, party_mac(C2), 60);
	assert_int_equal(quiet->log_len, len);
	party_free(quiet);
}

/* A peer whose lines are swallowed swallows none of its namesake in another room. */
static void test_floods_are_of_rooms(void **state) {
	struct party *party = party_new_logged(OBS_DEBUG);
	uint8_t bad[1] = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const char *room = i == 0 ? "R" : "S";
		struct conn *conn = party_join(party, room, 1, 0);

		for (int n = 0; n < 20; n++) {
			relay_core_datagram(conn->peer, slice_of(bad, sizeof(bad)), party->now);
			party_send(conn, party_broadcast, party_mac(1), 60);
		}
	}
	assert_non_null(strstr(party->log_text, "malformed_datagram room=S peer=1"));
	assert_non_null(strstr(party->log_text, "frame room=S peer=1 dir=relay action=dropped reason=nobody"));
	obs_log_tick(party->log, party->now + OBS_FLOOD_NS);
	assert_non_null(strstr(party->log_text, "malformed_datagram_suppressed count=15 room=R key=1\n"));
	assert_non_null(strstr(party->log_text, "frame_suppressed count=15 room=S key=1 reason=nobody\n"));
	party_free(party);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_switching_matrix),
	    cmocka_unit_test(test_alone_and_without_gateway),
	    cmocka_unit_test(test_copies_are_exact),
	    cmocka_unit_test(test_policy),
	    cmocka_unit_test(test_no_policy_is_no_licence),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_sealed),
	    cmocka_unit_test(test_sealed_or_not),
	    cmocka_unit_test(test_not_joined),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_rate_limits),
	    cmocka_unit_test(test_room_broadcast_rate),
	    cmocka_unit_test(test_room_of_old_games),
	    cmocka_unit_test(test_room_broadcast_rate_of_one),
	    cmocka_unit_test(test_learned_stations_are_known),
	    cmocka_unit_test(test_filtered_frames_teach_nothing),
	    cmocka_unit_test(test_station_goes_first),
	    cmocka_unit_test(test_station_of_a_young_clock),
	    cmocka_unit_test(test_station_goes_with_its_lan),
	    cmocka_unit_test(test_bandwidth),
	    cmocka_unit_test(test_frame_log),
	    cmocka_unit_test(test_floods_are_of_rooms),
	};

	return cmocka_run_group_tests_name("relay/forward", tests, NULL, NULL);
}
