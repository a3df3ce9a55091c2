/* gateway/port.h: what the system says of the LAN interface: is it fit to be bridged, is a cable in, what else has the
 * machine there. */
#ifndef GATEWAY_PORT_H
#define GATEWAY_PORT_H

#include "base/slice.h"
#include "proto/mac.h"

#define GATEWAY_PORT_NAME_BYTES 16 /* IFNAMSIZ */
#define GATEWAY_PORT_ERROR_BYTES 256
#define GATEWAY_SYSFS "/sys/class/net"

enum gateway_port_state {
	GATEWAY_PORT_UP,
	GATEWAY_PORT_NO_CARRIER,
	GATEWAY_PORT_DOWN, /* administratively */
	GATEWAY_PORT_GONE, /* no interface of this name */
	GATEWAY_PORT_UNFIT /* wireless, or not Ethernet */
};

/* False while the process or the system has no descriptor or memory left to look with: what follows has wrong answers
 * then. */
bool gateway_port_can_tell(const char *sysfs);

/* What sysfs says about the interface (GTW-2); `error` is filled with a sentence that names it unless it is up. */
enum gateway_port_state gateway_port_state(const char *sysfs, const char *name,
                                           char error[static GATEWAY_PORT_ERROR_BYTES]);
const char *gateway_port_state_name(enum gateway_port_state state);
/* The interface index sysfs gives for the name, 0 when there is none. */
unsigned gateway_port_ifindex(const char *sysfs, const char *name);

unsigned long gateway_port_mtu(const char *sysfs, const char *name); /* likewise */

/* Tells the addresses that this machine has on the interface, or on what lies upon it (a bond, a bridge upon that): of
 * each MAC 6 bytes, of each IP 4 or 16. Nothing when there is no memory or descriptor left to ask with. */
void gateway_port_own_addresses(const char *sysfs, const char *name, void (*tell)(void *user, struct slice address),
                                void *user);

/* True for an interface that gives this machine what is for it alone, though asked for all (macvlan, ipvlan); `text` is
 * filled with a sentence that names it. `fd`: any socket. */
bool gateway_port_is_selective(int fd, const char *name, char text[static GATEWAY_PORT_ERROR_BYTES]);
/* True for one that is a part of another interface (a bridge's port, a bond's link), through which only some of the LAN
 * is in reach; likewise. */
bool gateway_port_is_part(const char *sysfs, const char *name, char text[static GATEWAY_PORT_ERROR_BYTES]);

#endif
