/* relay/sources.h: how often each network (base_addr_network) has joined a room lately.
 *
 * Cores share it (relay/shared.h): whoever comes from one place is counted in all shards together. It takes no lock
 * and stores no address: a keyed hash picks one of a fixed number of buckets. Two networks that meet in one share its
 * rate, which only matters while both use more than half of it. */
#ifndef RELAY_SOURCES_H
#define RELAY_SOURCES_H

#include "base/addr.h"
#include "relay/limiter.h"

struct relay_sources;

struct relay_sources *relay_sources_new(const uint64_t seed[static 2]); /* NULL when memory is out */
void relay_sources_free(struct relay_sources *sources);                 /* accepts NULL */
/* relay_bucket_take on the bucket of the address; any thread. */
bool relay_sources_take(struct relay_sources *sources, const struct base_addr *remote, const struct relay_rate *rate,
                        uint64_t amount, uint64_t now);

#endif
