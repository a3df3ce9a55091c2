#include "tests/relay/party.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *snapshot(struct party *party) {
	char *text = relay_core_snapshot(party->core, party->now);
	json_t *json;

	assert_non_null(text);
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	assert_non_null(json);
	return json;
}

static json_int_t number(const json_t *json, const char *name) {
	const json_t *value = json_object_get(json, name);

	if (!json_is_integer(value))
		fail_msg("no number %s", name);
	return json_integer_value(value);
}

/* RLY-13: last-seen and the last stats of each peer; what went where and why not. */
static void test_room_with_two_peers(void **state) {
	struct party *party = party_new(NULL);
	struct conn *gateway = party_gateway(party, "R");
	struct conn *client = party_join(party, "R", 1, 9);
	struct ctrl_message stats = {.type = CTRL_STATS};
	json_t *json, *room, *peer, *first;

	(void)state;
	stats.stats.rtt_us = 777;
	stats.stats.counters.drop[OBS_DROP_VLAN] = 3;
	party_say(client, &stats);
	party_run(party, 250 * BASE_MS);
	party_send(gateway, party_mac(1), party_mac(0x0a00), 60);
	party_send(gateway, party_mac(5), party_mac(0x0a00), 60);
	party_run(party, 100 * BASE_MS);
	json = snapshot(party);
	assert_int_equal(number(json, "joined"), 2);
	room = json_array_get(json_object_get(json, "rooms"), 0);
	assert_string_equal(json_string_value(json_object_get(room, "room")), "R");
	assert_int_equal(number(room, "mtu"), 1344);
	assert_int_equal(number(room, "gateway"), 1);
	assert_int_equal(number(room, "lan_stations"), 1);
	first = json_array_get(json_object_get(room, "peers"), 0);
	assert_int_equal(number(first, "last_seen_ms"), 100);
	assert_int_equal(number(json_object_get(first, "rx"), "tunnel_rx_datagrams"), 2);
	assert_int_equal(number(json_object_get(json_object_get(first, "rx"), "drops"), "unknown_unicast"), 1);
	assert_null(json_object_get(first, "stats"));
	peer = json_array_get(json_object_get(room, "peers"), 1);
	assert_string_equal(json_string_value(json_object_get(peer, "mac")), "02:00:00:00:00:01");
	assert_int_equal(number(peer, "last_seen_ms"), 350);
	assert_int_equal(number(peer, "queued"), 1);
	assert_int_equal(number(peer, "rtt_us"), 20000);
	assert_int_equal(number(json_object_get(peer, "stats"), "rtt_us"), 777);
	assert_int_equal(number(json_object_get(peer, "stats"), "age_ms"), 350);
	assert_int_equal(
	    number(json_object_get(json_object_get(json_object_get(peer, "stats"), "counters"), "drops"), "vlan"), 3);
	json_decref(json);
	party_free(party);
}

static void test_no_secrets(void **state) {
	struct party *party = party_new(NULL);
	char *text;

	(void)state;
	party_join(party, "R", 1, 0xab);
	text = relay_core_snapshot(party->core, party->now);
	assert_null(strstr(text, "abab"));
	assert_null(strstr(text, "key"));
	free(text);
	party_free(party);
}

static void test_totals_outlive_peers(void **state) {
	struct party *party = party_new(NULL);
	struct conn *a = party_join(party, "R", 1, 0);
	json_t *json, *totals;

	(void)state;
	party_send(a, party_broadcast, party_mac(1), 60);
	party_hang_up(a, CTRL_LEAVE_QUIT);
	party_say_json(party_connect(party), "{}");
	json = snapshot(party);
	totals = json_object_get(json, "totals");
	assert_int_equal(number(json_object_get(totals, "left"), "quit"), 1);
	assert_int_equal(number(totals, "connections"), 2);
	assert_int_equal(number(json_object_get(totals, "rejected"), "bad_hello"), 1);
	assert_int_equal(number(json_object_get(json_object_get(json, "rx"), "drops"), "nobody"), 1);
	json_decref(json);
	party_free(party);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_room_with_two_peers),
	    cmocka_unit_test(test_no_secrets),
	    cmocka_unit_test(test_totals_outlive_peers),
	};

	return cmocka_run_group_tests_name("relay/snapshot", tests, NULL, NULL);
}
