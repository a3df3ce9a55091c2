/* quic/server.h: many QUIC connections behind one socket, sans-IO: connection ID table, address validation (Retry,
 * RFC 9000 section 8.1), version negotiation, stateless reset, timers, a fair round of writes.
 *
 * Bounds: connections, half-open connections, stateless answers per second. From `retry_above` half-open connections
 * on, every new Initial must bring a Retry token first. */
#ifndef QUIC_SERVER_H
#define QUIC_SERVER_H

#include "quic/quic.h"

struct quic_server;

/* What the servers of one relay count together, each in a thread of its own. */
struct quic_gate;
struct quic_gate *quic_gate_new(void);       /* NULL when memory is out */
void quic_gate_free(struct quic_gate *gate); /* after its servers; accepts NULL */

/* Each limit is on the sum over all servers at the gate. */
struct quic_server_limits {
	/* 0: 4096 */
	size_t connections_max;
	/* 0: 256; connections from one IPv4 address or IPv6 /56. It may also begin as many in 10 s, or 256 if that is more;
	 * then a new one needs a Retry token. Those with a token are limited in the same way, and refused beyond. */
	size_t per_address_max;
	/* 0: 512; connections whose handshake is not done. When there are as many, a new one with a Retry token takes the
	 * place of this server's oldest, or is one too many if this server has none; one without is asked for a token, or
	 * dropped if nobody is asked. Both, but not those that are asked, count as `refused_half_open`. */
	size_t half_open_max;
	/* 0: 64; with as many half-open connections a new one needs a Retry token first. The last places under the first
	 * two limits, too, are for those with a token: as many places, but no more than half. If this is more than
	 * half_open_max, nobody is asked for a token. */
	size_t retry_above;
	/* 0: 1000; Retries, and as many other answers outside of connections (version negotiation, reset, refusal) */
	size_t stateless_per_second;
};

struct quic_server_counters {
	uint64_t accepted, refused_full, refused_address, refused_half_open, retries_sent, bad_tokens, version_negotiations,
	    resets_sent, stateless_limited, undecodable, undecryptable;
};

struct quic_server_options {
	struct quic_identity *identity; /* certificate and key; replaced by quic_server_set_identity */
	struct quic_settings settings;
	struct quic_server_limits limits;
	const struct quic_events *events; /* of every connection */
	/* Called for each new connection when its first packet proved sound, before any event; sets its user pointer. False
	 * refuses it: it is closed, and no event is called. The handshake is not done yet. */
	bool (*accept)(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now);
	void *user;
	/* Every connection ID that we issue leads to shard number `shard` of `shards` (base/steer.h). 0: there is one. */
	unsigned shard, shards;
	struct quic_gate *gate; /* must outlive the server; NULL: one of its own */
};

/* 0, BASE_E_NOMEM, BASE_E_TLS. Stateless reset tokens derive from the identity's private key: a relay that is started
 * again with the same key can tell the peers of its former life that it forgot them. */
int quic_server_new(const struct quic_server_options *options, struct quic_server **ret);
void quic_server_free(struct quic_server *server); /* frees all connections without events; accepts NULL */

void quic_server_recv(struct quic_server *server, const struct base_path *path, uint8_t ecn, struct slice datagram,
                      uint64_t now);
/* The next burst of any connection or stateless answer, round robin over those that have something to send. 1 or 0. */
int quic_server_write(struct quic_server *server, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now);
uint64_t quic_server_deadline(const struct quic_server *server);
void quic_server_tick(struct quic_server *server, uint64_t now);

/* Says that this connection's `next` has datagrams: it takes part in the next writes. For control stream bytes and a
 * shutdown nobody need say so. */
void quic_server_wake(struct quic_server *server, struct quic_conn *conn);

/* New connections use the new certificate and, for stateless reset, its key; existing ones go on. The server takes a
 * reference. */
void quic_server_set_identity(struct quic_server *server, struct quic_identity *identity);
size_t quic_server_connections(const struct quic_server *server);
const struct quic_server_counters *quic_server_counters(const struct quic_server *server);

#endif
