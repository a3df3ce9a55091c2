/* A virtio-net header and a frame: what is not refused comes out whole, in pieces that stay in their bounds. */
#include "offload/offload.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void split(uint8_t *frame, size_t len, const struct offload_vnet *vnet) {
	struct offload_splitter splitter;
	uint8_t buf[2048];
	size_t payload = 0;
	struct slice out;
	int result;

	if (offload_splitter_init(&splitter, frame, len, vnet) != 0)
		return;
	while ((result = offload_splitter_next(&splitter, buf, sizeof(buf), &out)) > 0) {
		if (out.len != (size_t)result)
			abort();
		if (vnet->gso == OFFLOAD_GSO_NONE) {
			payload = out.len;
			continue;
		}
		if (out.data != buf || out.len < splitter.header_len || out.len > sizeof(buf) ||
		    memcmp(buf + splitter.header_len, frame + splitter.header_len + payload, out.len - splitter.header_len) !=
		        0)
			abort();
		payload += out.len - splitter.header_len;
	}
	if (result == 0 && payload != len - (vnet->gso == OFFLOAD_GSO_NONE ? 0 : splitter.header_len))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct offload_vnet vnet;
	size_t len;
	uint8_t *frame;

	if (offload_vnet_decode(slice_of(data, size), &vnet) != 0)
		return 0;
	len = size - OFFLOAD_VNET_HEADER_BYTES;
	frame = malloc(len > 0 ? len : 1); /* exact, so that sanitizers see any overrun */
	if (frame == NULL)
		abort();
	memcpy(frame, data + OFFLOAD_VNET_HEADER_BYTES, len);
	split(frame, len, &vnet);
	free(frame);
	return 0;
}
