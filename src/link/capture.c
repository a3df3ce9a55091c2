#include "link/capture.h"

#include "base/error.h"

#include <errno.h>

/* Keeps the balance: what was read is a frame that was read, and dropped. */
void link_capture_lost(struct link_capture *capture, size_t len) {
	capture->counters->value[OBS_DEVICE_RX_FRAMES]++;
	capture->counters->value[OBS_DEVICE_RX_BYTES] += len;
	capture->counters->drop[OBS_DROP_OFFLOAD]++;
}

size_t link_capture_frame(struct link_capture *capture, uint8_t *frame, size_t len, const struct offload_vnet *vnet,
                          uint64_t now) {
	size_t delivered = 0;

	if (vnet == NULL || (!vnet->needs_csum && vnet->gso == OFFLOAD_GSO_NONE)) {
		capture->deliver(capture->user, slice_of(frame, len), now);
		return len;
	}
	struct offload_splitter splitter;
	if (offload_splitter_init(&splitter, frame, len, vnet) < 0) {
		link_capture_lost(capture, len);
		return 0;
	}
	struct slice finished;
	int got;
	while ((got = offload_splitter_next(&splitter, capture->segment, sizeof(capture->segment), &finished)) > 0) {
		capture->deliver(capture->user, finished, now);
		delivered += finished.len;
	}
	if (got < 0)
		link_capture_lost(capture, len);
	return delivered;
}

size_t link_capture_read(struct link_capture *capture, uint8_t *bytes, size_t len, uint64_t now) {
	struct offload_vnet vnet;
	if (offload_vnet_decode(slice_of(bytes, len), &vnet) < 0) {
		link_capture_lost(capture, len);
		return 0;
	}
	return link_capture_frame(capture, bytes + OFFLOAD_VNET_HEADER_BYTES, len - OFFLOAD_VNET_HEADER_BYTES, &vnet, now);
}

int link_capture_turn(struct link_capture *capture, int (*read_one)(void *user, uint64_t now), void *user,
                      uint64_t now) {
	/* What is still there from the last time has had no pause: that turn was a long one. */
	const bool pause = !capture->more && now - capture->turn_at > LINK_CAPTURE_PAUSE_NS;
	size_t bytes = 0;

	capture->turn_at = now;
	capture->more = true;
	for (int reads = pause ? 1 : LINK_CAPTURE_READS_PER_TURN; reads > 0 && bytes < LINK_CAPTURE_BYTES_PER_TURN;
	     reads--) {
		int got = read_one(user, now);

		if (got == -EINTR)
			continue;
		capture->more = got >= 0;
		if (got < 0)
			return got == -EAGAIN || got == -EWOULDBLOCK ? 0 : got;
		bytes += (size_t)got;
	}
	return 0;
}
