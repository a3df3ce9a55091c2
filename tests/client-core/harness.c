#include "tests/client-core/harness.h"

#include "base/bytes.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

const uint8_t harness_mac[6] = {2, 0, 0, 0, 0, 1};
const struct base_addr harness_addrs[3] = {
    {.family = BASE_FAMILY_V6, .ip = {0x20, 1, 0x0d, 0xb8, [15] = 1}, .port = 443},
    {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443},
    {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 2}, .port = 443},
};

static void on_resolve(void *user, uint64_t now) {
	struct harness *h = user;

	h->resolves++;
	if (h->resolve_at_once)
		client_session_addresses(h->session, harness_addrs, 1, now);
}

static int on_open(void *user, const struct base_addr *remote, uint8_t steer_byte, uint64_t now) {
	struct harness *h = user;

	(void)now;
	h->opens++;
	h->opened = *remote;
	h->steer_byte = steer_byte;
	return h->open_result;
}

static void on_close(void *user, unsigned code, const char *text, uint64_t now) {
	struct harness *h = user;

	(void)now;
	h->closes++;
	h->close_code = code;
	snprintf(h->close_text, sizeof(h->close_text), "%s", text);
}

static int on_control_send(void *user, struct slice bytes, uint64_t now) {
	struct harness *h = user;

	(void)now;
	if (h->control_result != 0)
		return h->control_result;
	assert_true(h->sent_len + bytes.len <= sizeof(h->sent));
	memcpy(h->sent + h->sent_len, bytes.data, bytes.len);
	h->sent_len += bytes.len;
	return 0;
}

static bool on_flushed(void *user) {
	return ((struct harness *)user)->flushed;
}

static size_t on_budget(void *user) {
	return ((struct harness *)user)->budget;
}

static bool on_settled(void *user, uint64_t now) {
	(void)now;
	return ((struct harness *)user)->settled;
}

static uint64_t on_rtt(void *user) {
	(void)user;
	return 20 * BASE_MS;
}

static void on_wake(void *user) {
	((struct harness *)user)->wakes++;
}

static const struct client_transport transport = {
    .resolve = on_resolve,
    .open = on_open,
    .close = on_close,
    .control_send = on_control_send,
    .control_flushed = on_flushed,
    .budget = on_budget,
    .budget_settled = on_settled,
    .rtt_ns = on_rtt,
    .wake = on_wake,
};

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	(void)now;
	assert_true(welcome->peer_id != 0);
	((struct harness *)user)->joins++;
}

static void on_peer_joined(void *user, const struct client_peer *peer, uint64_t now) {
	struct harness *h = user;

	(void)now;
	h->peers_joined++;
	h->peer = *peer;
}

static void on_peer_left(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	struct harness *h = user;

	(void)now;
	h->peers_left++;
	h->peer = *peer;
	h->reason = reason;
}

static void on_gateway(void *user, uint64_t now) {
	struct harness *h = user;

	(void)now;
	assert_int_equal(client_session_state(h->session), CLIENT_JOINED);
	h->gateway_news++;
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct harness *h = user;

	(void)now;
	assert_true(frame.len <= sizeof(h->frame));
	h->frames++;
	h->frame_source = source_peer;
	h->frame_len = frame.len;
	memcpy(h->frame, frame.data, frame.len);
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct harness *h = user;

	(void)now;
	assert_true(client_session_state(h->session) != CLIENT_JOINED);
	h->losses++;
	snprintf(h->why, sizeof(h->why), "%s", why);
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct harness *h = user;

	(void)now;
	h->ends++;
	h->status = status;
	snprintf(h->why, sizeof(h->why), "%s", why);
}

static const struct client_events events = {
    .joined = on_joined,
    .peer_joined = on_peer_joined,
    .peer_left = on_peer_left,
    .gateway = on_gateway,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

static void on_line(void *user, struct slice line) {
	struct harness *h = user;

	if (h->lines_len + line.len < sizeof(h->lines)) {
		memcpy(h->lines + h->lines_len, line.data, line.len);
		h->lines_len += line.len;
		h->lines[h->lines_len] = '\0';
	}
}

static uint64_t wall_clock(void) {
	return 0;
}

void harness_init(struct harness *h) {
	memset(h, 0, sizeof(*h));
	h->log = obs_log_new(OBS_TRACE, OBS_FORMAT_TEXT, on_line, wall_clock, h);
	assert_non_null(h->log);
	h->config = (struct client_config){
	    .role = CTRL_ROLE_CLIENT,
	    .room = "ROOM1",
	    .name = "box",
	    .mac = proto_mac_of(harness_mac),
	    .seat_key = {1, 2, 3},
	    .retry = true,
	    .seed = 1,
	    .log = h->log,
	};
	h->now = 1000 * BASE_SECOND;
	h->budget = 1440;
	h->settled = true;
}

void harness_done(struct harness *h) {
	client_session_free(h->session);
	obs_log_free(h->log);
}

void harness_reset(struct harness *h) {
	harness_done(h);
	harness_init(h);
}

void harness_start(struct harness *h) {
	assert_int_equal(client_session_new(&h->config, &transport, h, &events, h, &h->session), 0);
	assert_int_equal(client_session_state(h->session), CLIENT_IDLE);
	client_session_start(h->session, h->now);
}

void harness_run(struct harness *h, uint64_t ns) {
	uint64_t end = h->now + ns;

	for (size_t turns = 0; client_session_deadline(h->session) <= end; turns++) {
		uint64_t deadline = client_session_deadline(h->session);

		assert_true(turns < 100000);
		if (deadline > h->now)
			h->now = deadline;
		client_session_tick(h->session, h->now);
	}
	h->now = end;
}

void harness_hello(struct harness *h) {
	struct ctrl_message message;

	if (client_session_state(h->session) == CLIENT_RESOLVING)
		client_session_addresses(h->session, harness_addrs, 1, h->now);
	assert_int_equal(client_session_state(h->session), CLIENT_CONNECTING);
	client_session_connected(h->session, h->now);
	assert_int_equal(client_session_state(h->session), CLIENT_JOINING);
	assert_true(harness_sent(h, &message));
	assert_int_equal(message.type, CTRL_HELLO);
}

void harness_join(struct harness *h) {
	struct ctrl_message message = {
	    .type = CTRL_WELCOME,
	    .welcome = {.version = CTRL_PROTOCOL_VERSION, .peer_id = 7, .mtu = 1400},
	};

	harness_hello(h);
	harness_say(h, &message);
	assert_int_equal(client_session_state(h->session), CLIENT_JOINED);
}

void harness_say(struct harness *h, const struct ctrl_message *message) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	char error[CTRL_ERROR_BYTES] = "";
	int len = ctrl_message_print(message, buf, sizeof(buf), error);

	if (len < 0)
		fail_msg("the test's own message: %s", error);
	client_session_control(h->session, slice_of(buf, (size_t)len), false, h->now);
}

void harness_say_json(struct harness *h, const char *json) {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	size_t len = strlen(json);

	base_put_u32(buf, (uint32_t)len);
	memcpy(buf + CTRL_LENGTH_BYTES, json, len);
	client_session_control(h->session, slice_of(buf, CTRL_LENGTH_BYTES + len), false, h->now);
}

void harness_peer_joined(struct harness *h, uint32_t id, enum ctrl_role role, uint8_t last_octet) {
	struct ctrl_message message = {.type = CTRL_PEER_JOINED, .peer_joined = {.peer_id = id, .role = role}};

	if (role == CTRL_ROLE_CLIENT)
		message.peer_joined.mac = (struct proto_mac){{2, 0, 0, 0, 0, last_octet}};
	harness_say(h, &message);
}

bool harness_sent(struct harness *h, struct ctrl_message *ret) {
	struct ctrl_stream stream;
	struct slice bytes = slice_of(h->sent, h->sent_len);
	char error[CTRL_ERROR_BYTES] = "";
	struct slice json;

	ctrl_stream_init(&stream);
	if (ctrl_stream_next(&stream, &bytes, &json) != 1)
		return false;
	if (ctrl_message_parse(json, ret, error) != 0)
		fail_msg("the session sent nonsense: %s", error);
	memmove(h->sent, bytes.data, bytes.len);
	h->sent_len = bytes.len;
	return true;
}

bool harness_logged(const struct harness *h, const char *text) {
	return strstr(h->lines, text) != NULL;
}

struct slice harness_frame(uint8_t *buf, uint8_t dst, uint8_t src, size_t len) {
	assert_true(len >= 14);
	memset(buf, 0, len);
	memcpy(buf, (uint8_t[]){2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5}, 14); /* local experimental type */
	return slice_of(buf, len);
}
