/* quic/restraint.h: how much a connection may have in flight while the path's queue stands. BBR finds a path's rate by
 * sending more than the path carries until the rate no longer grows; all of that waits in somebody's buffer, and a game
 * packet waits behind it. When round trips say that such a queue stands, no more than the path holds without one may be
 * in flight, until round trips are short again; what waits then waits in our own queue, where a game packet goes first.
 *
 * The shape is that of HyStart++ (RFC 9406). BBR keeps its window at twice what the path holds, so
 * half of the window is the limit. Where that costs rate, the long round trips were somebody else's queue or a radio's
 * delay, and the restraint is off for a while. Pure. */
#ifndef QUIC_RESTRAINT_H
#define QUIC_RESTRAINT_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing is known yet. */
struct quic_restraint {
	uint64_t limit;       /* bytes in flight, 0: none */
	bool reached;         /* the limit held something back in this span */
	uint64_t round_start; /* packets sent before this say nothing about the present limit */
	uint64_t seen_rtt;    /* the last sample */
	uint64_t jitter;      /* how much one sample differs from the one before, on average */
	uint64_t least_rtt;   /* of this round */
	unsigned samples;     /* in this round */

	/* The rate at which bytes left the path, by spans of some round trips. */
	uint64_t span_start, span_left;
	uint64_t best_rate; /* bytes a second; fades */
	unsigned poor;      /* spans in a row in which the limit cost rate */
	uint64_t off_until;

	uint64_t window, window_at; /* the controller's, and when it last was no less than half of that */
};

struct quic_restraint_view {
	uint64_t rtt_latest, rtt_min, rtt_smoothed; /* ns */
	uint64_t window, in_flight;                 /* bytes */
	uint64_t sent;                              /* bytes, ever */
	uint64_t limit_min; /* with less in flight the other side would wait for more before it acknowledges */
};

/* To be told before each write. */
void quic_restraint_update(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now);

/* Whether one more packet may be sent. */
static inline bool quic_restraint_allows(struct quic_restraint *restraint, uint64_t in_flight) {
	if (restraint->limit == 0 || in_flight < restraint->limit)
		return true;
	restraint->reached = true;
	return false;
}

#endif
