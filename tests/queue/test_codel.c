#include "queue/codel.h"

#include "tests/unit.h"

#define TARGET QUEUE_CODEL_TARGET_NS
#define INTERVAL QUEUE_CODEL_INTERVAL_NS
#define SLOW (TARGET + BASE_MS)

/* One frame a millisecond, each having waited `wait`. Returns the drops. */
static unsigned run(struct queue_codel *codel, uint64_t *now, uint64_t milliseconds, uint64_t wait) {
	unsigned drops = 0;

	for (uint64_t i = 0; i < milliseconds; i++) {
		while (queue_codel_drops(codel, wait, false, TARGET, *now))
			drops++;
		*now += BASE_MS;
	}
	return drops;
}

static void test_short_waits_drop_nothing(void **state) {
	struct queue_codel codel = {0};
	uint64_t now = 0;

	(void)state;
	assert_int_equal(run(&codel, &now, 10000, TARGET - 1), 0);
}

/* A burst that is gone within an interval is no standing queue, however often it comes. */
static void test_bursts_drop_nothing(void **state) {
	struct queue_codel codel = {0};
	uint64_t now = 0;

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(run(&codel, &now, 99, SLOW), 0);
		assert_int_equal(run(&codel, &now, 1, 0), 0);
	}
}

/* The first drop after an interval, the next ones closer and closer: 100/sqrt(n) ms apart. */
static void test_standing_queue(void **state) {
	static const unsigned at_ms[] = {100, 200, 271, 329, 379, 424, 465, 502, 538, 571};
	struct queue_codel codel = {0};
	uint64_t now = 0;
	unsigned seen = 0;

	(void)state;
	for (unsigned ms = 0; ms < 571; ms++) {
		unsigned drops = run(&codel, &now, 1, SLOW);

		if (drops > 0)
			unit_assert_int(ms, at_ms[seen++], "time of a drop");
		unit_assert_true(drops <= 1, "one at a time");
	}
	assert_int_equal(seen, 9);
}

static void test_ends_at_once(void **state) {
	struct queue_codel codel = {0};
	uint64_t now = 0;

	(void)state;
	assert_true(run(&codel, &now, 600, SLOW) > 5);
	assert_int_equal(run(&codel, &now, 1, 0), 0);
	assert_int_equal(run(&codel, &now, 100, SLOW), 0);
	/* It comes back where it was, not at its beginning: the second drop is not an interval away. */
	assert_int_equal(run(&codel, &now, 50, SLOW), 2);
}

/* What counts is the last spell of dropping, not all before it: after a short one it begins anew. */
static void test_remembers_one_spell(void **state) {
	struct queue_codel codel = {0};
	uint64_t now = 0;

	(void)state;
	assert_true(run(&codel, &now, 600, SLOW) > 5);
	run(&codel, &now, 1, 0);
	assert_int_equal(run(&codel, &now, 110, SLOW), 1);
	run(&codel, &now, 1, 0);
	assert_int_equal(run(&codel, &now, 150, SLOW), 1);
}

static void test_forgets(void **state) {
	struct queue_codel codel = {0};
	uint64_t now = 0;

	(void)state;
	run(&codel, &now, 600, SLOW);
	run(&codel, &now, 2000, 0);
	assert_int_equal(run(&codel, &now, 100, SLOW), 0);
	assert_int_equal(run(&codel, &now, 50, SLOW), 1);
}

/* The last frame of a flow is never dropped: nothing waits behind it. */
static void test_alone(void **state) {
	struct queue_codel codel = {0};

	(void)state;
	for (uint64_t now = 0; now < BASE_SECOND; now += BASE_MS)
		assert_false(queue_codel_drops(&codel, SLOW, true, TARGET, now));
}

/* Nobody asked for a long time: what is due is dropped at once, and it ends. */
static void test_long_pause(void **state) {
	struct queue_codel codel = {0};
	uint64_t now = 0;

	(void)state;
	run(&codel, &now, 150, SLOW);
	now += BASE_SECOND;
	assert_in_range(run(&codel, &now, 1, SLOW), 10, 40);
	assert_int_equal(run(&codel, &now, 1, SLOW), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_short_waits_drop_nothing),
	    cmocka_unit_test(test_bursts_drop_nothing),
	    cmocka_unit_test(test_standing_queue),
	    cmocka_unit_test(test_ends_at_once),
	    cmocka_unit_test(test_remembers_one_spell),
	    cmocka_unit_test(test_forgets),
	    cmocka_unit_test(test_alone),
	    cmocka_unit_test(test_long_pause),
	};

	return cmocka_run_group_tests_name("queue/codel", tests, NULL, NULL);
}
