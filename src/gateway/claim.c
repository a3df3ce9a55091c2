#include "gateway/claim.h"

#include "base/bytes.h"
#include "proto/ip.h"

#include <string.h>

enum { ARP_OPERATION = 6, ARP_SENDER_IP = 14, ARP_TARGET_IP = 24, ARP_BYTES = 28, ARP_REPLY = 2 };
enum { IPV4_FRAGMENT = 6, IPV4_PROTOCOL = 9, IPV4_SOURCE = 12 };
enum { IPV4_MORE = 0x2000, IPV4_OFFSET_MASK = 0x1fff, PORT_DHCP_SERVER = 67 };
enum { BOOTP_CLIENT_IP = 12, BOOTP_RELAY_AGENT = 24, BOOTP_MAC = 28, BOOTP_BYTES = 236 }; /* RFC 951, without options */
enum { IPV6_SOURCE = 8 };
enum { ND_ROUTER_SOLICIT = 133, ND_ROUTER_ADVERT = 134, ND_NEIGHBOUR_SOLICIT = 135, ND_NEIGHBOUR_ADVERT = 136 };
enum { ND_ROUTER_LIFETIME = 6, ND_ROUTER_BYTES = 8, ND_TARGET = 8, ND_TARGET_BYTES = 24 };

static struct slice ipv4_at(const uint8_t *ip) {
	return slice_of(ip, 4);
}

static struct slice ipv6_at(const uint8_t *ip) {
	return slice_of(ip, 16);
}

static enum gateway_claim_kind kind_of(struct slice address) {
	return address.len == 4 ? GATEWAY_CLAIM_IPV4 : address.len == 16 ? GATEWAY_CLAIM_IPV6 : GATEWAY_CLAIM_MAC;
}

bool gateway_claim_of(struct slice address, struct gateway_claim *ret) {
	if (slice_is_zero(address))
		return false;
	*ret = (struct gateway_claim){.key = {(uint8_t)kind_of(address)}};
	memcpy(ret->key + 1, address.data, address.len);
	return true;
}

enum gateway_claim_kind gateway_claim_kind(const struct gateway_claim *claim) {
	return (enum gateway_claim_kind)claim->key[0];
}

static bool is_arp_for_ipv4(struct slice arp) {
	static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};

	return arp.len >= ARP_BYTES && memcmp(arp.data, ethernet_ipv4, sizeof(ethernet_ipv4)) == 0;
}

static bool claim_of_arp(struct slice arp, struct gateway_claim *ret) {
	if (!is_arp_for_ipv4(arp))
		return false;
	if (!gateway_claim_of(ipv4_at(arp.data + ARP_SENDER_IP), ret))
		return false;
	ret->is_answer = base_get_u16(arp.data + ARP_OPERATION) == ARP_REPLY;
	return true;
}

/* Behind any extension headers, where a claim may hide. Empty when there is none. */
static struct slice icmpv6_of(struct slice ip) {
	struct slice payload;
	uint8_t protocol;

	return proto_ipv6_payload(ip, &protocol, &payload) == 0 && protocol == PROTO_IP_ICMP6 ? payload : slice_of(NULL, 0);
}

static bool claim_of_ipv6(struct slice ip, struct gateway_claim *ret) {
	struct slice icmp = icmpv6_of(ip);

	if (icmp.len == 0)
		return false;
	switch (icmp.data[0]) {
	case ND_ROUTER_ADVERT:
		if (!gateway_claim_of(ipv6_at(ip.data + IPV6_SOURCE), ret))
			return false;
		if (icmp.len >= ND_ROUTER_BYTES)
			ret->router_seconds = base_get_u16(icmp.data + ND_ROUTER_LIFETIME);
		return true;
	case ND_ROUTER_SOLICIT:
	case ND_NEIGHBOUR_SOLICIT:
		return gateway_claim_of(ipv6_at(ip.data + IPV6_SOURCE), ret);
	case ND_NEIGHBOUR_ADVERT:
		if (icmp.len < ND_TARGET_BYTES || !gateway_claim_of(ipv6_at(icmp.data + ND_TARGET), ret))
			return false;
		ret->is_answer = true;
		return true;
	default:
		return false;
	}
}

bool gateway_claim_parse(const struct proto_ether *ether, struct gateway_claim *ret) {
	switch (ether->type) {
	case PROTO_ETHERTYPE_ARP:
		return claim_of_arp(ether->payload, ret);
	case PROTO_ETHERTYPE_IPV6:
		return claim_of_ipv6(ether->payload, ret);
	default:
		return false;
	}
}

bool gateway_claim_probe(const struct proto_ether *ether, struct gateway_claim *ret) {
	struct slice icmp;

	if (ether->type == PROTO_ETHERTYPE_ARP)
		return is_arp_for_ipv4(ether->payload) && gateway_claim_of(ipv4_at(ether->payload.data + ARP_TARGET_IP), ret);
	if (ether->type != PROTO_ETHERTYPE_IPV6)
		return false;
	icmp = icmpv6_of(ether->payload);
	return icmp.len >= ND_TARGET_BYTES && icmp.data[0] == ND_NEIGHBOUR_SOLICIT &&
	       gateway_claim_of(ipv6_at(icmp.data + ND_TARGET), ret);
}

bool gateway_claim_source(const struct proto_ether *ether, struct gateway_claim *ret) {
	if (ether->type == PROTO_ETHERTYPE_IPV4 && ether->payload.len >= PROTO_IPV4_HEADER_MIN)
		return gateway_claim_of(ipv4_at(ether->payload.data + IPV4_SOURCE), ret);
	if (ether->type == PROTO_ETHERTYPE_IPV6 && ether->payload.len >= PROTO_IPV6_HEADER_BYTES)
		return gateway_claim_of(ipv6_at(ether->payload.data + IPV6_SOURCE), ret);
	return false;
}

/* Where it begins in the payload; 0: it is none. */
static size_t dhcp_request_offset(const struct proto_ether *ether) {
	const uint8_t *p = ether->payload.data;

	if (ether->type != PROTO_ETHERTYPE_IPV4 || ether->payload.len < PROTO_IPV4_HEADER_MIN ||
	    p[IPV4_PROTOCOL] != PROTO_IP_UDP || (base_get_u16(p + IPV4_FRAGMENT) & IPV4_OFFSET_MASK) != 0)
		return 0;
	size_t bootp = (size_t)(p[0] & 0x0f) * 4 + PROTO_UDP_HEADER_BYTES;
	if (bootp > ether->payload.len || base_get_u16(p + bootp - PROTO_UDP_HEADER_BYTES + 2) != PORT_DHCP_SERVER)
		return 0;
	return bootp;
}

/* As DHCP snooping asks it of a switch's stations. */
static bool is_honest(const struct proto_ether *ether, size_t bootp) {
	const uint8_t *p = ether->payload.data;

	return (base_get_u16(p + IPV4_FRAGMENT) & IPV4_MORE) == 0 && ether->payload.len - bootp >= BOOTP_BYTES &&
	       base_get_u32(p + bootp + BOOTP_RELAY_AGENT) == 0 &&
	       proto_mac_equal(proto_mac_of(p + bootp + BOOTP_MAC), ether->src);
}

/* Servers look for a lease by the client identifier, which anybody may have read in its owner's broadcasts. */
bool gateway_dhcp_parse(const struct proto_ether *ether, struct gateway_dhcp_request *ret) {
	const size_t bootp = dhcp_request_offset(ether);

	if (bootp == 0)
		return false;
	ret->is_honest = is_honest(ether, bootp);
	ret->has_address =
	    ret->is_honest && gateway_claim_of(ipv4_at(ether->payload.data + bootp + BOOTP_CLIENT_IP), &ret->address);
	return true;
}
