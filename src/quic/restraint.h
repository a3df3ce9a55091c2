/* quic/restraint.h: how much a connection may have in flight while the path's queue stands. BBR finds a path's rate by
 * sending more than the path carries until the rate no longer grows; all of that waits in somebody's buffer, and a game
 * packet waits behind it. When round trips say that such a queue stands, no more than the path holds without one may be
 * in flight, until round trips are short again; what waits then waits in our own queue, where a game packet goes first.
 *
 * The shape is that of HyStart++ (RFC 9406). BBR keeps its window at twice what the path holds, so
 * half of the window is the limit. On a slow line that is far too much (at its start BBR has a window of 100 KB, a
 * second at 1 Mbit/s; later never less than four packets and what a peer acknowledges together): there the limit is
 * what the line was seen to carry in the shortest round trip. Where a limit costs rate, the long round trips were
 * somebody else's queue or a radio's delay, and the restraint is off for a while. Pure. */
#ifndef QUIC_RESTRAINT_H
#define QUIC_RESTRAINT_H

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

/* While one full packet at a time leaves, small ones pass it all the same, some of them. */
#define QUIC_RESTRAINT_DRAIN_SPARES 4
#define QUIC_RESTRAINT_BURST BASE_MS /* what a slow line carries in this time may leave together */

/* All zero: nothing is known yet. */
struct quic_restraint {
	uint64_t limit;       /* bytes in flight, 0: none */
	bool slow;            /* it is what a slow line holds, and not half of BBR's window */
	bool reached;         /* it held something back in this span */
	bool reached_round;   /* and in this round */
	unsigned grown;       /* rounds in a row in which a slow line's grew */
	uint64_t round_start; /* packets sent before this say nothing about the present limit */
	uint64_t seen_rtt;    /* the last sample */
	uint64_t seen_left;   /* and how many bytes had left the path */
	uint64_t jitter;      /* how much one sample differs from the one before, on average */
	uint64_t least_rtt;   /* of this round */
	unsigned samples;     /* in this round */

	uint64_t path_rtt;    /* the path's, without a queue: the shortest of late, and not below the view's rtt_min */
	uint64_t shortest[2]; /* since `shortest_at`, and of the time before; 0: of all times */
	uint64_t shortest_at;
	bool draining; /* one packet at a time leaves, until `drain_until` */
	uint64_t drain_until;

	/* The rate at which bytes left the path, by spans of some round trips. */
	uint64_t span_start, span_left;
	bool stood; /* the queue did, all through this span */
	/* In bytes a second; both fade, the second one faster. */
	uint64_t best_rate; /* the most that left */
	uint64_t line_rate; /* what the line carries: the most that left once a queue stood; 0: not known */
	unsigned poor;      /* spans in a row in which the limit cost rate */
	uint64_t off_until;

	/* Pacing, of slow lines only: `limit` bytes in `path_rtt`. */
	uint64_t next; /* when the next packet may leave; QUIC_RESTRAINT_BURST earlier is early enough */

	uint64_t window, window_at; /* the controller's, and when it last was no less than half of that */
};

struct quic_restraint_view {
	uint64_t rtt_latest, rtt_min, rtt_smoothed; /* ns; rtt_min: the shortest ever on this path */
	uint64_t window, in_flight;                 /* bytes */
	uint64_t sent;                              /* bytes, ever */
	uint64_t packet;                            /* bytes of a full one */
	uint64_t acknowledged_together; /* bytes for which the other side may wait, but not longer than a part of the round
	                                   trip */
};

/* To be called before each write. */
void quic_restraint_update(struct quic_restraint *restraint, const struct quic_restraint_view *view, uint64_t now);

/* `spare` is by how many bytes a packet is smaller than a full one. A full packet may leave when the limit has room for
 * its first byte, and goes over it with the rest. A smaller one may go over it up to the same point, so that a game's
 * packet leaves where a full one would have to wait. */

/* Whether one more packet may be in flight. */
static inline bool quic_restraint_has_room(struct quic_restraint *restraint, uint64_t in_flight, uint64_t spare) {
	const uint64_t room = restraint->draining ? 1 + QUIC_RESTRAINT_DRAIN_SPARES * spare : restraint->limit + spare;

	if (restraint->limit == 0 || in_flight < room)
		return true;
	restraint->reached = restraint->reached_round = true;
	return false;
}

/* How long a slow line takes for so many bytes, in ns. */
static inline uint64_t quic_restraint_time(const struct quic_restraint *restraint, uint64_t bytes) {
	return bytes * restraint->path_rtt / restraint->limit;
}

/* When the packet may leave, or BASE_NEVER: now. To a slow line packets leave evenly, since a burst is a queue while it
 * passes, and makes the round trip of its last packet look long. */
static inline uint64_t quic_restraint_next(const struct quic_restraint *restraint, uint64_t spare, uint64_t now) {
	uint64_t early;

	if (!restraint->slow)
		return BASE_NEVER;
	early = QUIC_RESTRAINT_BURST + quic_restraint_time(restraint, spare);
	return restraint->next <= now + early ? BASE_NEVER : restraint->next - early;
}

/* To be called for each packet that leaves. */
static inline void quic_restraint_sent(struct quic_restraint *restraint, uint64_t len, uint64_t now) {
	if (restraint->slow)
		restraint->next = (restraint->next > now ? restraint->next : now) + quic_restraint_time(restraint, len);
}

#endif
