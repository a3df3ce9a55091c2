/* seal/derive.c: secrets from other secrets. GnuTLS does the work: none of it is on the data path. */
#include "seal/internal.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

/* GnuTLS only reads it. */
static gnutls_datum_t datum_of(struct slice bytes) {
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)bytes.data, .size = (unsigned)bytes.len};
}

int seal_stretch(struct slice password, struct slice salt, unsigned rounds, uint8_t ret[static SEAL_SECRET_BYTES]) {
	const gnutls_datum_t password_datum = datum_of(password), salt_datum = datum_of(salt);

	return gnutls_pbkdf2(GNUTLS_MAC_SHA256, &password_datum, &salt_datum, rounds, ret, SEAL_SECRET_BYTES) == 0
	           ? 0
	           : BASE_E_TLS;
}

int seal_expand(const uint8_t secret[static SEAL_SECRET_BYTES], struct slice info, uint8_t *ret, size_t len) {
	const gnutls_datum_t secret_datum = datum_of(slice_of(secret, SEAL_SECRET_BYTES)), info_datum = datum_of(info);

	return gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &secret_datum, &info_datum, ret, len) == 0 ? 0 : BASE_E_TLS;
}
