#include "obs/counters.h"

#include "tests/unit.h"

#include <stdbool.h>
#include <string.h>

static bool is_name(const char *name) {
	return name[0] != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

/* Every name finds its own value: none is missing, none stands twice. */
static void test_names(void **state) {
	(void)state;
	for (int i = 0; i < OBS_COUNTER_COUNT; i++) {
		const char *name = obs_counter_name((enum obs_counter)i);

		unit_assert_true(is_name(name), name);
		unit_assert_int(obs_counter_find(name), i, name);
	}
	for (int i = 0; i < OBS_DROP_COUNT; i++) {
		const char *name = obs_drop_name((enum obs_drop)i);

		unit_assert_true(is_name(name), name);
		unit_assert_int(obs_drop_find(name), i, name);
	}
	assert_string_equal(obs_counter_name(OBS_BROADCASTS_TO_LAN), "broadcasts_to_lan");
	assert_string_equal(obs_drop_name(OBS_DROP_DATAGRAM_BUDGET), "datagram_budget");
	assert_int_equal(obs_counter_find(""), -1);
	assert_int_equal(obs_counter_find("arp"), -1);
	assert_int_equal(obs_drop_find("ar"), -1);
	assert_int_equal(obs_drop_find("arp "), -1);
}

static void test_total(void **state) {
	struct obs_counters counters;
	uint64_t expected = 0;

	(void)state;
	memset(&counters, 0, sizeof(counters));
	counters.value[OBS_DEVICE_RX_FRAMES] = 1000;
	assert_int_equal(obs_drops_total(&counters), 0);
	for (uint64_t i = 0; i < OBS_DROP_COUNT; i++) {
		counters.drop[i] = i + 1;
		expected += i + 1;
	}
	assert_int_equal(obs_drops_total(&counters), expected);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_total),
	};

	return cmocka_run_group_tests_name("obs/counters", tests, NULL, NULL);
}
