#include "base/error.h"
#include "base/list.h"
#include "base/map.h"
#include "tests/unit.h"

#include <string.h>

#define ITEMS 1000

struct item {
	struct base_map_node node;
	uint8_t key[4];
};

static const uint64_t seed[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void fill(struct item *items, struct base_map *map) {
	for (size_t i = 0; i < ITEMS; i++) {
		memcpy(items[i].key, (uint8_t[]){(uint8_t)i, (uint8_t)(i >> 8), 1, 2}, 4);
		assert_int_equal(base_map_insert(map, &items[i].node, slice_of(items[i].key, 4)), 0);
	}
}

static void test_insert_find_remove(void **state) {
	static struct item items[ITEMS];
	struct base_map map;
	size_t seen = 0;
	struct item extra;

	(void)state;
	assert_int_equal(base_map_init(&map, seed), 0);
	fill(items, &map);
	memcpy(extra.key, items[3].key, 4);
	assert_int_equal(base_map_insert(&map, &extra.node, slice_of(extra.key, 4)), BASE_E_EXISTS);
	for (struct base_map_node *node = base_map_next(&map, NULL); node != NULL; node = base_map_next(&map, node))
		seen++;
	assert_int_equal(seen, ITEMS);
	for (size_t i = 0; i < ITEMS; i += 2)
		base_map_remove(&map, &items[i].node);
	for (size_t i = 0; i < ITEMS; i++) {
		struct base_map_node *node = base_map_find(&map, slice_of(items[i].key, 4));

		assert_ptr_equal(node, i % 2 == 0 ? NULL : &items[i].node);
	}
	assert_int_equal(map.len, ITEMS / 2);
	base_map_done(&map);
}

/* SipHash-1-3 of the empty input and of 00 01 02 ... under the key 00..0f; computed with the reference algorithm's
 * definition written out in Python, independent of map.c. */
static void test_siphash_vectors(void **state) {
	uint8_t input[16];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	assert_true(base_siphash13(seed, slice_of(input, 0)) == UINT64_C(0xabac0158050fc4dc));
	assert_true(base_siphash13(seed, slice_of(input, 7)) == UINT64_C(0xd3927d989bb11140));
	assert_true(base_siphash13(seed, slice_of(input, 16)) == UINT64_C(0xcc4fdd1a7d908b66));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_insert_find_remove),
		cmocka_unit_test(test_siphash_vectors),
	};

	return cmocka_run_group_tests_name("base/map", tests, NULL, NULL);
}
