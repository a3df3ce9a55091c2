/* policy/ip.c: IPv4 and IPv6 of a remote client, and of the LAN what would move a client's Internet. Packets are judged
 * one by one: nothing is reassembled, so whatever could only be decided after reassembly must be decided from one
 * fragment or dropped.
 *
 * Decided here, with the reasons:
 * - IPv4 in IPv6, IPv6 in IPv4 (6in4), ESP and AH with its payload beyond the chain: a host acts on them only when its
 *   owner set up that very tunnel or key. They pass.
 * - A packet's true source or its right to be a router, beyond these rules, is not judged: RFC 7113 does not either. */
#include "policy/rules.h"

#include "base/bytes.h"
#include "base/error.h"
#include "proto/ip.h"

#define ICMP6_HEADER_BYTES 4

enum udp_port {
	PORT_DHCP4_SERVER = 67,
	PORT_DHCP4_CLIENT = 68,
	PORT_RIP = 520,
	PORT_RIPNG = 521,
	PORT_DHCP6_CLIENT = 546,
	PORT_DHCP6_SERVER = 547,
	PORT_HSRP = 1985,
	PORT_HSRP6 = 2029,
	PORT_GLBP = 3222,
};

/* What only servers say (RFC 8415 section 7.3). */
enum dhcp6_message {
	DHCP6_ADVERTISE = 2,
	DHCP6_REPLY = 7,
	DHCP6_RECONFIGURE = 10,
	DHCP6_RELAY_REPLY = 13,
};

/* What only routers say. One word of it moves a host's traffic (advertisement, redirect) or that of routers (routing
 * protocols), makes the LAN's own router rest (VRRP, HSRP, GLBP), or the querier that its switches learn from which
 * port wants which group (queries, RFC 4541). */
enum icmp_type {
	ICMP_REDIRECT = 5,
	ICMP_ROUTER_ADVERTISEMENT = 9,
};

/* Of IGMP what hosts say; all else is between routers, and for switches: queries, DVMRP, PIM of old, RGMP. */
enum igmp_type {
	IGMP_REPORT_V1 = 0x12,
	IGMP_REPORT_V2 = 0x16,
	IGMP_LEAVE = 0x17,
	IGMP_REPORT_V3 = 0x22,
	IGMP_ROUTER_SOLICITATION = 0x31, /* RFC 4286 */
};

enum icmp6_type {
	ICMP6_GROUP_QUERY = 130,
	ICMP6_ROUTER_ADVERTISEMENT = 134,
	ICMP6_REDIRECT = 137,
	ICMP6_GROUP_ROUTER_ADVERTISEMENT = 151, /* RFC 4286 */
	ICMP6_GROUP_ROUTER_TERMINATION = 153,
};

/* Servers are known by either port: clients take an answer from any source port that comes to theirs, and a relay agent
 * talks to clients' networks from the server port. A client's own frames (client port to server port) pass. */
static bool is_server_reply(const uint8_t *udp, uint16_t server_port, uint16_t client_port) {
	return base_get_u16(udp) == server_port || base_get_u16(udp + 2) == client_port;
}

/* A relay agent hears clients and servers at one port, and would hand this on as a server's. */
static bool is_dhcp6_server_message(struct slice udp) {
	if (udp.len <= PROTO_UDP_HEADER_BYTES || base_get_u16(udp.data + 2) != PORT_DHCP6_SERVER)
		return false;
	switch (udp.data[PROTO_UDP_HEADER_BYTES]) {
	case DHCP6_ADVERTISE:
	case DHCP6_REPLY:
	case DHCP6_RECONFIGURE:
	case DHCP6_RELAY_REPLY:
		return true;
	default:
		return false;
	}
}

static bool is_router_protocol(uint8_t protocol) {
	return protocol == PROTO_IP_EIGRP || protocol == PROTO_IP_OSPF || protocol == PROTO_IP_PIM ||
	       protocol == PROTO_IP_VRRP || protocol == PROTO_IP_ISIS;
}

/* Ports over 1024 are anybody's: a game's answer to a machine that happens to use one must pass. What the routers of a
 * link say to each other there goes to one of the link's groups. */
static bool is_router_udp(const uint8_t *udp, bool to_link_group) {
	uint16_t port = base_get_u16(udp + 2);

	return port == PORT_RIP || port == PORT_RIPNG ||
	       (to_link_group && (port == PORT_HSRP || port == PORT_HSRP6 || port == PORT_GLBP));
}

static bool is_router_icmp(uint8_t type) {
	return type == ICMP_REDIRECT || type == ICMP_ROUTER_ADVERTISEMENT;
}

static bool is_router_igmp(uint8_t type) {
	return type != IGMP_REPORT_V1 && type != IGMP_REPORT_V2 && type != IGMP_LEAVE && type != IGMP_REPORT_V3 &&
	       type != IGMP_ROUTER_SOLICITATION;
}

static bool is_router_icmp6(uint8_t type) {
	return type == ICMP6_ROUTER_ADVERTISEMENT || type == ICMP6_REDIRECT || type == ICMP6_GROUP_QUERY ||
	       type == ICMP6_GROUP_ROUTER_ADVERTISEMENT || type == ICMP6_GROUP_ROUTER_TERMINATION;
}

static enum policy_rule check_ipv4_upper(uint8_t protocol, struct slice data, bool to_link_group) {
	if (protocol != PROTO_IP_UDP && protocol != PROTO_IP_ICMP && protocol != PROTO_IP_IGMP)
		return POLICY_PASS;
	if (data.len < PROTO_UDP_HEADER_BYTES) /* those of ICMP and IGMP have as many */
		return POLICY_IP_MALFORMED;
	if (protocol == PROTO_IP_UDP && is_server_reply(data.data, PORT_DHCP4_SERVER, PORT_DHCP4_CLIENT))
		return POLICY_DHCP4_SERVER;
	if ((protocol == PROTO_IP_UDP && is_router_udp(data.data, to_link_group)) ||
	    (protocol == PROTO_IP_ICMP && is_router_icmp(data.data[0])) ||
	    (protocol == PROTO_IP_IGMP && is_router_igmp(data.data[0])))
		return POLICY_ROUTER_ADVERTISEMENT;
	return POLICY_PASS;
}

/* Fragments: every fragment with offset 0 must hold the whole header of what is judged by it. Other offsets begin 8
 * bytes in or later, behind the header, so no overlap can mend a header that was judged; without its first fragment no
 * server reply is ever put together. That leaves all fragments of ordinary UDP alone. */
enum policy_rule policy_ipv4(struct slice packet) {
	const uint8_t *p = packet.data;
	size_t header_len, total_len, data_len, offset;
	bool more_fragments;

	if (packet.len < PROTO_IPV4_HEADER_MIN || p[0] >> 4 != 4)
		return POLICY_IP_MALFORMED;
	header_len = (size_t)(p[0] & 0x0f) * 4;
	total_len = base_get_u16(p + 2);
	if (header_len < PROTO_IPV4_HEADER_MIN || header_len > total_len || total_len > packet.len)
		return POLICY_IP_MALFORMED;
	data_len = total_len - header_len;
	offset = (size_t)(base_get_u16(p + 6) & 0x1fff) * 8;
	more_fragments = (base_get_u16(p + 6) & 0x2000) != 0;
	if (offset + data_len > UINT16_MAX || (more_fragments && data_len % 8 != 0))
		return POLICY_IP_MALFORMED; /* what no sender makes and some receivers choke on */
	if (is_router_protocol(p[9]))
		return POLICY_ROUTER_ADVERTISEMENT;
	if (offset > 0)
		return POLICY_PASS;
	return check_ipv4_upper(p[9], slice_of(p + header_len, data_len), base_get_u32(p + 16) >> 8 == 0xe00000);
}

/* RFC 4861 sections 4.2 and 4.6.2, RFC 4191 section 2.3 */
#define ADVERTISEMENT_BYTES 16
#define OPTION_STEP 8
#define OPTION_PREFIX 3
#define OPTION_ROUTE 24
#define OPTION_HEAD_BYTES 4 /* type, length, bits, flags */
#define PREFIX_ON_LINK 0x80

/* No site has more (RFC 6177 section 2). */
#define SITE_BITS 48

/* A route without bits is a default route, and those are not taken. */
static bool is_wide(const uint8_t *option) {
	const uint8_t bits = option[2];

	if (option[0] == OPTION_ROUTE)
		return bits > 0 && bits < SITE_BITS;
	return option[0] == OPTION_PREFIX && bits < SITE_BITS && (option[3] & PREFIX_ON_LINK) != 0;
}

/* What is said to be on its own link, or behind a router of it, a host sends there before any default route. As the
 * tunnel is a link, 2000::/3 would have all of a player's IPv6. */
static bool names_wide_network(struct slice advertisement) {
	size_t len;

	for (size_t at = ADVERTISEMENT_BYTES; at + OPTION_HEAD_BYTES <= advertisement.len; at += len) {
		const uint8_t *option = advertisement.data + at;

		len = (size_t)option[1] * OPTION_STEP;
		if (len == 0)
			return false; /* hosts discard all of it (section 6.1.2) */
		if (is_wide(option))
			return true;
	}
	return false;
}

static enum policy_rule check_ipv6_upper(uint8_t protocol, struct slice data, bool to_link_group) {
	if (protocol == PROTO_IP_UDP) {
		if (data.len < PROTO_UDP_HEADER_BYTES)
			return POLICY_IPV6_CHAIN;
		if (is_server_reply(data.data, PORT_DHCP6_SERVER, PORT_DHCP6_CLIENT) || is_dhcp6_server_message(data))
			return POLICY_DHCP6_SERVER;
		if (is_router_udp(data.data, to_link_group))
			return POLICY_ROUTER_ADVERTISEMENT;
	} else if (protocol == PROTO_IP_ICMP6) {
		if (data.len < ICMP6_HEADER_BYTES)
			return POLICY_IPV6_CHAIN;
		if (is_router_icmp6(data.data[0]))
			return POLICY_ROUTER_ADVERTISEMENT;
	} else if (is_router_protocol(protocol)) {
		return POLICY_ROUTER_ADVERTISEMENT;
	} else if (protocol >= PROTO_IP_FIRST_UNASSIGNED) {
		return POLICY_IPV6_CHAIN; /* may be an extension header to somebody */
	}
	return POLICY_PASS;
}

enum policy_rule policy_ipv6(struct slice packet) {
	struct slice data;
	uint8_t protocol;
	int err = proto_ipv6_payload(packet, &protocol, &data);

	if (err != 0)
		return err == BASE_E_LENGTH ? POLICY_IP_MALFORMED : POLICY_IPV6_CHAIN;
	if (protocol == PROTO_IP_FRAGMENT)
		return POLICY_IPV6_FRAGMENT;
	return check_ipv6_upper(protocol, data, base_get_u16(packet.data + 24) == 0xff02);
}

enum policy_rule policy_ipv6_of_lan(struct slice packet) {
	struct slice data;
	uint8_t protocol;

	if (proto_ipv6_payload(packet, &protocol, &data) != 0 || protocol != PROTO_IP_ICMP6 || data.len == 0 ||
	    data.data[0] != ICMP6_ROUTER_ADVERTISEMENT)
		return POLICY_PASS;
	return names_wide_network(data) ? POLICY_ROUTER_ADVERTISEMENT : POLICY_PASS;
}
