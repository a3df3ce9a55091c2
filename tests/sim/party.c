/* Processes come, go and crash; sessions are put on nodes. What they say goes to truth.c and device.c. */
#include "party.h"

#include "base/error.h"
#include "base/steer.h"
#include "link/room_key.h"
#include "relay/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RELAY_IP "192.0.2.1"
#define PROCESS_POOL_FRAMES 1200

const struct sim_link sim_good_link = {.delay_ns = 10 * BASE_MS, .mtu = 1500};
const struct proto_mac sim_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* --- the relay --- */

static struct sim_member *member_at(const struct sim_party *party, const struct base_addr *address) {
	for (size_t i = 0; i < party->member_count; i++) {
		if (base_addr_equal(&party->members[i]->node.address, address))
			return party->members[i];
	}
	return NULL;
}

/* A first connection ID is one that the relay did not issue; those are shorter. */
static bool goes_astray(const struct sim_party *party, const struct base_path *path, struct slice datagram) {
	struct sim_member *member = member_at(party, &path->remote);
	size_t len = datagram.len > 6 ? datagram.data[5] : 0;

	if (member == NULL || !member->stray || (datagram.data[0] & BASE_STEER_LONG_HEADER) == 0 || len <= QUIC_CID_BYTES ||
	    len > sizeof(member->stray_cid))
		return false;
	if (member->stray_cid_len == 0) {
		member->stray_cid_len = len;
		memcpy(member->stray_cid, datagram.data + 6, len);
	}
	return len == member->stray_cid_len && memcmp(member->stray_cid, datagram.data + 6, len) == 0;
}

static void relay_recv(void *user, const struct base_path *path, struct slice datagram, uint64_t now) {
	struct sim_party *party = user;
	unsigned shard = base_steer_datagram(datagram.data, datagram.len, SIM_SHARDS);

	if (goes_astray(party, path, datagram))
		shard = (shard + 1) % SIM_SHARDS;
	relay_shard_recv(party->shards[shard], path, 0, datagram, now);
	sim_observe(party);
}

static int relay_write(void *user, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now) {
	struct sim_party *party = user;
	int more = 0;

	for (unsigned i = 0; i < SIM_SHARDS && more == 0; i++)
		more = relay_shard_write(party->shards[i], buf, cap, ret, now);
	return more;
}

static uint64_t relay_deadline(void *user) {
	struct sim_party *party = user;
	uint64_t deadline = BASE_NEVER;

	for (unsigned i = 0; i < SIM_SHARDS; i++)
		deadline = base_time_min(deadline, relay_shard_deadline(party->shards[i]));
	return deadline;
}

static void relay_tick(void *user, uint64_t now) {
	struct sim_party *party = user;

	for (unsigned i = 0; i < SIM_SHARDS; i++)
		relay_shard_tick(party->shards[i], now);
	sim_observe(party);
}

static const struct sim_driver relay_driver = {relay_recv, relay_write, relay_deadline, relay_tick};

void sim_relay_start(struct sim_party *party) {
	struct relay_shard_options options = {
	    .identity = party->identity,
	    .limits = party->limits,
	    .quic = party->quic,
	    .log = party->log,
	    .seed = {base_rng_next(&party->net.rng), base_rng_next(&party->net.rng)},
	    .shards = SIM_SHARDS,
	};

	options.gate = party->gate = quic_gate_new();
	options.shared = party->shared = relay_shared_new(options.seed);
	sim_check(&party->net, party->gate != NULL && party->shared != NULL, "no memory");
	for (options.shard = 0; options.shard < SIM_SHARDS; options.shard++)
		sim_check(&party->net, relay_shard_new(&options, &party->shards[options.shard]) == 0, "no relay");
	party->up = true;
	party->looked_at = sim_totals(party);
	party->epoch++;
	sim_net_power(&party->relay, true);
}

void sim_relay_stop(struct sim_party *party) {
	sim_check_relay(party);
	sim_epoch_over(party);
	sim_net_power(&party->relay, false);
	for (unsigned i = 0; i < SIM_SHARDS; i++) {
		relay_shard_free(party->shards[i]);
		party->shards[i] = NULL;
	}
	quic_gate_free(party->gate);
	sim_check(&party->net, party->shared->rooms_used == 0 && party->shared->rooms_kept == 0, "rooms are left over");
	relay_shared_free(party->shared);
	party->up = false;
}

void sim_relay_shutdown(struct sim_party *party) {
	for (unsigned i = 0; i < SIM_SHARDS; i++)
		relay_shard_shutdown(party->shards[i], party->net.now);
	sim_observe(party);
	sim_net_wake(&party->relay);
}

bool sim_relay_is_drained(const struct sim_party *party) {
	for (unsigned i = 0; i < SIM_SHARDS; i++) {
		if (!relay_shard_is_drained(party->shards[i]))
			return false;
	}
	return true;
}

struct relay_totals sim_totals(const struct sim_party *party) {
	struct relay_totals sum = sim_core(party, 0)->totals;

	_Static_assert(sizeof(sum) % sizeof(uint64_t) == 0, "totals are counters and nothing else");
	for (unsigned i = 1; i < SIM_SHARDS; i++) {
		const struct relay_totals *totals = &sim_core(party, i)->totals;

		for (size_t at = 0; at < sizeof(sum) / sizeof(uint64_t); at++)
			((uint64_t *)&sum)[at] += ((const uint64_t *)totals)[at];
	}
	return sum;
}

/* --- what a session says --- */

static void event_time(struct sim_member *member, uint64_t now) {
	sim_check(&member->party->net, now >= member->last_event && now == member->party->net.now, "%s: time goes back",
	          member->name);
	member->last_event = now;
}

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct sim_member *member = user;

	event_time(member, now);
	sim_told_welcome(member, welcome);
	member->joins++;
	member->at_join = *client_session_counters(member->session);
	member->lan_bridge.tap_mtu = welcome->mtu;
}

static void on_peer_joined(void *user, const struct client_peer *peer, uint64_t now) {
	struct sim_member *member = user;

	event_time(member, now);
	sim_told_joined(member, peer);
	if (member->role == CTRL_ROLE_GATEWAY && peer->role == CTRL_ROLE_CLIENT)
		sim_check(&member->party->net, gateway_remotes_add(&member->remotes, peer->id, peer->mac) == 0,
		          "%s: remote refused", member->name);
}

static void on_peer_left(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	struct sim_member *member = user;

	event_time(member, now);
	sim_told_left(member, peer, reason);
	if (member->role == CTRL_ROLE_GATEWAY)
		gateway_remotes_remove(&member->remotes, peer->id);
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct sim_member *member = user;

	event_time(member, now);
	sim_device_frame(member, source_peer, frame, now);
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct sim_member *member = user;

	(void)why;
	event_time(member, now);
	member->losses++;
	member->lan_bridge.tap_mtu = 0;
	if (member->role == CTRL_ROLE_GATEWAY)
		gateway_remotes_clear(&member->remotes);
	sim_forget_view(member);
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct sim_member *member = user;

	event_time(member, now);
	sim_check(&member->party->net, !member->wanted || member->no_retry, "%s gives up: %s", member->name, why);
	member->ended = true;
	member->status = status;
	(void)snprintf(member->why, sizeof(member->why), "%s", why);
	sim_forget_view(member);
}

static const struct client_events events = {
    .joined = on_joined,
    .peer_joined = on_peer_joined,
    .peer_left = on_peer_left,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

/* --- its node --- */

static void member_recv(void *user, const struct base_path *path, struct slice datagram, uint64_t now) {
	struct sim_member *member = user;

	link_transport_recv(member->transport, path, 0, datagram, now);
}

static int member_write(void *user, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now) {
	struct sim_member *member = user;

	return link_transport_write(member->transport, buf, cap, ret, now);
}

static uint64_t member_deadline(void *user) {
	struct sim_member *member = user;

	return link_transport_deadline(member->transport);
}

static void member_tick(void *user, uint64_t now) {
	struct sim_member *member = user;

	link_transport_tick(member->transport, now);
}

static const struct sim_driver member_driver = {member_recv, member_write, member_deadline, member_tick};

static void on_resolve(void *user, uint64_t now) {
	struct sim_member *member = user;

	event_time(member, now);
	client_session_addresses(member->session, &member->party->relay.address, 1, now);
}

static void on_wake(void *user) {
	struct sim_member *member = user;

	sim_net_wake(&member->node);
}

static int send_to_tunnel(void *user, struct slice frame, uint64_t now) {
	struct sim_member *member = user;

	return client_session_send(member->session, frame, now);
}

/* --- members --- */

static struct proto_mac make_mac(uint8_t kind, unsigned a, unsigned b) {
	return (struct proto_mac){{0x02, kind, 0, (uint8_t)a, (uint8_t)(b >> 8), (uint8_t)b}};
}

struct sim_member *sim_member_new(struct sim_party *party, enum ctrl_role role, unsigned room) {
	struct sim_member *member = calloc(1, sizeof(*member));
	char ip[16];

	sim_check(&party->net, member != NULL && party->member_count < SIM_MEMBERS_MAX, "too many members");
	member->party = party;
	member->index = (unsigned)party->member_count;
	member->room = room;
	member->role = role;
	member->mac = make_mac(0xc1, 0, member->index + 1);
	member->ip = UINT32_C(0x0a010000) + member->index + 1;
	memset(member->seat_key, (int)member->index + 1, sizeof(member->seat_key));
	(void)snprintf(member->name, sizeof(member->name), "%s%u", role == CTRL_ROLE_CLIENT ? "client" : "gateway",
	               member->index);
	(void)snprintf(member->room_code, sizeof(member->room_code), "ROOM%u", room);
	for (unsigned i = 0; i < SIM_STATIONS; i++) {
		member->station[i] = make_mac(0x1a, room, i + 1);
		member->station_ip[i] = UINT32_C(0x0a020000) + room * 256 + i + 1;
	}
	(void)snprintf(ip, sizeof(ip), "10.0.0.%u", member->index + 1);
	sim_net_add(&party->net, &member->node, ip, 0);
	member->node.driver = &member_driver;
	member->node.user = member;
	sim_member_set_link(member, &party->member_link);
	party->members[party->member_count++] = member;
	return member;
}

void sim_member_set_link(struct sim_member *member, const struct sim_link *link) {
	member->node.up = member->node.down = *link;
}

static void free_process(struct sim_member *member) {
	if (member->session == NULL)
		return;
	sim_check_process(member);
	sim_net_power(&member->node, false);
	link_transport_free(member->transport);
	client_session_free(member->session);
	member->transport = NULL;
	member->session = NULL;
	if (member->role == CTRL_ROLE_GATEWAY) {
		gateway_remotes_done(&member->remotes);
		gateway_guard_free(member->guard);
	}
	sim_forget_view(member);
}

static void set_up_bridge(struct sim_member *member) {
	struct sim_party *party = member->party;
	const uint64_t seed[2] = {base_rng_next(&party->net.rng), 2};

	if (member->role == CTRL_ROLE_CLIENT) {
		member->bridge = (struct client_bridge){.session = member->session,
		                                        .mac = member->mac,
		                                        .log = party->log,
		                                        .room = member->room_code,
		                                        .unsafe_no_filters = member->hostile};
		return;
	}
	member->guard = gateway_guard_new(seed);
	sim_check(&party->net, gateway_remotes_init(&member->remotes, seed) == 0 && member->guard != NULL, "no memory");
	member->lan_bridge = (struct gateway_bridge){.remotes = &member->remotes,
	                                             .guard = member->guard,
	                                             .counters = client_session_counters(member->session),
	                                             .log = party->log,
	                                             .room = member->room_code,
	                                             .send = send_to_tunnel,
	                                             .user = member};
}

void sim_member_set_room_key(struct sim_member *member, const char *passphrase) {
	struct sim_party *party = member->party;
	sim_check(&party->net, roomkey_new(seal_gnutls(), member->room_code, passphrase, &member->room_key) == 0,
	          "no room key");
}

void sim_member_start(struct sim_member *member) {
	struct sim_party *party = member->party;
	const struct link_transport_options transport = {.server_name = "relay.test",
	                                                 .trust = party->trust,
	                                                 .settings = party->quic,
	                                                 .resolve = on_resolve,
	                                                 .wake = on_wake,
	                                                 .user = member};
	struct client_config config = {.role = member->role,
	                               .mac = member->mac,
	                               .retry = !member->no_retry,
	                               .seed = base_rng_next(&party->net.rng),
	                               .pool_frames = PROCESS_POOL_FRAMES,
	                               .log = party->log};

	free_process(member);
	memcpy(config.room, member->room_code, sizeof(config.room));
	memcpy(config.name, member->name, sizeof(config.name));
	memcpy(config.seat_key, member->seat_key, sizeof(config.seat_key));
	if (member->room_key != NULL)
		link_room_key_use(&config, member->room_key);
	member->wanted = true;
	member->ended = false;
	member->why[0] = '\0';
	member->device_in = member->device_out = 0;
	memset(member->local_drops, 0, sizeof(member->local_drops));
	memset(member->tunnel_drops, 0, sizeof(member->tunnel_drops));
	sim_check(&party->net, link_transport_new(&transport, &member->transport) == 0, "no transport");
	sim_check(&party->net,
	          client_session_new(&config, &link_transport_ops, member->transport, &events, member, &member->session) ==
	              0,
	          "no session");
	link_transport_attach(member->transport, member->session);
	set_up_bridge(member);
	member->node.address.port = party->next_port++;
	sim_net_power(&member->node, true);
	client_session_start(member->session, party->net.now);
}

void sim_member_leave(struct sim_member *member) {
	if (!sim_is_running(member))
		return;
	member->wanted = false;
	client_session_leave(member->session, CTRL_LEAVE_QUIT, member->party->net.now);
	sim_forget_view(member); /* it hears nothing more */
	sim_net_wake(&member->node);
}

void sim_member_crash(struct sim_member *member) {
	member->wanted = false;
	free_process(member);
}

void sim_member_rebind(struct sim_member *member) {
	member->node.address.port = member->party->next_port++;
}

void sim_start_all(struct sim_party *party) {
	for (size_t i = 0; i < party->member_count; i++) {
		if (!sim_is_running(party->members[i]))
			sim_member_start(party->members[i]);
	}
}

void sim_all_in(struct sim_party *party, uint64_t within_ns) {
	sim_relay_start(party);
	sim_start_all(party);
	sim_settle(party, within_ns);
}

/* --- the party --- */

static void print_line(void *user, struct slice line) {
	const struct sim_party *party = user;

	print_message("%.6f %.*s", (double)(party->net.now - SIM_START_NS) / 1e9, (int)line.len, (const char *)line.data);
}

static uint64_t no_clock(void) {
	return 0;
}

struct sim_party *sim_party_new(const char *scenario, uint64_t seed, const struct sim_link *link) {
	static const char *const names[] = {"relay.test"};
	struct sim_party *party = calloc(1, sizeof(*party));
	char error[QUIC_ERROR_BYTES] = "";

	assert_non_null(party);
	print_message("%s: seed %llu\n", scenario, (unsigned long long)seed);
	sim_net_init(&party->net, scenario, seed);
	party->quic.rng = &party->net.rng;
	if (getenv("LANPARTY_SIM_LOG") != NULL)
		party->log = obs_log_new(OBS_DEBUG, OBS_FORMAT_TEXT, print_line, no_clock, party);
	party->limits = (struct relay_limits)RELAY_LIMITS_DEFAULT;
	party->next_port = 1024;
	sim_check(&party->net,
	          quic_identity_self_signed(names, 1, (uint64_t)time(NULL) * BASE_SECOND, &party->identity, error) == 0,
	          "certificate: %s", error);
	party->trust = quic_trust_new();
	sim_check(&party->net,
	          party->trust != NULL &&
	              quic_trust_add_certificate(party->trust, quic_identity_der(party->identity), error) == 0,
	          "trust: %s", error);
	sim_net_add(&party->net, &party->relay, RELAY_IP, 443);
	party->relay.driver = &relay_driver;
	party->relay.user = party;
	party->relay.up = (struct sim_link){.mtu = 1500};
	party->relay.down = (struct sim_link){.mtu = 1500};
	party->member_link = *link;
	party->sent = calloc(SIM_SENT_MAX, sizeof(*party->sent));
	sim_check(&party->net, party->sent != NULL, "no memory");
	return party;
}

static bool relay_is_empty(void *user) {
	struct sim_party *party = user;
	size_t left = 0;

	for (unsigned i = 0; i < SIM_SHARDS; i++)
		left += relay_core_peer_count(sim_core(party, i)) + sim_core(party, i)->rooms.len;
	return left == 0;
}

void sim_party_finish(struct sim_party *party) {
	for (size_t i = 0; i < party->member_count; i++)
		sim_member_leave(party->members[i]);
	sim_check(&party->net, sim_net_run_until(&party->net, relay_is_empty, party, 120 * BASE_SECOND),
	          "the relay does not forget its peers and rooms");
	sim_check_books(party);
	for (size_t i = 0; i < party->member_count; i++) {
		struct sim_member *member = party->members[i];

		sim_check(&party->net, member->session == NULL || member->ended, "%s does not end", member->name);
		free_process(member);
	}
	sim_relay_stop(party);
	sim_net_done(&party->net);
	for (size_t i = 0; i < party->member_count; i++) {
		roomkey_free(party->members[i]->room_key);
		free(party->members[i]);
	}
	for (size_t i = 0; i < party->seat_count; i++)
		free(party->seats[i]);
	free(party->sent);
	quic_trust_unref(party->trust);
	quic_identity_unref(party->identity);
	obs_log_free(party->log);
	free(party);
}
