/* What the operator is told about the dates of a certificate. */
#include "base/time.h"
#include "relay/identity.h"
#include "tests/unit.h"

#include <string.h>

/* 2027-01-15 08:00:00; valid an hour before, and 30 days after */
#define MADE_AT (UINT64_C(1800000000) * BASE_SECOND)
#define HOUR (3600 * BASE_SECOND)
#define DAY (24 * HOUR)

static void test_dates(void **state) {
	static const struct {
		uint64_t now;
		const char *text; /* NULL: nothing to be said */
	} cases[] = {
	    {MADE_AT - HOUR - 1, "the certificate is not valid before 2027-01-15 07:00 UTC, or this computer's clock"},
	    {0, "the certificate is not valid before 2027-01-15 07:00 UTC"},
	    {MADE_AT - HOUR, NULL},
	    {MADE_AT + 16 * DAY - 1, NULL},
	    {MADE_AT + 16 * DAY, "the certificate expires on 2027-02-14 08:00 UTC: renew it, then reload the relay"},
	    {MADE_AT + 30 * DAY, "the certificate expires on"},
	    {MADE_AT + 30 * DAY + 1, "the certificate has expired on 2027-02-14 08:00 UTC: renew it"},
	};
	const char *names[] = {"relay.test"};
	char error[QUIC_ERROR_BYTES], text[RELAY_IDENTITY_ERROR_BYTES];
	struct quic_identity *identity;

	(void)state;
	assert_int_equal(quic_global_init(), 0);
	assert_int_equal(quic_identity_self_signed(names, 1, MADE_AT, &identity, error), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool told = relay_identity_dates(identity, cases[i].now, text);

		unit_assert_int(told, cases[i].text != NULL, "told");
		if (told && strncmp(text, cases[i].text, strlen(cases[i].text)) != 0)
			fail_msg("%s instead of %s", text, cases[i].text);
	}
	quic_identity_unref(identity);
	quic_global_done();
}

/* Valid for longer than our clock goes, as one that "does not expire" is: it has not expired in 1970. */
static void test_never_expires(void **state) {
	const uint64_t late = UINT64_MAX - 20 * DAY;
	const char *names[] = {"relay.test"};
	char error[QUIC_ERROR_BYTES], text[RELAY_IDENTITY_ERROR_BYTES];
	struct quic_identity *identity;

	(void)state;
	assert_int_equal(quic_global_init(), 0);
	assert_int_equal(quic_identity_self_signed(names, 1, late, &identity, error), 0);
	assert_false(relay_identity_dates(identity, late, text));
	quic_identity_unref(identity);
	quic_global_done();
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_dates), cmocka_unit_test(test_never_expires)};

	return cmocka_run_group_tests_name("relay/identity", tests, NULL, NULL);
}
