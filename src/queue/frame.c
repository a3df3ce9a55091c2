/* queue/frame.c: the frame pool: one block of memory, returned frames in a stack so that the warmest one is reused
 * first. Frames are handed out for the first time in order, so a pool that is never full never touches its tail. */
#include "queue/frame.h"

#include <assert.h>
#include <stdlib.h>

struct queue_pool {
	struct queue_frame *frames;
	size_t frames_max;
	size_t fresh; /* frames[fresh] and up were never handed out */
	struct queue_frame *returned;
	size_t available;
};

struct queue_pool *queue_pool_new(size_t frames_max) {
	struct queue_pool *pool;

	if (frames_max > SIZE_MAX / sizeof(*pool->frames))
		return NULL;
	pool = calloc(1, sizeof(*pool));
	if (pool == NULL)
		return NULL;
	pool->frames = calloc(frames_max > 0 ? frames_max : 1, sizeof(*pool->frames)); /* calloc of 0 may say NULL */
	if (pool->frames == NULL) {
		free(pool);
		return NULL;
	}
	pool->frames_max = frames_max;
	pool->available = frames_max;
	return pool;
}

void queue_pool_free(struct queue_pool *pool) {
	if (pool == NULL)
		return;
	assert(pool->available == pool->frames_max);
	free(pool->frames);
	free(pool);
}

size_t queue_pool_available(const struct queue_pool *pool) {
	return pool->available;
}

struct queue_frame *queue_frame_new(struct queue_pool *pool) {
	struct queue_frame *frame = pool->returned;

	if (frame != NULL)
		pool->returned = frame->next_free;
	else if (pool->fresh < pool->frames_max)
		frame = &pool->frames[pool->fresh++];
	else
		return NULL;
	assert(frame->refs == 0);
	pool->available--;
	frame->pool = pool;
	frame->next_free = NULL;
	frame->holder = NULL;
	frame->refs = 1;
	frame->source_peer = 0;
	frame->len = 0;
	return frame;
}

void queue_frame_charge(struct queue_frame *frame, struct queue_holder *holder) {
	assert(frame->holder == NULL);
	frame->holder = holder;
	for (; holder != NULL; holder = holder->above)
		holder->frames++;
}

static void discharge(const struct queue_frame *frame) {
	for (struct queue_holder *holder = frame->holder; holder != NULL; holder = holder->above) {
		assert(holder->frames > 0);
		holder->frames--;
	}
}

struct queue_frame *queue_frame_ref(struct queue_frame *frame) {
	assert(frame->refs > 0 && frame->refs < UINT32_MAX);
	frame->refs++;
	return frame;
}

void queue_frame_unref(struct queue_frame *frame) {
	if (frame == NULL)
		return;
	assert(frame->refs > 0);
	if (--frame->refs > 0)
		return;
	discharge(frame);
	frame->next_free = frame->pool->returned;
	frame->pool->returned = frame;
	frame->pool->available++;
}
