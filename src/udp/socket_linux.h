/* udp/socket_linux.h: the socket with the arrays its batches live in, so that no call allocates. Private to the room.
 */
#ifndef UDP_SOCKET_LINUX_H
#define UDP_SOCKET_LINUX_H

#include "udp/internal.h"

#include <netinet/udp.h>
#include <sys/uio.h>

/* Packet info of both families, traffic class and segment size. */
union udp_control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo)) +
	              3 * CMSG_SPACE(sizeof(int))];
};

struct udp_rx {
	struct mmsghdr messages[UDP_RX_CHUNKS_MAX];
	struct iovec slots[UDP_RX_CHUNKS_MAX];
	union udp_sockaddr names[UDP_RX_CHUNKS_MAX];
	union udp_control controls[UDP_RX_CHUNKS_MAX];
	size_t used;     /* messages to be prepared anew */
	unsigned wanted; /* by the next call */
	uint8_t *bytes;
};

struct udp_tx {
	struct mmsghdr messages[UDP_TX_BURSTS_MAX];
	struct iovec slices[UDP_TX_BURSTS_MAX];
	union udp_sockaddr names[UDP_TX_BURSTS_MAX];
	union udp_control controls[UDP_TX_BURSTS_MAX];
	struct udp_resume resume;
};

struct udp_socket {
	int fd;
	sa_family_t domain;
	struct base_addr local;
	bool local_is_wildcard;
	bool local_addr_in_path;
	struct udp_features features;
	struct udp_rx rx;
	struct udp_tx tx;
};

#endif
