/* tests/relay/party.h: a relay_core with fake connections. Each connection remembers what it was told, in order over
 * all connections (`seq`), and gives up datagrams when asked. */
#ifndef TESTS_RELAY_PARTY_H
#define TESTS_RELAY_PARTY_H

#include "relay/internal.h"

#define PARTY_CONNS 80
#define PARTY_HEARD 160

struct heard {
	unsigned seq;
	struct ctrl_message message;
};

struct conn {
	struct party *party;
	struct relay_peer *peer; /* NULL when closed or never accepted */
	size_t budget;
	bool settled, flushed, deaf;
	struct ctrl_stream stream;
	struct heard heard[PARTY_HEARD];
	size_t heard_count;
	bool close_asked;
	unsigned closed_seq;
	enum quic_app_code code;
	char text[200];
	unsigned wakes;
};

struct party {
	struct relay_core *core;
	struct obs_log *log;
	char log_text[65536];
	size_t log_len;
	unsigned seq;
	uint64_t now;
	struct conn conns[PARTY_CONNS];
	size_t conn_count;
	bool one_address; /* the connections to come are all from it */
};

/* All connections have this budget unless a test changes it: the TAP MTU cap and headroom fit. */
#define PARTY_BUDGET 1440

struct party *party_new(const struct relay_limits *limits); /* NULL: defaults */
struct party *party_new_logged(enum obs_level level);
struct party *party_new_with(const struct relay_core_options *options); /* transport and seed are filled in */
struct party *party_new_open(void);                                     /* without the layer-2 policy */
void party_free(struct party *party);

/* A connection after its handshake. */
struct conn *party_connect(struct party *party);
void party_say(struct conn *conn, const struct ctrl_message *message);
void party_say_bytes(struct conn *conn, const void *bytes, size_t len, bool fin);
void party_say_json(struct conn *conn, const char *json);
/* The transport's end: removes the peer from the core. */
void party_hang_up(struct conn *conn, enum ctrl_leave_reason reason);
/* Ticks at every deadline until `ns` have passed; connections the core closed are hung up at once. */
void party_run(struct party *party, uint64_t ns);

struct ctrl_message party_hello(const char *room, enum ctrl_role role, unsigned mac, unsigned key);
/* The same as of a peer that has a room key; `key` tells keys apart, 0: none. */
struct ctrl_message party_keyed_hello(const char *room, enum ctrl_role role, unsigned mac, uint8_t key);
struct relay_room *party_room(const struct party *party, const char *room); /* without a key */
/* Connect and hello; returns after the decision. `mac` 0: the gateway. `key` 0: no seat key. */
struct conn *party_join(struct party *party, const char *room, unsigned mac, unsigned key);
#define party_gateway(party, room) party_join(party, room, 0, 0)

struct proto_mac party_mac(unsigned n); /* 02:00:00:00:hi:lo */
extern const struct proto_mac party_broadcast;

/* The n-th heard message, or a failure; the last one with the type, or NULL. */
const struct ctrl_message *party_heard(const struct conn *conn, size_t n, enum ctrl_type type);
const struct heard *party_last(const struct conn *conn, enum ctrl_type type);
/* Fails unless the connection was rejected with this code and closed. */
void party_assert_rejected(struct conn *conn, enum ctrl_reject_code code, const char *label);

/* A frame of `len` bytes with a harmless payload, in an overlay datagram under the sender's id. Returns the length. */
size_t party_datagram(uint8_t *buf, size_t cap, uint32_t source, struct proto_mac dst, struct proto_mac src,
                      size_t len);
/* The same with room for a sealed frame's extra bytes, which are zeros. */
size_t party_sealed(uint8_t *buf, size_t cap, uint32_t source, struct proto_mac dst, struct proto_mac src, size_t len);
void party_send(struct conn *conn, struct proto_mac dst, struct proto_mac src, size_t len);
/* Takes everything that waits for the connection; returns how many. */
size_t party_drain(struct conn *conn);
/* The books of everybody, present and gone, add up. */
void party_assert_balance(struct party *party, const char *label);
uint64_t party_drops(const struct conn *conn, enum obs_drop drop); /* rx */

#endif
