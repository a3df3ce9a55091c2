/* Where routes cannot be changed, each call says so and names no half result (RTE-6). */
#include "base/error.h"
#include "client-route/apply.h"
#include "tests/unit.h"

#include <string.h>

static void test_each_call_says_so(void **state) {
	const struct route_system *system = route_system_native();
	const struct base_addr relay = {.family = BASE_FAMILY_V4, .ip = {203, 0, 113, 5}};
	const struct route_entry entry = {.dest = relay, .prefix = 32};
	struct route_settings settings = {.present = false};
	char errors[9][ROUTE_ERROR_BYTES] = {""};
	struct route_unicast *unicast = NULL;
	struct route_entry *table = NULL, best;
	struct base_addr source;
	uint64_t luid;
	uint32_t index;
	size_t count;
	(void)state;
	const int results[] = {
	    system->best(system->user, &relay, &best, &source, errors[0]),
	    system->table(system->user, BASE_FAMILY_V4, &table, &count, errors[1]),
	    system->add(system->user, &entry, errors[2]),
	    system->remove(system->user, &entry, errors[3]),
	    system->get_settings(system->user, 1, BASE_FAMILY_V4, &settings, errors[4]),
	    system->set_settings(system->user, 1, BASE_FAMILY_V4, &settings, errors[5]),
	    system->unicast(system->user, &unicast, &count, errors[6]),
	    system->find_interface(system->user, "{00000000-0000-0000-0000-000000000000}", &luid, &index, errors[7]),
	    system->take_out(system->user, &entry, errors[8]),
	};
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		assert_int_equal(results[i], BASE_E_UNSUPPORTED);
		assert_non_null(strstr(errors[i], "not supported"));
	}
	assert_null(table);
	assert_null(unicast);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_call_says_so)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
