#include "tests/relay/party.h"

#include "base/bytes.h"
#include "base/error.h"
#include "proto/overlay.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

const struct proto_mac party_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static int control_send(void *user, void *handle, struct slice bytes) {
	struct conn *conn = handle;
	struct slice json;

	(void)user;
	if (conn->deaf)
		return BASE_E_FULL;
	while (ctrl_stream_next(&conn->stream, &bytes, &json) > 0) {
		struct heard *heard = &conn->heard[conn->heard_count];
		char error[CTRL_ERROR_BYTES];

		assert_true(conn->heard_count++ < PARTY_HEARD);
		heard->seq = ++conn->party->seq;
		if (ctrl_message_parse(json, &heard->message, error) != 0)
			fail_msg("the relay sent something it would not parse: %s", error);
	}
	return 0;
}

static bool control_flushed(void *user, void *handle) {
	(void)user;
	return ((struct conn *)handle)->flushed;
}

static void close_conn(void *user, void *handle, enum quic_app_code code, const char *text, uint64_t now) {
	struct conn *conn = handle;

	(void)user;
	(void)now;
	assert_false(conn->close_asked);
	conn->close_asked = true;
	conn->closed_seq = ++conn->party->seq;
	conn->code = code;
	memcpy(conn->text, text, strlen(text) + 1);
}

static size_t budget(void *user, void *handle) {
	(void)user;
	return ((struct conn *)handle)->budget;
}

static bool budget_settled(void *user, void *handle, uint64_t now) {
	(void)user;
	(void)now;
	return ((struct conn *)handle)->settled;
}

static void wake(void *user, void *handle) {
	(void)user;
	((struct conn *)handle)->wakes++;
}

static void info(void *user, void *handle, struct relay_conn_info *ret) {
	(void)user;
	(void)handle;
	ret->rtt_ns = 20 * BASE_MS;
}

static const struct relay_transport transport = {
    control_send, control_flushed, close_conn, budget, budget_settled, wake, info};

static void log_sink(void *user, struct slice line) {
	struct party *party = user;

	if (party->log_len + line.len < sizeof(party->log_text)) {
		memcpy(party->log_text + party->log_len, line.data, line.len);
		party->log_len += line.len;
	}
}

static uint64_t wall_clock(void) {
	return 0;
}

static struct party *make(const struct relay_core_options *given, int level) {
	struct party *party = calloc(1, sizeof(*party));
	struct relay_core_options options = *given;

	assert_non_null(party);
	options.transport = &transport;
	options.transport_user = party;
	options.seed[0] = 1;
	options.seed[1] = 2;
	if (level >= 0)
		options.log = party->log = obs_log_new((enum obs_level)level, OBS_FORMAT_TEXT, log_sink, wall_clock, party);
	assert_int_equal(relay_core_new(&options, &party->core), 0);
	party->now = 1000 * BASE_SECOND;
	return party;
}

struct party *party_new(const struct relay_limits *limits) {
	struct relay_core_options options = {.limits = RELAY_LIMITS_DEFAULT};

	if (limits != NULL)
		options.limits = *limits;
	return make(&options, -1);
}

struct party *party_new_logged(enum obs_level level) {
	return make(&(struct relay_core_options){.limits = RELAY_LIMITS_DEFAULT}, (int)level);
}

struct party *party_new_with(const struct relay_core_options *options) {
	return make(options, -1);
}

struct party *party_new_open(void) {
	return make(&(struct relay_core_options){.limits = RELAY_LIMITS_DEFAULT, .unsafe_no_policy = true}, -1);
}

void party_free(struct party *party) {
	relay_core_free(party->core);
	obs_log_free(party->log);
	free(party);
}

struct conn *party_connect(struct party *party) {
	struct conn *conn = &party->conns[party->conn_count++];
	struct base_addr remote = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, (uint8_t)party->conn_count}, .port = 999};

	assert_true(party->conn_count <= PARTY_CONNS);
	if (party->one_address)
		remote.ip[3] = 200;
	*conn = (struct conn){.party = party, .budget = PARTY_BUDGET, .settled = true, .flushed = true};
	ctrl_stream_init(&conn->stream);
	conn->peer = relay_core_accept(party->core, conn, &remote, party->now);
	if (conn->peer != NULL)
		relay_core_connected(conn->peer, party->now);
	return conn;
}

void party_say_bytes(struct conn *conn, const void *bytes, size_t len, bool fin) {
	relay_core_control(conn->peer, slice_of(bytes, len), fin, conn->party->now);
}

void party_say_json(struct conn *conn, const char *json) {
	uint8_t buf[8192];
	size_t len = strlen(json);

	assert_true(len + CTRL_LENGTH_BYTES <= sizeof(buf));
	base_put_u32(buf, (uint32_t)len);
	memcpy(buf + CTRL_LENGTH_BYTES, json, len);
	party_say_bytes(conn, buf, CTRL_LENGTH_BYTES + len, false);
}

void party_say(struct conn *conn, const struct ctrl_message *message) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	char error[CTRL_ERROR_BYTES] = "";
	int len = ctrl_message_print(message, buf, sizeof(buf), error);

	if (len <= 0)
		fail_msg("message does not print: %s", error);
	party_say_bytes(conn, buf, (size_t)len, false);
}

void party_hang_up(struct conn *conn, enum ctrl_leave_reason reason) {
	relay_core_closed(conn->peer, reason, conn->party->now);
	conn->peer = NULL;
}

static void hang_up_closed(struct party *party) {
	for (size_t i = 0; i < party->conn_count; i++) {
		if (party->conns[i].close_asked && party->conns[i].peer != NULL)
			party_hang_up(&party->conns[i], CTRL_LEAVE_OTHER);
	}
}

void party_run(struct party *party, uint64_t ns) {
	uint64_t end = party->now + ns;

	for (;;) {
		uint64_t deadline;

		hang_up_closed(party);
		deadline = relay_core_deadline(party->core);
		if (deadline > end)
			break;
		if (deadline > party->now)
			party->now = deadline;
		relay_core_tick(party->core, party->now);
		/* Ticking at a deadline moves it, or the relay would spin. */
		assert_true(relay_core_deadline(party->core) > party->now);
	}
	party->now = end;
}

struct proto_mac party_mac(unsigned n) {
	return (struct proto_mac){{2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

struct ctrl_message party_hello(const char *room, enum ctrl_role role, unsigned mac, unsigned key) {
	struct ctrl_message message = {.type = CTRL_HELLO};

	message.hello.version = CTRL_PROTOCOL_VERSION;
	message.hello.role = role;
	memcpy(message.hello.room, room, strlen(room) + 1);
	if (role == CTRL_ROLE_CLIENT)
		message.hello.mac = party_mac(mac);
	message.hello.budget = PARTY_BUDGET;
	message.hello.has_seat_key = key != 0;
	memset(message.hello.seat_key, (int)key, CTRL_SEAT_KEY_BYTES);
	return message;
}

struct ctrl_message party_keyed_hello(const char *room, enum ctrl_role role, unsigned mac, uint8_t key) {
	struct ctrl_message message = party_hello(room, role, mac, 0);

	memset(message.hello.room_key, key, CTRL_KEY_CHECK_BYTES);
	if (key != 0)
		memset(message.hello.salt, (int)mac + 0x50, CTRL_SALT_BYTES);
	return message;
}

struct relay_room *party_room(const struct party *party, const char *room) {
	struct ctrl_message hello = party_hello(room, CTRL_ROLE_GATEWAY, 0, 0);

	return relay_room_find(party->core, &hello.hello);
}

struct conn *party_join(struct party *party, const char *room, unsigned mac, unsigned key) {
	struct conn *conn = party_connect(party);
	struct ctrl_message hello = party_hello(room, mac == 0 ? CTRL_ROLE_GATEWAY : CTRL_ROLE_CLIENT, mac, key);

	assert_non_null(conn->peer);
	party_say(conn, &hello);
	return conn;
}

const struct ctrl_message *party_heard(const struct conn *conn, size_t n, enum ctrl_type type) {
	if (n >= conn->heard_count)
		fail_msg("only %zu messages heard, wanted number %zu", conn->heard_count, n);
	assert_string_equal(ctrl_type_name(conn->heard[n].message.type), ctrl_type_name(type));
	return &conn->heard[n].message;
}

const struct heard *party_last(const struct conn *conn, enum ctrl_type type) {
	for (size_t n = conn->heard_count; n-- > 0;) {
		if (conn->heard[n].message.type == type)
			return &conn->heard[n];
	}
	return NULL;
}

void party_assert_rejected(struct conn *conn, enum ctrl_reject_code code, const char *label) {
	const struct heard *heard = party_last(conn, CTRL_REJECT);

	if (heard == NULL)
		fail_msg("%s: no reject", label);
	else if (heard->message.reject.code != code)
		fail_msg("%s: rejected with %s, expected %s", label, ctrl_reject_name(heard->message.reject.code),
		         ctrl_reject_name(code));
	else
		unit_assert_int(heard->message.reject.cid_byte != 0, code == CTRL_REJECT_WRONG_SHARD, label);
	unit_assert_true(party_last(conn, CTRL_WELCOME) == NULL, label);
	party_run(conn->party, RELAY_LINGER_NS);
	unit_assert_true(conn->close_asked, label);
	unit_assert_int(conn->code, QUIC_APP_REJECTED, label);
}

size_t party_datagram(uint8_t *buf, size_t cap, uint32_t source, struct proto_mac dst, struct proto_mac src,
                      size_t len) {
	uint8_t *frame = buf + PROTO_OVERLAY_HEADER_BYTES;

	assert_true(PROTO_OVERLAY_HEADER_BYTES + len <= cap && len >= 14);
	assert_int_equal(proto_overlay_encode_header(buf, source, len, cap), 0);
	memset(frame, 0, len);
	memcpy(frame, dst.b, 6);
	memcpy(frame + 6, src.b, 6);
	base_put_u16(frame + 12, 0x8137); /* IPX: nothing for the policy to look into */
	return PROTO_OVERLAY_HEADER_BYTES + len;
}

size_t party_sealed(uint8_t *buf, size_t cap, uint32_t source, struct proto_mac dst, struct proto_mac src, size_t len) {
	uint8_t frame[2048];
	size_t total = party_datagram(frame, sizeof(frame), source, dst, src, len) + PROTO_SEALED_BYTES;

	assert_true(total <= cap);
	memset(buf, 0, total);
	assert_int_equal(
	    proto_sealed_encode_clear(buf, source, slice_of(frame + PROTO_OVERLAY_HEADER_BYTES, len), 1, 1, cap), 0);
	return total;
}

void party_send(struct conn *conn, struct proto_mac dst, struct proto_mac src, size_t len) {
	uint8_t buf[2048];
	size_t total = party_datagram(buf, sizeof(buf), conn->peer->id, dst, src, len);

	relay_core_datagram(conn->peer, slice_of(buf, total), conn->party->now);
}

size_t party_drain(struct conn *conn) {
	struct slice payload;
	size_t count = 0;

	while (relay_core_next(conn->peer, &payload, conn->party->now)) {
		relay_core_taken(conn->peer, true, conn->party->now);
		count++;
	}
	return count;
}

uint64_t party_drops(const struct conn *conn, enum obs_drop drop) {
	return conn->peer->rx.drop[drop];
}

void party_assert_balance(struct party *party, const char *label) {
	const struct relay_totals *totals = &party->core->totals;
	uint64_t copies = totals->rx.value[OBS_FORWARDED_COPIES];
	uint64_t ended = totals->tx.value[OBS_TUNNEL_TX_DATAGRAMS] + obs_drops_total(&totals->tx);
	size_t queued = 0;

	unit_assert_int(totals->rx.value[OBS_TUNNEL_RX_DATAGRAMS], totals->forwarded + obs_drops_total(&totals->rx), label);
	for (size_t i = 0; i < party->conn_count; i++) {
		struct relay_peer *peer = party->conns[i].peer;

		if (peer == NULL || peer->state != RELAY_PEER_JOINED)
			continue;
		unit_assert_int(peer->rx.value[OBS_TUNNEL_RX_DATAGRAMS], peer->forwarded + obs_drops_total(&peer->rx), label);
		copies += peer->rx.value[OBS_FORWARDED_COPIES];
		ended += relay_peer_tx(peer)->value[OBS_TUNNEL_TX_DATAGRAMS] + obs_drops_total(relay_peer_tx(peer));
		queued += relay_peer_queued(peer);
	}
	unit_assert_int(copies, ended + queued, label);
	if (queued == 0)
		unit_assert_int(queue_pool_available(party->core->pool), party->core->limits.pool_frames, label);
}
