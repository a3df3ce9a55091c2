/* client-linux/route_pin.h: keeps the relay reachable outside of the tunnel (LNX-1). The LAN's DHCP server gives the
 * tunnel interface a default route, or the relay's address lies in the LAN's subnet: the tunnel would run through
 * itself. So the relay's address gets a host route along the way that was best without the tunnel. A second pin does
 * the same for the home router's, if the LAN has the same network.
 *
 * An exact host route that is there already is used and left alone, unless it leads into the tunnel, as one that the
 * LAN's DHCP server names (RFC 3442): that is removed. Our own carry a routing protocol number of their
 * own, and as metric the index of the tunnel interface: so each client of this machine has one, takes back its own at
 * exit, and sees which a crash left behind. */
#ifndef CLIENT_LINUX_ROUTE_PIN_H
#define CLIENT_LINUX_ROUTE_PIN_H

#include "client-linux/rtnl.h"
#include "obs/diagnostics.h"
#include "obs/log.h"

struct lintap_route_pin {
	struct rtnl *rtnl;
	struct obs_log *log;
	unsigned tap_ifindex;
	struct base_addr relay;     /* family NONE: nothing to pin yet */
	struct netlink_route route; /* the last way we knew */
	bool ours;                  /* we put it into the table, and take it out if it is there still */
	bool follows;               /* it copies the main table's way (no policy routing), so it may follow that */
	enum obs_tristate state;
};

void lintap_route_pin_init(struct lintap_route_pin *pin, struct rtnl *rtnl, unsigned tap_ifindex, struct obs_log *log);

/* A connection to this address begins: pins it anew, by the way that is best now. */
void lintap_route_pin_set(struct lintap_route_pin *pin, const struct base_addr *relay);
/* Puts back what somebody removed or overruled; follows the network to another interface or router. */
void lintap_route_pin_check(struct lintap_route_pin *pin);
/* True when no way leads to the relay, or only the tunnel itself, and none did at the last of these two. */
bool lintap_route_pin_cut_off(const struct lintap_route_pin *pin);
/* Takes our route out. */
void lintap_route_pin_clear(struct lintap_route_pin *pin);

#endif
