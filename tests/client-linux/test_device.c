/* The real TAP device, rtnetlink and the route pin, in a network namespace of this test's own. The uplink is a veth
 * pair, "home", towards a router 10.9.0.1; the relay is 192.0.2.1 or 2001:db8:1::1. */
#include "client-linux/link_keep.h"
#include "client-linux/route_pin.h"
#include "client-linux/tap.h"

#include "base/bytes.h"
#include "base/error.h"
#include "tests/obs/sink.h"
#include "tests/policy/frames.h"
#include "tests/private_net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>

struct fixture {
	struct lintap_tap *tap;
	struct rtnl *rtnl;
	struct obs_counters counters;
	unsigned seen;
	struct test_frame last;
};

static void take(void *user, struct slice frame, uint64_t now) {
	struct fixture *fixture = user;
	(void)now;
	assert_true(frame.len >= 14 && frame.len <= FRAME_TEST_BYTES_MAX);
	if (base_get_u16(frame.data + 12) == 0x86dd)
		return; /* the stack's own talk on a link that came up, whenever it likes */
	fixture->seen++;
	memcpy(fixture->last.bytes, frame.data, frame.len);
	fixture->last.len = frame.len;
}

static struct base_addr ip(const char *text) {
	struct base_addr addr = {.family = BASE_FAMILY_NONE};
	assert_int_equal(base_addr_parse_ip(text, strlen(text), &addr), 0);
	return addr;
}

static struct lintap_tap_options options_of(struct fixture *fixture) {
	return (struct lintap_tap_options){
	    .name = "lanparty0", .deliver = take, .user = fixture, .counters = &fixture->counters};
}

static int setup(void **state) {
	static const struct proto_mac mac = {{2, 0, 0, 0, 0, 1}};
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char error[LINTAP_ERROR_BYTES];
	private_net_run("ip link set lo up && ip link add home type veth peer name router &&"
	                " ip addr add 10.9.0.2/24 dev home && ip addr add 2001:db8:9::2/64 dev home nodad &&"
	                " ip link set home up && ip link set router up &&"
	                " ip route add default via 10.9.0.1 && ip route add default via 2001:db8:9::1");
	if (fixture == NULL)
		return -1;
	const struct lintap_tap_options options = options_of(fixture);
	if (lintap_tap_open(&options, &fixture->tap, error) < 0)
		fail_msg("%s", error);
	assert_int_equal(lintap_tap_ifindex(fixture->tap), 0);
	private_net_run("! ip link show lanparty0 2>/dev/null");
	if (lintap_tap_make(fixture->tap, error) < 0)
		fail_msg("%s", error);
	fixture->rtnl = rtnl_new();
	assert_non_null(fixture->rtnl);
	assert_int_equal(
	    rtnl_set_link(
	        fixture->rtnl,
	        &(struct netlink_link){.ifindex = lintap_tap_ifindex(fixture->tap), .mac = &mac, .mtu = 1400, .up = true}),
	    0);
	*state = fixture;
	return 0;
}

static int teardown(void **state) {
	struct fixture *fixture = *state;
	lintap_tap_close(fixture->tap);
	rtnl_free(fixture->rtnl);
	free(fixture);
	private_net_run("ip link del home && ! ip link show lanparty0 2>/dev/null");
	return 0;
}

static void test_link(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(lintap_tap_ifindex(fixture->tap), if_nametoindex("lanparty0"));
	private_net_run("ip -o link show lanparty0 | grep -q 'NO-CARRIER.*UP.* mtu 1400 .*02:00:00:00:00:01'");
	assert_int_equal(lintap_tap_set_carrier(fixture->tap, true), 0);
	private_net_run("grep -qx 1 /sys/class/net/lanparty0/carrier");
	assert_int_equal(lintap_tap_set_carrier(fixture->tap, false), 0);
	private_net_run("grep -qx 0 /sys/class/net/lanparty0/carrier");
	assert_int_equal(rtnl_set_link(fixture->rtnl, &(struct netlink_link){.ifindex = 9999, .mtu = 1400}), -ENODEV);
}

static void test_link_is_kept(void **state) {
	static const struct proto_mac mac = {{2, 0, 0, 0, 0, 1}};
	struct fixture *fixture = *state;
	const struct netlink_link shall = {.ifindex = lintap_tap_ifindex(fixture->tap), .mac = &mac, .mtu = 1400};
	private_net_run("ip link set lanparty0 mtu 1500 address 02:00:00:00:00:99");
	lintap_link_keep(fixture->rtnl, &shall, NULL);
	private_net_run("ip -o link show lanparty0 | grep -q ' mtu 1400 .*02:00:00:00:00:01'");
	private_net_run("ip link set lanparty0 mtu 1300"); /* a user's own reasons */
	lintap_link_keep(fixture->rtnl, &shall, NULL);
	private_net_run("ip -o link show lanparty0 | grep -q ' mtu 1300 .*02:00:00:00:00:01'");
	lintap_link_keep(fixture->rtnl, &(struct netlink_link){.ifindex = 9999, .mac = &mac, .mtu = 1400}, NULL);
}

static void test_name_in_use(void **state) {
	struct fixture *fixture = *state;
	const struct lintap_tap_options options = options_of(fixture);
	struct lintap_tap *second = NULL;
	char error[LINTAP_ERROR_BYTES];
	assert_int_equal(lintap_tap_open(&options, &second, error), 0);
	assert_int_equal(lintap_tap_make(second, error), BASE_E_EXISTS);
	lintap_tap_close(second);
	assert_non_null(strstr(error, "'lanparty0'"));
	assert_non_null(strstr(error, "--interface"));
}

static void test_frames(void **state) {
	struct fixture *fixture = *state;
	struct lintap_written written;
	struct test_frame frame;
	private_net_run("ip -6 addr flush dev lanparty0; ip addr add 10.8.0.2/24 dev lanparty0 noprefixroute");
	assert_int_equal(lintap_tap_set_carrier(fixture->tap, true), 0);
	private_net_run("ip route add 10.8.0.0/24 dev lanparty0 &&"
	                " ip neigh add 10.8.0.1 lladdr 02:00:00:00:00:02 dev lanparty0");
	assert_int_equal(lintap_tap_read(fixture->tap, 1), 0); /* what the stack said about its new link */
	fixture->seen = 0;
	/* A UDP packet of the stack comes with its checksum left to us. */
	private_net_run("bash -c 'echo -n hello > /dev/udp/10.8.0.1/9'");
	assert_int_equal(lintap_tap_read(fixture->tap, 1), 0);
	assert_int_equal(fixture->seen, 1);
	assert_int_equal(fixture->last.len, 14 + 20 + 8 + 5);
	const uint8_t *l3 = fixture->last.bytes + 14;
	static const uint8_t pseudo[4] = {0, 17, 0, 13};
	uint16_t sum = offload_checksum_add(0, slice_of(l3 + 12, 8));
	sum = offload_checksum_add(sum, slice_of(pseudo, 4));
	assert_int_equal(offload_checksum_add(sum, slice_of(l3 + 20, 13)), 0xffff);

	test_frame_build(&frame, ME HOST "0806 " ARP("0001", HOST));
	lintap_tap_write(fixture->tap, slice_of(frame.bytes, frame.len));
	lintap_tap_flush(fixture->tap, &written);
	assert_int_equal(written.frames, 1);
	private_net_run("ip link set lanparty0 down");
	lintap_tap_write(fixture->tap, slice_of(frame.bytes, frame.len));
	lintap_tap_flush(fixture->tap, &written);
	assert_int_equal(written.frames, 0);
	assert_int_equal(written.refused, 1);
}

static void test_device_deleted(void **state) {
	struct fixture *fixture = *state;
	private_net_run("ip link del lanparty0");
	int err = lintap_tap_read(fixture->tap, 1);
	assert_true(err < 0);
	assert_string_equal(lintap_tap_error_text(err), "the tunnel interface was deleted");
	assert_string_equal(lintap_tap_error_text(-EIO), strerror(EIO));
}

static void test_interface_is_up(void **state) {
	struct fixture *fixture = *state;
	const unsigned home = if_nametoindex("home");
	struct netlink_link_state link;
	assert_int_equal(rtnl_get_link(fixture->rtnl, home, &link), 0);
	assert_true(link.up);
	private_net_run("ip link set home down");
	assert_int_equal(rtnl_get_link(fixture->rtnl, home, &link), 0);
	assert_false(link.up);
	assert_int_equal(rtnl_get_link(fixture->rtnl, 9999, &link), -ENODEV);
}

static void test_interface_address(void **state) {
	struct fixture *fixture = *state;
	struct netlink_address address;
	const unsigned home = if_nametoindex("home");
	const struct base_addr v4 = ip("10.9.0.2"), v6 = ip("2001:db8:9::2");
	assert_int_equal(rtnl_interface_address(fixture->rtnl, home, &address), 0);
	assert_true(base_addr_equal(&address.addr, &v4));
	assert_true(address.permanent);
	private_net_run("ip addr change 10.9.0.2/24 dev home valid_lft 600 preferred_lft 600");
	assert_int_equal(rtnl_interface_address(fixture->rtnl, home, &address), 0);
	assert_true(base_addr_equal(&address.addr, &v4));
	assert_false(address.permanent);
	private_net_run("ip addr del 10.9.0.2/24 dev home");
	assert_int_equal(rtnl_interface_address(fixture->rtnl, home, &address), 0);
	assert_true(base_addr_equal(&address.addr, &v6));
	assert_int_equal(rtnl_interface_address(fixture->rtnl, 9999, &address), 0);
	assert_int_equal(address.addr.family, BASE_FAMILY_NONE);
}

static void test_same_network(void **state) {
	struct fixture *fixture = *state;
	struct netlink_address own = {.ifindex = if_nametoindex("home"), .addr = ip("10.9.0.2"), .prefix = 24}, other;
	const struct base_addr tunnel = ip("10.9.0.130");

	assert_int_equal(rtnl_same_network(fixture->rtnl, &own, &other), -ENOENT);
	private_net_run("ip addr add 10.9.1.130/24 dev router");
	assert_int_equal(rtnl_same_network(fixture->rtnl, &own, &other), -ENOENT);
	private_net_run("ip addr add 10.9.0.130/25 dev router");
	assert_int_equal(rtnl_same_network(fixture->rtnl, &own, &other), 0);
	assert_true(base_addr_equal(&other.addr, &tunnel));
	assert_int_equal(other.prefix, 25);
}

/* Which interface the kernel sends by, and whether that is a host route. */
static void expect_way(struct fixture *fixture, const char *dest, const char *interface, bool host_route,
                       const char *label) {
	struct netlink_route route;
	const struct base_addr addr = ip(dest);
	unit_assert_int(rtnl_get_route(fixture->rtnl, &addr, false, &route), 0, label);
	unit_assert_int(route.ifindex, if_nametoindex(interface), label);
	unit_assert_int(rtnl_get_route(fixture->rtnl, &addr, true, &route), 0, label);
	unit_assert_int(route.prefix == base_addr_ip_bytes(&addr) * 8, host_route, label);
}

#define TAP_UP "ip addr add 192.0.2.77/24 dev lanparty0; ip addr add 2001:db8:1::77/64 dev lanparty0 nodad; "

static void test_pin(void **state) {
	static const struct {
		const char *relay, *capture;
	} cases[] = {
	    /* The LAN gives a default route, or the relay's address is in the LAN's subnet. */
	    {"192.0.2.1", TAP_UP "ip route add default via 192.0.2.254 dev lanparty0 metric 0 || ip route replace default "
	                         "via 192.0.2.254 dev lanparty0"},
	    {"192.0.2.1", TAP_UP},
	    {"2001:db8:1::1", TAP_UP "ip -6 route add default via 2001:db8:1::fe dev lanparty0 metric 1"},
	};
	struct fixture *fixture = *state;
	assert_int_equal(lintap_tap_set_carrier(fixture->tap, true), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lintap_route_pin pin;
		const struct base_addr relay = ip(cases[i].relay);
		const char *label = cases[i].capture;
		lintap_route_pin_init(&pin, fixture->rtnl, lintap_tap_ifindex(fixture->tap), NULL);
		lintap_route_pin_set(&pin, &relay);
		unit_assert_int(pin.state, OBS_YES, label);
		private_net_run(cases[i].capture);
		expect_way(fixture, cases[i].relay, "home", true, label);
		lintap_route_pin_check(&pin);
		expect_way(fixture, cases[i].relay, "home", true, label);
		lintap_route_pin_clear(&pin);
		expect_way(fixture, cases[i].relay, "lanparty0", false, label); /* as it would be without us */
		/* Pinned again while the tunnel has everything: the way around is found. */
		lintap_route_pin_set(&pin, &relay);
		unit_assert_int(pin.state, OBS_YES, label);
		expect_way(fixture, cases[i].relay, "home", true, label);
		lintap_route_pin_clear(&pin);
		private_net_run("ip addr flush dev lanparty0 && ip route flush dev lanparty0; ip -6 route flush dev lanparty0;"
		                " ip route replace default via 10.9.0.1; ip addr replace 10.9.0.2/24 dev home");
	}
}

static void test_pin_comes_back(void **state) {
	struct fixture *fixture = *state;
	struct lintap_route_pin pin;
	const struct base_addr relay = ip("192.0.2.1");
	lintap_route_pin_init(&pin, fixture->rtnl, lintap_tap_ifindex(fixture->tap), NULL);
	lintap_route_pin_set(&pin, &relay);
	assert_int_equal(lintap_tap_set_carrier(fixture->tap, true), 0);
	private_net_run(TAP_UP "ip route del 192.0.2.1/32");
	expect_way(fixture, "192.0.2.1", "lanparty0", false, "pin removed by somebody");
	lintap_route_pin_check(&pin);
	assert_int_equal(pin.state, OBS_YES);
	expect_way(fixture, "192.0.2.1", "home", true, "pin is back");
	/* No way but the tunnel is left: said, not hidden; and mended when there is one. */
	private_net_run("ip link set home down");
	assert_false(lintap_route_pin_cut_off(&pin));
	lintap_route_pin_check(&pin);
	assert_int_equal(pin.state, OBS_NO);
	assert_true(lintap_route_pin_cut_off(&pin));
	private_net_run("ip addr flush dev lanparty0"); /* nor any other way */
	assert_true(lintap_route_pin_cut_off(&pin));
	private_net_run("ip link set home up && ip route add default via 10.9.0.1");
	lintap_route_pin_check(&pin);
	assert_int_equal(pin.state, OBS_YES);
	assert_false(lintap_route_pin_cut_off(&pin));
	lintap_route_pin_clear(&pin);
}

/* And not again at each try while the relay does not answer. */
static void test_pin_is_said_once(void **state) {
	static struct sink sink;
	struct fixture *fixture = *state;
	struct obs_log *log = sink_log(&sink, OBS_INFO, OBS_FORMAT_TEXT);
	struct lintap_route_pin pin;
	const struct base_addr relay = ip("192.0.2.1"), other = ip("192.0.2.2");
	lintap_route_pin_init(&pin, fixture->rtnl, lintap_tap_ifindex(fixture->tap), log);
	for (int i = 0; i < 3; i++)
		lintap_route_pin_set(&pin, &relay);
	assert_int_equal(sink.lines, 1);
	lintap_route_pin_set(&pin, &other);
	assert_int_equal(sink.lines, 2);
	private_net_run("ip link set home down");
	for (int i = 0; i < 3; i++)
		lintap_route_pin_set(&pin, &other);
	assert_int_equal(sink.lines, 3);
	assert_non_null(strstr(sink.last, "route_not_pinned"));
	lintap_route_pin_clear(&pin);
	obs_log_free(log);
}

static void test_pin_follows_the_network(void **state) {
	struct fixture *fixture = *state;
	struct lintap_route_pin pin;
	const struct base_addr relay = ip("192.0.2.1");
	int watch = rtnl_watch_open();
	assert_true(watch >= 0);
	lintap_route_pin_init(&pin, fixture->rtnl, lintap_tap_ifindex(fixture->tap), NULL);
	lintap_route_pin_set(&pin, &relay);
	assert_int_equal(lintap_tap_set_carrier(fixture->tap, true), 0);
	rtnl_watch_drain(watch);
	private_net_run(TAP_UP "ip route replace default via 10.9.0.9");
	assert_int_equal(poll(&(struct pollfd){.fd = watch, .events = POLLIN}, 1, 1000), 1);
	lintap_route_pin_check(&pin);
	private_net_run("ip route show 192.0.2.1 | grep -q 'via 10.9.0.9'");
	/* The default route goes to the tunnel: nothing to follow. */
	private_net_run("ip route replace default via 192.0.2.254 dev lanparty0");
	lintap_route_pin_check(&pin);
	private_net_run("ip route show 192.0.2.1 | grep -q 'via 10.9.0.9'");
	/* Another network: the old address and all its routes are gone. */
	private_net_run("ip addr flush dev home && ip addr add 10.7.0.2/24 dev home");
	lintap_route_pin_check(&pin);
	private_net_run("ip route add default via 10.7.0.1 dev home metric 50");
	lintap_route_pin_check(&pin);
	assert_int_equal(pin.state, OBS_YES);
	private_net_run("ip route show 192.0.2.1 | grep -q 'via 10.7.0.1'");
	lintap_route_pin_clear(&pin);
	private_net_run("test -z \"$(ip route show proto 76)\"");
	(void)close(watch);
}

static void test_pin_leaves_what_it_finds(void **state) {
	struct fixture *fixture = *state;
	struct lintap_route_pin pin;
	const struct base_addr relay = ip("192.0.2.1"), loopback = ip("127.0.0.1");
	private_net_run("ip route add 192.0.2.1/32 via 10.9.0.9");
	lintap_route_pin_init(&pin, fixture->rtnl, lintap_tap_ifindex(fixture->tap), NULL);
	lintap_route_pin_set(&pin, &relay);
	assert_int_equal(pin.state, OBS_YES);
	assert_false(pin.ours);
	lintap_route_pin_clear(&pin);
	private_net_run("ip route show 192.0.2.1 | grep -q 'via 10.9.0.9'");
	/* One that a crashed run left behind is ours to take out. */
	private_net_run("ip route replace 192.0.2.1/32 via 10.9.0.1 proto 76");
	lintap_route_pin_set(&pin, &relay);
	assert_int_equal(pin.state, OBS_YES);
	lintap_route_pin_clear(&pin);
	private_net_run("test -z \"$(ip route show 192.0.2.1)\"");
	/* A relay on this machine needs none. */
	lintap_route_pin_set(&pin, &loopback);
	assert_int_equal(pin.state, OBS_YES);
	private_net_run("test -z \"$(ip route show proto 76)\"");
	lintap_route_pin_clear(&pin);
}

/* Another VPN takes all by rules of its own, before the table with our pin: that waits until the rules are gone, or
 * goes with us. */
static void test_pin_under_other_rules(void **state) {
	struct fixture *fixture = *state;
	struct lintap_route_pin pin;
	const struct base_addr relay = ip("192.0.2.1");
	private_net_run("ip link add vpn0 type veth peer name vpn1 && ip link set vpn0 up && ip link set vpn1 up");
	lintap_route_pin_init(&pin, fixture->rtnl, lintap_tap_ifindex(fixture->tap), NULL);
	for (unsigned leaves = 0; leaves < 2; leaves++) {
		lintap_route_pin_set(&pin, &relay);
		private_net_run("ip route add default dev vpn0 table 100 && ip rule add lookup 100 pref 100");
		lintap_route_pin_check(&pin);
		assert_int_equal(pin.state, OBS_YES);
		private_net_run("ip route show 192.0.2.1 proto 76 | grep -q 'via 10.9.0.1 dev home'");
		if (leaves == 1) {
			lintap_route_pin_clear(&pin);
			private_net_run("test -z \"$(ip route show proto 76)\"");
		}
		private_net_run("ip rule del lookup 100 pref 100 && ip route del default dev vpn0 table 100");
		if (leaves == 1)
			continue;
		lintap_route_pin_check(&pin);
		private_net_run("ip route replace default via 10.9.0.9");
		lintap_route_pin_check(&pin);
		private_net_run("ip route show 192.0.2.1 proto 76 | grep -q 'via 10.9.0.9 dev home'");
		private_net_run("ip route replace default via 10.9.0.1");
		lintap_route_pin_clear(&pin);
	}
	private_net_run("ip link del vpn0");
}

/* A DHCP server may name routes (RFC 3442). One to the relay itself has no metric, and goes before any pin. */
static void test_pin_against_a_host_route_of_the_lan(void **state) {
	static const struct {
		const char *relay, *route;
	} cases[] = {
	    {"192.0.2.1", "ip route add 192.0.2.1/32 via 192.0.2.254 dev lanparty0 proto dhcp"},
	    {"192.0.2.1", "ip route add 192.0.2.1/32 dev lanparty0"},
	    {"2001:db8:1::1", "ip -6 route add 2001:db8:1::1/128 via 2001:db8:1::fe dev lanparty0 metric 1"},
	};
	struct fixture *fixture = *state;
	struct lintap_route_pin pin;
	assert_int_equal(lintap_tap_set_carrier(fixture->tap, true), 0);
	lintap_route_pin_init(&pin, fixture->rtnl, lintap_tap_ifindex(fixture->tap), NULL);
	private_net_run(TAP_UP "true");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct base_addr relay = ip(cases[i].relay);
		lintap_route_pin_set(&pin, &relay);
		private_net_run(cases[i].route);
		expect_way(fixture, cases[i].relay, "lanparty0", true, cases[i].route);
		lintap_route_pin_check(&pin);
		unit_assert_int(pin.state, OBS_YES, cases[i].route);
		expect_way(fixture, cases[i].relay, "home", true, cases[i].route);
		lintap_route_pin_clear(&pin);
		expect_way(fixture, cases[i].relay, "lanparty0", false, cases[i].route);
	}
	/* What cannot be mended is said. */
	const struct base_addr relay = ip("192.0.2.1");
	private_net_run("ip route add default dev lanparty0 table 100 && ip rule add to 192.0.2.1 lookup 100");
	lintap_route_pin_set(&pin, &relay);
	assert_int_equal(pin.state, OBS_NO);
	private_net_run("ip rule del to 192.0.2.1 lookup 100");
	lintap_route_pin_check(&pin);
	assert_int_equal(pin.state, OBS_YES);
	lintap_route_pin_clear(&pin);
	private_net_run("test -z \"$(ip route show proto 76)\"");
}

/* Two clients on one machine: each has its own, whoever leaves first. */
static void test_pins_of_two_clients(void **state) {
	struct fixture *fixture = *state;
	const struct base_addr relay = ip("192.0.2.1");
	struct lintap_route_pin pins[2];
	private_net_run("ip link add second0 type veth peer name second1 && ip link set second0 up");
	assert_int_equal(lintap_tap_set_carrier(fixture->tap, true), 0);
	for (unsigned leaves = 0; leaves < 2; leaves++) {
		lintap_route_pin_init(&pins[0], fixture->rtnl, lintap_tap_ifindex(fixture->tap), NULL);
		lintap_route_pin_init(&pins[1], fixture->rtnl, if_nametoindex("second0"), NULL);
		for (unsigned i = 0; i < 2; i++)
			lintap_route_pin_set(&pins[i], &relay);
		private_net_run("test $(ip route show 192.0.2.1 proto 76 | wc -l) = 2");
		private_net_run("ip route replace default via 10.9.0.9");
		for (unsigned i = 0; i < 4; i++)
			lintap_route_pin_check(&pins[i % 2]);
		private_net_run("test $(ip route show 192.0.2.1 proto 76 | grep -c 'via 10.9.0.9') = 2");
		/* One tunnel captures the relay's address: that is no way for the other one either. */
		private_net_run(leaves == 0 ? "ip addr add 192.0.2.77/24 dev lanparty0"
		                            : "ip addr add 192.0.2.77/24 dev second0");
		for (unsigned i = 0; i < 4; i++)
			lintap_route_pin_check(&pins[i % 2]);
		private_net_run("test $(ip route show 192.0.2.1 proto 76 | grep -c 'via 10.9.0.9') = 2");
		lintap_route_pin_clear(&pins[leaves]);
		private_net_run("test $(ip route show 192.0.2.1 proto 76 | wc -l) = 1");
		expect_way(fixture, "192.0.2.1", "home", true, "the other one's pin stays");
		private_net_run("ip addr flush dev lanparty0 && ip addr flush dev second0"); /* its tunnel goes with it */
		lintap_route_pin_check(&pins[1 - leaves]);
		assert_int_equal(pins[1 - leaves].state, OBS_YES);
		private_net_run("ip route replace default via 10.9.0.1");
		lintap_route_pin_check(&pins[1 - leaves]);
		private_net_run("ip route show 192.0.2.1 proto 76 | grep -q 'via 10.9.0.1'");
		lintap_route_pin_clear(&pins[1 - leaves]);
		private_net_run("test -z \"$(ip route show proto 76)\"");
	}
	/* Those of clients that crashed go, in whatever order they are found. */
	private_net_run("ip route add 192.0.2.1/32 via 10.9.0.9 proto 76 metric 9998;"
	                " ip route add 192.0.2.1/32 via 10.9.0.9 proto 76 metric 9999");
	lintap_route_pin_set(&pins[0], &relay);
	private_net_run("test $(ip route show 192.0.2.1 | wc -l) = 1 && ip route show 192.0.2.1 | grep -q 'via 10.9.0.1'");
	lintap_route_pin_clear(&pins[0]);
	private_net_run("test -z \"$(ip route show proto 76)\"; ip link del second0");
}

#define IN_NAMESPACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    IN_NAMESPACE(test_link),
	    IN_NAMESPACE(test_link_is_kept),
	    IN_NAMESPACE(test_name_in_use),
	    IN_NAMESPACE(test_frames),
	    IN_NAMESPACE(test_interface_is_up),
	    IN_NAMESPACE(test_interface_address),
	    IN_NAMESPACE(test_same_network),
	    IN_NAMESPACE(test_pin),
	    IN_NAMESPACE(test_pin_comes_back),
	    IN_NAMESPACE(test_pin_is_said_once),
	    IN_NAMESPACE(test_pin_follows_the_network),
	    IN_NAMESPACE(test_pin_leaves_what_it_finds),
	    IN_NAMESPACE(test_pin_under_other_rules),
	    IN_NAMESPACE(test_pin_against_a_host_route_of_the_lan),
	    IN_NAMESPACE(test_pins_of_two_clients),
	    IN_NAMESPACE(test_device_deleted),
	};
	if (!private_net_enter("client-linux-device"))
		return PRIVATE_NET_SKIP;
	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		(void)fprintf(stderr, "client-linux-device: skipped: no /dev/net/tun\n");
		return PRIVATE_NET_SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
