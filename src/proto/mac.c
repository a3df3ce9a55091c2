/* proto/mac.c: MAC addresses as values. Knows nothing of frames or interfaces. */
#include "proto/mac.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>

#define MAC_TEXT_LEN (PROTO_MAC_TEXT_BYTES - 1)
#define MAC_BIT_GROUP 0x01
#define MAC_BIT_LOCAL 0x02

struct proto_mac proto_mac_of(const uint8_t bytes[static PROTO_MAC_BYTES]) {
	struct proto_mac mac;

	memcpy(mac.b, bytes, sizeof(mac.b));
	return mac;
}

bool proto_mac_equal(struct proto_mac a, struct proto_mac b) {
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

bool proto_mac_is_zero(struct proto_mac mac) {
	return proto_mac_equal(mac, (struct proto_mac){{0}});
}

bool proto_mac_is_group(struct proto_mac mac) {
	return (mac.b[0] & MAC_BIT_GROUP) != 0;
}

bool proto_mac_is_broadcast(struct proto_mac mac) {
	return proto_mac_equal(mac, (struct proto_mac){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}});
}

bool proto_mac_is_local(struct proto_mac mac) {
	return (mac.b[0] & MAC_BIT_LOCAL) != 0;
}

int proto_mac_parse(const char *text, size_t len, struct proto_mac *ret) {
	struct proto_mac mac;
	char separator;

	if (len != MAC_TEXT_LEN)
		return BASE_E_SYNTAX;
	separator = text[2];
	if (separator != ':' && separator != '-')
		return BASE_E_SYNTAX;
	for (size_t i = 0; i < PROTO_MAC_BYTES; i++) {
		if (base_parse_hex(text + 3 * i, 2, &mac.b[i], 1) != 0)
			return BASE_E_SYNTAX;
		if (i + 1 < PROTO_MAC_BYTES && text[3 * i + 2] != separator)
			return BASE_E_SYNTAX;
	}
	*ret = mac;
	return 0;
}

const char *proto_mac_text(struct proto_mac mac, char buf[static PROTO_MAC_TEXT_BYTES]) {
	struct base_text text;

	base_text_init(&text, buf, PROTO_MAC_TEXT_BYTES);
	for (size_t i = 0; i < PROTO_MAC_BYTES; i++) {
		if (i > 0)
			base_text_add_char(&text, ':');
		base_text_add_hex(&text, slice_of(&mac.b[i], 1));
	}
	return buf;
}

int proto_mac_check_identity(struct proto_mac mac) {
	return proto_mac_is_group(mac) || proto_mac_is_zero(mac) ? BASE_E_INVALID : 0;
}

struct proto_mac proto_mac_from_random(const uint8_t random[static PROTO_MAC_BYTES]) {
	struct proto_mac mac = proto_mac_of(random);

	mac.b[0] = (uint8_t)((mac.b[0] & ~MAC_BIT_GROUP) | MAC_BIT_LOCAL);
	return mac;
}
