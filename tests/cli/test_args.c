#include "tests/cli/table.h"

#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"

struct args_case {
	const char *words[7];
	int err;
	const char *error;
};

static const struct args_case bad_cases[] = {
    {{"--lisen", "x"}, BASE_E_INVALID, "unknown option '--lisen'; did you mean --listen?"},
    {{"--ver"}, BASE_E_INVALID, "unknown option '--ver'; did you mean --verbose?"},
    {{"--peer-max=3"}, BASE_E_INVALID, "unknown option '--peer-max'; did you mean --peers-max?"},
    {{"--xyzzy"}, BASE_E_INVALID, "unknown option '--xyzzy'"},
    {{"--=5"}, BASE_E_INVALID, "unknown option '--'"},
    {{"--a\nb\x1b[1m"}, BASE_E_INVALID, "unknown option '--a?b?[1m'"},
    {{"--" LONG64},
     BASE_E_INVALID,
     "unknown option '--01234567890123456789012345678901234567890123456789012345678901...'"},
    {{"--"}, BASE_E_INVALID, "unexpected argument '--' (options are written --name)"},
    {{"-v"}, BASE_E_INVALID, "unexpected argument '-v' (options are written --name)"},
    {{"eth0"}, BASE_E_INVALID, "unexpected argument 'eth0' (values follow an option: --name value)"},
    {{""}, BASE_E_INVALID, "unexpected argument '' (values follow an option: --name value)"},
    {{"--room", "a", "b"}, BASE_E_INVALID, "unexpected argument 'b' (values follow an option: --name value)"},
    {{"--room"}, BASE_E_MISSING, "--room: needs a value (NAME)"},
    {{"--room", "--verbose"}, BASE_E_MISSING, "--room: needs a value (NAME), but '--verbose' follows"},
    {{"--verbose=yes"}, BASE_E_INVALID, "--verbose: takes no value"},
    {{"--room", "a", "--room=b"}, BASE_E_DUPLICATE, "--room: given twice"},
    {{"--verbose", "--verbose"}, BASE_E_DUPLICATE, "--verbose: given twice"},
    {{"--peers-max", "many"}, BASE_E_SYNTAX, "--peers-max: 'many' is not a number"},
    {{"--peers-max", "-3"}, BASE_E_SYNTAX, "--peers-max: '-3' is not a number"},
    {{"--peers-max="}, BASE_E_SYNTAX, "--peers-max: '' is not a number"},
    {{"--peers-max", "1"}, BASE_E_RANGE, "--peers-max: '1' is not between 2 and 1024"},
    {{"--peers-max", "1025"}, BASE_E_RANGE, "--peers-max: '1025' is not between 2 and 1024"},
    {{"--bytes", "0"}, BASE_E_RANGE, "--bytes: '0' is not a number of at least 1"},
    {{"--bytes", "18446744073709551616"}, BASE_E_RANGE, "--bytes: '18446744073709551616' is too large"},
};

static void test_refused(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++) {
		struct cli_values *values = NULL;
		char error[CLI_ERROR_BYTES];

		unit_assert_int(parse_words(bad_cases[i].words, &values, error), bad_cases[i].err, bad_cases[i].words[0]);
		assert_null(values);
		assert_string_equal(error, bad_cases[i].error);
	}
}

static const struct cli_option secret_options[] = {
    {.name = "room", .kind = CLI_TEXT, .value = "CODE"},
    {.name = "room-key", .kind = CLI_TEXT, .value = "PASSPHRASE", .secret = true},
};
static const struct cli_table secret_table = {.program = "p", .options = secret_options, .count = 2};

/* Whatever somebody gets wrong about a passphrase, no error repeats it: errors end up in logs. */
static void test_secrets_are_not_shown(void **state) {
	static const struct {
		const char *argv[6];
		int argc;
		const char *config, *error;
	} cases[] = {
	    {{"p", "--room-key", "violet", "tugboat"},
	     4,
	     NULL,
	     "--room-key: there is more behind its value; one with blanks must be in quotes"},
	    {{"p", "--room-key:violet tugboat"}, 2, NULL, "unknown option '--room-key'; did you mean --room-key?"},
	    {{"p", "--rom-key violet=tugboat"}, 2, NULL, "unknown option '--rom-key'; did you mean --room-key?"},
	    {{"p", "--room-key", "--violet"}, 3, NULL, "--room-key: needs a value (PASSPHRASE)"},
	    {{"p", "--room-key=violet", "--room-key=tugboat"}, 3, NULL, "--room-key: given twice"},
	    {{"p", "room-key=violet"}, 2, NULL, "unexpected argument 'room-key' (values follow an option: --name value)"},
	    {{"p", "-room-key=violet"}, 2, NULL, "unexpected argument '-room-key' (options are written --name)"},
	    {{"p"}, 1, "\"room-key\" violet tugboat", "c:1: '\"room-key' is not \"name = value\""},
	    {{"p"}, 1, "export room-key violet", "c:1: 'export room-key' is not \"name = value\""},
	    {{"p"}, 1, "room-key = violet #1 tugboat", "c:1: room-key: there is a '#' in it: it must be in quotes"},
	    {{"p"}, 1, "room-key violet", "c:1: 'room-key' is not \"name = value\""},
	    {{"p"}, 1, "room-key: violet", "c:1: 'room-key' is not \"name = value\""},
	    {{"p"}, 1, "roomkey violet", "c:1: 'roomkey' is not \"name = value\""},
	    {{"p"}, 1, "room-key violet = 2", "c:1: unknown name 'room-key'; did you mean 'room-key'?"},
	    {{"p"}, 1, "room-key = \"violet", "c:1: room-key: the closing quote is missing"},
	    {{"p"}, 1, "room-key = \"violet\" tugboat", "c:1: room-key: there is text behind the closing quote"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cli_values *values = NULL;
		char error[CLI_ERROR_BYTES] = "";
		int err = cli_parse_args(&secret_table, cases[i].argc, cases[i].argv, &values, error);

		if (err == 0)
			err = cli_parse_config(values, slice_of_text(cases[i].config), "c", error);
		unit_assert_true(err != 0, cases[i].error);
		assert_string_equal(error, cases[i].error);
		cli_values_free(values);
	}
}

static void test_forget(void **state) {
	const char *const argv[] = {"p", "--room-key", "violet"};
	struct cli_values *values = NULL;
	char error[CLI_ERROR_BYTES];

	(void)state;
	assert_int_equal(cli_parse_args(&secret_table, 3, argv, &values, error), 0);
	assert_string_equal(cli_text(values, "room-key"), "violet");
	cli_forget(values, "room-key");
	assert_null(cli_text(values, "room-key"));
	assert_false(cli_given(values, "room-key"));
	cli_values_free(values);
}

static void test_defaults(void **state) {
	static const char *const none[] = {NULL};
	struct cli_values *values;
	char error[CLI_ERROR_BYTES];

	(void)state;
	assert_int_equal(parse_words(none, &values, error), 0);
	assert_string_equal(cli_text(values, "listen"), "443/udp");
	assert_null(cli_text(values, "room"));
	assert_int_equal(cli_number(values, "peers-max"), 64);
	assert_int_equal(cli_number(values, "bytes"), 0);
	assert_int_equal(cli_list_count(values, "pin"), 0);
	assert_false(cli_flag(values, "verbose"));
	assert_false(cli_given(values, "listen"));
	cli_values_free(values);
	cli_values_free(NULL);
}

static void test_values(void **state) {
	static const char *const words[] = {"--listen=[::]:1=2", "--peers-max", "1024", "--pin", "a",
	                                    "--pin=b",           "--verbose"};
	const char *argv[10] = {"x"};
	struct cli_values *values;
	char error[CLI_ERROR_BYTES];

	(void)state;
	memcpy(argv + 1, words, sizeof(words));
	argv[8] = "--room";
	argv[9] = "-";
	assert_int_equal(cli_parse_args(&test_table, 10, argv, &values, error), 0);
	assert_string_equal(cli_text(values, "listen"), "[::]:1=2");
	assert_string_equal(cli_text(values, "room"), "-");
	assert_int_equal(cli_number(values, "peers-max"), 1024);
	assert_int_equal(cli_list_count(values, "pin"), 2);
	assert_string_equal(cli_list_item(values, "pin", 0), "a");
	assert_string_equal(cli_list_item(values, "pin", 1), "b");
	assert_true(cli_flag(values, "verbose"));
	assert_true(cli_given(values, "listen"));
	assert_false(cli_given(values, "bytes"));
	cli_values_free(values);
}

static void test_empty_argv(void **state) {
	struct cli_values *values;
	char error[CLI_ERROR_BYTES];

	(void)state;
	assert_int_equal(cli_parse_args(&test_table, 0, NULL, &values, error), 0);
	cli_values_free(values);
}

static void test_bounds(void **state) {
	static char longest[CLI_VALUE_BYTES_MAX + 2];
	const char *argv[2 + 2 * CLI_LIST_ITEMS_MAX + 2] = {"x", "--room", longest};
	struct cli_values *values;
	char error[CLI_ERROR_BYTES];

	(void)state;
	memset(longest, 'r', CLI_VALUE_BYTES_MAX + 1);
	assert_int_equal(cli_parse_args(&test_table, 3, argv, &values, error), BASE_E_RANGE);
	assert_string_equal(error, "--room: the value has 4097 bytes, more than 4096");
	longest[CLI_VALUE_BYTES_MAX] = '\0';
	assert_int_equal(cli_parse_args(&test_table, 3, argv, &values, error), 0);
	assert_int_equal(strlen(cli_text(values, "room")), CLI_VALUE_BYTES_MAX);
	cli_values_free(values);

	for (size_t i = 1; i <= CLI_LIST_ITEMS_MAX + 1; i++)
		argv[i] = "--pin=a";
	assert_int_equal(cli_parse_args(&test_table, CLI_LIST_ITEMS_MAX + 2, argv, &values, error), BASE_E_RANGE);
	assert_string_equal(error, "--pin: given more than 64 times");
	assert_int_equal(cli_parse_args(&test_table, CLI_LIST_ITEMS_MAX + 1, argv, &values, error), 0);
	assert_int_equal(cli_list_count(values, "pin"), CLI_LIST_ITEMS_MAX);
	cli_values_free(values);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refused), cmocka_unit_test(test_secrets_are_not_shown),
	    cmocka_unit_test(test_forget),  cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_values),  cmocka_unit_test(test_empty_argv),
	    cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
