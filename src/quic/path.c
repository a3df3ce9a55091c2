/* quic/path.c: addresses as ngtcp2 wants them. The only file of this room that knows socket addresses. */
#include "quic/internal.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static ngtcp2_socklen addr_to_ng(const struct base_addr *addr, uint8_t family, ngtcp2_sockaddr_union *ret) {
	memset(ret, 0, sizeof(*ret));
	if (family == BASE_FAMILY_V6) {
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_port = htons(addr->port);
		ret->in6.sin6_scope_id = addr->scope;
		memcpy(&ret->in6.sin6_addr, addr->ip, 16);
		return sizeof(ret->in6);
	}
	ret->in.sin_family = AF_INET;
	ret->in.sin_port = htons(addr->port);
	memcpy(&ret->in.sin_addr, addr->ip, 4);
	return sizeof(ret->in);
}

void quic_path_to_ng(const struct base_path *path, ngtcp2_path_storage *ret) {
	uint8_t family = path->remote.family;

	assert(family == BASE_FAMILY_V4 || family == BASE_FAMILY_V6);
	ngtcp2_path_storage_zero(ret);
	ret->path.remote.addrlen = addr_to_ng(&path->remote, family, &ret->remote_addrbuf);
	if (path->local.family != BASE_FAMILY_NONE)
		family = path->local.family;
	ret->path.local.addrlen = addr_to_ng(&path->local, family, &ret->local_addrbuf);
}

static void addr_from_ng(const ngtcp2_addr *addr, struct base_addr *ret) {
	static const struct base_addr none;

	*ret = none;
	if (addr->addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, addr->addr, sizeof(in6));
		memcpy(ret->ip, &in6.sin6_addr, 16);
		ret->port = ntohs(in6.sin6_port);
		ret->scope = in6.sin6_scope_id;
		ret->family = BASE_FAMILY_V6;
	} else {
		struct sockaddr_in in;

		memcpy(&in, addr->addr, sizeof(in));
		memcpy(ret->ip, &in.sin_addr, 4);
		ret->port = ntohs(in.sin_port);
		ret->family = BASE_FAMILY_V4;
	}
	if (ret->port == 0 && memcmp(ret->ip, none.ip, sizeof(none.ip)) == 0)
		*ret = none;
}

void quic_path_from_ng(const ngtcp2_path *path, struct base_path *ret) {
	addr_from_ng(&path->local, &ret->local);
	addr_from_ng(&path->remote, &ret->remote);
}
