/* client-core/session_internal.h: the session's own parts, shared by session.c (state machine), session_control.c
 * (messages), session_peers.c (the table of the room) and session_data.c (frames). Nobody else includes it. */
#ifndef CLIENT_CORE_SESSION_INTERNAL_H
#define CLIENT_CORE_SESSION_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "client-core/backoff.h"
#include "client-core/session.h"
#include "ctrl/stream.h"

#define CLIENT_ADDRS_MAX 16   /* more addresses of a relay are not tried */
#define CLIENT_PEERS_MAX 1024 /* of one room; more are not remembered, their frames are dropped as unknown_peer */
#define CLIENT_WHY_BYTES 320

#define CLIENT_RESOLVE_NS (30 * BASE_SECOND)     /* the system's resolver gives up earlier */
#define CLIENT_RESOLVE_BACK_NS BASE_SECOND       /* while the old addresses are good, as far as we know */
#define CLIENT_CONNECT_MORE_NS (2 * BASE_SECOND) /* while other addresses are left (RFC 8305 section 8 allows 2 s) */
#define CLIENT_CONNECT_LAST_NS (10 * BASE_SECOND)
#define CLIENT_SETTLE_NS (1500 * BASE_MS)
#define CLIENT_JOIN_NS (6 * BASE_SECOND)
#define CLIENT_LEAVE_NS (300 * BASE_MS)
#define CLIENT_POLL_NS (10 * BASE_MS)      /* how often the transport is asked while it cannot call */
#define CLIENT_STABLE_NS (5 * BASE_SECOND) /* joined for so long: the next loss starts with a fast retry */
#define CLIENT_STATS_NS (10 * BASE_SECOND)
/* So often a relay may send us to another of its shards before we take it for confused and wait. */
#define CLIENT_SHARDS_TRIED_MAX 2

struct client_peer_slot {
	struct base_map_node node;
	struct base_list link; /* in `used` or `spare` */
	uint8_t key[4];
	struct client_peer peer;
	void *cipher; /* opens its frames; NULL: not announced yet, or no room key */
};

struct client_peers {
	struct base_map by_id;
	struct base_list used, spare;
	struct client_peer_slot *slots; /* CLIENT_PEERS_MAX */
	const struct client_cipher *cipher;
	void *cipher_user;
};

struct client_session {
	struct client_config config;
	const struct client_transport *transport;
	void *transport_user;
	const struct client_events *events;
	void *events_user;

	enum client_state state;
	uint64_t deadline; /* of the state */
	uint64_t poll_at;  /* SETTLING and LEAVING */
	uint64_t stats_at, joined_at;
	bool connection_open; /* the transport has one and has not reported its loss */
	bool ever_joined;
	bool addrs_good; /* joined by one of `addrs`, and none was tried since */
	struct base_addr addrs[CLIENT_ADDRS_MAX];
	size_t addr_count, addr_next;
	uint8_t steer_byte;    /* of the room; another one when the relay said so */
	unsigned shards_tried; /* since the name was resolved */
	struct client_backoff backoff;
	char why[CLIENT_WHY_BYTES]; /* the text that events get */
	/* From an address of this attempt that answered and still was no good: why, the exit status, and whether it never
	 * will be. Empty: none answered. */
	char told_why[CLIENT_WHY_BYTES];
	enum client_exit told_status;
	bool told_hopeless;

	struct ctrl_stream stream;
	struct ctrl_welcome welcome; /* while JOINED */
	struct client_peers peers;
	bool gateway_present;
	uint32_t gateway_peer;
	bool lan_down; /* the gateway said so, which may be us */
	bool shut_out; /* the gateway said so of us */
	uint64_t unknown_messages;

	struct queue_pool *pool;
	struct queue_egress *egress;
	uint64_t label_seed[2];
	struct queue_egress_stats seen; /* of the queue's own counters: already in ours */
	struct obs_counters counters;

	bool device_reported, device_ready, route_pinned;
	struct base_addr device_address;
	uint8_t opened[QUEUE_FRAME_BYTES_MAX]; /* the frame of the sealed datagram at hand */
};

/* session.c */
void client_session_joined(struct client_session *session, const struct ctrl_welcome *welcome, uint64_t now);
void client_session_rejected(struct client_session *session, const struct ctrl_reject *reject, uint64_t now);
/* The connection, or the try for one, is over: next address, backoff or end. Closes what is still open. */
void client_session_fail(struct client_session *session, enum client_loss loss, const char *why, uint64_t now);

/* session_control.c */
int client_session_send_hello(struct client_session *session, uint16_t budget, char error[static CTRL_ERROR_BYTES],
                              uint64_t now);
void client_session_send_stats(struct client_session *session, uint64_t now);
int client_session_send_disconnect(struct client_session *session, enum ctrl_leave_reason reason, uint64_t now);

/* session_peers.c */
int client_peers_init(struct client_peers *peers, const struct client_config *config); /* 0 or BASE_E_NOMEM */
void client_peers_done(struct client_peers *peers); /* also after a failed init or on zeros */
void client_peers_clear(struct client_peers *peers);
struct client_peer *client_peers_find(const struct client_peers *peers, uint32_t id);
/* The entry of `id`, made when there is none; NULL when the table is full. */
struct client_peer *client_peers_add(struct client_peers *peers, uint32_t id);
void client_peers_remove(struct client_peers *peers, uint32_t id);
/* For a room with a key: the peer's frames can be opened from here on. 0, or an error of the cipher. */
int client_peers_announce(struct client_peers *peers, struct client_peer *peer, const struct ctrl_peer *told);
/* What opens the frames of `id`, or NULL. */
void *client_peers_cipher(const struct client_peers *peers, uint32_t id);

/* session_data.c */
int client_data_init(struct client_session *session); /* 0 or BASE_E_NOMEM */
void client_data_done(struct client_session *session);
void client_data_flush(struct client_session *session); /* waiting frames are counted as NOT_JOINED */
/* The datagram that carries a frame of the MTU. */
size_t client_budget_needed(const struct client_session *session, uint16_t mtu);

#endif
