/* dhcp/message.h: what a DHCP client and its servers say to each other (RFC 2131, RFC 2132), as whole Ethernet frames,
 * and the ARP packets that ask whether an address is free (RFC 5227). IPv4 addresses are numbers in host byte order; 0
 * stands for none. Pure; nothing here trusts a length. */
#ifndef DHCP_MESSAGE_H
#define DHCP_MESSAGE_H

#include "proto/ether.h"

/* A message of BOOTP's 300 bytes (RFC 1542 section 2.1), which some servers insist on, behind UDP, IPv4 and Ethernet.
 */
#define DHCP_FRAME_BYTES 342
#define DHCP_ARP_FRAME_BYTES 42
#define DHCP_FOREVER UINT32_MAX /* a lease time (RFC 2131 section 3.3) */

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_DECLINE = 4,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
	DHCP_RELEASE = 7,
};

struct dhcp_message { /* of a client */
	enum dhcp_type type;
	uint32_t xid;
	uint16_t seconds; /* since it began to ask */
	struct proto_mac mac;
	uint32_t own;               /* `ciaddr`, and the packet's source: an address it holds */
	uint32_t requested;         /* option 50 */
	uint32_t server;            /* option 54 */
	uint32_t dest;              /* the packet's destination; 0: everybody */
	const struct proto_mac *to; /* and the frame's; NULL: everybody */
};

struct dhcp_answer {     /* of a server */
	enum dhcp_type type; /* DHCP_OFFER, DHCP_ACK, DHCP_NAK */
	uint32_t xid;
	struct proto_mac from; /* the server, or the relay agent or router in front of it */
	uint32_t address;      /* an OFFER's and an ACK's can be had by a host; of no meaning in a NAK */
	/* Of the subnet mask, or without one, of the address's class; no less than 16, or all of a private network. */
	uint8_t prefix;
	uint32_t broadcast;         /* of the network that the server means */
	uint32_t server;            /* never 0 */
	uint32_t lease_s;           /* DHCP_FOREVER, or not 0 */
	uint32_t renew_s, rebind_s; /* T1 and T2: 0 < T1 < T2 < lease, the server's or those of RFC 2131 section 4.4.5 */
};

void dhcp_message_frame(const struct dhcp_message *message, uint8_t out[static DHCP_FRAME_BYTES]);
/* A server's answer to the client with this MAC. 0; BASE_E_NOT_FOUND: something else; BASE_E_SHORT, BASE_E_LENGTH,
 * BASE_E_MISSING, BASE_E_INVALID: cut off, contradicts itself, lacks or has something that no client could go by. */
int dhcp_answer_parse(struct slice frame, struct proto_mac mac, struct dhcp_answer *ret);

/* Asks who has `address`: sender 0 is a probe, sender `address` an announcement (RFC 5227 sections 2.1.1 and 2.3). */
void dhcp_arp_frame(struct proto_mac mac, uint32_t sender, uint32_t address, uint8_t out[static DHCP_ARP_FRAME_BYTES]);
/* Another machine says that the address is its. */
bool dhcp_arp_claims(struct slice frame, struct proto_mac mac, uint32_t address);
/* It says so, or asks for it at the same time (RFC 5227 section 2.1.1). */
bool dhcp_arp_contests(struct slice frame, struct proto_mac mac, uint32_t address);

#endif
