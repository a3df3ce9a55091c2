/* policy/rules.h: the parts of policy_check, private to this room. Each looks at one layer and answers POLICY_PASS or
 * the rule that stops the frame. */
#ifndef POLICY_RULES_H
#define POLICY_RULES_H

#include "policy/policy.h"
#include "proto/mac.h"

/* Destinations that switches listen to. */
bool policy_control_destination(struct proto_mac dst);
/* EtherTypes of protocols between switches, or between a switch and its management. */
bool policy_control_type(uint16_t type);
/* EtherTypes of tags that only switches put on and take off, beyond those proto_ether_parse walks over. */
bool policy_switch_tag_type(uint16_t type);

/* What follows an 802.3 length field: POLICY_PASS, POLICY_SWITCH_CONTROL, POLICY_LLC_ENCAPSULATION or, of IS-IS,
 * POLICY_ROUTER_ADVERTISEMENT. */
enum policy_rule policy_llc(struct slice llc);

/* What follows the type field of a frame from a remote client. */
enum policy_rule policy_ipv4(struct slice packet);
enum policy_rule policy_ipv6(struct slice packet);
/* The same of one from the LAN: POLICY_PASS or POLICY_ROUTER_ADVERTISEMENT. */
enum policy_rule policy_ipv6_of_lan(struct slice packet);

#endif
