/* client-linux/link_keep.h: keeps the tunnel interface as the room needs it, whoever else manages interfaces: a DHCP
 * client sets the MTU that the LAN's server names (option 26, RFC 2132 section 5.1), a network manager may choose a MAC
 * of its own. Frames that do not fit would vanish without a word. */
#ifndef CLIENT_LINUX_LINK_KEEP_H
#define CLIENT_LINUX_LINK_KEEP_H

#include "client-linux/rtnl.h"
#include "obs/log.h"

/* What the interface shall be, with MAC and MTU. A smaller MTU does no harm and is left alone. */
void lintap_link_keep(struct rtnl *rtnl, const struct netlink_link *shall, struct obs_log *log);

#endif
