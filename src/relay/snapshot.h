/* relay/snapshot.h: the core's status with what its transport adds. */
#ifndef RELAY_SNAPSHOT_H
#define RELAY_SNAPSHOT_H

#include "relay/core.h"

struct relay_snapshot_number {
	const char *name;
	uint64_t value;
};

/* relay_core_snapshot with "shard" and an object "quic" of the given numbers. The caller frees it; NULL: no memory. */
char *relay_snapshot_text(struct relay_core *core, unsigned shard, const struct relay_snapshot_number *quic,
                          size_t count, uint64_t now);

#endif
