#include "proto/ip.h"

#include "base/bytes.h"
#include "base/error.h"

/* Bytes that one step of an extension header's length field counts; 0 for what is no extension header. */
static size_t extension_unit(uint8_t protocol) {
	switch (protocol) {
	case PROTO_IP_HOP_BY_HOP:
	case PROTO_IP_ROUTING:
	case PROTO_IP_DESTINATION_OPTIONS:
	case PROTO_IP_MOBILITY:
	case PROTO_IP_HOST_IDENTITY:
	case PROTO_IP_SHIM6:
		return 8; /* RFC 8200 section 4, RFC 6564: not counting the first 8 */
	case PROTO_IP_AUTHENTICATION:
		return 4; /* RFC 4302 section 2.2: not counting the first 8 either */
	default:
		return 0;
	}
}

int proto_ipv6_payload(struct slice packet, uint8_t *ret_protocol, struct slice *ret) {
	const uint8_t *p = packet.data;
	struct slice rest;
	uint8_t protocol;
	size_t unit;

	if (packet.len < PROTO_IPV6_HEADER_BYTES || p[0] >> 4 != 6)
		return BASE_E_LENGTH;
	protocol = p[6];
	rest = slice_of(p + PROTO_IPV6_HEADER_BYTES, base_get_u16(p + 4));
	if (rest.len > packet.len - PROTO_IPV6_HEADER_BYTES)
		return BASE_E_LENGTH;
	if (rest.len == 0 && protocol == PROTO_IP_HOP_BY_HOP)
		return BASE_E_LENGTH; /* a jumbogram, whose length is in an option */
	while ((unit = extension_unit(protocol)) > 0) {
		size_t len;

		/* Hop-by-hop options are legal in front only; receivers differ on what follows elsewhere. */
		if (protocol == PROTO_IP_HOP_BY_HOP && rest.data != p + PROTO_IPV6_HEADER_BYTES)
			return BASE_E_INVALID;
		if (rest.len < 2)
			return BASE_E_INVALID;
		len = 8 + unit * rest.data[1];
		if (len > rest.len)
			return BASE_E_INVALID;
		protocol = rest.data[0];
		rest = slice_of(rest.data + len, rest.len - len);
	}
	*ret_protocol = protocol;
	*ret = rest;
	return 0;
}
