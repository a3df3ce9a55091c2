#include "client-linux/client.h"

#include "base/bytes.h"
#include "base/error.h"
#include "client-core/bridge.h"
#include "client-linux/address.h"
#include "client-linux/contest.h"
#include "client-linux/limits.h"
#include "client-linux/link_keep.h"
#include "client-linux/options.h"
#include "client-linux/route_pin.h"
#include "client-linux/tap.h"
#include "dhcp/message.h"
#include "host/host.h"
#include "link/gather.h"
#include "link/process.h"
#include "proto/mtu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lintap {
	struct link_process process;
	struct client_bridge bridge;
	struct lintap_tap *tap;
	struct loop_source tap_source;
	bool reading_paused; /* the tunnel's socket is behind */
	bool carrier;
	bool same_network_said;
	struct rtnl *rtnl;
	bool pin_routes;
	struct loop_source route_source; /* news about routes */
	struct lintap_route_pin pin, router_pin;
	struct lintap_address address;
	struct lintap_contest contest;
	struct base_addr relay; /* as it is tried */
	/* Addresses that no way led to when they were to be tried, and none since. */
	struct base_addr cut_off[LINTAP_CUT_OFF_MAX];
	size_t cut_off_count;
	struct loop_timer route_timer, diagnostics_timer, carrier_timer;
	uint64_t route_due; /* when route_timer looks */
};

static void note_errno(struct lintap *client, enum obs_level level, const char *event, int err) {
	obs_note(client->process.log, level, event, strerror(-err));
}

static bool fail(struct lintap *client, enum client_exit status, const char *where, const char *what) {
	return link_process_fail(&client->process, status, where, what);
}

static enum client_exit exit_of_device(int err) {
	return err == BASE_E_DENIED    ? CLIENT_EXIT_PRIVILEGE
	       : err == BASE_E_INVALID ? CLIENT_EXIT_USAGE
	                               : CLIENT_EXIT_DEVICE;
}

/* ---- the TAP device ---- */

static void set_carrier(struct lintap *client, bool on) {
	if (client->carrier == on)
		return;
	int err = lintap_tap_set_carrier(client->tap, on);
	if (err < 0) {
		note_errno(client, OBS_WARN, "carrier", err);
		return;
	}
	client->carrier = on;
	obs_note(client->process.log, OBS_INFO, "carrier", on ? "on" : "off");
}

static void on_carrier_due(void *user, uint64_t now) {
	(void)now;
	set_carrier(user, false);
}

/* The device is gone or broken: nothing can be bridged any more (the same as WIN-6). */
static void device_failed(struct lintap *client, int err, uint64_t now) {
	obs_note(client->process.log, OBS_ERROR, "tap_failed", lintap_tap_error_text(err));
	client->process.status = CLIENT_EXIT_DEVICE;
	loop_remove(client->process.loop, &client->tap_source);
	client->reading_paused = false; /* nothing to go on with */
	client_session_leave(client->process.session, CTRL_LEAVE_DEVICE_ERROR, now);
}

static void on_tap_ready(void *user, unsigned events, uint64_t now) {
	struct lintap *client = user;

	(void)events;
	if (link_driver_congested(client->process.driver)) {
		client->reading_paused = loop_modify(client->process.loop, &client->tap_source, 0) == 0;
		return;
	}
	int err = lintap_tap_read(client->tap, now);
	if (err < 0)
		device_failed(client, err, now);
}

static void flush_tap(void *user, uint64_t now) {
	struct lintap *client = user;
	struct lintap_written written;

	(void)now;
	lintap_tap_flush(client->tap, &written);
	client_bridge_wrote(&client->bridge, written.frames, written.bytes);
	client_bridge_device_full(&client->bridge, written.refused);
}

static void after_turn(void *user, uint64_t now) {
	struct lintap *client = user;

	(void)now;
	if (client->reading_paused && !link_driver_congested(client->process.driver))
		client->reading_paused = loop_modify(client->process.loop, &client->tap_source, LOOP_READ) < 0;
}

static void deliver_from_tap(void *user, struct slice frame, uint64_t now) {
	struct lintap *client = user;

	(void)client_bridge_from_device(&client->bridge, frame, NULL, now);
}

static void diagnose_soon(void *user) {
	struct lintap *client = user;

	(void)loop_timer_set(client->process.loop, &client->diagnostics_timer, link_process_diagnose_due(&client->process));
}

static void start_address(struct lintap *client) {
	const struct client_config *session = &client->process.setup.driver.session;
	const struct lintap_address_options options = {.loop = client->process.loop,
	                                               .rtnl = client->rtnl,
	                                               .log = client->process.log,
	                                               .ifindex = lintap_tap_ifindex(client->tap),
	                                               .interface = cli_text(client->process.setup.values, "interface"),
	                                               .mac = session->mac,
	                                               .seed = session->seed,
	                                               .send = deliver_from_tap,
	                                               .relay = &client->relay,
	                                               .changed = diagnose_soon,
	                                               .user = client};

	lintap_address_init(&client->address, &options);
}

/* The device with its MAC, up but without carrier. */
static bool make_tap(struct lintap *client) {
	char error[LINTAP_ERROR_BYTES];
	int err = lintap_tap_make(client->tap, error);

	if (err < 0)
		return fail(client, exit_of_device(err), error, "");
	lintap_route_pin_init(&client->pin, client->rtnl, lintap_tap_ifindex(client->tap), client->process.log);
	lintap_route_pin_init(&client->router_pin, client->rtnl, lintap_tap_ifindex(client->tap), NULL);
	if (!cli_flag(client->process.setup.values, "no-dhcp"))
		start_address(client);
	const struct netlink_link link = {
	    .ifindex = lintap_tap_ifindex(client->tap), .mac = &client->process.setup.driver.session.mac, .up = true};
	err = rtnl_set_link(client->rtnl, &link);
	if (err < 0)
		return fail(client, CLIENT_EXIT_DEVICE, "cannot set the tunnel interface's MAC and bring it up",
		            strerror(-err));
	obs_note(client->process.log, OBS_INFO, "offload", link_gather_text(lintap_tap_merges(client->tap)));
	client->tap_source = (struct loop_source){.ready = on_tap_ready, .user = client};
	if (loop_add(client->process.loop, &client->tap_source, lintap_tap_fd(client->tap), LOOP_READ) < 0)
		return fail(client, CLIENT_EXIT_FAILURE, "", "cannot watch the tunnel interface");
	return true;
}

static void keep_link(struct lintap *client) {
	const struct ctrl_welcome *welcome = client_session_welcome(client->process.session);

	if (welcome == NULL)
		return;
	const struct netlink_link shall = {.ifindex = lintap_tap_ifindex(client->tap),
	                                   .mac = &client->process.setup.driver.session.mac,
	                                   .mtu = welcome->mtu};
	lintap_link_keep(client->rtnl, &shall, client->process.log);
}

/* Where the LAN has the network of this machine's home, its addresses lead into the tunnel: but for the router's, which
 * as a rule looks up names, too. */
static void keep_router(struct lintap *client) {
	const struct netlink_address *own = &client->address.held;
	const struct base_addr anywhere = {.family = BASE_FAMILY_V4};
	struct netlink_route way;

	if (!client->pin_routes || own->addr.family == BASE_FAMILY_NONE ||
	    rtnl_route_around(client->rtnl, &anywhere, own->ifindex, &way) < 0 ||
	    !base_addr_same_prefix(&way.gateway, &own->addr, own->prefix) ||
	    base_addr_equal(&way.gateway, &client->pin.relay)) /* has its pin */
		lintap_route_pin_clear(&client->router_pin);
	else if (!base_addr_equal(&client->router_pin.relay, &way.gateway))
		lintap_route_pin_set(&client->router_pin, &way.gateway);
	else
		lintap_route_pin_check(&client->router_pin);
}

/* ---- diagnostics ---- */

/* Once: what is meant for the LAN may stay at home, or the other way round. */
static void compare_networks(struct lintap *client, const struct netlink_address *own) {
	struct netlink_address home;
	char message[OBS_SAME_NETWORK_BYTES];
	struct base_text text;

	if (client->same_network_said || rtnl_same_network(client->rtnl, own, &home) < 0)
		return;
	base_text_init(&text, message, sizeof(message));
	obs_same_network_text(&home.addr, home.prefix, &own->addr, own->prefix, &text);
	obs_note(client->process.log, OBS_WARN, "same_network", message);
	client->same_network_said = true;
}

static void look_for_another_owner(struct lintap *client, struct obs_diagnostics *diagnostics) {
	static const struct base_addr none;
	const bool asks = diagnostics->gateway_present && !diagnostics->lan_down && diagnostics->tap_address_fixed;
	const struct base_addr *address = asks ? &diagnostics->tap_address : &none;
	const uint64_t now = loop_now(client->process.loop);
	uint8_t frame[DHCP_ARP_FRAME_BYTES];

	if (lintap_contest_ask(&client->contest, address, now)) {
		dhcp_arp_frame(client->bridge.mac, 0, base_get_u32(address->ip), frame);
		deliver_from_tap(client, slice_of(frame, sizeof(frame)), now);
	}
	diagnostics->tap_address_taken = client->contest.taken;
}

static void collect(struct lintap *client, struct obs_diagnostics *ret) {
	client_session_diagnostics(client->process.session, ret);
	ret->route_pinned = client->pin_routes ? client->pin.state : OBS_UNKNOWN;
	struct netlink_link_state link = {.up = false};
	(void)rtnl_get_link(client->rtnl, lintap_tap_ifindex(client->tap), &link);
	ret->tap_ready = client->carrier && link.up ? OBS_YES : OBS_NO;
	struct netlink_address address = {.addr = {.family = BASE_FAMILY_NONE}};
	(void)rtnl_interface_address(client->rtnl, lintap_tap_ifindex(client->tap), &address);
	ret->tap_address = address.addr;
	/* A lease may be for ever. */
	ret->tap_address_fixed = address.permanent && !base_addr_equal(&address.addr, &client->address.held.addr);
	look_for_another_owner(client, ret);
	compare_networks(client, &address);
	if (address.addr.family == BASE_FAMILY_V4)
		lintap_address_seen(&client->address);
}

static void diagnose(struct lintap *client) {
	struct obs_diagnostics diagnostics;

	collect(client, &diagnostics);
	link_process_diagnose(&client->process, &diagnostics);
}

static void on_diagnostics_due(void *user, uint64_t now) {
	struct lintap *client = user;

	keep_link(client);
	lintap_address_keep(&client->address, now);
	keep_router(client);
	diagnose(client);
	(void)loop_timer_set(client->process.loop, &client->diagnostics_timer, now + LINTAP_DIAGNOSTICS_NS);
}

static void look_at_routes(struct lintap *client, uint64_t when) {
	client->route_due = when;
	(void)loop_timer_set(client->process.loop, &client->route_timer, when);
}

static void note_cut_off(struct lintap *client, const struct base_addr *relay) {
	for (size_t i = 0; i < client->cut_off_count; i++)
		if (base_addr_equal(&client->cut_off[i], relay))
			return;
	if (client->cut_off_count < LINTAP_CUT_OFF_MAX)
		client->cut_off[client->cut_off_count++] = *relay;
}

static bool leads_around(const struct lintap *client, const struct base_addr *relay) {
	struct netlink_route way;

	return rtnl_route_around(client->rtnl, relay, lintap_tap_ifindex(client->tap), &way) == 0;
}

/* The pin is of the address that was tried last; the way to another one may be the one that opens. */
static bool way_has_opened(const struct lintap *client) {
	for (size_t i = 0; i < client->cut_off_count; i++)
		if (leads_around(client, &client->cut_off[i]))
			return true;
	return false;
}

static void on_route_due(void *user, uint64_t now) {
	struct lintap *client = user;
	const bool was_out_of_reach = client->pin.state == OBS_NO;

	keep_link(client); /* a DHCP client that sets routes sets more */
	lintap_route_pin_check(&client->pin);
	keep_router(client);
	if ((was_out_of_reach && client->pin.state == OBS_YES) || way_has_opened(client)) {
		client->cut_off_count = 0;
		client_session_hurry(client->process.session, now);
	}
	look_at_routes(client, now + LINTAP_ROUTE_CHECK_NS);
}

static void on_route_news(void *user, unsigned events, uint64_t now) {
	struct lintap *client = user;

	(void)events;
	rtnl_watch_drain(client->route_source.fd);
	/* News that keep coming do not put it off. */
	if (client->route_due > now + LINTAP_ROUTE_SETTLE_NS)
		look_at_routes(client, now + LINTAP_ROUTE_SETTLE_NS);
}

/* ---- the session ---- */

/* The first time the device is made: not before the relay's name is resolved, so that nothing that comes with an
 * interface has a say in that (NET-2). */
static int on_connecting(void *user, const struct base_addr *relay, uint64_t now) {
	struct lintap *client = user;

	(void)now;
	client->relay = *relay;
	if (lintap_tap_ifindex(client->tap) == 0 && !make_tap(client)) {
		link_process_ended(&client->process, client->process.setup.status, client->process.setup.text);
		return 0;
	}
	if (!client->pin_routes)
		return 0;
	lintap_route_pin_set(&client->pin, relay);
	/* The relay's IPv6 address where only the LAN has IPv6, for instance, or any while this machine has no network. */
	if (!lintap_route_pin_cut_off(&client->pin))
		return 0;
	if (!leads_around(client, relay)) /* or a rule of this machine leads there by the tunnel all the same */
		note_cut_off(client, relay);
	return BASE_E_UNREACHABLE;
}

static void on_gateway(void *user, uint64_t now) {
	struct lintap *client = user;
	struct obs_diagnostics session;

	client_session_diagnostics(client->process.session, &session);
	lintap_address_lan(&client->address, session.gateway_present && !session.lan_down, now);
	diagnose_soon(client);
}

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct lintap *client = user;
	const struct netlink_link link = {.ifindex = lintap_tap_ifindex(client->tap), .mtu = welcome->mtu};

	int err = rtnl_set_link(client->rtnl, &link);
	if (err < 0)
		note_errno(client, OBS_ERROR, "mtu", err);
	client->cut_off_count = 0;
	(void)loop_timer_set(client->process.loop, &client->carrier_timer, BASE_NEVER);
	set_carrier(client, true);
	on_gateway(client, now);
	diagnose(client);
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct lintap *client = user;

	if (!client_bridge_from_tunnel(&client->bridge, source_peer, frame, NULL, now))
		return;
	if (lintap_contest_frame(&client->contest, client->bridge.mac, frame))
		diagnose_soon(client);
	if (lintap_address_frame(&client->address, frame, now))
		client_bridge_wrote(&client->bridge, 1, frame.len);
	else
		lintap_tap_write(client->tap, frame);
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct lintap *client = user;

	(void)why;
	(void)loop_timer_set(client->process.loop, &client->carrier_timer, now + LINTAP_CARRIER_GRACE_NS);
	lintap_address_lan(&client->address, false, now);
	diagnose(client);
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct lintap *client = user;

	(void)now;
	link_process_ended(&client->process, status, why);
}

static void on_goodbye(void *user, uint64_t now) {
	struct lintap *client = user;

	lintap_address_release(&client->address, now);
}

static const struct client_events session_events = {
    .joined = on_joined,
    .gateway = on_gateway,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

/* ---- start and end ---- */

static bool open_tap(struct lintap *client) {
	const struct lintap_tap_options options = {.name = cli_text(client->process.setup.values, "interface"),
	                                           .no_offload = client->process.setup.driver.no_offload,
	                                           .deliver = deliver_from_tap,
	                                           .user = client,
	                                           .counters = client_session_counters(client->process.session)};
	char error[LINTAP_ERROR_BYTES];
	int err = lintap_tap_open(&options, &client->tap, error);

	return err == 0 || fail(client, exit_of_device(err), error, "");
}

static void start_route_pin(struct lintap *client, uint64_t now) {
	look_at_routes(client, now + LINTAP_ROUTE_CHECK_NS);
	client->route_source = (struct loop_source){.ready = on_route_news, .user = client};
	int fd = rtnl_watch_open();
	if (fd >= 0 && loop_add(client->process.loop, &client->route_source, fd, LOOP_READ) < 0)
		(void)close(fd); /* the timer looks anyway */
}

static void start_timers(struct lintap *client) {
	const uint64_t now = loop_now(client->process.loop);

	loop_timer_init(&client->carrier_timer, on_carrier_due, client);
	loop_timer_init(&client->diagnostics_timer, on_diagnostics_due, client);
	loop_timer_init(&client->route_timer, on_route_due, client);
	(void)loop_timer_set(client->process.loop, &client->diagnostics_timer, now + LINTAP_DIAGNOSTICS_NS);
	client->pin_routes = !cli_flag(client->process.setup.values, "no-route-pin");
	if (client->pin_routes)
		start_route_pin(client, now);
}

/* Privileged descriptors first, then privileges are dropped, then the network is spoken to. CAP_NET_ADMIN stays: the
 * device comes with the relay's address and its MTU with the welcome, and the route pin follows the network. */
static bool start(struct lintap *client, int argc, const char *const *argv, bool unsafe) {
	char host_name[256] = "";

	(void)gethostname(host_name, sizeof(host_name) - 1);
	const struct link_setup_options options = {.table = &lintap_options,
	                                           .version = LANPARTY_VERSION,
	                                           .role = CTRL_ROLE_CLIENT,
	                                           .needed = HOST_CAP_NET_ADMIN,
	                                           .host_name = host_name,
	                                           .state_directory = getenv("STATE_DIRECTORY")};
	char error[HOST_ERROR_BYTES];
	struct link_process *process = &client->process;
	if (!link_process_init(process, &options, argc, argv) || !link_process_open_loop(process))
		return false;
	client->rtnl = rtnl_new();
	if (client->rtnl == NULL)
		return fail(client, CLIENT_EXIT_FAILURE, "", "cannot open the routing socket");
	process->setup.driver.flush = flush_tap;
	process->setup.driver.after_turn = after_turn;
	process->setup.driver.connecting = on_connecting;
	process->goodbye = on_goodbye;
	if (!link_process_open_driver(process, &session_events, client) || !open_tap(client))
		return false;
	if (host_drop_privileges(HOST_CAP_NET_ADMIN, cli_text(process->setup.values, "user"), error) < 0)
		return fail(client, CLIENT_EXIT_PRIVILEGE, "cannot drop privileges", error);
	client->bridge = (struct client_bridge){.session = process->session,
	                                        .mac = process->setup.driver.session.mac,
	                                        .log = process->log,
	                                        .room = process->setup.driver.session.room,
	                                        .unsafe_no_filters = unsafe};
	start_timers(client);
	link_driver_start(process->driver, loop_now(process->loop));
	return true;
}

static void done(struct lintap *client) {
	if (client->rtnl != NULL) {
		lintap_route_pin_clear(&client->pin);
		lintap_route_pin_clear(&client->router_pin);
	}
	if (client->route_source.registered) {
		loop_remove(client->process.loop, &client->route_source);
		(void)close(client->route_source.fd);
	}
	if (client->tap_source.registered)
		loop_remove(client->process.loop, &client->tap_source);
	lintap_tap_close(client->tap);
	rtnl_free(client->rtnl);
	link_process_done(&client->process);
	free(client);
}

int lintap_main(int argc, const char *const *argv, bool unsafe) {
	struct lintap *client = calloc(1, sizeof(*client)); /* all zero is safe to free */

	if (client == NULL || quic_global_init() < 0) {
		(void)fprintf(stderr, "%s: cannot start: no memory or no TLS library\n", lintap_options.program);
		free(client);
		return CLIENT_EXIT_FAILURE;
	}
	int status = link_process_run(&client->process, start(client, argc, argv, unsafe));
	done(client);
	quic_global_done();
	return status;
}
