#include "client-win/command_line.h"

#include "tests/unit.h"

#include <string.h>

static void test_quoting(void **state) {
	static const struct {
		const char *plain, *quoted;
	} cases[] = {
	    {"ROOM1", "ROOM1"},           {"", "\"\""},
	    {"a b", "\"a b\""},           {"C:\\a b\\", "\"C:\\a b\\\\\""},
	    {"C:\\a\\b", "C:\\a\\b"},     {"say \"hi\"", "\"say \\\"hi\\\"\""},
	    {"x\\\"y", "\"x\\\\\\\"y\""}, {"a \\\\b", "\"a \\\\b\""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[64];
		struct base_text text;
		base_text_init(&text, buf, sizeof(buf));
		winmain_quote(&text, cases[i].plain);
		assert_string_equal(buf, cases[i].quoted);
	}
}

static bool under_c(void *user, const char *path, struct base_text *out) {
	base_text_addf(out, "%s%s", (const char *)user, path);
	return path[0] != '\0';
}

static void test_service_command(void **state) {
	static const struct {
		const char *argv[8];
		int argc;
		const char *rest;
	} cases[] = {
	    {{"c", "--service", "install", "--room", "R1"}, 5, " --room R1"},
	    {{"c", "--room=R1", "--service=install", "--no-retry"}, 4, " --room=R1 --no-retry"},
	    {{"c", "--relay-ca-cert", "my cert.der", "--service", "install"}, 5, " \"--relay-ca-cert=C:\\my cert.der\""},
	    {{"c", "--config=party.conf", "--identity", "id"}, 4, " --config=C:\\party.conf --identity=C:\\id"},
	    {{"c", "--server-name", "relay"}, 3, " --server-name relay"},
	};
	static char root[] = "C:\\";
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char buf[256], expected[256];
		struct base_text text, wanted;
		base_text_init(&text, buf, sizeof(buf));
		base_text_init(&wanted, expected, sizeof(expected));
		base_text_addf(&wanted, "\"C:\\Program Files\\c.exe\"%s --service run", cases[i].rest);
		assert_true(
		    winmain_service_command(&text, "C:\\Program Files\\c.exe", cases[i].argc, cases[i].argv, under_c, root));
		assert_string_equal(buf, expected);
	}
}

static void test_a_service_command_that_cannot_be(void **state) {
	const char *const missing[] = {"c", "--config"};
	char buf[64];
	struct base_text text;
	static char root[] = "C:\\";
	(void)state;
	base_text_init(&text, buf, sizeof(buf));
	assert_false(winmain_service_command(&text, "c.exe", 2, missing, under_c, root));
	for (size_t cap = 1; cap < sizeof("c.exe --service run"); cap++) {
		base_text_init(&text, buf, cap);
		assert_false(winmain_service_command(&text, "c.exe", 1, missing, under_c, root));
	}
}

static void test_full_paths(void **state) {
	static const char *const full[] = {"C:\\x", "c:/x/y", "\\\\server\\x", "//server/x"};
	static const char *const others[] = {"", "x", "C", "C:", "C:x", "\\", "\\x", "/x", ".\\x", "..\\x"};
	(void)state;
	for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++)
		unit_assert_int(winmain_is_full_path(full[i]), true, full[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		unit_assert_int(winmain_is_full_path(others[i]), false, others[i]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_full_paths),
	    cmocka_unit_test(test_quoting),
	    cmocka_unit_test(test_service_command),
	    cmocka_unit_test(test_a_service_command_that_cannot_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
