/* udp/recv_windows.c: one WSARecvMsg a datagram, with what the control messages say about it. Windows can coalesce them
 * (UDP_RECV_MAX_COALESCED_SIZE), but with some network drivers it does not say where they are to be cut. */
#include "base/error.h"
#include "udp/socket_windows.h"

#include <string.h>

/* After these the socket is beyond use; whatever else it reports passes. */
static bool is_final(int code) {
	return code == WSAENOTSOCK || code == WSANOTINITIALISED || code == WSAEINVAL || code == WSAEFAULT ||
	       code == WSA_INVALID_HANDLE;
}

static void read_packet_info(struct udp_socket *self, const WSACMSGHDR *control, struct udp_chunk *chunk) {
	if (!self->local_addr_in_path)
		return;
	if (control->cmsg_level == IPPROTO_IP) {
		struct in_pktinfo info;

		memcpy(&info, control + 1, sizeof(info));
		chunk->path.local = udp_addr_from_in(&info.ipi_addr, self->local.port);
	} else {
		struct in6_pktinfo info;

		memcpy(&info, control + 1, sizeof(info));
		chunk->path.local = udp_addr_from_in6(&info.ipi6_addr, self->local.port, (uint32_t)info.ipi6_ifindex);
	}
}

/* The numbers of both families are the same: packet info 19, ECN 50. */
static void read_one_control(struct udp_socket *self, const WSACMSGHDR *control, struct udp_chunk *chunk) {
	bool is_ip = control->cmsg_level == IPPROTO_IP || control->cmsg_level == IPPROTO_IPV6;
	DWORD value;

	if (is_ip && control->cmsg_type == IP_PKTINFO) {
		read_packet_info(self, control, chunk);
	} else if (is_ip && control->cmsg_type == IP_ECN) {
		memcpy(&value, control + 1, sizeof(value));
		chunk->ecn = (uint8_t)(value & 3);
	}
}

static void read_control(struct udp_socket *self, const WSAMSG *message, struct udp_chunk *chunk) {
	for (size_t at = 0; at + sizeof(WSACMSGHDR) <= message->Control.len;) {
		const WSACMSGHDR *control = (const WSACMSGHDR *)(const void *)(message->Control.buf + at);

		if (control->cmsg_len < sizeof(*control) || control->cmsg_len > message->Control.len - at)
			return;
		read_one_control(self, control, chunk);
		at += UDP_CONTROL_SPACE(control->cmsg_len - sizeof(*control));
	}
}

/* 1 with a chunk, 0 when there was something that is none, BASE_E_AGAIN when nothing is there, BASE_E_IO. */
static int receive_one(struct udp_socket *self, uint8_t *slot, struct udp_chunk *ret) {
	union udp_control control;
	union udp_sockaddr name;
	WSABUF buffer = {.len = UDP_SLOT_BYTES, .buf = (char *)slot};
	WSAMSG message = {
	    .name = &name.any,
	    .namelen = sizeof(name),
	    .lpBuffers = &buffer,
	    .dwBufferCount = 1,
	    .Control = {.len = sizeof(control), .buf = (char *)control.bytes},
	};
	DWORD len = 0;

	if (self->receive(self->socket, &message, &len, NULL, NULL) != 0) {
		int code = WSAGetLastError();

		if (code == WSAEWOULDBLOCK)
			return BASE_E_AGAIN;
		return is_final(code) ? BASE_E_IO : 0; /* WSAEMSGSIZE: longer than any we would agree to */
	}
	if (len == 0 || (message.dwFlags & MSG_TRUNC) != 0)
		return 0;
	*ret = (struct udp_chunk){
	    .path = {.local = self->local, .remote = udp_addr_from_system(&name)},
	    .segment = len,
	    .bytes = slice_of(slot, len),
	};
	read_control(self, &message, ret);
	return 1;
}

int udp_recv(struct udp_socket *self, struct udp_chunk chunks[static UDP_RX_CHUNKS_MAX]) {
	WSANETWORKEVENTS events;
	int count = 0, got = 0;

	/* First, so that what arrives from now on sets the event again. */
	if (WSAEnumNetworkEvents(self->socket, self->event, &events) != 0)
		return BASE_E_IO;
	for (int i = 0; i < UDP_RX_CHUNKS_MAX && got >= 0; i++) {
		got = receive_one(self, self->slots[count], &chunks[count]);
		if (got == BASE_E_AGAIN)
			return count;
		if (got > 0)
			count++;
	}
	if (got < 0 && count == 0)
		return got;
	SetEvent(self->event); /* there may be more; and what a broken socket said before it broke goes first */
	return count;
}
