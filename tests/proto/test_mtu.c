#include "proto/mtu.h"

#include "base/error.h"
#include "tests/unit.h"

static void test_budget_to_mtu(void **state) {
	static const struct {
		const char *label;
		size_t budget;
		int expected;
		uint16_t mtu;
	} cases[] = {
	    {"nothing", 0, BASE_E_RANGE, 0},
	    {"under the headers", 21, BASE_E_RANGE, 0},
	    {"one short of the least", 597, BASE_E_RANGE, 0},
	    {"the least", 598, 0, 576},
	    {"QUIC's first packet size", 1157, 0, 1135},
	    {"one short of IPv6", 1301, 0, 1279},
	    {"exactly IPv6", 1302, 0, 1280},
	    {"headroom begins", 1303, 0, 1280},
	    {"headroom is whole", 1314, 0, 1280},
	    {"above IPv6", 1315, 0, 1281},
	    {"path MTU 1500", 1440, 0, 1406},
	    {"one short of Ethernet", 1533, 0, 1499},
	    {"Ethernet", 1534, 0, 1500},
	    {"capped", 1535, 0, 1500},
	    {"the largest", PROTO_BUDGET_MAX, 0, 1500},
	    {"absurd", SIZE_MAX, 0, 1500},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t mtu = 0;

		unit_assert_int(proto_tap_mtu_from_budget(cases[i].budget, &mtu), cases[i].expected, cases[i].label);
		unit_assert_int(mtu, cases[i].mtu, cases[i].label);
	}
}

/* The MTU never falls when the budget grows, and its frames always fit the budget. */
static void test_both_ways(void **state) {
	uint16_t before = 0;

	(void)state;
	for (size_t budget = PROTO_BUDGET_MIN; budget <= 2000; budget++) {
		uint16_t mtu = 0;

		assert_int_equal(proto_tap_mtu_from_budget(budget, &mtu), 0);
		assert_true(mtu >= before && mtu >= PROTO_TAP_MTU_MIN && mtu <= PROTO_TAP_MTU_MAX);
		assert_true(proto_budget_for_tap_mtu(mtu) <= budget);
		assert_true(proto_frame_bytes_max(mtu) + 8 == proto_budget_for_tap_mtu(mtu));
		before = mtu;
	}
	assert_int_equal(proto_budget_for_tap_mtu(1500), 1522);
	assert_int_equal(proto_budget_for_tap_mtu(UINT16_MAX), 65557);
	assert_int_equal(proto_frame_bytes_max(1500), 1514);
	assert_false(proto_tap_mtu_carries_ipv6(1279));
	assert_true(proto_tap_mtu_carries_ipv6(1280));
}

/* A tag of the LAN's is allowed for, nothing else is. */
static void test_frame_fits(void **state) {
	static const struct {
		const char *label;
		size_t len;
		uint8_t type[2];
		bool fits;
	} cases[] = {
	    {"plain, as long as may be", 1414, {0x08, 0x00}, true},
	    {"plain, a byte longer", 1415, {0x08, 0x00}, false},
	    {"tagged, as long as may be", 1418, {0x81, 0x00}, true},
	    {"tagged, a byte longer", 1419, {0x81, 0x00}, false},
	    {"802.1ad", 1418, {0x88, 0xa8}, true},
	    {"802.1ad before it had its number", 1418, {0x91, 0x00}, true},
	    {"almost a tag", 1418, {0x81, 0x01}, false},
	    {"short and tagged", 60, {0x81, 0x00}, true},
	    {"no whole header", 13, {0, 0}, true},
	};
	uint8_t frame[14] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		frame[12] = cases[i].type[0];
		frame[13] = cases[i].type[1];
		/* More than there is: only the header may be read. */
		unit_assert_int(proto_frame_fits(slice_of(frame, cases[i].len), 1400), cases[i].fits, cases[i].label);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_budget_to_mtu),
	    cmocka_unit_test(test_both_ways),
	    cmocka_unit_test(test_frame_fits),
	};

	return cmocka_run_group_tests_name("proto/mtu", tests, NULL, NULL);
}
