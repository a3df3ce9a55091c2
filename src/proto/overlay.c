/* proto/overlay.c: the overlay header. Knows nothing of QUIC and does not look into the frame. */
#include "proto/overlay.h"

#include "base/bytes.h"
#include "base/error.h"
#include "proto/ether.h"

#include <string.h>

enum overlay_field {
	OVERLAY_AT_VERSION = 0,
	OVERLAY_AT_FLAGS = 1,
	OVERLAY_AT_LENGTH = 2,
	OVERLAY_AT_SOURCE_PEER = 4,
	SEALED_AT_FLOW = PROTO_OVERLAY_HEADER_BYTES + PROTO_ETHER_HEADER_BYTES,
	SEALED_AT_COUNTER = SEALED_AT_FLOW + 2,
};

_Static_assert(SEALED_AT_COUNTER + 6 == PROTO_SEALED_CLEAR_BYTES, "the clear part ends with the counter");
_Static_assert(PROTO_SEALED_CLEAR_BYTES + PROTO_SEALED_TAG_BYTES ==
                   PROTO_OVERLAY_HEADER_BYTES + PROTO_ETHER_HEADER_BYTES + PROTO_SEALED_BYTES,
               "what sealing adds");

/* What both kinds have: the header, and that as many bytes follow as it says. */
static int decode_header(struct slice datagram, uint8_t flags, size_t payload_min, uint32_t *ret_source_peer) {
	const uint8_t *header = datagram.data;
	size_t payload;

	if (datagram.len < PROTO_OVERLAY_HEADER_BYTES)
		return BASE_E_SHORT;
	if (header[OVERLAY_AT_VERSION] != PROTO_OVERLAY_VERSION)
		return BASE_E_VERSION;
	if (header[OVERLAY_AT_FLAGS] != flags)
		return BASE_E_FLAGS;
	payload = datagram.len - PROTO_OVERLAY_HEADER_BYTES;
	if (base_get_u16(header + OVERLAY_AT_LENGTH) != payload)
		return BASE_E_LENGTH;
	if (payload < payload_min)
		return BASE_E_RUNT;
	*ret_source_peer = base_get_u32(header + OVERLAY_AT_SOURCE_PEER);
	return *ret_source_peer != 0 ? 0 : BASE_E_RANGE;
}

static int encode_header(uint8_t *out, uint8_t flags, uint32_t source_peer, size_t payload, size_t budget) {
	if (source_peer == 0)
		return BASE_E_RANGE;
	if (payload > PROTO_OVERLAY_PAYLOAD_MAX || PROTO_OVERLAY_HEADER_BYTES + payload > budget)
		return BASE_E_TOO_BIG;
	out[OVERLAY_AT_VERSION] = PROTO_OVERLAY_VERSION;
	out[OVERLAY_AT_FLAGS] = flags;
	base_put_u16(out + OVERLAY_AT_LENGTH, (uint16_t)payload);
	base_put_u32(out + OVERLAY_AT_SOURCE_PEER, source_peer);
	return 0;
}

int proto_overlay_decode(struct slice datagram, struct proto_overlay *ret) {
	uint32_t source_peer;
	int err = decode_header(datagram, 0, PROTO_ETHER_HEADER_BYTES, &source_peer);

	if (err != 0)
		return err;
	ret->source_peer = source_peer;
	ret->frame = slice_of(datagram.data + PROTO_OVERLAY_HEADER_BYTES, datagram.len - PROTO_OVERLAY_HEADER_BYTES);
	return 0;
}

int proto_overlay_encode_header(uint8_t out[static PROTO_OVERLAY_HEADER_BYTES], uint32_t source_peer, size_t frame_len,
                                size_t budget) {
	if (frame_len < PROTO_ETHER_HEADER_BYTES)
		return BASE_E_RUNT;
	return encode_header(out, 0, source_peer, frame_len, budget);
}

int proto_sealed_decode(struct slice datagram, struct proto_sealed *ret) {
	uint32_t source_peer;
	int err =
	    decode_header(datagram, PROTO_OVERLAY_FLAG_SEALED, PROTO_ETHER_HEADER_BYTES + PROTO_SEALED_BYTES, &source_peer);

	if (err != 0)
		return err;
	*ret = (struct proto_sealed){
	    .source_peer = source_peer,
	    .frame_len = datagram.len - PROTO_OVERLAY_HEADER_BYTES - PROTO_SEALED_BYTES,
	    .flow = base_get_u16(datagram.data + SEALED_AT_FLOW),
	    .counter = (uint64_t)base_get_u16(datagram.data + SEALED_AT_COUNTER) << 32 |
	               base_get_u32(datagram.data + SEALED_AT_COUNTER + 2),
	    .clear = slice_of(datagram.data, PROTO_SEALED_CLEAR_BYTES),
	    .ethernet = slice_of(datagram.data + PROTO_OVERLAY_HEADER_BYTES, PROTO_ETHER_HEADER_BYTES),
	    .sealed = slice_of(datagram.data + PROTO_SEALED_CLEAR_BYTES, datagram.len - PROTO_SEALED_CLEAR_BYTES),
	};
	return 0;
}

int proto_sealed_encode_clear(uint8_t out[static PROTO_SEALED_CLEAR_BYTES], uint32_t source_peer, struct slice frame,
                              uint16_t flow, uint64_t counter, size_t budget) {
	int err;

	if (frame.len < PROTO_ETHER_HEADER_BYTES)
		return BASE_E_RUNT;
	if (counter > PROTO_SEALED_COUNTER_MAX)
		return BASE_E_RANGE;
	err = encode_header(out, PROTO_OVERLAY_FLAG_SEALED, source_peer, frame.len + PROTO_SEALED_BYTES, budget);
	if (err != 0)
		return err;
	memcpy(out + PROTO_OVERLAY_HEADER_BYTES, frame.data, PROTO_ETHER_HEADER_BYTES);
	base_put_u16(out + SEALED_AT_FLOW, flow);
	base_put_u16(out + SEALED_AT_COUNTER, (uint16_t)(counter >> 32));
	base_put_u32(out + SEALED_AT_COUNTER + 2, (uint32_t)counter);
	return 0;
}
