#include "loop/turn.h"

#include "base/list.h"

static struct loop_turn *turn_of(struct loop *loop) {
	return (struct loop_turn *)(void *)loop;
}

static const struct loop_turn *const_turn_of(const struct loop *loop) {
	return (const struct loop_turn *)(const void *)loop;
}

void loop_turn_init(struct loop_turn *turn, uint64_t now) {
	*turn = (struct loop_turn){.now = now};
	base_heap_init(&turn->timers);
}

void loop_turn_done(struct loop_turn *turn) {
	base_heap_done(&turn->timers);
}

uint64_t loop_turn_wait(const struct loop_turn *turn, uint64_t now, uint64_t wait_ns) {
	uint64_t deadline = base_heap_deadline(&turn->timers);

	if (deadline == BASE_NEVER)
		return wait_ns;
	return base_time_min(wait_ns, deadline > now ? deadline - now : 0);
}

void loop_turn_end(struct loop_turn *turn) {
	turn->in_timers = true;
	while (base_heap_deadline(&turn->timers) <= turn->now) {
		struct base_heap_node *node = base_heap_first(&turn->timers);
		struct loop_timer *timer = BASE_CONTAINER(node, struct loop_timer, node);

		base_heap_remove(&turn->timers, node);
		timer->due(timer->user, turn->now);
	}
	turn->in_timers = false;
	if (turn->after != NULL)
		turn->after(turn->after_user, turn->now);
}

uint64_t loop_now(const struct loop *loop) {
	return const_turn_of(loop)->now;
}

void loop_timer_init(struct loop_timer *timer, void (*due)(void *user, uint64_t now), void *user) {
	*timer = (struct loop_timer){.due = due, .user = user};
	base_heap_node_init(&timer->node);
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline) {
	struct loop_turn *turn = turn_of(loop);

	/* A timer that re-arms itself for now must not keep the turn from ending. */
	if (turn->in_timers && deadline <= turn->now)
		deadline = turn->now + 1;
	return base_heap_set(&turn->timers, &timer->node, deadline);
}

void loop_set_after(struct loop *loop, void (*after)(void *user, uint64_t now), void *user) {
	turn_of(loop)->after = after;
	turn_of(loop)->after_user = user;
}

int loop_run(struct loop *loop) {
	while (!loop_stopped(loop)) {
		int err = loop_run_once(loop, BASE_NEVER);

		if (err != 0)
			return err;
	}
	return 0;
}

void loop_stop(struct loop *loop) {
	turn_of(loop)->stopped = true;
}

bool loop_stopped(const struct loop *loop) {
	return const_turn_of(loop)->stopped;
}
