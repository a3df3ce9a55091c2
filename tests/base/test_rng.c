#include "base/rng.h"
#include "tests/unit.h"

#define BOUND 10

/* The numbers of the authors' own programs (prng.di.unimi.it: splitmix64.c, xoshiro256plusplus.c). */
static void test_vectors(void **state) {
	static const uint64_t seeded[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
	                                  UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
	static const uint64_t drawn[] = {41943041,
	                                 58720359,
	                                 UINT64_C(3588806011781223),
	                                 UINT64_C(3591011842654386),
	                                 UINT64_C(9228616714210784205),
	                                 UINT64_C(9973669472204895162),
	                                 UINT64_C(14011001112246962877),
	                                 UINT64_C(12406186145184390807)};
	struct base_rng rng;

	(void)state;
	base_rng_init(&rng, 1234567);
	for (size_t i = 0; i < 4; i++)
		assert_true(rng.state[i] == seeded[i]);
	rng = (struct base_rng){.state = {1, 2, 3, 4}};
	for (size_t i = 0; i < sizeof(drawn) / sizeof(drawn[0]); i++)
		assert_true(base_rng_next(&rng) == drawn[i]);
}

/* Every value comes, about as often as any other; none is as large as the bound. */
static void test_below(void **state) {
	size_t seen[BOUND] = {0};
	struct base_rng rng;

	(void)state;
	base_rng_init(&rng, 1);
	for (size_t i = 0; i < 1000 * BOUND; i++) {
		uint64_t value = base_rng_below(&rng, BOUND);

		assert_true(value < BOUND);
		seen[value]++;
	}
	for (size_t i = 0; i < BOUND; i++)
		assert_in_range(seen[i], 850, 1150);
	assert_int_equal(base_rng_below(&rng, 0), 0);
	assert_int_equal(base_rng_below(&rng, 1), 0);
}

/* With a bound of three quarters of all numbers, a plain remainder would give the lowest third twice as often. */
static void test_large_bound_has_no_bias(void **state) {
	const uint64_t bound = (UINT64_C(1) << 63) + (UINT64_C(1) << 62);
	size_t small = 0;
	struct base_rng rng;

	(void)state;
	base_rng_init(&rng, 1);
	for (size_t i = 0; i < 3000; i++)
		small += base_rng_below(&rng, bound) < bound / 3;
	assert_in_range(small, 850, 1150);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_below),
	    cmocka_unit_test(test_large_bound_has_no_bias),
	};

	return cmocka_run_group_tests_name("base/rng", tests, NULL, NULL);
}
