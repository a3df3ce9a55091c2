/* net/resolve.c: getaddrinfo in a detached thread. The thread and the caller share one block that the last of them
 * frees. Nobody waits for a thread: getaddrinfo cannot be interrupted and may take minutes. */
#include "base/error.h"
#include "net/lookup.h"
#include "net/resolve_system.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

void net_resolve_interleave(struct net_resolved *addrs) {
	struct net_resolved result = {0};
	size_t next_v6 = 0, next_v4 = 0;
	bool want_v6 = addrs->addrs[0].family == BASE_FAMILY_V6;

	while (result.count < addrs->count) {
		size_t *next = want_v6 ? &next_v6 : &next_v4;
		uint8_t family = want_v6 ? BASE_FAMILY_V6 : BASE_FAMILY_V4;

		while (*next < addrs->count && addrs->addrs[*next].family != family)
			(*next)++;
		if (*next < addrs->count)
			result.addrs[result.count++] = addrs->addrs[(*next)++];
		else if (next_v6 >= addrs->count && next_v4 >= addrs->count)
			break; /* the rest is of no family we know */
		want_v6 = !want_v6;
	}
	*addrs = result;
}

struct net_resolver {
	atomic_int owners; /* the caller and the thread */
	atomic_bool done;  /* result and error are there */
	struct net_bell bell;
	struct net_endpoint endpoint;
	struct net_resolved result;
	char error[NET_ERROR_BYTES]; /* empty: no error */
};

static void release(struct net_resolver *resolver) {
	if (atomic_fetch_sub(&resolver->owners, 1) > 1)
		return;
	net_bell_close(&resolver->bell);
	free(resolver);
}

void net_resolver_look_up(struct net_resolver *resolver) {
	net_lookup(&resolver->endpoint, &resolver->result, resolver->error);
	atomic_store(&resolver->done, true);
	net_bell_ring(&resolver->bell);
	release(resolver);
}

struct net_resolver *net_resolver_start(const struct net_endpoint *endpoint) {
	struct net_resolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver == NULL)
		return NULL;
	if (!net_bell_open(&resolver->bell)) {
		free(resolver);
		return NULL;
	}
	resolver->endpoint = *endpoint;
	atomic_store(&resolver->owners, 2);
	if (!net_resolver_start_thread(resolver)) {
		atomic_store(&resolver->owners, 1);
		release(resolver);
		return NULL;
	}
	return resolver;
}

int net_resolver_fd(const struct net_resolver *resolver) {
	return net_bell_fd(&resolver->bell);
}

int net_resolver_result(struct net_resolver *resolver, struct net_resolved *ret, char error[static NET_ERROR_BYTES]) {
	if (!atomic_load(&resolver->done))
		return BASE_E_AGAIN;
	if (resolver->error[0] != '\0') {
		memcpy(error, resolver->error, NET_ERROR_BYTES);
		return BASE_E_NOT_FOUND;
	}
	*ret = resolver->result;
	return 0;
}

void net_resolver_free(struct net_resolver *resolver) {
	if (resolver != NULL)
		release(resolver);
}
