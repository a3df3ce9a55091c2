#include "client-linux/rtnl.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TUNNELS_MAX 16    /* of clients on this machine */
#define REPLY_BYTES 32768 /* what the kernel packs a dump into (NLMSG_GOODSIZE, at most 32 KiB) */

struct rtnl {
	int fd;
	uint32_t seq;
	_Alignas(8) uint8_t reply[REPLY_BYTES];
};

struct rtnl *rtnl_new(void) {
	struct rtnl *rtnl = calloc(1, sizeof(*rtnl));

	if (rtnl == NULL)
		return NULL;
	rtnl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	/* A guard against our own misunderstanding of a reply: the kernel never lets us wait. */
	const struct timeval limit = {.tv_sec = 1};
	const int on = 1;
	if (rtnl->fd < 0 || setsockopt(rtnl->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0) {
		rtnl_free(rtnl);
		return NULL;
	}
	(void)setsockopt(rtnl->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return rtnl;
}

void rtnl_free(struct rtnl *rtnl) {
	if (rtnl == NULL)
		return;
	if (rtnl->fd >= 0)
		(void)close(rtnl->fd);
	free(rtnl);
}

/* Called for each answer that is neither error nor end. */
typedef void rtnl_answer(void *user, const struct netlink_message *message);

/* Reads answers to `seq` until the one that ends them. `one`: the first answer is the last. */
static int read_answers(struct rtnl *rtnl, bool one, rtnl_answer *answer, void *user) {
	for (;;) {
		ssize_t got = recv(rtnl->fd, rtnl->reply, sizeof(rtnl->reply), 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		struct slice bytes = slice_of(rtnl->reply, (size_t)got);
		struct netlink_message message;
		int more;
		while ((more = netlink_next(&bytes, &message)) > 0) {
			if (message.seq != rtnl->seq)
				continue; /* the rest of an answer that was given up */
			if (message.type == NLMSG_ERROR || message.type == NLMSG_DONE) {
				int code = 0;
				return netlink_parse_error(message.payload, &code) < 0 && message.type == NLMSG_ERROR ? -EPROTO : -code;
			}
			if (answer != NULL)
				answer(user, &message);
			if (one)
				return 0;
		}
		if (more < 0)
			return -EPROTO;
	}
}

static int ask(struct rtnl *rtnl, const struct netlink_request *request, bool one, rtnl_answer *answer, void *user) {
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	ssize_t sent = sendto(rtnl->fd, request->bytes, request->len, 0, (const struct sockaddr *)(const void *)&kernel,
	                      sizeof(kernel));

	if (sent < 0)
		return -errno;
	return read_answers(rtnl, one, answer, user);
}

int rtnl_set_link(struct rtnl *rtnl, const struct netlink_link *link) {
	struct netlink_request request;

	netlink_set_link(&request, ++rtnl->seq, link);
	return ask(rtnl, &request, false, NULL, NULL);
}

struct link_search {
	bool found;
	struct netlink_link_state state;
};

static void take_link(void *user, const struct netlink_message *message) {
	struct link_search *search = user;

	if (message->type == RTM_NEWLINK && netlink_parse_link(message->payload, &search->state) == 0)
		search->found = true;
}

int rtnl_get_link(struct rtnl *rtnl, unsigned ifindex, struct netlink_link_state *ret) {
	struct netlink_request request;
	struct link_search search = {.found = false};

	netlink_get_link(&request, ++rtnl->seq, ifindex);
	int err = ask(rtnl, &request, true, take_link, &search);
	if (err == 0 && !search.found)
		err = -EPROTO;
	if (err == 0)
		*ret = search.state;
	return err;
}

int rtnl_change_route(struct rtnl *rtnl, enum netlink_change change, const struct netlink_route *route) {
	struct netlink_request request;

	netlink_change_route(&request, ++rtnl->seq, change, route);
	return ask(rtnl, &request, false, NULL, NULL);
}

int rtnl_change_address(struct rtnl *rtnl, enum netlink_change change, const struct netlink_address *address,
                        uint32_t seconds) {
	struct netlink_request request;

	netlink_change_address(&request, ++rtnl->seq, change, address, seconds);
	return ask(rtnl, &request, false, NULL, NULL);
}

struct route_search {
	const struct base_addr *dest;
	unsigned tunnels[TUNNELS_MAX];
	size_t tunnel_count;
	bool found;
	struct netlink_route best;
};

static void take_route(void *user, const struct netlink_message *message) {
	struct route_search *search = user;

	if (message->type == RTM_NEWROUTE && netlink_parse_route(message->payload, &search->best) == 0)
		search->found = true;
}

int rtnl_get_route(struct rtnl *rtnl, const struct base_addr *dest, bool matched, struct netlink_route *ret) {
	struct netlink_request request;
	struct route_search search = {.dest = dest};

	netlink_get_route(&request, ++rtnl->seq, dest, matched);
	int err = ask(rtnl, &request, true, take_route, &search);
	if (err == 0 && !search.found)
		err = -EPROTO;
	if (err == 0)
		*ret = search.best;
	return err;
}

static bool is_tunnel(const struct route_search *search, unsigned ifindex) {
	for (size_t i = 0; i < search->tunnel_count; i++)
		if (search->tunnels[i] == ifindex)
			return true;
	return false;
}

/* The metric of a pin tells whose it is (route_pin.h). */
static void collect_tunnel(void *user, const struct netlink_message *message) {
	struct route_search *search = user;
	struct netlink_route route;

	if (message->type == RTM_NEWROUTE && netlink_parse_route(message->payload, &route) == 0 &&
	    route.protocol == NETLINK_ROUTE_PROTOCOL && search->tunnel_count < TUNNELS_MAX &&
	    !is_tunnel(search, route.metric))
		search->tunnels[search->tunnel_count++] = route.metric;
}

static void compare_route(void *user, const struct netlink_message *message) {
	struct route_search *search = user;
	struct netlink_route route;

	if (message->type != RTM_NEWROUTE || netlink_parse_route(message->payload, &route) < 0)
		return;
	if (route.table != RT_TABLE_MAIN || route.type != RTN_UNICAST || route.ifindex == 0 || route.dead ||
	    is_tunnel(search, route.ifindex) || route.protocol == NETLINK_ROUTE_PROTOCOL ||
	    !netlink_route_covers(&route, search->dest))
		return;
	if (!search->found || netlink_route_better(&route, &search->best))
		search->best = route;
	search->found = true;
}

int rtnl_route_around(struct rtnl *rtnl, const struct base_addr *dest, unsigned tap_ifindex,
                      struct netlink_route *ret) {
	struct netlink_request request;
	struct route_search search = {.dest = dest, .tunnels = {tap_ifindex}, .tunnel_count = 1};

	netlink_dump_routes(&request, ++rtnl->seq, dest->family);
	int err = ask(rtnl, &request, false, collect_tunnel, &search);
	netlink_dump_routes(&request, ++rtnl->seq, dest->family);
	if (err == 0)
		err = ask(rtnl, &request, false, compare_route, &search);
	if (err == 0 && !search.found)
		err = -ENETUNREACH;
	if (err == 0)
		*ret = search.best;
	return err;
}

struct address_search {
	unsigned ifindex;
	struct netlink_address best;
};

static void compare_address(void *user, const struct netlink_message *message) {
	struct address_search *search = user;
	struct netlink_address address;

	if (message->type != RTM_NEWADDR || netlink_parse_address(message->payload, &address) < 0 ||
	    address.ifindex != search->ifindex)
		return;
	if (search->best.addr.family == BASE_FAMILY_NONE || netlink_address_better(&address, &search->best))
		search->best = address;
}

int rtnl_interface_address(struct rtnl *rtnl, unsigned ifindex, struct netlink_address *ret) {
	struct netlink_request request;
	struct address_search search = {.ifindex = ifindex};

	netlink_dump_addresses(&request, ++rtnl->seq);
	int err = ask(rtnl, &request, false, compare_address, &search);
	if (err == 0)
		*ret = search.best;
	return err;
}

struct network_search {
	const struct netlink_address *own;
	struct netlink_address found;
};

static void compare_network(void *user, const struct netlink_message *message) {
	struct network_search *search = user;
	struct netlink_address address;

	if (message->type == RTM_NEWADDR && netlink_parse_address(message->payload, &address) == 0 &&
	    address.ifindex != search->own->ifindex && netlink_same_network(search->own, &address))
		search->found = address;
}

int rtnl_same_network(struct rtnl *rtnl, const struct netlink_address *own, struct netlink_address *ret) {
	struct netlink_request request;
	struct network_search search = {.own = own, .found.addr.family = BASE_FAMILY_NONE};

	netlink_dump_addresses(&request, ++rtnl->seq);
	int err = ask(rtnl, &request, false, compare_network, &search);
	if (err == 0 && search.found.addr.family == BASE_FAMILY_NONE)
		err = -ENOENT;
	if (err == 0)
		*ret = search.found;
	return err;
}

int rtnl_watch_open(void) {
	const struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)(const void *)&groups, sizeof(groups)) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

void rtnl_watch_drain(int fd) {
	uint8_t ignored[4096];

	/* ENOBUFS says that more changed than fitted: that is news too, and clears itself. */
	while (recv(fd, ignored, sizeof(ignored), 0) > 0 || errno == ENOBUFS || errno == EINTR)
		continue;
}
