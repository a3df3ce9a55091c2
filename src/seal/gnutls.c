/* seal/gnutls.c: the backend that is always there. */
#include "base/text.h"
#include "seal/datum.h"
#include "seal/internal.h"

#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 16

static const struct {
	gnutls_cipher_algorithm_t packet, header;
} ciphers[SEAL_SUITES] = {
    /* GnuTLS has no single AES block; CBC from a zero vector is one. */
    [SEAL_AES_128_GCM] = {GNUTLS_CIPHER_AES_128_GCM, GNUTLS_CIPHER_AES_128_CBC},
    [SEAL_AES_256_GCM] = {GNUTLS_CIPHER_AES_256_GCM, GNUTLS_CIPHER_AES_256_CBC},
    [SEAL_CHACHA20_POLY1305] = {GNUTLS_CIPHER_CHACHA20_POLY1305, GNUTLS_CIPHER_CHACHA20_32},
};

static int code_of(int code) {
	return code == GNUTLS_E_MEMORY_ERROR ? BASE_E_NOMEM : BASE_E_TLS;
}

/* --- packets --- */

struct gnutls_key {
	struct seal_key key;
	gnutls_aead_cipher_hd_t handle; /* GnuTLS wipes its key when it is freed */
};

static bool key_seal(struct seal_key *base, const uint8_t *nonce, struct slice aad, struct slice plain, uint8_t *dest) {
	struct gnutls_key *key = (struct gnutls_key *)base;
	size_t len = plain.len + SEAL_TAG_BYTES;

	return gnutls_aead_cipher_encrypt(key->handle, nonce, SEAL_NONCE_BYTES, aad.data, aad.len, SEAL_TAG_BYTES,
	                                  plain.data, plain.len, dest, &len) == 0;
}

static bool key_open(struct seal_key *base, const uint8_t *nonce, struct slice aad, struct slice sealed,
                     uint8_t *dest) {
	struct gnutls_key *key = (struct gnutls_key *)base;
	size_t len = sealed.len - SEAL_TAG_BYTES;

	return gnutls_aead_cipher_decrypt(key->handle, nonce, SEAL_NONCE_BYTES, aad.data, aad.len, SEAL_TAG_BYTES,
	                                  sealed.data, sealed.len, dest, &len) == 0;
}

static void key_free(struct seal_key *base) {
	struct gnutls_key *key = (struct gnutls_key *)base;

	gnutls_aead_cipher_deinit(key->handle);
	free(key);
}

static int key_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                   struct seal_key **ret) {
	struct gnutls_key *key = calloc(1, sizeof(*key));
	const gnutls_datum_t datum = seal_datum(slice_of(bytes, seal_key_bytes(suite)));
	int code;

	(void)backend;
	if (key == NULL)
		return BASE_E_NOMEM;
	key->key = (struct seal_key){.seal = key_seal, .open = key_open, .free = key_free};
	code = gnutls_aead_cipher_init(&key->handle, ciphers[suite].packet, &datum);
	if (code != 0) {
		free(key);
		return code_of(code);
	}
	*ret = &key->key;
	return 0;
}

/* --- headers --- */

struct gnutls_mask {
	struct seal_mask mask;
	gnutls_cipher_hd_t handle;
};

/* RFC 9001 section 5.4.3 */
static bool mask_make_aes(struct seal_mask *base, const uint8_t *sample, uint8_t *ret) {
	struct gnutls_mask *mask = (struct gnutls_mask *)base;
	uint8_t vector[BLOCK_BYTES] = {0}, block[BLOCK_BYTES];

	gnutls_cipher_set_iv(mask->handle, vector, sizeof(vector));
	if (gnutls_cipher_encrypt2(mask->handle, sample, SEAL_SAMPLE_BYTES, block, sizeof(block)) != 0)
		return false;
	memcpy(ret, block, SEAL_MASK_BYTES);
	return true;
}

/* RFC 9001 section 5.4.4: the sample is counter and nonce. */
static bool mask_make_chacha20(struct seal_mask *base, const uint8_t *sample, uint8_t *ret) {
	struct gnutls_mask *mask = (struct gnutls_mask *)base;
	static const uint8_t zeros[SEAL_MASK_BYTES];
	uint8_t vector[SEAL_SAMPLE_BYTES];

	memcpy(vector, sample, sizeof(vector));
	gnutls_cipher_set_iv(mask->handle, vector, sizeof(vector));
	return gnutls_cipher_encrypt2(mask->handle, zeros, sizeof(zeros), ret, SEAL_MASK_BYTES) == 0;
}

static void mask_free(struct seal_mask *base) {
	struct gnutls_mask *mask = (struct gnutls_mask *)base;

	gnutls_cipher_deinit(mask->handle);
	free(mask);
}

static int mask_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                    struct seal_mask **ret) {
	struct gnutls_mask *mask = calloc(1, sizeof(*mask));
	const gnutls_datum_t datum = seal_datum(slice_of(bytes, seal_key_bytes(suite)));
	int code;

	(void)backend;
	if (mask == NULL)
		return BASE_E_NOMEM;
	mask->mask.make = suite == SEAL_CHACHA20_POLY1305 ? mask_make_chacha20 : mask_make_aes;
	mask->mask.free = mask_free;
	code = gnutls_cipher_init(&mask->handle, ciphers[suite].header, &datum, NULL);
	if (code != 0) {
		free(mask);
		return code_of(code);
	}
	*ret = &mask->mask;
	return 0;
}

/* --- backend --- */

static const struct seal_backend shared = {.name = "gnutls", .key_new = key_new, .mask_new = mask_new};

const struct seal_backend *seal_gnutls(void) {
	return &shared;
}

static void backend_free(struct seal_backend *backend) {
	free(backend);
}

int seal_gnutls_open(struct seal_backend **ret) {
	struct seal_backend *backend = malloc(sizeof(*backend));

	if (backend == NULL)
		return BASE_E_NOMEM;
	*backend = shared;
	backend->free = backend_free;
	base_text_copy(backend->version, sizeof(backend->version), gnutls_check_version(NULL));
	*ret = backend;
	return 0;
}
