/* net/resolve.h: DNS through the system's resolver, without blocking the loop. */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/endpoint.h"

#define NET_RESOLVE_ADDRS_MAX 16

struct net_resolved {
	struct base_addr addrs[NET_RESOLVE_ADDRS_MAX]; /* RFC 8305 section 4 order: families interleaved */
	size_t count;
};

/* Puts addresses in RFC 8305 order, keeping the resolver's order within a family and its choice of the first: it puts
 * last what this machine has no route to (RFC 6724 section 6, rule 1). Pure. */
void net_resolve_interleave(struct net_resolved *addrs);

struct net_resolver;

/* Starts one lookup in a thread of its own. NULL when no thread can be had. */
struct net_resolver *net_resolver_start(const struct net_endpoint *endpoint);
/* A descriptor for a loop (loop/loop.h) that becomes readable when the answer is there. */
int net_resolver_fd(const struct net_resolver *resolver);
/* 0 with addresses; BASE_E_AGAIN while it runs; BASE_E_NOT_FOUND with a text for a person. */
int net_resolver_result(struct net_resolver *resolver, struct net_resolved *ret, char error[static NET_ERROR_BYTES]);
/* May be called before the answer is there: the thread is detached and cleans up after itself. Accepts NULL. */
void net_resolver_free(struct net_resolver *resolver);

#endif
