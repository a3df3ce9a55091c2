/* gateway/packet_socket.c: packet(7). The order matters: the socket is made for no protocol, so that it captures
 * nothing until it is set up and bound to its interface. */
#include "gateway/packet_socket.h"

#include "base/error.h"
#include "base/text.h"
#include "gateway/limits.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYSFS_PATH_BYTES 256

static bool sysfs_exists(const char *sysfs, const char *name, const char *leaf) {
	char path[SYSFS_PATH_BYTES];
	int len = snprintf(path, sizeof(path), "%s/%s%s%s", sysfs, name, leaf[0] != '\0' ? "/" : "", leaf);

	return len > 0 && (size_t)len < sizeof(path) && access(path, F_OK) == 0;
}

/* A number of sysfs, decimal or 0x hex; `fallback` when it can't be read (carrier of an interface that is down). */
static unsigned long sysfs_number(const char *sysfs, const char *name, const char *leaf, unsigned long fallback) {
	char path[SYSFS_PATH_BYTES];
	int len = snprintf(path, sizeof(path), "%s/%s/%s", sysfs, name, leaf);

	if (len <= 0 || (size_t)len >= sizeof(path))
		return fallback;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return fallback;
	long value = 0;
	bool read_it = fscanf(file, "%li", &value) == 1 && value >= 0;
	(void)fclose(file);
	return read_it ? (unsigned long)value : fallback;
}

/* Whether the kernel takes the link for up, and in use. Reading `carrier` waits for a lock that whoever makes or
 * removes interfaces holds, for tens of milliseconds perhaps; this does not, and comes about when the carrier does. */
static bool is_operating(const char *sysfs, const char *name) {
	char path[SYSFS_PATH_BYTES], word[8] = "";
	int len = snprintf(path, sizeof(path), "%s/%s/operstate", sysfs, name);
	FILE *file = len > 0 && (size_t)len < sizeof(path) ? fopen(path, "re") : NULL;

	if (file == NULL)
		return false;
	bool read_it = fgets(word, sizeof(word), file) != NULL;
	(void)fclose(file);
	return read_it && strcmp(word, "up\n") == 0;
}

bool gateway_port_can_tell(const char *sysfs) {
	int fd = open(sysfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
	(void)close(fd);
	return true;
}

static bool name_is_valid(const char *name) {
	size_t len = strlen(name);

	return len > 0 && len < GATEWAY_PORT_NAME_BYTES && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static void explain(char error[static GATEWAY_PORT_ERROR_BYTES], const char *name, const char *what) {
	struct base_text text;

	base_text_init(&text, error, GATEWAY_PORT_ERROR_BYTES);
	base_text_add(&text, "interface '");
	base_text_add(&text, name);
	base_text_add(&text, "' ");
	base_text_add(&text, what);
}

enum gateway_port_state gateway_port_state(const char *sysfs, const char *name,
                                           char error[static GATEWAY_PORT_ERROR_BYTES]) {
	if (!name_is_valid(name) || !sysfs_exists(sysfs, name, "")) {
		explain(error, name, "does not exist (ip link shows those that do)");
		return GATEWAY_PORT_GONE;
	}
	if (sysfs_exists(sysfs, name, "wireless") || sysfs_exists(sysfs, name, "phy80211")) {
		explain(error, name,
		        "is a Wi-Fi interface: access points take no frames from other stations' addresses, so a "
		        "wired one is needed");
		return GATEWAY_PORT_UNFIT;
	}
	if (sysfs_number(sysfs, name, "type", 0) != ARPHRD_ETHER) {
		explain(error, name, "is not an Ethernet interface");
		return GATEWAY_PORT_UNFIT;
	}
	if ((sysfs_number(sysfs, name, "flags", 0) & IFF_UP) == 0) {
		explain(error, name, "is down (try: ip link set dev INTERFACE up)");
		return GATEWAY_PORT_DOWN;
	}
	if (!is_operating(sysfs, name) && sysfs_number(sysfs, name, "carrier", 0) != 1) {
		explain(error, name, "has no carrier: is the cable plugged in?");
		return GATEWAY_PORT_NO_CARRIER;
	}
	return GATEWAY_PORT_UP;
}

const char *gateway_port_state_name(enum gateway_port_state state) {
	static const char *const names[] = {
	    [GATEWAY_PORT_UP] = "up",     [GATEWAY_PORT_NO_CARRIER] = "no_carrier", [GATEWAY_PORT_DOWN] = "down",
	    [GATEWAY_PORT_GONE] = "gone", [GATEWAY_PORT_UNFIT] = "unfit",
	};
	return names[state];
}

unsigned gateway_port_ifindex(const char *sysfs, const char *name) {
	return name_is_valid(name) ? (unsigned)sysfs_number(sysfs, name, "ifindex", 0) : 0;
}

unsigned long gateway_port_mtu(const char *sysfs, const char *name) {
	return name_is_valid(name) ? sysfs_number(sysfs, name, "mtu", 0) : 0;
}

/* An interface and all that lies upon it: a bond, a bridge upon that, and so on. */
struct storeys {
	char names[GATEWAY_STOREYS_MAX][GATEWAY_PORT_NAME_BYTES];
	size_t count;
};

static bool is_storey(const struct storeys *storeys, const char *name, size_t len) {
	for (size_t i = 0; i < storeys->count; i++)
		if (strlen(storeys->names[i]) == len && memcmp(storeys->names[i], name, len) == 0)
			return true;
	return false;
}

static void add_storey(struct storeys *storeys, const char *name) {
	size_t len = strlen(name);

	if (storeys->count < GATEWAY_STOREYS_MAX && len < GATEWAY_PORT_NAME_BYTES && !is_storey(storeys, name, len))
		memcpy(storeys->names[storeys->count++], name, len + 1);
}

static void add_upper(struct storeys *storeys, const char *sysfs, const char *name) {
	static const char prefix[] = "upper_";
	char path[SYSFS_PATH_BYTES];
	int len = snprintf(path, sizeof(path), "%s/%s", sysfs, name);
	DIR *folder = len > 0 && (size_t)len < sizeof(path) ? opendir(path) : NULL;

	if (folder == NULL)
		return;
	for (const struct dirent *item; (item = readdir(folder)) != NULL;)
		if (strncmp(item->d_name, prefix, sizeof(prefix) - 1) == 0)
			add_storey(storeys, item->d_name + sizeof(prefix) - 1);
	(void)closedir(folder);
}

static void find_storeys(struct storeys *storeys, const char *sysfs, const char *name) {
	storeys->count = 0;
	add_storey(storeys, name);
	for (size_t i = 0; i < storeys->count; i++)
		add_upper(storeys, sysfs, storeys->names[i]);
}

static struct slice bytes_of(const struct sockaddr *address) {
	const struct sockaddr_ll *link = (const void *)address;

	switch (address->sa_family) {
	case AF_PACKET:
		return slice_of(link->sll_addr, link->sll_halen == PROTO_MAC_BYTES ? PROTO_MAC_BYTES : 0);
	case AF_INET:
		return slice_of(&((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	case AF_INET6:
		return slice_of(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
	default:
		return slice_of(NULL, 0);
	}
}

void gateway_port_own_addresses(const char *sysfs, const char *name, void (*tell)(void *user, struct slice address),
                                void *user) {
	struct storeys storeys;
	struct ifaddrs *list;

	if (!name_is_valid(name) || getifaddrs(&list) < 0)
		return;
	find_storeys(&storeys, sysfs, name);
	for (const struct ifaddrs *item = list; item != NULL; item = item->ifa_next) {
		/* It may be the label of one of the interface's addresses (eth0:1). */
		if (item->ifa_addr == NULL || !is_storey(&storeys, item->ifa_name, strcspn(item->ifa_name, ":")))
			continue;
		const struct slice bytes = bytes_of(item->ifa_addr);
		if (bytes.len > 0)
			tell(user, bytes);
	}
	freeifaddrs(list);
}

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

bool gateway_port_is_selective(int fd, const char *name, char text[static GATEWAY_PORT_ERROR_BYTES]) {
	static const struct {
		const char *driver, *what;
	} kinds[] = {
	    {"macvlan", "is a macvlan: unless its mode is passthru, nothing but broadcasts comes in for remote machines; "
	                "use the interface below it, or a bridge and a veth pair"},
	    {"ipvlan", "is an ipvlan: nothing but broadcasts comes in for remote machines; use the interface below it, or "
	               "a bridge and a veth pair"},
	};
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&info};

	if (!name_is_valid(name))
		return false;
	memcpy(request.ifr_name, name, strlen(name) + 1);
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(info.driver, kinds[i].driver, sizeof(info.driver)) == 0) {
			explain(text, name, kinds[i].what);
			return true;
		}
	}
	return false;
}

bool gateway_port_is_part(const char *sysfs, const char *name, char text[static GATEWAY_PORT_ERROR_BYTES]) {
	static const struct {
		const char *leaf, *what;
	} kinds[] = {
	    {"brport",
	     "is a port of a bridge: machines at its other ports, and this machine, are out of reach; use the bridge, "
	     "or, to reach this machine as well, a veth pair with one end in it"},
	    {"upper_ovs-system",
	     "is a port of an Open vSwitch: machines at its other ports are out of reach; use an internal port of it, or a "
	     "veth pair with one end in it"},
	    {"bonding_slave", "is one link of a bond: what comes in by its others is not heard; use the bond"},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (name_is_valid(name) && sysfs_exists(sysfs, name, kinds[i].leaf)) {
			explain(text, name, kinds[i].what);
			return true;
		}
	}
	return false;
}
