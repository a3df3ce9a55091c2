/* No file of this machine may change what TLS accepts: a library built with a default path would read it from the
 * current drive, where any local user can put one, with the rights of an elevated client. */
#include "quic/tls.h"
#include "tests/unit.h"

#include <gnutls/gnutls.h>

static void test_no_system_configuration(void **state) {
	const char *path;

	(void)state;
	assert_int_equal(quic_global_init(), 0);
	path = gnutls_get_system_config_file();
	if (path != NULL && path[0] != '\0')
		fail_msg("GnuTLS reads '%s'", path);
	quic_global_done();
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_system_configuration)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
