/* What the service manager is told. Wine's knows neither restarts nor rights, so the calls end here: these symbols are
 * what a call of a DLL's function goes through, and the import library's are then not taken. */
#include "client-win/service.h"

#include "base/error.h"
#include "tests/unit.h"

#include <windows.h>

#define COMMAND "\"C:\\Program Files\\lanparty\\lanparty-client.exe\" --room R\xc3\xa4 --service run"
#define WIDE_COMMAND L"\"C:\\Program Files\\lanparty\\lanparty-client.exe\" --room R\u00e4 --service run"
#define STATES_MAX 8

/* The manager: what it was told, and how it answers. */
static struct {
	bool exists, created, renewed, started, marked_for_errors;
	bool runs;
	unsigned deaf;               /* so often it still starts, and takes no controls */
	DWORD fail_level, fail_code; /* of ChangeServiceConfig2W */
	SC_ACTION restarts[4];
	DWORD restart_count, forgotten_after_s;
	LPHANDLER_FUNCTION_EX control;
	SERVICE_STATUS states[STATES_MAX];
	unsigned state_count;
} manager;

static SC_HANDLE WINAPI fake_open_manager(const wchar_t *machine, const wchar_t *database, DWORD rights) {
	(void)machine;
	(void)database;
	(void)rights;
	return (SC_HANDLE)(void *)&manager;
}

static SC_HANDLE WINAPI fake_open(SC_HANDLE where, const wchar_t *name, DWORD rights) {
	(void)rights;
	assert_int_equal(wcscmp(name, L"lanparty-client"), 0);
	return where;
}

static BOOL WINAPI fake_close(SC_HANDLE handle) {
	(void)handle;
	return TRUE;
}

static SC_HANDLE WINAPI fake_create(SC_HANDLE where, const wchar_t *name, const wchar_t *display, DWORD rights,
                                    DWORD type, DWORD start, DWORD error, const wchar_t *command, const wchar_t *group,
                                    DWORD *tag, const wchar_t *needs, const wchar_t *account, const wchar_t *password) {
	(void)name;
	(void)display;
	(void)rights;
	(void)error;
	(void)group;
	(void)tag;
	(void)password;
	if (manager.exists) {
		SetLastError(ERROR_SERVICE_EXISTS);
		return NULL;
	}
	assert_int_equal(type, SERVICE_WIN32_OWN_PROCESS); /* not interactive */
	assert_int_equal(start, SERVICE_AUTO_START);
	assert_int_equal(wcscmp(command, WIDE_COMMAND), 0);
	assert_int_equal(wcscmp(needs, L"Tcpip"), 0);
	assert_null(account); /* the system's: routes need it */
	manager.created = true;
	return where;
}

static BOOL WINAPI fake_change(SC_HANDLE service, DWORD type, DWORD start, DWORD error, const wchar_t *command,
                               const wchar_t *group, DWORD *tag, const wchar_t *needs, const wchar_t *account,
                               const wchar_t *password, const wchar_t *display) {
	(void)service;
	(void)type;
	(void)error;
	(void)group;
	(void)tag;
	(void)needs;
	(void)account;
	(void)password;
	(void)display;
	assert_int_equal(start, SERVICE_AUTO_START);
	assert_int_equal(wcscmp(command, WIDE_COMMAND), 0);
	manager.renewed = true;
	return TRUE;
}

static BOOL WINAPI fake_change2(SC_HANDLE service, DWORD level, void *info) {
	(void)service;
	if (level == manager.fail_level) {
		SetLastError(manager.fail_code);
		return FALSE;
	}
	if (level == SERVICE_CONFIG_FAILURE_ACTIONS_FLAG)
		manager.marked_for_errors = ((const SERVICE_FAILURE_ACTIONS_FLAG *)info)->fFailureActionsOnNonCrashFailures;
	if (level == SERVICE_CONFIG_FAILURE_ACTIONS) {
		const SERVICE_FAILURE_ACTIONSW *actions = info;
		assert_null(actions->lpCommand);
		assert_null(actions->lpRebootMsg);
		assert_in_range(actions->cActions, 1, 4);
		manager.restart_count = actions->cActions;
		manager.forgotten_after_s = actions->dwResetPeriod;
		for (DWORD i = 0; i < actions->cActions; i++)
			manager.restarts[i] = actions->lpsaActions[i];
	}
	return TRUE;
}

static BOOL WINAPI fake_tell(SC_HANDLE service, DWORD control, SERVICE_STATUS *status) {
	(void)service;
	(void)status;
	assert_int_equal(control, SERVICE_CONTROL_STOP);
	if (manager.runs && manager.deaf == 0) {
		manager.runs = false;
		return TRUE;
	}
	SetLastError(manager.runs ? ERROR_SERVICE_CANNOT_ACCEPT_CTRL : ERROR_SERVICE_NOT_ACTIVE);
	if (manager.deaf > 0)
		manager.deaf--;
	return FALSE;
}

static BOOL WINAPI fake_query(SC_HANDLE service, SERVICE_STATUS *status) {
	(void)service;
	*status = (SERVICE_STATUS){.dwCurrentState = !manager.runs       ? SERVICE_STOPPED
	                                             : manager.deaf == 0 ? SERVICE_RUNNING
	                                                                 : SERVICE_START_PENDING};
	return TRUE;
}

static BOOL WINAPI fake_start(SC_HANDLE service, DWORD count, const wchar_t **arguments) {
	(void)service;
	(void)arguments;
	assert_int_equal(count, 0);
	if (manager.runs) {
		SetLastError(ERROR_SERVICE_ALREADY_RUNNING);
		return FALSE;
	}
	manager.started = true;
	return TRUE;
}

static BOOL WINAPI fake_set_status(SERVICE_STATUS_HANDLE handle, SERVICE_STATUS *status) {
	(void)handle;
	assert_true(manager.state_count < STATES_MAX);
	manager.states[manager.state_count++] = *status;
	return TRUE;
}

static SERVICE_STATUS_HANDLE WINAPI fake_register(const wchar_t *name, LPHANDLER_FUNCTION_EX control, void *user) {
	(void)name;
	(void)user;
	manager.control = control;
	return (SERVICE_STATUS_HANDLE)(void *)&manager;
}

static BOOL WINAPI fake_dispatch(const SERVICE_TABLE_ENTRYW *table) {
	table[0].lpServiceProc(0, NULL);
	return TRUE;
}

#define INSTEAD_OF(name, fake)             \
	extern const void *const __imp_##name; \
	const void *const __imp_##name = (const void *)(fake)

INSTEAD_OF(OpenSCManagerW, fake_open_manager);
INSTEAD_OF(OpenServiceW, fake_open);
INSTEAD_OF(CloseServiceHandle, fake_close);
INSTEAD_OF(CreateServiceW, fake_create);
INSTEAD_OF(ChangeServiceConfigW, fake_change);
INSTEAD_OF(ChangeServiceConfig2W, fake_change2);
INSTEAD_OF(ControlService, fake_tell);
INSTEAD_OF(QueryServiceStatus, fake_query);
INSTEAD_OF(StartServiceW, fake_start);
INSTEAD_OF(SetServiceStatus, fake_set_status);
INSTEAD_OF(RegisterServiceCtrlHandlerExW, fake_register);
INSTEAD_OF(StartServiceCtrlDispatcherW, fake_dispatch);

static int reset(void **state) {
	(void)state;
	ZeroMemory(&manager, sizeof(manager));
	manager.fail_level = MAXDWORD;
	return 0;
}

static void assert_restarts(void) {
	static const DWORD delays_ms[] = {5000, 30000, 120000};
	assert_int_equal(manager.restart_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(manager.restarts[i].Type, SC_ACTION_RESTART);
		assert_int_equal(manager.restarts[i].Delay, delays_ms[i]);
	}
	assert_int_equal(manager.forgotten_after_s, 24 * 60 * 60);
	assert_true(manager.marked_for_errors); /* an end with an error counts like a crash */
}

static void test_installed(void **state) {
	char error[WINMAIN_ERROR_BYTES];
	(void)state;
	assert_int_equal(winmain_service_install(COMMAND, error), 0);
	assert_true(manager.created && !manager.renewed && manager.started);
	assert_restarts();
}

static void test_renewed(void **state) {
	char error[WINMAIN_ERROR_BYTES];
	(void)state;
	manager.exists = true;
	assert_int_equal(winmain_service_install(COMMAND, error), 0);
	assert_true(!manager.created && manager.renewed && manager.started);
	assert_restarts();
}

static void test_renewed_while_it_starts(void **state) {
	char error[WINMAIN_ERROR_BYTES];
	(void)state;
	manager.exists = manager.runs = true;
	manager.deaf = 3;
	assert_int_equal(winmain_service_install(COMMAND, error), 0);
	assert_true(manager.renewed && manager.started);
}

static void test_no_restarts(void **state) {
	static const DWORD levels[] = {SERVICE_CONFIG_FAILURE_ACTIONS, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG};
	char error[WINMAIN_ERROR_BYTES];
	for (size_t i = 0; i < 2; i++) {
		(void)reset(state);
		manager.fail_level = levels[i];
		manager.fail_code = ERROR_ACCESS_DENIED;
		assert_int_equal(winmain_service_install(COMMAND, error), BASE_E_DENIED);
		assert_non_null(strstr(error, "restart of the service after a failure"));
		assert_false(manager.started);
	}
}

static int end_with(void *user) {
	assert_int_equal(manager.states[0].dwCurrentState, SERVICE_RUNNING);
	assert_int_equal(manager.states[0].dwControlsAccepted, SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN);
	return *(const int *)user;
}

/* The manager restarts what ends with an error, and not what ends without one. */
static void test_what_its_end_says(void **state) {
	for (int status = 0; status <= 8; status++) {
		(void)reset(state);
		assert_int_equal(winmain_service_run(end_with, &status), 0);
		assert_int_equal(manager.state_count, 2);
		assert_int_equal(manager.states[1].dwCurrentState, SERVICE_STOPPED);
		assert_int_equal(manager.states[1].dwWin32ExitCode, status == 0 ? NO_ERROR : ERROR_SERVICE_SPECIFIC_ERROR);
		assert_int_equal(manager.states[1].dwServiceSpecificExitCode, status);
	}
}

static int be_told(void *user) {
	(void)user;
	assert_int_equal(manager.control(SERVICE_CONTROL_INTERROGATE, 0, NULL, NULL), NO_ERROR);
	assert_int_equal(manager.control(SERVICE_CONTROL_PAUSE, 0, NULL, NULL), ERROR_CALL_NOT_IMPLEMENTED);
	assert_int_equal(manager.state_count, 1);
	assert_int_equal(manager.control(SERVICE_CONTROL_SHUTDOWN, 0, NULL, NULL), NO_ERROR);
	assert_int_equal(manager.states[1].dwCurrentState, SERVICE_STOP_PENDING);
	assert_true(manager.states[1].dwWaitHint >= 5000);
	return 0;
}

static void test_controls(void **state) {
	(void)state;
	assert_int_equal(winmain_service_run(be_told, NULL), 0);
	assert_int_equal(manager.state_count, 3);
	assert_int_equal(manager.states[2].dwCurrentState, SERVICE_STOPPED);
	assert_int_equal(manager.control(SERVICE_CONTROL_STOP, 0, NULL, NULL), NO_ERROR); /* too late */
	assert_int_equal(manager.state_count, 3);
}

static void test_whether_it_runs(void **state) {
	(void)state;
	assert_false(winmain_service_runs());
	manager.exists = manager.runs = true;
	assert_true(winmain_service_runs());
	manager.deaf = 1;
	assert_true(winmain_service_runs()); /* it starts */
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_installed, reset),
	    cmocka_unit_test_setup(test_renewed, reset),
	    cmocka_unit_test_setup(test_renewed_while_it_starts, reset),
	    cmocka_unit_test_setup(test_no_restarts, reset),
	    cmocka_unit_test_setup(test_what_its_end_says, reset),
	    cmocka_unit_test_setup(test_controls, reset),
	    cmocka_unit_test_setup(test_whether_it_runs, reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
