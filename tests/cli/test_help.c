#include "tests/cli/table.h"

static const char help_text[] =
    "Usage: lanparty-test [OPTION]...\n"
    "\n"
    "a program - with 'quotes' and a \\ - that tests use\n"
    "\n"
    "Options:\n"
    "  --listen [HOST]:PORT        Where to listen. (default 443/udp)\n"
    "  --room NAME                 The room.\n"
    "                              Everyone in it sees each other.\n"
    "  --peers-max N               How many. (2 to 1024, default 64)\n"
    "  --bytes N                   Any size.\n"
    "  --pin SHA256-FINGERPRINT-OF-THE-RELAY\n"
    "                              A certificate. (may be repeated)\n"
    "  --verbose                   Say more.\n"
    "  --config FILE               Read FILE.\n"
    "  --help                      Print this text.\n"
    "\n"
    ".first line\nExit codes:\n  0  fine\n\n  1  not\n\nExamples:\n  lanparty-test --listen 443/udp\n";

static void test_help(void **state) {
	char *help = cli_help(&test_table);

	(void)state;
	assert_string_equal(help, help_text);
	free(help);
}

static void test_help_wraps(void **state) {
	static const struct cli_option option = {
	    .name = "x",
	    .kind = CLI_FLAG,
	    .help = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
	            "seventeen",
	};
	static const struct cli_table table = {.program = "p", .summary = "s", .options = &option, .count = 1};
	char *help = cli_help(&table);
	size_t column = 0;

	(void)state;
	for (const char *c = help; *c != '\0'; c++) {
		column = *c == '\n' ? 0 : column + 1;
		assert_true(column <= 90);
	}
	assert_non_null(strstr(help, "eleven\n                              twelve"));
	free(help);
}

static const char man_text[] =
    ".TH LANPARTY\\-TEST 8 \"\" \"lanparty 1.0\"\n"
    ".SH NAME\n"
    "lanparty\\-test \\- a program \\- with \\(aqquotes\\(aq and a \\e \\- that tests use\n"
    ".SH SYNOPSIS\n"
    ".B lanparty\\-test\n"
    "[\\fIOPTION\\fR]...\n"
    ".SH DESCRIPTION\n"
    "It tests.\n"
    ".PP\n"
    "\\&.dot\n"
    ".SH OPTIONS\n"
    ".TP\n\\fB\\-\\-listen\\fR \\fI[HOST]:PORT\\fR\nWhere to listen.\n(default 443/udp)\n"
    ".TP\n\\fB\\-\\-room\\fR \\fINAME\\fR\nThe room.\nEveryone in it sees each other.\n"
    ".TP\n\\fB\\-\\-peers\\-max\\fR \\fIN\\fR\nHow many.\n(2 to 1024, default 64)\n"
    ".TP\n\\fB\\-\\-bytes\\fR \\fIN\\fR\nAny size.\n"
    ".TP\n\\fB\\-\\-pin\\fR \\fISHA256\\-FINGERPRINT\\-OF\\-THE\\-RELAY\\fR\nA certificate.\n(may be repeated)\n"
    ".TP\n\\fB\\-\\-verbose\\fR\nSay more.\n"
    ".TP\n\\fB\\-\\-config\\fR \\fIFILE\\fR\nRead FILE.\n"
    ".TP\n\\fB\\-\\-help\\fR\nPrint this text.\n"
    ".SH CONFIGURATION FILE\n";

static const char man_end[] = ".SH NOTES\n.nf\n\\&.first line\n"
                              ".fi\n.SH EXIT CODES\n.nf\n\\&  0  fine\n.sp\n\\&  1  not\n"
                              ".fi\n.SH EXAMPLES\n.nf\n\\&  lanparty\\-test \\-\\-listen 443/udp\n.fi\n";

static void test_man_page(void **state) {
	char *man = cli_man_page(&test_table, "1.0", "It tests.\n\n.dot");
	size_t len = strlen(man);

	(void)state;
	assert_memory_equal(man, man_text, sizeof(man_text) - 1);
	assert_true(len > sizeof(man_end));
	assert_string_equal(man + len - (sizeof(man_end) - 1), man_end);
	free(man);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_help),
	    cmocka_unit_test(test_help_wraps),
	    cmocka_unit_test(test_man_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
