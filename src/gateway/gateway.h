/* gateway/gateway.h: the gateway at run time: LAN port, bridge, session and timers on one loop.
 *
 * A bad interface ends the start (GTW-1, GTW-2). Once running, the room is not left for a cable: while the port has no
 * carrier, is down or is gone, frames are dropped and counted, the relay is told that the device is not ready, and the
 * port is taken up again, by its name, when it is back. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

/* The whole program; returns the exit status. */
int gateway_main(int argc, const char *const *argv);

#endif
