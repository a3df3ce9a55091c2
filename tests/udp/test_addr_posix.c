#include "tests/unit.h"
#include "udp/addr_posix.h"

#include <arpa/inet.h>
#include <string.h>

struct convert_case {
	const char *ip;
	sa_family_t domain;
	sa_family_t expected; /* AF_UNSPEC: cannot be said */
};

static const struct convert_case cases[] = {
    {"192.0.2.1", AF_INET, AF_INET},     {"192.0.2.1", AF_INET6, AF_INET6}, {"2001:db8::1", AF_INET6, AF_INET6},
    {"2001:db8::1", AF_INET, AF_UNSPEC}, {"fe80::1", AF_INET6, AF_INET6},   {"::", AF_INET6, AF_INET6},
};

static void test_round_trip(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct base_addr addr, back;
		union udp_sockaddr system;
		socklen_t len;

		assert_int_equal(base_addr_parse_ip(cases[i].ip, strlen(cases[i].ip), &addr), 0);
		addr.port = 4433;
		addr.scope = strncmp(cases[i].ip, "fe80", 4) == 0 ? 3 : 0;
		len = udp_addr_to_system(&addr, cases[i].domain, &system);
		unit_assert_int(len > 0, cases[i].expected != AF_UNSPEC, cases[i].ip);
		unit_assert_int(system.any.sa_family, cases[i].expected, cases[i].ip);
		back = udp_addr_from_system(&system);
		if (len > 0)
			unit_assert_true(base_addr_equal(&addr, &back), cases[i].ip);
		else
			unit_assert_int(back.family, BASE_FAMILY_NONE, cases[i].ip);
	}
}

static void test_no_family(void **state) {
	const struct base_addr none = {.port = 1};
	union udp_sockaddr system;

	(void)state;
	assert_int_equal(udp_addr_to_system(&none, AF_INET, &system), 0);
	assert_int_equal(udp_addr_to_system(&none, AF_INET6, &system), 0);
}

static void test_mapped_on_the_wire(void **state) {
	const struct base_addr addr = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443};
	union udp_sockaddr system;
	struct in6_addr expected;

	(void)state;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &expected), 1);
	assert_int_equal(udp_addr_to_system(&addr, AF_INET6, &system), sizeof(struct sockaddr_in6));
	assert_memory_equal(&system.in6.sin6_addr, &expected, sizeof(expected));
	assert_int_equal(system.in6.sin6_port, htons(443));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_no_family),
	    cmocka_unit_test(test_mapped_on_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
