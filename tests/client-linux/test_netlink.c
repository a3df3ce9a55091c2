#include "client-linux/netlink.h"

#include "base/error.h"
#include "base/text.h"
#include "tests/unit.h"

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define IFINDEX 7

static struct base_addr ip(const char *text) {
	struct base_addr addr = {.family = BASE_FAMILY_NONE};
	if (text[0] != '\0')
		assert_int_equal(base_addr_parse_ip(text, strlen(text), &addr), 0);
	return addr;
}

static struct netlink_route route_of(const char *dest, uint8_t prefix, const char *gateway, unsigned ifindex,
                                     uint32_t metric) {
	return (struct netlink_route){
	    .dest = ip(dest), .prefix = prefix, .gateway = ip(gateway), .ifindex = ifindex, .metric = metric};
}

/* A request of ours is also a message the kernel could have sent. */
static struct slice payload_of(const struct netlink_request *request, uint16_t type, uint16_t flags) {
	struct slice bytes = slice_of(request->bytes, request->len);
	struct netlink_message message;
	assert_int_equal(netlink_next(&bytes, &message), 1);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(message.type, type);
	assert_int_equal(message.flags, flags);
	assert_int_equal(message.seq, 42);
	return message.payload;
}

static void test_route_there_and_back(void **state) {
	static const struct {
		const char *dest;
		uint8_t prefix;
		const char *gateway;
	} cases[] = {{"192.0.2.1", 32, "10.0.0.1"},
	             {"192.0.2.1", 32, ""},
	             {"2001:db8::1", 128, "fe80::1"},
	             {"2001:db8::1", 128, ""}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct netlink_route route = route_of(cases[i].dest, cases[i].prefix, cases[i].gateway, IFINDEX, 0);
		route.protocol = RTPROT_DHCP;
		struct netlink_request request;
		struct netlink_route back;
		netlink_change_route(&request, 42, NETLINK_ADD, &route);
		struct slice payload =
		    payload_of(&request, RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
		assert_int_equal(netlink_parse_route(payload, &back), 0);
		assert_true(base_addr_equal(&back.dest, &route.dest));
		assert_true(base_addr_equal(&back.gateway, &route.gateway));
		assert_int_equal(back.prefix, route.prefix);
		assert_int_equal(back.ifindex, IFINDEX);
		assert_int_equal(back.protocol, NETLINK_ROUTE_PROTOCOL);
		assert_int_equal(back.type, RTN_UNICAST);
		assert_int_equal(back.table, RT_TABLE_MAIN);
		assert_false(back.dead);

		netlink_change_route(&request, 42, NETLINK_DELETE, &route);
		payload = payload_of(&request, RTM_DELROUTE, NLM_F_REQUEST | NLM_F_ACK);
		assert_int_equal(netlink_parse_route(payload, &back), 0);
		assert_int_equal(back.protocol, RTPROT_DHCP);

		netlink_get_route(&request, 42, &route.dest, true);
		payload = payload_of(&request, RTM_GETROUTE, NLM_F_REQUEST);
		assert_int_equal(netlink_parse_route(payload, &back), 0);
		assert_true(base_addr_equal(&back.dest, &route.dest));
	}
}

static bool has(struct slice payload, const void *bytes, size_t len) {
	for (size_t at = 0; at + len <= payload.len; at++)
		if (memcmp(payload.data + at, bytes, len) == 0)
			return true;
	return false;
}

static void test_address_there_and_back(void **state) {
	static const struct {
		uint8_t prefix;
		const char *broadcast;
	} cases[] = {{24, "192.168.77.255"}, {16, "192.255.255.255"}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct netlink_address address = {.ifindex = IFINDEX,
		                                        .addr = ip("192.168.77.9"),
		                                        .prefix = cases[i].prefix,
		                                        .broadcast = ip(cases[i].broadcast)};
		const struct {
			struct rtattr header;
			struct ifa_cacheinfo times;
		} times = {{sizeof(times), IFA_CACHEINFO}, {.ifa_prefered = 3600, .ifa_valid = 3600}};
		struct netlink_request request;
		struct netlink_address back;

		netlink_change_address(&request, 42, NETLINK_ADD, &address, 3600);
		struct slice payload =
		    payload_of(&request, RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
		assert_int_equal(netlink_parse_address(payload, &back), 0);
		assert_int_equal(back.ifindex, IFINDEX);
		assert_int_equal(back.prefix, cases[i].prefix);
		assert_int_equal(back.scope, RT_SCOPE_UNIVERSE);
		assert_true(base_addr_equal(&back.addr, &address.addr));
		assert_true(has(payload, address.broadcast.ip, 4));
		assert_true(has(payload, &times, sizeof(times)));

		netlink_change_address(&request, 42, NETLINK_DELETE, &address, 0);
		payload = payload_of(&request, RTM_DELADDR, NLM_F_REQUEST | NLM_F_ACK);
		assert_int_equal(netlink_parse_address(payload, &back), 0);
		assert_true(base_addr_equal(&back.addr, &address.addr));
		assert_false(has(payload, &times.times, sizeof(times.times)));
	}
}

static void test_set_link(void **state) {
	const struct proto_mac mac = {{2, 1, 2, 3, 4, 5}};
	struct netlink_request request;
	struct ifinfomsg info;
	(void)state;
	netlink_set_link(&request, 42, &(struct netlink_link){.ifindex = IFINDEX, .mac = &mac, .mtu = 1400, .up = true});
	struct slice payload = payload_of(&request, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
	memcpy(&info, payload.data, sizeof(info));
	assert_int_equal(info.ifi_index, IFINDEX);
	assert_int_equal(info.ifi_flags & info.ifi_change, 1 /* IFF_UP */);
	assert_int_equal(payload.len, sizeof(info) + 12 + 8); /* address padded to 12, MTU 8 */
	struct netlink_link_state back;
	assert_int_equal(netlink_parse_link(payload, &back), 0);
	assert_int_equal(back.ifindex, IFINDEX);
	assert_int_equal(back.mtu, 1400);
	assert_true(proto_mac_equal(back.mac, mac));

	netlink_set_link(&request, 42, &(struct netlink_link){.ifindex = IFINDEX, .mtu = 1400});
	payload = payload_of(&request, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);
	memcpy(&info, payload.data, sizeof(info));
	assert_int_equal(info.ifi_change, 0);
	assert_int_equal(netlink_parse_link(payload, &back), BASE_E_SHORT); /* without a MAC */

	netlink_get_link(&request, 42, IFINDEX);
	payload = payload_of(&request, RTM_GETLINK, NLM_F_REQUEST);
	memcpy(&info, payload.data, sizeof(info));
	assert_int_equal(info.ifi_index, IFINDEX);
}

/* Hex in little-endian machine order, laid out as linux/rtnetlink.h says. */
static size_t unhex(const char *text, uint8_t *buf, size_t cap) {
	char digits[1024];
	size_t len = 0;
	for (; *text != '\0'; text++)
		if (*text != ' ')
			digits[len++] = *text;
	assert_true(len / 2 <= cap);
	assert_int_equal(base_parse_hex(digits, len, buf, len / 2), 0);
	return len / 2;
}

/* default via 10.0.0.1 dev 7 metric 100 proto dhcp, table in an attribute */
#define DEFAULT_ROUTE              \
	"02000000 fe10 00 01 00000000" \
	" 08000f00 fe000000 08000600 64000000 08000500 0a000001 08000400 07000000"
/* 10.0.0.7/24 on 7, scope global, IFA_ADDRESS, IFA_LOCAL, IFA_LABEL "e0" (7 bytes and padding) */
#define ADDRESS_V4 "0218 80 00 07000000 08000100 0a000001 08000200 0a000007 07000300 653000 00"
/* Interface 7, up */
#define LINK "0000 0100 07000000 01000000 00000000"
/* fe80::1 on 7, scope link */
#define ADDRESS_V6 "0a40 80 fd 07000000 14000100 fe800000000000000000000000000001"

static void test_parse_link(void **state) {
	static const struct {
		const char *label, *bytes;
		int err;
	} bad[] = {
	    {"no MTU", LINK " 0a000100 020000000001 0000", BASE_E_SHORT},
	    {"MAC of four bytes", LINK " 08000100 02000000 08000400 78050000", BASE_E_LENGTH},
	    {"MTU of two bytes", LINK " 0a000100 020000000001 0000 06000400 7805 0000", BASE_E_LENGTH},
	    {"attribute beyond the end", LINK " 0b000100 020000000001", BASE_E_LENGTH},
	    {"cut off", "00000100 07000000", BASE_E_SHORT},
	};
	uint8_t bytes[256];
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct netlink_link_state untouched = {.mtu = 99};
		const size_t len = unhex(bad[i].bytes, bytes, sizeof(bytes));
		unit_assert_int(netlink_parse_link(slice_of(bytes, len), &untouched), bad[i].err, bad[i].label);
		unit_assert_int(untouched.mtu, 99, bad[i].label);
	}
}

static void test_parse_route(void **state) {
	uint8_t bytes[256];
	struct netlink_route route;
	(void)state;
	size_t len = unhex(DEFAULT_ROUTE, bytes, sizeof(bytes));
	assert_int_equal(netlink_parse_route(slice_of(bytes, len), &route), 0);
	const struct netlink_route wanted = route_of("0.0.0.0", 0, "10.0.0.1", 7, 100);
	assert_true(base_addr_equal(&route.gateway, &wanted.gateway));
	assert_int_equal(route.prefix, 0);
	assert_int_equal(route.metric, 100);
	assert_int_equal(route.ifindex, 7);
	assert_int_equal(route.table, RT_TABLE_MAIN);
	assert_int_equal(route.protocol, 16);

	static const struct {
		const char *label, *bytes;
		int err;
	} bad[] = {
	    {"another family", "07000000 fe10 00 01 00000000", BASE_E_UNSUPPORTED},
	    {"prefix beyond the address", "02210000 fe10 00 01 00000000", BASE_E_LENGTH},
	    {"attribute shorter than its header", "02000000 fe10 00 01 00000000 03000f00", BASE_E_LENGTH},
	    {"attribute beyond the end", "02000000 fe10 00 01 00000000 09000f00 fe000000", BASE_E_LENGTH},
	    {"address of the wrong size", "02000000 fe10 00 01 00000000 06000500 0a00 0000", BASE_E_LENGTH},
	    {"number of the wrong size", "02000000 fe10 00 01 00000000 06000400 0700 0000", BASE_E_LENGTH},
	    {"gateway of the other family", "02000000 fe10 00 01 00000000 06001200 0a00 0000", BASE_E_UNSUPPORTED},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct netlink_route untouched = {.metric = 99};
		len = unhex(bad[i].bytes, bytes, sizeof(bytes));
		unit_assert_int(netlink_parse_route(slice_of(bytes, len), &untouched), bad[i].err, bad[i].label);
		unit_assert_int(untouched.metric, 99, bad[i].label);
	}
}

static void test_parse_address(void **state) {
	uint8_t bytes[256];
	struct netlink_address address;
	(void)state;
	size_t len = unhex(ADDRESS_V4, bytes, sizeof(bytes));
	assert_int_equal(netlink_parse_address(slice_of(bytes, len), &address), 0);
	struct base_addr wanted = ip("10.0.0.7");
	assert_true(base_addr_equal(&address.addr, &wanted));
	assert_int_equal(address.ifindex, 7);
	assert_int_equal(address.prefix, 24);
	assert_int_equal(address.scope, RT_SCOPE_UNIVERSE);
	assert_true(address.permanent);
	bytes[2] = 0; /* its flags: of a lease */
	assert_int_equal(netlink_parse_address(slice_of(bytes, len), &address), 0);
	assert_false(address.permanent);
	len = unhex(ADDRESS_V6, bytes, sizeof(bytes));
	assert_int_equal(netlink_parse_address(slice_of(bytes, len), &address), 0);
	wanted = ip("fe80::1");
	assert_true(base_addr_equal(&address.addr, &wanted));
	len = unhex("0218 80 00 07000000", bytes, sizeof(bytes));
	assert_int_equal(netlink_parse_address(slice_of(bytes, len), &address), BASE_E_SHORT);
	len = unhex("0221 80 00 07000000 08000200 0a000007", bytes, sizeof(bytes)); /* a prefix of 33 bits */
	assert_int_equal(netlink_parse_address(slice_of(bytes, len), &address), BASE_E_LENGTH);
}

static void test_same_network(void **state) {
	static const struct {
		const char *a, *b;
		uint8_t a_prefix, b_prefix;
		bool same;
	} cases[] = {
	    {"192.168.1.20", "192.168.1.130", 24, 24, true}, {"192.168.1.20", "192.168.1.130", 25, 25, false},
	    {"192.168.1.20", "192.168.2.130", 24, 16, true}, {"192.168.1.20", "192.168.2.130", 24, 24, false},
	    {"10.8.0.2", "10.8.0.77", 32, 24, true},         {"169.254.1.1", "169.254.2.2", 16, 16, false},
	    {"127.0.0.1", "127.0.0.2", 8, 8, false},         {"2001:db8::1", "2001:db8::2", 64, 64, false},
	    {"192.168.1.20", "2001:db8::2", 24, 64, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct netlink_address a = {.addr = ip(cases[i].a), .prefix = cases[i].a_prefix};
		const struct netlink_address b = {.addr = ip(cases[i].b), .prefix = cases[i].b_prefix};

		unit_assert_int(netlink_same_network(&a, &b), cases[i].same, cases[i].a);
		unit_assert_int(netlink_same_network(&b, &a), cases[i].same, cases[i].b);
	}
}

static void feed(const uint8_t *bytes, size_t len, int *ret_route, int *ret_address, int *ret_next) {
	uint8_t *copy = test_malloc(len + 1); /* exact but for one byte, so that a sanitizer sees an overrun */
	struct slice rest = slice_of(copy + 1, len);
	struct netlink_route route;
	struct netlink_address address;
	struct netlink_link_state link;
	struct netlink_message message;
	memcpy(copy + 1, bytes, len);
	*ret_route = netlink_parse_route(rest, &route);
	*ret_address = netlink_parse_address(rest, &address);
	(void)netlink_parse_link(rest, &link);
	*ret_next = netlink_next(&rest, &message);
	test_free(copy);
}

static void test_truncated(void **state) {
	uint8_t bytes[256];
	int route, address, next;
	(void)state;
	const size_t route_len = unhex(DEFAULT_ROUTE, bytes, sizeof(bytes));
	for (size_t len = 0; len < route_len; len++) {
		feed(bytes, len, &route, &address, &next);
		/* Only a cut between attributes leaves a whole, shorter message. */
		unit_assert_int(route == 0, len >= 12 && (len - 12) % 8 == 0, "route");
	}
	const size_t address_len = unhex(ADDRESS_V4, bytes, sizeof(bytes));
	for (size_t len = 0; len < address_len; len++) {
		feed(bytes, len, &route, &address, &next);
		unit_assert_int(address == 0, len == 16 || len == 24 || len == 31, "address");
	}
	struct netlink_request request;
	const struct base_addr dest = ip("192.0.2.1");
	netlink_get_route(&request, 1, &dest, false);
	for (size_t len = 0; len < request.len; len++) {
		feed(request.bytes, len, &route, &address, &next);
		unit_assert_int(next, len == 0 ? 0 : len < 16 ? BASE_E_SHORT : BASE_E_LENGTH, "message");
	}
}

static void test_messages_one_by_one(void **state) {
	uint8_t bytes[64];
	struct netlink_message message;
	int code = -1;
	(void)state;
	/* NLMSG_ERROR -17 (20 bytes), then NLMSG_DONE without padding at the end (17 bytes) */
	size_t len = unhex("14000000 0200 0000 05000000 00000000 efffffff 11000000 0300 0200 06000000 00000000 00", bytes,
	                   sizeof(bytes));
	struct slice rest = slice_of(bytes, len);
	assert_int_equal(netlink_next(&rest, &message), 1);
	assert_int_equal(message.type, NLMSG_ERROR);
	assert_int_equal(message.seq, 5);
	assert_int_equal(netlink_parse_error(message.payload, &code), 0);
	assert_int_equal(code, 17);
	assert_int_equal(netlink_next(&rest, &message), 1);
	assert_int_equal(message.type, NLMSG_DONE);
	assert_int_equal(netlink_parse_error(message.payload, &code), BASE_E_SHORT);
	assert_int_equal(netlink_next(&rest, &message), 0);
	/* A message that claims less than its header must not stand still. */
	len = unhex("0f000000 0200 0000 05000000 00000000", bytes, sizeof(bytes));
	rest = slice_of(bytes, len);
	assert_int_equal(netlink_next(&rest, &message), BASE_E_LENGTH);
	/* The smallest int has no positive. */
	len = unhex("00000080", bytes, sizeof(bytes));
	assert_int_equal(netlink_parse_error(slice_of(bytes, len), &code), 0);
	assert_int_equal(code, 0);
}

static void test_covers(void **state) {
	static const struct {
		const char *dest;
		uint8_t prefix;
		const char *addr;
		bool covers;
	} cases[] = {
	    {"0.0.0.0", 0, "192.0.2.1", true},         {"192.0.2.0", 24, "192.0.2.1", true},
	    {"192.0.2.0", 24, "192.0.3.1", false},     {"192.0.2.1", 32, "192.0.2.1", true},
	    {"192.0.2.2", 32, "192.0.2.1", false},     {"192.0.2.128", 25, "192.0.2.129", true},
	    {"192.0.2.128", 25, "192.0.2.1", false},   {"0.0.0.0", 0, "2001:db8::1", false},
	    {"2001:db8::", 32, "2001:db8::1", true},   {"2001:db8::", 33, "2001:db8:8000::1", false},
	    {"2001:db8::1", 128, "2001:db8::1", true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct netlink_route route = route_of(cases[i].dest, cases[i].prefix, "", 1, 0);
		const struct base_addr addr = ip(cases[i].addr);
		unit_assert_int(netlink_route_covers(&route, &addr), cases[i].covers, cases[i].addr);
	}
}

static void test_choice(void **state) {
	const struct netlink_route wide = route_of("0.0.0.0", 0, "", 1, 0), narrow = route_of("192.0.2.0", 24, "", 1, 600),
	                           cheap = route_of("0.0.0.0", 0, "", 1, 0), dear = route_of("0.0.0.0", 0, "", 1, 600);
	static const struct {
		const char *addr;
		uint8_t scope;
	} by_rank[] = {{"192.0.2.1", RT_SCOPE_UNIVERSE},
	               {"2001:db8::1", RT_SCOPE_UNIVERSE},
	               {"169.254.1.1", RT_SCOPE_LINK},
	               {"fe80::1", RT_SCOPE_LINK}};
	(void)state;
	assert_true(netlink_route_better(&narrow, &wide));
	assert_false(netlink_route_better(&wide, &narrow));
	assert_true(netlink_route_better(&cheap, &dear));
	assert_false(netlink_route_better(&cheap, &wide));
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 4; k++) {
			const struct netlink_address a = {.addr = ip(by_rank[i].addr), .scope = by_rank[i].scope};
			const struct netlink_address b = {.addr = ip(by_rank[k].addr), .scope = by_rank[k].scope};
			unit_assert_int(netlink_address_better(&a, &b), i < k, by_rank[i].addr);
		}
	/* avahi-autoipd gives its address global scope */
	const struct netlink_address self_assigned = {.addr = ip("169.254.1.1"), .scope = RT_SCOPE_UNIVERSE};
	const struct netlink_address real = {.addr = ip("2001:db8::1"), .scope = RT_SCOPE_UNIVERSE};
	assert_true(netlink_address_better(&real, &self_assigned));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_route_there_and_back),
	    cmocka_unit_test(test_address_there_and_back),
	    cmocka_unit_test(test_set_link),
	    cmocka_unit_test(test_parse_link),
	    cmocka_unit_test(test_parse_route),
	    cmocka_unit_test(test_parse_address),
	    cmocka_unit_test(test_same_network),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_messages_one_by_one),
	    cmocka_unit_test(test_covers),
	    cmocka_unit_test(test_choice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
