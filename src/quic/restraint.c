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

/* Acknowledgements come for some packets at once: shorter spans would measure noise. */
#define SPAN_MIN (50 * BASE_MS)
#define SPAN_RTTS 2
#define FADE_PART 128
#define POOR_PERCENT 75
#define POOR_SPANS 2
#define OFF_NS (10 * BASE_SECOND)

/* Longer than BBR looks at a path (0.2 s and the round trips before and after); a window that stays narrow is one. */
#define LOOK_NS BASE_SECOND

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max) {
	return value < min ? min : value < max ? value : max;
}

static uint64_t threshold(const struct quic_restraint *restraint, uint64_t rtt_min) {
	return clamp(rtt_min / THRESHOLD_PART, THRESHOLD_MIN, THRESHOLD_MAX) + JITTERS * restraint->jitter;
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
	restraint->least_rtt = UINT64_MAX;
}

/* With little in flight a queue cannot be ours, and acknowledgements come late: such round trips tell nothing. */
static bool is_telling(const struct quic_restraint_view *view) {
	return view->in_flight >= view->window / 3;
}

static bool queue_stands(const struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	return restraint->samples >= SAMPLES_MIN && is_telling(view) &&
	       restraint->least_rtt > view->rtt_min + threshold(restraint, view->rtt_min);
}

/* BBR narrows its window for a moment, to see the path without a queue. Half of that window is no measure of the path,
 * and it is not us who then cost rate. */
static bool is_looking(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	if (view->window >= restraint->window / 2 || now >= restraint->window_at + LOOK_NS) {
		restraint->window = view->window;
		restraint->window_at = now;
		return false;
	}
	return true;
}

static void hold_back(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	restraint->limit = view->window / 2 > view->limit_min ? view->window / 2 : view->limit_min;
	start_round(restraint, now + view->rtt_smoothed);
}

/* Back to the whole window by a quarter a round: at once would fill the queue again before BBR has noticed. */
static void let_go(struct quic_restraint *restraint, const struct quic_restraint_view *view) {
	restraint->limit += restraint->limit / 4;
	if (restraint->limit >= view->window)
		restraint->limit = 0;
}

static void judge_span(struct quic_restraint *restraint, uint64_t rate, uint64_t now) {
	if (!restraint->reached || rate >= restraint->best_rate * POOR_PERCENT / 100) {
		restraint->poor = 0;
	} else if (++restraint->poor == POOR_SPANS) {
		restraint->limit = 0;
		restraint->off_until = now + OFF_NS;
		restraint->poor = 0;
	}
	restraint->best_rate -= restraint->best_rate / FADE_PART;
	if (rate > restraint->best_rate)
		restraint->best_rate = rate;
}

static void start_span(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	restraint->span_start = now;
	restraint->span_left = view->sent - view->in_flight;
	restraint->reached = false;
}

static void measure_rate(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	uint64_t span = now - restraint->span_start, left = view->sent - view->in_flight;

	if (span < SPAN_MIN || span < SPAN_RTTS * view->rtt_smoothed)
		return;
	judge_span(restraint, (left - restraint->span_left) * BASE_SECOND / span, now);
	start_span(restraint, view, now);
}

void quic_restraint_update(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now) {
	const uint64_t before = restraint->seen_rtt;

	if (view->rtt_latest == before)
		return;
	restraint->seen_rtt = view->rtt_latest;
	if (is_looking(restraint, view, now)) {
		start_span(restraint, view, now);
		start_round(restraint, now);
		return;
	}
	if (is_telling(view))
		measure_jitter(restraint, before, view->rtt_latest);
	measure_rate(restraint, view, now);
	if (now < restraint->round_start || now < restraint->off_until)
		return;
	if (view->rtt_latest < restraint->least_rtt || restraint->samples == 0)
		restraint->least_rtt = view->rtt_latest;
	restraint->samples++;
	if (queue_stands(restraint, view)) {
		hold_back(restraint, view, now);
	} else if (now >= restraint->round_start + view->rtt_smoothed) {
		let_go(restraint, view);
		start_round(restraint, now);
	}
}
