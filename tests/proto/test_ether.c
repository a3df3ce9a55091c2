#include "proto/ether.h"

#include "base/error.h"
#include "base/text.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define MACS "ffffffffffff020000000001"

static const struct ether_case {
	const char *label;
	const char *hex;
	int expected;
	uint16_t type;
	bool is_length;
	uint8_t vlan_tags;
	uint16_t vlan_id, vlan_ids_or;
	size_t payload_offset, payload_len;
} cases[] = {
    {"empty payload", MACS "0800", 0, 0x0800, false, 0, 0, 0, 14, 0},
    {"ethernet II", MACS "0806aabbcc", 0, 0x0806, false, 0, 0, 0, 14, 3},
    {"lowest type", MACS "0600aa", 0, 0x0600, false, 0, 0, 0, 14, 1},
    {"802.3", MACS "0003424203", 0, 3, true, 0, 0, 0, 14, 3},
    {"802.3 padded", MACS "0003424203000000", 0, 3, true, 0, 0, 0, 14, 3},
    {"802.3 length 0", MACS "00000000", 0, 0, true, 0, 0, 0, 14, 0},
    {"802.1Q", MACS "810060050800aa", 0, 0x0800, false, 1, 5, 5, 18, 1},
    {"priority tag", MACS "8100e0000800aa", 0, 0x0800, false, 1, 0, 0, 18, 1},
    {"802.1ad over 802.1Q", MACS "88a8000a8100000b0800aa", 0, 0x0800, false, 2, 10, 11, 22, 1},
    {"VID under a priority tag", MACS "81000000810000050800aa", 0, 0x0800, false, 2, 0, 5, 22, 1},
    {"old double tags", MACS "910000019200000288a80004810000080800", 0, 0x0800, false, 4, 1, 15, 30, 0},
    {"802.3 behind a tag", MACS "810000010002e0e000", 0, 2, true, 1, 1, 1, 18, 2},
    {"nothing", "", BASE_E_RUNT, 0, false, 0, 0, 0, 0, 0},
    {"13 bytes", MACS "08", BASE_E_RUNT, 0, false, 0, 0, 0, 0, 0},
    {"tag cut off", MACS "81000005", BASE_E_SHORT, 0, false, 0, 0, 0, 0, 0},
    {"tag without type", MACS "8100000508", BASE_E_SHORT, 0, false, 0, 0, 0, 0, 0},
    {"second tag cut off", MACS "810000058100", BASE_E_SHORT, 0, false, 0, 0, 0, 0, 0},
    {"length too large", MACS "00044242 03", BASE_E_LENGTH, 0, false, 0, 0, 0, 0, 0},
    {"length 1500 of nothing", MACS "05dc", BASE_E_LENGTH, 0, false, 0, 0, 0, 0, 0},
    {"type 1501", MACS "05dd00", BASE_E_INVALID, 0, false, 0, 0, 0, 0, 0},
    {"type 1535", MACS "05ff00", BASE_E_INVALID, 0, false, 0, 0, 0, 0, 0},
    {"type 1535 behind a tag", MACS "8100000105ff", BASE_E_INVALID, 0, false, 0, 0, 0, 0, 0},
    {"five tags", MACS "81000001810000018100000181000001810000010800", BASE_E_INVALID, 0, false, 0, 0, 0, 0, 0},
};

/* Hex with blanks to a heap block of exactly its size, so that sanitizers see any overrun. */
static uint8_t *bytes_of(const char *hex, size_t *ret_len) {
	char digits[256];
	size_t count = 0;
	uint8_t *bytes;

	for (; *hex != '\0'; hex++) {
		if (*hex != ' ')
			digits[count++] = *hex;
	}
	bytes = malloc(count / 2 + 1);
	assert_non_null(bytes);
	assert_int_equal(base_parse_hex(digits, count, bytes, count / 2), 0);
	*ret_len = count / 2;
	return realloc(bytes, count > 0 ? count / 2 : 1);
}

static void test_parse(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ether_case *c = &cases[i];
		struct proto_ether ether = {.type = 0x1234};
		size_t len;
		uint8_t *bytes = bytes_of(c->hex, &len);

		unit_assert_int(proto_ether_parse(slice_of(bytes, len), &ether), c->expected, c->label);
		if (c->expected != 0) {
			unit_assert_int(ether.type, 0x1234, c->label);
		} else {
			unit_assert_true(proto_mac_is_broadcast(ether.dst), c->label);
			unit_assert_true(proto_mac_equal(ether.src, (struct proto_mac){{2, 0, 0, 0, 0, 1}}), c->label);
			unit_assert_int(ether.type, c->type, c->label);
			unit_assert_int(ether.is_length, c->is_length, c->label);
			unit_assert_int(ether.vlan_tags, c->vlan_tags, c->label);
			unit_assert_int(ether.vlan_id, c->vlan_id, c->label);
			unit_assert_int(ether.vlan_ids_or, c->vlan_ids_or, c->label);
			unit_assert_int(ether.payload_offset, c->payload_offset, c->label);
			unit_assert_int(ether.payload.len, c->payload_len, c->label);
			unit_assert_true(ether.payload.data == bytes + c->payload_offset, c->label);
		}
		free(bytes);
	}
}

/* A prefix is refused until addresses, tags and type are there; what then parses never points past the prefix. */
static void test_prefixes(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;
		uint8_t *bytes = bytes_of(cases[i].hex, &len);

		for (size_t cut = 0; cut < len; cut++) {
			struct proto_ether ether;
			uint8_t *copy = malloc(cut > 0 ? cut : 1);
			int err;

			assert_non_null(copy);
			memcpy(copy, bytes, cut);
			err = proto_ether_parse(slice_of(copy, cut), &ether);
			if (cases[i].expected == 0 && cut < cases[i].payload_offset)
				unit_assert_int(err, cut < 14 ? BASE_E_RUNT : BASE_E_SHORT, cases[i].label);
			if (err == 0)
				unit_assert_true(ether.payload_offset + ether.payload.len <= cut, cases[i].label);
			free(copy);
		}
		free(bytes);
	}
}

static void test_peek(void **state) {
	size_t len;
	uint8_t *bytes = bytes_of(MACS "8100", &len);
	struct proto_mac dst = {{0}}, src = {{0}};
	uint16_t type = 0;

	(void)state;
	assert_false(proto_ether_peek(slice_of(bytes, 13), &dst, &src, &type));
	assert_true(proto_mac_is_zero(dst) && proto_mac_is_zero(src) && type == 0);
	assert_true(proto_ether_peek(slice_of(bytes, len), &dst, &src, &type));
	assert_true(proto_mac_is_broadcast(dst));
	assert_int_equal(src.b[0], 2);
	assert_int_equal(type, 0x8100);
	free(bytes);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_peek),
	};

	return cmocka_run_group_tests_name("proto/ether", tests, NULL, NULL);
}
