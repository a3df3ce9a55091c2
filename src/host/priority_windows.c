#include "base/error.h"
#include "base/text.h"
#include "host/host.h"

#include <windows.h>

int host_set_priority(enum host_priority priority, char error[static HOST_ERROR_BYTES]) {
	/* REALTIME_PRIORITY_CLASS would go before mouse and disk. */
	static const DWORD classes[] = {
	    [HOST_PRIORITY_HIGH] = ABOVE_NORMAL_PRIORITY_CLASS, [HOST_PRIORITY_REALTIME] = HIGH_PRIORITY_CLASS};
	struct base_text text;

	if (priority == HOST_PRIORITY_NORMAL || SetPriorityClass(GetCurrentProcess(), classes[priority]))
		return 0;
	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "the priority class stays (Windows error %lu)", GetLastError());
	return BASE_E_DENIED;
}
