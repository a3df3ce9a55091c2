/* Wine throttles nobody, so the calls end here (as in tests/client-win/test_service_windows.c). */
#include "base/error.h"
#include "host/host.h"
#include "tests/unit.h"

#include <windows.h>

#define BOTH (PROCESS_POWER_THROTTLING_EXECUTION_SPEED | PROCESS_POWER_THROTTLING_IGNORE_TIMER_RESOLUTION)

static struct {
	ULONG knows, control; /* flags of the system; taken into the program's own hands */
	bool refuses;
	DWORD class;
} windows;

static BOOL WINAPI fake_information(HANDLE process, PROCESS_INFORMATION_CLASS what, void *info, DWORD len) {
	const PROCESS_POWER_THROTTLING_STATE *state = info;

	(void)process;
	assert_int_equal(what, ProcessPowerThrottling);
	assert_int_equal(len, sizeof(*state));
	assert_int_equal(state->Version, PROCESS_POWER_THROTTLING_CURRENT_VERSION);
	assert_int_equal(state->StateMask, 0);
	if ((state->ControlMask & ~windows.knows) != 0) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	windows.control = state->ControlMask;
	return TRUE;
}

static BOOL WINAPI fake_class(HANDLE process, DWORD class) {
	(void)process;
	windows.class = class;
	SetLastError(ERROR_ACCESS_DENIED);
	return !windows.refuses;
}

#define INSTEAD_OF(name, fake)             \
	extern const void *const __imp_##name; \
	const void *const __imp_##name = (const void *)(fake)

INSTEAD_OF(SetProcessInformation, fake_information);
INSTEAD_OF(SetPriorityClass, fake_class);

static void test_priorities(void **state) {
	static const struct {
		enum host_priority priority;
		ULONG knows, control; /* Windows 11, 10, and one that knows neither */
		DWORD class;
	} cases[] = {
	    {HOST_PRIORITY_NORMAL, BOTH, 0, 0},
	    {HOST_PRIORITY_HIGH, BOTH, BOTH, ABOVE_NORMAL_PRIORITY_CLASS},
	    {HOST_PRIORITY_HIGH, PROCESS_POWER_THROTTLING_EXECUTION_SPEED, PROCESS_POWER_THROTTLING_EXECUTION_SPEED,
	     ABOVE_NORMAL_PRIORITY_CLASS},
	    {HOST_PRIORITY_REALTIME, 0, 0, HIGH_PRIORITY_CLASS},
	};
	char error[HOST_ERROR_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ZeroMemory(&windows, sizeof(windows));
		windows.knows = cases[i].knows;
		assert_int_equal(host_set_priority(cases[i].priority, error), 0);
		assert_int_equal(windows.control, cases[i].control);
		assert_int_equal(windows.class, cases[i].class);
	}
	windows.refuses = true;
	assert_int_equal(host_set_priority(HOST_PRIORITY_HIGH, error), BASE_E_DENIED);
	assert_string_equal(error, "the priority class stays (Windows error 5)");
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_priorities)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
