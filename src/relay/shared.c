#include "relay/shared.h"

#include <stdlib.h>

struct relay_shared *relay_shared_new(const uint64_t seed[static 2]) {
	struct relay_shared *shared = calloc(1, sizeof(*shared));

	if (shared == NULL)
		return NULL;
	shared->sources = relay_sources_new(seed);
	if (shared->sources == NULL) {
		free(shared);
		return NULL;
	}
	return shared;
}

void relay_shared_free(struct relay_shared *shared) {
	if (shared == NULL)
		return;
	relay_sources_free(shared->sources);
	free(shared);
}

bool relay_shared_use_room(struct relay_shared *shared, size_t max) {
	size_t seen = atomic_load(&shared->rooms_used);

	do {
		if (seen >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&shared->rooms_used, &seen, seen + 1));
	return true;
}

size_t relay_shared_rooms(const struct relay_shared *shared) {
	return atomic_load(&shared->rooms_used) + atomic_load(&shared->rooms_kept);
}
