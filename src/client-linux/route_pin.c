#include "client-linux/route_pin.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#define LEFT_BEHIND_MAX 16 /* so many crashes are tidied up after in one go */
#define OVERRULED (-ELOOP) /* the pin is there, and the kernel goes by another route all the same */

void lintap_route_pin_init(struct lintap_route_pin *pin, struct rtnl *rtnl, unsigned tap_ifindex, struct obs_log *log) {
	*pin = (struct lintap_route_pin){.rtnl = rtnl, .log = log, .tap_ifindex = tap_ifindex, .state = OBS_UNKNOWN};
}

static void say(const struct lintap_route_pin *pin, enum obs_level level, const char *event, int err) {
	if (!obs_on(pin->log, level))
		return;
	obs_begin(pin->log, level, event);
	obs_ip(pin->log, "relay", &pin->relay);
	if (pin->route.gateway.family != BASE_FAMILY_NONE)
		obs_ip(pin->log, "gateway", &pin->route.gateway);
	char interface[IF_NAMESIZE];
	if (if_indextoname(pin->route.ifindex, interface) != NULL)
		obs_str(pin->log, "interface", interface);
	if (err != 0)
		obs_str(pin->log, "message",
		        err == OVERRULED ? "another route leads to the relay through the tunnel" : strerror(-err));
	obs_end(pin->log);
}

static void say_removed(const struct lintap_route_pin *pin) {
	if (!obs_on(pin->log, OBS_WARN))
		return;
	obs_begin(pin->log, OBS_WARN, "route_into_tunnel_removed");
	obs_ip(pin->log, "relay", &pin->relay);
	obs_str(pin->log, "message", "a host route led to the relay through the tunnel itself (of the LAN's DHCP server?)");
	obs_end(pin->log);
}

static void enter(struct lintap_route_pin *pin, enum obs_tristate state, int err) {
	if (pin->state == state)
		return;
	pin->state = state;
	if (state == OBS_YES)
		say(pin, OBS_INFO, "route_pinned", 0);
	else
		say(pin, OBS_WARN, "route_not_pinned", err);
}

/* The relay is this machine, or on its own wire and named as such: no route of the LAN can take that over. */
static bool needs_no_pin(const struct lintap_route_pin *pin, const struct netlink_route *now) {
	const bool link_local = pin->relay.family == BASE_FAMILY_V6 && base_addr_is_link_local(&pin->relay);

	return now->type == RTN_LOCAL || link_local;
}

static bool is_host_route(const struct lintap_route_pin *pin, const struct netlink_route *route) {
	return route->prefix == base_addr_ip_bytes(&pin->relay) * 8 && route->ifindex != 0;
}

static bool same_way(const struct netlink_route *a, const struct netlink_route *b) {
	return a->ifindex == b->ifindex && base_addr_equal(&a->gateway, &b->gateway);
}

/* The way to copy: what the kernel does now, or if that is the tunnel, what it would do without, or what it did. When
 * the network has moved, what the kernel does now may be another client's pin that has yet to follow. */
static int find_way(struct lintap_route_pin *pin, bool moved, struct netlink_route *ret) {
	struct netlink_route now, around;
	int err = rtnl_route_around(pin->rtnl, &pin->relay, pin->tap_ifindex, &around);

	if (!moved && rtnl_get_route(pin->rtnl, &pin->relay, false, &now) == 0 && now.ifindex != pin->tap_ifindex &&
	    now.ifindex != 0) {
		pin->follows = err == 0 && same_way(&now, &around);
		*ret = now;
		return 0;
	}
	if (err == 0) {
		pin->follows = true;
		*ret = around;
		return 0;
	}
	if (pin->route.ifindex == 0 || !base_addr_equal(&pin->route.dest, &pin->relay))
		return err;
	*ret = pin->route;
	return 0;
}

/* The network changed under our route: another interface, another router. */
static bool has_moved(const struct lintap_route_pin *pin) {
	struct netlink_route around;

	return pin->follows && rtnl_route_around(pin->rtnl, &pin->relay, pin->tap_ifindex, &around) == 0 &&
	       !same_way(&pin->route, &around);
}

static void take_out(struct lintap_route_pin *pin) {
	if (pin->ours)
		(void)rtnl_change_route(pin->rtnl, NETLINK_DELETE, &pin->route); /* gone with its interface? fine */
	pin->ours = false;
}

static bool is_left_behind(const struct netlink_route *route) {
	char interface[IF_NAMESIZE];

	return if_indextoname(route->metric, interface) == NULL;
}

/* The host route by which the kernel goes, with those out of the way that nobody takes back any more, and those that
 * lead into the tunnel: no pin could overrule one without a metric. */
static bool find_host_route(struct lintap_route_pin *pin, struct netlink_route *ret) {
	for (int tries = 0; tries < LEFT_BEHIND_MAX; tries++) {
		if (rtnl_get_route(pin->rtnl, &pin->relay, true, ret) < 0 || !is_host_route(pin, ret))
			return false;
		const bool into_tunnel = ret->ifindex == pin->tap_ifindex;
		if (!into_tunnel && (ret->protocol != NETLINK_ROUTE_PROTOCOL || !is_left_behind(ret)))
			return true;
		if (rtnl_change_route(pin->rtnl, NETLINK_DELETE, ret) < 0)
			return false;
		if (into_tunnel)
			say_removed(pin);
	}
	return false;
}

/* The kernel has the last word on the routes it goes by. */
static bool leads_into_tunnel(const struct lintap_route_pin *pin) {
	struct netlink_route now;

	return rtnl_get_route(pin->rtnl, &pin->relay, false, &now) == 0 && now.ifindex == pin->tap_ifindex;
}

/* A host route of ours on the way that is to be copied. `found`: the kernel goes by a host route already, which is
 * another client's pin or our own from before the network moved. */
static int add_pin(struct lintap_route_pin *pin, bool found, bool moved) {
	const bool followed = pin->follows;
	struct netlink_route way = {.ifindex = 0};
	int err = find_way(pin, moved, &way);

	if (err < 0)
		return err;
	if (found && !same_way(&pin->route, &way))
		take_out(pin);
	const struct netlink_route wanted = {.dest = pin->relay,
	                                     .prefix = (uint8_t)(base_addr_ip_bytes(&pin->relay) * 8),
	                                     .gateway = way.gateway,
	                                     .ifindex = way.ifindex,
	                                     .metric = pin->tap_ifindex,
	                                     .protocol = NETLINK_ROUTE_PROTOCOL};
	err = rtnl_change_route(pin->rtnl, NETLINK_ADD, &wanted);
	if (err == -EEXIST && pin->ours && !found)
		pin->follows = followed; /* there, and overruled by rules of another VPN: it is needed when they go */
	else
		pin->route = wanted;
	pin->ours = err == 0 || err == -EEXIST;
	if (!pin->ours)
		return err;
	return leads_into_tunnel(pin) ? OVERRULED : 0;
}

/* Finds out whether a pin is needed, and adds it if so. */
static int install(struct lintap_route_pin *pin) {
	struct netlink_route now = {.ifindex = 0}, matched;
	bool moved = false;
	int err = rtnl_get_route(pin->rtnl, &pin->relay, false, &now);

	if (err == 0 && needs_no_pin(pin, &now))
		return 0;
	const bool found = err == 0 && find_host_route(pin, &matched);
	const bool found_ours = found && matched.protocol == NETLINK_ROUTE_PROTOCOL && matched.metric == pin->tap_ifindex;
	if (found && matched.protocol != NETLINK_ROUTE_PROTOCOL) {
		if (!pin->ours)
			pin->route = matched;
		return 0;
	}
	if (found_ours) {
		pin->ours = true;
		pin->route = matched;
	}
	if (pin->ours && has_moved(pin)) {
		take_out(pin);
		moved = true;
		pin->state = OBS_UNKNOWN; /* to be said again */
	} else if (found_ours) {
		return 0;
	}
	/* A pin of another client leads us the way to copy: that client may leave. */
	return add_pin(pin, found, moved);
}

void lintap_route_pin_set(struct lintap_route_pin *pin, const struct base_addr *relay) {
	struct base_addr dest = *relay;

	dest.port = 0;
	take_out(pin);
	if (!base_addr_equal(&pin->relay, &dest))
		pin->state = OBS_UNKNOWN; /* to be said */
	pin->relay = dest;
	lintap_route_pin_check(pin);
}

void lintap_route_pin_check(struct lintap_route_pin *pin) {
	if (pin->relay.family == BASE_FAMILY_NONE)
		return;
	int err = install(pin);
	enter(pin, err == 0 ? OBS_YES : OBS_NO, err);
}

bool lintap_route_pin_cut_off(const struct lintap_route_pin *pin) {
	struct netlink_route now;

	return pin->state == OBS_NO &&
	       (leads_into_tunnel(pin) || rtnl_get_route(pin->rtnl, &pin->relay, false, &now) == -ENETUNREACH);
}

void lintap_route_pin_clear(struct lintap_route_pin *pin) {
	take_out(pin);
	pin->relay = (struct base_addr){.family = BASE_FAMILY_NONE};
	pin->state = OBS_UNKNOWN;
}
