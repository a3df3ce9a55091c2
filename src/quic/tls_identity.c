/* quic/tls_identity.c: a relay's certificate chain and private key. */
#include "quic/internal.h"
#include "seal/datum.h"

#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SELF_SIGNED_DAYS 30
#define CLOCK_SKEW_SECONDS 3600 /* a client's clock may be behind */
#define CHAIN_MAX 16

struct quic_identity {
	atomic_uint refs; /* shards in threads of their own have it */
	struct quic_credentials credentials;
	gnutls_x509_privkey_t key;
	gnutls_datum_t der;
	uint8_t fingerprint[QUIC_FINGERPRINT_BYTES];
	uint8_t secret[QUIC_SECRET_BYTES]; /* of the private key */
	uint64_t valid_from, valid_until;
};

static struct quic_identity *identity_new(void) {
	struct quic_identity *identity = calloc(1, sizeof(*identity));

	if (identity == NULL)
		return NULL;
	identity->refs = 1;
	if (quic_credentials_init(&identity->credentials, GNUTLS_SERVER) != 0) {
		free(identity);
		return NULL;
	}
	return identity;
}

/* GnuTLS's clock; what lies before 1970 or cannot be read counts as 1970, what our clock never reaches as its end. */
static uint64_t to_ns(time_t seconds) {
	if (seconds <= 0)
		return 0;
	return (uint64_t)seconds < UINT64_MAX / BASE_SECOND ? (uint64_t)seconds * BASE_SECOND : UINT64_MAX;
}

/* Once, since threads may ask for secrets at the same time, and GnuTLS does not promise that they may export a key. */
static int keep_secret(struct quic_identity *identity) {
	static const char label[] = "lanparty private key";
	gnutls_datum_t der = {0};
	int code = gnutls_x509_privkey_export2(identity->key, GNUTLS_X509_FMT_DER, &der);

	if (code == 0) {
		code = gnutls_hmac_fast(GNUTLS_MAC_SHA256, der.data, der.size, label, sizeof(label), identity->secret);
		gnutls_memset(der.data, 0, der.size);
		quic_tls_free(der.data);
	}
	return code;
}

/* Takes over the key; the certificates stay the caller's. */
static int identity_make(gnutls_x509_crt_t *chain, unsigned count, gnutls_x509_privkey_t key,
                         struct quic_identity **ret, char error[static QUIC_ERROR_BYTES]) {
	struct quic_identity *identity = identity_new();
	int code;

	if (identity == NULL) {
		gnutls_x509_privkey_deinit(key);
		return quic_tls_fail(error, "certificate", GNUTLS_E_MEMORY_ERROR);
	}
	identity->key = key;
	code = gnutls_certificate_set_x509_key(identity->credentials.certificates, chain, (int)count, key);
	if (code == 0)
		code = gnutls_x509_crt_export2(chain[0], GNUTLS_X509_FMT_DER, &identity->der);
	if (code == 0 && quic_fingerprint(quic_identity_der(identity), identity->fingerprint) != 0)
		code = GNUTLS_E_HASH_FAILED;
	if (code == 0)
		code = keep_secret(identity);
	if (code < 0) {
		quic_identity_unref(identity);
		return code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
		           ? quic_tls_fail(error, "certificate and private key do not belong together", 0)
		           : quic_tls_fail(error, "certificate", code);
	}
	identity->valid_from = to_ns(gnutls_x509_crt_get_activation_time(chain[0]));
	identity->valid_until = to_ns(gnutls_x509_crt_get_expiration_time(chain[0]));
	*ret = identity;
	return 0;
}

static void free_chain(gnutls_x509_crt_t *chain, unsigned count) {
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
}

static int import_key(struct slice pem, gnutls_x509_privkey_t *ret, char error[static QUIC_ERROR_BYTES]) {
	unsigned char *copy = malloc(pem.len + 1); /* with a zero: GnuTLS reads the headers in it as text */
	gnutls_datum_t datum = {.data = copy, .size = (unsigned)pem.len};
	gnutls_x509_privkey_t key = NULL;
	int code;

	if (copy == NULL || gnutls_x509_privkey_init(&key) != 0) {
		free(copy);
		return quic_tls_fail(error, "private key", GNUTLS_E_MEMORY_ERROR);
	}
	if (pem.len > 0)
		memcpy(copy, pem.data, pem.len);
	copy[pem.len] = 0;
	code = gnutls_x509_privkey_import2(key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(copy, 0, pem.len);
	free(copy);
	if (code != 0) {
		gnutls_x509_privkey_deinit(key);
		if (code == GNUTLS_E_DECRYPTION_FAILED)
			return quic_tls_fail(error, "private key is encrypted with a password", 0);
		return code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ? quic_tls_fail(error, "key file holds no private key", 0)
		                                                     : quic_tls_fail(error, "private key", code);
	}
	*ret = key;
	return 0;
}

int quic_identity_from_pem(struct slice chain_pem, struct slice key_pem, struct quic_identity **ret,
                           char error[static QUIC_ERROR_BYTES]) {
	const gnutls_datum_t datum = seal_datum(chain_pem);
	gnutls_x509_crt_t chain[CHAIN_MAX];
	gnutls_x509_privkey_t key = NULL;
	unsigned count = CHAIN_MAX;
	int err;

	if (chain_pem.len == 0)
		return quic_tls_fail(error, "certificate file is empty", 0);
	err = gnutls_x509_crt_list_import(chain, &count, &datum, GNUTLS_X509_FMT_PEM,
	                                  GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
	if (err == 0 || err == GNUTLS_E_NO_CERTIFICATE_FOUND)
		return quic_tls_fail(error, "certificate file holds no certificate", 0);
	if (err < 0)
		return quic_tls_fail(error, "certificate", err);
	count = (unsigned)err;
	err = import_key(key_pem, &key, error);
	if (err == 0)
		err = identity_make(chain, count, key, ret, error);
	free_chain(chain, count);
	return err;
}

static int set_name(gnutls_x509_crt_t crt, const char *name) {
	struct base_addr addr;

	if (base_addr_parse_ip(name, strlen(name), &addr) == 0)
		return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, addr.ip,
		                                            addr.family == BASE_FAMILY_V4 ? 4 : 16, GNUTLS_FSAN_APPEND);
	return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
	                                            GNUTLS_FSAN_APPEND);
}

static int fill_certificate(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names, size_t count,
                            time_t now) {
	uint8_t serial[16];
	int code;

	quic_random(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive and of full length (RFC 5280 section 4.1.2.2) */
	code = gnutls_x509_crt_set_version(crt, 3);
	for (size_t i = 0; code == 0 && i < count; i++)
		code = set_name(crt, names[i]);
	if (code == 0)
		code = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
	if (code == 0)
		code = gnutls_x509_crt_set_activation_time(crt, now - CLOCK_SKEW_SECONDS);
	if (code == 0)
		code = gnutls_x509_crt_set_expiration_time(crt, now + SELF_SIGNED_DAYS * 24 * 3600);
	if (code == 0)
		code = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, "lanparty relay", 14);
	if (code == 0)
		code = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
	if (code == 0)
		code = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (code == 0)
		code = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0);
	if (code == 0)
		code = gnutls_x509_crt_set_key(crt, key);
	return code == 0 ? gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) : code;
}

int quic_identity_self_signed(const char *const *names, size_t count, uint64_t wall_clock_ns,
                              struct quic_identity **ret, char error[static QUIC_ERROR_BYTES]) {
	time_t now = (time_t)(wall_clock_ns / BASE_SECOND);
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	int code, err;

	if (count == 0)
		return quic_tls_fail(error, "a certificate needs at least one name", 0);
	code = gnutls_x509_privkey_init(&key);
	if (code == 0)
		code = gnutls_x509_crt_init(&crt);
	if (code == 0)
		code = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (code == 0)
		code = fill_certificate(crt, key, names, count, now);
	if (code == 0) {
		err = identity_make(&crt, 1, key, ret, error);
	} else {
		err = quic_tls_fail(error, "self-signed certificate", code);
		gnutls_x509_privkey_deinit(key);
	}
	gnutls_x509_crt_deinit(crt);
	return err;
}

struct quic_identity *quic_identity_ref(struct quic_identity *identity) {
	atomic_fetch_add(&identity->refs, 1);
	return identity;
}

void quic_identity_unref(struct quic_identity *identity) {
	if (identity == NULL || atomic_fetch_sub(&identity->refs, 1) > 1)
		return;
	quic_credentials_done(&identity->credentials);
	gnutls_x509_privkey_deinit(identity->key);
	quic_tls_free(identity->der.data);
	gnutls_memset(identity->secret, 0, sizeof(identity->secret));
	free(identity);
}

struct slice quic_identity_der(const struct quic_identity *identity) {
	return slice_of(identity->der.data, identity->der.size);
}

void quic_identity_validity(const struct quic_identity *identity, uint64_t *ret_from, uint64_t *ret_until) {
	*ret_from = identity->valid_from;
	*ret_until = identity->valid_until;
}

void quic_identity_fingerprint(const struct quic_identity *identity, uint8_t ret[static QUIC_FINGERPRINT_BYTES]) {
	memcpy(ret, identity->fingerprint, QUIC_FINGERPRINT_BYTES);
}

const struct quic_credentials *quic_identity_credentials(const struct quic_identity *identity) {
	return &identity->credentials;
}

int quic_identity_secret(const struct quic_identity *identity, const char *label,
                         uint8_t ret[static QUIC_SECRET_BYTES]) {
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, identity->secret, sizeof(identity->secret), label, strlen(label), ret) ==
	               0
	           ? 0
	           : BASE_E_TLS;
}
