#include "base/error.h"
#include "base/text.h"
#include "tests/unit.h"

#include <string.h>

static void test_builds_and_truncates(void **state) {
	char buf[16];
	struct base_text text;

	(void)state;
	base_text_init(&text, buf, sizeof(buf));
	base_text_add(&text, "ab");
	base_text_add_u64(&text, 0);
	base_text_add_hex(&text, slice_of("\x0f\xa0", 2));
	base_text_addf(&text, "%d", -5);
	assert_string_equal(buf, "ab00fa0-5");
	assert_false(text.truncated);
	base_text_add_u64(&text, UINT64_MAX);
	assert_true(text.truncated);
	assert_string_equal(buf, "ab00fa0-5184467");
	base_text_addf(&text, "more");
	assert_int_equal(text.len, sizeof(buf) - 1);
}

static void test_printable(void **state) {
	char buf[16];
	struct base_text text;

	(void)state;
	base_text_init(&text, buf, sizeof(buf));
	base_text_add_printable(&text, slice_of("\0\x1f ~\x7f\x80\xffz", 8));
	assert_string_equal(buf, "?? ~???z");
}

static void test_quoted(void **state) {
	char buf[80], long_one[65];
	struct base_text text;

	(void)state;
	base_text_init(&text, buf, sizeof(buf));
	base_text_add_quoted(&text, slice_of("a\n\x7f\xc3\xa4", 5));
	assert_string_equal(buf, "'a??\xc3\xa4'");
	memset(long_one, 'b', sizeof(long_one));
	base_text_init(&text, buf, sizeof(buf));
	base_text_add_quoted(&text, slice_of(long_one, 64));
	assert_int_equal(text.len, 66);
	base_text_init(&text, buf, sizeof(buf));
	base_text_add_quoted(&text, slice_of(long_one, 65));
	assert_string_equal(buf + 63, "bb...'");
}

static void test_copy(void **state) {
	char buf[4] = "xyz";

	(void)state;
	base_text_copy(buf, sizeof(buf), "ab");
	assert_string_equal(buf, "ab");
	base_text_copy(buf, sizeof(buf), "abcd");
	assert_string_equal(buf, "abc");
	base_text_copy(buf, 1, "abcd");
	assert_string_equal(buf, "");
}

static void test_parse_u64(void **state) {
	static const struct {
		const char *text;
		uint64_t max;
		int err;
		uint64_t value;
	} cases[] = {
	    {"0", 10, 0, 0},
	    {"10", 10, 0, 10},
	    {"11", 10, BASE_E_RANGE, 0},
	    {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
	    {"18446744073709551616", UINT64_MAX, BASE_E_RANGE, 0},
	    {"99999999999999999999999", UINT64_MAX, BASE_E_RANGE, 0},
	    {"", 10, BASE_E_SYNTAX, 0},
	    {"-1", 10, BASE_E_SYNTAX, 0},
	    {"1 ", 10, BASE_E_SYNTAX, 0},
	    {"0x1", 10, BASE_E_SYNTAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t value = 0;

		unit_assert_int(base_parse_u64(cases[i].text, strlen(cases[i].text), cases[i].max, &value), cases[i].err,
		                cases[i].text);
		assert_true(value == cases[i].value);
	}
}

static void test_parse_hex(void **state) {
	uint8_t bytes[2] = {9, 9};

	(void)state;
	assert_int_equal(base_parse_hex("0fAB", 4, bytes, 2), 0);
	assert_int_equal(bytes[0], 0x0f);
	assert_int_equal(bytes[1], 0xab);
	assert_int_equal(base_parse_hex("0fA", 3, bytes, 2), BASE_E_SYNTAX);
	assert_int_equal(base_parse_hex("0fAg", 4, bytes, 2), BASE_E_SYNTAX);
	assert_int_equal(bytes[1], 0xab);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_builds_and_truncates),
	    cmocka_unit_test(test_printable),
	    cmocka_unit_test(test_quoted),
	    cmocka_unit_test(test_copy),
	    cmocka_unit_test(test_parse_u64),
	    cmocka_unit_test(test_parse_hex),
	};

	return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
