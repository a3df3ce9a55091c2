/* seal/internal.h: what a backend is to seal.c. Not for other rooms. */
#ifndef SEAL_INTERNAL_H
#define SEAL_INTERNAL_H

#include "base/error.h"
#include "seal/seal.h"

struct seal_backend {
	const char *name;
	char version[24];
	int (*key_new)(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *key,
	               struct seal_key **ret);
	int (*mask_new)(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *key,
	                struct seal_mask **ret);
	void (*free)(struct seal_backend *backend);
};

struct seal_key {
	bool (*seal)(struct seal_key *key, const uint8_t *nonce, struct slice aad, struct slice plain, uint8_t *dest);
	/* With sealed.len at least SEAL_TAG_BYTES; seal.c clears `dest` when it says false. */
	bool (*open)(struct seal_key *key, const uint8_t *nonce, struct slice aad, struct slice sealed, uint8_t *dest);
	void (*free)(struct seal_key *key);
};

struct seal_mask {
	bool (*make)(struct seal_mask *mask, const uint8_t *sample, uint8_t *ret);
	void (*free)(struct seal_mask *mask);
};

/* gnutls.c: 0 or BASE_E_NOMEM. */
int seal_gnutls_open(struct seal_backend **ret);

/* ipsec_mb_linux.c, or ipsec_mb_none.c: loads the first of the libraries `names` (up to NULL) that is there and proves
 * that it works here. 0, BASE_E_NOMEM, or BASE_E_UNSUPPORTED with `why`. */
extern const char *const seal_ipsec_mb_names[];
int seal_ipsec_mb_open(const char *const *names, struct seal_backend **ret, char why[static SEAL_ERROR_BYTES]);

#endif
