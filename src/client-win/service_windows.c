#include "client-win/service.h"

#include "base/error.h"
#include "client-win/command_line.h"
#include "loop/signals_windows.h"

#include <windows.h>

#define SERVICE_NAME L"lanparty-client"
#define DISPLAY_NAME L"LAN party client"
#define DESCRIPTION L"Makes this PC a station of a remote LAN (lanparty-client)."
/* The tunnel needs an IP stack; nothing else of Windows. */
#define DEPENDENCIES L"Tcpip\0"
#define START_TRIES 60
#define START_WAIT_MS 500
#define STOP_TRIES 100
#define STOP_WAIT_MS 100
#define STOP_HINT_MS 10000
#define FAILURES_FORGOTTEN_AFTER_S (24 * 60 * 60)

/* The service manager calls back without a user pointer, and there is one service in a process. */
static struct {
	int (*body)(void *user);
	void *user;
	SERVICE_STATUS_HANDLE handle;
	SRWLOCK lock; /* reports come from two threads */
	bool stopped;
} running = {.lock = SRWLOCK_INIT};

static int fail(const char *where, char error[static WINMAIN_ERROR_BYTES]) {
	const DWORD number = GetLastError();
	struct base_text text;

	base_text_init(&text, error, WINMAIN_ERROR_BYTES);
	base_text_addf(&text, "%s: ", where);
	winmain_add_system_error(&text, number);
	return number == ERROR_ACCESS_DENIED ? BASE_E_DENIED : BASE_E_IO;
}

/* ---- made and removed ---- */

/* Restarted after a crash and after an end with an error, sooner the first times. */
static bool set_recovery(SC_HANDLE service) {
	SC_ACTION actions[] = {{SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 30000}, {SC_ACTION_RESTART, 120000}};
	SERVICE_FAILURE_ACTIONSW failure = {.dwResetPeriod = FAILURES_FORGOTTEN_AFTER_S,
	                                    .cActions = sizeof(actions) / sizeof(actions[0]),
	                                    .lpsaActions = actions};
	SERVICE_FAILURE_ACTIONS_FLAG also_on_errors = {.fFailureActionsOnNonCrashFailures = TRUE};
	wchar_t words[] = DESCRIPTION;
	SERVICE_DESCRIPTIONW description = {.lpDescription = words};
	(void)ChangeServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, &description);
	/* Wine knows neither of the other two, which is no reason not to run there. */
	return (ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, &failure) &&
	        ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_on_errors)) ||
	       GetLastError() == ERROR_INVALID_LEVEL;
}

static SC_HANDLE make(SC_HANDLE manager, const wchar_t *command) {
	SC_HANDLE service =
	    CreateServiceW(manager, SERVICE_NAME, DISPLAY_NAME, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
	                   SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, command, NULL, NULL, DEPENDENCIES, NULL, NULL);
	if (service != NULL || GetLastError() != ERROR_SERVICE_EXISTS)
		return service;
	service = OpenServiceW(manager, SERVICE_NAME, SERVICE_ALL_ACCESS);
	if (service != NULL &&
	    !ChangeServiceConfigW(service, SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, command,
	                          NULL, NULL, DEPENDENCIES, NULL, NULL, DISPLAY_NAME)) {
		const DWORD number = GetLastError();
		(void)CloseServiceHandle(service);
		SetLastError(number);
		service = NULL;
	}
	return service;
}

/* True when it does not run (any more). As long as it starts it takes no controls: it is told until it has stopped. */
static bool stop(SC_HANDLE service) {
	SERVICE_STATUS status;
	for (unsigned i = 0; i < STOP_TRIES; i++) {
		(void)ControlService(service, SERVICE_CONTROL_STOP, &status);
		if (!QueryServiceStatus(service, &status) || status.dwCurrentState == SERVICE_STOPPED)
			return true;
		Sleep(STOP_WAIT_MS);
	}
	return false;
}

/* The database is locked while other services start, also at boot. */
static bool start(SC_HANDLE service) {
	for (unsigned i = 0; i < START_TRIES; i++) {
		if (StartServiceW(service, 0, NULL))
			return true;
		if (GetLastError() != ERROR_SERVICE_DATABASE_LOCKED)
			return false;
		Sleep(START_WAIT_MS);
	}
	return false;
}

int winmain_service_install(const char *command, char error[static WINMAIN_ERROR_BYTES]) {
	static wchar_t wide[WINMAIN_COMMAND_LINE_BYTES];
	int err = 0;

	if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, command, -1, wide, WINMAIN_COMMAND_LINE_BYTES) == 0)
		return fail("service command line", error);
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS);
	if (manager == NULL)
		return fail("service manager", error);
	SC_HANDLE service = make(manager, wide);
	if (service == NULL) {
		err = fail("service lanparty-client", error);
	} else {
		(void)stop(service); /* renewed: the old command line still runs */
		if (!set_recovery(service))
			err = fail("restart of the service after a failure", error);
		else if (!start(service))
			err = fail("start of the service", error);
		(void)CloseServiceHandle(service);
	}
	(void)CloseServiceHandle(manager);
	return err;
}

static int stop_and_delete(SC_HANDLE service, char error[static WINMAIN_ERROR_BYTES]) {
	if (!stop(service)) {
		base_text_copy(error, WINMAIN_ERROR_BYTES, "the service does not stop");
		return BASE_E_TIMEOUT;
	}
	if (DeleteService(service) || GetLastError() == ERROR_SERVICE_MARKED_FOR_DELETE)
		return 0;
	return fail("removal of the service", error);
}

/* It goes when the last program that looks at it lets go; only then there can be a new one. */
static void wait_until_gone(SC_HANDLE manager) {
	for (unsigned i = 0; i < STOP_TRIES; i++) {
		SC_HANDLE service = OpenServiceW(manager, SERVICE_NAME, SERVICE_QUERY_STATUS);
		if (service == NULL)
			return;
		(void)CloseServiceHandle(service);
		Sleep(STOP_WAIT_MS);
	}
}

int winmain_service_remove(bool *ret_found, char error[static WINMAIN_ERROR_BYTES]) {
	int err = 0;
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);

	if (manager == NULL)
		return fail("service manager", error);
	SC_HANDLE service = OpenServiceW(manager, SERVICE_NAME, SERVICE_STOP | SERVICE_QUERY_STATUS | DELETE);
	*ret_found = service != NULL;
	if (service != NULL) {
		err = stop_and_delete(service, error);
		(void)CloseServiceHandle(service);
		if (err == 0)
			wait_until_gone(manager);
	} else if (GetLastError() != ERROR_SERVICE_DOES_NOT_EXIST) {
		err = fail("service lanparty-client", error);
	}
	(void)CloseServiceHandle(manager);
	return err;
}

bool winmain_service_runs(void) {
	SERVICE_STATUS status = {.dwCurrentState = SERVICE_STOPPED};
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service = manager != NULL ? OpenServiceW(manager, SERVICE_NAME, SERVICE_QUERY_STATUS) : NULL;

	if (service != NULL) {
		(void)QueryServiceStatus(service, &status);
		(void)CloseServiceHandle(service);
	}
	if (manager != NULL)
		(void)CloseServiceHandle(manager);
	return status.dwCurrentState != SERVICE_STOPPED;
}

/* ---- run ---- */

/* Nothing follows the report that it has stopped, which the manager takes for its end. */
static void report(DWORD state, int exit_status) {
	SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS, .dwCurrentState = state};
	if (state == SERVICE_RUNNING)
		status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN;
	if (state == SERVICE_STOP_PENDING)
		status.dwWaitHint = STOP_HINT_MS;
	if (exit_status != 0) {
		status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
		status.dwServiceSpecificExitCode = (DWORD)exit_status;
	}
	AcquireSRWLockExclusive(&running.lock);
	if (!running.stopped)
		(void)SetServiceStatus(running.handle, &status);
	running.stopped = running.stopped || state == SERVICE_STOPPED;
	ReleaseSRWLockExclusive(&running.lock);
}

static DWORD WINAPI on_control(DWORD control, DWORD type, LPVOID data, LPVOID user) {
	(void)type;
	(void)data;
	(void)user;
	if (control == SERVICE_CONTROL_INTERROGATE)
		return NO_ERROR;
	if (control != SERVICE_CONTROL_STOP && control != SERVICE_CONTROL_SHUTDOWN)
		return ERROR_CALL_NOT_IMPLEMENTED;
	report(SERVICE_STOP_PENDING, 0);
	loop_signals_stop();
	return NO_ERROR;
}

static void WINAPI service_main(DWORD argc, LPWSTR *argv) {
	(void)argc;
	(void)argv;
	running.handle = RegisterServiceCtrlHandlerExW(SERVICE_NAME, on_control, NULL);
	if (running.handle == NULL)
		return;
	report(SERVICE_RUNNING, 0);
	report(SERVICE_STOPPED, running.body(running.user));
}

int winmain_service_run(int (*body)(void *user), void *user) {
	wchar_t name[] = SERVICE_NAME;
	const SERVICE_TABLE_ENTRYW table[] = {{name, service_main}, {NULL, NULL}};

	running.body = body;
	running.user = user;
	running.stopped = false;
	loop_signals_service();
	return StartServiceCtrlDispatcherW(table) ? 0 : BASE_E_STATE;
}
