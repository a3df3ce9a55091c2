/* Who sits where, by the relay's own lists; and whether what peers are told and handed agrees with it. */
#include "party.h"

#include "proto/steer.h"
#include "relay/internal.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t hash_seed[2] = {1, 2};

static bool same_room_life(const struct sim_seat *a, const struct sim_seat *b) {
	return a->epoch == b->epoch && a->room == b->room && a->room_opened_at == b->room_opened_at;
}

/* --- the relay's seats --- */

static struct sim_member *member_of_name(struct sim_party *party, const char *name) {
	for (size_t i = 0; i < party->member_count; i++) {
		if (strcmp(party->members[i]->name, name) == 0)
			return party->members[i];
	}
	sim_fail(&party->net, "the relay knows a peer named %s", name);
	return NULL;
}

static struct sim_seat *find_seat(struct sim_party *party, const struct sim_seat *like, uint32_t id) {
	for (size_t i = party->seat_count; i-- > 0;) {
		if (party->seats[i]->id == id && same_room_life(party->seats[i], like))
			return party->seats[i];
	}
	return NULL;
}

static void check_new_seat(struct sim_party *party, const struct sim_seat *seat) {
	const struct sim_member *member = seat->member;

	sim_check(&party->net, seat->room == member->room && seat->role == member->role, "%s is in the wrong room",
	          member->name);
	sim_check(&party->net, seat->role == CTRL_ROLE_GATEWAY || proto_mac_equal(seat->mac, member->mac),
	          "%s sits there with another MAC", member->name);
	for (size_t i = 0; i < party->seat_count; i++) {
		const struct sim_seat *other = party->seats[i];

		if (!same_room_life(other, seat))
			continue;
		sim_check(&party->net, other->id < seat->id, "peer id %u of room %u is not new", seat->id, seat->room);
		sim_check(&party->net, other->mtu >= seat->mtu, "the MTU of room %u grew from %u to %u", seat->room, other->mtu,
		          seat->mtu);
	}
}

static void new_seat(struct sim_party *party, const struct relay_peer *peer, const struct sim_seat *like) {
	struct sim_seat *seat = malloc(sizeof(*seat));
	const struct relay_peer *gateway = peer->room->gateway;

	sim_check(&party->net, seat != NULL && party->seat_count < SIM_SEATS_MAX && peer->id < SIM_IDS_MAX,
	          "too many seats");
	*seat = *like;
	seat->id = peer->id;
	seat->mtu = peer->room->mtu;
	seat->role = peer->hello.role;
	seat->mac = peer->hello.mac;
	seat->member = member_of_name(party, peer->hello.name);
	seat->gateway_then = gateway != NULL && gateway != peer ? gateway->id : 0;
	seat->joined_at = party->net.now;
	seat->left_at = BASE_NEVER;
	seat->joined_turn = party->turn;
	seat->reason = CTRL_LEAVE_REASON_COUNT;
	check_new_seat(party, seat);
	seat->member->newest = seat;
	party->seats[party->seat_count++] = seat;
}

/* Who came and went within one turn (a process that crashed and came back while the relay was asking both of its
 * connections for their budget): others hear of it, so the id must be known, if not whose it was. */
static void note_short_stays(struct sim_party *party, const struct relay_room *room, const struct sim_seat *like) {
	for (uint32_t id = room->next_id - 1; id > 0; id--) {
		struct sim_seat *seat = find_seat(party, like, id);

		if (seat != NULL && seat->joined_turn < party->turn)
			return;
		if (seat != NULL)
			continue;
		seat = malloc(sizeof(*seat));
		sim_check(&party->net, seat != NULL && party->seat_count < SIM_SEATS_MAX, "too many seats");
		*seat = *like;
		seat->id = id;
		seat->mtu = room->mtu;
		seat->joined_at = seat->left_at = party->net.now;
		seat->joined_turn = seat->left_turn = party->turn;
		seat->reason = CTRL_LEAVE_REASON_COUNT;
		party->seats[party->seat_count++] = seat;
	}
}

/* The room's peers; marks their seats as alive in this turn. */
static void look_at_room(struct sim_party *party, struct relay_room *room, bool *alive) {
	struct sim_seat like = {
	    .epoch = party->epoch, .room = (unsigned)atoi(room->code + 4), .room_opened_at = room->opened_at};
	size_t gateways = 0, count = 0;

	for (struct base_list *item = room->peers.next; item != &room->peers; item = item->next, count++) {
		const struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, room_link);

		gateways += peer->hello.role == CTRL_ROLE_GATEWAY;
		sim_check(&party->net, strcmp(peer->hello.room, room->code) == 0, "a peer of %s is in %s", peer->hello.room,
		          room->code);
		for (struct base_list *next = item->next; next != &room->peers; next = next->next)
			sim_check(
			    &party->net,
			    peer->hello.role == CTRL_ROLE_GATEWAY ||
			        !proto_mac_equal(peer->hello.mac, BASE_CONTAINER(next, struct relay_peer, room_link)->hello.mac),
			    "two peers of %s have one MAC", room->code);
		if (find_seat(party, &like, peer->id) == NULL)
			new_seat(party, peer, &like);
		sim_check(&party->net, find_seat(party, &like, peer->id)->mtu == room->mtu,
		          "the MTU of %s changed under its peer %u", room->code, peer->id);
		for (size_t i = party->seat_count; i-- > 0;) {
			if (party->seats[i]->id == peer->id && same_room_life(party->seats[i], &like))
				alive[i] = true;
		}
	}
	note_short_stays(party, room, &like);
	sim_check(&party->net, gateways <= 1, "%zu gateways in %s", gateways, room->code);
	sim_check(&party->net, count == room->peer_count, "%s says it has %zu peers", room->code, room->peer_count);
}

static void end_seat(struct sim_party *party, struct sim_seat *seat, enum ctrl_leave_reason reason) {
	seat->left_at = party->net.now;
	seat->left_turn = party->turn;
	seat->reason = reason;
}

/* The one reason for which somebody left since the last look; COUNT when there were several leaves. */
static enum ctrl_leave_reason reason_since(const struct sim_party *party, const struct relay_totals *totals) {
	enum ctrl_leave_reason reason = CTRL_LEAVE_REASON_COUNT;
	uint64_t leaves = 0;

	for (unsigned i = 0; i < CTRL_LEAVE_REASON_COUNT; i++) {
		if (totals->left[i] != party->looked_at.left[i])
			reason = (enum ctrl_leave_reason)i;
		leaves += totals->left[i] - party->looked_at.left[i];
	}
	return leaves == 1 ? reason : CTRL_LEAVE_REASON_COUNT;
}

static void look_at_shard(struct sim_party *party, unsigned shard, bool *alive) {
	struct relay_core *core = sim_core(party, shard);

	for (struct base_map_node *node = base_map_next(&core->rooms, NULL); node != NULL;
	     node = base_map_next(&core->rooms, node)) {
		struct relay_room *room = BASE_CONTAINER(node, struct relay_room, node);

		sim_check(&party->net, base_steer_shard(proto_steer_byte(room->code), SIM_SHARDS) == shard,
		          "%s is on the wrong shard", room->code);
		look_at_room(party, room, alive);
	}
}

void sim_observe(struct sim_party *party) {
	static bool alive[SIM_SEATS_MAX];
	const struct relay_totals totals = sim_totals(party);
	enum ctrl_leave_reason reason;

	if (totals.joined == party->looked_at.joined &&
	    memcmp(totals.left, party->looked_at.left, sizeof(totals.left)) == 0)
		return;
	party->turn++;
	memset(alive, 0, sizeof(alive));
	for (unsigned i = 0; i < SIM_SHARDS; i++)
		look_at_shard(party, i, alive);
	reason = reason_since(party, &totals);
	for (size_t i = 0; i < party->seat_count; i++) {
		if (!alive[i] && party->seats[i]->left_at == BASE_NEVER)
			end_seat(party, party->seats[i], reason);
	}
	party->looked_at = totals;
}

void sim_epoch_over(struct sim_party *party) {
	party->turn++;
	for (size_t i = 0; i < party->seat_count; i++) {
		if (party->seats[i]->left_at == BASE_NEVER)
			end_seat(party, party->seats[i], CTRL_LEAVE_REASON_COUNT);
	}
}

size_t sim_seats_open(const struct sim_party *party, unsigned room) {
	size_t count = 0;

	for (size_t i = 0; i < party->seat_count; i++)
		count += party->seats[i]->room == room && party->seats[i]->left_at == BASE_NEVER;
	return count;
}

/* --- what peers are told --- */

void sim_forget_view(struct sim_member *member) {
	member->seat = NULL;
	memset(&member->view, 0, sizeof(member->view));
}

void sim_told_welcome(struct sim_member *member, const struct ctrl_welcome *welcome) {
	const struct sim_net *net = &member->party->net;
	const struct sim_seat *seat = member->newest;

	sim_forget_view(member);
	sim_check(net, seat != NULL && seat->id == welcome->peer_id, "%s is welcomed as peer %u, and is not", member->name,
	          welcome->peer_id);
	sim_check(net, seat->mtu == welcome->mtu, "%s is told another MTU", member->name);
	sim_check(net, welcome->gateway == (seat->gateway_then != 0) && welcome->gateway_peer == seat->gateway_then,
	          "%s is told of gateway %u, it was %u", member->name, welcome->gateway_peer, seat->gateway_then);
	member->seat = seat;
}

/* Whether somebody with this MAC is present by the member's own account. */
static bool knows_mac(const struct sim_member *member, struct proto_mac mac) {
	const struct sim_party *party = member->party;

	for (size_t i = 0; i < party->seat_count; i++) {
		const struct sim_seat *seat = party->seats[i];

		if (seat->role == CTRL_ROLE_CLIENT && same_room_life(seat, member->seat) &&
		    member->view.told[seat->id] == SIM_PRESENT && proto_mac_equal(seat->mac, mac))
			return true;
	}
	return false;
}

void sim_told_joined(struct sim_member *member, const struct client_peer *peer) {
	const struct sim_net *net = &member->party->net;
	struct sim_view *view = &member->view;
	const struct sim_seat *seat;

	sim_check(net, member->seat != NULL, "%s hears of peer %u before its welcome", member->name, peer->id);
	seat = find_seat(member->party, member->seat, peer->id);
	sim_check(net, seat != NULL && seat != member->seat, "%s hears of peer %u, which never was", member->name,
	          peer->id);
	sim_check(net,
	          seat->member == NULL || (peer->role == seat->role && strcmp(peer->name, seat->member->name) == 0 &&
	                                   (peer->role == CTRL_ROLE_GATEWAY || proto_mac_equal(peer->mac, seat->mac))),
	          "%s is told wrongly who peer %u is", member->name, peer->id);
	sim_check(net, view->told[peer->id] == SIM_NEVER_TOLD, "%s hears twice that peer %u joined", member->name,
	          peer->id);
	sim_check(net, peer->id > view->last_id, "%s hears of peer %u after %u", member->name, peer->id, view->last_id);
	sim_check(net, peer->role == CTRL_ROLE_GATEWAY || !knows_mac(member, peer->mac), "%s knows two peers of one MAC",
	          member->name);
	if (peer->id < member->seat->id) {
		sim_check(net, !view->heard_news, "%s hears late that peer %u was there first", member->name, peer->id);
		sim_check(net, seat->left_turn == 0 || seat->left_turn >= member->seat->joined_turn,
		          "%s is told of peer %u, which had left", member->name, peer->id);
	} else {
		view->heard_news = true;
		sim_check(net, seat->joined_turn >= view->last_left_turn, "%s hears of peer %u after somebody who left later",
		          member->name, peer->id);
	}
	view->told[peer->id] = SIM_PRESENT;
	view->last_id = peer->id;
	view->present++;
	view->gateways += peer->role == CTRL_ROLE_GATEWAY;
	sim_check(net, view->gateways <= 1, "%s knows of two gateways", member->name);
}

void sim_told_left(struct sim_member *member, const struct client_peer *peer, enum ctrl_leave_reason reason) {
	const struct sim_net *net = &member->party->net;
	struct sim_view *view = &member->view;
	const struct sim_seat *seat;

	sim_check(net, member->seat != NULL, "%s hears that peer %u left before its welcome", member->name, peer->id);
	sim_check(net, view->told[peer->id] == SIM_PRESENT, "%s hears that peer %u left, who was not there", member->name,
	          peer->id);
	seat = find_seat(member->party, member->seat, peer->id);
	sim_check(net, seat->left_at != BASE_NEVER, "%s hears that peer %u left, who is still there", member->name,
	          peer->id);
	sim_check(net, seat->left_turn >= view->last_left_turn, "%s hears of leaves in the wrong order", member->name);
	sim_check(net, seat->reason == CTRL_LEAVE_REASON_COUNT || seat->reason == reason,
	          "%s is told that peer %u left for %s, it was %s", member->name, peer->id, ctrl_leave_name(reason),
	          ctrl_leave_name(seat->reason));
	view->told[peer->id] = SIM_GONE;
	view->heard_news = true;
	view->last_left_turn = seat->left_turn;
	view->present--;
	view->gateways -= peer->role == CTRL_ROLE_GATEWAY;
}

/* --- frames --- */

/* Whether a client with this MAC sat in the room during all of [from, now]: then nobody could think otherwise. */
static bool was_seated(const struct sim_party *party, const struct sim_seat *room, struct proto_mac mac,
                       uint64_t from) {
	for (size_t i = 0; i < party->seat_count; i++) {
		const struct sim_seat *seat = party->seats[i];

		if (seat->role == CTRL_ROLE_CLIENT && same_room_life(seat, room) && proto_mac_equal(seat->mac, mac) &&
		    seat->joined_at <= from && seat->left_at >= party->net.now)
			return true;
	}
	return false;
}

static void check_target(const struct sim_member *member, const struct sim_sent *sent) {
	const struct sim_party *party = member->party;

	if (proto_mac_is_group(sent->dst))
		return;
	if (member->role == CTRL_ROLE_CLIENT) {
		sim_check(&party->net, proto_mac_equal(sent->dst, member->mac), "%s gets unicast for somebody else",
		          member->name);
		return;
	}
	sim_check(&party->net, !was_seated(party, member->seat, sent->dst, sent->sent_at),
	          "%s gets unicast that is for a remote client", member->name);
}

struct sim_sent *sim_check_raw(struct sim_member *member, uint32_t source_peer, struct slice frame) {
	struct sim_party *party = member->party;
	const struct sim_net *net = &party->net;
	uint64_t number = UINT64_MAX;
	struct sim_sent *sent;
	const char *kind;

	sim_check(net, sim_frame_number(frame, &number) && number < party->sent_count, "%s gets a frame nobody sent",
	          member->name);
	sent = &party->sent[number];
	kind = sim_kind_name(sent->kind);
	sim_check(net, sent->may_pass, "%s gets a %s frame of %zu bytes from %s that had to be stopped", member->name, kind,
	          sent->len, sent->member->name);
	sim_check(net, frame.len == sent->len && base_siphash13(hash_seed, frame) == sent->hash, "%s gets a changed frame",
	          member->name);
	sim_check(net, member->seat != NULL && same_room_life(member->seat, sent->seat),
	          "a frame of %s left its room: to %s", sent->member->name, member->name);
	sim_check(net, member != sent->member, "a frame of %s comes back to it", member->name);
	sim_check(net, (sent->raw & UINT64_C(1) << member->index) == 0, "%s gets a %s frame twice", member->name, kind);
	sim_check(net, source_peer == sent->seat->id, "%s gets a frame of %s under the id of another peer", member->name,
	          sent->member->name);
	sim_check(net, frame.len <= proto_frame_bytes_max(member->seat->mtu), "%s gets a frame over the room's MTU",
	          member->name);
	if (sent->from_lan)
		sim_check(net, !was_seated(party, member->seat, sent->src, sent->sent_at),
		          "%s gets a frame from the LAN with a remote client's source", member->name);
	check_target(member, sent);
	sent->raw |= UINT64_C(1) << member->index;
	return sent;
}

void sim_check_device(struct sim_member *member, uint32_t source_peer, struct sim_sent *sent) {
	const struct sim_net *net = &member->party->net;

	/* A client without filters takes what overtook the news. */
	sim_check(net, member->hostile || member->view.told[source_peer] == SIM_PRESENT,
	          "%s's device gets a frame of peer %u, who is not there", member->name, source_peer);
	sim_check(net, member->role != CTRL_ROLE_GATEWAY || !sent->not_to_lan,
	          "a frame that claims a LAN station's address reached the LAN");
	sim_check(net, (sent->device & UINT64_C(1) << member->index) == 0, "%s's device gets a frame twice", member->name);
	sent->device |= UINT64_C(1) << member->index;
}

/* --- agreement --- */

static bool knows_everybody(const struct sim_member *member) {
	const struct sim_party *party = member->party;
	size_t others = 0;

	for (size_t i = 0; i < party->seat_count; i++) {
		const struct sim_seat *seat = party->seats[i];

		if (seat->left_at != BASE_NEVER || seat == member->seat || !same_room_life(seat, member->seat))
			continue;
		others++;
		if (member->view.told[seat->id] != SIM_PRESENT)
			return false;
	}
	return others == member->view.present;
}

/* The path carries the room's frames both ways (after a migration it has to be measured again). */
static bool has_budget(const struct sim_member *member) {
	struct relay_core *core =
	    sim_core(member->party, base_steer_shard(proto_steer_byte(member->room_code), SIM_SHARDS));
	size_t needed = proto_budget_for_tap_mtu(member->seat->mtu) + (member->room_key != NULL ? PROTO_SEALED_BYTES : 0);

	for (struct base_list *item = core->peers.next; item != &core->peers; item = item->next) {
		const struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, link);

		if (peer->state == RELAY_PEER_JOINED && peer->id == member->seat->id &&
		    strcmp(peer->hello.name, member->name) == 0)
			return core->transport->budget(core->transport_user, peer->conn) >= needed &&
			       link_transport_ops.budget(member->transport) >= needed;
	}
	return false;
}

bool sim_is_settled(struct sim_party *party) {
	size_t open = 0, in = 0;

	if (!party->up)
		return false;
	for (size_t i = 0; i < party->seat_count; i++)
		open += party->seats[i]->left_at == BASE_NEVER;
	for (size_t i = 0; i < party->member_count; i++) {
		struct sim_member *member = party->members[i];

		if (!sim_is_running(member))
			continue;
		if (member->seat == NULL || member->seat != member->newest || member->seat->left_at != BASE_NEVER ||
		    !knows_everybody(member) || !has_budget(member))
			return false;
		in++;
	}
	return in == open;
}

static bool settled(void *user) {
	return sim_is_settled(user);
}

void sim_settle(struct sim_party *party, uint64_t within_ns) {
	if (sim_net_run_until(&party->net, settled, party, within_ns))
		return;
	for (size_t i = 0; i < party->member_count; i++) {
		struct sim_member *member = party->members[i];

		if (member->session != NULL)
			print_error("%s: %s, %zu joins, %zu losses, sees %zu, %s\n", member->name,
			            client_state_name(client_session_state(member->session)), member->joins, member->losses,
			            member->view.present, member->why);
	}
	sim_fail(&party->net, "the party does not settle within %llu s", (unsigned long long)(within_ns / BASE_SECOND));
}
