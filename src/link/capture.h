/* link/capture.h: what one read from a TAP device or a packet socket brought, as finished frames: checksums filled in,
 * super-frames cut, each frame handed to its owner. Pure; the device itself stays with its owner. */
#ifndef LINK_CAPTURE_H
#define LINK_CAPTURE_H

#include "obs/counters.h"
#include "offload/offload.h"

struct link_capture {
	void (*deliver)(void *user, struct slice frame, uint64_t now);
	void *user;
	struct obs_counters *counters;            /* frames that can't be finished count as OBS_DROP_OFFLOAD */
	uint8_t segment[OFFLOAD_SUPER_FRAME_MAX]; /* a finished segment on its way */
};

/* One captured frame, modified in place. `vnet` may be NULL: the frame is finished. Returns how many bytes were
 * delivered, which for a super-frame of many small segments is much more than `len`, as each has headers of its own. */
size_t link_capture_frame(struct link_capture *capture, uint8_t *frame, size_t len, const struct offload_vnet *vnet,
                          uint64_t now);
/* A frame that was read, or would have been, and cannot be finished. */
void link_capture_lost(struct link_capture *capture, size_t len);
/* One read with its virtio-net header in front. Returns as above. */
size_t link_capture_read(struct link_capture *capture, uint8_t *bytes, size_t len, uint64_t now);

#endif
