/* relay/admission.c: from a valid hello to welcome or reject.
 *
 * The first peer's path fixes the room's TAP MTU (RLY-3), so nobody is admitted before the transport knows what it can
 * send to the peer, or has waited for long enough. All other questions are asked at that moment and in one go: between
 * hello and decision the room may change. */
#include "base/error.h"
#include "base/text.h"
#include "proto/mtu.h"
#include "proto/overlay.h"
#include "proto/steer.h"
#include "relay/internal.h"

static size_t own_budget(const struct relay_peer *peer) {
	return peer->core->transport->budget(peer->core->transport_user, peer->conn);
}

/* What sealing takes of each datagram. */
static size_t overhead(const struct relay_peer *peer) {
	return ctrl_has_room_key(&peer->hello) ? PROTO_SEALED_BYTES : 0;
}

static size_t budget_needed(const struct relay_peer *peer, uint16_t mtu) {
	return proto_budget_for_tap_mtu(mtu) + overhead(peer);
}

/* The operator's limit is meant for the datagrams: the same paths shall do for rooms with and without a key. */
static uint16_t mtu_max(const struct relay_peer *peer) {
	size_t max = peer->core->limits.room_mtu_max - overhead(peer);

	return (uint16_t)(max < PROTO_TAP_MTU_MIN ? PROTO_TAP_MTU_MIN : max);
}

/* The one whose LAN is the room's. */
static bool is_its_gateway(const struct relay_peer *peer, const struct relay_room *room) {
	return peer->hello.role == CTRL_ROLE_GATEWAY && relay_same_key(&peer->hello, &room->stations_of);
}

/* The budget beyond which knowing more would not change the decision. */
static size_t budget_wanted(const struct relay_peer *peer, const struct relay_room *room) {
	size_t best =
	    room != NULL ? budget_needed(peer, room->mtu) : budget_needed(peer, mtu_max(peer)) + PROTO_MTU_HEADROOM;

	return peer->hello.budget < best ? peer->hello.budget : best;
}

static bool is_ready(const struct relay_peer *peer, uint64_t now) {
	const struct relay_core *core = peer->core;
	const struct relay_room *room = relay_room_find(core, &peer->hello);

	return own_budget(peer) >= budget_wanted(peer, room) ||
	       core->transport->budget_settled(core->transport_user, peer->conn, now);
}

/* Who sits where this peer wants to sit. */
static struct relay_peer *occupant(const struct relay_room *room, const struct ctrl_hello *hello) {
	return hello->role == CTRL_ROLE_GATEWAY ? room->gateway : relay_room_client(room, hello->mac);
}

static void reject(struct relay_peer *peer, enum ctrl_reject_code code) {
	relay_peer_reject(peer, code, ctrl_reject_text(code));
}

static void reject_mtu(struct relay_peer *peer, size_t budget, const char *who, size_t needed, uint16_t mtu) {
	char buf[CTRL_TEXT_BYTES_MAX];
	struct base_text text;

	base_text_init(&text, buf, sizeof(buf));
	base_text_addf(&text, "the path carries datagrams of %zu bytes, %s needs %zu for an MTU of %u", budget, who, needed,
	               mtu);
	relay_peer_reject(peer, CTRL_REJECT_MTU, buf);
}

/* What the room's MTU is to be for this peer. Clients can come again, but without its gateway it is of no use to them:
 * what is too narrow for the room gets IPv6's MTU at once, and that of every path in the end. */
static uint16_t room_mtu(const struct relay_peer *peer, struct relay_room *room, size_t budget, uint64_t now) {
	uint16_t always = PROTO_TAP_MTU_MIN;

	if (budget >= budget_needed(peer, room->mtu) || !is_its_gateway(peer, room))
		return room->mtu;
	if (budget >= budget_needed(peer, PROTO_TAP_MTU_IPV6))
		return PROTO_TAP_MTU_IPV6;
	if (room->narrow_since == 0 || now - room->narrow_since > RELAY_NARROW_NS_MAX)
		room->narrow_since = now;
	if (now - room->narrow_since < RELAY_NARROW_NS)
		return room->mtu;
	proto_tap_mtu_from_budget(QUIC_DATAGRAM_ALWAYS - overhead(peer), &always);
	return always < room->mtu ? always : room->mtu;
}

/* --- what a hello must pass: each check is false after a reject --- */

/* Its path, and in *ret the MTU of the room that is there, or of the one to be made, or to be made of it. */
static bool check_path(struct relay_peer *peer, struct relay_room *room, size_t budget, uint64_t now, uint16_t *ret) {
	uint16_t mtu = room != NULL ? room_mtu(peer, room, budget, now) : PROTO_TAP_MTU_MIN;
	size_t needed = budget_needed(peer, mtu);

	if (budget < needed) {
		reject_mtu(peer, budget, room != NULL ? "this room" : "a room", needed, mtu);
		return false;
	}
	if (room == NULL) {
		proto_tap_mtu_from_budget(budget - overhead(peer), &mtu);
		mtu = mtu < mtu_max(peer) ? mtu : mtu_max(peer);
	}
	*ret = mtu;
	return true;
}

/* NULL after a reject. */
static struct relay_room *open_room(struct relay_peer *peer, uint16_t mtu, uint64_t now) {
	struct relay_core *core = peer->core;
	struct relay_room *room;
	int result = relay_room_open(core, &peer->hello, mtu, now, &room);

	if (result == 0)
		return room;
	reject(peer, result == BASE_E_FULL ? CTRL_REJECT_TOO_MANY_ROOMS : CTRL_REJECT_INTERNAL);
	return NULL;
}

/* A client with the MAC of the LAN's router would be sent what is meant for the router. */
static bool is_lan_station(const struct relay_room *room, const struct ctrl_hello *hello, uint64_t now) {
	return hello->role == CTRL_ROLE_CLIENT && room->stations != NULL &&
	       relay_stations_known(room->stations, hello->mac, now);
}

static void take_over(struct relay_peer *old, struct relay_peer *peer, uint64_t now) {
	struct relay_end end = {
	    .reason = CTRL_LEAVE_REPLACED, .code = QUIC_APP_REPLACED, .text = "the same peer connected again"};

	old->core->totals.replaced++;
	/* Out of the room at once, so that the seat is free; the connection ends with the others at the end of the call. */
	relay_room_vacate(old, CTRL_LEAVE_REPLACED, false, now);
	peer->seat = old->seat;
	relay_peer_doom(old, &end);
}

static void log_joined(const struct relay_peer *peer, size_t budget) {
	struct obs_log *log = peer->core->log;
	char remote[BASE_ADDR_TEXT_BYTES];

	if (!obs_on(log, OBS_INFO))
		return;
	obs_begin(log, OBS_INFO, "peer_joined");
	obs_str(log, "room", peer->room->code);
	obs_u64(log, "peer", peer->id);
	obs_str(log, "role", ctrl_role_name(peer->hello.role));
	if (peer->hello.role == CTRL_ROLE_CLIENT)
		obs_mac(log, "mac", peer->hello.mac.b);
	if (peer->hello.name[0] != '\0')
		obs_str(log, "name", peer->hello.name);
	obs_str(log, "remote", base_addr_text(&peer->remote, remote));
	obs_u64(log, "budget", budget);
	obs_u64(log, "mtu", peer->room->mtu);
	obs_end(log);
}

static void reject_kept(struct relay_peer *peer) {
	if (peer->hello.role == CTRL_ROLE_GATEWAY)
		relay_peer_reject(peer, CTRL_REJECT_GATEWAY_EXISTS, "the room waits for the gateway that lost its connection");
	else
		relay_peer_reject(peer, CTRL_REJECT_DUPLICATE_MAC, "this MAC address is kept for the client that had it");
}

/* The place of the gateway is kept for one, however long it takes (a computer that starts again takes longer than its
 * seat is kept): a client that waited for a place must not leave the room without its LAN until somebody goes. */
static bool is_full(const struct relay_room *room, const struct ctrl_hello *hello) {
	bool had_gateway = room->stations != NULL;
	size_t places = room->core->limits.room_peers_max;

	if (hello->role != CTRL_ROLE_GATEWAY && had_gateway && room->gateway == NULL)
		places--;
	return room->peer_count >= places;
}

/* The seat this peer wants, in which nobody sits now. */
static bool check_free_seat(struct relay_peer *peer, const struct relay_room *room, uint64_t now) {
	enum relay_hold hold = relay_holds_ask(room->holds, &peer->hello, now);

	if (hold == RELAY_HOLD_OTHER)
		reject_kept(peer);
	else if (hold != RELAY_HOLD_OWN && is_lan_station(room, &peer->hello, now)) /* its own was none when it came */
		relay_peer_reject(peer, CTRL_REJECT_DUPLICATE_MAC, "a station of the LAN has this MAC address");
	else if (is_full(room, &peer->hello))
		reject(peer, CTRL_REJECT_ROOM_FULL);
	else
		return true;
	return false;
}

/* Its seat in a room that is there, where `old` sits or nobody does. */
static bool check_seat(struct relay_peer *peer, const struct relay_room *room, const struct relay_peer *old,
                       uint64_t now) {
	if (old == NULL)
		return check_free_seat(peer, room, now);
	if (relay_same_key(&old->hello, &peer->hello))
		return true;
	reject(peer, peer->hello.role == CTRL_ROLE_GATEWAY ? CTRL_REJECT_GATEWAY_EXISTS : CTRL_REJECT_DUPLICATE_MAC);
	return false;
}

/* Each hello counts, and before anything is looked at: a refusal, and the time it takes, tells who guesses codes and
 * passphrases as much as a welcome. And one that comes too often must not use up what a room has for others. */
static bool check_address_rate(struct relay_peer *peer, uint64_t now) {
	struct relay_core *core = peer->core;

	if (relay_sources_take(core->shared->sources, &peer->remote, &core->limits.address_joins, RELAY_JOIN_TOKENS, now))
		return true;
	relay_peer_reject(peer, CTRL_REJECT_RATE, "too many peers joined from this address lately");
	return false;
}

/* Whoever comes back to its seat does not wait with strangers. But each time everybody is told twice, so it has a rate
 * of its own, that of an address, wherever it comes from. */
static bool check_room_rate(struct relay_peer *peer, struct relay_room *room, struct relay_peer *old, uint64_t now) {
	const struct relay_limits *limits = &peer->core->limits;
	struct relay_seat *seat = old != NULL ? &old->seat : relay_holds_own(room->holds, &peer->hello, now);

	if (relay_bucket_take(seat != NULL ? &seat->return_rate : &room->join_rate,
	                      seat != NULL ? &limits->address_joins : &limits->room_joins, RELAY_JOIN_TOKENS, now))
		return true;
	relay_peer_reject(peer, CTRL_REJECT_RATE,
	                  seat != NULL ? "this peer joined too often lately" : "too many peers joined this room lately");
	return false;
}

static void decide(struct relay_peer *peer, uint64_t now) {
	size_t own = own_budget(peer);
	size_t budget = own < peer->hello.budget ? own : peer->hello.budget;
	struct relay_room *room = relay_room_find(peer->core, &peer->hello);
	struct relay_peer *old = room != NULL ? occupant(room, &peer->hello) : NULL;
	uint16_t mtu;
	int result;

	if (!check_path(peer, room, budget, now, &mtu))
		return;
	if (room != NULL && (!check_seat(peer, room, old, now) || !check_room_rate(peer, room, old, now)))
		return;
	if (room == NULL && (room = open_room(peer, mtu, now)) == NULL)
		return;
	if (room->next_id == 0) { /* 2^32 peers were here; an id must not come back while somebody may remember it */
		reject(peer, CTRL_REJECT_INTERNAL);
		return;
	}
	if (old != NULL)
		take_over(old, peer, now);
	if (mtu < room->mtu)
		relay_room_narrow(room, mtu, now);
	result = relay_room_enter(room, peer, now);
	if (result != 0) {
		relay_room_rest(room, now);
		reject(peer, result == BASE_E_FULL ? CTRL_REJECT_TOO_MANY_ROOMS : CTRL_REJECT_INTERNAL);
		return;
	}
	relay_peer_set_timer(peer, BASE_NEVER);
	log_joined(peer, budget);
	relay_notify_joined(peer);
	relay_notify_welcome(peer);
}

void relay_admission_try(struct relay_peer *peer, uint64_t now) {
	if (is_ready(peer, now))
		decide(peer, now);
	else
		relay_peer_set_timer(peer, now + RELAY_POLL_NS);
}

/* Known from the room's name alone, so the peer need not wait for its path. */
static bool check_shard(struct relay_peer *peer) {
	unsigned shard = base_steer_shard(proto_steer_byte(peer->hello.room), peer->core->shards);
	char buf[CTRL_TEXT_BYTES_MAX];
	struct base_text text;

	if (shard == peer->core->shard)
		return true;
	base_text_init(&text, buf, sizeof(buf));
	base_text_addf(&text, "this is shard %u, the room is on shard %u", peer->core->shard, shard);
	relay_peer_reject(peer, CTRL_REJECT_WRONG_SHARD, buf);
	return false;
}

void relay_admission_start(struct relay_peer *peer, uint64_t now) {
	peer->state = RELAY_PEER_SETTLING;
	if (check_shard(peer) && check_address_rate(peer, now))
		relay_admission_try(peer, now);
}
