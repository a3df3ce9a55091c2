/* link/transport.h: the glue between a client_session and a quic_conn, still sans-IO: the simulator uses it as it is,
 * link/driver.h puts a socket and a loop under it. */
#ifndef LINK_TRANSPORT_H
#define LINK_TRANSPORT_H

#include "client-core/session.h"
#include "quic/quic.h"

struct link_transport;

struct link_transport_options {
	const char *server_name; /* copied; NULL or "": none */
	struct quic_trust *trust;
	struct quic_settings settings;
	/* As client_transport.resolve. */
	void (*resolve)(void *user, uint64_t now);
	/* Called before each connection is made; an error is the session's failed attempt. May be NULL. */
	int (*opening)(void *user, const struct base_addr *remote, uint64_t now);
	/* Called when there is something new to write, possibly often; may be NULL. */
	void (*wake)(void *user);
	void *user; /* of these calls */
};

/* The vtable to hand to client_session_new, with the link_transport as its user pointer. */
extern const struct client_transport link_transport_ops;

/* 0 or BASE_E_NOMEM; takes a reference of the trust. The session is attached before it starts. */
int link_transport_new(const struct link_transport_options *options, struct link_transport **ret);
void link_transport_attach(struct link_transport *transport, struct client_session *session);
void link_transport_free(struct link_transport *transport); /* accepts NULL */

void link_transport_recv(struct link_transport *transport, const struct base_path *path, uint8_t ecn,
                         struct slice datagram, uint64_t now);
/* As quic_conn_write: call until 0 after every recv, tick and call of the session. Connections that are over say their
 * last word here and are freed. */
int link_transport_write(struct link_transport *transport, uint8_t *buf, size_t cap, struct quic_burst *ret,
                         uint64_t now);
/* Connection and session together: whoever runs a transport needs no other timer. */
uint64_t link_transport_deadline(const struct link_transport *transport);
void link_transport_tick(struct link_transport *transport, uint64_t now);

#endif
