/* seal/derive.c: secrets from other secrets. GnuTLS does the work: none of it is on the data path. */
#include "seal/datum.h"
#include "seal/internal.h"

#include <gnutls/crypto.h>

int seal_stretch(struct slice password, struct slice salt, unsigned rounds, uint8_t ret[static SEAL_SECRET_BYTES]) {
	const gnutls_datum_t password_datum = seal_datum(password), salt_datum = seal_datum(salt);

	return gnutls_pbkdf2(GNUTLS_MAC_SHA256, &password_datum, &salt_datum, rounds, ret, SEAL_SECRET_BYTES) == 0
	           ? 0
	           : BASE_E_TLS;
}

int seal_expand(const uint8_t secret[static SEAL_SECRET_BYTES], struct slice info, uint8_t *ret, size_t len) {
	const gnutls_datum_t secret_datum = seal_datum(slice_of(secret, SEAL_SECRET_BYTES)), info_datum = seal_datum(info);

	return gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &secret_datum, &info_datum, ret, len) == 0 ? 0 : BASE_E_TLS;
}
