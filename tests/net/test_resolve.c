#include "net/resolve.h"
#include "tests/unit.h"

#include <string.h>

struct interleave_case {
	const char *in, *out; /* '6' and '4' for families, numbered as they come; '?' for neither */
};

static const struct interleave_case cases[] = {
    {"", ""},
    {"4", "4"},
    {"6", "6"},
    {"46", "46"}, /* a machine without a route for IPv6 */
    {"64", "64"},
    {"444", "444"},
    {"666", "666"},
    {"4466", "4646"},
    {"6444", "6444"},
    {"66644", "64646"},
    {"4666666", "4666666"},
    {"4?6?", "46"},
    {"?64", "46"},
    {"??", ""},
    {"4444444466666666", "4646464646464646"},
};

static void test_interleave(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct net_resolved addrs = {.count = strlen(cases[i].in)};
		uint8_t last_v4 = 0, last_v6 = 0;

		unit_assert_true(addrs.count <= NET_RESOLVE_ADDRS_MAX, cases[i].in);

		for (size_t j = 0; j < addrs.count && j < NET_RESOLVE_ADDRS_MAX; j++) {
			char family = cases[i].in[j];

			addrs.addrs[j].family = family == '?' ? 0 : (uint8_t)(family - '0');
			addrs.addrs[j].ip[0] = (uint8_t)(j + 1);
		}
		net_resolve_interleave(&addrs);
		unit_assert_int(addrs.count, strlen(cases[i].out), cases[i].in);
		for (size_t j = 0; j < addrs.count; j++) {
			uint8_t *last = addrs.addrs[j].family == BASE_FAMILY_V4 ? &last_v4 : &last_v6;

			unit_assert_int(addrs.addrs[j].family, cases[i].out[j] - '0', cases[i].in);
			unit_assert_true(addrs.addrs[j].ip[0] > *last, cases[i].in); /* the resolver's order stays */
			*last = addrs.addrs[j].ip[0];
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_interleave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
