#include "client-win/console.h"

#include "client-win/system.h"
#include "loop/signals_windows.h"

#include <stdbool.h>

#include <windows.h>

#define THREAD_WAIT_MS 1000

static DWORD mode_before;
static bool mode_changed;
static HANDLE thread, made; /* the event is set once `window` is known */
static HWND window;

static LRESULT CALLBACK on_message(HWND which, UINT message, WPARAM wide, LPARAM data) {
	if (message == WM_QUERYENDSESSION)
		return TRUE;
	if (message == WM_DESTROY)
		PostQuitMessage(0);
	if (message != WM_ENDSESSION)
		return DefWindowProcW(which, message, wide, data);
	/* Windows ends the process after this returns, or after five seconds. */
	if (wide != FALSE)
		(void)loop_signals_console((data & (LPARAM)ENDSESSION_LOGOFF) != 0 ? CTRL_LOGOFF_EVENT : CTRL_SHUTDOWN_EVENT);
	return 0;
}

/* A window for messages only would not be told. */
static DWORD WINAPI run_window(LPVOID unused) {
	const WNDCLASSW class = {
	    .lpfnWndProc = on_message, .hInstance = GetModuleHandleW(NULL), .lpszClassName = WINMAIN_WINDOW_CLASS};
	MSG message;
	(void)unused;
	if (RegisterClassW(&class) != 0)
		window = CreateWindowW(WINMAIN_WINDOW_CLASS, L"lanparty-client", WS_OVERLAPPED, 0, 0, 0, 0, NULL, NULL,
		                       class.hInstance, NULL);
	(void)SetEvent(made);
	while (window != NULL && GetMessageW(&message, NULL, 0, 0) > 0)
		(void)DispatchMessageW(&message);
	return 0;
}

static void open_window(void) {
	made = CreateEventW(NULL, TRUE, FALSE, NULL);
	thread = made != NULL ? CreateThread(NULL, 0, run_window, NULL, 0, NULL) : NULL;
	if (thread != NULL)
		(void)WaitForSingleObject(made, THREAD_WAIT_MS);
}

static void close_window(void) {
	if (thread == NULL || WaitForSingleObject(made, 0) != WAIT_OBJECT_0)
		return;
	if (window != NULL)
		(void)PostMessageW(window, WM_CLOSE, 0, 0);
	(void)WaitForSingleObject(thread, THREAD_WAIT_MS);
	(void)CloseHandle(thread);
	(void)CloseHandle(made);
}

void winmain_console_open(void) {
	const HANDLE input = GetStdHandle(STD_INPUT_HANDLE);

	open_window();
	mode_changed = GetConsoleMode(input, &mode_before) &&
	               SetConsoleMode(input, (mode_before | ENABLE_EXTENDED_FLAGS) & ~(DWORD)ENABLE_QUICK_EDIT_MODE);
}

void winmain_console_close(void) {
	close_window();
	if (mode_changed)
		(void)SetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), mode_before | ENABLE_EXTENDED_FLAGS);
}

/* A program that was started without a window has a console, too. */
static bool is_ours_alone(HANDLE input, DWORD *ret_mode) {
	DWORD programs[2], mode;

	return GetConsoleWindow() != NULL && GetConsoleProcessList(programs, 2) == 1 && GetConsoleMode(input, ret_mode) &&
	       GetConsoleMode(GetStdHandle(STD_ERROR_HANDLE), &mode);
}

/* Enter, or Ctrl-C. That it is let go may be of the Enter that started the program. */
static bool is_end(const INPUT_RECORD *record) {
	const KEY_EVENT_RECORD *key = &record->Event.KeyEvent;
	const bool with_ctrl = (key->dwControlKeyState & (LEFT_CTRL_PRESSED | RIGHT_CTRL_PRESSED)) != 0;

	return record->EventType == KEY_EVENT && key->bKeyDown &&
	       (key->wVirtualKeyCode == VK_RETURN || (key->wVirtualKeyCode == 'C' && with_ctrl));
}

void winmain_console_hold(unsigned ms) {
	const HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
	const ULONGLONG end = GetTickCount64() + ms;
	INPUT_RECORD record = {.EventType = 0};
	DWORD count, mode;

	if (!is_ours_alone(input, &mode))
		return;
	/* Ctrl-C as a key: the handler of a loop that ran stays, and takes it for itself. */
	(void)SetConsoleMode(input, mode & ~(DWORD)ENABLE_PROCESSED_INPUT);
	winmain_complain("press Enter to close this window; by itself it closes in a minute");
	(void)FlushConsoleInputBuffer(input);
	while (!is_end(&record)) {
		const ULONGLONG now = GetTickCount64();
		if (now >= end || WaitForSingleObject(input, (DWORD)(end - now)) != WAIT_OBJECT_0 ||
		    !ReadConsoleInputW(input, &record, 1, &count))
			return;
	}
}
