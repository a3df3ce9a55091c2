/* Privileges are given up in child processes, which report what the kernel then says about them. Without root most
 * cases are skipped: there is nothing to give up. */
#include "base/error.h"
#include "host/host.h"
#include "tests/unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

struct drop_case {
	const char *name;
	unsigned start_uid; /* the child becomes this user first */
	enum host_capability keep;
	const char *user;
	int result;
	const char *capabilities; /* permitted and effective, as /proc prints them */
	bool bounds_cleared;
	unsigned uid;
};

static const struct drop_case cases[] = {
    {"root keeps nothing", 0, HOST_CAP_NONE, NULL, 0, "0000000000000000", true, 0},
    {"root keeps raw sockets", 0, HOST_CAP_NET_RAW, NULL, 0, "0000000000002000", true, 0},
    {"root becomes nobody", 0, HOST_CAP_NONE, "nobody", 0, "0000000000000000", true, NOBODY},
    {"nobody with network administration", 0, HOST_CAP_NET_ADMIN, "nobody", 0, "0000000000001000", true, NOBODY},
    {"nobody stays", NOBODY, HOST_CAP_NONE, NULL, 0, "0000000000000000", false, NOBODY},
    {"nobody has no capability to keep", NOBODY, HOST_CAP_NET_RAW, NULL, 0, "0000000000000000", false, NOBODY},
    {"nobody becomes nobody", NOBODY, HOST_CAP_NONE, "nobody", 0, "0000000000000000", false, NOBODY},
    {"nobody becomes root", NOBODY, HOST_CAP_NONE, "root", BASE_E_DENIED, NULL, false, NOBODY},
    {"no such user", 0, HOST_CAP_NONE, "no-such-user", BASE_E_NOT_FOUND, NULL, false, 0},
};

/* What a child leaves behind, in shared memory. */
struct report {
	int result;
	char error[HOST_ERROR_BYTES];
	char status[8192];
	bool opens_raw, becomes_root;
};

static struct report *report;

static void read_status(char *buf, size_t size) {
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t len = fd >= 0 ? read(fd, buf, size - 1) : -1;

	buf[len > 0 ? len : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

static void run_child(const struct drop_case *c) {
	int fd;

	if (c->start_uid != 0 && (setresgid(c->start_uid, c->start_uid, c->start_uid) != 0 ||
	                          setresuid(c->start_uid, c->start_uid, c->start_uid) != 0))
		_exit(1);
	report->result = host_drop_privileges(c->keep, c->user, report->error);
	read_status(report->status, sizeof(report->status));
	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	report->opens_raw = fd >= 0;
	report->becomes_root = c->uid != 0 && setuid(0) == 0;
	_exit(0);
}

/* The value behind "Name:\t" in /proc/self/status. */
static void status_value(const char *name, char *buf, size_t size) {
	char key[32];
	const char *found;

	snprintf(key, sizeof(key), "\n%s:\t", name);
	found = strstr(report->status, key);
	assert_non_null(found);
	snprintf(buf, size, "%.*s", (int)strcspn(found + strlen(key), "\n"), found + strlen(key));
}

static void check_status(const char *name, const char *expected) {
	char value[128];

	status_value(name, value, sizeof(value));
	assert_string_equal(value, expected);
}

static void check_report(const struct drop_case *c) {
	char ids[64];

	unit_assert_int(report->result, c->result, c->name);
	if (c->result != 0) {
		unit_assert_true(strstr(report->error, "cannot give up privileges: ") == report->error, c->name);
		return;
	}
	check_status("CapPrm", c->capabilities);
	check_status("CapEff", c->capabilities);
	check_status("CapInh", "0000000000000000");
	check_status("CapAmb", "0000000000000000");
	check_status("NoNewPrivs", "1");
	if (c->bounds_cleared)
		check_status("CapBnd", "0000000000000000");
	snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u", c->uid, c->uid, c->uid, c->uid);
	check_status("Uid", ids);
	if (c->uid != 0) {
		check_status("Gid", ids);
		if (c->start_uid == 0) {
			status_value("Groups", ids, sizeof(ids));
			unit_assert_int(atol(ids), NOBODY, c->name); /* the user's groups, none of root's */
		}
	}
	unit_assert_int(report->opens_raw, c->keep == HOST_CAP_NET_RAW && c->start_uid == 0, c->name);
	unit_assert_true(!report->becomes_root, c->name);
}

static void test_drop(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = -1;
		pid_t child;

		/* An ordinary user can only try the cases that start without privilege. */
		if (getuid() != 0 && cases[i].start_uid == 0)
			continue;
		if (getuid() != 0 && cases[i].start_uid != getuid())
			continue;
		memset(report, 0, sizeof(*report));
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			run_child(&cases[i]);
		assert_int_equal(waitpid(child, &status, 0), child);
		unit_assert_int(status, 0, cases[i].name);
		check_report(&cases[i]);
	}
}

/* Whoever runs the tests may start a binary without any privilege. */
static void test_unprivileged(void **state) {
	int status = -1;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		char error[HOST_ERROR_BYTES];

		if (getuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0)
			_exit(1);
		_exit(host_drop_privileges(HOST_CAP_NET_ADMIN, NULL, error) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static int check_as(unsigned uid, enum host_capability needed, const char *says) {
	char error[HOST_ERROR_BYTES] = "";
	int result;

	if (getuid() != uid && setresuid(uid, uid, uid) != 0)
		return 1;
	result = host_check_capability(needed, error);
	if (says == NULL)
		return result == 0 ? 0 : 2;
	return result == BASE_E_DENIED && strcmp(error, says) == 0 ? 0 : 3;
}

static void test_check(void **state) {
	static const struct {
		const char *label;
		unsigned uid;
		enum host_capability needed;
		const char *says; /* NULL: it is there */
	} checks[] = {
	    {"root", 0, HOST_CAP_NET_ADMIN, NULL},
	    {"nobody needs nothing", NOBODY, HOST_CAP_NONE, NULL},
	    {"nobody cannot make interfaces", NOBODY, HOST_CAP_NET_ADMIN, "needs root, or CAP_NET_ADMIN"},
	    {"nobody cannot capture", NOBODY, HOST_CAP_NET_RAW, "needs root, or CAP_NET_RAW"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int status = -1;
		pid_t child;

		if (getuid() != 0 && checks[i].uid == 0)
			continue;
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(check_as(getuid() == 0 ? checks[i].uid : getuid(), checks[i].needed, checks[i].says));
		assert_int_equal(waitpid(child, &status, 0), child);
		unit_assert_int(status, 0, checks[i].label);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_drop),
	    cmocka_unit_test(test_unprivileged),
	    cmocka_unit_test(test_check),
	};

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
