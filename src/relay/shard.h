/* relay/shard.h: a relay core on its QUIC connections, still sans-IO: UDP datagrams and `now` in, bursts and one
 * deadline out. The simulator uses this object as it is; relay/daemon.c puts a socket and a loop under it.
 *
 * A shard owns its connections, rooms, timers and buffers, and runs in one thread. What it shares with others is named
 * in its options. The first byte of every connection ID that it issues leads to it (base/steer.h).
 */
#ifndef RELAY_SHARD_H
#define RELAY_SHARD_H

#include "quic/server.h"
#include "relay/core.h"

struct json_t;
struct relay_shard;

struct relay_shard_options {
	struct quic_identity *identity; /* the shard takes a reference */
	struct relay_limits limits;     /* limits.peers_max also bounds the QUIC connections */
	struct quic_server_limits quic_limits;
	struct quic_settings quic;   /* its log is replaced by `log` */
	struct relay_shared *shared; /* of all shards, must outlive them; NULL: the shard has its own */
	struct quic_gate *gate;      /* likewise */
	struct obs_log *log;         /* may be NULL */
	uint64_t seed[2];            /* hash seed: random in production, fixed in simulations */
	unsigned shard, shards;      /* this is number `shard` of `shards`; 0, 0: the only one */
	bool unsafe_no_policy;
};

/* 0, BASE_E_INVALID (limits), BASE_E_NOMEM, BASE_E_TLS. quic_global_init comes first. */
int relay_shard_new(const struct relay_shard_options *options, struct relay_shard **ret);
void relay_shard_free(struct relay_shard *shard); /* no word to the peers; accepts NULL */

/* One UDP datagram. */
void relay_shard_recv(struct relay_shard *shard, const struct base_path *path, uint8_t ecn, struct slice datagram,
                      uint64_t now);
/* Counts a datagram for another shard that came here, whether it could be handed over or not. */
void relay_shard_stray(struct relay_shard *shard, bool handed_over);
/* As quic_server_write: 1 with a burst in `buf`, 0 when nothing is left to send now. Call until 0. */
int relay_shard_write(struct relay_shard *shard, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now);
/* When relay_shard_tick (and then relay_shard_write) must run next. Changes with every recv and write. */
uint64_t relay_shard_deadline(const struct relay_shard *shard);
void relay_shard_tick(struct relay_shard *shard, uint64_t now);

/* Says goodbye to everybody and takes in nobody; go on with write and tick until relay_shard_is_drained. */
void relay_shard_shutdown(struct relay_shard *shard, uint64_t now);
bool relay_shard_is_drained(const struct relay_shard *shard);

/* New connections see the new certificate, those that exist go on. */
void relay_shard_set_identity(struct relay_shard *shard, struct quic_identity *identity);

struct relay_core *relay_shard_core(struct relay_shard *shard);
/* relay/snapshot.h of the core, with the counters of the QUIC server. The next slice, of which the first begins a new
 * snapshot: 0 while there is more to do, then 1 with the whole for json_decref; or BASE_E_NOMEM. */
int relay_shard_snapshot(struct relay_shard *shard, uint64_t now, struct json_t **ret);

#endif
