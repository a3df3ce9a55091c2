/* policy/policy.h: layer-2 safety, one verdict per frame, shared by relay, gateway and client.
 *
 * Pure and stateless: bytes in, the name of a rule out. Two origins are told apart: a remote client is a stranger on
 * somebody's LAN; the LAN's own switch, router and DHCP server are legitimate, yet switch control traffic never crosses
 * the tunnel in either direction. docs/security.md has the table of rules with their reasons. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/slice.h"

#define POLICY_HEADER_BYTES 14

enum policy_origin { POLICY_FROM_REMOTE, POLICY_FROM_LAN };

/* X(NAME, "name", "what it stops"): the name is the drop reason's in logs and counters (policy/drop.h) */
#define POLICY_RULES(X)                                                                                          \
	X(PASS, "pass", "nothing: the frame may pass")                                                               \
	X(MALFORMED, "malformed", "runt frames, cut-off tags, lengths that disagree, types 1501 to 1535")            \
	X(SOURCE, "invalid_source", "source MAC that is zero, broadcast or multicast")                               \
	X(JUMBO, "jumbo", "frames over 1514 bytes, 1518 with a VLAN tag")                                            \
	X(SWITCH_CONTROL, "switch_control", "STP, pause, LACP, 802.1X, LLDP, CDP, VTP, PVST and the like")           \
	X(VLAN, "vlan", "802.1Q and 802.1ad tags")                                                                   \
	X(LLC_ENCAPSULATION, "llc_encapsulation", "IP, ARP or IPv6 hidden in an LLC/SNAP header")                    \
	X(ARP, "arp", "ARP that is malformed or whose sender is not the frame's source")                             \
	X(DHCP4_SERVER, "dhcp4_server", "DHCPv4 server replies, also fragmented or with IP options")                 \
	X(DHCP6_SERVER, "dhcp6_server", "DHCPv6 server replies")                                                     \
	X(ROUTER_ADVERTISEMENT, "router_advertisement", "what only routers say: RA, redirects, group queries, OSPF") \
	X(IPV6_FRAGMENT, "ipv6_fragment", "IPv6 fragments")                                                          \
	X(IPV6_CHAIN, "ipv6_chain", "IPv6 extension header chains that cannot be decided (RFC 7113)")                \
	X(IP_MALFORMED, "ip_malformed", "IP headers that lie about version or length")

/* clang-format off */
enum policy_rule {
#define POLICY_RULE_ENUM(name, text, what) POLICY_##name,
	POLICY_RULES(POLICY_RULE_ENUM)
#undef POLICY_RULE_ENUM
	POLICY_RULE_COUNT
};
/* clang-format on */

/* The verdict: POLICY_PASS or the first rule, in the order above, that stops the frame; of the rules about an IP packet
 * there is only ever one. Frames of the LAN are held to MALFORMED, SOURCE, JUMBO, SWITCH_CONTROL, VLAN (a priority tag
 * passes), to ARP of the right form, and to router advertisements whose networks are no larger than a site's; those of
 * a remote client to all. Never reads past the frame. */
enum policy_rule policy_check(struct slice frame, enum policy_origin origin);

/* The same for a frame whose payload cannot be read: what its Ethernet header and length tell. A frame that passes here
 * may still be stopped by who reads it. Tags are refused from either origin. */
enum policy_rule policy_check_header(const uint8_t header[static POLICY_HEADER_BYTES], size_t frame_len);

const char *policy_rule_name(enum policy_rule rule);

#endif
