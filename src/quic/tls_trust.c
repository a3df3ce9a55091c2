/* quic/tls_trust.c: which relay certificates a client accepts: pins (by SHA-256 of the whole certificate) and
 * authorities. */
#include "base/text.h"
#include "quic/internal.h"
#include "seal/datum.h"

#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

struct quic_trust {
	unsigned refs;
	struct quic_credentials credentials;
	uint8_t (*pins)[QUIC_FINGERPRINT_BYTES];
	size_t pin_count;
	bool has_authorities, has_system;
};

struct quic_trust *quic_trust_new(void) {
	struct quic_trust *trust = calloc(1, sizeof(*trust));

	if (trust == NULL)
		return NULL;
	trust->refs = 1;
	if (quic_credentials_init(&trust->credentials, GNUTLS_CLIENT) != 0) {
		free(trust);
		return NULL;
	}
	return trust;
}

struct quic_trust *quic_trust_ref(struct quic_trust *trust) {
	trust->refs++;
	return trust;
}

void quic_trust_unref(struct quic_trust *trust) {
	if (trust == NULL || --trust->refs > 0)
		return;
	quic_credentials_done(&trust->credentials);
	free(trust->pins);
	free(trust);
}

static int add_pin(struct quic_trust *trust, const uint8_t pin[static QUIC_FINGERPRINT_BYTES]) {
	uint8_t(*grown)[QUIC_FINGERPRINT_BYTES] = realloc(trust->pins, (trust->pin_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return BASE_E_NOMEM;
	trust->pins = grown;
	memcpy(trust->pins[trust->pin_count++], pin, QUIC_FINGERPRINT_BYTES);
	return 0;
}

static int add_one(struct quic_trust *trust, gnutls_x509_crt_t crt) {
	uint8_t pin[QUIC_FINGERPRINT_BYTES];
	gnutls_datum_t der = {0};
	int code = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der);

	if (code != 0)
		return code;
	if (quic_fingerprint(slice_of(der.data, der.size), pin) != 0 || add_pin(trust, pin) != 0)
		code = GNUTLS_E_MEMORY_ERROR;
	quic_tls_free(der.data);
	return code;
}

static bool is_pem(struct slice bytes) {
	static const char marker[] = "-----BEGIN";
	const size_t len = sizeof(marker) - 1;

	for (size_t i = 0; i + len <= bytes.len; i++) {
		if (memcmp(bytes.data + i, marker, len) == 0)
			return true;
	}
	return false;
}

int quic_trust_add_certificate(struct quic_trust *trust, struct slice bytes, char error[static QUIC_ERROR_BYTES]) {
	const gnutls_datum_t datum = seal_datum(bytes);
	gnutls_x509_crt_t *list = NULL;
	unsigned count = 0;
	int code;

	if (bytes.data == NULL || bytes.len == 0)
		return quic_tls_fail(error, "certificate file is empty", 0);
	code = gnutls_x509_crt_list_import2(&list, &count, &datum,
	                                    is_pem(bytes) ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, 0);
	if (code < 0)
		return quic_tls_fail(error, "certificate is neither PEM nor DER", code);
	for (unsigned i = 0; i < count && code >= 0; i++)
		code = add_one(trust, list[i]);
	if (code >= 0) {
		code = gnutls_certificate_set_x509_trust(trust->credentials.certificates, list, (int)count);
		trust->has_authorities = trust->has_authorities || code > 0;
	}
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	quic_tls_free(list);
	return code >= 0 ? 0 : quic_tls_fail(error, "certificate", code);
}

int quic_trust_add_fingerprint(struct quic_trust *trust, const char *text, char error[static QUIC_ERROR_BYTES]) {
	char digits[2 * QUIC_FINGERPRINT_BYTES];
	uint8_t pin[QUIC_FINGERPRINT_BYTES];
	size_t count = 0;

	for (const char *c = text; *c != 0; c++) {
		if (*c == ':')
			continue;
		if (count == sizeof(digits)) {
			quic_tls_fail(error, "fingerprint is longer than 64 hex digits", 0);
			return BASE_E_SYNTAX;
		}
		digits[count++] = *c;
	}
	if (base_parse_hex(digits, count, pin, sizeof(pin)) != 0) {
		quic_tls_fail(error, "fingerprint is not 64 hex digits (SHA-256)", 0);
		return BASE_E_SYNTAX;
	}
	if (add_pin(trust, pin) != 0) {
		quic_tls_fail(error, "fingerprint: out of memory", 0);
		return BASE_E_NOMEM;
	}
	return 0;
}

int quic_trust_add_system(struct quic_trust *trust, char error[static QUIC_ERROR_BYTES]) {
	int count = gnutls_certificate_set_x509_system_trust(trust->credentials.certificates);

	if (count <= 0)
		return quic_tls_fail(error, "no certificate authorities on this system", count);
	trust->has_authorities = trust->has_system = true;
	return 0;
}

bool quic_trust_ask_system(struct quic_trust *trust, gnutls_session_t session) {
	unsigned count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

	return trust->has_system && quic_tls_ask_system(chain, count, trust->credentials.certificates);
}

const struct quic_credentials *quic_trust_credentials(const struct quic_trust *trust) {
	return &trust->credentials;
}

bool quic_trust_pins(const struct quic_trust *trust, const uint8_t fingerprint[static QUIC_FINGERPRINT_BYTES]) {
	for (size_t i = 0; i < trust->pin_count; i++) {
		if (memcmp(trust->pins[i], fingerprint, QUIC_FINGERPRINT_BYTES) == 0)
			return true;
	}
	return false;
}

bool quic_trust_has_authorities(const struct quic_trust *trust) {
	return trust->has_authorities;
}

bool quic_trust_has_pins(const struct quic_trust *trust) {
	return trust->pin_count > 0;
}
