#include "gateway/port.h"

#include "base/text.h"
#include "gateway/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SYSFS_PATH_BYTES 256

/* Of a file about the interface; "" for its folder. */
static bool sysfs_path(const char *sysfs, const char *name, const char *leaf, char path[static SYSFS_PATH_BYTES]) {
	int len = snprintf(path, SYSFS_PATH_BYTES, "%s/%s/%s", sysfs, name, leaf);

	return len > 0 && len < SYSFS_PATH_BYTES;
}

static bool sysfs_exists(const char *sysfs, const char *name, const char *leaf) {
	char path[SYSFS_PATH_BYTES];

	return sysfs_path(sysfs, name, leaf, path) && access(path, F_OK) == 0;
}

static FILE *sysfs_open(const char *sysfs, const char *name, const char *leaf) {
	char path[SYSFS_PATH_BYTES];

	return sysfs_path(sysfs, name, leaf, path) ? fopen(path, "re") : NULL;
}

/* A number of sysfs, decimal or 0x hex; `fallback` when it can't be read (carrier of an interface that is down). */
static unsigned long sysfs_number(const char *sysfs, const char *name, const char *leaf, unsigned long fallback) {
	FILE *file = sysfs_open(sysfs, name, leaf);

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
	FILE *file = sysfs_open(sysfs, name, "operstate");
	char word[8] = "";

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
	DIR *folder = sysfs_path(sysfs, name, "", path) ? opendir(path) : NULL;

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
