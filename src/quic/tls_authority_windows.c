/* quic/tls_authority_windows.c: Windows loads the certificates of most authorities only when it is asked for them. Its
 * store, all that GnuTLS looks into, has few on a new PC. */
#include "quic/internal.h"

#include <windows.h>

#include <wincrypt.h>

/* The last of a chain that leads to an authority of Windows is that authority. */
static bool trust_last(const CERT_SIMPLE_CHAIN *chain, gnutls_certificate_credentials_t trusting) {
	const CERT_CONTEXT *last = chain->rgpElement[chain->cElement - 1]->pCertContext;
	const gnutls_datum_t der = {.data = last->pbCertEncoded, .size = last->cbCertEncoded};

	return gnutls_certificate_set_x509_trust_mem(trusting, &der, GNUTLS_X509_FMT_DER) > 0;
}

bool quic_tls_ask_system(const gnutls_datum_t *chain, unsigned count, gnutls_certificate_credentials_t trusting) {
	static char server[] = szOID_PKIX_KP_SERVER_AUTH;
	char *usages[] = {server};
	CERT_CHAIN_PARA wanted = {.cbSize = sizeof(wanted),
	                          .RequestedUsage = {.dwType = USAGE_MATCH_TYPE_AND,
	                                             .Usage = {.cUsageIdentifier = 1, .rgpszUsageIdentifier = usages}}};
	HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
	const CERT_CHAIN_CONTEXT *found;
	const CERT_CONTEXT *first = NULL;
	bool trusted = false;

	if (store == NULL)
		return false;
	for (unsigned i = 0; i < count; i++)
		(void)CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, chain[i].data, chain[i].size,
		                                       CERT_STORE_ADD_ALWAYS, i == 0 ? &first : NULL);
	/* Nothing is loaded from where a stranger's certificate says. */
	if (first != NULL &&
	    CertGetCertificateChain(NULL, first, NULL, store, &wanted, CERT_CHAIN_DISABLE_AIA, NULL, &found)) {
		if (found->TrustStatus.dwErrorStatus == CERT_TRUST_NO_ERROR)
			trusted = trust_last(found->rgpChain[0], trusting);
		CertFreeCertificateChain(found);
	}
	if (first != NULL)
		(void)CertFreeCertificateContext(first);
	(void)CertCloseStore(store, 0);
	return trusted;
}
