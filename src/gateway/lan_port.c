/* gateway/lan_port.c: recvmsg one by one (recvmmsg measures no faster, and a super-frame needs 64 KiB), sendmmsg for
 * the batch. The receive buffer has room in front of the frame to put back a VLAN tag that the kernel took out. */
#include "gateway/lan_port.h"

#include "base/bytes.h"
#include "base/error.h"
#include "gateway/limits.h"
#include "link/gather.h"
#include "proto/ether.h"
#include "queue/frame.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Groups of frames on their way into the kernel. */
struct gateway_tx {
	struct mmsghdr messages[GATEWAY_WRITE_BATCH];
	uint8_t headers[GATEWAY_WRITE_BATCH][OFFLOAD_VNET_HEADER_BYTES];
	struct {
		size_t frames, bytes;
		unsigned kind;
	} groups[GATEWAY_WRITE_BATCH];
	struct iovec parts[GATEWAY_WRITE_BATCH * 2 + OFFLOAD_MERGER_FRAMES_MAX];
};

struct gateway_lan_port {
	struct gateway_packet_socket socket;
	struct obs_counters *counters;
	struct link_capture capture;
	uint8_t vnet[OFFLOAD_VNET_HEADER_BYTES];
	uint8_t rx[PROTO_ETHER_VLAN_TAG_BYTES + OFFLOAD_SUPER_FRAME_MAX];
	struct offload_merger *merger;
	unsigned merges;
	size_t mtu;
	bool carrier;
	struct gateway_tx tx;
};

struct gateway_lan_port *gateway_lan_port_new(const struct gateway_lan_port_options *options) {
	struct gateway_lan_port *port = calloc(1, sizeof(*port));

	if (port == NULL)
		return NULL;
	port->merger = offload_merger_new();
	if (port->merger == NULL) {
		free(port);
		return NULL;
	}
	port->merges = options->no_offload ? 0 : OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP;
	port->socket.fd = -1;
	port->counters = options->counters;
	port->capture.deliver = options->deliver;
	port->capture.user = options->user;
	port->capture.counters = options->counters;
	return port;
}

void gateway_lan_port_free(struct gateway_lan_port *port) {
	if (port == NULL)
		return;
	gateway_lan_port_detach(port);
	offload_merger_free(port->merger);
	free(port);
}

void gateway_lan_port_attach(struct gateway_lan_port *port, const struct gateway_packet_socket *socket) {
	gateway_lan_port_detach(port);
	port->socket = *socket;
	port->carrier = true;
	gateway_lan_port_set_mtu(port, 0);
}

void gateway_lan_port_detach(struct gateway_lan_port *port) {
	if (port->socket.fd < 0)
		return;
	(void)gateway_lan_port_overruns(port); /* the last chance to ask */
	(void)close(port->socket.fd);
	port->socket = (struct gateway_packet_socket){.fd = -1};
	port->counters->drop[OBS_DROP_DEVICE_GONE] += offload_merger_frame_count(port->merger);
	offload_merger_clear(port->merger);
}

unsigned gateway_lan_port_merges(const struct gateway_lan_port *port) {
	return port->socket.vnet_header && port->mtu > 0 ? port->merges : 0;
}

void gateway_lan_port_set_mtu(struct gateway_lan_port *port, size_t mtu) {
	if (port->mtu == mtu && mtu > 0)
		return;
	port->mtu = mtu;
	offload_merger_allow(port->merger, gateway_lan_port_merges(port), PROTO_ETHER_HEADER_BYTES + mtu);
}

void gateway_lan_port_set_carrier(struct gateway_lan_port *port, bool carrier) {
	port->carrier = carrier;
}

bool gateway_lan_port_attached(const struct gateway_lan_port *port) {
	return port->socket.fd >= 0;
}

int gateway_lan_port_fd(const struct gateway_lan_port *port) {
	return port->socket.fd;
}

unsigned gateway_lan_port_ifindex(const struct gateway_lan_port *port) {
	struct sockaddr_ll own = {0};
	socklen_t len = sizeof(own);

	/* The kernel unbinds the socket of an interface that goes away, for good, even if the interface comes back with the
	 * same index (as from another network namespace). */
	if (port->socket.fd >= 0 && getsockname(port->socket.fd, (struct sockaddr *)(void *)&own, &len) == 0 &&
	    own.sll_family == AF_PACKET)
		return (unsigned)own.sll_ifindex;
	return port->socket.ifindex;
}

struct proto_mac gateway_lan_port_mac(const struct gateway_lan_port *port) {
	return port->socket.mac;
}

/* The VLAN tag that came as metadata. */
static bool tag_of(struct msghdr *message, uint16_t *ret_type, uint16_t *ret_tag) {
	for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item != NULL; item = CMSG_NXTHDR(message, item)) {
		struct tpacket_auxdata aux;
		if (item->cmsg_level != SOL_PACKET || item->cmsg_type != PACKET_AUXDATA ||
		    item->cmsg_len < CMSG_LEN(sizeof(aux)))
			continue;
		memcpy(&aux, CMSG_DATA(item), sizeof(aux));
		if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0)
			return false;
		*ret_type = (aux.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? aux.tp_vlan_tpid : PROTO_ETHERTYPE_VLAN;
		*ret_tag = aux.tp_vlan_tci;
		return true;
	}
	return false;
}

/* Moves the addresses forward and writes the tag behind them. */
static void put_tag_back(uint8_t *frame, uint16_t type, uint16_t tag) {
	uint8_t *start = frame - PROTO_ETHER_VLAN_TAG_BYTES;

	memmove(start, frame, 2 * PROTO_MAC_BYTES);
	base_put_u16(start + 2 * PROTO_MAC_BYTES, type);
	base_put_u16(start + 2 * PROTO_MAC_BYTES + 2, tag);
}

static int read_one(void *user, uint64_t now) {
	struct gateway_lan_port *port = user;
	const size_t header = port->socket.vnet_header ? OFFLOAD_VNET_HEADER_BYTES : 0;
	uint8_t *frame = port->rx + PROTO_ETHER_VLAN_TAG_BYTES;

	union {
		struct cmsghdr aligned;
		uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata)) + 64];
	} control;
	struct iovec parts[2] = {{port->vnet, header}, {frame, sizeof(port->rx) - PROTO_ETHER_VLAN_TAG_BYTES}};
	struct msghdr message = {.msg_iov = header > 0 ? parts : parts + 1,
	                         .msg_iovlen = header > 0 ? 2 : 1,
	                         .msg_control = &control,
	                         .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(port->socket.fd, &message, MSG_DONTWAIT);
	if (got < 0 && errno == EINVAL && header > 0) {
		/* A super-frame of a kind for which the header has no number (SCTP, or UDP before Linux 6.2): it is gone. */
		link_capture_lost(&port->capture, 0);
		return 0;
	}
	if (got < 0)
		return -errno;
	struct offload_vnet vnet = {.gso = OFFLOAD_GSO_NONE};
	size_t len = (size_t)got > header ? (size_t)got - header : 0;
	if (header > 0 &&
	    offload_vnet_decode(slice_of(port->vnet, (size_t)got < header ? (size_t)got : header), &vnet) < 0) {
		link_capture_lost(&port->capture, len);
		return (int)got;
	}
	uint16_t type, tag;
	if (len >= 2 * PROTO_MAC_BYTES && tag_of(&message, &type, &tag)) {
		put_tag_back(frame, type, tag);
		frame -= PROTO_ETHER_VLAN_TAG_BYTES;
		len += PROTO_ETHER_VLAN_TAG_BYTES;
		vnet.csum_start = (uint16_t)(vnet.csum_start + PROTO_ETHER_VLAN_TAG_BYTES);
		vnet.hdr_len = (uint16_t)(vnet.hdr_len + PROTO_ETHER_VLAN_TAG_BYTES);
	}
	const size_t delivered = link_capture_frame(&port->capture, frame, len, &vnet, now);
	return (int)(delivered > (size_t)got ? delivered : (size_t)got);
}

int gateway_lan_port_read(struct gateway_lan_port *port, uint64_t now) {
	return port->socket.fd < 0 ? 0 : link_capture_turn(&port->capture, read_one, port, now);
}

void gateway_lan_port_take_trouble(struct gateway_lan_port *port) {
	int code;
	socklen_t len = sizeof(code);

	if (port->socket.fd >= 0)
		(void)getsockopt(port->socket.fd, SOL_SOCKET, SO_ERROR, &code, &len);
}

uint64_t gateway_lan_port_overruns(struct gateway_lan_port *port) {
	struct tpacket_stats stats = {0}; /* the kernel starts over with each answer */
	socklen_t len = sizeof(stats);

	if (port->socket.fd < 0 || getsockopt(port->socket.fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) < 0)
		return 0;
	port->counters->value[OBS_DEVICE_RX_FRAMES] += stats.tp_drops;
	port->counters->drop[OBS_DROP_DEVICE_OVERRUN] += stats.tp_drops;
	return stats.tp_drops;
}

void gateway_lan_port_write(struct gateway_lan_port *port, struct slice frame) {
	if (port->socket.fd < 0 || frame.len > QUEUE_FRAME_BYTES_MAX) {
		port->counters->drop[port->socket.fd < 0 ? OBS_DROP_DEVICE_GONE : OBS_DROP_DEVICE_FULL]++;
		return;
	}
	if (offload_merger_push(port->merger, frame))
		return;
	gateway_lan_port_flush(port);
	(void)offload_merger_push(port->merger, frame);
}

static void count(struct gateway_lan_port *port, bool taken, size_t frames, size_t bytes) {
	const bool sent = taken && port->carrier;

	port->counters->value[OBS_DEVICE_TX_FRAMES] += sent ? frames : 0;
	port->counters->value[OBS_DEVICE_TX_BYTES] += sent ? bytes : 0;
	port->counters->drop[OBS_DROP_DEVICE_FULL] += sent ? 0 : frames;
}

/* Groups from `first` on, as messages. Returns how many: GATEWAY_WRITE_BATCH unless they were the last. */
static size_t gather(struct gateway_lan_port *port, size_t first) {
	const size_t skip = port->socket.vnet_header ? 0 : 1, end = offload_merger_count(port->merger);
	struct gateway_tx *tx = &port->tx;
	struct iovec *parts = tx->parts;
	struct offload_group group;
	size_t filled = 0;

	for (; filled < GATEWAY_WRITE_BATCH && first + filled < end; filled++) {
		offload_merger_group(port->merger, first + filled, &group);
		size_t part_count = link_gather(&group, tx->headers[filled], parts);
		tx->messages[filled] = (struct mmsghdr){.msg_hdr = {.msg_iov = parts + skip, .msg_iovlen = part_count - skip}};
		tx->groups[filled].frames = group.frames;
		tx->groups[filled].bytes = group.bytes;
		tx->groups[filled].kind = group.frames > 1 ? offload_group_kind(&group) : 0;
		parts += part_count;
	}
	return filled;
}

/* The kernel would not have the super-frame; perhaps it does not know its kind. */
static void send_singly(struct gateway_lan_port *port, size_t index, size_t frame_count) {
	static const uint8_t finished[OFFLOAD_VNET_HEADER_BYTES]; /* nothing left to do */
	struct slice frames[OFFLOAD_GROUP_FRAMES_MAX];

	offload_merger_frames(port->merger, index, frames);
	for (size_t i = 0; i < frame_count; i++) {
		/* sendmsg only reads; iovec has no const form. */
		struct iovec parts[2] = {{(void *)(uintptr_t)finished, sizeof(finished)},
		                         {(void *)(uintptr_t)frames[i].data, frames[i].len}};
		const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
		count(port, sendmsg(port->socket.fd, &message, MSG_DONTWAIT) >= 0, 1, frames[i].len);
	}
}

/* A port that is down or has a full queue refuses: real switches drop then, and so do we. A refusal may be one
 * frame's (longer than the MTU of the port or of a veth's other end, filtered, or its class of traffic has a full
 * queue), so the next is still tried, unless it is the socket's own buffer that is full. */
static size_t refuse(struct gateway_lan_port *port, size_t first, size_t next, size_t filled, int code) {
	const struct gateway_tx *tx = &port->tx;

	if (tx->groups[next].kind != 0 && (code == EINVAL || code == EMSGSIZE)) {
		if (code == EINVAL) {
			port->merges &= ~tx->groups[next].kind;
			offload_merger_allow(port->merger, gateway_lan_port_merges(port), PROTO_ETHER_HEADER_BYTES + port->mtu);
		}
		send_singly(port, first + next, tx->groups[next].frames);
		return next + 1;
	}
	do
		count(port, false, tx->groups[next].frames, 0);
	while (++next < filled && (code == EAGAIN || code == EWOULDBLOCK));
	return next;
}

static void send_gathered(struct gateway_lan_port *port, size_t first, size_t filled) {
	for (size_t next = 0; next < filled;) {
		int sent = sendmmsg(port->socket.fd, port->tx.messages + next, (unsigned)(filled - next), MSG_DONTWAIT);
		if (sent < 0 && errno != EINTR)
			next = refuse(port, first, next, filled, errno);
		for (; sent > 0; sent--, next++)
			count(port, true, port->tx.groups[next].frames, port->tx.groups[next].bytes);
	}
}

void gateway_lan_port_flush(struct gateway_lan_port *port) {
	const size_t groups = offload_merger_count(port->merger);

	for (size_t first = 0; first < groups;) {
		size_t filled = gather(port, first);
		send_gathered(port, first, filled);
		first += filled;
	}
	offload_merger_clear(port->merger);
}
