/* quic/narrowing.h: notices when a path no longer carries large packets that it did carry: a black hole (RFC 8899
 * section 4.3). ngtcp2 finds out which sizes a path carries, but does not ask again later; and since a DATAGRAM frame
 * is not sent again in smaller packets, all large frames would be lost from then on. Pure.
 *
 * Smaller packets still come through whenever a loss is told here, because a packet counts as lost only when a later
 * one was acknowledged (RFC 9002 section 6.1). Where nothing at all comes through, the idle timeout ends the
 * connection. */
#ifndef QUIC_NARROWING_H
#define QUIC_NARROWING_H

#include "base/time.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A path has become too narrow when all of this holds for the datagrams that were lost since one of their size last
 * came through. Whatever a radio loses in one gap counts as one moment. */
#define QUIC_NARROWING_LOST 8                   /* so many of them, */
#define QUIC_NARROWING_NS (5 * BASE_SECOND)     /* the first so long ago, */
#define QUIC_NARROWING_MOMENTS 4                /* at so many moments, */
#define QUIC_NARROWING_APART_NS (500 * BASE_MS) /* each so long after the one before */

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
