/* link/capture.h: what one read from a TAP device or a packet socket brought, as finished frames: checksums filled in,
 * super-frames cut, each frame handed to its owner; and how many reads a turn has. The device itself stays with its
 * owner. */
#ifndef LINK_CAPTURE_H
#define LINK_CAPTURE_H

#include "base/time.h"
#include "obs/counters.h"
#include "offload/offload.h"

/* One turn reads at most this much before the tunnel gets its turn to send, counted as the frames that come of it: five
 * whole super-frames. */
#define LINK_CAPTURE_READS_PER_TURN 64
#define LINK_CAPTURE_BYTES_PER_TURN (320 * 1024)
/* The first frame after so long a pause is a game's, and leaves before we look for a second one. */
#define LINK_CAPTURE_PAUSE_NS BASE_MS

struct link_capture {
	void (*deliver)(void *user, struct slice frame, uint64_t now);
	void *user;
	struct obs_counters *counters; /* frames that can't be finished count as OBS_DROP_OFFLOAD */
	uint64_t turn_at;
	bool more;                                /* the last turn stopped before the device was empty */
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

/* One turn of reads. `read_one` reads once and delivers: bytes of the frame or of what it was cut into, 0 for one that
 * was taken and is nothing, or a negative errno. 0 when there is nothing left or the turn is over, or that errno. */
int link_capture_turn(struct link_capture *capture, int (*read_one)(void *user, uint64_t now), void *user,
                      uint64_t now);

#endif
