#include "relay/report.h"

#include "tests/unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const texts[] = {
    "{\"shard\":0,\"joined\":2,\"policy\":true,\"totals\":{\"left\":{\"quit\":1},\"joined\":3},\"rx\":{\"a\":1,"
    "\"drops\":{}},"
    "\"rooms\":[{\"room\":\"A\",\"shard\":0}]}",
    "{\"shard\":1,\"joined\":0,\"policy\":true,\"totals\":{\"left\":{},\"joined\":0},\"rx\":{\"b\":5,\"drops\":{\"x\":"
    "7}},"
    "\"rooms\":[]}",
    "{\"shard\":2,\"joined\":40,\"policy\":true,\"totals\":{\"left\":{\"quit\":4},\"joined\":44},\"rx\":{\"a\":2,"
    "\"drops\":{"
    "\"x\":1}},\"rooms\":[{\"room\":\"B\",\"shard\":2},{\"room\":\"C\",\"shard\":2}]}",
};

static const char whole[] =
    "{\"joined\":42,\"policy\":true,\"totals\":{\"left\":{\"quit\":5},\"joined\":47},\"rx\":{\"a\":3,\"b\":5,\"drops\":"
    "{\"x\":8}},"
    "\"shards\":["
    "{\"shard\":0,\"joined\":2,\"policy\":true,\"totals\":{\"left\":{\"quit\":1},\"joined\":3},\"rx\":{\"a\":1,"
    "\"drops\":{}}},"
    "{\"shard\":1,\"joined\":0,\"policy\":true,\"totals\":{\"left\":{},\"joined\":0},\"rx\":{\"b\":5,\"drops\":{\"x\":"
    "7}}},"
    "{\"shard\":2,\"joined\":40,\"policy\":true,\"totals\":{\"left\":{\"quit\":4},\"joined\":44},\"rx\":{\"a\":2,"
    "\"drops\":{\"x\":1}}}],"
    "\"rooms\":[{\"room\":\"A\",\"shard\":0},{\"room\":\"B\",\"shard\":2},{\"room\":\"C\",\"shard\":2}]}";

/* Sums, and the parts beside them unchanged: no number may be shared by both. */
static void test_sums_and_parts(void **state) {
	json_t *parts[3], *got, *expected = json_loads(whole, 0, NULL);
	char *text;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_non_null(parts[i] = json_loads(texts[i], 0, NULL));
	text = relay_report(parts, 3);
	got = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!json_equal(got, expected))
		fail_msg("%s\nis not\n%s", text, whole);
	json_decref(got);
	json_decref(expected);
	free(text);
}

static unsigned allocations_left;

static void *failing_malloc(size_t len) {
	return allocations_left-- == 0 ? NULL : malloc(len);
}

/* Any one allocation fails: something is missing, and nothing is written to what is gone. */
static void test_memory_is_short(void **state) {
	unsigned failing = 0;

	(void)state;
	do {
		json_t *parts[3];

		for (size_t i = 0; i < 3; i++)
			assert_non_null(parts[i] = json_loads(texts[i], 0, NULL));
		allocations_left = failing;
		json_set_alloc_funcs(failing_malloc, free);
		free(relay_report(parts, 3));
		json_set_alloc_funcs(malloc, free);
	} while (allocations_left > failing++ && failing < 10000);
	assert_in_range(failing, 10, 9999);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sums_and_parts),
	    cmocka_unit_test(test_memory_is_short),
	};

	return cmocka_run_group_tests_name("relay/report", tests, NULL, NULL);
}
