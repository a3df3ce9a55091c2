/* quic/source.c: how many connections came from where, so that one host cannot take all places. An IPv6 host has a
 * whole network to choose addresses from, so a /56 counts as one, as much as a household gets. */
#include "quic/internal.h"

#include <stdlib.h>
#include <string.h>

#define V6_BYTES 7

struct quic_source {
	struct base_map_node node;
	size_t connections;
	uint8_t bytes[V6_BYTES];
};

struct slice quic_source_key(const struct base_addr *addr) {
	return slice_of(addr->ip, addr->family == BASE_FAMILY_V4 ? 4 : V6_BYTES);
}

static struct quic_source *find(const struct base_map *sources, const struct base_addr *addr) {
	struct base_map_node *node = base_map_find(sources, quic_source_key(addr));

	return node != NULL ? BASE_CONTAINER(node, struct quic_source, node) : NULL;
}

size_t quic_source_count(const struct base_map *sources, const struct base_addr *addr) {
	const struct quic_source *source = find(sources, addr);

	return source != NULL ? source->connections : 0;
}

struct quic_source *quic_source_enter(struct base_map *sources, const struct base_addr *addr) {
	struct quic_source *source = find(sources, addr);
	struct slice key = quic_source_key(addr);

	if (source == NULL) {
		source = calloc(1, sizeof(*source));
		if (source == NULL)
			return NULL;
		memcpy(source->bytes, key.data, key.len);
		if (base_map_insert(sources, &source->node, slice_of(source->bytes, key.len)) != 0) {
			free(source);
			return NULL;
		}
	}
	source->connections++;
	return source;
}

void quic_source_leave(struct base_map *sources, struct quic_source *source) {
	if (source == NULL || --source->connections > 0)
		return;
	base_map_remove(sources, &source->node);
	free(source);
}
