/* Any frame: what parses stays inside the frame. */
#include "proto/ether.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct proto_ether ether;

	if (proto_ether_parse(slice_of(data, size), &ether) != 0)
		return 0;
	if (ether.payload_offset + ether.payload.len > size || ether.payload.data != data + ether.payload_offset)
		abort();
	if (ether.is_length != (ether.type <= PROTO_LENGTH_MAX) || (ether.vlan_tags == 0 && ether.vlan_ids_or != 0))
		abort();
	return 0;
}
