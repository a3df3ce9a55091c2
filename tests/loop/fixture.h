/* tests/loop/fixture.h: each test of a loop gets a new one as its state, and an empty history. */
#ifndef TESTS_LOOP_FIXTURE_H
#define TESTS_LOOP_FIXTURE_H

#include "loop/loop.h"
#include "tests/unit.h"

#include <string.h>

/* Everything that happened, in order, as letters. */
static char history[64];

static inline void note(char what) {
	size_t len = strlen(history);

	assert_true(len + 1 < sizeof(history));
	history[len] = what;
	history[len + 1] = '\0';
}

static inline int set_up(void **state) {
	*state = loop_new();
	history[0] = '\0';
	return *state != NULL ? 0 : -1;
}

static inline int tear_down(void **state) {
	loop_free(*state);
	return 0;
}

#endif
