/* queue/flow.c: the key of a flow, and its hash. Reads headers only, each after a look at what is left. */
#include "queue/flow.h"

#include "base/bytes.h"
#include "base/map.h"
#include "proto/ether.h"
#include "proto/overlay.h"

#include <string.h>

#define VLAN_TAGS_MAX 2
#define IPV4_HEADER_BYTES 20
#define IPV6_HEADER_BYTES 40
#define PORTS_BYTES 4
#define IPV4_FRAGMENT 0x3fff /* "more fragments" and the offset */

enum key_kind { KEY_OTHER, KEY_GROUP, KEY_IPV4, KEY_IPV6, KEY_SEALED };

struct key {
	size_t len;
	uint8_t bytes[4 + 1 + 1 + 32 + PORTS_BYTES]; /* source peer, kind, protocol, IPv6 addresses, ports */
};

static void add(struct key *key, const uint8_t *bytes, size_t len) {
	memcpy(key->bytes + key->len, bytes, len);
	key->len += len;
}

static void add_u8(struct key *key, uint8_t value) {
	key->bytes[key->len++] = value;
}

/* Those that begin with source and destination port: TCP, UDP, DCCP, SCTP, UDP-Lite. */
static bool has_ports(uint8_t protocol) {
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
}

static bool add_ipv4(struct key *key, struct slice packet) {
	size_t header;
	uint8_t protocol;

	if (packet.len < IPV4_HEADER_BYTES || packet.data[0] >> 4 != 4)
		return false;
	header = (size_t)(packet.data[0] & 0x0f) * 4;
	if (header < IPV4_HEADER_BYTES)
		return false;
	protocol = packet.data[9];
	add_u8(key, KEY_IPV4);
	add_u8(key, protocol);
	add(key, packet.data + 12, 8);
	if ((base_get_u16(packet.data + 6) & IPV4_FRAGMENT) == 0 && has_ports(protocol) &&
	    packet.len >= header + PORTS_BYTES)
		add(key, packet.data + header, PORTS_BYTES);
	return true;
}

/* Extension headers are not walked: what hides its ports behind them shares a flow with its like. */
static bool add_ipv6(struct key *key, struct slice packet) {
	uint8_t next_header;

	if (packet.len < IPV6_HEADER_BYTES || packet.data[0] >> 4 != 6)
		return false;
	next_header = packet.data[6];
	add_u8(key, KEY_IPV6);
	add_u8(key, next_header);
	add(key, packet.data + 8, 32);
	if (has_ports(next_header) && packet.len >= IPV6_HEADER_BYTES + PORTS_BYTES)
		add(key, packet.data + IPV6_HEADER_BYTES, PORTS_BYTES);
	return true;
}

static void add_frame(struct key *key, struct slice frame) {
	size_t offset = PROTO_ETHER_HEADER_BYTES;
	struct slice packet;
	uint16_t type;

	if (frame.len < PROTO_ETHER_HEADER_BYTES) {
		add_u8(key, KEY_OTHER);
		return;
	}
	if ((frame.data[0] & 1) != 0) {
		add_u8(key, KEY_GROUP);
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
	add_u8(key, KEY_OTHER);
	add(key, frame.data, 2 * PROTO_MAC_BYTES);
	add_u8(key, (uint8_t)(type >> 8));
	add_u8(key, (uint8_t)type);
}

/* What the sender says of the flow, who alone can see it. */
static void add_sealed(struct key *key, const struct proto_sealed *sealed) {
	if ((sealed->ethernet.data[0] & 1) != 0) {
		add_u8(key, KEY_GROUP);
		return;
	}
	add_u8(key, KEY_SEALED);
	add(key, sealed->ethernet.data, 2 * PROTO_MAC_BYTES);
	add_u8(key, (uint8_t)(sealed->flow >> 8));
	add_u8(key, (uint8_t)sealed->flow);
}

uint64_t queue_flow_hash(const uint64_t seed[static 2], uint32_t source_peer, struct slice datagram) {
	struct key key = {.len = sizeof(source_peer)};
	struct proto_sealed sealed;
	size_t skip = datagram.len < PROTO_OVERLAY_HEADER_BYTES ? datagram.len : PROTO_OVERLAY_HEADER_BYTES;

	base_put_u32(key.bytes, source_peer);
	if (proto_sealed_decode(datagram, &sealed) == 0)
		add_sealed(&key, &sealed);
	else
		add_frame(&key, slice_of(datagram.data + skip, datagram.len - skip));
	return base_siphash13(seed, slice_of(key.bytes, key.len));
}

uint16_t queue_flow_label(const uint64_t seed[static 2], struct slice frame) {
	struct key key = {.len = 0};

	add_frame(&key, frame);
	return (uint16_t)base_siphash13(seed, slice_of(key.bytes, key.len));
}
