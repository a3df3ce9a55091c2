/* Control messages: what the relay says, each only in the states where it may, and what the session says. A relay that
 * breaks the protocol is left at once, with a log line that names the field; the session then tries again. */
#include "base/error.h"
#include "base/text.h"
#include "client-core/session_internal.h"
#include "proto/mtu.h"

#include <string.h>

typedef void (*control_handler)(struct client_session *session, const struct ctrl_message *message, uint64_t now);

static void violation(struct client_session *session, const char *what, uint64_t now) {
	struct obs_log *log = session->config.log;

	obs_begin(log, OBS_ERROR, "relay_protocol_error");
	obs_str(log, "error", what);
	obs_end(log);
	client_session_fail(session, CLIENT_LOSS_PROTOCOL, what, now);
}

static void log_peer(struct client_session *session, const char *event, const struct client_peer *peer,
                     const char *reason, uint64_t now) {
	struct obs_log *log = session->config.log;

	obs_begin(log, OBS_INFO, event);
	obs_u64(log, "peer", peer->id);
	obs_str(log, "role", ctrl_role_name(peer->role));
	if (peer->identity_known && peer->role == CTRL_ROLE_CLIENT)
		obs_mac(log, "mac", peer->mac.b);
	if (peer->name[0] != '\0')
		obs_str(log, "name", peer->name);
	if (reason != NULL)
		obs_str(log, "reason", reason);
	obs_flood_key(log, peer->id, now);
	obs_end(log);
}

static void on_unknown(struct client_session *session, const struct ctrl_message *message, uint64_t now) {
	struct obs_log *log = session->config.log;

	(void)message;
	session->unknown_messages++;
	obs_begin(log, OBS_DEBUG, "unknown_control_message");
	obs_u64(log, "count", session->unknown_messages);
	obs_flood_key(log, 0, now);
	obs_end(log);
}

static void on_welcome(struct client_session *session, const struct ctrl_message *message, uint64_t now) {
	const struct ctrl_welcome *welcome = &message->welcome;

	/* A gateway may be told of itself; for anybody else the gateway is somebody else. */
	if (welcome->gateway && welcome->gateway_peer == welcome->peer_id && session->config.role != CTRL_ROLE_GATEWAY) {
		violation(session, "welcome.gateway_peer_id: is the id given to us", now);
		return;
	}
	if (welcome->sealed && session->config.cipher == NULL) {
		violation(session, "welcome.sealed: we have no room key", now);
		return;
	}
	if (!welcome->sealed && session->config.cipher != NULL) {
		client_session_fail(session, CLIENT_LOSS_NO_ROOM_KEYS, "the relay does not know room keys", now);
		return;
	}
	client_session_joined(session, welcome, now);
}

static void on_reject(struct client_session *session, const struct ctrl_message *message, uint64_t now) {
	client_session_rejected(session, &message->reject, now);
}

static bool same_peer(const struct client_peer *known, const struct ctrl_peer *told) {
	if (known->role != told->role)
		return false;
	return !known->identity_known || told->role == CTRL_ROLE_GATEWAY || proto_mac_equal(known->mac, told->mac);
}

static void log_unheard(struct client_session *session, uint32_t id, uint64_t now) {
	struct obs_log *log = session->config.log;

	obs_begin(log, OBS_WARN, "peer_unheard");
	obs_u64(log, "peer", id);
	obs_str(log, "reason", "too many peers were heard since the start to tell its frames from replays; start anew");
	obs_flood_key(log, 0, now);
	obs_end(log);
}

/* A peer whose frames can't be opened would be there and not be heard: rather another try from the beginning. */
static bool make_readable(struct client_session *session, struct client_peer *peer, const struct ctrl_peer *told,
                          uint64_t now) {
	char why[CLIENT_WHY_BYTES];
	struct base_text text;
	int err;

	if (session->config.cipher == NULL)
		return true;
	err = client_peers_announce(&session->peers, peer, told);
	if (err == 0)
		return true;
	if (err == BASE_E_FULL) { /* trying again would not help; its frames are not opened, those of others are */
		log_unheard(session, told->peer_id, now);
		return true;
	}
	base_text_init(&text, why, sizeof(why));
	base_text_addf(&text, "no keys for peer %u: %s", (unsigned)told->peer_id, base_error_text(err));
	client_session_fail(session, CLIENT_LOSS_RESET, why, now);
	return false;
}

static void log_table_full(struct client_session *session, uint32_t id, uint64_t now) {
	struct obs_log *log = session->config.log;

	obs_begin(log, OBS_WARN, "peer_table_full");
	obs_u64(log, "peer", id);
	obs_flood_key(log, 0, now);
	obs_end(log);
}

static void tell_gateway(struct client_session *session, uint64_t now) {
	if (session->events->gateway != NULL)
		session->events->gateway(session->events_user, now);
}

/* 0: it left. What another one said holds no longer. */
static void take_gateway(struct client_session *session, uint32_t id, uint64_t now) {
	if (session->gateway_present && session->gateway_peer == id)
		return;
	session->lan_down = session->shut_out = false;
	session->gateway_present = id != 0;
	session->gateway_peer = id;
	tell_gateway(session, now);
}

static void on_peer_joined(struct client_session *session, const struct ctrl_message *message, uint64_t now) {
	const struct ctrl_peer *told = &message->peer_joined;
	struct client_peer *peer = client_peers_find(&session->peers, told->peer_id);

	if (told->peer_id == session->welcome.peer_id) {
		violation(session, "peer_joined.peer_id: is our own", now);
		return;
	}
	if (peer != NULL && !same_peer(peer, told)) {
		violation(session, "peer_joined.peer_id: belongs to another peer", now);
		return;
	}
	if (session->config.cipher != NULL && slice_is_zero(slice_of(told->salt, sizeof(told->salt)))) {
		violation(session, "peer_joined.salt: missing, the room has a key", now);
		return;
	}
	if (told->role == CTRL_ROLE_GATEWAY)
		take_gateway(session, told->peer_id, now);
	if (peer != NULL && peer->identity_known)
		return; /* told twice */
	if (peer == NULL)
		peer = client_peers_add(&session->peers, told->peer_id);
	if (peer == NULL) {
		log_table_full(session, told->peer_id, now);
		return;
	}
	peer->role = told->role;
	peer->identity_known = true;
	peer->mac = told->mac;
	memcpy(peer->name, told->name, sizeof(peer->name));
	if (!make_readable(session, peer, told, now))
		return;
	log_peer(session, "peer_joined", peer, NULL, now);
	if (session->events->peer_joined != NULL)
		session->events->peer_joined(session->events_user, peer, now);
}

static void on_peer_left(struct client_session *session, const struct ctrl_message *message, uint64_t now) {
	const struct ctrl_peer_left *told = &message->peer_left;
	const struct client_peer *known = client_peers_find(&session->peers, told->peer_id);
	struct obs_log *log = session->config.log;
	struct client_peer peer;

	if (told->peer_id == session->welcome.peer_id) {
		violation(session, "peer_left.peer_id: is our own", now);
		return;
	}
	if (told->peer_id == session->gateway_peer)
		take_gateway(session, 0, now);
	if (known == NULL) {
		obs_begin(log, OBS_DEBUG, "unknown_peer_left");
		obs_u64(log, "peer", told->peer_id);
		obs_str(log, "reason", ctrl_leave_name(told->reason));
		obs_flood_key(log, 0, now);
		obs_end(log);
		return;
	}
	peer = *known; /* the event speaks of it once more, the table no longer knows it */
	client_peers_remove(&session->peers, told->peer_id);
	log_peer(session, "peer_left", &peer, ctrl_leave_name(told->reason), now);
	if (session->events->peer_left != NULL)
		session->events->peer_left(session->events_user, &peer, told->reason, now);
}

static void on_lan(struct client_session *session, const struct ctrl_message *message, uint64_t now) {
	struct obs_log *log = session->config.log;
	bool down = !message->lan.up;
	enum obs_level level = down ? OBS_WARN : OBS_INFO;

	if (session->config.role == CTRL_ROLE_GATEWAY || !session->gateway_present || session->lan_down == down)
		return;
	session->lan_down = down;
	tell_gateway(session, now);
	obs_begin(log, level, "gateway_lan");
	obs_str(log, "state", down ? "down" : "up");
	obs_str(log, "message",
	        down ? "the gateway has lost the link to its LAN (is a cable out?): nothing of the LAN is in reach"
	             : "the gateway has its LAN again");
	obs_flood_reason(log, 0, down ? "down" : "up", now);
	obs_end(log);
}

static void on_shut_out(struct client_session *session, const struct ctrl_message *message, uint64_t now) {
	struct obs_log *log = session->config.log;
	bool out = message->shut_out.out;
	enum obs_level level = out ? OBS_WARN : OBS_INFO;

	if (message->shut_out.peer_id != session->welcome.peer_id || !session->gateway_present || session->shut_out == out)
		return;
	session->shut_out = out;
	tell_gateway(session, now);
	obs_begin(log, level, "shut_out");
	obs_bool(log, "out", out);
	obs_str(log, "message",
	        out ? "a machine of the LAN has this machine's MAC address, so the gateway shuts us out: take another "
	              "one with --virtual-mac"
	            : "the gateway has let us in again");
	obs_flood_reason(log, 0, out ? "out" : "in", now);
	obs_end(log);
}

static void on_disconnect(struct client_session *session, const struct ctrl_message *message, uint64_t now) {
	enum ctrl_leave_reason reason = message->disconnect.reason;
	char why[96];
	struct base_text text;

	base_text_init(&text, why, sizeof(why));
	base_text_addf(&text, "the relay ends the session: %s", ctrl_leave_name(reason));
	client_session_fail(session, reason == CTRL_LEAVE_REPLACED ? CLIENT_LOSS_REPLACED : CLIENT_LOSS_CLOSED_BY_RELAY,
	                    why, now);
}

#define IN(state) (1U << (state))

/* Which message the relay may send when. A row of zeros: never, it is ours to send. */
static const struct {
	unsigned states;
	control_handler handle;
} control_table[CTRL_TYPE_COUNT] = {
    [CTRL_UNKNOWN] = {IN(CLIENT_JOINING) | IN(CLIENT_JOINED), on_unknown},
    [CTRL_WELCOME] = {IN(CLIENT_JOINING), on_welcome},
    [CTRL_REJECT] = {IN(CLIENT_JOINING), on_reject},
    [CTRL_PEER_JOINED] = {IN(CLIENT_JOINED), on_peer_joined},
    [CTRL_PEER_LEFT] = {IN(CLIENT_JOINED), on_peer_left},
    [CTRL_LAN] = {IN(CLIENT_JOINED), on_lan},
    [CTRL_SHUT_OUT] = {IN(CLIENT_JOINED), on_shut_out},
    [CTRL_DISCONNECT] = {IN(CLIENT_JOINING) | IN(CLIENT_JOINED), on_disconnect},
};

static bool is_listening(const struct client_session *session) {
	return session->state == CLIENT_JOINING || session->state == CLIENT_JOINED;
}

static void handle_json(struct client_session *session, struct slice json, uint64_t now) {
	char error[CTRL_ERROR_BYTES] = "";
	struct ctrl_message message;
	int err = ctrl_message_parse(json, &message, error);

	if (err == 0 && (control_table[message.type].states & IN(session->state)) == 0) {
		struct base_text text;

		base_text_init(&text, error, sizeof(error));
		base_text_addf(&text, "type: %s is not expected %s", ctrl_type_name(message.type),
		               session->state == CLIENT_JOINED ? "after the welcome" : "before the welcome");
		err = BASE_E_PROTOCOL;
	}
	if (err != 0)
		violation(session, error, now);
	else
		control_table[message.type].handle(session, &message, now);
}

void client_session_control(struct client_session *session, struct slice bytes, bool fin, uint64_t now) {
	struct slice json;
	int more = 1;

	if (session->state == CLIENT_SETTLING && bytes.len > 0) {
		violation(session, "control bytes before the hello", now);
		return;
	}
	/* A message may end the session: what follows it is nobody's then. */
	while (is_listening(session) && (more = ctrl_stream_next(&session->stream, &bytes, &json)) > 0)
		handle_json(session, json, now);
	if (!is_listening(session))
		return;
	if (more < 0)
		violation(session,
		          more == BASE_E_TOO_BIG ? "length: control message over the limit"
		                                 : "length: control message of 0 bytes",
		          now);
	else if (fin)
		violation(session,
		          ctrl_stream_pending(&session->stream) > 0 ? "control stream ends in the middle of a message"
		                                                    : "control stream ends",
		          now);
}

static int fail_send(char error[static CTRL_ERROR_BYTES], const char *what, int err) {
	struct base_text text;

	base_text_init(&text, error, CTRL_ERROR_BYTES);
	base_text_addf(&text, "%s: %s", what, base_error_text(err));
	return err;
}

static int send_message(struct client_session *session, const struct ctrl_message *message,
                        char error[static CTRL_ERROR_BYTES], uint64_t now) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	int len = ctrl_message_print(message, buf, sizeof(buf), error);
	int err;

	if (len < 0)
		return len;
	err = session->transport->control_send(session->transport_user, slice_of(buf, (size_t)len), now);
	return err == 0 ? 0 : fail_send(error, "control stream", err);
}

int client_session_send_hello(struct client_session *session, uint16_t budget, char error[static CTRL_ERROR_BYTES],
                              uint64_t now) {
	const struct client_config *config = &session->config;
	struct ctrl_message message = {.type = CTRL_HELLO};
	struct ctrl_hello *hello = &message.hello;

	*hello = (struct ctrl_hello){
	    .version = CTRL_PROTOCOL_VERSION,
	    .role = config->role,
	    .mac = config->role == CTRL_ROLE_CLIENT ? config->mac : (struct proto_mac){{0}},
	    .budget = budget,
	    /* Zeros are no secret: anybody could take the seat. */
	    .has_seat_key = !slice_is_zero(slice_of(config->seat_key, sizeof(config->seat_key))),
	};
	memcpy(hello->room, config->room, sizeof(hello->room));
	memcpy(hello->name, config->name, sizeof(hello->name));
	memcpy(hello->seat_key, config->seat_key, sizeof(hello->seat_key));
	if (config->cipher != NULL) {
		int err = config->cipher->begin(config->cipher_user, hello->role, hello->mac, hello->salt);

		if (err != 0)
			return fail_send(error, "room key", err);
		memcpy(hello->room_key, config->room_key, sizeof(hello->room_key));
	}
	return send_message(session, &message, error, now);
}

/* stats.tap_address has no scope, and is empty without an address. */
static void set_address(char ret[static CTRL_ADDRESS_BYTES_MAX], const struct base_addr *addr) {
	struct base_addr plain = *addr;
	char ip[BASE_ADDR_TEXT_BYTES];
	struct base_text text;

	plain.scope = 0;
	base_text_init(&text, ret, CTRL_ADDRESS_BYTES_MAX);
	if (addr->family != BASE_FAMILY_NONE)
		base_text_add(&text, base_addr_ip_text(&plain, ip));
}

void client_session_send_stats(struct client_session *session, uint64_t now) {
	char error[CTRL_ERROR_BYTES] = "";
	size_t budget = session->transport->budget(session->transport_user);
	struct ctrl_message message = {.type = CTRL_STATS};
	struct ctrl_stats *stats = &message.stats;

	*stats = (struct ctrl_stats){
	    .counters = session->counters,
	    .rtt_us = session->transport->rtt_ns(session->transport_user) / BASE_US,
	    .datagram_budget = (uint16_t)(budget < UINT16_MAX ? budget : UINT16_MAX),
	    .route_pinned = session->route_pinned,
	    .tap_ready = session->device_ready,
	};
	set_address(stats->tap_address, &session->device_address);
	if (send_message(session, &message, error, now) != 0)
		obs_note(session->config.log, OBS_WARN, "stats_not_sent", error);
}

void client_session_report_lan(struct client_session *session, bool up, uint64_t now) {
	char error[CTRL_ERROR_BYTES];
	struct ctrl_message message = {.type = CTRL_LAN, .lan = {.up = up}};

	if (session->state == CLIENT_JOINED && session->lan_down == up && send_message(session, &message, error, now) == 0)
		session->lan_down = !up;
}

void client_session_report_shut_out(struct client_session *session, uint32_t peer, bool out, uint64_t now) {
	char error[CTRL_ERROR_BYTES];
	struct ctrl_message message = {.type = CTRL_SHUT_OUT, .shut_out = {.peer_id = peer, .out = out}};

	if (session->state == CLIENT_JOINED)
		(void)send_message(session, &message, error, now);
}

int client_session_send_disconnect(struct client_session *session, enum ctrl_leave_reason reason, uint64_t now) {
	char error[CTRL_ERROR_BYTES];
	struct ctrl_message message = {.type = CTRL_DISCONNECT, .disconnect = {.reason = reason}};

	return send_message(session, &message, error, now);
}
