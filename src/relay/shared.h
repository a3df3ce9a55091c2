/* relay/shared.h: what the cores of one relay have in common, so that its limits are those of all of them together:
 * how often each network joins, and how many rooms there are. Any thread; it takes no lock. */
#ifndef RELAY_SHARED_H
#define RELAY_SHARED_H

#include "relay/sources.h"

#include <stdatomic.h>

struct relay_shared {
	struct relay_sources *sources;
	atomic_size_t rooms_used; /* somebody is in them: never more than limits.rooms_max */
	/* Only remembered, for a while. A core that opens a room forgets one of its own for it when there are too many in
	 * all, and one that empties a room likewise: both together stay below twice the limit. */
	atomic_size_t rooms_kept;
};

struct relay_shared *relay_shared_new(const uint64_t seed[static 2]); /* NULL when memory is out */
void relay_shared_free(struct relay_shared *shared);                  /* accepts NULL */

/* One more room that somebody is in, if there are fewer than `max`. */
bool relay_shared_use_room(struct relay_shared *shared, size_t max);
/* Used and kept. */
size_t relay_shared_rooms(const struct relay_shared *shared);

#endif
