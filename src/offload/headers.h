/* offload/headers.h: what splitter and merger both know of IP, TCP and UDP headers. Internal to the room. */
#ifndef OFFLOAD_HEADERS_H
#define OFFLOAD_HEADERS_H

#include "offload/offload.h"
#include "proto/ip.h"

#define TCP_HEADER_MIN 20

/* Where the checksum is in the transport header. */
static inline uint16_t offload_checksum_at(enum offload_gso gso) {
	return gso == OFFLOAD_GSO_UDP ? 6 : 16;
}

/* The sum of the pseudo header (RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1) without its length. */
static inline uint16_t offload_sum_pseudo_header(const uint8_t *l3, enum offload_gso gso) {
	uint16_t protocol = gso == OFFLOAD_GSO_UDP ? PROTO_IP_UDP : PROTO_IP_TCP;

	return offload_checksum_add(protocol, l3[0] >> 4 == 4 ? slice_of(l3 + 12, 8) : slice_of(l3 + 8, 32));
}

#endif
