/* The restraint's rules one by one, with the figures they give; how they work together is what test_restraint.c shows.
 */
#include "quic/restraint.h"

#include "base/time.h"
#include "unit.h"

#define RTT (20 * BASE_MS)
#define LONG (RTT + 15 * BASE_MS) /* behind a queue, but not behind so much of it that it tells the line's rate */
#define STEP (10 * BASE_MS)
#define PACKET UINT64_C(1472)
#define FAST UINT64_C(20000) /* bytes in a step: 16 Mbit/s */
#define SLOW UINT64_C(500)   /* 0.4 Mbit/s */
#define WINDOW UINT64_C(100000)
#define FULL (WINDOW / 2)       /* in flight, of which half a window is made */
#define SPAN_NS (50 * BASE_MS)  /* the shortest, at this round trip: five steps */
#define BEST UINT64_C(10000000) /* bytes a second */

struct probe {
	struct quic_restraint restraint;
	struct quic_restraint_view view;
	uint64_t now;
};

static void init(struct probe *probe, uint64_t rtt) {
	*probe = (struct probe){.now = 1000 * BASE_SECOND,
	                        .view = {.rtt_latest = rtt,
	                                 .rtt_min = rtt,
	                                 .rtt_smoothed = rtt,
	                                 .window = WINDOW,
	                                 .in_flight = FULL,
	                                 .sent = 10 * WINDOW,
	                                 .packet = PACKET,
	                                 .acknowledged_together = 8 * PACKET}};
}

/* A new sample after `time`, in which `bytes` left the path. */
static void sample(struct probe *probe, uint64_t time, uint64_t rtt, uint64_t bytes) {
	probe->now += time;
	probe->view.sent += bytes;
	probe->view.rtt_latest = rtt;
	quic_restraint_update(&probe->restraint, &probe->view, probe->now);
}

static void samples(struct probe *probe, unsigned count, uint64_t rtt, uint64_t bytes) {
	while (count-- > 0)
		sample(probe, STEP, rtt, bytes);
}

/* --- is there a queue? --- */

/* One long round trip in a round is an acknowledgement that was late. */
static void test_one_late(void **state) {
	(void)state;
	for (unsigned phase = 0; phase < 4; phase++) {
		struct probe probe;

		init(&probe, RTT);
		samples(&probe, 40 + phase, RTT, FAST);
		samples(&probe, 1, RTT + 10 * BASE_MS, FAST);
		assert_true(probe.restraint.limit == 0);
		samples(&probe, 1, RTT, FAST);
		assert_true(probe.restraint.limit == 0);
		samples(&probe, 40, RTT, FAST); /* its jitter fades */
		samples(&probe, 5, RTT + 10 * BASE_MS, FAST);
		assert_true(probe.restraint.limit == FULL);
	}
}

/* The threshold on a path without jitter, which is a part of the round trip within bounds. */
static void test_threshold(void **state) {
	static const struct {
		uint64_t rtt, queue;
		bool stands;
	} cases[] = {
	    {2 * BASE_MS, 900 * BASE_US, false},    {2 * BASE_MS, 1100 * BASE_US, true},
	    {100 * BASE_MS, 4500 * BASE_US, false}, {100 * BASE_MS, 6 * BASE_MS, true},
	    {900 * BASE_MS, 15 * BASE_MS, false},   {900 * BASE_MS, 18 * BASE_MS, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t step = base_time_min(cases[i].rtt / 4, STEP);
		struct probe probe;

		init(&probe, cases[i].rtt);
		sample(&probe, step, cases[i].rtt, PACKET);
		for (unsigned j = 0; j < 200; j++)
			sample(&probe, step, cases[i].rtt + cases[i].queue, PACKET);
		assert_true((probe.restraint.limit > 0) == cases[i].stands);
	}
}

/* And twice the jitter: with a difference of 1 ms from one sample to the next that is 3 ms here. */
static void test_jitter(void **state) {
	static const uint64_t queues[] = {2500 * BASE_US, 3500 * BASE_US};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct probe probe;

		init(&probe, RTT);
		for (unsigned j = 0; j < 200; j++)
			sample(&probe, STEP, RTT + j % 2 * BASE_MS, PACKET);
		assert_in_range(probe.restraint.jitter, 990 * BASE_US, BASE_MS);
		assert_true(probe.restraint.limit == 0);
		for (unsigned j = 0; j < 20; j++)
			sample(&probe, STEP, RTT + queues[i] + j % 2 * BASE_MS, PACKET);
		assert_true((probe.restraint.limit > 0) == (i == 1));
	}
}

/* What is no jitter: the first sample, late acknowledgements, more than a suspend's worth. */
static void test_no_jitter(void **state) {
	struct probe probe;

	(void)state;
	init(&probe, RTT);
	samples(&probe, 1, RTT, FAST);
	assert_true(probe.restraint.jitter == 0);
	samples(&probe, 1, 100 * BASE_SECOND, FAST);
	assert_true(probe.restraint.jitter == BASE_MS);
	init(&probe, RTT);
	probe.view.in_flight = FULL / 2;
	for (unsigned i = 0; i < 20; i++)
		sample(&probe, STEP, RTT + i % 2 * STEP, PACKET);
	assert_true(probe.restraint.jitter == 0);
}

/* Two thirds of what may be in flight are enough to tell a queue. */
static void test_telling(void **state) {
	struct probe probe;

	(void)state;
	init(&probe, RTT);
	probe.view.in_flight = FULL * 60 / 100;
	samples(&probe, 10, RTT, FAST);
	samples(&probe, 10, LONG, FAST);
	assert_true(probe.restraint.limit == 0);
	probe.view.in_flight = FULL * 70 / 100;
	samples(&probe, 10, LONG, FAST);
	assert_true(probe.restraint.limit == FULL);
}

/* The same round trip is a new one only when something has left meanwhile. */
static void test_new_samples(void **state) {
	struct probe probe;

	(void)state;
	init(&probe, RTT);
	samples(&probe, 10, RTT, FAST);
	for (unsigned i = 0; i < 100; i++)
		sample(&probe, STEP, RTT + 10 * BASE_MS, 0);
	assert_true(probe.restraint.limit == 0); /* the first of them was one */
	samples(&probe, 5, RTT + 10 * BASE_MS, FAST);
	assert_true(probe.restraint.limit > 0);
}

/* What was sent before a limit says nothing about it: for a round trip nothing is looked at. */
static void test_new_limit(void **state) {
	struct probe probe;

	(void)state;
	init(&probe, RTT);
	samples(&probe, 10, RTT, FAST);
	while (probe.restraint.limit == 0)
		samples(&probe, 1, LONG, FAST);
	probe.restraint.limit = 1;
	sample(&probe, RTT / 2 - 1, LONG, FAST);
	sample(&probe, RTT / 2, LONG, FAST);
	assert_true(probe.restraint.limit == 1 && probe.restraint.samples == 0);
	sample(&probe, STEP, LONG, FAST);
	sample(&probe, STEP, LONG, FAST);
	assert_true(probe.restraint.limit == FULL);
}

/* While BBR looks at the path, and while we do, nothing is measured. */
static void test_emptied(void **state) {
	(void)state;
	for (unsigned draining = 0; draining < 2; draining++) {
		struct probe probe;

		init(&probe, RTT);
		samples(&probe, 10, RTT, FAST);
		if (draining) {
			probe.restraint.draining = true;
			probe.restraint.drain_until = probe.now + BASE_SECOND;
		} else {
			probe.view.window = WINDOW / 2 - 1;
		}
		for (unsigned i = 0; i < 20; i++) {
			samples(&probe, 1, 2 * RTT, FAST);
			assert_true(probe.restraint.limit == 0 && probe.restraint.samples == 0 && probe.restraint.jitter == 0);
			assert_true(probe.restraint.span_start == probe.now && probe.restraint.round_start == probe.now);
		}
	}
}

/* --- a slow line's limit --- */

#define SLOW_RATE UINT64_C(125000) /* bytes a second: 1 Mbit/s */

/* A line of which it is known that it is slow, behind a queue. */
static void init_slow(struct probe *probe, uint64_t rtt, uint64_t rate) {
	init(probe, rtt);
	samples(probe, 10, rtt, SLOW);
	probe->restraint.line_rate = rate;
	probe->restraint.slow = true;
	probe->restraint.limit = FULL;
	probe->restraint.stood = false;
}

/* Which the controller chose long ago. */
static void set_window(struct probe *probe, uint64_t window) {
	probe->view.window = probe->restraint.window = window;
}

static void assert_slow_limit(struct probe *probe, uint64_t rtt, uint64_t limit) {
	uint64_t before = probe->restraint.limit = probe->view.window - 1;

	probe->restraint.grown = 5;
	for (unsigned i = 0; i < 40 && probe->restraint.limit == before; i++)
		sample(probe, rtt / 20, rtt + 100 * BASE_MS + i, 100);
	assert_true(probe->restraint.slow);
	assert_int_equal(probe->restraint.limit, limit);
	assert_int_equal(probe->restraint.grown, 0);
}

/* What the path holds, what is not acknowledged yet, a packet; at least two, and never more than half of the window. */
static void test_slow_limit(void **state) {
	struct probe probe;

	(void)state;
	init_slow(&probe, RTT, SLOW_RATE); /* in 20 ms, and in 2.5 and half a millisecond of being late */
	assert_slow_limit(&probe, RTT, 2500 + 375 + PACKET);
	init_slow(&probe, RTT, SLOW_RATE);
	set_window(&probe, 8000);
	assert_slow_limit(&probe, RTT, 4000);
	init_slow(&probe, RTT, SLOW_RATE);
	set_window(&probe, 4000);
	assert_slow_limit(&probe, RTT, 2 * PACKET);
	init_slow(&probe, 400 * BASE_MS, SLOW_RATE); /* as many as are acknowledged together, and no more */
	probe.view.acknowledged_together = 2 * PACKET;
	set_window(&probe, 10 * WINDOW);
	probe.view.in_flight = 5 * WINDOW;
	assert_slow_limit(&probe, 400 * BASE_MS, 50000 + 2 * PACKET + PACKET);
}

/* A full packet in more than a millisecond. */
static void test_slow(void **state) {
	struct probe probe;

	(void)state;
	for (unsigned slow = 0; slow < 2; slow++) {
		init(&probe, RTT);
		samples(&probe, 10, RTT, SLOW);
		probe.restraint.line_rate = PACKET * 1000 + (slow ? -UINT64_C(5000) : 5000);
		for (unsigned i = 0; i < 40 && probe.restraint.limit == 0; i++)
			sample(&probe, BASE_MS, LONG + i, 100);
		assert_true(probe.restraint.limit > 0 && probe.restraint.slow == slow);
	}
}

/* One round in which the limit kept something back, and round trips were short. */
static void reach(struct probe *probe, uint64_t rtt) {
	assert_false(quic_restraint_has_room(&probe->restraint, probe->restraint.limit, 0));
	sample(probe, probe->view.rtt_smoothed, rtt, SLOW);
}

static void test_grow(void **state) {
	uint64_t rtt = 200 * BASE_MS, limit;
	struct probe probe;

	(void)state;
	init_slow(&probe, rtt, SLOW_RATE);
	probe.view.window = 100 * WINDOW;
	limit = probe.restraint.limit = 40000;
	reach(&probe, rtt); /* ends a round that had begun without */
	limit = probe.restraint.limit;
	probe.restraint.grown = 0;
	for (unsigned i = 0; i < 8; i++) {
		reach(&probe, rtt);
		assert_int_equal(probe.restraint.limit, limit + limit / 32);
		limit = probe.restraint.limit;
	}
	reach(&probe, rtt);
	assert_int_equal(probe.restraint.limit, limit + limit / 4);
	limit = probe.restraint.limit;
	sample(&probe, rtt, rtt, SLOW); /* it kept nothing back */
	assert_int_equal(probe.restraint.limit, limit);
	sample(&probe, rtt / 2, rtt, SLOW);
	reach(&probe, 2 * rtt); /* the round ends with a queue */
	assert_int_equal(probe.restraint.limit, limit);
	assert_int_equal(probe.restraint.grown, 0);
	samples(&probe, 100, rtt, SLOW);
	limit = probe.restraint.limit;
	reach(&probe, rtt);
	assert_int_equal(probe.restraint.limit, limit + limit / 32);
	/* So much in a round trip is no slow line. */
	probe.restraint.limit = 2 * PACKET * 200 - 1;
	reach(&probe, rtt);
	assert_false(probe.restraint.slow);
}

/* Whose rate is not known grows faster; one that is not slow as well, and whether it keeps something back or not. */
static void test_grow_fast(void **state) {
	struct probe probe;

	(void)state;
	init_slow(&probe, RTT, SLOW_RATE);
	probe.view.in_flight = 10000;
	for (unsigned slow = 0; slow < 2; slow++) {
		probe.restraint.slow = slow;
		probe.restraint.line_rate = probe.restraint.grown = 0;
		probe.restraint.limit = 20000;
		sample(&probe, RTT, RTT, SLOW);
		assert_true(slow || probe.restraint.limit == 25000);
		probe.restraint.limit = 20000;
		reach(&probe, RTT);
		assert_int_equal(probe.restraint.limit, 25000);
	}
	/* Up to the whole window, which is no limit. */
	set_window(&probe, 20000);
	probe.restraint.limit = 19000;
	probe.restraint.slow = true;
	reach(&probe, RTT);
	assert_true(probe.restraint.limit == 0 && !probe.restraint.slow);
}

/* With nothing in flight there is no queue; but a slow line stays one. */
static void test_nothing_in_flight(void **state) {
	struct probe probe;

	(void)state;
	init_slow(&probe, RTT, SLOW_RATE);
	probe.view.in_flight = 0;
	sample(&probe, STEP, RTT, 0);
	assert_true(probe.restraint.slow && probe.restraint.limit > 0);
	probe.restraint.slow = false;
	sample(&probe, STEP, RTT, 0);
	assert_true(probe.restraint.limit == 0);
}

/* A slow line is emptied every six seconds, but only under load; what is seen then is the path and a packet. */
static void test_drain(void **state) {
	struct probe probe;

	(void)state;
	init_slow(&probe, RTT, SLOW_RATE);
	probe.view.in_flight = PACKET;
	for (unsigned ms = 0; ms < 20000; ms += 10) {
		samples(&probe, 1, RTT, SLOW);
		assert_false(probe.restraint.draining);
	}
	init_slow(&probe, RTT, SLOW_RATE);
	for (unsigned ms = 0; ms < 6000 && !probe.restraint.draining; ms += 10) {
		probe.restraint.limit = FULL;
		samples(&probe, 1, RTT + 30 * BASE_MS, SLOW);
	}
	assert_true(probe.restraint.draining);
	assert_true(probe.restraint.drain_until == probe.now + 2 * RTT);
	probe.restraint.line_rate = SLOW_RATE;
	probe.view.rtt_min = BASE_MS;
	sample(&probe, STEP, RTT, SLOW);
	assert_true(probe.restraint.path_rtt == RTT - PACKET * BASE_SECOND / SLOW_RATE);
}

/* --- does it cost rate? --- */

/* A span in which so much left, with a limit that was reached or not. */
static void span(struct probe *probe, uint64_t rate, bool reached) {
	for (unsigned i = 0; i < SPAN_NS / STEP; i++) {
		probe->restraint.limit = FULL;
		probe->restraint.grown = 0;
		if (reached)
			quic_restraint_has_room(&probe->restraint, FULL, 0);
		sample(probe, STEP, RTT, rate * (STEP / BASE_US) / (BASE_SECOND / BASE_US));
	}
}

static void init_best(struct probe *probe, bool slow) {
	init(probe, RTT);
	probe->view.window = 10 * WINDOW;
	probe->view.in_flight = 5 * WINDOW;
	samples(probe, 1, RTT, FAST); /* begins a span */
	probe->restraint.best_rate = BEST;
	probe->restraint.slow = slow;
	probe->restraint.line_rate = slow ? SLOW_RATE : 0;
}

static bool is_off(const struct probe *probe) {
	return probe->restraint.off_until > probe->now;
}

/* Two spans in a row below three quarters of the best rate, and nobody else to blame. */
static void test_costs_rate(void **state) {
	struct probe probe;
	uint64_t until;

	(void)state;
	init_best(&probe, false);
	for (unsigned i = 0; i < 4; i++)
		span(&probe, BEST * 80 / 100, true);
	assert_false(is_off(&probe));
	for (unsigned i = 0; i < 4; i++)
		span(&probe, BEST / 2, false);
	assert_false(is_off(&probe));
	for (unsigned i = 0; i < 4; i++)
		span(&probe, i % 2 ? BEST : BEST / 2, true);
	assert_false(is_off(&probe));
	span(&probe, BEST * 70 / 100, true);
	assert_false(is_off(&probe));
	span(&probe, BEST * 70 / 100, true);
	assert_true(is_off(&probe) && probe.restraint.limit == 0);
	/* For ten seconds, and not longer because of what happens in them. */
	until = probe.restraint.off_until;
	assert_true(until == probe.now + 10 * BASE_SECOND);
	while (is_off(&probe)) {
		span(&probe, probe.restraint.best_rate / 2, true);
		assert_true(probe.restraint.off_until == until);
	}
	probe.restraint.best_rate = BEST;
	probe.restraint.limit = 0;
	samples(&probe, 6, RTT, FAST);
	span(&probe, BEST / 2, true);
	assert_false(is_off(&probe));
	/* Two spans again after a pause as well. */
	init_best(&probe, false);
	for (unsigned i = 0; i < 2; i++) {
		span(&probe, BEST / 2, true);
		span(&probe, BEST / 2, true);
		assert_true(is_off(&probe));
		probe.now += 20 * BASE_SECOND;
		probe.restraint.best_rate = BEST;
	}
	/* And no queue is limited in that time. */
	init_best(&probe, false);
	probe.restraint.off_until = probe.now + 10 * BASE_SECOND;
	samples(&probe, 200, 2 * RTT, FAST);
	assert_true(probe.restraint.limit == 0);
}

/* A limit that grows will soon be high enough. */
static void test_growing_is_not_blamed(void **state) {
	struct probe probe;

	(void)state;
	init_best(&probe, true);
	probe.view.rtt_smoothed = RTT;
	for (unsigned i = 0; i < 20; i++) {
		probe.restraint.grown = 1;
		sample(&probe, STEP, RTT, PACKET);
		quic_restraint_has_room(&probe.restraint, probe.restraint.limit, 0);
	}
	assert_false(is_off(&probe));
}

/* A slow line's limit is not given up, but becomes twice as much and follows the best rate. */
static void test_stand_by(void **state) {
	uint64_t path = BEST / 50, best; /* in 20 ms */
	struct probe probe;

	(void)state;
	init_best(&probe, true);
	for (unsigned i = 0; i < 2; i++)
		span(&probe, BEST / 2, true);
	assert_true(is_off(&probe) && probe.restraint.slow);
	assert_in_range(probe.restraint.limit, 2 * path * 95 / 100, 2 * path);
	init_best(&probe, true);
	probe.restraint.best_rate = BEST / 10;
	for (unsigned i = 0; i < 2; i++)
		span(&probe, BEST / 20, true);
	assert_int_equal(probe.restraint.limit, 2 * FULL);
	/* More where more is carried; and never less than it was. */
	for (unsigned better = 0; better < 2; better++) {
		init_best(&probe, true);
		probe.restraint.off_until = probe.now + 10 * BASE_SECOND;
		probe.restraint.best_rate = BEST;
		for (unsigned i = 0; i < SPAN_NS / STEP; i++) {
			probe.restraint.limit = 8 * path;
			sample(&probe, STEP, RTT, BEST / 100 * (better ? 120 : 105) / 100);
		}
		best = probe.restraint.best_rate;
		assert_in_range(best, BEST, BEST * 120 / 100);
		assert_int_equal(probe.restraint.limit, better ? 12 * path : 8 * path);
	}
}

/* --- rates --- */

/* The best rate fades, by spans or, where they are long, by time. */
static void test_best_fades(void **state) {
	struct probe probe;

	(void)state;
	init_best(&probe, false);
	span(&probe, 40000, false);
	assert_int_equal(probe.restraint.best_rate, BEST - BEST / 128);
	init_best(&probe, false);
	probe.view.rtt_smoothed = 400 * BASE_MS; /* spans of 800 ms: sixteen of the shortest */
	for (unsigned i = 0; i < 79; i++)
		sample(&probe, STEP, RTT + i % 2, 0);
	assert_int_equal(probe.restraint.best_rate, BEST);
	sample(&probe, STEP, RTT + 2, 0);
	assert_int_equal(probe.restraint.best_rate, BEST - BEST / 128 * 16);
	sample(&probe, 3600 * BASE_SECOND, RTT, 0);
	assert_in_range(probe.restraint.best_rate, BEST / 2, BEST * 3 / 4);
}

/* The line's rate is what leaves while the queue stands, and it alone makes that fade. */
static void test_line_rate(void **state) {
	struct probe probe;

	(void)state;
	for (unsigned stood = 0; stood < 2; stood++) {
		init_best(&probe, false);
		for (unsigned i = 0; i < 15; i++) {
			uint64_t rtt = stood || i % 3 == 0 ? 3 * RTT : RTT;

			probe.restraint.off_until = probe.now + BASE_SECOND; /* no limits here */
			sample(&probe, STEP, rtt + i, 5000);
		}
		assert_int_equal(probe.restraint.line_rate, stood ? 500000 : 0);
		for (unsigned i = 0; i < 5; i++) {
			probe.restraint.line_rate = i == 0 ? 800000 : probe.restraint.line_rate;
			probe.restraint.off_until = probe.now + BASE_SECOND;
			sample(&probe, STEP, stood ? 3 * RTT + i : RTT + i, 5000);
		}
		assert_int_equal(probe.restraint.line_rate, stood ? 700000 : 800000);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_late),
	    cmocka_unit_test(test_threshold),
	    cmocka_unit_test(test_jitter),
	    cmocka_unit_test(test_no_jitter),
	    cmocka_unit_test(test_telling),
	    cmocka_unit_test(test_new_samples),
	    cmocka_unit_test(test_new_limit),
	    cmocka_unit_test(test_emptied),
	    cmocka_unit_test(test_slow_limit),
	    cmocka_unit_test(test_slow),
	    cmocka_unit_test(test_grow),
	    cmocka_unit_test(test_grow_fast),
	    cmocka_unit_test(test_nothing_in_flight),
	    cmocka_unit_test(test_drain),
	    cmocka_unit_test(test_costs_rate),
	    cmocka_unit_test(test_growing_is_not_blamed),
	    cmocka_unit_test(test_stand_by),
	    cmocka_unit_test(test_best_fades),
	    cmocka_unit_test(test_line_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
