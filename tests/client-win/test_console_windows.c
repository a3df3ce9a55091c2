/* Who keeps the window open. The console of Wine's tests has no keys, so the calls end here (as in
 * test_service_windows.c); what is waited for is an event. */
#include "client-win/console.h"
#include "tests/unit.h"

#include <stdbool.h>
#include <string.h>

#include <windows.h>

#define SHORT_MS 50
#define LONG_MS 20000

static struct {
	DWORD programs;
	bool is_console, has_no_window;
	HANDLE input;             /* set: there is something to read */
	KEY_EVENT_RECORD keys[4]; /* without a key: the mouse */
	unsigned read, flushed;
	DWORD mode;
	char said[256];
} console;

static HANDLE WINAPI fake_handle(DWORD which) {
	(void)which;
	return console.input;
}

static BOOL WINAPI fake_mode(HANDLE handle, DWORD *mode) {
	(void)handle;
	*mode = console.mode;
	return console.is_console;
}

static BOOL WINAPI fake_set_mode(HANDLE handle, DWORD mode) {
	assert_ptr_equal(handle, console.input);
	console.mode = mode;
	return TRUE;
}

static DWORD WINAPI fake_list(DWORD *list, DWORD count) {
	(void)list;
	(void)count;
	return console.programs;
}

static HWND WINAPI fake_window(void) {
	return console.has_no_window ? NULL : (HWND)(void *)&console;
}

static BOOL WINAPI fake_flush(HANDLE handle) {
	(void)handle;
	console.flushed++;
	return TRUE;
}

static BOOL WINAPI fake_read(HANDLE handle, INPUT_RECORD *record, DWORD count, DWORD *got) {
	const KEY_EVENT_RECORD key = console.keys[console.read++];

	(void)handle;
	assert_int_equal(count, 1);
	*record = (INPUT_RECORD){.EventType = key.wVirtualKeyCode != 0 ? KEY_EVENT : MOUSE_EVENT, .Event.KeyEvent = key};
	*got = 1;
	return TRUE;
}

static BOOL WINAPI fake_write(HANDLE handle, const void *text, DWORD units, DWORD *written, void *reserved) {
	(void)handle;
	(void)reserved;
	assert_true(WideCharToMultiByte(CP_UTF8, 0, text, (int)units, console.said, sizeof(console.said) - 1, NULL, NULL) >
	            0);
	*written = units;
	return TRUE;
}

#define INSTEAD_OF(name, fake)             \
	extern const void *const __imp_##name; \
	const void *const __imp_##name = (const void *)(fake)

INSTEAD_OF(GetStdHandle, fake_handle);
INSTEAD_OF(GetConsoleMode, fake_mode);
INSTEAD_OF(SetConsoleMode, fake_set_mode);
INSTEAD_OF(GetConsoleProcessList, fake_list);
INSTEAD_OF(GetConsoleWindow, fake_window);
INSTEAD_OF(FlushConsoleInputBuffer, fake_flush);
INSTEAD_OF(ReadConsoleInputW, fake_read);
INSTEAD_OF(WriteConsoleW, fake_write);

static int reset(void **state) {
	(void)state;
	ZeroMemory(&console, sizeof(console));
	console.programs = 1;
	console.is_console = true;
	console.input = CreateEventW(NULL, TRUE, FALSE, NULL);
	return console.input != NULL ? 0 : -1;
}

static int close_input(void **state) {
	(void)state;
	return CloseHandle(console.input) ? 0 : -1;
}

/* Somebody clicked on it: Enter closes it, no other key and no mouse. */
static void test_alone_in_its_window(void **state) {
	const ULONGLONG start = GetTickCount64();

	(void)state;
	console.keys[0].wVirtualKeyCode = VK_RETURN; /* let go: the one that started it */
	console.keys[1] = (KEY_EVENT_RECORD){.bKeyDown = TRUE, .wVirtualKeyCode = VK_CONTROL};
	console.keys[3] = (KEY_EVENT_RECORD){.bKeyDown = TRUE, .wVirtualKeyCode = VK_RETURN};
	(void)SetEvent(console.input);
	winmain_console_hold(LONG_MS);
	assert_int_equal(console.read, 4);
	assert_int_equal(console.flushed, 1); /* what was typed before is not meant */
	assert_non_null(strstr(console.said, "press Enter to close this window"));
	assert_true(GetTickCount64() - start < LONG_MS);
}

/* A client that has run takes Ctrl-C for itself, as its handler stays: here it is a key. */
static void test_ctrl_c(void **state) {
	(void)state;
	console.mode = ENABLE_PROCESSED_INPUT | ENABLE_LINE_INPUT;
	console.keys[0] = (KEY_EVENT_RECORD){.bKeyDown = TRUE, .wVirtualKeyCode = 'C'};
	console.keys[1] =
	    (KEY_EVENT_RECORD){.bKeyDown = TRUE, .wVirtualKeyCode = 'V', .dwControlKeyState = LEFT_CTRL_PRESSED};
	console.keys[2] =
	    (KEY_EVENT_RECORD){.bKeyDown = TRUE, .wVirtualKeyCode = 'C', .dwControlKeyState = LEFT_CTRL_PRESSED};
	console.keys[3] = (KEY_EVENT_RECORD){.bKeyDown = TRUE, .wVirtualKeyCode = VK_RETURN};
	(void)SetEvent(console.input);
	winmain_console_hold(LONG_MS);
	assert_int_equal(console.read, 3);
	assert_int_equal(console.mode, ENABLE_LINE_INPUT);
}

static void test_nobody_is_there(void **state) {
	const ULONGLONG start = GetTickCount64();

	(void)state;
	winmain_console_hold(SHORT_MS);
	assert_true(GetTickCount64() - start >= SHORT_MS / 2);
	assert_int_equal(console.read, 0);
}

/* Another program keeps the window, or nobody reads in one: a service, a pipe. */
static void test_no_window_of_its_own(void **state) {
	static const struct {
		DWORD programs;
		bool is_console, has_no_window;
	} cases[] = {{2, true, false}, {0, true, false}, {1, false, false}, {1, true, true}};
	const ULONGLONG start = GetTickCount64();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		console.mode = ENABLE_PROCESSED_INPUT;
		console.programs = cases[i].programs;
		console.is_console = cases[i].is_console;
		console.has_no_window = cases[i].has_no_window;
		winmain_console_hold(LONG_MS);
	}
	assert_string_equal(console.said, "");
	assert_int_equal(console.mode, ENABLE_PROCESSED_INPUT);
	assert_true(GetTickCount64() - start < LONG_MS);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_alone_in_its_window, reset, close_input),
	    cmocka_unit_test_setup_teardown(test_ctrl_c, reset, close_input),
	    cmocka_unit_test_setup_teardown(test_nobody_is_there, reset, close_input),
	    cmocka_unit_test_setup_teardown(test_no_window_of_its_own, reset, close_input),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
