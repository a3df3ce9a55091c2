/* gateway/packet_socket.c: packet(7). The order matters: the socket is made for no protocol, so that it captures
 * nothing until it is set up and bound to its interface. */
#include "gateway/packet_socket.h"

#include "base/error.h"
#include "gateway/limits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(char error[static GATEWAY_PORT_ERROR_BYTES], const char *name, const char *what) {
	int code = errno == EPERM || errno == EACCES ? BASE_E_DENIED : errno == ENODEV ? BASE_E_NOT_FOUND : BASE_E_IO;

	(void)snprintf(error, GATEWAY_PORT_ERROR_BYTES, "interface '%s': %s: %s%s", name, what, strerror(errno),
	               code == BASE_E_DENIED ? " (the gateway needs root or CAP_NET_RAW)" : "");
	return code;
}

static bool set_option(int fd, int option, const void *value, size_t len) {
	return setsockopt(fd, SOL_PACKET, option, value, (socklen_t)len) == 0;
}

/* Bursts of a fast LAN must fit between two turns; the forced form needs CAP_NET_ADMIN, the other is capped by a
 * sysctl. Neither is worth failing for. */
static void enlarge_buffers(int fd) {
	const int bytes = GATEWAY_SOCKET_BUFFER_BYTES;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static int set_up(const char *name, struct gateway_packet_socket *port, char error[static GATEWAY_PORT_ERROR_BYTES]) {
	const int on = 1;

	port->ifindex = if_nametoindex(name);
	if (port->ifindex == 0)
		return fail(error, name, "not found");
	/* Without the header big frames of local senders and of GRO would come with checksums nobody filled in. */
	port->vnet_header = set_option(port->fd, PACKET_VNET_HDR, &on, sizeof(on));
	if (!set_option(port->fd, PACKET_AUXDATA, &on, sizeof(on)))
		return fail(error, name, "the kernel does not tell VLAN tags (PACKET_AUXDATA)");
	if (!set_option(port->fd, PACKET_IGNORE_OUTGOING, &on, sizeof(on)))
		return fail(error, name, "the kernel does not hide our own frames (PACKET_IGNORE_OUTGOING, Linux 4.20)");
	enlarge_buffers(port->fd);

	const struct sockaddr_ll address = {
	    .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)port->ifindex};
	if (bind(port->fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) < 0)
		return fail(error, name, "cannot bind");
	struct sockaddr_ll own = {0};
	socklen_t own_len = sizeof(own);
	if (getsockname(port->fd, (struct sockaddr *)(void *)&own, &own_len) == 0 && own.sll_halen == PROTO_MAC_BYTES)
		port->mac = proto_mac_of(own.sll_addr);
	const struct packet_mreq promiscuous = {.mr_ifindex = (int)port->ifindex, .mr_type = PACKET_MR_PROMISC};
	if (!set_option(port->fd, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)))
		return fail(error, name, "cannot listen promiscuously");
	return 0;
}

int gateway_packet_socket_open(const char *name, struct gateway_packet_socket *ret,
                               char error[static GATEWAY_PORT_ERROR_BYTES]) {
	struct gateway_packet_socket port = {.fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};

	if (port.fd < 0)
		return fail(error, name, "cannot open a packet socket");
	int err = set_up(name, &port, error);
	if (err < 0) {
		(void)close(port.fd);
		return err;
	}
	*ret = port;
	return 0;
}
