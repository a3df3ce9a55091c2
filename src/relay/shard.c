/* relay/shard.c: QUIC events to the core's entry points, the core's transport table to QUIC. No decisions of its own.
 */
#include "relay/shard.h"

#include "base/error.h"
#include "relay/snapshot.h"

#include <stdlib.h>

struct relay_shard {
	struct relay_core *core;
	struct quic_server *server;
	struct relay_snapshot *snapshot;
	uint64_t strays, strays_lost;
};

/* --- what the core asks of a connection --- */

static int transport_control_send(void *user, void *conn, struct slice bytes) {
	(void)user;
	return quic_conn_control_send(conn, bytes);
}

static bool transport_control_flushed(void *user, void *conn) {
	(void)user;
	return quic_conn_control_flushed(conn);
}

static void transport_close(void *user, void *conn, enum quic_app_code code, const char *text, uint64_t now) {
	(void)user;
	quic_conn_shutdown(conn, code, text, now);
}

static size_t transport_budget(void *user, void *conn) {
	(void)user;
	return quic_conn_datagram_budget(conn);
}

static bool transport_budget_settled(void *user, void *conn, uint64_t now) {
	(void)user;
	return quic_conn_budget_settled(conn, now);
}

static void transport_wake(void *user, void *conn) {
	struct relay_shard *shard = user;

	quic_server_wake(shard->server, conn);
}

static void transport_info(void *user, void *conn, struct relay_conn_info *ret) {
	struct quic_info info;

	(void)user;
	quic_conn_info(conn, &info);
	*ret = (struct relay_conn_info){.rtt_ns = info.rtt_ns, .cwnd = info.cwnd, .remote = info.path.remote};
}

static const struct relay_transport transport = {
    .control_send = transport_control_send,
    .control_flushed = transport_control_flushed,
    .close = transport_close,
    .budget = transport_budget,
    .budget_settled = transport_budget_settled,
    .wake = transport_wake,
    .info = transport_info,
};

/* --- what a connection tells the core; its user pointer is the relay_peer --- */

static void on_handshake_done(void *user, struct quic_conn *conn, uint64_t now) {
	(void)conn;
	relay_core_connected(user, now);
}

static void on_control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	(void)conn;
	relay_core_control(user, bytes, fin, now);
}

static void on_datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	(void)conn;
	relay_core_datagram(user, payload, now);
}

/* Why the others are told a peer left that said nothing itself. */
static enum ctrl_leave_reason leave_reason(const struct quic_close *why) {
	switch (why->kind) {
	case QUIC_CLOSED_IDLE:
		return CTRL_LEAVE_TIMEOUT;
	case QUIC_CLOSED_BY_PEER:
		return why->code == QUIC_APP_DONE ? CTRL_LEAVE_QUIT : CTRL_LEAVE_CONNECTION_LOST;
	case QUIC_CLOSED_ERROR:
		return CTRL_LEAVE_PROTOCOL_ERROR;
	default:
		return CTRL_LEAVE_CONNECTION_LOST;
	}
}

static void on_closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	/* The connection lives on for its closing period, the peer does not. */
	quic_conn_set_user(conn, NULL);
	relay_core_closed(user, leave_reason(why), now);
}

static bool on_next(void *user, struct slice *ret_payload, uint64_t now) {
	return user != NULL && relay_core_next(user, ret_payload, now);
}

static void on_taken(void *user, bool sent, uint64_t now) {
	if (user != NULL)
		relay_core_taken(user, sent, now);
}

static const struct quic_events events = {
    .handshake_done = on_handshake_done,
    .control = on_control,
    .datagram = on_datagram,
    .closed = on_closed,
    .next = on_next,
    .taken = on_taken,
};

static bool on_accept(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now) {
	struct relay_shard *shard = user;
	struct relay_peer *peer = relay_core_accept(shard->core, conn, remote, now);

	quic_conn_set_user(conn, peer);
	return peer != NULL;
}

/* --- the shard --- */

int relay_shard_new(const struct relay_shard_options *options, struct relay_shard **ret) {
	struct relay_shard *shard = calloc(1, sizeof(*shard));
	struct relay_core_options core = {
	    .limits = options->limits,
	    .transport = &transport,
	    .transport_user = shard,
	    .shared = options->shared,
	    .log = options->log,
	    .seed = {options->seed[0], options->seed[1]},
	    .shard = options->shard,
	    .shards = options->shards,
	    .unsafe_no_policy = options->unsafe_no_policy,
	};
	struct quic_server_options server = {
	    .identity = options->identity,
	    .settings = options->quic,
	    .limits = options->quic_limits,
	    .events = &events,
	    .accept = on_accept,
	    .user = shard,
	    .shard = options->shard,
	    .shards = options->shards,
	    .gate = options->gate,
	};
	int result;

	if (shard == NULL)
		return BASE_E_NOMEM;
	server.settings.log = options->log;
	server.limits.connections_max = options->limits.peers_max;
	server.limits.per_address_max = options->limits.address_peers_max;
	result = relay_core_new(&core, &shard->core);
	if (result == 0)
		result = quic_server_new(&server, &shard->server);
	if (result != 0) {
		relay_shard_free(shard);
		return result;
	}
	*ret = shard;
	return 0;
}

void relay_shard_free(struct relay_shard *shard) {
	if (shard == NULL)
		return;
	relay_snapshot_free(shard->snapshot);
	quic_server_free(shard->server);
	relay_core_free(shard->core);
	free(shard);
}

void relay_shard_recv(struct relay_shard *shard, const struct base_path *path, uint8_t ecn, struct slice datagram,
                      uint64_t now) {
	quic_server_recv(shard->server, path, ecn, datagram, now);
}

void relay_shard_stray(struct relay_shard *shard, bool handed_over) {
	shard->strays++;
	shard->strays_lost += !handed_over;
}

int relay_shard_write(struct relay_shard *shard, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now) {
	return quic_server_write(shard->server, buf, cap, ret, now);
}

uint64_t relay_shard_deadline(const struct relay_shard *shard) {
	return base_time_min(quic_server_deadline(shard->server), relay_core_deadline(shard->core));
}

void relay_shard_tick(struct relay_shard *shard, uint64_t now) {
	quic_server_tick(shard->server, now);
	relay_core_tick(shard->core, now);
}

void relay_shard_shutdown(struct relay_shard *shard, uint64_t now) {
	relay_core_shutdown(shard->core, now);
}

bool relay_shard_is_drained(const struct relay_shard *shard) {
	return relay_core_peer_count(shard->core) == 0;
}

void relay_shard_set_identity(struct relay_shard *shard, struct quic_identity *identity) {
	quic_server_set_identity(shard->server, identity);
}

struct relay_core *relay_shard_core(struct relay_shard *shard) {
	return shard->core;
}

static struct json_t *finish_snapshot(struct relay_shard *shard) {
	const struct quic_server_counters *counters = quic_server_counters(shard->server);
	const struct relay_snapshot_number quic[] = {
	    {"connections", quic_server_connections(shard->server)},
	    {"accepted", counters->accepted},
	    {"refused_full", counters->refused_full},
	    {"refused_address", counters->refused_address},
	    {"refused_half_open", counters->refused_half_open},
	    {"retries_sent", counters->retries_sent},
	    {"bad_tokens", counters->bad_tokens},
	    {"version_negotiations", counters->version_negotiations},
	    {"resets_sent", counters->resets_sent},
	    {"stateless_limited", counters->stateless_limited},
	    {"undecodable", counters->undecodable},
	    {"undecryptable", counters->undecryptable},
	    {"strays", shard->strays},
	    {"strays_lost", shard->strays_lost},
	};
	struct json_t *json = relay_snapshot_finish(shard->snapshot, quic, sizeof(quic) / sizeof(quic[0]));

	shard->snapshot = NULL;
	return json;
}

int relay_shard_snapshot(struct relay_shard *shard, uint64_t now, struct json_t **ret) {
	if (shard->snapshot == NULL && (shard->snapshot = relay_snapshot_new(shard->core)) == NULL)
		return BASE_E_NOMEM;
	if (!relay_snapshot_step(shard->snapshot, RELAY_SNAPSHOT_ITEMS, now))
		return 0;
	*ret = finish_snapshot(shard);
	return 1;
}
