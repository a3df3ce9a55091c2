#include "base/rng.h"

/* SplitMix64 spreads the seed over the state, as the authors of xoshiro advise. */
static uint64_t split_mix(uint64_t *state) {
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void base_rng_init(struct base_rng *rng, uint64_t seed) {
	for (int i = 0; i < 4; i++)
		rng->state[i] = split_mix(&seed);
}

static uint64_t rotate_left(uint64_t x, int bits) {
	return (x << bits) | (x >> (64 - bits));
}

uint64_t base_rng_next(struct base_rng *rng) {
	uint64_t *s = rng->state;
	uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

uint64_t base_rng_below(struct base_rng *rng, uint64_t bound) {
	uint64_t value;
	uint64_t limit;

	if (bound == 0)
		return 0;
	/* Values above the largest multiple of bound would favour small results. */
	limit = UINT64_MAX - UINT64_MAX % bound;
	do {
		value = base_rng_next(rng);
	} while (value >= limit);
	return value % bound;
}
