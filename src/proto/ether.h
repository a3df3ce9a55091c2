/* proto/ether.h: Ethernet framing (IEEE 802.3-2022 clause 3, 802.1Q-2022 clause 9), without preamble and FCS. */
#ifndef PROTO_ETHER_H
#define PROTO_ETHER_H

#include "base/slice.h"
#include "proto/mac.h"

#define PROTO_ETHER_HEADER_BYTES 14
#define PROTO_ETHER_VLAN_TAG_BYTES 4
#define PROTO_ETHER_VLAN_TAGS_MAX 4 /* deeper stacks are BASE_E_INVALID */
#define PROTO_ETHERTYPE_MIN 0x0600  /* below (up to 1500): an 802.3 length field */
#define PROTO_LENGTH_MAX 1500

enum proto_ethertype {
	PROTO_ETHERTYPE_IPV4 = 0x0800,
	PROTO_ETHERTYPE_ARP = 0x0806,
	PROTO_ETHERTYPE_RARP = 0x8035,
	PROTO_ETHERTYPE_VLAN = 0x8100,
	PROTO_ETHERTYPE_IPV6 = 0x86dd,
	PROTO_ETHERTYPE_PAUSE = 0x8808,
	PROTO_ETHERTYPE_PPPOE_DISCOVERY = 0x8863,
	PROTO_ETHERTYPE_PPPOE_SESSION = 0x8864,
	PROTO_ETHERTYPE_QINQ = 0x88a8,
	PROTO_ETHERTYPE_LLDP = 0x88cc,
	PROTO_ETHERTYPE_QINQ_OLD = 0x9100,
	PROTO_ETHERTYPE_QINQ_OLDER = 0x9200,
};

struct proto_ether {
	struct proto_mac dst, src;
	uint8_t vlan_tags;     /* number of tags walked over */
	uint16_t vlan_id;      /* VID of the outermost tag, 0 without one */
	uint16_t vlan_ids_or;  /* the VIDs of all tags or-ed: 0 without tags or with priority tags only */
	uint16_t type;         /* type or length field behind the tags, host byte order */
	bool is_length;        /* type is an 802.3 length (<= 1500) */
	size_t payload_offset; /* bytes from the start of the frame to what follows `type` */
	struct slice payload;  /* the bytes behind `type`; for 802.3 cut to the length field when padding follows */
};

/* Reads headers, never past the frame. 0; BASE_E_RUNT under 14 bytes; BASE_E_SHORT when a tag is cut off;
 * BASE_E_LENGTH when an 802.3 length exceeds what follows; BASE_E_INVALID for a type in 1501..1535 or too many tags. */
int proto_ether_parse(struct slice frame, struct proto_ether *ret);

/* 802.1Q and 802.1ad, with the numbers that 802.1ad had before. */
bool proto_ether_is_vlan_type(uint16_t type);

/* The addresses alone, for code that must log a frame it can't parse. False under 14 bytes. */
bool proto_ether_peek(struct slice frame, struct proto_mac *ret_dst, struct proto_mac *ret_src, uint16_t *ret_type);

#endif
