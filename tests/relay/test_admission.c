/* Hello to welcome or reject: who may come in, what fixes the room's MTU, whose seat may be taken back. */
#include "tests/relay/party.h"
#include "tests/unit.h"

#include "base/error.h"
#include "proto/mtu.h"

#include <string.h>

static const struct ctrl_welcome *welcome_of(struct conn *conn, const char *label) {
	const struct heard *heard = party_last(conn, CTRL_WELCOME);

	if (heard == NULL) {
		fail_msg("%s: no welcome", label);
		return NULL;
	}
	return &heard->message.welcome;
}

/* Room "R" holds the gateway (key 1) and client MAC 1 (key 1), then somebody else knocks. */
static void test_who_may_join(void **state) {
	static const struct {
		const char *label;
		const char *room;
		unsigned mac, key; /* mac 0: a gateway */
		int reject;        /* -1: welcome */
		uint32_t id;
	} cases[] = {
	    {"another client", "R", 2, 0, -1, 3},
	    {"another client with the same key", "R", 2, 1, -1, 3},
	    {"second gateway", "R", 0, 0, CTRL_REJECT_GATEWAY_EXISTS, 0},
	    {"second gateway, wrong key", "R", 0, 2, CTRL_REJECT_GATEWAY_EXISTS, 0},
	    {"the gateway again", "R", 0, 1, -1, 3},
	    {"same MAC, no key", "R", 1, 0, CTRL_REJECT_DUPLICATE_MAC, 0},
	    {"same MAC, wrong key", "R", 1, 2, CTRL_REJECT_DUPLICATE_MAC, 0},
	    {"same MAC, its key", "R", 1, 1, -1, 3},
	    {"same MAC in another room", "S", 1, 0, -1, 1},
	    {"gateway in another room", "S", 0, 0, -1, 1},
	    {"room codes are case sensitive", "r", 1, 0, -1, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct party *party = party_new(NULL);
		struct conn *conn;

		party_join(party, "R", 0, 1);
		party_join(party, "R", 1, 1);
		conn = party_join(party, cases[i].room, cases[i].mac, cases[i].key);
		if (cases[i].reject >= 0) {
			party_assert_rejected(conn, (enum ctrl_reject_code)cases[i].reject, cases[i].label);
		} else {
			const struct ctrl_welcome *welcome = welcome_of(conn, cases[i].label);

			unit_assert_int(welcome->peer_id, cases[i].id, cases[i].label);
			unit_assert_int(welcome->gateway, cases[i].room[0] == 'R' && cases[i].mac != 0, cases[i].label);
			unit_assert_int(welcome->gateway_peer, welcome->gateway ? 1 : 0, cases[i].label);
		}
		party_free(party);
	}
}

/* A first peer without a key cannot be replaced by one without a key either. */
static void test_no_key_is_no_seat(void **state) {
	struct party *party = party_new(NULL);

	(void)state;
	party_join(party, "R", 1, 0);
	party_assert_rejected(party_join(party, "R", 1, 0), CTRL_REJECT_DUPLICATE_MAC, "no key");
	party_free(party);
}

static void test_room_and_relay_full(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct conn *first, *again;

	(void)state;
	limits.room_peers_max = 2;
	limits.rooms_max = 2;
	party = party_new(&limits);
	first = party_join(party, "A", 1, 1);
	party_join(party, "A", 2, 0);
	party_assert_rejected(party_join(party, "A", 3, 0), CTRL_REJECT_ROOM_FULL, "third peer");
	again = party_join(party, "A", 1, 1);
	assert_non_null(party_last(again, CTRL_WELCOME)); /* a seat that is taken over needs no new place */
	assert_true(first->close_asked);
	party_join(party, "B", 1, 0);
	party_assert_rejected(party_join(party, "C", 1, 0), CTRL_REJECT_TOO_MANY_ROOMS, "third room");
	assert_int_equal(party->core->rooms.len, 2);
	party_free(party);
}

/* A remembered empty room gives way to one that somebody wants to be in. */
static void test_empty_room_gives_way(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct conn *conn;

	(void)state;
	limits.rooms_max = 1;
	party = party_new(&limits);
	party_hang_up(party_join(party, "A", 1, 0), CTRL_LEAVE_TIMEOUT);
	conn = party_join(party, "B", 1, 0);
	assert_non_null(party_last(conn, CTRL_WELCOME));
	assert_int_equal(party->core->rooms.len, 1);
	assert_int_equal(party->core->totals.rooms_evicted, 1);
	party_free(party);
}

static void test_connections_are_bounded(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;

	(void)state;
	limits.peers_max = 2;
	party = party_new(&limits);
	party_connect(party);
	party_connect(party);
	assert_null(party_connect(party)->peer);
	party_hang_up(&party->conns[0], CTRL_LEAVE_TIMEOUT);
	assert_non_null(party_connect(party)->peer);
	party_free(party);
}

/* New peers of a room come at the room's rate, from wherever; those whom it knows and other rooms do not wait. */
static void test_room_joins_are_limited(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct conn *known;

	(void)state;
	limits.room_joins = (struct relay_rate){60, 2 * RELAY_JOIN_TOKENS};
	party = party_new(&limits);
	known = party_join(party, "R", 1, 1); /* opens the room */
	assert_non_null(party_last(party_join(party, "R", 2, 2), CTRL_WELCOME));
	assert_non_null(party_last(party_join(party, "R", 0, 3), CTRL_WELCOME));
	party_assert_rejected(party_join(party, "R", 4, 4), CTRL_REJECT_RATE, "client");
	assert_non_null(party_last(party_join(party, "S", 4, 4), CTRL_WELCOME));
	assert_non_null(party_last(party_join(party, "R", 1, 1), CTRL_WELCOME)); /* takes its seat over */
	assert_true(known->close_asked);
	party_run(party, BASE_SECOND - RELAY_LINGER_NS);
	assert_non_null(party_last(party_join(party, "R", 4, 4), CTRL_WELCOME));
	party_assert_rejected(party_join(party, "R", 5, 5), CTRL_REJECT_RATE, "one a second");
	assert_int_equal(party->core->totals.rejected[CTRL_REJECT_RATE], 2);
	party_free(party);
}

/* Joins of one address are counted in all rooms together, and one that joins too often costs a room nothing. */
static void test_address_joins_are_limited(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	const struct heard *heard;

	(void)state;
	limits.room_joins = (struct relay_rate){60, 3 * RELAY_JOIN_TOKENS};
	limits.address_joins = (struct relay_rate){60, 2 * RELAY_JOIN_TOKENS};
	party = party_new(&limits);
	party_join(party, "R", 1, 0);
	party->one_address = true;
	assert_non_null(party_last(party_join(party, "R", 2, 0), CTRL_WELCOME));
	assert_non_null(party_last(party_join(party, "S", 3, 0), CTRL_WELCOME));
	for (unsigned i = 0; i < 5; i++) {
		struct conn *conn = party_join(party, i % 2 == 0 ? "R" : "T", 4 + i, 0);

		heard = party_last(conn, CTRL_REJECT);
		assert_non_null(heard);
		assert_int_equal(heard->message.reject.code, CTRL_REJECT_RATE);
		assert_string_equal(heard->message.reject.text, "too many peers joined from this address lately");
	}
	assert_int_equal(party->core->rooms.len, 2); /* and opens none */
	party->one_address = false;
	assert_non_null(party_last(party_join(party, "R", 11, 0), CTRL_WELCOME));
	assert_non_null(party_last(party_join(party, "R", 12, 0), CTRL_WELCOME));
	party_free(party);
}

/* As after a restart of the relay, in the worst case from behind one NAT. */
static void test_whole_room_joins_at_once(void **state) {
	const struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party = party_new(NULL);

	(void)state;
	party->one_address = true;
	for (unsigned i = 0; i < limits.room_peers_max; i++)
		assert_non_null(party_last(party_join(party, "R", i, i + 1), CTRL_WELCOME));
	party_free(party);
}

static struct conn *join_with(struct party *party, unsigned mac, size_t own, size_t announced) {
	struct conn *conn = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, mac, 0);

	conn->budget = own;
	hello.hello.budget = (uint16_t)announced;
	party_say(conn, &hello);
	return conn;
}

/* RLY-3: the first fixes it, the next must carry it; the smaller of both directions counts. */
static void test_mtu(void **state) {
	static const struct {
		const char *label;
		size_t own1, hello1;
		uint16_t mtu; /* 0: the first is rejected */
		size_t own2, hello2;
		bool second;
	} cases[] = {
	    {"capped", 1440, 1440, 1344, 1366, 1366, true},
	    {"one byte short there", 1440, 1440, 1344, 1366, 1365, false},
	    {"one byte short here", 1440, 1440, 1344, 1365, 1366, false},
	    {"own path is smaller", 1374, 1440, 1340, 1362, 1362, true},
	    {"its path is smaller", 1440, 1374, 1340, 1361, 1440, false},
	    {"IPv6 without headroom", 1310, 1440, 1280, 1302, 1440, true},
	    {"no IPv6", 1168, 1440, 1146, 1168, 1440, true},
	    {"smallest", PROTO_BUDGET_MIN, 1440, PROTO_TAP_MTU_MIN, PROTO_BUDGET_MIN, 1440, true},
	    {"nothing fits", PROTO_BUDGET_MIN - 1, 1440, 0, 0, 0, false},
	    {"no datagrams", 0, 1440, 0, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct party *party = party_new(NULL);
		struct conn *first = join_with(party, 1, cases[i].own1, cases[i].hello1);
		struct conn *second;

		if (cases[i].mtu == 0) {
			party_assert_rejected(first, CTRL_REJECT_MTU, cases[i].label);
			party_free(party);
			continue;
		}
		unit_assert_int(welcome_of(first, cases[i].label)->mtu, cases[i].mtu, cases[i].label);
		second = join_with(party, 2, cases[i].own2, cases[i].hello2);
		if (cases[i].second)
			unit_assert_int(welcome_of(second, cases[i].label)->mtu, cases[i].mtu, cases[i].label);
		else
			party_assert_rejected(second, CTRL_REJECT_MTU, cases[i].label);
		party_free(party);
	}
}

static void test_mtu_reject_has_numbers(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn;
	const struct heard *heard;

	(void)state;
	party_join(party, "R", 1, 0);
	conn = join_with(party, 2, 1440, 1300);
	heard = party_last(conn, CTRL_REJECT);
	assert_non_null(heard);
	assert_string_equal(heard->message.reject.text,
	                    "the path carries datagrams of 1300 bytes, this room needs 1366 for an MTU of 1344");
	party_free(party);
}

static struct conn *join_keyed(struct party *party, enum ctrl_role role, unsigned mac, uint8_t key) {
	struct conn *conn = party_connect(party);
	struct ctrl_message hello = party_keyed_hello("R", role, mac, key);

	party_say(conn, &hello);
	return conn;
}

/* A client whose passphrase is not the gateway's is let in where nobody else is, and told. */
static void test_room_key(void **state) {
	struct party *party = party_new(NULL);
	struct conn *gateway = join_keyed(party, CTRL_ROLE_GATEWAY, 0, 1), *client, *other;

	(void)state;
	assert_true(welcome_of(gateway, "gateway")->sealed);
	assert_false(welcome_of(gateway, "gateway")->other_key);
	assert_true(welcome_of(join_keyed(party, CTRL_ROLE_CLIENT, 1, 0), "no key")->other_key);
	other = join_keyed(party, CTRL_ROLE_CLIENT, 1, 2);
	assert_true(welcome_of(other, "another key")->sealed && welcome_of(other, "another key")->other_key);
	client = join_keyed(party, CTRL_ROLE_CLIENT, 1, 1);
	assert_true(welcome_of(client, "client")->sealed && welcome_of(client, "client")->gateway);
	assert_false(welcome_of(client, "client")->other_key);
	assert_int_equal(party_last(client, CTRL_PEER_JOINED)->message.peer_joined.salt[0], 0x50);
	assert_int_equal(party_last(gateway, CTRL_PEER_JOINED)->message.peer_joined.salt[0], 0x51);
	assert_int_equal(gateway->peer->room->peer_count, 2);
	assert_int_equal(other->peer->room->peer_count, 1);
	party_hang_up(gateway, CTRL_LEAVE_QUIT);
	assert_false(welcome_of(join_keyed(party, CTRL_ROLE_CLIENT, 2, 2), "no gateway")->other_key);
	party_free(party);
}

/* A stranger who knows the code, but not the key, stops nobody: not with a gateway that stays, and not with one that
 * was there. */
static void test_stranger_with_gateway(void **state) {
	struct party *party = party_new(NULL);
	struct conn *stranger = join_keyed(party, CTRL_ROLE_GATEWAY, 0, 9), *client;

	(void)state;
	join_keyed(party, CTRL_ROLE_CLIENT, 9, 9);
	client = join_keyed(party, CTRL_ROLE_CLIENT, 1, 1);
	assert_true(welcome_of(client, "before our gateway")->other_key);
	assert_false(welcome_of(join_keyed(party, CTRL_ROLE_GATEWAY, 0, 1), "our gateway")->other_key);
	assert_false(welcome_of(join_keyed(party, CTRL_ROLE_CLIENT, 2, 1), "after it")->other_key);
	assert_int_equal(client->peer->room->peer_count, 3);
	party_hang_up(stranger, CTRL_LEAVE_QUIT);
	party_run(party, 3600 * BASE_SECOND);
	assert_non_null(party_last(join_keyed(party, CTRL_ROLE_CLIENT, 3, 5), CTRL_WELCOME));
	party_free(party);
}

/* However many rooms of one code have a gateway, and in whatever order those come and go: a client without one hears of
 * it as long as there is one. */
static void test_gateways_of_one_code(void **state) {
	static const uint8_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	uint8_t key = 10;

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct party *party = party_new(NULL);
		struct conn *gateways[3];

		party_gateway(party, "S");
		for (uint8_t n = 0; n < 3; n++)
			gateways[n] = join_keyed(party, CTRL_ROLE_GATEWAY, 0, n + 1);
		for (size_t n = 0; n < 3; n++) {
			assert_true(welcome_of(join_keyed(party, CTRL_ROLE_CLIENT, 1, key++), "there is one")->other_key);
			party_hang_up(gateways[orders[i][n]], CTRL_LEAVE_QUIT);
		}
		assert_false(welcome_of(join_keyed(party, CTRL_ROLE_CLIENT, 1, key++), "there is none")->other_key);
		join_keyed(party, CTRL_ROLE_GATEWAY, 0, 3);
		assert_true(welcome_of(join_keyed(party, CTRL_ROLE_CLIENT, 1, key++), "one is back")->other_key);
		party_free(party);
	}
}

/* Nobody keeps others out, or takes a seat of theirs, by coming first under their code with another key. */
static void test_rooms_of_one_code(void **state) {
	static const uint8_t keys[] = {1, 0, 2};
	struct party *party = party_new(NULL);
	struct conn *clients[3], *gateways[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		clients[i] = join_keyed(party, CTRL_ROLE_CLIENT, 1, keys[i]);
	for (int i = 0; i < 3; i++) {
		gateways[i] = join_keyed(party, CTRL_ROLE_GATEWAY, 0, keys[i]);
		assert_int_equal(welcome_of(gateways[i], "gateway")->sealed, keys[i] != 0);
		assert_int_equal(party_last(clients[i], CTRL_PEER_JOINED)->message.peer_joined.role, CTRL_ROLE_GATEWAY);
		assert_ptr_equal(clients[i]->peer->room, gateways[i]->peer->room);
		assert_int_equal(clients[i]->peer->room->peer_count, 2);
	}
	assert_non_null(party_last(join_keyed(party, CTRL_ROLE_CLIENT, 2, 2), CTRL_WELCOME));
	party_free(party);
}

/* Who tries passphrases is limited like who joins again and again. */
static void test_guesses_are_limited(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct conn *conn = NULL;
	unsigned answers = 0;

	(void)state;
	limits.address_joins = (struct relay_rate){60, 10 * RELAY_JOIN_TOKENS};
	party = party_new(&limits);
	join_keyed(party, CTRL_ROLE_GATEWAY, 0, 1);
	party->one_address = true;
	for (uint8_t guess = 2; guess < 40; guess++) {
		conn = join_keyed(party, CTRL_ROLE_CLIENT, 1, guess);
		answers += party_last(conn, CTRL_WELCOME) != NULL;
	}
	assert_in_range(answers, 9, 11);
	party_assert_rejected(conn, CTRL_REJECT_RATE, "the last guess");
	party_free(party);
}

/* A refusal answers a guess as well as a welcome does: what a narrow path would need depends on the room. */
static void test_refused_guesses_are_limited(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	unsigned answers = 0;

	(void)state;
	limits.address_joins = (struct relay_rate){60, 10 * RELAY_JOIN_TOKENS};
	party = party_new(&limits);
	join_keyed(party, CTRL_ROLE_GATEWAY, 0, 1);
	party->one_address = true;
	for (uint8_t guess = 2; guess < 40; guess++) {
		struct conn *conn = party_connect(party);
		struct ctrl_message hello = party_keyed_hello("R", CTRL_ROLE_CLIENT, 1, guess);

		hello.hello.budget = 1;
		party_say(conn, &hello);
		answers += party_last(conn, CTRL_REJECT)->message.reject.code != CTRL_REJECT_RATE;
	}
	assert_int_equal(answers, 10);
	assert_int_equal(party->core->totals.rejected[CTRL_REJECT_RATE], 28);
	party_free(party);
}

/* Sealing takes 24 bytes of each datagram, so the same paths carry a smaller MTU. */
static void test_mtu_with_room_key(void **state) {
	static const struct {
		const char *label;
		size_t budget;
		uint16_t mtu; /* 0: rejected */
		size_t second;
		bool fits;
	} cases[] = {
	    {"capped", 1440, 1320, 1366, true},
	    {"one byte short", 1440, 1320, 1365, false},
	    {"the usual path", 1374, 1316, 1362, true},
	    {"IPv6 without headroom", 1334, 1280, 1326, true},
	    {"no IPv6", 1168, 1122, 1168, true},
	    {"smallest", PROTO_BUDGET_MIN + 24, PROTO_TAP_MTU_MIN, PROTO_BUDGET_MIN + 24, true},
	    {"nothing fits", PROTO_BUDGET_MIN + 23, 0, 0, false},
	    {"nothing at all", 3, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct party *party = party_new(NULL);
		struct ctrl_message hello = party_keyed_hello("R", CTRL_ROLE_CLIENT, 1, 1);
		struct conn *first = party_connect(party), *second = party_connect(party);

		hello.hello.budget = (uint16_t)cases[i].budget;
		party_say(first, &hello);
		if (cases[i].mtu == 0) {
			party_assert_rejected(first, CTRL_REJECT_MTU, cases[i].label);
			party_free(party);
			continue;
		}
		unit_assert_int(welcome_of(first, cases[i].label)->mtu, cases[i].mtu, cases[i].label);
		hello.hello.mac = party_mac(2);
		hello.hello.budget = (uint16_t)cases[i].second;
		party_say(second, &hello);
		if (cases[i].fits)
			unit_assert_int(welcome_of(second, cases[i].label)->mtu, cases[i].mtu, cases[i].label);
		else
			party_assert_rejected(second, CTRL_REJECT_MTU, cases[i].label);
		party_free(party);
	}
}

/* Nor does the smallest limit that an operator may set get smaller than any MTU for that. */
static void test_smallest_limit_with_room_key(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;

	(void)state;
	limits.room_mtu_max = PROTO_TAP_MTU_MIN;
	party = party_new(&limits);
	assert_int_equal(welcome_of(join_keyed(party, CTRL_ROLE_CLIENT, 1, 1), "keyed")->mtu, PROTO_TAP_MTU_MIN);
	party_free(party);
}

/* A hopeless joiner must not push out the peer whose seat it asks for. */
static void test_failed_takeover_leaves_the_seat(void **state) {
	struct party *party = party_new(NULL);
	struct conn *first = party_join(party, "R", 1, 1);
	struct conn *second = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 1);

	(void)state;
	hello.hello.budget = 1300;
	party_say(second, &hello);
	party_assert_rejected(second, CTRL_REJECT_MTU, "small path");
	assert_false(first->close_asked);
	assert_int_equal(first->peer->id, 1);
	party_free(party);
}

/* While path MTU discovery goes on, the decision waits: until it is settled, good enough or hopeless. */
static void test_settling(void **state) {
	static const struct {
		const char *label;
		size_t budget_at_first;
		size_t budget_then; /* a while later; 0: it need not change */
		bool settled_then;
		uint16_t mtu; /* 0: not decided yet */
	} cases[] = {
	    {"good enough at once", 1378, 0, false, 1344},
	    {"grows to good enough by a byte", 1377, 1378, false, 1344},
	    {"grows to good enough", 1168, 1400, false, 1344},
	    {"settles lower", 1168, 1310, true, 1280},
	    {"settles where it was", 1168, 1168, true, 1146},
	    {"grows, but not enough to stop waiting", 1168, 1310, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct party *party = party_new(NULL);
		struct conn *conn = party_connect(party);
		struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 0);

		conn->budget = cases[i].budget_at_first;
		conn->settled = false;
		party_say(conn, &hello);
		if (cases[i].budget_then > 0) {
			party_run(party, 300 * BASE_MS);
			unit_assert_int(conn->heard_count, 0, cases[i].label);
			conn->budget = cases[i].budget_then;
			conn->settled = cases[i].settled_then;
			party_run(party, RELAY_POLL_NS);
		}
		if (cases[i].mtu > 0)
			unit_assert_int(welcome_of(conn, cases[i].label)->mtu, cases[i].mtu, cases[i].label);
		else
			unit_assert_int(conn->heard_count, 0, cases[i].label);
		party_free(party);
	}
}

/* What it announced will not grow: no reason to wait for more of our own path. */
static void test_hopeless_is_rejected_at_once(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn;
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 2, 0);

	(void)state;
	party_join(party, "R", 1, 0);
	conn = party_connect(party);
	conn->settled = false;
	conn->budget = 1200;
	hello.hello.budget = 1200;
	party_say(conn, &hello);
	party_assert_rejected(conn, CTRL_REJECT_MTU, "hopeless");
	party_free(party);
}

/* The gateway (key 1) asks to come back, by a path of so much. */
static struct conn *gateway_back(struct party *party, size_t budget) {
	struct conn *conn = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_GATEWAY, 0, 1);

	hello.hello.budget = (uint16_t)budget;
	party_say(conn, &hello);
	return conn;
}

/* A room of a gateway and two clients, of which the gateway has just lost its connection. */
static struct party *narrowed_party(void) {
	struct party *party = party_new_logged(OBS_WARN);
	struct conn *gateway = party_join(party, "R", 0, 1);

	party_join(party, "R", 1, 11);
	party_join(party, "R", 2, 12);
	party_hang_up(gateway, CTRL_LEAVE_CONNECTION_LOST);
	return party;
}

/* The LAN is what the others are in the room for: it comes back by a narrower path, and they come again. */
static void test_room_is_narrowed_for_its_gateway(void **state) {
	struct party *party = narrowed_party();
	struct conn *gateway, *client = &party->conns[1];

	(void)state;
	party_assert_rejected(join_with(party, 3, 1302, 1302), CTRL_REJECT_MTU, "a client");
	assert_false(client->close_asked);
	gateway = gateway_back(party, 1302);
	assert_int_equal(welcome_of(gateway, "gateway")->mtu, 1280);
	assert_int_equal(gateway->heard_count, 1); /* nobody is there */
	assert_int_equal(client->code, QUIC_APP_PATH);
	assert_int_equal(party_last(client, CTRL_PEER_JOINED)->message.peer_joined.role, CTRL_ROLE_CLIENT);
	assert_non_null(strstr(party->log_text, "room_narrowed room=R mtu=1280 ipv6=true"));
	party_run(party, BASE_SECOND);
	party_assert_rejected(party_join(party, "R", 1, 9), CTRL_REJECT_DUPLICATE_MAC, "its seat is kept");
	client = party_join(party, "R", 1, 11);
	assert_int_equal(welcome_of(client, "client")->mtu, 1280);
	assert_int_equal(welcome_of(client, "client")->gateway_peer, gateway->peer->id);
	party_send(client, party_broadcast, party_mac(1), 1280 + 14);
	party_send(client, party_broadcast, party_mac(1), 1280 + 15);
	assert_int_equal(party_drain(gateway), 1);
	assert_int_equal(party_drops(client, OBS_DROP_TAP_MTU), 1);
	party_assert_balance(party, "narrowed");
	/* It does not become larger again. */
	gateway = gateway_back(party, 1440);
	assert_int_equal(welcome_of(gateway, "wide again")->mtu, 1280);
	assert_false(client->close_asked);
	party_free(party);
}

/* It may take its own seat from a connection that is not known to be lost. */
static void test_room_is_narrowed_at_a_takeover(void **state) {
	struct party *party = party_new(NULL);
	struct conn *first = party_join(party, "R", 0, 1), *client = party_join(party, "R", 1, 11), *gateway;

	(void)state;
	gateway = gateway_back(party, 1302);
	assert_int_equal(welcome_of(gateway, "gateway")->mtu, 1280);
	assert_int_equal(first->code, QUIC_APP_REPLACED);
	assert_int_equal(client->code, QUIC_APP_PATH);
	assert_int_equal(party_room(party, "R")->peer_count, 1);
	party_free(party);
}

/* IPv6 is not given up for a bad moment; then the room has what every path carries, and no gateway makes it smaller. */
static void test_room_without_ipv6(void **state) {
	struct party *party = narrowed_party();
	struct conn *client = &party->conns[1];

	(void)state;
	for (int i = 0; i < 4; i++) {
		party_assert_rejected(gateway_back(party, 1301), CTRL_REJECT_MTU, "a bad moment?");
		party_run(party, 2 * BASE_SECOND);
	}
	assert_false(client->close_asked);
	assert_int_equal(welcome_of(gateway_back(party, 1301), "gateway")->mtu, 1146);
	assert_int_equal(client->code, QUIC_APP_PATH);
	party_run(party, BASE_SECOND);
	client = party_join(party, "R", 1, 11);
	for (int i = 0; i < 8; i++) {
		party_assert_rejected(gateway_back(party, 1167), CTRL_REJECT_MTU, "no path is so narrow");
		party_run(party, 2 * BASE_SECOND);
	}
	assert_false(client->close_asked);
	party_free(party);
}

/* On a computer that has just been started a time of 0 is not that of a first try. */
static void test_a_bad_moment_of_a_young_clock(void **state) {
	struct party *party = narrowed_party();

	(void)state;
	party->now = 2 * RELAY_NARROW_NS;
	party_assert_rejected(gateway_back(party, 1301), CTRL_REJECT_MTU, "a bad moment?");
	party_free(party);
}

/* The one of an hour ago has nothing to do with this one. */
static void test_a_bad_moment_long_ago(void **state) {
	struct party *party = narrowed_party();

	(void)state;
	party_assert_rejected(gateway_back(party, 1200), CTRL_REJECT_MTU, "a bad moment");
	party_run(party, RELAY_NARROW_NS_MAX + BASE_SECOND);
	party_assert_rejected(gateway_back(party, 1200), CTRL_REJECT_MTU, "another one");
	assert_false(party->conns[1].close_asked);
	party_run(party, RELAY_NARROW_NS);
	assert_int_equal(welcome_of(gateway_back(party, 1200), "it lasts")->mtu, 1146);
	party_free(party);
}

/* Sealing takes its part of every path. */
static void test_sealed_room_is_narrowed(void **state) {
	struct party *party = party_new(NULL);
	struct ctrl_message hello = party_keyed_hello("R", CTRL_ROLE_GATEWAY, 0, 1);
	static const struct { uint16_t budget, mtu; } steps[] = {{1440, 1320}, {1326, 1280}, {1168, 1122}};

	(void)state;
	hello.hello.has_seat_key = true;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct conn *gateway = party_connect(party);

		hello.hello.budget = steps[i].budget;
		party_say(gateway, &hello);
		if (party_last(gateway, CTRL_REJECT) != NULL) {
			party_run(party, RELAY_NARROW_NS);
			gateway = party_connect(party);
			party_say(gateway, &hello);
		}
		assert_int_equal(welcome_of(gateway, "gateway")->mtu, steps[i].mtu);
	}
	party_free(party);
}

/* Of two addresses of the relay it tries the one with the narrower path first. */
static void test_room_is_narrowed_for_the_wider_path(void **state) {
	struct party *party = narrowed_party();

	(void)state;
	party_assert_rejected(gateway_back(party, 1200), CTRL_REJECT_MTU, "the narrower");
	assert_int_equal(welcome_of(gateway_back(party, 1302), "the wider")->mtu, 1280);
	party_free(party);
}

/* A bad moment of the gateway's path, or another gateway's path, costs nobody the room's MTU. */
static void test_room_is_not_narrowed_for_others(void **state) {
	struct party *party = narrowed_party();
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_GATEWAY, 0, 9);

	(void)state;
	party_assert_rejected(gateway_back(party, 1200), CTRL_REJECT_MTU, "a bad moment");
	party_run(party, 5 * BASE_SECOND);
	welcome_of(gateway_back(party, 1440), "better");
	party_run(party, 6 * BASE_SECOND);
	party_assert_rejected(gateway_back(party, 1200), CTRL_REJECT_MTU, "another");
	hello.hello.budget = 1302;
	for (int i = 0; i < 10; i++) {
		struct conn *stranger = party_connect(party);

		party_say(stranger, &hello);
		party_assert_rejected(stranger, CTRL_REJECT_MTU, "a stranger");
		party_run(party, 5 * BASE_SECOND);
	}
	assert_false(party->conns[1].close_asked || party->conns[2].close_asked);
	party_free(party);
}

/* What the path carries is not what is known of it in the first moment. */
static void test_narrowing_waits_for_the_path(void **state) {
	struct party *party = narrowed_party();
	struct conn *gateway = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_GATEWAY, 0, 1);

	(void)state;
	gateway->settled = false;
	gateway->budget = 1168;
	hello.hello.budget = 1302;
	party_say(gateway, &hello);
	party_run(party, 100 * BASE_MS);
	gateway->budget = 1440;
	party_run(party, 100 * BASE_MS);
	assert_int_equal(welcome_of(gateway, "gateway")->mtu, 1280);
	party_free(party);
}

/* Two wait for the same empty room: the first to be decided fixes the MTU, the other meets it. */
static void test_two_settle_for_one_room(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_connect(party);
	struct conn *b = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 0);

	(void)state;
	a->settled = b->settled = false;
	a->budget = b->budget = 1168;
	party_say(a, &hello);
	hello.hello.mac = party_mac(2);
	party_say(b, &hello);
	party_run(party, 100 * BASE_MS);
	b->budget = 1440;
	party_run(party, 100 * BASE_MS);
	assert_int_equal(welcome_of(b, "b")->mtu, 1344);
	a->budget = 1300;
	a->settled = true;
	party_run(party, 100 * BASE_MS);
	party_assert_rejected(a, CTRL_REJECT_MTU, "a");
	party_free(party);
}

/* And two for the same MAC: the later one meets the earlier. */
static void test_two_settle_for_one_mac(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_connect(party);
	struct conn *b = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 0);

	(void)state;
	a->settled = b->settled = false;
	a->budget = b->budget = 1168;
	party_say(a, &hello);
	party_say(b, &hello);
	b->settled = true;
	party_run(party, 20 * BASE_MS);
	assert_non_null(party_last(b, CTRL_WELCOME));
	a->settled = true;
	party_run(party, 20 * BASE_MS);
	party_assert_rejected(a, CTRL_REJECT_DUPLICATE_MAC, "a");
	party_free(party);
}

static void test_leaving_while_settling(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn = party_connect(party);
	struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 0);

	(void)state;
	conn->settled = false;
	conn->budget = 1168;
	party_say(conn, &hello);
	party_hang_up(conn, CTRL_LEAVE_TIMEOUT);
	party_run(party, 3 * BASE_SECOND);
	assert_int_equal(party->core->rooms.len, 0);
	assert_int_equal(relay_core_peer_count(party->core), 0);
	party_free(party);
}

/* RLY-15: a room that has given out every id takes nobody in. */
static void test_ids_run_out(void **state) {
	struct party *party = party_new(NULL);
	struct conn *conn = party_join(party, "R", 1, 0);

	(void)state;
	party_room(party, "R")->next_id = UINT32_MAX;
	assert_int_equal(welcome_of(party_join(party, "R", 2, 0), "last")->peer_id, UINT32_MAX);
	party_assert_rejected(party_join(party, "R", 3, 0), CTRL_REJECT_INTERNAL, "wrapped");
	assert_int_equal(conn->peer->id, 1);
	party_free(party);
}

static void test_bad_limits(void **state) {
	struct relay_core_options options = {.limits = RELAY_LIMITS_DEFAULT};
	const struct relay_limits good = RELAY_LIMITS_DEFAULT;
	struct relay_limits bad[] = {good, good, good, good, good, good};
	struct relay_core *core = NULL;

	(void)state;
	bad[0].address_joins.burst = RELAY_RATE_MAX + 1;
	bad[1].peers_max = 0;
	bad[2].rooms_max = 0;
	bad[3].room_peers_max = 0;
	bad[4].pool_frames = 0;
	bad[5].room_mtu_max = PROTO_TAP_MTU_MIN - 1;
	options.limits.room_mtu_max = PROTO_TAP_MTU_MAX + 1;
	assert_int_equal(relay_core_new(&options, &core), BASE_E_INVALID);
	options.limits.room_mtu_max = 1344;
	options.limits.broadcast.per_second = RELAY_RATE_MAX + 1;
	assert_int_equal(relay_core_new(&options, &core), BASE_E_INVALID);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options.limits = bad[i];
		assert_int_equal(relay_core_new(&options, &core), BASE_E_INVALID);
	}
	assert_null(core);
}

static void test_mac_of_a_lan_station(void **state) {
	struct party *party = party_new(NULL);
	struct conn *gateway = party_gateway(party, "R");

	(void)state;
	party_send(gateway, party_broadcast, party_mac(5), 60);
	party_assert_rejected(party_join(party, "R", 5, 1), CTRL_REJECT_DUPLICATE_MAC, "the router's MAC");
	assert_non_null(party_last(party_join(party, "R", 6, 2), CTRL_WELCOME));
	assert_non_null(party_last(party_join(party, "OTHER", 5, 1), CTRL_WELCOME));
	party_run(party, RELAY_STATION_AGE_NS);
	assert_non_null(party_last(party_join(party, "R", 5, 1), CTRL_WELCOME));
	/* Once inside, it is not put out by what comes back from the LAN: that may be a loop. */
	party_send(gateway, party_broadcast, party_mac(5), 60);
	assert_non_null(party_last(party_join(party, "R", 5, 1), CTRL_WELCOME));
	party_free(party);
}

/* A gateway's stations are those of its LAN, also when it has gone, in whatever way; another one has another LAN. */
static void test_stations_of_a_former_gateway(void **state) {
	struct ctrl_message quit = {.type = CTRL_DISCONNECT, .disconnect.reason = CTRL_LEAVE_QUIT};
	struct party *party = party_new(NULL);
	struct conn *gateway = party_join(party, "R", 0, 7);

	(void)state;
	party_join(party, "R", 9, 0);
	party_send(gateway, party_broadcast, party_mac(5), 60);
	party_hang_up(gateway, CTRL_LEAVE_TIMEOUT);
	gateway = party_join(party, "R", 0, 7);
	party_assert_rejected(party_join(party, "R", 5, 5), CTRL_REJECT_DUPLICATE_MAC, "the same gateway");
	gateway = party_join(party, "R", 0, 7); /* on a connection of its own, before the old one is gone */
	party_assert_rejected(party_join(party, "R", 5, 5), CTRL_REJECT_DUPLICATE_MAC, "taken over");
	party_hang_up(gateway, CTRL_LEAVE_TIMEOUT);
	party_run(party, 2 * RELAY_GATEWAY_HOLD_NS);
	gateway = party_join(party, "R", 0, 7);
	party_assert_rejected(party_join(party, "R", 5, 5), CTRL_REJECT_DUPLICATE_MAC, "back after its seat was free");
	party_say(gateway, &quit);
	party_assert_rejected(party_join(party, "R", 5, 5), CTRL_REJECT_DUPLICATE_MAC, "while it is started again");
	party_join(party, "R", 0, 7);
	party_assert_rejected(party_join(party, "R", 5, 5), CTRL_REJECT_DUPLICATE_MAC, "started again");
	party_say(party_join(party, "R", 0, 7), &quit);
	welcome_of(party_join(party, "R", 0, 8), "another gateway");
	welcome_of(party_join(party, "R", 5, 5), "a client");
	party_free(party);
}

/* Whoever has a seat of its own that is kept was no station when it came, so it is none when it is back: a loop of the
 * LAN, or who sat in the gateway's place for a moment, does not keep it out. */
static void test_kept_seat_is_no_station(void **state) {
	struct party *party = party_new(NULL);
	struct conn *gateway = party_join(party, "R", 0, 7);

	(void)state;
	party_hang_up(party_join(party, "R", 5, 5), CTRL_LEAVE_TIMEOUT);
	party_send(gateway, party_broadcast, party_mac(5), 60);
	party_assert_rejected(party_join(party, "R", 5, 6), CTRL_REJECT_DUPLICATE_MAC, "another key");
	welcome_of(party_join(party, "R", 5, 5), "its own");
	party_free(party);
}

/* Whoever is the gateway can be everybody's router: a lost connection is no chance for a guest. */
static void test_gateway_seat_is_kept(void **state) {
	struct ctrl_message quit = {.type = CTRL_DISCONNECT, .disconnect.reason = CTRL_LEAVE_QUIT};
	struct party *party = party_new(NULL);
	struct conn *gateway = party_join(party, "R", 0, 1);

	(void)state;
	party_join(party, "R", 7, 7); /* keeps the room open */
	party_send(gateway, party_broadcast, party_mac(5), 60);
	party_hang_up(gateway, CTRL_LEAVE_TIMEOUT);
	party_assert_rejected(party_join(party, "R", 0, 2), CTRL_REJECT_GATEWAY_EXISTS, "another key");
	party_assert_rejected(party_join(party, "R", 0, 0), CTRL_REJECT_GATEWAY_EXISTS, "no key");
	party_assert_rejected(party_join(party, "R", 5, 5), CTRL_REJECT_DUPLICATE_MAC, "the router's MAC");
	gateway = party_join(party, "R", 0, 1);
	assert_non_null(party_last(gateway, CTRL_WELCOME));
	/* It does not wait for ever ... */
	party_hang_up(gateway, CTRL_LEAVE_CONNECTION_LOST);
	party_run(party, RELAY_GATEWAY_HOLD_NS);
	gateway = party_join(party, "R", 0, 2);
	assert_non_null(party_last(gateway, CTRL_WELCOME));
	/* ... and not at all for one that quits. */
	party_say(gateway, &quit);
	gateway = party_join(party, "R", 0, 3);
	assert_non_null(party_last(gateway, CTRL_WELCOME));
	party_free(party);
}

/* Clients that were in for ever so long and are away do not push it out. */
static void test_gateway_seat_is_not_pushed_out(void **state) {
	const struct relay_seat old = {.stayed_ns = 3600 * BASE_SECOND};
	struct party *party = party_new(NULL);
	struct conn *gateway = party_join(party, "R", 0, 1);

	(void)state;
	party_join(party, "R", 7, 7); /* keeps the room open */
	party_hang_up(gateway, CTRL_LEAVE_TIMEOUT);
	for (unsigned i = 0; i < 2 * RELAY_HOLDS_MAX; i++) {
		struct ctrl_message client = party_hello("R", CTRL_ROLE_CLIENT, 100 + i, 3);

		relay_holds_keep(party_room(party, "R")->holds, &client.hello, &old, BASE_NEVER, party->now);
	}
	party_assert_rejected(party_join(party, "R", 0, 2), CTRL_REJECT_GATEWAY_EXISTS, "another key");
	welcome_of(party_join(party, "R", 0, 1), "the gateway");
	party_free(party);
}

/* Nor does a client that waited for a place get that of the gateway. */
static void test_gateway_place_is_kept(void **state) {
	struct ctrl_message quit = {.type = CTRL_DISCONNECT, .disconnect.reason = CTRL_LEAVE_QUIT};
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;
	struct conn *gateway, *client;

	(void)state;
	limits.room_peers_max = 3;
	party = party_new(&limits);
	gateway = party_join(party, "R", 0, 9);
	party_join(party, "R", 1, 1);
	client = party_join(party, "R", 2, 2);
	party_hang_up(gateway, CTRL_LEAVE_TIMEOUT);
	party_assert_rejected(party_join(party, "R", 3, 3), CTRL_REJECT_ROOM_FULL, "instead of the gateway");
	party_hang_up(client, CTRL_LEAVE_TIMEOUT);
	client = party_join(party, "R", 2, 2);
	welcome_of(client, "its own place");
	gateway = party_join(party, "R", 0, 9);
	welcome_of(gateway, "gateway");
	party_hang_up(client, CTRL_LEAVE_TIMEOUT);
	welcome_of(party_join(party, "R", 3, 3), "beside the gateway");
	/* However long it takes, whoever the next one is. */
	party_hang_up(gateway, CTRL_LEAVE_TIMEOUT);
	party_run(party, 10 * RELAY_GATEWAY_HOLD_NS);
	party_assert_rejected(party_join(party, "R", 4, 4), CTRL_REJECT_ROOM_FULL, "after a while");
	gateway = party_join(party, "R", 0, 8);
	welcome_of(gateway, "another gateway");
	party_say(gateway, &quit);
	party_assert_rejected(party_join(party, "R", 4, 4), CTRL_REJECT_ROOM_FULL, "while it is started again");
	welcome_of(party_join(party, "R", 0, 8), "started again");
	party_free(party);
}

/* The MAC of a client that has gone is kept for it: its own key comes in at once, everybody else waits. */
static void test_client_seat_is_kept(void **state) {
	static const struct {
		const char *label;
		bool quits;
		uint64_t kept_ns; /* 0: not at all */
		unsigned key;
	} cases[] = {
	    {"lost its connection", false, RELAY_CLIENT_HOLD_NS, 1},
	    {"quit", true, RELAY_QUIT_HOLD_NS, 1},
	    {"lost its connection, has no key", false, 0, 0},
	    {"quit, has no key", true, 0, 0},
	};
	struct ctrl_message quit = {.type = CTRL_DISCONNECT, .disconnect.reason = CTRL_LEAVE_QUIT};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned owner = 0; owner < (cases[i].kept_ns > 0 ? 2 : 1); owner++) {
			struct party *party = party_new(NULL);
			struct conn *conn;

			party_join(party, "R", 0, 9); /* keeps the room open */
			conn = party_join(party, "R", 1, cases[i].key);
			if (cases[i].quits)
				party_say(conn, &quit);
			else
				party_hang_up(conn, CTRL_LEAVE_TIMEOUT);
			if (cases[i].kept_ns > 0) {
				party_assert_rejected(party_join(party, "R", 1, 2), CTRL_REJECT_DUPLICATE_MAC, cases[i].label);
				party_assert_rejected(party_join(party, "R", 1, 0), CTRL_REJECT_DUPLICATE_MAC, cases[i].label);
				party_run(party, cases[i].kept_ns - 2 * RELAY_LINGER_NS - 1);
				if (owner == 1)
					welcome_of(party_join(party, "R", 1, 1), cases[i].label);
				party_assert_rejected(party_join(party, "R", 1, 2), CTRL_REJECT_DUPLICATE_MAC, cases[i].label);
				party_run(party, 1);
			}
			/* Whoever came back has the seat for as long as it likes. */
			if (owner == 1)
				party_assert_rejected(party_join(party, "R", 1, 2), CTRL_REJECT_DUPLICATE_MAC, cases[i].label);
			else
				welcome_of(party_join(party, "R", 1, 2), cases[i].label);
			welcome_of(party_join(party, "S", 1, 3), cases[i].label);
			party_free(party);
		}
	}
}

/* Whoever comes back to a kept seat does not wait for the rate of new peers. */
static void test_kept_seat_is_not_new(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;
	struct party *party;

	(void)state;
	limits.room_joins = (struct relay_rate){60, RELAY_JOIN_TOKENS};
	party = party_new(&limits);
	party_join(party, "R", 0, 9);
	party_hang_up(party_join(party, "R", 1, 1), CTRL_LEAVE_CONNECTION_LOST);
	party_assert_rejected(party_join(party, "R", 2, 2), CTRL_REJECT_RATE, "new");
	welcome_of(party_join(party, "R", 1, 1), "known");
	party_free(party);
}

/* Somebody who is in room "R" comes again: at once in its own place, or after it was lost, or says that it was
 * replaced. */
static struct conn *come_again(struct party *party, struct conn *conn, unsigned mac, int how) {
	struct ctrl_message replaced = {.type = CTRL_DISCONNECT, .disconnect.reason = CTRL_LEAVE_REPLACED};

	if (how == 1)
		party_hang_up(conn, CTRL_LEAVE_CONNECTION_LOST);
	if (how == 2)
		party_say(conn, &replaced);
	return party_join(party, "R", mac, mac + 1);
}

static size_t broadcasts(struct conn *conn, unsigned mac) {
	uint64_t before = conn->peer->forwarded;

	for (int i = 0; i < 50; i++)
		party_send(conn, party_broadcast, party_mac(mac == 0 ? 0x0a00 : mac), 60);
	return (size_t)(conn->peer->forwarded - before);
}

/* Who has used up its rates does not get them anew by coming again. */
static void test_rates_stay_with_the_seat(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;

	(void)state;
	limits.broadcast = limits.gateway_broadcast = (struct relay_rate){1, 20};
	for (unsigned mac = 0; mac < 2; mac++) {
		for (int how = 0; how < 3; how++) {
			struct party *party = party_new(&limits);
			struct conn *conn;

			party_join(party, "R", 9, 9);
			conn = party_join(party, "R", mac, mac + 1);
			assert_int_equal(broadcasts(conn, mac), 20);
			for (int i = 0; i < 3; i++) {
				conn = come_again(party, conn, mac, how);
				assert_int_equal(broadcasts(conn, mac), 0);
			}
			party_run(party, BASE_SECOND);
			assert_int_equal(broadcasts(conn, mac), 1);
			party_free(party);
		}
	}
}

/* Each return is told to everybody twice, so a peer returns at a rate, from however many addresses; the others and who
 * is new do not wait for it. */
static void test_returns_are_limited(void **state) {
	struct relay_limits limits = RELAY_LIMITS_DEFAULT;

	(void)state;
	limits.address_joins = (struct relay_rate){60, 3 * RELAY_JOIN_TOKENS};
	for (int how = 0; how < 3; how++) {
		struct party *party = party_new(&limits);
		struct conn *conn, *refused;

		party_join(party, "R", 0, 9);
		party_join(party, "R", 2, 3);
		conn = party_join(party, "R", 1, 2);
		for (int i = 0; i < 3; i++)
			welcome_of(conn = come_again(party, conn, 1, how), "returns");
		refused = come_again(party, conn, 1, how);
		assert_string_equal(party_last(refused, CTRL_REJECT)->message.reject.text, "this peer joined too often lately");
		party_assert_rejected(refused, CTRL_REJECT_RATE, "too often");
		if (how == 0)
			assert_int_equal(conn->peer->state, RELAY_PEER_JOINED);
		welcome_of(party_join(party, "R", 2, 3), "another");
		welcome_of(party_join(party, "R", 4, 4), "new");
		party_run(party, BASE_SECOND);
		welcome_of(party_join(party, "R", 1, 2), "a while later");
		party_free(party);
	}
}

/* A short line does not make a short stay: else a crowd that stays a little longer pushes out the seat. */
static void test_stay_goes_on(void **state) {
	(void)state;
	for (int how = 0; how < 3; how++) {
		struct ctrl_message hello = party_hello("R", CTRL_ROLE_CLIENT, 1, 2);
		struct party *party = party_new(NULL);
		struct conn *conn;

		party_join(party, "R", 0, 9);
		conn = party_join(party, "R", 1, 2);
		party_run(party, 3600 * BASE_SECOND);
		conn = come_again(party, conn, 1, how);
		party_run(party, 10 * BASE_SECOND);
		party_hang_up(conn, CTRL_LEAVE_TIMEOUT);
		assert_int_equal(relay_holds_own(party_room(party, "R")->holds, &hello.hello, party->now)->stayed_ns,
		                 3610 * BASE_SECOND);
		party_free(party);
	}
}

/* A seat that is taken over is not left: it pushes out none that is kept. */
static void test_takeover_keeps_nothing(void **state) {
	struct party *party = party_new(NULL);

	(void)state;
	party_join(party, "R", 0, 9);
	for (unsigned i = 0; i < 3; i++)
		party_join(party, "R", 1, 1);
	party_join(party, "R", 0, 9);
	assert_null(party_room(party, "R")->holds);
	party_free(party);
}

/* Whose refusals are swallowed in the log swallows none of those of others for the same reason. */
static void test_floods_of_rejects_are_of_networks(void **state) {
	struct party *party = party_new_logged(OBS_INFO);

	(void)state;
	party_join(party, "R", 1, 1);
	party_join(party, "S", 1, 1);
	party->one_address = true;
	for (int i = 0; i < 20; i++)
		party_join(party, "R", 1, 2);
	party->one_address = false;
	party_assert_rejected(party_join(party, "S", 1, 2), CTRL_REJECT_DUPLICATE_MAC, "another");
	assert_non_null(strstr(party->log_text, "peer_rejected code=duplicate_mac remote=192.0.2.200:999 room=R"));
	assert_non_null(strstr(party->log_text, "peer_rejected code=duplicate_mac remote=192.0.2.23:999 room=S"));
	obs_log_tick(party->log, party->now + OBS_FLOOD_NS);
	assert_non_null(
	    strstr(party->log_text, "peer_rejected_suppressed count=15 network=192.0.2.200 reason=duplicate_mac\n"));
	party_free(party);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_who_may_join),
	    cmocka_unit_test(test_no_key_is_no_seat),
	    cmocka_unit_test(test_room_and_relay_full),
	    cmocka_unit_test(test_empty_room_gives_way),
	    cmocka_unit_test(test_connections_are_bounded),
	    cmocka_unit_test(test_room_joins_are_limited),
	    cmocka_unit_test(test_address_joins_are_limited),
	    cmocka_unit_test(test_whole_room_joins_at_once),
	    cmocka_unit_test(test_mtu),
	    cmocka_unit_test(test_mtu_reject_has_numbers),
	    cmocka_unit_test(test_room_key),
	    cmocka_unit_test(test_stranger_with_gateway),
	    cmocka_unit_test(test_gateways_of_one_code),
	    cmocka_unit_test(test_rooms_of_one_code),
	    cmocka_unit_test(test_guesses_are_limited),
	    cmocka_unit_test(test_refused_guesses_are_limited),
	    cmocka_unit_test(test_mtu_with_room_key),
	    cmocka_unit_test(test_smallest_limit_with_room_key),
	    cmocka_unit_test(test_failed_takeover_leaves_the_seat),
	    cmocka_unit_test(test_settling),
	    cmocka_unit_test(test_hopeless_is_rejected_at_once),
	    cmocka_unit_test(test_room_is_narrowed_for_its_gateway),
	    cmocka_unit_test(test_room_is_narrowed_at_a_takeover),
	    cmocka_unit_test(test_room_without_ipv6),
	    cmocka_unit_test(test_a_bad_moment_of_a_young_clock),
	    cmocka_unit_test(test_a_bad_moment_long_ago),
	    cmocka_unit_test(test_sealed_room_is_narrowed),
	    cmocka_unit_test(test_room_is_narrowed_for_the_wider_path),
	    cmocka_unit_test(test_room_is_not_narrowed_for_others),
	    cmocka_unit_test(test_narrowing_waits_for_the_path),
	    cmocka_unit_test(test_two_settle_for_one_room),
	    cmocka_unit_test(test_two_settle_for_one_mac),
	    cmocka_unit_test(test_leaving_while_settling),
	    cmocka_unit_test(test_ids_run_out),
	    cmocka_unit_test(test_bad_limits),
	    cmocka_unit_test(test_mac_of_a_lan_station),
	    cmocka_unit_test(test_stations_of_a_former_gateway),
	    cmocka_unit_test(test_kept_seat_is_no_station),
	    cmocka_unit_test(test_gateway_seat_is_kept),
	    cmocka_unit_test(test_gateway_seat_is_not_pushed_out),
	    cmocka_unit_test(test_gateway_place_is_kept),
	    cmocka_unit_test(test_client_seat_is_kept),
	    cmocka_unit_test(test_kept_seat_is_not_new),
	    cmocka_unit_test(test_rates_stay_with_the_seat),
	    cmocka_unit_test(test_returns_are_limited),
	    cmocka_unit_test(test_stay_goes_on),
	    cmocka_unit_test(test_takeover_keeps_nothing),
	    cmocka_unit_test(test_floods_of_rejects_are_of_networks),
	};

	return cmocka_run_group_tests_name("relay/admission", tests, NULL, NULL);
}
