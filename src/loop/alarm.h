/* loop/alarm.h: when a loop's one kernel timer is worth setting again. Deadlines move with every packet, mostly to
 * later and back by a little, and each setting is a system call that programs a clock. The alarm may ring too early,
 * which costs a turn with nothing to do, but never too late. */
#ifndef LOOP_ALARM_H
#define LOOP_ALARM_H

#include "base/time.h"

#include <stdbool.h>

#define LOOP_ALARM_INTERVAL_NS BASE_MS   /* it is not put off more often */
#define LOOP_ALARM_STEP_NS (8 * BASE_MS) /* nor by less, as far as the deadline allows */

struct loop_alarm {
	uint64_t at;     /* when it rings; BASE_NEVER: not set */
	uint64_t set_at; /* when that was said */
};

/* True if it is to ring at *ret_at instead. An earlier deadline counts at once. A later one counts when half of the
 * wait is over, and then no more than that wait again: of two deadlines that take turns, such as those of a connection
 * that has just sent and of one that has just heard, the earlier one then needs no setting of its own. */
static inline bool loop_alarm_moves(const struct loop_alarm *alarm, uint64_t now, uint64_t deadline, uint64_t *ret_at) {
	uint64_t wait = alarm->at - alarm->set_at, waited = now - alarm->set_at;

	if (deadline < alarm->at) {
		*ret_at = deadline;
		return true;
	}
	if (deadline == alarm->at || waited < wait / 2 || waited < LOOP_ALARM_INTERVAL_NS)
		return false;
	*ret_at = base_time_min(deadline, now + (wait > LOOP_ALARM_STEP_NS ? wait : LOOP_ALARM_STEP_NS));
	return true;
}

#endif
