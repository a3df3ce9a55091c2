/* queue/flow.c: the key of a flow, and its hash. Reads headers only, each after a look at what is left. */
#include "queue/flow.h"

#include "base/bytes.h"
#include "base/map.h"
#include "proto/ether.h"
#include "proto/ip.h"
#include "proto/overlay.h"

#define VLAN_TAGS_MAX 2
#define PORTS_BYTES 4
#define IPV4_FRAGMENT 0x3fff /* "more fragments" and the offset */

enum key_kind { KEY_OTHER, KEY_GROUP, KEY_IPV4, KEY_IPV6, KEY_SEALED };

/* Whole words, as the hash reads them: it would have to wait for what was written in smaller pieces. */
struct key {
	size_t words;
	uint64_t word[1 + 4 + 1]; /* source peer, type and kind; addresses of up to 32 bytes; ports */
};

static void add(struct key *key, uint64_t word) {
	key->word[key->words++] = word;
}

static void set_kind(struct key *key, enum key_kind kind, uint16_t type) {
	key->word[0] |= (uint64_t)type << 16 | kind;
}

static void add_macs(struct key *key, const uint8_t *ethernet) {
	add(key, base_get_u64(ethernet));
	add(key, base_get_u32(ethernet + 8));
}

/* Those that begin with source and destination port. */
static bool has_ports(uint8_t protocol) {
	return protocol == PROTO_IP_TCP || protocol == PROTO_IP_UDP || protocol == PROTO_IP_DCCP ||
	       protocol == PROTO_IP_SCTP || protocol == PROTO_IP_UDP_LITE;
}

static bool add_ipv4(struct key *key, struct slice packet) {
	size_t header;
	uint8_t protocol;

	if (packet.len < PROTO_IPV4_HEADER_MIN || packet.data[0] >> 4 != 4)
		return false;
	header = (size_t)(packet.data[0] & 0x0f) * 4;
	if (header < PROTO_IPV4_HEADER_MIN)
		return false;
	protocol = packet.data[9];
	set_kind(key, KEY_IPV4, protocol);
	add(key, base_get_u64(packet.data + 12));
	if ((base_get_u16(packet.data + 6) & IPV4_FRAGMENT) == 0 && has_ports(protocol) &&
	    packet.len >= header + PORTS_BYTES)
		add(key, base_get_u32(packet.data + header));
	return true;
}

/* Extension headers are not walked: what hides its ports behind them shares a flow with its like. */
static bool add_ipv6(struct key *key, struct slice packet) {
	uint8_t next_header;

	if (packet.len < PROTO_IPV6_HEADER_BYTES || packet.data[0] >> 4 != 6)
		return false;
	next_header = packet.data[6];
	set_kind(key, KEY_IPV6, next_header);
	for (size_t i = 8; i < PROTO_IPV6_HEADER_BYTES; i += 8)
		add(key, base_get_u64(packet.data + i));
	if (has_ports(next_header) && packet.len >= PROTO_IPV6_HEADER_BYTES + PORTS_BYTES)
		add(key, base_get_u32(packet.data + PROTO_IPV6_HEADER_BYTES));
	return true;
}

static void add_frame(struct key *key, struct slice frame) {
	size_t offset = PROTO_ETHER_HEADER_BYTES;
	struct slice packet;
	uint16_t type;

	if (frame.len < PROTO_ETHER_HEADER_BYTES) {
		set_kind(key, KEY_OTHER, 0);
		return;
	}
	if ((frame.data[0] & 1) != 0) {
		set_kind(key, KEY_GROUP, 0);
		return;
	}
	type = base_get_u16(frame.data + 2 * PROTO_MAC_BYTES);
	for (unsigned tags = 0; proto_ether_is_vlan_type(type) && tags < VLAN_TAGS_MAX; tags++) {
		if (frame.len - offset < PROTO_ETHER_VLAN_TAG_BYTES)
			break;
		type = base_get_u16(frame.data + offset + 2);
		offset += PROTO_ETHER_VLAN_TAG_BYTES;
	}
	packet = slice_of(frame.data + offset, frame.len - offset);
	if ((type == PROTO_ETHERTYPE_IPV4 && add_ipv4(key, packet)) ||
	    (type == PROTO_ETHERTYPE_IPV6 && add_ipv6(key, packet)))
		return;
	if (type < PROTO_ETHERTYPE_MIN)
		type = 0; /* an 802.3 length (IPX): it changes from frame to frame */
	set_kind(key, KEY_OTHER, type);
	add_macs(key, frame.data);
}

/* What the sender says of the flow, who alone can see it. */
static void add_sealed(struct key *key, const struct proto_sealed *sealed) {
	if ((sealed->ethernet.data[0] & 1) != 0) {
		set_kind(key, KEY_GROUP, 0);
		return;
	}
	set_kind(key, KEY_SEALED, sealed->flow);
	add_macs(key, sealed->ethernet.data);
}

static uint64_t hash(const uint64_t seed[static 2], const struct key *key) {
	return base_siphash13(seed, slice_of((const uint8_t *)key->word, key->words * sizeof(key->word[0])));
}

uint64_t queue_flow_hash(const uint64_t seed[static 2], uint32_t source_peer, struct slice datagram) {
	struct key key = {.words = 1, .word = {(uint64_t)source_peer << 32}};
	struct proto_sealed sealed;
	size_t skip = datagram.len < PROTO_OVERLAY_HEADER_BYTES ? datagram.len : PROTO_OVERLAY_HEADER_BYTES;

	if (proto_sealed_decode(datagram, &sealed) == 0)
		add_sealed(&key, &sealed);
	else
		add_frame(&key, slice_of(datagram.data + skip, datagram.len - skip));
	return hash(seed, &key);
}

uint16_t queue_flow_label(const uint64_t seed[static 2], struct slice frame) {
	struct key key = {.words = 1};

	add_frame(&key, frame);
	return (uint16_t)hash(seed, &key);
}
