#include "udp/addr_posix.h"

#include <arpa/inet.h>
#include <string.h>

socklen_t udp_addr_to_system(const struct base_addr *addr, sa_family_t domain, union udp_sockaddr *ret) {
	memset(ret, 0, sizeof(*ret));
	if (domain == AF_INET6 && addr->family != BASE_FAMILY_NONE) {
		ret->in6.sin6_family = AF_INET6;
		ret->in6.sin6_port = htons(addr->port);
		if (addr->family == BASE_FAMILY_V6) {
			ret->in6.sin6_scope_id = addr->scope;
			memcpy(&ret->in6.sin6_addr, addr->ip, 16);
		} else {
			memset(ret->in6.sin6_addr.s6_addr + 10, 0xff, 2);
			memcpy(ret->in6.sin6_addr.s6_addr + 12, addr->ip, 4);
		}
		return sizeof(ret->in6);
	}
	if (domain == AF_INET && addr->family == BASE_FAMILY_V4) {
		ret->in.sin_family = AF_INET;
		ret->in.sin_port = htons(addr->port);
		memcpy(&ret->in.sin_addr, addr->ip, 4);
		return sizeof(ret->in);
	}
	return 0;
}

struct base_addr udp_addr_from_in(const struct in_addr *ip, uint16_t port) {
	struct base_addr addr = {.family = BASE_FAMILY_V4, .port = port};

	memcpy(addr.ip, ip, 4);
	return addr;
}

struct base_addr udp_addr_from_in6(const struct in6_addr *ip, uint16_t port, uint32_t scope) {
	struct base_addr addr = {.family = BASE_FAMILY_V6, .port = port};

	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		addr.family = BASE_FAMILY_V4;
		memcpy(addr.ip, ip->s6_addr + 12, 4);
		return addr;
	}
	memcpy(addr.ip, ip, 16);
	if (IN6_IS_ADDR_LINKLOCAL(ip))
		addr.scope = scope;
	return addr;
}

struct base_addr udp_addr_from_system(const union udp_sockaddr *system) {
	if (system->any.sa_family == AF_INET6)
		return udp_addr_from_in6(&system->in6.sin6_addr, ntohs(system->in6.sin6_port), system->in6.sin6_scope_id);
	if (system->any.sa_family == AF_INET)
		return udp_addr_from_in(&system->in.sin_addr, ntohs(system->in.sin_port));
	return (struct base_addr){.family = BASE_FAMILY_NONE};
}

bool udp_addr_is_wildcard(const struct base_addr *addr) {
	static const uint8_t zero[16];

	return memcmp(addr->ip, zero, sizeof(zero)) == 0;
}
