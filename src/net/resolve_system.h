/* net/resolve_system.h: the thread of a lookup, and the bell that tells the loop. One file per platform
 * (resolve_*.c). Private to the room. */
#ifndef NET_RESOLVE_SYSTEM_H
#define NET_RESOLVE_SYSTEM_H

#include "net/resolve.h"

/* Rings once, from any thread. */
struct net_bell {
	intptr_t wait, ring; /* descriptors, or handles */
};

bool net_bell_open(struct net_bell *bell);
void net_bell_ring(struct net_bell *bell);
void net_bell_close(struct net_bell *bell);
/* Becomes readable when it rings, and stays so. */
int net_bell_fd(const struct net_bell *bell);

/* Starts a detached thread, without signals, that calls net_resolver_look_up(). */
bool net_resolver_start_thread(struct net_resolver *resolver);
/* Of resolve.c. */
void net_resolver_look_up(struct net_resolver *resolver);

#endif
