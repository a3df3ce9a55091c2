#include "gateway/claim.h"

#include "tests/gateway/claims.h"

static void test_addresses(void **state) {
	static const uint8_t address[16] = {[15] = 1}, zeros[16];
	static const struct {
		size_t len;
		enum gateway_claim_kind kind;
	} cases[] = {{4, GATEWAY_CLAIM_IPV4}, {PROTO_MAC_BYTES, GATEWAY_CLAIM_MAC}, {16, GATEWAY_CLAIM_IPV6}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct gateway_claim claim;
		const struct slice bytes = slice_of(address + sizeof(address) - cases[i].len, cases[i].len);
		assert_true(gateway_claim_of(bytes, &claim));
		assert_int_equal(gateway_claim_kind(&claim), cases[i].kind);
		assert_memory_equal(claim.key + 1, bytes.data, bytes.len);
		assert_true(slice_is_zero(slice_of(claim.key + 1 + bytes.len, 16 - bytes.len)));
		assert_false(gateway_claim_of(slice_of(zeros, cases[i].len), &claim));
	}
}

static void test_truncated(void **state) {
	static const char *const frames[] = {
	    REMOTE ARP_REPLY("020000000001", ROUTER_IP),
	    REMOTE IPV6("33") OTHER_6 ALL_NODES AUTH_THEN("3c") HOP_BY_HOP_THEN("3a") ND("88") ROUTER_6,
	    REMOTE IPV6("3a") ROUTER_6 ALL_NODES ND("87") OTHER_6,
	};
	static const size_t claim_at[] = {14 + 28, 14 + 40 + 12 + 8 + 24, 14 + 40 + 24};
	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		struct test_frame frame;
		struct proto_ether ether;
		struct gateway_claim claim;
		assert_true(parse(&frame, frames[i], &ether));
		for (size_t len = PROTO_ETHER_HEADER_BYTES; len <= frame.len; len++) {
			/* An exact copy, so that a sanitizer sees one byte too many. */
			uint8_t *copy = test_malloc(len);
			memcpy(copy, frame.bytes, len);
			assert_int_equal(proto_ether_parse(slice_of(copy, len), &ether), 0);
			unit_assert_int(gateway_claim_parse(&ether, &claim), len >= claim_at[i], frames[i]);
			test_free(copy);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_truncated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
