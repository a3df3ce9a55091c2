/* quic/tls.h: who a relay is (certificate and key) and whom a peer believes (trust). Bytes in, no files. */
#ifndef QUIC_TLS_H
#define QUIC_TLS_H

#include "base/slice.h"

#define QUIC_FINGERPRINT_BYTES 32 /* SHA-256 over the DER certificate */
#define QUIC_ERROR_BYTES 200

/* Once per process before anything else of this room, and once at its end. 0 or BASE_E_TLS. */
int quic_global_init(void);
void quic_global_done(void);

/* Cryptographic random bytes. */
void quic_random(uint8_t *buf, size_t len);

struct quic_identity; /* reference-counted; any thread */

/* PEM certificate chain and PEM key. 0, BASE_E_TLS (unreadable, or key and certificate do not belong together) with
 * `error`, BASE_E_NOMEM. */
int quic_identity_from_pem(struct slice chain, struct slice key, struct quic_identity **ret,
                           char error[static QUIC_ERROR_BYTES]);
/* A new ECDSA P-256 key with a self-signed certificate for `names` (DNS names and IP literals), valid 30 days. Errors
 * as above. */
int quic_identity_self_signed(const char *const *names, size_t count, uint64_t wall_clock_ns,
                              struct quic_identity **ret, char error[static QUIC_ERROR_BYTES]);
struct quic_identity *quic_identity_ref(struct quic_identity *identity);
void quic_identity_unref(struct quic_identity *identity); /* accepts NULL */
/* DER of the leaf certificate; lives with the identity. */
struct slice quic_identity_der(const struct quic_identity *identity);
/* From when until when the leaf certificate is valid (RFC 5280 section 4.1.2.5), in ns since 1970. */
void quic_identity_validity(const struct quic_identity *identity, uint64_t *ret_from, uint64_t *ret_until);
void quic_identity_fingerprint(const struct quic_identity *identity, uint8_t ret[static QUIC_FINGERPRINT_BYTES]);

struct quic_trust; /* what a client accepts; reference-counted */

/* Empty: accepts nobody until something is added. NULL when memory is out. */
struct quic_trust *quic_trust_new(void);
struct quic_trust *quic_trust_ref(struct quic_trust *trust);
void quic_trust_unref(struct quic_trust *trust);
/* PEM (one or more) or DER certificate: accepted as the relay's own certificate (byte for byte, whatever its name and
 * dates: a pin) or as a CA that signed it (name and dates checked). 0; BASE_E_TLS or BASE_E_NOMEM with `error`.
 * With authorities present, a certificate that is not pinned is judged by them alone. */
int quic_trust_add_certificate(struct quic_trust *trust, struct slice bytes, char error[static QUIC_ERROR_BYTES]);
/* 64 hex digits, colons allowed: the relay's own certificate by SHA-256. 0, BASE_E_SYNTAX or
 * BASE_E_NOMEM with `error`. */
int quic_trust_add_fingerprint(struct quic_trust *trust, const char *text, char error[static QUIC_ERROR_BYTES]);
/* The system's certificate authorities. 0, BASE_E_TLS when there are none, or BASE_E_NOMEM; with `error`. */
int quic_trust_add_system(struct quic_trust *trust, char error[static QUIC_ERROR_BYTES]);

#endif
