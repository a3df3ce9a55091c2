/* relay/notify.c: control messages from the relay to its peers. Reliable means: whoever cannot be told has to go, or it
 * would act on an outdated room. */
#include "base/text.h"
#include "proto/steer.h"
#include "relay/internal.h"

#include <string.h>

static int print(const struct relay_core *core, const struct ctrl_message *message,
                 uint8_t buf[static CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX]) {
	char error[CTRL_ERROR_BYTES];
	int len = ctrl_message_print(message, buf, CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX, error);

	if (len < 0)
		obs_note(core->log, OBS_ERROR, "control_message", error);
	return len;
}

/* False: it is not in a room, or goes already. */
static bool give_up(struct relay_peer *peer, enum quic_app_code code, const char *text) {
	struct relay_end end = {.reason = CTRL_LEAVE_CONNECTION_LOST, .code = code};

	if (peer->state != RELAY_PEER_JOINED || relay_peer_is_doomed(peer))
		return false;
	base_text_copy(end.text, sizeof(end.text), text);
	relay_peer_doom(peer, &end);
	return true;
}

static bool send_bytes(struct relay_peer *peer, struct slice bytes) {
	struct relay_core *core = peer->core;

	if (core->transport->control_send(core->transport_user, peer->conn, bytes) == 0)
		return true;
	core->totals.stuck_disconnects += give_up(peer, QUIC_APP_LIMIT, "the control stream is not being read");
	return false;
}

/* A message that there was no memory for: it knows no more who is in the room. */
static bool send_nothing(struct relay_peer *peer) {
	give_up(peer, QUIC_APP_DONE, "the relay is out of memory");
	return false;
}

static bool send_message(struct relay_peer *peer, const struct ctrl_message *message) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	int len = print(peer->core, message, buf);

	return len > 0 ? send_bytes(peer, slice_of(buf, (size_t)len)) : send_nothing(peer);
}

static void send_to_room(struct relay_room *room, const struct relay_peer *except, const struct ctrl_message *message) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	int len = print(room->core, message, buf);

	for (struct base_list *item = room->peers.next; item != &room->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, room_link);

		if (peer == except)
			continue;
		if (len > 0)
			send_bytes(peer, slice_of(buf, (size_t)len));
		else
			send_nothing(peer);
	}
}

static struct ctrl_message joined_message(const struct relay_peer *peer) {
	struct ctrl_message message = {.type = CTRL_PEER_JOINED};

	message.peer_joined.peer_id = peer->id;
	message.peer_joined.role = peer->hello.role;
	message.peer_joined.mac = peer->hello.mac;
	memcpy(message.peer_joined.name, peer->hello.name, sizeof(message.peer_joined.name));
	memcpy(message.peer_joined.salt, peer->hello.salt, sizeof(message.peer_joined.salt));
	return message;
}

void relay_notify_joined(struct relay_peer *joiner) {
	struct ctrl_message message = joined_message(joiner);

	send_to_room(joiner->room, joiner, &message);
}

void relay_notify_left(struct relay_room *room, uint32_t id, enum ctrl_leave_reason reason) {
	struct ctrl_message message = {.type = CTRL_PEER_LEFT};

	message.peer_left.peer_id = id;
	message.peer_left.reason = reason;
	send_to_room(room, NULL, &message);
}

static struct ctrl_message lan_message(const struct relay_peer *gateway) {
	return (struct ctrl_message){.type = CTRL_LAN, .lan = {.up = !gateway->lan_down}};
}

void relay_notify_lan(struct relay_peer *gateway) {
	struct ctrl_message message = lan_message(gateway);

	send_to_room(gateway->room, gateway, &message);
}

void relay_notify_shut_out(const struct relay_room *room, const struct ctrl_message *message) {
	for (struct base_list *item = room->peers.next; item != &room->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, room_link);

		if (peer->id == message->shut_out.peer_id)
			send_message(peer, message);
	}
}

void relay_notify_welcome(struct relay_peer *joiner) {
	const struct relay_room *room = joiner->room;
	struct ctrl_message message = {.type = CTRL_WELCOME};

	message.welcome.version = CTRL_PROTOCOL_VERSION;
	message.welcome.peer_id = joiner->id;
	message.welcome.mtu = room->mtu;
	message.welcome.sealed = room->sealed;
	/* The gateway itself is told of another one only, which there never is. */
	if (room->gateway != NULL && room->gateway != joiner) {
		message.welcome.gateway = true;
		message.welcome.gateway_peer = room->gateway->id;
	}
	/* Else a client with a wrong passphrase would be alone and not know why. */
	if (room->gateway == NULL)
		message.welcome.other_key = relay_room_of_gateway(room->core, room->code) != NULL;
	if (!send_message(joiner, &message))
		return;
	for (struct base_list *item = room->peers.next; item != &room->peers; item = item->next) {
		const struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, room_link);

		if (peer == joiner)
			continue;
		message = joined_message(peer);
		if (!send_message(joiner, &message))
			return;
	}
	if (room->gateway != NULL && room->gateway->lan_down) {
		message = lan_message(room->gateway);
		send_message(joiner, &message);
	}
}

bool relay_notify_end(struct relay_peer *peer, const struct relay_end *end) {
	struct ctrl_message message = {0};

	if (end->say == RELAY_SAY_REJECT) {
		message.type = CTRL_REJECT;
		message.reject.code = end->reject;
		if (end->reject == CTRL_REJECT_WRONG_SHARD) /* never 0, which would be no byte at all */
			message.reject.cid_byte = proto_steer_byte(peer->hello.room) | BASE_STEER_RANDOM;
		memcpy(message.reject.text, end->text, sizeof(message.reject.text));
	} else {
		message.type = CTRL_DISCONNECT;
		message.disconnect.reason = end->reason;
	}
	return send_message(peer, &message);
}
