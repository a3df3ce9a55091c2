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
	assert_string_equal(base_addr_ip_text(&addr, buf), "fe80::1%3");
	assert_string_equal(base_addr_ip_text(&none, buf), "-");
	addr = (struct base_addr){.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443};
	assert_string_equal(base_addr_ip_text(&addr, buf), "192.0.2.1");
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

static struct base_addr parse(const char *text) {
	struct base_addr addr;

	assert_int_equal(base_addr_parse_ip(text, strlen(text), &addr), 0);
	return addr;
}

static void test_same_prefix(void **state) {
	static const struct {
		const char *a, *b;
		size_t bits;
		bool same;
	} prefixes[] = {
	    {"192.0.2.1", "203.0.113.9", 0, true},
	    {"192.0.2.1", "192.0.3.1", 23, true},
	    {"192.0.2.1", "192.0.3.1", 24, false},
	    {"192.0.2.1", "192.0.2.128", 24, true},
	    {"192.0.2.1", "192.0.2.128", 25, false},
	    {"192.0.2.1", "192.0.2.1", 32, true},
	    {"192.0.2.1", "192.0.2.0", 32, false},
	    {"192.0.2.1", "192.0.2.1", 33, false},
	    {"2001:db8::1", "2001:db8::2", 126, true},
	    {"2001:db8::1", "2001:db8::2", 127, false},
	    {"2001:db8::1", "2001:db8::1", 128, true},
	    {"2001:db8::1", "2001:db8::1", 129, false},
	    {"0.0.0.0", "::", 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct base_addr a = parse(prefixes[i].a), b = parse(prefixes[i].b);

		unit_assert_int(base_addr_same_prefix(&a, &b, prefixes[i].bits), prefixes[i].same, prefixes[i].b);
		unit_assert_int(base_addr_same_prefix(&b, &a, prefixes[i].bits), prefixes[i].same, prefixes[i].b);
	}
}

static void test_kinds(void **state) {
	static const struct {
		const char *text;
		bool link_local, loopback;
	} kinds[] = {
	    {"169.254.0.1", true, false},  {"169.254.255.254", true, false},
	    {"169.253.0.1", false, false}, {"169.255.0.1", false, false},
	    {"168.254.0.1", false, false}, {"127.0.0.1", false, true},
	    {"127.255.0.1", false, true},  {"126.0.0.1", false, false},
	    {"128.0.0.1", false, false},   {"fe80::1", true, false},
	    {"febf::1", true, false},      {"fec0::1", false, false},
	    {"fe00::1", false, false},     {"::1", false, true},
	    {"::", false, false},          {"::2", false, false},
	    {"a9fe::", false, false},      {"7f00::", false, false},
	};
	const struct base_addr none = {.family = BASE_FAMILY_NONE};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct base_addr addr = parse(kinds[i].text);

		unit_assert_int(base_addr_is_link_local(&addr), kinds[i].link_local, kinds[i].text);
		unit_assert_int(base_addr_is_loopback(&addr), kinds[i].loopback, kinds[i].text);
		unit_assert_int(base_addr_ip_bytes(&addr), strchr(kinds[i].text, ':') != NULL ? 16 : 4, kinds[i].text);
	}
	assert_false(base_addr_is_link_local(&none));
	assert_false(base_addr_is_loopback(&none));
	assert_int_equal(base_addr_ip_bytes(&none), 0);
}

static void test_network(void **state) {
	struct base_addr v4 = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 7}, .port = 1};
	struct base_addr v6 = {.family = BASE_FAMILY_V6, .ip = {0x20, 1, 0x0d, 0xb8, 0, 5, 6, 7, 8}, .port = 1};
	char text[BASE_ADDR_TEXT_BYTES];

	(void)state;
	assert_true(slice_equal(base_addr_network(&v4), slice_of((uint8_t[]){192, 0, 2, 7}, 4)));
	assert_true(slice_equal(base_addr_network(&v6), slice_of((uint8_t[]){0x20, 1, 0x0d, 0xb8, 0, 5, 6}, 7)));
	assert_string_equal(base_addr_network_text(&v4, text), "192.0.2.7");
	assert_string_equal(base_addr_network_text(&v6, text), "2001:db8:5:600::/56");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse_and_print), cmocka_unit_test(test_scope_and_none), cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_same_prefix),     cmocka_unit_test(test_kinds),          cmocka_unit_test(test_network),
	};

	return cmocka_run_group_tests_name("base/addr", tests, NULL, NULL);
}
