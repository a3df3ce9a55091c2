#include "base/error.h"
#include "tests/loop/fixture.h"
#include "tests/system.h"

#define SOURCES 60 /* Windows has 62 */

struct test_source {
	struct loop_source source;
	struct loop *loop;
	struct test_source *victim; /* removed when this one is ready */
	struct system_signal signal;
	int calls;
	unsigned events;
	uint64_t now;
};

static void on_ready(void *user, unsigned events, uint64_t now) {
	struct test_source *source = user;

	source->calls++;
	source->events = events;
	source->now = now;
	note('r');
	if (source->victim != NULL)
		loop_remove(source->loop, &source->victim->source);
}

static void open_source(struct test_source *source, struct loop *loop) {
	*source = (struct test_source){.loop = loop};
	system_signal_open(&source->signal);
	source->source.ready = on_ready;
	source->source.user = source;
	assert_int_equal(loop_add(loop, &source->source, source->signal.fd, LOOP_READ), 0);
}

static void close_source(struct test_source *source) {
	loop_remove(source->loop, &source->source);
	loop_remove(source->loop, &source->source);
	system_signal_close(&source->signal);
}

static void test_readiness(void **state) {
	struct loop *loop = *state;
	struct test_source source;
	uint64_t before = loop_now(loop);

	open_source(&source, loop);
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(source.calls, 0);
	system_signal_set(&source.signal);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	assert_int_equal(source.calls, 2);
	assert_int_equal(source.events, LOOP_READ);
	assert_int_equal(source.now, loop_now(loop));
	assert_true(loop_now(loop) > before);

	assert_int_equal(loop_modify(loop, &source.source, 0), 0);
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(source.calls, 2);
	assert_int_equal(loop_modify(loop, &source.source, LOOP_READ), 0);
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(source.calls, 3);
	close_source(&source);
}

static void test_bad_descriptor(void **state) {
	struct loop_source source = {.ready = on_ready};

	assert_int_equal(loop_add(*state, &source, -1, LOOP_READ), BASE_E_IO);
	assert_false(source.registered);
}

/* Both are ready in one turn, and whichever runs first removes the other: the other must not run. */
static void test_remove_in_same_turn(void **state) {
	struct loop *loop = *state;
	struct test_source a, b;

	open_source(&a, loop);
	open_source(&b, loop);
	a.victim = &b;
	b.victim = &a;
	system_signal_set(&a.signal);
	system_signal_set(&b.signal);
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(a.calls + b.calls, 1);
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(a.calls + b.calls, 2);
	assert_true(a.calls == 0 || b.calls == 0);
	close_source(&a);
	close_source(&b);
}

static void on_ready_clear(void *user, unsigned events, uint64_t now) {
	struct test_source *source = user;

	(void)events;
	(void)now;
	source->calls++;
	system_signal_clear(&source->signal);
}

/* All are served, none twice. */
static void test_many_sources(void **state) {
	static struct test_source sources[SOURCES];
	struct loop *loop = *state;

	for (int i = 0; i < SOURCES; i++) {
		open_source(&sources[i], loop);
		sources[i].source.ready = on_ready_clear;
		system_signal_set(&sources[i].signal);
	}
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(loop_run_once(loop, 0), 0);
	for (int i = 0; i < SOURCES; i++) {
		assert_int_equal(sources[i].calls, 1);
		close_source(&sources[i]);
	}
}

struct test_timer {
	struct loop_timer timer;
	struct loop *loop;
	char name;
	int calls;
	bool again; /* re-arms itself for the past */
	struct test_timer *stops;
};

static void on_due(void *user, uint64_t now) {
	struct test_timer *timer = user;

	assert_int_equal(now, loop_now(timer->loop));
	timer->calls++;
	note(timer->name);
	if (timer->again)
		assert_int_equal(loop_timer_set(timer->loop, &timer->timer, 1), 0);
	if (timer->stops != NULL)
		assert_int_equal(loop_timer_set(timer->loop, &timer->stops->timer, BASE_NEVER), 0);
}

static void init_timer(struct test_timer *timer, struct loop *loop, char name) {
	*timer = (struct test_timer){.loop = loop, .name = name};
	loop_timer_init(&timer->timer, on_due, timer);
}

static void on_after(void *user, uint64_t now) {
	assert_int_equal(now, loop_now(user));
	note('.');
}

static void test_timers_in_order(void **state) {
	struct loop *loop = *state;
	uint64_t now = loop_now(loop);
	struct test_timer a, b, c, d;

	init_timer(&a, loop, 'a');
	init_timer(&b, loop, 'b');
	init_timer(&c, loop, 'c');
	init_timer(&d, loop, 'd');
	loop_set_after(loop, on_after, loop);
	assert_int_equal(loop_timer_set(loop, &b.timer, now), 0);
	assert_int_equal(loop_timer_set(loop, &c.timer, now), 0);
	assert_int_equal(loop_timer_set(loop, &a.timer, now - 5), 0);
	assert_int_equal(loop_timer_set(loop, &d.timer, now + BASE_SECOND), 0);
	b.stops = &d;
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	assert_string_equal(history, "abc.");
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_string_equal(history, "abc..");
}

/* A timer armed for the past fires once a turn, and does not hold up those behind it. */
static void test_rearmed_timer_waits_a_turn(void **state) {
	struct loop *loop = *state;
	struct test_timer a, b;

	init_timer(&a, loop, 'a');
	init_timer(&b, loop, 'b');
	a.again = true;
	loop_set_after(loop, on_after, loop);
	assert_int_equal(loop_timer_set(loop, &a.timer, 1), 0);
	assert_int_equal(loop_timer_set(loop, &b.timer, 2), 0);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	assert_string_equal(history, "ab.a.");
	assert_int_equal(loop_timer_set(loop, &a.timer, BASE_NEVER), 0);
}

/* A packet that arms a timer for now gets it served in the same turn, before the after hook. */
static void arm_for_now(void *user, unsigned events, uint64_t now) {
	struct test_timer *timer = user;

	(void)events;
	note('r');
	assert_int_equal(loop_timer_set(timer->loop, &timer->timer, now), 0);
}

static void test_turn_order(void **state) {
	struct loop *loop = *state;
	struct test_source source;
	struct test_timer timer;

	init_timer(&timer, loop, 't');
	open_source(&source, loop);
	source.source.ready = arm_for_now;
	source.source.user = &timer;
	loop_set_after(loop, on_after, loop);
	system_signal_set(&source.signal);
	assert_int_equal(loop_run_once(loop, BASE_NEVER), 0);
	assert_string_equal(history, "rt.");
	close_source(&source);
}

static void stop_loop(void *user, uint64_t now) {
	(void)now;
	note('s');
	loop_stop(user);
}

static void test_run_and_stop(void **state) {
	struct loop *loop = *state;
	struct loop_timer timer;

	loop_timer_init(&timer, stop_loop, loop);
	loop_set_after(loop, on_after, loop);
	assert_int_equal(loop_timer_set(loop, &timer, loop_now(loop) + BASE_MS), 0);
	assert_false(loop_stopped(loop));
	assert_int_equal(loop_run(loop), 0);
	assert_true(loop_stopped(loop));
	assert_string_equal(history + strlen(history) - 2, "s.");
	assert_int_equal(loop_run_once(loop, 0), 0);
}

static void test_wall_clock(void **state) {
	(void)state;
	assert_true(loop_wall_clock() > UINT64_C(1600000000) * BASE_SECOND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_readiness),    TEST(test_bad_descriptor),  TEST(test_remove_in_same_turn),
	    TEST(test_many_sources), TEST(test_timers_in_order), TEST(test_rearmed_timer_waits_a_turn),
	    TEST(test_turn_order),   TEST(test_run_and_stop),    TEST(test_wall_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
