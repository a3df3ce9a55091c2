/* relay/snapshot.c: the state of a core as JSON for the status socket. Everything a person needs to see why a party
 * does not work; no secrets (seat keys). Zeros are left out of counters. Two parts: each thing as JSON, and the slices
 * in which a core's things become one object. Between two slices peers leave and rooms go: they say so here. */
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
	set_u64(object, "malformed", peer->rx.drop[OBS_DROP_BAD_DATAGRAM]);
	set_u64(object, "unknown_messages", peer->unknown_messages);
	json_object_set_new(object, "rx", counters_json(&peer->rx));
	json_object_set_new(object, "tx", counters_json(relay_peer_tx(peer)));
	if (peer->stats_at != 0)
		json_object_set_new(object, "stats", stats_json(peer, now));
	return object;
}

static json_t *room_json(const struct relay_room *room, uint64_t now) {
	json_t *object = json_object();

	set_text(object, "room", room->code);
	set_u64(object, "shard", room->core->shard);
	set_u64(object, "mtu", room->mtu);
	json_object_set_new(object, "sealed", json_boolean(room->sealed));
	set_age(object, "open_ms", room->opened_at, now);
	if (room->gateway != NULL) {
		set_u64(object, "gateway", room->gateway->id);
		set_u64(object, "lan_stations", relay_stations_count(room->stations, now));
	}
	set_u64(object, "buffers", room->held.frames);
	set_u64(object, "kept_seats", relay_holds_count(room->holds, now));
	return object;
}

static json_t *totals_json(const struct relay_totals *totals) {
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

/* --- slices --- */

struct relay_snapshot {
	struct relay_core *core;
	json_t *rooms, *peers; /* all rooms, and the peers of the one that is being shown */
	struct relay_room *room;
	bool in_room;       /* `room` has been begun */
	uint64_t next_peer; /* id; a room has its peers in the order of their ids */
	uint64_t last_room; /* younger rooms are not shown: it has to end */
	uint32_t number;
	struct relay_totals totals;
	struct obs_counters rx, tx; /* of everybody who was ever in */
};

static struct relay_room *room_at(const struct relay_core *core, struct base_list *link) {
	return link == &core->all_rooms ? NULL : BASE_CONTAINER(link, struct relay_room, all_link);
}

struct relay_snapshot *relay_snapshot_new(struct relay_core *core) {
	struct relay_snapshot *snapshot = core->snapshot == NULL ? calloc(1, sizeof(*snapshot)) : NULL;

	if (snapshot == NULL)
		return NULL;
	snapshot->core = core;
	snapshot->rooms = json_array();
	snapshot->room = room_at(core, core->all_rooms.next);
	snapshot->last_room = core->totals.rooms_opened;
	snapshot->totals = core->totals;
	snapshot->rx = core->totals.rx;
	snapshot->tx = core->totals.tx;
	core->snapshot = snapshot;
	snapshot->number = ++core->snapshots;
	return snapshot;
}

void relay_snapshot_free(struct relay_snapshot *snapshot) {
	if (snapshot == NULL)
		return;
	snapshot->core->snapshot = NULL;
	json_decref(snapshot->rooms);
	free(snapshot);
}

/* A peer's frames count once, when it is shown or when it leaves before: two snapshots make a rate. */
static void count_frames(struct relay_snapshot *snapshot, struct relay_peer *peer) {
	if (peer->snapshot == snapshot->number)
		return;
	peer->snapshot = snapshot->number;
	relay_counters_add(&snapshot->rx, &peer->rx);
	relay_counters_add(&snapshot->tx, relay_peer_tx(peer));
}

void relay_snapshot_peer_leaves(struct relay_peer *peer) {
	if (peer->core->snapshot != NULL)
		count_frames(peer->core->snapshot, peer);
}

static void next_room(struct relay_snapshot *snapshot) {
	snapshot->room = room_at(snapshot->core, snapshot->room->all_link.next);
	snapshot->in_room = false;
}

void relay_snapshot_room_goes(struct relay_room *room) {
	if (room->core->snapshot != NULL && room->core->snapshot->room == room)
		next_room(room->core->snapshot);
}

static void begin_room(struct relay_snapshot *snapshot, uint64_t now) {
	json_t *object = room_json(snapshot->room, now);

	/* What does not fit into memory is gone, and the object with it. */
	snapshot->peers = json_array();
	if (json_object_set_new(object, "peers", snapshot->peers) != 0)
		snapshot->peers = NULL;
	if (json_array_append_new(snapshot->rooms, object) != 0)
		snapshot->peers = NULL;
	snapshot->in_room = true;
	snapshot->next_peer = 0;
}

/* False when `items` are used up and there are more. */
static bool show_peers(struct relay_snapshot *snapshot, size_t *items, uint64_t now) {
	struct relay_room *room = snapshot->room;

	for (struct base_list *item = room->peers.next; item != &room->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, room_link);

		if (peer->id < snapshot->next_peer)
			continue;
		if (*items == 0)
			return false;
		(*items)--;
		json_array_append_new(snapshot->peers, peer_json(peer, now));
		count_frames(snapshot, peer);
		snapshot->next_peer = (uint64_t)peer->id + 1;
	}
	return true;
}

bool relay_snapshot_step(struct relay_snapshot *snapshot, size_t items, uint64_t now) {
	while (snapshot->room != NULL && snapshot->room->number <= snapshot->last_room) {
		if (!snapshot->in_room) {
			if (items == 0)
				return false;
			items--;
			begin_room(snapshot, now);
		}
		if (!show_peers(snapshot, &items, now))
			return false;
		next_room(snapshot);
	}
	return true;
}

json_t *relay_snapshot_finish(struct relay_snapshot *snapshot, const struct relay_snapshot_number *quic, size_t count) {
	const struct relay_core *core = snapshot->core;
	json_t *object = json_object();

	set_u64(object, "shard", core->shard);
	set_u64(object, "connections", core->peer_count);
	set_u64(object, "joined", core->joined_count);
	set_u64(object, "buffers_free", queue_pool_available(core->pool));
	json_object_set_new(object, "policy", json_boolean(!core->no_policy));
	json_object_set_new(object, "totals", totals_json(&snapshot->totals));
	json_object_set_new(object, "rx", counters_json(&snapshot->rx));
	json_object_set_new(object, "tx", counters_json(&snapshot->tx));
	json_object_set_new(object, "quic", numbers_json(quic, count));
	json_object_set(object, "rooms", snapshot->rooms);
	relay_snapshot_free(snapshot);
	return object;
}
