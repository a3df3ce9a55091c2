/* queue/egress.h: the queue in front of one QUIC connection: frames wait here unsealed, bounded in bytes, frames and
 * age. A FIFO today; the interface lets a fair queue take its place (it may look into the frame to find its flow).
 *
 * Every frame that goes in comes out through pop or is counted in one of the drop counters. */
#ifndef QUEUE_EGRESS_H
#define QUEUE_EGRESS_H

#include "base/time.h"
#include "queue/frame.h"

struct queue_egress_limits {
	size_t frames_max;   /* ring size; a power of two is not needed */
	size_t bytes_max;    /* sum of frame lengths */
	uint64_t age_ns_max; /* a frame that waited longer is dropped when it reaches the head */
};

struct queue_egress_stats {
	uint64_t frames_in; /* offered, refused ones included: in = out + dropped + still queued */
	uint64_t frames_out;
	uint64_t dropped_full; /* the newest frame was refused: no room in frames or bytes */
	uint64_t dropped_age;  /* older than age_ns_max at the head */
	uint64_t dropped_flush; /* thrown away by queue_egress_flush */
};

struct queue_egress;

struct queue_egress *queue_egress_new(const struct queue_egress_limits *limits); /* NULL when memory is out */
void queue_egress_free(struct queue_egress *queue);                             /* drops what is left; accepts NULL */

/* Takes a reference of its own on success; the frame must not change while it is queued. 0 or BASE_E_FULL (counted). */
int queue_egress_push(struct queue_egress *queue, struct queue_frame *frame, uint64_t now);

/* The frame to send next, or NULL; drops aged frames on the way. Stays valid until the next call. */
struct queue_frame *queue_egress_peek(struct queue_egress *queue, uint64_t now);
/* Removes the frame that peek returned and gives up its reference. */
void queue_egress_pop(struct queue_egress *queue);
void queue_egress_flush(struct queue_egress *queue);

bool queue_egress_empty(const struct queue_egress *queue);
size_t queue_egress_bytes(const struct queue_egress *queue);
size_t queue_egress_frames(const struct queue_egress *queue);
const struct queue_egress_stats *queue_egress_stats(const struct queue_egress *queue);

#endif
