/* policy/policy.c: asks the rules in their order. Knows frames and the two origins; keeps no state. */
#include "policy/policy.h"

#include "base/bytes.h"
#include "policy/rules.h"
#include "proto/ether.h"

#include <assert.h>

_Static_assert(POLICY_HEADER_BYTES == PROTO_ETHER_HEADER_BYTES, "an Ethernet header");

#define FRAME_BYTES_MAX 1514 /* 1500 behind an Ethernet header */

#define ARP_BYTES 28 /* for Ethernet and IPv4 */
#define ARP_SENDER_AT 8

enum arp_operation {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	RARP_REQUEST = 3,
	RARP_REPLY = 4,
};

static const char *const rule_names[POLICY_RULE_COUNT] = {
#define POLICY_RULE_NAME(name, text, what) [POLICY_##name] = text,
    POLICY_RULES(POLICY_RULE_NAME)
#undef POLICY_RULE_NAME
};

const char *policy_rule_name(enum policy_rule rule) {
	assert((size_t)rule < POLICY_RULE_COUNT);
	return rule_names[rule];
}

/* RARP has the same layout. Its requests are how hypervisors announce a station; its replies hand out addresses, which
 * is the LAN's business. */
static enum policy_rule check_arp(const struct proto_ether *ether, enum policy_origin origin) {
	const uint8_t *p = ether->payload.data;
	uint16_t operation;
	bool rarp = ether->type == PROTO_ETHERTYPE_RARP;

	if (ether->payload.len < ARP_BYTES)
		return POLICY_ARP;
	/* hardware type Ethernet, protocol IPv4, address lengths 6 and 4 (RFC 826) */
	if (base_get_u32(p) != (UINT32_C(1) << 16 | PROTO_ETHERTYPE_IPV4) || base_get_u16(p + 4) != 0x0604)
		return POLICY_ARP;
	operation = base_get_u16(p + 6);
	if (operation != (rarp ? RARP_REQUEST : ARP_REQUEST) && operation != (rarp ? RARP_REPLY : ARP_REPLY))
		return POLICY_ARP;
	if (origin == POLICY_FROM_REMOTE &&
	    (operation == RARP_REPLY || !proto_mac_equal(proto_mac_of(p + ARP_SENDER_AT), ether->src)))
		return POLICY_ARP;
	return POLICY_PASS;
}

/* What the frame carries, as far as the origin must answer for it. */
static enum policy_rule check_content(const struct proto_ether *ether, enum policy_origin origin) {
	if (ether->type == PROTO_ETHERTYPE_ARP || ether->type == PROTO_ETHERTYPE_RARP)
		return check_arp(ether, origin);
	if (origin == POLICY_FROM_LAN)
		return ether->type == PROTO_ETHERTYPE_IPV6 ? policy_ipv6_of_lan(ether->payload) : POLICY_PASS;
	if (ether->type == PROTO_ETHERTYPE_IPV4)
		return policy_ipv4(ether->payload);
	if (ether->type == PROTO_ETHERTYPE_IPV6)
		return policy_ipv6(ether->payload);
	/* Who dials in from this LAN would tell a false server its password. */
	if (ether->type == PROTO_ETHERTYPE_PPPOE_DISCOVERY || ether->type == PROTO_ETHERTYPE_PPPOE_SESSION)
		return POLICY_ROUTER_ADVERTISEMENT;
	return POLICY_PASS;
}

enum policy_rule policy_check(struct slice frame, enum policy_origin origin) {
	struct proto_ether ether;
	enum policy_rule llc = POLICY_PASS;

	if (proto_ether_parse(frame, &ether) != 0)
		return POLICY_MALFORMED;
	if (proto_mac_is_group(ether.src) || proto_mac_is_zero(ether.src))
		return POLICY_SOURCE;
	if (frame.len > FRAME_BYTES_MAX + (ether.vlan_tags > 0 ? PROTO_ETHER_VLAN_TAG_BYTES : 0))
		return POLICY_JUMBO;
	/* All bytes behind the length, padding too: a switch that matches on LLC bytes does not ask for the length. */
	if (ether.is_length)
		llc = policy_llc(slice_of(ether.payload.data, frame.len - ether.payload_offset));
	if (llc == POLICY_SWITCH_CONTROL || policy_control_destination(ether.dst) || policy_control_type(ether.type))
		return POLICY_SWITCH_CONTROL;
	/* A priority tag (VID 0) of the LAN is no VLAN; a remote client has no reason to send one. */
	if (ether.vlan_ids_or != 0 || (ether.vlan_tags > 0 && origin == POLICY_FROM_REMOTE) ||
	    policy_switch_tag_type(ether.type))
		return POLICY_VLAN;
	if (ether.is_length)
		return origin == POLICY_FROM_REMOTE ? llc : POLICY_PASS;
	return check_content(&ether, origin);
}

enum policy_rule policy_check_header(const uint8_t header[static POLICY_HEADER_BYTES], size_t frame_len) {
	struct proto_mac src = proto_mac_of(header + PROTO_MAC_BYTES);
	uint16_t type = base_get_u16(header + 2 * PROTO_MAC_BYTES);

	if (type < PROTO_ETHERTYPE_MIN && (type > PROTO_LENGTH_MAX || (size_t)type + POLICY_HEADER_BYTES > frame_len))
		return POLICY_MALFORMED;
	if (proto_mac_is_group(src) || proto_mac_is_zero(src))
		return POLICY_SOURCE;
	if (frame_len > FRAME_BYTES_MAX)
		return POLICY_JUMBO;
	if (policy_control_destination(proto_mac_of(header)) || policy_control_type(type))
		return POLICY_SWITCH_CONTROL;
	if (proto_ether_is_vlan_type(type) || policy_switch_tag_type(type))
		return POLICY_VLAN;
	return POLICY_PASS;
}
