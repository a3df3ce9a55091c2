/* client-linux/rtnl.h: carries netlink.h's messages to the kernel and back. The kernel answers within the call, so
 * nothing here waits on a network. */
#ifndef CLIENT_LINUX_RTNL_H
#define CLIENT_LINUX_RTNL_H

#include "client-linux/netlink.h"

struct rtnl;

/* NULL when the system refuses. */
struct rtnl *rtnl_new(void);
void rtnl_free(struct rtnl *rtnl); /* accepts NULL */

/* Each returns 0 or a negative errno, as the kernel said. */
int rtnl_set_link(struct rtnl *rtnl, const struct netlink_link *link);
int rtnl_get_link(struct rtnl *rtnl, unsigned ifindex, struct netlink_link_state *ret);
int rtnl_change_route(struct rtnl *rtnl, enum netlink_change change, const struct netlink_route *route);
int rtnl_change_address(struct rtnl *rtnl, enum netlink_change change, const struct netlink_address *address,
                        uint32_t seconds);
int rtnl_get_route(struct rtnl *rtnl, const struct base_addr *dest, bool matched, struct netlink_route *ret);

/* The main table's best way to `dest` that uses neither a client's tunnel, our own being `tap_ifindex`, nor a client's
 * pin, or -ENETUNREACH. */
int rtnl_route_around(struct rtnl *rtnl, const struct base_addr *dest, unsigned tap_ifindex, struct netlink_route *ret);
/* The interface's address that says most to a person; family NONE when it has none. */
int rtnl_interface_address(struct rtnl *rtnl, unsigned ifindex, struct netlink_address *ret);
/* An address of another interface in the network of `own`, which is ours. 0 or a negative errno, -ENOENT for none. */
int rtnl_same_network(struct rtnl *rtnl, const struct netlink_address *own, struct netlink_address *ret);

/* A descriptor that becomes readable when routes change; -1 when the system refuses. */
int rtnl_watch_open(void);
/* Takes what it has to say. */
void rtnl_watch_drain(int fd);

#endif
