/* seal/seal.h: protects packets: authenticated encryption and, as QUIC wants them (RFC 9001 section 5), header masks,
 * by GnuTLS or, where this machine has it, by libipsec-mb. Both give the same bytes for the same key. Knows neither
 * packets nor connections.
 *
 * Threads: a backend never changes and may be shared; a key or mask is used by one thread at a time. */
#ifndef SEAL_SEAL_H
#define SEAL_SEAL_H

#include "base/slice.h"

struct obs_log;

#define SEAL_TAG_BYTES 16
#define SEAL_NONCE_BYTES 12
#define SEAL_KEY_BYTES_MAX 32
#define SEAL_SAMPLE_BYTES 16
#define SEAL_MASK_BYTES 5
#define SEAL_SECRET_BYTES 32
#define SEAL_ERROR_BYTES 400

enum seal_suite { SEAL_AES_128_GCM, SEAL_AES_256_GCM, SEAL_CHACHA20_POLY1305, SEAL_SUITES };

/* Of packet keys and mask keys alike. */
size_t seal_key_bytes(enum seal_suite suite);

/* --- which library --- */

enum seal_choice { SEAL_AUTO, SEAL_GNUTLS, SEAL_IPSEC_MB };
/* "auto", "gnutls" or "ipsec-mb". 0 or BASE_E_INVALID. */
int seal_choice_parse(const char *text, enum seal_choice *ret);

struct seal_backend;

/* AUTO: libipsec-mb if it can be had, else GnuTLS. Says in one line of `log` (may be NULL) which it is and why. The
 * backend must outlive its keys. 0, BASE_E_NOMEM, or BASE_E_UNSUPPORTED with `error`. */
int seal_backend_open(enum seal_choice choice, struct obs_log *log, struct seal_backend **ret,
                      char error[static SEAL_ERROR_BYTES]);
void seal_backend_free(struct seal_backend *backend); /* accepts NULL */
/* "gnutls" or "ipsec-mb" */
const char *seal_backend_name(const struct seal_backend *backend);
/* GnuTLS, which is always there; need not be freed. */
const struct seal_backend *seal_gnutls(void);

/* --- packets --- */

struct seal_key;

/* 0, BASE_E_NOMEM or BASE_E_TLS. `key` has seal_key_bytes(suite) bytes. */
int seal_key_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *key, struct seal_key **ret);
void seal_key_free(struct seal_key *key); /* wipes it; accepts NULL */

/* `dest` gets plain.len + SEAL_TAG_BYTES bytes; it is plain.data or does not overlap it. False: the library failed. */
bool seal_key_seal(struct seal_key *key, const uint8_t nonce[static SEAL_NONCE_BYTES], struct slice aad,
                   struct slice plain, uint8_t *dest);
/* `dest` gets sealed.len - SEAL_TAG_BYTES bytes; it is sealed.data or does not overlap it. False: not sealed with this
 * key, nonce and aad; then `dest` holds zeros. The tag is compared in constant time. */
bool seal_key_open(struct seal_key *key, const uint8_t nonce[static SEAL_NONCE_BYTES], struct slice aad,
                   struct slice sealed, uint8_t *dest);

/* --- their headers --- */

struct seal_mask;

/* As seal_key_new. */
int seal_mask_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *key,
                  struct seal_mask **ret);
void seal_mask_free(struct seal_mask *mask); /* wipes it; accepts NULL */
/* False: the library failed. */
bool seal_mask_make(struct seal_mask *mask, const uint8_t sample[static SEAL_SAMPLE_BYTES],
                    uint8_t ret[static SEAL_MASK_BYTES]);

/* --- secrets --- */

/* PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2): makes guessing a password `rounds` times as expensive. 0 or
 * BASE_E_TLS. */
int seal_stretch(struct slice password, struct slice salt, unsigned rounds, uint8_t ret[static SEAL_SECRET_BYTES]);
/* HKDF-Expand with SHA-256 (RFC 5869 section 2.3), `len` up to 255 * 32. 0 or BASE_E_TLS. */
int seal_expand(const uint8_t secret[static SEAL_SECRET_BYTES], struct slice info, uint8_t *ret, size_t len);

#endif
