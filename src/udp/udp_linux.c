/* udp/udp_linux.c: opening the socket and finding out what it can do. Features are probed, versions never compared. */
#include "base/error.h"
#include "udp/socket_linux.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int map_errno(int code) {
	switch (code) {
	case EACCES:
	case EPERM:
		return BASE_E_DENIED;
	case EADDRINUSE:
		return BASE_E_EXISTS;
	case EADDRNOTAVAIL:
	case EINVAL: /* link-local without a scope */
	case ENODEV: /* a scope that is no interface */
		return BASE_E_INVALID;
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
		return BASE_E_UNSUPPORTED;
	case ENOMEM:
	case ENOBUFS:
		return BASE_E_NOMEM;
	default:
		return BASE_E_IO;
	}
}

static bool set_int(int fd, int level, int name, int value) {
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* More than net.core.rmem_max needs privilege; without it the kernel gives what it allows. */
static void set_buffers(struct udp_socket *self, size_t bytes) {
	int size = bytes > INT_MAX / 2 ? INT_MAX / 2 : (int)bytes, given = 0;
	socklen_t len = sizeof(given);

	if (!set_int(self->fd, SOL_SOCKET, SO_RCVBUFFORCE, size))
		set_int(self->fd, SOL_SOCKET, SO_RCVBUF, size);
	if (!set_int(self->fd, SOL_SOCKET, SO_SNDBUFFORCE, size / 4))
		set_int(self->fd, SOL_SOCKET, SO_SNDBUF, size / 4);
	/* socket(7): the kernel doubles what it is told, for what it keeps beside the bytes. */
	self->features.small_buffer = getsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &given, &len) == 0 && given / 2 < size;
}

/* An IPv6 socket carries IPv4 too and needs the options of both. PROBE sets don't-fragment but ignores the path MTU the
 * kernel believes in, which is the QUIC library's to find (RFC 8899). */
static bool set_ip_options(const struct udp_socket *socket, bool packet_info) {
	bool is_v6 = socket->domain == AF_INET6;
	bool has_v4 = !is_v6 || socket->local_is_wildcard;
	bool good = true;

	if (is_v6) {
		good = set_int(socket->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE) &&
		       set_int(socket->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) &&
		       (!packet_info || set_int(socket->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
	}
	if (good && has_v4) {
		good = set_int(socket->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE) &&
		       set_int(socket->fd, IPPROTO_IP, IP_RECVTOS, 1) &&
		       (!packet_info || is_v6 || set_int(socket->fd, IPPROTO_IP, IP_PKTINFO, 1));
	}
	return good;
}

static void probe_offload(struct udp_socket *socket) {
	socklen_t len = sizeof(int);
	int segment;

	socket->features.gso = getsockopt(socket->fd, IPPROTO_UDP, UDP_SEGMENT, &segment, &len) == 0;
	socket->features.gro = set_int(socket->fd, IPPROTO_UDP, UDP_GRO, 1);
}

static int open_descriptor(struct udp_socket *self, const struct base_addr *local, const struct udp_options *options) {
	union udp_sockaddr name;
	socklen_t name_len = sizeof(name);

	self->domain = local->family == BASE_FAMILY_V6 ? AF_INET6 : AF_INET;
	self->local_is_wildcard = udp_addr_is_wildcard(local);
	self->fd = socket(self->domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	if (self->fd < 0)
		return map_errno(errno);
	set_buffers(self, options->buffer_bytes > 0 ? options->buffer_bytes : UDP_BUFFER_BYTES_DEFAULT);
	if (options->reuse_port && !set_int(self->fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return map_errno(errno);
	if (self->domain == AF_INET6 && !set_int(self->fd, IPPROTO_IPV6, IPV6_V6ONLY, !self->local_is_wildcard))
		return map_errno(errno);
	if (!set_ip_options(self, options->local_addr_in_path))
		return map_errno(errno);
	if (bind(self->fd, &name.any, udp_addr_to_system(local, self->domain, &name)) != 0 ||
	    getsockname(self->fd, &name.any, &name_len) != 0)
		return map_errno(errno);
	self->local = udp_addr_from_system(&name);
	if (!options->no_offload)
		probe_offload(self);
	return 0;
}

static int allocate_slots(struct udp_rx *rx, bool gro) {
	size_t slot_bytes = gro ? UDP_CHUNK_SLOT_BYTES : UDP_SLOT_BYTES;

	/* Pages nobody wrote to cost nothing: an idle socket stays small. */
	rx->bytes = malloc(UDP_RX_CHUNKS_MAX * slot_bytes);
	if (rx->bytes == NULL)
		return BASE_E_NOMEM;
	for (size_t i = 0; i < UDP_RX_CHUNKS_MAX; i++)
		rx->slots[i] = (struct iovec){.iov_base = rx->bytes + i * slot_bytes, .iov_len = slot_bytes};
	rx->used = rx->wanted = UDP_RX_CHUNKS_MAX;
	return 0;
}

int udp_open(const struct udp_options *options, struct udp_socket **ret) {
	struct udp_socket *self = calloc(1, sizeof(*self));
	struct base_addr local = options->local;
	int err;

	if (self == NULL)
		return BASE_E_NOMEM;
	if (local.family == BASE_FAMILY_NONE)
		local.family = BASE_FAMILY_V6;
	self->local_addr_in_path = options->local_addr_in_path;
	err = open_descriptor(self, &local, options);
	if (err == BASE_E_UNSUPPORTED && local.family == BASE_FAMILY_V6 && udp_addr_is_wildcard(&local)) {
		if (self->fd >= 0)
			close(self->fd);
		local.family = BASE_FAMILY_V4;
		err = open_descriptor(self, &local, options);
	}
	if (err == 0)
		err = allocate_slots(&self->rx, self->features.gro);
	if (err != 0) {
		udp_close(self);
		return err;
	}
	*ret = self;
	return 0;
}

void udp_close(struct udp_socket *self) {
	if (self == NULL)
		return;
	if (self->fd >= 0)
		close(self->fd);
	free(self->rx.bytes);
	free(self);
}

int udp_fd(const struct udp_socket *self) {
	return self->fd;
}

struct base_addr udp_local(const struct udp_socket *self) {
	return self->local;
}

struct udp_features udp_features(const struct udp_socket *self) {
	return self->features;
}
