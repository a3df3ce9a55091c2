/* relay/snapshot.h: the state of a core as JSON: rooms, peers with counters, last stats and last-seen, totals. No
 * secrets (seat keys). It is made in slices, so that thousands of peers do not hold up their own frames: what a slice
 * shows is as of then, what stands in no peer's line is as of the beginning. */
#ifndef RELAY_SNAPSHOT_H
#define RELAY_SNAPSHOT_H

#include "relay/core.h"

struct json_t;
struct relay_snapshot;

struct relay_snapshot_number {
	const char *name;
	uint64_t value;
};

/* At most one at a time of one core, which must outlive it. NULL: there is one already, or memory is out. */
struct relay_snapshot *relay_snapshot_new(struct relay_core *core);
/* The next `items` peers and rooms. True when that was the last slice. */
bool relay_snapshot_step(struct relay_snapshot *snapshot, size_t items, uint64_t now);
/* Everything, to be freed with json_decref; in whatever thread. Ends the snapshot. */
struct json_t *relay_snapshot_finish(struct relay_snapshot *snapshot, const struct relay_snapshot_number *quic,
                                     size_t count);
void relay_snapshot_free(struct relay_snapshot *snapshot); /* unfinished; accepts NULL */

#endif
