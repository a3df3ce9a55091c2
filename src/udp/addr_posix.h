/* udp/addr_posix.h: between base_addr and the socket addresses of the system. Private to the room. */
#ifndef UDP_ADDR_POSIX_H
#define UDP_ADDR_POSIX_H

#include "base/addr.h"

#include <netinet/in.h>
#include <sys/socket.h>

union udp_sockaddr {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* For a socket of `domain`: IPv4 becomes v4-mapped on an IPv6 one. Returns the length, 0 when it cannot be said there.
 */
socklen_t udp_addr_to_system(const struct base_addr *addr, sa_family_t domain, union udp_sockaddr *ret);
/* v4-mapped becomes IPv4; another family becomes NONE. */
struct base_addr udp_addr_from_system(const union udp_sockaddr *system);
struct base_addr udp_addr_from_in6(const struct in6_addr *ip, uint16_t port, uint32_t scope);
struct base_addr udp_addr_from_in(const struct in_addr *ip, uint16_t port);
bool udp_addr_is_wildcard(const struct base_addr *addr);

#endif
