#include "relay/limiter.h"
#include "tests/unit.h"

static unsigned take_all(struct relay_bucket *bucket, const struct relay_rate *rate, uint64_t amount, uint64_t now) {
	unsigned count = 0;

	while (count < 100000 && relay_bucket_take(bucket, rate, amount, now))
		count++;
	return count;
}

static void test_burst_and_refill(void **state) {
	static const struct {
		const char *label;
		struct relay_rate rate;
		uint64_t amount, start, wait;
		unsigned burst, refilled;
	} cases[] = {
	    {"ten a second", {10, 5}, 1, 0, BASE_SECOND / 10, 5, 1},
	    {"just too early", {10, 5}, 1, 0, BASE_SECOND / 10 - 1, 5, 0},
	    {"full again", {10, 5}, 1, 77, 10 * BASE_SECOND, 5, 5},
	    {"burst below one", {10, 0}, 1, 77, 10 * BASE_SECOND, 0, 0},
	    {"fractions of a ns", {300, 600}, 1, 5 * BASE_SECOND, BASE_SECOND, 600, 300},
	    {"bytes", {1000000, 3000}, 1000, 9, BASE_MS, 3, 1},
	    {"bytes, gigabytes", {RELAY_RATE_MAX, RELAY_RATE_MAX}, 1 << 20, 9, 1048576 / 10, 9536, 1},
	    {"late in time", {10, 5}, 1, UINT64_MAX / 2, BASE_SECOND, 5, 5},
	    {"slow with a long memory", {1, RELAY_RATE_MAX / 10}, 1 << 20, 9, BASE_SECOND, 953, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct relay_bucket bucket = {0};

		unit_assert_int(take_all(&bucket, &cases[i].rate, cases[i].amount, cases[i].start), cases[i].burst,
		                cases[i].label);
		unit_assert_int(take_all(&bucket, &cases[i].rate, cases[i].amount, cases[i].start + cases[i].wait),
		                cases[i].refilled, cases[i].label);
	}
}

static void test_zero_is_unlimited(void **state) {
	struct relay_bucket bucket = {0};

	(void)state;
	assert_int_equal(take_all(&bucket, &(struct relay_rate){0, 0}, 1, 0), 100000);
}

static void test_a_refusal_takes_nothing(void **state) {
	struct relay_rate rate = {1000, 1000};
	struct relay_bucket bucket = {0};

	(void)state;
	assert_true(relay_bucket_take(&bucket, &rate, 600, 0));
	assert_false(relay_bucket_take(&bucket, &rate, 600, 0));
	assert_true(relay_bucket_take(&bucket, &rate, 400, 0));
	assert_false(relay_bucket_take(&bucket, &rate, 1, 0));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_burst_and_refill),
	    cmocka_unit_test(test_zero_is_unlimited),
	    cmocka_unit_test(test_a_refusal_takes_nothing),
	};

	return cmocka_run_group_tests_name("relay/limiter", tests, NULL, NULL);
}
