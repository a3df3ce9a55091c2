/* quic/narrowing.h: whether a path that carried large packets no longer does. ngtcp2 finds out that a path carries
 * larger ones, not that it carries them no more (RFC 8899 section 4.3: black holes); and what is in a DATAGRAM is not
 * sent again in a smaller one, so that all large frames would be lost for good. Pure.
 *
 * Smaller packets do come through whenever a loss is told here: none counts as lost before a later one was acknowledged
 * (RFC 9002 section 6.1). Where nothing at all comes through it is the idle timeout that ends the connection. */
#ifndef QUIC_NARROWING_H
#define QUIC_NARROWING_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many datagrams were lost and none of their size came through, over so long a time, and at so many moments, each so
 * long after the one before: what a radio loses in one gap is lost at one moment, how much it may be. */
#define QUIC_NARROWING_LOST 8
#define QUIC_NARROWING_NS (5 * BASE_SECOND)
#define QUIC_NARROWING_MOMENTS 4
#define QUIC_NARROWING_APART_NS (500 * BASE_MS)

/* All zero: nothing is lost. */
struct quic_narrowing {
	size_t least; /* the shortest of the lost datagrams */
	size_t most;  /* the longest that came through since the first of them was lost */
	unsigned lost, moments;
	uint64_t since, moment_at; /* the first loss, and the last moment's first */
};

/* A datagram of `len` bytes, more than every path carries, was lost. True when the path has become too narrow. */
bool quic_narrowing_lost(struct quic_narrowing *narrowing, size_t len, uint64_t now);
/* One of any length came through. */
void quic_narrowing_acked(struct quic_narrowing *narrowing, size_t len);

#endif
