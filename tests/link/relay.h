/* tests/link/relay.h: the smallest relay that a session can live with, over a real quic_server: one room, welcomes
 * whoever says hello (or answers as the test wants), tells everyone of the others, copies each datagram to all others.
 * Sans-IO, like quic_server. */
#ifndef TESTS_LINK_RELAY_H
#define TESTS_LINK_RELAY_H

#include "ctrl/stream.h"
#include "quic/server.h"

#define RELAY_PEERS_MAX 8
#define RELAY_QUEUE_MAX 64

struct relay;

struct relay_peer {
	struct relay *relay;
	struct quic_conn *conn; /* NULL: free */
	uint32_t id;
	bool joined;
	struct ctrl_stream stream;
	struct ctrl_hello hello;
	uint8_t queue[RELAY_QUEUE_MAX][1600];
	size_t lens[RELAY_QUEUE_MAX];
	size_t first, count;
};

struct relay {
	struct quic_identity *identity;
	struct quic_server *server;
	struct relay_peer peers[RELAY_PEERS_MAX];
	uint32_t next_id;
	size_t connections_max;     /* 0: the server's default; for relay_restart */
	struct ctrl_reject *reject; /* answer to each hello, when not NULL */
	bool silent;                /* no answer at all */
	bool echo;                  /* datagrams go back as if from peer 1000, announced as the gateway */
	/* What happened. */
	size_t hellos, stats, datagrams, disconnects, closed;
	struct ctrl_hello hello;
	enum ctrl_leave_reason reason;
	struct quic_close why;
};

#define RELAY_GATEWAY_ID 1000

void relay_init(struct relay *relay); /* makes the identity and starts the server */
void relay_done(struct relay *relay);
/* A relay that was killed and started again: knows nobody; another certificate when asked. */
void relay_restart(struct relay *relay, bool new_identity);
/* Says something to everyone who joined. */
void relay_say(struct relay *relay, const struct ctrl_message *message);
/* Closes every connection. */
void relay_close_all(struct relay *relay, enum quic_app_code code, uint64_t now);
struct quic_trust *relay_trust(const struct relay *relay);

#endif
