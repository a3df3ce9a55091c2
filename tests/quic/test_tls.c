/* Identities and trust: what can be read, who is believed, and whether the refusal says why. */
#include "odd.h"

#include "base/error.h"
#include "base/text.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY (24 * 3600)

/* --- certificates of the test's own authority --- */

struct pem {
	gnutls_datum_t certificate, key;
};

struct authority {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
};

static gnutls_x509_crt_t make_crt(gnutls_x509_privkey_t key, const char *name, time_t from, time_t to, bool ca) {
	gnutls_x509_crt_t crt;
	uint8_t serial[4] = {1, 2, 3, 4};

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, from), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, to), 0);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, ca ? "CN=test authority" : "CN=test relay", NULL), 0);
	assert_int_equal(gnutls_x509_crt_set_basic_constraints(crt, ca, -1), 0);
	assert_int_equal(gnutls_x509_crt_set_key_usage(crt, ca ? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE),
	                 0);
	if (name != NULL)
		assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name),
		                                                      GNUTLS_FSAN_SET),
		                 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
	return crt;
}

static gnutls_x509_privkey_t make_key(void) {
	gnutls_x509_privkey_t key;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
	    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	return key;
}

static void authority_init(struct authority *authority) {
	time_t now = time(NULL);

	authority->key = make_key();
	authority->crt = make_crt(authority->key, NULL, now - 100 * DAY, now + 100 * DAY, true);
	assert_int_equal(gnutls_x509_crt_sign2(authority->crt, authority->crt, authority->key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(authority->crt, GNUTLS_X509_FMT_PEM, &authority->pem), 0);
}

static void authority_done(struct authority *authority) {
	gnutls_x509_crt_deinit(authority->crt);
	gnutls_x509_privkey_deinit(authority->key);
	free(authority->pem.data);
}

static void issue(const struct authority *authority, const char *name, long from_days, long to_days, struct pem *ret) {
	time_t now = time(NULL);
	gnutls_x509_privkey_t key = make_key();
	gnutls_x509_crt_t crt = make_crt(key, name, now + from_days * DAY, now + to_days * DAY, false);

	assert_int_equal(gnutls_x509_crt_sign2(crt, authority->crt, authority->key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &ret->certificate), 0);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &ret->key), 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static void pem_done(struct pem *pem) {
	free(pem->certificate.data);
	free(pem->key.data);
}

static struct slice of(const gnutls_datum_t *datum) {
	return slice_of(datum->data, datum->size);
}

static void use_identity(struct net *net, const struct pem *pem) {
	char error[QUIC_ERROR_BYTES] = "";
	struct quic_identity *identity = NULL;

	if (quic_identity_from_pem(of(&pem->certificate), of(&pem->key), &identity, error) != 0)
		fail_msg("%s", error);
	quic_server_set_identity(net->server, identity);
	quic_identity_unref(identity);
}

/* --- tests --- */

static void test_pem_errors(void **state) {
	struct authority authority;
	struct pem a, b;
	char error[QUIC_ERROR_BYTES];
	struct quic_identity *identity = NULL;

	(void)state;
	authority_init(&authority);
	issue(&authority, "relay.test", -1, 1, &a);
	issue(&authority, "relay.test", -1, 1, &b);
	assert_int_equal(quic_identity_from_pem(of(&a.certificate), of(&b.key), &identity, error), BASE_E_TLS);
	assert_non_null(strstr(error, "do not belong together"));
	assert_int_equal(quic_identity_from_pem(slice_of(NULL, 0), of(&a.key), &identity, error), BASE_E_TLS);
	assert_non_null(strstr(error, "certificate"));
	assert_int_equal(quic_identity_from_pem(of(&a.certificate), slice_of(NULL, 0), &identity, error), BASE_E_TLS);
	assert_non_null(strstr(error, "private key"));
	assert_int_equal(quic_identity_from_pem(of(&a.key), of(&a.certificate), &identity, error), BASE_E_TLS);
	assert_string_equal(error, "certificate file holds no certificate");
	assert_int_equal(quic_identity_from_pem(of(&a.certificate), of(&a.certificate), &identity, error), BASE_E_TLS);
	assert_string_equal(error, "key file holds no private key");
	for (unsigned len = 0; len < a.certificate.size - 30; len += 7) {
		assert_int_equal(quic_identity_from_pem(slice_of(a.certificate.data, len), of(&a.key), &identity, error),
		                 BASE_E_TLS);
		assert_true(strlen(error) > 0);
	}
	for (unsigned len = 0; len < a.key.size - 30; len += 7)
		assert_int_equal(quic_identity_from_pem(of(&a.certificate), slice_of(a.key.data, len), &identity, error),
		                 BASE_E_TLS);
	assert_null(identity);
	assert_int_equal(quic_identity_from_pem(of(&a.certificate), of(&a.key), &identity, error), 0);
	quic_identity_unref(identity);
	pem_done(&a);
	pem_done(&b);
	authority_done(&authority);
}

static void test_identity_secret(void **state) {
	struct authority authority;
	struct pem pem;
	char error[QUIC_ERROR_BYTES];
	struct quic_identity *one, *two;
	uint8_t a[QUIC_SECRET_BYTES], b[QUIC_SECRET_BYTES], c[QUIC_SECRET_BYTES];

	(void)state;
	authority_init(&authority);
	issue(&authority, "relay.test", -1, 1, &pem);
	assert_int_equal(quic_identity_from_pem(of(&pem.certificate), of(&pem.key), &one, error), 0);
	assert_int_equal(quic_identity_from_pem(of(&pem.certificate), of(&pem.key), &two, error), 0);
	assert_int_equal(quic_identity_secret(one, "x", a), 0);
	assert_int_equal(quic_identity_secret(two, "x", b), 0);
	assert_int_equal(quic_identity_secret(two, "y", c), 0);
	assert_memory_equal(a, b, sizeof(a)); /* the same after a restart */
	assert_memory_not_equal(a, c, sizeof(a));
	quic_identity_unref(one);
	quic_identity_unref(two);
	pem_done(&pem);
	authority_done(&authority);
}

static void test_self_signed(void **state) {
	const char *names[] = {"relay.test", "198.51.100.7", "2001:db8::7"};
	struct quic_identity *identity;
	char error[QUIC_ERROR_BYTES];
	gnutls_x509_crt_t crt;
	gnutls_datum_t der;
	struct slice bytes;

	(void)state;
	assert_int_equal(quic_identity_self_signed(names, 0, 0, &identity, error), BASE_E_TLS);
	assert_int_equal(quic_identity_self_signed(names, 3, 1800000000 * BASE_SECOND, &identity, error), 0);
	bytes = quic_identity_der(identity);
	der = (gnutls_datum_t){.size = (unsigned)bytes.len};
	memcpy(&der.data, &bytes.data, sizeof(der.data));
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(gnutls_x509_crt_check_hostname(crt, names[i]), 1);
	assert_int_equal(gnutls_x509_crt_check_hostname(crt, "other.test"), 0);
	assert_true(gnutls_x509_crt_get_activation_time(crt) < 1800000000);
	assert_int_equal(gnutls_x509_crt_get_expiration_time(crt), 1800000000 + 30 * DAY);
	gnutls_x509_crt_deinit(crt);
	quic_identity_unref(identity);
}

static void test_trust_input(void **state) {
	static const char good[] = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
	static const char *bad[] = {"", "00", "zz112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
	                            "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF0",
	                            "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEE"};
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES];
	char text[100] = "";

	(void)state;
	assert_int_equal(quic_trust_add_fingerprint(trust, good, error), 0);
	for (size_t i = 0; i < 64; i += 2)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.2s", i > 0 ? ":" : "", good + i);
	assert_int_equal(quic_trust_add_fingerprint(trust, text, error), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unit_assert_int(quic_trust_add_fingerprint(trust, bad[i], error), BASE_E_SYNTAX, bad[i]);
		assert_non_null(strstr(error, "fingerprint"));
	}
	assert_int_equal(quic_trust_add_certificate(trust, slice_of("", 0), error), BASE_E_TLS);
	assert_int_equal(quic_trust_add_certificate(trust, slice_of("hello", 5), error), BASE_E_TLS);
	assert_non_null(strstr(error, "neither PEM nor DER"));
	assert_int_equal(quic_trust_add_certificate(trust, slice_of_text("-----BEGIN CERTIFICATE-----\n"), error),
	                 BASE_E_TLS);
	quic_trust_unref(quic_trust_ref(trust));
	quic_trust_unref(trust);
	quic_trust_unref(NULL);
}

enum trusting { TRUST_NOTHING, TRUST_AUTHORITY, TRUST_LEAF, TRUST_FINGERPRINT, TRUST_OTHER_PIN, TRUST_OTHER_AUTHORITY };

static const struct {
	const char *label;
	enum trusting trusting;
	const char *certificate_name, *wanted_name;
	long from_days, to_days;
	const char *refusal; /* NULL: accepted */
} cases[] = {
    {"authority", TRUST_AUTHORITY, "relay.test", "relay.test", -1, 1, NULL},
    {"wildcard", TRUST_AUTHORITY, "*.lan.test", "relay.lan.test", -1, 1, NULL},
    {"dot behind the name", TRUST_AUTHORITY, "relay.test", "relay.test.", -1, 1, NULL},
    {"address with scope", TRUST_FINGERPRINT, "relay.test", "fe80::1%3", -1, 1, NULL},
    {"wrong name", TRUST_AUTHORITY, "other.test", "relay.test", -1, 1, "not for the name 'relay.test'"},
    {"expired", TRUST_AUTHORITY, "relay.test", "relay.test", -10, -1,
     "has expired (or this computer's clock is wrong)"},
    {"not yet valid", TRUST_AUTHORITY, "relay.test", "relay.test", 1, 10, "not valid yet"},
    {"other authority", TRUST_OTHER_AUTHORITY, "relay.test", "relay.test", -1, 1,
     "nor signed by a trusted authority: SHA-256 "},
    {"other authority, other name", TRUST_OTHER_AUTHORITY, "other.test", "relay.test", -1, 1, "authority: SHA-256 "},
    {"pinned", TRUST_LEAF, "relay.test", "relay.test", -1, 1, NULL},
    {"pinned, expired, other name", TRUST_LEAF, "other.test", "relay.test", -10, -1, NULL},
    {"fingerprint", TRUST_FINGERPRINT, "other.test", "relay.test", -10, -1, NULL},
    {"other pin", TRUST_OTHER_PIN, "relay.test", "relay.test", -1, 1, "is not the pinned one: SHA-256 "},
    {"nothing", TRUST_NOTHING, "relay.test", "relay.test", -1, 1, "no certificate is trusted"},
};

static struct quic_trust *make_trust(enum trusting trusting, const struct authority *authority,
                                     const struct authority *other, const struct pem *leaf) {
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES], hex[65];
	struct quic_identity *identity;
	uint8_t fingerprint[QUIC_FINGERPRINT_BYTES];
	struct base_text text;

	assert_int_equal(quic_identity_from_pem(of(&leaf->certificate), of(&leaf->key), &identity, error), 0);
	quic_identity_fingerprint(identity, fingerprint);
	quic_identity_unref(identity);
	switch (trusting) {
	case TRUST_NOTHING:
		break;
	case TRUST_AUTHORITY:
		assert_int_equal(quic_trust_add_certificate(trust, of(&authority->pem), error), 0);
		break;
	case TRUST_OTHER_AUTHORITY:
		assert_int_equal(quic_trust_add_certificate(trust, of(&other->pem), error), 0);
		break;
	case TRUST_LEAF:
		assert_int_equal(quic_trust_add_certificate(trust, of(&leaf->certificate), error), 0);
		break;
	case TRUST_OTHER_PIN:
		fingerprint[31] ^= 1; /* fall through */
	case TRUST_FINGERPRINT:
		base_text_init(&text, hex, sizeof(hex));
		base_text_add_hex(&text, slice_of(fingerprint, sizeof(fingerprint)));
		assert_int_equal(quic_trust_add_fingerprint(trust, hex, error), 0);
		break;
	}
	return trust;
}

static void test_who_is_believed(void **state) {
	struct authority authority, other;

	(void)state;
	authority_init(&authority);
	authority_init(&other);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pem leaf;
		struct quic_trust *trust;
		struct net net;

		net_init(&net);
		issue(&authority, cases[i].certificate_name, cases[i].from_days, cases[i].to_days, &leaf);
		use_identity(&net, &leaf);
		trust = make_trust(cases[i].trusting, &authority, &other, &leaf);
		net_connect(&net, cases[i].wanted_name, trust);
		quic_trust_unref(trust); /* the connection keeps what it needs */
		net_run(&net, BASE_SECOND);
		unit_assert_int(net.client[0].done, cases[i].refusal == NULL, cases[i].label);
		unit_assert_int(net.client[0].closed, cases[i].refusal != NULL, cases[i].label);
		if (cases[i].refusal != NULL) {
			unit_assert_int(net.client[0].why.kind, QUIC_CLOSED_TLS, cases[i].label);
			const char *refusal = strstr(net.client[0].why.text, cases[i].refusal);
			if (refusal == NULL)
				fail_msg("%s: '%s'", cases[i].label, net.client[0].why.text);
			const char *fingerprint = strstr(refusal, "SHA-256 ");
			if (fingerprint != NULL)
				unit_assert_int(strspn(fingerprint + strlen("SHA-256 "), "0123456789abcdef"), 64, cases[i].label);
			unit_assert_int(net.at_server[0].done, 0, cases[i].label);
			unit_assert_int(net.at_server[0].why.kind, QUIC_CLOSED_ERROR, cases[i].label);
			unit_assert_int(quic_conn_datagram_budget(net.client[0].conn), 0, cases[i].label);
		}
		pem_done(&leaf);
		net_done(&net);
	}
	authority_done(&authority);
	authority_done(&other);
}

/* Names that are addresses are checked as addresses. */
static void test_address_name(void **state) {
	struct net net;
	struct quic_trust *trust;

	(void)state;
	net_init(&net);
	trust = net_trust_pin(&net);
	net_connect(&net, "192.0.2.1", trust);
	net_connect(&net, "", trust);
	quic_trust_unref(trust);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_done(&net);
}

static void test_alpn(void **state) {
	static const char *names[] = {"h3", "lanparty/2", NULL};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct net net;

		net_init(&net);
		odd_connect(&net, &(struct odd){.alpn = names[i], .no_alpn = names[i] == NULL});
		assert_true(net_run_until(&net, net_all_closed, BASE_SECOND));
		assert_int_equal(net.client[0].done + net.at_server[0].done, 0);
		/* With ALPN the first packet is refused already, and the application never hears of it. */
		assert_int_equal(net.at_server_count, names[i] == NULL);
		/* Only who has shown its certificate can be taken at its word. */
		assert_int_equal(net.client[0].why.kind, names[i] == NULL ? QUIC_CLOSED_TLS : QUIC_CLOSED_ERROR);
		print_message("%s: client %s; server %s\n", names[i] ? names[i] : "-", net.client[0].why.text,
		              net.at_server[0].why.text);
		assert_int_equal(net.client[0].why.code, 0x100 + 120);
		net_run(&net, 5 * BASE_SECOND);
		assert_int_equal(quic_server_connections(net.server), 0);
		net_done(&net);
	}
}

/* New connections see the new certificate, old ones go on. */
static void test_change_identity(void **state) {
	struct authority authority;
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES];
	struct net net;
	struct pem pem;

	(void)state;
	authority_init(&authority);
	issue(&authority, "relay.test", -1, 1, &pem);
	net_init(&net);
	net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	use_identity(&net, &pem);
	use_identity(&net, &pem);
	assert_int_equal(quic_trust_add_certificate(trust, of(&authority.pem), error), 0);
	net_connect(&net, "relay.test", trust);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_send(&net.client[0], 10, 100);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.at_server[0].heard, 10);
	net_connect_pinned(&net);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.client[2].why.kind, QUIC_CLOSED_TLS);
	quic_trust_unref(trust);
	net_done(&net);
	pem_done(&pem);
	authority_done(&authority);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pem_errors),  cmocka_unit_test(test_identity_secret), cmocka_unit_test(test_self_signed),
	    cmocka_unit_test(test_trust_input), cmocka_unit_test(test_who_is_believed), cmocka_unit_test(test_address_name),
	    cmocka_unit_test(test_alpn),        cmocka_unit_test(test_change_identity),
	};
	int result;

	assert_int_equal(quic_global_init(), 0);
	result = cmocka_run_group_tests(tests, NULL, NULL);
	quic_global_done();
	return result;
}
