#include "client-linux/link_keep.h"

#include <string.h>

static void put_back(struct rtnl *rtnl, const struct netlink_link *part, const char *message, struct obs_log *log) {
	int err = rtnl_set_link(rtnl, part);

	if (!obs_on(log, OBS_WARN))
		return;
	obs_begin(log, OBS_WARN, part->mac != NULL ? "tap_mac_changed" : "tap_mtu_changed");
	obs_str(log, "message", message);
	if (err < 0)
		obs_str(log, "error", strerror(-err));
	obs_end(log);
}

void lintap_link_keep(struct rtnl *rtnl, const struct netlink_link *shall, struct obs_log *log) {
	struct netlink_link_state is;

	if (rtnl_get_link(rtnl, shall->ifindex, &is) < 0)
		return;
	if (is.mtu > shall->mtu)
		put_back(rtnl, &(struct netlink_link){.ifindex = shall->ifindex, .mtu = shall->mtu},
		         "somebody raised it over the room's (the DHCP client, by the LAN's option 26?); put back", log);
	if (!proto_mac_equal(is.mac, *shall->mac))
		put_back(rtnl, &(struct netlink_link){.ifindex = shall->ifindex, .mac = shall->mac},
		         "somebody gave the interface another MAC than this machine has in the room; put back", log);
}
