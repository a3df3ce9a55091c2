/* udp/recv_linux.c: one recvmmsg a call, with what the control messages say about each chunk. */
#include "base/error.h"
#include "udp/socket_linux.h"

#include <errno.h>
#include <string.h>

/* Errors of the network that a socket may report on reading; it goes on working. */
static bool is_passing(int code) {
	static const int passing[] = {EAGAIN,    EINTR,      ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH,
	                              EHOSTDOWN, ENETDOWN,   EMSGSIZE,     EPROTO,     ENOPROTOOPT,  EACCES,
	                              EPERM,     EOPNOTSUPP, ENOMEM,       ENOBUFS,    ETIMEDOUT,    ENONET};

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (code == passing[i])
			return true;
	}
	return false;
}

static void read_ip_control(const struct udp_socket *self, const struct cmsghdr *control, struct udp_chunk *chunk) {
	struct in_pktinfo info;

	if (control->cmsg_type == IP_TOS) {
		chunk->ecn = *CMSG_DATA(control) & 3;
	} else if (control->cmsg_type == IP_PKTINFO && self->local_addr_in_path) {
		memcpy(&info, CMSG_DATA(control), sizeof(info));
		chunk->path.local = udp_addr_from_in(&info.ipi_spec_dst, self->local.port);
	}
}

static void read_ipv6_control(const struct udp_socket *self, const struct cmsghdr *control, struct udp_chunk *chunk) {
	struct in6_pktinfo info;
	int traffic_class;

	if (control->cmsg_type == IPV6_TCLASS) {
		memcpy(&traffic_class, CMSG_DATA(control), sizeof(traffic_class));
		chunk->ecn = (uint8_t)(traffic_class & 3);
	} else if (control->cmsg_type == IPV6_PKTINFO && self->local_addr_in_path) {
		memcpy(&info, CMSG_DATA(control), sizeof(info));
		chunk->path.local = udp_addr_from_in6(&info.ipi6_addr, self->local.port, info.ipi6_ifindex);
	}
}

static void read_control(const struct udp_socket *self, struct msghdr *message, struct udp_chunk *chunk) {
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
		int segment;

		if (control->cmsg_level == IPPROTO_IP) {
			read_ip_control(self, control, chunk);
		} else if (control->cmsg_level == IPPROTO_IPV6) {
			read_ipv6_control(self, control, chunk);
		} else if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
			memcpy(&segment, CMSG_DATA(control), sizeof(segment));
			if (segment > 0 && (size_t)segment < chunk->bytes.len)
				chunk->segment = (size_t)segment;
		}
	}
}

/* What the kernel changes: those of the last call only, since each touches memory that an idle program finds cold. */
static void prepare(struct udp_rx *rx) {
	for (size_t i = 0; i < rx->used; i++) {
		rx->messages[i].msg_hdr = (struct msghdr){
		    .msg_name = &rx->names[i],
		    .msg_namelen = sizeof(rx->names[i]),
		    .msg_iov = &rx->slots[i],
		    .msg_iovlen = 1,
		    .msg_control = &rx->controls[i],
		    .msg_controllen = sizeof(rx->controls[i]),
		};
	}
}

/* How many chunks hold UDP_RX_BYTES if they are like those of the last call. */
static unsigned chunks_wanted(int count, size_t bytes) {
	size_t wanted = count == 0 ? UDP_RX_CHUNKS_MAX : UDP_RX_BYTES * (size_t)count / bytes;

	return wanted < 1 ? 1 : wanted < UDP_RX_CHUNKS_MAX ? (unsigned)wanted : UDP_RX_CHUNKS_MAX;
}

int udp_recv(struct udp_socket *self, struct udp_chunk chunks[static UDP_RX_CHUNKS_MAX]) {
	struct udp_rx *rx = &self->rx;
	size_t bytes = 0;
	int received, count = 0;

	prepare(rx);
	received = recvmmsg(self->fd, rx->messages, rx->wanted, MSG_DONTWAIT, NULL);
	/* A message that failed may have been written to as well. */
	rx->used = received < 0 ? 1 : (unsigned)received < rx->wanted ? (size_t)received + 1 : rx->wanted;
	if (received < 0)
		return is_passing(errno) ? 0 : BASE_E_IO;
	for (int i = 0; i < received; i++) {
		struct msghdr *message = &rx->messages[i].msg_hdr;
		struct udp_chunk *chunk = &chunks[count];

		if (rx->messages[i].msg_len == 0 || (message->msg_flags & MSG_TRUNC))
			continue;
		*chunk = (struct udp_chunk){
		    .path = {.local = self->local, .remote = udp_addr_from_system(&rx->names[i])},
		    .segment = rx->messages[i].msg_len,
		    .bytes = slice_of(rx->slots[i].iov_base, rx->messages[i].msg_len),
		};
		read_control(self, message, chunk);
		bytes += chunk->bytes.len;
		count++;
	}
	rx->wanted = chunks_wanted(count, bytes);
	return count;
}
