/* proto/overlay.h: the overlay datagram, one Ethernet frame behind an 8-byte header, carried in one QUIC DATAGRAM
 * (RFC 9221). Layout (network byte order), worked examples and vectors: docs/protocol.md.
 *
 *   0        1        2                 4                                 8
 *   +--------+--------+-----------------+---------------------------------+---
 *   | version| flags  | payload length  | source peer id                  | frame ...
 *   +--------+--------+-----------------+---------------------------------+---
 *
 * In a room with a key the frame is sealed: what follows its Ethernet header is encrypted, so that only the peers can
 * read it, and everything before that (the clear part) is authenticated with it. src/roomkey has the keys.
 *
 *   8                22      24           30                      -16
 *   +----------------+-------+------------+-----------------------+-----+
 *   | Ethernet header| flow  | counter    | payload, encrypted    | tag |
 *   +----------------+-------+------------+-----------------------+-----+
 */
#ifndef PROTO_OVERLAY_H
#define PROTO_OVERLAY_H

#include "base/slice.h"

#define PROTO_OVERLAY_VERSION 1
#define PROTO_OVERLAY_HEADER_BYTES 8
#define PROTO_OVERLAY_PAYLOAD_MAX 65535 /* what the length field can say */

#define PROTO_OVERLAY_FLAG_SEALED 0x01
#define PROTO_SEALED_CLEAR_BYTES 30 /* up to and with the counter */
#define PROTO_SEALED_TAG_BYTES 16
#define PROTO_SEALED_BYTES 24 /* what sealing adds to a datagram: flow, counter, tag */
#define PROTO_SEALED_COUNTER_MAX ((UINT64_C(1) << 48) - 1)

struct proto_overlay {
	uint32_t source_peer; /* never 0 on the wire */
	struct slice frame;   /* at least an Ethernet header */
};

/* 0; BASE_E_SHORT (no whole header); BASE_E_VERSION; BASE_E_FLAGS; BASE_E_LENGTH (length field against bytes present,
 * either way); BASE_E_RUNT (frame under 14 bytes); BASE_E_RANGE (source peer 0). Checked in this order. */
int proto_overlay_decode(struct slice datagram, struct proto_overlay *ret);

/* Writes the header for a frame of `frame_len` bytes. 0; BASE_E_RUNT; BASE_E_RANGE (source peer 0); BASE_E_TOO_BIG
 * when header plus frame exceed `budget` or the frame exceeds PROTO_OVERLAY_PAYLOAD_MAX (PRO-3). */
int proto_overlay_encode_header(uint8_t out[static PROTO_OVERLAY_HEADER_BYTES], uint32_t source_peer, size_t frame_len,
                                size_t budget);

struct proto_sealed {
	uint32_t source_peer;  /* never 0 on the wire */
	size_t frame_len;      /* of the frame as it was before it was sealed; at least an Ethernet header */
	uint16_t flow;         /* equal for frames of one flow; says nothing else */
	uint64_t counter;      /* of the sender's sealed frames, up to PROTO_SEALED_COUNTER_MAX */
	struct slice clear;    /* PROTO_SEALED_CLEAR_BYTES, with the overlay header */
	struct slice ethernet; /* the Ethernet header, within `clear` */
	struct slice sealed;   /* the payload and PROTO_SEALED_TAG_BYTES of tag */
};

/* As proto_overlay_decode, for sealed frames: BASE_E_FLAGS if this one is not. */
int proto_sealed_decode(struct slice datagram, struct proto_sealed *ret);

/* Writes the clear part for `frame`, which is not sealed yet. The errors of proto_overlay_encode_header;
 * BASE_E_RANGE also for a counter over the maximum. */
int proto_sealed_encode_clear(uint8_t out[static PROTO_SEALED_CLEAR_BYTES], uint32_t source_peer, struct slice frame,
                              uint16_t flow, uint64_t counter, size_t budget);

#endif
