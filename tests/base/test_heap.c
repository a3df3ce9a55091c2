#include "base/heap.h"
#include "base/rng.h"
#include "base/time.h"
#include "tests/unit.h"

#define NODES 500

static void test_order(void **state) {
	static struct base_heap_node nodes[NODES];
	struct base_heap heap;
	struct base_rng rng;
	uint64_t last = 0;
	size_t out = 0;

	(void)state;
	base_rng_init(&rng, 7);
	base_heap_init(&heap);
	for (size_t i = 0; i < NODES; i++) {
		base_heap_node_init(&nodes[i]);
		assert_int_equal(base_heap_set(&heap, &nodes[i], base_rng_below(&rng, 100)), 0);
	}
	for (size_t i = 0; i < NODES; i += 3)
		assert_int_equal(base_heap_set(&heap, &nodes[i], base_rng_below(&rng, 100)), 0);
	for (size_t i = 1; i < NODES; i += 5)
		base_heap_remove(&heap, &nodes[i]);
	while (base_heap_first(&heap) != NULL) {
		struct base_heap_node *node = base_heap_first(&heap);

		assert_true(node->deadline >= last);
		last = node->deadline;
		base_heap_remove(&heap, node);
		assert_true(node->index == BASE_HEAP_OUT);
		out++;
	}
	assert_int_equal(out, NODES - (NODES - 2) / 5 - 1);
	assert_true(base_heap_deadline(&heap) == BASE_NEVER);
	base_heap_done(&heap);
}

static void test_equal_deadlines_in_order(void **state) {
	struct base_heap_node nodes[20];
	struct base_heap heap;

	(void)state;
	base_heap_init(&heap);
	for (size_t i = 0; i < 20; i++) {
		base_heap_node_init(&nodes[i]);
		assert_int_equal(base_heap_set(&heap, &nodes[i], 5), 0);
	}
	for (size_t i = 0; i < 20; i++) {
		assert_ptr_equal(base_heap_first(&heap), &nodes[i]);
		base_heap_remove(&heap, &nodes[i]);
	}
	base_heap_done(&heap);
}

static void test_never_removes(void **state) {
	struct base_heap_node node;
	struct base_heap heap;

	(void)state;
	base_heap_init(&heap);
	base_heap_node_init(&node);
	base_heap_remove(&heap, &node);
	assert_int_equal(base_heap_set(&heap, &node, 1), 0);
	assert_int_equal(base_heap_set(&heap, &node, BASE_NEVER), 0);
	assert_null(base_heap_first(&heap));
	base_heap_done(&heap);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_equal_deadlines_in_order),
	    cmocka_unit_test(test_never_removes),
	};

	return cmocka_run_group_tests_name("base/heap", tests, NULL, NULL);
}
