#include "loop/signals_windows.h"

#include <stdatomic.h>
#include <stddef.h>

#include <windows.h>

/* Made once and never closed: the console's thread may come at any time, also after the loop is gone. */
static _Atomic(HANDLE) stop_event, done_event;
static atomic_bool is_service;
static atomic_bool stop_early; /* asked for before anybody watched: a service may be stopped while it still starts */

static BOOL WINAPI on_console(DWORD event) {
	return loop_signals_console(event);
}

void *loop_signals_watch(void) {
	if (atomic_load(&stop_event) != NULL) {
		ResetEvent(atomic_load(&stop_event));
		ResetEvent(atomic_load(&done_event));
		return atomic_load(&stop_event);
	}
	atomic_store(&done_event, CreateEventW(NULL, TRUE, FALSE, NULL));
	if (atomic_load(&done_event) == NULL)
		return NULL;
	atomic_store(&stop_event, CreateEventW(NULL, TRUE, FALSE, NULL));
	if (atomic_load(&stop_event) == NULL || !SetConsoleCtrlHandler(on_console, TRUE))
		return NULL;
	if (atomic_load(&stop_early))
		loop_signals_stop();
	return atomic_load(&stop_event);
}

/* The mark comes before the look at the event, and in loop_signals_watch the other way round: one of the two sees it.
 */
void loop_signals_stop(void) {
	HANDLE event;

	atomic_store(&stop_early, true);
	event = atomic_load(&stop_event);
	if (event != NULL)
		SetEvent(event);
}

void loop_signals_done(void) {
	HANDLE event = atomic_load(&done_event);

	if (event != NULL)
		SetEvent(event);
}

void loop_signals_service(void) {
	atomic_store(&is_service, true);
}

bool loop_signals_console(unsigned long event) {
	if (event == CTRL_LOGOFF_EVENT && atomic_load(&is_service))
		return true;
	loop_signals_stop();
	if (event == CTRL_CLOSE_EVENT || event == CTRL_LOGOFF_EVENT || event == CTRL_SHUTDOWN_EVENT)
		WaitForSingleObject(atomic_load(&done_event), LOOP_SIGNALS_WAIT_MS);
	return true;
}
