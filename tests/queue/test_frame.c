#include "queue/frame.h"

#include "tests/unit.h"

#include <string.h>

static void test_pool_is_bounded_and_reused(void **state) {
	struct queue_pool *pool = queue_pool_new(3);
	struct queue_frame *frames[3];

	(void)state;
	assert_non_null(pool);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < 3; i++) {
			assert_int_equal(queue_pool_available(pool), 3 - i);
			frames[i] = queue_frame_new(pool);
			assert_non_null(frames[i]);
			assert_int_equal(frames[i]->refs, 1);
			assert_int_equal(frames[i]->len, 0);
			assert_int_equal(frames[i]->source_peer, 0);
			memset(frames[i]->data, 0xff, sizeof(frames[i]->data));
			frames[i]->len = QUEUE_FRAME_BYTES_MAX;
			frames[i]->source_peer = 9;
		}
		assert_true(frames[0] != frames[1] && frames[1] != frames[2] && frames[0] != frames[2]);
		assert_null(queue_frame_new(pool));
		assert_int_equal(queue_pool_available(pool), 0);
		for (size_t i = 0; i < 3; i++)
			queue_frame_unref(frames[(i + round) % 3]);
		assert_int_equal(queue_pool_available(pool), 3);
	}
	queue_pool_free(pool);
}

static void test_references(void **state) {
	struct queue_pool *pool = queue_pool_new(1);
	struct queue_frame *frame = queue_frame_new(pool);

	(void)state;
	assert_ptr_equal(queue_frame_ref(frame), frame);
	assert_ptr_equal(queue_frame_ref(frame), frame);
	queue_frame_unref(frame);
	queue_frame_unref(frame);
	assert_int_equal(queue_pool_available(pool), 0);
	assert_null(queue_frame_new(pool));
	frame->len = 20;
	assert_int_equal(queue_frame_bytes(frame).len, 20);
	assert_ptr_equal(queue_frame_bytes(frame).data, frame->data);
	queue_frame_unref(frame);
	assert_int_equal(queue_pool_available(pool), 1);
	queue_frame_unref(NULL);
	queue_pool_free(pool);
	queue_pool_free(NULL);
}

/* A frame counts with its holder and those above until the last reference is gone. */
static void test_holders(void **state) {
	struct queue_pool *pool = queue_pool_new(2);
	struct queue_holder room = {.frames = 0}, peer = {.above = &room};
	struct queue_frame *first = queue_frame_new(pool), *second = queue_frame_new(pool);

	(void)state;
	queue_frame_charge(first, &peer);
	queue_frame_charge(second, &room);
	assert_true(peer.frames == 1 && room.frames == 2);
	queue_frame_ref(first);
	queue_frame_unref(first);
	assert_true(peer.frames == 1 && room.frames == 2);
	queue_frame_unref(first);
	assert_true(peer.frames == 0 && room.frames == 1);
	first = queue_frame_new(pool); /* one that was charged before is nobody's again */
	queue_frame_unref(first);
	queue_frame_unref(second);
	assert_true(peer.frames == 0 && room.frames == 0);
	queue_pool_free(pool);
}

static void test_empty_pool(void **state) {
	struct queue_pool *pool = queue_pool_new(0);

	(void)state;
	assert_non_null(pool);
	assert_null(queue_frame_new(pool));
	queue_pool_free(pool);
	assert_null(queue_pool_new(SIZE_MAX / 2));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pool_is_bounded_and_reused),
	    cmocka_unit_test(test_references),
	    cmocka_unit_test(test_holders),
	    cmocka_unit_test(test_empty_pool),
	};

	return cmocka_run_group_tests_name("queue/frame", tests, NULL, NULL);
}
