/* A whole life of a session under a hostile relay, a bad network and an impatient owner, as a script of bytes: an
 * operation, its argument, for some a text. After each operation what must always hold is checked.
 *
 *   'c' n text   n control bytes from the relay       'C' n text  the same as one whole message
 *   'd' n text   a datagram                           'w' k       the k-th of the canned messages below
 *   't' n        n * 8 ms pass                        'T' n       n * 1 s pass
 *   'l' n        the connection is lost, reason n     'k' n       connected, with a budget of n * 16
 *   'a' n        n % 4 addresses (0: no such name)    's' n       the device sends a frame of n * 8 bytes
 *   'o' n        the relay takes up to n datagrams    'q' n       the owner leaves
 *   'f' n        the control stream fails (n odd) or works
 * Anything else is skipped. */
#include "base/bytes.h"
#include "base/error.h"
#include "client-core/session_internal.h"
#include "queue/egress.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)   \
	do {                  \
		if (!(condition)) \
			abort();      \
	} while (0)

static const char *const canned[] = {
    ("{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":7,\"mtu\":1400,\"gateway\":true,"
     "\"gateway_peer_id\":4}"),
    "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":8,\"mtu\":576,\"gateway\":false}",
    "{\"type\":\"peer_joined\",\"peer_id\":9,\"role\":\"client\",\"mac\":\"02:00:00:00:00:09\"}",
    "{\"type\":\"peer_joined\",\"peer_id\":4,\"role\":\"gateway\",\"name\":\"lan\"}",
    "{\"type\":\"peer_left\",\"peer_id\":9,\"reason\":\"timeout\"}",
    "{\"type\":\"peer_left\",\"peer_id\":4,\"reason\":\"quit\"}",
    "{\"type\":\"reject\",\"code\":\"room_full\",\"text\":\"no\"}",
    "{\"type\":\"reject\",\"code\":\"bad_hello\",\"text\":\"no\"}",
    "{\"type\":\"disconnect\",\"reason\":\"shutdown\"}",
    "{\"type\":\"disconnect\",\"reason\":\"replaced\"}",
    "{\"type\":\"tomorrow\",\"x\":[1,{}]}",
    "{\"type\":\"reject\",\"code\":\"wrong_shard\",\"cid_byte\":7}",
    "{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":7,\"mtu\":1376,\"gateway\":false,\"sealed\":"
    "true}",
    ("{\"type\":\"peer_joined\",\"peer_id\":4,\"role\":\"gateway\","
     "\"salt\":\"000102030405060708090a0b0c0d0e0f\"}"),
};

struct world {
	struct client_session *session;
	uint64_t now;
	size_t budget;
	bool open, control_fails;
	size_t joins, losses, ends, peers, frames, sends;
};

static void on_resolve(void *user, uint64_t now) {
	(void)now;
	MUST(!((struct world *)user)->open);
}

static int on_open(void *user, const struct base_addr *remote, uint8_t steer_byte, uint64_t now) {
	struct world *world = user;

	(void)steer_byte;
	(void)now;
	MUST(!world->open && remote->family == BASE_FAMILY_V4);
	if (remote->port == 2)
		return BASE_E_IO;
	world->open = true;
	return 0;
}

static void on_close(void *user, unsigned code, const char *text, uint64_t now) {
	struct world *world = user;

	(void)code;
	(void)now;
	MUST(world->open && strlen(text) < 1000);
	world->open = false;
}

static int on_control_send(void *user, struct slice bytes, uint64_t now) {
	struct world *world = user;

	(void)now;
	MUST(world->open && bytes.len > CTRL_LENGTH_BYTES && base_get_u32(bytes.data) == bytes.len - CTRL_LENGTH_BYTES);
	return world->control_fails ? BASE_E_FULL : 0;
}

static bool on_flushed(void *user) {
	return !((struct world *)user)->control_fails;
}

static size_t on_budget(void *user) {
	return ((struct world *)user)->budget;
}

static bool on_settled(void *user, uint64_t now) {
	(void)now;
	return ((struct world *)user)->budget % 32 == 0;
}

static uint64_t on_rtt(void *user) {
	return ((struct world *)user)->now % BASE_SECOND;
}

static void on_wake(void *user) {
	MUST(((struct world *)user)->open);
}

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct world *world = user;

	(void)now;
	MUST(world->open && welcome->peer_id != 0);
	world->joins++;
	world->peers = 0;
}

static void on_peer_joined(void *user, const struct client_peer *peer, uint64_t now) {
	struct world *world = user;

	(void)now;
	MUST(peer->id != 0 && client_session_peer(world->session, peer->id) == peer);
	world->peers++;
}

static void on_peer_left(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	struct world *world = user;

	(void)reason;
	(void)now;
	MUST(client_session_peer(world->session, peer->id) == NULL);
	MUST(!peer->identity_known || world->peers-- > 0);
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct world *world = user;

	(void)now;
	MUST(source_peer != 0 && frame.len >= 14 && client_session_state(world->session) == CLIENT_JOINED);
	world->frames++;
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct world *world = user;

	(void)now;
	MUST(strlen(why) < 1000 && !world->open);
	world->losses++;
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct world *world = user;

	(void)now;
	MUST(why[0] != '\0' && (status == CLIENT_EXIT_OK) == (client_session_state(world->session) == CLIENT_CLOSED));
	world->ends++;
}

/* --- a cipher that does nothing, and fails as its bytes say --- */

static int on_begin(void *user, enum ctrl_role role, struct proto_mac mac, uint8_t ret_salt[static CTRL_SALT_BYTES]) {
	MUST(user != NULL && role == CTRL_ROLE_CLIENT && mac.b[5] == 1);
	memset(ret_salt, 5, CTRL_SALT_BYTES);
	return 0;
}

static int on_seal(void *user, uint32_t source_peer, struct slice frame, uint16_t flow, size_t budget, uint8_t *dest) {
	int err = proto_sealed_encode_clear(dest, source_peer, frame, flow, 1, budget);

	MUST(user != NULL);
	if (err == 0)
		memset(dest + PROTO_SEALED_CLEAR_BYTES, 0, frame.len - 14 + PROTO_SEALED_TAG_BYTES);
	return err;
}

static int on_cipher_peer(void *user, const struct ctrl_peer *told, void **ret_peer) {
	MUST(user != NULL);
	if (told->salt[0] == 7)
		return BASE_E_NOMEM;
	*ret_peer = malloc(1); /* so that a peer that is forgotten twice, or never, is seen */
	return *ret_peer != NULL ? 0 : BASE_E_NOMEM;
}

static void on_cipher_peer_free(void *user, void *peer) {
	MUST(user != NULL);
	free(peer);
}

static int on_open_frame(void *user, void *peer, const struct proto_sealed *sealed, uint8_t *dest) {
	static const int results[] = {0, BASE_E_EXISTS, BASE_E_INVALID, BASE_E_NOMEM};

	MUST(user != NULL && peer != NULL);
	memset(dest, 0, sealed->frame_len);
	return results[sealed->counter % 4];
}

static const struct client_cipher cipher = {on_begin, on_seal, on_cipher_peer, on_cipher_peer_free, on_open_frame};

static const struct client_transport transport = {on_resolve, on_open,    on_close, on_control_send, on_flushed,
                                                  on_budget,  on_settled, on_rtt,   on_wake};
static const struct client_events events = {.joined = on_joined,
                                            .peer_joined = on_peer_joined,
                                            .peer_left = on_peer_left,
                                            .frame = on_frame,
                                            .lost = on_lost,
                                            .ended = on_ended};

static void check(const struct world *world) {
	struct client_session *session = world->session;
	enum client_state state = client_session_state(session);
	const struct obs_counters *counters = client_session_counters(session);
	bool over = state == CLIENT_CLOSED || state == CLIENT_FAILED;
	uint64_t queued = queue_egress_frames(session->egress);

	MUST(world->ends == (over ? 1 : 0));
	MUST(!over || (!world->open && client_session_deadline(session) == BASE_NEVER));
	MUST((client_session_welcome(session) != NULL) == (state == CLIENT_JOINED));
	/* A leave ends a joined life without a loss. */
	MUST(world->joins >= world->losses && world->joins - world->losses <= 1);
	MUST(state != CLIENT_JOINED || world->joins == world->losses + 1);
	MUST(state == CLIENT_JOINED || queued == 0);
	MUST(world->open == (state == CLIENT_CONNECTING || state == CLIENT_SETTLING || state == CLIENT_JOINING ||
	                     state == CLIENT_JOINED || state == CLIENT_LEAVING));
	/* in = out + drops + waiting */
	MUST(counters->value[OBS_TUNNEL_RX_DATAGRAMS] + world->sends ==
	     world->frames + counters->value[OBS_TUNNEL_TX_DATAGRAMS] + obs_drops_total(counters) + queued);
}

static void pass_time(struct world *world, uint64_t ns) {
	uint64_t end = world->now + ns;

	while (client_session_deadline(world->session) <= end) {
		uint64_t deadline = client_session_deadline(world->session);

		world->now = deadline > world->now ? deadline : world->now;
		client_session_tick(world->session, world->now);
		MUST(client_session_deadline(world->session) > world->now); /* no busy loop */
		check(world);
	}
	world->now = end;
}

static void whole_message(struct world *world, struct slice json) {
	uint8_t buf[CTRL_LENGTH_BYTES + 512];

	MUST(json.len <= 512);
	base_put_u32(buf, (uint32_t)json.len);
	if (json.len > 0)
		memcpy(buf + CTRL_LENGTH_BYTES, json.data, json.len);
	if (world->open)
		client_session_control(world->session, slice_of(buf, CTRL_LENGTH_BYTES + json.len), false, world->now);
}

static void resolved(struct world *world, size_t count) {
	static const struct base_addr addrs[3] = {{.family = BASE_FAMILY_V4, .port = 1},
	                                          {.family = BASE_FAMILY_V4, .port = 2},
	                                          {.family = BASE_FAMILY_V4, .port = 3}};

	if (count == 0)
		client_session_resolve_failed(world->session, "no such name", world->now);
	else
		client_session_addresses(world->session, addrs, count, world->now);
}

static void send_frame(struct world *world, size_t len) {
	uint8_t frame[2048] = {2};

	world->sends++;
	MUST(client_session_send(world->session, slice_of(frame, len), world->now) >= 0);
}

static void take_datagrams(struct world *world, size_t count) {
	struct slice payload;

	for (size_t i = 0; i < count && client_session_next(world->session, &payload, world->now); i++) {
		MUST(payload.len >= 8 && payload.data[0] == 1);
		client_session_taken(world->session, true, world->now);
	}
}

static void run(struct world *world, uint8_t operation, uint8_t argument, struct slice text) {
	struct client_session *session = world->session;

	switch (operation) {
	case 'c':
		if (world->open)
			client_session_control(session, text, argument == 255, world->now);
		break;
	case 'C':
		whole_message(world, text);
		break;
	case 'w':
		whole_message(world, slice_of_text(canned[argument % (sizeof(canned) / sizeof(canned[0]))]));
		break;
	case 'd':
		if (world->open)
			client_session_datagram(session, text, world->now);
		break;
	case 't':
		pass_time(world, argument * 8 * BASE_MS);
		break;
	case 'T':
		pass_time(world, argument * BASE_SECOND);
		break;
	case 'l':
		if (world->open) {
			world->open = false;
			client_session_lost(session, (enum client_loss)(argument % CLIENT_LOSS_COUNT), "test", world->now);
		}
		break;
	case 'k':
		if (world->open) {
			world->budget = (size_t)argument * 16;
			client_session_connected(session, world->now);
		}
		break;
	case 'a':
		resolved(world, argument % 4);
		break;
	case 's':
		send_frame(world, (size_t)argument * 8);
		break;
	case 'o':
		take_datagrams(world, argument);
		break;
	case 'q':
		client_session_leave(session, (enum ctrl_leave_reason)(argument % CTRL_LEAVE_REASON_COUNT), world->now);
		break;
	case 'f':
		world->control_fails = argument % 2 == 1;
		break;
	default:
		break;
	}
}

static void to_nowhere(void *user, struct slice line) {
	(void)user;
	MUST(line.len > 0 && line.data[line.len - 1] == '\n');
}

static uint64_t wall_clock(void) {
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct world world = {.now = 1000 * BASE_SECOND};
	struct client_config config = {
	    .room = "R",
	    .mac = {{2, 0, 0, 0, 0, 1}},
	    .retry = size % 4 != 0,
	    .seed = 1,
	    .log = obs_log_new(OBS_TRACE, size % 2 == 0 ? OBS_FORMAT_TEXT : OBS_FORMAT_JSON, to_nowhere, wall_clock, NULL),
	    .pool_frames = 64,
	    .egress = {.frames_max = 32},
	};

	if (size % 3 == 0) {
		config.cipher = &cipher;
		config.cipher_user = &world;
		memset(config.room_key, 9, sizeof(config.room_key));
	}
	MUST(client_session_new(&config, &transport, &world, &events, &world, &world.session) == 0);
	client_session_start(world.session, world.now);
	for (size_t at = 0; size - at >= 2;) {
		uint8_t operation = data[at], argument = data[at + 1];
		bool has_text = operation == 'c' || operation == 'C' || operation == 'd';
		size_t left = size - at - 2, len = !has_text ? 0 : argument < left ? argument : left;

		run(&world, operation, argument, slice_of(data + at + 2, len));
		check(&world);
		at += 2 + len;
	}
	client_session_free(world.session);
	obs_log_free(config.log);
	return 0;
}
