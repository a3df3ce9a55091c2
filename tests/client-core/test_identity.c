#include "client-core/identity.h"

#include "base/error.h"
#include "tests/unit.h"

#include <string.h>

#define KEY "\"seat_key\":\"000102030405060708090a0b0c0d0e0f\""
#define GOOD "{\"version\":1,\"mac\":\"02:11:22:33:44:55\"," KEY "}"

static const struct {
	const char *json;
	int err;
	const char *names; /* what the error must name */
} cases[] = {
    {GOOD, 0, ""},
    {" \n" GOOD "\n\n", 0, ""},
    {"{" KEY ", \"mac\":\"06-11-22-33-44-55\", \"version\":1}", 0, ""},
    {"", BASE_E_SYNTAX, "empty"},
    {"x", BASE_E_SYNTAX, "JSON"},
    {GOOD "x", BASE_E_SYNTAX, "JSON"},
    {GOOD GOOD, BASE_E_SYNTAX, "JSON"},
    {"[1]", BASE_E_TYPE, "object"},
    {"\"mac\"", BASE_E_SYNTAX, "JSON"},
    {"{\"mac\":\"02:11:22:33:44:55\"," KEY "}", BASE_E_MISSING, "version"},
    {"{\"version\":1," KEY "}", BASE_E_MISSING, "mac"},
    {"{\"version\":1,\"mac\":\"02:11:22:33:44:55\"}", BASE_E_MISSING, "seat_key"},
    {"{\"version\":2,\"mac\":7," KEY "}", BASE_E_VERSION, "version"},
    {"{\"version\":1.0,\"mac\":\"02:11:22:33:44:55\"," KEY "}", BASE_E_TYPE, "version"},
    {"{\"version\":\"1\",\"mac\":\"02:11:22:33:44:55\"," KEY "}", BASE_E_TYPE, "version"},
    {"{\"version\":1,\"mac\":7," KEY "}", BASE_E_TYPE, "mac"},
    {"{\"version\":1,\"mac\":\"02:11:22:33:44\"," KEY "}", BASE_E_INVALID, "mac"},
    {"{\"version\":1,\"mac\":\"03:11:22:33:44:55\"," KEY "}", BASE_E_INVALID, "mac"},
    {"{\"version\":1,\"mac\":\"00:00:00:00:00:00\"," KEY "}", BASE_E_INVALID, "mac"},
    {"{\"version\":1,\"mac\":\"ff:ff:ff:ff:ff:ff\"," KEY "}", BASE_E_INVALID, "mac"},
    {"{\"version\":1,\"mac\":\"02:11:22:33:44:55\",\"seat_key\":null}", BASE_E_TYPE, "seat_key"},
    {"{\"version\":1,\"mac\":\"02:11:22:33:44:55\",\"seat_key\":\"00\"}", BASE_E_INVALID, "seat_key"},
    {"{\"version\":1,\"mac\":\"02:11:22:33:44:55\",\"seat_key\":\"g00102030405060708090a0b0c0d0e0f\"}", BASE_E_INVALID,
     "seat_key"},
    {"{\"version\":1,\"version\":1,\"mac\":\"02:11:22:33:44:55\"," KEY "}", BASE_E_DUPLICATE, "version"},
    {"{\"version\":1,\"mac\":\"02:11:22:33:44:55\"," KEY ",\"nam\\te\":1}", BASE_E_INVALID, "nam?e"},
};

static void test_parse(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[CLIENT_IDENTITY_ERROR_BYTES] = "";
		struct client_identity identity = {.mac = {{9}}};
		int err = client_identity_parse(slice_of_text(cases[i].json), &identity, error);

		unit_assert_int(err, cases[i].err, cases[i].json);
		unit_assert_true(strstr(error, cases[i].names) != NULL, cases[i].json);
		if (err != 0)
			unit_assert_int(identity.mac.b[0], 9, cases[i].json);
		else
			unit_assert_int(identity.seat_key[15], 15, cases[i].json);
	}
}

static void test_each_prefix_is_refused(void **state) {
	(void)state;
	for (size_t len = 0; len < sizeof(GOOD) - 1; len++) {
		char error[CLIENT_IDENTITY_ERROR_BYTES] = "";
		struct client_identity identity;

		assert_int_equal(client_identity_parse(slice_of(GOOD, len), &identity, error), BASE_E_SYNTAX);
		assert_true(error[0] != '\0');
	}
}

static void test_too_big(void **state) {
	static char big[CLIENT_IDENTITY_BYTES_MAX + 1];
	char error[CLIENT_IDENTITY_ERROR_BYTES];
	struct client_identity identity;

	(void)state;
	memset(big, ' ', sizeof(big));
	memcpy(big, GOOD, sizeof(GOOD) - 1);
	assert_int_equal(client_identity_parse(slice_of(big, sizeof(big) - 1), &identity, error), 0);
	assert_int_equal(client_identity_parse(slice_of(big, sizeof(big)), &identity, error), BASE_E_TOO_BIG);
}

static void test_generate_print_parse(void **state) {
	uint8_t random[CLIENT_IDENTITY_RANDOM_BYTES];
	char text[CLIENT_IDENTITY_BYTES_MAX], error[CLIENT_IDENTITY_ERROR_BYTES];
	struct client_identity identity, again = {0}, zero = {0};
	int len;

	(void)state;
	memset(random, 0xff, sizeof(random));
	identity = client_identity_from_random(random);
	assert_true(proto_mac_is_local(identity.mac));
	assert_int_equal(proto_mac_check_identity(identity.mac), 0);
	len = client_identity_print(&identity, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_int_equal(client_identity_parse(slice_of_text(text), &again, error), 0);
	assert_memory_equal(&again, &identity, sizeof(again));
	assert_int_equal(client_identity_print(&identity, text, (size_t)len), BASE_E_TOO_BIG);
	assert_int_equal(client_identity_print(&identity, text, 0), BASE_E_TOO_BIG);
	assert_int_equal(client_identity_print(&zero, text, sizeof(text)), BASE_E_INVALID);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_each_prefix_is_refused),
	    cmocka_unit_test(test_too_big),
	    cmocka_unit_test(test_generate_print_parse),
	};

	return cmocka_run_group_tests_name("client-core/identity", tests, NULL, NULL);
}
