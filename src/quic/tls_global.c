/* quic/tls_global.c: what the TLS files share and the process does once. */
#include "base/text.h"
#include "quic/internal.h"

#include <gnutls/crypto.h>
#include <stdlib.h>

/* TLS 1.3 only (RFC 9001 section 4.2); AES-128-GCM first because it costs least. A server goes by its own order,
 * not by the client's. */
#define PRIORITY                                                                                         \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-GROUP-ALL:" \
	"+GROUP-X25519:+GROUP-SECP256R1:%DISABLE_TLS13_COMPAT_MODE"

int quic_global_init(void) {
	return gnutls_global_init() == 0 ? 0 : BASE_E_TLS;
}

void quic_global_done(void) {
	gnutls_global_deinit();
}

int quic_credentials_init(struct quic_credentials *credentials, unsigned end) {
	const char *priority = end == GNUTLS_SERVER ? PRIORITY ":%SERVER_PRECEDENCE" : PRIORITY;

	if (gnutls_certificate_allocate_credentials(&credentials->certificates) != 0)
		return BASE_E_NOMEM;
	if (gnutls_priority_init(&credentials->priority, priority, NULL) != 0) {
		gnutls_certificate_free_credentials(credentials->certificates);
		return BASE_E_NOMEM;
	}
	return 0;
}

void quic_credentials_done(struct quic_credentials *credentials) {
	gnutls_certificate_free_credentials(credentials->certificates);
	gnutls_priority_deinit(credentials->priority);
}

int quic_tls_fail(char error[static QUIC_ERROR_BYTES], const char *what, int code) {
	struct base_text text;

	base_text_init(&text, error, QUIC_ERROR_BYTES);
	base_text_add(&text, what);
	if (code != 0)
		base_text_addf(&text, ": %s", gnutls_strerror(code));
	return code == GNUTLS_E_MEMORY_ERROR ? BASE_E_NOMEM : BASE_E_TLS;
}

void quic_tls_free(void *memory) {
	/* GnuTLS allocates with malloc as long as nobody replaces it. Its own gnutls_free is a data symbol, which a static
	 * library on Windows does not offer. */
	free(memory);
}

void quic_random(uint8_t *buf, size_t len) {
	/* It fails only when the kernel has no randomness for us, and nothing here is safe without. */
	if (gnutls_rnd(GNUTLS_RND_RANDOM, buf, len) != 0)
		abort();
}

int quic_fingerprint(struct slice der, uint8_t ret[static QUIC_FINGERPRINT_BYTES]) {
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.len, ret) == 0 ? 0 : BASE_E_TLS;
}
