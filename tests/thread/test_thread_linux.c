#include "thread/thread.h"

#include "tests/unit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

struct seen {
	char name[16];
	sigset_t blocked;
	pthread_t id;
};

static void look(void *user) {
	struct seen *seen = user;

	pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
	seen->id = pthread_self();
}

static void test_start_and_join(void **state) {
	sigset_t before, after;
	struct thread *thread;
	struct seen seen = {.name = ""};

	(void)state;
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	assert_int_equal(thread_start("shard 0", look, &seen, &thread), 0);
	thread_join(thread);
	assert_false(pthread_equal(seen.id, pthread_self()));
	assert_true(sigismember(&seen.blocked, SIGTERM) && sigismember(&seen.blocked, SIGHUP));
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	thread_join(NULL);
}

static void test_cores(void **state) {
	cpu_set_t all, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(thread_cores(), CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++) {
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(thread_cores(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_start_and_join),
	    cmocka_unit_test(test_cores),
	};

	return cmocka_run_group_tests_name("thread/thread", tests, NULL, NULL);
}
