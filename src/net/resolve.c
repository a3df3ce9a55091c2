/* net/resolve.c: the part of name resolution that needs no system. */
#include "net/resolve.h"

void net_resolve_interleave(struct net_resolved *addrs) {
	struct net_resolved result = {0};
	size_t next_v6 = 0, next_v4 = 0;
	bool want_v6 = true;

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
