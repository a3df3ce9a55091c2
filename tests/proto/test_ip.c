#include "proto/ip.h"

#include "base/error.h"
#include "tests/policy/frames.h"

#include <stdlib.h>

static const struct {
	const char *label, *packet;
	int expected;
	uint8_t protocol;
	size_t len; /* of the payload */
} cases[] = {
    {"UDP", "60000000 0008 11ff z0020 z0008", 0, 17, 8},
    {"nothing", "60000000 0000 3bff z0020", 0, 59, 0},
    {"padded", "60000000 0002 06ff z0020 0102 z0010", 0, 6, 2},
    {"fragment", "60000000 0008 2cff z0020 3a00 0001 00000001", 0, 44, 8},
    {"hop-by-hop", "60000000 000c 00ff z0020 3a00 z0006 80000000", 0, 58, 4},
    {"of 16 bytes", "60000000 0014 3cff z0020 3a01 z000e 80000000", 0, 58, 4},
    {"AH counts fours", "60000000 0010 33ff z0020 0601 z000a 01020304", 0, 6, 4},
    {"all kinds", "60000000 0030 00ff z0020 3c00 z0006 2b00 z0006 8700 z0006 8b00 z0006 8c00 z0006 1100 z0006", 0, 17,
     0},
    {"unknown ends it", "60000000 0008 fdff z0020 3a00 z0006", 0, 253, 8},

    {"cut off", "60000000 0000 3bff z001f", BASE_E_LENGTH, 0, 0},
    {"version 4", "40000000 0000 3bff z0020", BASE_E_LENGTH, 0, 0},
    {"length over the end", "60000000 0009 11ff z0020 z0008", BASE_E_LENGTH, 0, 0},
    {"jumbogram", "60000000 0000 00ff z0020 3a00 c204 00010000", BASE_E_LENGTH, 0, 0},
    {"chain without a byte", "60000000 0000 3cff z0020", BASE_E_INVALID, 0, 0},
    {"chain of one byte", "60000000 0001 3cff z0020 3a", BASE_E_INVALID, 0, 0},
    {"chain over the end", "60000000 000f 3cff z0020 3a01 z000d 00", BASE_E_INVALID, 0, 0},
    {"chain that ends in the padding", "60000000 0008 3cff z0020 3a01 z0006 . z0008", BASE_E_INVALID, 0, 0},
    {"hop-by-hop in second place", "60000000 0010 3cff z0020 0000 z0006 3a00 z0006", BASE_E_INVALID, 0, 0},
};

static void test_ipv6_payload(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test_frame packet;
		struct slice payload = {.len = 77};
		uint8_t protocol = 77;

		test_frame_build(&packet, cases[i].packet);
		unit_assert_int(proto_ipv6_payload(slice_of(packet.bytes, packet.len), &protocol, &payload), cases[i].expected,
		                cases[i].label);
		unit_assert_int(protocol, cases[i].expected == 0 ? cases[i].protocol : 77, cases[i].label);
		unit_assert_int(payload.len, cases[i].expected == 0 ? cases[i].len : 77, cases[i].label);
		for (size_t len = 0; len < packet.len; len++) { /* in a buffer of its own, so that sanitizers see any overrun */
			uint8_t *copy = malloc(len + 1);

			assert_non_null(copy);
			memcpy(copy + 1, packet.bytes, len);
			(void)proto_ipv6_payload(slice_of(copy + 1, len), &protocol, &payload);
			free(copy);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_ipv6_payload)};

	return cmocka_run_group_tests_name("proto/ip", tests, NULL, NULL);
}
