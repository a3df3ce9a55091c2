/* proto/overlay.c: the overlay header. Knows nothing of QUIC and does not look into the frame. */
#include "proto/overlay.h"

#include "base/bytes.h"
#include "base/error.h"
#include "proto/ether.h"

enum overlay_field {
	OVERLAY_AT_VERSION = 0,
	OVERLAY_AT_FLAGS = 1,
	OVERLAY_AT_LENGTH = 2,
	OVERLAY_AT_SOURCE_PEER = 4,
};

int proto_overlay_decode(struct slice datagram, struct proto_overlay *ret) {
	const uint8_t *header = datagram.data;
	size_t frame_len;
	uint32_t source_peer;

	if (datagram.len < PROTO_OVERLAY_HEADER_BYTES)
		return BASE_E_SHORT;
	if (header[OVERLAY_AT_VERSION] != PROTO_OVERLAY_VERSION)
		return BASE_E_VERSION;
	if (header[OVERLAY_AT_FLAGS] != 0)
		return BASE_E_FLAGS;
	frame_len = datagram.len - PROTO_OVERLAY_HEADER_BYTES;
	if (base_get_u16(header + OVERLAY_AT_LENGTH) != frame_len)
		return BASE_E_LENGTH;
	if (frame_len < PROTO_ETHER_HEADER_BYTES)
		return BASE_E_RUNT;
	source_peer = base_get_u32(header + OVERLAY_AT_SOURCE_PEER);
	if (source_peer == 0)
		return BASE_E_RANGE;
	ret->flags = 0;
	ret->source_peer = source_peer;
	ret->frame = slice_of(header + PROTO_OVERLAY_HEADER_BYTES, frame_len);
	return 0;
}

int proto_overlay_encode_header(uint8_t out[static PROTO_OVERLAY_HEADER_BYTES], uint32_t source_peer, size_t frame_len,
                                size_t budget) {
	if (frame_len < PROTO_ETHER_HEADER_BYTES)
		return BASE_E_RUNT;
	if (source_peer == 0)
		return BASE_E_RANGE;
	if (frame_len > PROTO_OVERLAY_PAYLOAD_MAX || PROTO_OVERLAY_HEADER_BYTES + frame_len > budget)
		return BASE_E_TOO_BIG;
	out[OVERLAY_AT_VERSION] = PROTO_OVERLAY_VERSION;
	out[OVERLAY_AT_FLAGS] = 0;
	base_put_u16(out + OVERLAY_AT_LENGTH, (uint16_t)frame_len);
	base_put_u32(out + OVERLAY_AT_SOURCE_PEER, source_peer);
	return 0;
}
