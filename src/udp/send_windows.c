/* udp/send_windows.c: a burst is one WSASendMsg with a segment size where the system cuts, else one a datagram. */
#include "udp/socket_windows.h"

#include <string.h>

enum outcome { SENT, FULL, REFUSED };

static void add_control(WSAMSG *message, int level, int type, const void *data, size_t len) {
	WSACMSGHDR *control = (WSACMSGHDR *)(void *)(message->Control.buf + message->Control.len);

	control->cmsg_level = level;
	control->cmsg_type = type;
	control->cmsg_len = sizeof(*control) + len;
	memcpy(control + 1, data, len);
	message->Control.len += (ULONG)UDP_CONTROL_SPACE(len);
}

static void add_source(WSAMSG *message, const struct base_addr *local) {
	if (local->family == BASE_FAMILY_V4) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_addr, local->ip, 4);
		add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = local->scope};

		memcpy(&info.ipi6_addr, local->ip, 16);
		add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

static void add_controls(const struct udp_socket *self, const struct udp_burst *burst, size_t len, WSAMSG *message) {
	const struct base_addr *local = &burst->path.local;

	if (len > burst->segment) {
		DWORD segment = (DWORD)burst->segment;

		add_control(message, IPPROTO_UDP, UDP_SEND_MSG_SIZE, &segment, sizeof(segment));
	}
	if (burst->ecn != 0 && self->ecn) {
		INT ecn = burst->ecn;

		if (burst->path.remote.family == BASE_FAMILY_V4)
			add_control(message, IPPROTO_IP, IP_ECN, &ecn, sizeof(ecn));
		else
			add_control(message, IPPROTO_IPV6, IPV6_ECN, &ecn, sizeof(ecn));
	}
	if (self->local_is_wildcard && local->family == burst->path.remote.family && !udp_addr_is_wildcard(local))
		add_source(message, local);
}

static enum outcome send_one(struct udp_socket *self, const struct udp_burst *burst, struct slice bytes) {
	union udp_control controls;
	union udp_sockaddr name;
	WSABUF buffer = {.len = (ULONG)bytes.len, .buf = (char *)(uintptr_t)bytes.data};
	WSAMSG message = {
	    .name = &name.any,
	    .namelen = udp_addr_to_system(&burst->path.remote, self->domain, &name),
	    .lpBuffers = &buffer,
	    .dwBufferCount = 1,
	    .Control = {.buf = (char *)controls.bytes},
	};
	DWORD sent;

	if (message.namelen == 0)
		return REFUSED;
	memset(&controls, 0, sizeof(controls));
	add_controls(self, burst, bytes.len, &message);
	if (message.Control.len == 0)
		message.Control.buf = NULL;
	if (WSASendMsg(self->socket, &message, 0, &sent, NULL, NULL) == 0)
		return SENT;
	switch (WSAGetLastError()) {
	case WSAEWOULDBLOCK:
		return FULL;
	case WSAENOBUFS: /* an adapter is gone or stands still, and the socket has room all the while: lost on the network
	                  */
		return SENT;
	default:
		return REFUSED;
	}
}

/* From `*offset` on; false when the buffer is full. */
static bool send_singly(struct udp_socket *self, const struct udp_burst *burst, size_t *offset) {
	bool was_whole = *offset == 0 && self->features.gso && burst->bytes.len > burst->segment;

	while (*offset < burst->bytes.len) {
		size_t left = burst->bytes.len - *offset, len = left < burst->segment ? left : burst->segment;
		enum outcome outcome = send_one(self, burst, slice_of(burst->bytes.data + *offset, len));

		if (outcome == FULL)
			return false;
		/* When full datagrams pass singly that were refused as a whole, cutting is what the system cannot do. */
		if (outcome == SENT && was_whole && len == burst->segment)
			self->features.gso = false;
		*offset += len;
	}
	return true;
}

static bool send_burst(struct udp_socket *self, const struct udp_burst *burst, size_t *offset) {
	udp_assert_burst(burst);
	if (*offset == 0 && self->features.gso && burst->bytes.len > burst->segment) {
		enum outcome outcome = send_one(self, burst, burst->bytes);

		if (outcome != REFUSED)
			return outcome == SENT;
	}
	return send_singly(self, burst, offset);
}

size_t udp_send(struct udp_socket *self, const struct udp_burst *bursts, size_t count) {
	size_t offset = udp_resume_take(&self->resume, bursts, count), taken = 0;
	bool full = false;

	while (taken < count && !full) {
		full = !send_burst(self, &bursts[taken], &offset);
		if (full) {
			self->resume = (struct udp_resume){bursts[taken].bytes.data, offset};
		} else {
			taken++;
			offset = 0;
		}
	}
	/* Selecting anew reports room at once if there is some again. */
	if (full || self->wants_room)
		udp_select_events(self, full);
	return taken;
}
