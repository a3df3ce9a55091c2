#include "client-core/backoff.h"

void client_backoff_init(struct client_backoff *backoff, uint64_t seed) {
	base_rng_init(&backoff->rng, seed);
	backoff->tries = 0;
}

void client_backoff_reset(struct client_backoff *backoff) {
	backoff->tries = 0;
}

static uint64_t between(struct client_backoff *backoff, uint64_t min, uint64_t max) {
	return min + base_rng_below(&backoff->rng, max - min + 1);
}

uint64_t client_backoff_next(struct client_backoff *backoff) {
	uint64_t window;

	if (backoff->tries == 0) {
		backoff->tries = 1;
		return between(backoff, CLIENT_BACKOFF_FAST_MIN_NS, CLIENT_BACKOFF_FAST_MAX_NS);
	}
	window = CLIENT_BACKOFF_MIN_NS << backoff->tries;
	if (window >= CLIENT_BACKOFF_MAX_NS)
		window = CLIENT_BACKOFF_MAX_NS;
	else
		backoff->tries++;
	return between(backoff, window / 2, window);
}
