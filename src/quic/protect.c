/* quic/protect.c: which keys protect which packets. Initial and Handshake packets stay with ngtcp2's helper for GnuTLS;
 * those of 1-RTT, which carry everything else, get keys of the connection's backend (src/seal).
 *
 * ngtcp2 hands its callbacks a key's handle and nothing else, so that the handle itself must tell whose it is: ours
 * have the lowest bit set, which no address of an object of the helper has. */
#include "base/bytes.h"
#include "quic/internal.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdlib.h>
#include <string.h>

#define OURS ((uintptr_t)1)

/* Packets are numbered up to 2^62 (RFC 9000 section 12.3). Nobody sends so many, but who leaves out two thousand
 * million numbers each time has come so far in a day, and near the end ngtcp2 asserts that no number lies behind it
 * (1.11, and still 1.25). */
#define NUMBER_MAX (UINT64_C(1) << 61)

/* A packet key, whose it is, and the end of its initialization vector, which hides the number in a nonce. */
struct packet_key {
	struct seal_key *seal;
	struct quic_conn *conn;
	uint64_t vector;
};

/* --- handles --- */

static void *handle_of(void *object) {
	assert(((uintptr_t)object & OURS) == 0);
	return (void *)((uintptr_t)object | OURS);
}

/* NULL: the helper's */
static void *object_of(void *handle) {
	return (uintptr_t)handle & OURS ? (void *)((uintptr_t)handle & ~OURS) : NULL;
}

static void packet_key_free(struct packet_key *key) {
	if (key != NULL)
		seal_key_free(key->seal);
	free(key);
}

/* --- callbacks on packets --- */

int quic_protect_encrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                         const uint8_t *plain, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                         size_t aad_len) {
	struct packet_key *key = object_of(context->native_handle);

	if (key == NULL)
		return ngtcp2_crypto_encrypt_cb(dest, aead, context, plain, len, nonce, nonce_len, aad, aad_len);
	return seal_key_seal(key->seal, nonce, slice_of(aad, aad_len), slice_of(plain, len), dest)
	           ? 0
	           : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int refuse(struct quic_conn *conn, uint64_t code, const char *text) {
	quic_close_transport(conn, QUIC_CLOSED_ERROR, code, text);
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

static uint64_t low_end(const uint8_t nonce[static SEAL_NONCE_BYTES]) {
	return base_get_u64(nonce + SEAL_NONCE_BYTES - sizeof(uint64_t));
}

/* The last moment before ngtcp2 reads what the peer sent. */
static int check_packet(struct quic_conn *conn, uint64_t number, struct slice frames) {
	const bool is_client = conn->server == NULL;

	if (number > NUMBER_MAX)
		return refuse(conn, NGTCP2_PROTOCOL_VIOLATION, "the peer skips packet numbers");
	if (is_client && conn->established && conn->initial_over)
		return 0;
	quic_peer_frames_note(&conn->peer_frames, frames);
	if (is_client && conn->peer_frames.final)
		return refuse(conn, NGTCP2_PROTOCOL_VIOLATION, "the peer did not wait for the end of the handshake");
	if (!is_client && conn->peer_frames.too_many_cids)
		return refuse(conn, NGTCP2_CONNECTION_ID_LIMIT_ERROR, "the peer announced too many connection IDs");
	return 0;
}

int quic_protect_decrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                         const uint8_t *sealed, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                         size_t aad_len) {
	struct packet_key *key = object_of(context->native_handle);

	if (key == NULL)
		return ngtcp2_crypto_decrypt_cb(dest, aead, context, sealed, len, nonce, nonce_len, aad, aad_len);
	if (seal_key_open(key->seal, nonce, slice_of(aad, aad_len), slice_of(sealed, len), dest)) {
		key->conn->opened_at = key->conn->now;
		return check_packet(key->conn, key->vector ^ low_end(nonce), slice_of(dest, len - SEAL_TAG_BYTES));
	}
	++*key->conn->refused;
	return NGTCP2_ERR_DECRYPT;
}

int quic_protect_mask(uint8_t *dest, const ngtcp2_crypto_cipher *cipher, const ngtcp2_crypto_cipher_ctx *context,
                      const uint8_t *sample) {
	struct seal_mask *mask = object_of(context->native_handle);

	if (mask == NULL)
		return ngtcp2_crypto_hp_mask_cb(dest, cipher, context, sample);
	return seal_mask_make(mask, sample, dest) ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

void quic_protect_delete_key(ngtcp2_conn *ng, ngtcp2_crypto_aead_ctx *context, void *user) {
	struct packet_key *key = object_of(context->native_handle);
	struct quic_conn *conn = user;

	if (key != NULL) {
		packet_key_free(key);
		return;
	}
	conn->initial_over = conn->initial_over || conn->has_handshake_keys; /* else it was a Retry */
	ngtcp2_crypto_delete_crypto_aead_ctx_cb(ng, context, user);
}

void quic_protect_delete_mask(ngtcp2_conn *ng, ngtcp2_crypto_cipher_ctx *context, void *user) {
	struct seal_mask *mask = object_of(context->native_handle);

	if (mask == NULL)
		ngtcp2_crypto_delete_crypto_cipher_ctx_cb(ng, context, user);
	else
		seal_mask_free(mask);
}

/* --- keys --- */

/* HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1) with an empty context. */
int quic_expand_label(const ngtcp2_crypto_md *hash, struct slice secret, const char *label, uint8_t *ret, size_t len) {
	uint8_t info[64];
	struct slice parts[] = {slice_of_text("tls13 "), slice_of_text(label)};
	size_t used = 3;

	assert(len <= UINT8_MAX && used + parts[0].len + parts[1].len < sizeof(info));
	info[0] = 0;
	info[1] = (uint8_t)len;
	info[2] = (uint8_t)(parts[0].len + parts[1].len);
	for (int i = 0; i < 2; i++) {
		memcpy(info + used, parts[i].data, parts[i].len);
		used += parts[i].len;
	}
	info[used++] = 0;
	return ngtcp2_crypto_hkdf_expand(ret, len, hash, secret.data, secret.len, info, used) == 0 ? 0 : BASE_E_TLS;
}

static int suite_of(const struct quic_conn *conn, enum seal_suite *ret) {
	static const gnutls_cipher_algorithm_t ciphers[SEAL_SUITES] = {
	    [SEAL_AES_128_GCM] = GNUTLS_CIPHER_AES_128_GCM,
	    [SEAL_AES_256_GCM] = GNUTLS_CIPHER_AES_256_GCM,
	    [SEAL_CHACHA20_POLY1305] = GNUTLS_CIPHER_CHACHA20_POLY1305,
	};

	for (int suite = 0; suite < SEAL_SUITES; suite++) {
		if (gnutls_cipher_get(conn->tls) == ciphers[suite]) {
			*ret = (enum seal_suite)suite;
			return 0;
		}
	}
	return BASE_E_UNSUPPORTED;
}

/* Of RFC 9001 section 5.1, or of RFC 9369 section 3.3.2. */
static const char *label_of(const struct quic_conn *conn, const char *v1, const char *v2) {
	return ngtcp2_conn_get_negotiated_version(conn->ng) == NGTCP2_PROTO_VER_V2 ? v2 : v1;
}

/* The key and the initialization vector of RFC 9001 section 5.1. */
static int derive_packet_key(struct quic_conn *conn, struct slice secret, ngtcp2_crypto_aead_ctx *ret,
                             uint8_t ret_vector[static SEAL_NONCE_BYTES]) {
	const ngtcp2_crypto_md *hash = &ngtcp2_conn_get_crypto_ctx(conn->ng)->md;
	uint8_t bytes[SEAL_KEY_BYTES_MAX];
	enum seal_suite suite = SEAL_SUITES;
	struct packet_key *key = calloc(1, sizeof(*key));
	int err = key != NULL ? suite_of(conn, &suite) : BASE_E_NOMEM;

	if (err == 0)
		err = quic_expand_label(hash, secret, label_of(conn, "quic key", "quicv2 key"), bytes, seal_key_bytes(suite));
	if (err == 0)
		err = quic_expand_label(hash, secret, label_of(conn, "quic iv", "quicv2 iv"), ret_vector, SEAL_NONCE_BYTES);
	if (err == 0)
		err = seal_key_new(conn->seal, suite, bytes, &key->seal);
	gnutls_memset(bytes, 0, sizeof(bytes));
	if (err != 0) {
		packet_key_free(key);
		return err;
	}
	key->conn = conn;
	key->vector = low_end(ret_vector);
	ret->native_handle = handle_of(key);
	return 0;
}

static int derive_mask(struct quic_conn *conn, struct slice secret, ngtcp2_crypto_cipher_ctx *ret) {
	const ngtcp2_crypto_md *hash = &ngtcp2_conn_get_crypto_ctx(conn->ng)->md;
	uint8_t bytes[SEAL_KEY_BYTES_MAX];
	struct seal_mask *mask = NULL;
	enum seal_suite suite;
	int err = suite_of(conn, &suite);

	if (err == 0)
		err = quic_expand_label(hash, secret, label_of(conn, "quic hp", "quicv2 hp"), bytes, seal_key_bytes(suite));
	if (err == 0)
		err = seal_mask_new(conn->seal, suite, bytes, &mask);
	gnutls_memset(bytes, 0, sizeof(bytes));
	if (err == 0)
		ret->native_handle = handle_of(mask);
	return err;
}

/* The helper's calls set the limits of the cipher's use (RFC 9001 section 6.6) when they installed the Handshake keys;
 * they hold for 1-RTT too. */
static int install(struct quic_conn *conn, struct slice secret,
                   int (*install_key)(ngtcp2_conn *, const uint8_t *, size_t, const ngtcp2_crypto_aead_ctx *,
                                      const uint8_t *, size_t, const ngtcp2_crypto_cipher_ctx *)) {
	ngtcp2_crypto_aead_ctx key = {0};
	ngtcp2_crypto_cipher_ctx mask = {0};
	uint8_t vector[SEAL_NONCE_BYTES];
	int err = derive_packet_key(conn, secret, &key, vector);

	if (err == 0)
		err = derive_mask(conn, secret, &mask);
	if (err == 0)
		err = install_key(conn->ng, secret.data, secret.len, &key, vector, sizeof(vector), &mask);
	gnutls_memset(vector, 0, sizeof(vector));
	if (err != 0) { /* it took neither */
		packet_key_free(object_of(key.native_handle));
		seal_mask_free(object_of(mask.native_handle));
	}
	return err;
}

/* Transport parameters come before these keys: a client's with its first message, a server's before the keys of 1-RTT.
 * To end a handshake without them (RFC 9001 section 8.2) is the TLS library's in other helpers of ngtcp2; GnuTLS knows
 * nothing of them, and ngtcp2 asserts that they are there as soon as it has the keys. */
static bool lacks_parameters(const struct quic_conn *conn, gnutls_record_encryption_level_t level) {
	return (conn->server != NULL || level == GNUTLS_ENCRYPTION_LEVEL_APPLICATION) &&
	       ngtcp2_conn_get_remote_transport_params(conn->ng) == NULL;
}

/* GnuTLS's secret callback, in place of the helper's; either secret may be NULL. */
static int on_secret(gnutls_session_t session, gnutls_record_encryption_level_t level, const void *rx, const void *tx,
                     size_t len) {
	struct quic_conn *conn = BASE_CONTAINER(gnutls_session_get_ptr(session), struct quic_conn, ref);
	ngtcp2_encryption_level ng_level = ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(level);

	if (lacks_parameters(conn, level))
		return GNUTLS_E_MISSING_EXTENSION;
	if (level != GNUTLS_ENCRYPTION_LEVEL_APPLICATION) {
		conn->has_handshake_keys = true;
		if (rx != NULL && ngtcp2_crypto_derive_and_install_rx_key(conn->ng, NULL, NULL, NULL, ng_level, rx, len) != 0)
			return -1;
		return tx == NULL ? 0 : ngtcp2_crypto_derive_and_install_tx_key(conn->ng, NULL, NULL, NULL, ng_level, tx, len);
	}
	/* There is one pair; another one comes of TLS's KeyUpdate, which QUIC forbids (RFC 9001 section 6). */
	if ((rx != NULL && conn->has_rx_secret) || (tx != NULL && conn->has_tx_secret))
		return GNUTLS_E_UNEXPECTED_HANDSHAKE_PACKET;
	conn->has_rx_secret = conn->has_rx_secret || rx != NULL;
	conn->has_tx_secret = conn->has_tx_secret || tx != NULL;
	if (rx != NULL && install(conn, slice_of(rx, len), ngtcp2_conn_install_rx_key) != 0)
		return -1;
	return tx == NULL || install(conn, slice_of(tx, len), ngtcp2_conn_install_tx_key) == 0 ? 0 : -1;
}

void quic_protect_session(gnutls_session_t session) {
	gnutls_handshake_set_secret_function(session, on_secret);
}

/* RFC 9001 section 6.1; the masks stay. */
int quic_protect_update(ngtcp2_conn *ng, uint8_t *rx_secret, uint8_t *tx_secret, ngtcp2_crypto_aead_ctx *rx_key,
                        uint8_t *rx_vector, ngtcp2_crypto_aead_ctx *tx_key, uint8_t *tx_vector,
                        const uint8_t *current_rx, const uint8_t *current_tx, size_t len, void *user) {
	const ngtcp2_crypto_md *hash = &ngtcp2_conn_get_crypto_ctx(ng)->md;
	struct quic_conn *conn = user;
	const char *label = label_of(conn, "quic ku", "quicv2 ku");

	if (quic_expand_label(hash, slice_of(current_rx, len), label, rx_secret, len) != 0 ||
	    quic_expand_label(hash, slice_of(current_tx, len), label, tx_secret, len) != 0 ||
	    derive_packet_key(conn, slice_of(rx_secret, len), rx_key, rx_vector) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (derive_packet_key(conn, slice_of(tx_secret, len), tx_key, tx_vector) != 0) {
		packet_key_free(object_of(rx_key->native_handle));
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	return 0;
}
