/* What only the Linux loop has: hang-ups, descriptors to write to, more sources than a batch, fine timers, signals. */
#include "tests/loop/fixture.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIPES_MAX 100
#ifndef CLONE_NEWTIME /* headers before Linux 5.6 */
#define CLONE_NEWTIME 0x80
#endif

struct test_source {
	struct loop_source source;
	struct loop *loop;
	int read_fd, write_fd;
	int calls;
	unsigned events;
};

static void on_ready(void *user, unsigned events, uint64_t now) {
	struct test_source *source = user;

	(void)now;
	source->calls++;
	source->events = events;
}

static void open_source(struct test_source *source, struct loop *loop) {
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	*source = (struct test_source){.loop = loop, .read_fd = fds[0], .write_fd = fds[1]};
	source->source.ready = on_ready;
	source->source.user = source;
	assert_int_equal(loop_add(loop, &source->source, source->read_fd, LOOP_READ), 0);
}

static void close_source(struct test_source *source) {
	loop_remove(source->loop, &source->source);
	close(source->read_fd);
	if (source->write_fd >= 0)
		close(source->write_fd);
}

static void test_hangup_of_a_source(void **state) {
	struct loop *loop = *state;
	struct test_source source;

	open_source(&source, loop);
	assert_int_equal(loop_modify(loop, &source.source, 0), 0);
	close(source.write_fd);
	source.write_fd = -1;
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(source.calls, 1);
	assert_int_equal(source.events, LOOP_GONE);
	close_source(&source);
}

static void test_writable(void **state) {
	struct loop *loop = *state;
	struct test_source source;

	open_source(&source, loop);
	loop_remove(loop, &source.source);
	loop_remove(loop, &source.source);
	assert_int_equal(loop_add(loop, &source.source, source.write_fd, LOOP_WRITE), 0);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	assert_int_equal(source.events, LOOP_WRITE);
	close_source(&source);
}

static void on_ready_read(void *user, unsigned events, uint64_t now) {
	struct test_source *source = user;
	char byte;

	(void)events;
	(void)now;
	source->calls++;
	assert_int_equal(read(source->read_fd, &byte, 1), 1);
}

/* More sources than one batch holds are all served. */
static void test_many_sources(void **state) {
	static struct test_source sources[PIPES_MAX];
	struct loop *loop = *state;

	for (int i = 0; i < PIPES_MAX; i++) {
		open_source(&sources[i], loop);
		sources[i].source.ready = on_ready_read;
		assert_int_equal(write(sources[i].write_fd, "x", 1), 1);
	}
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(loop_run_once(loop, 0), 0);
	for (int i = 0; i < PIPES_MAX; i++) {
		assert_int_equal(sources[i].calls, 1);
		close_source(&sources[i]);
	}
}

static int yields;
int __real_sched_yield(void);
int __wrap_sched_yield(void);
int __wrap_sched_yield(void) {
	yields++;
	return __real_sched_yield();
}

static uint64_t boot_clock(void) {
	struct timespec time;

	clock_gettime(CLOCK_BOOTTIME, &time);
	return (uint64_t)time.tv_sec * BASE_SECOND + (uint64_t)time.tv_nsec;
}

static void on_due_work(void *user, uint64_t now) {
	(void)user;
	while (boot_clock() < now + 200 * BASE_US)
		continue;
}

/* The processor is offered to others after a turn that took long, and not after each. */
static void test_long_turns_give_way(void **state) {
	struct loop *loop = *state;
	struct loop_timer timer;
	int long_turns;

	loop_timer_init(&timer, on_due_work, NULL);
	assert_int_equal(loop_run_once(loop, 0), 0);
	yields = 0;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(loop_timer_set(loop, &timer, loop_now(loop)), 0);
		assert_int_equal(loop_run_once(loop, 0), 0);
		assert_int_equal(loop_run_once(loop, 0), 0);
	}
	assert_true(yields >= 5);
	long_turns = yields;
	for (int i = 0; i < 100; i++)
		assert_int_equal(loop_run_once(loop, 0), 0);
	assert_true(yields - long_turns < 100);
}

static void on_due(void *user, uint64_t now) {
	(void)now;
	(*(int *)user)++;
}

/* Far finer than a millisecond, and never early. */
static void test_timer_precision(void **state) {
	struct loop *loop = *state;
	uint64_t best = BASE_NEVER;
	struct loop_timer timer;
	int calls = 0;

	loop_timer_init(&timer, on_due, &calls);
	for (int i = 0; i < 20; i++) {
		uint64_t deadline;

		assert_int_equal(loop_run_once(loop, 0), 0);
		deadline = loop_now(loop) + 200 * BASE_US;
		assert_int_equal(loop_timer_set(loop, &timer, deadline), 0);
		while (calls == i)
			assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
		assert_true(loop_now(loop) >= deadline);
		best = base_time_min(best, loop_now(loop) - deadline);
	}
	assert_true(best < 500 * BASE_US);
}

static void wait_after_sleep(void) {
	struct loop *loop = loop_new();
	struct loop_timer timer;
	int calls = 0;

	alarm(5);
	loop_timer_init(&timer, on_due, &calls);
	loop_timer_set(loop, &timer, boot_clock() + BASE_MS);
	_exit(loop_run_once(loop, BASE_NEVER) == 0 && calls == 1 && boot_clock() - loop_now(loop) < BASE_SECOND ? 0 : 1);
}

/* What is due while the machine sleeps, such as the end of a connection that the relay has given up, is due when it
 * wakes. A process whose boot clock is ahead stands in for a machine that has slept. */
static void test_sleep_counts(void **state) {
	FILE *offsets = unshare(CLONE_NEWTIME) == 0 ? fopen("/proc/self/timens_offsets", "w") : NULL;
	int status = -1;
	pid_t child;

	(void)state;
	if (offsets == NULL || fputs("boottime 3600 0", offsets) < 0 || fclose(offsets) != 0)
		skip(); /* needs root */
	child = fork();
	if (child == 0)
		wait_after_sleep();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* One turn that ends because something is ready, so that the loop has waited with what `timer` said. */
static void turn_with(struct loop *loop, struct test_source *source, struct loop_timer *timer, uint64_t in_ns) {
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(loop_timer_set(loop, timer, loop_now(loop) + in_ns), 0);
	assert_int_equal(write(source->write_fd, "x", 1), 1);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
}

/* A deadline that moves while the loop runs is kept where it went, and no turn is spent on waiting for it. */
static void test_deadline_that_moves(void **state) {
	static const uint64_t moves[][2] = {
	    {10 * BASE_SECOND, 5 * BASE_MS}, {2 * BASE_MS, 20 * BASE_MS}, {100 * BASE_US, 10 * BASE_MS}, {5 * BASE_MS, 1}};
	struct loop *loop = *state;
	struct test_source source;
	struct loop_timer timer;
	int calls = 0;

	open_source(&source, loop);
	source.source.ready = on_ready_read;
	loop_timer_init(&timer, on_due, &calls);
	for (int i = 0; i < 4; i++) {
		uint64_t deadline;
		int turns = 0;

		turn_with(loop, &source, &timer, moves[i][0]);
		deadline = loop_now(loop) + moves[i][1];
		assert_int_equal(loop_timer_set(loop, &timer, deadline), 0);
		while (calls == i && turns < 10) {
			assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
			turns++;
		}
		assert_int_equal(calls, i + 1);
		assert_true(loop_now(loop) >= deadline && loop_now(loop) < deadline + 5 * BASE_SECOND);
	}
	turn_with(loop, &source, &timer, BASE_MS);
	assert_int_equal(loop_timer_set(loop, &timer, BASE_NEVER), 0);
	for (uint64_t end = loop_now(loop) + 20 * BASE_MS, turns = 0; loop_now(loop) < end; turns++) {
		assert_int_equal(loop_run_once(loop, end - loop_now(loop)), 0);
		assert_true(turns < 10);
	}
	assert_int_equal(calls, 4);
	close_source(&source);
}

static void on_hangup(void *user) {
	(void)user;
	note('h');
}

static void test_signals(void **state) {
	struct loop *loop = *state;
	sigset_t mask;

	assert_int_equal(loop_watch_signals(loop, on_hangup, NULL), 0);
	raise(SIGPIPE);
	raise(SIGHUP);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	assert_string_equal(history, "h");
	assert_false(loop_stopped(loop));
	raise(SIGTERM);
	assert_int_equal(loop_run(loop), 0);
	assert_true(loop_stopped(loop));
	raise(SIGINT);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	loop_free(loop);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
	*state = NULL;
}

/* Ctrl-C once more, when the loop no longer runs: the clean-up must not end in a signal's death. */
static void test_signal_nobody_reads(void **state) {
	assert_int_equal(loop_watch_signals(*state, NULL, NULL), 0);
	raise(SIGTERM);
	raise(SIGINT);
	raise(SIGHUP);
	loop_free(*state);
	*state = NULL;
}

/* Without a use of its own a hang-up means that the terminal is gone, unless nohup said that it shall not matter. */
static void test_hangup_without_a_use(void **state) {
	struct loop *loop = *state;

	signal(SIGHUP, SIG_DFL); /* the tests themselves may run under nohup */
	assert_int_equal(loop_watch_signals(loop, NULL, NULL), 0);
	raise(SIGHUP);
	assert_int_equal(loop_run(loop), 0);
	assert_true(loop_stopped(loop));
	loop_free(loop);
	signal(SIGHUP, SIG_IGN);
	*state = loop = loop_new();
	assert_int_equal(loop_watch_signals(loop, NULL, NULL), 0);
	raise(SIGHUP);
	assert_int_equal(loop_run_once(loop, BASE_MS), 0);
	assert_false(loop_stopped(loop));
	signal(SIGHUP, SIG_DFL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_hangup_of_a_source),   TEST(test_writable),
	    TEST(test_many_sources),         TEST(test_long_turns_give_way),
	    TEST(test_timer_precision),      TEST(test_sleep_counts),
	    TEST(test_deadline_that_moves),  TEST(test_signal_nobody_reads),
	    TEST(test_hangup_without_a_use), TEST(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
