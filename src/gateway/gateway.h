/* gateway/gateway.h: the gateway at run time: LAN port, bridge, session and timers on one loop.
 *
 * A bad interface ends the start (GTW-1, GTW-2). Once running, the room is not left for a cable: while the port has no
 * carrier, is down or is gone, frames are dropped and counted, the relay is told that the device is not ready, and the
 * port is taken up again, by its name, when it is back.
 *
 * The gateway machine itself is no station for remote clients: what its own stack sends by the bridged interface is not
 * captured, and what the gateway sends there goes to the wire only. Where it must be one (a server or DHCP server on
 * the same box), put the interface in a Linux bridge and run the gateway on one end of a veth pair whose other end is
 * in it. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>

/* The whole program; returns the exit status. `unsafe` lets everything from the tunnel onto the LAN: attack tests only.
 */
int gateway_main(int argc, const char *const *argv, bool unsafe);

#endif
