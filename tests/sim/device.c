/* The devices: what stations send into TAPs and LANs, and what comes out there. */
#include "party.h"

#include "base/bytes.h"
#include "client-core/session_internal.h"
#include "proto/overlay.h"

#include <string.h>

#define PACE_NS (4 * BASE_MS)

static const uint64_t hash_seed[2] = {1, 2};

/* --- out of devices --- */

static struct sim_sent *new_record(struct sim_member *member) {
	struct sim_party *party = member->party;

	sim_check(&party->net, party->sent_count < SIM_SENT_MAX, "too many frames");
	party->sent[party->sent_count] =
	    (struct sim_sent){.member = member, .seat = member->seat, .sent_at = party->net.now};
	return &party->sent[party->sent_count++];
}

static struct sim_member *client_of_mac(const struct sim_party *party, unsigned room, struct proto_mac mac) {
	for (size_t i = 0; i < party->member_count; i++) {
		struct sim_member *member = party->members[i];

		if (member->room == room && member->role == CTRL_ROLE_CLIENT && proto_mac_equal(member->mac, mac))
			return member;
	}
	return NULL;
}

/* Builds the frame and says in its record how it may arrive. The frame's length. */
static size_t build(struct sim_sent *sent, const struct sim_frame_spec *spec, uint8_t buf[static SIM_FRAME_BYTES_MAX]) {
	size_t len = sim_frame_build(spec, buf);
	uint8_t arriving[SIM_FRAME_BYTES_MAX];

	sent->kind = spec->kind;
	sent->dst = proto_mac_of(buf);
	sent->src = proto_mac_of(buf + PROTO_MAC_BYTES);
	sent->len = len;
	memcpy(arriving, buf, len);
	if (spec->kind == SIM_PRIORITY_TAG) { /* the gateway takes it off */
		sent->len = spec->len;
		memmove(arriving + 12, arriving + 16, spec->len - 12);
	}
	sent->hash = base_siphash13(hash_seed, slice_of(arriving, sent->len));
	sent->may_pass = sent->seat != NULL && sim_kind_passes(spec->kind, sent->from_lan) &&
	                 sent->len <= proto_frame_bytes_max(sent->seat->mtu);
	return len;
}

static void note_drop(struct sim_member *member, bool passed, enum obs_drop why, uint64_t *drops) {
	if (!passed) {
		sim_check(&member->party->net, why < OBS_DROP_COUNT, "%s: a drop without a reason", member->name);
		drops[why]++;
	}
}

struct sim_sent *sim_send_as(struct sim_member *client, struct proto_mac src, uint32_t ip, enum sim_kind kind,
                             struct proto_mac dst, size_t len) {
	struct sim_party *party = client->party;
	uint8_t buf[SIM_FRAME_BYTES_MAX];
	struct sim_sent *sent = new_record(client);
	const struct sim_frame_spec spec = {
	    .kind = kind, .dst = dst, .src = src, .len = len, .ip = ip, .number = party->sent_count - 1};
	enum obs_drop why = OBS_DROP_COUNT;
	bool passed;

	len = build(sent, &spec, buf);
	sent->may_pass =
	    sent->may_pass && proto_mac_equal(sent->src, client->mac) && !proto_mac_equal(sent->dst, client->mac);
	sent->not_to_lan = kind == SIM_ARP && ip != client->ip;
	client->device_in++;
	passed = client_bridge_from_device(&client->bridge, slice_of(buf, len), &why, party->net.now);
	note_drop(client, passed, why, client->local_drops);
	sim_check(&party->net, !passed || client->hostile || sent->may_pass || proto_mac_equal(sent->dst, client->mac),
	          "%s: its own filters let a %s frame out", client->name, sim_kind_name(kind));
	sim_net_wake(&client->node);
	return sent;
}

struct sim_sent *sim_send(struct sim_member *client, enum sim_kind kind, struct proto_mac dst, size_t len) {
	return sim_send_as(client, client->mac, client->ip, kind, dst, len);
}

/* A gateway that hands on whatever it hears. */
static bool pass_unfiltered(struct sim_member *gateway, struct slice frame, enum obs_drop *ret_why) {
	int refused = client_session_send(gateway->session, frame, gateway->party->net.now);

	client_session_counters(gateway->session)->value[OBS_DEVICE_RX_FRAMES]++;
	if (refused != 0)
		*ret_why = (enum obs_drop)refused;
	return refused == 0;
}

struct sim_sent *sim_lan_send(struct sim_member *gateway, struct proto_mac src, uint32_t ip, enum sim_kind kind,
                              struct proto_mac dst, size_t len) {
	struct sim_party *party = gateway->party;
	uint8_t buf[SIM_FRAME_BYTES_MAX];
	struct sim_sent *sent = new_record(gateway);
	/* Without its filters nobody would take a tag off. */
	const struct sim_frame_spec spec = {.kind = gateway->hostile && kind == SIM_PRIORITY_TAG ? SIM_PLAIN : kind,
	                                    .dst = dst,
	                                    .src = src,
	                                    .len = len,
	                                    .ip = ip,
	                                    .number = party->sent_count - 1};
	enum obs_drop why = OBS_DROP_COUNT;
	bool passed;

	sent->from_lan = true;
	len = build(sent, &spec, buf);
	/* LAN stations among themselves are nobody else's business. */
	if (!proto_mac_is_group(sent->dst) && client_of_mac(party, gateway->room, sent->dst) == NULL)
		sent->may_pass = false;
	gateway->device_in++;
	passed = gateway->hostile ? pass_unfiltered(gateway, slice_of(buf, len), &why)
	                          : gateway_bridge_from_lan(&gateway->lan_bridge, slice_of(buf, len), &why, party->net.now);
	note_drop(gateway, passed, why, gateway->local_drops);
	sim_check(&party->net, !passed || gateway->hostile || sent->may_pass, "%s: its own filters let a %s frame out",
	          gateway->name, sim_kind_name(kind));
	sim_net_wake(&gateway->node);
	return sent;
}

struct sim_sent *sim_send_datagram(struct sim_member *client, uint32_t source_id, struct proto_mac dst, size_t len) {
	struct sim_party *party = client->party;
	struct client_session *session = client->session;
	uint8_t buf[SIM_FRAME_BYTES_MAX];
	struct sim_sent *sent = new_record(client);
	const struct sim_frame_spec spec = {
	    .kind = SIM_PLAIN, .dst = dst, .src = client->mac, .len = len, .number = party->sent_count - 1};
	struct queue_frame *queued = queue_frame_new(session->pool);

	len = build(sent, &spec, buf);
	sent->may_pass = false;
	sim_check(&party->net, queued != NULL, "%s: no frame", client->name);
	sim_check(&party->net, proto_overlay_encode_header(queued->data, source_id, len, sizeof(queued->data)) == 0,
	          "header");
	memcpy(queued->data + PROTO_OVERLAY_HEADER_BYTES, buf, len);
	queued->len = (uint16_t)(PROTO_OVERLAY_HEADER_BYTES + len);
	/* Stands for a frame of the device, so that the books of this process still add up. */
	client->device_in++;
	client_session_counters(session)->value[OBS_DEVICE_RX_FRAMES]++;
	(void)queue_egress_push(session->egress, queued, party->net.now);
	queue_frame_unref(queued);
	sim_net_wake(&client->node);
	return sent;
}

/* --- into devices --- */

static uint64_t bit_of(const struct sim_member *member) {
	return UINT64_C(1) << member->index;
}

static uint64_t room_mask(const struct sim_party *party, unsigned room, bool gateways, bool clients) {
	uint64_t mask = 0;

	for (size_t i = 0; i < party->member_count; i++) {
		const struct sim_member *member = party->members[i];

		if (member->room == room && member->seat != NULL && (member->role == CTRL_ROLE_GATEWAY ? gateways : clients))
			mask |= bit_of(member);
	}
	return mask;
}

/* Who has to get a frame that may pass, by what a switch does. */
static uint64_t must_reach(const struct sim_sent *sent) {
	const struct sim_party *party = sent->member->party;
	const struct sim_member *owner = client_of_mac(party, sent->member->room, sent->dst);
	uint64_t all = room_mask(party, sent->member->room, !sent->not_to_lan, true) & ~bit_of(sent->member);

	if (!sent->may_pass)
		return 0;
	if (proto_mac_is_group(sent->dst))
		return all;
	if (owner != NULL && owner->seat != NULL)
		return bit_of(owner);
	return sent->from_lan ? 0 : all & room_mask(party, sent->member->room, true, false);
}

static void client_frame(struct sim_member *member, uint32_t source_peer, struct slice frame, struct sim_sent *sent,
                         uint64_t now) {
	enum obs_drop why = OBS_DROP_COUNT;

	if (!client_bridge_from_tunnel(&member->bridge, source_peer, frame, &why, now)) {
		note_drop(member, false, why, member->tunnel_drops);
		return;
	}
	sim_check_device(member, source_peer, sent);
	client_bridge_wrote(&member->bridge, 1, frame.len);
	member->device_out++;
}

/* As a host that is asked something does. */
static void answer(struct sim_member *gateway, const struct sim_sent *asked) {
	for (unsigned i = 0; i < SIM_STATIONS; i++) {
		if (proto_mac_equal(asked->dst, gateway->station[i])) {
			struct sim_sent *sent = sim_lan_send(gateway, gateway->station[i], gateway->station_ip[i], SIM_IPV4_UDP,
			                                     asked->src, SIM_FRAME_BYTES_MIN);
			sent->must = must_reach(sent);
		}
	}
}

static void gateway_frame(struct sim_member *member, uint32_t source_peer, struct slice frame, struct sim_sent *sent,
                          uint64_t now) {
	struct obs_counters *counters = client_session_counters(member->session);
	enum obs_drop why = OBS_DROP_COUNT;

	if (!gateway_bridge_from_tunnel(&member->lan_bridge, source_peer, frame, &why, now)) {
		note_drop(member, false, why, member->tunnel_drops);
		return;
	}
	sim_check_device(member, source_peer, sent);
	counters->value[OBS_DEVICE_TX_FRAMES]++; /* the LAN port's part */
	counters->value[OBS_DEVICE_TX_BYTES] += frame.len;
	member->device_out++;
	if (member->stations_answer)
		answer(member, sent);
}

void sim_device_frame(struct sim_member *member, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct sim_sent *sent = sim_check_raw(member, source_peer, frame);

	if (member->role == CTRL_ROLE_CLIENT)
		client_frame(member, source_peer, frame, sent, now);
	else
		gateway_frame(member, source_peer, frame, sent, now);
}

/* --- traffic --- */

static struct proto_mac any_mac(struct sim_party *party, const struct sim_member *from) {
	static const struct proto_mac multicast = {{0x01, 0x00, 0x5e, 0, 0, 0xfb}}, nobody = {{0x02, 0xee, 0, 0, 0, 1}};
	struct sim_member *other = party->members[base_rng_below(&party->net.rng, party->member_count)];

	switch (base_rng_below(&party->net.rng, 8)) {
	case 0:
	case 1:
		return sim_broadcast;
	case 2:
		return multicast;
	case 3:
		return from->station[base_rng_below(&party->net.rng, SIM_STATIONS)];
	case 4:
		return nobody;
	default:
		return other->mac; /* of any room, itself and gateways included */
	}
}

static size_t any_len(struct sim_party *party) {
	static const size_t lens[] = {SIM_FRAME_BYTES_MIN, 200, 600, 1294, 1358, 1359, 1514, 1600};
	size_t pick = base_rng_below(&party->net.rng, 12);

	return pick < 8 ? lens[pick] : SIM_FRAME_BYTES_MIN + base_rng_below(&party->net.rng, 1200);
}

void sim_send_random(struct sim_party *party) {
	struct sim_member *from = party->members[base_rng_below(&party->net.rng, party->member_count)];
	struct sim_member *other = party->members[base_rng_below(&party->net.rng, party->member_count)];
	size_t station = base_rng_below(&party->net.rng, SIM_STATIONS);
	bool mean = sim_chance(&party->net, 300);
	enum sim_kind kind = (enum sim_kind)base_rng_below(&party->net.rng, mean ? SIM_KIND_COUNT : SIM_KINDS_HARMLESS);
	struct proto_mac dst = any_mac(party, from);
	size_t len = any_len(party);

	if (!sim_is_running(from))
		return;
	if (from->role == CTRL_ROLE_GATEWAY) {
		/* One without its filters is believed, after a while, that what goes round is of a station of the LAN. */
		bool loop = party->loops && other->room == from->room && mean && sim_chance(&party->net, 300) && !from->hostile;

		sim_lan_send(from, loop ? other->mac : from->station[station], from->station_ip[station], kind, dst, len);
	} else if (from->hostile && from->seat != NULL && sim_chance(&party->net, 100)) {
		sim_send_datagram(from, (uint32_t)base_rng_below(&party->net.rng, from->seat->id) + from->seat->id + 1, dst,
		                  SIM_FRAME_BYTES_MIN);
	} else {
		bool forge = mean && sim_chance(&party->net, 300);

		sim_send_as(from, forge ? other->mac : from->mac, from->ip, kind, dst, len);
	}
}

/* --- the exact round --- */

static void send_exact(struct sim_member *from, enum sim_kind kind, struct proto_mac dst, size_t len) {
	struct sim_sent *sent = from->role == CTRL_ROLE_CLIENT
	                            ? sim_send(from, kind, dst, len)
	                            : sim_lan_send(from, from->station[0], from->station_ip[0], kind, dst, len);

	sent->must = must_reach(sent);
	/* No queue may stand: that is what frames are dropped for (queue/codel.h). */
	sim_net_run(&from->party->net, PACE_NS);
}

static void send_all_kinds(struct sim_member *from) {
	struct sim_party *party = from->party;
	size_t max = proto_frame_bytes_max(from->seat->mtu);

	for (unsigned kind = 0; kind < SIM_KINDS_HARMLESS; kind++)
		send_exact(from, (enum sim_kind)kind, sim_broadcast, 300);
	for (size_t i = 0; i < party->member_count; i++)
		send_exact(from, SIM_IPV4_UDP, party->members[i]->mac, i % 2 == 0 ? max : SIM_FRAME_BYTES_MIN);
	send_exact(from, SIM_PLAIN, from->station[1], max);
	send_exact(from, SIM_PLAIN, sim_broadcast, max + 1);
}

void sim_exact_round(struct sim_party *party) {
	size_t first = party->sent_count;

	for (size_t i = 0; i < party->member_count; i++) {
		if (party->members[i]->seat != NULL)
			send_all_kinds(party->members[i]);
	}
	sim_net_run(&party->net, 2 * BASE_SECOND);
	for (size_t i = first; i < party->sent_count; i++) {
		const struct sim_sent *sent = &party->sent[i];

		if (sent->must != sent->device)
			sim_fail(&party->net, "a %s frame of %zu bytes from %s to %02x:%02x: reached %llx instead of %llx",
			         sim_kind_name(sent->kind), sent->len, sent->member->name, sent->dst.b[0], sent->dst.b[5],
			         (unsigned long long)sent->device, (unsigned long long)sent->must);
	}
	sim_check_books(party);
}
