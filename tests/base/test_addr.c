#include "base/addr.h"
#include "base/error.h"
#include "tests/unit.h"

#include <string.h>

struct addr_case {
	const char *text;
	const char *printed; /* NULL: refused */
};

static const struct addr_case cases[] = {
	{"192.0.2.1", "192.0.2.1:7"},
	{"0.0.0.0", "0.0.0.0:7"},
	{"255.255.255.255", "255.255.255.255:7"},
	{"::", "[::]:7"},
	{"::1", "[::1]:7"},
	{"1::", "[1::]:7"},
	{"2001:db8::1", "[2001:db8::1]:7"},
	{"2001:DB8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:7"},
	{"2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:7"},
	{"::ffff:192.0.2.1", "[::ffff:c000:201]:7"},
	{"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:7"},
	{"1:2:3:4:5:6:192.0.2.1", "[1:2:3:4:5:6:c000:201]:7"},
	{"0:0:0:0:0:0:0:8", "[::8]:7"},
	{"fe80:0:0:0:1:0:0:0", "[fe80::1:0:0:0]:7"},
	{"", NULL},
	{":", NULL},
	{":::", NULL},
	{"1:2:3:4:5:6:7", NULL},
	{"1:2:3:4:5:6:7:8:9", NULL},
	{"1::2::3", NULL},
	{"1:2:3:4:5:6:7::8", NULL},
	{"12345::", NULL},
	{"g::", NULL},
	{"1:", NULL},
	{":1", NULL},
	{"192.0.2", NULL},
	{"192.0.2.256", NULL},
	{"192.0.2.01", NULL},
	{"192.0.2.1.1", NULL},
	{"192.0.2.1 ", NULL},
	{"::192.0.2.1:1", NULL},
	{"1:2:3:4:5:6:7:192.0.2.1", NULL},
};

static void test_parse_and_print(void **state) {
	char buf[BASE_ADDR_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct base_addr addr = {.port = 99};
		int err = base_addr_parse_ip(cases[i].text, strlen(cases[i].text), &addr);

		if (cases[i].printed == NULL) {
			unit_assert_int(err, BASE_E_SYNTAX, cases[i].text);
			assert_int_equal(addr.port, 99);
			continue;
		}
		unit_assert_int(err, 0, cases[i].text);
		addr.port = 7;
		assert_string_equal(base_addr_text(&addr, buf), cases[i].printed);
	}
}

static void test_scope_and_none(void **state) {
	struct base_addr addr = {.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80, [15] = 1}, .port = 443, .scope = 3};
	struct base_addr none = {0};
	char buf[BASE_ADDR_TEXT_BYTES];

	(void)state;
	assert_string_equal(base_addr_text(&addr, buf), "[fe80::1%3]:443");
	assert_string_equal(base_addr_text(&none, buf), "-");
}

static void test_equal(void **state) {
	struct base_addr a = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 1}, .port = 1};
	struct base_addr b = a;
	struct base_path p = {a, b}, q = {a, b};

	(void)state;
	assert_true(base_addr_equal(&a, &b));
	assert_true(base_path_equal(&p, &q));
	b.port = 2;
	assert_false(base_addr_equal(&a, &b));
	q.remote = b;
	assert_false(base_path_equal(&p, &q));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_print),
		cmocka_unit_test(test_scope_and_none),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests_name("base/addr", tests, NULL, NULL);
}
