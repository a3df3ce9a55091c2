/* queue/egress.h: the queue in front of one QUIC connection: frames wait here unsealed, bounded in bytes, frames and
 * age, and fair (FQ-CoDel, RFC 8290): source peers take turns, and the flows of each of them (queue/flow.h). Who sends
 * little goes first, a flow whose queue stands loses frames (queue/codel.h), and when the queue is full the peer that
 * takes most of its room loses the oldest frame of its fattest flow. There a frame counts with its bytes, but at least
 * with bytes_max / frames_max.
 *
 * Nothing here allocates after construction, and memory that was never needed is never touched. Every frame that goes
 * in comes out through pop or is counted in one of the drop counters. */
#ifndef QUEUE_EGRESS_H
#define QUEUE_EGRESS_H

#include "base/time.h"
#include "queue/frame.h"

struct queue_egress_limits {
	size_t frames_max;
	size_t bytes_max;    /* sum of frame lengths */
	uint64_t age_ns_max; /* a frame that waited longer is dropped when its turn has come */
	/* Each source peer has four flows of its own. Beyond these, so many are kept apart for all peers together, and at
	 * most half of them for one. 0: 256. */
	uint32_t flows_shared_max;
};

struct queue_egress_stats {
	uint64_t frames_in; /* offered, refused ones included: in = out + dropped + still queued */
	uint64_t frames_out;
	uint64_t dropped_full;  /* no room in frames or bytes: the oldest of the fattest flow, or one that cannot fit */
	uint64_t dropped_codel; /* its flow's queue stood too long */
	uint64_t dropped_age;   /* older than age_ns_max */
	uint64_t dropped_flush; /* thrown away by queue_egress_flush */
};

struct queue_egress;

/* The seed keys the hash of the flows. NULL when memory is out. */
struct queue_egress *queue_egress_new(const struct queue_egress_limits *limits, const uint64_t seed[static 2]);
void queue_egress_free(struct queue_egress *queue); /* drops what is left; accepts NULL */

/* Takes a reference of its own; the frame must not change while it is queued. 0, other frames may have had to go; or
 * BASE_E_FULL when it had to go itself. Counted either way. */
int queue_egress_push(struct queue_egress *queue, struct queue_frame *frame, uint64_t now);

/* The frame to send next, or NULL; drops frames on the way. It stays in the queue, where one of a sparser flow that
 * comes later still goes first, and where it may yet have to make room: ask again before each try to send. Valid until
 * the next call that is not queue_egress_offered. */
struct queue_frame *queue_egress_peek(struct queue_egress *queue, uint64_t now);
/* What peek returned; NULL when it is no longer there. */
struct queue_frame *queue_egress_offered(const struct queue_egress *queue);
/* Removes that frame, which must be there, and gives up its reference. */
void queue_egress_pop(struct queue_egress *queue, uint64_t now);
/* Drops what is too old, for a queue that nobody asks for frames. */
void queue_egress_age(struct queue_egress *queue, uint64_t now);
void queue_egress_flush(struct queue_egress *queue);

bool queue_egress_empty(const struct queue_egress *queue);
size_t queue_egress_bytes(const struct queue_egress *queue);
size_t queue_egress_frames(const struct queue_egress *queue);
/* Those of one source peer; when 64 others have some, those of the one whose place it would share. */
size_t queue_egress_frames_of(const struct queue_egress *queue, uint32_t source_peer);
const struct queue_egress_stats *queue_egress_stats(const struct queue_egress *queue);

#endif
