/* loop/turn.h: the part of a loop that is the same on every platform: its timers, its clock's reading, how a turn and a
 * run end. Internal to the room. */
#ifndef LOOP_TURN_H
#define LOOP_TURN_H

#include "loop/loop.h"

/* The first member of every struct loop: turn.c sees no more of it. */
struct loop_turn {
	struct base_heap timers;
	uint64_t now;
	bool stopped;
	bool in_timers; /* see loop_timer_set */
	void (*after)(void *user, uint64_t now);
	void *after_user;
};

void loop_turn_init(struct loop_turn *turn, uint64_t now);
void loop_turn_done(struct loop_turn *turn);
/* How long this turn may wait for its sources, at most `wait_ns`. */
uint64_t loop_turn_wait(const struct loop_turn *turn, uint64_t now, uint64_t wait_ns);
/* Behind the sources: the timers that are due, and the hook. */
void loop_turn_end(struct loop_turn *turn);

#endif
