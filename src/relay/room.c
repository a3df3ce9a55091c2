/* relay/room.c: who is in which room and which MAC is whose; rooms that nobody is in for a while. */
#include "base/error.h"
#include "proto/mtu.h"
#include "relay/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void id_of(const struct ctrl_hello *hello, uint8_t ret[static RELAY_ROOM_ID_BYTES]) {
	memset(ret, 0, CTRL_ROOM_BYTES_MAX);
	memcpy(ret, hello->room, strlen(hello->room));
	memcpy(ret + CTRL_ROOM_BYTES_MAX, hello->room_key, CTRL_KEY_CHECK_BYTES);
}

struct relay_room *relay_room_find(const struct relay_core *core, const struct ctrl_hello *hello) {
	uint8_t id[RELAY_ROOM_ID_BYTES];
	struct base_map_node *node;

	id_of(hello, id);
	node = base_map_find(&core->rooms, slice_of(id, sizeof(id)));
	return node != NULL ? BASE_CONTAINER(node, struct relay_room, node) : NULL;
}

struct relay_room *relay_room_of_gateway(const struct relay_core *core, const char *code) {
	struct base_map_node *node = base_map_find(&core->gateways, slice_of_text(code));

	return node != NULL ? BASE_CONTAINER(node, struct relay_room, code_node) : NULL;
}

/* For keys that are not there yet. */
static void insert(struct base_map *map, struct base_map_node *node, struct slice key) {
	int result = base_map_insert(map, node, key);

	assert(result == 0);
	(void)result;
}

static void list_gateway(struct relay_room *room) {
	struct relay_room *first = relay_room_of_gateway(room->core, room->code);

	if (first == NULL)
		insert(&room->core->gateways, &room->code_node, slice_of_text(room->code));
	else
		base_list_append(&first->same_code, &room->same_code);
}

static void unlist_gateway(struct relay_room *room) {
	struct relay_room *next;

	if (relay_room_of_gateway(room->core, room->code) == room) {
		base_map_remove(&room->core->gateways, &room->code_node);
		next = BASE_CONTAINER(room->same_code.next, struct relay_room, same_code);
		if (next != room)
			insert(&room->core->gateways, &next->code_node, slice_of_text(next->code));
	}
	base_list_remove(&room->same_code);
}

struct relay_peer *relay_room_client(const struct relay_room *room, struct proto_mac mac) {
	struct base_map_node *node = base_map_find(&room->clients, slice_of(mac.b, sizeof(mac.b)));

	return node != NULL ? BASE_CONTAINER(node, struct relay_peer, mac_node) : NULL;
}

static bool is_resting(const struct relay_room *room) {
	return !base_list_empty(&room->empty_link);
}

void relay_room_free(struct relay_room *room) {
	struct relay_core *core = room->core;

	atomic_fetch_sub(is_resting(room) ? &core->shared->rooms_kept : &core->shared->rooms_used, 1);
	relay_snapshot_room_goes(room);
	base_map_remove(&core->rooms, &room->node);
	base_list_remove(&room->all_link);
	base_list_remove(&room->empty_link);
	base_map_done(&room->clients);
	relay_stations_free(room->stations);
	relay_holds_free(room->holds);
	free(room);
}

static void close_room(struct relay_room *room, const char *why) {
	struct obs_log *log = room->core->log;

	if (obs_on(log, OBS_INFO)) {
		obs_begin(log, OBS_INFO, "room_closed");
		obs_str(log, "room", room->code);
		obs_str(log, "reason", why);
		obs_end(log);
	}
	relay_room_free(room);
}

static struct relay_room *first_empty(const struct relay_core *core) {
	return base_list_empty(&core->empty_rooms) ? NULL
	                                           : BASE_CONTAINER(core->empty_rooms.next, struct relay_room, empty_link);
}

void relay_room_expire(struct relay_core *core, uint64_t now) {
	struct relay_room *room;

	while ((room = first_empty(core)) != NULL && room->empty_until <= now)
		close_room(room, "empty");
}

/* Remembered rooms are a courtesy; they must not keep out a room that somebody wants to be in. */
static void evict(struct relay_core *core) {
	struct relay_room *room = first_empty(core);

	if (room == NULL || relay_shared_rooms(core->shared) <= core->limits.rooms_max)
		return;
	core->totals.rooms_evicted++;
	close_room(room, "evicted");
}

void relay_room_rest(struct relay_room *room, uint64_t now) {
	struct relay_core *core = room->core;

	if (room->peer_count > 0 || is_resting(room))
		return;
	room->empty_until = now + RELAY_ROOM_GRACE_NS;
	base_list_append(&core->empty_rooms, &room->empty_link);
	atomic_fetch_add(&core->shared->rooms_kept, 1);
	atomic_fetch_sub(&core->shared->rooms_used, 1);
	evict(core);
}

static bool wake_up(struct relay_room *room) {
	struct relay_shared *shared = room->core->shared;

	if (!is_resting(room))
		return true;
	if (!relay_shared_use_room(shared, room->core->limits.rooms_max))
		return false;
	atomic_fetch_sub(&shared->rooms_kept, 1);
	base_list_remove(&room->empty_link);
	return true;
}

static void add_mtu(struct obs_log *log, uint16_t mtu) {
	obs_u64(log, "mtu", mtu);
	obs_bool(log, "ipv6", proto_tap_mtu_carries_ipv6(mtu));
}

static struct relay_room *make_room(struct relay_core *core, const struct ctrl_hello *hello, uint16_t mtu,
                                    uint64_t now) {
	struct relay_room *room = calloc(1, sizeof(*room));

	if (room == NULL)
		return NULL;
	room->core = core;
	memcpy(room->code, hello->room, sizeof(room->code));
	room->sealed = ctrl_has_room_key(hello);
	id_of(hello, room->id);
	room->mtu = mtu;
	room->next_id = 1;
	room->opened_at = now;
	base_list_init(&room->peers);
	base_list_init(&room->empty_link);
	base_list_init(&room->same_code);
	if (base_map_init(&room->clients, core->seed) != 0) {
		free(room);
		return NULL;
	}
	insert(&core->rooms, &room->node, slice_of(room->id, sizeof(room->id)));
	return room;
}

int relay_room_open(struct relay_core *core, const struct ctrl_hello *hello, uint16_t mtu, uint64_t now,
                    struct relay_room **ret) {
	struct relay_room *room;

	if (!relay_shared_use_room(core->shared, core->limits.rooms_max))
		return BASE_E_FULL;
	evict(core);
	room = make_room(core, hello, mtu, now);
	if (room == NULL) {
		atomic_fetch_sub(&core->shared->rooms_used, 1);
		return BASE_E_NOMEM;
	}
	room->number = ++core->totals.rooms_opened;
	base_list_append(&core->all_rooms, &room->all_link);
	if (obs_on(core->log, OBS_INFO)) {
		obs_begin(core->log, OBS_INFO, "room_opened");
		obs_str(core->log, "room", room->code);
		add_mtu(core->log, mtu);
		obs_bool(core->log, "sealed", room->sealed);
		obs_end(core->log);
	}
	*ret = room;
	return 0;
}

static void forget_lan(struct relay_room *room) {
	relay_stations_clear(room->stations);
	relay_holds_forget_claims(room->holds);
	for (struct base_list *item = room->peers.next; item != &room->peers; item = item->next)
		relay_seat_forget_claim(&BASE_CONTAINER(item, struct relay_peer, room_link)->seat);
}

/* What a seat takes of memory; false when there is none. */
static bool make_seat(struct relay_room *room, struct relay_peer *peer) {
	peer->egress = queue_egress_new(&room->core->limits.egress, room->core->seed);
	if (peer->egress == NULL)
		return false;
	if (peer->hello.role != CTRL_ROLE_GATEWAY || room->stations != NULL)
		return true;
	room->stations = relay_stations_new(room->core->seed);
	if (room->stations != NULL)
		return true;
	queue_egress_free(peer->egress);
	peer->egress = NULL;
	return false;
}

static void take_seat(struct relay_room *room, struct relay_peer *peer) {
	if (peer->hello.role == CTRL_ROLE_CLIENT) {
		insert(&room->clients, &peer->mac_node, slice_of(peer->hello.mac.b, PROTO_MAC_BYTES));
		return;
	}
	list_gateway(room);
	if (!relay_same_key(&room->stations_of, &peer->hello))
		forget_lan(room); /* another gateway, another LAN */
	room->stations_of = peer->hello;
	room->narrow_since = 0;
	room->gateway = peer;
}

int relay_room_enter(struct relay_room *room, struct relay_peer *peer, uint64_t now) {
	struct relay_seat *before = relay_holds_own(room->holds, &peer->hello, now);

	assert(room->next_id != 0);
	if (!wake_up(room))
		return BASE_E_FULL;
	if (!make_seat(room, peer))
		return BASE_E_NOMEM;
	take_seat(room, peer);
	peer->room = room;
	peer->held.above = &room->held;
	peer->held_for_all.above = &peer->held;
	peer->id = room->next_id++;
	peer->state = RELAY_PEER_JOINED;
	peer->joined_at = now;
	base_list_append(&room->peers, &peer->room_link);
	room->peer_count++;
	room->core->joined_count++;
	room->core->totals.joined++;
	if (before != NULL)
		peer->seat = *before;
	if (room->holds != NULL)
		relay_holds_release(room->holds, &peer->hello);
	return 0;
}

static void log_left(const struct relay_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	struct obs_log *log = peer->core->log;

	if (!obs_on(log, OBS_INFO))
		return;
	obs_begin(log, OBS_INFO, "peer_left");
	obs_str(log, "room", peer->room->code);
	obs_u64(log, "peer", peer->id);
	obs_str(log, "role", ctrl_role_name(peer->hello.role));
	if (peer->hello.role == CTRL_ROLE_CLIENT)
		obs_mac(log, "mac", peer->hello.mac.b);
	obs_str(log, "reason", ctrl_leave_name(reason));
	if (peer->end.text[0] != '\0')
		obs_str(log, "text", peer->end.text);
	obs_u64(log, "seconds", (now - peer->joined_at) / BASE_SECOND);
	obs_u64(log, "received", peer->rx.value[OBS_TUNNEL_RX_DATAGRAMS]);
	obs_u64(log, "sent", peer->tx.value[OBS_TUNNEL_TX_DATAGRAMS]);
	obs_u64(log, "dropped", obs_drops_total(&peer->rx));
	obs_end(log);
}

static void keep_seat(struct relay_room *room, const struct relay_peer *peer, uint64_t hold_ns, uint64_t now) {
	if (room->holds == NULL)
		room->holds = relay_holds_new();
	if (room->holds != NULL)
		relay_holds_keep(room->holds, &peer->hello, &peer->seat, now + hold_ns, now);
}

/* A gateway that quits gives its seat up; else it will be back. Whoever has the seat can be everybody's router and DHCP
 * server, so no client's seat pushes it out of the holds. Its LAN stays what it is in both cases: one that quits may be
 * about to be started again, and until it has heard its router a client could take the router's MAC. */
static void leave_gateway_seat(struct relay_room *room, struct relay_peer *peer, enum ctrl_leave_reason reason,
                               bool keep, uint64_t now) {
	unlist_gateway(room);
	room->gateway = NULL;
	peer->seat.stayed_ns = BASE_NEVER;
	if (!peer->hello.has_seat_key)
		forget_lan(room);
	else if (keep && reason != CTRL_LEAVE_QUIT)
		keep_seat(room, peer, RELAY_GATEWAY_HOLD_NS, now);
}

static void leave_client_seat(struct relay_room *room, struct relay_peer *peer, enum ctrl_leave_reason reason,
                              bool keep, uint64_t now) {
	base_map_remove(&room->clients, &peer->mac_node);
	peer->seat.stayed_ns += now - peer->joined_at;
	if (keep && peer->hello.has_seat_key)
		keep_seat(room, peer, reason == CTRL_LEAVE_QUIT ? RELAY_QUIT_HOLD_NS : RELAY_CLIENT_HOLD_NS, now);
}

void relay_room_vacate(struct relay_peer *peer, enum ctrl_leave_reason reason, bool keep, uint64_t now) {
	struct relay_room *room = peer->room;
	struct relay_totals *totals = &room->core->totals;

	assert(peer->state == RELAY_PEER_JOINED);
	relay_egress_close(peer);
	relay_snapshot_peer_leaves(peer);
	log_left(peer, reason, now);
	if (room->gateway == peer)
		leave_gateway_seat(room, peer, reason, keep, now);
	else
		leave_client_seat(room, peer, reason, keep, now);
	base_list_remove(&peer->room_link);
	room->peer_count--;
	room->core->joined_count--;
	peer->room = NULL;
	peer->state = RELAY_PEER_LEFT;
	totals->left[reason]++;
	totals->forwarded += peer->forwarded;
	relay_counters_add(&totals->rx, &peer->rx);
	relay_counters_add(&totals->tx, &peer->tx);
	if (room->peer_count > 0 && !room->core->shutting_down) /* everybody is told goodbye anyway */
		relay_notify_left(room, peer->id, reason);
}

void relay_room_leave(struct relay_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	struct relay_room *room = peer->room;

	relay_room_vacate(peer, reason, true, now);
	relay_room_rest(room, now);
}

static void log_narrowed(const struct relay_room *room, uint16_t mtu) {
	struct obs_log *log = room->core->log;

	if (!obs_on(log, OBS_WARN))
		return;
	obs_begin(log, OBS_WARN, "room_narrowed");
	obs_str(log, "room", room->code);
	add_mtu(log, mtu);
	obs_str(log, "message", "the gateway's path carries no more");
	obs_end(log);
}

void relay_room_narrow(struct relay_room *room, uint16_t mtu, uint64_t now) {
	struct relay_end end = {.reason = CTRL_LEAVE_CONNECTION_LOST,
	                        .code = QUIC_APP_PATH,
	                        .text = "the gateway's path carries less than before, and so does the room"};

	log_narrowed(room, mtu);
	while (!base_list_empty(&room->peers)) {
		struct relay_peer *peer = BASE_CONTAINER(room->peers.next, struct relay_peer, room_link);

		relay_room_vacate(peer, end.reason, true, now);
		relay_peer_doom(peer, &end);
	}
	room->mtu = mtu;
}
