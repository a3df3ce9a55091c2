#include "link/gather.h"

size_t link_gather(const struct offload_group *group, uint8_t header[static OFFLOAD_VNET_HEADER_BYTES],
                   struct iovec *parts) {
	offload_vnet_encode(&group->vnet, header);
	parts[0] = (struct iovec){header, OFFLOAD_VNET_HEADER_BYTES};
	/* Writing only reads; iovec has no const form. */
	for (size_t i = 0; i < group->part_count; i++)
		parts[1 + i] = (struct iovec){(void *)(uintptr_t)group->parts[i].data, group->parts[i].len};
	return 1 + group->part_count;
}

const char *link_gather_text(unsigned kinds) {
	static const char *const texts[] = {
	    [0] = "frames are written singly",
	    [OFFLOAD_MERGE_TCP] = "TCP segments are written as super-frames",
	    [OFFLOAD_MERGE_UDP] = "UDP datagrams are written as super-frames",
	    [OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP] = "TCP segments and UDP datagrams are written as super-frames",
	};

	return texts[kinds & (OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP)];
}
