#include "client-core/backoff.h"
#include "tests/unit.h"

/* Bounds of the n-th wait after a reset, in ms. */
static const struct {
	uint64_t min_ms, max_ms;
} waits[] = {{200, 500}, {500, 1000}, {1000, 2000}, {2000, 4000}, {4000, 8000}, {7500, 15000}, {7500, 15000}};
#define WAITS (sizeof(waits) / sizeof(waits[0]))

static void test_bounds(void **state) {
	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct client_backoff backoff;

		client_backoff_init(&backoff, seed);
		for (size_t round = 0; round < 2; round++) {
			for (size_t i = 0; i < WAITS; i++) {
				uint64_t wait = client_backoff_next(&backoff);

				assert_in_range(wait, waits[i].min_ms * BASE_MS, waits[i].max_ms * BASE_MS);
			}
			for (size_t i = 0; i < 100; i++)
				assert_in_range(client_backoff_next(&backoff), CLIENT_BACKOFF_MIN_NS, CLIENT_BACKOFF_MAX_NS);
			client_backoff_reset(&backoff);
		}
	}
}

/* Peers with other seeds must not come back together, the same seed must repeat itself. */
static void test_jitter_comes_from_the_seed(void **state) {
	struct client_backoff a, b, c;
	size_t different = 0;

	(void)state;
	client_backoff_init(&a, 1);
	client_backoff_init(&b, 1);
	client_backoff_init(&c, 2);
	for (size_t i = 0; i < 10; i++) {
		uint64_t wait = client_backoff_next(&a);

		assert_true(wait == client_backoff_next(&b));
		different += wait != client_backoff_next(&c);
	}
	assert_true(different >= 9);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_jitter_comes_from_the_seed),
	};

	return cmocka_run_group_tests_name("client-core/backoff", tests, NULL, NULL);
}
