#include "gateway/bridge.h"

#include "policy/policy.h"
#include "tests/policy/frames.h"

#define STATION "001122334455 "
#define STATION_B "001122334466 "
#define ALICE "020000000001 " /* peer 7 */
#define BOB "020000000002 "   /* peer 8 */
#define EVERYBODY "ffffffffffff "
#define IP_UDP "0800 " IP4("0000", "11") UDP("1000", "1000")
#define LAN_ARP(mac, ip) "0806 0001 0800 06 04 0002 " mac " " ip " 020000000001 c0a80132"

#define TAP_MTU 1400
#define NOT_DROPPED ((enum obs_drop)OBS_DROP_COUNT)

static const uint64_t seed[2] = {5, 6};

struct fixture {
	struct gateway_remotes remotes;
	struct gateway_bridge bridge;
	struct obs_counters counters;
	uint8_t sent[4096];
	size_t sent_len;
	unsigned sent_count;
	int refuse; /* what send answers */
};

static int take(void *user, struct slice frame, uint64_t now) {
	struct fixture *fixture = user;
	(void)now;
	if (fixture->refuse != 0) {
		fixture->counters.drop[fixture->refuse]++;
		return fixture->refuse;
	}
	memcpy(fixture->sent, frame.data, frame.len);
	fixture->sent_len = frame.len;
	fixture->sent_count++;
	return 0;
}

static void setup(struct fixture *fixture) {
	memset(fixture, 0, sizeof(*fixture));
	assert_int_equal(gateway_remotes_init(&fixture->remotes, seed), 0);
	assert_int_equal(gateway_remotes_add(&fixture->remotes, 7, (struct proto_mac){{2, 0, 0, 0, 0, 1}}), 0);
	assert_int_equal(gateway_remotes_add(&fixture->remotes, 8, (struct proto_mac){{2, 0, 0, 0, 0, 2}}), 0);
	fixture->bridge = (struct gateway_bridge){.remotes = &fixture->remotes,
	                                          .guard = gateway_guard_new(seed),
	                                          .counters = &fixture->counters,
	                                          .room = "ROOM1",
	                                          .tap_mtu = TAP_MTU,
	                                          .send = take,
	                                          .user = fixture};
	assert_non_null(fixture->bridge.guard);
}

static void teardown(struct fixture *fixture) {
	gateway_guard_free(fixture->bridge.guard);
	gateway_remotes_done(&fixture->remotes);
}

/* In = out + drops, whatever happened (DEVICE_TX is the owner's to count: `to_write` frames here). */
static void assert_balance(const struct fixture *fixture, unsigned from_tunnel, unsigned to_write, const char *label) {
	unit_assert_int(fixture->counters.value[OBS_DEVICE_RX_FRAMES] + from_tunnel,
	                fixture->sent_count + to_write + obs_drops_total(&fixture->counters), label);
}

static enum obs_drop from_lan(struct fixture *fixture, const char *text) {
	struct test_frame frame;
	enum obs_drop reason = NOT_DROPPED;
	test_frame_build(&frame, text);
	bool passed = gateway_bridge_from_lan(&fixture->bridge, slice_of(frame.bytes, frame.len), &reason, 1);
	unit_assert_int(passed, reason == NOT_DROPPED, text);
	return reason;
}

static enum obs_drop from_tunnel(struct fixture *fixture, uint32_t peer, const char *text) {
	struct test_frame frame;
	enum obs_drop reason = NOT_DROPPED;
	test_frame_build(&frame, text);
	bool passed = gateway_bridge_from_tunnel(&fixture->bridge, peer, slice_of(frame.bytes, frame.len), &reason, 1);
	unit_assert_int(passed, reason == NOT_DROPPED, text);
	return reason;
}

static void test_from_lan(void **state) {
	static const struct {
		const char *label, *frame;
		enum obs_drop reason;
	} cases[] = {
	    {"unicast to a remote client", ALICE STATION IP_UDP, NOT_DROPPED},
	    {"broadcast", EVERYBODY STATION IP_UDP, NOT_DROPPED},
	    {"multicast", IP4_MC STATION IP_UDP, NOT_DROPPED},
	    {"802.3 IPX", EVERYBODY STATION "( ffff 0003 00 04", NOT_DROPPED},
	    {"DHCP offer of the LAN's server", ALICE STATION "0800 " IP4("0000", "11") UDP("0043", "0044"), NOT_DROPPED},
	    {"priority tag", ALICE STATION "8100 a000 " IP_UDP, NOT_DROPPED},
	    {"unicast between LAN stations", STATION_B STATION IP_UDP, OBS_DROP_LOCAL_UNICAST},
	    {"runt", "ffffffffffff 0011223344", OBS_DROP_MALFORMED},
	    {"empty", "", OBS_DROP_MALFORMED},
	    {"source is broadcast", EVERYBODY EVERYBODY IP_UDP, OBS_DROP_INVALID_SOURCE},
	    {"source is zero", EVERYBODY "000000000000 " IP_UDP, OBS_DROP_INVALID_SOURCE},
	    {"source is a remote client", EVERYBODY BOB IP_UDP, OBS_DROP_REFLECTION},
	    {"spanning tree", "0180c2000000 " STATION "( 424203 0000", OBS_DROP_SWITCH_CONTROL},
	    {"LLDP", "0180c200000e " STATION "88cc 0207", OBS_DROP_SWITCH_CONTROL},
	    {"VLAN 5", EVERYBODY STATION "8100 0005 " IP_UDP, OBS_DROP_VLAN},
	    {"length beyond the frame", EVERYBODY STATION "0100 ffff", OBS_DROP_MALFORMED},
	    {"jumbo", EVERYBODY STATION "88b5 z05dd", OBS_DROP_JUMBO},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture;
		setup(&fixture);
		unit_assert_int(from_lan(&fixture, cases[i].frame), cases[i].reason, cases[i].label);
		if (cases[i].reason != NOT_DROPPED)
			unit_assert_int(fixture.counters.drop[cases[i].reason], 1, cases[i].label);
		assert_balance(&fixture, 0, 0, cases[i].label);
		teardown(&fixture);
	}
}

static void test_from_tunnel(void **state) {
	static const struct {
		const char *label;
		uint32_t peer;
		const char *frame;
		enum obs_drop reason;
	} cases[] = {
	    {"unicast", 7, STATION ALICE IP_UDP, NOT_DROPPED},
	    {"broadcast", 7, EVERYBODY ALICE IP_UDP, NOT_DROPPED},
	    {"as long as the room allows", 7, STATION ALICE "88b5 z0578", NOT_DROPPED},
	    {"between two clients", 7, BOB ALICE IP_UDP, OBS_DROP_NOT_FOR_US},
	    {"a byte more", 7, STATION ALICE "88b5 z0579", OBS_DROP_TAP_MTU},
	    {"peer nobody announced", 9, STATION ALICE IP_UDP, OBS_DROP_UNKNOWN_PEER},
	    {"another client's MAC", 7, STATION BOB IP_UDP, OBS_DROP_FORGED_SOURCE},
	    {"a LAN station's MAC", 7, STATION STATION_B IP_UDP, OBS_DROP_FORGED_SOURCE},
	    {"zero source", 7, STATION "000000000000 " IP_UDP, OBS_DROP_INVALID_SOURCE},
	    {"runt", 7, STATION "0200", OBS_DROP_MALFORMED},
	    {"spanning tree", 7, "0180c2000000 " ALICE "( 424203 0000", OBS_DROP_SWITCH_CONTROL},
	    {"priority tag", 7, STATION ALICE "8100 a000 " IP_UDP, OBS_DROP_VLAN},
	    {"DHCP offer", 7, EVERYBODY ALICE "0800 " IP4("0000", "11") UDP("0043", "0044"), OBS_DROP_DHCP4_SERVER},
	    {"router advertisement", 7, IP6_MC ALICE "86dd " IP6("3a") ICMP6("86"), OBS_DROP_ROUTER_ADVERTISEMENT},
	    {"IPv6 fragment", 7, IP6_MC ALICE "86dd " IP6("2c") "3a000001 00000001 80000000", OBS_DROP_IPV6_FRAGMENT},
	    {"jumbo", 7, STATION ALICE "88b5 z05dd", OBS_DROP_JUMBO},
	    {"address of a LAN station", 7, EVERYBODY ALICE LAN_ARP("020000000001", "c0a80101"), OBS_DROP_ADDRESS_GUARD},
	    {"address of its own", 7, EVERYBODY ALICE LAN_ARP("020000000001", "c0a80132"), NOT_DROPPED},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture;
		setup(&fixture);
		assert_int_equal(from_lan(&fixture, ALICE STATION LAN_ARP("001122334455", "c0a80101")), NOT_DROPPED);
		unit_assert_int(from_tunnel(&fixture, cases[i].peer, cases[i].frame), cases[i].reason, cases[i].label);
		if (cases[i].reason != NOT_DROPPED)
			unit_assert_int(fixture.counters.drop[cases[i].reason], 1, cases[i].label);
		assert_balance(&fixture, 1, cases[i].reason == NOT_DROPPED, cases[i].label);
		teardown(&fixture);
	}
}

static const struct proto_mac alice = {{2, 0, 0, 0, 0, 1}};

/* Who is on the LAN is learnt from whatever stations send, but not from what may be a client's own frame come back. */
static void test_hears_lan_stations(void **state) {
	static const struct {
		const char *label, *frame, *station;
		bool heard;
	} cases[] = {
	    {"broadcast", EVERYBODY STATION IP_UDP, STATION, true},
	    {"unicast between stations", STATION_B STATION IP_UDP, STATION, true},
	    {"nobody's frame", STATION_B "000000000000 " IP_UDP, "000000000000 ", false},
	    {"source is broadcast", STATION_B EVERYBODY IP_UDP, EVERYBODY, false},
	    {"a client's broadcast", EVERYBODY ALICE IP_UDP, ALICE, false},
	    {"a client's unicast", STATION ALICE IP_UDP, ALICE, false},
	    {"a client's, with a switch's tag", EVERYBODY ALICE "8100 a000 " IP_UDP, ALICE, false},
	    {"a client's, in a VLAN", EVERYBODY ALICE "8100 0005 " IP_UDP, ALICE, false},
	    {"as long as a client's may be", EVERYBODY ALICE "88b5 z0578", ALICE, false},
	    {"longer than a client's may be", EVERYBODY ALICE "88b5 z0579", ALICE, true},
	    {"as long as a client's may be, to a station", STATION ALICE "88b5 z0578", ALICE, false},
	    {"longer than that, to a station", STATION ALICE "88b5 z0579", ALICE, true},
	    {"DHCP offer to a station", STATION ALICE "0800 " IP4("0000", "11") UDP("0043", "0044"), ALICE, true},
	    {"DHCP offer, which no client may send", EVERYBODY ALICE "0800 " IP4("0000", "11") UDP("0043", "0044"), ALICE,
	     true},
	    {"router advertisement", IP6_MC ALICE "86dd " IP6("3a") ICMP6("86"), ALICE, true},
	    {"spanning tree, which nobody may send", "0180c2000000 " ALICE "( 424203 0000", ALICE, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture fixture;
		struct test_frame mac;
		setup(&fixture);
		test_frame_build(&mac, cases[i].station);
		(void)from_lan(&fixture, cases[i].frame);
		unit_assert_int(gateway_guard_on_lan(fixture.bridge.guard, proto_mac_of(mac.bytes), 2), cases[i].heard,
		                cases[i].label);
		assert_balance(&fixture, 0, 0, cases[i].label);
		teardown(&fixture);
		/* Without a room the clients of another gateway on this LAN look like stations. */
		setup(&fixture);
		fixture.bridge.tap_mtu = 0;
		(void)from_lan(&fixture, cases[i].frame);
		unit_assert_int(gateway_guard_on_lan(fixture.bridge.guard, proto_mac_of(mac.bytes), 2), false, cases[i].label);
		teardown(&fixture);
	}
}

/* A client with the MAC of a LAN station, its router perhaps: the LAN's own is bridged, the client is not. */
static void test_client_with_a_station_s_mac(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	gateway_remotes_by_peer(&fixture.remotes, 7)->on_lan = true;
	assert_int_equal(from_tunnel(&fixture, 7, EVERYBODY ALICE IP_UDP), OBS_DROP_ADDRESS_GUARD);
	assert_int_equal(from_lan(&fixture, ALICE STATION IP_UDP), OBS_DROP_LOCAL_UNICAST);
	assert_int_equal(from_lan(&fixture, EVERYBODY ALICE IP_UDP), NOT_DROPPED);
	assert_true(gateway_guard_on_lan(fixture.bridge.guard, alice, 2));
	assert_int_equal(from_tunnel(&fixture, 8, EVERYBODY BOB IP_UDP), NOT_DROPPED); /* nobody else's business */
	gateway_remotes_by_peer(&fixture.remotes, 7)->on_lan = false;
	assert_int_equal(from_tunnel(&fixture, 7, EVERYBODY ALICE IP_UDP), NOT_DROPPED);
	assert_int_equal(from_lan(&fixture, EVERYBODY ALICE IP_UDP), OBS_DROP_REFLECTION);
	teardown(&fixture);
}

static void test_priority_tag_is_taken_off(void **state) {
	struct fixture fixture;
	struct test_frame plain;
	(void)state;
	setup(&fixture);
	test_frame_build(&plain, ALICE STATION IP_UDP);
	assert_int_equal(from_lan(&fixture, ALICE STATION "8100 a000 " IP_UDP), NOT_DROPPED);
	assert_int_equal(fixture.sent_len, plain.len);
	assert_memory_equal(fixture.sent, plain.bytes, plain.len);
	/* What is sent must pass at the other end. */
	assert_int_equal(policy_check(slice_of(fixture.sent, fixture.sent_len), POLICY_FROM_LAN), POLICY_PASS);
	teardown(&fixture);
}

static void test_refused_by_the_session(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	fixture.refuse = OBS_DROP_QUEUE_FULL;
	assert_int_equal(from_lan(&fixture, EVERYBODY STATION IP_UDP), OBS_DROP_QUEUE_FULL);
	assert_int_equal(fixture.counters.drop[OBS_DROP_QUEUE_FULL], 1); /* counted once, by the session */
	assert_int_equal(fixture.counters.value[OBS_BROADCASTS_FROM_LAN], 0);
	assert_balance(&fixture, 0, 0, "refused");
	teardown(&fixture);
}

static void test_counts_broadcasts(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	assert_int_equal(from_lan(&fixture, EVERYBODY STATION IP_UDP), NOT_DROPPED);
	assert_int_equal(from_lan(&fixture, ALICE STATION IP_UDP), NOT_DROPPED);
	assert_int_equal(from_tunnel(&fixture, 7, EVERYBODY ALICE IP_UDP), NOT_DROPPED);
	assert_int_equal(from_tunnel(&fixture, 7, STATION ALICE IP_UDP), NOT_DROPPED);
	assert_int_equal(fixture.counters.value[OBS_BROADCASTS_FROM_LAN], 1);
	assert_int_equal(fixture.counters.value[OBS_BROADCASTS_TO_LAN], 1);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_RX_FRAMES], 2);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_RX_BYTES], 2 * fixture.sent_len);
	teardown(&fixture);
}

static void test_learns_from_arp_between_stations(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	assert_int_equal(from_lan(&fixture, STATION_B STATION LAN_ARP("001122334455", "c0a80101")), OBS_DROP_LOCAL_UNICAST);
	assert_int_equal(from_tunnel(&fixture, 7, EVERYBODY ALICE LAN_ARP("020000000001", "c0a80101")),
	                 OBS_DROP_ADDRESS_GUARD);
	/* Switched off, the same frame passes. */
	gateway_guard_free(fixture.bridge.guard);
	fixture.bridge.guard = NULL;
	assert_int_equal(from_tunnel(&fixture, 7, EVERYBODY ALICE LAN_ARP("020000000001", "c0a80101")), NOT_DROPPED);
	teardown(&fixture);
}

/* Of the link-local address that ends so. */
#define ADVERTISEMENT(target) \
	"86dd " IP6("3a") "88000000 60000000 fe8000000000000000000000000000" target " 0201 000000000000"

static void test_learns_from_neighbour_discovery_between_stations(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	assert_int_equal(from_tunnel(&fixture, 7, IP6_MC ALICE ADVERTISEMENT("21")), NOT_DROPPED);
	assert_int_equal(from_lan(&fixture, STATION_B STATION ADVERTISEMENT("21")), OBS_DROP_LOCAL_UNICAST);
	assert_int_equal(from_tunnel(&fixture, 7, IP6_MC ALICE ADVERTISEMENT("21")), OBS_DROP_ADDRESS_GUARD);
	teardown(&fixture);
}

static void test_a_remote_cannot_teach_the_guard(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	/* Its frame comes back over a loop in the LAN: it must not lock the address for everybody. */
	assert_int_equal(from_lan(&fixture, EVERYBODY BOB LAN_ARP("020000000002", "c0a80140")), OBS_DROP_REFLECTION);
	assert_int_equal(from_lan(&fixture, STATION_B BOB LAN_ARP("020000000002", "c0a80140")), OBS_DROP_LOCAL_UNICAST);
	assert_int_equal(from_tunnel(&fixture, 7, EVERYBODY ALICE LAN_ARP("020000000001", "c0a80140")), NOT_DROPPED);
	teardown(&fixture);
}

static void test_without_a_room(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	fixture.bridge.tap_mtu = 0;
	gateway_remotes_clear(&fixture.remotes);
	assert_int_equal(from_lan(&fixture, ALICE STATION IP_UDP), OBS_DROP_LOCAL_UNICAST);
	assert_int_equal(from_tunnel(&fixture, 7, EVERYBODY ALICE IP_UDP), OBS_DROP_UNKNOWN_PEER);
	teardown(&fixture);
}

static void collect(void *user, struct slice line) {
	char *text = user;
	size_t used = strlen(text);
	size_t len = line.len < 4095 - used ? line.len : 4095 - used;
	memcpy(text + used, line.data, len);
	text[used + len] = '\0';
}

static uint64_t no_clock(void) {
	return 0;
}

static void test_says_what_happened(void **state) {
	struct fixture fixture;
	char text[4096] = "";
	(void)state;
	setup(&fixture);
	fixture.bridge.log = obs_log_new(OBS_TRACE, OBS_FORMAT_TEXT, collect, no_clock, text);
	assert_int_equal(from_lan(&fixture, EVERYBODY BOB IP_UDP), OBS_DROP_REFLECTION);
	assert_int_equal(from_tunnel(&fixture, 7, EVERYBODY BOB IP_UDP), OBS_DROP_FORGED_SOURCE);
	assert_int_equal(from_lan(&fixture, ALICE STATION IP_UDP), NOT_DROPPED);
	obs_log_free(fixture.bridge.log);
	static const char *const wanted[] = {"lan_loop",  "src=02:00:00:00:00:02", "reason=reflection",
	                                     "peer=7",    "reason=forged_source",  "action=forwarded",
	                                     "room=ROOM1"};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strstr(text, wanted[i]) == NULL)
			fail_msg("no '%s' in:\n%s", wanted[i], text);
	teardown(&fixture);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_from_lan),
	    cmocka_unit_test(test_from_tunnel),
	    cmocka_unit_test(test_hears_lan_stations),
	    cmocka_unit_test(test_client_with_a_station_s_mac),
	    cmocka_unit_test(test_priority_tag_is_taken_off),
	    cmocka_unit_test(test_refused_by_the_session),
	    cmocka_unit_test(test_counts_broadcasts),
	    cmocka_unit_test(test_learns_from_arp_between_stations),
	    cmocka_unit_test(test_learns_from_neighbour_discovery_between_stations),
	    cmocka_unit_test(test_a_remote_cannot_teach_the_guard),
	    cmocka_unit_test(test_without_a_room),
	    cmocka_unit_test(test_says_what_happened),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
