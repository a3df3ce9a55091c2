/* A shard with real QUIC clients on an in-memory wire: what the glue adds to the core, which has its own tests. */
#include "relay/shard.h"

#include "base/bytes.h"
#include "base/error.h"
#include "ctrl/stream.h"
#include "proto/overlay.h"
#include "quic/internal.h"
#include "relay/internal.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 3
#define HEARD 32

struct client {
	struct quic_conn *conn;
	struct base_path path;
	struct ctrl_hello hello;
	bool connected, closed;
	struct quic_close why;
	struct ctrl_stream stream;
	struct ctrl_message heard[HEARD];
	size_t heard_count;
	uint8_t out[1500]; /* one datagram to send; 0 bytes: none */
	size_t out_len;
	uint8_t in[1500]; /* the last one received */
	size_t in_len;
	bool unplugged;
};

struct wire {
	struct relay_shard *shard;
	struct quic_identity *identity;
	struct quic_trust *trust;
	struct base_addr relay;
	uint64_t now;
	struct client clients[CLIENTS];
};

static void say(struct client *client, const struct ctrl_message *message) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	char error[CTRL_ERROR_BYTES] = "";
	int len = ctrl_message_print(message, buf, sizeof(buf), error);

	assert_true(len > 0);
	assert_int_equal(quic_conn_control_send(client->conn, slice_of(buf, (size_t)len)), 0);
}

static void on_handshake_done(void *user, struct quic_conn *conn, uint64_t now) {
	struct client *client = user;
	struct ctrl_message message = {.type = CTRL_HELLO, .hello = client->hello};

	(void)conn;
	(void)now;
	client->connected = true;
	if (client->hello.version != 0)
		say(client, &message);
}

static void on_control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	struct client *client = user;
	char error[CTRL_ERROR_BYTES];
	struct slice json;

	(void)conn;
	(void)fin;
	(void)now;
	while (ctrl_stream_next(&client->stream, &bytes, &json) > 0) {
		assert_true(client->heard_count < HEARD);
		assert_int_equal(ctrl_message_parse(json, &client->heard[client->heard_count++], error), 0);
	}
}

static void on_datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	struct client *client = user;

	(void)conn;
	(void)now;
	assert_true(payload.len <= sizeof(client->in));
	memcpy(client->in, payload.data, payload.len);
	client->in_len = payload.len;
}

static void on_closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	struct client *client = user;

	(void)conn;
	(void)now;
	client->closed = true;
	client->why = *why;
}

static bool on_next(void *user, struct slice *ret_payload, uint64_t now) {
	struct client *client = user;

	(void)now;
	*ret_payload = slice_of(client->out, client->out_len);
	return client->out_len > 0;
}

static void on_taken(void *user, bool sent, uint64_t now) {
	struct client *client = user;

	(void)now;
	assert_true(sent);
	client->out_len = 0;
}

static const struct quic_events events = {
    .handshake_done = on_handshake_done,
    .control = on_control,
    .datagram = on_datagram,
    .closed = on_closed,
    .next = on_next,
    .taken = on_taken,
};

static struct quic_identity *new_identity(void) {
	static const char *const names[] = {"relay.test"};
	struct quic_identity *identity = NULL;
	char error[QUIC_ERROR_BYTES];

	assert_int_equal(quic_identity_self_signed(names, 1, UINT64_C(1790000000) * BASE_SECOND, &identity, error), 0);
	return identity;
}

static struct wire *wire_new(const struct quic_server_limits *quic_limits) {
	struct relay_shard_options options = {.limits = RELAY_LIMITS_DEFAULT, .seed = {1, 2}};
	struct wire *wire = calloc(1, sizeof(*wire));
	char error[QUIC_ERROR_BYTES];

	assert_non_null(wire);
	wire->now = 1000 * BASE_SECOND;
	wire->relay = (struct base_addr){.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443};
	wire->identity = new_identity();
	wire->trust = quic_trust_new();
	assert_int_equal(quic_trust_add_certificate(wire->trust, quic_identity_der(wire->identity), error), 0);
	options.identity = wire->identity;
	if (quic_limits != NULL)
		options.quic_limits = *quic_limits;
	assert_int_equal(relay_shard_new(&options, &wire->shard), 0);
	return wire;
}

static void wire_free(struct wire *wire) {
	for (size_t i = 0; i < CLIENTS; i++)
		quic_conn_free(wire->clients[i].conn);
	relay_shard_free(wire->shard);
	quic_trust_unref(wire->trust);
	quic_identity_unref(wire->identity);
	free(wire);
}

static struct client *connect_client(struct wire *wire, size_t index, const char *room) {
	struct client *client = &wire->clients[index];
	struct quic_client_options options = {
	    .server_name = "relay.test", .trust = wire->trust, .events = &events, .user = client};

	client->path.local =
	    (struct base_addr){.family = BASE_FAMILY_V4, .ip = {192, 0, 2, (uint8_t)(10 + index)}, .port = 5};
	client->path.remote = wire->relay;
	ctrl_stream_init(&client->stream);
	if (room != NULL) {
		client->hello.version = CTRL_PROTOCOL_VERSION;
		client->hello.role = CTRL_ROLE_CLIENT;
		memcpy(client->hello.room, room, strlen(room) + 1);
		client->hello.mac = (struct proto_mac){{2, 0, 0, 0, 0, (uint8_t)(1 + index)}};
		client->hello.budget = 1440;
	}
	options.path = client->path;
	assert_int_equal(quic_client_new(&options, wire->now, &client->conn), 0);
	return client;
}

static bool carry_to_shard(struct wire *wire, struct client *client) {
	uint8_t buf[QUIC_BURST_BYTES];
	struct quic_burst burst;
	bool moved = false;

	while (client->conn != NULL && quic_conn_write(client->conn, buf, sizeof(buf), &burst, wire->now) == 1) {
		struct base_path path = {.local = wire->relay, .remote = client->path.local};

		moved = true;
		for (size_t at = 0; at < burst.len && !client->unplugged; at += burst.segment) {
			size_t len = burst.len - at < burst.segment ? burst.len - at : burst.segment;

			relay_shard_recv(wire->shard, &path, burst.ecn, slice_of(buf + at, len), wire->now);
		}
	}
	return moved;
}

static bool carry_from_shard(struct wire *wire) {
	uint8_t buf[QUIC_BURST_BYTES];
	struct quic_burst burst;
	bool moved = false;

	while (relay_shard_write(wire->shard, buf, sizeof(buf), &burst, wire->now) == 1) {
		struct client *client = &wire->clients[burst.path.remote.ip[3] - 10];

		moved = true;
		for (size_t at = 0; at < burst.len && client->conn != NULL && !client->unplugged; at += burst.segment) {
			size_t len = burst.len - at < burst.segment ? burst.len - at : burst.segment;

			quic_conn_recv(client->conn, &client->path, burst.ecn, slice_of(buf + at, len), wire->now);
		}
	}
	return moved;
}

static void run(struct wire *wire, uint64_t ns) {
	uint64_t end = wire->now + ns;

	for (;;) {
		uint64_t deadline;

		for (bool moved = true; moved;) {
			moved = carry_from_shard(wire);
			for (size_t i = 0; i < CLIENTS; i++)
				moved |= carry_to_shard(wire, &wire->clients[i]);
		}
		deadline = relay_shard_deadline(wire->shard);
		for (size_t i = 0; i < CLIENTS; i++) {
			if (wire->clients[i].conn != NULL)
				deadline = base_time_min(deadline, quic_conn_deadline(wire->clients[i].conn));
		}
		if (deadline > end)
			break;
		/* The wire takes time, so that no answer comes before its question. */
		wire->now = deadline > wire->now ? deadline : wire->now + BASE_US;
		relay_shard_tick(wire->shard, wire->now);
		for (size_t i = 0; i < CLIENTS; i++) {
			if (wire->clients[i].conn != NULL && quic_conn_deadline(wire->clients[i].conn) <= wire->now)
				quic_conn_tick(wire->clients[i].conn, wire->now);
		}
	}
	wire->now = end;
}

static void send_frame(struct client *client, uint32_t id, const uint8_t dst[static 6], size_t frame_len) {
	assert_int_equal(proto_overlay_encode_header(client->out, id, frame_len, sizeof(client->out)), 0);
	memset(client->out + 8, 0, frame_len);
	memcpy(client->out + 8, dst, 6);
	memcpy(client->out + 14, client->hello.mac.b, 6);
	base_put_u16(client->out + 20, 0x8137);
	client->out_len = 8 + frame_len;
}

static void test_join_and_exchange_frames(void **state) {
	struct wire *wire = wire_new(NULL);
	struct client *a = connect_client(wire, 0, "R");
	struct client *b;
	json_t *json;
	char *text;

	(void)state;
	run(wire, 2 * BASE_SECOND);
	assert_true(a->connected);
	assert_int_equal(a->heard[0].type, CTRL_WELCOME);
	assert_int_equal(a->heard[0].welcome.mtu, 1344);
	b = connect_client(wire, 1, "R");
	run(wire, 2 * BASE_SECOND);
	assert_int_equal(a->heard[1].type, CTRL_PEER_JOINED);
	assert_int_equal(b->heard[0].welcome.peer_id, 2);
	assert_int_equal(b->heard[1].peer_joined.peer_id, 1);
	send_frame(a, 1, b->hello.mac.b, 1358);
	run(wire, 100 * BASE_MS);
	assert_int_equal(b->in_len, 1366);
	send_frame(b, 2, (const uint8_t[]){255, 255, 255, 255, 255, 255}, 60);
	run(wire, 100 * BASE_MS);
	assert_int_equal(a->in_len, 68);
	relay_shard_stray(wire->shard, true);
	relay_shard_stray(wire->shard, false);
	assert_int_equal(relay_shard_snapshot(wire->shard, wire->now, &json), 1);
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	assert_non_null(strstr(text, "\"accepted\":2"));
	assert_non_null(strstr(text, "\"shard\":0"));
	assert_non_null(strstr(text, "\"strays\":2,\"strays_lost\":1"));
	assert_non_null(strstr(text, "192.0.2.11"));
	free(text);
	quic_conn_shutdown(b->conn, QUIC_APP_DONE, "", wire->now);
	run(wire, 100 * BASE_MS);
	assert_int_equal(a->heard[2].type, CTRL_PEER_LEFT);
	assert_int_equal(a->heard[2].peer_left.reason, CTRL_LEAVE_QUIT);
	wire_free(wire);
}

/* Error 0 of QUIC itself looks like code 0 of the application, and says nothing about the peer's owner. */
static void test_close_of_quic_is_no_quit(void **state) {
	struct wire *wire = wire_new(NULL);
	struct client *a = connect_client(wire, 0, "R"), *b;

	(void)state;
	run(wire, 2 * BASE_SECOND);
	b = connect_client(wire, 1, "R");
	run(wire, 2 * BASE_SECOND);
	quic_conn_clock(b->conn, wire->now);
	quic_close_transport(b->conn, QUIC_CLOSED_BY_US, NGTCP2_NO_ERROR, "");
	run(wire, 100 * BASE_MS);
	assert_int_equal(a->heard[2].type, CTRL_PEER_LEFT);
	assert_int_equal(a->heard[2].peer_left.reason, CTRL_LEAVE_CONNECTION_LOST);
	assert_int_equal(relay_shard_core(wire->shard)->totals.left[CTRL_LEAVE_QUIT], 0);
	wire_free(wire);
}

static void test_reject_arrives_before_the_close(void **state) {
	struct wire *wire = wire_new(NULL);
	struct client *a = connect_client(wire, 0, "R");
	struct client *twin = connect_client(wire, 1, "R");

	(void)state;
	twin->hello.mac = a->hello.mac;
	run(wire, 5 * BASE_SECOND);
	assert_int_equal(a->heard[0].type == CTRL_WELCOME, twin->heard[0].type != CTRL_WELCOME);
	if (a->heard[0].type == CTRL_WELCOME)
		a = twin;
	assert_int_equal(a->heard[0].reject.code, CTRL_REJECT_DUPLICATE_MAC);
	assert_true(a->closed);
	assert_int_equal(a->why.kind, QUIC_CLOSED_BY_PEER);
	assert_int_equal(a->why.code, QUIC_APP_REJECTED);
	wire_free(wire);
}

static void test_silent_connection_is_closed(void **state) {
	struct wire *wire = wire_new(NULL);
	struct client *silent = connect_client(wire, 0, NULL);

	(void)state;
	run(wire, 4 * BASE_SECOND);
	assert_true(silent->connected && !silent->closed);
	run(wire, 2 * BASE_SECOND);
	assert_true(silent->closed);
	assert_int_equal(silent->why.code, QUIC_APP_HELLO_TIMEOUT);
	assert_true(relay_shard_is_drained(wire->shard));
	wire_free(wire);
}

static void test_vanished_peer_times_out(void **state) {
	struct wire *wire = wire_new(NULL);
	struct client *a = connect_client(wire, 0, "R");
	struct client *b = connect_client(wire, 1, "R");

	(void)state;
	run(wire, 3 * BASE_SECOND);
	assert_int_equal(relay_shard_core(wire->shard)->totals.joined, 2);
	b->unplugged = true;
	run(wire, 60 * BASE_SECOND);
	assert_int_equal(a->heard[a->heard_count - 1].type, CTRL_PEER_LEFT);
	assert_int_equal(a->heard[a->heard_count - 1].peer_left.reason, CTRL_LEAVE_TIMEOUT);
	wire_free(wire);
}

static void test_takeover_closes_the_old_connection(void **state) {
	struct wire *wire = wire_new(NULL);
	struct client *a = connect_client(wire, 0, "R");
	struct client *again;

	(void)state;
	a->hello.has_seat_key = true;
	memset(a->hello.seat_key, 9, CTRL_SEAT_KEY_BYTES);
	run(wire, 3 * BASE_SECOND);
	again = connect_client(wire, 1, "R");
	again->hello = a->hello;
	run(wire, 3 * BASE_SECOND);
	assert_true(a->closed);
	assert_int_equal(a->why.code, QUIC_APP_REPLACED);
	assert_int_equal(again->heard[0].welcome.peer_id, 2);
	wire_free(wire);
}

static void test_shutdown_drains(void **state) {
	struct wire *wire = wire_new(NULL);
	struct client *a = connect_client(wire, 0, "R");

	(void)state;
	run(wire, 3 * BASE_SECOND);
	relay_shard_shutdown(wire->shard, wire->now);
	run(wire, BASE_SECOND);
	assert_int_equal(a->heard[1].type, CTRL_DISCONNECT);
	assert_int_equal(a->heard[1].disconnect.reason, CTRL_LEAVE_SHUTDOWN);
	assert_true(a->closed);
	assert_int_equal(a->why.code, QUIC_APP_SHUTDOWN);
	assert_true(relay_shard_is_drained(wire->shard));
	/* Nobody comes in any more. */
	connect_client(wire, 1, "R");
	run(wire, 3 * BASE_SECOND);
	assert_int_equal(wire->clients[1].heard_count, 0);
	wire_free(wire);
}

/* A new certificate is for new connections; who is in stays in. */
static void test_identity_changes_under_way(void **state) {
	struct wire *wire = wire_new(NULL);
	struct quic_identity *other = new_identity();
	struct client *a = connect_client(wire, 0, "R");
	struct client *b;

	(void)state;
	run(wire, 3 * BASE_SECOND);
	relay_shard_set_identity(wire->shard, other);
	quic_identity_unref(other);
	b = connect_client(wire, 1, "R");
	run(wire, 3 * BASE_SECOND);
	assert_true(b->closed);
	assert_int_equal(b->why.kind, QUIC_CLOSED_TLS);
	assert_false(a->closed);
	send_frame(a, 1, (const uint8_t[]){255, 255, 255, 255, 255, 255}, 60);
	run(wire, 100 * BASE_MS);
	assert_int_equal(a->out_len, 0);
	wire_free(wire);
}

static void test_bad_limits(void **state) {
	struct relay_shard_options options = {.limits = RELAY_LIMITS_DEFAULT};
	struct relay_shard *shard = NULL;

	(void)state;
	options.identity = new_identity();
	options.limits.peers_max = 0;
	assert_int_equal(relay_shard_new(&options, &shard), BASE_E_INVALID);
	assert_null(shard);
	quic_identity_unref(options.identity);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_join_and_exchange_frames),
	    cmocka_unit_test(test_close_of_quic_is_no_quit),
	    cmocka_unit_test(test_reject_arrives_before_the_close),
	    cmocka_unit_test(test_silent_connection_is_closed),
	    cmocka_unit_test(test_vanished_peer_times_out),
	    cmocka_unit_test(test_takeover_closes_the_old_connection),
	    cmocka_unit_test(test_shutdown_drains),
	    cmocka_unit_test(test_identity_changes_under_way),
	    cmocka_unit_test(test_bad_limits),
	};
	int result;

	if (quic_global_init() != 0)
		return 1;
	result = cmocka_run_group_tests_name("relay/shard", tests, NULL, NULL);
	quic_global_done();
	return result;
}
