#include "base/error.h"
#include "base/text.h"
#include "host/host.h"

#include <windows.h>

/* To Windows a program without a visible window is one of the background: slow cores, coarse timers. */
static void refuse_throttling(void) {
	PROCESS_POWER_THROTTLING_STATE state = {
	    .Version = PROCESS_POWER_THROTTLING_CURRENT_VERSION,
	    .ControlMask = PROCESS_POWER_THROTTLING_EXECUTION_SPEED | PROCESS_POWER_THROTTLING_IGNORE_TIMER_RESOLUTION,
	};

	if (SetProcessInformation(GetCurrentProcess(), ProcessPowerThrottling, &state, sizeof(state)))
		return;
	/* Before Windows 11 it does nothing to timers, and does not know the flag. */
	state.ControlMask = PROCESS_POWER_THROTTLING_EXECUTION_SPEED;
	(void)SetProcessInformation(GetCurrentProcess(), ProcessPowerThrottling, &state, sizeof(state));
}

int host_set_priority(enum host_priority priority, char error[static HOST_ERROR_BYTES]) {
	/* REALTIME_PRIORITY_CLASS would go before mouse and disk. */
	static const DWORD classes[] = {
	    [HOST_PRIORITY_HIGH] = ABOVE_NORMAL_PRIORITY_CLASS, [HOST_PRIORITY_REALTIME] = HIGH_PRIORITY_CLASS};
	struct base_text text;

	if (priority == HOST_PRIORITY_NORMAL)
		return 0;
	refuse_throttling();
	if (SetPriorityClass(GetCurrentProcess(), classes[priority]))
		return 0;
	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "the priority class stays (Windows error %lu)", GetLastError());
	return BASE_E_DENIED;
}
