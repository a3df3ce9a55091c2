/* queue/frame.h: reference-counted frame buffers from a fixed pool, so that one decrypted frame can wait in many egress
 * queues without being copied again, and the data path never allocates. Single-threaded: a pool belongs to one shard.
 *
 * The buffer holds an encoded overlay datagram (header and Ethernet frame), ready to be sealed. */
#ifndef QUEUE_FRAME_H
#define QUEUE_FRAME_H

#include "base/slice.h"

#define QUEUE_FRAME_BYTES_MAX 1600 /* overlay header + 1522 with room to spare */

struct queue_pool;

/* Who is to answer for frames: each counts with one holder and with those above it. */
struct queue_holder {
	struct queue_holder *above; /* or NULL */
	size_t frames;
};

struct queue_frame {
	struct queue_pool *pool;
	struct queue_holder *holder; /* or NULL */
	struct queue_frame *next_free;
	uint32_t refs;
	uint32_t source_peer;
	uint16_t len;
	uint8_t data[QUEUE_FRAME_BYTES_MAX];
};

/* NULL when memory is out. All frames must be back before queue_pool_free (asserted). */
struct queue_pool *queue_pool_new(size_t frames_max);
void queue_pool_free(struct queue_pool *pool);
size_t queue_pool_available(const struct queue_pool *pool);

/* A frame with one reference, or NULL when the pool is empty (the caller counts a drop). */
struct queue_frame *queue_frame_new(struct queue_pool *pool);
/* Counts a new frame with `holder` and those above, which must stay until it is free. */
void queue_frame_charge(struct queue_frame *frame, struct queue_holder *holder);
struct queue_frame *queue_frame_ref(struct queue_frame *frame);
void queue_frame_unref(struct queue_frame *frame); /* accepts NULL */

static inline struct slice queue_frame_bytes(const struct queue_frame *frame) {
	return slice_of(frame->data, frame->len);
}

#endif
