/* net/lookup.h: the system's resolver, asked and waited for; what the thread of resolve.c runs. Private to the room.
 */
#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include "net/resolve.h"

/* Fills *ret (zeroed by the caller) in RFC 8305 order, or `error` when there is no address. May take minutes. */
void net_lookup(const struct net_endpoint *endpoint, struct net_resolved *ret, char error[static NET_ERROR_BYTES]);

#endif
