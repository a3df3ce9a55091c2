/* tests/sim/party.h: whole parties in memory: a relay (relay_shard), clients and gateways (client_session on
 * link_transport with their bridges) and the LANs behind the gateways, on the network of net.h. Everything that decides
 * anything is the real object; simulated are datagrams, devices, processes and time.
 *
 * The simulation looks at three places and compares them at every event: who sits where according to the relay
 * (truth.c), what each peer is told and handed (truth.c), and the counters of all sides (books.c). Any test may break a
 * rule at any moment, the first break ends it. */
#ifndef TESTS_SIM_PARTY_H
#define TESTS_SIM_PARTY_H

#include "client-core/bridge.h"
#include "frames.h"
#include "gateway/bridge.h"
#include "link/transport.h"
#include "net.h"
#include "proto/mtu.h"
#include "relay/shard.h"
#include "roomkey/roomkey.h"

#define SIM_SHARDS 3
#define SIM_MEMBERS_MAX 64 /* bits of a mask */
#define SIM_STATIONS 3     /* on each LAN */
#define SIM_IDS_MAX 2048
#define SIM_SEATS_MAX 4096
#define SIM_SENT_MAX 100000

/* One stay of one peer in one room, as the relay has it. */
struct sim_seat {
	unsigned epoch; /* which life of the relay */
	unsigned room;
	uint64_t room_opened_at; /* which life of the room */
	uint32_t id;
	uint16_t mtu;
	enum ctrl_role role;
	struct proto_mac mac;
	struct sim_member *member;       /* NULL: came and went in one turn, nobody saw who it was */
	uint32_t gateway_then;           /* id of the gateway at the join, 0: none */
	uint64_t joined_at, left_at;     /* BASE_NEVER while there */
	unsigned joined_turn, left_turn; /* changes of one turn have the same number */
	enum ctrl_leave_reason reason;   /* CTRL_LEAVE_REASON_COUNT: several left at once, or the relay died */
};

/* What a peer was told during its stay. */
struct sim_view {
	enum { SIM_NEVER_TOLD, SIM_PRESENT, SIM_GONE } told[SIM_IDS_MAX];
	uint32_t last_id; /* of the last peer_joined */
	unsigned last_left_turn;
	size_t present, gateways;
	bool heard_news; /* something that happened after the own join */
};

/* One frame that a device handed out, whatever became of it. */
struct sim_sent {
	struct sim_member *member; /* whose device */
	const struct sim_seat *seat;
	enum sim_kind kind;
	struct proto_mac dst, src;
	size_t len; /* as it may arrive */
	uint64_t hash;
	uint64_t sent_at;
	bool from_lan;
	bool may_pass; /* else nobody may ever get it, not even a peer's filters */
	bool not_to_lan;
	uint64_t raw;    /* members whose session got it from the relay */
	uint64_t device; /* members whose device (a gateway's: LAN) got it */
	uint64_t must;   /* members whose device has to get it */
};

struct sim_member {
	struct sim_party *party;
	unsigned index, room;
	char name[CTRL_NAME_BYTES_MAX], room_code[CTRL_ROOM_BYTES_MAX];
	enum ctrl_role role;
	struct proto_mac mac;
	uint32_t ip;
	uint8_t seat_key[CTRL_SEAT_KEY_BYTES];
	struct roomkey *room_key; /* NULL: none; one for all its lives */
	bool hostile;             /* its own filters are off; of a gateway: towards the tunnel */
	bool no_retry;            /* the first refusal ends the process */
	/* The network brings the first packets of its next connection to a wrong shard: those with this connection ID, once
	 * it has been seen. */
	bool stray;
	size_t stray_cid_len;
	uint8_t stray_cid[20];
	struct sim_node node;
	struct proto_mac station[SIM_STATIONS]; /* gateways: the LAN */
	uint32_t station_ip[SIM_STATIONS];
	bool stations_answer; /* unicast to a station is answered with unicast */

	/* The process; all NULL while it does not run. */
	struct link_transport *transport;
	struct client_session *session;
	struct client_bridge bridge;
	struct gateway_remotes remotes;
	struct gateway_guard *guard;
	struct gateway_bridge lan_bridge;
	bool wanted; /* started, and not told to leave since */
	bool ended;
	enum client_exit status;
	char why[200];
	uint64_t last_event;
	uint64_t device_in, device_out;
	uint64_t local_drops[OBS_DROP_COUNT], tunnel_drops[OBS_DROP_COUNT]; /* by the bridge */

	const struct sim_seat *seat; /* while joined by its own account */
	struct sim_seat *newest;     /* by the relay's */
	struct sim_view view;
	struct obs_counters at_join;
	size_t joins, losses;
};

struct sim_party {
	struct sim_net net;
	struct relay_limits limits;
	struct quic_settings quic;
	struct quic_identity *identity;
	struct quic_trust *trust;
	/* The relay's shards, which the simulation runs in turn in one thread; `up` says whether they are there. */
	struct relay_shard *shards[SIM_SHARDS];
	struct relay_shared *shared;
	struct quic_gate *gate;
	bool up;
	struct sim_node relay;
	struct sim_link member_link; /* of new members */
	unsigned epoch, turn;
	struct relay_totals looked_at; /* at the last look */
	/* LANs give clients' frames back. Not where clients come and go: one whose frame comes back when it is no longer
	 * there passes for a LAN station, and is kept out until that one is silent for long. */
	bool loops;
	bool lossless; /* the network promises to lose nothing but what is too big */
	struct sim_member *members[SIM_MEMBERS_MAX];
	size_t member_count;
	struct sim_seat *seats[SIM_SEATS_MAX];
	size_t seat_count;
	struct sim_sent *sent; /* SIM_SENT_MAX */
	size_t sent_count;
	uint16_t next_port;
	struct obs_log *log; /* NULL, or LANPARTY_SIM_LOG=1 */
};

extern const struct sim_link sim_good_link; /* 10 ms, 1500 bytes, nothing lost */
extern const struct proto_mac sim_broadcast;

/* party.c: life. All members get `link` both ways until a test changes theirs. */
struct sim_party *sim_party_new(const char *scenario, uint64_t seed, const struct sim_link *link);
void sim_relay_start(struct sim_party *party); /* the same certificate and key each time */
void sim_relay_stop(struct sim_party *party);  /* as if killed */
struct sim_member *sim_member_new(struct sim_party *party, enum ctrl_role role, unsigned room);
static inline struct relay_core *sim_core(const struct sim_party *party, unsigned shard) {
	return relay_shard_core(party->shards[shard]);
}
/* Of all shards. */
struct relay_totals sim_totals(const struct sim_party *party);
void sim_relay_shutdown(struct sim_party *party);
bool sim_relay_is_drained(const struct sim_party *party);
#define sim_client(party, room) sim_member_new(party, CTRL_ROLE_CLIENT, room)
#define sim_gateway(party, room) sim_member_new(party, CTRL_ROLE_GATEWAY, room)
/* Before it starts; the room's others need the same passphrase. */
void sim_member_set_room_key(struct sim_member *member, const char *passphrase);
void sim_member_set_link(struct sim_member *member, const struct sim_link *link);
void sim_member_start(struct sim_member *member);  /* a new process with the same identity on a new port */
void sim_member_leave(struct sim_member *member);  /* says goodbye */
void sim_member_crash(struct sim_member *member);  /* does not */
void sim_member_rebind(struct sim_member *member); /* its NAT gives it another port */
void sim_start_all(struct sim_party *party);
/* The relay and everybody are started, and settled within this time. */
void sim_all_in(struct sim_party *party, uint64_t within_ns);
static inline bool sim_is_running(const struct sim_member *member) {
	return member->session != NULL && member->wanted && !member->ended;
}
/* Everybody leaves; all books are closed; the relay forgets everything. Frees the party. */
void sim_party_finish(struct sim_party *party);

/* device.c: frames. Each returns the frame's record, which lives as long as the party. */
struct sim_sent *sim_send(struct sim_member *client, enum sim_kind kind, struct proto_mac dst, size_t len);
struct sim_sent *sim_send_as(struct sim_member *client, struct proto_mac src, uint32_t ip, enum sim_kind kind,
                             struct proto_mac dst, size_t len);
struct sim_sent *sim_lan_send(struct sim_member *gateway, struct proto_mac src, uint32_t ip, enum sim_kind kind,
                              struct proto_mac dst, size_t len);
/* A datagram under a source id of the test's choice, past the session's own checks. */
struct sim_sent *sim_send_datagram(struct sim_member *client, uint32_t source_id, struct proto_mac dst, size_t len);
/* Any frame to any destination from any running member, good or bad. */
void sim_send_random(struct sim_party *party);
/* Everybody who is in sends every kind to everybody; exactly what may arrive has to. Needs a lossless network. */
void sim_exact_round(struct sim_party *party);
/* From the session to the device. */
void sim_device_frame(struct sim_member *member, uint32_t source_peer, struct slice frame, uint64_t now);

/* truth.c */
void sim_observe(struct sim_party *party); /* after every turn of the relay */
void sim_epoch_over(struct sim_party *party);
void sim_told_welcome(struct sim_member *member, const struct ctrl_welcome *welcome);
void sim_told_joined(struct sim_member *member, const struct client_peer *peer);
void sim_told_left(struct sim_member *member, const struct client_peer *peer, enum ctrl_leave_reason reason);
void sim_forget_view(struct sim_member *member);
/* A frame came out of the session: its record, or the test ends. */
struct sim_sent *sim_check_raw(struct sim_member *member, uint32_t source_peer, struct slice frame);
/* ... and passed the bridge. */
void sim_check_device(struct sim_member *member, uint32_t source_peer, struct sim_sent *sent);
/* Everybody who runs is in, everybody knows exactly who else is, and the relay has no other seats. */
bool sim_is_settled(struct sim_party *party);
void sim_settle(struct sim_party *party, uint64_t within_ns);
size_t sim_seats_open(const struct sim_party *party, unsigned room);

/* books.c */
void sim_check_process(struct sim_member *member); /* the counters of one client or gateway */
void sim_check_relay(struct sim_party *party);
void sim_check_books(struct sim_party *party); /* all, and those of both ends of each connection against each other */

#endif
