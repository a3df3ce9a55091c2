/* relay/limiter.h: token buckets of eight bytes each (the generic cell rate algorithm, ITU-T I.371 annex A: the state
 * is the time at which the bucket would be full again). Pure. */
#ifndef RELAY_LIMITER_H
#define RELAY_LIMITER_H

#include "relay/limits.h"

#include <stdbool.h>

struct relay_bucket {
	uint64_t full_at; /* 0 at first: a full bucket */
};

/* Takes `amount` tokens if they are there; takes nothing otherwise. Always true for an unlimited rate. The rate may
 * change between calls. `amount` is at most 1 << 20. */
bool relay_bucket_take(struct relay_bucket *bucket, const struct relay_rate *rate, uint64_t amount, uint64_t now);

#endif
