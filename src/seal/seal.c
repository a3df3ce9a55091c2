/* seal/seal.c: chooses the backend and calls it; what is the same for both is done here. */
#include "seal/seal.h"

#include "base/text.h"
#include "obs/log.h"
#include "seal/internal.h"

#include <gnutls/gnutls.h>
#include <string.h>

size_t seal_key_bytes(enum seal_suite suite) {
	return suite == SEAL_AES_128_GCM ? 16 : 32;
}

int seal_choice_parse(const char *text, enum seal_choice *ret) {
	static const char *const names[] = {[SEAL_AUTO] = "auto", [SEAL_GNUTLS] = "gnutls", [SEAL_IPSEC_MB] = "ipsec-mb"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum seal_choice)i;
			return 0;
		}
	}
	return BASE_E_INVALID;
}

static void say_which(struct obs_log *log, const struct seal_backend *backend, const char *why) {
	obs_begin(log, OBS_INFO, "packet_protection");
	obs_str(log, "library", backend->name);
	obs_str(log, "version", backend->version);
	if (why[0] != '\0')
		obs_str(log, "message", why);
	obs_end(log);
}

int seal_backend_open(enum seal_choice choice, struct obs_log *log, struct seal_backend **ret,
                      char error[static SEAL_ERROR_BYTES]) {
	struct seal_backend *backend = NULL;
	char why[SEAL_ERROR_BYTES] = "";
	int err = BASE_E_UNSUPPORTED;

	if (choice != SEAL_GNUTLS)
		err = seal_ipsec_mb_open(seal_ipsec_mb_names, &backend, why);
	if (err == BASE_E_UNSUPPORTED && choice == SEAL_IPSEC_MB)
		memcpy(error, why, sizeof(why));
	else if (err == BASE_E_UNSUPPORTED)
		err = seal_gnutls_open(&backend);
	if (err != 0)
		return err;
	say_which(log, backend, why);
	*ret = backend;
	return 0;
}

void seal_backend_free(struct seal_backend *backend) {
	if (backend != NULL)
		backend->free(backend);
}

const char *seal_backend_name(const struct seal_backend *backend) {
	return backend->name;
}

int seal_key_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *key, struct seal_key **ret) {
	return backend->key_new(backend, suite, key, ret);
}

void seal_key_free(struct seal_key *key) {
	if (key != NULL)
		key->free(key);
}

bool seal_key_seal(struct seal_key *key, const uint8_t nonce[static SEAL_NONCE_BYTES], struct slice aad,
                   struct slice plain, uint8_t *dest) {
	return key->seal(key, nonce, aad, plain, dest);
}

bool seal_key_open(struct seal_key *key, const uint8_t nonce[static SEAL_NONCE_BYTES], struct slice aad,
                   struct slice sealed, uint8_t *dest) {
	if (sealed.len < SEAL_TAG_BYTES)
		return false;
	if (key->open(key, nonce, aad, sealed, dest))
		return true;
	/* Both libraries decrypt before they know that the tag is wrong. */
	gnutls_memset(dest, 0, sealed.len - SEAL_TAG_BYTES);
	return false;
}

int seal_mask_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *key,
                  struct seal_mask **ret) {
	return backend->mask_new(backend, suite, key, ret);
}

void seal_mask_free(struct seal_mask *mask) {
	if (mask != NULL)
		mask->free(mask);
}

bool seal_mask_make(struct seal_mask *mask, const uint8_t sample[static SEAL_SAMPLE_BYTES],
                    uint8_t ret[static SEAL_MASK_BYTES]) {
	return mask->make(mask, sample, ret);
}
