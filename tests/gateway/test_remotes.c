#include "gateway/remotes.h"

#include "base/error.h"
#include "gateway/limits.h"
#include "tests/unit.h"

static const uint64_t seed[2] = {1, 2};

static struct proto_mac mac_of(unsigned n) {
	return (struct proto_mac){{0x02, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

static void test_found_by_both_keys(void **state) {
	struct gateway_remotes remotes;
	(void)state;
	assert_int_equal(gateway_remotes_init(&remotes, seed), 0);
	assert_null(gateway_remotes_by_mac(&remotes, mac_of(1).b));
	assert_int_equal(gateway_remotes_add(&remotes, 7, mac_of(1)), 0);
	assert_int_equal(gateway_remotes_add(&remotes, 8, mac_of(2)), 0);
	assert_int_equal(gateway_remotes_by_mac(&remotes, mac_of(1).b)->peer, 7);
	assert_true(proto_mac_equal(gateway_remotes_by_peer(&remotes, 8)->mac, mac_of(2)));
	assert_null(gateway_remotes_by_peer(&remotes, 9));

	gateway_remotes_remove(&remotes, 7);
	gateway_remotes_remove(&remotes, 7);
	assert_null(gateway_remotes_by_mac(&remotes, mac_of(1).b));
	assert_null(gateway_remotes_by_peer(&remotes, 7));
	assert_int_equal(gateway_remotes_count(&remotes), 1);
	gateway_remotes_done(&remotes);
}

static void test_newest_announcement_counts(void **state) {
	struct gateway_remotes remotes;
	(void)state;
	assert_int_equal(gateway_remotes_init(&remotes, seed), 0);
	assert_int_equal(gateway_remotes_add(&remotes, 7, mac_of(1)), 0);
	assert_int_equal(gateway_remotes_add(&remotes, 7, mac_of(2)), 0); /* the peer has another MAC now */
	assert_null(gateway_remotes_by_mac(&remotes, mac_of(1).b));
	assert_int_equal(gateway_remotes_add(&remotes, 9, mac_of(2)), 0); /* the MAC has another peer now */
	assert_null(gateway_remotes_by_peer(&remotes, 7));
	assert_int_equal(gateway_remotes_by_mac(&remotes, mac_of(2).b)->peer, 9);
	assert_int_equal(gateway_remotes_count(&remotes), 1);
	gateway_remotes_done(&remotes);
}

static void test_refuses_what_is_no_station(void **state) {
	struct gateway_remotes remotes;
	(void)state;
	assert_int_equal(gateway_remotes_init(&remotes, seed), 0);
	assert_int_equal(gateway_remotes_add(&remotes, 0, mac_of(1)), BASE_E_INVALID);
	assert_int_equal(gateway_remotes_add(&remotes, 1, (struct proto_mac){{0}}), BASE_E_INVALID);
	assert_int_equal(gateway_remotes_add(&remotes, 1, (struct proto_mac){{0x03, 1}}), BASE_E_INVALID);
	assert_int_equal(gateway_remotes_count(&remotes), 0);
	gateway_remotes_done(&remotes);
}

static void test_bounded_and_iterated(void **state) {
	struct gateway_remotes remotes;
	(void)state;
	assert_int_equal(gateway_remotes_init(&remotes, seed), 0);
	for (unsigned i = 1; i <= GATEWAY_REMOTES_MAX; i++)
		assert_int_equal(gateway_remotes_add(&remotes, i, mac_of(i)), 0);
	assert_int_equal(gateway_remotes_add(&remotes, 5000, mac_of(5000)), BASE_E_FULL);
	assert_int_equal(gateway_remotes_add(&remotes, 17, mac_of(5000)), 0); /* replacing needs no room */

	unsigned long sum = 0;
	size_t count = 0;
	for (const struct gateway_remote *remote = gateway_remotes_next(&remotes, NULL); remote != NULL;
	     remote = gateway_remotes_next(&remotes, remote)) {
		sum += remote->peer;
		count++;
	}
	assert_int_equal(count, GATEWAY_REMOTES_MAX);
	assert_int_equal(sum, (unsigned long)GATEWAY_REMOTES_MAX * (GATEWAY_REMOTES_MAX + 1) / 2);
	gateway_remotes_clear(&remotes);
	assert_int_equal(gateway_remotes_count(&remotes), 0);
	assert_null(gateway_remotes_next(&remotes, NULL));
	gateway_remotes_done(&remotes);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_found_by_both_keys),
	    cmocka_unit_test(test_newest_announcement_counts),
	    cmocka_unit_test(test_refuses_what_is_no_station),
	    cmocka_unit_test(test_bounded_and_iterated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
