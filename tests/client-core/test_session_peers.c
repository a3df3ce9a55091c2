#include "client-core/session_internal.h"
#include "tests/client-core/harness.h"
#include "tests/unit.h"

#include <string.h>

static void test_add_find_remove(void **state) {
	struct client_peers peers;

	(void)state;
	assert_int_equal(client_peers_init(&peers, &(struct client_config){.seed = 1}), 0);
	for (uint32_t id = 1; id <= CLIENT_PEERS_MAX; id++)
		assert_int_equal(client_peers_add(&peers, id * 0x10001)->id, id * 0x10001);
	assert_null(client_peers_add(&peers, 5));           /* full */
	assert_non_null(client_peers_add(&peers, 0x10001)); /* but this one is there */
	client_peers_remove(&peers, 0x20002);
	client_peers_remove(&peers, 0x20002);
	assert_null(client_peers_find(&peers, 0x20002));
	assert_non_null(client_peers_find(&peers, 0x30003));
	assert_non_null(client_peers_add(&peers, 5));
	client_peers_clear(&peers);
	assert_null(client_peers_find(&peers, 0x30003));
	for (uint32_t id = 1; id <= CLIENT_PEERS_MAX; id++)
		assert_non_null(client_peers_add(&peers, id));
	client_peers_done(&peers);
}

static void test_a_room_over_the_limit(void **state) {
	static struct harness h;

	(void)state;
	harness_init(&h);
	harness_start(&h);
	harness_join(&h);
	for (uint32_t id = 8; id < 8 + CLIENT_PEERS_MAX + 5; id++)
		harness_peer_joined(&h, id, CTRL_ROLE_CLIENT, (uint8_t)id);
	assert_int_equal(h.peers_joined, CLIENT_PEERS_MAX);
	assert_int_equal(client_session_state(h.session), CLIENT_JOINED);
	assert_true(harness_logged(&h, "peer_table_full"));
	harness_done(&h);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_add_find_remove),
	    cmocka_unit_test(test_a_room_over_the_limit),
	};

	return cmocka_run_group_tests_name("client-core/session_peers", tests, NULL, NULL);
}
