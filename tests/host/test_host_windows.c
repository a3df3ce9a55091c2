#include "base/error.h"
#include "host/host.h"
#include "tests/system.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <process.h>

static const char *folder;

static int set_up(void **state) {
	(void)state;
	folder = system_folder_make();
	return SetCurrentDirectoryA(folder) ? 0 : -1;
}

static int tear_down(void **state) {
	(void)state;
	SetCurrentDirectoryA("C:\\");
	system_folder_remove();
	return 0;
}

static size_t count_files(const char *pattern) {
	WIN32_FIND_DATAA found;
	HANDLE search = FindFirstFileA(pattern, &found);
	size_t count = 0;

	assert_true(search != INVALID_HANDLE_VALUE);
	do {
		count += found.cFileName[0] != '.';
	} while (FindNextFileA(search, &found));
	FindClose(search);
	return count;
}

static void test_write_then_read(void **state) {
	static const size_t lens[] = {0, 1, 4095, 4096, 4097, 100000};
	static const char *const names[] = {"a/b/file", "a\\b\\file", "a/\xc3\xbc \xe6\xb8\xb8/\xf0\x9f\x8e\xae"};
	static uint8_t bytes[100000];
	char error[HOST_ERROR_BYTES] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31);
	for (size_t i = 0; i < 3 * sizeof(lens) / sizeof(lens[0]); i++) {
		const char *name = names[i % 3];
		size_t len, expected = lens[i / 3];
		uint8_t *back = NULL;

		if (host_write_file(name, slice_of(bytes, expected), 0600, error) != 0)
			fail_msg("%s", error);
		unit_assert_int(host_read_file(name, expected, &back, &len, error), 0, error);
		assert_int_equal(len, expected);
		assert_memory_equal(back, bytes, len);
		assert_int_equal(back[len], 0);
		free(back);
		if (expected == 0)
			continue;
		back = NULL;
		assert_int_equal(host_read_file(name, expected - 1, &back, &len, error), BASE_E_TOO_BIG);
		assert_null(back);
		assert_non_null(strstr(error, ": is larger than "));
	}
	assert_int_equal(count_files("a/b/*"), 1); /* no temporary file stays */
}

static unsigned __stdcall close_soon(void *user) {
	Sleep(50);
	CloseHandle(user);
	return 0;
}

/* A virus scanner reads the old file for a moment. */
static void test_replaced_while_open(void **state) {
	char error[HOST_ERROR_BYTES] = "";
	HANDLE reader, thread;
	uint8_t *back;
	size_t len;

	(void)state;
	assert_int_equal(host_write_file("file", slice_of("old", 3), 0644, error), 0);
	reader = CreateFileA("file", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	assert_true(reader != INVALID_HANDLE_VALUE);
	thread = (HANDLE)_beginthreadex(NULL, 0, close_soon, reader, 0, NULL);
	assert_non_null(thread);
	unit_assert_int(host_write_file("file", slice_of("new", 3), 0644, error), 0, error);
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
	assert_int_equal(host_read_file("file", 10, &back, &len, error), 0);
	assert_memory_equal(back, "new", 3);
	free(back);
}

static void test_access(void **state) {
	char error[HOST_ERROR_BYTES] = "";

	(void)state;
	assert_int_equal(host_write_file("made/secret", slice_of("x", 1), 0600, error), 0);
	assert_int_equal(host_write_file("made/shared", slice_of("x", 1), 0644, error), 0);
	assert_true(system_is_private("made/secret"));
	assert_false(system_is_private("made/shared"));
}

static void test_read_errors(void **state) {
	static const struct {
		const char *path;
		int err;
		const char *says;
	} cases[] = {
	    {"missing", BASE_E_NOT_FOUND, "missing: there is no such file (Windows error 2)"},
	    {"no/such/folder", BASE_E_NOT_FOUND, "no/such/folder: there is no such folder"},
	    {".", BASE_E_IO, ".: is not a regular file"},
	    {"NUL", BASE_E_IO, "NUL: is not a regular file"},
	    {"a?b", BASE_E_NOT_FOUND, "a?b: "},
	    {"\xff", BASE_E_NOT_FOUND, "not UTF-8"},
	};
	char error[HOST_ERROR_BYTES];
	uint8_t *bytes = NULL;
	size_t len = 77;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unit_assert_int(host_read_file(cases[i].path, 10, &bytes, &len, error), cases[i].err, cases[i].path);
		if (strstr(error, cases[i].says) == NULL)
			fail_msg("%s: '%s'", cases[i].path, error);
		assert_null(bytes);
		assert_int_equal(len, 77);
	}
}

/* A failed write leaves the old file and nothing else. */
static void test_write_errors(void **state) {
	char error[HOST_ERROR_BYTES], long_name[5000];
	HANDLE holder;

	(void)state;
	assert_int_equal(host_write_file("plain", slice_of("x", 1), 0600, error), 0);
	assert_true(host_write_file("plain/below", slice_of("x", 1), 0600, error) < 0);
	assert_non_null(strstr(error, "plain/below: cannot make "));
	assert_true(CreateDirectoryA("folder", NULL));
	assert_true(host_write_file("folder", slice_of("x", 1), 0600, error) < 0);
	assert_non_null(strstr(error, "folder: cannot be written: "));
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(host_write_file(long_name, slice_of("x", 1), 0600, error), BASE_E_IO);
	holder = CreateFileA("plain", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
	assert_int_equal(host_write_file("plain", slice_of("x", 1), 0600, error), BASE_E_DENIED);
	CloseHandle(holder);
	assert_int_equal(count_files("*"), 2);
}

static void test_stderr_sink(void **state) {
	HANDLE before = GetStdHandle(STD_ERROR_HANDLE), read_end, write_end;
	char line[16] = "";
	DWORD len;

	(void)state;
	assert_true(CreatePipe(&read_end, &write_end, NULL, 4096));
	SetStdHandle(STD_ERROR_HANDLE, write_end);
	host_stderr_sink(NULL, slice_of("line\n", 5));
	assert_true(ReadFile(read_end, line, sizeof(line) - 1, &len, NULL));
	assert_string_equal(line, "line\n");
	/* A reader that has stopped: what it does not take is lost, the process goes on. */
	for (int i = 0; i < 4000; i++)
		host_stderr_sink(NULL, slice_of("line\n", 5));
	SetStdHandle(STD_ERROR_HANDLE, NULL);
	host_stderr_sink(NULL, slice_of("line\n", 5));
	SetStdHandle(STD_ERROR_HANDLE, before);
	CloseHandle(read_end);
	CloseHandle(write_end);
}

static void test_no_other_user(void **state) {
	char error[HOST_ERROR_BYTES] = "";

	(void)state;
	assert_int_equal(host_drop_privileges(HOST_CAP_NONE, NULL, error), 0);
	assert_int_equal(host_drop_privileges(HOST_CAP_NONE, "nobody", error), BASE_E_DENIED);
	assert_non_null(strstr(error, "'nobody'"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_write_then_read), TEST(test_replaced_while_open), TEST(test_access),        TEST(test_read_errors),
	    TEST(test_write_errors),    TEST(test_stderr_sink),         TEST(test_no_other_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
