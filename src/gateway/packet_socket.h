/* gateway/packet_socket.h: the AF_PACKET socket on the LAN interface. Tests put a socketpair in its place. Needs
 * CAP_NET_RAW. */
#ifndef GATEWAY_PACKET_SOCKET_H
#define GATEWAY_PACKET_SOCKET_H

#include "gateway/port.h"

struct gateway_packet_socket {
	int fd; /* non-blocking */
	unsigned ifindex;
	struct proto_mac mac; /* the interface's own; zero for a socket that is no packet socket */
	bool vnet_header;     /* every frame, in both directions, has an OFFLOAD_VNET_HEADER_BYTES header before it */
};

/* Opens the socket, promiscuous, for whole frames of others; frames this machine sends are not captured. 0 with *ret,
 * BASE_E_NOT_FOUND, BASE_E_DENIED or BASE_E_IO with `error`. */
int gateway_packet_socket_open(const char *name, struct gateway_packet_socket *ret,
                               char error[static GATEWAY_PORT_ERROR_BYTES]);

#endif
