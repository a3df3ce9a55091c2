/* What the queue is for, in virtual time: a line of a given rate that takes one frame after the other, and senders that
 * send too much. */
#include "queue/egress.h"

#include "queue/codel.h"
#include "tests/queue/frames.h"
#include "tests/unit.h"

#define STREAMS_MAX 512
#define MBIT (1000 * 1000 / 8)
#define BULK_BYTES 1400
#define GAME_BYTES 200
#define TINY_BYTES 62   /* the smallest that hold what the tests write into them */
#define PACKET_BYTES 72 /* Ethernet, IPv4, UDP and QUIC around each frame */
/* What is on the line, one turn, and the game's own. */
#define ROUND_NS(rate) ((GAME_BYTES + 2 * BULK_BYTES + 3 * PACKET_BYTES) * BASE_SECOND / (rate))

/* Sends frames of one size at one rate. All rates and sums of bytes are those on the line. */
struct stream {
	uint32_t peer;
	uint16_t flow;
	bool broadcast;
	uint16_t len;
	uint64_t every; /* ns between frames */
	uint64_t next;
	uint64_t sent, received, refused, delay_max, delay_sum, bytes;
};

struct line {
	struct queue_pool *pool;
	struct queue_egress *queue;
	struct stream streams[STREAMS_MAX];
	size_t count;
	uint64_t now, rate, free_at;
};

static const struct queue_egress_limits limits = {
    .frames_max = 1024, .bytes_max = 1 << 20, .age_ns_max = 200 * BASE_MS};

static void line_init_flows(struct line *line, uint64_t rate, uint32_t flows_shared_max) {
	struct queue_egress_limits own = limits;

	own.flows_shared_max = flows_shared_max;
	*line = (struct line){.rate = rate, .pool = queue_pool_new(2048), .queue = queue_egress_new(&own, test_seed)};
	assert_non_null(line->pool);
	assert_non_null(line->queue);
}

static void line_init(struct line *line, uint64_t rate) {
	line_init_flows(line, rate, 0);
}

static void line_done(struct line *line) {
	const struct queue_egress_stats *stats = queue_egress_stats(line->queue);

	assert_int_equal(stats->frames_in, stats->frames_out + stats->dropped_full + stats->dropped_codel +
	                                       stats->dropped_age + stats->dropped_flush +
	                                       queue_egress_frames(line->queue));
	queue_egress_free(line->queue);
	queue_pool_free(line->pool);
}

static struct stream *add(struct line *line, uint32_t peer, uint16_t flow, uint16_t len, uint64_t rate) {
	struct stream *stream = &line->streams[line->count];

	*stream =
	    (struct stream){.peer = peer, .flow = flow, .len = len, .every = (len + PACKET_BYTES) * BASE_SECOND / rate};
	stream->next = stream->every * line->count / STREAMS_MAX; /* not all at once */
	line->count++;
	return stream;
}

static void send_one(struct line *line, struct stream *stream) {
	struct queue_frame *frame = queue_frame_new(line->pool);

	assert_non_null(frame);
	frame->source_peer = stream->peer;
	frame->len = stream->len;
	if (stream->broadcast)
		fill_broadcast(frame->data);
	else
		fill_udp(frame->data, stream->flow);
	base_put_u64(frame->data + PACKET_AT + 28, stream->next);
	base_put_u32(frame->data + PACKET_AT + 36, (uint32_t)(stream - line->streams));
	stream->refused += queue_egress_push(line->queue, frame, stream->next) != 0;
	queue_frame_unref(frame);
	stream->sent++;
	stream->next += stream->every;
}

static void deliver(struct line *line) {
	struct queue_frame *frame = queue_egress_peek(line->queue, line->now);
	struct stream *stream;
	uint64_t delay;

	if (frame == NULL)
		return;
	line->free_at = line->now + (frame->len + PACKET_BYTES) * BASE_SECOND / line->rate;
	stream = &line->streams[base_get_u32(frame->data + PACKET_AT + 36)];
	delay = line->free_at - base_get_u64(frame->data + PACKET_AT + 28);
	stream->received++;
	stream->bytes += frame->len + PACKET_BYTES;
	stream->delay_sum += delay;
	if (delay > stream->delay_max)
		stream->delay_max = delay;
	queue_egress_pop(line->queue, line->now);
}

static void run(struct line *line, uint64_t ns) {
	uint64_t end = line->now + ns;

	while (line->now < end) {
		uint64_t next = end;

		for (size_t i = 0; i < line->count; i++) {
			if (line->streams[i].next <= line->now)
				send_one(line, &line->streams[i]);
			next = base_time_min(next, line->streams[i].next);
		}
		if (line->free_at <= line->now)
			deliver(line);
		if (!queue_egress_empty(line->queue))
			next = base_time_min(next, line->free_at);
		line->now = next > line->now ? next : line->now + 1;
	}
}

/* Frames at once, and then none for a second. */
static void burst(struct line *line, struct stream *stream, unsigned frames) {
	for (unsigned n = 0; n < frames; n++) {
		stream->next = line->now;
		send_one(line, stream);
	}
	stream->next = line->now + BASE_SECOND;
}

/* Measured from here on. */
static void forget(struct line *line) {
	for (size_t i = 0; i < line->count; i++) {
		struct stream *s = &line->streams[i];

		s->sent = s->received = s->refused = s->delay_max = s->delay_sum = s->bytes = 0;
	}
}

/* A 64 Hz game beside a download that wants four times the line. */
static void test_sparse_flow_beside_bulk(void **state) {
	static const uint64_t rates[] = {2 * MBIT, 20 * MBIT, 200 * MBIT};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct line line;
		struct stream *game;

		line_init(&line, rates[i]);
		add(&line, 1, 1, BULK_BYTES, 4 * rates[i]);
		game = add(&line, 1, 2, GAME_BYTES, GAME_BYTES * 64);
		run(&line, 10 * BASE_SECOND);
		assert_in_range(game->sent - game->received, 0, 1);
		assert_in_range(game->delay_max, 1, ROUND_NS(rates[i]));
		assert_true(line.streams[0].bytes + game->bytes > rates[i] / 100 * 999); /* of ten seconds: the line is busy */
		line_done(&line);
	}
}

/* Several bulk flows of the same and of another peer: one turn of each peer at most. */
static void test_sparse_flow_beside_many(void **state) {
	struct line line;
	struct stream *game;

	(void)state;
	line_init(&line, 20 * MBIT);
	for (uint16_t i = 0; i < 20; i++)
		add(&line, 1 + i % 2, (uint16_t)(10 + i), BULK_BYTES, 4 * MBIT);
	game = add(&line, 1, 2, GAME_BYTES, GAME_BYTES * 64);
	run(&line, BASE_SECOND); /* at first all are new */
	forget(&line);
	run(&line, 5 * BASE_SECOND);
	assert_in_range(game->sent - game->received, 0, 1);
	assert_in_range(game->delay_max, 1, 2 * ROUND_NS(20 * MBIT));
	line_done(&line);
}

/* Two equal flows share a line equally whatever their frames' sizes. */
static void test_flows_share(void **state) {
	struct line line;
	struct stream *a, *b;

	(void)state;
	line_init(&line, 20 * MBIT);
	a = add(&line, 1, 1, BULK_BYTES, 40 * MBIT);
	b = add(&line, 1, 2, TINY_BYTES, 40 * MBIT);
	run(&line, BASE_SECOND);
	forget(&line);
	run(&line, 4 * BASE_SECOND);
	assert_in_range(a->bytes * 100 / b->bytes, 97, 103);
	line_done(&line);
}

/* So do two peers: each frame takes a packet, which is most of what a small one costs. */
static void test_small_frames_cost_packets(void **state) {
	struct line line;
	struct stream *large, *tiny;

	(void)state;
	line_init(&line, 20 * MBIT);
	large = add(&line, 1, 1, BULK_BYTES, 40 * MBIT);
	tiny = add(&line, 2, 1, TINY_BYTES, 40 * MBIT);
	run(&line, BASE_SECOND);
	forget(&line);
	run(&line, 4 * BASE_SECOND);
	assert_in_range(large->bytes * 100 / tiny->bytes, 97, 103);
	line_done(&line);
}

/* One peer with a hundred flows and one with a single flow get half of the line each. */
static void test_peers_share(void **state) {
	struct line line;
	struct stream *one;
	uint64_t hundred = 0;

	(void)state;
	line_init(&line, 20 * MBIT);
	one = add(&line, 1, 1, BULK_BYTES, 30 * MBIT);
	for (uint16_t i = 0; i < 100; i++)
		add(&line, 2, i, BULK_BYTES, MBIT / 2);
	run(&line, BASE_SECOND);
	forget(&line);
	run(&line, 4 * BASE_SECOND);
	for (size_t i = 1; i <= 100; i++)
		hundred += line.streams[i].bytes;
	assert_in_range(one->bytes * 100 / hundred, 97, 103);
	line_done(&line);
}

/* A peer that opens flow after flow takes all slots it may have; another peer's game does not notice. */
static void test_flow_flood(void **state) {
	struct line line;
	struct stream *game;

	(void)state;
	line_init(&line, 20 * MBIT);
	for (uint16_t i = 0; i < 100; i++)
		add(&line, 2, i, 100, MBIT);
	add(&line, 1, 5, BULK_BYTES, 20 * MBIT);
	game = add(&line, 1, 6, GAME_BYTES, GAME_BYTES * 64);
	for (uint64_t end = 2 * BASE_SECOND, step = 0; line.now < end; step++) {
		for (size_t i = 0; i < 100; i++)
			line.streams[i].flow += 100; /* all new */
		run(&line, BASE_MS);
	}
	assert_in_range(game->sent - game->received, 0, 1);
	assert_in_range(game->delay_max, 1, 2 * ROUND_NS(20 * MBIT));
	assert_true(queue_egress_stats(line.queue)->dropped_full > 1000);
	line_done(&line);
}

/* Broadcasts of a peer, more than the line takes, delay neither its own unicast nor that of others. */
static void test_broadcast_storm(void **state) {
	struct line line;
	struct stream *own, *other;

	(void)state;
	line_init(&line, 20 * MBIT);
	add(&line, 1, 0, 1000, 80 * MBIT)->broadcast = true;
	own = add(&line, 1, 1, GAME_BYTES, GAME_BYTES * 64);
	other = add(&line, 2, 1, GAME_BYTES, GAME_BYTES * 64);
	run(&line, 5 * BASE_SECOND);
	assert_in_range(own->sent - own->received, 0, 1);
	assert_in_range(other->sent - other->received, 0, 1);
	assert_in_range(own->delay_max, 1, ROUND_NS(20 * MBIT));
	assert_in_range(other->delay_max, 1, ROUND_NS(20 * MBIT));
	line_done(&line);
}

/* The flow that fills the queue pays for it. */
static void test_fattest_pays(void **state) {
	struct line line;
	struct stream *fat, *thin;

	(void)state;
	line_init(&line, MBIT);
	fat = add(&line, 1, 1, BULK_BYTES, 200 * MBIT);
	thin = add(&line, 1, 2, GAME_BYTES, MBIT / 4);
	run(&line, BASE_SECOND);
	assert_true(queue_egress_stats(line.queue)->dropped_full > 10000);
	assert_in_range(thin->sent - thin->received, 0, 3);
	assert_int_equal(thin->refused + fat->refused, 0); /* the oldest goes, not the newest */
	line_done(&line);
}

/* So does who fills it with many small frames: they are more of what the queue has room for than a burst of large ones,
 * although fewer bytes. */
static void test_many_small_frames_pay(void **state) {
	(void)state;
	for (uint32_t peer = 1; peer <= 2; peer++) { /* another flow, another peer */
		struct line line;
		struct stream *large;

		line_init(&line, 20 * MBIT);
		large = add(&line, 1, 1, BULK_BYTES, MBIT);
		add(&line, peer, 2, TINY_BYTES, 40 * MBIT);
		for (int i = 0; i < 20; i++) {
			burst(&line, large, 60);
			run(&line, 200 * BASE_MS);
		}
		assert_true(queue_egress_stats(line.queue)->dropped_full > 10000);
		unit_assert_int(large->sent - large->received, 0, peer == 1 ? "lost by a flow" : "lost by a peer");
		line_done(&line);
	}
}

/* A flow a little above the line's rate makes a standing queue: CoDel drops, and no game waits meanwhile. */
static void test_codel_drops(void **state) {
	struct line line;

	(void)state;
	line_init(&line, 20 * MBIT);
	add(&line, 1, 1, BULK_BYTES, 21 * MBIT);
	run(&line, 5 * BASE_SECOND);
	assert_true(queue_egress_stats(line.queue)->dropped_codel > 50);
	assert_int_equal(queue_egress_stats(line.queue)->dropped_full, 0);
	line_done(&line);
}

/* What waits less than the target, or just in bursts, loses nothing. */
static void test_no_drops_without_a_standing_queue(void **state) {
	struct line line;
	const struct queue_egress_stats *stats;
	struct stream *stream;

	(void)state;
	line_init(&line, 20 * MBIT);
	stats = queue_egress_stats(line.queue);
	stream = add(&line, 1, 1, BULK_BYTES, 19 * MBIT);
	add(&line, 1, 2, GAME_BYTES, MBIT / 2);
	for (int i = 0; i < 20; i++) { /* a burst of 80 frames takes 45 ms */
		burst(&line, stream, 80);
		stream->next = line.now + 100 * BASE_MS;
		run(&line, 200 * BASE_MS);
	}
	assert_int_equal(stats->dropped_codel + stats->dropped_full + stats->dropped_age, 0);
	line_done(&line);

	line_init(&line, 100 * MBIT);
	stream = add(&line, 1, 1, BULK_BYTES, 100 * MBIT);
	burst(&line, stream, (unsigned)(4 * BASE_MS / stream->every)); /* stands, for less than the target */
	stream->next = line.now;
	run(&line, BASE_SECOND);
	assert_int_equal(queue_egress_stats(line.queue)->dropped_codel, 0);
	line_done(&line);
}

/* On a slow line two frames alone take longer than the target: not a standing queue. */
static void test_slow_line(void **state) {
	struct line line;
	const struct queue_egress_stats *stats;

	(void)state;
	line_init(&line, 30000); /* 240 kbit/s: a frame takes 47 ms */
	stats = queue_egress_stats(line.queue);
	add(&line, 1, 1, BULK_BYTES, 29000);
	add(&line, 1, 2, 60, 500);
	run(&line, 20 * BASE_SECOND);
	assert_int_equal(stats->dropped_codel, 0);
	line_done(&line);
}

/* A queue that stands for 22 ms, less than two full frames take at 1 Mbit/s, may; one of 40 ms may not, and the line's
 * rate is known also where most of what it carries is not frames. */
static void test_slow_line_small_frames(void **state) {
	static const struct {
		uint16_t len;
		uint64_t stands;
		bool drops;
	} cases[] = {{GAME_BYTES, 22 * BASE_MS, false}, {TINY_BYTES, 40 * BASE_MS, true}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct line line;
		struct stream *stream;

		line_init(&line, MBIT);
		stream = add(&line, 1, 1, cases[i].len, MBIT);
		burst(&line, stream, (unsigned)(cases[i].stands / stream->every));
		stream->next = line.now;
		run(&line, BASE_SECOND);
		unit_assert_int(queue_egress_stats(line.queue)->dropped_codel > 0, cases[i].drops, i == 0 ? "22 ms" : "40 ms");
		line_done(&line);
	}
}

/* A game beside a download of many connections, all of one peer, as in clients and gateways. */
static void test_game_beside_connections(void **state) {
	(void)state;
	for (uint16_t count = 20; count <= 320; count += 60) {
		struct line line;
		struct stream *game;

		line_init_flows(&line, 50 * MBIT, 1024);
		for (uint16_t i = 0; i < count; i++)
			add(&line, 1, (uint16_t)(100 + i), BULK_BYTES, (uint64_t)100 * MBIT / count);
		game = add(&line, 1, 6, GAME_BYTES, GAME_BYTES * 64);
		run(&line, 2 * BASE_SECOND); /* all of them are new at first */
		game->sent = game->received = game->delay_sum = 0;
		run(&line, 5 * BASE_SECOND);
		assert_in_range(game->received + 4, game->sent, game->sent + 8); /* the last ones may be under way */
		assert_true(game->delay_sum / game->received < 25 * BASE_MS);
		line_done(&line);
	}
}

/* Where two frames take nearly as long as a frame may wait, CoDel still comes before age. */
static void test_very_slow_line(void **state) {
	struct line line;

	(void)state;
	line_init(&line, 15000); /* 120 kbit/s: two full frames take 213 ms */
	add(&line, 1, 1, 300, 15750);
	run(&line, 20 * BASE_SECOND);
	assert_true(queue_egress_stats(line.queue)->dropped_codel > 10);
	assert_int_equal(queue_egress_stats(line.queue)->dropped_age, 0);
	line_done(&line);
}

/* Who sent little before says nothing of the line: what stands then is seen after an interval, and not later. */
static void test_quiet_line_is_not_slow(void **state) {
	struct line line;
	struct stream *bulk;

	(void)state;
	line_init(&line, 20 * MBIT);
	bulk = add(&line, 1, 1, BULK_BYTES, MBIT);
	bulk->next = BASE_NEVER;
	add(&line, 1, 2, GAME_BYTES, (GAME_BYTES + PACKET_BYTES) * 64);
	run(&line, 2 * BASE_SECOND);
	burst(&line, bulk, 300); /* 177 ms */
	run(&line, QUEUE_CODEL_INTERVAL_NS + QUEUE_CODEL_TARGET_NS + 2 * BASE_MS);
	assert_int_equal(queue_egress_stats(line.queue)->dropped_codel, 1);
	line_done(&line);
}

/* What stands for 22 ms may on a line of 1 Mbit/s, though it was faster while there was always more to send. */
static void test_line_that_gets_slower(void **state) {
	struct line line;
	struct stream *stream;
	const struct queue_egress_stats *stats;
	uint64_t dropped;
	unsigned frames;

	(void)state;
	line_init(&line, 20 * MBIT);
	stats = queue_egress_stats(line.queue);
	stream = add(&line, 1, 1, GAME_BYTES, 20 * MBIT);
	frames = (unsigned)(22 * BASE_MS / (20 * stream->every));
	burst(&line, stream, frames);
	stream->next = line.now;
	run(&line, 2 * BASE_SECOND);
	assert_int_equal(stats->dropped_codel, 0);
	line.rate = MBIT;
	stream->every *= 20;
	run(&line, BASE_SECOND);
	dropped = stats->dropped_codel;
	burst(&line, stream, frames - (unsigned)queue_egress_frames(line.queue));
	stream->next = line.now;
	run(&line, BASE_SECOND);
	assert_int_equal(stats->dropped_codel, dropped);
	line_done(&line);
}

static void test_age_bounds_the_wait(void **state) {
	struct line line;

	(void)state;
	line_init(&line, MBIT);
	add(&line, 1, 1, BULK_BYTES, 3 * MBIT);
	run(&line, 3 * BASE_SECOND);
	assert_true(queue_egress_stats(line.queue)->dropped_age > 10);
	/* Its wait, that of a frame on the line, and its own time there. */
	assert_true(line.streams[0].delay_max <= limits.age_ns_max + 2 * BULK_BYTES * BASE_SECOND / MBIT);
	line_done(&line);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sparse_flow_beside_bulk),
	    cmocka_unit_test(test_sparse_flow_beside_many),
	    cmocka_unit_test(test_flows_share),
	    cmocka_unit_test(test_small_frames_cost_packets),
	    cmocka_unit_test(test_peers_share),
	    cmocka_unit_test(test_flow_flood),
	    cmocka_unit_test(test_broadcast_storm),
	    cmocka_unit_test(test_fattest_pays),
	    cmocka_unit_test(test_many_small_frames_pay),
	    cmocka_unit_test(test_codel_drops),
	    cmocka_unit_test(test_no_drops_without_a_standing_queue),
	    cmocka_unit_test(test_slow_line),
	    cmocka_unit_test(test_slow_line_small_frames),
	    cmocka_unit_test(test_game_beside_connections),
	    cmocka_unit_test(test_very_slow_line),
	    cmocka_unit_test(test_quiet_line_is_not_slow),
	    cmocka_unit_test(test_line_that_gets_slower),
	    cmocka_unit_test(test_age_bounds_the_wait),
	};

	return cmocka_run_group_tests_name("queue/fairness", tests, NULL, NULL);
}
