#include "base/error.h"
#include "client-route/state_file.h"
#include "tests/unit.h"

#include <string.h>

#define HEAD "lanparty-route-state 1\n"

static const char whole[] = HEAD "pin family=4 luid=1689399632855040 dest=203.0.113.5 next_hop=192.0.2.1\n"
                                 "pin family=6 luid=18446744073709551615 dest=2001:db8::5 next_hop=fe80::1\n"
                                 "mtu family=4 luid=7 set=1400 was=1500\n"
                                 "metric family=6 luid=7 set=3 was=25 automatic=1\n"
                                 "defaults family=4 luid=7 set=1 was=0\n"
                                 "end 5\n";

static void test_round_trip(void **state) {
	struct route_change changes[ROUTE_STATE_CHANGES_MAX];
	char error[ROUTE_ERROR_BYTES] = "", buf[ROUTE_STATE_BYTES_MAX];
	struct base_text text;
	size_t count = 0;

	(void)state;
	assert_int_equal(route_state_parse(slice_of_text(whole), changes, &count, error), 0);
	assert_int_equal(count, 5);
	assert_int_equal(changes[0].pin.prefix, 32);
	assert_int_equal(changes[0].pin.luid, 1689399632855040);
	assert_int_equal(changes[0].pin.dest.ip[3], 5);
	assert_int_equal(changes[1].pin.prefix, 128);
	assert_true(changes[1].luid == UINT64_MAX);
	assert_int_equal(changes[2].set, 1400);
	assert_int_equal(changes[2].was, 1500);
	assert_true(changes[3].was_automatic);
	assert_int_equal(changes[3].family, 6);
	base_text_init(&text, buf, sizeof(buf));
	route_state_write(changes, count, &text);
	assert_string_equal(buf, whole);
}

static void test_most_changes_fit(void **state) {
	struct route_change changes[ROUTE_STATE_CHANGES_MAX], again[ROUTE_STATE_CHANGES_MAX];
	char error[ROUTE_ERROR_BYTES] = "", buf[ROUTE_STATE_BYTES_MAX];
	struct base_text text;
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < ROUTE_STATE_CHANGES_MAX; i++) {
		changes[i] = (struct route_change){.kind = ROUTE_CHANGE_PIN, .family = BASE_FAMILY_V6, .luid = UINT64_MAX};
		changes[i].pin.dest.family = changes[i].pin.next_hop.family = BASE_FAMILY_V6;
		memset(changes[i].pin.dest.ip, 0xff, 16);
		memset(changes[i].pin.next_hop.ip, 0xfe, 16);
	}
	base_text_init(&text, buf, sizeof(buf));
	route_state_write(changes, ROUTE_STATE_CHANGES_MAX, &text);
	assert_int_equal(route_state_parse(slice_of(buf, text.len), again, &count, error), 0);
	assert_int_equal(count, ROUTE_STATE_CHANGES_MAX);
}

static void test_each_prefix_is_refused(void **state) {
	struct route_change changes[ROUTE_STATE_CHANGES_MAX];
	size_t count = 77;

	(void)state;
	for (size_t len = 0; len + 1 < sizeof(whole); len++) {
		char error[ROUTE_ERROR_BYTES] = "";

		assert_int_not_equal(route_state_parse(slice_of(whole, len), changes, &count, error), 0);
		assert_true(strncmp(error, "line ", 5) == 0);
		assert_int_equal(count, 77);
	}
}

static void test_errors(void **state) {
	static const struct {
		const char *text;
		int err;
		const char *error;
	} cases[] = {
	    {"", BASE_E_SYNTAX, "line 1: the file ends too early"},
	    {"hello\n", BASE_E_SYNTAX, "line 1: this is no route state file"},
	    {"lanparty-route-state 2\nend 0\n", BASE_E_VERSION, "line 1: the file is of another version"},
	    {"lanparty-route-state 1 \nend 0\n", BASE_E_VERSION, "line 1"},
	    {HEAD "end 0\nmore", BASE_E_SYNTAX, "line 2, end: something follows"},
	    {HEAD "end 1\n", BASE_E_SYNTAX, "line 2, end: the number of changes is wrong"},
	    {HEAD "end 00\n", BASE_E_SYNTAX, "line 2, end"},
	    {HEAD "end\n", BASE_E_SYNTAX, "line 2, end"},
	    {HEAD "\nend 0\n", BASE_E_SYNTAX, "line 2: unknown kind of change"},
	    {HEAD "MTU family=4 luid=7 set=1 was=2\nend 1\n", BASE_E_SYNTAX, "line 2: unknown kind of change"},
	    {HEAD "mtu\nend 1\n", BASE_E_SYNTAX, "line 2, family: the field is missing"},
	    {HEAD "mtu luid=7 family=4 set=1 was=2\nend 1\n", BASE_E_SYNTAX, "line 2, family: the field is missing"},
	    {HEAD "mtu family=5 luid=7 set=1 was=2\nend 1\n", BASE_E_RANGE, "line 2, family: value out of range"},
	    {HEAD "mtu family=4 luid=07 set=1 was=2\nend 1\n", BASE_E_SYNTAX, "line 2, luid: syntax error"},
	    {HEAD "mtu family=4 luid=18446744073709551616 set=1 was=2\n", BASE_E_RANGE, "line 2, luid: value out of range"},
	    {HEAD "mtu family=4 luid=7 set=4294967296 was=2\n", BASE_E_RANGE, "line 2, set: value out of range"},
	    {HEAD "mtu family=4 luid=7 set=1 was=\n", BASE_E_SYNTAX, "line 2, was"},
	    {HEAD "mtu family=4 luid=7 set=1 was=2 \n", BASE_E_SYNTAX, "line 2: there is more"},
	    {HEAD "mtu family=4 luid=7 set=1 was=2 x=3\n", BASE_E_SYNTAX, "line 2: there is more"},
	    {HEAD "metric family=4 luid=7 set=1 was=2 automatic=2\n", BASE_E_RANGE,
	     "line 2, automatic: value out of range"},
	    {HEAD "defaults family=4 luid=7 set=1 was=2\n", BASE_E_RANGE, "line 2, was: value out of range"},
	    {HEAD "pin family=4 luid=7 dest=2001:db8::1 next_hop=1.2.3.4\n", BASE_E_SYNTAX, "line 2, dest: syntax error"},
	    {HEAD "pin family=4 luid=7 dest=1.2.3.4 next_hop=1.2.3\n", BASE_E_SYNTAX, "line 2, next_hop: syntax error"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct route_change changes[ROUTE_STATE_CHANGES_MAX];
		char error[ROUTE_ERROR_BYTES] = "";
		size_t count = 77;

		unit_assert_int(route_state_parse(slice_of_text(cases[i].text), changes, &count, error), cases[i].err,
		                cases[i].text);
		if (strstr(error, cases[i].error) == NULL)
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, error, cases[i].error);
		assert_int_equal(count, 77);
	}
}

static void test_too_many(void **state) {
	struct route_change changes[ROUTE_STATE_CHANGES_MAX];
	char error[ROUTE_ERROR_BYTES] = "", buf[ROUTE_STATE_BYTES_MAX];
	struct base_text text;
	size_t count = 77;

	(void)state;
	base_text_init(&text, buf, sizeof(buf));
	base_text_add(&text, HEAD);
	for (size_t i = 0; i <= ROUTE_STATE_CHANGES_MAX; i++)
		base_text_add(&text, "mtu family=4 luid=7 set=1400 was=1500\n");
	assert_int_equal(route_state_parse(slice_of(buf, text.len), changes, &count, error), BASE_E_FULL);
	assert_non_null(strstr(error, "line 18: too many changes"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_most_changes_fit),
	    cmocka_unit_test(test_each_prefix_is_refused),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests_name("client-route/state_file", tests, NULL, NULL);
}
