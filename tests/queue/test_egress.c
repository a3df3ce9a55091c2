#include "queue/egress.h"

#include "base/error.h"
#include "base/rng.h"
#include "tests/unit.h"

static const struct queue_egress_limits small = {.frames_max = 3, .bytes_max = 1000, .age_ns_max = 10};

static struct queue_frame *frame_of(struct queue_pool *pool, uint32_t mark, uint16_t len) {
	struct queue_frame *frame = queue_frame_new(pool);

	assert_non_null(frame);
	frame->source_peer = mark;
	frame->len = len;
	return frame;
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
	assert_int_equal(frame->source_peer, mark);
	assert_ptr_equal(queue_egress_peek(queue, now), frame);
	queue_egress_pop(queue);
}

static void test_first_in_first_out(void **state) {
	struct queue_pool *pool = queue_pool_new(4);
	struct queue_egress *queue = queue_egress_new(&small);

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

static void test_bounds(void **state) {
	struct queue_pool *pool = queue_pool_new(8);
	struct queue_egress *queue = queue_egress_new(&small);

	(void)state;
	assert_int_equal(push_new(queue, pool, 1, 600, 0), 0);
	assert_int_equal(push_new(queue, pool, 2, 401, 0), BASE_E_FULL);
	assert_int_equal(push_new(queue, pool, 3, 400, 0), 0);
	assert_int_equal(queue_egress_bytes(queue), 1000);
	assert_int_equal(push_new(queue, pool, 4, 1, 0), BASE_E_FULL);
	assert_next(queue, 0, 1);
	assert_int_equal(push_new(queue, pool, 5, 1, 0), 0);
	assert_int_equal(push_new(queue, pool, 6, 1, 0), 0);
	assert_int_equal(push_new(queue, pool, 7, 1, 0), BASE_E_FULL); /* three frames */
	assert_int_equal(queue_egress_stats(queue)->dropped_full, 3);
	assert_int_equal(queue_pool_available(pool), 5); /* a refused frame is not kept */
	queue_egress_flush(queue);
	assert_int_equal(queue_egress_stats(queue)->dropped_flush, 3);
	assert_int_equal(queue_egress_bytes(queue), 0);
	assert_int_equal(push_new(queue, pool, 8, 1001, 0), BASE_E_FULL); /* bigger than the whole queue */
	queue_egress_free(queue);
	queue_pool_free(pool);
}

static void test_age(void **state) {
	struct queue_pool *pool = queue_pool_new(4);
	struct queue_egress *queue = queue_egress_new(&small);

	(void)state;
	push_new(queue, pool, 1, 10, 100);
	push_new(queue, pool, 2, 10, 105);
	push_new(queue, pool, 3, 10, 111);
	assert_int_equal(queue_egress_peek(queue, 90)->source_peer,
	                 1); /* time that stands still or runs back ages nothing */
	assert_int_equal(queue_egress_peek(queue, 110)->source_peer, 1); /* exactly the limit */
	assert_int_equal(queue_egress_peek(queue, 111)->source_peer, 2);
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
	struct queue_egress *a = queue_egress_new(&small), *b = queue_egress_new(&small);
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

/* Whatever happens, what went in came out, was counted as dropped, or is still there. */
static void test_counters_add_up(void **state) {
	struct queue_pool *pool = queue_pool_new(8);
	struct queue_egress *queue = queue_egress_new(&(struct queue_egress_limits){7, 700, 20});
	const struct queue_egress_stats *stats = queue_egress_stats(queue);
	struct base_rng rng;
	uint64_t now = 0;

	(void)state;
	base_rng_init(&rng, 1);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t what;

		now += base_rng_below(&rng, 4);
		what = base_rng_below(&rng, 40);
		if (what == 0)
			queue_egress_flush(queue);
		else if (what >= 20)
			push_new(queue, pool, i, (uint16_t)base_rng_below(&rng, 200), now);
		else if (queue_egress_peek(queue, now) != NULL)
			queue_egress_pop(queue);
		assert_int_equal(stats->frames_in, stats->frames_out + stats->dropped_full + stats->dropped_age +
		                                       stats->dropped_flush + queue_egress_frames(queue));
		assert_true(queue_egress_frames(queue) <= 7 && queue_egress_bytes(queue) <= 700);
		assert_int_equal(queue_pool_available(pool), 8 - queue_egress_frames(queue));
	}
	assert_true(stats->frames_out > 1000 && stats->dropped_full > 100 && stats->dropped_age > 100);
	queue_egress_free(queue);
	queue_pool_free(pool);
}

static void test_no_room_at_all(void **state) {
	struct queue_pool *pool = queue_pool_new(1);
	struct queue_egress *queue = queue_egress_new(&(struct queue_egress_limits){0, 100, 1});

	(void)state;
	assert_non_null(queue);
	assert_int_equal(push_new(queue, pool, 1, 10, 0), BASE_E_FULL);
	queue_egress_free(queue);
	queue_pool_free(pool);
	assert_null(queue_egress_new(&(struct queue_egress_limits){SIZE_MAX, 100, 1}));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_in_first_out),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_age),
	    cmocka_unit_test(test_one_frame_in_many_queues),
	    cmocka_unit_test(test_counters_add_up),
	    cmocka_unit_test(test_no_room_at_all),
	};

	return cmocka_run_group_tests_name("queue/egress", tests, NULL, NULL);
}
