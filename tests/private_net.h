/* tests/private_net.h: a network namespace of a test's own, with a /sys that shows it, gone when the test ends. Needs
 * root and iproute2. */
#ifndef TESTS_PRIVATE_NET_H
#define TESTS_PRIVATE_NET_H

#include "tests/unit.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#define PRIVATE_NET_SKIP 77 /* what meson takes for "skipped" */

/* False, with the reason said, when this machine or user can't have one. */
static inline bool private_net_enter(const char *test) {
	if (geteuid() != 0) {
		(void)fprintf(stderr, "%s: skipped: needs root for a network namespace of its own\n", test);
		return false;
	}
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0) {
		(void)fprintf(stderr, "%s: skipped: no network namespace can be made here\n", test);
		return false;
	}
	return true;
}

/* Runs a command of iproute2 in the namespace; it must succeed. */
static inline void private_net_run(const char *command) {
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

#endif
