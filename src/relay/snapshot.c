/* relay/snapshot.c: the state of a core as JSON for the status socket. Everything a person needs to see why a party
 * does not work; no secrets (seat keys). Zeros are left out of counters. */
#include "relay/snapshot.h"
#include "relay/internal.h"

#include <jansson.h>
#include <stdlib.h>

/* jansson takes signed numbers; a counter that large does not happen. */
static void set_u64(json_t *object, const char *name, uint64_t value) {
	json_object_set_new(object, name, json_integer((json_int_t)(value & INT64_MAX)));
}

static void set_text(json_t *object, const char *name, const char *text) {
	json_object_set_new(object, name, json_string(text));
}

static void set_age(json_t *object, const char *name, uint64_t since, uint64_t now) {
	set_u64(object, name, (now - since) / BASE_MS);
}

static json_t *numbers_json(const struct relay_snapshot_number *numbers, size_t count) {
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++)
		set_u64(object, numbers[i].name, numbers[i].value);
	return object;
}

static json_t *counters_json(const struct obs_counters *counters) {
	json_t *object = json_object();
	json_t *drops = json_object();

	for (size_t i = 0; i < OBS_COUNTER_COUNT; i++) {
		if (counters->value[i] != 0)
			set_u64(object, obs_counter_name((enum obs_counter)i), counters->value[i]);
	}
	for (size_t i = 0; i < OBS_DROP_COUNT; i++) {
		if (counters->drop[i] != 0)
			set_u64(drops, obs_drop_name((enum obs_drop)i), counters->drop[i]);
	}
	json_object_set_new(object, "drops", drops);
	return object;
}

static json_t *stats_json(const struct relay_peer *peer, uint64_t now) {
	json_t *object = json_object();

	set_age(object, "age_ms", peer->stats_at, now);
	set_u64(object, "rtt_us", peer->stats.rtt_us);
	set_u64(object, "datagram_budget", peer->stats.datagram_budget);
	json_object_set_new(object, "route_pinned", json_boolean(peer->stats.route_pinned));
	json_object_set_new(object, "tap_ready", json_boolean(peer->stats.tap_ready));
	if (peer->stats.tap_address[0] != '\0')
		set_text(object, "tap_address", peer->stats.tap_address);
	json_object_set_new(object, "counters", counters_json(&peer->stats.counters));
	return object;
}

static void add_conn_json(json_t *object, const struct relay_peer *peer) {
	const struct relay_core *core = peer->core;
	struct relay_conn_info info = {.remote = peer->remote};
	char remote[BASE_ADDR_TEXT_BYTES];

	core->transport->info(core->transport_user, peer->conn, &info);
	set_text(object, "remote", base_addr_text(&info.remote, remote));
	set_u64(object, "rtt_us", info.rtt_ns / BASE_US);
	set_u64(object, "cwnd", info.cwnd);
	set_u64(object, "budget", core->transport->budget(core->transport_user, peer->conn));
}

static json_t *peer_json(struct relay_peer *peer, uint64_t now) {
	json_t *object = json_object();
	char mac[PROTO_MAC_TEXT_BYTES];

	set_u64(object, "id", peer->id);
	set_text(object, "role", ctrl_role_name(peer->hello.role));
	if (peer->hello.role == CTRL_ROLE_CLIENT)
		set_text(object, "mac", proto_mac_text(peer->hello.mac, mac));
	if (peer->hello.name[0] != '\0')
		set_text(object, "name", peer->hello.name);
	add_conn_json(object, peer);
	set_u64(object, "announced_budget", peer->hello.budget);
	set_age(object, "joined_ms", peer->joined_at, now);
	set_age(object, "last_seen_ms", peer->last_seen, now);
	set_u64(object, "queued", relay_peer_queued(peer));
	set_u64(object, "forwarded", peer->forwarded);
	set_u64(object, "malformed", peer->malformed);
	set_u64(object, "unknown_messages", peer->unknown_messages);
	json_object_set_new(object, "rx", counters_json(&peer->rx));
	json_object_set_new(object, "tx", counters_json(relay_peer_tx(peer)));
	if (peer->stats_at != 0)
		json_object_set_new(object, "stats", stats_json(peer, now));
	return object;
}

static json_t *room_json(const struct relay_room *room, uint64_t now) {
	json_t *object = json_object();
	json_t *peers = json_array();

	set_text(object, "room", room->code);
	set_u64(object, "mtu", room->mtu);
	set_age(object, "open_ms", room->opened_at, now);
	if (room->gateway != NULL) {
		set_u64(object, "gateway", room->gateway->id);
		set_u64(object, "lan_stations", relay_stations_count(room->stations, now));
	}
	set_u64(object, "buffers", room->frames_held);
	set_u64(object, "kept_seats", relay_holds_count(room->holds, now));
	for (struct base_list *item = room->peers.next; item != &room->peers; item = item->next)
		json_array_append_new(peers, peer_json(BASE_CONTAINER(item, struct relay_peer, room_link), now));
	json_object_set_new(object, "peers", peers);
	return object;
}

static json_t *totals_json(const struct relay_core *core) {
	const struct relay_totals *totals = &core->totals;
	const struct relay_snapshot_number plain[] = {
	    {"connections", totals->connections},
	    {"joined", totals->joined},
	    {"replaced", totals->replaced},
	    {"hello_timeouts", totals->hello_timeouts},
	    {"protocol_errors", totals->protocol_errors},
	    {"control_floods", totals->control_floods},
	    {"malformed_disconnects", totals->malformed_disconnects},
	    {"stuck_disconnects", totals->stuck_disconnects},
	    {"unknown_messages", totals->unknown_messages},
	    {"rooms_opened", totals->rooms_opened},
	    {"rooms_evicted", totals->rooms_evicted},
	};
	json_t *object = numbers_json(plain, sizeof(plain) / sizeof(plain[0]));
	json_t *rejected = json_object();
	json_t *left = json_object();

	for (size_t i = 0; i < CTRL_REJECT_CODE_COUNT; i++) {
		if (totals->rejected[i] != 0)
			set_u64(rejected, ctrl_reject_name((enum ctrl_reject_code)i), totals->rejected[i]);
	}
	for (size_t i = 0; i < CTRL_LEAVE_REASON_COUNT; i++) {
		if (totals->left[i] != 0)
			set_u64(left, ctrl_leave_name((enum ctrl_leave_reason)i), totals->left[i]);
	}
	json_object_set_new(object, "rejected", rejected);
	json_object_set_new(object, "left", left);
	return object;
}

/* The frames of everybody since the start, so that a rate can be had from two snapshots. */
static void add_traffic_json(json_t *object, const struct relay_core *core) {
	struct obs_counters rx = core->totals.rx;
	struct obs_counters tx = core->totals.tx;

	for (struct base_list *item = core->peers.next; item != &core->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, link);

		if (peer->state != RELAY_PEER_JOINED) /* those who left are in the totals already */
			continue;
		relay_counters_add(&rx, &peer->rx);
		relay_counters_add(&tx, relay_peer_tx(peer));
	}
	json_object_set_new(object, "rx", counters_json(&rx));
	json_object_set_new(object, "tx", counters_json(&tx));
}

static json_t *core_json(struct relay_core *core, uint64_t now) {
	json_t *object = json_object();
	json_t *rooms = json_array();
	size_t joined = 0;

	for (struct base_map_node *node = base_map_next(&core->rooms, NULL); node != NULL;
	     node = base_map_next(&core->rooms, node)) {
		const struct relay_room *room = BASE_CONTAINER(node, struct relay_room, node);

		joined += room->peer_count;
		json_array_append_new(rooms, room_json(room, now));
	}
	set_u64(object, "connections", core->peer_count);
	set_u64(object, "joined", joined);
	set_u64(object, "buffers_free", queue_pool_available(core->pool));
	json_object_set_new(object, "policy", json_boolean(!core->no_policy));
	json_object_set_new(object, "totals", totals_json(core));
	add_traffic_json(object, core);
	json_object_set_new(object, "rooms", rooms);
	return object;
}

static char *print_and_free(json_t *object) {
	char *text = json_dumps(object, JSON_COMPACT);

	json_decref(object);
	return text;
}

char *relay_core_snapshot(struct relay_core *core, uint64_t now) {
	return print_and_free(core_json(core, now));
}

char *relay_snapshot_text(struct relay_core *core, unsigned shard, const struct relay_snapshot_number *quic,
                          size_t count, uint64_t now) {
	json_t *object = core_json(core, now);

	set_u64(object, "shard", shard);
	json_object_set_new(object, "quic", numbers_json(quic, count));
	return print_and_free(object);
}
