/* udp/socket_windows.h: the socket with the event its loop waits for. Private to the room. */
#ifndef UDP_SOCKET_WINDOWS_H
#define UDP_SOCKET_WINDOWS_H

#include "udp/internal.h"

#include <mswsock.h>
#include <winsock2.h>
#include <ws2tcpip.h>

/* Our headers are older than this (Windows 10 2004). */
#ifndef UDP_SEND_MSG_SIZE
#define UDP_SEND_MSG_SIZE 2
#endif

#ifndef IP_RECVECN
#define IP_RECVECN 50
#define IPV6_RECVECN 50
#endif

/* What a control message of `len` bytes takes (WSA_CMSG_SPACE, whose signed arithmetic gcc warns of). */
#define UDP_CONTROL_ALIGNMENT sizeof(SIZE_T)
#define UDP_CONTROL_SPACE(len) \
	(sizeof(WSACMSGHDR) + ((len) + UDP_CONTROL_ALIGNMENT - 1) / UDP_CONTROL_ALIGNMENT * UDP_CONTROL_ALIGNMENT)

/* Packet info of both families, ECN, and the segment size of what is sent. */
union udp_control {
	WSACMSGHDR align;
	uint8_t bytes[UDP_CONTROL_SPACE(sizeof(struct in6_pktinfo)) + UDP_CONTROL_SPACE(sizeof(struct in_pktinfo)) +
	              2 * UDP_CONTROL_SPACE(sizeof(INT))];
};

struct udp_socket {
	SOCKET socket;
	HANDLE event; /* manual reset: something to read, or room again after the buffer was full */
	bool wants_room;
	sa_family_t domain;
	struct base_addr local;
	bool local_is_wildcard;
	bool local_addr_in_path;
	bool ecn; /* the system knows ECN per packet */
	struct udp_features features;
	LPFN_WSARECVMSG receive; /* WSARecvMsg */
	struct udp_resume resume;
	uint8_t slots[UDP_RX_CHUNKS_MAX][UDP_SLOT_BYTES];
};

/* Which changes of the socket set the event: those to read, and room to write while it is wanted. */
bool udp_select_events(struct udp_socket *self, bool wants_room);

#endif
