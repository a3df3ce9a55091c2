/* base/addr.h: an IP address with a port, as a plain value without any socket header. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "base/slice.h"

enum base_family { BASE_FAMILY_NONE = 0, BASE_FAMILY_V4 = 4, BASE_FAMILY_V6 = 6 };

struct base_addr {
	uint8_t family; /* enum base_family */
	uint8_t ip[16]; /* network byte order; IPv4 uses the first four bytes, the rest is zero */
	uint16_t port;  /* host byte order */
	uint32_t scope; /* IPv6 scope id, else 0 */
};

struct base_path {
	struct base_addr local;
	struct base_addr remote;
};

#define BASE_ADDR_TEXT_BYTES 64 /* enough for "[v6%scope]:port" and its NUL */

bool base_addr_equal(const struct base_addr *a, const struct base_addr *b);
bool base_path_equal(const struct base_path *a, const struct base_path *b);

/* How many bytes of `ip` are the address: 4 or 16, 0 for no family. */
size_t base_addr_ip_bytes(const struct base_addr *addr);
/* Whether they are of one family and their first `bits` bits agree; false if they do not have so many. */
bool base_addr_same_prefix(const struct base_addr *a, const struct base_addr *b, size_t bits);
/* What hosts give themselves: 169.254/16 (RFC 3927 section 2.1) and fe80::/10 (RFC 4291 section 2.5.6). */
bool base_addr_is_link_local(const struct base_addr *addr);
/* 127/8 (RFC 1122 section 3.2.1.3) and ::1 (RFC 4291 section 2.5.3). */
bool base_addr_is_loopback(const struct base_addr *addr);
/* The network of an address, for limits on what comes from one place: all of an IPv4 address, but of an IPv6 address
 * only the /56, since a household has one to choose its addresses from. Borrowed from `addr`. */
#define BASE_ADDR_NETWORK_BYTES_MAX 7
struct slice base_addr_network(const struct base_addr *addr);
/* "192.0.2.1", "2001:db8:0:100::/56". Returns `buf`. */
const char *base_addr_network_text(const struct base_addr *addr, char buf[static BASE_ADDR_TEXT_BYTES]);

/* "192.0.2.1:443", "[2001:db8::1]:443" (RFC 5952); "-" for no family. Returns `buf`. */
const char *base_addr_text(const struct base_addr *addr, char buf[static BASE_ADDR_TEXT_BYTES]);
/* The same without port and brackets: "192.0.2.1", "2001:db8::1", "fe80::1%3"; "-" for no family. Returns `buf`. */
const char *base_addr_ip_text(const struct base_addr *addr, char buf[static BASE_ADDR_TEXT_BYTES]);

/* Parses an IPv4 dotted quad or an IPv6 literal (RFC 4291, without brackets, scope or port) into family and ip; port
 * and scope become 0. Returns 0 or BASE_E_SYNTAX with *ret untouched. */
int base_addr_parse_ip(const char *text, size_t len, struct base_addr *ret);

#endif
