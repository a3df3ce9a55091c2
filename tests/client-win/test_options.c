#include "client-win/options.h"

#include "base/error.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define STATE "D:\\Data\\lanparty"

static void test_the_identity_lies_in_the_state_folder(void **state) {
	struct winmain_table table;
	char error[CLI_ERROR_BYTES];
	struct cli_values *values;
	const char *const argv[] = {"lanparty-client"};
	(void)state;
	winmain_table_init(&table, STATE);
	assert_int_equal(cli_parse_args(&table.table, 1, argv, &values, error), 0);
	assert_string_equal(cli_text(values, "identity"), STATE "\\client-identity.json");
	cli_values_free(values);
	char *help = cli_help(&table.table);
	assert_non_null(help);
	assert_non_null(strstr(help, STATE));
	free(help);
}

static void test_tasks(void **state) {
	static const struct {
		const char *argv[4];
		int argc;
		int err;
		enum winmain_task task;
		const char *error;
	} cases[] = {
	    {{"c"}, 1, 0, WINMAIN_RUN, ""},
	    {{"c", "--list-tap-adapters"}, 2, 0, WINMAIN_LIST_ADAPTERS, ""},
	    {{"c", "--recover-routes"}, 2, 0, WINMAIN_RECOVER, ""},
	    {{"c", "--service", "install"}, 3, 0, WINMAIN_SERVICE_INSTALL, ""},
	    {{"c", "--service=remove"}, 2, 0, WINMAIN_SERVICE_REMOVE, ""},
	    {{"c", "--service=run"}, 2, 0, WINMAIN_SERVICE_RUN, ""},
	    {{"c", "--service=run", "--help"}, 3, 0, WINMAIN_RUN, ""},
	    {{"c", "--version", "--recover-routes", "--list-tap-adapters"}, 4, 0, WINMAIN_RUN, ""},
	    {{"c", "--service=install", "--room-key=correct horse"}, 3, BASE_E_INVALID, WINMAIN_RUN, "--config file"},
	    {{"c", "--service=run", "--room-key=correct horse"}, 3, 0, WINMAIN_SERVICE_RUN, ""},
	    {{"c", "--service=start"}, 2, BASE_E_INVALID, WINMAIN_RUN, "--service 'start'"},
	    {{"c", "--service=run", "--recover-routes"}, 3, BASE_E_INVALID, WINMAIN_RUN, "only one"},
	    {{"c", "--list-tap-adapters", "--recover-routes"}, 3, BASE_E_INVALID, WINMAIN_RUN, "only one"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[CLI_ERROR_BYTES] = "";
		struct cli_values *values;
		enum winmain_task task = WINMAIN_RUN;
		assert_int_equal(cli_parse_args(&winmain_options, cases[i].argc, cases[i].argv, &values, error), 0);
		unit_assert_int(winmain_task_of(values, &task, error), cases[i].err, cases[i].argv[cases[i].argc - 1]);
		unit_assert_int(task, cases[i].task, cases[i].argv[cases[i].argc - 1]);
		unit_assert_true(strstr(error, cases[i].error) != NULL, cases[i].error);
		cli_values_free(values);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_identity_lies_in_the_state_folder),
	    cmocka_unit_test(test_tasks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
