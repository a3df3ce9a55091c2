/* tests/sim/scenario.h: a scenario is a function of a party and a seed, and one cmocka test that runs it with several.
 * LANPARTY_SIM_SEED=n runs it with that one; the first argument of the program names the only test to run;
 * LANPARTY_SIM_LOG=1 prints what relay, clients and gateways log. */
#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "party.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void sim_each_seed(const char *name, void (*run)(const char *name, uint64_t seed), uint64_t seeds) {
	const char *text = getenv("LANPARTY_SIM_SEED");

	if (text != NULL)
		run(name, strtoull(text, NULL, 0));
	else
		for (uint64_t seed = 1; seed <= seeds; seed++)
			run(name, seed);
}

#define SIM_TEST(name, seeds)                      \
	static void name(void **state) {               \
		(void)state;                               \
		sim_each_seed(#name, run_##name, (seeds)); \
	}

#define SIM_MAIN(tests)                                     \
	int main(int argc, char **argv) {                       \
		int failed;                                         \
		if (quic_global_init() != 0)                        \
			return 1;                                       \
		if (argc > 1)                                       \
			cmocka_set_test_filter(argv[1]);                \
		failed = cmocka_run_group_tests(tests, NULL, NULL); \
		quic_global_done();                                 \
		return failed;                                      \
	}

#endif
