/* proto/mac.h: 48-bit MAC addresses (IEEE 802-2014 section 8). */
#ifndef PROTO_MAC_H
#define PROTO_MAC_H

#include "base/slice.h"

#define PROTO_MAC_BYTES 6
#define PROTO_MAC_TEXT_BYTES 18 /* "aa:bb:cc:dd:ee:ff" and its NUL */

struct proto_mac {
	uint8_t b[PROTO_MAC_BYTES];
};

struct proto_mac proto_mac_of(const uint8_t bytes[static PROTO_MAC_BYTES]);
bool proto_mac_equal(struct proto_mac a, struct proto_mac b);
bool proto_mac_is_zero(struct proto_mac mac);
bool proto_mac_is_group(struct proto_mac mac); /* multicast or broadcast */
bool proto_mac_is_broadcast(struct proto_mac mac);
bool proto_mac_is_local(struct proto_mac mac); /* locally administered */

/* Six octets of two hex digits, all separated by ':' or all by '-'. 0 or BASE_E_SYNTAX. */
int proto_mac_parse(const char *text, size_t len, struct proto_mac *ret);
/* Lower case, colons. Returns buf. */
const char *proto_mac_text(struct proto_mac mac, char buf[static PROTO_MAC_TEXT_BYTES]);

/* What a tunnel identity must be: unicast and not zero. 0 or BASE_E_INVALID. */
int proto_mac_check_identity(struct proto_mac mac);
/* Turns six random bytes into a unicast, locally administered address. */
struct proto_mac proto_mac_from_random(const uint8_t random[static PROTO_MAC_BYTES]);

#endif
