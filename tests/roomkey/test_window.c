/* The replay window against a list of everything that was let through. */
#include "roomkey/window.h"

#include "tests/unit.h"

#include <string.h>

static void test_in_order_and_twice(void **state) {
	static struct roomkey_window window;

	(void)state;
	for (uint64_t counter = 0; counter < 3 * ROOMKEY_WINDOW; counter++) {
		assert_true(roomkey_window_is_new(&window, counter));
		roomkey_window_mark(&window, counter);
		assert_false(roomkey_window_is_new(&window, counter));
	}
}

static void test_edges(void **state) {
	static const uint64_t starts[] = {0, 1, 63, 64, 127, ROOMKEY_WINDOW, 1000003, (UINT64_C(1) << 48) - 1};

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct roomkey_window window = {.highest = 0};
		uint64_t top = starts[i];

		roomkey_window_mark(&window, top);
		for (uint64_t behind = 1; behind <= ROOMKEY_WINDOW && behind <= top; behind++)
			assert_true(roomkey_window_is_new(&window, top - behind));
		/* Their word is that of `top` by now, which shows one of them only as seen. */
		for (uint64_t bit = 0; bit < 64 && top >= 64 * ROOMKEY_WINDOW_WORDS; bit++)
			assert_false(roomkey_window_is_new(&window, (top / 64 - ROOMKEY_WINDOW_WORDS) * 64 + bit));
		assert_true(roomkey_window_is_new(&window, top + 1));
		assert_true(roomkey_window_is_new(&window, top + 64 * ROOMKEY_WINDOW_WORDS));
	}
}

/* A jump over more than the ring, and over exactly the ring, must leave nothing of before. */
static void test_jumps(void **state) {
	static const uint64_t jumps[] = {1,
	                                 63,
	                                 64,
	                                 65,
	                                 64 * (ROOMKEY_WINDOW_WORDS - 1),
	                                 64 * ROOMKEY_WINDOW_WORDS,
	                                 64 * (ROOMKEY_WINDOW_WORDS + 1),
	                                 UINT64_C(1) << 40};

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		struct roomkey_window window;
		uint64_t top = 5000;

		memset(&window, 0xff, sizeof(window)); /* all seen */
		window.highest = top;
		roomkey_window_mark(&window, top + jumps[i]);
		for (uint64_t counter = (top / 64 + 1) * 64; counter < top + jumps[i]; counter++) {
			if (top + jumps[i] - counter <= ROOMKEY_WINDOW)
				assert_true(roomkey_window_is_new(&window, counter));
			else
				counter = top + jumps[i] - ROOMKEY_WINDOW - 1;
		}
		assert_false(roomkey_window_is_new(&window, top + jumps[i]));
		assert_false(roomkey_window_is_new(&window, top));
	}
}

static void test_closed(void **state) {
	static const uint64_t tops[] = {0, 1, 62, 63, 64, 5000, 64 * ROOMKEY_WINDOW_WORDS, 1000003};

	(void)state;
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		struct roomkey_window window = {.highest = 0};

		roomkey_window_close(&window, tops[i]);
		for (uint64_t counter = tops[i] > 200 ? tops[i] - 200 : 0; counter <= tops[i]; counter++)
			assert_false(roomkey_window_is_new(&window, counter));
		for (uint64_t counter = tops[i] + 1; counter < tops[i] + 300; counter++) {
			assert_true(roomkey_window_is_new(&window, counter));
			roomkey_window_mark(&window, counter);
			assert_false(roomkey_window_is_new(&window, counter));
		}
	}
}

#define COUNTERS (4 * ROOMKEY_WINDOW)

static void test_any_order(void **state) {
	static bool passed[COUNTERS];
	static struct roomkey_window window;
	uint64_t random = 12345, highest = 0, refused = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		uint64_t base = (uint64_t)i * COUNTERS / 200000;
		uint64_t counter = (random >> 33) % 3000 + (base > 3000 ? base - 3000 : 0);
		bool is_new = roomkey_window_is_new(&window, counter);

		assert_int_equal(is_new, !passed[counter]); /* all within the window here */
		refused += !is_new;
		if (is_new)
			roomkey_window_mark(&window, counter);
		passed[counter] = true;
		highest = counter > highest ? counter : highest;
		assert_true(window.highest == highest);
	}
	assert_true(refused > 1000);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_order_and_twice),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_jumps),
	    cmocka_unit_test(test_closed),
	    cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests_name("roomkey/window", tests, NULL, NULL);
}
