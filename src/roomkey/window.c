#include "roomkey/window.h"

#include <string.h>

static uint64_t bit_of(uint64_t counter) {
	return UINT64_C(1) << counter % 64;
}

bool roomkey_window_is_new(const struct roomkey_window *window, uint64_t counter) {
	uint64_t word = counter / 64, top = window->highest / 64;

	if (word > top)
		return true;
	if (top - word >= ROOMKEY_WINDOW_WORDS)
		return false;
	return (window->seen[word % ROOMKEY_WINDOW_WORDS] & bit_of(counter)) == 0;
}

void roomkey_window_mark(struct roomkey_window *window, uint64_t counter) {
	uint64_t word = counter / 64, top = window->highest / 64;

	for (uint64_t i = 1; word > top && i <= word - top && i <= ROOMKEY_WINDOW_WORDS; i++)
		window->seen[(top + i) % ROOMKEY_WINDOW_WORDS] = 0;
	window->seen[word % ROOMKEY_WINDOW_WORDS] |= bit_of(counter);
	if (counter > window->highest)
		window->highest = counter;
}

void roomkey_window_close(struct roomkey_window *window, uint64_t highest) {
	memset(window->seen, 0xff, sizeof(window->seen));
	window->seen[highest / 64 % ROOMKEY_WINDOW_WORDS] = UINT64_MAX >> (63 - highest % 64);
	window->highest = highest;
}
