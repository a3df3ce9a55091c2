#include "link/transport.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Connections that are over but may still have a CONNECTION_CLOSE to send. It is sent once: a relay that misses it
 * notices by its idle timeout, or gives the seat back to the next connection of the same peer. */
#define CLOSING_MAX 4

_Static_assert((int)CLIENT_CLOSE_DONE == (int)QUIC_APP_DONE, "the session's codes are those of quic_app_code");
_Static_assert((int)CLIENT_CLOSE_PROTOCOL == (int)QUIC_APP_PROTOCOL, "the session's codes are those of quic_app_code");
_Static_assert((int)CLIENT_CLOSE_HELLO_TIMEOUT == (int)QUIC_APP_HELLO_TIMEOUT,
               "the session's codes are those of quic_app_code");

struct link_transport {
	struct link_transport_options options;
	char *server_name;
	struct client_session *session;
	struct quic_conn *conn; /* NULL without one */
	struct base_addr local; /* of conn's path: the wildcard of the relay's family */
	struct quic_conn *closing[CLOSING_MAX];
	size_t closing_count;
};

/* The connection is no longer the session's; what it still has to write goes out with the next writes. */
static void retire(struct link_transport *transport) {
	if (transport->closing_count == CLOSING_MAX) {
		quic_conn_free(transport->closing[0]);
		transport->closing_count--;
		memmove(transport->closing, transport->closing + 1, transport->closing_count * sizeof(transport->closing[0]));
	}
	transport->closing[transport->closing_count++] = transport->conn;
	transport->conn = NULL;
}

/* --- from the connection; one that is retired has nothing to say any more --- */

static void on_handshake_done(void *user, struct quic_conn *conn, uint64_t now) {
	struct link_transport *transport = user;

	if (conn == transport->conn)
		client_session_connected(transport->session, now);
}

static void on_control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	struct link_transport *transport = user;

	if (conn == transport->conn)
		client_session_control(transport->session, bytes, fin, now);
}

static void on_datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	struct link_transport *transport = user;

	if (conn == transport->conn)
		client_session_datagram(transport->session, payload, now);
}

/* What the end of a connection is to the session, and how to say it; NULL: in the words of the connection, which calls
 * the relay its peer. */
static const struct {
	enum client_loss loss;
	const char *text;
} losses[] = {
    [QUIC_CLOSED_BY_US] = {CLIENT_LOSS_PROTOCOL, NULL},
    [QUIC_CLOSED_BY_PEER] = {CLIENT_LOSS_CLOSED_BY_RELAY, NULL},
    [QUIC_CLOSED_IDLE] = {CLIENT_LOSS_TIMEOUT, "nothing was heard from the relay any more"},
    [QUIC_CLOSED_HANDSHAKE_TIMEOUT] = {CLIENT_LOSS_UNREACHABLE, NULL},
    [QUIC_CLOSED_RESET] = {CLIENT_LOSS_RESET, "the relay no longer knows this connection (was it started again?)"},
    [QUIC_CLOSED_TLS] = {CLIENT_LOSS_TLS, NULL},
    [QUIC_CLOSED_NO_DATAGRAM] = {CLIENT_LOSS_NO_DATAGRAM, "the relay does not support QUIC DATAGRAM frames"},
    [QUIC_CLOSED_NARROWED] = {CLIENT_LOSS_TIMEOUT, NULL},
    [QUIC_CLOSED_UNSAID] = {CLIENT_LOSS_CLOSED_BY_RELAY, NULL},
    [QUIC_CLOSED_ERROR] = {CLIENT_LOSS_PROTOCOL, NULL},
};

/* Any acknowledgement: what fails after one is not for want of a relay, or of a way to it. */
static bool was_answered(const struct quic_conn *conn) {
	struct quic_info info;

	quic_conn_info(conn, &info);
	return info.rtt_ns != 0;
}

static void on_closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	struct link_transport *transport = user;
	enum client_loss loss = losses[why->kind].loss;

	if (conn != transport->conn)
		return;
	const char *text = losses[why->kind].text != NULL ? losses[why->kind].text : why->text;
	if (why->kind == QUIC_CLOSED_HANDSHAKE_TIMEOUT && !was_answered(conn))
		text = "the relay does not answer";
	if (why->kind == QUIC_CLOSED_BY_PEER && why->code == QUIC_APP_REPLACED) {
		loss = CLIENT_LOSS_REPLACED;
		text = "another process with this identity took the seat (a copy of the --identity file?)";
	}
	/* Later the same code ends who floods. */
	if (why->kind == QUIC_CLOSED_BY_PEER && why->code == QUIC_APP_LIMIT &&
	    client_session_state(transport->session) == CLIENT_CONNECTING) {
		loss = CLIENT_LOSS_REFUSED;
		text = "the relay takes no more connections, or no more from this address";
	}
	retire(transport);
	client_session_lost(transport->session, loss, text, now);
}

static bool on_next(void *user, struct slice *ret_payload, uint64_t now) {
	struct link_transport *transport = user;

	return client_session_next(transport->session, ret_payload, now);
}

static void on_taken(void *user, bool sent, uint64_t now) {
	struct link_transport *transport = user;

	client_session_taken(transport->session, sent, now);
}

static const struct quic_events quic_events = {
    .handshake_done = on_handshake_done,
    .control = on_control,
    .datagram = on_datagram,
    .closed = on_closed,
    .next = on_next,
    .taken = on_taken,
};

/* --- from the session --- */

static void transport_wake(void *user) {
	struct link_transport *transport = user;

	if (transport->options.wake != NULL)
		transport->options.wake(transport->options.user);
}

static void transport_resolve(void *user, uint64_t now) {
	struct link_transport *transport = user;

	transport->options.resolve(transport->options.user, now);
}

/* The local address is the kernel's choice, per packet: when it changes, the relay sees a rebound NAT. */
static int transport_open(void *user, const struct base_addr *remote, uint8_t steer_byte, uint64_t now) {
	struct link_transport *transport = user;
	struct quic_client_options options = {
	    .path = {.local = {.family = remote->family}, .remote = *remote},
	    .server_name = transport->server_name,
	    .trust = transport->options.trust,
	    .settings = transport->options.settings,
	    .events = &quic_events,
	    .user = transport,
	    .has_steer_byte = true,
	    .steer_byte = steer_byte,
	};

	assert(transport->conn == NULL && transport->session != NULL);
	if (transport->options.opening != NULL) {
		int err = transport->options.opening(transport->options.user, remote, now);

		if (err != 0)
			return err;
	}
	transport->local = options.path.local;
	transport_wake(transport);
	return quic_client_new(&options, now, &transport->conn);
}

static void transport_close(void *user, unsigned code, const char *text, uint64_t now) {
	struct link_transport *transport = user;
	struct quic_conn *conn = transport->conn;

	if (conn == NULL)
		return;
	retire(transport);
	quic_conn_shutdown(conn, (enum quic_app_code)code, text, now);
	transport_wake(transport);
}

static int transport_control_send(void *user, struct slice bytes, uint64_t now) {
	struct link_transport *transport = user;

	(void)now;
	transport_wake(transport);
	return transport->conn == NULL ? BASE_E_STATE : quic_conn_control_send(transport->conn, bytes);
}

static bool transport_control_flushed(void *user) {
	struct link_transport *transport = user;

	return transport->conn == NULL || quic_conn_control_flushed(transport->conn);
}

static size_t transport_budget(void *user) {
	struct link_transport *transport = user;

	return transport->conn == NULL ? 0 : quic_conn_datagram_budget(transport->conn);
}

static bool transport_budget_settled(void *user, uint64_t now) {
	struct link_transport *transport = user;

	return transport->conn != NULL && quic_conn_budget_settled(transport->conn, now);
}

static uint64_t transport_rtt_ns(void *user) {
	struct link_transport *transport = user;
	struct quic_info info;

	if (transport->conn == NULL)
		return 0;
	quic_conn_info(transport->conn, &info);
	return info.rtt_ns;
}

const struct client_transport link_transport_ops = {
    .resolve = transport_resolve,
    .open = transport_open,
    .close = transport_close,
    .control_send = transport_control_send,
    .control_flushed = transport_control_flushed,
    .budget = transport_budget,
    .budget_settled = transport_budget_settled,
    .rtt_ns = transport_rtt_ns,
    .wake = transport_wake,
};

/* --- from whoever moves the datagrams --- */

int link_transport_new(const struct link_transport_options *options, struct link_transport **ret) {
	struct link_transport *transport = calloc(1, sizeof(*transport));

	if (transport == NULL)
		return BASE_E_NOMEM;
	transport->options = *options;
	transport->server_name = strdup(options->server_name != NULL ? options->server_name : "");
	if (transport->server_name == NULL) {
		free(transport);
		return BASE_E_NOMEM;
	}
	if (options->trust != NULL)
		quic_trust_ref(options->trust);
	*ret = transport;
	return 0;
}

void link_transport_attach(struct link_transport *transport, struct client_session *session) {
	transport->session = session;
}

void link_transport_free(struct link_transport *transport) {
	if (transport == NULL)
		return;
	quic_conn_free(transport->conn);
	for (size_t i = 0; i < transport->closing_count; i++)
		quic_conn_free(transport->closing[i]);
	quic_trust_unref(transport->options.trust);
	free(transport->server_name);
	free(transport);
}

void link_transport_recv(struct link_transport *transport, const struct base_path *path, uint8_t ecn,
                         struct slice datagram, uint64_t now) {
	struct base_path as_opened = {.local = transport->local, .remote = path->remote};

	if (transport->conn != NULL)
		quic_conn_recv(transport->conn, &as_opened, ecn, datagram, now);
}

int link_transport_write(struct link_transport *transport, uint8_t *buf, size_t cap, struct quic_burst *ret,
                         uint64_t now) {
	while (transport->closing_count > 0) {
		struct quic_conn *conn = transport->closing[transport->closing_count - 1];

		if (quic_conn_write(conn, buf, cap, ret, now) > 0)
			return 1;
		quic_conn_free(conn);
		transport->closing_count--;
	}
	return transport->conn == NULL ? 0 : quic_conn_write(transport->conn, buf, cap, ret, now);
}

uint64_t link_transport_deadline(const struct link_transport *transport) {
	uint64_t deadline = transport->conn == NULL ? BASE_NEVER : quic_conn_deadline(transport->conn);

	return transport->session == NULL ? deadline : base_time_min(deadline, client_session_deadline(transport->session));
}

void link_transport_tick(struct link_transport *transport, uint64_t now) {
	if (transport->conn != NULL && now >= quic_conn_deadline(transport->conn))
		quic_conn_tick(transport->conn, now);
	if (transport->session != NULL && now >= client_session_deadline(transport->session))
		client_session_tick(transport->session, now);
}
