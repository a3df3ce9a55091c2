/* queue/codel.h: Controlled Delay (RFC 8289): which frame of a flow to drop so that its queue does not stand. A flow
 * whose frames all wait longer than the target for an interval has a standing queue; it then loses a frame at its head,
 * and more and more often, until the wait is short again. */
#ifndef QUEUE_CODEL_H
#define QUEUE_CODEL_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>

#define QUEUE_CODEL_TARGET_NS (5 * BASE_MS)
#define QUEUE_CODEL_INTERVAL_NS (100 * BASE_MS)

/* Zeros: nothing has happened yet. */
struct queue_codel {
	uint64_t above_until; /* when "above the target" will have lasted an interval; 0: it is not above */
	uint64_t drop_next;
	uint32_t count; /* drops in this spell of dropping, or the last */
	uint32_t count_before;
	bool dropping;
};

/* Asked about each frame at a flow's head when its turn has come, in order, until the answer is false: true says to
 * drop this frame and ask about the next one. `waited` is the frame's time in the queue; `alone` that too little is
 * behind it to call it a queue. */
bool queue_codel_drops(struct queue_codel *codel, uint64_t waited, bool alone, uint64_t target, uint64_t now);
/* To be told when the flow has no frame left, however that came: nothing waits too long any more. */
void queue_codel_empty(struct queue_codel *codel);

#endif
