/* The state machine: every transition goes through change_state, every end of a connection through
 * client_session_fail. Messages are in session_control.c, frames in session_data.c. */
#include "client-core/session.h"

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "client-core/session_internal.h"
#include "proto/mtu.h"
#include "proto/steer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[CLIENT_STATE_COUNT] = {
    [CLIENT_IDLE] = "idle",         [CLIENT_RESOLVING] = "resolving", [CLIENT_CONNECTING] = "connecting",
    [CLIENT_SETTLING] = "settling", [CLIENT_JOINING] = "joining",     [CLIENT_JOINED] = "joined",
    [CLIENT_WAITING] = "waiting",   [CLIENT_LEAVING] = "leaving",     [CLIENT_CLOSED] = "closed",
    [CLIENT_FAILED] = "failed",
};

/* What a loss means: the exit status when it is the end, and when it is the end although retrying is wanted. A relay
 * that once took us may come back with another certificate or another version; one that never did won't. */
enum hopeless { RETRY, HOPELESS_BEFORE_JOIN, HOPELESS };
static const struct {
	enum client_exit status;
	enum hopeless hopeless;
} losses[CLIENT_LOSS_COUNT] = {
    [CLIENT_LOSS_UNREACHABLE] = {CLIENT_EXIT_UNREACHABLE, RETRY},
    [CLIENT_LOSS_TIMEOUT] = {CLIENT_EXIT_UNREACHABLE, RETRY},
    [CLIENT_LOSS_RESET] = {CLIENT_EXIT_UNREACHABLE, RETRY},
    [CLIENT_LOSS_CLOSED_BY_RELAY] = {CLIENT_EXIT_FAILURE, RETRY},
    [CLIENT_LOSS_TLS] = {CLIENT_EXIT_TLS, HOPELESS_BEFORE_JOIN},
    [CLIENT_LOSS_NO_DATAGRAM] = {CLIENT_EXIT_NO_DATAGRAM, HOPELESS_BEFORE_JOIN},
    [CLIENT_LOSS_PROTOCOL] = {CLIENT_EXIT_FAILURE, RETRY},
    [CLIENT_LOSS_NO_ROOM_KEYS] = {CLIENT_EXIT_REJECTED, HOPELESS_BEFORE_JOIN},
    [CLIENT_LOSS_REFUSED] = {CLIENT_EXIT_REJECTED, RETRY},
    [CLIENT_LOSS_REPLACED] = {CLIENT_EXIT_REJECTED, HOPELESS},
};

const char *client_state_name(enum client_state state) {
	return state < CLIENT_STATE_COUNT ? state_names[state] : "?";
}

static bool is_over(const struct client_session *session) {
	return session->state == CLIENT_CLOSED || session->state == CLIENT_FAILED;
}

static void change_state(struct client_session *session, enum client_state next, uint64_t deadline, uint64_t now) {
	struct obs_log *log = session->config.log;

	assert(!is_over(session));
	obs_begin(log, OBS_DEBUG, "session_state");
	obs_str(log, "from", client_state_name(session->state));
	obs_str(log, "to", client_state_name(next));
	obs_end(log);
	if (session->state == CLIENT_JOINED) {
		client_data_flush(session);
		client_peers_clear(&session->peers);
		session->gateway_present = false;
		session->gateway_peer = 0;
		session->lan_down = session->shut_out = false;
	}
	session->state = next;
	session->deadline = deadline;
	session->poll_at = next == CLIENT_SETTLING || next == CLIENT_LEAVING ? now + CLIENT_POLL_NS : BASE_NEVER;
}

/* Keeps a text that may live in a message, and makes it printable: it may be the relay's. */
static const char *keep_why(struct client_session *session, const char *why) {
	struct base_text text;

	base_text_init(&text, session->why, sizeof(session->why));
	base_text_add_printable(&text, slice_of_text(why));
	return session->why;
}

static void close_connection(struct client_session *session, enum client_close_code code, const char *text,
                             uint64_t now) {
	if (!session->connection_open)
		return;
	session->connection_open = false;
	session->transport->close(session->transport_user, code, text, now);
}

/* After a loss the name server may be one of the LAN's, behind the tunnel that is down: the system's resolver would
 * wait for it many seconds. */
static void resolve(struct client_session *session, uint64_t now) {
	uint64_t limit = session->addrs_good ? CLIENT_RESOLVE_BACK_NS : CLIENT_RESOLVE_NS;

	session->steer_byte = proto_steer_byte(session->config.room);
	session->shards_tried = 0;
	change_state(session, CLIENT_RESOLVING, now + limit, now);
	session->transport->resolve(session->transport_user, now);
}

/* Tries again later, or ends when the owner wants no retries. `why` is in session->why. */
static void retry_or_end(struct client_session *session, enum client_exit status, bool hopeless, uint64_t now) {
	bool was_joined = session->state == CLIENT_JOINED;
	struct obs_log *log = session->config.log;
	bool again = session->config.retry && !hopeless;
	uint64_t wait = 0;

	if (was_joined && now - session->joined_at >= CLIENT_STABLE_NS)
		client_backoff_reset(&session->backoff);
	if (again)
		wait = client_backoff_next(&session->backoff);
	obs_begin(log, OBS_WARN, was_joined ? "session_lost" : "session_attempt_failed");
	obs_str(log, "error", session->why);
	if (again)
		obs_ms(log, "retry_ms", wait);
	obs_end(log);
	change_state(session, again ? CLIENT_WAITING : CLIENT_FAILED, again ? now + wait : BASE_NEVER, now);
	if (was_joined)
		session->events->lost(session->events_user, session->why, now);
	if (!again)
		session->events->ended(session->events_user, status, session->why, now);
}

static void log_attempt(struct client_session *session, const char *event, const struct base_addr *addr,
                        const char *error) {
	struct obs_log *log = session->config.log;
	char text[BASE_ADDR_TEXT_BYTES];

	obs_begin(log, OBS_INFO, event);
	obs_str(log, "relay", base_addr_text(addr, text));
	if (error != NULL)
		obs_str(log, "error", error);
	obs_end(log);
}

static void log_unresolved(struct client_session *session) {
	struct obs_log *log = session->config.log;

	obs_begin(log, OBS_WARN, "relay_not_resolved");
	obs_str(log, "error", session->why);
	obs_str(log, "message", "trying the addresses it had before");
	obs_end(log);
}

/* No address is left. What the right relay said tells most, and it may say otherwise later; that a wrong one answered
 * tells more than the silence of the rest. */
static void end_attempt(struct client_session *session, enum client_exit status, bool hopeless, uint64_t now) {
	bool told = session->told_why[0] != '\0' && !(hopeless && session->told_hopeless);

	if (told)
		keep_why(session, session->told_why);
	retry_or_end(session, told ? session->told_status : status, told ? session->told_hopeless : hopeless, now);
}

/* The next address that the transport takes; the last failure, of this status, when there is none. */
static void connect_next(struct client_session *session, enum client_exit status, uint64_t now) {
	int err = BASE_E_NOT_FOUND;

	while (session->addr_next < session->addr_count) {
		const struct base_addr *addr = &session->addrs[session->addr_next++];
		bool more = session->addr_next < session->addr_count;

		change_state(session, CLIENT_CONNECTING, now + (more ? CLIENT_CONNECT_MORE_NS : CLIENT_CONNECT_LAST_NS), now);
		log_attempt(session, "relay_connecting", addr, NULL);
		session->connection_open = true;
		err = session->transport->open(session->transport_user, addr, session->steer_byte, now);
		if (err == 0) {
			session->addrs_good = false;
			return;
		}
		session->connection_open = false;
		log_attempt(session, "relay_not_tried", addr, base_error_text(err));
	}
	if (session->why[0] == '\0') /* what came of an address that was tried says more */
		keep_why(session, base_error_text(err));
	end_attempt(session, status, false, now);
}

/* Of the addresses that were tried in this attempt nothing counts any more. */
static void connect_afresh(struct client_session *session, uint64_t now) {
	session->why[0] = session->told_why[0] = '\0';
	connect_next(session, CLIENT_EXIT_UNREACHABLE, now);
}

static void connect_first(struct client_session *session, uint64_t now) {
	session->addr_next = 0;
	connect_afresh(session, now);
}

static void remember(struct client_session *session, enum client_exit status, bool hopeless) {
	memcpy(session->told_why, session->why, sizeof(session->why));
	session->told_status = status;
	session->told_hopeless = hopeless;
}

/* The relay at this address is no good, or silent. A name may have the address of another machine beside the right
 * one. */
static void try_next_address(struct client_session *session, enum client_exit status, bool hopeless, uint64_t now) {
	log_attempt(session, "relay_attempt_failed", &session->addrs[session->addr_next - 1], session->why);
	if (hopeless && (session->told_why[0] == '\0' || session->told_hopeless))
		remember(session, status, true);
	connect_next(session, status, now);
}

/* A relay may have let us in long ago, and its answer be on the way still: we do not leave for good. */
static enum client_close_code close_code(enum client_loss loss) {
	switch (loss) {
	case CLIENT_LOSS_PROTOCOL:
		return CLIENT_CLOSE_PROTOCOL;
	case CLIENT_LOSS_TIMEOUT:
		return CLIENT_CLOSE_HELLO_TIMEOUT;
	default:
		return CLIENT_CLOSE_DONE;
	}
}

void client_session_fail(struct client_session *session, enum client_loss loss, const char *why, uint64_t now) {
	enum hopeless hopeless = losses[loss].hopeless;
	bool is_end = hopeless == HOPELESS || (hopeless == HOPELESS_BEFORE_JOIN && !session->ever_joined);

	keep_why(session, why);
	close_connection(session, close_code(loss), session->why, now);
	if (session->state != CLIENT_CONNECTING)
		retry_or_end(session, losses[loss].status, is_end, now);
	else if (session->addr_next < session->addr_count)
		try_next_address(session, losses[loss].status, is_end, now);
	else
		end_attempt(session, losses[loss].status, is_end, now);
}

/* The relay has the room on another shard than the one we came to: back at once, to the same address. */
static bool go_to_shard(struct client_session *session, const struct ctrl_reject *reject, uint64_t now) {
	if (reject->code != CTRL_REJECT_WRONG_SHARD || session->shards_tried == CLIENT_SHARDS_TRIED_MAX)
		return false;
	session->shards_tried++;
	session->steer_byte = (uint8_t)reject->cid_byte;
	close_connection(session, CLIENT_CLOSE_DONE, "rejected", now);
	session->addr_next--;
	log_attempt(session, "relay_shard_changed", &session->addrs[session->addr_next], NULL);
	connect_afresh(session, now); /* this is the right relay */
	return true;
}

void client_session_rejected(struct client_session *session, const struct ctrl_reject *reject, uint64_t now) {
	char why[CLIENT_WHY_BYTES];
	struct base_text text;

	if (go_to_shard(session, reject, now))
		return;
	base_text_init(&text, why, sizeof(why));
	base_text_addf(&text, "rejected by the relay: %s (%s)", ctrl_reject_name(reject->code),
	               reject->text[0] != '\0' ? reject->text : ctrl_reject_text(reject->code));
	keep_why(session, why);
	close_connection(session, CLIENT_CLOSE_DONE, "rejected", now);
	/* The way to another address may be wider, as IPv4's is beside an IPv6 tunnel. */
	if (reject->code == CTRL_REJECT_MTU && session->addr_next < session->addr_count) {
		remember(session, CLIENT_EXIT_REJECTED, false);
		try_next_address(session, CLIENT_EXIT_REJECTED, false, now);
		return;
	}
	retry_or_end(session, CLIENT_EXIT_REJECTED, !ctrl_reject_is_transient(reject->code), now);
}

static void say_hello(struct client_session *session, uint64_t now) {
	char error[CTRL_ERROR_BYTES] = "";
	size_t budget = session->transport->budget(session->transport_user);
	size_t needed = client_budget_needed(session, PROTO_TAP_MTU_MIN);
	struct base_text text;

	if (budget < needed) {
		base_text_init(&text, error, sizeof(error));
		base_text_addf(&text, "datagram budget of %zu bytes is too small, %zu are needed", budget, needed);
		client_session_fail(session, CLIENT_LOSS_PROTOCOL, error, now);
		return;
	}
	if (budget > PROTO_BUDGET_MAX)
		budget = PROTO_BUDGET_MAX;
	ctrl_stream_init(&session->stream);
	change_state(session, CLIENT_JOINING, now + CLIENT_JOIN_NS, now);
	if (client_session_send_hello(session, (uint16_t)budget, error, now) != 0)
		client_session_fail(session, CLIENT_LOSS_PROTOCOL, error, now);
}

/* The room's MTU is fixed by what the hello says: a second of path MTU discovery first pays for the whole session. */
static void settle(struct client_session *session, uint64_t now) {
	size_t budget = session->transport->budget(session->transport_user);
	bool suffices = budget >= client_budget_needed(session, PROTO_TAP_MTU_MAX) + PROTO_MTU_HEADROOM;

	if (suffices || session->transport->budget_settled(session->transport_user, now))
		say_hello(session, now);
}

void client_session_connected(struct client_session *session, uint64_t now) {
	if (session->state != CLIENT_CONNECTING)
		return;
	change_state(session, CLIENT_SETTLING, now + CLIENT_SETTLE_NS, now);
	settle(session, now);
}

static void remember_gateway(struct client_session *session, const struct ctrl_welcome *welcome) {
	struct client_peer *peer;

	session->gateway_present = welcome->gateway;
	session->gateway_peer = welcome->gateway ? welcome->gateway_peer : 0;
	if (session->gateway_peer == 0 || session->gateway_peer == welcome->peer_id)
		return;
	peer = client_peers_add(&session->peers, session->gateway_peer);
	if (peer != NULL)
		peer->role = CTRL_ROLE_GATEWAY;
}

void client_session_joined(struct client_session *session, const struct ctrl_welcome *welcome, uint64_t now) {
	struct obs_log *log = session->config.log;
	size_t budget = session->transport->budget(session->transport_user);

	change_state(session, CLIENT_JOINED, BASE_NEVER, now);
	session->welcome = *welcome;
	session->ever_joined = session->addrs_good = true;
	session->joined_at = now;
	session->stats_at = now + session->config.stats_interval_ns;
	remember_gateway(session, welcome);
	obs_begin(log, OBS_INFO, "session_joined");
	obs_str(log, "room", session->config.room);
	obs_u64(log, "peer", welcome->peer_id);
	obs_u64(log, "tap_mtu", welcome->mtu);
	obs_u64(log, "datagram_budget", budget);
	obs_bool(log, "sealed", welcome->sealed);
	obs_bool(log, "gateway", welcome->gateway);
	if (session->gateway_peer != 0)
		obs_u64(log, "gateway_peer", session->gateway_peer);
	obs_end(log);
	if (welcome->other_key)
		obs_note(log, OBS_WARN, "other_room_key",
		         session->config.cipher != NULL ? "a gateway is in this room with another room key, or without one: is "
		                                          "--room-key the same at both?"
		                                        : "a gateway is in this room with a room key: give it with --room-key");
	if (budget < client_budget_needed(session, welcome->mtu))
		obs_note(log, OBS_WARN, "budget_below_mtu", "frames as long as the room's MTU do not fit this path");
	session->events->joined(session->events_user, &session->welcome, now);
}

void client_session_start(struct client_session *session, uint64_t now) {
	if (session->state == CLIENT_IDLE)
		resolve(session, now);
}

void client_session_hurry(struct client_session *session, uint64_t now) {
	if (session->state == CLIENT_WAITING)
		resolve(session, now);
}

void client_session_addresses(struct client_session *session, const struct base_addr *addrs, size_t count,
                              uint64_t now) {
	if (session->state != CLIENT_RESOLVING && session->state != CLIENT_WAITING)
		return;
	if (count == 0) {
		client_session_resolve_failed(session, "the relay's name has no address", now);
		return;
	}
	session->addr_count = count < CLIENT_ADDRS_MAX ? count : CLIENT_ADDRS_MAX;
	memcpy(session->addrs, addrs, session->addr_count * sizeof(*addrs));
	if (session->state == CLIENT_RESOLVING)
		connect_first(session, now);
}

void client_session_resolve_failed(struct client_session *session, const char *why, uint64_t now) {
	if (session->state != CLIENT_RESOLVING)
		return;
	keep_why(session, why);
	/* The only name server may be one of the LAN's, behind the tunnel that is down. */
	if (session->addr_count > 0) {
		log_unresolved(session);
		connect_first(session, now);
		return;
	}
	retry_or_end(session, CLIENT_EXIT_RESOLVE, false, now);
}

static void finish_leaving(struct client_session *session, uint64_t now) {
	close_connection(session, CLIENT_CLOSE_DONE, "leaving", now);
	change_state(session, CLIENT_CLOSED, BASE_NEVER, now);
	session->events->ended(session->events_user, CLIENT_EXIT_OK, "left", now);
}

void client_session_leave(struct client_session *session, enum ctrl_leave_reason reason, uint64_t now) {
	bool has_seat = session->state == CLIENT_JOINED || session->state == CLIENT_JOINING;

	if (is_over(session) || session->state == CLIENT_LEAVING)
		return;
	change_state(session, CLIENT_LEAVING, now + CLIENT_LEAVE_NS, now);
	if (!has_seat || client_session_send_disconnect(session, reason, now) != 0)
		finish_leaving(session, now);
}

void client_session_lost(struct client_session *session, enum client_loss loss, const char *why, uint64_t now) {
	assert(loss < CLIENT_LOSS_COUNT);
	if (!session->connection_open)
		return;
	session->connection_open = false;
	if (session->state == CLIENT_LEAVING)
		finish_leaving(session, now);
	else
		client_session_fail(session, loss, why, now);
}

/* What a state does when its time is up. */
static void on_deadline(struct client_session *session, uint64_t now) {
	switch (session->state) {
	case CLIENT_RESOLVING:
		client_session_resolve_failed(session, "the resolver does not answer", now);
		break;
	case CLIENT_CONNECTING:
		client_session_fail(session, CLIENT_LOSS_TIMEOUT, "the relay does not answer", now);
		break;
	case CLIENT_SETTLING:
		say_hello(session, now);
		break;
	case CLIENT_JOINING:
		client_session_fail(session, CLIENT_LOSS_TIMEOUT, "the relay does not answer the hello", now);
		break;
	case CLIENT_WAITING:
		resolve(session, now);
		break;
	case CLIENT_LEAVING:
		finish_leaving(session, now);
		break;
	default: /* the others have no deadline */
		break;
	}
}

static void poll_transport(struct client_session *session, uint64_t now) {
	session->poll_at = now + CLIENT_POLL_NS;
	if (session->state == CLIENT_SETTLING)
		settle(session, now);
	else if (session->transport->control_flushed(session->transport_user))
		finish_leaving(session, now);
}

void client_session_tick(struct client_session *session, uint64_t now) {
	if (session->state == CLIENT_JOINED && now >= session->stats_at) {
		session->stats_at = now + session->config.stats_interval_ns;
		client_session_send_stats(session, now);
	}
	if (now >= session->deadline)
		on_deadline(session, now);
	else if (now >= session->poll_at)
		poll_transport(session, now);
}

uint64_t client_session_deadline(const struct client_session *session) {
	uint64_t deadline = base_time_min(session->deadline, session->poll_at);

	return session->state == CLIENT_JOINED ? base_time_min(deadline, session->stats_at) : deadline;
}

static bool is_valid(const struct client_config *config) {
	if (ctrl_room_check(config->room) != 0 || ctrl_name_check(config->name) != 0)
		return false;
	return config->role == CTRL_ROLE_GATEWAY || proto_mac_check_identity(config->mac) == 0;
}

int client_session_new(const struct client_config *config, const struct client_transport *transport,
                       void *transport_user, const struct client_events *events, void *events_user,
                       struct client_session **ret) {
	struct client_session *session;

	if (!is_valid(config))
		return BASE_E_INVALID;
	session = calloc(1, sizeof(*session));
	if (session == NULL)
		return BASE_E_NOMEM;
	session->config = *config;
	if (config->stats_interval_ns == 0)
		session->config.stats_interval_ns = CLIENT_STATS_NS;
	session->transport = transport;
	session->transport_user = transport_user;
	session->events = events;
	session->events_user = events_user;
	session->deadline = BASE_NEVER;
	session->poll_at = BASE_NEVER;
	client_backoff_init(&session->backoff, config->seed);
	ctrl_stream_init(&session->stream);
	if (client_peers_init(&session->peers, &session->config) != 0 || client_data_init(session) != 0) {
		client_session_free(session);
		return BASE_E_NOMEM;
	}
	*ret = session;
	return 0;
}

void client_session_free(struct client_session *session) {
	if (session == NULL)
		return;
	base_wipe(session->config.seat_key, sizeof(session->config.seat_key));
	base_wipe(session->opened, sizeof(session->opened));
	client_data_done(session);
	client_peers_done(&session->peers);
	free(session);
}

enum client_state client_session_state(const struct client_session *session) {
	return session->state;
}

const struct ctrl_welcome *client_session_welcome(const struct client_session *session) {
	return session->state == CLIENT_JOINED ? &session->welcome : NULL;
}

void client_session_report_device(struct client_session *session, bool ready, const struct base_addr *address) {
	session->device_reported = true;
	session->device_ready = ready;
	session->device_address = address != NULL ? *address : (struct base_addr){0};
}

void client_session_report_route(struct client_session *session, bool pinned) {
	session->route_pinned = pinned;
}

void client_session_diagnostics(const struct client_session *session, struct obs_diagnostics *ret) {
	const struct client_transport *transport = session->transport;
	bool joined = session->state == CLIENT_JOINED;

	*ret = (struct obs_diagnostics){
	    .relay_connected = joined,
	    .gateway_present = session->gateway_present,
	    .gateway_peer = session->gateway_peer,
	    .lan_down = session->lan_down,
	    .shut_out = session->shut_out,
	    .tap_ready = !session->device_reported ? OBS_UNKNOWN
	                 : session->device_ready   ? OBS_YES
	                                           : OBS_NO,
	    .tap_address = session->device_address,
	    .rtt_ns = joined ? transport->rtt_ns(session->transport_user) : 0,
	    .datagram_budget = joined ? transport->budget(session->transport_user) : 0,
	    .tap_mtu = joined ? session->welcome.mtu : 0,
	    .broadcasts_to_lan = session->counters.value[OBS_BROADCASTS_TO_LAN],
	    .broadcasts_from_lan = session->counters.value[OBS_BROADCASTS_FROM_LAN],
	};
}
