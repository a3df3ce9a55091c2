/* host/priority_linux.c: what the scheduler is asked for. Threads inherit it from the one that starts them. */
#include "base/error.h"
#include "base/text.h"
#include "host/host.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE (-10)
#define GROUP_PATH "/proc/self/autogroup"

static int refused(char error[static HOST_ERROR_BYTES], const char *what) {
	int code = errno == EPERM || errno == EACCES ? BASE_E_DENIED : BASE_E_IO;
	struct base_text text;

	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "%s: %s", what, strerror(errno));
	return code;
}

/* Where the kernel has autogroups (sched(7)), nice values count among the processes of one session only, and this file
 * holds what counts between sessions. One that a shell leads is not ours to change. */
static bool raise_session(void) {
	static const char value[] = "-10";
	int fd;
	bool good;

	if (getsid(0) != getpid())
		return true;
	fd = open(GROUP_PATH, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	/* EINVAL: the session is in no group of its own. */
	good = write(fd, value, sizeof(value) - 1) >= 0 || errno == EINVAL;
	close(fd);
	return good;
}

static int set_high(char error[static HOST_ERROR_BYTES]) {
	/* Who started us may have given more already. */
	if (getpriority(PRIO_PROCESS, 0) > NICE && setpriority(PRIO_PROCESS, 0, NICE) != 0)
		return refused(error, "the nice value stays");
	return raise_session() ? 0 : refused(error, GROUP_PATH);
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
