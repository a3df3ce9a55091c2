#include "queue/egress.h"

#include "base/error.h"
#include "base/rng.h"
#include "queue/codel.h"
#include "tests/queue/frames.h"
#include "tests/unit.h"

#define ONE_PEERS_FLOWS 132
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
		assert_int_equal(queue_egress_frames_of(queue, 1), 2);
		assert_int_equal(queue_egress_frames_of(queue, 2), 0);
		assert_int_equal(queue_egress_bytes(queue), 30);
		assert_false(queue_egress_empty(queue));
		assert_next(queue, i, 2 * i);
		assert_int_equal(queue_egress_frames_of(queue, 1), 1);
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
	struct queue_egress *queue = queue_egress_new(&(struct queue_egress_limits){8, 10000, BASE_SECOND, 0}, test_seed);
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

struct queued {
	struct queue_pool *pool;
	struct queue_egress *queue;
	uint64_t now;
};

static void queued_init(struct queued *queued, size_t frames_max, size_t bytes_max) {
	const struct queue_egress_limits limits = {frames_max, bytes_max, 200 * BASE_MS, 0};

	*queued = (struct queued){.pool = queue_pool_new(frames_max + 24), .queue = queue_egress_new(&limits, test_seed)};
}

static void queued_done(struct queued *queued) {
	queue_egress_free(queued->queue);
	queue_pool_free(queued->pool);
}

/* Frames of one flow of a peer; their mark is the flow. */
static void add(struct queued *queued, uint32_t peer, uint16_t flow, uint16_t len, unsigned frames) {
	for (unsigned i = 0; i < frames; i++) {
		struct queue_frame *frame = frame_of(queued->pool, flow, len);

		frame->source_peer = peer;
		fill_udp(frame->data, flow);
		assert_int_equal(queue_egress_push(queued->queue, frame, queued->now), 0);
		queue_frame_unref(frame);
	}
}

/* The next one's peer and flow; 0 when there is none. */
static uint32_t take(struct queued *queued, uint32_t *ret_peer) {
	struct queue_frame *frame = queue_egress_peek(queued->queue, queued->now);
	uint32_t flow = frame != NULL ? mark_of(frame) : 0;

	*ret_peer = frame != NULL ? frame->source_peer : 0;
	if (frame != NULL)
		queue_egress_pop(queued->queue, queued->now);
	return flow;
}

static void take_all(struct queued *queued) {
	uint32_t peer;

	while (take(queued, &peer) != 0)
		continue;
}

static void assert_flows(struct queued *queued, const uint32_t *flows, size_t count) {
	uint32_t peer;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(take(queued, &peer), flows[i]);
}

/* Who has left comes back as new, but not at once: a frame that arrives whenever the one before it has gone must not
 * always be first. */
static void test_new_again_starves_nobody(void **state) {
	(void)state;
	for (uint32_t peer = 1; peer <= 2; peer++) { /* another flow, another peer */
		struct queued queued;
		unsigned bulk = 0;

		queued_init(&queued, 1000, 1 << 20);
		add(&queued, 1, 1, 1400, 100);
		for (unsigned i = 0; i < 200; i++) {
			uint32_t from;

			if (queue_egress_frames(queued.queue) + bulk == 100) {
				queue_egress_peek(queued.queue, queued.now); /* sees that it is gone */
				add(&queued, peer, 2, 100, 1);
			}
			bulk += take(&queued, &from) == 1;
		}
		assert_in_range(bulk, 50, 100);
		queued_done(&queued);
	}
}

/* The fattest flow of the fattest peer goes, not the fattest of all. */
static void test_fattest_peer_pays(void **state) {
	struct queued queued;
	uint32_t peer;
	unsigned thin = 0;

	(void)state;
	queued_init(&queued, 11, 1 << 20);
	add(&queued, 1, 1, 100, 5);
	for (uint16_t flow = 2; flow <= 4; flow++)
		add(&queued, 2, flow, 100, 3);
	assert_int_equal(queue_egress_stats(queued.queue)->dropped_full, 3);
	while (take(&queued, &peer) != 0)
		thin += peer == 1;
	assert_int_equal(thin, 5);
	queued_done(&queued);
}

/* Who has fewer frames, but more bytes in them, pays where bytes are what is too much. */
static void test_large_frames_weigh_more(void **state) {
	struct queued queued;
	uint32_t peer;
	unsigned small_frames = 0;

	(void)state;
	queued_init(&queued, 10, 10000);
	add(&queued, 1, 1, 900, 5); /* weigh 1000 each */
	add(&queued, 2, 2, 1400, 4);
	assert_int_equal(queue_egress_stats(queued.queue)->dropped_full, 1);
	while (take(&queued, &peer) != 0)
		small_frames += peer == 1;
	assert_int_equal(small_frames, 5);
	queued_done(&queued);
}

/* Flows from `first` on, each with three large frames, and one with a small one after them: all apart. */
static void assert_apart(struct queued *queued, uint32_t peer, uint16_t first, uint16_t flows) {
	uint32_t from;

	for (uint16_t i = 0; i < flows - 1; i++)
		add(queued, peer, (uint16_t)(first + i), 1400, 3);
	add(queued, peer, (uint16_t)(first + flows - 1), 100, 1);
	for (uint32_t i = 0; i < flows;) {
		uint32_t flow = take(queued, &from);

		assert_int_not_equal(flow, 0);
		if (from == peer)
			assert_int_equal(flow, first + i++);
	}
}

/* One peer has many slots, and has them again after they were in use. */
static void test_slots(void **state) {
	struct queued queued;

	(void)state;
	queued_init(&queued, 1000, 2 << 20);
	for (unsigned times = 0; times < 5; times++) {
		assert_apart(&queued, 1, 1, ONE_PEERS_FLOWS);
		take_all(&queued);
	}
	queued_done(&queued);
}

/* Who opens flow after flow leaves slots to others, whose flows stay apart; so do as many peers as there can be. */
static void test_slots_are_left(void **state) {
	(void)state;
	for (uint32_t others = 1; others <= 63; others += 62) {
		struct queued queued;

		queued_init(&queued, 10000, 10 << 20);
		for (uint32_t peer = 2; peer < 2 + others; peer++) {
			for (uint16_t flow = 1; flow <= (others == 1 ? 300 : 150); flow++)
				add(&queued, peer, flow, 100, 1);
		}
		assert_apart(&queued, 1, 1000, others == 1 ? 60 : 4);
		queued_done(&queued);
	}
}

/* A flow that found no slot stays where it is when there are slots again: its frames are in order. */
static void test_order_without_slots(void **state) {
	struct queued queued;
	uint32_t last = 0;

	(void)state;
	queued_init(&queued, 1000, 1 << 20);
	for (uint16_t flow = 1; flow <= ONE_PEERS_FLOWS; flow++)
		add(&queued, 1, flow, 100, 1);
	for (uint32_t mark = 1000; mark < 1020; mark++) {
		struct queue_frame *frame = frame_of(queued.pool, mark, 1400);
		uint32_t peer, taken;

		fill_udp(frame->data, 999);
		assert_int_equal(queue_egress_push(queued.queue, frame, queued.now), 0);
		queue_frame_unref(frame);
		if (mark < 1010)
			continue;
		for (unsigned i = 0; i < 20 && (taken = take(&queued, &peer)) != 0; i++) {
			unit_assert_true(taken < 1000 || taken > last, "order");
			last = taken >= 1000 ? taken : last;
		}
	}
	queued_done(&queued);
}

/* Whoever once found no slot does not keep the others from theirs: a scan of a LAN leaves as many flows for a moment,
 * and a download that begins in it may last for hours. */
static void test_slots_again(void **state) {
	struct queued queued;
	uint32_t peer;

	(void)state;
	queued_init(&queued, 1000, 1 << 20);
	for (uint16_t flow = 1; flow <= ONE_PEERS_FLOWS; flow++)
		add(&queued, 1, flow, 100, 1);
	add(&queued, 1, 999, 1400, 40);
	for (unsigned i = 0; i < ONE_PEERS_FLOWS + 20; i++)
		assert_int_not_equal(take(&queued, &peer), 0);
	add(&queued, 1, 5, 100, 1);
	assert_flows(&queued, (const uint32_t[]){5, 999}, 2);
	queued_done(&queued);
}

/* What CoDel knew of the frames that found no slot ends with them, even when their peer stays: a later burst is a
 * burst. */
static void test_no_slots_anew(void **state) {
	struct queued queued;

	(void)state;
	queued_init(&queued, 1000, 1 << 20);
	for (int times = 0; times < 2; times++) {
		for (uint16_t flow = 1; flow <= ONE_PEERS_FLOWS; flow++)
			add(&queued, 1, flow, 100, 1);
		add(&queued, 1, 999, 1400, 10);
		queued.now += 150 * BASE_MS; /* longer than any target */
		for (unsigned i = 0; i < ONE_PEERS_FLOWS + 2; i++) {
			uint32_t peer;

			assert_int_not_equal(take(&queued, &peer), 0);
		}
		queued.now += BASE_SECOND;
		queue_egress_age(queued.queue, queued.now);
		add(&queued, 1, 1, 1400, 5);
		assert_flows(&queued, (const uint32_t[]){1, 1, 1, 1}, 4); /* all others see their turn and leave */
	}
	assert_int_equal(queue_egress_stats(queued.queue)->dropped_codel, 0);
	queued_done(&queued);
}

/* Frames that find no slot, one more and one sent in each of so many milliseconds; how many CoDel dropped. Then others
 * of the peer are sent, so that it stays and what these frames waited in sees its turn. */
static uint64_t stand(struct queued *queued, unsigned ms) {
	uint64_t before = queue_egress_stats(queued->queue)->dropped_codel, dropped;
	uint32_t peer;

	for (uint16_t flow = 1; flow <= ONE_PEERS_FLOWS; flow++)
		add(queued, 1, flow, 100, 1);
	add(queued, 1, 999, 1400, 50);
	while (ms-- > 0) {
		queued->now += BASE_MS;
		add(queued, 1, 999, 1400, 1);
		for (unsigned i = 0; i < 10 && take(queued, &peer) != 999; i++)
			continue;
	}
	dropped = queue_egress_stats(queued->queue)->dropped_codel - before;
	add(queued, 1, 5, 100, 500);
	while (queue_egress_frames(queued->queue) > 10)
		assert_int_not_equal(take(queued, &peer), 0);
	return dropped;
}

/* Nor does it drop more often at once because it dropped much a moment ago. */
static void test_no_slots_forgotten(void **state) {
	struct queued queued;
	uint64_t fresh;

	(void)state;
	queued_init(&queued, 1000, 2 << 20);
	stand(&queued, 50);
	fresh = stand(&queued, 300);
	queued_done(&queued);
	queued_init(&queued, 1000, 2 << 20);
	assert_true(stand(&queued, 700) > fresh + 2);
	assert_true(stand(&queued, 300) <= fresh);
	queued_done(&queued);
}

/* A flow that was emptied, whatever emptied it, has no standing queue: its next burst is a burst. */
static void test_emptied(void **state) {
	struct queued queued;
	uint32_t peer;

	(void)state;
	for (unsigned flush = 0; flush < 2; flush++) {
		uint64_t dropped_before;

		queued_init(&queued, 1000, 1 << 20);
		add(&queued, 1, 1, 1400, 100);
		queued.now += 6 * BASE_MS;
		assert_int_equal(take(&queued, &peer), 1);
		queued.now += QUEUE_CODEL_INTERVAL_NS;
		assert_int_equal(take(&queued, &peer), 1);
		dropped_before = queue_egress_stats(queued.queue)->dropped_codel;
		assert_true(dropped_before > 0);
		queued.now += 30 * BASE_SECOND;
		if (flush)
			queue_egress_flush(queued.queue);
		else
			queue_egress_age(queued.queue, queued.now);
		add(&queued, 1, 1, 1400, 100);
		queued.now += 101 * BASE_MS; /* longer than any target, and seen for the first time */
		assert_int_equal(take(&queued, &peer), 1);
		assert_int_equal(queue_egress_stats(queued.queue)->dropped_codel, dropped_before);
		queued_done(&queued);
	}
}

/* Who has just one frame behind the one that waits has no queue, however long a turn of the others takes. */
static void test_few_frames_are_no_queue(void **state) {
	struct queued queued;
	uint32_t peer, flow;
	unsigned left = 0;

	(void)state;
	queued_init(&queued, 1000, 1 << 20);
	add(&queued, 1, 99, 1400, 2);
	for (unsigned i = 0; i < 1000; i++) {
		for (uint16_t other = 1; other <= 20; other++) /* more than is taken */
			add(&queued, 1, other, 1400, i % 10 == 0);
		if (take(&queued, &peer) == 99)
			add(&queued, 1, 99, 1400, 1);
		queued.now += 600 * BASE_US;
	}
	assert_true(queue_egress_stats(queued.queue)->dropped_codel > 20);
	while ((flow = take(&queued, &peer)) != 0)
		left += flow == 99;
	assert_int_equal(left, 2);
	queued_done(&queued);
}

/* A newcomer's turn on a slow line ends with the first frame that is longer than 300 bytes, so that little is in front
 * of a game, whose own frames are shorter. On a fast line it is a full frame. */
static void test_turns(void **state) {
	static const uint32_t slow[] = {1, 2, 3, 3, 1, 2}, fast[] = {1, 1, 2, 2, 3, 3};
	struct queued queued;

	(void)state;
	queued_init(&queued, 1000, 1 << 20);
	for (int times = 0; times < 2; times++) {
		add(&queued, 1, 1, 350, 2);
		add(&queued, 1, 2, 350, 2);
		add(&queued, 1, 3, 299, 2);
		assert_flows(&queued, times == 0 ? slow : fast, 6);
		take_all(&queued);
		add(&queued, 1, 1, 1400, 300);
		for (unsigned i = 0; i < 300; i++) { /* 118 Mbit/s */
			assert_flows(&queued, (const uint32_t[]){1}, 1);
			queued.now += 100 * BASE_US;
		}
		for (unsigned i = 0; i < 5; i++) { /* a pause is not slow */
			add(&queued, 1, 1, 1400, 2);
			assert_flows(&queued, (const uint32_t[]){1}, 1);
			queue_egress_flush(queued.queue);
			queued.now += BASE_SECOND;
		}
		take_all(&queued);
	}
	queued_done(&queued);
}

static uint64_t dropped(const struct queue_egress_stats *stats) {
	return stats->dropped_full + stats->dropped_codel + stats->dropped_age + stats->dropped_flush;
}

/* Whatever happens, what went in came out, was counted as dropped, or is still there. Many sources with many flows, so
 * that both run out of slots. */
static void test_counters_add_up(void **state) {
	struct queue_pool *pool = queue_pool_new(800);
	struct queue_egress *queue =
	    queue_egress_new(&(struct queue_egress_limits){700, 350000, 150 * BASE_MS, 0}, test_seed);
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
			struct queue_frame *frame = frame_of(pool, i, (uint16_t)(1 + base_rng_below(&rng, 1400)));

			frame->source_peer = (uint32_t)base_rng_below(&rng, 90);
			fill_udp(frame->data, (uint16_t)base_rng_below(&rng, phase == 2 ? 2 : 1 + i / 1000));
			queue_egress_push(queue, frame, now);
			queue_frame_unref(frame);
		} else if (queue_egress_peek(queue, now) != NULL) {
			queue_egress_pop(queue, now);
		}
		assert_int_equal(stats->frames_in, stats->frames_out + dropped(stats) + queue_egress_frames(queue));
		assert_true(queue_egress_frames(queue) <= 700 && queue_egress_bytes(queue) <= 350000);
		assert_int_equal(queue_pool_available(pool), 800 - queue_egress_frames(queue));
	}
	print_message("%llu %llu %llu %llu %llu\n", (unsigned long long)stats->frames_out,
	              (unsigned long long)stats->dropped_full, (unsigned long long)stats->dropped_age,
	              (unsigned long long)stats->dropped_codel, (unsigned long long)stats->dropped_flush);
	assert_true(stats->frames_out > 10000 && stats->dropped_full > 100 && stats->dropped_age > 100 &&
	            stats->dropped_codel > 50 && stats->dropped_flush > 100);
	while (queue_egress_peek(queue, now) != NULL)
		queue_egress_pop(queue, now);
	assert_int_equal(queue_egress_bytes(queue), 0);
	queue_egress_free(queue);
	queue_pool_free(pool);
}

/* Twice as many peers as places, all with more flows than slots: each of these is in order. */
static void test_order_of_everybody(void **state) {
	enum { PEERS = 128, FLOWS = 8 };
	static uint32_t last[PEERS][FLOWS];
	const struct queue_egress_limits limits = {1000, 1 << 20, 200 * BASE_MS, 1};
	struct queued queued = {.pool = queue_pool_new(1024), .queue = queue_egress_new(&limits, test_seed)};
	struct base_rng rng;

	(void)state;
	base_rng_init(&rng, 1);
	for (uint32_t i = 1; i < 200000; i++) {
		struct queue_frame *frame;
		uint32_t *before;

		if (base_rng_below(&rng, 100) < (i / 5000 % 2 == 0 ? 60 : 40)) { /* filling, draining */
			frame = frame_of(queued.pool, i, 64);
			frame->source_peer = (uint32_t)base_rng_below(&rng, PEERS);
			fill_udp(frame->data, (uint16_t)base_rng_below(&rng, FLOWS));
			queue_egress_push(queued.queue, frame, 0);
			queue_frame_unref(frame);
		} else if ((frame = queue_egress_peek(queued.queue, 0)) != NULL) {
			before = &last[frame->source_peer][base_get_u16(frame->data + PACKET_AT + 22)];
			assert_true(mark_of(frame) > *before);
			*before = mark_of(frame);
			queue_egress_pop(queued.queue, 0);
		}
	}
	queued_done(&queued);
}

static void test_no_room_at_all(void **state) {
	struct queue_pool *pool = queue_pool_new(1);
	struct queue_egress *queue = queue_egress_new(&(struct queue_egress_limits){0, 100, 1, 0}, test_seed);

	(void)state;
	assert_non_null(queue);
	assert_int_equal(push_new(queue, pool, 1, 10, 0), BASE_E_FULL);
	queue_egress_free(queue);
	queue_pool_free(pool);
	assert_null(queue_egress_new(&(struct queue_egress_limits){SIZE_MAX, 100, 1, 0}, test_seed));
	assert_null(queue_egress_new(&(struct queue_egress_limits){1, 100, 1, UINT32_MAX}, test_seed));
}

/* A flow of a peer that came when all places were in use waits in that of another, and stays there when there is a
 * place again: its frames are in order. */
static void test_order_of_a_guest(void **state) {
	enum { PEERS = 64, GUEST = 2 * PEERS, HOST = PEERS };
	struct queued queued;
	uint32_t last = 0, mark = 1000, peer;

	(void)state;
	queued_init(&queued, 2000, 2 << 20);
	for (uint32_t other = HOST; other < HOST + PEERS; other++) {
		for (uint16_t flow = 1; flow <= (other == HOST ? 200 : 8); flow++)
			add(&queued, other, flow, 100, 1);
	}
	for (unsigned i = 0; i < 2000; i++) {
		struct queue_frame *frame = frame_of(queued.pool, mark++, 100);
		uint32_t taken;

		fill_udp(frame->data, 999);
		frame->source_peer = GUEST;
		assert_int_equal(queue_egress_push(queued.queue, frame, queued.now), 0);
		queue_frame_unref(frame);
		if (i < 20)
			continue;
		taken = take(&queued, &peer);
		if (peer == GUEST) {
			assert_true(taken > last);
			last = taken;
		}
	}
	assert_int_not_equal(last, 0);
	queued_done(&queued);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_in_first_out),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_offer_may_be_dropped),
	    cmocka_unit_test(test_offer_may_be_overtaken),
	    cmocka_unit_test(test_age),
	    cmocka_unit_test(test_one_frame_in_many_queues),
	    cmocka_unit_test(test_new_again_starves_nobody),
	    cmocka_unit_test(test_fattest_peer_pays),
	    cmocka_unit_test(test_large_frames_weigh_more),
	    cmocka_unit_test(test_slots),
	    cmocka_unit_test(test_slots_are_left),
	    cmocka_unit_test(test_order_without_slots),
	    cmocka_unit_test(test_slots_again),
	    cmocka_unit_test(test_no_slots_anew),
	    cmocka_unit_test(test_no_slots_forgotten),
	    cmocka_unit_test(test_emptied),
	    cmocka_unit_test(test_few_frames_are_no_queue),
	    cmocka_unit_test(test_turns),
	    cmocka_unit_test(test_counters_add_up),
	    cmocka_unit_test(test_order_of_a_guest),
	    cmocka_unit_test(test_order_of_everybody),
	    cmocka_unit_test(test_no_room_at_all),
	};

	return cmocka_run_group_tests_name("queue/egress", tests, NULL, NULL);
}
