/* An authority that Windows knows and GnuTLS does not. Wine loads none, so the question for it ends here (as in
 * tests/client-win/test_service_windows.c). */
#include "net.h"

#include <string.h>

#include <windows.h>

#include <wincrypt.h>

static struct {
	unsigned asked;
	DWORD verdict;
	CERT_CHAIN_ELEMENT element, *elements[1];
	CERT_SIMPLE_CHAIN simple, *chains[1];
	CERT_CHAIN_CONTEXT chain;
} windows;

/* The relay's certificate is its own authority. */
static BOOL WINAPI fake_chain(HCERTCHAINENGINE engine, const CERT_CONTEXT *leaf, FILETIME *time, HCERTSTORE store,
                              CERT_CHAIN_PARA *how, DWORD flags, void *reserved, const CERT_CHAIN_CONTEXT **ret) {
	(void)engine, (void)time, (void)store, (void)reserved;
	assert_int_equal(how->RequestedUsage.Usage.cUsageIdentifier, 1);
	assert_string_equal(how->RequestedUsage.Usage.rgpszUsageIdentifier[0], "1.3.6.1.5.5.7.3.1"); /* a server */
	assert_int_equal(flags, CERT_CHAIN_DISABLE_AIA);
	windows.asked++;
	windows.element.pCertContext = CertDuplicateCertificateContext(leaf);
	windows.elements[0] = &windows.element;
	windows.simple = (CERT_SIMPLE_CHAIN){.cElement = 1, .rgpElement = windows.elements};
	windows.chains[0] = &windows.simple;
	windows.chain = (CERT_CHAIN_CONTEXT){
	    .cChain = 1, .rgpChain = windows.chains, .TrustStatus = {.dwErrorStatus = windows.verdict}};
	*ret = &windows.chain;
	return TRUE;
}

static void WINAPI fake_free(const CERT_CHAIN_CONTEXT *chain) {
	assert_ptr_equal(chain, &windows.chain);
	(void)CertFreeCertificateContext(windows.element.pCertContext);
}

#define INSTEAD_OF(name, fake)             \
	extern const void *const __imp_##name; \
	const void *const __imp_##name = (const void *)(fake)

INSTEAD_OF(CertGetCertificateChain, fake_chain);
INSTEAD_OF(CertFreeCertificateChain, fake_free);

static void connect_twice(DWORD verdict, unsigned asked, bool connects) {
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES];
	struct net net;

	memset(&windows, 0, sizeof(windows));
	windows.verdict = verdict;
	net_init(&net);
	if (quic_trust_add_system(trust, error) != 0)
		fail_msg("%s", error);
	for (int i = 0; i < 2; i++) {
		struct net_peer *client = net_connect(&net, "relay.test", trust);
		net_run(&net, 5 * BASE_SECOND);
		assert_int_equal(client->done, connects);
		if (!connects)
			assert_non_null(strstr(client->why.text, "neither pinned nor signed by a trusted authority"));
	}
	assert_int_equal(windows.asked, asked);
	quic_trust_unref(trust);
	net_done(&net);
}

static void test_known_to_windows(void **state) {
	(void)state;
	connect_twice(CERT_TRUST_NO_ERROR, 1, true);
}

static void test_known_to_nobody(void **state) {
	(void)state;
	connect_twice(CERT_TRUST_IS_UNTRUSTED_ROOT, 2, false);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_to_windows),
	    cmocka_unit_test(test_known_to_nobody),
	};
	int result;

	assert_int_equal(quic_global_init(), 0);
	result = cmocka_run_group_tests(tests, NULL, NULL);
	quic_global_done();
	return result;
}
