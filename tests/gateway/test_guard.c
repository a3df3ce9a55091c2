#include "gateway/guard.h"

#include "gateway/limits.h"
#include "tests/gateway/claims.h"

#include <stdio.h>

static const uint64_t seed[2] = {3, 4};

static void learn(struct gateway_guard *guard, const char *text, uint64_t now) {
	struct test_frame frame;
	struct proto_ether ether;
	unit_assert_true(parse(&frame, text, &ether), text);
	gateway_guard_learn(guard, &ether, now);
}

static bool allows(struct gateway_guard *guard, const char *text, uint64_t now) {
	struct test_frame frame;
	struct proto_ether ether;
	unit_assert_true(parse(&frame, text, &ether), text);
	return gateway_guard_allows(guard, &ether, now);
}

static void test_claims(void **state) {
	static const struct {
		const char *label, *lan, *remote;
		bool allowed;
	} cases[] = {
	    {"arp reply for the router's address", LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP),
	     REMOTE ARP_REPLY("020000000001", ROUTER_IP), false},
	    {"arp request that says so", LAN_STATION ARP_REPLY("001122334455", ROUTER_IP),
	     REMOTE ARP_REQUEST("020000000001", ROUTER_IP), false},
	    {"another address", LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP),
	     REMOTE ARP_REPLY("020000000001", OTHER_IP), true},
	    {"arp probe of a taken address (RFC 5227)", LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP),
	     REMOTE TYPE_ARP "0001 020000000001 00000000 000000000000 " ROUTER_IP, true},
	    {"a probe of the LAN for another address", LAN_STATION ARP_REQUEST("001122334455", "00000000"),
	     REMOTE ARP_REPLY("020000000001", OTHER_IP), true},
	    {"an IP source binds nothing", LAN_STATION "0800 45000014 00000000 40110000 " OTHER_IP " ffffffff",
	     REMOTE ARP_REPLY("020000000001", OTHER_IP), true},
	    {"a client heard while another gateway had the seat", REMOTE ARP_REQUEST("020000000001", OTHER_IP),
	     REMOTE ARP_REQUEST("020000000001", OTHER_IP), true},
	    {"another client than that", "ffffffffffff 020000000002 " ARP_REQUEST("020000000002", OTHER_IP),
	     REMOTE ARP_REQUEST("020000000001", OTHER_IP), false},
	    {"ARP for other protocols", LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP),
	     REMOTE "0806 0001 86dd 06 04 0002 020000000001 " ROUTER_IP " 001122334455 c0a80101", true},
	    {"neighbour advertisement against a router advertisement",
	     LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("86") "00000000 00000000",
	     REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") ROUTER_6, false},
	    {"neighbour advertisement of its own", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ROUTER_6,
	     REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") OTHER_6, true},
	    {"neighbour solicitation as source", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ROUTER_6,
	     REMOTE IPV6("3a") ROUTER_6 ALL_NODES ND("87") OTHER_6, false},
	    {"router solicitation as source", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("87") OTHER_6,
	     REMOTE IPV6("3a") ROUTER_6 ALL_NODES ND("85"), false},
	    {"duplicate address detection", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ROUTER_6,
	     REMOTE IPV6("3a") NONE_6 ALL_NODES ND("87") ROUTER_6, true},
	    {"behind a hop-by-hop header", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ROUTER_6,
	     REMOTE IPV6("00") OTHER_6 ALL_NODES HOP_BY_HOP_THEN("3a") ND("88") ROUTER_6, false},
	    {"behind two headers", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ROUTER_6,
	     REMOTE IPV6("33") OTHER_6 ALL_NODES AUTH_THEN("3c") HOP_BY_HOP_THEN("3a") ND("88") ROUTER_6, false},
	    {"neighbour advertisement that a router has passed on",
	     LAN_STATION IPV6_PASSED_ON("3a") ROUTER_6 ALL_NODES ND("88") OTHER_6,
	     REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") OTHER_6, true},
	    {"neighbour solicitation that a router has passed on",
	     LAN_STATION IPV6_PASSED_ON("3a") OTHER_6 ALL_NODES ND("87") ROUTER_6,
	     REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") OTHER_6, true},
	    {"neighbour advertisement to be passed on", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ROUTER_6,
	     REMOTE IPV6_PASSED_ON("3a") OTHER_6 ALL_NODES ND("88") ROUTER_6, false},
	    {"echo request is no claim", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ROUTER_6,
	     REMOTE IPV6("3a") ROUTER_6 ALL_NODES ND("80") ROUTER_6, true},
	    {"UDP is no claim", LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ROUTER_6,
	     REMOTE IPV6("11") ROUTER_6 ALL_NODES "0035 0035 0008 0000", true},
	    {"UDP of the LAN whose port looks like an advertisement",
	     LAN_STATION IPV6("11") ROUTER_6 ALL_NODES "8800 0035 0018 0000 " OTHER_6,
	     REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") OTHER_6, true},
	    {"echo request of the LAN whose data looks like a probe",
	     LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("80") OTHER_6,
	     REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") OTHER_6, true},
	    {"neighbour advertisement whose target is padding",
	     LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") ". " OTHER_6,
	     REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") OTHER_6, true},
	    {"probe that a router has passed on", LAN_STATION IPV6_PASSED_ON("3a") NONE_6 ALL_NODES ND("87") OTHER_6,
	     REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") OTHER_6, true},
	    {"length frames are no claim", LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP),
	     REMOTE "0008 aaaa030000000806", true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gateway_guard *guard = gateway_guard_new(seed);
		assert_non_null(guard);
		unit_assert_int(allows(guard, cases[i].remote, 5), true, cases[i].label); /* nobody holds it yet */
		learn(guard, cases[i].lan, 10);
		unit_assert_int(allows(guard, cases[i].remote, 20), cases[i].allowed, cases[i].label);
		gateway_guard_free(guard);
	}
}

/* op..flags, four addresses of which the last is the relay agent's, then the client's MAC */
#define DHCP(relay_agent, mac) "01010600 00000001 00000000 z000c " relay_agent " " mac " z000a z00c0"
#define TO_PORT(port) "0044 " port " 0000 0000 "
#define FROM_NOBODY "00000000 ffffffff "
#define NO_AGENT "00000000"
#define OWN "020000000001"

static void test_dhcp_requests(void **state) {
	static const struct {
		const char *label, *frame;
		bool allowed;
	} cases[] = {
	    {"its own", REMOTE "0800 45000000 00000000 40110000 " FROM_NOBODY TO_PORT("0043") DHCP(NO_AGENT, OWN), true},
	    {"with IP options",
	     REMOTE "0800 46000000 00000000 40110000 " FROM_NOBODY "94040000 " TO_PORT("0043") DHCP(NO_AGENT, OWN), true},
	    {"another machine's, with IP options",
	     REMOTE "0800 46000000 00000000 40110000 " FROM_NOBODY "94040000 " TO_PORT("0043")
	         DHCP(NO_AGENT, "001122334455"),
	     false},
	    {"another machine's",
	     REMOTE "0800 45000000 00000000 40110000 " FROM_NOBODY TO_PORT("0043") DHCP(NO_AGENT, "001122334455"), false},
	    {"by a relay agent", REMOTE "0800 45000000 00000000 40110000 " FROM_NOBODY TO_PORT("0043") DHCP(ROUTER_IP, OWN),
	     false},
	    {"first fragment", REMOTE "0800 45000000 00002000 40110000 " FROM_NOBODY TO_PORT("0043") DHCP(NO_AGENT, OWN),
	     false},
	    {"cut off", REMOTE "0800 45000000 00000000 40110000 " FROM_NOBODY TO_PORT("0043") "01010600", false},
	    {"a byte too short",
	     REMOTE "0800 45000000 00000000 40110000 " FROM_NOBODY TO_PORT(
	         "0043") "01010600 00000001 00000000 z000c " NO_AGENT OWN "z000a z00bf",
	     false},
	    {"another port", REMOTE "0800 45000000 00000000 40110000 " FROM_NOBODY TO_PORT("0045") "01010600", true},
	    {"a later fragment", REMOTE "0800 45000000 00000001 40110000 " FROM_NOBODY TO_PORT("0043") "01010600", true},
	    {"TCP", REMOTE "0800 45000000 00000000 40060000 " FROM_NOBODY TO_PORT("0043") "01010600", true},
	};
	struct gateway_guard *guard = gateway_guard_new(seed);
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unit_assert_int(allows(guard, cases[i].frame, 1), cases[i].allowed, cases[i].label);
	}
	gateway_guard_free(guard);
}

#define DHCP_FROM(mac, ip)                                     \
	"ffffffffffff " mac " 0800 45000000 00000000 40110000 " ip \
	" ffffffff " TO_PORT("0043") "01010600 00000001 "          \
	                             "00000000 " ip " z000c " mac " z000a z00c0"

/* A lease is found by its client identifier, which says nothing of who asks. */
static void test_dhcp_of_a_station_s_address(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	(void)state;
	assert_true(allows(guard, DHCP_FROM(OWN, OTHER_IP), 1));
	learn(guard, LAN_STATION ARP_REQUEST("001122334455", OTHER_IP), 1);
	assert_false(allows(guard, DHCP_FROM(OWN, OTHER_IP), 2));
	assert_true(allows(guard, DHCP_FROM(OWN, ROUTER_IP), 2));
	assert_true(allows(guard, DHCP_FROM(OWN, "00000000"), 2));
	assert_true(allows(guard, DHCP_FROM(OWN, OTHER_IP), 1 + GATEWAY_GUARD_AGE_NS));
	gateway_guard_free(guard);
}

static void test_bindings_end_unless_seen(void **state) {
	static const char claim[] = REMOTE ARP_REPLY("020000000001", ROUTER_IP);
	static const char packet[] = LAN_STATION "0800 45000014 00000000 40110000 " ROUTER_IP " ffffffff";
	static const char packet_of_other[] =
	    "ffffffffffff 00aaaaaaaaaa 0800 45000014 00000000 40110000 " ROUTER_IP " ffffffff";
	struct gateway_guard *guard = gateway_guard_new(seed);
	(void)state;
	learn(guard, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), 0);
	assert_false(allows(guard, claim, GATEWAY_GUARD_AGE_NS - 1));
	assert_true(allows(guard, claim, GATEWAY_GUARD_AGE_NS));

	learn(guard, packet_of_other, 10 * BASE_SECOND); /* not the holder: no news of it */
	assert_true(allows(guard, claim, GATEWAY_GUARD_AGE_NS));
	learn(guard, packet, 10 * BASE_SECOND);
	assert_false(allows(guard, claim, GATEWAY_GUARD_AGE_NS));
	assert_true(allows(guard, claim, GATEWAY_GUARD_AGE_NS + 10 * BASE_SECOND));
	gateway_guard_free(guard);
}

static void test_ipv6_packets_refresh_too(void **state) {
	static const char claim[] = REMOTE ADVERT(ROUTER_6);
	struct gateway_guard *guard = gateway_guard_new(seed);
	(void)state;
	learn(guard, LAN_STATION ADVERT(ROUTER_6), 0);
	learn(guard, LAN_STATION IPV6("11") ROUTER_6 ALL_NODES "0035 0035 0008 0000", 10 * BASE_SECOND);
	assert_false(allows(guard, claim, GATEWAY_GUARD_AGE_NS + 10 * BASE_SECOND - 1));
	assert_true(allows(guard, claim, GATEWAY_GUARD_AGE_NS + 10 * BASE_SECOND));
	gateway_guard_free(guard);
}

#define ADVERTISED(seconds) LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES "86 00 0000 40 00 " seconds " 00000000 00000000"

static void test_routers_stay_for_their_lifetime(void **state) {
	static const char claim[] = REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") ROUTER_6;
	struct gateway_guard *guard = gateway_guard_new(seed);
	(void)state;
	learn(guard, ADVERTISED("0708"), 0);
	assert_false(allows(guard, claim, 1800 * BASE_SECOND - 1));
	assert_true(allows(guard, claim, 1800 * BASE_SECOND));
	learn(guard, ADVERTISED("0000"), 2000 * BASE_SECOND);
	assert_true(allows(guard, claim, 2000 * BASE_SECOND + GATEWAY_GUARD_AGE_NS));
	learn(guard, ADVERTISED("0708"), 3000 * BASE_SECOND);
	learn(guard, "ffffffffffff 00aaaaaaaaaa " IPV6("3a") ROUTER_6 ALL_NODES ND("87") OTHER_6, 3001 * BASE_SECOND);
	assert_true(allows(guard, claim, 3001 * BASE_SECOND + GATEWAY_GUARD_AGE_NS)); /* another station's now */
	/* Cut off before the lifetime: none, whatever follows as padding. */
	learn(guard, LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES "86 00 0000 40 00 . ffff", 4000 * BASE_SECOND);
	assert_true(allows(guard, claim, 4000 * BASE_SECOND + GATEWAY_GUARD_AGE_NS));
	learn(guard, ADVERTISED("0708"), 5000 * BASE_SECOND);
	learn(guard, LAN_STATION ADVERT(ROUTER_6), 5001 * BASE_SECOND); /* what else it says ends nothing */
	assert_false(allows(guard, claim, 5001 * BASE_SECOND + GATEWAY_GUARD_AGE_NS));
	gateway_guard_free(guard);
}

static void test_holds_what_the_machine_has(void **state) {
	static const uint8_t v4[] = {192, 168, 1, 1}, v6[16] = {0xfe, 0x80, [15] = 1};
	struct gateway_guard *guard = gateway_guard_new(seed);
	(void)state;
	gateway_guard_hold(guard, slice_of(v4, sizeof(v4)), 0);
	gateway_guard_hold(guard, slice_of(v6, sizeof(v6)), 0);
	gateway_guard_hold(guard, slice_of(v6, 6), 0);
	assert_int_equal(gateway_guard_count(guard), 2);
	assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), 1));
	assert_true(allows(guard, REMOTE ARP_REPLY("020000000001", OTHER_IP), 1));
	assert_false(allows(guard, REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") ROUTER_6, 1));
	assert_true(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), GATEWAY_GUARD_AGE_NS));
	gateway_guard_free(guard);
}

static void test_stations_are_remembered(void **state) {
	static const struct proto_mac station = {{0, 0x11, 0x22, 0x33, 0x44, 0x55}};
	struct gateway_guard *guard = gateway_guard_new(seed);
	(void)state;
	assert_false(gateway_guard_on_lan(guard, station, 0));
	gateway_guard_hear(guard, station, 1);
	assert_true(gateway_guard_on_lan(guard, station, GATEWAY_GUARD_STATION_AGE_NS));
	assert_false(gateway_guard_on_lan(guard, station, GATEWAY_GUARD_STATION_AGE_NS + 1));
	gateway_guard_hear(guard, station, 10);
	assert_true(gateway_guard_on_lan(guard, station, GATEWAY_GUARD_STATION_AGE_NS + 1));
	gateway_guard_hear(guard, (struct proto_mac){{0}}, 10);
	gateway_guard_hear(guard, proto_mac_of((const uint8_t *)"\xff\xff\xff\xff\xff\xff"), 10);
	assert_int_equal(gateway_guard_count(guard), 1);
	gateway_guard_free(guard);
}

static void learn_number(struct gateway_guard *guard, uint32_t ip, uint64_t now) {
	struct test_frame frame;
	struct proto_ether ether;
	assert_true(parse(&frame, LAN_STATION ARP_REQUEST("001122334455", "00000000"), &ether));
	base_put_u32(frame.bytes + 28, ip);
	ether.src.b[5] = (uint8_t)(ip / GATEWAY_GUARD_HELD_MAX); /* as many a station as it may hold */
	gateway_guard_learn(guard, &ether, now);
}

static void test_longest_unseen_makes_room(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	(void)state;
	learn_number(guard, 0xc0a80101, 0);
	learn_number(guard, 0xc0a80142, 1);
	for (uint32_t i = 2; i < GATEWAY_GUARD_ENTRIES_MAX; i++)
		learn_number(guard, 0x0a010000 + i, i);
	assert_int_equal(gateway_guard_count(guard), GATEWAY_GUARD_ENTRIES_MAX);
	learn_number(guard, 0xc0a80101, 10000); /* seen again: the other one is now the oldest */
	learn_number(guard, 0x0b000000, 10001);
	assert_int_equal(gateway_guard_count(guard), GATEWAY_GUARD_ENTRIES_MAX);
	assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), 10002));
	assert_true(allows(guard, REMOTE ARP_REPLY("020000000001", OTHER_IP), 10002));
	for (uint32_t i = 0; i < 3 * GATEWAY_GUARD_ENTRIES_MAX; i++)
		learn_number(guard, 0x0c000000 + i, 11000 + i);
	assert_int_equal(gateway_guard_count(guard), GATEWAY_GUARD_ENTRIES_MAX);
	/* Stations whose addresses were pushed out have room for them again. */
	for (uint32_t i = 0; i < GATEWAY_GUARD_HELD_MAX; i++)
		learn_number(guard, 0x0c000000 + i, 40000);
	assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", "0c000000"), 40001));
	gateway_guard_free(guard);
}

/* A router with proxy ARP answers for whatever it is asked about. */
static void test_one_station_cannot_push_others_out(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	struct test_frame frame;
	struct proto_ether ether;
	(void)state;
	learn_number(guard, 0xc0a80142, 0);
	assert_true(parse(&frame, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), &ether));
	for (uint32_t i = 0; i < 3 * GATEWAY_GUARD_ENTRIES_MAX; i++) {
		gateway_guard_learn(guard, &ether, 1);
		base_put_u32(frame.bytes + 28, 0x0a000000 + i);
	}
	assert_int_equal(gateway_guard_count(guard), 1 + GATEWAY_GUARD_HELD_MAX);
	learn(guard, LAN_STATION ARP_PROBE("001122334455", "0b000000"), 1); /* no place for that either */
	assert_int_equal(gateway_guard_count(guard), 1 + GATEWAY_GUARD_HELD_MAX);
	assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", OTHER_IP), 2));
	assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), 2));
	/* Another station takes one of them over: there is room for one more. */
	learn(guard, "ffffffffffff 020000000099 " ARP_REQUEST("020000000099", ROUTER_IP), 3);
	base_put_u32(frame.bytes + 28, 0x0b000001);
	gateway_guard_learn(guard, &ether, 3);
	assert_false(allows(guard, REMOTE "0806 0001 0800 06 04 0002 020000000001 0b000001 001122334455 c0a80101", 4));
	gateway_guard_free(guard);
}

/* What a router with proxy ARP has answered for leaves room for its own address, however much it was asked about. */
static void test_answers_leave_room_for_a_station_s_own(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	struct test_frame frame;
	struct proto_ether ether;
	(void)state;
	assert_true(parse(&frame, LAN_STATION ARP_REPLY("001122334455", OTHER_IP), &ether));
	for (uint32_t i = 0; i < 2 * GATEWAY_GUARD_HELD_MAX; i++) {
		base_put_u32(frame.bytes + 28, 0x0a000000 + i);
		gateway_guard_learn(guard, &ether, 1);
	}
	learn(guard, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), 2);
	learn(guard, LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("88") OTHER_6, 2); /* one more answer */
	learn(guard, LAN_STATION IPV6("3a") ROUTER_6 ALL_NODES ND("87") OTHER_6, 2);
	assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), 3));
	assert_true(allows(guard, REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") OTHER_6, 3));
	assert_false(allows(guard, REMOTE IPV6("3a") OTHER_6 ALL_NODES ND("88") ROUTER_6, 3));
	gateway_guard_free(guard);
}

static void test_stale_places_are_free_again(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	struct test_frame frame;
	struct proto_ether ether;
	uint64_t now = 0;
	(void)state;
	learn_number(guard, 0xc0a80142, now); /* stale in the end, but of a station that holds little */
	assert_true(parse(&frame, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), &ether));
	for (unsigned round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 2 * GATEWAY_GUARD_HELD_MAX; i++) {
			base_put_u32(frame.bytes + 28, 0x0a000000 + (round << 16) + i);
			gateway_guard_learn(guard, &ether, now);
		}
		assert_in_range(gateway_guard_count(guard), GATEWAY_GUARD_HELD_MAX, 1 + GATEWAY_GUARD_HELD_MAX);
		now += GATEWAY_GUARD_AGE_NS;
		learn(guard, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), now); /* had no place before */
		assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), now));
		now += GATEWAY_GUARD_AGE_NS;
	}
	for (uint32_t i = 0; i < GATEWAY_GUARD_ENTRIES_MAX; i++)
		learn_number(guard, 0x0d000000 + i, now);
	assert_int_equal(gateway_guard_count(guard), GATEWAY_GUARD_ENTRIES_MAX); /* no place got lost */
	gateway_guard_free(guard);
}

/* Of a station that holds much, too, its MAC and a router's lifetime go on. */
static void test_what_is_not_stale_stays(void **state) {
	static const struct proto_mac station = {{0, 0x11, 0x22, 0x33, 0x44, 0x55}};
	struct gateway_guard *guard = gateway_guard_new(seed);
	struct test_frame frame;
	struct proto_ether ether;
	(void)state;
	gateway_guard_hear(guard, station, 0);
	learn(guard, ADVERTISED("0708"), 0);
	assert_true(parse(&frame, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), &ether));
	for (uint32_t i = 0; i < GATEWAY_GUARD_HELD_MAX - 1; i++) {
		base_put_u32(frame.bytes + 28, 0x0a000000 + i);
		gateway_guard_learn(guard, &ether, 0);
	}
	learn(guard, LAN_STATION ARP_REQUEST("001122334455", OTHER_IP), GATEWAY_GUARD_AGE_NS);
	assert_int_equal(gateway_guard_count(guard), 2 + GATEWAY_GUARD_ANSWERS_MAX / 2);
	assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", OTHER_IP), GATEWAY_GUARD_AGE_NS));
	assert_true(gateway_guard_on_lan(guard, station, GATEWAY_GUARD_AGE_NS));
	assert_false(allows(guard, REMOTE ADVERT(ROUTER_6), GATEWAY_GUARD_AGE_NS));
	gateway_guard_free(guard);
}

/* Places are looked for now and then only. */
static void test_tidies_now_and_then(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	const uint64_t later = GATEWAY_GUARD_TIDY_NS - 1;
	(void)state;
	for (uint32_t i = 0; i < GATEWAY_GUARD_HELD_MAX; i++) {
		struct test_frame frame;
		struct proto_ether ether;
		assert_true(parse(&frame, LAN_STATION ARP_REQUEST("001122334455", "00000000"), &ether));
		base_put_u32(frame.bytes + 28, 0x0a000000 + i);
		gateway_guard_learn(guard, &ether, later);
	}
	learn(guard, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), GATEWAY_GUARD_AGE_NS); /* nothing is stale yet */
	learn(guard, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), GATEWAY_GUARD_AGE_NS + later);
	assert_true(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), GATEWAY_GUARD_AGE_NS + later));
	learn(guard, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), GATEWAY_GUARD_AGE_NS + later + 1);
	assert_false(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), GATEWAY_GUARD_AGE_NS + later + 1));
	gateway_guard_free(guard);
}

/* A LAN machine that looks for a free address finds one, whatever remote clients say to each of its questions. */
static void test_wanted_addresses(void **state) {
	static const struct {
		const char *label, *probe, *claim, *own_probe, *taken;
	} cases[] = {
	    {"IPv4", LAN_STATION ARP_PROBE("001122334455", OTHER_IP), REMOTE ARP_REPLY("020000000001", OTHER_IP),
	     REMOTE ARP_PROBE("020000000001", OTHER_IP), LAN_STATION ARP_REQUEST("001122334455", OTHER_IP)},
	    {"IPv6", LAN_STATION DAD(OTHER_6), REMOTE ADVERT(OTHER_6), REMOTE DAD(OTHER_6), LAN_STATION ADVERT(OTHER_6)},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gateway_guard *guard = gateway_guard_new(seed);
		const uint64_t start = 1000 * BASE_SECOND, end = start + GATEWAY_GUARD_PROBE_NS;
		unit_assert_true(allows(guard, cases[i].own_probe, start), cases[i].label);
		learn(guard, cases[i].probe, start - 1);
		learn(guard, cases[i].probe, start);
		unit_assert_int(allows(guard, cases[i].claim, end - 1), false, cases[i].label);
		unit_assert_int(allows(guard, cases[i].own_probe, end - 1), false, cases[i].label);
		unit_assert_int(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), start), true, cases[i].label);
		unit_assert_int(allows(guard, cases[i].own_probe, end), true, cases[i].label);
		/* The machine went away. */
		unit_assert_int(allows(guard, cases[i].claim, end), true, cases[i].label);
		/* Another comes, and stays: now it is its own. */
		learn(guard, cases[i].probe, end);
		learn(guard, cases[i].taken, end + 1);
		learn(guard, "ffffffffffff 00aaaaaaaaaa " ARP_PROBE("00aaaaaaaaaa", OTHER_IP), end + 2);
		unit_assert_int(allows(guard, cases[i].claim, end + GATEWAY_GUARD_AGE_NS), false, cases[i].label);
		unit_assert_int(allows(guard, cases[i].own_probe, end + GATEWAY_GUARD_AGE_NS), true, cases[i].label);
		gateway_guard_free(guard);
	}
}

/* Whoever had the address before somebody asked may say so: switches ask now and then who is there. */
static void test_wanted_address_of_a_remote_client(void **state) {
	static const char claim[] = REMOTE ARP_REPLY("020000000001", OTHER_IP);
	static const char probe[] = LAN_STATION ARP_PROBE("001122334455", OTHER_IP);
	struct gateway_guard *guard = gateway_guard_new(seed);
	const uint64_t start = 1000 * BASE_SECOND, later = start + GATEWAY_TENURE_NS;
	(void)state;
	assert_true(allows(guard, claim, start));
	learn(guard, probe, later - 1);
	assert_false(allows(guard, claim, later - 1));
	assert_true(allows(guard, claim, later));
	assert_false(allows(guard, "ffffffffffff 020000000002 " ARP_REPLY("020000000002", OTHER_IP), later));
	gateway_guard_free(guard);
}

/* What only the DHCP server has heard does not count: nobody who had the address could have objected. */
static void test_wanted_address_of_a_lease(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	const uint64_t start = 1000 * BASE_SECOND, later = start + GATEWAY_TENURE_NS;
	(void)state;
	assert_true(allows(guard, DHCP_FROM(OWN, OTHER_IP), start));
	learn(guard, LAN_STATION ARP_PROBE("001122334455", OTHER_IP), later);
	assert_false(allows(guard, REMOTE ARP_REPLY(OWN, OTHER_IP), later));
	gateway_guard_free(guard);
}

/* Nor does to ask for it. */
static void test_wanted_address_of_a_remote_prober(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	const uint64_t start = 1000 * BASE_SECOND, later = start + GATEWAY_TENURE_NS;
	(void)state;
	assert_true(allows(guard, REMOTE ARP_PROBE(OWN, OTHER_IP), start));
	learn(guard, LAN_STATION ARP_PROBE("001122334455", OTHER_IP), later);
	assert_false(allows(guard, REMOTE ARP_REPLY(OWN, OTHER_IP), later));
	gateway_guard_free(guard);
}

/* Another machine that asks for an address takes it from nobody, and who uses one that it asked for has it. */
static void test_wanted_addresses_have_owners(void **state) {
	static const char claim[] = REMOTE ARP_REPLY("020000000001", OTHER_IP);
	static const char packet[] = LAN_STATION "0800 45000014 00000000 40110000 " OTHER_IP " ffffffff";
	struct gateway_guard *guard = gateway_guard_new(seed);
	const uint64_t start = 1000 * BASE_SECOND, stale = start + GATEWAY_GUARD_AGE_NS;
	(void)state;
	learn(guard, LAN_STATION ARP_REQUEST("001122334455", OTHER_IP), start);
	learn(guard, "ffffffffffff 00aaaaaaaaaa " ARP_PROBE("00aaaaaaaaaa", OTHER_IP), stale);
	assert_false(allows(guard, claim, stale + GATEWAY_GUARD_PROBE_NS - 1));
	assert_true(allows(guard, claim, stale + GATEWAY_GUARD_PROBE_NS));
	learn(guard, packet, stale + 1); /* it is still there */
	assert_false(allows(guard, claim, stale + GATEWAY_GUARD_AGE_NS));
	gateway_guard_free(guard);

	guard = gateway_guard_new(seed);
	learn(guard, LAN_STATION ARP_PROBE("001122334455", OTHER_IP), start);
	learn(guard, packet, start + 1);
	assert_false(allows(guard, claim, start + GATEWAY_GUARD_AGE_NS));
	gateway_guard_free(guard);
}

static void tell_for(struct gateway_guard *guard, bool hears, uint64_t seconds, uint64_t *now) {
	for (; seconds > 0; seconds--) {
		*now += BASE_SECOND;
		gateway_guard_tell(guard, hears, *now);
	}
}

static void test_deafness_is_no_silence(void **state) {
	static const struct {
		const char *label;
		uint64_t deaf, asleep; /* seconds */
	} cases[] = {{"no link", 1000, 0}, {"asleep", 0, 1000}, {"for a moment", 0, 6}};
	const struct proto_mac station = {{0, 0x11, 0x22, 0x33, 0x44, 0x55}};
	const uint64_t address_age = GATEWAY_GUARD_AGE_NS / BASE_SECOND;
	const uint64_t station_age = GATEWAY_GUARD_STATION_AGE_NS / BASE_SECOND;
	const uint64_t late = GATEWAY_GUARD_LATE_NS / BASE_SECOND;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gateway_guard *guard = gateway_guard_new(seed);
		uint64_t now = BASE_SECOND;

		gateway_guard_tell(guard, true, now);
		gateway_guard_hear(guard, station, now);
		learn(guard, LAN_STATION ARP_REQUEST("001122334455", ROUTER_IP), now);
		tell_for(guard, true, address_age - late - 1, &now);
		tell_for(guard, false, cases[i].deaf, &now);
		now += cases[i].asleep * BASE_SECOND;
		tell_for(guard, true, 1, &now);
		unit_assert_int(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), now), false, cases[i].label);
		tell_for(guard, true, late, &now);
		unit_assert_int(allows(guard, REMOTE ARP_REPLY("020000000001", ROUTER_IP), now), true, cases[i].label);
		tell_for(guard, true, station_age - address_age - late - 1, &now);
		unit_assert_int(gateway_guard_on_lan(guard, station, now), true, cases[i].label);
		tell_for(guard, true, late + 1, &now);
		unit_assert_int(gateway_guard_on_lan(guard, station, now), false, cases[i].label);
		gateway_guard_free(guard);
	}
}

/* What is heard before the guard is told is not of the future for it afterwards. */
static void test_heard_just_before_it_is_told(void **state) {
	static const struct {
		const char *label;
		bool hears;
		uint64_t pause;
	} cases[] = {
	    {"link lost", false, 1}, {"link back", true, 1}, {"woken up", true, 1000}, {"woken up without", false, 1000}};
	const struct proto_mac station = {{0, 0x11, 0x22, 0x33, 0x44, 0x55}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gateway_guard *guard = gateway_guard_new(seed);
		uint64_t now = BASE_SECOND;

		gateway_guard_tell(guard, i != 1, now);
		now += cases[i].pause * BASE_SECOND;
		gateway_guard_hear(guard, station, now);
		now += BASE_MS;
		gateway_guard_tell(guard, cases[i].hears, now);
		unit_assert_int(gateway_guard_on_lan(guard, station, now), true, cases[i].label);
		tell_for(guard, true, GATEWAY_GUARD_STATION_AGE_NS / BASE_SECOND + 1, &now);
		unit_assert_int(gateway_guard_on_lan(guard, station, now), false, cases[i].label);
		gateway_guard_free(guard);
	}
}

/* It cannot have said so of each address of the LAN beforehand. */
static void test_few_addresses_of_a_remote_client(void **state) {
	struct gateway_guard *guard = gateway_guard_new(seed);
	const uint64_t start = 1000 * BASE_SECOND, later = start + 100 + GATEWAY_TENURE_NS;
	size_t had = 0;
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char text[200];
		(void)snprintf(text, sizeof(text), REMOTE ARP_REPLY("020000000001", "c0a802%02x"), i);
		assert_true(allows(guard, text, start + i));
	}
	for (unsigned i = 0; i < 100; i++) {
		char text[200];
		(void)snprintf(text, sizeof(text), LAN_STATION ARP_PROBE("001122334455", "c0a802%02x"), i);
		learn(guard, text, later);
		(void)snprintf(text, sizeof(text), REMOTE ARP_REPLY("020000000001", "c0a802%02x"), i);
		had += allows(guard, text, later);
	}
	assert_int_equal(had, GATEWAY_TENURE_IPV4);
	gateway_guard_free(guard);
}

static void test_truncated_probes(void **state) {
	static const char *const frames[] = {LAN_STATION ARP_PROBE("001122334455", OTHER_IP), LAN_STATION DAD(OTHER_6)};
	static const char *const claims[] = {REMOTE ARP_REPLY("020000000001", OTHER_IP), REMOTE ADVERT(OTHER_6)};
	static const size_t whole[] = {14 + 28, 14 + 40 + 24};
	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct test_frame frame;
		struct proto_ether ether;
		assert_true(parse(&frame, frames[i], &ether));
		for (size_t len = PROTO_ETHER_HEADER_BYTES; len <= frame.len; len++) {
			struct gateway_guard *guard = gateway_guard_new(seed);
			uint8_t *copy = test_malloc(len);
			memcpy(copy, frame.bytes, len);
			assert_int_equal(proto_ether_parse(slice_of(copy, len), &ether), 0);
			gateway_guard_learn(guard, &ether, BASE_SECOND);
			unit_assert_int(allows(guard, claims[i], BASE_SECOND), len < whole[i], frames[i]);
			test_free(copy);
			gateway_guard_free(guard);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_claims),
	    cmocka_unit_test(test_dhcp_requests),
	    cmocka_unit_test(test_dhcp_of_a_station_s_address),
	    cmocka_unit_test(test_bindings_end_unless_seen),
	    cmocka_unit_test(test_ipv6_packets_refresh_too),
	    cmocka_unit_test(test_routers_stay_for_their_lifetime),
	    cmocka_unit_test(test_holds_what_the_machine_has),
	    cmocka_unit_test(test_stations_are_remembered),
	    cmocka_unit_test(test_longest_unseen_makes_room),
	    cmocka_unit_test(test_one_station_cannot_push_others_out),
	    cmocka_unit_test(test_answers_leave_room_for_a_station_s_own),
	    cmocka_unit_test(test_stale_places_are_free_again),
	    cmocka_unit_test(test_what_is_not_stale_stays),
	    cmocka_unit_test(test_tidies_now_and_then),
	    cmocka_unit_test(test_wanted_addresses),
	    cmocka_unit_test(test_wanted_address_of_a_remote_client),
	    cmocka_unit_test(test_wanted_address_of_a_lease),
	    cmocka_unit_test(test_wanted_address_of_a_remote_prober),
	    cmocka_unit_test(test_wanted_addresses_have_owners),
	    cmocka_unit_test(test_few_addresses_of_a_remote_client),
	    cmocka_unit_test(test_deafness_is_no_silence),
	    cmocka_unit_test(test_heard_just_before_it_is_told),
	    cmocka_unit_test(test_truncated_probes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
