/* fuzz/target_quic_handshake.c: a client and a server, either of which is hostile in its handshake, as whoever has the
 * keys can be: other TLS messages, other transport parameters, other frames in Initial and Handshake packets, other
 * packets. So that all of it arrives, packets are not protected here: what is said is what is on the wire, behind it a
 * tag of zeros. TLS is as always.
 *
 * Input: one byte, bit 0 of which makes the server ask for a Retry, bit 1 leaves the client without a connection ID,
 * bit 2 makes the certificate large and bit 3 makes the client vanish in the end, and then records of two bytes `what`
 * and `nth`, three numbers `at`, `cut` and `len` of two, one and two bytes, and `len` bytes. Bits 0 to 2 of `what` are
 * one of the kinds below; bit 3: the server's, not the client's. */
#include "base/bytes.h"
#include "quic/server.h"
#include "seal/internal.h"

#include <gnutls/gnutls.h>
#include <limits.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdlib.h>
#include <string.h>

#define START (1000 * BASE_SECOND)
#define RECORDS_MAX 16
#define STEPS 12
#define STEP_TIME (10 * BASE_MS)
#define WRITES_MAX 100
#define TICKS_MAX 20
#define SECONDS_MAX 100
#define BYTES_MAX 8192 /* of a datagram, a message, a record */
#define CUT_ALL 255
#define NAMES_LARGE 100
#define EXTENSION 0x39 /* transport parameters, RFC 9001 section 8.2 */

enum side { CLIENT, SERVER, SIDES };

/* The first three: the bytes from `at` on, `cut` of them or all, are others. */
enum kind {
	KIND_MESSAGE,    /* the nth of TLS; bit 4: its length is made right */
	KIND_PARAMETERS, /* `nth` means nothing */
	KIND_PACKET,     /* the frames of the nth; bits 4 and 5: of this type (RFC 9000 section 17.2) or, 1, of 1-RTT */
	KIND_DATAGRAM, /* one more in step `nth`: the bytes; bit 4: and the receiver's connection ID; 5: and the sender's */
	KIND_LOST,     /* the nth datagram */
	KIND_TIME,     /* `at` milliseconds pass in step `nth` */
	KINDS
};

struct record {
	enum kind kind;
	enum side side;
	unsigned bits, nth;
	size_t at, cut;
	struct slice bytes;
};

struct cid {
	size_t len;
	uint8_t bytes[NGTCP2_MAX_CIDLEN];
};

static struct world {
	uint64_t now;
	struct quic_server *server;
	struct quic_conn *client;
	struct base_path path; /* of the client */
	struct record records[RECORDS_MAX];
	size_t record_count;
	unsigned messages[SIDES], packets[SIDES][4], datagrams[SIDES], step;
	struct cid cids[SIDES]; /* of packets to that side */
	bool lied[SIDES];       /* in a message of the handshake */
	bool nameless;          /* the client has no connection ID */
	bool silent;            /* nothing of the client arrives any more */
} world;

static const struct record *find(enum kind kind, enum side side, unsigned type, unsigned nth) {
	for (size_t i = 0; i < world.record_count; i++) {
		const struct record *record = &world.records[i];

		if (record->kind == kind && record->side == side && record->nth == nth &&
		    (kind != KIND_PACKET || (record->bits & 3) == type))
			return record;
	}
	return NULL;
}

/* What the record makes of the bytes; at most BYTES_MAX. */
static size_t splice(const struct record *record, struct slice in, uint8_t *ret) {
	size_t at = record->at < in.len ? record->at : in.len, rest = in.len - at;
	size_t cut = record->cut != CUT_ALL && record->cut < rest ? record->cut : rest;

	if (in.len - cut + record->bytes.len > BYTES_MAX)
		cut = rest;
	if (at + rest - cut + record->bytes.len > BYTES_MAX)
		return 0;
	memcpy(ret, in.data, at);
	if (record->bytes.len > 0)
		memcpy(ret + at, record->bytes.data, record->bytes.len);
	memcpy(ret + at + record->bytes.len, in.data + at + cut, rest - cut);
	return in.len - cut + record->bytes.len;
}

/* --- no protection --- */

static void seal_nothing(struct slice plain, uint8_t *dest) {
	memmove(dest, plain.data, plain.len);
	memset(dest + plain.len, 0, SEAL_TAG_BYTES);
}

static bool open_nothing(struct slice sealed, uint8_t *dest) {
	if (sealed.len < SEAL_TAG_BYTES ||
	    !slice_is_zero(slice_of(sealed.data + sealed.len - SEAL_TAG_BYTES, SEAL_TAG_BYTES)))
		return false;
	memmove(dest, sealed.data, sealed.len - SEAL_TAG_BYTES);
	return true;
}

/* The linker's --wrap puts these between quic/protect.c and ngtcp2's helper: for Initial and Handshake packets. */
int __wrap_ngtcp2_crypto_encrypt_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *context, const uint8_t *plain, size_t len,
                                    const uint8_t *nonce, size_t nonce_len, const uint8_t *aad, size_t aad_len);
int __wrap_ngtcp2_crypto_decrypt_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *context, const uint8_t *sealed, size_t len,
                                    const uint8_t *nonce, size_t nonce_len, const uint8_t *aad, size_t aad_len);
int __wrap_ngtcp2_crypto_hp_mask_cb(uint8_t *dest, const ngtcp2_crypto_cipher *cipher,
                                    const ngtcp2_crypto_cipher_ctx *context, const uint8_t *sample);

int __wrap_ngtcp2_crypto_encrypt_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *context, const uint8_t *plain, size_t len,
                                    const uint8_t *nonce, size_t nonce_len, const uint8_t *aad, size_t aad_len) {
	(void)aead, (void)context, (void)nonce, (void)nonce_len, (void)aad, (void)aad_len;
	seal_nothing(slice_of(plain, len), dest);
	return 0;
}

int __wrap_ngtcp2_crypto_decrypt_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *context, const uint8_t *sealed, size_t len,
                                    const uint8_t *nonce, size_t nonce_len, const uint8_t *aad, size_t aad_len) {
	(void)aead, (void)context, (void)nonce, (void)nonce_len, (void)aad, (void)aad_len;
	return open_nothing(slice_of(sealed, len), dest) ? 0 : NGTCP2_ERR_DECRYPT;
}

int __wrap_ngtcp2_crypto_hp_mask_cb(uint8_t *dest, const ngtcp2_crypto_cipher *cipher,
                                    const ngtcp2_crypto_cipher_ctx *context, const uint8_t *sample) {
	(void)cipher, (void)context, (void)sample;
	memset(dest, 0, SEAL_MASK_BYTES);
	return 0;
}

static bool key_seal(struct seal_key *key, const uint8_t *nonce, struct slice aad, struct slice plain, uint8_t *dest) {
	(void)key, (void)nonce, (void)aad;
	seal_nothing(plain, dest);
	return true;
}

static bool key_open(struct seal_key *key, const uint8_t *nonce, struct slice aad, struct slice sealed, uint8_t *dest) {
	(void)key, (void)nonce, (void)aad;
	return open_nothing(sealed, dest);
}

static void key_free(struct seal_key *key) {
	free(key);
}

static int key_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                   struct seal_key **ret) {
	(void)backend, (void)suite, (void)bytes;
	*ret = malloc(sizeof(**ret));
	if (*ret == NULL)
		abort();
	**ret = (struct seal_key){.seal = key_seal, .open = key_open, .free = key_free};
	return 0;
}

static bool mask_make(struct seal_mask *mask, const uint8_t *sample, uint8_t *ret) {
	(void)mask, (void)sample;
	memset(ret, 0, SEAL_MASK_BYTES);
	return true;
}

static void mask_free(struct seal_mask *mask) {
	free(mask);
}

static int mask_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                    struct seal_mask **ret) {
	(void)backend, (void)suite, (void)bytes;
	*ret = malloc(sizeof(**ret));
	if (*ret == NULL)
		abort();
	**ret = (struct seal_mask){.make = mask_make, .free = mask_free};
	return 0;
}

static const struct seal_backend nothing = {.name = "nothing", .key_new = key_new, .mask_new = mask_new};

/* --- TLS: as the helper sets a session up, but for what is said --- */

static ngtcp2_conn *conn_of(gnutls_session_t session) {
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);

	return ref->get_conn(ref);
}

static int say_message(gnutls_session_t session, gnutls_record_encryption_level_t level,
                       gnutls_handshake_description_t type, const void *data, size_t len) {
	static uint8_t other[BYTES_MAX];
	ngtcp2_conn *ng = conn_of(session);
	enum side side = ngtcp2_conn_is_server(ng) ? SERVER : CLIENT;
	const struct record *record = find(KIND_MESSAGE, side, 0, world.messages[side]++);
	struct slice said = slice_of(data, len);
	int code;

	if (type == GNUTLS_HANDSHAKE_CHANGE_CIPHER_SPEC)
		return 0;
	if (record != NULL) {
		said = slice_of(other, splice(record, said, other));
		if ((record->bits & 1) != 0 && said.len >= 4)
			base_put_u32(other, (uint32_t)other[0] << 24 | (uint32_t)(said.len - 4));
		if (level != GNUTLS_ENCRYPTION_LEVEL_APPLICATION && (said.len < len || memcmp(other, data, len) != 0))
			world.lied[side] = true;
	}
	code = ngtcp2_conn_submit_crypto_data(ng, ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(level),
	                                      said.data, said.len);
	if (code != 0)
		ngtcp2_conn_set_tls_error(ng, code);
	return code != 0 ? -1 : 0;
}

static int say_parameters(gnutls_session_t session, gnutls_buffer_t extension) {
	static uint8_t usual[BYTES_MAX], other[BYTES_MAX];
	ngtcp2_conn *ng = conn_of(session);
	const struct record *record = find(KIND_PARAMETERS, ngtcp2_conn_is_server(ng) ? SERVER : CLIENT, 0, 0);
	ngtcp2_ssize len = ngtcp2_conn_encode_local_transport_params(ng, usual, sizeof(usual));
	struct slice said;

	if (len < 0)
		return -1;
	said = slice_of(usual, (size_t)len);
	if (record != NULL)
		said = slice_of(other, splice(record, said, other));
	return gnutls_buffer_append_data(extension, said.data, said.len) == 0 ? 0 : -1;
}

static int hear_parameters(gnutls_session_t session, const uint8_t *data, size_t len) {
	int code = ngtcp2_conn_decode_and_set_remote_transport_params(conn_of(session), data, len);

	if (code != 0)
		ngtcp2_conn_set_tls_error(conn_of(session), code);
	return code != 0 ? -1 : 0;
}

static int note_alert(gnutls_session_t session, gnutls_record_encryption_level_t level,
                      gnutls_alert_level_t alert_level, gnutls_alert_description_t alert) {
	(void)level, (void)alert_level;
	ngtcp2_conn_set_tls_alert(conn_of(session), (uint8_t)alert);
	return 0;
}

int __wrap_ngtcp2_crypto_gnutls_configure_client_session(gnutls_session_t session);
int __wrap_ngtcp2_crypto_gnutls_configure_server_session(gnutls_session_t session);

int __wrap_ngtcp2_crypto_gnutls_configure_client_session(gnutls_session_t session) {
	gnutls_handshake_set_read_function(session, say_message);
	gnutls_alert_set_read_function(session, note_alert);
	return gnutls_session_ext_register(session, "parameters", EXTENSION, GNUTLS_EXT_TLS, hear_parameters,
	                                   say_parameters, NULL, NULL, NULL,
	                                   GNUTLS_EXT_FLAG_TLS | GNUTLS_EXT_FLAG_CLIENT_HELLO | GNUTLS_EXT_FLAG_EE);
}

int __wrap_ngtcp2_crypto_gnutls_configure_server_session(gnutls_session_t session) {
	return __wrap_ngtcp2_crypto_gnutls_configure_client_session(session);
}

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

	return __real_ngtcp2_conn_client_new_versioned(ret, dcid, world.nameless ? &none : scid, path, version,
	                                               callbacks_version, callbacks, settings_version, settings,
	                                               params_version, params, mem, user);
}

/* --- both ends --- */

/* Whoever hears a lie must not find the handshake to be good. */
static void handshake_done(void *user, struct quic_conn *conn, uint64_t now) {
	(void)user, (void)now;
	if (world.lied[conn == world.client ? SERVER : CLIENT])
		abort();
	quic_conn_control_send(conn, slice_of("hello", 5));
}

static void control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	(void)user, (void)conn, (void)bytes, (void)fin, (void)now;
}

static void datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	(void)user, (void)conn, (void)payload, (void)now;
}

static void closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	(void)user, (void)conn, (void)now;
	if (memchr(why->text, 0, sizeof(why->text)) == NULL)
		abort();
}

static const struct quic_events events = {
    .handshake_done = handshake_done, .control = control, .datagram = datagram, .closed = closed};

static bool accept_all(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now) {
	(void)user, (void)conn, (void)remote, (void)now;
	return true;
}

/* A large one is more than the server may say before it knows the client's address (RFC 9000 section 8.1). */
static struct quic_identity *identity(bool large) {
	static struct quic_identity *made[2];
	static const char *names[NAMES_LARGE];
	char error[QUIC_ERROR_BYTES];

	for (size_t i = 0; i < NAMES_LARGE; i++)
		names[i] = "a.long.name.beside.the.one.of.relay.test";
	if (made[large] == NULL &&
	    quic_identity_self_signed(names, large ? NAMES_LARGE : 1, 1800000000 * BASE_SECOND, &made[large], error) != 0)
		abort();
	return made[large];
}

/* --- on the wire --- */

struct packet {
	unsigned type;
	size_t len, frames_at; /* in front of the frames: the number, of one to four bytes */
	size_t length_at;      /* 0: of 1-RTT, which has no length */
};

static bool skip_cid(struct base_reader *reader, struct cid *ret) {
	struct slice bytes;
	uint8_t len;

	if (base_read_u8(reader, &len) != 0 || len > sizeof(ret->bytes) || base_read_bytes(reader, len, &bytes) != 0)
		return false;
	ret->len = len;
	if (len > 0)
		memcpy(ret->bytes, bytes.data, len);
	return true;
}

/* Of a length of four bytes, as ngtcp2 writes them, or of a token, whose length it writes in one byte or in two. */
static bool read_length(struct base_reader *reader, size_t *ret) {
	size_t size = reader->rest.len > 0 ? (size_t)1 << (reader->rest.data[0] >> 6) : 0;
	struct slice bytes;

	if (size == 0 || size > 4 || base_read_bytes(reader, size, &bytes) != 0)
		return false;
	*ret = size == 4   ? base_get_u32(bytes.data) & 0x3fffffff
	       : size == 2 ? base_get_u16(bytes.data) & 0x3fffU
	                   : bytes.data[0];
	return true;
}

/* A packet of ours at the start of `bytes`; also learns the connection IDs. False: Retry and the like. */
static bool parse(enum side from, struct slice bytes, struct packet *ret) {
	struct base_reader reader = base_reader_of(bytes);
	struct cid to_cid, from_cid;
	struct slice skipped;
	size_t len = 0;

	*ret = (struct packet){.type = 1, .len = bytes.len};
	ret->frames_at = 1U + (from == SERVER && world.nameless ? 0U : QUIC_CID_BYTES) + (bytes.data[0] & 3U) + 1U;
	if ((bytes.data[0] & 0x80) == 0)
		return ret->frames_at + SEAL_TAG_BYTES <= ret->len;
	ret->type = bytes.data[0] >> 4 & 3;
	if (base_read_bytes(&reader, 5, &skipped) != 0 || base_get_u32(bytes.data + 1) == 0 || ret->type == 3 ||
	    !skip_cid(&reader, &to_cid) || !skip_cid(&reader, &from_cid))
		return false;
	if (ret->type == 0 && (!read_length(&reader, &len) || base_read_bytes(&reader, len, &skipped) != 0))
		return false;
	ret->length_at = bytes.len - reader.rest.len;
	if (reader.rest.len < 4 || reader.rest.data[0] >> 6 != 2 || !read_length(&reader, &len) || len > reader.rest.len)
		return false;
	world.cids[from] = from_cid;
	world.cids[1 - from] = to_cid;
	ret->frames_at = ret->length_at + 4 + (bytes.data[0] & 3) + 1;
	ret->len = ret->length_at + 4 + len;
	return ret->frames_at + SEAL_TAG_BYTES <= ret->len;
}

static size_t rewrite(const struct record *record, const struct packet *packet, struct slice bytes, uint8_t *dest) {
	struct slice frames = slice_of(bytes.data + packet->frames_at, packet->len - packet->frames_at - SEAL_TAG_BYTES);
	size_t len = packet->frames_at + splice(record, frames, dest + packet->frames_at) + SEAL_TAG_BYTES;

	memcpy(dest, bytes.data, packet->frames_at);
	memset(dest + len - SEAL_TAG_BYTES, 0, SEAL_TAG_BYTES);
	if (packet->length_at > 0)
		base_put_u32(dest + packet->length_at, UINT32_C(0x80000000) | (uint32_t)(len - packet->length_at - 4));
	return len;
}

static void arrive(enum side from, struct slice bytes) {
	struct base_path path = {.local = world.path.remote, .remote = world.path.local};

	if (from == CLIENT)
		quic_server_recv(world.server, &path, 0, bytes, world.now);
	else
		quic_conn_recv(world.client, &world.path, 0, bytes, world.now);
}

static void deliver(enum side from, struct slice bytes) {
	static uint8_t dest[QUIC_UDP_PAYLOAD_MAX + RECORDS_MAX * (BYTES_MAX + QUIC_UDP_PAYLOAD_MAX)];
	size_t len = 0;

	while (bytes.len > 0) {
		struct packet packet;
		bool known = parse(from, bytes, &packet);
		const struct record *record =
		    known ? find(KIND_PACKET, from, packet.type, world.packets[from][packet.type]++) : NULL;

		if (!known)
			packet.len = bytes.len;
		if (record != NULL)
			len += rewrite(record, &packet, bytes, dest + len);
		else {
			memcpy(dest + len, bytes.data, packet.len);
			len += packet.len;
		}
		/* A Retry's tag is the helper's. */
		if (!known && (bytes.data[0] & 0xf0) == 0xf0 && bytes.len > SEAL_TAG_BYTES)
			memset(dest + len - SEAL_TAG_BYTES, 0, SEAL_TAG_BYTES);
		bytes = slice_of(bytes.data + packet.len, bytes.len - packet.len);
	}
	if (find(KIND_LOST, from, 0, world.datagrams[from]++) == NULL && !(world.silent && from == CLIENT))
		arrive(from, slice_of(dest, len));
}

static void deliver_burst(enum side from, const uint8_t *bytes, const struct quic_burst *burst) {
	for (size_t at = 0; at < burst->len; at += burst->segment)
		deliver(from, slice_of(bytes + at, burst->len - at < burst->segment ? burst->len - at : burst->segment));
}

static size_t add_cid(enum side to, uint8_t *dest, bool with_len) {
	const struct cid *cid = &world.cids[to];

	dest[0] = (uint8_t)cid->len;
	memcpy(dest + with_len, cid->bytes, cid->len);
	return with_len + cid->len;
}

static void deliver_forged(const struct record *record) {
	static uint8_t dest[BYTES_MAX + 2 * sizeof(struct cid)];
	struct slice bytes = record->bytes;
	size_t len = bytes.len > 0 && (bytes.data[0] & 0x80) != 0 ? 5 : 1, head = len;

	if ((record->bits & 1) == 0) {
		arrive(record->side, bytes);
		return;
	}
	if (bytes.len < head)
		return;
	memcpy(dest, bytes.data, head);
	len += add_cid(1 - record->side, dest + len, head > 1);
	if (head > 1 && (record->bits & 2) != 0)
		len += add_cid(record->side, dest + len, true);
	if (bytes.len > head)
		memcpy(dest + len, bytes.data + head, bytes.len - head);
	arrive(record->side, slice_of(dest, len + bytes.len - head));
}

static void forge(enum side from) {
	for (size_t i = 0; i < world.record_count; i++) {
		struct record *record = &world.records[i];

		if (record->kind == KIND_DATAGRAM && record->side == from && record->nth == world.step) {
			record->nth = UINT_MAX; /* once */
			deliver_forged(record);
		}
	}
}

/* Whoever has more to say than this at one moment says it without end. */
static void exchange(void) {
	static uint8_t out[QUIC_BURST_BYTES];
	struct quic_burst burst;
	unsigned writes = 0;

	for (; quic_conn_write(world.client, out, sizeof(out), &burst, world.now) == 1 && writes < WRITES_MAX; writes++)
		deliver_burst(CLIENT, out, &burst);
	forge(CLIENT);
	forge(SERVER);
	for (; quic_server_write(world.server, out, sizeof(out), &burst, world.now) == 1 && writes < WRITES_MAX; writes++)
		deliver_burst(SERVER, out, &burst);
	if (writes == WRITES_MAX)
		abort();
}

static bool tick(void) {
	bool server_due = quic_server_deadline(world.server) <= world.now;
	bool client_due = quic_conn_deadline(world.client) <= world.now;

	if (server_due)
		quic_server_tick(world.server, world.now);
	if (client_due)
		quic_conn_tick(world.client, world.now);
	return server_due || client_due;
}

/* A timer that is due again at once, and again, would keep a processor busy. */
static void pass(uint64_t time) {
	unsigned ticks = 0;

	world.now += time;
	do {
		exchange();
	} while (tick() && ticks++ < TICKS_MAX);
	if (ticks >= TICKS_MAX)
		abort();
	world.step++;
}

static void read_records(struct base_reader *reader) {
	uint8_t what, nth, cut;
	uint16_t at, len;

	while (world.record_count < RECORDS_MAX && base_read_u8(reader, &what) == 0 && base_read_u8(reader, &nth) == 0 &&
	       base_read_u16(reader, &at) == 0 && base_read_u8(reader, &cut) == 0 && base_read_u16(reader, &len) == 0) {
		struct record *record = &world.records[world.record_count++];
		size_t max = reader->rest.len < BYTES_MAX ? reader->rest.len : BYTES_MAX;

		*record = (struct record){.kind = (enum kind)((what & 7) % KINDS),
		                          .side = (what & 8) != 0 ? SERVER : CLIENT,
		                          .bits = what >> 4,
		                          .nth = nth,
		                          .at = at,
		                          .cut = cut};
		if (base_read_bytes(reader, len < max ? len : max, &record->bytes) != 0)
			abort();
	}
}

static uint64_t time_of_step(void) {
	const struct record *record = find(KIND_TIME, CLIENT, 0, world.step);

	return STEP_TIME + (record != NULL ? record->at * BASE_MS : 0);
}

static void run(bool ends_silent) {
	for (int i = 0; i < STEPS; i++)
		pass(time_of_step());
	world.silent = ends_silent;
	quic_conn_shutdown(world.client, QUIC_APP_DONE, "", world.now);
	for (int i = 0; i < SECONDS_MAX; i++)
		pass(BASE_SECOND);
	if (quic_server_connections(world.server) != 0 || !quic_conn_is_finished(world.client))
		abort(); /* they must be gone by now */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct base_reader reader = base_reader_of(slice_of(data, size));
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES];
	uint8_t how = 0;
	bool large;

	world = (struct world){.now = START,
	                       .path = {.local = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 1}, .port = 1000},
	                                .remote = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443}}};
	base_read_u8(&reader, &how);
	world.nameless = (how & 2) != 0;
	large = (how & 4) != 0;
	read_records(&reader);
	if (trust == NULL || quic_trust_add_certificate(trust, quic_identity_der(identity(large)), error) != 0)
		abort();
	const struct quic_settings settings = {.seal = &nothing};
	const struct quic_server_options server = {
	    .identity = identity(large),
	    .settings = settings,
	    .limits = {.connections_max = how & 1 ? 1 : 8, .retry_above = how & 1 ? 1 : 4},
	    .events = &events,
	    .accept = accept_all,
	};
	const struct quic_client_options client = {
	    .path = world.path, .server_name = "relay.test", .trust = trust, .settings = settings, .events = &events};
	if (quic_server_new(&server, &world.server) != 0 || quic_client_new(&client, world.now, &world.client) != 0)
		abort();
	run((how & 8) != 0);
	quic_conn_free(world.client);
	quic_server_free(world.server);
	quic_trust_unref(trust);
	return 0;
}
