/* relay/control.c: from the bytes of a peer's control stream to what they ask for. A table says which message is
 * allowed in which state; everything else is a protocol error. */
#include "base/error.h"
#include "base/text.h"
#include "relay/internal.h"

static void on_hello(struct relay_peer *peer, const struct ctrl_message *message, uint64_t now) {
	peer->hello = message->hello;
	relay_admission_start(peer, now);
}

static void on_stats(struct relay_peer *peer, const struct ctrl_message *message, uint64_t now) {
	peer->stats = message->stats;
	peer->stats_at = now;
	if (obs_on(peer->core->log, OBS_DEBUG)) {
		obs_begin(peer->core->log, OBS_DEBUG, "peer_stats");
		obs_str(peer->core->log, "room", peer->room->code);
		obs_u64(peer->core->log, "peer", peer->id);
		obs_u64(peer->core->log, "rtt_us", message->stats.rtt_us);
		obs_bool(peer->core->log, "tap_ready", message->stats.tap_ready);
		obs_u64(peer->core->log, "dropped", obs_drops_total(&message->stats.counters));
		obs_end(peer->core->log);
	}
}

/* Passed on when it is news: everybody's LAN is at the gateway. */
static void on_lan(struct relay_peer *peer, const struct ctrl_message *message, uint64_t now) {
	bool down = !message->lan.up;

	if (peer->hello.role != CTRL_ROLE_GATEWAY) {
		relay_peer_protocol_error(peer, "lan: only a gateway has one");
		return;
	}
	if (peer->lan_down == down)
		return;
	peer->lan_down = down;
	if (obs_on(peer->core->log, OBS_INFO)) {
		obs_begin(peer->core->log, OBS_INFO, "gateway_lan");
		obs_str(peer->core->log, "room", peer->room->code);
		obs_u64(peer->core->log, "peer", peer->id);
		obs_str(peer->core->log, "state", down ? "down" : "up");
		obs_flood_room(peer->core->log, peer->room->code, peer->room->number, peer->id, down ? "down" : "up", now);
		obs_end(peer->core->log);
	}
	relay_notify_lan(peer);
}

/* For that client alone. */
static void on_shut_out(struct relay_peer *peer, const struct ctrl_message *message, uint64_t now) {
	(void)now;
	if (peer->hello.role == CTRL_ROLE_GATEWAY)
		relay_notify_shut_out(peer->room, message);
	else
		relay_peer_protocol_error(peer, "shut_out: only a gateway shuts anybody out");
}

static void on_disconnect(struct relay_peer *peer, const struct ctrl_message *message, uint64_t now) {
	(void)now;
	relay_peer_doom(peer, &(struct relay_end){.reason = message->disconnect.reason, .code = QUIC_APP_DONE});
}

static void on_unknown(struct relay_peer *peer, const struct ctrl_message *message, uint64_t now) {
	(void)message;
	(void)now;
	peer->unknown_messages++;
	peer->core->totals.unknown_messages++;
}

#define IN(state) (1u << RELAY_PEER_##state)

static const struct {
	unsigned states; /* where it is allowed */
	void (*act)(struct relay_peer *peer, const struct ctrl_message *message, uint64_t now);
} handlers[CTRL_TYPE_COUNT] = {
    /* A newer peer may say things we do not know (CTL-2), at any time; the message rate bounds them. */
    [CTRL_UNKNOWN] = {IN(HELLO) | IN(SETTLING) | IN(JOINED), on_unknown},
    [CTRL_HELLO] = {IN(HELLO), on_hello},
    [CTRL_STATS] = {IN(JOINED), on_stats},
    [CTRL_LAN] = {IN(JOINED), on_lan},
    [CTRL_SHUT_OUT] = {IN(JOINED), on_shut_out},
    [CTRL_DISCONNECT] = {IN(SETTLING) | IN(JOINED), on_disconnect},
};

static void refuse_unparsable(struct relay_peer *peer, int result, const char *error) {
	if (result == BASE_E_NOMEM)
		relay_peer_reject(peer, CTRL_REJECT_INTERNAL, ctrl_reject_text(CTRL_REJECT_INTERNAL));
	else if (result == BASE_E_VERSION && peer->state == RELAY_PEER_HELLO)
		relay_peer_reject(peer, CTRL_REJECT_VERSION, error);
	else
		relay_peer_protocol_error(peer, error);
}

static void handle_message(struct relay_peer *peer, struct slice json, uint64_t now) {
	char error[CTRL_ERROR_BYTES];
	struct ctrl_message message;
	int result = ctrl_message_parse(json, &message, error);

	if (result != 0) {
		refuse_unparsable(peer, result, error);
		return;
	}
	if ((handlers[message.type].states & 1u << peer->state) == 0) {
		struct base_text text;

		base_text_init(&text, error, sizeof(error));
		base_text_addf(&text, "%s is not allowed now", ctrl_type_name(message.type));
		relay_peer_protocol_error(peer, error);
		return;
	}
	handlers[message.type].act(peer, &message, now);
}

static void flooded(struct relay_peer *peer) {
	peer->core->totals.control_floods++;
	relay_peer_doom(peer, &(struct relay_end){.reason = CTRL_LEAVE_RATE,
	                                          .code = QUIC_APP_LIMIT,
	                                          .say = RELAY_SAY_DISCONNECT,
	                                          .text = "too many control messages"});
}

static void ended(struct relay_peer *peer) {
	if (ctrl_stream_pending(&peer->stream) > 0)
		relay_peer_protocol_error(peer, "the control stream ends in the middle of a message");
	else if (peer->state == RELAY_PEER_JOINED)
		/* Neither lifecycle nor stats can be had from it any more; without a disconnect nobody said why. */
		relay_peer_doom(peer, &(struct relay_end){.reason = CTRL_LEAVE_CONNECTION_LOST,
		                                          .code = QUIC_APP_DONE,
		                                          .text = "the peer ended its control stream"});
	else
		relay_peer_protocol_error(peer, "the control stream ends before the welcome");
}

void relay_control_receive(struct relay_peer *peer, struct slice bytes, bool fin, uint64_t now) {
	struct slice json;
	int result = 0;

	while (!relay_peer_is_doomed(peer) && (result = ctrl_stream_next(&peer->stream, &bytes, &json)) > 0) {
		if (!relay_bucket_take(&peer->control_rate, &peer->core->limits.control, 1, now))
			flooded(peer);
		else
			handle_message(peer, json, now);
	}
	if (relay_peer_is_doomed(peer))
		return;
	if (result < 0)
		relay_peer_protocol_error(peer, result == BASE_E_TOO_BIG ? "control message over the size limit"
		                                                         : "control message of length 0");
	else if (fin)
		ended(peer);
}
