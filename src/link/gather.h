/* link/gather.h: a group of the merger as the pieces of one write. Linux. */
#ifndef LINK_GATHER_H
#define LINK_GATHER_H

#include "offload/merger.h"

#include <sys/uio.h>

#define LINK_GATHER_PARTS_MAX (1 + OFFLOAD_GROUP_PARTS_MAX)

/* Fills `header`, which is the first piece; returns how many pieces there are, one more than the group has parts. */
size_t link_gather(const struct offload_group *group, uint8_t header[static OFFLOAD_VNET_HEADER_BYTES],
                   struct iovec *parts);

/* For the log: what of `kinds` the device takes as super-frames. */
const char *link_gather_text(unsigned kinds);

#endif
