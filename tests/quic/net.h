/* tests/quic/net.h: a server and some clients on an in-memory network with virtual time that loses, reorders and
 * duplicates datagrams, drops those over its MTU, and may have a line or a radio in the way. Everything random comes
 * from one printed seed. */
#ifndef TESTS_QUIC_NET_H
#define TESTS_QUIC_NET_H

#include "base/rng.h"
#include "quic/server.h"
#include "unit.h"

#define NET_CLIENTS_MAX 16
#define NET_ENDS_MAX 64 /* of connections at the server, closed ones too */
#define NET_IP_UDP_BYTES 28
#define NET_START (1000 * BASE_SECOND)
#define NET_DATAGRAM_MIN 8
#define NET_SHARD 4 /* of the server, which is not the only one */
#define NET_SHARDS 7

/* One end of a connection: what it heard and what it has to say. */
struct net_peer {
	struct net *net;
	struct quic_conn *conn; /* NULL once closed (server) or freed (client) */
	struct base_addr local; /* clients */
	struct base_addr nat;   /* clients: what the server sees; family NONE: `local` */
	unsigned done, closed;
	uint64_t done_at;
	struct quic_close why;
	/* control stream: heard bytes must be the pattern from 0 on; `say` bytes are queued at the handshake's end */
	size_t control_heard, control_said, control_say;
	bool fin, shut_in_control;
	/* datagrams: numbers from 0 on */
	uint32_t next_number, stop_number;
	size_t datagram_len, oversize_every;
	bool vary; /* lengths from 8 to datagram_len, by number */
	uint32_t heard, sent, given_up, disordered, last_number;
	uint64_t heard_at;
	size_t largest_heard;
	uint8_t payload[2048];
};

struct net_packet {
	struct net_packet *next;
	uint64_t at;
	struct base_path path; /* as the receiver sees it */
	bool to_server;
	struct net_peer *client;
	size_t len;
	uint8_t bytes[];
};

struct net {
	uint64_t seed, now;
	struct base_rng rng;
	uint64_t latency_ns;
	unsigned loss_permille, duplicate_permille, reorder_permille;
	size_t mtu;
	uint64_t rate, queue_ns; /* bytes per second each way and the longest wait for it; 0: no bottleneck */
	uint64_t free_at[2], longest_queue_ns;
	/* A radio behind the bottleneck: packets arrive when its turn begins, or late by up to so much. In order. */
	uint64_t turn_ns, jitter_ns, arrival[2];
	bool cut; /* nothing arrives anywhere */
	struct net_packet *packets;
	uint64_t sent, lost, too_big;
	size_t largest;
	struct base_addr server_addr;
	struct quic_identity *identity;
	struct quic_server *server;
	struct quic_server_limits limits;
	struct quic_gate *gate;        /* NULL: the server's own */
	struct quic_settings settings; /* of clients and server */
	bool refuse;
	uint8_t steer_byte; /* of the clients to come; 0: none */
	struct net_peer client[NET_CLIENTS_MAX];
	size_t clients;
	struct net_peer at_server[NET_ENDS_MAX];
	size_t at_server_count;
	/* sees every datagram to the server; false drops it */
	bool (*tap)(struct net *net, struct slice datagram);
	size_t tap_count;
};

extern const struct quic_events net_events;
extern uint64_t net_usual_seed; /* where QUIC_TEST_SEED names none; 0: the time */

void net_init(struct net *net); /* self-signed identity for "relay.test"; starts the server */
void net_done(struct net *net);
/* A new server in place of the old one, which says nothing about its end. What `limits`, `gate` and `settings` hold
 * applies to it. */
void net_server_restart(struct net *net);
struct quic_trust *net_trust_pin(struct net *net); /* pins the identity; the caller unrefs */
struct net_peer *net_connect(struct net *net, const char *name, struct quic_trust *trust);
struct net_peer *net_connect_pinned(struct net *net);
struct base_path net_path(const struct net *net, const struct net_peer *client);
/* Sends a datagram to the server as if from `from`. */
void net_inject(struct net *net, struct base_addr from, struct slice datagram);
/* The server receives at once, from `from`, the first packet of a client that never goes on: a half-open connection. */
void net_knock(struct net *net, struct base_addr from);

void net_run(struct net *net, uint64_t duration);
/* Runs until the condition holds; false when it did not within `limit`. */
bool net_run_until(struct net *net, bool (*condition)(const struct net *net), uint64_t limit);
bool net_all_connected(const struct net *net); /* every client, and the server's end of it */
bool net_all_closed(const struct net *net);

uint8_t net_pattern(size_t offset);
void net_say(struct net_peer *peer, size_t bytes); /* control stream */
void net_send(struct net_peer *peer, uint32_t count, size_t len);
void net_flush(struct net *net);

#endif
