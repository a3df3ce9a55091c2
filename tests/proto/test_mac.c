#include "proto/mac.h"

#include "base/error.h"
#include "tests/unit.h"

#include <string.h>

static const struct proto_mac sample = {{0x02, 0x1a, 0xb0, 0x0c, 0xde, 0xff}};

static void test_parse(void **state) {
	static const struct {
		const char *text;
		int expected;
	} cases[] = {
	    {"02:1a:b0:0c:de:ff", 0},
	    {"02-1a-b0-0c-de-ff", 0},
	    {"02:1A:B0:0C:DE:FF", 0},
	    {"02-1A-b0-0C-dE-Ff", 0},
	    {"", BASE_E_SYNTAX},
	    {"02:1a:b0:0c:de", BASE_E_SYNTAX},
	    {"02:1a:b0:0c:de:ff:00", BASE_E_SYNTAX},
	    {"02:1a-b0:0c-de:ff", BASE_E_SYNTAX},
	    {"02-1a-b0-0c-de:ff", BASE_E_SYNTAX},
	    {"021ab00cdeff", BASE_E_SYNTAX},
	    {"021a.b00c.deff", BASE_E_SYNTAX},
	    {"02.1a.b0.0c.de.ff", BASE_E_SYNTAX},
	    {"02:1a:b0:0c:de:fg", BASE_E_SYNTAX},
	    {"02:1a:b0:0c:de: f", BASE_E_SYNTAX},
	    {"02:1a:b0:0c:de:+f", BASE_E_SYNTAX},
	    {"2:1a:b0:0c:de:fff", BASE_E_SYNTAX},
	    {" 02:1a:b0:0c:de:ff", BASE_E_SYNTAX},
	    {"02:1a:b0:0c:de:ff ", BASE_E_SYNTAX},
	    {"02:1a:b0:0c:de:ff\n", BASE_E_SYNTAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const struct proto_mac untouched = {{9, 9, 9, 9, 9, 9}};
		struct proto_mac mac = untouched;

		unit_assert_int(proto_mac_parse(cases[i].text, strlen(cases[i].text), &mac), cases[i].expected, cases[i].text);
		unit_assert_true(proto_mac_equal(mac, cases[i].expected == 0 ? sample : untouched), cases[i].text);
	}
}

static void test_parse_prefixes(void **state) {
	static const char text[] = "02:1a:b0:0c:de:ff";
	struct proto_mac mac;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		unit_assert_int(proto_mac_parse(text, len, &mac), BASE_E_SYNTAX, "prefix");
	assert_int_equal(proto_mac_parse("02:1a:b0:0c:de:f\0", 17, &mac), BASE_E_SYNTAX);
}

static void test_text(void **state) {
	char buf[PROTO_MAC_TEXT_BYTES];

	(void)state;
	assert_ptr_equal(proto_mac_text(sample, buf), buf);
	assert_string_equal(buf, "02:1a:b0:0c:de:ff");
	assert_string_equal(proto_mac_text((struct proto_mac){{0}}, buf), "00:00:00:00:00:00");
}

static void test_kinds(void **state) {
	static const struct {
		const char *label;
		struct proto_mac mac;
		bool zero, group, broadcast, local;
		int identity;
	} cases[] = {
	    {"zero", {{0}}, true, false, false, false, BASE_E_INVALID},
	    {"broadcast", {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, false, true, true, true, BASE_E_INVALID},
	    {"multicast", {{0x01, 0x00, 0x5e, 0, 0, 1}}, false, true, false, false, BASE_E_INVALID},
	    {"IPv6 multicast", {{0x33, 0x33, 0, 0, 0, 1}}, false, true, false, true, BASE_E_INVALID},
	    {"vendor", {{0x00, 0x1b, 0x21, 1, 2, 3}}, false, false, false, false, 0},
	    {"local", {{0x02, 0, 0, 0, 0, 1}}, false, false, false, true, 0},
	    {"last octet only", {{0, 0, 0, 0, 0, 1}}, false, false, false, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unit_assert_int(proto_mac_is_zero(cases[i].mac), cases[i].zero, cases[i].label);
		unit_assert_int(proto_mac_is_group(cases[i].mac), cases[i].group, cases[i].label);
		unit_assert_int(proto_mac_is_broadcast(cases[i].mac), cases[i].broadcast, cases[i].label);
		unit_assert_int(proto_mac_is_local(cases[i].mac), cases[i].local, cases[i].label);
		unit_assert_int(proto_mac_check_identity(cases[i].mac), cases[i].identity, cases[i].label);
	}
}

static void test_from_random(void **state) {
	(void)state;
	for (unsigned first = 0; first < 256; first++) {
		const uint8_t random[PROTO_MAC_BYTES] = {(uint8_t)first, 2, 3, 4, 5, 6};
		struct proto_mac mac = proto_mac_from_random(random);

		assert_false(proto_mac_is_group(mac));
		assert_true(proto_mac_is_local(mac));
		assert_int_equal(mac.b[0] & 0xfc, first & 0xfc);
		assert_memory_equal(mac.b + 1, random + 1, 5);
	}
	assert_int_equal(proto_mac_check_identity(proto_mac_from_random((const uint8_t[PROTO_MAC_BYTES]){0})), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse), cmocka_unit_test(test_parse_prefixes), cmocka_unit_test(test_text),
	    cmocka_unit_test(test_kinds), cmocka_unit_test(test_from_random),
	};

	return cmocka_run_group_tests_name("proto/mac", tests, NULL, NULL);
}
