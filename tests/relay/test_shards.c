/* Several cores of one relay: whose room is whose. */
#include "proto/steer.h"
#include "tests/relay/party.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#define SHARDS 3

static struct party *shard_new(unsigned shard) {
	const struct relay_core_options options = {.limits = RELAY_LIMITS_DEFAULT, .shard = shard, .shards = SHARDS};

	return party_new_with(&options);
}

/* Each room has one core that takes it, and each other says at once which byte leads there. */
static void test_every_room_has_one_shard(void **state) {
	(void)state;
	for (unsigned room = 0; room < 40; room++) {
		unsigned joined = 0;
		char code[16];

		snprintf(code, sizeof(code), "room-%u", room);
		for (unsigned shard = 0; shard < SHARDS; shard++) {
			struct party *party = shard_new(shard);
			struct conn *conn = party_join(party, code, 1, 0);
			const struct heard *reject = party_last(conn, CTRL_REJECT);

			if (reject != NULL) {
				party_assert_rejected(conn, CTRL_REJECT_WRONG_SHARD, code);
				assert_int_not_equal(reject->message.reject.cid_byte, 0);
				assert_int_equal(base_steer_group((uint8_t)reject->message.reject.cid_byte),
				                 base_steer_group(proto_steer_byte(code)));
				assert_int_equal(relay_core_room_count(party->core), 0);
				assert_int_equal(relay_core_totals(party->core)->rejected[CTRL_REJECT_WRONG_SHARD], 1);
			} else {
				party_heard(conn, 0, CTRL_WELCOME);
				assert_int_equal(base_steer_shard(proto_steer_byte(code), SHARDS), shard);
				joined++;
			}
			party_free(party);
		}
		unit_assert_int(joined, 1, code);
	}
}

/* A stray does not wait until its path is known. */
static void test_strays_do_not_wait(void **state) {
	struct party *party = shard_new(0);
	struct conn *conn = party_connect(party);
	struct ctrl_message hello = party_hello("room-2", CTRL_ROLE_CLIENT, 1, 0);

	(void)state;
	assert_int_not_equal(base_steer_shard(proto_steer_byte("room-2"), SHARDS), 0);
	conn->settled = false;
	conn->budget = 600;
	party_say(conn, &hello);
	party_heard(conn, 0, CTRL_REJECT);
	party_assert_rejected(conn, CTRL_REJECT_WRONG_SHARD, "stray");
	party_free(party);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_room_has_one_shard),
	    cmocka_unit_test(test_strays_do_not_wait),
	};

	return cmocka_run_group_tests_name("relay/shards", tests, NULL, NULL);
}
