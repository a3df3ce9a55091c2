/* quic/tls_session.c: one GnuTLS session per connection, and what it thinks of the peer's certificate. */
#include "base/text.h"
#include "quic/internal.h"
#include "seal/datum.h"

#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <string.h>

static ngtcp2_conn *get_conn(ngtcp2_crypto_conn_ref *ref) {
	return BASE_CONTAINER(ref, struct quic_conn, ref)->ng;
}

static struct quic_conn *conn_of(gnutls_session_t session) {
	return BASE_CONTAINER(gnutls_session_get_ptr(session), struct quic_conn, ref);
}

#define STRANGER (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE)

/* What a person can do something about, most telling first. */
static const struct {
	unsigned status;
	const char *text;
} verdicts[] = {
    {GNUTLS_CERT_UNEXPECTED_OWNER, "the relay's certificate is not for the name"},
    {GNUTLS_CERT_EXPIRED, "the relay's certificate has expired (or this computer's clock is wrong)"},
    {GNUTLS_CERT_NOT_ACTIVATED, "the relay's certificate is not valid yet (check this computer's clock)"},
    {GNUTLS_CERT_REVOKED, "the relay's certificate was revoked"},
    {STRANGER, "the relay's certificate is neither pinned nor signed by a trusted authority"},
    {GNUTLS_CERT_SIGNER_NOT_CA, "the relay's certificate was signed by one that is no authority"},
    {GNUTLS_CERT_INSECURE_ALGORITHM, "the relay's certificate uses an insecure algorithm"},
    {GNUTLS_CERT_PURPOSE_MISMATCH, "the relay's certificate is not meant for servers"},
};

static void add_fingerprint(struct base_text *out, const uint8_t fingerprint[static QUIC_FINGERPRINT_BYTES]) {
	base_text_add(out, ": SHA-256 ");
	base_text_add_hex(out, slice_of(fingerprint, QUIC_FINGERPRINT_BYTES));
}

static void explain(struct quic_conn *conn, unsigned status, const uint8_t fingerprint[static QUIC_FINGERPRINT_BYTES]) {
	const char *text = "the relay's certificate is not valid";
	struct base_text out;
	unsigned told = 0;

	base_text_init(&out, conn->tls_text, sizeof(conn->tls_text));
	/* A stranger's certificate is a stranger's, whatever its name. */
	if (status & (STRANGER | GNUTLS_CERT_SIGNER_NOT_CA))
		status &= ~(unsigned)GNUTLS_CERT_UNEXPECTED_OWNER;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		if (status & verdicts[i].status) {
			text = verdicts[i].text;
			told = verdicts[i].status;
			break;
		}
	}
	base_text_add(&out, text);
	if (told == GNUTLS_CERT_UNEXPECTED_OWNER)
		base_text_addf(&out, " '%s'", conn->server_name);
	else if (told == STRANGER)
		add_fingerprint(&out, fingerprint); /* to be compared with the relay's own, and pinned */
}

static unsigned check_chain(struct quic_conn *conn) {
	gnutls_typed_vdata_st data[2] = {{.type = GNUTLS_DT_DNS_HOSTNAME}, {.type = GNUTLS_DT_KEY_PURPOSE_OID}};
	static unsigned char purpose[] = GNUTLS_KP_TLS_WWW_SERVER;
	unsigned status = 0;

	data[0].data = (unsigned char *)conn->server_name;
	data[1].data = purpose;
	return gnutls_certificate_verify_peers(conn->tls, data, 2, &status) == 0 ? status : GNUTLS_CERT_INVALID;
}

static int verify_chain(struct quic_conn *conn, const uint8_t fingerprint[static QUIC_FINGERPRINT_BYTES]) {
	unsigned status = check_chain(conn);

	if ((status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0 && quic_trust_ask_system(conn->trust, conn->tls))
		status = check_chain(conn);
	if (status == 0)
		return 0;
	explain(conn, status, fingerprint);
	return -1;
}

/* GnuTLS's verify callback: nonzero ends the handshake. */
static int verify(gnutls_session_t session) {
	struct quic_conn *conn = conn_of(session);
	uint8_t fingerprint[QUIC_FINGERPRINT_BYTES];
	unsigned count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
	struct base_text out;

	base_text_init(&out, conn->tls_text, sizeof(conn->tls_text));
	if (chain == NULL || count == 0 || quic_fingerprint(slice_of(chain[0].data, chain[0].size), fingerprint) != 0) {
		base_text_add(&out, "the relay showed no certificate");
		return -1;
	}
	if (quic_trust_pins(conn->trust, fingerprint))
		return 0;
	if (quic_trust_has_authorities(conn->trust))
		return verify_chain(conn, fingerprint);
	base_text_add(&out, quic_trust_has_pins(conn->trust) ? "the relay's certificate is not the pinned one"
	                                                     : "no certificate is trusted");
	add_fingerprint(&out, fingerprint);
	return -1;
}

static int set_alpn(struct quic_conn *conn, const char *name) {
	const gnutls_datum_t alpn = seal_datum(slice_of_text(name));

	return gnutls_alpn_set_protocols(conn->tls, &alpn, 1, GNUTLS_ALPN_MANDATORY);
}

static int set_up(struct quic_conn *conn, const struct quic_credentials *credentials, const char *alpn) {
	int code;

	conn->ref = (ngtcp2_crypto_conn_ref){.get_conn = get_conn};
	gnutls_session_set_ptr(conn->tls, &conn->ref);
	quic_protect_session(conn->tls);
	code = gnutls_priority_set(conn->tls, credentials->priority);
	if (code == 0)
		code = gnutls_credentials_set(conn->tls, GNUTLS_CRD_CERTIFICATE, credentials->certificates);
	if (code == 0 && alpn != NULL)
		code = set_alpn(conn, alpn);
	if (code == GNUTLS_E_MEMORY_ERROR)
		return BASE_E_NOMEM;
	return code == 0 ? 0 : BASE_E_TLS;
}

int quic_tls_server_session(struct quic_conn *conn) {
	if (gnutls_init(&conn->tls, GNUTLS_SERVER | GNUTLS_NO_TICKETS | GNUTLS_NO_AUTO_SEND_TICKET) != 0)
		return BASE_E_NOMEM;
	if (ngtcp2_crypto_gnutls_configure_server_session(conn->tls) != 0)
		return BASE_E_TLS;
	return set_up(conn, quic_identity_credentials(conn->identity), QUIC_ALPN);
}

int quic_tls_client_session(struct quic_conn *conn, const char *alpn) {
	struct base_addr addr;
	size_t len = strlen(conn->server_name);
	int err;

	if (gnutls_init(&conn->tls, GNUTLS_CLIENT | GNUTLS_NO_TICKETS) != 0)
		return BASE_E_NOMEM;
	if (ngtcp2_crypto_gnutls_configure_client_session(conn->tls) != 0)
		return BASE_E_TLS;
	err = set_up(conn, quic_trust_credentials(conn->trust), alpn);
	if (err != 0)
		return err;
	gnutls_session_set_verify_function(conn->tls, verify);
	/* SNI carries DNS names only (RFC 6066 section 3). */
	if (len > 0 && base_addr_parse_ip(conn->server_name, len, &addr) != 0 &&
	    gnutls_server_name_set(conn->tls, GNUTLS_NAME_DNS, conn->server_name, len) != 0)
		return BASE_E_TLS;
	return 0;
}

bool quic_tls_alpn_agreed(const struct quic_conn *conn) {
	gnutls_datum_t alpn = {0};

	return gnutls_alpn_get_selected_protocol(conn->tls, &alpn) == 0 &&
	       slice_equal(slice_of(alpn.data, alpn.size), slice_of_text(QUIC_ALPN));
}
