#include "base/error.h"
#include "host/host.h"

#include <string.h>

static const char *const names[] = {
    [HOST_PRIORITY_NORMAL] = "normal", [HOST_PRIORITY_HIGH] = "high", [HOST_PRIORITY_REALTIME] = "realtime"};

int host_priority_parse(const char *text, enum host_priority *ret) {
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum host_priority)i;
			return 0;
		}
	}
	return BASE_E_INVALID;
}

const char *host_priority_text(enum host_priority priority) {
	return names[priority];
}
