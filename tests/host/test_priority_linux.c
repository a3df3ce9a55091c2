/* Each case in a child process, so that the test keeps its own priority. */
#include "base/error.h"
#include "host/host.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* What a child leaves behind, in shared memory. */
struct report {
	int result, policy, nice, thread_nice, thread_policy;
	char error[HOST_ERROR_BYTES], group[64];
};

static struct report *report;

static void test_names(void **state) {
	static const char *const names[] = {"normal", "high", "realtime"};
	static const char *const wrong[] = {"", "hig", "higher", "HIGH", "-10"};
	enum host_priority priority;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(host_priority_parse(names[i], &priority), 0);
		assert_int_equal(priority, i);
		assert_string_equal(host_priority_text(priority), names[i]);
	}
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(host_priority_parse(wrong[i], &priority), BASE_E_INVALID);
}

static void *look(void *unused) {
	(void)unused;
	report->thread_nice = getpriority(PRIO_PROCESS, 0);
	report->thread_policy = sched_getscheduler(0);
	return NULL;
}

static void read_group(void) {
	int fd = open("/proc/self/autogroup", O_RDONLY);
	ssize_t len = fd >= 0 ? read(fd, report->group, sizeof(report->group) - 1) : -1;

	report->group[len > 0 ? len : 0] = '\0';
	if (fd >= 0)
		close(fd);
}

struct child {
	enum host_priority priority;
	int nice; /* before */
	unsigned uid;
	bool own_session;
};

static void run(const struct child *child) {
	pid_t pid;
	int status;

	memset(report, 0, sizeof(*report));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pthread_t thread;
		bool ready = setpriority(PRIO_PROCESS, 0, child->nice) == 0 && (!child->own_session || setsid() > 0) &&
		             setuid(child->uid) == 0;

		report->result = host_set_priority(child->priority, report->error);
		report->nice = getpriority(PRIO_PROCESS, 0);
		report->policy = sched_getscheduler(0);
		read_group();
		ready = ready && pthread_create(&thread, NULL, look, NULL) == 0 && pthread_join(thread, NULL) == 0;
		_exit(ready ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Also what a container may refuse to its root. */
static bool root_may_raise(void) {
	run(&(struct child){HOST_PRIORITY_NORMAL, -1, 0, false});
	return report->nice == -1;
}

static void skip_without_root(void) {
	struct rlimit limit;

	if (geteuid() != 0 || getrlimit(RLIMIT_NICE, &limit) != 0 || limit.rlim_cur > 0)
		skip();
}

static void test_high(void **state) {
	(void)state;
	skip_without_root();
	if (!root_may_raise())
		skip();
	run(&(struct child){HOST_PRIORITY_HIGH, 0, 0, true});
	assert_int_equal(report->result, 0);
	assert_int_equal(report->nice, -10);
	assert_int_equal(report->thread_nice, -10);
	assert_int_equal(report->policy, SCHED_OTHER);
	if (report->group[0] != '\0')
		assert_non_null(strstr(report->group, "nice -10"));
}

static void test_session_of_others(void **state) {
	(void)state;
	skip_without_root();
	if (!root_may_raise())
		skip();
	read_group();
	char before[sizeof(report->group)];
	memcpy(before, report->group, sizeof(before));
	run(&(struct child){HOST_PRIORITY_HIGH, 0, 0, false});
	assert_int_equal(report->nice, -10);
	assert_string_equal(report->group, before);
}

static void test_more_stays(void **state) {
	(void)state;
	skip_without_root();
	if (!root_may_raise())
		skip();
	run(&(struct child){HOST_PRIORITY_HIGH, -15, 0, true});
	assert_int_equal(report->result, 0);
	assert_int_equal(report->nice, -15);
}

static void test_normal(void **state) {
	(void)state;
	run(&(struct child){HOST_PRIORITY_NORMAL, 3, geteuid(), true});
	assert_int_equal(report->result, 0);
	assert_int_equal(report->nice, 3);
	assert_int_equal(report->policy, SCHED_OTHER);
}

/* A kernel may keep real-time priorities from some control groups, root or not. */
static void test_realtime(void **state) {
	(void)state;
	skip_without_root();
	run(&(struct child){HOST_PRIORITY_REALTIME, 0, 0, true});
	if (report->result != 0) {
		assert_int_equal(report->policy, SCHED_OTHER);
		assert_non_null(strstr(report->error, "real-time"));
		return;
	}
	assert_int_equal(report->policy, SCHED_RR);
	assert_int_equal(report->thread_policy, SCHED_RR);
}

static void test_refused(void **state) {
	static const enum host_priority priorities[] = {HOST_PRIORITY_HIGH, HOST_PRIORITY_REALTIME};

	(void)state;
	skip_without_root();
	for (unsigned i = 0; i < 2; i++) {
		run(&(struct child){priorities[i], 2, NOBODY, true});
		assert_int_equal(report->result, BASE_E_DENIED);
		assert_true(report->error[0] != '\0');
		assert_int_equal(report->nice, 2);
		assert_int_equal(report->policy, SCHED_OTHER);
	}
}

int main(void) {
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),      cmocka_unit_test(test_high),   cmocka_unit_test(test_session_of_others),
	    cmocka_unit_test(test_more_stays), cmocka_unit_test(test_normal), cmocka_unit_test(test_realtime),
	    cmocka_unit_test(test_refused),
	};

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
