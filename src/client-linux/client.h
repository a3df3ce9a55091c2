/* client-linux/client.h: the Linux client at run time: TAP, bridge, session, route and timers on one loop.
 *
 * The interface is there, with its MAC, from start to end. It has a carrier while the room is joined and for a grace
 * time after it was lost, so that a short outage leaves the machine's addresses alone. */
#ifndef CLIENT_LINUX_CLIENT_H
#define CLIENT_LINUX_CLIENT_H

#include <stdbool.h>

/* The whole program; returns the exit status. `unsafe` turns the client's own filters off: attack tests only. */
int lintap_main(int argc, const char *const *argv, bool unsafe);

#endif
