#include "base/error.h"
#include "base/windows_error.h"
#include "tests/unit.h"

static void test_words(void **state) {
	static const struct base_windows_error known[] = {
	    {2, BASE_E_NOT_FOUND, "not there"},
	    {5, BASE_E_DENIED, "access denied"},
	};
	char error[64], small[8];

	(void)state;
	assert_int_equal(base_windows_error(known, 2, "failed", "open", 5, error, sizeof(error)), BASE_E_DENIED);
	assert_string_equal(error, "open: access denied (Windows error 5)");
	assert_int_equal(base_windows_error(known, 2, "failed", "open", 87, error, sizeof(error)), BASE_E_IO);
	assert_string_equal(error, "open: failed (Windows error 87)");
	assert_int_equal(base_windows_error(known, 2, "failed", "open", 2, small, sizeof(small)), BASE_E_NOT_FOUND);
	assert_string_equal(small, "open: n");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("base/windows_error", tests, NULL, NULL);
}
