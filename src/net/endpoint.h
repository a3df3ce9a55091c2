/* net/endpoint.h: where a relay is (NET-1) and where it listens (NET-3), parsed from text. Pure. */
#ifndef NET_ENDPOINT_H
#define NET_ENDPOINT_H

#include "base/addr.h"

#define NET_PORT_DEFAULT 443
#define NET_HOST_BYTES_MAX 254 /* RFC 1035 section 2.3.4, and a NUL */
#define NET_ERROR_BYTES 160

struct net_endpoint {
	char host[NET_HOST_BYTES_MAX]; /* DNS name or literal as written, without brackets */
	uint16_t port;
	bool is_literal;
	struct base_addr addr; /* valid when is_literal, port included */
};

/* DNS name, IPv4 or IPv6 literal (IPv6 with or without brackets), each optionally with a port; an IPv6 literal with a
 * port needs brackets. An IPv6 literal may carry a scope as a number ("fe80::1%3"; interface names would need the
 * system). A v4-mapped literal becomes the IPv4 address. 0 or BASE_E_SYNTAX / BASE_E_RANGE; `error` then names the part
 * that is wrong ("port '99999' is not between 1 and 65535"). */
int net_endpoint_parse(const char *text, struct net_endpoint *ret, char error[static NET_ERROR_BYTES]);

/* "host:port", "[v6]:port", ":port" or "port/udp"; a missing host is the IPv6 wildcard meant dual-stack. Only literals
 * and "localhost" (127.0.0.1) are hosts here. Port 0 is allowed (the kernel chooses). Errors as above. */
int net_listen_parse(const char *text, struct base_addr *ret, char error[static NET_ERROR_BYTES]);

/* A v4-mapped address becomes the IPv4 address: the kernel reports such peers so, and paths are compared with what it
 * reports. Others stay as they are. */
void net_unmap_v4(struct base_addr *addr);

#endif
