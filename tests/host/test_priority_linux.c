/* Each case in a child process, so that the test keeps its own priority. */
#include "base/error.h"
#include "host/host.h"
#include "tests/unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* What a child leaves behind, in shared memory. A slice is 0 where the kernel knows none of a program's own. */
struct report {
	int result, policy, nice, thread_policy;
	uint64_t slice_before, slice, thread_slice; /* ns */
	char error[HOST_ERROR_BYTES];
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

/* The fourth word of struct sched_attr (sched_setattr(2)). */
static uint64_t slice(void) {
	uint64_t words[6] = {0};

	return syscall(SYS_sched_getattr, 0, words, sizeof(words), 0) == 0 ? words[3] : 0;
}

static void *look(void *unused) {
	(void)unused;
	report->thread_policy = sched_getscheduler(0);
	report->thread_slice = slice();
	return NULL;
}

struct child {
	enum host_priority priority;
	int policy, nice; /* before */
	unsigned uid;
};

static void run(const struct child *child) {
	const struct sched_param none = {0};
	const struct rlimit no_rights = {0}; /* some systems give all users real-time priorities */
	pid_t pid;
	int status;

	memset(report, 0, sizeof(*report));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pthread_t thread;
		bool ready = sched_setscheduler(0, child->policy, &none) == 0 &&
		             setpriority(PRIO_PROCESS, 0, child->nice) == 0 && setrlimit(RLIMIT_RTPRIO, &no_rights) == 0 &&
		             setuid(child->uid) == 0;

		report->slice_before = slice();
		report->result = host_set_priority(child->priority, report->error);
		report->nice = getpriority(PRIO_PROCESS, 0);
		report->policy = sched_getscheduler(0);
		report->slice = slice();
		ready = ready && pthread_create(&thread, NULL, look, NULL) == 0 && pthread_join(thread, NULL) == 0;
		_exit(ready ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void skip_without_root(void) {
	if (geteuid() != 0)
		skip();
}

/* No privilege is needed, and the nice value stays. */
static void test_high(void **state) {
	static const int policies[] = {SCHED_OTHER, SCHED_BATCH, SCHED_OTHER | SCHED_RESET_ON_FORK};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		run(&(struct child){HOST_PRIORITY_HIGH, policies[i], 2, geteuid() == 0 ? NOBODY : geteuid()});
		assert_int_equal(report->policy, policies[i]);
		assert_int_equal(report->nice, 2);
		if (report->slice_before == 0) { /* a kernel that knows no slices */
			assert_int_equal(report->result, BASE_E_UNSUPPORTED);
			assert_non_null(strstr(report->error, "6.12"));
			continue;
		}
		assert_int_equal(report->result, 0);
		assert_true(report->slice < report->slice_before);
		assert_true(report->thread_slice == (i < 2 ? report->slice : report->slice_before));
	}
}

static void test_others_stay(void **state) {
	(void)state;
	run(&(struct child){HOST_PRIORITY_HIGH, SCHED_IDLE, 0, geteuid()});
	assert_int_equal(report->result, BASE_E_UNSUPPORTED);
	assert_non_null(strstr(report->error, "policy"));
	assert_int_equal(report->policy, SCHED_IDLE);
}

static void test_normal(void **state) {
	(void)state;
	run(&(struct child){HOST_PRIORITY_NORMAL, SCHED_OTHER, 3, geteuid()});
	assert_int_equal(report->result, 0);
	assert_int_equal(report->nice, 3);
	assert_int_equal(report->policy, SCHED_OTHER);
	assert_true(report->slice == report->slice_before);
}

/* A kernel may keep real-time priorities from some control groups, root or not. */
static void test_realtime(void **state) {
	(void)state;
	skip_without_root();
	run(&(struct child){HOST_PRIORITY_REALTIME, SCHED_OTHER, 0, 0});
	if (report->result != 0) {
		assert_int_equal(report->policy, SCHED_OTHER);
		assert_non_null(strstr(report->error, "real-time"));
		return;
	}
	assert_int_equal(report->policy, SCHED_RR);
	assert_int_equal(report->thread_policy, SCHED_RR);
}

static void test_refused(void **state) {
	(void)state;
	skip_without_root();
	run(&(struct child){HOST_PRIORITY_REALTIME, SCHED_OTHER, 2, NOBODY});
	assert_int_equal(report->result, BASE_E_DENIED);
	assert_true(report->error[0] != '\0');
	assert_int_equal(report->nice, 2);
	assert_int_equal(report->policy, SCHED_OTHER);
}

int main(void) {
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),  cmocka_unit_test(test_high),     cmocka_unit_test(test_others_stay),
	    cmocka_unit_test(test_normal), cmocka_unit_test(test_realtime), cmocka_unit_test(test_refused),
	};

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
