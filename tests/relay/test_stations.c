#include "relay/limits.h"
#include "relay/stations.h"
#include "tests/unit.h"

static const uint64_t seed[2] = {3, 4};

static struct proto_mac mac_of(unsigned n) {
	return (struct proto_mac){{2, 1, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

static void test_learn_and_age(void **state) {
	struct relay_stations *stations = relay_stations_new(seed);
	uint64_t now = 5 * BASE_SECOND;

	(void)state;
	assert_non_null(stations);
	assert_false(relay_stations_known(stations, mac_of(1), now));
	relay_stations_learn(stations, mac_of(1), now);
	relay_stations_learn(stations, mac_of(1), now);
	assert_true(relay_stations_known(stations, mac_of(1), now + RELAY_STATION_AGE_NS - 1));
	assert_false(relay_stations_known(stations, mac_of(1), now + RELAY_STATION_AGE_NS));
	assert_int_equal(relay_stations_count(stations, now), 1);
	relay_stations_learn(stations, mac_of(1), now + RELAY_STATION_AGE_NS);
	assert_true(relay_stations_known(stations, mac_of(1), now + RELAY_STATION_AGE_NS));
	relay_stations_clear(stations);
	assert_false(relay_stations_known(stations, mac_of(1), now + RELAY_STATION_AGE_NS));
	/* An empty place is not the zero address. */
	assert_false(relay_stations_known(stations, (struct proto_mac){{0}}, 0));
	relay_stations_free(stations);
}

/* A few hundred hosts fit whatever their addresses; a flood pushes out the ones silent longest, not the one that talks.
 */
static void test_capacity_and_flood(void **state) {
	struct relay_stations *stations = relay_stations_new(seed);
	uint64_t now = BASE_SECOND;
	unsigned known = 0;

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		relay_stations_learn(stations, mac_of(i), now);
	for (unsigned i = 0; i < 300; i++)
		known += relay_stations_known(stations, mac_of(i), now);
	assert_true(known >= 299);
	for (unsigned i = 0; i < 100000; i++) {
		relay_stations_learn(stations, mac_of(1000 + i), ++now);
		if (i % 100 == 0)
			relay_stations_learn(stations, mac_of(7), ++now);
	}
	assert_true(relay_stations_known(stations, mac_of(7), now));
	assert_int_equal(relay_stations_count(stations, now), RELAY_STATIONS_MAX);
	relay_stations_free(stations);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_learn_and_age),
	    cmocka_unit_test(test_capacity_and_flood),
	};

	return cmocka_run_group_tests_name("relay/stations", tests, NULL, NULL);
}
