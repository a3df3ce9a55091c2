/* gateway/claim.h: what a frame says about who holds an address: claims, questions and uses of IPv4 and IPv6 addresses
 * in ARP (RFC 826, RFC 5227), neighbour discovery (RFC 4861, RFC 4862) and DHCP (RFC 2131). Pure; never reads past the
 * frame. Who is to be believed is the guard's business. */
#ifndef GATEWAY_CLAIM_H
#define GATEWAY_CLAIM_H

#include "proto/ether.h"

enum gateway_claim_kind { GATEWAY_CLAIM_MAC = 2, GATEWAY_CLAIM_IPV4 = 4, GATEWAY_CLAIM_IPV6 = 6 };

struct gateway_claim {
	uint8_t key[17];         /* enum gateway_claim_kind, then the address, padded with zeros */
	uint16_t router_seconds; /* of a router advertisement: its router lifetime */
	bool is_answer;          /* perhaps to a question of anybody's */
};

/* The key is that of an address of 4, 6 or 16 bytes. False for one of zeros, which nobody has. */
bool gateway_claim_of(struct slice address, struct gateway_claim *ret);
enum gateway_claim_kind gateway_claim_kind(const struct gateway_claim *claim);

/* The claim a frame makes, if any: the sender of an ARP packet, the source of a router or neighbour solicitation or a
 * router advertisement, the target of a neighbour advertisement. */
bool gateway_claim_parse(const struct proto_ether *ether, struct gateway_claim *ret);
/* What a frame that claims nothing asks for, if anything: is this address free? */
bool gateway_claim_probe(const struct proto_ether *ether, struct gateway_claim *ret);
/* The source address of an IP packet. It claims nothing: a router sends from the whole Internet's addresses. */
bool gateway_claim_source(const struct proto_ether *ether, struct gateway_claim *ret);

struct gateway_dhcp_request {
	bool is_honest;   /* speaks of the machine that sends it, whole and through no relay agent */
	bool has_address; /* renews or gives back `address`, and so says that it is its own */
	struct gateway_claim address;
};

/* Whether the frame is for DHCPv4 servers, and then what it says. Policy has looked at its IP header. */
bool gateway_dhcp_parse(const struct proto_ether *ether, struct gateway_dhcp_request *ret);

#endif
