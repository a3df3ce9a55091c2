#include "tests/cli/table.h"

struct config_case {
	const char *text;
	int err;
	const char *expected; /* the error, or the room it sets */
};

static const struct config_case cases[] = {
    {"room = a", 0, "a"},
    {"room=a", 0, "a"},
    {"\t room\t= a b \t", 0, "a b"},
    {"\xef\xbb\xbf# a comment\r\n\r\nroom = a\r\n", 0, "a"},
    {"room = a # b", 0, "a"},
    {"room = a#b", 0, "a#b"},
    {"room = \"a # b\" # c", 0, "a # b"},
    {"room = \"\"", 0, ""},
    {"room = \" a \"\nverbose = no\n", 0, " a "},
    {"room = a=b", 0, "a=b"},
    {"room = C:\\keys\\\"x\"", 0, "C:\\keys\\\"x\""},
    {"room =", BASE_E_MISSING, "c:1: room: no value behind '=' (an empty one is written \"\")"},
    {"room = # b", BASE_E_MISSING, "c:1: room: no value behind '=' (an empty one is written \"\")"},
    {"\nroom = \"a", BASE_E_SYNTAX, "c:2: room: the closing quote is missing"},
    {"room = \"", BASE_E_SYNTAX, "c:1: room: the closing quote is missing"},
    {"room = \"a\" b", BASE_E_SYNTAX, "c:1: room: there is text behind the closing quote"},
    {"room = a\nroom = b", BASE_E_DUPLICATE, "c:2: room: given twice"},
    {"rom = a", BASE_E_INVALID, "c:1: unknown name 'rom'; did you mean 'room'?"},
    {"hel = yes", BASE_E_INVALID, "c:1: unknown name 'hel'"},
    {"--room = a", BASE_E_INVALID, "c:1: unknown name '--room'; did you mean 'room'?"},
    {"room a", BASE_E_SYNTAX, "c:1: 'room a' is not \"name = value\""},
    {"= a", BASE_E_SYNTAX, "c:1: '= a' is not \"name = value\""},
    {"[relay]", BASE_E_SYNTAX, "c:1: '[relay]' is not \"name = value\""},
    {"help = yes", BASE_E_INVALID, "c:1: help: is for the command line only"},
    {"verbose = true", BASE_E_INVALID, "c:1: verbose: 'true' is neither yes nor no"},
    {"peers-max = 1e3", BASE_E_SYNTAX, "c:1: peers-max: '1e3' is not a number"},
    {"\n\npeers-max = 2000", BASE_E_RANGE, "c:3: peers-max: '2000' is not between 2 and 1024"},
};

static struct cli_values *parse_none(void) {
	static const char *const none[] = {NULL};
	struct cli_values *values;
	char error[CLI_ERROR_BYTES];

	assert_int_equal(parse_words(none, &values, error), 0);
	return values;
}

static void test_lines(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cli_values *values = parse_none();
		char error[CLI_ERROR_BYTES] = "";
		int err = cli_parse_config(values, slice_of_text(cases[i].text), "c", error);

		unit_assert_int(err, cases[i].err, cases[i].text);
		if (err == 0)
			assert_string_equal(cli_text(values, "room"), cases[i].expected);
		else
			assert_string_equal(error, cases[i].expected);
		if (err != 0)
			assert_null(cli_text(values, "room"));
		cli_values_free(values);
	}
}

static void test_nul_and_size(void **state) {
	static uint8_t big[CLI_CONFIG_BYTES_MAX + 1];
	struct cli_values *values = parse_none();
	char error[CLI_ERROR_BYTES];

	(void)state;
	assert_int_equal(cli_parse_config(values, slice_of("room = a\0b", 10), "c", error), BASE_E_SYNTAX);
	assert_string_equal(error, "c:1: there is a NUL byte: this is no text file");
	memset(big, '\n', sizeof(big));
	assert_int_equal(cli_parse_config(values, slice_of(big, sizeof(big)), "c", error), BASE_E_RANGE);
	assert_string_equal(error, "c: larger than 65536 bytes");
	assert_int_equal(cli_parse_config(values, slice_of(big, sizeof(big) - 1), "c", error), 0);
	assert_int_equal(cli_parse_config(values, slice_of(NULL, 0), "c", error), 0);
	cli_values_free(values);
}

static void test_command_line_wins(void **state) {
	static const char *const words[] = {"--room", "mine", "--pin=x", NULL};
	struct cli_values *values;
	char error[CLI_ERROR_BYTES];

	(void)state;
	assert_int_equal(parse_words(words, &values, error), 0);
	assert_int_equal(cli_parse_config(values,
	                                  slice_of_text("room = theirs\npin = a\npin = b\nverbose = yes\nbytes = 7"), "c",
	                                  error),
	                 0);
	assert_string_equal(cli_text(values, "room"), "mine");
	assert_int_equal(cli_list_count(values, "pin"), 1);
	assert_string_equal(cli_list_item(values, "pin", 0), "x");
	assert_true(cli_flag(values, "verbose"));
	assert_true(cli_given(values, "verbose"));
	assert_int_equal(cli_number(values, "bytes"), 7);
	assert_true(cli_from_file(values, "bytes"));
	assert_false(cli_from_file(values, "room"));
	assert_false(cli_from_file(values, "listen"));
	cli_values_free(values);
}

static void test_list_and_failure_leaves_values(void **state) {
	struct cli_values *values = parse_none();
	char error[CLI_ERROR_BYTES];

	(void)state;
	assert_int_equal(cli_parse_config(values, slice_of_text("pin = a\npin = b\nroom = r\nverbose = maybe"), "c", error),
	                 BASE_E_INVALID);
	assert_string_equal(error, "c:4: verbose: 'maybe' is neither yes nor no");
	assert_int_equal(cli_list_count(values, "pin"), 0);
	assert_false(cli_given(values, "room"));
	assert_int_equal(cli_parse_config(values, slice_of_text("pin = a\npin = b\nverbose = no"), "c", error), 0);
	assert_int_equal(cli_list_count(values, "pin"), 2);
	assert_string_equal(cli_list_item(values, "pin", 1), "b");
	assert_false(cli_flag(values, "verbose"));
	cli_values_free(values);
}

/* Who looks at a value later complains of where it stands. */
static void test_place(void **state) {
	static const struct {
		const char *message, *expected;
	} cases_of_place[] = {
	    {"--room 'a b': no blanks", "c:2: room 'a b': no blanks"},
	    {"--room: no blanks", "c:2: room: no blanks"},
	    {"--room and --pin go together", "--room and --pin go together"},
	    {"--bytes '9': too many", "--bytes '9': too many"}, /* from the command line */
	    {"--name: is needed", "--name: is needed"},         /* not given, or no option at all */
	    {"--roo: what", "--roo: what"},
	    {"--pin 'x': bad", "c: pin 'x': bad"}, /* one of two lines */
	    {"room: bad", "room: bad"},
	    {"--", "--"},
	    {"", ""},
	};
	static const char *const words[] = {"--bytes", "9", NULL};
	char error[CLI_ERROR_BYTES], got[CLI_ERROR_BYTES];
	struct cli_values *values;
	struct base_text text;

	(void)state;
	assert_int_equal(parse_words(words, &values, error), 0);
	assert_int_equal(cli_parse_config(values, slice_of_text("\nroom = a b\npin = x\npin = y\nbytes = 7"), "c", error),
	                 0);
	for (size_t i = 0; i < sizeof(cases_of_place) / sizeof(cases_of_place[0]); i++) {
		base_text_init(&text, got, sizeof(got));
		cli_error_place(values, cases_of_place[i].message, &text);
		assert_string_equal(got, cases_of_place[i].expected);
	}
	base_text_init(&text, got, sizeof(got));
	cli_error_place(NULL, "--room: bad", &text);
	assert_string_equal(got, "--room: bad");
	cli_values_free(values);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_nul_and_size),
	    cmocka_unit_test(test_command_line_wins),
	    cmocka_unit_test(test_list_and_failure_leaves_values),
	    cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
