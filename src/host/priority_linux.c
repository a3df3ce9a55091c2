/* host/priority_linux.c: what the scheduler is asked for. Threads inherit it from the one that starts them, unless the
 * process was started with reset-on-fork. */
#include "base/error.h"
#include "base/text.h"
#include "host/host.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Since 6.12 the scheduler (EEVDF) lets who asks for short slices go before those with long ones (usually 0.7 to 3 ms),
 * and gives nobody more of the processor for it. With shorter slices programs that the network keeps busy only
 * interrupt each other more often. */
#define SLICE_NS 300000

/* The first version of struct sched_attr (sched_setattr(2)). Some C libraries declare it: hence a name of our own. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period; /* runtime: the slice of an ordinary thread */
};

static int refused(char error[static HOST_ERROR_BYTES], const char *what) {
	int code = errno == EPERM || errno == EACCES ? BASE_E_DENIED : BASE_E_IO;
	struct base_text text;

	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "%s: %s", what, strerror(errno));
	return code;
}

static bool get_attributes(struct attributes *ret) {
	return syscall(SYS_sched_getattr, 0, ret, sizeof(*ret), 0) == 0;
}

static int unsupported(char error[static HOST_ERROR_BYTES], const char *why) {
	struct base_text text;

	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "the time slice stays: %s", why);
	return BASE_E_UNSUPPORTED;
}

static int set_high(char error[static HOST_ERROR_BYTES]) {
	struct attributes attributes;

	if (!get_attributes(&attributes))
		return refused(error, "the time slice stays");
	if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH)
		return unsupported(error, "who started the program chose a policy without one");
	if (attributes.runtime != 0 && attributes.runtime <= SLICE_NS)
		return 0;                  /* who started us asked for less already */
	attributes.runtime = SLICE_NS; /* the rest goes back as it came */
	if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0 || !get_attributes(&attributes))
		return refused(error, "the time slice stays");
	if (attributes.runtime == SLICE_NS)
		return 0;
	return unsupported(error, "Linux knows none of a program's own before 6.12");
}

static int set_realtime(char error[static HOST_ERROR_BYTES]) {
	struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_RR)};

	return sched_setscheduler(0, SCHED_RR, &lowest) == 0 ? 0 : refused(error, "no real-time priority");
}

int host_set_priority(enum host_priority priority, char error[static HOST_ERROR_BYTES]) {
	switch (priority) {
	case HOST_PRIORITY_REALTIME:
		return set_realtime(error);
	case HOST_PRIORITY_HIGH:
		return set_high(error);
	case HOST_PRIORITY_NORMAL:
	default:
		return 0;
	}
}
