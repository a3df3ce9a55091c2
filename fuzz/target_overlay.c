/* Any datagram: what decodes encodes to the same header, sealed or not, and is never both. */
#include "proto/overlay.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	uint8_t header[PROTO_OVERLAY_HEADER_BYTES], clear[PROTO_SEALED_CLEAR_BYTES];
	struct proto_sealed sealed;
	struct proto_overlay overlay;

	if (proto_sealed_decode(slice_of(data, size), &sealed) == 0) {
		if (proto_overlay_decode(slice_of(data, size), &overlay) == 0 ||
		    proto_sealed_encode_clear(clear, sealed.source_peer,
		                              slice_of(data + PROTO_OVERLAY_HEADER_BYTES, sealed.frame_len), sealed.flow,
		                              sealed.counter, size) != 0 ||
		    memcmp(clear, data, sizeof(clear)) != 0 || sealed.clear.len + sealed.sealed.len != size)
			abort();
		return 0;
	}
	if (proto_overlay_decode(slice_of(data, size), &overlay) != 0)
		return 0;
	if (proto_overlay_encode_header(header, overlay.source_peer, overlay.frame.len, size) != 0 ||
	    memcmp(header, data, sizeof(header)) != 0 || overlay.frame.len != size - sizeof(header))
		abort();
	return 0;
}
