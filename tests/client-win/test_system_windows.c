#include "client-win/system.h"

#include "tests/unit.h"

#include <windows.h>

#define OTHER_CODE_PAGE 437

static void test_console_is_as_before(void **state) {
	(void)state;
	assert_true(SetConsoleOutputCP(OTHER_CODE_PAGE));
	winmain_system_init();
	assert_int_equal(GetConsoleOutputCP(), CP_UTF8);
	winmain_system_done();
	assert_int_equal(GetConsoleOutputCP(), OTHER_CODE_PAGE);
}

static void test_without_a_console(void **state) {
	(void)state;
	(void)FreeConsole();
	winmain_system_init();
	winmain_system_done();
	assert_int_equal(GetConsoleOutputCP(), 0);
}

/* Once more, with a console that nobody sees, which needs no desktop. */
static int run_with_console(void) {
	STARTUPINFOW startup = {.cb = sizeof(startup),
	                        .dwFlags = STARTF_USESTDHANDLES,
	                        .hStdInput = GetStdHandle(STD_INPUT_HANDLE),
	                        .hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE),
	                        .hStdError = GetStdHandle(STD_ERROR_HANDLE)};
	wchar_t program[MAX_PATH], command[] = L"test again";
	PROCESS_INFORMATION process;
	DWORD status = 1;
	if (GetModuleFileNameW(NULL, program, MAX_PATH) == 0 ||
	    !CreateProcessW(program, command, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, &startup, &process))
		return 1;
	(void)WaitForSingleObject(process.hProcess, INFINITE);
	(void)GetExitCodeProcess(process.hProcess, &status);
	return (int)status;
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_console_is_as_before),
	    cmocka_unit_test(test_without_a_console), /* the last: it gives the console away */
	};
	(void)argv;
	return argc == 1 ? run_with_console() : cmocka_run_group_tests(tests, NULL, NULL);
}
