/* client-core/session.h: one peer's life at a relay, for clients and gateways alike: connect, wait for a useful
 * datagram budget, hello, welcome, lifecycle events, frames, stats, leave; and come back by itself after a loss.
 *
 * Sans-IO: the transport is a vtable (link/ implements it over QUIC, tests in memory), time comes in, a deadline goes
 * out. Owns the egress queue of the uplink and the table of the room's other peers. Single-threaded.
 *
 * States: docs/protocol.md draws them.
 *   IDLE -> RESOLVING -> CONNECTING -> SETTLING -> JOINING -> JOINED -> (lost) WAITING -> RESOLVING ...
 *   any -> LEAVING -> CLOSED; any -> FAILED (a refusal that no retry can mend) */
#ifndef CLIENT_CORE_SESSION_H
#define CLIENT_CORE_SESSION_H

#include "base/addr.h"
#include "base/time.h"
#include "ctrl/message.h"
#include "obs/counters.h"
#include "obs/diagnostics.h"
#include "obs/log.h"
#include "proto/overlay.h"
#include "queue/egress.h"

enum client_state {
	CLIENT_IDLE,
	CLIENT_RESOLVING,
	CLIENT_CONNECTING,
	CLIENT_SETTLING, /* handshake done, path MTU discovery under way, bounded in time */
	CLIENT_JOINING,  /* hello sent */
	CLIENT_JOINED,
	CLIENT_WAITING, /* backoff before the next try */
	CLIENT_LEAVING, /* disconnect sent, bounded in time */
	CLIENT_CLOSED,
	CLIENT_FAILED,
	CLIENT_STATE_COUNT
};

/* Process exit statuses, the same for client and gateway (docs/operations.md). */
enum client_exit {
	CLIENT_EXIT_OK = 0,
	CLIENT_EXIT_FAILURE = 1,     /* anything not listed */
	CLIENT_EXIT_USAGE = 2,       /* command line or configuration file */
	CLIENT_EXIT_DEVICE = 3,      /* TAP or LAN interface */
	CLIENT_EXIT_RESOLVE = 4,     /* relay name not found (only with --no-retry) */
	CLIENT_EXIT_UNREACHABLE = 5, /* relay does not answer (only with --no-retry) */
	CLIENT_EXIT_TLS = 6,         /* certificate not trusted */
	CLIENT_EXIT_REJECTED = 7,    /* the relay refused the hello for good */
	CLIENT_EXIT_PRIVILEGE = 8,
	CLIENT_EXIT_NO_DATAGRAM = 9 /* the relay does not support QUIC DATAGRAM */
};

/* What the transport calls failures, so that the session can tell the hopeless from the transient. */
enum client_loss {
	CLIENT_LOSS_UNREACHABLE,
	CLIENT_LOSS_TIMEOUT,
	CLIENT_LOSS_RESET,
	CLIENT_LOSS_CLOSED_BY_RELAY,
	CLIENT_LOSS_TLS,
	CLIENT_LOSS_NO_DATAGRAM,
	CLIENT_LOSS_PROTOCOL,
	CLIENT_LOSS_NO_ROOM_KEYS, /* the relay would forward frames that are not sealed */
	CLIENT_LOSS_REFUSED,      /* the relay takes no more connections, or no more from here */
	CLIENT_LOSS_REPLACED, /* another process with the same identity took the seat: coming back would only fight it */
	CLIENT_LOSS_COUNT
};

/* The codes of quic_app_code that a session closes with (quic/ is out of its reach; link/ checks that they agree). */
enum client_close_code { CLIENT_CLOSE_DONE = 0, CLIENT_CLOSE_PROTOCOL = 1, CLIENT_CLOSE_HELLO_TIMEOUT = 4 };

struct client_peer {
	uint32_t id;
	enum ctrl_role role;
	bool identity_known; /* false: known from the welcome only (a gateway's id) */
	struct proto_mac mac;
	char name[CTRL_NAME_BYTES_MAX];
};

/* Downward: what the session asks of its transport. One connection at a time. */
struct client_transport {
	/* Finds the relay's addresses (again) and answers with client_session_addresses or client_session_resolve_failed,
	 * later or from inside this call. */
	void (*resolve)(void *user, uint64_t now);
	/* Starts a connection to `remote` whose first connection ID has the group of `steer_byte` (base/steer.h); the
	 * transport later calls client_session_connected or _lost. 0 or an error. */
	int (*open)(void *user, const struct base_addr *remote, uint8_t steer_byte, uint64_t now);
	/* Ends the connection; no further calls about it. Harmless when there is none. `code` is a client_close_code. */
	void (*close)(void *user, unsigned code, const char *text, uint64_t now);
	int (*control_send)(void *user, struct slice bytes, uint64_t now);
	bool (*control_flushed)(void *user);
	size_t (*budget)(void *user); /* now; 0 without a connection */
	bool (*budget_settled)(void *user, uint64_t now);
	uint64_t (*rtt_ns)(void *user);
	void (*wake)(void *user); /* the egress queue is no longer empty */
};

/* Upward: what the session tells its owner. Events may call client_session_send, the reports and the getters, nothing
 * else. */
struct client_events {
	void (*joined)(void *user, const struct ctrl_welcome *welcome, uint64_t now);
	void (*peer_joined)(void *user, const struct client_peer *peer, uint64_t now);
	void (*peer_left)(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now);
	/* What client_session_diagnostics says of the gateway has changed while joined: it came or went, lost its LAN or
	 * has it back, shuts this client out or no longer. May be NULL, as the two before. */
	void (*gateway)(void *user, uint64_t now);
	/* A frame of the room, overlay header decoded, nothing else checked; valid only during the call. */
	void (*frame)(void *user, uint32_t source_peer, struct slice frame, uint64_t now);
	/* Was joined, is no longer; all peers are forgotten (no peer_left for each). The session retries by itself. */
	void (*lost)(void *user, const char *why, uint64_t now);
	/* The end: after a leave (CLIENT_EXIT_OK) or a failure. */
	void (*ended)(void *user, enum client_exit status, const char *why, uint64_t now);
};

/* What the room's key does to frames (roomkey/roomkey.h has it; link/ joins the two). One set of keys for our frames,
 * one for each peer's. Errors are BASE_E_*. */
struct client_cipher {
	/* Our frames get new keys; the salt is for the others to find them by. */
	int (*begin)(void *user, enum ctrl_role role, struct proto_mac mac, uint8_t ret_salt[static CTRL_SALT_BYTES]);
	/* Writes the datagram of the sealed frame: as many bytes as proto_sealed_encode_clear says, or its errors. */
	int (*seal)(void *user, uint32_t source_peer, struct slice frame, uint16_t flow, size_t budget, uint8_t *dest);
	int (*peer_new)(void *user, const struct ctrl_peer *told, void **ret_peer);
	void (*peer_free)(void *user, void *peer); /* accepts NULL */
	/* Writes sealed->frame_len bytes. BASE_E_EXISTS: came before, or far too late; BASE_E_INVALID: cannot be opened. */
	int (*open)(void *user, void *peer, const struct proto_sealed *sealed, uint8_t *dest);
};

struct client_config {
	enum ctrl_role role;
	char room[CTRL_ROOM_BYTES_MAX];
	char name[CTRL_NAME_BYTES_MAX];
	struct proto_mac mac;                  /* clients */
	uint8_t seat_key[CTRL_SEAT_KEY_BYTES]; /* zeros: none */
	const struct client_cipher *cipher;    /* NULL: no room key */
	void *cipher_user;
	uint8_t room_key[CTRL_KEY_CHECK_BYTES]; /* with a cipher: what tells the relay which key it is */
	bool retry;                             /* false: the first loss or refusal ends the session */
	uint64_t seed;                          /* for the backoff jitter */
	uint64_t stats_interval_ns;             /* 0: 10 s */
	struct queue_egress_limits egress;      /* zeros: 1024 frames, 1 MiB, 200 ms, 1024 flows */
	size_t pool_frames;                     /* 0: 2048 */
	struct obs_log *log;
};

struct client_session;

/* 0, BASE_E_INVALID (config), BASE_E_NOMEM. The vtables must outlive the session. */
int client_session_new(const struct client_config *config, const struct client_transport *transport,
                       void *transport_user, const struct client_events *events, void *events_user,
                       struct client_session **ret);
void client_session_free(struct client_session *session); /* accepts NULL */

void client_session_start(struct client_session *session, uint64_t now);
/* Sends `disconnect` (best effort), closes, then `ended` with CLIENT_EXIT_OK. */
void client_session_leave(struct client_session *session, enum ctrl_leave_reason reason, uint64_t now);
/* The way to the relay is open again: a session that waits for its next try tries at once. Else it does nothing. */
void client_session_hurry(struct client_session *session, uint64_t now);
uint64_t client_session_deadline(const struct client_session *session);
void client_session_tick(struct client_session *session, uint64_t now);

/* From the transport. An answer that comes too late, while the session waits for its next try, is good for that. */
void client_session_addresses(struct client_session *session, const struct base_addr *addrs, size_t count,
                              uint64_t now);
void client_session_resolve_failed(struct client_session *session, const char *why, uint64_t now);
void client_session_connected(struct client_session *session, uint64_t now);
void client_session_lost(struct client_session *session, enum client_loss loss, const char *why, uint64_t now);
void client_session_control(struct client_session *session, struct slice bytes, bool fin, uint64_t now);
void client_session_datagram(struct client_session *session, struct slice payload, uint64_t now);
bool client_session_next(struct client_session *session, struct slice *ret_payload, uint64_t now);
void client_session_taken(struct client_session *session, bool sent, uint64_t now);

/* Queues one frame for the relay, already approved by the bridge; copies it once. 0, or the enum obs_drop (positive)
 * that says why not: NOT_JOINED, TAP_MTU, DATAGRAM_BUDGET, NO_BUFFER, QUEUE_FULL or, if it cannot be sealed,
 * BAD_DATAGRAM; counted here. */
int client_session_send(struct client_session *session, struct slice frame, uint64_t now);

/* What a frame takes of a datagram budget. */
size_t client_session_encoded(const struct client_session *session, size_t frame_len);

enum client_state client_session_state(const struct client_session *session);
const char *client_state_name(enum client_state state);
const struct ctrl_welcome *client_session_welcome(const struct client_session *session); /* NULL unless joined */
const struct client_peer *client_session_peer(const struct client_session *session, uint32_t id);
/* Shared by session and bridge: one set per process side. */
struct obs_counters *client_session_counters(struct client_session *session);
/* What the session knows of OBS-3; the owner adds route, TAP and address before printing or reporting. */
void client_session_diagnostics(const struct client_session *session, struct obs_diagnostics *ret);
/* What the next stats messages say about the device. */
void client_session_report_device(struct client_session *session, bool ready, const struct base_addr *address);
void client_session_report_route(struct client_session *session, bool pinned);
/* Of a gateway, over and over: whether its LAN port has a link. The room is told when that is news to it. */
void client_session_report_lan(struct client_session *session, bool up, uint64_t now);
/* Of a gateway: it bridges nothing for that client, or again; who is told so. Relays bear 20 messages a second. */
void client_session_report_shut_out(struct client_session *session, uint32_t peer, bool out, uint64_t now);

#endif
