/* link/driver.h: runs one client_session on a real loop: UDP socket, resolver, timers. Shared by the clients and the
 * gateway. The owner adds its device to the same loop, calls client_session_send for the frames it reads, and lets the
 * driver use the loop's `after` hook (everything queued in a turn leaves at its end). */
#ifndef LINK_DRIVER_H
#define LINK_DRIVER_H

#include "link/transport.h"
#include "loop/loop.h"
#include "net/endpoint.h"

struct link_driver;

struct link_driver_options {
	struct loop *loop;
	struct obs_log *log;
	struct net_endpoint relay;
	struct link_transport_options transport;
	struct client_config session;
	const struct client_events *events;
	void *user; /* of the events and of the calls below */
	bool no_offload;
	/* Called before and after the driver writes its packets, once per turn; may be NULL. `flush` is for writing to the
	 * device what came through the tunnel: first, as it has waited longer than what leaves. */
	void (*flush)(void *user, uint64_t now);
	void (*after_turn)(void *user, uint64_t now);
	/* Called with the relay's address whenever it is about to connect there (route pinning); may be NULL. 0, or an
	 * error: this address is not tried. */
	int (*connecting)(void *user, const struct base_addr *relay, uint64_t now);
};

/* 0, BASE_E_NOMEM, BASE_E_IO, BASE_E_INVALID. Opens the socket; nothing is sent before link_driver_start. */
int link_driver_new(const struct link_driver_options *options, struct link_driver **ret);
void link_driver_free(struct link_driver *driver); /* accepts NULL */
void link_driver_start(struct link_driver *driver, uint64_t now);
/* Calls of the session are legal inside and outside of turns: what they queue leaves with the next turn, which then
 * comes at once. No event may free the driver. */
struct client_session *link_driver_session(struct link_driver *driver);

/* True while the socket is behind: the owner may stop reading its device for a moment. */
bool link_driver_congested(const struct link_driver *driver);

#endif
