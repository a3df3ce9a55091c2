/* relay/core.c: the connections of a core from accept to gone, their timers, and the one place where peers end. */
#include "base/error.h"
#include "base/text.h"
#include "proto/mtu.h"
#include "relay/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool limits_are_sane(const struct relay_limits *limits) {
	const struct relay_rate *const rates[] = {
	    &limits->control,           &limits->malformed,      &limits->broadcast,
	    &limits->gateway_broadcast, &limits->room_broadcast, &limits->unknown_unicast,
	    &limits->bandwidth,         &limits->room_joins,     &limits->address_joins};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		if (rates[i]->per_second > RELAY_RATE_MAX || rates[i]->burst > RELAY_RATE_MAX)
			return false;
	}
	return limits->peers_max > 0 && limits->rooms_max > 0 && limits->room_peers_max > 0 && limits->pool_frames > 0 &&
	       limits->room_mtu_max >= PROTO_TAP_MTU_MIN && limits->room_mtu_max <= PROTO_TAP_MTU_MAX;
}

int relay_core_new(const struct relay_core_options *options, struct relay_core **ret) {
	struct relay_core *core;

	if (!limits_are_sane(&options->limits))
		return BASE_E_INVALID;
	core = calloc(1, sizeof(*core));
	if (core == NULL)
		return BASE_E_NOMEM;
	core->limits = options->limits;
	core->transport = options->transport;
	core->transport_user = options->transport_user;
	core->log = options->log;
	core->shard = options->shard;
	core->shards = options->shards != 0 ? options->shards : 1;
	core->no_policy = options->unsafe_no_policy;
	memcpy(core->seed, options->seed, sizeof(core->seed));
	base_list_init(&core->peers);
	base_list_init(&core->gone);
	base_list_init(&core->doomed);
	base_list_init(&core->all_rooms);
	base_list_init(&core->empty_rooms);
	base_heap_init(&core->timers);
	core->pool = queue_pool_new(options->limits.pool_frames);
	core->own_shared = options->shared == NULL ? relay_shared_new(core->seed) : NULL;
	core->shared = options->shared != NULL ? options->shared : core->own_shared;
	if (core->pool == NULL || core->shared == NULL || base_map_init(&core->rooms, core->seed) != 0 ||
	    base_map_init(&core->gateways, core->seed) != 0) {
		base_map_done(&core->rooms);
		relay_shared_free(core->own_shared);
		queue_pool_free(core->pool);
		free(core);
		return BASE_E_NOMEM;
	}
	*ret = core;
	return 0;
}

/* Frames answer to who sent them, and lie in the queues of others: those are emptied first. */
static void free_all_peers(struct relay_core *core) {
	struct base_list *lists[] = {&core->peers, &core->gone};

	for (struct base_list *item = core->peers.next; item != &core->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, link);

		if (peer->room != NULL)
			relay_egress_close(peer);
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		while (!base_list_empty(lists[i])) {
			struct relay_peer *peer = BASE_CONTAINER(lists[i]->next, struct relay_peer, link);

			base_list_remove(&peer->link);
			free(peer);
		}
	}
}

void relay_core_free(struct relay_core *core) {
	struct base_map_node *node;

	if (core == NULL)
		return;
	free_all_peers(core);
	while ((node = base_map_next(&core->rooms, NULL)) != NULL)
		relay_room_free(BASE_CONTAINER(node, struct relay_room, node));
	base_map_done(&core->rooms);
	base_map_done(&core->gateways);
	base_heap_done(&core->timers);
	queue_pool_free(core->pool);
	relay_shared_free(core->own_shared);
	free(core);
}

void relay_peer_set_timer(struct relay_peer *peer, uint64_t deadline) {
	int result = base_heap_set(&peer->core->timers, &peer->timer, deadline);

	assert(result == 0); /* relay_core_accept reserved the place */
	(void)result;
}

static void close_conn(struct relay_peer *peer, uint64_t now) {
	struct relay_core *core = peer->core;

	peer->state = RELAY_PEER_CLOSED;
	relay_peer_set_timer(peer, BASE_NEVER);
	core->transport->close(core->transport_user, peer->conn, peer->end.code, peer->end.text, now);
}

static void end_peer(struct relay_peer *peer, uint64_t now) {
	if (peer->state == RELAY_PEER_JOINED)
		relay_room_leave(peer, peer->end.reason, now);
	if (peer->end.say != RELAY_SAY_NOTHING && relay_notify_end(peer, &peer->end)) {
		peer->state = RELAY_PEER_LINGERING;
		peer->linger_until = now + RELAY_LINGER_NS;
		relay_peer_set_timer(peer, now + RELAY_POLL_NS);
		return;
	}
	close_conn(peer, now);
}

/* Ending a peer may doom others (their control streams are full of notices), never one that has ended already. */
void relay_core_end_doomed(struct relay_core *core, uint64_t now) {
	while (!base_list_empty(&core->doomed)) {
		struct relay_peer *peer = BASE_CONTAINER(core->doomed.next, struct relay_peer, doomed_link);

		base_list_remove(&peer->doomed_link);
		end_peer(peer, now);
	}
}

void relay_peer_doom(struct relay_peer *peer, const struct relay_end *end) {
	if (relay_peer_is_doomed(peer) || peer->state >= RELAY_PEER_LINGERING)
		return;
	peer->end = *end;
	base_list_append(&peer->core->doomed, &peer->doomed_link);
}

void relay_peer_reject(struct relay_peer *peer, enum ctrl_reject_code code, const char *text) {
	struct relay_core *core = peer->core;
	struct relay_end end = {
	    .reason = CTRL_LEAVE_OTHER, .code = QUIC_APP_REJECTED, .say = RELAY_SAY_REJECT, .reject = code};

	core->totals.rejected[code]++;
	base_text_copy(end.text, sizeof(end.text), text);
	if (obs_on(core->log, OBS_INFO)) {
		char remote[BASE_ADDR_TEXT_BYTES];

		obs_begin(core->log, OBS_INFO, "peer_rejected");
		/* A stranger who is refused again and again must hide nobody's refusals but its own. */
		obs_flood_network(core->log, &peer->remote, ctrl_reject_name(code), peer->last_seen);
		obs_str(core->log, "code", ctrl_reject_name(code));
		obs_str(core->log, "remote", base_addr_text(&peer->remote, remote));
		if (peer->state == RELAY_PEER_SETTLING)
			obs_str(core->log, "room", peer->hello.room);
		obs_bytes(core->log, "text", slice_of_text(end.text));
		obs_end(core->log);
	}
	relay_peer_doom(peer, &end);
}

void relay_peer_protocol_error(struct relay_peer *peer, const char *text) {
	struct relay_end end = {
	    .reason = CTRL_LEAVE_PROTOCOL_ERROR, .code = QUIC_APP_PROTOCOL, .say = RELAY_SAY_DISCONNECT};

	peer->core->totals.protocol_errors++;
	if (peer->state != RELAY_PEER_JOINED) {
		relay_peer_reject(peer, CTRL_REJECT_BAD_HELLO, text);
		return;
	}
	base_text_copy(end.text, sizeof(end.text), text);
	relay_peer_doom(peer, &end);
}

/* Whose frames still wait for others stays until those are gone: a moment, as old frames are dropped. */
static void reap_gone(struct relay_core *core) {
	struct base_list *next;

	for (struct base_list *item = core->gone.next; item != &core->gone; item = next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, link);

		next = item->next;
		if (peer->held.frames > 0)
			continue;
		base_list_remove(&peer->link);
		free(peer);
	}
}

struct relay_peer *relay_core_accept(struct relay_core *core, void *conn, const struct base_addr *remote,
                                     uint64_t now) {
	struct relay_peer *peer;

	if (core->shutting_down || core->peer_count >= core->limits.peers_max ||
	    base_heap_reserve(&core->timers, core->peer_count + 1) != 0)
		return NULL;
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return NULL;
	peer->core = core;
	peer->conn = conn;
	peer->remote = *remote;
	peer->last_seen = now;
	base_list_init(&peer->doomed_link);
	base_list_init(&peer->room_link);
	base_heap_node_init(&peer->timer);
	ctrl_stream_init(&peer->stream);
	base_list_append(&core->peers, &peer->link);
	core->peer_count++;
	core->totals.connections++;
	return peer;
}

void relay_core_connected(struct relay_peer *peer, uint64_t now) {
	if (peer->state != RELAY_PEER_HANDSHAKE)
		return;
	peer->state = RELAY_PEER_HELLO;
	peer->last_seen = now;
	relay_peer_set_timer(peer, now + RELAY_HELLO_TIMEOUT_NS);
}

void relay_core_control(struct relay_peer *peer, struct slice bytes, bool fin, uint64_t now) {
	struct relay_core *core = peer->core;

	/* What comes after the end is of no interest; the transport keeps acknowledging it until the close. */
	if (peer->state >= RELAY_PEER_LEFT)
		return;
	peer->last_seen = now;
	relay_control_receive(peer, bytes, fin, now);
	relay_core_end_doomed(core, now);
}

void relay_core_closed(struct relay_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	struct relay_core *core = peer->core;

	assert(!relay_peer_is_doomed(peer)); /* the entry point that doomed it ended it */
	if (peer->state == RELAY_PEER_JOINED)
		relay_room_leave(peer, reason, now);
	peer->state = RELAY_PEER_CLOSED;
	relay_peer_set_timer(peer, BASE_NEVER);
	base_list_remove(&peer->link);
	base_list_append(&core->gone, &peer->link);
	core->peer_count--;
	relay_core_end_doomed(core, now);
}

static void timer_due(struct relay_peer *peer, uint64_t now) {
	struct relay_core *core = peer->core;

	switch (peer->state) {
	case RELAY_PEER_HELLO:
		core->totals.hello_timeouts++;
		relay_peer_doom(peer, &(struct relay_end){.reason = CTRL_LEAVE_TIMEOUT,
		                                          .code = QUIC_APP_HELLO_TIMEOUT,
		                                          .text = "no hello came in time"});
		break;
	case RELAY_PEER_SETTLING:
		relay_admission_try(peer, now);
		break;
	case RELAY_PEER_LINGERING:
		if (now >= peer->linger_until || core->transport->control_flushed(core->transport_user, peer->conn))
			close_conn(peer, now);
		else
			relay_peer_set_timer(peer, now + RELAY_POLL_NS);
		break;
	default:
		break;
	}
}

static void sweep(struct relay_core *core, uint64_t now) {
	for (struct base_list *item = core->peers.next; item != &core->peers; item = item->next)
		relay_egress_age(BASE_CONTAINER(item, struct relay_peer, link), now);
	core->next_sweep = now + RELAY_SWEEP_NS;
}

uint64_t relay_core_deadline(const struct relay_core *core) {
	uint64_t deadline = base_heap_deadline(&core->timers);

	if (!base_list_empty(&core->empty_rooms))
		deadline =
		    base_time_min(deadline, BASE_CONTAINER(core->empty_rooms.next, struct relay_room, empty_link)->empty_until);
	if (!base_list_empty(&core->peers) || !base_list_empty(&core->gone))
		deadline = base_time_min(deadline, core->next_sweep);
	return deadline;
}

void relay_core_tick(struct relay_core *core, uint64_t now) {
	reap_gone(core);
	/* Whoever is asked again sets a timer in the future, so this ends. */
	while (base_heap_deadline(&core->timers) <= now) {
		struct base_heap_node *node = base_heap_first(&core->timers);

		base_heap_remove(&core->timers, node);
		timer_due(BASE_CONTAINER(node, struct relay_peer, timer), now);
		relay_core_end_doomed(core, now);
	}
	relay_room_expire(core, now);
	if (now >= core->next_sweep)
		sweep(core, now);
}

void relay_core_shutdown(struct relay_core *core, uint64_t now) {
	core->shutting_down = true;
	for (struct base_list *item = core->peers.next; item != &core->peers; item = item->next) {
		struct relay_peer *peer = BASE_CONTAINER(item, struct relay_peer, link);

		if (peer->state == RELAY_PEER_JOINED)
			relay_peer_doom(peer, &(struct relay_end){.reason = CTRL_LEAVE_SHUTDOWN,
			                                          .code = QUIC_APP_SHUTDOWN,
			                                          .say = RELAY_SAY_DISCONNECT,
			                                          .text = "the relay stops"});
		else if (peer->state == RELAY_PEER_HELLO || peer->state == RELAY_PEER_SETTLING)
			relay_peer_reject(peer, CTRL_REJECT_SHUTTING_DOWN, ctrl_reject_text(CTRL_REJECT_SHUTTING_DOWN));
		else
			relay_peer_doom(peer, &(struct relay_end){.code = QUIC_APP_SHUTDOWN, .text = "the relay stops"});
	}
	relay_core_end_doomed(core, now);
}

size_t relay_core_peer_count(const struct relay_core *core) {
	return core->peer_count;
}

void relay_counters_add(struct obs_counters *sum, const struct obs_counters *more) {
	for (size_t i = 0; i < OBS_COUNTER_COUNT; i++)
		sum->value[i] += more->value[i];
	for (size_t i = 0; i < OBS_DROP_COUNT; i++)
		sum->drop[i] += more->drop[i];
}
