/* quic/restraint.c: rounds of round trips to see a queue, spans of throughput to see whether holding back is wrong. */
#include "quic/restraint.h"

#include "base/time.h"

/* A part of the round trip, within bounds, as RFC 9406 section 4.3 has it, but less: its eighth and 4 ms let 10 ms of
 * queue build up at 20 Mbit/s before the effect of a limit shows. */
#define THRESHOLD_PART 20
#define THRESHOLD_MIN BASE_MS
#define THRESHOLD_MAX (16 * BASE_MS)
/* And the path's jitter so many times: a radio's delay jumps, a queue's changes slowly. */
#define JITTERS 2
#define JITTER_PART 16
/* One sample may be a late acknowledgement; two that are late by chance do no harm. */
#define SAMPLES_MIN 2

/* A line is slow when a full packet takes longer than this: below 12 Mbit/s. Above, BBR's window is no worse a measure,
 * and a kinder one to radios (docs/decisions/0008). */
#define SLOW_PACKET BASE_MS
/* Packets are acknowledged an eighth of the round trip late, as ngtcp2 has it, and as late as timers are. */
#define LATE_PART 8
#define LATE_TIMER (BASE_MS / 2)
#define LIMIT_PACKETS_MIN 2

/* Parts of the limit by which it grows in a round. */
#define GROWTH_PART 4
#define GENTLE_PART 32
#define GENTLE_ROUNDS 8

/* Acknowledgements come for some packets at once: shorter spans would measure noise. */
#define SPAN_MIN (50 * BASE_MS)
#define SPAN_RTTS 2
#define FADE_PART 128
#define LINE_FADE_PART 8
#define POOR_PERCENT 75
#define POOR_SPANS 2
#define OFF_NS (10 * BASE_SECOND)
#define BETTER_PART 10

/* A path's shortest round trip is forgotten after one or two of these: a path may get longer, and every round trip
 * would look like a queue from then on. BBR empties the path every 5 s, unless it has seen a round trip as short
 * meanwhile. */
#define SHORTEST_NS (6 * BASE_SECOND)
#define DRAIN_RTTS 2

/* Longer than BBR's ProbeRTT (0.2 s and the round trips before and after); a window that stays narrow is one. */
#define PROBE_RTT_MAX_NS BASE_SECOND

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max) {
	return value < min ? min : value < max ? value : max;
}

static uint64_t at_least(uint64_t value, uint64_t least) {
	return value > least ? value : least;
}

static uint64_t threshold(const struct quic_restraint *restraint) {
	return clamp(restraint->path_rtt / THRESHOLD_PART, THRESHOLD_MIN, THRESHOLD_MAX) + JITTERS * restraint->jitter;
}

/* RFC 3550 section 6.4.1, of round trips. One that is far off, as after a suspend, counts as little more than others.
 */
static void measure_jitter(struct quic_restraint *restraint, uint64_t before, uint64_t rtt) {
	uint64_t difference = rtt > before ? rtt - before : before - rtt;

	if (before != 0)
		restraint->jitter += clamp(difference, 0, THRESHOLD_MAX) / JITTER_PART - restraint->jitter / JITTER_PART;
}

static void start_round(struct quic_restraint *restraint, uint64_t at) {
	restraint->round_start = at;
	restraint->samples = 0;
	restraint->reached_round = false;
	restraint->least_rtt = UINT64_MAX;
}

/* With little in flight a queue cannot be ours, and acknowledgements come late: such round trips tell nothing. */
static bool is_telling(const struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	uint64_t full = view->window / 2;

	if (restraint->slow)
		full = base_time_min(full, restraint->limit);
	return view->in_flight >= full * 2 / 3;
}

/* BBR's narrowest window, four packets, does not empty a slow line. So that our own queue is not taken for the path
 * there, one packet at a time leaves for a round trip and another. */
static void start_drain(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	restraint->drain_until = now + DRAIN_RTTS * view->rtt_smoothed;
	restraint->draining = true;
}

/* Without the time that a full packet takes on a slow line, for which its limit has room anyway. */
static uint64_t path_sample(const struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	uint64_t packet_ns;

	if (!restraint->draining || restraint->line_rate == 0)
		return view->rtt_latest;
	packet_ns = view->packet * BASE_SECOND / restraint->line_rate;
	return view->rtt_latest - base_time_min(packet_ns, view->rtt_latest);
}

/* Where nothing was to be seen for long, what was seen last still counts. With no transfer an acknowledgement may be
 * late on purpose, but once a second one is not (quic/internal.h). */
static void note_shortest(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	if (now >= restraint->shortest_at + SHORTEST_NS) {
		restraint->shortest_at = now;
		restraint->shortest[1] = restraint->shortest[0];
		restraint->shortest[0] = view->rtt_latest;
		if (restraint->slow && is_telling(restraint, view))
			start_drain(restraint, view, now);
	}
	restraint->shortest[0] = base_time_min(restraint->shortest[0], path_sample(restraint, view));
	/* The shortest ever is more than ours when it was forgotten because the path is another. */
	restraint->path_rtt = at_least(base_time_min(restraint->shortest[0], restraint->shortest[1]), view->rtt_min);
}

static bool is_long(const struct quic_restraint *restraint, uint64_t rtt) {
	return rtt > restraint->path_rtt + threshold(restraint);
}

static bool queue_stands(const struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	return restraint->samples >= SAMPLES_MIN && is_telling(restraint, view) && is_long(restraint, restraint->least_rtt);
}

/* BBR narrows its window for a moment (ProbeRTT), to see the path without a queue. Half of that window is no measure of
 * the path, and it is not us who then cost rate. */
static bool is_probing_rtt(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	if (view->window < restraint->window / 2 && now < restraint->window_at + PROBE_RTT_MAX_NS)
		return true;
	restraint->window = view->window;
	restraint->window_at = now;
	return false;
}

/* --- the limit --- */

/* Bytes a second that the line carries, 0: not known; asked only while a queue stands. What is in flight tells it where
 * most of that waits; at a transfer's start it also comes in bursts, which are no queue. */
static uint64_t line_rate(const struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	if (restraint->line_rate != 0)
		return restraint->line_rate;
	if (!restraint->slow && view->rtt_latest < 2 * restraint->path_rtt)
		return 0;
	return view->in_flight * (BASE_SECOND / BASE_US) / at_least(view->rtt_latest / BASE_US, 1);
}

static uint64_t bytes_in(uint64_t time, uint64_t rate) {
	return rate * (time / BASE_US) / (BASE_SECOND / BASE_US);
}

static bool is_slow(const struct quic_restraint_view *view, uint64_t rate) {
	return rate != 0 && bytes_in(SLOW_PACKET, rate) < view->packet;
}

/* What the path holds without a queue, what the other side has not acknowledged yet, and a packet that waits for the
 * line, so that the line never waits for it. */
static uint64_t slow_limit(const struct quic_restraint *restraint, const struct quic_restraint_view *view,
                           uint64_t rate) {
	uint64_t late = bytes_in(restraint->path_rtt / LATE_PART + LATE_TIMER, rate);
	uint64_t limit =
	    bytes_in(restraint->path_rtt, rate) + base_time_min(late, view->acknowledged_together) + view->packet;

	return at_least(base_time_min(limit, view->window / 2), LIMIT_PACKETS_MIN * view->packet);
}

static void hold_back(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	uint64_t rate = line_rate(restraint, view);

	restraint->slow = is_slow(view, rate);
	if (restraint->slow)
		restraint->limit = slow_limit(restraint, view, rate);
	else
		restraint->limit = at_least(view->window / 2, view->acknowledged_together);
	restraint->grown = 0;
	start_round(restraint, now + view->rtt_smoothed);
}

/* A slow line's limit is most likely right. So it grows only when it held something back and still left no queue, and
 * gently at first; it stays while little is sent, for BBR would begin again with its whole window. */
static void grow_gently(struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	bool gentle = restraint->line_rate != 0 && restraint->grown < GENTLE_ROUNDS;

	if (!restraint->reached_round)
		return;
	if (is_long(restraint, view->rtt_latest)) {
		restraint->grown = 0;
		return;
	}
	restraint->limit += restraint->limit / (gentle ? GENTLE_PART : GROWTH_PART);
	restraint->grown++;
	/* So much in a round trip without a queue: no slow line. */
	if (restraint->limit / 2 >= view->packet * (restraint->path_rtt / BASE_US) / (SLOW_PACKET / BASE_US))
		restraint->slow = false;
}

/* Back to the whole window by a quarter a round: at once would fill the queue again before BBR has noticed. */
static void let_go(struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	if (restraint->slow)
		grow_gently(restraint, view);
	else
		restraint->limit += restraint->limit / GROWTH_PART;
	if (restraint->limit >= view->window) {
		restraint->limit = 0;
		restraint->slow = false;
	}
}

/* --- does it cost rate? --- */

/* A limit that is growing is not blamed: it will soon be high enough. */
static bool costs_rate(const struct quic_restraint *restraint, uint64_t rate, uint64_t now) {
	return restraint->reached && restraint->grown == 0 && now >= restraint->off_until &&
	       rate < restraint->best_rate * POOR_PERCENT / 100;
}

/* A slow line still needs a limit, but one that follows the rate: the window that BBR would have if it knew the line,
 * and more as long as more is carried. */
static void stand_by(struct quic_restraint *restraint, uint64_t rate_before) {
	if (!restraint->slow) {
		restraint->limit = 0;
		return;
	}
	if (restraint->best_rate > rate_before + rate_before / BETTER_PART)
		restraint->limit += restraint->limit / 2;
	restraint->limit = at_least(restraint->limit, 2 * bytes_in(restraint->path_rtt, restraint->best_rate));
}

static void give_up(struct quic_restraint *restraint, uint64_t now) {
	restraint->limit *= 2;
	restraint->off_until = now + OFF_NS;
	restraint->poor = 0;
}

/* The best fades with time, by a quarter at most in one span: the longer a queue, the longer the spans are. */
static void learn_rates(struct quic_restraint *restraint, uint64_t rate, uint64_t span) {
	restraint->best_rate -= restraint->best_rate / FADE_PART * clamp(span / SPAN_MIN, 1, FADE_PART / 4);
	if (rate > restraint->best_rate)
		restraint->best_rate = rate;
	if (restraint->stood)
		restraint->line_rate -= restraint->line_rate / LINE_FADE_PART;
	if ((restraint->stood || restraint->line_rate != 0) && rate > restraint->line_rate)
		restraint->line_rate = rate;
}

static void start_span(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	restraint->span_start = now;
	restraint->span_left = view->sent - view->in_flight;
	restraint->reached = false;
	restraint->stood = is_telling(restraint, view) && is_long(restraint, view->rtt_latest);
}

static void measure_rate(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	uint64_t span = now - restraint->span_start, left = view->sent - view->in_flight;
	uint64_t best_before = restraint->best_rate, rate;

	restraint->stood = restraint->stood && is_telling(restraint, view) && is_long(restraint, view->rtt_latest);
	if (span < SPAN_MIN || span < SPAN_RTTS * view->rtt_smoothed)
		return;
	rate = (left - restraint->span_left) * BASE_SECOND / span;
	if (!costs_rate(restraint, rate, now))
		restraint->poor = 0;
	else if (++restraint->poor == POOR_SPANS)
		give_up(restraint, now);
	learn_rates(restraint, rate, span);
	if (now < restraint->off_until)
		stand_by(restraint, best_before);
	start_span(restraint, view, now);
}

/* Whether there is a new round trip. One that is as long as the last is new when something has left meanwhile; our own
 * acknowledgements, which are small, leave at once. */
static bool note_sample(struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	uint64_t left = view->sent - view->in_flight;

	if (view->rtt_latest == restraint->seen_rtt && left < restraint->seen_left + view->packet / 4)
		return false;
	restraint->seen_rtt = view->rtt_latest;
	restraint->seen_left = left;
	return true;
}

void quic_restraint_update(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	const uint64_t before = restraint->seen_rtt;
	const bool probing = is_probing_rtt(restraint, view, now);
	bool emptied;

	restraint->draining = restraint->draining && now < restraint->drain_until;
	emptied = probing || restraint->draining;
	if (view->in_flight == 0 && !restraint->slow)
		restraint->limit = 0;
	if (!note_sample(restraint, view))
		return;
	note_shortest(restraint, view, now);
	if (emptied) {
		start_span(restraint, view, now);
		start_round(restraint, now);
		return;
	}
	if (is_telling(restraint, view))
		measure_jitter(restraint, before, view->rtt_latest);
	measure_rate(restraint, view, now);
	if (now < restraint->round_start || now < restraint->off_until)
		return;
	if (view->rtt_latest < restraint->least_rtt)
		restraint->least_rtt = view->rtt_latest;
	restraint->samples++;
	if (queue_stands(restraint, view)) {
		hold_back(restraint, view, now);
	} else if (now >= restraint->round_start + view->rtt_smoothed) {
		let_go(restraint, view);
		start_round(restraint, now);
	}
}
