/* gateway/lan_port.c: recvmsg one by one (recvmmsg measures no faster, and a super-frame needs 64 KiB), sendmmsg for
 * the batch. The receive buffer has room in front of the frame to put back a VLAN tag that the kernel took out. */
#include "gateway/lan_port.h"

#include "base/bytes.h"
#include "base/error.h"
#include "gateway/limits.h"
#include "proto/ether.h"
#include "queue/frame.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct gateway_lan_port {
	struct gateway_packet_socket socket;
	struct obs_counters *counters;
	struct link_capture capture;
	uint8_t vnet[OFFLOAD_VNET_HEADER_BYTES];
	uint8_t rx[PROTO_ETHER_VLAN_TAG_BYTES + OFFLOAD_SUPER_FRAME_MAX];
	size_t waiting;
	size_t lens[GATEWAY_WRITE_BATCH];
	uint8_t tx[GATEWAY_WRITE_BATCH][QUEUE_FRAME_BYTES_MAX];
};

struct gateway_lan_port *gateway_lan_port_new(const struct gateway_lan_port_options *options) {
	struct gateway_lan_port *port = calloc(1, sizeof(*port));
	if (port == NULL)
		return NULL;
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
	free(port);
}

void gateway_lan_port_attach(struct gateway_lan_port *port, const struct gateway_packet_socket *socket) {
	gateway_lan_port_detach(port);
	port->socket = *socket;
}

void gateway_lan_port_detach(struct gateway_lan_port *port) {
	if (port->socket.fd < 0)
		return;
	(void)close(port->socket.fd);
	port->socket = (struct gateway_packet_socket){.fd = -1};
	port->counters->drop[OBS_DROP_DEVICE_FULL] += port->waiting;
	port->waiting = 0;
}

bool gateway_lan_port_attached(const struct gateway_lan_port *port) {
	return port->socket.fd >= 0;
}

int gateway_lan_port_fd(const struct gateway_lan_port *port) {
	return port->socket.fd;
}

unsigned gateway_lan_port_ifindex(const struct gateway_lan_port *port) {
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

/* Bytes of the frame, 0 for one that was taken and is nothing, or a negative errno. */
static ssize_t read_one(struct gateway_lan_port *port, uint64_t now) {
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
	if (got < 0)
		return -errno;
	struct offload_vnet vnet = {.gso = OFFLOAD_GSO_NONE};
	size_t len = (size_t)got > header ? (size_t)got - header : 0;
	if (header > 0 &&
	    offload_vnet_decode(slice_of(port->vnet, (size_t)got < header ? (size_t)got : header), &vnet) < 0) {
		port->counters->value[OBS_DEVICE_RX_FRAMES]++;
		port->counters->value[OBS_DEVICE_RX_BYTES] += len;
		port->counters->drop[OBS_DROP_OFFLOAD]++;
		return got;
	}
	uint16_t type, tag;
	if (len >= 2 * PROTO_MAC_BYTES && tag_of(&message, &type, &tag)) {
		put_tag_back(frame, type, tag);
		frame -= PROTO_ETHER_VLAN_TAG_BYTES;
		len += PROTO_ETHER_VLAN_TAG_BYTES;
		vnet.csum_start = (uint16_t)(vnet.csum_start + PROTO_ETHER_VLAN_TAG_BYTES);
		vnet.hdr_len = (uint16_t)(vnet.hdr_len + PROTO_ETHER_VLAN_TAG_BYTES);
	}
	link_capture_frame(&port->capture, frame, len, &vnet, now);
	return got;
}

int gateway_lan_port_read(struct gateway_lan_port *port, uint64_t now) {
	size_t bytes = 0;
	for (int reads = 0; reads < GATEWAY_READS_PER_TURN && bytes < GATEWAY_READ_BYTES_PER_TURN; reads++) {
		if (port->socket.fd < 0)
			return 0;
		ssize_t got = read_one(port, now);
		if (got == -EINTR)
			continue;
		if (got == -EAGAIN || got == -EWOULDBLOCK)
			return 0;
		if (got < 0)
			return (int)got;
		bytes += (size_t)got;
	}
	return 0;
}

void gateway_lan_port_write(struct gateway_lan_port *port, struct slice frame) {
	if (port->socket.fd < 0 || frame.len > QUEUE_FRAME_BYTES_MAX) {
		port->counters->drop[OBS_DROP_DEVICE_FULL]++;
		return;
	}
	if (port->waiting == GATEWAY_WRITE_BATCH)
		gateway_lan_port_flush(port);
	memcpy(port->tx[port->waiting], frame.data, frame.len);
	port->lens[port->waiting++] = frame.len;
}

static void count_sent(struct gateway_lan_port *port, size_t from, size_t count) {
	port->counters->value[OBS_DEVICE_TX_FRAMES] += count;
	for (size_t i = from; i < from + count; i++)
		port->counters->value[OBS_DEVICE_TX_BYTES] += port->lens[i];
}

void gateway_lan_port_flush(struct gateway_lan_port *port) {
	static const uint8_t finished[OFFLOAD_VNET_HEADER_BYTES]; /* nothing left to do */
	const size_t header = port->socket.vnet_header ? sizeof(finished) : 0;
	struct mmsghdr messages[GATEWAY_WRITE_BATCH];
	struct iovec parts[GATEWAY_WRITE_BATCH][2];
	if (port->waiting == 0)
		return;
	memset(messages, 0, port->waiting * sizeof(messages[0]));
	for (size_t i = 0; i < port->waiting; i++) {
		/* sendmsg only reads; iovec has no const form. */
		parts[i][0] = (struct iovec){(void *)(uintptr_t)finished, header};
		parts[i][1] = (struct iovec){port->tx[i], port->lens[i]};
		messages[i].msg_hdr.msg_iov = header > 0 ? parts[i] : parts[i] + 1;
		messages[i].msg_hdr.msg_iovlen = header > 0 ? 2 : 1;
	}
	/* A port without carrier or with a full queue refuses: real switches drop then, and so do we. A refusal may be one
	 * frame's (longer than the port's MTU), so the next is still tried, unless the queue itself is full. */
	for (size_t next = 0; next < port->waiting;) {
		int sent = sendmmsg(port->socket.fd, messages + next, (unsigned)(port->waiting - next), MSG_DONTWAIT);
		if (sent > 0) {
			count_sent(port, next, (size_t)sent);
			next += (size_t)sent;
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		size_t refused = sent < 0 && errno != EMSGSIZE ? port->waiting - next : 1;
		port->counters->drop[OBS_DROP_DEVICE_FULL] += refused;
		next += refused;
	}
	port->waiting = 0;
}
