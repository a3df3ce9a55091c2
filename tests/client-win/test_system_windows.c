#include "client-win/system.h"

#include "base/error.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

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

/* A service may start while the process of the one before it still has the log open. */
static void test_log_that_another_one_has_open(void **state) {
	const HANDLE before = GetStdHandle(STD_ERROR_HANDLE);
	char folder[MAX_PATH], path[MAX_PATH], text[256] = "";
	HANDLE first, second;
	DWORD len;
	int err;
	(void)state;
	assert_true(GetTempPathA(sizeof(folder), folder) > 0 && GetTempFileNameA(folder, "lp", 0, path) != 0);
	assert_int_equal(winmain_log_to_file(path, 4096), 0);
	first = GetStdHandle(STD_ERROR_HANDLE);
	winmain_complain("the first");
	err = winmain_log_to_file(path, 4096);
	second = GetStdHandle(STD_ERROR_HANDLE);
	winmain_complain("the second");
	(void)SetStdHandle(STD_ERROR_HANDLE, before);
	(void)CloseHandle(first);
	if (err == 0)
		(void)CloseHandle(second);
	HANDLE file = CreateFileA(path, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
	assert_true(ReadFile(file, text, sizeof(text) - 1, &len, NULL));
	(void)CloseHandle(file);
	assert_true(DeleteFileA(path));
	assert_int_equal(err, 0);
	assert_string_equal(text, "lanparty-client: the first\nlanparty-client: the second\n");
}

static void read_all(const char *path, char text[static 256]) {
	HANDLE file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
	DWORD len = 0;
	memset(text, 0, 256);
	assert_true(ReadFile(file, text, 255, &len, NULL));
	(void)CloseHandle(file);
}

static void test_log_that_grows(void **state) {
	const HANDLE before = GetStdHandle(STD_ERROR_HANDLE);
	char folder[MAX_PATH], path[MAX_PATH], old[MAX_PATH + 8], text[256], old_text[256];
	(void)state;
	assert_true(GetTempPathA(sizeof(folder), folder) > 0 && GetTempFileNameA(folder, "lp", 0, path) != 0);
	(void)snprintf(old, sizeof(old), "%s.old", path);
	assert_int_equal(winmain_log_to_file(path, 40), 0);
	for (int i = 0; i < 5; i++) { /* 22 bytes each */
		winmain_complain("line");
		winmain_log_look();
	}
	const HANDLE last = GetStdHandle(STD_ERROR_HANDLE);
	(void)SetStdHandle(STD_ERROR_HANDLE, before);
	read_all(path, text);
	read_all(old, old_text);
	(void)CloseHandle(last);
	assert_true(DeleteFileA(path) && DeleteFileA(old));
	assert_string_equal(text, "lanparty-client: line\n");
	assert_string_equal(old_text, "lanparty-client: line\nlanparty-client: line\n");
}

/* Whatever a user of this PC holds beforehand, and whoever looks into the folder. */
static void test_one_instance(void **state) {
	const HANDLE squatted = CreateMutexW(NULL, FALSE, L"Global\\lanparty-client");
	char folder[MAX_PATH], path[MAX_PATH + 16];
	(void)state;
	assert_non_null(squatted);
	assert_in_range(GetTempPathA(sizeof(folder), folder), 1, sizeof(folder));
	folder[strlen(folder) - 1] = '\0';
	(void)snprintf(path, sizeof(path), "%s\\client.lock", folder);
	(void)DeleteFileA(path);
	assert_int_equal(winmain_claim_instance(folder), 0);
	assert_int_equal(winmain_claim_instance(folder), BASE_E_EXISTS);
	assert_false(DeleteFileA(path));
	winmain_release_instance();
	assert_int_equal(winmain_claim_instance(folder), 0);
	winmain_release_instance();
	assert_true(DeleteFileA(path));
	(void)CloseHandle(squatted);
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
	    cmocka_unit_test(test_log_that_another_one_has_open),
	    cmocka_unit_test(test_log_that_grows),
	    cmocka_unit_test(test_one_instance),
	    cmocka_unit_test(test_console_is_as_before),
	    cmocka_unit_test(test_without_a_console), /* the last: it gives the console away */
	};
	(void)argv;
	return argc == 1 ? run_with_console() : cmocka_run_group_tests(tests, NULL, NULL);
}
