#include "offload/offload.h"

#include "base/rng.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

/* The definition, word by word. */
static uint16_t slow_sum(uint16_t sum, const uint8_t *bytes, size_t len) {
	uint32_t total = sum;

	for (size_t i = 0; i < len; i++) {
		total += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		while (total > 0xffff)
			total = (total & 0xffff) + (total >> 16);
	}
	return (uint16_t)total;
}

static void test_known_sums(void **state) {
	/* RFC 1071 section 3 */
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	/* an IPv4 header with a right checksum sums up to ffff */
	static const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
	                                 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

	(void)state;
	assert_int_equal(offload_checksum_add(0, slice_of(example, sizeof(example))), 0xddf2);
	assert_int_equal(offload_checksum_add(0, slice_of(header, sizeof(header))), 0xffff);
	assert_int_equal(offload_checksum_add(0, slice_of(NULL, 0)), 0);
	assert_int_equal(offload_checksum_add(0x1234, slice_of(NULL, 0)), 0x1234);
	assert_int_equal(offload_checksum_add(0xffff, slice_of("\0\1", 2)), 1);
	assert_int_equal(offload_checksum_add(0, slice_of("\x12", 1)), 0x1200);
}

/* All lengths, alignments and carries against the definition. */
static void test_against_definition(void **state) {
	struct base_rng rng;
	uint8_t bytes[400];

	(void)state;
	base_rng_init(&rng, 7);
	for (unsigned round = 0; round < 6; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) /* the first rounds are all ones and all zeros: carries everywhere */
			bytes[i] = round == 0 ? 0xff : round == 1 ? 0 : (uint8_t)base_rng_next(&rng);
		for (size_t start = 0; start < 9; start++) {
			for (size_t len = 0; start + len <= sizeof(bytes); len++) {
				uint16_t sum = (uint16_t)base_rng_next(&rng);
				uint16_t fast = offload_checksum_add(sum, slice_of(bytes + start, len));

				assert_int_equal(fast, slow_sum(sum, bytes + start, len));
			}
		}
	}
}

static void test_in_pieces(void **state) {
	uint8_t bytes[100];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 37);
	for (size_t cut = 0; cut <= sizeof(bytes); cut += 2) {
		uint16_t sum = offload_checksum_add(0, slice_of(bytes, cut));

		sum = offload_checksum_add(sum, slice_of(bytes + cut, sizeof(bytes) - cut));
		assert_int_equal(sum, slow_sum(0, bytes, sizeof(bytes)));
	}
}

static void test_largest(void **state) {
	size_t len = 65550;
	uint8_t *bytes = malloc(len);

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 0xff, len);
	assert_int_equal(offload_checksum_add(0, slice_of(bytes, len)), 0xffff);
	bytes[len - 1] = 0xfe;
	assert_int_equal(offload_checksum_add(0, slice_of(bytes, len)), slow_sum(0, bytes, len));
	free(bytes);
}

static void test_crc32c(void **state) {
	/* RFC 3720 appendix B.4 */
	static const uint8_t zeros[32] = {0};
	uint8_t counted[32];

	(void)state;
	for (size_t i = 0; i < sizeof(counted); i++)
		counted[i] = (uint8_t)i;
	assert_int_equal(offload_crc32c(slice_of("123456789", 9)), 0xe3069283);
	assert_int_equal(offload_crc32c(slice_of(zeros, sizeof(zeros))), 0x8a9136aa);
	assert_int_equal(offload_crc32c(slice_of(counted, sizeof(counted))), 0x46dd794e);
	assert_int_equal(offload_crc32c(slice_of(NULL, 0)), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_sums), cmocka_unit_test(test_against_definition),
	    cmocka_unit_test(test_in_pieces),  cmocka_unit_test(test_largest),
	    cmocka_unit_test(test_crc32c),
	};

	return cmocka_run_group_tests_name("offload/checksum", tests, NULL, NULL);
}
