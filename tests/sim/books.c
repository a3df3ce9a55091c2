/* OBS-2: whatever went in came out or was dropped for a named reason, everywhere. */
#include "party.h"

#include "client-core/session_internal.h"
#include "relay/internal.h"

#include <string.h>

/* Of what the relay forwards, the receivers' own filters may stop this much and nothing else: the relay stopped the
 * rest. Frames overtake news, and only a gateway knows the LAN's addresses. */
static bool may_drop_from_tunnel(const struct sim_member *member, enum obs_drop why) {
	return why == OBS_DROP_UNKNOWN_PEER || (why == OBS_DROP_ADDRESS_GUARD && member->role == CTRL_ROLE_GATEWAY);
}

void sim_check_process(struct sim_member *member) {
	const struct sim_net *net = &member->party->net;
	const struct client_session *session = member->session;
	const struct obs_counters *counters = &session->counters;
	const struct queue_egress_stats *stats = queue_egress_stats(session->egress), *seen = &session->seen;
	uint64_t unbooked = stats->dropped_full - seen->dropped_full + stats->dropped_codel - seen->dropped_codel +
	                    stats->dropped_age - seen->dropped_age + stats->dropped_flush - seen->dropped_flush;
	uint64_t in = counters->value[OBS_DEVICE_RX_FRAMES] + counters->value[OBS_TUNNEL_RX_DATAGRAMS];
	uint64_t out = counters->value[OBS_DEVICE_TX_FRAMES] + counters->value[OBS_TUNNEL_TX_DATAGRAMS] +
	               obs_drops_total(counters) + unbooked + queue_egress_frames(session->egress);

	sim_check(net, in == out, "%s: %llu frames in, %llu out, dropped or waiting", member->name, (unsigned long long)in,
	          (unsigned long long)out);
	sim_check(net, counters->value[OBS_DEVICE_RX_FRAMES] == member->device_in, "%s: miscounts its device's frames",
	          member->name);
	sim_check(net, counters->value[OBS_DEVICE_TX_FRAMES] == member->device_out,
	          "%s: miscounts the frames for its device", member->name);
	for (unsigned i = 0; i < OBS_DROP_COUNT; i++) {
		uint64_t by_bridge = member->local_drops[i] + member->tunnel_drops[i];

		sim_check(net, member->tunnel_drops[i] == 0 || may_drop_from_tunnel(member, (enum obs_drop)i),
		          "%s had to stop a frame of the relay: %s", member->name, obs_drop_name((enum obs_drop)i));
		sim_check(net, counters->drop[i] >= by_bridge, "%s: forgets drops for %s", member->name,
		          obs_drop_name((enum obs_drop)i));
		if (i == OBS_DROP_REFLECTION || i == OBS_DROP_BAD_DATAGRAM)
			sim_check(net, counters->drop[i] == by_bridge, "%s gets datagrams that it has to refuse: %s", member->name,
			          obs_drop_name((enum obs_drop)i));
	}
}

static void check_in(const struct sim_net *net, const struct obs_counters *rx, uint64_t forwarded, const char *who) {
	sim_check(net, rx->value[OBS_TUNNEL_RX_DATAGRAMS] == forwarded + obs_drops_total(rx),
	          "the relay's books for %s: %llu in, %llu forwarded, %llu dropped", who,
	          (unsigned long long)rx->value[OBS_TUNNEL_RX_DATAGRAMS], (unsigned long long)forwarded,
	          (unsigned long long)obs_drops_total(rx));
}

static void check_shard(struct sim_party *party, struct relay_core *core) {
	const struct relay_totals *totals = &core->totals;
	uint64_t copies = totals->rx.value[OBS_FORWARDED_COPIES];
	uint64_t ended = totals->tx.value[OBS_TUNNEL_TX_DATAGRAMS] + obs_drops_total(&totals->tx);
	size_t queued = 0;

	check_in(&party->net, &totals->rx, totals->forwarded, "those who left");
	for (struct base_list *item = core->peers.next; item != &core->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, link);
		const struct obs_counters *rx = &peer->rx, *tx = relay_peer_tx(peer);

		if (peer->state != RELAY_PEER_JOINED)
			continue;
		check_in(&party->net, rx, peer->forwarded, peer->hello.name);
		copies += rx->value[OBS_FORWARDED_COPIES];
		ended += tx->value[OBS_TUNNEL_TX_DATAGRAMS] + obs_drops_total(tx);
		queued += relay_peer_queued(peer);
	}
	sim_check(&party->net, copies == ended + queued, "the relay made %llu copies, and %llu were sent, dropped or wait",
	          (unsigned long long)copies, (unsigned long long)(ended + queued));
	if (queued == 0)
		sim_check(&party->net, queue_pool_available(core->pool) == core->limits.pool_frames,
		          "the relay lost frame buffers");
}

void sim_check_relay(struct sim_party *party) {
	for (unsigned i = 0; i < SIM_SHARDS; i++)
		check_shard(party, sim_core(party, i));
}

/* The network loses datagrams and, so QUIC promises, never makes any. */
static void check_ends(const struct sim_member *member, struct relay_peer *peer) {
	const struct sim_net *net = &member->party->net;
	const struct obs_counters *here = client_session_counters(member->session), *then = &member->at_join;
	uint64_t up = here->value[OBS_TUNNEL_TX_DATAGRAMS] - then->value[OBS_TUNNEL_TX_DATAGRAMS];
	uint64_t down = here->value[OBS_TUNNEL_RX_DATAGRAMS] - then->value[OBS_TUNNEL_RX_DATAGRAMS];
	uint64_t up_there = peer->rx.value[OBS_TUNNEL_RX_DATAGRAMS];
	uint64_t down_there = relay_peer_tx(peer)->value[OBS_TUNNEL_TX_DATAGRAMS];

	sim_check(net, up_there <= up && down <= down_there, "%s: %llu up, %llu arrived; %llu down, %llu arrived",
	          member->name, (unsigned long long)up, (unsigned long long)up_there, (unsigned long long)down_there,
	          (unsigned long long)down);
	if (member->party->lossless && net->in_flight == 0)
		sim_check(net, up_there == up && down == down_there,
		          "%s: %llu of %llu up, %llu of %llu down lost on a lossless path", member->name,
		          (unsigned long long)(up - up_there), (unsigned long long)up, (unsigned long long)(down_there - down),
		          (unsigned long long)down_there);
}

static void check_both_ends(struct sim_party *party, struct relay_core *core) {
	for (struct base_list *item = core->peers.next; item != &core->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, link);

		for (size_t i = 0; peer->state == RELAY_PEER_JOINED && i < party->member_count; i++) {
			const struct sim_member *member = party->members[i];

			if (member->seat != NULL && member->seat == member->newest && member->seat->left_at == BASE_NEVER &&
			    strcmp(peer->hello.name, member->name) == 0)
				check_ends(member, peer);
		}
	}
}

void sim_check_books(struct sim_party *party) {
	for (size_t i = 0; i < party->member_count; i++) {
		if (party->members[i]->session != NULL)
			sim_check_process(party->members[i]);
	}
	if (!party->up)
		return;
	sim_check_relay(party);
	for (unsigned i = 0; i < SIM_SHARDS; i++)
		check_both_ends(party, sim_core(party, i));
}
