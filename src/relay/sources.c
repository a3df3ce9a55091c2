#include "relay/sources.h"

#include "base/map.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct relay_sources {
	uint64_t seed[2];
	_Atomic(uint64_t) full_at[RELAY_SOURCES];
};

struct relay_sources *relay_sources_new(const uint64_t seed[static 2]) {
	struct relay_sources *sources = calloc(1, sizeof(*sources));

	if (sources != NULL)
		memcpy(sources->seed, seed, sizeof(sources->seed));
	return sources;
}

void relay_sources_free(struct relay_sources *sources) {
	free(sources);
}

bool relay_sources_take(struct relay_sources *sources, const struct base_addr *remote, const struct relay_rate *rate,
                        uint64_t amount, uint64_t now) {
	uint64_t hash = base_siphash13(sources->seed, base_addr_network(remote));
	_Atomic(uint64_t) *place = &sources->full_at[hash % RELAY_SOURCES];
	uint64_t seen = atomic_load_explicit(place, memory_order_relaxed);
	struct relay_bucket bucket;

	do {
		bucket.full_at = seen;
		if (!relay_bucket_take(&bucket, rate, amount, now))
			return false;
	} while (!atomic_compare_exchange_weak_explicit(place, &seen, bucket.full_at, memory_order_relaxed,
	                                                memory_order_relaxed));
	return true;
}
