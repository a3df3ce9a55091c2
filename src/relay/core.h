/* relay/core.h: the relay without any I/O: rooms, peers, admission, switching, policy, limits, lifecycle notices.
 * Bytes, events and `now` come in; what it wants to happen goes out through a small transport vtable, frames are pulled
 * by the transport, one deadline tells when to call the tick. No globals, no threads: a core and all it holds belong to
 * one shard, and a room lives in exactly one core.
 *
 * A peer's life (docs/protocol.md draws it):
 *
 *   HANDSHAKE --connected--> HELLO --hello--> SETTLING --admitted--> JOINED --leaves, or is made to--> LINGERING
 *       |                     | 5 s silence      | refused                                                |
 *       +---------------------+-----------------(reject)-------------------------------------------> CLOSED --> gone
 *
 * SETTLING waits until the transport knows what it can send to the peer, or has waited for long enough, because the
 * first peer's budget fixes the room's TAP MTU. LINGERING lets a last control message (reject or disconnect) be
 * acknowledged before the close.
 *
 * Order of notices (RLY-11), on every stream: who is present hears peer_joined first; then the joiner gets its welcome;
 * then it gets the earlier peers as peer_joined, in the order they came. A taken-over seat is peer_left(replaced) for
 * the old id followed by peer_joined for the new one. Peer ids count up per room and are not reused while it lives.
 *
 * Books (OBS-2), which the tests check. `rx` is what came from a peer, `tx` what was meant for it:
 *   rx: tunnel_rx_datagrams = forwarded frames + sum of drops, each frame in exactly one of them
 *   all peers: sum of rx forwarded_copies = sum of tx tunnel_tx_datagrams + tx drops + what still waits in queues */
#ifndef RELAY_CORE_H
#define RELAY_CORE_H

#include "base/addr.h"
#include "base/slice.h"
#include "ctrl/message.h"
#include "obs/counters.h"
#include "obs/log.h"
#include "quic/quic.h"
#include "relay/limits.h"
#include "relay/shared.h"

struct relay_core;
struct relay_peer;

/* What the transport can say about a connection for the status page. */
struct relay_conn_info {
	uint64_t rtt_ns; /* 0: unknown */
	uint64_t cwnd;
	struct base_addr remote;
};

/* What the core asks of its connections. `conn` is what relay_core_accept was given. The functions may be called inside
 * any relay_core_* call, also for other connections than the one the call is about; none of them may call back. */
struct relay_transport {
	/* Queues bytes on the control stream. 0, or an error: the peer does not read, or is gone. */
	int (*control_send)(void *user, void *conn, struct slice bytes);
	bool (*control_flushed)(void *user, void *conn);
	/* Ends the connection. relay_core_closed must follow later (or relay_core_free). */
	void (*close)(void *user, void *conn, enum quic_app_code code, const char *text, uint64_t now);
	size_t (*budget)(void *user, void *conn); /* largest DATAGRAM payload now; 0 before the handshake */
	/* It will not grow, or was given long enough to: true some time after the handshake, whatever the peer does. */
	bool (*budget_settled)(void *user, void *conn, uint64_t now);
	void (*wake)(void *user, void *conn); /* relay_core_next has something */
	void (*info)(void *user, void *conn, struct relay_conn_info *ret);
};

struct relay_core_options {
	struct relay_limits limits;
	const struct relay_transport *transport; /* must outlive the core */
	void *transport_user;
	struct relay_shared *shared; /* with other cores, must outlive them; NULL: the core has its own */
	struct obs_log *log;         /* may be NULL */
	uint64_t seed[2];            /* hash seed: random in production */
	unsigned shard, shards;      /* this is core number `shard` of `shards`, for some of the rooms; 0, 0: for all */
	bool unsafe_no_policy;       /* forwards what the layer-2 policy would stop; only to show that it matters */
};

/* What happened since the start, beyond the peers' own counters. */
struct relay_totals {
	uint64_t connections, joined, replaced, hello_timeouts, protocol_errors, control_floods, malformed_disconnects,
	    stuck_disconnects, unknown_messages, rooms_opened, rooms_evicted;
	uint64_t rejected[CTRL_REJECT_CODE_COUNT];
	uint64_t left[CTRL_LEAVE_REASON_COUNT];
	uint64_t forwarded;         /* frames, of peers that are gone */
	struct obs_counters rx, tx; /* of peers that are gone */
};

/* 0, BASE_E_INVALID (a limit that cannot work), BASE_E_NOMEM. */
int relay_core_new(const struct relay_core_options *options, struct relay_core **ret);
/* Forgets all peers without a word; the transport is not called. Accepts NULL. */
void relay_core_free(struct relay_core *core);

/* When relay_core_tick must run next. */
uint64_t relay_core_deadline(const struct relay_core *core);
void relay_core_tick(struct relay_core *core, uint64_t now);

/* Tells every peer and closes; new hellos are refused. Done when relay_core_peer_count is 0. */
void relay_core_shutdown(struct relay_core *core, uint64_t now);

/* From the transport. A new connection, before its handshake: NULL refuses it (full, shutting down, out of memory). */
struct relay_peer *relay_core_accept(struct relay_core *core, void *conn, const struct base_addr *remote, uint64_t now);
void relay_core_connected(struct relay_peer *peer, uint64_t now);
void relay_core_control(struct relay_peer *peer, struct slice bytes, bool fin, uint64_t now);
void relay_core_datagram(struct relay_peer *peer, struct slice datagram, uint64_t now);
/* The next datagram for this peer: true with *ret_datagram, valid until the next call. Asked again without
 * relay_core_taken, it may be another one. */
bool relay_core_next(struct relay_peer *peer, struct slice *ret_datagram, uint64_t now);
/* What relay_core_next returned was sent, or (`sent` false) can never be sent. */
void relay_core_taken(struct relay_peer *peer, bool sent, uint64_t now);
/* The connection is over, for `reason` if the peer gave none before. The last call about this peer. */
void relay_core_closed(struct relay_peer *peer, enum ctrl_leave_reason reason, uint64_t now);

size_t relay_core_peer_count(const struct relay_core *core); /* connections not yet closed */

#endif
