/* offload/merger.h: the way back: a batch of frames on its way to a device, in which in-order TCP segments, and
 * equal-size UDP datagrams, of one flow become one super-frame, as the kernel's GRO would make it. Frames are copied in
 * as they come, groups of them come out when the owner ends the batch; nothing ever waits for more. Pure.
 *
 * What is merged is exactly what offload_splitter takes apart again into the same bytes. A frame for which that is not
 * certain, such as one with a wrong checksum, becomes a group of its own, unchanged. Within a flow the order stays;
 * between flows a later frame may move up to its group. */
#ifndef OFFLOAD_MERGER_H
#define OFFLOAD_MERGER_H

#include "offload/offload.h"

#define OFFLOAD_MERGER_FRAMES_MAX 512
#define OFFLOAD_MERGER_BYTES_MAX (384 * 1024) /* six of the largest super-frames; stays within a core's cache */
#define OFFLOAD_GROUP_FRAMES_MAX 64
#define OFFLOAD_GROUP_HEADER_MAX 114 /* Ethernet, IPv6, TCP with all options */
#define OFFLOAD_GROUP_PARTS_MAX (1 + OFFLOAD_GROUP_FRAMES_MAX)

enum offload_kinds { OFFLOAD_MERGE_TCP = 1, OFFLOAD_MERGE_UDP = 2 };

struct offload_merger;

/* What goes to the device as one: `vnet`, then the parts one after the other. Everything is valid until
 * offload_merger_clear. */
struct offload_group {
	struct offload_vnet vnet; /* all zero for a single frame */
	size_t frames, bytes;     /* as they came in */
	size_t part_count;
	struct slice parts[OFFLOAD_GROUP_PARTS_MAX];
};

/* NULL when memory is out. Merges nothing until it is told what. */
struct offload_merger *offload_merger_new(void);
void offload_merger_free(struct offload_merger *merger); /* accepts NULL */

/* `kinds` of enum offload_kinds may be merged, of frames up to `frame_bytes_max`: the device checks the length of
 * single frames only. Holds for frames that come after it. */
void offload_merger_allow(struct offload_merger *merger, unsigned kinds, size_t frame_bytes_max);

/* False when the batch is full: write it, clear it, push again. Frames are at most 65535 bytes long. */
bool offload_merger_push(struct offload_merger *merger, struct slice frame);

size_t offload_merger_count(const struct offload_merger *merger); /* groups */
size_t offload_merger_frame_count(const struct offload_merger *merger);
void offload_merger_group(struct offload_merger *merger, size_t index, struct offload_group *ret);
/* The frames of a group as they came in, for a device that refuses the super-frame. */
void offload_merger_frames(const struct offload_merger *merger, size_t index,
                           struct slice ret[static OFFLOAD_GROUP_FRAMES_MAX]);
/* The kind a super-frame is of. */
unsigned offload_group_kind(const struct offload_group *group);
void offload_merger_clear(struct offload_merger *merger);

#endif
