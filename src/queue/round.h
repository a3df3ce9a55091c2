/* queue/round.h: deficit round robin with a first place for newcomers (RFC 8290 section 4): who joins is served before
 * those who have been here for a while, until its first credit is spent. Who sends little leaves between two frames and
 * so is always new. Used twice: for the source peers of a queue, and for the flows of each of them. */
#ifndef QUEUE_ROUND_H
#define QUEUE_ROUND_H

#include "base/list.h"

#include <stdint.h>

struct queue_turn {
	struct base_list link; /* in a list of one round, or by itself */
	int32_t deficit;       /* bytes it may still send; at most one packet below zero */
	bool is_fresh;
};

struct queue_round {
	struct base_list fresh, old;
};

static inline void queue_round_init(struct queue_round *round) {
	base_list_init(&round->fresh);
	base_list_init(&round->old);
}

static inline void queue_turn_init(struct queue_turn *turn) {
	base_list_init(&turn->link);
}

/* Nothing happens when it is in the round already. */
static inline void queue_round_join(struct queue_round *round, struct queue_turn *turn, int32_t quantum) {
	if (!base_list_empty(&turn->link))
		return;
	turn->deficit = quantum;
	turn->is_fresh = true;
	base_list_append(&round->fresh, &turn->link);
}

static inline void queue_round_to_old(struct queue_round *round, struct queue_turn *turn) {
	if (round->old.prev != &turn->link) { /* it often is alone */
		base_list_remove(&turn->link);
		base_list_append(&round->old, &turn->link);
	}
	turn->is_fresh = false;
}

/* Whose turn it is, or NULL. */
static inline struct queue_turn *queue_round_first(struct queue_round *round, int32_t quantum) {
	for (;;) {
		struct base_list *list = base_list_empty(&round->fresh) ? &round->old : &round->fresh;
		struct queue_turn *turn;

		if (base_list_empty(list))
			return NULL;
		turn = BASE_CONTAINER(list->next, struct queue_turn, link);
		if (turn->deficit > 0)
			return turn;
		turn->deficit += quantum;
		queue_round_to_old(round, turn);
	}
}

/* For one whose turn it is and who has nothing: true when it has left. Who was new waits for one round of the others
 * first, else it could be new again at once and starve them. */
static inline bool queue_round_leave(struct queue_round *round, struct queue_turn *turn) {
	if (turn->is_fresh && !base_list_empty(&round->old)) {
		queue_round_to_old(round, turn);
		return false;
	}
	base_list_remove(&turn->link);
	return true;
}

#endif
