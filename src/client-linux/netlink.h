/* client-linux/netlink.h: the few rtnetlink messages (RFC 3549, rtnetlink(7)) this program speaks, as bytes: built and
 * parsed here, carried by rtnl.h. Pure. Netlink is in host byte order and aligned to four bytes; nothing here trusts a
 * length. */
#ifndef CLIENT_LINUX_NETLINK_H
#define CLIENT_LINUX_NETLINK_H

#include "base/addr.h"
#include "base/slice.h"
#include "proto/mac.h"

#define NETLINK_REQUEST_BYTES 256
/* Marks routes as ours (rtm_protocol; /etc/iproute2/rt_protos.d may name it). */
#define NETLINK_ROUTE_PROTOCOL 76

struct netlink_request {
	uint8_t bytes[NETLINK_REQUEST_BYTES];
	size_t len;
};

struct netlink_route {
	struct base_addr dest; /* port 0; family NONE never occurs */
	uint8_t prefix;
	struct base_addr gateway; /* family NONE: on link */
	unsigned ifindex;         /* 0: none (a blackhole, a local route without a device) */
	uint32_t metric;
	uint8_t protocol;
	uint8_t type;  /* RTN_UNICAST, RTN_LOCAL ... */
	uint8_t table; /* RT_TABLE_MAIN ...; RT_TABLE_UNSPEC for a big one */
	bool dead;     /* its link is down */
};

struct netlink_address {
	unsigned ifindex;
	struct base_addr addr;
	uint8_t prefix;
	struct base_addr broadcast; /* of one to be added */
	uint8_t scope;              /* RT_SCOPE_UNIVERSE, RT_SCOPE_LINK ... */
	bool permanent;             /* it does not expire, as a lease does */
};

/* What a link shall be; absent parts are left alone. */
struct netlink_link {
	unsigned ifindex;
	const struct proto_mac *mac; /* NULL: as it is */
	uint16_t mtu;                /* 0: as it is */
	bool up;                     /* true: set it up; false: as it is */
};

/* What a link is. */
struct netlink_link_state {
	unsigned ifindex;
	struct proto_mac mac;
	uint32_t mtu;
	bool up; /* not set down */
};

enum netlink_change { NETLINK_ADD, NETLINK_DELETE };

void netlink_set_link(struct netlink_request *request, uint32_t seq, const struct netlink_link *link);
void netlink_get_link(struct netlink_request *request, uint32_t seq, unsigned ifindex);
/* Of the main table. What is added is ours, and must not be there yet; metric 0: the kernel's default. Protocol 0
 * deletes anybody's. */
void netlink_change_route(struct netlink_request *request, uint32_t seq, enum netlink_change change,
                          const struct netlink_route *route);
/* An IPv4 address of an interface, for so long; one that is there already gets the new time. UINT32_MAX: for good. */
void netlink_change_address(struct netlink_request *request, uint32_t seq, enum netlink_change change,
                            const struct netlink_address *address, uint32_t seconds);
/* Which way the kernel would go. With `matched` it answers with the routing table's entry instead of the result. */
void netlink_get_route(struct netlink_request *request, uint32_t seq, const struct base_addr *dest, bool matched);
void netlink_dump_routes(struct netlink_request *request, uint32_t seq, uint8_t family);
void netlink_dump_addresses(struct netlink_request *request, uint32_t seq);

struct netlink_message {
	uint16_t type; /* NLMSG_ERROR, NLMSG_DONE, RTM_NEWROUTE ... */
	uint16_t flags;
	uint32_t seq;
	struct slice payload;
};

/* Takes one message off the front of what a read brought. 1; 0 at the end; BASE_E_SHORT, BASE_E_LENGTH. */
int netlink_next(struct slice *bytes, struct netlink_message *ret);
/* NLMSG_ERROR and NLMSG_DONE: the errno, 0 for success. 0 or BASE_E_SHORT. */
int netlink_parse_error(struct slice payload, int *ret_errno);
/* RTM_NEWROUTE / RTM_NEWADDR. 0; BASE_E_SHORT, BASE_E_LENGTH, BASE_E_UNSUPPORTED (neither IPv4 nor IPv6, or a gateway
 * of the other family). */
int netlink_parse_route(struct slice payload, struct netlink_route *ret);
int netlink_parse_address(struct slice payload, struct netlink_address *ret);
/* RTM_NEWLINK of an Ethernet interface. 0; BASE_E_SHORT (also without MAC or MTU), BASE_E_LENGTH. */
int netlink_parse_link(struct slice payload, struct netlink_link_state *ret);

/* Whether the route leads to `dest`; whether `a` is preferred to `b`: longer prefix, then smaller metric. */
bool netlink_route_covers(const struct netlink_route *route, const struct base_addr *dest);
bool netlink_route_better(const struct netlink_route *a, const struct netlink_route *b);
/* Which of two addresses of the tunnel interface says more to a person: global IPv4, then global IPv6, then link-local
 * ones. */
bool netlink_address_better(const struct netlink_address *a, const struct netlink_address *b);

/* Whether both are IPv4 addresses of networks that overlap, so that one of them hides machines of the other. */
bool netlink_same_network(const struct netlink_address *a, const struct netlink_address *b);

#endif
