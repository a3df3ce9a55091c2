/* queue/egress.c: the egress queue as a FIFO in a ring. Knows no connection: whoever owns one asks for the next frame.
 */
#include "queue/egress.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>

struct egress_slot {
	struct queue_frame *frame;
	uint64_t queued_at; /* ns */
};

struct queue_egress {
	struct queue_egress_limits limits;
	struct queue_egress_stats stats;
	size_t head;   /* index of the oldest slot */
	size_t frames; /* slots in use from head on, wrapping */
	size_t bytes;  /* sum of their frame lengths */
	struct egress_slot slots[];
};

struct queue_egress *queue_egress_new(const struct queue_egress_limits *limits) {
	struct queue_egress *queue;

	if (limits->frames_max > (SIZE_MAX - sizeof(*queue)) / sizeof(queue->slots[0]))
		return NULL;
	queue = calloc(1, sizeof(*queue) + limits->frames_max * sizeof(queue->slots[0]));
	if (queue != NULL)
		queue->limits = *limits;
	return queue;
}

void queue_egress_free(struct queue_egress *queue) {
	if (queue == NULL)
		return;
	queue_egress_flush(queue);
	free(queue);
}

int queue_egress_push(struct queue_egress *queue, struct queue_frame *frame, uint64_t now) {
	size_t tail;

	queue->stats.frames_in++;
	if (queue->frames == queue->limits.frames_max || frame->len > queue->limits.bytes_max - queue->bytes) {
		queue->stats.dropped_full++;
		return BASE_E_FULL;
	}
	tail = queue->head + queue->frames;
	if (tail >= queue->limits.frames_max)
		tail -= queue->limits.frames_max;
	queue->slots[tail] = (struct egress_slot){.frame = queue_frame_ref(frame), .queued_at = now};
	queue->frames++;
	queue->bytes += frame->len;
	return 0;
}

static void drop_head(struct queue_egress *queue) {
	struct queue_frame *frame;

	assert(queue->frames > 0);
	frame = queue->slots[queue->head].frame;
	assert(queue->bytes >= frame->len); /* a queued frame must not change its length */
	queue->slots[queue->head].frame = NULL;
	queue->frames--;
	queue->bytes -= frame->len;
	if (++queue->head == queue->limits.frames_max)
		queue->head = 0;
	queue_frame_unref(frame);
}

static bool is_aged(const struct queue_egress *queue, uint64_t now) {
	uint64_t queued_at = queue->slots[queue->head].queued_at;

	return now > queued_at && now - queued_at > queue->limits.age_ns_max;
}

struct queue_frame *queue_egress_peek(struct queue_egress *queue, uint64_t now) {
	while (queue->frames > 0 && is_aged(queue, now)) {
		queue->stats.dropped_age++;
		drop_head(queue);
	}
	return queue->frames > 0 ? queue->slots[queue->head].frame : NULL;
}

void queue_egress_pop(struct queue_egress *queue) {
	assert(queue->frames > 0);
	queue->stats.frames_out++;
	drop_head(queue);
}

void queue_egress_flush(struct queue_egress *queue) {
	queue->stats.dropped_flush += queue->frames;
	while (queue->frames > 0)
		drop_head(queue);
}

bool queue_egress_empty(const struct queue_egress *queue) {
	return queue->frames == 0;
}

size_t queue_egress_bytes(const struct queue_egress *queue) {
	return queue->bytes;
}

size_t queue_egress_frames(const struct queue_egress *queue) {
	return queue->frames;
}

const struct queue_egress_stats *queue_egress_stats(const struct queue_egress *queue) {
	return &queue->stats;
}
