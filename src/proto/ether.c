/* proto/ether.c: reads the framing of an Ethernet frame and nothing behind it. */
#include "proto/ether.h"

#include "base/bytes.h"
#include "base/error.h"

bool proto_ether_is_vlan_type(uint16_t type) {
	return type == PROTO_ETHERTYPE_VLAN || type == PROTO_ETHERTYPE_QINQ || type == PROTO_ETHERTYPE_QINQ_OLD ||
	       type == PROTO_ETHERTYPE_QINQ_OLDER;
}

/* Walks the tags that start where the type field would be; leaves the real type and payload offset in `ether`. */
static int parse_tags(struct slice frame, struct proto_ether *ether) {
	while (proto_ether_is_vlan_type(ether->type)) {
		uint16_t vlan_id;

		if (ether->vlan_tags == PROTO_ETHER_VLAN_TAGS_MAX)
			return BASE_E_INVALID;
		if (frame.len - ether->payload_offset < PROTO_ETHER_VLAN_TAG_BYTES)
			return BASE_E_SHORT;
		vlan_id = base_get_u16(frame.data + ether->payload_offset) & 0x0fff;
		if (ether->vlan_tags == 0)
			ether->vlan_id = vlan_id;
		ether->vlan_ids_or |= vlan_id;
		ether->vlan_tags++;
		ether->type = base_get_u16(frame.data + ether->payload_offset + 2);
		ether->payload_offset += PROTO_ETHER_VLAN_TAG_BYTES;
	}
	return 0;
}

int proto_ether_parse(struct slice frame, struct proto_ether *ret) {
	struct proto_ether ether = {.payload_offset = PROTO_ETHER_HEADER_BYTES};
	size_t payload_len;
	int err;

	if (!proto_ether_peek(frame, &ether.dst, &ether.src, &ether.type))
		return BASE_E_RUNT;
	err = parse_tags(frame, &ether);
	if (err != 0)
		return err;
	payload_len = frame.len - ether.payload_offset;
	if (ether.type <= PROTO_LENGTH_MAX) {
		if (ether.type > payload_len)
			return BASE_E_LENGTH;
		ether.is_length = true;
		payload_len = ether.type;
	} else if (ether.type < PROTO_ETHERTYPE_MIN) {
		return BASE_E_INVALID;
	}
	ether.payload = slice_of(frame.data + ether.payload_offset, payload_len);
	*ret = ether;
	return 0;
}

bool proto_ether_peek(struct slice frame, struct proto_mac *ret_dst, struct proto_mac *ret_src, uint16_t *ret_type) {
	if (frame.len < PROTO_ETHER_HEADER_BYTES)
		return false;
	*ret_dst = proto_mac_of(frame.data);
	*ret_src = proto_mac_of(frame.data + PROTO_MAC_BYTES);
	*ret_type = base_get_u16(frame.data + 2 * PROTO_MAC_BYTES);
	return true;
}
