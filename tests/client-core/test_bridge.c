/* The frame path of a client in both directions: what it lets through, what it stops, and that all of it is counted. */
#include "client-core/bridge.h"

#include "tests/client-core/harness.h"
#include "tests/unit.h"

#include <string.h>

#define PASS (-1)
#define CLIENT_PEER 9 /* announced with 02:00:00:00:00:09 */
#define GATEWAY_PEER 4
#define STRANGER 77

static struct harness h;
static struct client_bridge bridge;

static int setup(void **state) {
	(void)state;
	harness_init(&h);
	harness_start(&h);
	harness_join(&h);
	harness_peer_joined(&h, CLIENT_PEER, CTRL_ROLE_CLIENT, 9);
	harness_peer_joined(&h, GATEWAY_PEER, CTRL_ROLE_GATEWAY, 0);
	bridge = (struct client_bridge){
	    .session = h.session,
	    .mac = proto_mac_of(harness_mac),
	    .log = h.log,
	    .room = h.config.room,
	};
	return 0;
}

static int teardown(void **state) {
	(void)state;
	harness_done(&h);
	return 0;
}

/* IPv4, UDP, the given ports, as far as the policy looks at it. */
static size_t put_udp(uint8_t *frame, uint16_t from, uint16_t to) {
	static const uint8_t ip[] = {0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	const uint8_t udp[] = {
	    (uint8_t)(from >> 8), (uint8_t)from, (uint8_t)(to >> 8), (uint8_t)to, 0, 12, 0, 0, 1, 2, 3, 4};

	memcpy(frame + 12, (uint8_t[]){0x08, 0x00}, 2);
	memcpy(frame + 14, ip, sizeof(ip));
	memcpy(frame + 34, udp, sizeof(udp));
	return 46;
}

enum shape { PLAIN, RUNT, LONG, OVER_MTU, DHCP_REPLY, STP, VLAN, SOURCE_GROUP };

/* Builds one test frame; `dst` 0xff is broadcast, 0xfe a multicast address. */
static struct slice build(uint8_t *buf, enum shape shape, uint8_t dst, uint8_t src) {
	size_t len = 60;

	harness_frame(buf, dst, src, 1600);
	if (dst == 0xff)
		memset(buf, 0xff, 6);
	if (dst == 0xfe)
		memcpy(buf, (uint8_t[]){1, 0, 0x5e, 0, 0, 1}, 6);
	switch (shape) {
	case PLAIN:
		break;
	case RUNT:
		len = 13;
		break;
	case LONG:
		len = 1414; /* exactly the room's MTU */
		break;
	case OVER_MTU:
		len = 1415;
		break;
	case DHCP_REPLY:
		len = put_udp(buf, 67, 68);
		break;
	case STP:
		memcpy(buf, (uint8_t[]){1, 0x80, 0xc2, 0, 0, 0}, 6);
		break;
	case VLAN:
		memcpy(buf + 12, (uint8_t[]){0x81, 0, 0, 5}, 4);
		break;
	case SOURCE_GROUP:
		buf[6] |= 1;
		break;
	}
	return slice_of(buf, len);
}

static const struct {
	const char *label;
	enum shape shape;
	uint8_t dst, src;
	int verdict;
} from_device[] = {
    {"unicast", PLAIN, 9, 1, PASS},
    {"broadcast", PLAIN, 0xff, 1, PASS},
    {"multicast", PLAIN, 0xfe, 1, PASS},
    {"as long as the MTU", LONG, 9, 1, PASS},
    {"over the MTU", OVER_MTU, 9, 1, OBS_DROP_TAP_MTU},
    {"runt", RUNT, 9, 1, OBS_DROP_MALFORMED},
    {"another source", PLAIN, 9, 2, OBS_DROP_FORGED_SOURCE},
    {"group source", SOURCE_GROUP, 9, 1, OBS_DROP_FORGED_SOURCE},
    {"DHCP server", DHCP_REPLY, 9, 1, OBS_DROP_DHCP4_SERVER},
    {"STP", STP, 0, 1, OBS_DROP_SWITCH_CONTROL},
    {"VLAN tag", VLAN, 9, 1, OBS_DROP_VLAN},
};

static const struct {
	const char *label;
	uint32_t peer;
	enum shape shape;
	uint8_t dst, src;
	int verdict;
} from_tunnel[] = {
    {"unicast from a client", CLIENT_PEER, PLAIN, 1, 9, PASS},
    {"unicast from the LAN", GATEWAY_PEER, PLAIN, 1, 50, PASS},
    {"broadcast from a client", CLIENT_PEER, PLAIN, 0xff, 9, PASS},
    {"broadcast from the LAN", GATEWAY_PEER, PLAIN, 0xff, 50, PASS},
    {"multicast from the LAN", GATEWAY_PEER, PLAIN, 0xfe, 50, PASS},
    {"as long as the MTU", CLIENT_PEER, LONG, 1, 9, PASS},
    {"the LAN's DHCP server", GATEWAY_PEER, DHCP_REPLY, 1, 50, PASS},
    {"a client's DHCP server", CLIENT_PEER, DHCP_REPLY, 1, 9, OBS_DROP_DHCP4_SERVER},
    {"STP from the LAN", GATEWAY_PEER, STP, 0, 50, OBS_DROP_SWITCH_CONTROL},
    {"VLAN tag from a client", CLIENT_PEER, VLAN, 1, 9, OBS_DROP_VLAN},
    {"group source", GATEWAY_PEER, SOURCE_GROUP, 1, 50, OBS_DROP_INVALID_SOURCE},
    {"a client with another MAC", CLIENT_PEER, PLAIN, 1, 8, OBS_DROP_FORGED_SOURCE},
    {"our MAC from a client", CLIENT_PEER, PLAIN, 0xff, 1, OBS_DROP_REFLECTION},
    {"our MAC from the LAN", GATEWAY_PEER, PLAIN, 0xff, 1, OBS_DROP_REFLECTION},
    {"unicast for another", GATEWAY_PEER, PLAIN, 3, 50, OBS_DROP_NOT_FOR_US},
    {"over the MTU", CLIENT_PEER, OVER_MTU, 1, 9, OBS_DROP_TAP_MTU},
    {"nobody announced it", STRANGER, PLAIN, 1, 77, OBS_DROP_UNKNOWN_PEER},
    {"runt", CLIENT_PEER, RUNT, 1, 9, OBS_DROP_MALFORMED},
};

static void assert_verdict(bool passed, enum obs_drop drop, int expected, uint64_t drops_before, const char *label) {
	const struct obs_counters *counters = client_session_counters(h.session);

	unit_assert_int(passed ? PASS : (int)drop, expected, label);
	unit_assert_int(obs_drops_total(counters) - drops_before, passed ? 0 : 1, label);
}

static void test_from_device(void **state) {
	struct obs_counters *counters = client_session_counters(h.session);
	size_t count = sizeof(from_device) / sizeof(from_device[0]);
	uint64_t bytes = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		uint64_t drops = obs_drops_total(counters), queued = 0;
		enum obs_drop drop = OBS_DROP_COUNT;
		uint8_t buf[1600];
		struct slice frame = build(buf, from_device[i].shape, from_device[i].dst, from_device[i].src), payload;
		bool passed = client_bridge_from_device(&bridge, frame, &drop, h.now);

		assert_verdict(passed, drop, from_device[i].verdict, drops, from_device[i].label);
		for (; client_session_next(h.session, &payload, h.now); queued++)
			client_session_taken(h.session, true, h.now);
		unit_assert_int(queued, passed ? 1 : 0, from_device[i].label);
		if (!passed) {
			unit_assert_int(counters->drop[drop] > 0, 1, from_device[i].label);
			unit_assert_true(harness_logged(&h, obs_drop_name(drop)), from_device[i].label);
		}
		bytes += frame.len;
	}
	assert_int_equal(counters->value[OBS_DEVICE_RX_FRAMES], count);
	assert_int_equal(counters->value[OBS_DEVICE_RX_BYTES], bytes);
	assert_int_equal(counters->value[OBS_BROADCASTS_TO_LAN], 1);
	assert_int_equal(counters->value[OBS_TUNNEL_TX_DATAGRAMS] + obs_drops_total(counters), count);
	assert_true(harness_logged(&h, "frame"));
}

static void test_from_tunnel(void **state) {
	struct obs_counters *counters = client_session_counters(h.session);

	(void)state;
	for (size_t i = 0; i < sizeof(from_tunnel) / sizeof(from_tunnel[0]); i++) {
		uint64_t drops = obs_drops_total(counters);
		enum obs_drop drop = OBS_DROP_COUNT;
		uint8_t buf[1600];
		struct slice frame = build(buf, from_tunnel[i].shape, from_tunnel[i].dst, from_tunnel[i].src);
		bool passed = client_bridge_from_tunnel(&bridge, from_tunnel[i].peer, frame, &drop, h.now);

		assert_verdict(passed, drop, from_tunnel[i].verdict, drops, from_tunnel[i].label);
		if (!passed)
			unit_assert_true(harness_logged(&h, obs_drop_name(drop)), from_tunnel[i].label);
	}
	assert_int_equal(counters->value[OBS_BROADCASTS_FROM_LAN], 2);
}

static void test_not_joined(void **state) {
	enum obs_drop drop = OBS_DROP_COUNT;
	uint8_t buf[1600];

	(void)state;
	client_session_lost(h.session, CLIENT_LOSS_RESET, "test", h.now);
	assert_false(client_bridge_from_device(&bridge, build(buf, PLAIN, 9, 1), &drop, h.now));
	assert_int_equal(drop, OBS_DROP_NOT_JOINED);
	assert_false(client_bridge_from_tunnel(&bridge, 9, build(buf, PLAIN, 1, 9), &drop, h.now));
	assert_int_equal(drop, OBS_DROP_NOT_JOINED);
}

static void test_over_budget_names_the_budget(void **state) {
	enum obs_drop drop = OBS_DROP_COUNT;
	uint8_t buf[1600];

	(void)state;
	h.budget = 999;
	assert_false(client_bridge_from_device(&bridge, build(buf, LONG, 9, 1), &drop, h.now));
	assert_int_equal(drop, OBS_DROP_DATAGRAM_BUDGET);
	assert_true(harness_logged(&h, "999"));
}

static void test_unsafe_build_filters_nothing(void **state) {
	uint8_t buf[1600];

	(void)state;
	bridge.unsafe_no_filters = true;
	assert_true(client_bridge_from_device(&bridge, build(buf, PLAIN, 9, 2), NULL, h.now));
	assert_true(client_bridge_from_device(&bridge, build(buf, DHCP_REPLY, 9, 1), NULL, h.now));
	assert_true(client_bridge_from_device(&bridge, build(buf, STP, 0, 1), NULL, h.now));
	assert_true(client_bridge_from_tunnel(&bridge, STRANGER, build(buf, VLAN, 3, 1), NULL, h.now));
	assert_false(client_bridge_from_device(&bridge, build(buf, OVER_MTU, 9, 1), NULL, h.now));
	assert_false(client_bridge_from_device(&bridge, build(buf, RUNT, 9, 1), NULL, h.now));
}

static void test_outcomes(void **state) {
	struct obs_counters *counters = client_session_counters(h.session);

	(void)state;
	client_bridge_wrote(&bridge, 3, 300);
	client_bridge_device_full(&bridge, 2);
	assert_int_equal(counters->value[OBS_DEVICE_TX_FRAMES], 3);
	assert_int_equal(counters->value[OBS_DEVICE_TX_BYTES], 300);
	assert_int_equal(counters->drop[OBS_DROP_DEVICE_FULL], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_from_device),
	    TEST(test_from_tunnel),
	    TEST(test_not_joined),
	    TEST(test_over_budget_names_the_budget),
	    TEST(test_unsafe_build_filters_nothing),
	    TEST(test_outcomes),
	};

	return cmocka_run_group_tests_name("client-core/bridge", tests, NULL, NULL);
}
