/* Addresses there and back. */
#include "net.h"
#include "quic/internal.h"

#include <string.h>

static const struct {
	const char *label;
	struct base_path in, out;
} cases[] = {
    {"IPv4",
     {{.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443},
      {.family = BASE_FAMILY_V4, .ip = {10, 1, 2, 3}, .port = 65535}},
     {{.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443},
      {.family = BASE_FAMILY_V4, .ip = {10, 1, 2, 3}, .port = 65535}}},
    {"IPv6 with scope",
     {{.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80, [15] = 1}, .port = 1, .scope = 3},
      {.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80, [15] = 2}, .port = 2, .scope = 3}},
     {{.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80, [15] = 1}, .port = 1, .scope = 3},
      {.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80, [15] = 2}, .port = 2, .scope = 3}}},
    {"no local address, IPv4",
     {{.family = BASE_FAMILY_NONE}, {.family = BASE_FAMILY_V4, .ip = {10, 1, 2, 3}, .port = 5}},
     {{.family = BASE_FAMILY_NONE}, {.family = BASE_FAMILY_V4, .ip = {10, 1, 2, 3}, .port = 5}}},
    {"no local address, IPv6",
     {{.family = BASE_FAMILY_NONE}, {.family = BASE_FAMILY_V6, .ip = {0x20, 1}, .port = 5}},
     {{.family = BASE_FAMILY_NONE}, {.family = BASE_FAMILY_V6, .ip = {0x20, 1}, .port = 5}}},
    {"wildcard with port",
     {{.family = BASE_FAMILY_V4, .port = 99}, {.family = BASE_FAMILY_V4, .ip = {10, 1, 2, 3}, .port = 5}},
     {{.family = BASE_FAMILY_V4, .port = 99}, {.family = BASE_FAMILY_V4, .ip = {10, 1, 2, 3}, .port = 5}}},
    {"wildcard without port is none",
     {{.family = BASE_FAMILY_V6}, {.family = BASE_FAMILY_V6, .ip = {0x20, 1}, .port = 5}},
     {{.family = BASE_FAMILY_NONE}, {.family = BASE_FAMILY_V6, .ip = {0x20, 1}, .port = 5}}},
};

static void test_both_ways(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ngtcp2_path_storage storage;
		struct base_path back;

		quic_path_to_ng(&cases[i].in, &storage);
		quic_path_from_ng(&storage.path, &back);
		unit_assert_true(base_path_equal(&back, &cases[i].out), cases[i].label);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_ways)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
