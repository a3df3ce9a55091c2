/* base/rng.h: xoshiro256++, a fast seeded generator for jitter, tests and the simulator. Never for secrets: those come
 * from quic_random(). */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct base_rng {
	uint64_t state[4];
};

void base_rng_init(struct base_rng *rng, uint64_t seed);
uint64_t base_rng_next(struct base_rng *rng);
/* Uniform in [0, bound); 0 for bound 0. */
uint64_t base_rng_below(struct base_rng *rng, uint64_t bound);

#endif
