#include "gateway/gateway.h"

#include "base/error.h"
#include "gateway/bridge.h"
#include "gateway/cam.h"
#include "gateway/lan_port.h"
#include "gateway/limits.h"
#include "gateway/options.h"
#include "host/host.h"
#include "link/gather.h"
#include "link/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct gateway {
	struct link_process process;
	const char *interface;
	struct gateway_lan_port *port;
	struct loop_source port_source;
	bool reading_paused; /* the tunnel's socket is behind */
	bool was_paused;     /* since overruns were looked at */
	enum gateway_port_state port_state;
	struct gateway_remotes remotes;
	struct gateway_guard *guard;
	uint64_t own_due; /* when the guard is told this machine's own addresses */
	bool unsafe;
	struct gateway_bridge bridge;
	struct loop_timer read_timer, check_timer, cam_timer;
	uint64_t cam_interval_ns; /* 0: only at joins */
	struct gateway_cam_allowance cam_allowance;
	unsigned told; /* clients since the last check that they are shut out, or no longer */
};

/* ---- the LAN port ---- */

static void on_port_ready(void *user, unsigned events, uint64_t now) {
	struct gateway *gateway = user;

	/* Told until it is taken, also while reading is paused and nobody would take it: the loop would not sleep. What it
	 * means is for the next check to find out. */
	if ((events & LOOP_GONE) != 0)
		gateway_lan_port_take_trouble(gateway->port);
	/* Timers run after every ready descriptor: a lifecycle event of this turn comes before the frames (GTW-7). */
	(void)loop_timer_set(gateway->process.loop, &gateway->read_timer, now);
}

static void attach_port(struct gateway *gateway, const struct gateway_packet_socket *socket) {
	gateway_lan_port_attach(gateway->port, socket);
	gateway_lan_port_set_mtu(gateway->port, gateway_port_mtu(GATEWAY_SYSFS, gateway->interface));
	gateway->port_source = (struct loop_source){.ready = on_port_ready, .user = gateway};
	gateway->reading_paused = false;
	if (loop_add(gateway->process.loop, &gateway->port_source, socket->fd, LOOP_READ) < 0)
		gateway_lan_port_detach(gateway->port); /* the next check tries again */
}

static void detach_port(struct gateway *gateway) {
	if (!gateway_lan_port_attached(gateway->port))
		return;
	loop_remove(gateway->process.loop, &gateway->port_source);
	gateway_lan_port_detach(gateway->port);
}

static void note_port(struct gateway *gateway, enum obs_level level, const char *message) {
	const char *state = gateway_port_state_name(gateway->port_state);
	obs_begin(gateway->process.log, level, "lan_port");
	/* It may be opened in vain every second; that it is back must not be swallowed with that. */
	obs_flood_reason(gateway->process.log, level, state, loop_now(gateway->process.loop));
	obs_str(gateway->process.log, "interface", gateway->interface);
	obs_str(gateway->process.log, "state", state);
	obs_str(gateway->process.log, "message", message);
	obs_end(gateway->process.log);
}

/* Such a port looks well, and is deaf to much of what concerns the tunnel. */
static void warn_of_half_a_port(struct gateway *gateway) {
	char text[GATEWAY_PORT_ERROR_BYTES];

	if (gateway_port_is_selective(gateway_lan_port_fd(gateway->port), gateway->interface, text) ||
	    gateway_port_is_part(GATEWAY_SYSFS, gateway->interface, text))
		note_port(gateway, OBS_WARN, text);
}

static void on_read_due(void *user, uint64_t now) {
	struct gateway *gateway = user;

	if (!gateway_lan_port_attached(gateway->port))
		return;
	if (link_driver_congested(gateway->process.driver)) {
		gateway->reading_paused = loop_modify(gateway->process.loop, &gateway->port_source, 0) == 0;
		gateway->was_paused = true;
		return;
	}
	(void)gateway_lan_port_read(gateway->port, now);
}

/* A newcomer too many has its turn with those that are reminded of. */
static bool may_show(struct gateway *gateway, struct gateway_remote *remote) {
	remote->shown = remote->shown || gateway_cam_take(&gateway->cam_allowance, loop_now(gateway->process.loop));
	return remote->shown;
}

static void refresh_cam(struct gateway *gateway, struct gateway_remote *remote, const char *reason) {
	uint8_t frame[GATEWAY_CAM_FRAME_BYTES];

	if (remote->on_lan || !may_show(gateway, remote))
		return;
	gateway_cam_frame(remote->mac, frame);
	gateway_lan_port_write(gateway->port, slice_of(frame, sizeof(frame)));
	client_session_counters(gateway->process.session)->value[OBS_CAM_REFRESHES]++;
	obs_begin(gateway->process.log, OBS_DEBUG, "cam_refresh");
	obs_u64(gateway->process.log, "peer", remote->peer);
	obs_mac(gateway->process.log, "mac", remote->mac.b);
	obs_str(gateway->process.log, "reason", reason);
	obs_end(gateway->process.log);
}

static void refresh_cam_all(struct gateway *gateway, const char *reason) {
	if (gateway->port_state != GATEWAY_PORT_UP)
		return;
	for (struct gateway_remote *remote = gateway_remotes_next(&gateway->remotes, NULL); remote != NULL;
	     remote = gateway_remotes_next(&gateway->remotes, remote))
		refresh_cam(gateway, remote, reason);
}

static void on_cam_due(void *user, uint64_t now) {
	struct gateway *gateway = user;

	refresh_cam_all(gateway, "periodic");
	(void)loop_timer_set(gateway->process.loop, &gateway->cam_timer, now + gateway->cam_interval_ns);
}

/* Takes the port up again once the interface is back, perhaps as a new one of the same name. */
static void reopen_port(struct gateway *gateway) {
	struct gateway_packet_socket socket;
	char error[GATEWAY_PORT_ERROR_BYTES];

	if (gateway_packet_socket_open(gateway->interface, &socket, error) == 0)
		attach_port(gateway, &socket);
	else
		note_port(gateway, OBS_WARN, error);
}

static void check_port(struct gateway *gateway, uint64_t now) {
	char error[GATEWAY_PORT_ERROR_BYTES] = "";
	enum gateway_port_state before = gateway->port_state;

	if (!gateway_port_can_tell(GATEWAY_SYSFS))
		return; /* what was known goes on */
	gateway->port_state = gateway_port_state(GATEWAY_SYSFS, gateway->interface, error);
	if (gateway_lan_port_attached(gateway->port) &&
	    gateway_port_ifindex(GATEWAY_SYSFS, gateway->interface) != gateway_lan_port_ifindex(gateway->port))
		detach_port(gateway);
	gateway_lan_port_set_carrier(gateway->port, gateway->port_state == GATEWAY_PORT_UP);
	bool back = gateway->port_state == GATEWAY_PORT_UP &&
	            (before != GATEWAY_PORT_UP || !gateway_lan_port_attached(gateway->port));
	if (back && !gateway_lan_port_attached(gateway->port))
		reopen_port(gateway);
	bool ready = gateway->port_state == GATEWAY_PORT_UP && gateway_lan_port_attached(gateway->port);
	if (ready)
		gateway_lan_port_set_mtu(gateway->port, gateway_port_mtu(GATEWAY_SYSFS, gateway->interface));
	client_session_report_device(gateway->process.session, ready, NULL);
	client_session_report_lan(gateway->process.session, ready, now);
	/* A cable that is out, or a relay that is away, must not let in whom LAN stations keep out. */
	if (gateway->guard != NULL)
		gateway_guard_tell(gateway->guard, ready && gateway->bridge.tap_mtu != 0, now);
	if (back && ready) {
		note_port(gateway, OBS_INFO, "bridging");
		refresh_cam_all(gateway, "port_up");
	} else if (before != gateway->port_state && gateway->port_state != GATEWAY_PORT_UP) {
		note_port(gateway, OBS_WARN, error);
	}
}

/* A remote client may have chosen the MAC of a LAN station, or of this port: the LAN's own goes first. */
static void check_remote(struct gateway *gateway, struct gateway_remote *remote, uint64_t now) {
	bool on_lan = gateway->guard != NULL && gateway_guard_on_lan(gateway->guard, remote->mac, now);

	if (on_lan == remote->on_lan)
		return;
	/* Who is let in can wait for that until he can be told. */
	if (!on_lan && gateway->told >= GATEWAY_TOLD_MAX)
		return;
	remote->on_lan = on_lan;
	if (!on_lan)
		refresh_cam(gateway, remote, "station_gone");
	if (gateway->told++ < GATEWAY_TOLD_MAX)
		client_session_report_shut_out(gateway->process.session, remote->peer, on_lan, now);
	obs_begin(gateway->process.log, OBS_WARN, on_lan ? "remote_shut_out" : "remote_let_in");
	obs_u64(gateway->process.log, "peer", remote->peer);
	obs_mac(gateway->process.log, "mac", remote->mac.b);
	obs_str(gateway->process.log, "message",
	        on_lan ? "a station of the LAN has this MAC" : "the LAN station with this MAC has been silent for long");
	obs_flood_key(gateway->process.log, remote->peer, now);
	obs_end(gateway->process.log);
}

static void guard_own(void *user, struct slice address) {
	struct gateway *gateway = user;
	uint64_t now = loop_now(gateway->process.loop);

	if (address.len == PROTO_MAC_BYTES)
		gateway_guard_hear(gateway->guard, proto_mac_of(address.data), now);
	else
		gateway_guard_hold(gateway->guard, address, now);
}

/* To the LAN this machine is a station like others, its router perhaps; but what it sends is not captured. */
static void guard_machine(struct gateway *gateway, uint64_t now) {
	if (gateway->guard == NULL)
		return;
	gateway_guard_hear(gateway->guard, gateway_lan_port_mac(gateway->port), now);
	if (now < gateway->own_due)
		return;
	gateway->own_due = now + GATEWAY_OWN_ADDRESSES_NS;
	gateway_port_own_addresses(GATEWAY_SYSFS, gateway->interface, guard_own, gateway);
}

static void check_remotes(struct gateway *gateway, uint64_t now) {
	guard_machine(gateway, now);
	for (struct gateway_remote *remote = gateway_remotes_next(&gateway->remotes, NULL); remote != NULL;
	     remote = gateway_remotes_next(&gateway->remotes, remote))
		check_remote(gateway, remote, now);
}

static void check_overruns(struct gateway *gateway, uint64_t now) {
	const uint64_t frames = gateway_lan_port_overruns(gateway->port);
	const bool was_paused = gateway->was_paused;

	gateway->was_paused = gateway->reading_paused;
	if (frames == 0)
		return;
	obs_begin(gateway->process.log, OBS_WARN, "lan_port_overrun");
	obs_u64(gateway->process.log, "frames", frames);
	obs_str(gateway->process.log, "message",
	        was_paused ? "the LAN sends faster than the way to the relay takes it"
	                   : "the LAN sends faster than this machine reads");
	obs_flood_key(gateway->process.log, 0, now);
	obs_end(gateway->process.log);
}

static void on_check_due(void *user, uint64_t now) {
	struct gateway *gateway = user;

	check_overruns(gateway, now);
	check_port(gateway, now);
	gateway->told = 0;
	check_remotes(gateway, now);
	(void)loop_timer_set(gateway->process.loop, &gateway->check_timer, now + GATEWAY_PORT_CHECK_NS);
}

/* ---- the session ---- */

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct gateway *gateway = user;

	(void)now;
	gateway->bridge.tap_mtu = welcome->mtu;
}

static void on_peer_joined(void *user, const struct client_peer *peer, uint64_t now) {
	struct gateway *gateway = user;
	struct gateway_remote *remote;

	if (peer->role != CTRL_ROLE_CLIENT || !peer->identity_known)
		return;
	int err = gateway_remotes_add(&gateway->remotes, peer->id, peer->mac);
	if (err < 0) {
		obs_note(gateway->process.log, OBS_WARN, "remote_ignored", base_error_text(err));
		return;
	}
	remote = gateway_remotes_by_peer(&gateway->remotes, peer->id);
	check_remote(gateway, remote, now); /* before the switches are told */
	refresh_cam(gateway, remote, "peer_joined");
}

static void on_peer_left(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	struct gateway *gateway = user;

	(void)reason;
	(void)now;
	gateway_remotes_remove(&gateway->remotes, peer->id);
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct gateway *gateway = user;

	if (gateway_bridge_from_tunnel(&gateway->bridge, source_peer, frame, NULL, now))
		gateway_lan_port_write(gateway->port, frame);
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct gateway *gateway = user;

	(void)why;
	(void)now;
	gateway_remotes_clear(&gateway->remotes);
	gateway->bridge.tap_mtu = 0;
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct gateway *gateway = user;

	(void)now;
	link_process_ended(&gateway->process, status, why);
}

static const struct client_events session_events = {
    .joined = on_joined,
    .peer_joined = on_peer_joined,
    .peer_left = on_peer_left,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

static void deliver_from_lan(void *user, struct slice frame, uint64_t now) {
	struct gateway *gateway = user;

	(void)gateway_bridge_from_lan(&gateway->bridge, frame, NULL, now);
}

static int send_to_tunnel(void *user, struct slice frame, uint64_t now) {
	struct gateway *gateway = user;

	return client_session_send(gateway->process.session, frame, now);
}

static void flush_port(void *user, uint64_t now) {
	struct gateway *gateway = user;

	(void)now;
	gateway_lan_port_flush(gateway->port);
}

static void after_turn(void *user, uint64_t now) {
	struct gateway *gateway = user;

	(void)now;
	if (gateway->reading_paused && gateway_lan_port_attached(gateway->port) &&
	    !link_driver_congested(gateway->process.driver))
		gateway->reading_paused = loop_modify(gateway->process.loop, &gateway->port_source, LOOP_READ) < 0;
}

/* ---- start and end ---- */

static bool fail(struct gateway *gateway, enum client_exit status, const char *where, const char *what) {
	return link_process_fail(&gateway->process, status, where, what);
}

static bool init_tables(struct gateway *gateway) {
	uint64_t seed[2];

	quic_random((uint8_t *)seed, sizeof(seed));
	if (gateway_remotes_init(&gateway->remotes, seed) < 0)
		return fail(gateway, CLIENT_EXIT_FAILURE, "", "out of memory");
	if (cli_flag(gateway->process.setup.values, "no-address-guard"))
		return true;
	gateway->guard = gateway_guard_new(seed);
	return gateway->guard != NULL ? true : fail(gateway, CLIENT_EXIT_FAILURE, "", "out of memory");
}

/* The interface comes before everything else, so that a bad one never advertises a gateway (GTW-1). */
static bool open_interface(struct gateway *gateway, struct gateway_packet_socket *ret) {
	char error[GATEWAY_PORT_ERROR_BYTES];

	gateway->interface = cli_text(gateway->process.setup.values, "interface");
	if (gateway->interface == NULL)
		return fail(gateway, CLIENT_EXIT_USAGE, "--interface", "is needed: the wired LAN interface");
	gateway->port_state = gateway_port_state(GATEWAY_SYSFS, gateway->interface, error);
	if (gateway->port_state != GATEWAY_PORT_UP)
		return fail(gateway, CLIENT_EXIT_DEVICE, error, "");
	int err = gateway_packet_socket_open(gateway->interface, ret, error);
	if (err < 0)
		return fail(gateway, err == BASE_E_DENIED ? CLIENT_EXIT_PRIVILEGE : CLIENT_EXIT_DEVICE, error, "");
	return true;
}

static bool start_port(struct gateway *gateway, const struct gateway_packet_socket *socket) {
	struct obs_counters *counters = client_session_counters(gateway->process.session);

	gateway->bridge = (struct gateway_bridge){.remotes = &gateway->remotes,
	                                          .guard = gateway->guard,
	                                          .counters = counters,
	                                          .log = gateway->process.log,
	                                          .room = gateway->process.setup.driver.session.room,
	                                          .unsafe_no_filters = gateway->unsafe,
	                                          .send = send_to_tunnel,
	                                          .user = gateway};
	gateway->port =
	    gateway_lan_port_new(&(struct gateway_lan_port_options){.deliver = deliver_from_lan,
	                                                            .user = gateway,
	                                                            .no_offload = gateway->process.setup.driver.no_offload,
	                                                            .counters = counters});
	if (gateway->port == NULL)
		return fail(gateway, CLIENT_EXIT_FAILURE, "", "out of memory");
	attach_port(gateway, socket);
	check_remotes(gateway, loop_now(gateway->process.loop));
	if (!gateway_lan_port_attached(gateway->port))
		return fail(gateway, CLIENT_EXIT_FAILURE, "", "cannot watch the LAN interface");
	client_session_report_device(gateway->process.session, true, NULL);
	note_port(gateway, OBS_INFO, "open");
	warn_of_half_a_port(gateway);
	obs_note(gateway->process.log, OBS_INFO, "offload", link_gather_text(gateway_lan_port_merges(gateway->port)));
	return true;
}

static void start_timers(struct gateway *gateway) {
	uint64_t now = loop_now(gateway->process.loop);

	loop_timer_init(&gateway->read_timer, on_read_due, gateway);
	loop_timer_init(&gateway->check_timer, on_check_due, gateway);
	loop_timer_init(&gateway->cam_timer, on_cam_due, gateway);
	gateway->cam_interval_ns = cli_number(gateway->process.setup.values, "cam-refresh") * BASE_SECOND;
	(void)loop_timer_set(gateway->process.loop, &gateway->check_timer, now + GATEWAY_PORT_CHECK_NS);
	if (gateway->cam_interval_ns > 0)
		(void)loop_timer_set(gateway->process.loop, &gateway->cam_timer, now + gateway->cam_interval_ns);
}

static bool start(struct gateway *gateway, int argc, const char *const *argv) {
	char host_name[256] = "";

	(void)gethostname(host_name, sizeof(host_name) - 1);
	const struct link_setup_options options = {.table = &gateway_options,
	                                           .version = LANPARTY_VERSION,
	                                           .role = CTRL_ROLE_GATEWAY,
	                                           .needed = HOST_CAP_NET_RAW,
	                                           .host_name = host_name,
	                                           .state_directory = getenv("STATE_DIRECTORY")};
	struct gateway_packet_socket socket;
	char error[HOST_ERROR_BYTES];
	struct link_process *process = &gateway->process;
	if (!link_process_init(process, &options, argc, argv) || !open_interface(gateway, &socket))
		return false;
	process->setup.driver.flush = flush_port;
	process->setup.driver.after_turn = after_turn;
	/* CAP_NET_RAW stays: an interface that was taken out and put back needs a new socket. */
	bool ready = host_drop_privileges(HOST_CAP_NET_RAW, cli_text(process->setup.values, "user"), error) == 0 ||
	             fail(gateway, CLIENT_EXIT_PRIVILEGE, "cannot drop privileges", error);
	if (!ready || !link_process_open_loop(process) || !init_tables(gateway) ||
	    !link_process_open_driver(process, &session_events, gateway)) {
		(void)close(socket.fd);
		return false;
	}
	if (!start_port(gateway, &socket))
		return false;
	start_timers(gateway);
	link_driver_start(process->driver, loop_now(process->loop));
	return true;
}

static void done(struct gateway *gateway) {
	if (gateway->port != NULL)
		detach_port(gateway);
	gateway_lan_port_free(gateway->port);
	link_process_done(&gateway->process);
	gateway_guard_free(gateway->guard);
	gateway_remotes_done(&gateway->remotes);
	free(gateway);
}

int gateway_main(int argc, const char *const *argv, bool unsafe) {
	int status = CLIENT_EXIT_FAILURE;
	struct gateway *gateway = calloc(1, sizeof(*gateway)); /* all zero is safe to free */

	if (gateway == NULL || quic_global_init() < 0) {
		(void)fprintf(stderr, "%s: cannot start: no memory or no TLS library\n", gateway_options.program);
		free(gateway);
		return status;
	}
	gateway->unsafe = unsafe;
	status = link_process_run(&gateway->process, start(gateway, argc, argv));
	done(gateway);
	quic_global_done();
	return status;
}
