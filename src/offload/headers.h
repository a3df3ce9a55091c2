/* offload/headers.h: what splitter and merger both know of IP, TCP and UDP headers. Internal to the room. */
#ifndef OFFLOAD_HEADERS_H
#define OFFLOAD_HEADERS_H

#include "offload/offload.h"

#define IPV4_HEADER_MIN 20 /* RFC 791 section 3.1: without options */
#define IPV6_HEADER_BYTES 40
#define TCP_HEADER_MIN 20
#define UDP_HEADER_BYTES 8

enum ip_protocol {
	IP_HOP_BY_HOP = 0,
	IP_IPV4 = 4,
	IP_TCP = 6,
	IP_UDP = 17,
	IP_IPV6 = 41,
	IP_ROUTING = 43,
	IP_GRE = 47,
	IP_DESTINATION_OPTIONS = 60
};

/* Where the checksum is in the transport header. */
static inline uint16_t offload_checksum_at(enum offload_gso gso) {
	return gso == OFFLOAD_GSO_UDP ? 6 : 16;
}

/* The sum of the pseudo header (RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1) without its length. */
static inline uint16_t offload_sum_pseudo_header(const uint8_t *l3, enum offload_gso gso) {
	uint16_t protocol = gso == OFFLOAD_GSO_UDP ? IP_UDP : IP_TCP;

	return offload_checksum_add(protocol, l3[0] >> 4 == 4 ? slice_of(l3 + 12, 8) : slice_of(l3 + 8, 32));
}

#endif
