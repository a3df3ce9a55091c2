#include "base/heap.h"

#include "base/error.h"
#include "base/time.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

void base_heap_init(struct base_heap *heap) {
	*heap = (struct base_heap){0};
}

void base_heap_done(struct base_heap *heap) {
	free(heap->nodes);
	base_heap_init(heap);
}

void base_heap_node_init(struct base_heap_node *node) {
	*node = (struct base_heap_node){.deadline = BASE_NEVER, .index = BASE_HEAP_OUT};
}

int base_heap_reserve(struct base_heap *heap, size_t nodes) {
	struct base_heap_node **grown;
	size_t cap = heap->cap > 0 ? heap->cap : 16;

	if (nodes <= heap->cap)
		return 0;
	while (cap < nodes)
		cap *= 2;
	grown = realloc(heap->nodes, cap * sizeof(*grown));
	if (grown == NULL)
		return BASE_E_NOMEM;
	heap->nodes = grown;
	heap->cap = cap;
	return 0;
}

static bool before(const struct base_heap_node *a, const struct base_heap_node *b) {
	return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void place(struct base_heap *heap, size_t index, struct base_heap_node *node) {
	heap->nodes[index] = node;
	node->index = index;
}

static void sift_up(struct base_heap *heap, struct base_heap_node *node) {
	size_t index = node->index;

	while (index > 0 && before(node, heap->nodes[(index - 1) / 2])) {
		place(heap, index, heap->nodes[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	place(heap, index, node);
}

static void sift_down(struct base_heap *heap, struct base_heap_node *node) {
	size_t index = node->index;

	for (;;) {
		size_t child = 2 * index + 1;

		if (child >= heap->len)
			break;
		if (child + 1 < heap->len && before(heap->nodes[child + 1], heap->nodes[child]))
			child++;
		if (!before(heap->nodes[child], node))
			break;
		place(heap, index, heap->nodes[child]);
		index = child;
	}
	place(heap, index, node);
}

void base_heap_remove(struct base_heap *heap, struct base_heap_node *node) {
	struct base_heap_node *last;
	size_t index = node->index;

	if (index == BASE_HEAP_OUT)
		return;
	assert(index < heap->len && heap->nodes[index] == node);
	last = heap->nodes[--heap->len];
	node->index = BASE_HEAP_OUT;
	node->deadline = BASE_NEVER;
	if (last == node)
		return;
	place(heap, index, last);
	sift_up(heap, last);
	sift_down(heap, last);
}

int base_heap_set(struct base_heap *heap, struct base_heap_node *node, uint64_t deadline) {
	int err;

	if (deadline == BASE_NEVER) {
		base_heap_remove(heap, node);
		return 0;
	}
	if (node->index == BASE_HEAP_OUT) {
		err = base_heap_reserve(heap, heap->len + 1);
		if (err != 0)
			return err;
		place(heap, heap->len++, node);
	} else if (node->deadline == deadline) {
		return 0;
	}
	node->deadline = deadline;
	node->order = heap->next_order++;
	sift_up(heap, node);
	sift_down(heap, node);
	return 0;
}

struct base_heap_node *base_heap_first(const struct base_heap *heap) {
	return heap->len > 0 ? heap->nodes[0] : NULL;
}

uint64_t base_heap_deadline(const struct base_heap *heap) {
	return heap->len > 0 ? heap->nodes[0]->deadline : BASE_NEVER;
}
