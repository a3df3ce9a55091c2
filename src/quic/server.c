/* quic/server.c: many connections behind one socket: which one a datagram is for, who may come in, whose turn it is to
 * write, whose timer is due. Knows nothing of rooms. */
#include "base/steer.h"
#include "quic/internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_DEFAULT 4096
#define PER_ADDRESS_DEFAULT 256
#define HALF_OPEN_DEFAULT 512
#define RETRY_ABOVE_DEFAULT 64
#define STATELESS_DEFAULT 1000
#define CID_TRIES 8
#define LONG_HEADER 0x80 /* RFC 8999 section 5.1 */

struct quic_server {
	struct quic_server_options options; /* identity: our reference */
	struct quic_server_counters counters;
	struct quic_gate *gate, *own_gate; /* own_gate: NULL when it is shared */
	struct base_map cids;
	struct base_heap timers;
	struct base_list all, dirty, half_open; /* the last: oldest first */
	size_t count;
	uint64_t now;
	struct quic_stateless stateless;
};

static void set_default(size_t *limit, size_t value) {
	if (*limit == 0)
		*limit = value;
}

static void set_default_limits(struct quic_server_limits *limits) {
	set_default(&limits->connections_max, CONNECTIONS_DEFAULT);
	set_default(&limits->per_address_max, PER_ADDRESS_DEFAULT);
	set_default(&limits->half_open_max, HALF_OPEN_DEFAULT);
	set_default(&limits->retry_above, RETRY_ABOVE_DEFAULT);
	set_default(&limits->stateless_per_second, STATELESS_DEFAULT);
}

int quic_server_new(const struct quic_server_options *options, struct quic_server **ret) {
	struct quic_server *server = calloc(1, sizeof(*server));
	uint64_t seed[2];
	int err;

	if (server == NULL)
		return BASE_E_NOMEM;
	base_list_init(&server->all);
	base_list_init(&server->dirty);
	base_list_init(&server->half_open);
	base_heap_init(&server->timers);
	server->options = *options;
	server->options.identity = quic_identity_ref(options->identity);
	server->options.shards = options->shards != 0 ? options->shards : 1;
	assert(server->options.shards <= BASE_SHARDS_MAX && options->shard < server->options.shards);
	set_default_limits(&server->options.limits);
	server->own_gate = options->gate == NULL ? quic_gate_new() : NULL;
	server->gate = options->gate != NULL ? options->gate : server->own_gate;
	quic_random((uint8_t *)seed, sizeof(seed));
	err = base_map_init(&server->cids, seed);
	if (err == 0 && server->gate == NULL)
		err = BASE_E_NOMEM;
	if (err == 0) /* so that setting a timer never fails */
		err = base_heap_reserve(&server->timers, server->options.limits.connections_max);
	if (err == 0)
		err = quic_stateless_init(&server->stateless, options->identity, server->gate,
		                          server->options.limits.stateless_per_second);
	if (err != 0) {
		quic_server_free(server);
		return err;
	}
	*ret = server;
	return 0;
}

/* A handshake that fails stays half-open until it is freed: otherwise first packets that are refused at once would
 * never make the server ask for Retry, and a forger could fill the table with closing connections. */
static void leave_half_open(struct quic_server *server, struct quic_conn *conn) {
	if (base_list_empty(&conn->half_open))
		return;
	base_list_remove(&conn->half_open);
	quic_gate_end(server->gate);
}

static void free_conn(struct quic_server *server, struct quic_conn *conn) {
	leave_half_open(server, conn);
	quic_cid_remove_all(&server->cids, conn);
	quic_gate_leave(server->gate, conn->source);
	base_heap_remove(&server->timers, &conn->timer);
	base_list_remove(&conn->dirty);
	base_list_remove(&conn->all);
	server->count--;
	/* ngtcp2 may call back while it is deleted; the connection is in no table any more. */
	conn->server = NULL;
	quic_conn_done(conn);
}

void quic_server_free(struct quic_server *server) {
	if (server == NULL)
		return;
	while (!base_list_empty(&server->all))
		free_conn(server, BASE_CONTAINER(server->all.next, struct quic_conn, all));
	base_map_done(&server->cids);
	base_heap_done(&server->timers);
	quic_identity_unref(server->options.identity);
	quic_gate_free(server->own_gate);
	free(server);
}

/* --- for connections --- */

static void join_dirty(struct quic_server *server, struct quic_conn *conn) {
	if (base_list_empty(&conn->dirty))
		base_list_append(&server->dirty, &conn->dirty);
}

void quic_server_changed(struct quic_server *server, struct quic_conn *conn) {
	quic_server_wake(server, conn);
	base_heap_set(&server->timers, &conn->timer, quic_conn_deadline(conn));
}

void quic_server_handshake_done(struct quic_server *server, struct quic_conn *conn) {
	leave_half_open(server, conn);
}

/* A random one that leads to this shard. */
static ngtcp2_cid random_cid(const struct quic_server *server) {
	ngtcp2_cid cid = {.datalen = QUIC_CID_BYTES};

	quic_random(cid.data, cid.datalen);
	cid.data[0] = base_steer_byte(server->options.shard, server->options.shards, cid.data[0]);
	return cid;
}

int quic_server_new_cid(struct quic_server *server, struct quic_conn *conn, const struct base_addr *local,
                        ngtcp2_cid *ret, uint8_t ret_token[static NGTCP2_STATELESS_RESET_TOKENLEN]) {
	ngtcp2_cid cid;
	int err = BASE_E_EXISTS;

	for (int i = 0; i < CID_TRIES && err == BASE_E_EXISTS; i++) {
		cid = random_cid(server);
		err = quic_cid_add(&server->cids, conn, slice_of(cid.data, cid.datalen));
	}
	if (err == 0)
		err = quic_stateless_token(&server->stateless, local, slice_of(cid.data, cid.datalen), ret_token);
	if (err == 0)
		*ret = cid;
	return err;
}

void quic_server_forget_cid(struct quic_server *server, const struct quic_conn *conn, const ngtcp2_cid *cid) {
	quic_cid_remove(&server->cids, slice_of(cid->data, cid->datalen), conn);
}

/* --- new connections --- */

struct arrival {
	const struct base_path *path;
	uint8_t ecn;
	struct slice datagram;
	ngtcp2_pkt_hd hd;
	enum quic_token token;
	ngtcp2_cid odcid; /* with QUIC_TOKEN_RETRY */
	struct quic_source *source;
};

static int set_up(struct quic_server *server, struct quic_conn *conn, const struct arrival *arrival) {
	const ngtcp2_pkt_hd *hd = &arrival->hd;
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_path_storage path;
	ngtcp2_cid scid;
	int err;

	quic_settings_to_ng(&server->options.settings, server->now, &settings, &params);
	params.initial_max_streams_bidi = 1; /* the control stream */
	params.original_dcid = hd->dcid;
	params.original_dcid_present = 1;
	if (arrival->token == QUIC_TOKEN_RETRY) {
		params.original_dcid = arrival->odcid;
		params.retry_scid = hd->dcid;
		params.retry_scid_present = 1;
	}
	if (arrival->token == QUIC_TOKEN_RETRY || arrival->token == QUIC_TOKEN_REGULAR) {
		settings.token = hd->token;
		settings.tokenlen = hd->tokenlen;
		settings.token_type =
		    arrival->token == QUIC_TOKEN_RETRY ? NGTCP2_TOKEN_TYPE_RETRY : NGTCP2_TOKEN_TYPE_NEW_TOKEN;
	}
	err = quic_cid_add(&server->cids, conn, slice_of(hd->dcid.data, hd->dcid.datalen));
	if (err == 0)
		err = quic_server_new_cid(server, conn, &arrival->path->local, &scid, params.stateless_reset_token);
	if (err == 0)
		err = quic_tls_server_session(conn);
	if (err != 0)
		return err;
	params.stateless_reset_token_present = 1;
	quic_path_to_ng(arrival->path, &path);
	if (ngtcp2_conn_server_new(&conn->ng, &hd->scid, &scid, &path.path, hd->version, &quic_callbacks, &settings,
	                           &params, NULL, conn) != 0) {
		conn->ng = NULL; /* as in client.c */
		return BASE_E_NOMEM;
	}
	ngtcp2_conn_set_tls_native_handle(conn->ng, conn->tls);
	ngtcp2_conn_set_keep_alive_timeout(conn->ng, quic_keep_alive(&server->options.settings));
	return 0;
}

/* The places at the gate, one among all and one among the half-open, are the connection's from here on. */
static struct quic_conn *new_conn(struct quic_server *server, const struct arrival *arrival) {
	struct quic_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL) {
		quic_gate_leave(server->gate, arrival->source);
		quic_gate_end(server->gate);
		return NULL;
	}
	quic_conn_init(conn, &server->options.settings, server->now);
	conn->events = server->options.events;
	conn->server = server;
	conn->refused = &server->counters.undecryptable;
	conn->identity = quic_identity_ref(server->options.identity);
	conn->closed_told = true; /* until the application knows it */
	conn->source = arrival->source;
	server->count++;
	base_list_append(&server->all, &conn->all);
	base_list_append(&server->half_open, &conn->half_open);
	if (set_up(server, conn, arrival) != 0) {
		free_conn(server, conn);
		return NULL;
	}
	return conn;
}

/* The client's next packet goes to the ID that the Retry gives it, so that must lead here too. */
static void send_retry(struct quic_server *server, const struct arrival *arrival) {
	ngtcp2_cid scid = random_cid(server);

	quic_stateless_retry(&server->stateless, &server->counters, arrival->path, &arrival->hd, &scid, server->now);
}

/* The first packet decides whether there is a connection at all; only then the application hears of it. */
static void accept_conn(struct quic_server *server, const struct arrival *arrival) {
	struct quic_conn *conn = new_conn(server, arrival);
	int code;

	if (conn == NULL)
		return;
	quic_conn_enter(conn, server->now);
	code = quic_conn_read(conn, arrival->path, arrival->ecn, arrival->datagram);
	if (code == NGTCP2_ERR_DROP_CONN || code == NGTCP2_ERR_RETRY) {
		free_conn(server, conn);
		if (code == NGTCP2_ERR_RETRY)
			send_retry(server, arrival);
		return;
	}
	if (code != 0) {
		quic_conn_read_failed(conn, code);
	} else if (!server->options.accept(server->options.user, conn, &arrival->path->remote, server->now)) {
		quic_close_transport(conn, QUIC_CLOSED_BY_US, NGTCP2_CONNECTION_REFUSED, "");
	} else {
		conn->closed_told = false;
		server->counters.accepted++;
	}
	quic_conn_leave(conn);
	quic_server_changed(server, conn);
}

/* Honest handshakes are over in a moment, so that those who wait for long and fill the table are hostile. The place of
 * the oldest is that of a newcomer who proved its address. Where there is no oldest, the others are at another server:
 * what they do there must not keep anybody out here. */
static void take_place_of_oldest(struct quic_server *server) {
	struct quic_conn *conn;

	server->counters.refused_half_open++;
	if (base_list_empty(&server->half_open)) {
		quic_gate_begin(server->gate, SIZE_MAX);
		return;
	}
	conn = BASE_CONTAINER(server->half_open.next, struct quic_conn, half_open);
	base_list_remove(&conn->half_open);
	quic_close_silent(conn, QUIC_CLOSED_HANDSHAKE_TIMEOUT, 0, "too many handshakes are going on", QUIC_PHASE_FINISHED);
}

static void refuse(struct quic_server *server, const struct arrival *arrival, uint64_t code, uint64_t *counter) {
	(*counter)++;
	quic_stateless_close(&server->stateless, &server->counters, arrival->path, &arrival->hd, code, server->now);
}

/* Whether a place among the half-open connections was taken. Who did not prove its address gets none where it could
 * keep others out: it is asked for a proof, or not answered. */
static bool begin(struct quic_server *server, const struct arrival *arrival) {
	const struct quic_server_limits *limits = &server->options.limits;
	size_t max = limits->half_open_max;

	if (arrival->token == QUIC_TOKEN_NONE && limits->retry_above <= max) {
		if (quic_gate_is_scarce(server->gate, limits, &arrival->path->remote))
			return false;
		max = limits->retry_above;
	}
	return quic_gate_begin(server->gate, max);
}

/* Whether a place among all connections, and among those of its network, was taken; refuses it otherwise. */
static bool enter(struct quic_server *server, struct arrival *arrival) {
	int result = quic_gate_enter(server->gate, &server->options.limits, &arrival->path->remote, &arrival->source);

	if (result == BASE_E_FULL)
		refuse(server, arrival, NGTCP2_CONNECTION_REFUSED, &server->counters.refused_full);
	else if (result == BASE_E_DENIED)
		refuse(server, arrival, NGTCP2_CONNECTION_REFUSED, &server->counters.refused_address);
	return result == 0;
}

static void consider(struct quic_server *server, struct arrival *arrival) {
	const struct quic_server_limits *limits = &server->options.limits;
	bool begun, proven, in_time;

	if (quic_gate_is_full(server->gate, limits)) {
		refuse(server, arrival, NGTCP2_CONNECTION_REFUSED, &server->counters.refused_full);
		return;
	}
	arrival->token =
	    quic_stateless_check(&server->stateless, arrival->path, &arrival->hd, &arrival->odcid, server->now);
	if (arrival->token == QUIC_TOKEN_BAD) {
		refuse(server, arrival, NGTCP2_INVALID_TOKEN, &server->counters.bad_tokens);
		return;
	}
	proven = arrival->token != QUIC_TOKEN_NONE;
	in_time = quic_gate_handshake(server->gate, limits, &arrival->path->remote, proven, server->now);
	if (!in_time && proven) {
		refuse(server, arrival, NGTCP2_CONNECTION_REFUSED, &server->counters.refused_address);
		return;
	}
	begun = in_time && begin(server, arrival);
	if (!begun && !proven) {
		if (limits->retry_above <= limits->half_open_max)
			send_retry(server, arrival);
		else
			server->counters.refused_half_open++;
		return;
	}
	/* Asked late, so that nobody fills another's share: what comes without a token is bounded by `retry_above`, and
	 * gets none of the last places. */
	if (!enter(server, arrival)) {
		if (begun)
			quic_gate_end(server->gate);
		return;
	}
	if (!begun)
		take_place_of_oldest(server);
	accept_conn(server, arrival);
}

/* --- input --- */

static void stranger(struct quic_server *server, const ngtcp2_version_cid *cids, const struct base_path *path,
                     uint8_t ecn, struct slice datagram) {
	struct arrival arrival = {.path = path, .ecn = ecn, .datagram = datagram};

	/* Version 0 alone would not do: long headers with it exist (version negotiation), with IDs of any length. */
	if ((datagram.data[0] & LONG_HEADER) == 0) {
		quic_stateless_reset(&server->stateless, &server->counters, path, slice_of(cids->dcid, cids->dcidlen),
		                     datagram.len, server->now);
		return;
	}
	/* ngtcp2 lets shorter connection IDs pass with any token; those that our Retry gives out are as long (RFC 9000
	 * section 7.2). */
	if (ngtcp2_accept(&arrival.hd, datagram.data, datagram.len) != 0 ||
	    arrival.hd.dcid.datalen < NGTCP2_MIN_INITIAL_DCIDLEN) {
		server->counters.undecodable++;
		return;
	}
	consider(server, &arrival);
}

void quic_server_recv(struct quic_server *server, const struct base_path *path, uint8_t ecn, struct slice datagram,
                      uint64_t now) {
	ngtcp2_version_cid cids;
	struct quic_conn *conn;
	int code;

	if (now > server->now)
		server->now = now;
	if (datagram.len == 0) {
		server->counters.undecodable++;
		return;
	}
	code = ngtcp2_pkt_decode_version_cid(&cids, datagram.data, datagram.len, QUIC_CID_BYTES);
	if (code == NGTCP2_ERR_VERSION_NEGOTIATION) {
		if (datagram.len >= QUIC_UDP_PAYLOAD_MIN)
			quic_stateless_version(&server->stateless, &server->counters, path, &cids, server->now);
		return;
	}
	if (code != 0) {
		server->counters.undecodable++;
		return;
	}
	conn = quic_cid_find(&server->cids, slice_of(cids.dcid, cids.dcidlen));
	if (conn == NULL) {
		stranger(server, &cids, path, ecn, datagram);
		return;
	}
	quic_conn_recv(conn, path, ecn, datagram, server->now);
	join_dirty(server, conn); /* written to at the end of the turn, and its timer set then */
}

/* --- timers and output --- */

void quic_server_tick(struct quic_server *server, uint64_t now) {
	if (now > server->now)
		server->now = now;
	while (base_heap_deadline(&server->timers) <= server->now) {
		struct quic_conn *conn = BASE_CONTAINER(base_heap_first(&server->timers), struct quic_conn, timer);

		base_heap_remove(&server->timers, &conn->timer);
		quic_conn_tick(conn, server->now);
		if (quic_conn_is_finished(conn))
			free_conn(server, conn);
		else
			quic_server_wake(server, conn);
	}
}

static struct quic_conn *first_dirty(const struct quic_server *server) {
	return BASE_CONTAINER(server->dirty.next, struct quic_conn, dirty);
}

int quic_server_write(struct quic_server *server, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now) {
	if (now > server->now)
		server->now = now;
	if (quic_stateless_write(&server->stateless, buf, cap, ret) == 1)
		return 1;
	while (!base_list_empty(&server->dirty)) {
		struct quic_conn *conn = first_dirty(server);
		int more = quic_conn_write(conn, buf, cap, ret, server->now);

		base_list_remove(&conn->dirty);
		if (more == 1) {
			base_list_append(&server->dirty, &conn->dirty);
			ret->dry = ret->dry && first_dirty(server)->dry;
			return 1;
		}
		if (quic_conn_is_finished(conn))
			free_conn(server, conn);
		else
			base_heap_set(&server->timers, &conn->timer, quic_conn_deadline(conn));
	}
	return 0;
}

uint64_t quic_server_deadline(const struct quic_server *server) {
	return base_heap_deadline(&server->timers);
}

void quic_server_wake(struct quic_server *server, struct quic_conn *conn) {
	conn->dry = false;
	join_dirty(server, conn);
}

void quic_server_set_identity(struct quic_server *server, struct quic_identity *identity) {
	struct quic_identity *old = server->options.identity;

	server->options.identity = quic_identity_ref(identity);
	quic_identity_unref(old);
	/* Whom the relay loses from now on, it loses with this key. Should it fail, the former secret is as good as a
	 * random one. */
	(void)quic_stateless_set_identity(&server->stateless, identity);
}

size_t quic_server_connections(const struct quic_server *server) {
	return server->count;
}

const struct quic_server_counters *quic_server_counters(const struct quic_server *server) {
	return &server->counters;
}
