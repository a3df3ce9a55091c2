/* Any datagram: what decodes encodes to the same header. */
#include "proto/overlay.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	uint8_t header[PROTO_OVERLAY_HEADER_BYTES];
	struct proto_overlay overlay;

	if (proto_overlay_decode(slice_of(data, size), &overlay) != 0)
		return 0;
	if (proto_overlay_encode_header(header, overlay.source_peer, overlay.frame.len, size) != 0 ||
	    memcmp(header, data, sizeof(header)) != 0 || overlay.frame.len != size - sizeof(header))
		abort();
	return 0;
}
