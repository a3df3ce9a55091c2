/* The hash of room codes against docs/vectors/steer.txt, and what follows from a first byte. */
#include "proto/steer.h"

#include "tests/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define VECTORS_MIN 10 /* a file that lost its lines must not pass */

static const char *vectors_path;

static void test_vectors(void **state) {
	FILE *file = fopen(vectors_path, "r");
	char line[200], room[64];
	unsigned group, count = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%63s %u", room, &group) != 2)
			fail_msg("bad line: %s", line);
		unit_assert_int(base_steer_group(proto_steer_byte(room)), group, room);
		unit_assert_int(proto_steer_byte(room) & BASE_STEER_RANDOM, 0, room);
		count++;
	}
	fclose(file);
	assert_true(count >= VECTORS_MIN);
}

/* Codes that differ in their last character only must not meet on one shard. */
static void test_spread(void **state) {
	unsigned rooms[BASE_STEER_GROUPS] = {0};
	char room[32];

	(void)state;
	for (unsigned i = 0; i < 3200; i++) {
		snprintf(room, sizeof(room), "room-%u", i);
		rooms[base_steer_group(proto_steer_byte(room))]++;
	}
	for (unsigned group = 0; group < BASE_STEER_GROUPS; group++)
		assert_in_range(rooms[group], 60, 140);
}

/* Whatever the random byte, the result leads to the shard; no group that would is left out. */
static void test_bytes_of_a_shard(void **state) {
	(void)state;
	for (unsigned shards = 1; shards <= BASE_SHARDS_MAX; shards++) {
		for (unsigned shard = 0; shard < shards; shard++) {
			bool seen[256] = {false};

			for (unsigned random = 0; random < 256; random++) {
				uint8_t byte = base_steer_byte(shard, shards, (uint8_t)random);

				assert_int_equal(base_steer_shard(byte, shards), shard);
				assert_int_equal(byte & BASE_STEER_RANDOM, random & BASE_STEER_RANDOM);
				seen[byte] = true;
			}
			for (unsigned byte = 0; byte < 256; byte++)
				assert_int_equal(seen[byte], base_steer_shard((uint8_t)byte, shards) == shard);
		}
	}
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_spread),
	    cmocka_unit_test(test_bytes_of_a_shard),
	};

	if (argc != 2)
		return 1;
	vectors_path = argv[1];
	return cmocka_run_group_tests_name("proto/steer", tests, NULL, NULL);
}
