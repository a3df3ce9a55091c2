#include "relay/snapshot.h"
#include "tests/relay/party.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *snapshot(struct party *party) {
	struct relay_snapshot *snapshot = relay_snapshot_new(party->core);

	assert_non_null(snapshot);
	assert_true(relay_snapshot_step(snapshot, SIZE_MAX, party->now));
	return relay_snapshot_finish(snapshot, NULL, 0);
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
	json_t *json;
	char *text;

	(void)state;
	party_join(party, "R", 1, 0xab);
	json = snapshot(party);
	text = json_dumps(json, 0);
	assert_null(strstr(text, "abab"));
	assert_null(strstr(text, "key"));
	free(text);
	json_decref(json);
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

#define ROOMS 6
#define PEERS 5 /* of each room */

static void send_some(struct conn *conn, unsigned frames) {
	for (unsigned i = 0; i < frames; i++)
		party_send(conn, party_broadcast, conn->peer->hello.mac, 60);
}

static struct party *many_rooms(struct conn *conns[static ROOMS * PEERS]) {
	struct party *party = party_new(NULL);

	for (unsigned i = 0; i < ROOMS * PEERS; i++) {
		const char room[] = {(char)('A' + i / PEERS), '\0'};

		conns[i] = party_join(party, room, 1 + i, 0);
	}
	for (unsigned i = 0; i < ROOMS * PEERS; i++)
		send_some(conns[i], 1 + i);
	return party;
}

static json_t *finish(struct relay_snapshot *snapshot) {
	return relay_snapshot_finish(snapshot, NULL, 0);
}

/* However small the slices, it is the same as at once. */
static void test_slices(void **state) {
	struct conn *conns[ROOMS * PEERS];
	struct party *party = many_rooms(conns);
	json_t *whole = snapshot(party);

	(void)state;
	json_object_set_new(whole, "quic", json_object());
	for (size_t items = 1; items < 50; items++) {
		struct relay_snapshot *slices = relay_snapshot_new(party->core);
		unsigned steps = 1;
		json_t *json;

		assert_null(relay_snapshot_new(party->core)); /* one at a time */
		while (!relay_snapshot_step(slices, items, party->now))
			steps++;
		assert_int_equal(steps, (ROOMS * (PEERS + 1) + items - 1) / items);
		json = finish(slices);
		assert_true(json_equal(json, whole));
		json_decref(json);
	}
	relay_snapshot_free(relay_snapshot_new(party->core));
	relay_snapshot_free(NULL);
	json_decref(whole);
	party_free(party);
}

static json_int_t frames_of(const json_t *json) {
	return number(json_object_get(json, "rx"), "tunnel_rx_datagrams");
}

/* Peers leave, rooms go and come between any two slices: each frame from before it is counted once. */
static void test_changes_between_slices(void **state) {
	(void)state;
	for (unsigned when = 0; when < ROOMS * (PEERS + 1); when++) {
		struct conn *conns[ROOMS * PEERS];
		struct party *party = many_rooms(conns);
		struct relay_snapshot *slices;
		json_t *json = snapshot(party);
		json_int_t before = frames_of(json);

		json_decref(json);
		slices = relay_snapshot_new(party->core);
		for (unsigned i = 0; i < when; i++)
			assert_false(relay_snapshot_step(slices, 1, party->now));
		for (unsigned i = 0; i < ROOMS * PEERS; i++) {
			if (i / PEERS % 2 == 0 || i % PEERS == 1)
				party_hang_up(conns[i], CTRL_LEAVE_QUIT);
		}
		party_run(party, RELAY_ROOM_GRACE_NS + 1); /* every second room is forgotten */
		assert_int_equal(party->core->rooms.len, ROOMS / 2);
		party_join(party, "NEW", 99, 0);
		while (!relay_snapshot_step(slices, 1, party->now)) {
		}
		json = finish(slices);
		assert_int_equal(frames_of(json), before);
		assert_true(json_array_size(json_object_get(json, "rooms")) <= ROOMS);
		json_decref(json);
		party_free(party);
	}
}

static unsigned allocations_left;

static void *failing_malloc(size_t len) {
	return allocations_left-- == 0 ? NULL : malloc(len);
}

/* Any one allocation fails: something is missing, and nothing is written to what is gone. */
static void test_memory_is_short(void **state) {
	struct party *party = party_new(NULL);
	unsigned failing = 0;

	(void)state;
	for (unsigned i = 0; i < 10; i++) { /* more than an array has place for at first */
		const char room[] = {(char)('A' + i), '\0'};

		party_join(party, room, 1, 0);
	}
	json_set_alloc_funcs(failing_malloc, free);
	do {
		struct relay_snapshot *slices;

		allocations_left = failing;
		slices = relay_snapshot_new(party->core);
		while (!relay_snapshot_step(slices, 1, party->now)) {
		}
		json_decref(finish(slices));
	} while (allocations_left > failing++ && failing < 10000);
	json_set_alloc_funcs(malloc, free);
	assert_in_range(failing, 100, 9999);
	party_free(party);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_room_with_two_peers),    cmocka_unit_test(test_no_secrets),
	    cmocka_unit_test(test_totals_outlive_peers),   cmocka_unit_test(test_slices),
	    cmocka_unit_test(test_changes_between_slices), cmocka_unit_test(test_memory_is_short),
	};

	return cmocka_run_group_tests_name("relay/snapshot", tests, NULL, NULL);
}
