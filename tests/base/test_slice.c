#include "base/bytes.h"
#include "base/error.h"
#include "base/slice.h"
#include "tests/unit.h"

static void test_reads_and_fails_closed(void **state) {
	const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7};
	struct base_reader reader = base_reader_of(slice_of(bytes, sizeof(bytes)));
	struct slice view = {0};
	uint8_t u8 = 0;
	uint16_t u16 = 0;

	(void)state;
	assert_int_equal(base_read_u8(&reader, &u8), 0);
	assert_int_equal(base_read_u16(&reader, &u16), 0);
	assert_int_equal(u8, 1);
	assert_int_equal(u16, 0x0203);
	assert_int_equal(base_read_bytes(&reader, 1, &view), 0);
	assert_ptr_equal(view.data, bytes + 3);
	assert_int_equal(base_read_bytes(&reader, 4, &view), BASE_E_SHORT);
	assert_ptr_equal(view.data, bytes + 3);
	assert_int_equal(reader.rest.len, 3);
	assert_int_equal(base_read_bytes(&reader, 3, &view), 0);
	assert_int_equal(base_read_u8(&reader, &u8), BASE_E_SHORT);
	assert_int_equal(base_read_u16(&reader, &u16), BASE_E_SHORT);
	assert_int_equal(u8, 1);
}

static void test_byte_order(void **state) {
	uint8_t buf[8];

	(void)state;
	base_put_u64(buf, UINT64_C(0x0102030405060708));
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(buf[i], i + 1);
	assert_int_equal(base_get_u32(buf + 1), 0x02030405);
	assert_true(base_get_u64(buf) == UINT64_C(0x0102030405060708));
	base_put_le16(buf, 0x0201);
	base_put_le32(buf + 2, UINT32_C(0x06050403));
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(buf[i], i + 1);
	assert_int_equal(base_get_le16(buf), 0x0201);
	assert_int_equal(base_get_le32(buf + 1), 0x05040302);
	assert_true(base_get_le64(buf) == UINT64_C(0x0807060504030201));
}

static void test_equal(void **state) {
	(void)state;
	assert_true(slice_equal(slice_of_text("ab"), slice_of("abc", 2)));
	assert_false(slice_equal(slice_of_text("ab"), slice_of_text("ac")));
	assert_true(slice_equal(slice_of(NULL, 0), slice_of_text("")));
}

static void test_is_zero(void **state) {
	uint8_t bytes[3] = {0};

	(void)state;
	assert_true(slice_is_zero(slice_of(NULL, 0)));
	assert_true(slice_is_zero(slice_of(bytes, sizeof(bytes))));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 0x80;
		assert_false(slice_is_zero(slice_of(bytes, sizeof(bytes))));
		bytes[i] = 0;
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reads_and_fails_closed),
	    cmocka_unit_test(test_byte_order),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_is_zero),
	};

	return cmocka_run_group_tests_name("base/slice", tests, NULL, NULL);
}
