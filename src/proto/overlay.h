/* proto/overlay.h: the overlay datagram, one Ethernet frame behind an 8-byte header, carried in one QUIC DATAGRAM
 * (RFC 9221). Layout (network byte order), worked example and vectors: docs/protocol.md.
 *
 *   0        1        2                 4                                 8
 *   +--------+--------+-----------------+---------------------------------+---
 *   | version| flags  | payload length  | source peer id                  | frame ...
 *   +--------+--------+-----------------+---------------------------------+---
 */
#ifndef PROTO_OVERLAY_H
#define PROTO_OVERLAY_H

#include "base/slice.h"

#define PROTO_OVERLAY_VERSION 1
#define PROTO_OVERLAY_HEADER_BYTES 8
#define PROTO_OVERLAY_PAYLOAD_MAX 65535 /* what the length field can say */

struct proto_overlay {
	uint8_t flags;         /* all reserved in version 1 */
	uint32_t source_peer;  /* never 0 on the wire */
	struct slice frame;    /* at least an Ethernet header */
};

/* 0; BASE_E_SHORT (no whole header); BASE_E_VERSION; BASE_E_FLAGS; BASE_E_LENGTH (length field against bytes present,
 * either way); BASE_E_RUNT (frame under 14 bytes); BASE_E_RANGE (source peer 0). Checked in this order. */
int proto_overlay_decode(struct slice datagram, struct proto_overlay *ret);

/* Writes the header for a frame of `frame_len` bytes. 0; BASE_E_RUNT; BASE_E_RANGE (source peer 0); BASE_E_TOO_BIG
 * when header plus frame exceed `budget` or the frame exceeds PROTO_OVERLAY_PAYLOAD_MAX (PRO-3). */
int proto_overlay_encode_header(uint8_t out[static PROTO_OVERLAY_HEADER_BYTES], uint32_t source_peer,
                                size_t frame_len, size_t budget);

#endif
