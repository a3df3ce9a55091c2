/* gateway/lan_port.h: whole frames in and out of a packet socket, in batches: reads are drained up to a bound for each
 * turn, writes wait for the turn's end and leave merged, with one system call. Knows no rule of the bridge. */
#ifndef GATEWAY_LAN_PORT_H
#define GATEWAY_LAN_PORT_H

#include "gateway/packet_socket.h"
#include "link/capture.h"

struct gateway_lan_port;

struct gateway_lan_port_options {
	void (*deliver)(void *user, struct slice frame, uint64_t now);
	void *user;
	bool no_offload;               /* frames leave as they came, none merged */
	struct obs_counters *counters; /* what the device did not take or give is counted here */
};

/* NULL when memory is out. Starts without a socket. */
struct gateway_lan_port *gateway_lan_port_new(const struct gateway_lan_port_options *options);
void gateway_lan_port_free(struct gateway_lan_port *port); /* closes its socket; accepts NULL */

/* Takes over the socket. */
void gateway_lan_port_attach(struct gateway_lan_port *port, const struct gateway_packet_socket *socket);
/* Closes the socket; frames that wait are counted as without a device. */
void gateway_lan_port_detach(struct gateway_lan_port *port);
/* What fits on the interface, for frames that leave merged; none does until this is known. */
void gateway_lan_port_set_mtu(struct gateway_lan_port *port, size_t mtu);
/* Whether the interface has a carrier, true until told otherwise. The kernel takes frames without one, too, and throws
 * them away: they are counted as refused, and written all the same, for the carrier may be back already. */
void gateway_lan_port_set_carrier(struct gateway_lan_port *port, bool carrier);
/* Which frames leave merged (enum offload_kinds). */
unsigned gateway_lan_port_merges(const struct gateway_lan_port *port);
bool gateway_lan_port_attached(const struct gateway_lan_port *port);
int gateway_lan_port_fd(const struct gateway_lan_port *port); /* -1 without a socket */
/* What the socket is bound to: 0 without one, no interface's index once its interface went away. */
unsigned gateway_lan_port_ifindex(const struct gateway_lan_port *port);
struct proto_mac gateway_lan_port_mac(const struct gateway_lan_port *port); /* zero without a socket */

/* Delivers what is there, up to the bound of a turn. 0, or the negative errno of a socket that reports trouble. */
int gateway_lan_port_read(struct gateway_lan_port *port, uint64_t now);
/* Takes what the socket reports as trouble (its interface went down), which it would report until somebody does. */
void gateway_lan_port_take_trouble(struct gateway_lan_port *port);
/* Counts the frames that the kernel has dropped since the last call because we read too slowly, and returns how many.
 */
uint64_t gateway_lan_port_overruns(struct gateway_lan_port *port);
/* Queues one frame; without a socket it is counted as without a device. */
void gateway_lan_port_write(struct gateway_lan_port *port, struct slice frame);
void gateway_lan_port_flush(struct gateway_lan_port *port);

#endif
