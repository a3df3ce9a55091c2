#include "tests/link/relay.h"

#include "base/bytes.h"
#include "proto/overlay.h"
#include "tests/unit.h"

#include <string.h>

static void say(struct relay_peer *peer, const struct ctrl_message *message) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	char error[CTRL_ERROR_BYTES] = "";
	int len = ctrl_message_print(message, buf, sizeof(buf), error);

	if (len < 0)
		fail_msg("the test relay's own message: %s", error);
	assert_int_equal(quic_conn_control_send(peer->conn, slice_of(buf, (size_t)len)), 0);
	quic_server_wake(peer->relay->server, peer->conn);
}

void relay_say(struct relay *relay, const struct ctrl_message *message) {
	for (size_t i = 0; i < RELAY_PEERS_MAX; i++) {
		if (relay->peers[i].conn != NULL && relay->peers[i].joined)
			say(&relay->peers[i], message);
	}
}

static void tell_of(struct relay_peer *to, const struct relay_peer *of) {
	struct ctrl_message message = {
	    .type = CTRL_PEER_JOINED,
	    .peer_joined = {.peer_id = of->id, .role = of->hello.role, .mac = of->hello.mac},
	};

	say(to, &message);
}

static void welcome(struct relay_peer *peer) {
	struct relay *relay = peer->relay;
	struct ctrl_message message = {
	    .type = CTRL_WELCOME,
	    .welcome = {.version = CTRL_PROTOCOL_VERSION, .peer_id = peer->id, .mtu = 1300, .gateway = relay->echo},
	};

	if (relay->echo)
		message.welcome.gateway_peer = RELAY_GATEWAY_ID;
	say(peer, &message);
	for (size_t i = 0; i < RELAY_PEERS_MAX; i++) {
		struct relay_peer *other = &relay->peers[i];

		if (other == peer || other->conn == NULL || !other->joined)
			continue;
		tell_of(peer, other);
		tell_of(other, peer);
	}
	peer->joined = true;
}

static void on_message(struct relay_peer *peer, const struct ctrl_message *message) {
	struct relay *relay = peer->relay;

	switch (message->type) {
	case CTRL_HELLO:
		relay->hellos++;
		relay->hello = peer->hello = message->hello;
		if (relay->silent)
			return;
		if (relay->reject != NULL) {
			struct ctrl_message answer = {.type = CTRL_REJECT, .reject = *relay->reject};

			say(peer, &answer);
			return;
		}
		welcome(peer);
		return;
	case CTRL_STATS:
		relay->stats++;
		return;
	case CTRL_DISCONNECT:
		relay->disconnects++;
		relay->reason = message->disconnect.reason;
		return;
	default:
		fail_msg("a session must not say %s", ctrl_type_name(message->type));
	}
}

static void on_control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	struct relay_peer *peer = user;
	struct slice json;

	(void)conn;
	(void)fin;
	(void)now;
	while (ctrl_stream_next(&peer->stream, &bytes, &json) == 1) {
		char error[CTRL_ERROR_BYTES] = "";
		struct ctrl_message message;

		if (ctrl_message_parse(json, &message, error) != 0)
			fail_msg("the session sent nonsense: %s", error);
		on_message(peer, &message);
	}
}

static void queue(struct relay_peer *peer, struct slice payload) {
	size_t at = (peer->first + peer->count) % RELAY_QUEUE_MAX;

	if (peer->count == RELAY_QUEUE_MAX)
		return;
	assert_true(payload.len <= sizeof(peer->queue[0]));
	memcpy(peer->queue[at], payload.data, payload.len);
	peer->lens[at] = payload.len;
	peer->count++;
	quic_server_wake(peer->relay->server, peer->conn);
}

static void on_datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	struct relay_peer *peer = user;
	struct relay *relay = peer->relay;
	struct proto_overlay overlay;

	(void)conn;
	(void)now;
	relay->datagrams++;
	assert_int_equal(proto_overlay_decode(payload, &overlay), 0);
	assert_int_equal(overlay.source_peer, peer->id);
	if (relay->echo) {
		uint8_t copy[1600];

		assert_true(payload.len <= sizeof(copy));
		memcpy(copy, payload.data, payload.len);
		base_put_u32(copy + 4, RELAY_GATEWAY_ID);
		queue(peer, slice_of(copy, payload.len));
	}
	for (size_t i = 0; i < RELAY_PEERS_MAX; i++) {
		if (&relay->peers[i] != peer && relay->peers[i].conn != NULL && relay->peers[i].joined)
			queue(&relay->peers[i], payload);
	}
}

static void on_closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	struct relay_peer *peer = user;

	(void)conn;
	(void)now;
	peer->relay->closed++;
	peer->relay->why = *why;
	peer->conn = NULL;
	peer->joined = false;
}

static void on_handshake_done(void *user, struct quic_conn *conn, uint64_t now) {
	(void)user;
	(void)conn;
	(void)now;
}

static bool on_next(void *user, struct slice *ret_payload, uint64_t now) {
	struct relay_peer *peer = user;

	(void)now;
	if (peer->count == 0)
		return false;
	*ret_payload = slice_of(peer->queue[peer->first], peer->lens[peer->first]);
	return true;
}

static void on_taken(void *user, bool sent, uint64_t now) {
	struct relay_peer *peer = user;

	(void)sent;
	(void)now;
	peer->first = (peer->first + 1) % RELAY_QUEUE_MAX;
	peer->count--;
}

static const struct quic_events events = {
    .handshake_done = on_handshake_done,
    .control = on_control,
    .datagram = on_datagram,
    .closed = on_closed,
    .next = on_next,
    .taken = on_taken,
};

static bool on_accept(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now) {
	struct relay *relay = user;

	(void)remote;
	(void)now;
	for (size_t i = 0; i < RELAY_PEERS_MAX; i++) {
		struct relay_peer *peer = &relay->peers[i];

		if (peer->conn != NULL)
			continue;
		*peer = (struct relay_peer){.relay = relay, .conn = conn, .id = ++relay->next_id};
		ctrl_stream_init(&peer->stream);
		quic_conn_set_user(conn, peer);
		return true;
	}
	return false;
}

static void make_identity(struct relay *relay) {
	static const char *const names[] = {"relay.test"};
	char error[QUIC_ERROR_BYTES] = "";

	/* 2026-01-01; the pin does not look at dates. */
	if (quic_identity_self_signed(names, 1, UINT64_C(1767225600) * BASE_SECOND, &relay->identity, error) != 0)
		fail_msg("identity: %s", error);
}

static void start(struct relay *relay) {
	struct quic_server_options options = {
	    .identity = relay->identity,
	    .limits = {.connections_max = relay->connections_max},
	    .events = &events,
	    .accept = on_accept,
	    .user = relay,
	};

	assert_int_equal(quic_server_new(&options, &relay->server), 0);
}

void relay_init(struct relay *relay) {
	memset(relay, 0, sizeof(*relay));
	make_identity(relay);
	start(relay);
}

void relay_done(struct relay *relay) {
	quic_server_free(relay->server);
	quic_identity_unref(relay->identity);
}

void relay_restart(struct relay *relay, bool new_identity) {
	quic_server_free(relay->server);
	memset(relay->peers, 0, sizeof(relay->peers));
	if (new_identity) {
		quic_identity_unref(relay->identity);
		make_identity(relay);
	}
	start(relay);
}

void relay_close_all(struct relay *relay, enum quic_app_code code, uint64_t now) {
	for (size_t i = 0; i < RELAY_PEERS_MAX; i++) {
		if (relay->peers[i].conn != NULL)
			quic_conn_shutdown(relay->peers[i].conn, code, "test", now);
	}
}

struct quic_trust *relay_trust(const struct relay *relay) {
	char error[QUIC_ERROR_BYTES] = "";
	struct quic_trust *trust = quic_trust_new();

	assert_non_null(trust);
	if (quic_trust_add_certificate(trust, quic_identity_der(relay->identity), error) != 0)
		fail_msg("trust: %s", error);
	return trust;
}
