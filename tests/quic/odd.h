/* tests/quic/odd.h: a client that says what a well-behaved one would not. */
#ifndef TESTS_QUIC_ODD_H
#define TESTS_QUIC_ODD_H

#include "net.h"
#include "quic/internal.h"

struct odd {
	const char *alpn;                 /* NULL: no ALPN at all */
	uint64_t max_datagram_frame_size; /* 0: no DATAGRAM */
	uint32_t version;                 /* 0: QUIC version 1 */
	bool no_control_stream;           /* never opens it */
	uint64_t stream_window;           /* 0: as usual */
	uint64_t max_ack_delay;           /* 0: as usual */
	uint64_t data_window;             /* of all streams together; 0: as usual */
	ngtcp2_encrypt encrypt;           /* which may put other frames into packets; NULL: as usual */
	ngtcp2_decrypt decrypt;           /* which may hear others; NULL: as usual */
};

struct net_peer *odd_connect(struct net *net, const struct odd *odd);

#endif
