#include "client-linux/client.h"

#include "base/error.h"
#include "client-core/bridge.h"
#include "client-linux/limits.h"
#include "client-linux/options.h"
#include "client-linux/route_pin.h"
#include "client-linux/tap.h"
#include "host/host.h"
#include "link/gather.h"
#include "link/setup.h"
#include "proto/mtu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lintap {
	struct link_setup setup;
	struct loop *loop;
	struct obs_log *log;
	struct link_driver *driver;
	struct client_session *session;
	struct client_bridge bridge;
	struct lintap_tap *tap;
	struct loop_source tap_source;
	bool reading_paused; /* the tunnel's socket is behind */
	bool carrier;
	struct rtnl *rtnl;
	bool pin_routes;
	struct loop_source route_source; /* news about routes */
	struct lintap_route_pin pin;
	struct loop_timer route_timer, diagnostics_timer, carrier_timer;
	/* What was said last, with the round trip left out: it always changes. */
	char said[OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES];
	bool ended;
	enum client_exit status;
};

static void note_errno(struct lintap *client, enum obs_level level, const char *event, int err) {
	obs_note(client->log, level, event, strerror(-err));
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
	obs_note(client->log, OBS_INFO, "carrier", on ? "on" : "off");
}

static void on_carrier_due(void *user, uint64_t now) {
	(void)now;
	set_carrier(user, false);
}

/* The device is gone or broken: nothing can be bridged any more (the same as WIN-6). */
static void device_failed(struct lintap *client, int err, uint64_t now) {
	note_errno(client, OBS_ERROR, "tap_failed", err);
	client->status = CLIENT_EXIT_DEVICE;
	loop_remove(client->loop, &client->tap_source);
	client_session_leave(client->session, CTRL_LEAVE_DEVICE_ERROR, now);
}

static void on_tap_ready(void *user, unsigned events, uint64_t now) {
	struct lintap *client = user;
	(void)events;
	if (link_driver_congested(client->driver)) {
		client->reading_paused = loop_modify(client->loop, &client->tap_source, 0) == 0;
		return;
	}
	int err = lintap_tap_read(client->tap, now);
	if (err < 0)
		device_failed(client, err, now);
}

static void after_turn(void *user, uint64_t now) {
	struct lintap *client = user;
	struct lintap_written written;
	(void)now;
	lintap_tap_flush(client->tap, &written);
	client_bridge_wrote(&client->bridge, written.frames, written.bytes);
	client_bridge_device_full(&client->bridge, written.refused);
	if (client->reading_paused && !link_driver_congested(client->driver))
		client->reading_paused = loop_modify(client->loop, &client->tap_source, LOOP_READ) < 0;
}

static void deliver_from_tap(void *user, struct slice frame, uint64_t now) {
	struct lintap *client = user;
	(void)client_bridge_from_device(&client->bridge, frame, NULL, now);
}

/* ---- diagnostics ---- */

static void collect(struct lintap *client, struct obs_diagnostics *ret) {
	client_session_diagnostics(client->session, ret);
	ret->route_pinned = client->pin_routes ? client->pin.state : OBS_UNKNOWN;
	ret->tap_ready = client->carrier ? OBS_YES : OBS_NO;
	struct netlink_address address = {.addr = {.family = BASE_FAMILY_NONE}};
	(void)rtnl_interface_address(client->rtnl, lintap_tap_ifindex(client->tap), &address);
	ret->tap_address = address.addr;
	ret->tap_address_fixed = address.permanent;
}

/* Says the lines that are new, and tells the relay what it can't see. */
static void diagnose(struct lintap *client) {
	struct obs_diagnostics diagnostics;
	char lines[OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES];
	char plain[OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES];
	memset(plain, 0, sizeof(plain));
	collect(client, &diagnostics);
	client_session_report_device(client->session, client->carrier, &diagnostics.tap_address);
	client_session_report_route(client->session, diagnostics.route_pinned == OBS_YES);
	size_t count = obs_diagnostics_lines(&diagnostics, lines);
	diagnostics.rtt_ns = 0;
	(void)obs_diagnostics_lines(&diagnostics, plain);
	for (size_t i = 0; i < count; i++)
		if (strcmp(plain[i], client->said[i]) != 0)
			obs_note(client->log, OBS_INFO, "status", lines[i]);
	memcpy(client->said, plain, sizeof(plain));
}

static void on_diagnostics_due(void *user, uint64_t now) {
	struct lintap *client = user;
	diagnose(client);
	obs_log_tick(client->log, now);
	(void)loop_timer_set(client->loop, &client->diagnostics_timer, now + LINTAP_DIAGNOSTICS_NS);
}

static void on_route_due(void *user, uint64_t now) {
	struct lintap *client = user;
	lintap_route_pin_check(&client->pin);
	(void)loop_timer_set(client->loop, &client->route_timer, now + LINTAP_ROUTE_CHECK_NS);
}

static void on_route_news(void *user, unsigned events, uint64_t now) {
	struct lintap *client = user;
	(void)events;
	rtnl_watch_drain(client->route_source.fd);
	(void)loop_timer_set(client->loop, &client->route_timer, now + LINTAP_ROUTE_SETTLE_NS);
}

/* ---- the session ---- */

static void on_connecting(void *user, const struct base_addr *relay, uint64_t now) {
	struct lintap *client = user;
	(void)now;
	if (client->pin_routes)
		lintap_route_pin_set(&client->pin, relay);
}

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct lintap *client = user;
	const struct netlink_link link = {.ifindex = lintap_tap_ifindex(client->tap), .mtu = welcome->mtu};
	(void)now;
	int err = rtnl_set_link(client->rtnl, &link);
	if (err < 0)
		note_errno(client, OBS_ERROR, "mtu", err);
	(void)loop_timer_set(client->loop, &client->carrier_timer, BASE_NEVER);
	set_carrier(client, true);
	diagnose(client);
}

static void on_peer_change(struct lintap *client, const struct client_peer *peer) {
	if (peer->role == CTRL_ROLE_GATEWAY)
		diagnose(client);
}

static void on_peer_joined(void *user, const struct client_peer *peer, uint64_t now) {
	(void)now;
	on_peer_change(user, peer);
}

static void on_peer_left(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	(void)reason;
	(void)now;
	on_peer_change(user, peer);
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct lintap *client = user;
	if (!client_bridge_from_tunnel(&client->bridge, source_peer, frame, NULL, now))
		return;
	lintap_tap_write(client->tap, frame);
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct lintap *client = user;
	(void)why;
	(void)loop_timer_set(client->loop, &client->carrier_timer, now + LINTAP_CARRIER_GRACE_NS);
	diagnose(client);
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct lintap *client = user;
	(void)now;
	client->ended = true;
	if (status != CLIENT_EXIT_OK) {
		client->status = status;
		(void)fprintf(stderr, "%s: %s\n", lintap_options.program, why);
	}
	loop_stop(client->loop);
}

static const struct client_events session_events = {
    .joined = on_joined,
    .peer_joined = on_peer_joined,
    .peer_left = on_peer_left,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

/* ---- start and end ---- */

static bool fail(struct lintap *client, enum client_exit status, const char *where, const char *what) {
	return link_setup_fail(&client->setup, status, where, what);
}

static bool choose_mac(struct lintap *client) {
	const char *given = cli_text(client->setup.values, "virtual-mac");
	struct proto_mac *mac = &client->setup.driver.session.mac;
	if (given == NULL || (proto_mac_parse(given, strlen(given), mac) == 0 && proto_mac_check_identity(*mac) == 0))
		return true;
	char where[128];
	(void)snprintf(where, sizeof(where), "--virtual-mac '%.64s'", given);
	return fail(client, CLIENT_EXIT_USAGE, where, "must be a unicast MAC address such as 02:12:34:56:78:9a");
}

static bool start_driver(struct lintap *client) {
	struct link_driver_options *options = &client->setup.driver;
	options->loop = client->loop;
	options->events = &session_events;
	options->user = client;
	options->after_turn = after_turn;
	options->connecting = on_connecting;
	int err = link_driver_new(options, &client->driver);
	if (err < 0)
		return fail(client, CLIENT_EXIT_FAILURE, "cannot set up the tunnel", base_error_text(err));
	client->session = link_driver_session(client->driver);
	return true;
}

static enum client_exit exit_of_device(int err) {
	return err == BASE_E_DENIED    ? CLIENT_EXIT_PRIVILEGE
	       : err == BASE_E_INVALID ? CLIENT_EXIT_USAGE
	                               : CLIENT_EXIT_DEVICE;
}

/* The device with its MAC, up but without carrier. */
static bool open_tap(struct lintap *client) {
	const struct lintap_tap_options options = {.name = cli_text(client->setup.values, "interface"),
	                                           .no_offload = client->setup.driver.no_offload,
	                                           .deliver = deliver_from_tap,
	                                           .user = client,
	                                           .counters = client_session_counters(client->session)};
	char error[LINTAP_ERROR_BYTES];
	int err = lintap_tap_open(&options, &client->tap, error);
	if (err < 0)
		return fail(client, exit_of_device(err), error, "");
	const struct netlink_link link = {
	    .ifindex = lintap_tap_ifindex(client->tap), .mac = &client->setup.driver.session.mac, .up = true};
	err = rtnl_set_link(client->rtnl, &link);
	if (err < 0)
		return fail(client, CLIENT_EXIT_DEVICE, "cannot set the tunnel interface's MAC and bring it up",
		            strerror(-err));
	obs_note(client->log, OBS_INFO, "offload", link_gather_text(lintap_tap_merges(client->tap)));
	client->tap_source = (struct loop_source){.ready = on_tap_ready, .user = client};
	if (loop_add(client->loop, &client->tap_source, lintap_tap_fd(client->tap), LOOP_READ) < 0)
		return fail(client, CLIENT_EXIT_FAILURE, "", "cannot watch the tunnel interface");
	return true;
}

static void start_route_pin(struct lintap *client, uint64_t now) {
	(void)loop_timer_set(client->loop, &client->route_timer, now + LINTAP_ROUTE_CHECK_NS);
	client->route_source = (struct loop_source){.ready = on_route_news, .user = client};
	int fd = rtnl_watch_open();
	if (fd >= 0 && loop_add(client->loop, &client->route_source, fd, LOOP_READ) < 0)
		(void)close(fd); /* the timer looks anyway */
}

static void start_timers(struct lintap *client) {
	const uint64_t now = loop_now(client->loop);
	loop_timer_init(&client->carrier_timer, on_carrier_due, client);
	loop_timer_init(&client->diagnostics_timer, on_diagnostics_due, client);
	loop_timer_init(&client->route_timer, on_route_due, client);
	(void)loop_timer_set(client->loop, &client->diagnostics_timer, now + LINTAP_DIAGNOSTICS_NS);
	lintap_route_pin_init(&client->pin, client->rtnl, lintap_tap_ifindex(client->tap), client->log);
	client->pin_routes = !cli_flag(client->setup.values, "no-route-pin");
	if (client->pin_routes)
		start_route_pin(client, now);
}

/* Privileged descriptors first, then privileges are dropped, then the network is spoken to. */
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
	if (!link_setup_init(&client->setup, &options, argc, argv) || !choose_mac(client))
		return false;
	client->log = client->setup.log;
	client->loop = loop_new();
	client->rtnl = rtnl_new();
	if (client->loop == NULL || client->rtnl == NULL || loop_watch_signals(client->loop, NULL, NULL) < 0)
		return fail(client, CLIENT_EXIT_FAILURE, "", "cannot set up the event loop");
	if (!start_driver(client) || !open_tap(client))
		return false;
	/* CAP_NET_ADMIN stays: the MTU comes with the welcome, and the route pin follows the network. */
	if (host_drop_privileges(HOST_CAP_NET_ADMIN, cli_text(client->setup.values, "user"), error) < 0)
		return fail(client, CLIENT_EXIT_PRIVILEGE, "cannot drop privileges", error);
	client->bridge = (struct client_bridge){.session = client->session,
	                                        .mac = client->setup.driver.session.mac,
	                                        .log = client->log,
	                                        .room = client->setup.driver.session.room,
	                                        .unsafe_no_filters = unsafe};
	start_timers(client);
	link_driver_start(client->driver, loop_now(client->loop));
	return true;
}

static void leave(struct lintap *client) {
	const uint64_t give_up = loop_now(client->loop) + LINTAP_LEAVE_NS_MAX;
	client_session_leave(client->session, CTRL_LEAVE_QUIT, loop_now(client->loop));
	while (!client->ended && loop_now(client->loop) < give_up)
		if (loop_run_once(client->loop, BASE_SECOND / 10) < 0)
			break;
}

static void done(struct lintap *client) {
	if (client->rtnl != NULL)
		lintap_route_pin_clear(&client->pin);
	if (client->route_source.registered) {
		loop_remove(client->loop, &client->route_source);
		(void)close(client->route_source.fd);
	}
	if (client->tap_source.registered)
		loop_remove(client->loop, &client->tap_source);
	link_driver_free(client->driver);
	lintap_tap_close(client->tap);
	rtnl_free(client->rtnl);
	loop_free(client->loop);
	link_setup_done(&client->setup);
	free(client);
}

static int run(struct lintap *client, int argc, const char *const *argv, bool unsafe) {
	if (!start(client, argc, argv, unsafe)) {
		if (client->setup.help != NULL)
			(void)fputs(client->setup.help, stdout);
		if (client->setup.text[0] != '\0')
			(void)fprintf(stderr, "%s: %s\n", lintap_options.program, client->setup.text);
		return (int)client->setup.status;
	}
	(void)loop_run(client->loop);
	if (!client->ended)
		leave(client);
	return (int)client->status;
}

int lintap_main(int argc, const char *const *argv, bool unsafe) {
	struct lintap *client = calloc(1, sizeof(*client)); /* all zero is safe to free */
	if (client == NULL || quic_global_init() < 0) {
		(void)fprintf(stderr, "%s: cannot start: no memory or no TLS library\n", lintap_options.program);
		free(client);
		return CLIENT_EXIT_FAILURE;
	}
	int status = run(client, argc, argv, unsafe);
	done(client);
	quic_global_done();
	return status;
}
