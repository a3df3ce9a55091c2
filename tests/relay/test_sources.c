#include "relay/sources.h"
#include "tests/unit.h"

#include "base/time.h"

#include <pthread.h>
#include <string.h>

static const uint64_t seed[2] = {3, 4};
static const struct relay_rate one_a_second = {.per_second = 1, .burst = 3};

static struct base_addr addr_of(const char *text) {
	struct base_addr addr;

	if (base_addr_parse_ip(text, strlen(text), &addr) != 0)
		fail_msg("%s is no address", text);
	addr.port = 4433;
	return addr;
}

/* The first address uses up its rate; what the second one then gets tells whether they count as one. */
static void test_what_counts_as_one(void **state) {
	static const struct {
		const char *first, *second;
		bool one;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"192.0.2.1", "198.51.100.1", false},
	    {"2001:db8:1:ff00::1", "2001:db8:1:ff00::1", true},
	    {"2001:db8:1:ff00::1", "2001:db8:1:ffff:1:2:3:4", true}, /* a /56 */
	    {"2001:db8:1:ff00::1", "2001:db8:1:fe00::1", false},
	    {"c000:201::", "192.0.2.1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct relay_sources *sources = relay_sources_new(seed);
		struct base_addr first = addr_of(cases[i].first), second = addr_of(cases[i].second);

		for (int n = 0; n < 3; n++)
			unit_assert_true(relay_sources_take(sources, &first, &one_a_second, 1, BASE_SECOND), cases[i].first);
		unit_assert_true(!relay_sources_take(sources, &first, &one_a_second, 1, BASE_SECOND), cases[i].first);
		second.port = 9;
		unit_assert_int(!relay_sources_take(sources, &second, &one_a_second, 1, BASE_SECOND), cases[i].one,
		                cases[i].second);
		unit_assert_true(relay_sources_take(sources, &first, &one_a_second, 1, 5 * BASE_SECOND), cases[i].first);
		relay_sources_free(sources);
	}
}

#define BURST 20000

static void *take_all(void *user) {
	const struct relay_rate slow = {.per_second = 1, .burst = BURST};
	struct base_addr addr = addr_of("192.0.2.1");
	uintptr_t taken = 0;

	for (int n = 0; n < BURST; n++)
		taken += relay_sources_take(user, &addr, &slow, 1, BASE_SECOND);
	return (void *)taken;
}

/* Shards in threads of their own give out as much together as one would. */
static void test_threads(void **state) {
	struct relay_sources *sources = relay_sources_new(seed);
	pthread_t threads[2];
	uintptr_t sum = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_all, sources), 0);
	for (size_t i = 0; i < 2; i++) {
		void *taken;

		assert_int_equal(pthread_join(threads[i], &taken), 0);
		sum += (uintptr_t)taken;
	}
	assert_int_equal(sum, BURST);
	relay_sources_free(sources);
	relay_sources_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_counts_as_one),
	    cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("relay/sources", tests, NULL, NULL);
}
