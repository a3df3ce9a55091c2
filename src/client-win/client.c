#include "client-win/client.h"

#include "base/error.h"
#include "client-core/bridge.h"
#include "client-route/apply.h"
#include "client-win/adapter.h"
#include "client-win/advice.h"
#include "client-win/firewall.h"
#include "client-win/limits.h"
#include "client-win/profile.h"
#include "client-win/system.h"
#include "link/process.h"
#include "loop/signals_windows.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct winmain_client {
	struct link_process process;
	struct client_bridge bridge;

	struct tapwin_adapter adapter;
	struct tapwin_device *device;
	struct loop_source tap_source;
	bool media;           /* the cable is plugged in */
	bool was_open;        /* it was before, and all that it needs was right then */
	uint64_t bad_counted; /* frames that were none, among the session's counters */

	struct route_scope *scope;
	uint64_t tap_luid;
	bool pin_routes;
	unsigned notes;    /* of route_tune_tap, already said */
	bool untuned_said; /* that the settings could not be put back */
	bool overlap_said;
	struct base_addr relay, address; /* family NONE: not known yet */
	bool address_by_hand;
	struct winmain_firewall firewall;

	struct loop_timer check_timer, diagnostics_timer, media_timer, resume_timer, stop_timer;
};

/* What can't go on: the reason for the person, the exit status, and a goodbye to the relay. */
static void stop_with(struct winmain_client *client, enum client_exit status, const char *event, const char *why,
                      uint64_t now) {
	if (client->process.status != CLIENT_EXIT_OK)
		return;
	obs_note(client->process.log, OBS_ERROR, event, why);
	client->process.status = status;
	(void)loop_timer_set(client->process.loop, &client->stop_timer, now); /* an event of the session may not end it */
}

static void on_stop_due(void *user, uint64_t now) {
	struct winmain_client *client = user;

	client_session_leave(client->process.session, CTRL_LEAVE_DEVICE_ERROR, now);
}

/* ---- the adapter ---- */

static void device_failed(struct winmain_client *client, uint64_t now) {
	char error[TAPWIN_ERROR_BYTES];

	tapwin_device_error(client->device, error);
	loop_remove(client->process.loop, &client->tap_source);
	client->media = false;
	stop_with(client, CLIENT_EXIT_DEVICE, "tap_failed", error, now);
}

/* False after a failure, which is said. */
static bool set_media(struct winmain_client *client, bool up) {
	char error[TAPWIN_ERROR_BYTES];

	if (client->media == up)
		return true;
	if (!up)
		winmain_firewall_forget(&client->firewall); /* while Windows still knows the network */
	if (tapwin_device_set_media(client->device, up, error) < 0) {
		obs_note(client->process.log, OBS_ERROR, "media", error);
		return false;
	}
	client->media = up;
	obs_note(client->process.log, OBS_INFO, "media", up ? "connected" : "disconnected");
	return true;
}

static bool plug_in(struct winmain_client *client, uint64_t now) {
	if (!set_media(client, true))
		return false;
	/* Asleep or disabled at this moment it refused the first reads, and no event says so. */
	(void)loop_timer_set(client->process.loop, &client->resume_timer, now + WINMAIN_RESUME_NS);
	return true;
}

static void on_media_due(void *user, uint64_t now) {
	struct winmain_client *client = user;

	(void)now;
	(void)set_media(client, false);
}

static void on_tap_ready(void *user, unsigned events, uint64_t now) {
	struct winmain_client *client = user;

	(void)events;
	for (size_t i = 0; i < WINMAIN_READS_PER_TURN; i++) {
		struct slice frame;
		int err = tapwin_device_read(client->device, &frame);
		if (err == BASE_E_AGAIN)
			return;
		if (err == BASE_E_STATE) {
			(void)loop_timer_set(client->process.loop, &client->resume_timer, now + WINMAIN_RESUME_NS);
			return;
		}
		if (err < 0) {
			device_failed(client, now);
			return;
		}
		(void)client_bridge_from_device(&client->bridge, frame, NULL, now);
	}
}

static void on_resume_due(void *user, uint64_t now) {
	struct winmain_client *client = user;

	tapwin_device_resume(client->device);
	on_tap_ready(client, LOOP_READ, now); /* a driver that still sleeps sets no event */
}

/* What the driver handed out that was no frame: the bridge has not seen it. */
static void count_bad_frames(struct winmain_client *client) {
	struct obs_counters *counters = client_session_counters(client->process.session);
	const uint64_t bad = tapwin_device_counters(client->device)->bad_frame - client->bad_counted;

	client->bad_counted += bad;
	counters->value[OBS_DEVICE_RX_FRAMES] += bad;
	counters->drop[OBS_DROP_MALFORMED] += bad;
}

/* ---- what the adapter is set to ---- */

static int set_up_adapter(struct winmain_client *client, uint16_t mtu, bool smaller_will_do,
                          char error[static ROUTE_ERROR_BYTES]) {
	const struct route_tap_wish wish = {.mtu = mtu, .smaller_will_do = smaller_will_do, .metric = ROUTE_TAP_METRIC};
	unsigned notes = 0;
	int err = route_tune_tap(client->scope, client->tap_luid, &wish, &notes, error);

	for (unsigned note = 1; note <= notes; note <<= 1)
		if ((notes & ~client->notes & note) != 0)
			obs_note(client->process.log, OBS_WARN, "tap_settings", winmain_advise_note((enum route_note)note));
	client->notes |= notes;
	return err;
}

/* Windows begins anew, with the LAN's default routes, when somebody switches IPv4 or IPv6 off and on again on the
 * adapter; and IPv6 takes the MTU that the LAN's router names. */
static void keep_adapter(struct winmain_client *client) {
	const struct ctrl_welcome *welcome = client_session_welcome(client->process.session);
	char error[ROUTE_ERROR_BYTES];

	if (welcome == NULL)
		return;
	const bool failed = set_up_adapter(client, welcome->mtu, true, error) < 0;
	if (failed && !client->untuned_said)
		obs_note(client->process.log, OBS_WARN, "tap_settings", error);
	client->untuned_said = failed;
}

/* ---- diagnostics ---- */

static void look_at_addresses(struct winmain_client *client) {
	char error[ROUTE_ERROR_BYTES];
	struct route_unicast own, home = {.addr = {.family = BASE_FAMILY_NONE}};
	int err = route_tap_address(route_system_native(), client->tap_luid, &own, &home, error);

	client->address = err == 0 ? own.addr : (struct base_addr){.family = BASE_FAMILY_NONE};
	client->address_by_hand = err == 0 && own.by_hand;
	if (err == 0 && home.addr.family != BASE_FAMILY_NONE && !client->overlap_said) {
		char advice[OBS_SAME_NETWORK_BYTES];
		struct base_text text;
		base_text_init(&text, advice, sizeof(advice));
		obs_same_network_text(&home.addr, home.prefix, &own.addr, own.prefix, &text);
		obs_note(client->process.log, OBS_WARN, "same_network", advice);
		client->overlap_said = true;
	}
}

static void diagnose(struct winmain_client *client) {
	struct obs_diagnostics diagnostics;

	client_session_diagnostics(client->process.session, &diagnostics);
	diagnostics.route_pinned = client->pin_routes ? route_pin_state(client->scope) : OBS_UNKNOWN;
	diagnostics.tap_ready = client->media ? OBS_YES : OBS_NO;
	diagnostics.tap_address = client->address;
	diagnostics.tap_address_fixed = client->address_by_hand;
	link_process_diagnose(&client->process, &diagnostics);
}

static void on_diagnostics_due(void *user, uint64_t now) {
	struct winmain_client *client = user;

	count_bad_frames(client);
	winmain_log_look();
	if (client->media)
		winmain_firewall_look(&client->firewall); /* a question to a service: seldom, once it is answered */
	diagnose(client);
	(void)loop_timer_set(client->process.loop, &client->diagnostics_timer, now + WINMAIN_DIAGNOSTICS_NS);
}

/* Routes, settings, addresses and the network's profile: nothing of it is reported to us, so it is looked at (WIN-2,
 * WIN-4, WIN-5). The pin also while the cable is out: in another network it would still lead to the router of the one
 * before. */
static void on_check_due(void *user, uint64_t now) {
	struct winmain_client *client = user;
	const struct base_addr before = client->address;
	const enum obs_tristate pinned = route_pin_state(client->scope);
	char error[ROUTE_ERROR_BYTES];

	if (pinned != OBS_UNKNOWN)
		(void)route_check_pin(client->scope, error); /* says what changes */
	if (!client->media && client->process.status == CLIENT_EXIT_OK &&
	    client_session_welcome(client->process.session) != NULL)
		(void)plug_in(client, now); /* the driver refused it when the room was joined again */
	if (client->media) {
		keep_adapter(client);
		look_at_addresses(client);
		if (!client->firewall.settled)
			winmain_firewall_look(&client->firewall);
	}
	if (!base_addr_equal(&before, &client->address) || pinned != route_pin_state(client->scope))
		diagnose(client);
	(void)loop_timer_set(client->process.loop, &client->check_timer, now + WINMAIN_CHECK_NS);
}

/* ---- the session ---- */

/* From the first join on the LAN may have routes of its own, and a new connection must not run through the tunnel. */
static int on_connecting(void *user, const struct base_addr *relay, uint64_t now) {
	struct winmain_client *client = user;
	char error[ROUTE_ERROR_BYTES];

	(void)now;
	client->relay = *relay;
	if (route_pin_state(client->scope) != OBS_UNKNOWN && route_pin(client->scope, relay, client->tap_luid, error) < 0)
		obs_note(client->process.log, OBS_WARN, "route_pin", error);
	return 0;
}

/* What goes wrong at the start would go wrong again. After an outage, a night's sleep for instance, the network is
 * still settling, and the next check tries anew. */
static bool may_go_on(struct winmain_client *client, int err, const char *event, const char *error, uint64_t now) {
	if (err == 0)
		return true;
	if (!client->was_open)
		stop_with(client, err == BASE_E_DENIED ? CLIENT_EXIT_PRIVILEGE : CLIENT_EXIT_DEVICE, event, error, now);
	else
		obs_note(client->process.log, OBS_WARN, event, error);
	return client->was_open;
}

static bool pin(struct winmain_client *client, uint64_t now) {
	char error[ROUTE_ERROR_BYTES];
	int err = client->pin_routes ? route_pin(client->scope, &client->relay, client->tap_luid, error) : 0;

	return may_go_on(client, err, "route_pin", error, now);
}

static bool tune(struct winmain_client *client, uint16_t mtu, uint64_t now) {
	char error[ROUTE_ERROR_BYTES];

	return may_go_on(client, set_up_adapter(client, mtu, false, error), "tap_settings", error, now);
}

/* The relay must still be reached by the pinned way now that the tunnel is open. */
static bool verify_pin(struct winmain_client *client, uint64_t now) {
	char error[ROUTE_ERROR_BYTES];

	if (!client->pin_routes || route_check_pin(client->scope, error) == 0)
		return true;
	stop_with(client, CLIENT_EXIT_DEVICE, "route_pin", error, now);
	return false;
}

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct winmain_client *client = user;
	char line[WINMAIN_ADVICE_BYTES];
	struct base_text text;

	base_text_init(&text, line, sizeof(line));
	winmain_advise_joined(&text, client->process.setup.driver.session.room, welcome);
	obs_note(client->process.log, OBS_INFO, "lan", line);
	(void)loop_timer_set(client->process.loop, &client->media_timer, BASE_NEVER);
	if (!pin(client, now) || !tune(client, welcome->mtu, now))
		return;
	if (!plug_in(client, now)) {
		if (!client->was_open)
			stop_with(client, CLIENT_EXIT_DEVICE, "tap_failed", "the driver refuses to connect the adapter", now);
		return;
	}
	if (!client->was_open && !verify_pin(client, now))
		return;
	client->was_open = true;
	diagnose(client);
}

static void on_gateway(void *user, uint64_t now) {
	struct winmain_client *client = user;

	(void)now;
	(void)loop_timer_set(client->process.loop, &client->diagnostics_timer, link_process_diagnose_due(&client->process));
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct winmain_client *client = user;

	if (!client_bridge_from_tunnel(&client->bridge, source_peer, frame, NULL, now))
		return;
	int err = client->media ? tapwin_device_write(client->device, frame) : BASE_E_STATE;
	if (err == 0)
		client_bridge_wrote(&client->bridge, 1, frame.len);
	else
		client_bridge_device_full(&client->bridge, 1);
	if (err == BASE_E_IO)
		device_failed(client, now);
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct winmain_client *client = user;

	(void)why;
	(void)loop_timer_set(client->process.loop, &client->media_timer, now + WINMAIN_MEDIA_GRACE_NS);
	diagnose(client);
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct winmain_client *client = user;

	(void)now;
	link_process_ended(&client->process, status, why);
}

static const struct client_events session_events = {
    .joined = on_joined,
    .gateway = on_gateway,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

/* ---- start and end ---- */

static bool fail(struct winmain_client *client, enum client_exit status, const char *where, const char *what) {
	return link_process_fail(&client->process, status, where, what);
}

/* What a crash left behind goes first, while the system is as the crash left it. */
static bool open_routes(struct winmain_client *client, const struct winmain_start *start) {
	char path[WINMAIN_PATH_BYTES], error[ROUTE_ERROR_BYTES];

	(void)snprintf(path, sizeof(path), "%s" WINMAIN_ROUTE_STATE_FILE, start->state_directory);
	client->scope = route_scope_new(route_system_native(), path, client->process.log);
	if (client->scope == NULL)
		return fail(client, CLIENT_EXIT_FAILURE, "routes", "out of memory");
	if (route_recover(client->scope, error) < 0)
		obs_note(client->process.log, OBS_WARN, "route_recovery", error);
	client->pin_routes = !cli_flag(client->process.setup.values, "no-route-pin");
	return true;
}

static bool open_adapter(struct winmain_client *client) {
	char error[TAPWIN_ERROR_BYTES] = "", route_error[ROUTE_ERROR_BYTES];
	uint32_t index;
	enum client_exit status = winmain_adapter_open(cli_text(client->process.setup.values, "tap-instance-id"),
	                                               client->process.setup.driver.session.mac, client->process.log,
	                                               &client->adapter, &client->device, error);

	if (status != CLIENT_EXIT_OK)
		return fail(client, status, error, "");
	const struct route_system *system = route_system_native();
	if (system->find_interface(system->user, client->adapter.guid, &client->tap_luid, &index, route_error) < 0)
		return fail(client, CLIENT_EXIT_DEVICE, "the TAP adapter has no network interface", route_error);
	client->tap_source = (struct loop_source){.ready = on_tap_ready, .user = client};
	/* Handles of Windows have 32 significant bits. */
	if (loop_add(client->process.loop, &client->tap_source, (int)(intptr_t)tapwin_device_event(client->device),
	             LOOP_READ) < 0)
		return fail(client, CLIENT_EXIT_FAILURE, "", "cannot watch the TAP adapter");
	client->firewall =
	    (struct winmain_firewall){.profile = winmain_profile_native(),
	                              .log = client->process.log,
	                              .guid = client->adapter.guid,
	                              .make_private = cli_flag(client->process.setup.values, "private-network")};
	return true;
}

static void start_timers(struct winmain_client *client) {
	const uint64_t now = loop_now(client->process.loop);

	loop_timer_init(&client->check_timer, on_check_due, client);
	loop_timer_init(&client->diagnostics_timer, on_diagnostics_due, client);
	loop_timer_init(&client->media_timer, on_media_due, client);
	loop_timer_init(&client->resume_timer, on_resume_due, client);
	loop_timer_init(&client->stop_timer, on_stop_due, client);
	(void)loop_timer_set(client->process.loop, &client->check_timer, now + WINMAIN_CHECK_NS);
	(void)loop_timer_set(client->process.loop, &client->diagnostics_timer, now + WINMAIN_DIAGNOSTICS_NS);
}

static bool start(struct winmain_client *client, const struct winmain_start *options) {
	const struct link_setup_options setup = {.table = options->table,
	                                         .version = LANPARTY_VERSION,
	                                         .role = CTRL_ROLE_CLIENT,
	                                         .host_name = options->host_name};
	struct link_process *process = &client->process;

	if (!link_process_init(process, &setup, options->argc, options->argv) || !link_process_open_loop(process))
		return false;
	process->setup.driver.connecting = on_connecting;
	if (!open_routes(client, options) || !open_adapter(client) ||
	    !link_process_open_driver(process, &session_events, client))
		return false;
	client->bridge = (struct client_bridge){.session = process->session,
	                                        .mac = process->setup.driver.session.mac,
	                                        .log = process->log,
	                                        .room = process->setup.driver.session.room};
	start_timers(client);
	link_driver_start(process->driver, loop_now(process->loop));
	return true;
}

/* The settings first: when Windows is in a hurry, they are what matters. */
static void restore(struct winmain_client *client) {
	char error[ROUTE_ERROR_BYTES];

	if (client->firewall.profile != NULL)
		winmain_firewall_restore(&client->firewall);
	if (client->scope == NULL)
		return;
	if (route_restore(client->scope, error) < 0)
		obs_note(client->process.log, OBS_WARN, "route_restore", error);
	route_scope_free(client->scope);
}

static void done(struct winmain_client *client) {
	if (client->tap_source.registered)
		loop_remove(client->process.loop, &client->tap_source);
	tapwin_device_close(client->device);
	link_process_done(&client->process);
	free(client);
}

int winmain_client_run(const struct winmain_start *options) {
	struct winmain_client *client = calloc(1, sizeof(*client)); /* all zero is safe to free */

	if (client == NULL) {
		winmain_complain("out of memory");
		return CLIENT_EXIT_FAILURE;
	}
	int status = link_process_run(&client->process, start(client, options));
	restore(client);
	loop_signals_done();
	done(client);
	return status;
}
