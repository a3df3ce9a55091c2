#include "relay/holds.h"
#include "relay/limits.h"
#include "tests/unit.h"

#include <string.h>

#define NOW (1000 * BASE_SECOND)

static struct ctrl_hello hello_of(unsigned mac, unsigned key) {
	struct ctrl_hello hello = {.role = mac == 0 ? CTRL_ROLE_GATEWAY : CTRL_ROLE_CLIENT, .has_seat_key = key != 0};

	if (mac != 0)
		hello.mac = (struct proto_mac){{2, 0, 0, 0, (uint8_t)(mac >> 8), (uint8_t)mac}};
	memset(hello.seat_key, (int)key, sizeof(hello.seat_key));
	return hello;
}

static void keep(struct relay_holds *holds, unsigned mac, unsigned key, uint64_t stayed, uint64_t ns) {
	struct ctrl_hello hello = hello_of(mac, key);

	relay_holds_keep(holds, &hello, &(struct relay_seat){.stayed_ns = stayed, .broadcast_rate = {mac}}, NOW + ns, NOW);
}

static enum relay_hold ask(const struct relay_holds *holds, unsigned mac, unsigned key, uint64_t now) {
	struct ctrl_hello hello = hello_of(mac, key);

	return relay_holds_ask(holds, &hello, now);
}

static void test_for_whom(void **state) {
	static const struct {
		const char *label;
		unsigned mac, key;
		uint64_t after;
		enum relay_hold hold;
	} cases[] = {
	    {"its key", 1, 7, 0, RELAY_HOLD_OWN},
	    {"another key", 1, 8, 0, RELAY_HOLD_OTHER},
	    {"no key", 1, 0, 0, RELAY_HOLD_OTHER},
	    {"until the last moment", 1, 8, 9, RELAY_HOLD_OTHER},
	    {"over", 1, 8, 10, RELAY_HOLD_NONE},
	    {"over, its key", 1, 7, 10, RELAY_HOLD_NONE},
	    {"another MAC", 2, 8, 0, RELAY_HOLD_NONE},
	    {"the gateway", 0, 9, 0, RELAY_HOLD_OWN},
	    {"another gateway", 0, 7, 0, RELAY_HOLD_OTHER},
	};
	struct relay_holds *holds = relay_holds_new();
	struct ctrl_hello released = hello_of(1, 0), hello;

	(void)state;
	assert_non_null(holds);
	/* Empty places are not the gateway's seat. */
	assert_int_equal(ask(holds, 0, 1, NOW), RELAY_HOLD_NONE);
	keep(holds, 1, 7, 5, 10);
	keep(holds, 0, 9, 5, 10);
	assert_int_equal(relay_holds_count(holds, NOW), 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		unit_assert_int(ask(holds, cases[i].mac, cases[i].key, NOW + cases[i].after), cases[i].hold, cases[i].label);
	hello = hello_of(1, 7);
	assert_int_equal(relay_holds_own(holds, &hello, NOW)->broadcast_rate.full_at, 1);
	assert_null(relay_holds_own(holds, &hello, NOW + 10));
	assert_null(relay_holds_own(holds, &released, NOW));
	assert_null(relay_holds_own(NULL, &hello, NOW));
	relay_holds_release(holds, &released);
	assert_int_equal(ask(holds, 1, 8, NOW), RELAY_HOLD_NONE);
	assert_null(relay_holds_own(holds, &hello, NOW));
	assert_int_equal(ask(holds, 0, 7, NOW), RELAY_HOLD_OTHER);
	assert_int_equal(relay_holds_count(holds, NOW), 1);
	relay_holds_free(holds);
	assert_int_equal(ask(NULL, 1, 7, NOW), RELAY_HOLD_NONE);
	assert_int_equal(relay_holds_count(NULL, NOW), 0);
}

/* A crowd that comes and goes pushes out its own, not who was there for long; what is over goes before all. */
static void test_full(void **state) {
	struct relay_holds *holds = relay_holds_new();

	(void)state;
	keep(holds, 0, 9, BASE_NEVER, 100);
	keep(holds, 1, 1, 3600 * BASE_SECOND, 100);
	keep(holds, 2, 2, 3600 * BASE_SECOND, 0); /* over */
	for (unsigned i = 0; i < 3 * RELAY_HOLDS_MAX; i++)
		keep(holds, 100 + i, 3, BASE_SECOND + i, 1000);
	assert_int_equal(relay_holds_count(holds, NOW), RELAY_HOLDS_MAX);
	assert_int_equal(ask(holds, 1, 8, NOW), RELAY_HOLD_OTHER);
	assert_int_equal(ask(holds, 0, 8, NOW), RELAY_HOLD_OTHER);
	assert_int_equal(ask(holds, 100, 8, NOW), RELAY_HOLD_NONE);
	assert_int_equal(ask(holds, 100 + 3 * RELAY_HOLDS_MAX - 1, 8, NOW), RELAY_HOLD_OTHER);
	keep(holds, 3, 3, 0, 1000); /* shorter than all: not kept */
	assert_int_equal(ask(holds, 3, 8, NOW), RELAY_HOLD_NONE);
	relay_holds_free(holds);
}

static void test_same_key(void **state) {
	struct ctrl_hello a = hello_of(1, 7), b = hello_of(2, 7), none = hello_of(1, 0);

	(void)state;
	assert_true(relay_same_key(&a, &b));
	assert_false(relay_same_key(&a, &none));
	assert_false(relay_same_key(&none, &none));
	b.seat_key[CTRL_SEAT_KEY_BYTES - 1] ^= 1;
	assert_false(relay_same_key(&a, &b));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_for_whom),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_same_key),
	};

	return cmocka_run_group_tests_name("relay/holds", tests, NULL, NULL);
}
