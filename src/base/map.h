/* base/map.h: intrusive hash table with keyed SipHash-1-3, for keys that strangers choose (connection IDs, MACs, room
 * codes). The key bytes live inside the object that embeds the node and must not change while it is in the map. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct base_map_node {
	struct base_map_node *next;
	uint64_t hash;
	struct slice key;
};

struct base_map {
	struct base_map_node **buckets; /* bucket_count of them, and behind them the node that was found last */
	size_t bucket_count;            /* power of two */
	size_t len;
	uint64_t seed[2];
};

/* The seed comes from a cryptographic generator in production, from a constant in tests. 0 or BASE_E_NOMEM. */
int base_map_init(struct base_map *map, const uint64_t seed[static 2]);
void base_map_done(struct base_map *map); /* frees the table, not the objects */

/* NULL if there is none. Remembers the node, as packets come in trains that ask for the same one: so two threads must
 * not search a map at once, although it is const here. */
struct base_map_node *base_map_find(const struct base_map *map, struct slice key);
/* 0 or BASE_E_EXISTS (an equal key is present). `key` must point into memory that lives with the node. */
int base_map_insert(struct base_map *map, struct base_map_node *node, struct slice key);
/* The node must be in the map. */
void base_map_remove(struct base_map *map, struct base_map_node *node);
/* Iteration: pass NULL for the first. Before the node just returned is removed its successor must be asked for. */
struct base_map_node *base_map_next(const struct base_map *map, const struct base_map_node *node);

uint64_t base_siphash13(const uint64_t seed[static 2], struct slice bytes);

#endif
