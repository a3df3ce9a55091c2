/* tests/queue/frames.h: overlay datagrams of the flows that tests want to tell apart. */
#ifndef TESTS_QUEUE_FRAMES_H
#define TESTS_QUEUE_FRAMES_H

#include "base/bytes.h"
#include "queue/frame.h"

#include <string.h>

#define FRAME_AT 8 /* behind the overlay header */
#define PACKET_AT (FRAME_AT + 14)

static const uint64_t test_seed[2] = {1, 2};

/* IPv4 and UDP without options; `flow` is the destination port. At least 42 bytes. */
static inline void fill_udp(uint8_t *datagram, uint16_t flow) {
	memset(datagram, 0, PACKET_AT + 28);
	datagram[FRAME_AT] = datagram[FRAME_AT + 6] = 2;
	base_put_u16(datagram + FRAME_AT + 12, 0x0800);
	datagram[PACKET_AT] = 0x45;
	datagram[PACKET_AT + 9] = 17;
	base_put_u16(datagram + PACKET_AT + 22, flow);
}

static inline void fill_broadcast(uint8_t *datagram) {
	fill_udp(datagram, 0);
	memset(datagram + FRAME_AT, 0xff, 6);
}

#endif
