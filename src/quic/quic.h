/* quic/quic.h: one QUIC connection (RFC 9000, 9001, 9002, 9221) with TLS 1.3, sans-IO: datagrams and `now` in, bursts
 * of datagrams and one deadline out. The only room that knows ngtcp2 and GnuTLS.
 *
 * The application sees: a handshake, one client-opened bidirectional control stream, unreliable DATAGRAMs, the close.
 * Frames are pulled: while it writes, a connection asks its source for the next datagram and seals it at the last
 * moment, so nothing waits inside QUIC. Events are called from quic_conn_recv and quic_conn_tick (of a server: from its
 * recv and tick), `next` and `taken` from quic_conn_write. An event must not call back into the same connection except
 * quic_conn_control_send, quic_conn_shutdown, quic_conn_free (clients; it takes effect when the event returns) and the
 * getters. Other connections may be called freely.
 *
 * Threads: none; a connection belongs to one shard. */
#ifndef QUIC_QUIC_H
#define QUIC_QUIC_H

#include "base/addr.h"
#include "base/rng.h"
#include "base/slice.h"
#include "base/time.h"
#include "obs/log.h"
#include "quic/tls.h"

struct seal_backend;

#define QUIC_ALPN "lanparty/1"
#define QUIC_CID_BYTES 8
#define QUIC_CONTROL_SEND_MAX (256 * 1024) /* unacknowledged bytes of the control stream; beyond: BASE_E_FULL */
/* The most that one burst holds. */
#define QUIC_BURST_BYTES 65000
#define QUIC_BURST_SEGMENTS_MAX 64
#define QUIC_UDP_PAYLOAD_MIN 1200
#define QUIC_UDP_PAYLOAD_MAX 1472
/* What a packet holds besides the payload of its one DATAGRAM frame: first byte, connection ID, longest packet number,
 * frame type and length, AEAD tag. */
#define QUIC_DATAGRAM_OVERHEAD(cid_bytes) (1 + (cid_bytes) + 4 + 3 + 16)
/* A DATAGRAM payload of so many bytes fits every path (RFC 9000 section 14). */
#define QUIC_DATAGRAM_ALWAYS (QUIC_UDP_PAYLOAD_MIN - QUIC_DATAGRAM_OVERHEAD(QUIC_CID_BYTES))

struct quic_conn;

/* Why a connection ended. */
enum quic_close_kind {
	QUIC_CLOSED_BY_US,   /* quic_conn_shutdown */
	QUIC_CLOSED_BY_PEER, /* CONNECTION_CLOSE with an application `code`; a server that is full: QUIC_APP_LIMIT */
	QUIC_CLOSED_IDLE,    /* nothing heard for the idle timeout */
	QUIC_CLOSED_HANDSHAKE_TIMEOUT,
	QUIC_CLOSED_RESET,       /* stateless reset: the relay forgot us */
	QUIC_CLOSED_TLS,         /* the peer showed that it is not who it should be; `text` says why */
	QUIC_CLOSED_NO_DATAGRAM, /* the peer does not support DATAGRAM frames */
	QUIC_CLOSED_NARROWED,    /* the path no longer carries packets as large as it did: a new connection measures it */
	QUIC_CLOSED_UNSAID,      /* by the peer's QUIC without an error: its application had no say */
	/* Protocol violation or local failure; `code` is a QUIC transport error or 0. Also a handshake that failed at
	 * either end, or was refused: whoever sees it begin can forge that. */
	QUIC_CLOSED_ERROR
};

/* Application error codes of CONNECTION_CLOSE (docs/protocol.md). */
enum quic_app_code {
	QUIC_APP_DONE = 0,
	QUIC_APP_PROTOCOL = 1,
	QUIC_APP_REJECTED = 2,
	QUIC_APP_REPLACED = 3,
	QUIC_APP_HELLO_TIMEOUT = 4,
	QUIC_APP_LIMIT = 5,
	QUIC_APP_SHUTDOWN = 6,
	QUIC_APP_PATH = 7
};

struct quic_close {
	enum quic_close_kind kind;
	uint64_t code;
	char text[160]; /* for people: what happened, and what the peer gave as its reason (printable ASCII) */
};

struct quic_events {
	/* TLS is done and the peer is who it should be; datagrams and the control stream may be used. */
	void (*handshake_done)(void *user, struct quic_conn *conn, uint64_t now);
	/* Bytes of the control stream in order; `fin` once at its end. */
	void (*control)(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now);
	/* One DATAGRAM payload, valid only during the call. */
	void (*datagram)(void *user, struct quic_conn *conn, struct slice payload, uint64_t now);
	/* The last event of a connection, once for each, also after quic_conn_shutdown (then from the next recv or tick;
	 * the deadline is due at once). A server frees the connection some time after it: forget the pointer here. A
	 * client's is freed by its owner, who goes on writing and ticking until quic_conn_is_finished, or not. */
	void (*closed)(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now);
	/* `next` and `taken` may be NULL for a side that sends no datagrams.
	 * The next datagram to send: true with *ret_payload (valid until `taken` or the next `next`). */
	bool (*next)(void *user, struct slice *ret_payload, uint64_t now);
	/* The payload that `next` returned left (sent) or can never leave (over the current budget). Without `taken` it
	 * stays the source's: `next` is asked again later, and may then return another one. */
	void (*taken)(void *user, bool sent, uint64_t now);
};

enum quic_congestion { QUIC_CC_BBR, QUIC_CC_CUBIC };

struct quic_settings {
	uint64_t idle_timeout_ns;      /* 0: 20 s */
	uint64_t keep_alive_ns;        /* 0: 6 s */
	uint64_t handshake_timeout_ns; /* 0: 10 s */
	enum quic_congestion congestion;
	const struct seal_backend *seal; /* protects 1-RTT packets; outlives the connections. NULL: GnuTLS */
	struct obs_log *log;             /* may be NULL */
	/* What congestion control and probes draw from, so that a simulation's seed repeats it. NULL: quic_random() */
	struct base_rng *rng;
};

struct quic_burst {
	struct base_path path;
	uint8_t ecn;
	bool dry;       /* there are no more datagrams: send this before the next call, which is bookkeeping */
	size_t segment; /* every datagram but the last */
	size_t len;     /* bytes written to the caller's buffer */
};

struct quic_client_options {
	struct base_path path;
	const char *server_name; /* SNI and certificate name */
	struct quic_trust *trust;
	struct quic_settings settings;
	const struct quic_events *events;
	void *user;
	/* Steers to a shard of the server (base/steer.h): the group of this byte is that of the first connection ID, the
	 * rest of the ID is random; without, all of it. */
	bool has_steer_byte;
	uint8_t steer_byte;
};

/* A client connection; the first burst of quic_conn_write starts the handshake. 0, BASE_E_NOMEM, BASE_E_TLS. */
int quic_client_new(const struct quic_client_options *options, uint64_t now, struct quic_conn **ret);
/* Clients only (a server owns its connections). No event is called. Accepts NULL. */
void quic_conn_free(struct quic_conn *conn);

/* One UDP datagram. Errors become the `closed` event. */
void quic_conn_recv(struct quic_conn *conn, const struct base_path *path, uint8_t ecn, struct slice datagram,
                    uint64_t now);
/* Fills `buf` (cap: at least QUIC_UDP_PAYLOAD_MAX, better QUIC_BURST_BYTES) with a burst for one path. 1 with *ret, or
 * 0 when there is nothing (more) to send now. Call until 0, also after a dry burst: that is how the congestion
 * controller learns that we had no more to send, and not that it was too slow. */
int quic_conn_write(struct quic_conn *conn, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now);
/* When quic_conn_tick must run next (and quic_conn_write after it), or BASE_NEVER. Changes with every recv and write.
 * Covers the moment at which quic_conn_budget_settled turns true. */
uint64_t quic_conn_deadline(const struct quic_conn *conn);
void quic_conn_tick(struct quic_conn *conn, uint64_t now);

/* Queues bytes on the control stream. 0; BASE_E_STATE (not open yet or closed), BASE_E_FULL, BASE_E_NOMEM. */
int quic_conn_control_send(struct quic_conn *conn, struct slice bytes);
/* Whether everything sent on the control stream was acknowledged. */
bool quic_conn_control_flushed(const struct quic_conn *conn);

/* Closes with an application code; CONNECTION_CLOSE goes out with the next write, `closed` follows. Data not yet sent
 * is lost. Nothing happens when the connection is closed already. */
void quic_conn_shutdown(struct quic_conn *conn, enum quic_app_code code, const char *text, uint64_t now);
bool quic_conn_is_closed(const struct quic_conn *conn);   /* the closing period may still need writes and ticks */
bool quic_conn_is_finished(const struct quic_conn *conn); /* nothing is left to do: may be freed */

/* The largest DATAGRAM payload that always fits now; grows as path MTU discovery goes on, 0 before the handshake. */
size_t quic_conn_datagram_budget(const struct quic_conn *conn);
/* The largest DATAGRAM payload the peer will ever take (its transport parameter). */
size_t quic_conn_peer_datagram_max(const struct quic_conn *conn);
/* True once path MTU discovery has nothing bigger to try, or QUIC_PMTU_SETTLE_NS passed since the handshake. */
bool quic_conn_budget_settled(const struct quic_conn *conn, uint64_t now);
#define QUIC_PMTU_SETTLE_NS (UINT64_C(1500) * 1000000)

struct quic_info {
	uint64_t rtt_ns, rtt_min_ns; /* 0: unknown */
	uint64_t cwnd, bytes_in_flight;
	uint64_t undecryptable; /* 1-RTT packets that no key opens; of a server's connections all together */
	struct base_path path;
};
void quic_conn_info(const struct quic_conn *conn, struct quic_info *ret);

void quic_conn_set_user(struct quic_conn *conn, void *user);

/* A local address change a client knows of: packets leave from there at once. Not from events. 0, BASE_E_STATE before
 * the handshake is confirmed or while the server has given no spare connection ID (try again later), BASE_E_NOMEM. A
 * NAT's change needs no call. */
int quic_conn_migrate(struct quic_conn *conn, const struct base_path *path, uint64_t now);

#endif
