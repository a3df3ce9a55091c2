/* When the alarm of a loop is set again: never too late, and seldom. */
#include "loop/alarm.h"
#include "tests/unit.h"

/* How often the alarm is set when `deadlines` follow each other at equal distances, again and again, for a second. */
static unsigned count_settings(const uint64_t *deadlines, unsigned count, uint64_t distance) {
	struct loop_alarm alarm = {.at = BASE_NEVER};
	unsigned settings = 0, turn = 0;

	for (uint64_t now = BASE_SECOND; now < 2 * BASE_SECOND; now += distance) {
		uint64_t deadline = now + deadlines[turn++ % count], at;

		assert_true(alarm.at > now);
		if (!loop_alarm_moves(&alarm, now, deadline, &at))
			at = alarm.at;
		else
			alarm = (struct loop_alarm){.at = at, .set_at = now}, settings++;
		assert_true(at > now && at <= deadline);
	}
	return settings;
}

/* It is never late, does not ring between a game's packets, and is set once for one of them and its answer. */
static void test_alarm(void **state) {
	static const uint64_t game[] = {26 * BASE_MS, 20 * BASE_MS}, one[] = {BASE_SECOND};
	struct loop_alarm alarm = {.at = BASE_NEVER};
	uint64_t at = 0;

	(void)state;
	assert_in_range(count_settings(game, 2, 8 * BASE_MS), 62, 65);
	assert_in_range(count_settings(game, 2, BASE_MS), 90, 101);
	assert_int_equal(count_settings(one, 1, BASE_MS), 2);
	/* What is due soon rings soon, and is put off as far as it goes only when it was not to ring soon before. */
	assert_true(loop_alarm_moves(&alarm, 5 * BASE_MS, 7 * BASE_MS, &at) && at == 7 * BASE_MS);
	alarm = (struct loop_alarm){.at = 7 * BASE_MS, .set_at = 5 * BASE_MS};
	assert_true(loop_alarm_moves(&alarm, 5 * BASE_MS, 6 * BASE_MS, &at) && at == 6 * BASE_MS);
	assert_false(loop_alarm_moves(&alarm, 5 * BASE_MS, 90 * BASE_MS, &at));
	assert_true(loop_alarm_moves(&alarm, 6 * BASE_MS, 90 * BASE_MS, &at) && at == 14 * BASE_MS);
	/* Nor is one that was to ring very soon put off again and again. */
	alarm = (struct loop_alarm){.at = 6 * BASE_MS, .set_at = 5 * BASE_MS};
	assert_false(loop_alarm_moves(&alarm, 6 * BASE_MS - BASE_US, 90 * BASE_MS, &at));
	assert_true(loop_alarm_moves(&alarm, 6 * BASE_MS, 90 * BASE_MS, &at) && at == 14 * BASE_MS);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
