/* A secret is one process's (here: one opener's) at a time, and others are told so until it is released. The same on
 * every platform. */
#include "base/error.h"
#include "host/host.h"
#include "tests/system.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char secret[256], missing[256];

static int set_up(void **state) {
	const char *folder = system_folder_make();

	(void)state;
	(void)snprintf(secret, sizeof(secret), "%s/secret", folder);
	(void)snprintf(missing, sizeof(missing), "%s/missing", folder);
	return 0;
}

static int tear_down(void **state) {
	(void)state;
	system_folder_remove();
	return 0;
}

static void test_secret_is_held(void **state) {
	struct host_hold first = {0}, second = {0};
	char error[HOST_ERROR_BYTES] = "";
	uint8_t *bytes = NULL;
	size_t len;

	(void)state;
	assert_int_equal(host_read_secret(missing, 10, &bytes, &len, &first, error), BASE_E_NOT_FOUND);
	assert_int_equal(host_write_file(secret, slice_of("x", 1), 0600, error), 0);
	assert_int_equal(host_read_secret(secret, 0, &bytes, &len, &first, error), BASE_E_TOO_BIG);
	assert_false(first.held);
	assert_null(bytes);
	unit_assert_int(host_read_secret(secret, 10, &bytes, &len, &first, error), 0, error);
	assert_true(first.held);
	assert_int_equal(len, 1);
	free(bytes);
	assert_int_equal(host_read_secret(secret, 10, &bytes, &len, &second, error), BASE_E_EXISTS);
	assert_non_null(strstr(error, "/secret: another process uses it"));
	assert_false(second.held);
	assert_int_equal(host_read_file(secret, 10, &bytes, &len, error), 0); /* a backup may */
	free(bytes);
	host_release(&first);
	host_release(&first);
	assert_int_equal(host_read_secret(secret, 10, &bytes, &len, &second, error), 0);
	free(bytes);
	host_release(&second);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_secret_is_held, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("host/hold", tests, NULL, NULL);
}
