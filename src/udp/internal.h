/* udp/internal.h: what the sockets of both platforms have in common. Private to the room. */
#ifndef UDP_INTERNAL_H
#define UDP_INTERNAL_H

#include "udp/addr_posix.h"
#include "udp/udp.h"

#include <assert.h>

#define UDP_BUFFER_BYTES_DEFAULT (4 << 20) /* some 30 ms at 1 Gbit/s, what a busy loop turn may take */

/* A slot is what one chunk is received into: up to 64 KiB where the system glues datagrams together, else a single
 * datagram, and no path we know has an MTU above 9216. */
#define UDP_CHUNK_SLOT_BYTES 65536
#define UDP_SLOT_BYTES 9216

/* The burst in which the system's buffer ran full while its datagrams were sent singly, and how much of it is gone. */
struct udp_resume {
	const uint8_t *data;
	size_t offset;
};

/* How much of the first of these bursts is gone already. Forgets it. */
static inline size_t udp_resume_take(struct udp_resume *resume, const struct udp_burst *bursts, size_t count) {
	bool is_first = count > 0 && resume->data == bursts[0].bytes.data && resume->offset < bursts[0].bytes.len;
	size_t offset = is_first ? resume->offset : 0;

	*resume = (struct udp_resume){0};
	return offset;
}

static inline void udp_assert_burst(const struct udp_burst *burst) {
	assert(burst->segment > 0 && burst->bytes.len > 0 && burst->bytes.len <= UDP_BURST_BYTES_MAX &&
	       burst->bytes.len <= UDP_BURST_SEGMENTS_MAX * burst->segment);
	(void)burst;
}

#endif
