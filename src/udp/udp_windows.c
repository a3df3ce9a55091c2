/* udp/udp_windows.c: opening the socket and finding out what it can do. Features are probed, versions never compared:
 * the system refuses options it does not have. */
#include "base/error.h"
#include "udp/socket_windows.h"

#include <limits.h>
#include <stdlib.h>

#include <windows.h>

static int map_error(int code) {
	switch (code) {
	case WSAEACCES:
		return BASE_E_DENIED;
	case WSAEADDRINUSE:
		return BASE_E_EXISTS;
	case WSAEADDRNOTAVAIL:
	case WSAEINVAL: /* link-local without a scope */
	case WSAEFAULT:
		return BASE_E_INVALID;
	case WSAEAFNOSUPPORT:
	case WSAEPROTONOSUPPORT:
		return BASE_E_UNSUPPORTED;
	case WSAENOBUFS:
	case WSA_NOT_ENOUGH_MEMORY:
		return BASE_E_NOMEM;
	default:
		return BASE_E_IO;
	}
}

static bool set_dword(SOCKET socket, int level, int name, DWORD value) {
	return setsockopt(socket, level, name, (const char *)&value, sizeof(value)) == 0;
}

/* Without it an ICMP "port unreachable" for something we sent makes the next read fail. */
static bool ignore_unreachable(SOCKET socket) {
	BOOL report = FALSE;
	DWORD returned;

	return WSAIoctl(socket, SIO_UDP_CONNRESET, &report, sizeof(report), NULL, 0, &returned, NULL, NULL) == 0;
}

static bool find_receive(struct udp_socket *self) {
	GUID id = WSAID_WSARECVMSG;
	DWORD returned;

	return WSAIoctl(self->socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof(id), &self->receive,
	                sizeof(self->receive), &returned, NULL, NULL) == 0;
}

/* An IPv6 socket carries IPv4 too and needs the options of both. Beyond don't-fragment, PROBE ignores the path MTU the
 * system believes in, which is the QUIC library's to find (RFC 8899). ECN and PROBE came with Windows 10. */
static bool set_ip_options(struct udp_socket *self, bool packet_info) {
	bool is_v6 = self->domain == AF_INET6, has_v4 = !is_v6 || self->local_is_wildcard, good = true;

	self->ecn = true;
	if (is_v6) {
		good = set_dword(self->socket, IPPROTO_IPV6, IPV6_DONTFRAG, TRUE) &&
		       (!packet_info || set_dword(self->socket, IPPROTO_IPV6, IPV6_PKTINFO, TRUE));
		set_dword(self->socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_PROBE);
		self->ecn = set_dword(self->socket, IPPROTO_IPV6, IPV6_RECVECN, TRUE);
	}
	if (good && has_v4) {
		good = set_dword(self->socket, IPPROTO_IP, IP_DONTFRAGMENT, TRUE) &&
		       (!packet_info || set_dword(self->socket, IPPROTO_IP, IP_PKTINFO, TRUE));
		set_dword(self->socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
		self->ecn = set_dword(self->socket, IPPROTO_IP, IP_RECVECN, TRUE) && self->ecn;
	}
	return good;
}

static bool can_cut(SOCKET socket) {
	DWORD segment;
	int len = sizeof(segment);

	return getsockopt(socket, IPPROTO_UDP, UDP_SEND_MSG_SIZE, (char *)&segment, &len) == 0;
}

bool udp_select_events(struct udp_socket *self, bool wants_room) {
	self->wants_room = wants_room;
	return WSAEventSelect(self->socket, self->event, wants_room ? FD_READ | FD_WRITE : FD_READ) == 0;
}

static int open_descriptor(struct udp_socket *self, const struct base_addr *local, const struct udp_options *options) {
	size_t bytes = options->buffer_bytes > 0 ? options->buffer_bytes : UDP_BUFFER_BYTES_DEFAULT;
	DWORD size = bytes > INT_MAX ? INT_MAX : (DWORD)bytes;
	union udp_sockaddr name;
	int name_len = sizeof(name);

	self->domain = local->family == BASE_FAMILY_V6 ? AF_INET6 : AF_INET;
	self->local_is_wildcard = udp_addr_is_wildcard(local);
	self->socket =
	    WSASocketW(self->domain, SOCK_DGRAM, IPPROTO_UDP, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
	if (self->socket == INVALID_SOCKET)
		return map_error(WSAGetLastError());
	set_dword(self->socket, SOL_SOCKET, SO_RCVBUF, size); /* wishes */
	set_dword(self->socket, SOL_SOCKET, SO_SNDBUF, size / 4);
	if (self->domain == AF_INET6 && !set_dword(self->socket, IPPROTO_IPV6, IPV6_V6ONLY, !self->local_is_wildcard))
		return map_error(WSAGetLastError());
	if (!set_ip_options(self, options->local_addr_in_path) || !ignore_unreachable(self->socket) || !find_receive(self))
		return map_error(WSAGetLastError());
	if (bind(self->socket, &name.any, udp_addr_to_system(local, self->domain, &name)) != 0 ||
	    getsockname(self->socket, &name.any, &name_len) != 0)
		return map_error(WSAGetLastError());
	self->local = udp_addr_from_system(&name);
	self->features.gso = !options->no_offload && can_cut(self->socket);
	/* Makes the socket non-blocking as well. */
	return udp_select_events(self, false) ? 0 : map_error(WSAGetLastError());
}

static int open_any(struct udp_socket *self, const struct udp_options *options) {
	struct base_addr local = options->local;
	int err;

	if (local.family == BASE_FAMILY_NONE)
		local.family = BASE_FAMILY_V6;
	err = open_descriptor(self, &local, options);
	if (err != BASE_E_UNSUPPORTED || local.family != BASE_FAMILY_V6 || !udp_addr_is_wildcard(&local))
		return err;
	if (self->socket != INVALID_SOCKET)
		closesocket(self->socket);
	local.family = BASE_FAMILY_V4;
	return open_descriptor(self, &local, options);
}

int udp_open(const struct udp_options *options, struct udp_socket **ret) {
	struct udp_socket *self = calloc(1, sizeof(*self));
	WSADATA sockets;
	int err = 0;

	if (self == NULL)
		return BASE_E_NOMEM;
	if (WSAStartup(MAKEWORD(2, 2), &sockets) != 0) {
		free(self);
		return BASE_E_IO;
	}
	self->socket = INVALID_SOCKET;
	self->local_addr_in_path = options->local_addr_in_path;
	self->event = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (options->reuse_port) /* SO_REUSEADDR is something else here: it takes the port away from its owner */
		err = BASE_E_UNSUPPORTED;
	else if (self->event == NULL)
		err = BASE_E_NOMEM;
	if (err == 0)
		err = open_any(self, options);
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
	if (self->socket != INVALID_SOCKET)
		closesocket(self->socket);
	if (self->event != NULL)
		CloseHandle(self->event);
	WSACleanup();
	free(self);
}

int udp_fd(const struct udp_socket *self) {
	return HandleToLong(self->event);
}

struct base_addr udp_local(const struct udp_socket *self) {
	return self->local;
}

struct udp_features udp_features(const struct udp_socket *self) {
	return self->features;
}
