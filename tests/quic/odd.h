/* tests/quic/odd.h: a client that says what a well-behaved one would not. */
#ifndef TESTS_QUIC_ODD_H
#define TESTS_QUIC_ODD_H

#include "net.h"
#include "quic/internal.h"

/* What is left at zero is as usual. */
struct odd {
	const char *alpn;
	bool no_alpn;
	uint64_t max_datagram_frame_size;
	bool no_datagram;
	uint32_t version;
	bool no_control_stream; /* never opens it */
	uint64_t stream_window;
	uint64_t max_ack_delay; /* ns */
	uint64_t data_window;   /* of all streams together */
	ngtcp2_encrypt encrypt; /* which may put other frames into packets */
	ngtcp2_decrypt decrypt; /* which may hear others */
};

struct net_peer *odd_connect(struct net *net, const struct odd *odd);

#endif
