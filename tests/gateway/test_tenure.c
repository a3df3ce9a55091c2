#include "gateway/tenure.h"

#include "base/map.h"
#include "base/time.h"
#include "gateway/limits.h"
#include "tests/unit.h"

#define START (1000 * BASE_SECOND)

static const uint64_t seed[2] = {1, 2};
static const struct proto_mac client = {{0x02, 0, 0, 0, 0, 1}};

static struct gateway_tenure *tenure;

static int set_up(void **state) {
	(void)state;
	tenure = gateway_tenure_new(seed);
	return tenure != NULL ? 0 : -1;
}

static int tear_down(void **state) {
	(void)state;
	gateway_tenure_free(tenure);
	return 0;
}

/* 0.0.0.n or ::n */
static struct gateway_claim claim_of(uint8_t version, uint8_t n) {
	struct gateway_claim claim = {.key = {version}};

	claim.key[version == 4 ? 4 : 16] = n;
	return claim;
}

static void note(struct proto_mac who, uint8_t version, uint8_t n, uint64_t now) {
	const struct gateway_claim claim = claim_of(version, n);

	gateway_tenure_note(tenure, &claim, who, now);
}

static bool has(struct proto_mac who, uint8_t version, uint8_t n, uint64_t now) {
	const struct gateway_claim claim = claim_of(version, n);

	return gateway_tenure_has(tenure, &claim, who, now);
}

static void test_has_after_a_while(void **state) {
	const struct proto_mac other = {{0x02, 0, 0, 0, 0, 2}};

	(void)state;
	assert_false(has(client, 4, 1, START));
	note(client, 4, 1, START);
	note(client, 4, 1, START + GATEWAY_TENURE_NS / 2); /* does not begin anew */
	assert_false(has(client, 4, 1, START + GATEWAY_TENURE_NS - 1));
	assert_true(has(client, 4, 1, START + GATEWAY_TENURE_NS));
	assert_false(has(client, 4, 2, START + GATEWAY_TENURE_NS));
	assert_false(has(client, 6, 1, START + GATEWAY_TENURE_NS));
	assert_false(has(other, 4, 1, START + GATEWAY_TENURE_NS));
}

/* The address that was claimed longest ago is forgotten, not the one that was first claimed. */
static void check_too_many(uint8_t version, uint8_t count) {
	const uint64_t later = START + 100 + GATEWAY_TENURE_NS;

	for (uint8_t n = 1; n <= count; n++)
		note(client, version, n, START + n);
	for (uint8_t n = 1; n <= count; n++) { /* all but one again, and again */
		if (n != 2) {
			note(client, version, n, START + 40 + n);
			note(client, version, n, START + 50 + n);
		}
	}
	for (uint8_t n = 1; n <= count; n++)
		assert_true(has(client, version, n, later));
	note(client, version, 100, START + 60);
	for (uint8_t n = 1; n <= count; n++)
		assert_int_equal(has(client, version, n, later), n != 2);
	assert_true(has(client, version, 100, later));
	/* What was forgotten has to be claimed for as long again. */
	note(client, version, 2, later);
	assert_false(has(client, version, 2, later));
	assert_true(has(client, version, 2, later + GATEWAY_TENURE_NS));
}

static void test_too_many(void **state) {
	(void)state;
	check_too_many(4, GATEWAY_TENURE_IPV4);
	check_too_many(6, GATEWAY_TENURE_IPV6);
	assert_true(has(client, 4, 100, START + 60 + GATEWAY_TENURE_NS)); /* not pushed out by the other kind */
}

/* Two clients whose hashes meet share their places, not their addresses. */
static void test_clients_that_share(void **state) {
	const uint64_t place = base_siphash13(seed, slice_of(client.b, sizeof(client.b))) % GATEWAY_TENURE_HOLDERS;
	struct proto_mac other = client;

	(void)state;
	do {
		if (++other.b[4] == 0)
			other.b[3]++;
	} while (base_siphash13(seed, slice_of(other.b, sizeof(other.b))) % GATEWAY_TENURE_HOLDERS != place);
	note(client, 4, 1, START);
	note(other, 4, 1, START + GATEWAY_TENURE_NS);
	assert_true(has(client, 4, 1, START + GATEWAY_TENURE_NS));
	assert_false(has(other, 4, 1, START + GATEWAY_TENURE_NS));
	note(other, 4, 2, START + GATEWAY_TENURE_NS);
	assert_false(has(client, 4, 1, START + GATEWAY_TENURE_NS));
	assert_true(has(other, 4, 1, START + 2 * GATEWAY_TENURE_NS));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_has_after_a_while, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_clients_that_share, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
