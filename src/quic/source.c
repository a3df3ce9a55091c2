/* quic/source.c: how many connections came from each network, so that one host cannot take all places. */
#include "quic/internal.h"

#include <stdlib.h>
#include <string.h>

struct quic_source {
	struct base_map_node node;
	size_t connections;
	uint8_t network[BASE_ADDR_NETWORK_BYTES_MAX];
};

static struct quic_source *find(const struct base_map *sources, const struct base_addr *addr) {
	struct base_map_node *node = base_map_find(sources, base_addr_network(addr));

	return node != NULL ? BASE_CONTAINER(node, struct quic_source, node) : NULL;
}

size_t quic_source_count(const struct base_map *sources, const struct base_addr *addr) {
	const struct quic_source *source = find(sources, addr);

	return source != NULL ? source->connections : 0;
}

struct quic_source *quic_source_enter(struct base_map *sources, const struct base_addr *addr) {
	struct quic_source *source = find(sources, addr);
	struct slice network = base_addr_network(addr);

	if (source == NULL) {
		source = calloc(1, sizeof(*source));
		if (source == NULL)
			return NULL;
		memcpy(source->network, network.data, network.len);
		(void)base_map_insert(sources, &source->node, slice_of(source->network, network.len)); /* it has no such */
	}
	source->connections++;
	return source;
}

void quic_source_leave(struct base_map *sources, struct quic_source *source) {
	if (--source->connections > 0)
		return;
	base_map_remove(sources, &source->node);
	free(source);
}
