/* proto/ip.h: what several rooms know of IP: header lengths, protocol numbers (IANA), and where the payload of an IPv6
 * packet begins. */
#ifndef PROTO_IP_H
#define PROTO_IP_H

#include "base/slice.h"

#define PROTO_IPV4_HEADER_MIN 20 /* RFC 791 section 3.1: without options */
#define PROTO_IPV6_HEADER_BYTES 40
#define PROTO_UDP_HEADER_BYTES 8

enum proto_ip_protocol {
	PROTO_IP_HOP_BY_HOP = 0,
	PROTO_IP_ICMP = 1,
	PROTO_IP_IGMP = 2,
	PROTO_IP_IPV4 = 4,
	PROTO_IP_TCP = 6,
	PROTO_IP_UDP = 17,
	PROTO_IP_DCCP = 33,
	PROTO_IP_IPV6 = 41,
	PROTO_IP_ROUTING = 43,
	PROTO_IP_FRAGMENT = 44,
	PROTO_IP_GRE = 47,
	PROTO_IP_AUTHENTICATION = 51,
	PROTO_IP_ICMP6 = 58,
	PROTO_IP_DESTINATION_OPTIONS = 60,
	PROTO_IP_EIGRP = 88,
	PROTO_IP_OSPF = 89,
	PROTO_IP_PIM = 103,
	PROTO_IP_VRRP = 112,
	PROTO_IP_ISIS = 124,
	PROTO_IP_SCTP = 132,
	PROTO_IP_MOBILITY = 135,
	PROTO_IP_UDP_LITE = 136,
	PROTO_IP_HOST_IDENTITY = 139,
	PROTO_IP_SHIM6 = 140,
	PROTO_IP_FIRST_UNASSIGNED = 148, /* up to 252; 253 and 254 are for experiments, 255 is reserved (RFC 3692) */
};

/* Finds what lies behind the extension headers of an IPv6 packet, which may be a fragment header; what follows the
 * packet's own length is no part of it. 0; BASE_E_LENGTH for an IPv6 header that is cut off or lies about version or
 * length (jumbograms, RFC 2675, too); BASE_E_INVALID for a chain that ends too early, or has hop-by-hop options
 * elsewhere than in front. */
int proto_ipv6_payload(struct slice packet, uint8_t *ret_protocol, struct slice *ret);

#endif
