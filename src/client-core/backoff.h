/* client-core/backoff.h: how long to wait before the next try. Pure and seeded.
 *
 * The first wait after a reset is short (0.2 to 0.5 s): most losses are a relay that restarts or a network that blinks.
 * After it the n-th wait is drawn evenly from the upper half of min(15 s, 0.5 s * 2^n), so from 0.5 s to 15 s; the draw
 * keeps the peers of a restarted relay from coming back all at once. */
#ifndef CLIENT_CORE_BACKOFF_H
#define CLIENT_CORE_BACKOFF_H

#include "base/rng.h"
#include "base/time.h"

#define CLIENT_BACKOFF_FAST_MIN_NS (200 * BASE_MS)
#define CLIENT_BACKOFF_FAST_MAX_NS (500 * BASE_MS)
#define CLIENT_BACKOFF_MIN_NS (500 * BASE_MS)
#define CLIENT_BACKOFF_MAX_NS (15 * BASE_SECOND)

struct client_backoff {
	struct base_rng rng;
	unsigned tries; /* since the last reset; stops counting when the window is at its maximum */
};

void client_backoff_init(struct client_backoff *backoff, uint64_t seed);
void client_backoff_reset(struct client_backoff *backoff);
/* The next wait in ns. */
uint64_t client_backoff_next(struct client_backoff *backoff);

#endif
