/* udp/send_linux.c: bursts become messages, one with a segment size where the kernel cuts, else one a datagram;
 * sendmmsg takes up to UDP_TX_BURSTS_MAX of them. */
#include "udp/socket_linux.h"

#include <errno.h>
#include <string.h>

/* Where sending has come to. */
struct progress {
	const struct udp_burst *bursts;
	size_t count;
	size_t burst;  /* the first not wholly gone */
	size_t offset; /* what is gone of it */
	size_t singly; /* index of a burst to send without GSO, or SIZE_MAX */
};

static void add_control(struct msghdr *message, int level, int type, const void *data, size_t len) {
	struct cmsghdr *control = (struct cmsghdr *)(void *)((uint8_t *)message->msg_control + message->msg_controllen);

	control->cmsg_level = level;
	control->cmsg_type = type;
	control->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(control), data, len);
	message->msg_controllen += CMSG_SPACE(len);
}

static void add_source(struct msghdr *message, const struct base_addr *local) {
	if (local->family == BASE_FAMILY_V4) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, local->ip, 4);
		add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = local->scope};

		memcpy(&info.ipi6_addr, local->ip, 16);
		add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
}

static void fill_message(struct udp_socket *self, size_t index, const struct udp_burst *burst, struct slice bytes) {
	struct msghdr *message = &self->tx.messages[index].msg_hdr;
	const struct base_addr *local = &burst->path.local;
	union udp_control *controls = &self->tx.controls[index];

	self->tx.slices[index] = (struct iovec){.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.len};
	*message = (struct msghdr){
	    .msg_name = &self->tx.names[index],
	    .msg_namelen = udp_addr_to_system(&burst->path.remote, self->domain, &self->tx.names[index]),
	    .msg_iov = &self->tx.slices[index],
	    .msg_iovlen = 1,
	    .msg_control = controls,
	};
	if (bytes.len > burst->segment) {
		uint16_t segment = (uint16_t)burst->segment;

		add_control(message, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	}
	if (burst->ecn != 0) {
		int ecn = burst->ecn;

		if (burst->path.remote.family == BASE_FAMILY_V4)
			add_control(message, IPPROTO_IP, IP_TOS, &ecn, sizeof(ecn));
		else
			add_control(message, IPPROTO_IPV6, IPV6_TCLASS, &ecn, sizeof(ecn));
	}
	if (self->local_is_wildcard && local->family == burst->path.remote.family && !udp_addr_is_wildcard(local))
		add_source(message, local);
	if (message->msg_controllen == 0)
		message->msg_control = NULL;
}

static unsigned fill(struct udp_socket *self, const struct progress *progress) {
	size_t offset = progress->offset;
	unsigned filled = 0;

	for (size_t i = progress->burst; i < progress->count && filled < UDP_TX_BURSTS_MAX; i++) {
		const struct udp_burst *burst = &progress->bursts[i];
		bool whole = self->features.gso && i != progress->singly;

		udp_assert_burst(burst);
		while (offset < burst->bytes.len && filled < UDP_TX_BURSTS_MAX) {
			size_t len = burst->bytes.len - offset;

			if (!whole && len > burst->segment)
				len = burst->segment;
			fill_message(self, filled++, burst, slice_of(burst->bytes.data + offset, len));
			offset += len;
		}
		offset = 0;
	}
	return filled;
}

static void advance(struct progress *progress, size_t bytes) {
	progress->offset += bytes;
	if (progress->offset == progress->bursts[progress->burst].bytes.len) {
		progress->burst++;
		progress->offset = 0;
	}
}

/* The kernel took `sent` messages. When full datagrams of a burst pass singly that it refused as a whole, segmentation
 * is what it cannot do. */
static void on_sent(struct udp_socket *self, struct progress *progress, int sent) {
	for (int i = 0; i < sent; i++) {
		size_t len = self->tx.slices[i].iov_len;

		if (progress->burst == progress->singly && len == progress->bursts[progress->burst].segment)
			self->features.gso = false;
		advance(progress, len);
	}
}

/* The kernel refused the first message. False when the socket is full. */
static bool on_refused(struct udp_socket *self, struct progress *progress, int code) {
	size_t len = self->tx.slices[0].iov_len;
	bool segmented = len > progress->bursts[progress->burst].segment;

	if (code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS)
		return false;
	if (code == EINTR)
		return true;
	if (segmented && code == EIO) { /* the device below computes no checksums */
		self->features.gso = false;
		return true;
	}
	/* Older kernels say EINVAL also for segments above the device's MTU, and for a source address that is gone: only
	 * sending singly tells. */
	if (segmented && (code == EINVAL || code == EMSGSIZE)) {
		progress->singly = progress->burst;
		return true;
	}
	advance(progress, len);
	return true;
}

size_t udp_send(struct udp_socket *self, const struct udp_burst *bursts, size_t count) {
	struct udp_tx *tx = &self->tx;
	struct progress progress = {
	    .bursts = bursts,
	    .count = count,
	    .offset = udp_resume_take(&tx->resume, bursts, count),
	    .singly = SIZE_MAX,
	};

	while (progress.burst < count) {
		unsigned filled = fill(self, &progress);
		int sent = sendmmsg(self->fd, tx->messages, filled, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			on_sent(self, &progress, sent);
		} else if (!on_refused(self, &progress, errno)) {
			tx->resume = (struct udp_resume){bursts[progress.burst].bytes.data, progress.offset};
			break;
		}
	}
	return progress.burst;
}
