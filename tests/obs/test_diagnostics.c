#include "obs/diagnostics.h"

#include "base/time.h"
#include "tests/unit.h"

#include <string.h>

struct diagnostics_case {
	const char *name;
	struct obs_diagnostics diagnostics;
	const char *lines; /* each with a newline */
};

#define V4(a, b, c, d) \
	{ .family = BASE_FAMILY_V4, .ip = {a, b, c, d}, .port = 9 }

static const struct diagnostics_case cases[] = {
    {"nothing known", {0}, "relay: not connected\ngateway: not connected\nbroadcasts: none yet\n"},
    {"all well",
     {.relay_connected = true,
      .gateway_present = true,
      .gateway_peer = 4,
      .route_pinned = OBS_YES,
      .tap_ready = OBS_YES,
      .tap_address = V4(192, 168, 1, 77),
      .rtt_ns = 23449999,
      .datagram_budget = 1434,
      .tap_mtu = 1400,
      .broadcasts_to_lan = 1,
      .broadcasts_from_lan = 2},
     "relay: connected, round trip 23.4 ms\ngateway: connected (peer 4)\nrelay route: pinned\ntunnel adapter: ready\n"
     "address: 192.168.1.77 (from DHCP)\nMTU: 1400\nbroadcasts: seen in both directions\n"},
    {"waiting for DHCP",
     {.relay_connected = true,
      .gateway_present = true,
      .route_pinned = OBS_NO,
      .tap_ready = OBS_YES,
      .tap_mtu = 1280,
      .rtt_ns = 950 * BASE_US,
      .broadcasts_to_lan = 3},
     "relay: connected, round trip 1.0 ms\ngateway: connected\nrelay route: not pinned\ntunnel adapter: ready\n"
     "address: none yet (waiting for the LAN's DHCP server)\nMTU: 1280\n"
     "broadcasts: sent to the LAN, none received back yet\n"},
    {"gateway without its LAN",
     {.relay_connected = true, .gateway_present = true, .gateway_peer = UINT32_MAX, .lan_down = true},
     "relay: connected\ngateway: connected (peer 4294967295), but cut off from its LAN (is a cable out there?)\n"
     "broadcasts: none yet\n"},
    {"shut out",
     {.relay_connected = true, .gateway_present = true, .gateway_peer = UINT32_MAX, .shut_out = true},
     "relay: connected\ngateway: connected (peer 4294967295), but shuts us out: a LAN machine has our MAC address (see "
     "--virtual-mac)\nbroadcasts: none yet\n"},
    {"no gateway, and so no LAN of it",
     {.relay_connected = true, .lan_down = true, .shut_out = true},
     "relay: connected\ngateway: not connected\nbroadcasts: none yet\n"},
    {"small MTU, listening only",
     {.relay_connected = true, .tap_ready = OBS_NO, .tap_mtu = 1279, .datagram_budget = 1301, .broadcasts_from_lan = 1},
     "relay: connected\ngateway: not connected\ntunnel adapter: not ready\n"
     "MTU: 1279, IPv6 will not work because it needs at least 1280 (datagram budget: 1301 bytes)\n"
     "broadcasts: received from the LAN, none sent yet\n"},
    {"link-local address",
     {.relay_connected = true, .tap_ready = OBS_YES, .tap_address = V4(169, 254, 3, 4), .tap_mtu = 600},
     "relay: connected\ngateway: not connected\ntunnel adapter: ready\n"
     "address: 169.254.3.4 (self-assigned: the LAN's DHCP server has not answered)\n"
     "MTU: 600, IPv6 will not work because it needs at least 1280\nbroadcasts: none yet\n"},
    {"fixed address",
     {.tap_address = V4(192, 168, 1, 77), .tap_address_fixed = true},
     "relay: not connected\ngateway: not connected\naddress: 192.168.1.77\nbroadcasts: none yet\n"},
    {"another's address",
     {.tap_address = V4(192, 168, 1, 77), .tap_address_fixed = true, .tap_address_taken = true},
     "relay: not connected\ngateway: not connected\naddress: 192.168.1.77, but a LAN machine has it: take another\n"
     "broadcasts: none yet\n"},
    {"self-assigned for good",
     {.tap_address = V4(169, 254, 3, 4), .tap_address_fixed = true},
     "relay: not connected\ngateway: not connected\n"
     "address: 169.254.3.4 (self-assigned: the LAN's DHCP server has not answered)\nbroadcasts: none yet\n"},
    {"IPv6 without a router",
     {.tap_ready = OBS_YES, .tap_address = {.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80, [15] = 1}}},
     "relay: not connected\ngateway: not connected\ntunnel adapter: ready\n"
     "address: fe80::1 only (waiting for the LAN's DHCP server)\nbroadcasts: none yet\n"},
    {"IPv6 address",
     {.tap_address = {.family = BASE_FAMILY_V6, .ip = {0x20, 1, 0xd, 0xb8, [15] = 0x77}, .port = 1}},
     "relay: not connected\ngateway: not connected\naddress: 2001:db8::77\nbroadcasts: none yet\n"},
};

static void test_lines(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char lines[OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES];
		char all[OBS_DIAGNOSTICS_LINES_MAX * OBS_DIAGNOSTICS_LINE_BYTES];
		struct base_text text;
		size_t count = obs_diagnostics_lines(&cases[i].diagnostics, lines);

		assert_in_range(count, 1, OBS_DIAGNOSTICS_LINES_MAX);
		base_text_init(&text, all, sizeof(all));
		for (size_t line = 0; line < count; line++)
			base_text_addf(&text, "%s\n", lines[line]);
		assert_string_equal(all, cases[i].lines);
	}
}

static void test_gateway_text(void **state) {
	static const struct {
		bool present;
		uint32_t peer;
		const char *text;
	} texts[] = {
	    {true, 4, "gateway: connected (peer 4)"}, {true, UINT32_MAX, "gateway: connected (peer 4294967295)"},
	    {true, 0, "gateway: connected"},          {false, 0, "gateway: not connected"},
	    {false, 4, "gateway: not connected"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct base_text text;
		char buf[64];

		base_text_init(&text, buf, sizeof(buf));
		obs_gateway_text(texts[i].present, texts[i].peer, &text);
		assert_string_equal(buf, texts[i].text);
	}
}

static void test_same_network_text(void **state) {
	const struct base_addr home = {.family = BASE_FAMILY_V4, .ip = {192, 168, 1, 20}};
	const struct base_addr lan = {.family = BASE_FAMILY_V4, .ip = {192, 168, 1, 130}};
	const struct base_addr longest = {.family = BASE_FAMILY_V4, .ip = {255, 255, 255, 255}};
	char buf[OBS_SAME_NETWORK_BYTES];
	struct base_text text;

	(void)state;
	base_text_init(&text, buf, sizeof(buf));
	obs_same_network_text(&home, 24, &lan, 16, &text);
	assert_non_null(strstr(buf, "this PC is 192.168.1.20/24 there) and the LAN (192.168.1.130/16) use"));
	base_text_init(&text, buf, sizeof(buf));
	obs_same_network_text(&longest, 255, &longest, 255, &text);
	assert_false(text.truncated);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_gateway_text),
	    cmocka_unit_test(test_same_network_text),
	};

	return cmocka_run_group_tests_name("obs/diagnostics", tests, NULL, NULL);
}
