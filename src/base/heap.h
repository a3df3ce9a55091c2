/* base/heap.h: intrusive binary heap of deadlines. Equal deadlines come out in the order they were set. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#define BASE_HEAP_OUT SIZE_MAX

struct base_heap_node {
	uint64_t deadline; /* ns */
	uint64_t order;    /* of being set, among equal deadlines */
	size_t index;      /* BASE_HEAP_OUT while in no heap */
};

struct base_heap {
	struct base_heap_node **nodes;
	size_t len, cap;
	uint64_t next_order;
};

void base_heap_init(struct base_heap *heap);
void base_heap_done(struct base_heap *heap); /* frees the array, not the nodes */
void base_heap_node_init(struct base_heap_node *node);

/* Makes room for `nodes` entries in all, after which base_heap_set cannot fail for so many. 0 or BASE_E_NOMEM. */
int base_heap_reserve(struct base_heap *heap, size_t nodes);

/* Inserts the node or moves it to its new deadline; BASE_NEVER takes it out. 0 or BASE_E_NOMEM. */
int base_heap_set(struct base_heap *heap, struct base_heap_node *node, uint64_t deadline);
void base_heap_remove(struct base_heap *heap, struct base_heap_node *node);

/* The earliest node, or NULL. */
struct base_heap_node *base_heap_first(const struct base_heap *heap);
/* Its deadline, or BASE_NEVER. */
uint64_t base_heap_deadline(const struct base_heap *heap);

#endif
