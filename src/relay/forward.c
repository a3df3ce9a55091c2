/* relay/forward.c: one datagram of a peer in, references to one copy of it out. The hot path: nothing here allocates,
 * and without logging nothing is formatted.
 *
 * Every datagram ends in exactly one way: forwarded (with its number of copies) or dropped for one reason, booked with
 * the peer that sent it. What becomes of a copy is booked with the peer it was meant for (egress.c). */
#include "relay/internal.h"

#include "obs/frame_event.h"
#include "policy/drop.h"
#include "proto/ether.h"
#include "proto/mtu.h"
#include "proto/overlay.h"

#include <assert.h>

#define GO_ON (-1) /* beside the enum obs_drop values */

/* Longest frame a room can let through (TAP MTU 1500, one tag), so that no datagram outgrows its buffer. */
_Static_assert(PROTO_OVERLAY_HEADER_BYTES + PROTO_ETHER_HEADER_BYTES + PROTO_ETHER_VLAN_TAG_BYTES + PROTO_TAP_MTU_MAX +
                       PROTO_SEALED_BYTES <=
                   QUEUE_FRAME_BYTES_MAX,
               "pool frames are too small");

struct ingress {
	struct relay_peer *peer;
	struct relay_room *room;
	struct slice datagram;
	struct slice frame; /* if it is sealed, only the Ethernet header and the length are its own */
	struct proto_mac dst, src;
	bool from_client;
	size_t budget; /* for the log of a datagram_budget drop, else 0 */
	uint64_t now;
};

static int decode(const struct ingress *in, struct slice *ret_frame, uint32_t *ret_source) {
	struct proto_overlay overlay;
	struct proto_sealed sealed;
	int err;

	if (in->room->sealed) {
		err = proto_sealed_decode(in->datagram, &sealed);
		if (err != 0)
			return err;
		*ret_frame = slice_of(sealed.ethernet.data, sealed.frame_len);
		*ret_source = sealed.source_peer;
		return 0;
	}
	err = proto_overlay_decode(in->datagram, &overlay);
	if (err != 0)
		return err;
	*ret_frame = overlay.frame;
	*ret_source = overlay.source_peer;
	return 0;
}

struct slice relay_room_frame(const struct relay_room *room, struct slice datagram) {
	size_t around = PROTO_OVERLAY_HEADER_BYTES + (room->sealed ? PROTO_SEALED_BYTES : 0);

	return slice_of(datagram.data + PROTO_OVERLAY_HEADER_BYTES, datagram.len - around);
}

/* The datagram as the peer's own: within the budget it announced, well-formed, under its own id. */
static int check_datagram(struct ingress *in) {
	uint32_t source;

	if (in->datagram.len > in->peer->hello.budget) {
		in->budget = in->peer->hello.budget;
		in->frame = relay_room_frame(in->room, in->datagram); /* for the log: a budget is longer than any header */
		return OBS_DROP_DATAGRAM_BUDGET;
	}
	if (decode(in, &in->frame, &source) != 0 || source != in->peer->id)
		return OBS_DROP_BAD_DATAGRAM;
	in->dst = proto_mac_of(in->frame.data);
	in->src = proto_mac_of(in->frame.data + PROTO_MAC_BYTES);
	return GO_ON;
}

/* Of a sealed frame the receivers ask the rest: gateway and clients check every frame themselves. */
static enum policy_rule check_policy(const struct ingress *in) {
	if (in->room->sealed)
		return policy_check_header(in->frame.data, in->frame.len);
	return policy_check(in->frame, in->from_client ? POLICY_FROM_REMOTE : POLICY_FROM_LAN);
}

static void log_shut_out(const struct relay_peer *client) {
	struct obs_log *log = client->core->log;

	if (!obs_on(log, OBS_WARN))
		return;
	obs_begin(log, OBS_WARN, "client_shut_out");
	obs_str(log, "room", client->room->code);
	obs_u64(log, "peer", client->id);
	obs_mac(log, "mac", client->hello.mac.b);
	obs_str(log, "message", "a station of the LAN has this MAC");
	obs_end(log);
}

/* While a LAN station has the MAC of a client that came before it was heard. */
static bool is_shut_out(const struct relay_peer *client, uint64_t now) {
	return client->seat.claimed_until > now;
}

/* A frame of a client that came in from the LAN. The LAN's own goes first: as a rule it is the router, and the room
 * would be without it for as long as the client likes. */
static bool is_of_lan_station(struct relay_peer *client, uint64_t now) {
	struct relay_seat *seat = &client->seat;

	if (seat->claimed_last == 0 || now - seat->claimed_last > RELAY_CLAIM_PAUSE_NS)
		seat->claimed_since = now;
	seat->claimed_last = now;
	if (now - seat->claimed_since < RELAY_CLAIM_NS)
		return false;
	if (!is_shut_out(client, now))
		log_shut_out(client);
	seat->claimed_until = now + RELAY_STATION_AGE_NS;
	return true;
}

/* Whether the frame may have this source: of a client, its own, unless the LAN has it; of the gateway, none of a
 * client, which would be a loop, or a station that pretends to be the client. */
static int check_source(const struct ingress *in) {
	struct relay_peer *client;

	if (in->from_client) {
		if (!proto_mac_equal(in->src, in->peer->hello.mac))
			return OBS_DROP_FORGED_SOURCE;
		return is_shut_out(in->peer, in->now) ? OBS_DROP_ADDRESS_GUARD : GO_ON;
	}
	client = relay_room_client(in->room, in->src);
	return client == NULL || is_of_lan_station(client, in->now) ? GO_ON : OBS_DROP_FORGED_SOURCE;
}

static int check_frame(struct ingress *in) {
	struct relay_core *core = in->room->core;
	int drop;

	if (!core->no_policy) {
		enum policy_rule rule = check_policy(in);

		if (rule != POLICY_PASS)
			return policy_drop(rule);
	}
	if ((drop = check_source(in)) != GO_ON)
		return drop;
	if (!proto_frame_fits(in->frame, in->room->mtu))
		return OBS_DROP_TAP_MTU;
	if (in->from_client &&
	    !relay_bucket_take(&in->peer->seat.bandwidth_rate, &core->limits.bandwidth, in->frame.len, in->now))
		return OBS_DROP_RATE_BANDWIDTH;
	return GO_ON;
}

/* The switch for unicast (RLY-5). */
static int find_target(struct ingress *in, struct relay_peer **ret) {
	struct relay_room *room = in->room;
	struct relay_peer *owner = relay_room_client(room, in->dst);

	if (owner == in->peer)
		return OBS_DROP_REFLECTION;
	if (owner != NULL && is_shut_out(owner, in->now))
		owner = NULL; /* it is on the LAN */
	if (owner == NULL) {
		if (!in->from_client || room->gateway == NULL)
			return OBS_DROP_UNKNOWN_UNICAST;
		if (!relay_stations_known(room->stations, in->dst, in->now) &&
		    !relay_bucket_take(&in->peer->seat.unknown_unicast_rate, &room->core->limits.unknown_unicast, 1, in->now))
			return OBS_DROP_RATE_UNKNOWN_UNICAST;
		owner = room->gateway;
	}
	*ret = owner;
	return GO_ON;
}

/* `share` of a rate that is not 0, but at least such that `amount` is to be had at some time. */
static struct relay_rate part_of(const struct relay_rate *whole, uint64_t share, uint64_t amount) {
	struct relay_rate part = {.per_second = whole->per_second / share, .burst = whole->burst / share};

	if (part.per_second == 0)
		part.per_second = 1;
	if (part.burst < amount)
		part.burst = amount;
	return part;
}

/* Copies are what a broadcast costs, and those of a room are the product of its members with themselves. Half of what
 * they may have goes to whoever needs it, the other half in even parts, so that those who take all that they can get
 * silence nobody else. The gateway has a rate of its own, and is but one. */
static bool is_room_in_rate(struct ingress *in) {
	const struct relay_rate *whole = &in->room->core->limits.room_broadcast;
	uint64_t peers = in->room->peer_count, copies = peers - 1;
	struct relay_rate half, part;

	if (!in->from_client || whole->per_second == 0)
		return true;
	part = part_of(whole, 2 * peers, copies);
	half = part_of(whole, 2, copies);
	return relay_bucket_take(&in->peer->seat.broadcast_part, &part, copies, in->now) ||
	       relay_bucket_take(&in->room->broadcast_rate, &half, copies, in->now);
}

static int check_group(struct ingress *in) {
	const struct relay_limits *limits = &in->room->core->limits;

	if (in->room->peer_count < 2)
		return OBS_DROP_NOBODY;
	if (!relay_bucket_take(&in->peer->seat.broadcast_rate,
	                       in->from_client ? &limits->broadcast : &limits->gateway_broadcast, 1, in->now))
		return OBS_DROP_RATE_BROADCAST;
	return is_room_in_rate(in) ? GO_ON : OBS_DROP_RATE_ROOM_BROADCAST;
}

static size_t flood(struct ingress *in, struct queue_frame *copy) {
	size_t accepted = 0;

	for (struct base_list *item = in->room->peers.next; item != &in->room->peers; item = item->next) {
		struct relay_peer *target = BASE_CONTAINER(item, struct relay_peer, room_link);

		if (target != in->peer)
			accepted += relay_egress_offer(target, copy, in->now);
	}
	return accepted;
}

static void log_frame(const struct ingress *in, enum obs_action action, const char *reason, size_t targets) {
	struct obs_frame_event event = {
	    .room = in->room != NULL ? in->room->code : NULL,
	    .room_number = in->room != NULL ? in->room->number : 0,
	    .peer = in->peer->id,
	    .frame = in->frame,
	    .direction = OBS_DIR_RELAY,
	    .action = action,
	    .reason = reason,
	    .target_count = targets,
	    .encoded = in->datagram.len,
	    .budget = in->budget,
	};

	obs_frame_event(in->peer->core->log, &event, in->now);
}

static int switch_frame(struct ingress *in) {
	bool group = proto_mac_is_group(in->dst);
	struct relay_peer *target = NULL;
	struct queue_frame *copy;
	size_t copies, accepted;
	int drop = group ? check_group(in) : find_target(in, &target);

	if (drop != GO_ON)
		return drop;
	copy = relay_egress_frame(in->peer, target, in->datagram);
	if (copy == NULL)
		return OBS_DROP_NO_BUFFER;
	copies = group ? in->room->peer_count - 1 : 1;
	accepted = group ? flood(in, copy) : relay_egress_offer(target, copy, in->now);
	queue_frame_unref(copy);
	in->peer->forwarded++;
	in->peer->rx.value[OBS_FORWARDED_COPIES] += copies;
	if (accepted > 0 && obs_on(in->room->core->log, OBS_TRACE))
		log_frame(in, OBS_FORWARDED, NULL, accepted);
	return GO_ON;
}

static int forward(struct ingress *in) {
	int drop;

	if (in->peer->state != RELAY_PEER_JOINED)
		return OBS_DROP_NOT_JOINED;
	in->room = in->peer->room;
	in->from_client = in->peer->hello.role == CTRL_ROLE_CLIENT;
	if ((drop = check_datagram(in)) != GO_ON || (drop = check_frame(in)) != GO_ON)
		return drop;
	if (!in->from_client)
		relay_stations_learn(in->room->stations, in->src, in->now);
	return switch_frame(in);
}

/* RLY-10: each one is logged with its number, too many end the peer. */
static void on_malformed(struct relay_peer *peer, size_t len, uint64_t now) {
	struct relay_core *core = peer->core;

	if (obs_on(core->log, OBS_WARN)) {
		obs_begin(core->log, OBS_WARN, "malformed_datagram");
		obs_str(core->log, "room", peer->room->code);
		obs_u64(core->log, "peer", peer->id);
		obs_u64(core->log, "bytes", len);
		obs_u64(core->log, "count", peer->rx.drop[OBS_DROP_BAD_DATAGRAM]);
		obs_flood_room(core->log, peer->room->code, peer->room->number, peer->id, NULL, now);
		obs_end(core->log);
	}
	if (relay_bucket_take(&peer->seat.malformed_rate, &core->limits.malformed, 1, now))
		return;
	core->totals.malformed_disconnects++;
	relay_peer_doom(peer, &(struct relay_end){.reason = CTRL_LEAVE_MALFORMED,
	                                          .code = QUIC_APP_PROTOCOL,
	                                          .say = RELAY_SAY_DISCONNECT,
	                                          .text = "too many malformed datagrams"});
}

void relay_core_datagram(struct relay_peer *peer, struct slice datagram, uint64_t now) {
	struct ingress in = {.peer = peer, .datagram = datagram, .now = now};
	int drop;

	peer->last_seen = now;
	peer->rx.value[OBS_TUNNEL_RX_DATAGRAMS]++;
	peer->rx.value[OBS_TUNNEL_RX_BYTES] += datagram.len;
	drop = forward(&in);
	if (drop == GO_ON)
		return;
	assert(drop >= 0 && drop < OBS_DROP_COUNT);
	peer->rx.drop[drop]++;
	if (obs_on(peer->core->log, OBS_DEBUG))
		log_frame(&in, obs_action_of_drop((enum obs_drop)drop), obs_drop_name((enum obs_drop)drop), 0);
	if (drop == OBS_DROP_BAD_DATAGRAM) {
		on_malformed(peer, datagram.len, now);
		relay_core_end_doomed(peer->core, now);
	}
}
