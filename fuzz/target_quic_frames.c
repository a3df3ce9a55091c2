/* fuzz/target_quic_frames.c: a client and a server that have made their handshake, and then say what they like: frames
 * in packets with good keys, which strangers cannot make and peers can. Input: one byte, bit 0 of which has the server
 * say the first record with its handshake and bit 1 leaves the client without a connection ID, and then records of one
 * option byte, one byte of length and the frames. Options: bit 0, the server speaks; bits 1 and 2, the port from which
 * the server sees the client; bits 3 and 4, time passes before: none, 1 ms, 40 ms, 2 s; bit 5, what the other says to
 * that is lost; bit 6, the client moves by itself.
 */
#include "quic/server.h"
#include "seal/internal.h"

#include <ngtcp2/ngtcp2.h>
#include <stdlib.h>
#include <string.h>

#define START (1000 * BASE_SECOND)
#define ROUNDS_MAX 20
#define TICKS_MAX 100

/* What the next packet consists of, in place of its own frames; what is left of it is PADDING. */
static struct slice forged;

struct forging_key {
	struct seal_key key;
	struct seal_key *real;
};

static bool forge_and_seal(struct seal_key *key, const uint8_t *nonce, struct slice aad, struct slice plain,
                           uint8_t *dest) {
	static uint8_t frames[QUIC_UDP_PAYLOAD_MAX];

	if (forged.len > 0 && forged.len <= plain.len && plain.len <= sizeof(frames)) {
		memset(frames, 0, sizeof(frames));
		memcpy(frames, forged.data, forged.len);
		plain.data = frames;
		forged.len = 0;
	}
	return seal_key_seal(((struct forging_key *)key)->real, nonce, aad, plain, dest);
}

static bool open_sealed(struct seal_key *key, const uint8_t *nonce, struct slice aad, struct slice sealed,
                        uint8_t *dest) {
	return seal_key_open(((struct forging_key *)key)->real, nonce, aad, sealed, dest);
}

static void free_key(struct seal_key *key) {
	seal_key_free(((struct forging_key *)key)->real);
	free(key);
}

static int new_key(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                   struct seal_key **ret) {
	struct forging_key *forging = calloc(1, sizeof(*forging));

	(void)backend;
	if (forging == NULL || seal_key_new(seal_gnutls(), suite, bytes, &forging->real) != 0)
		abort();
	forging->key = (struct seal_key){.seal = forge_and_seal, .open = open_sealed, .free = free_key};
	*ret = &forging->key;
	return 0;
}

/* --- a client without a connection ID --- */

static bool nameless;

/* The linker's --wrap puts this before ngtcp2's own. */
#define PARAMETERS                                                                                                \
	ngtcp2_conn **ret, const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path, uint32_t version, \
	    int callbacks_version, const ngtcp2_callbacks *callbacks, int settings_version,                           \
	    const ngtcp2_settings *settings, int params_version, const ngtcp2_transport_params *params,               \
	    const ngtcp2_mem *mem, void *user
int __real_ngtcp2_conn_client_new_versioned(PARAMETERS);
int __wrap_ngtcp2_conn_client_new_versioned(PARAMETERS);

int __wrap_ngtcp2_conn_client_new_versioned(PARAMETERS) {
	static const ngtcp2_cid none;

	return __real_ngtcp2_conn_client_new_versioned(ret, dcid, nameless ? &none : scid, path, version, callbacks_version,
	                                               callbacks, settings_version, settings, params_version, params, mem,
	                                               user);
}

/* --- both ends --- */

struct world {
	uint64_t now;
	struct quic_server *server;
	struct quic_conn *client, *at_server; /* the latter NULL while there is none */
	struct base_path path;                /* of the client */
	uint16_t seen_port;                   /* as the server sees it */
	bool answers_lost;
};

static void handshake_done(void *user, struct quic_conn *conn, uint64_t now) {
	(void)user;
	(void)conn;
	(void)now;
}

static void control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	(void)user;
	(void)conn;
	(void)bytes;
	(void)fin;
	(void)now;
}

static void datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	(void)user;
	(void)conn;
	(void)payload;
	(void)now;
}

static void closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	struct world *world = user;

	(void)now;
	if (memchr(why->text, 0, sizeof(why->text)) == NULL)
		abort();
	if (conn == world->at_server)
		world->at_server = NULL;
}

static const struct quic_events events = {
    .handshake_done = handshake_done, .control = control, .datagram = datagram, .closed = closed};

static bool accept_one(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now) {
	struct world *world = user;

	(void)remote;
	(void)now;
	quic_conn_set_user(conn, world);
	world->at_server = conn;
	return true;
}

static struct quic_identity *identity(void) {
	static struct quic_identity *made;
	static const char *const names[] = {"relay.test"};
	char error[QUIC_ERROR_BYTES];

	if (made == NULL && quic_identity_self_signed(names, 1, 1800000000 * BASE_SECOND, &made, error) != 0)
		abort();
	return made;
}

static void deliver(struct world *world, const uint8_t *bytes, const struct quic_burst *burst, bool to_server) {
	struct base_path path = world->path;

	if (to_server) {
		path = (struct base_path){.local = world->path.remote, .remote = burst->path.local};
		path.remote.port = world->seen_port;
	}
	for (size_t at = 0; at < burst->len; at += burst->segment) {
		size_t len = burst->len - at < burst->segment ? burst->len - at : burst->segment;

		if (to_server)
			quic_server_recv(world->server, &path, 0, slice_of(bytes + at, len), world->now);
		else
			quic_conn_recv(world->client, &path, 0, slice_of(bytes + at, len), world->now);
	}
}

/* Until nobody has more to say. */
static void exchange(struct world *world) {
	static uint8_t out[QUIC_BURST_BYTES];
	struct quic_burst burst;
	bool said = true;

	for (int i = 0; i < ROUNDS_MAX && said; i++) {
		said = false;
		while (quic_conn_write(world->client, out, sizeof(out), &burst, world->now) == 1) {
			deliver(world, out, &burst, true);
			said = true;
		}
		while (quic_server_write(world->server, out, sizeof(out), &burst, world->now) == 1) {
			if (!world->answers_lost)
				deliver(world, out, &burst, false);
			said = true;
		}
	}
}

static void pass(struct world *world, uint64_t time) {
	world->now += time;
	quic_server_tick(world->server, world->now);
	if (quic_conn_deadline(world->client) <= world->now)
		quic_conn_tick(world->client, world->now);
	exchange(world);
}

static bool next_record(struct base_reader *reader, uint8_t *ret_options, struct slice *ret_frames) {
	uint8_t len;

	return base_read_u8(reader, ret_options) == 0 && base_read_u8(reader, &len) == 0 &&
	       base_read_bytes(reader, len < reader->rest.len ? len : reader->rest.len, ret_frames) == 0;
}

static void say(struct world *world, uint8_t options, struct slice frames) {
	static const uint64_t times[] = {0, BASE_MS, 40 * BASE_MS, 2 * BASE_SECOND};
	static const uint8_t room_for_frames[300];
	struct quic_conn *speaker = (options & 1) != 0 ? world->at_server : world->client;

	pass(world, times[(options >> 3) & 3]);
	world->seen_port = (uint16_t)(1000 + ((options >> 1) & 3));
	if ((options & 64) != 0) {
		struct base_path path = world->path;

		path.local.port++;
		if (quic_conn_migrate(world->client, &path, world->now) == 0)
			world->path = path;
	}
	world->answers_lost = (options & 32) != 0;
	if (speaker != NULL && quic_conn_control_send(speaker, slice_of(room_for_frames, sizeof(room_for_frames))) == 0) {
		forged = frames;
		if (speaker != world->client)
			quic_server_wake(world->server, speaker);
	}
	exchange(world);
	forged.len = 0;
	world->answers_lost = false;
}

static void run(struct world *world, struct slice input) {
	struct base_reader reader = base_reader_of(input);
	uint8_t how, options;
	struct slice frames;

	if (base_read_u8(&reader, &how) != 0)
		return;
	if ((how & 1) != 0 && next_record(&reader, &options, &frames))
		forged = frames;
	exchange(world);
	forged.len = 0;
	pass(world, 100 * BASE_MS);
	while (!quic_conn_is_closed(world->client) && next_record(&reader, &options, &frames))
		say(world, options, frames);
	quic_conn_shutdown(world->client, QUIC_APP_DONE, "", world->now);
	exchange(world);
	for (int i = 0; i < TICKS_MAX && quic_server_connections(world->server) > 0; i++)
		pass(world, BASE_SECOND);
	if (quic_server_connections(world->server) != 0)
		abort(); /* whoever fell silent must be gone by now */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct world world = {.now = START,
	                      .path = {.local = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 1}, .port = 1000},
	                               .remote = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443}},
	                      .seen_port = 1000};
	struct seal_backend backend = *seal_gnutls();
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES];

	backend.key_new = new_key;
	nameless = size > 0 && (data[0] & 2) != 0;
	if (trust == NULL || quic_trust_add_certificate(trust, quic_identity_der(identity()), error) != 0)
		abort();
	const struct quic_settings settings = {.seal = &backend};
	const struct quic_server_options server = {
	    .identity = identity(), .settings = settings, .events = &events, .accept = accept_one, .user = &world};
	const struct quic_client_options client = {.path = world.path,
	                                           .server_name = "relay.test",
	                                           .trust = trust,
	                                           .settings = settings,
	                                           .events = &events,
	                                           .user = &world};
	if (quic_server_new(&server, &world.server) != 0 || quic_client_new(&client, world.now, &world.client) != 0)
		abort();
	run(&world, slice_of(data, size));
	quic_conn_free(world.client);
	quic_server_free(world.server);
	quic_trust_unref(trust);
	return 0;
}
