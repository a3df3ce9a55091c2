/* bench/micro/quic_cases.c: a client's connection to a server, in memory and in virtual time: what a datagram costs to
 * seal, open and account for, by how many are moved at once. Reading a whole batch before writing is how we acknowledge
 * rarely; the aside shows how rarely. */
#include "base/error.h"
#include "bench/micro/micro.h"
#include "quic/server.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEP_NS (100 * BASE_US) /* half a round trip */
#define HANDSHAKE_STEPS 30000

struct pair {
	struct quic_conn *client;
	struct quic_server *server;
	struct quic_identity *identity;
	struct quic_trust *trust;
	struct base_path to_server, to_client;
	uint64_t now;
	size_t batch, size, offered, heard, acknowledgements;
	bool settled;
	uint8_t payload[1500], buf[QUIC_BURST_BYTES];
};

static void on_done(void *user, struct quic_conn *conn, uint64_t now) {
	(void)user, (void)conn, (void)now;
}

static void on_control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	(void)user, (void)conn, (void)bytes, (void)fin, (void)now;
}

static void on_datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	struct pair *pair = user;

	(void)conn, (void)payload, (void)now;
	pair->heard++;
}

static void on_closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	(void)user, (void)conn, (void)now;
	micro_die(why->text);
}

static bool on_next(void *user, struct slice *ret, uint64_t now) {
	struct pair *pair = user;

	(void)now;
	*ret = slice_of(pair->payload, pair->size);
	return pair->offered > 0;
}

static void on_taken(void *user, bool sent, uint64_t now) {
	struct pair *pair = user;

	(void)now;
	if (!sent)
		micro_die("a datagram is too big for the path");
	pair->offered--;
}

static const struct quic_events client_events = {on_done, on_control, on_datagram, on_closed, on_next, on_taken};
static const struct quic_events server_events = {on_done, on_control, on_datagram, on_closed, NULL, NULL};

static bool on_accept(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now) {
	(void)remote, (void)now;
	quic_conn_set_user(conn, user);
	return true;
}

/* What the client has to say reaches the server. */
static void up(struct pair *pair) {
	struct quic_burst burst;

	while (quic_conn_write(pair->client, pair->buf, sizeof(pair->buf), &burst, pair->now) > 0) {
		for (size_t at = 0; at < burst.len; at += burst.segment) {
			size_t len = burst.len - at < burst.segment ? burst.len - at : burst.segment;

			quic_server_recv(pair->server, &pair->to_client, 0, slice_of(pair->buf + at, len), pair->now);
		}
	}
}

static void down(struct pair *pair) {
	struct quic_burst burst;

	while (quic_server_write(pair->server, pair->buf, sizeof(pair->buf), &burst, pair->now) > 0) {
		for (size_t at = 0; at < burst.len; at += burst.segment, pair->acknowledgements++) {
			size_t len = burst.len - at < burst.segment ? burst.len - at : burst.segment;

			quic_conn_recv(pair->client, &pair->to_server, 0, slice_of(pair->buf + at, len), pair->now);
		}
	}
}

static void step(struct pair *pair) {
	pair->now += STEP_NS;
	if (quic_conn_deadline(pair->client) <= pair->now)
		quic_conn_tick(pair->client, pair->now);
	up(pair);
	pair->now += STEP_NS;
	if (quic_server_deadline(pair->server) <= pair->now)
		quic_server_tick(pair->server, pair->now);
	down(pair);
}

static void make_ends(struct pair *pair) {
	const char *name = "relay.test";
	char error[QUIC_ERROR_BYTES];
	struct quic_server_options server = {.events = &server_events, .accept = on_accept, .user = pair};
	struct quic_client_options client = {
	    .path = pair->to_server, .server_name = name, .events = &client_events, .user = pair};

	pair->trust = quic_trust_new();
	if (pair->trust == NULL ||
	    quic_identity_self_signed(&name, 1, (uint64_t)time(NULL) * BASE_SECOND, &pair->identity, error) != 0 ||
	    quic_trust_add_certificate(pair->trust, quic_identity_der(pair->identity), error) != 0)
		micro_die("no certificate");
	server.identity = pair->identity;
	client.trust = pair->trust;
	if (quic_server_new(&server, &pair->server) != 0 || quic_client_new(&client, pair->now, &pair->client) != 0)
		micro_die("no connection");
}

static void *open_pair(const struct micro_case *self) {
	struct base_addr server = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443};
	struct base_addr client = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 2}, .port = 40000};
	struct pair *pair = calloc(1, sizeof(*pair));

	if (pair == NULL)
		micro_die("out of memory");
	pair->to_server = (struct base_path){.local = client, .remote = server};
	pair->to_client = (struct base_path){.local = server, .remote = client};
	pair->now = MICRO_START_NS;
	pair->size = self->size;
	pair->batch = self->variant;
	make_ends(pair);
	for (size_t i = 0; i < HANDSHAKE_STEPS && !quic_conn_budget_settled(pair->client, pair->now); i++)
		step(pair);
	if (quic_conn_datagram_budget(pair->client) < self->size)
		micro_die("the path carries no such datagram");
	pair->acknowledgements = 0;
	return pair;
}

static void run_pair(void *state, size_t frames) {
	struct pair *pair = state;

	for (size_t target = pair->heard + frames; pair->heard < target;) {
		if (pair->offered == 0)
			pair->offered = pair->batch;
		step(pair);
	}
}

static double pair_aside(const void *state) {
	const struct pair *pair = state;

	return (double)pair->acknowledgements / (double)pair->heard;
}

static void close_pair(void *state) {
	struct pair *pair = state;

	quic_conn_free(pair->client);
	quic_server_free(pair->server);
	quic_trust_unref(pair->trust);
	quic_identity_unref(pair->identity);
	free(pair);
}

#define PAIR \
	.open = open_pair, .run = run_pair, .close = close_pair, .aside = pair_aside, .aside_text = "answers per datagram"
const struct micro_case micro_quic_cases[] = {
    {.name = "QUIC datagram, 1400, batch 1", PAIR, .size = 1400, .variant = 1},
    {.name = "QUIC datagram, 1400, batch 8", PAIR, .size = 1400, .variant = 8},
    {.name = "QUIC datagram, 1400, batch 32", PAIR, .size = 1400, .variant = 32},
    {.name = "QUIC datagram, 200, batch 1", PAIR, .size = 200, .variant = 1},
    {.name = "QUIC datagram, 200, batch 32", PAIR, .size = 200, .variant = 32},
    {.name = NULL},
};
