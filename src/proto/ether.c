/* proto/ether.c: reads the framing of an Ethernet frame and nothing behind it. */
#include "proto/ether.h"

#include "base/bytes.h"
#include "base/error.h"

bool proto_ether_is_vlan_type(uint16_t type) {
	return type == PROTO_ETHERTYPE_VLAN || type == PROTO_ETHERTYPE_QINQ || type == PROTO_ETHERTYPE_QINQ_OLD ||
	       type == PROTO_ETHERTYPE_QINQ_OLDER;
}

/* What tags say, and what is behind them. */
struct tags {
	uint8_t count;
	uint16_t outermost, ids_or;
	uint16_t type;
	size_t end; /* offset behind `type` */
};

static int walk_tags(struct slice frame, struct tags *tags) {
	while (proto_ether_is_vlan_type(tags->type)) {
		uint16_t id;

		if (tags->count == PROTO_ETHER_VLAN_TAGS_MAX)
			return BASE_E_INVALID;
		if (frame.len - tags->end < PROTO_ETHER_VLAN_TAG_BYTES)
			return BASE_E_SHORT;
		id = base_get_u16(frame.data + tags->end) & 0x0fff;
		if (tags->count == 0)
			tags->outermost = id;
		tags->ids_or |= id;
		tags->count++;
		tags->type = base_get_u16(frame.data + tags->end + 2);
		tags->end += PROTO_ETHER_VLAN_TAG_BYTES;
	}
	return 0;
}

int proto_ether_parse(struct slice frame, struct proto_ether *ret) {
	struct tags tags = {.end = PROTO_ETHER_HEADER_BYTES};
	size_t payload_len;
	int err;

	if (frame.len < PROTO_ETHER_HEADER_BYTES)
		return BASE_E_RUNT;
	tags.type = base_get_u16(frame.data + 2 * PROTO_MAC_BYTES);
	err = walk_tags(frame, &tags);
	if (err != 0)
		return err;
	payload_len = frame.len - tags.end;
	if (tags.type <= PROTO_LENGTH_MAX) {
		if (tags.type > payload_len)
			return BASE_E_LENGTH;
		payload_len = tags.type;
	} else if (tags.type < PROTO_ETHERTYPE_MIN) {
		return BASE_E_INVALID;
	}
	/* Field by field: to copy a struct that was just written in small pieces is to wait for each of them. */
	ret->dst = proto_mac_of(frame.data);
	ret->src = proto_mac_of(frame.data + PROTO_MAC_BYTES);
	ret->vlan_tags = tags.count;
	ret->vlan_id = tags.outermost;
	ret->vlan_ids_or = tags.ids_or;
	ret->type = tags.type;
	ret->is_length = tags.type <= PROTO_LENGTH_MAX;
	ret->payload_offset = tags.end;
	ret->payload = slice_of(frame.data + tags.end, payload_len);
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
