#include "queue/egress.h"

#include "base/error.h"
#include "base/rng.h"
#include "tests/queue/frames.h"
#include "tests/unit.h"

#define MARK_AT (QUEUE_FRAME_BYTES_MAX - 4) /* behind every frame here: tells them apart */

static const struct queue_egress_limits small = {.frames_max = 3, .bytes_max = 1000, .age_ns_max = 10};

static struct queue_frame *frame_of(struct queue_pool *pool, uint32_t mark, uint16_t len) {
	struct queue_frame *frame = queue_frame_new(pool);

	assert_non_null(frame);
	frame->source_peer = 1;
	frame->len = len;
	memset(frame->data, 0, sizeof(frame->data)); /* one flow for all */
	base_put_u32(frame->data + MARK_AT, mark);
	return frame;
}

static uint32_t mark_of(const struct queue_frame *frame) {
	return base_get_u32(frame->data + MARK_AT);
}

static int push_new(struct queue_egress *queue, struct queue_pool *pool, uint32_t mark, uint16_t len, uint64_t now) {
	struct queue_frame *frame = frame_of(pool, mark, len);
	int err = queue_egress_push(queue, frame, now);

	queue_frame_unref(frame);
	return err;
}

static void assert_next(struct queue_egress *queue, uint64_t now, uint32_t mark) {
	struct queue_frame *frame = queue_egress_peek(queue, now);

	assert_non_null(frame);
	assert_int_equal(mark_of(frame), mark);
	assert_ptr_equal(queue_egress_peek(queue, now), frame);
	queue_egress_pop(queue, now);
}

static void test_first_in_first_out(void **state) {
	struct queue_pool *pool = queue_pool_new(4);
	struct queue_egress *queue = queue_egress_new(&small, test_seed);

	(void)state;
	assert_true(queue_egress_empty(queue));
	assert_null(queue_egress_peek(queue, 0));
	for (uint32_t i = 0; i < 20; i++) { /* the ring wraps */
		assert_int_equal(push_new(queue, pool, 2 * i, 10, i), 0);
		assert_int_equal(push_new(queue, pool, 2 * i + 1, 20, i), 0);
		assert_int_equal(queue_egress_frames(queue), 2);
		assert_int_equal(queue_egress_bytes(queue), 30);
		assert_false(queue_egress_empty(queue));
		assert_next(queue, i, 2 * i);
		assert_int_equal(queue_egress_bytes(queue), 20);
		assert_next(queue, i, 2 * i + 1);
	}
	assert_true(queue_egress_empty(queue));
	assert_int_equal(queue_egress_stats(queue)->frames_in, 40);
	assert_int_equal(queue_egress_stats(queue)->frames_out, 40);
	queue_egress_free(queue);
	queue_pool_free(pool);
}

/* Full: the oldest goes, and a frame that can never fit. */
static void test_bounds(void **state) {
	struct queue_pool *pool = queue_pool_new(5);
	struct queue_egress *queue = queue_egress_new(&small, test_seed);

	(void)state;
	assert_int_equal(push_new(queue, pool, 1, 600, 0), 0);
	assert_int_equal(push_new(queue, pool, 2, 400, 0), 0);
	assert_int_equal(queue_egress_bytes(queue), 1000);
	assert_int_equal(push_new(queue, pool, 3, 30, 0), 0);
	assert_int_equal(queue_egress_stats(queue)->dropped_full, 1);
	assert_int_equal(queue_egress_bytes(queue), 430);
	assert_int_equal(push_new(queue, pool, 4, 30, 0), 0);
	assert_int_equal(push_new(queue, pool, 5, 30, 0), 0); /* a fourth frame */
	assert_int_equal(queue_egress_stats(queue)->dropped_full, 2);
	assert_int_equal(queue_pool_available(pool), 2);
	assert_next(queue, 0, 3);
	assert_int_equal(push_new(queue, pool, 6, 1001, 0), BASE_E_FULL); /* more than the whole queue */
	assert_int_equal(queue_egress_stats(queue)->dropped_full, 3);
	queue_egress_flush(queue);
	assert_int_equal(queue_egress_stats(queue)->dropped_flush, 2);
	assert_int_equal(queue_egress_bytes(queue), 0);
	assert_true(queue_egress_empty(queue));
	assert_int_equal(push_new(queue, pool, 7, 1000, 0), 0);
	assert_next(queue, 0, 7);
	queue_egress_free(queue);
	queue_pool_free(pool);
}

/* The frame on offer still waits like the others, and goes like the others. */
static void test_offer_may_be_dropped(void **state) {
	struct queue_pool *pool = queue_pool_new(4);
	struct queue_egress *queue = queue_egress_new(&small, test_seed);

	(void)state;
	push_new(queue, pool, 1, 900, 0);
	assert_int_equal(mark_of(queue_egress_peek(queue, 0)), 1);
	assert_int_equal(push_new(queue, pool, 2, 100, 0), 0);
	assert_int_equal(mark_of(queue_egress_offered(queue)), 1);
	assert_int_equal(push_new(queue, pool, 3, 1, 0), 0); /* too much */
	assert_int_equal(queue_egress_stats(queue)->dropped_full, 1);
	assert_null(queue_egress_offered(queue));
	assert_int_equal(mark_of(queue_egress_peek(queue, 0)), 2);
	queue_egress_age(queue, 100);
	assert_null(queue_egress_offered(queue));
	assert_int_equal(queue_egress_stats(queue)->dropped_age, 2);
	push_new(queue, pool, 4, 10, 100);
	assert_int_equal(mark_of(queue_egress_peek(queue, 100)), 4);
	queue_egress_flush(queue);
	assert_null(queue_egress_offered(queue));
	assert_true(queue_egress_empty(queue));
	queue_egress_free(queue);
	queue_pool_free(pool);
}

/* Who sends little need not wait for a frame that was offered, but did not leave. */
static void test_offer_may_be_overtaken(void **state) {
	struct queue_pool *pool = queue_pool_new(8);
	struct queue_egress *queue = queue_egress_new(&(struct queue_egress_limits){8, 10000, BASE_SECOND}, test_seed);
	struct queue_frame *game;

	(void)state;
	for (uint32_t mark = 1; mark <= 4; mark++)
		push_new(queue, pool, mark, 1400, 0);
	assert_next(queue, 0, 1); /* more than its first turn */
	assert_int_equal(mark_of(queue_egress_peek(queue, 0)), 2);
	game = frame_of(pool, 5, 100);
	fill_udp(game->data, 7);
	assert_int_equal(queue_egress_push(queue, game, 0), 0);
	queue_frame_unref(game);
	assert_int_equal(mark_of(queue_egress_offered(queue)), 2);
	assert_next(queue, 0, 5);
	for (uint32_t mark = 2; mark <= 4; mark++)
		assert_next(queue, 0, mark);
	assert_int_equal(queue_egress_stats(queue)->frames_out, 5);
	queue_egress_free(queue);
	queue_pool_free(pool);
}

static void test_age(void **state) {
	struct queue_pool *pool = queue_pool_new(4);
	struct queue_egress *queue = queue_egress_new(&small, test_seed);

	(void)state;
	push_new(queue, pool, 1, 10, 100);
	push_new(queue, pool, 2, 10, 105);
	push_new(queue, pool, 3, 10, 111);
	assert_int_equal(mark_of(queue_egress_peek(queue, 90)), 1);  /* time that runs back ages nothing */
	assert_int_equal(mark_of(queue_egress_peek(queue, 110)), 1); /* exactly the limit */
	assert_int_equal(mark_of(queue_egress_peek(queue, 111)), 2); /* the offer itself was too old */
	assert_int_equal(queue_egress_stats(queue)->dropped_age, 1);
	assert_int_equal(queue_egress_bytes(queue), 20);
	assert_null(queue_egress_peek(queue, UINT64_MAX));
	assert_int_equal(queue_egress_stats(queue)->dropped_age, 3);
	assert_int_equal(queue_egress_stats(queue)->frames_out, 0);
	assert_int_equal(queue_pool_available(pool), 4);
	queue_egress_free(queue);
	queue_pool_free(pool);
}

static void test_one_frame_in_many_queues(void **state) {
	struct queue_pool *pool = queue_pool_new(1);
	struct queue_egress *a = queue_egress_new(&small, test_seed), *b = queue_egress_new(&small, test_seed);
	struct queue_frame *frame = frame_of(pool, 1, 10);

	(void)state;
	assert_int_equal(queue_egress_push(a, frame, 0), 0);
	assert_int_equal(queue_egress_push(b, frame, 0), 0);
	queue_frame_unref(frame);
	assert_next(a, 0, 1);
	assert_int_equal(queue_pool_available(pool), 0);
	queue_egress_free(b); /* drops what is left */
	assert_int_equal(queue_pool_available(pool), 1);
	queue_egress_free(a);
	queue_egress_free(NULL);
	queue_pool_free(pool);
}

static uint64_t dropped(const struct queue_egress_stats *stats) {
	return stats->dropped_full + stats->dropped_codel + stats->dropped_age + stats->dropped_flush;
}

/* Whatever happens, what went in came out, was counted as dropped, or is still there. Many sources with many flows, so
 * that both run out of slots. */
static void test_counters_add_up(void **state) {
	struct queue_pool *pool = queue_pool_new(800);
	struct queue_egress *queue = queue_egress_new(&(struct queue_egress_limits){700, 100000, 150 * BASE_MS}, test_seed);
	const struct queue_egress_stats *stats = queue_egress_stats(queue);
	struct base_rng rng;
	uint64_t now = 0;

	(void)state;
	base_rng_init(&rng, 1);
	for (unsigned i = 0; i < 300000; i++) {
		uint64_t what = base_rng_below(&rng, 10000);
		uint64_t phase = i / 10000 % 3; /* filling, draining, standing */

		now += base_rng_below(&rng, 200 * BASE_US);
		if (what == 0) {
			queue_egress_flush(queue);
		} else if (what == 1) {
			queue_egress_age(queue, now);
		} else if (what % 10 >= 2 + 3 * phase) {
			struct queue_frame *frame = frame_of(pool, i, (uint16_t)(1 + base_rng_below(&rng, 400)));

			frame->source_peer = (uint32_t)base_rng_below(&rng, 90);
			fill_udp(frame->data, (uint16_t)base_rng_below(&rng, phase == 2 ? 2 : 1 + i / 1000));
			queue_egress_push(queue, frame, now);
			queue_frame_unref(frame);
		} else if (queue_egress_peek(queue, now) != NULL) {
			queue_egress_pop(queue, now);
		}
		assert_int_equal(stats->frames_in, stats->frames_out + dropped(stats) + queue_egress_frames(queue));
		assert_true(queue_egress_frames(queue) <= 700 && queue_egress_bytes(queue) <= 100000);
		assert_int_equal(queue_pool_available(pool), 800 - queue_egress_frames(queue));
	}
	assert_true(stats->frames_out > 10000 && stats->dropped_full > 100 && stats->dropped_age > 100 &&
	            stats->dropped_codel > 100 && stats->dropped_flush > 100);
	while (queue_egress_peek(queue, now) != NULL)
		queue_egress_pop(queue, now);
	assert_int_equal(queue_egress_bytes(queue), 0);
	queue_egress_free(queue);
	queue_pool_free(pool);
}

static void test_no_room_at_all(void **state) {
	struct queue_pool *pool = queue_pool_new(1);
	struct queue_egress *queue = queue_egress_new(&(struct queue_egress_limits){0, 100, 1}, test_seed);

	(void)state;
	assert_non_null(queue);
	assert_int_equal(push_new(queue, pool, 1, 10, 0), BASE_E_FULL);
	queue_egress_free(queue);
	queue_pool_free(pool);
	assert_null(queue_egress_new(&(struct queue_egress_limits){SIZE_MAX, 100, 1}, test_seed));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_in_first_out),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_offer_may_be_dropped),
	    cmocka_unit_test(test_offer_may_be_overtaken),
	    cmocka_unit_test(test_age),
	    cmocka_unit_test(test_one_frame_in_many_queues),
	    cmocka_unit_test(test_counters_add_up),
	    cmocka_unit_test(test_no_room_at_all),
	};

	return cmocka_run_group_tests_name("queue/egress", tests, NULL, NULL);
}
