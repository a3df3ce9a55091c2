#include "client-win/console.h"

#include "loop/signals_windows.h"

#include <stdbool.h>

#include <windows.h>

static DWORD mode_before;
static bool mode_changed;

static LRESULT CALLBACK on_message(HWND window, UINT message, WPARAM wide, LPARAM data) {
	if (message == WM_QUERYENDSESSION)
		return TRUE;
	if (message != WM_ENDSESSION)
		return DefWindowProcW(window, message, wide, data);
	/* Windows ends the process after this returns, or after five seconds. */
	if (wide != FALSE)
		(void)loop_signals_console((data & (LPARAM)ENDSESSION_LOGOFF) != 0 ? CTRL_LOGOFF_EVENT : CTRL_SHUTDOWN_EVENT);
	return 0;
}

/* A window for messages only would not be told. It goes with the process: it must answer until then. */
static DWORD WINAPI run_window(LPVOID unused) {
	const WNDCLASSW class = {
	    .lpfnWndProc = on_message, .hInstance = GetModuleHandleW(NULL), .lpszClassName = WINMAIN_WINDOW_CLASS};
	MSG message;
	(void)unused;
	if (RegisterClassW(&class) == 0 || CreateWindowW(WINMAIN_WINDOW_CLASS, L"lanparty-client", WS_OVERLAPPED, 0, 0, 0,
	                                                 0, NULL, NULL, class.hInstance, NULL) == NULL)
		return 1;
	while (GetMessageW(&message, NULL, 0, 0) > 0)
		(void)DispatchMessageW(&message);
	return 0;
}

void winmain_console_open(void) {
	const HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
	HANDLE thread = CreateThread(NULL, 0, run_window, NULL, 0, NULL);
	if (thread != NULL)
		(void)CloseHandle(thread);
	mode_changed = GetConsoleMode(input, &mode_before) &&
	               SetConsoleMode(input, (mode_before | ENABLE_EXTENDED_FLAGS) & ~(DWORD)ENABLE_QUICK_EDIT_MODE);
}

void winmain_console_close(void) {
	if (mode_changed)
		(void)SetConsoleMode(GetStdHandle(STD_INPUT_HANDLE), mode_before | ENABLE_EXTENDED_FLAGS);
}
