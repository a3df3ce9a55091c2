#include "relay/limiter.h"

#include <assert.h>

bool relay_bucket_take(struct relay_bucket *bucket, const struct relay_rate *rate, uint64_t amount, uint64_t now) {
	uint64_t start = bucket->full_at > now ? bucket->full_at : now;
	uint64_t cost, tolerance;

	if (rate->per_second == 0)
		return true;
	/* The largest products: 2^20 * 10^9 and, for bursts, RELAY_RATE_MAX seconds' worth in two steps. */
	assert(amount <= (UINT64_C(1) << 20) && rate->per_second <= RELAY_RATE_MAX && rate->burst <= RELAY_RATE_MAX);
	cost = amount * BASE_SECOND / rate->per_second;
	tolerance =
	    rate->burst / rate->per_second * BASE_SECOND + rate->burst % rate->per_second * BASE_SECOND / rate->per_second;
	if (start - now + cost > tolerance)
		return false;
	bucket->full_at = start + cost;
	return true;
}
