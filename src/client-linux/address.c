#include "client-linux/address.h"

#include "base/bytes.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

static struct base_addr ipv4(uint32_t address) {
	struct base_addr addr = {.family = BASE_FAMILY_V4};

	base_put_u32(addr.ip, address);
	return addr;
}

static void say(const struct lintap_address *address, enum obs_level level, const char *event, uint32_t ip,
                const char *message) {
	struct obs_log *log = address->options.log;

	if (!obs_on(log, level))
		return;
	const struct base_addr addr = ipv4(ip);
	obs_begin(log, level, event);
	obs_ip(log, "address", &addr);
	obs_str(log, "message", message);
	obs_end(log);
}

/* ---- the interface ---- */

static void set_tunable(const struct lintap_address *address, const char *family, const char *name, const char *value) {
	char path[128];
	struct base_text text;

	base_text_init(&text, path, sizeof(path));
	base_text_addf(&text, "/proc/sys/net/%s/conf/%s/%s", family, address->options.interface, name);
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	const bool done = fd >= 0 && write(fd, value, strlen(value)) >= 0;
	const int err = errno;
	if (fd >= 0)
		(void)close(fd);
	if (done || err == ENOENT || !obs_on(address->options.log, OBS_WARN)) /* a machine without IPv6 */
		return;
	obs_begin(address->options.log, OBS_WARN, "setting_not_made");
	obs_str(address->options.log, "setting", name);
	obs_str(address->options.log, "message", strerror(err));
	obs_end(address->options.log);
}

static void set_tunables(const struct lintap_address *address) {
	/* No IPv6 router of the LAN becomes this machine's, for all of the Internet or a part of it (RFC 4191). */
	set_tunable(address, "ipv6", "accept_ra_defrtr", "0");
	set_tunable(address, "ipv6", "accept_ra_rt_info_max_plen", "0");
	/* By itself Linux answers for all of a machine's addresses on each of its links, and asks with any of them: who has
	 * at home the address of somebody in the LAN would draw that one's traffic, and newcomers would not get it. */
	set_tunable(address, "ipv4", "arp_ignore", "1");
	set_tunable(address, "ipv4", "arp_announce", "2");
}

/* Without these routes they would leave by the default route, which is theirs again when the LAN is gone: a machine at
 * home may be looked for. The kernel removes them with the last address. */
static void turn_broadcasts(struct lintap_address *address, enum netlink_change change) {
	static const struct {
		uint32_t dest;
		uint8_t prefix;
	} turned[] = {{UINT32_MAX, 32}, {UINT32_C(0xe0000000), 4}};

	for (size_t i = 0; i < sizeof(turned) / sizeof(turned[0]); i++) {
		const struct netlink_route route = {.dest = ipv4(turned[i].dest),
		                                    .prefix = turned[i].prefix,
		                                    .ifindex = address->options.ifindex,
		                                    .metric = address->options.ifindex, /* as that of a pin (route_pin.h) */
		                                    .protocol = NETLINK_ROUTE_PROTOCOL};
		const int err = rtnl_change_route(address->options.rtnl, change, &route);
		/* While somebody has set the interface down they cannot be made, and it is looked at again. */
		if (change == NETLINK_DELETE || err >= 0 || err == -EEXIST || err == -ENETDOWN || address->unturned_said)
			continue;
		obs_note(address->options.log, OBS_WARN, "broadcasts_not_turned", strerror(-err));
		address->unturned_said = true;
	}
}

static void take_away(struct lintap_address *address) {
	if (address->held.addr.family != BASE_FAMILY_NONE)
		(void)rtnl_change_address(address->options.rtnl, NETLINK_DELETE, &address->held, 0);
	address->held.addr.family = BASE_FAMILY_NONE;
}

/* ---- the lease ---- */

static void on_send(void *user, struct slice frame, uint64_t now) {
	struct lintap_address *address = user;

	address->options.send(address->options.user, frame, now);
}

static bool is_own(const struct lintap_address *address, const struct base_addr *addr) {
	struct netlink_route way;

	return rtnl_get_route(address->options.rtnl, addr, false, &way) == 0 && way.type == RTN_LOCAL;
}

static bool is_router_to(const struct lintap_address *address, const struct base_addr *dest,
                         const struct base_addr *addr) {
	struct netlink_route way;

	return rtnl_route_around(address->options.rtnl, dest, address->options.ifindex, &way) == 0 &&
	       base_addr_equal(addr, &way.gateway);
}

/* The kernel looks for its own addresses before any route: with one of these the tunnel, or all of the Internet, would
 * end here. */
static const char *unfit(void *user, uint32_t ip) {
	const struct lintap_address *address = user;
	const struct base_addr addr = ipv4(ip), anywhere = ipv4(0);
	struct base_addr relay = *address->options.relay;

	relay.port = 0;
	if (base_addr_equal(&addr, &relay))
		return "it is the relay's";
	if (is_own(address, &addr))
		return "this machine has it already";
	if (is_router_to(address, &relay, &addr) || is_router_to(address, &anywhere, &addr))
		return "it is that of this machine's own router";
	return NULL;
}

/* One more than there are: the kernel refuses 0. */
static uint32_t seconds_left(const struct dhcp_lease *lease, uint64_t now) {
	if (lease->expires_at == BASE_NEVER)
		return UINT32_MAX;
	return lease->expires_at > now ? (uint32_t)((lease->expires_at - now) / BASE_SECOND + 1) : 1;
}

static bool on_leased(void *user, const struct dhcp_lease *lease, uint64_t now) {
	struct lintap_address *address = user;
	const struct netlink_address wanted = {.ifindex = address->options.ifindex,
	                                       .addr = ipv4(lease->address),
	                                       .prefix = lease->prefix,
	                                       .broadcast = ipv4(lease->broadcast)};
	const bool same = base_addr_equal(&address->held.addr, &wanted.addr) && address->held.prefix == wanted.prefix &&
	                  base_addr_equal(&address->held.broadcast, &wanted.broadcast);

	if (!same)
		take_away(address); /* first: a second one of the network would go with it */
	const int err = rtnl_change_address(address->options.rtnl, NETLINK_ADD, &wanted, seconds_left(lease, now));
	if (err < 0) {
		say(address, OBS_ERROR, "address_not_set", lease->address, strerror(-err));
		take_away(address);
		return false;
	}
	address->held = wanted;
	turn_broadcasts(address, NETLINK_ADD);
	say(address, same ? OBS_DEBUG : OBS_INFO, "dhcp_lease", lease->address, NULL);
	if (!same)
		address->options.changed(address->options.user);
	return true;
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct lintap_address *address = user;

	(void)now;
	say(address, OBS_WARN, "dhcp_lease_lost", address->dhcp.lease.address, why);
	take_away(address);
	address->options.changed(address->options.user);
}

static void on_declined(void *user, uint32_t ip, const char *why, uint64_t now) {
	(void)now;
	say(user, OBS_WARN, "dhcp_declined", ip, why);
}

static const struct dhcp_events dhcp_events = {
    .send = on_send, .unfit = unfit, .leased = on_leased, .lost = on_lost, .declined = on_declined};

/* ---- what the client calls ---- */

static void set_timer(struct lintap_address *address) {
	(void)loop_timer_set(address->options.loop, &address->timer, dhcp_client_deadline(&address->dhcp));
}

static void on_due(void *user, uint64_t now) {
	struct lintap_address *address = user;

	dhcp_client_tick(&address->dhcp, now);
	set_timer(address);
}

void lintap_address_init(struct lintap_address *address, const struct lintap_address_options *options) {
	*address = (struct lintap_address){.options = *options};
	dhcp_client_init(&address->dhcp, options->mac, options->seed, &dhcp_events, address);
	loop_timer_init(&address->timer, on_due, address);
	set_tunables(address);
}

void lintap_address_lan(struct lintap_address *address, bool there, uint64_t now) {
	if (address->options.loop == NULL || there == (address->dhcp.state != DHCP_STOPPED))
		return;
	if (there) {
		dhcp_client_start(&address->dhcp, now);
	} else {
		dhcp_client_stop(&address->dhcp);
		turn_broadcasts(address, NETLINK_DELETE);
	}
	set_timer(address);
}

void lintap_address_seen(struct lintap_address *address) {
	if (address->dhcp.state != DHCP_STOPPED)
		turn_broadcasts(address, NETLINK_ADD);
}

bool lintap_address_frame(struct lintap_address *address, struct slice frame, uint64_t now) {
	if (!dhcp_client_frame(&address->dhcp, frame, now))
		return false;
	set_timer(address);
	return true;
}

void lintap_address_keep(struct lintap_address *address, uint64_t now) {
	const struct dhcp_lease *lease = &address->dhcp.lease;
	struct netlink_link_state link;

	if (address->held.addr.family == BASE_FAMILY_NONE ||
	    rtnl_get_link(address->options.rtnl, address->options.ifindex, &link) < 0 || !link.up)
		return;
	if (!is_own(address, &address->held.addr)) {
		const int err =
		    rtnl_change_address(address->options.rtnl, NETLINK_ADD, &address->held, seconds_left(lease, now));
		say(address, OBS_WARN, "address_put_back", lease->address, err < 0 ? strerror(-err) : NULL);
	}
}

void lintap_address_release(struct lintap_address *address, uint64_t now) {
	dhcp_client_release(&address->dhcp, now);
	if (address->options.loop != NULL)
		set_timer(address);
	address->options.loop = NULL; /* a LAN that comes now comes too late */
}
