/* relay/internal.h: what the files of the core share with each other and with their tests; nobody else includes it.
 *
 *   core.c       connections, timers, ends          control.c    control stream -> actions
 *   admission.c  hello -> welcome or reject         room.c       membership, MAC index, empty rooms
 *   notify.c     control messages to peers          forward.c    one datagram in -> copies (hot)
 *   egress.c     queues towards the peers (hot)     snapshot.c   status as JSON
 *
 * Nobody but core.c ends a peer, and core.c does it at the end of a call: the others say relay_peer_doom, so that no
 * list changes under a loop that walks it. */
#ifndef RELAY_INTERNAL_H
#define RELAY_INTERNAL_H

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "ctrl/stream.h"
#include "queue/egress.h"
#include "relay/core.h"
#include "relay/holds.h"
#include "relay/limiter.h"
#include "relay/stations.h"

enum relay_peer_state {
	RELAY_PEER_HANDSHAKE,
	RELAY_PEER_HELLO,
	RELAY_PEER_SETTLING,
	RELAY_PEER_JOINED,
	RELAY_PEER_LEFT, /* out of the room, its end is due */
	RELAY_PEER_LINGERING,
	RELAY_PEER_CLOSED
};

/* How a peer is ended: what the others are told, what it is told, how the connection is closed. */
struct relay_end {
	enum ctrl_leave_reason reason;
	enum quic_app_code code;
	enum { RELAY_SAY_NOTHING, RELAY_SAY_REJECT, RELAY_SAY_DISCONNECT } say;
	enum ctrl_reject_code reject;
	char text[CTRL_TEXT_BYTES_MAX];
};

/* Rooms are told apart by code and key: one that a stranger opens under the code of others is not in their way. */
#define RELAY_ROOM_ID_BYTES (CTRL_ROOM_BYTES_MAX + CTRL_KEY_CHECK_BYTES)

struct relay_room {
	struct relay_core *core;
	struct base_map_node node; /* core->rooms, by id */
	uint8_t id[RELAY_ROOM_ID_BYTES];
	struct base_list all_link; /* core->all_rooms */
	uint64_t number;           /* of all that the core opened, from 1 on */
	char code[CTRL_ROOM_BYTES_MAX];
	struct base_list peers; /* in the order they joined */
	size_t peer_count;
	struct base_map clients; /* by MAC */
	struct relay_peer *gateway;
	struct base_map_node code_node;  /* core->gateways: of one room of each code that has a gateway */
	struct base_list same_code;      /* the others of that code, in a ring with it */
	struct relay_holds *holds;       /* made when the first seat is to be kept */
	struct relay_stations *stations; /* made with the first gateway */
	struct ctrl_hello stations_of;   /* the gateway on whose LAN they are */
	uint16_t mtu;
	uint64_t narrow_since;       /* that gateway has come by too narrow a path for this, and was not in since; 0: no */
	bool sealed;                 /* has a key */
	uint32_t next_id;            /* 0 when all were given out */
	struct queue_holder held;    /* pool frames in the queues of this room */
	struct base_list empty_link; /* core->empty_rooms while nobody is in it */
	uint64_t empty_until;
	uint64_t opened_at;
	struct relay_bucket join_rate, broadcast_rate;
};

struct relay_peer {
	struct relay_core *core;
	void *conn;
	struct base_list link;        /* core->peers, later core->gone */
	struct base_list doomed_link; /* core->doomed */
	struct base_heap_node timer;
	enum relay_peer_state state;
	struct base_addr remote;
	uint64_t joined_at, last_seen;
	uint64_t linger_until; /* the timer comes earlier, to look whether its last words have arrived */
	struct relay_end end;

	struct ctrl_stream stream;
	struct relay_bucket control_rate;
	uint64_t unknown_messages;
	struct ctrl_hello hello; /* from SETTLING on */
	bool lan_down;           /* a gateway's: it has said so */
	struct ctrl_stats stats; /* the last one; stats_at 0: none yet */
	uint64_t stats_at;

	uint32_t id; /* 0 until joined */
	struct relay_room *room;
	struct base_list room_link;
	struct base_map_node mac_node;
	struct relay_seat seat;

	struct queue_egress *egress;
	struct queue_holder held; /* frames that it sent, in the queues of others; those may outlast its connection */
	struct queue_holder held_for_all; /* those of them that are for more than one */
	uint64_t forwarded;
	uint32_t snapshot; /* the last one that counted its frames */
	struct obs_counters rx, tx;
};

struct relay_core {
	struct relay_limits limits;
	const struct relay_transport *transport;
	void *transport_user;
	struct relay_shared *shared, *own_shared; /* own_shared: NULL when it is of several cores */
	struct obs_log *log;
	uint64_t seed[2];
	unsigned shard, shards;
	bool no_policy;
	bool shutting_down;
	struct base_list peers;
	size_t peer_count;
	struct base_list gone; /* closed peers: freed when no caller can be inside them any more */
	struct base_list doomed;
	struct base_heap timers; /* one a peer */
	struct base_map rooms;
	struct base_map gateways;     /* rooms that have one, by code */
	struct base_list all_rooms;   /* in the order in which they were opened */
	size_t joined_count;          /* peers in rooms */
	struct base_list empty_rooms; /* the one to be forgotten next first */
	struct queue_pool *pool;
	uint64_t next_sweep;
	struct relay_totals totals;
	struct relay_snapshot *snapshot; /* the one in the making, or NULL */
	uint32_t snapshots;              /* begun */
};

static inline bool relay_peer_is_doomed(const struct relay_peer *peer) {
	return !base_list_empty(&peer->doomed_link);
}

/* core.c. The first end counts; it happens before the core's entry point returns. */
void relay_peer_doom(struct relay_peer *peer, const struct relay_end *end);
void relay_peer_reject(struct relay_peer *peer, enum ctrl_reject_code code, const char *text);
/* Broke the rules: before it joined a reject bad_hello, later a disconnect. */
void relay_peer_protocol_error(struct relay_peer *peer, const char *text);
/* Ends whom the call doomed. */
void relay_core_end_doomed(struct relay_core *core, uint64_t now);
void relay_peer_set_timer(struct relay_peer *peer, uint64_t deadline);

/* control.c */
void relay_control_receive(struct relay_peer *peer, struct slice bytes, bool fin, uint64_t now);

/* admission.c: decides now or sets the peer's timer to try again. */
void relay_admission_start(struct relay_peer *peer, uint64_t now);
void relay_admission_try(struct relay_peer *peer, uint64_t now);

/* room.c */
/* The room that the hello is for. */
struct relay_room *relay_room_find(const struct relay_core *core, const struct ctrl_hello *hello);
/* One of the code, whatever its key, that has a gateway; or NULL. */
struct relay_room *relay_room_of_gateway(const struct relay_core *core, const char *code);
/* With the key of the peer that comes in now. 0, BASE_E_FULL (rooms) or BASE_E_NOMEM; a room that is only remembered
 * may have to give way. */
int relay_room_open(struct relay_core *core, const struct ctrl_hello *hello, uint16_t mtu, uint64_t now,
                    struct relay_room **ret);
/* The next peer gets the next id, and goes on with what is kept of its seat. The seat must be free. 0, BASE_E_FULL
 * (nobody was in it, and the relay is full of rooms that somebody is in) or BASE_E_NOMEM; relay_room_rest follows an
 * error. */
int relay_room_enter(struct relay_room *room, struct relay_peer *peer, uint64_t now);
/* Out of list and index, the queue emptied, the others told; the peer is RELAY_PEER_LEFT. `keep`: its seat, if it may
 * be back. relay_room_rest follows, or somebody enters. */
void relay_room_vacate(struct relay_peer *peer, enum ctrl_leave_reason reason, bool keep, uint64_t now);
/* Everybody is made to come again, to a room with a smaller MTU; somebody enters, or relay_room_rest follows. */
void relay_room_narrow(struct relay_room *room, uint16_t mtu, uint64_t now);
/* A room that nobody is in is only remembered, from now on, and perhaps not even that. */
void relay_room_rest(struct relay_room *room, uint64_t now);
/* Both. */
void relay_room_leave(struct relay_peer *peer, enum ctrl_leave_reason reason, uint64_t now);
struct relay_peer *relay_room_client(const struct relay_room *room, struct proto_mac mac);
void relay_room_expire(struct relay_core *core, uint64_t now);
void relay_room_free(struct relay_room *room);

/* notify.c: a peer that cannot be told is doomed. */
void relay_notify_joined(struct relay_peer *joiner);
/* The welcome and the earlier peers. */
void relay_notify_welcome(struct relay_peer *joiner);
void relay_notify_left(struct relay_room *room, uint32_t id, enum ctrl_leave_reason reason);
/* What the gateway has said of its LAN port. */
void relay_notify_lan(struct relay_peer *gateway);
/* To whom the message is about, unless it has left meanwhile. */
void relay_notify_shut_out(const struct relay_room *room, const struct ctrl_message *message);
/* False when the message could not be queued: there is nothing to wait for. */
bool relay_notify_end(struct relay_peer *peer, const struct relay_end *end);

/* forward.c: the frame in a datagram of this room, for the log: of a sealed one only the Ethernet header and the length
 * are right. The datagram must be longer than all headers together. */
struct slice relay_room_frame(const struct relay_room *room, struct slice datagram);

/* egress.c */
/* A pool frame with the datagram's bytes and one reference, or NULL: no buffer for this peer, its room or `target`,
 * which is NULL when it goes to more than one. */
struct queue_frame *relay_egress_frame(struct relay_peer *source, const struct relay_peer *target,
                                       struct slice datagram);
/* Queues a copy for `target`, or books why not. */
bool relay_egress_offer(struct relay_peer *target, struct queue_frame *frame, uint64_t now);
/* Drops what is too old. */
void relay_egress_age(struct relay_peer *peer, uint64_t now);
/* Books everything that waits as dropped and frees the queue. */
void relay_egress_close(struct relay_peer *peer);
/* peer->tx, with what its queue dropped. */
const struct obs_counters *relay_peer_tx(struct relay_peer *peer);
size_t relay_peer_queued(const struct relay_peer *peer); /* frames that wait for it */

/* snapshot.c: said before it happens. */
void relay_snapshot_peer_leaves(struct relay_peer *peer);
void relay_snapshot_room_goes(struct relay_room *room);

void relay_counters_add(struct obs_counters *sum, const struct obs_counters *more);

#endif
