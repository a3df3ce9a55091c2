/* base/list.h: intrusive circular doubly linked list. The head is a node of its own; a node that is in no list points
 * at itself, so removing it twice is harmless. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct base_list {
	struct base_list *prev, *next;
};

/* The object of `type` that contains the node as `member`. */
#define BASE_CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void base_list_init(struct base_list *node) {
	node->prev = node->next = node;
}

static inline bool base_list_empty(const struct base_list *head) {
	return head->next == head;
}

static inline void base_list_append(struct base_list *head, struct base_list *node) {
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void base_list_remove(struct base_list *node) {
	node->prev->next = node->next;
	node->next->prev = node->prev;
	base_list_init(node);
}

#endif
