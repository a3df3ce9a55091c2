/* The restraint against a line of its own: a pipe with a rate, a delay and a queue, in steps of a millisecond. */
#include "quic/restraint.h"

#include "base/time.h"
#include "unit.h"

#define RTT (20 * BASE_MS)
#define RATE UINT64_C(2500) /* bytes a millisecond: 20 Mbit/s */
#define PIPE (RATE * 20)    /* what the path holds without a queue */
#define PACKET UINT64_C(1472)

struct line {
	struct quic_restraint restraint;
	struct quic_restraint_view view;
	uint64_t now;
	uint64_t rate;        /* bytes a millisecond */
	uint64_t other_queue; /* ns that others add */
};

static void init(struct line *line) {
	*line = (struct line){.now = 1000 * BASE_SECOND,
	                      .rate = RATE,
	                      .view = {.rtt_min = RTT,
	                               .rtt_smoothed = RTT,
	                               .window = 2 * PIPE,
	                               .packet = PACKET,
	                               .acknowledged_together = 8 * PACKET}};
}

static uint64_t queue_ns(const struct line *line) {
	uint64_t in_flight = line->view.in_flight, pipe = line->rate * ((RTT + line->other_queue) / BASE_MS);

	return in_flight > pipe ? (in_flight - pipe) * BASE_MS / line->rate : 0;
}

/* A millisecond in which as much is sent as the window and the restraint let pass, of `offered`. */
static void step(struct line *line, uint64_t offered) {
	uint64_t rtt = RTT + queue_ns(line) + line->other_queue;
	uint64_t arrived = line->view.in_flight * BASE_MS / rtt;

	line->now += BASE_MS;
	line->view.in_flight -= arrived < line->view.in_flight ? arrived : line->view.in_flight;
	if (line->now / BASE_MS % 4 == 0) /* acknowledgements come in lumps */
		line->view.rtt_latest = rtt + line->now % 1000 + line->now / BASE_MS % 1000; /* never twice the same */
	quic_restraint_update(&line->restraint, &line->view, line->now);
	for (uint64_t sent = 0; sent < offered && line->view.in_flight < line->view.window; sent += 1000) {
		if (!quic_restraint_has_room(&line->restraint, line->view.in_flight, 0))
			break;
		line->view.in_flight += 1000;
		line->view.sent += 1000;
	}
}

static void run(struct line *line, unsigned ms, uint64_t offered) {
	while (ms-- > 0)
		step(line, offered);
}

/* Nothing is limited while the path's queue is short. */
static void test_calm(void **state) {
	struct line line;

	(void)state;
	init(&line);
	for (unsigned ms = 0; ms < 2000; ms++) {
		step(&line, RATE - 500);
		assert_true(line.restraint.limit == 0);
	}
}

/* Twice the rate: the queue would be 20 ms long, and is held below; the line stays full. */
static void test_queue(void **state) {
	struct line line;
	uint64_t longest = 0, before, over = 0;

	(void)state;
	init(&line);
	run(&line, 100, 3 * RATE);
	before = line.view.sent;
	for (unsigned ms = 0; ms < 2000; ms++) {
		step(&line, 3 * RATE);
		if (queue_ns(&line) > longest)
			longest = queue_ns(&line);
		over += queue_ns(&line) > 10 * BASE_MS;
	}
	assert_true(line.restraint.limit >= 2 * PACKET);
	assert_in_range(line.view.sent - before, 2000 * RATE * 95 / 100, 2000 * RATE * 101 / 100);
	assert_true(longest < 15 * BASE_MS);
	assert_true(over < 200);
}

/* The limit goes away by itself after the queue has. */
static void test_let_go(void **state) {
	struct line line;

	(void)state;
	init(&line);
	run(&line, 100, 3 * RATE);
	assert_true(line.restraint.limit > 0);
	run(&line, 500, RATE / 2);
	assert_true(line.restraint.limit == 0);
}

/* Few bytes in flight make no queue, however long the round trips are: late acknowledgements look like that. */
static void test_little_in_flight(void **state) {
	struct line line;

	(void)state;
	init(&line);
	line.other_queue = 30 * BASE_MS;
	for (unsigned ms = 0; ms < 1000; ms++) {
		step(&line, ms % 16 == 0 ? 1000 : 0);
		assert_true(line.restraint.limit == 0);
	}
}

/* Round trips that a radio makes longer, each by something else, are no queue; shorter ones that are steady are. */
static void test_jitter(void **state) {
	static const uint64_t radio[] = {9, 4, 12, 5, 8, 3, 7, 4}, queue[] = {2, 2, 2, 2, 2, 2, 2, 2};
	struct line calm, full;

	(void)state;
	init(&calm);
	init(&full);
	calm.view.in_flight = full.view.in_flight = PIPE;
	for (unsigned i = 0; i < 200; i++) {
		calm.now += 5 * BASE_MS;
		calm.view.rtt_latest = RTT + radio[i % 8] * BASE_MS;
		full.view.rtt_latest = RTT + queue[i % 8] * BASE_MS + i;
		quic_restraint_update(&calm.restraint, &calm.view, calm.now);
		quic_restraint_update(&full.restraint, &full.view, calm.now);
		assert_true(i < 60 || calm.restraint.limit == 0);
	}
	assert_true(full.restraint.limit > 0);
}

/* A queue that others keep full: holding back would only give them our share, so it ends soon, and for long. */
static void test_queue_of_others(void **state) {
	struct line line;
	unsigned held = 0;
	uint64_t before;

	(void)state;
	init(&line);
	run(&line, 500, RATE - 500);
	line.other_queue = 20 * BASE_MS;
	line.view.rtt_smoothed = RTT + line.other_queue;
	before = line.view.sent;
	for (unsigned ms = 0; ms < 9000; ms++) {
		step(&line, 3 * RATE);
		held += line.restraint.limit > 0 && line.restraint.limit < 3 * PIPE / 2;
	}
	assert_true(held > 0 && held < 1500);
	assert_true(line.view.sent - before > 9000 * RATE * 80 / 100);
}

/* The controller narrows its window for a moment to see the path without a queue: that costs rate, but not by our
 * doing, and half of it is no limit. */
static void test_probe_rtt(void **state) {
	struct line line;
	uint64_t before, longest = 0;

	(void)state;
	init(&line);
	run(&line, 2000, 3 * RATE);
	for (unsigned ms = 0; ms < 250; ms++) {
		line.view.window = PIPE / 2;
		step(&line, 3 * RATE);
		assert_true(line.restraint.limit == 0 || line.restraint.limit > PIPE / 2);
	}
	line.view.window = 2 * PIPE;
	run(&line, 100, 3 * RATE);
	before = line.view.sent;
	for (unsigned ms = 0; ms < 2000; ms++) {
		step(&line, 3 * RATE);
		if (queue_ns(&line) > longest)
			longest = queue_ns(&line);
	}
	assert_true(line.restraint.off_until == 0);
	assert_true(longest < 15 * BASE_MS);
	assert_true(line.view.sent - before > 2000 * RATE * 95 / 100);
}

/* A window that stays narrow is the controller's new opinion. */
static void test_narrow_for_good(void **state) {
	struct line line;

	(void)state;
	init(&line);
	run(&line, 2000, 3 * RATE);
	line.view.window = PIPE / 2;
	run(&line, 1100, 3 * RATE);
	assert_true(line.restraint.window == PIPE / 2);
}

/* Never so low that the other side waits for more before it acknowledges. */
static void test_least(void **state) {
	struct line line;

	(void)state;
	init(&line);
	line.view.window = 6000;
	line.view.in_flight = 6000;
	line.view.rtt_smoothed = RTT;
	for (unsigned i = 1; i <= 3; i++) {
		line.now += 5 * BASE_MS;
		line.view.rtt_latest = RTT + 10 * BASE_MS + i;
		quic_restraint_update(&line.restraint, &line.view, line.now);
	}
	assert_false(line.restraint.slow);
	assert_int_equal(line.restraint.limit, 8 * PACKET);
}

/* A slow line gets what it holds, and a packet or two; however wide the controller's window is, which knows no better.
 */
static void test_slow_line(void **state) {
	static const uint64_t rates[] = {1250, 500, 125};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct line line;
		uint64_t pipe = rates[i] * 20, before, longest = 0;

		init(&line);
		line.rate = rates[i];
		line.view.window = 100000;
		run(&line, 3000, 3 * RATE);
		before = line.view.sent;
		for (unsigned ms = 0; ms < 3000; ms++) {
			step(&line, 3 * RATE);
			longest = queue_ns(&line) > longest ? queue_ns(&line) : longest;
		}
		assert_true(line.restraint.slow);
		assert_in_range(line.restraint.limit, pipe < 2 * PACKET ? 2 * PACKET : pipe, pipe * 3 / 2 + 2 * PACKET);
		assert_in_range(line.view.sent - before, 3000 * rates[i] * 95 / 100, 3000 * rates[i] * 102 / 100);
		assert_true(longest < (pipe / 2 + 3 * PACKET) * BASE_MS / rates[i]);
	}
}

/* Its limit stays while little is sent: with none, the next transfer would begin with the whole window. */
static void test_slow_line_rests(void **state) {
	struct line line;
	uint64_t longest = 0;

	(void)state;
	init(&line);
	line.rate = 125;
	line.view.window = 100000;
	run(&line, 3000, 3 * RATE);
	run(&line, 60000, 20);
	assert_true(line.restraint.slow);
	for (unsigned ms = 0; ms < 3000; ms++) {
		step(&line, 3 * RATE);
		longest = queue_ns(&line) > longest ? queue_ns(&line) : longest;
	}
	assert_true(longest < 50 * BASE_MS);
}

/* A line that becomes fast is soon full again. */
static void test_slow_line_no_more(void **state) {
	struct line line;
	uint64_t before;

	(void)state;
	init(&line);
	line.rate = 125;
	line.view.window = 2 * PIPE;
	run(&line, 3000, 3 * RATE);
	line.rate = RATE;
	run(&line, 1500, 3 * RATE);
	assert_false(line.restraint.slow);
	before = line.view.sent;
	run(&line, 2000, 3 * RATE);
	assert_true(line.view.sent - before > 2000 * RATE * 95 / 100);
}

/* To a slow line packets leave one by one, to others as the controller says. */
static void test_pacing(void **state) {
	struct line line;
	uint64_t now, at;

	(void)state;
	init(&line);
	assert_true(quic_restraint_next(&line.restraint, 0, line.now) == BASE_NEVER);
	line.rate = 125;
	line.view.window = 100000;
	run(&line, 3000, 3 * RATE);
	assert_true(line.restraint.slow);
	now = line.now;
	assert_true(quic_restraint_next(&line.restraint, 0, now) == BASE_NEVER);
	quic_restraint_sent(&line.restraint, PACKET, now);
	at = quic_restraint_next(&line.restraint, 0, now);
	assert_in_range(at - now, PACKET * BASE_MS / 125 / 3, PACKET * BASE_MS / 125);
	assert_true(quic_restraint_next(&line.restraint, 0, at) == BASE_NEVER);
	/* A small one is as early as it is smaller. */
	assert_true(quic_restraint_next(&line.restraint, PACKET - 100, now) == BASE_NEVER);
	quic_restraint_sent(&line.restraint, PACKET, now);
	assert_true(quic_restraint_next(&line.restraint, PACKET - 100, now) != BASE_NEVER);
	assert_true(quic_restraint_next(&line.restraint, PACKET - 100, now) < quic_restraint_next(&line.restraint, 0, now));
}

/* Above the limit there is still room for a small packet, but not for more than a full one would have taken. */
static void test_small_packets(void **state) {
	struct quic_restraint restraint = {.limit = 10 * PACKET};
	uint64_t in_flight = 10 * PACKET - 1;

	(void)state;
	assert_true(quic_restraint_has_room(&restraint, in_flight, 0));
	assert_false(restraint.reached);
	in_flight += 100;
	assert_false(quic_restraint_has_room(&restraint, in_flight, 0));
	assert_true(restraint.reached);
	while (quic_restraint_has_room(&restraint, in_flight, PACKET - 100))
		in_flight += 100;
	assert_in_range(in_flight, 11 * PACKET - 100, 11 * PACKET - 1);
	restraint.limit = 0;
	assert_true(quic_restraint_has_room(&restraint, in_flight, 0));
}

static void see(struct line *line, uint64_t rtt, unsigned ms) {
	for (; ms > 0; ms -= 10) {
		line->now += 10 * BASE_MS;
		line->view.sent += PACKET; /* and as much arrived */
		line->view.rtt_latest = rtt;
		quic_restraint_update(&line->restraint, &line->view, line->now);
	}
}

/* A longer path is believed after a while, a shorter one at once; and one of which the connection says that it is
 * another as well. */
static void test_path(void **state) {
	struct line line;

	(void)state;
	init(&line);
	see(&line, RTT, 3000);
	assert_true(line.restraint.path_rtt == RTT);
	see(&line, 3 * RTT, 5000);
	assert_true(line.restraint.path_rtt == RTT);
	see(&line, 3 * RTT, 8000);
	assert_true(line.restraint.path_rtt == 3 * RTT);
	see(&line, 2 * RTT, 10);
	assert_true(line.restraint.path_rtt == 2 * RTT);
	/* What was seen last still counts after an hour without packets. */
	line.now += 3600 * BASE_SECOND;
	see(&line, 3 * RTT, 10);
	assert_true(line.restraint.path_rtt == 2 * RTT);
	line.view.rtt_min = 5 * RTT;
	see(&line, 5 * RTT, 10);
	assert_true(line.restraint.path_rtt == 5 * RTT);
}

/* A slow line is emptied now and then to see the path behind our own queue: one packet at a time, for a moment. */
static void test_drain(void **state) {
	struct line line;
	unsigned drains = 0, drained_ms = 0;

	(void)state;
	init(&line);
	line.rate = 125;
	line.view.window = 100000;
	line.view.rtt_smoothed = 2 * RTT;
	run(&line, 3000, 3 * RATE);
	assert_true(line.restraint.slow);
	for (unsigned ms = 0; ms < 30000; ms++) {
		bool before = line.restraint.draining;

		step(&line, 3 * RATE);
		drains += line.restraint.draining && !before;
		drained_ms += line.restraint.draining;
		if (line.restraint.draining && line.view.in_flight > 0) {
			assert_false(quic_restraint_has_room(&line.restraint, line.view.in_flight, 0));
			assert_true(quic_restraint_has_room(&line.restraint, PACKET, PACKET - 100));
		}
		assert_true(line.restraint.path_rtt < RTT + 2 * PACKET * BASE_MS / 125);
	}
	assert_in_range(drains, 4, 6);
	assert_in_range(drained_ms, drains * 60, drains * 90);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_calm),
	    cmocka_unit_test(test_queue),
	    cmocka_unit_test(test_let_go),
	    cmocka_unit_test(test_little_in_flight),
	    cmocka_unit_test(test_least),
	    cmocka_unit_test(test_jitter),
	    cmocka_unit_test(test_queue_of_others),
	    cmocka_unit_test(test_probe_rtt),
	    cmocka_unit_test(test_narrow_for_good),
	    cmocka_unit_test(test_slow_line),
	    cmocka_unit_test(test_slow_line_rests),
	    cmocka_unit_test(test_slow_line_no_more),
	    cmocka_unit_test(test_pacing),
	    cmocka_unit_test(test_small_packets),
	    cmocka_unit_test(test_path),
	    cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
