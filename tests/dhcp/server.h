/* tests/dhcp/server.h: answers of a DHCP server, as the frames that reach a client. */
#ifndef TESTS_DHCP_SERVER_H
#define TESTS_DHCP_SERVER_H

#include "base/bytes.h"
#include "dhcp/message.h"

#include <string.h>

#define SERVER_FRAME_BYTES 400
/* Where a test finds things in frames without IP options, its own and the client's. */
#define AT_IP_SOURCE 26
#define AT_IP_DEST 30
#define AT_BOOTP 42
#define AT_XID (AT_BOOTP + 4)
#define AT_CIADDR (AT_BOOTP + 12)
#define AT_YIADDR (AT_BOOTP + 16)
#define AT_CHADDR (AT_BOOTP + 28)
#define AT_SNAME (AT_BOOTP + 44)
#define AT_FILE (AT_BOOTP + 108)
#define AT_OPTIONS (AT_BOOTP + 240)

#define SERVER_IP UINT32_C(0xc0a84d01) /* 192.168.77.1 */
#define OFFERED UINT32_C(0xc0a84d64)   /* 192.168.77.100 */
#define MASK_24 UINT32_C(0xffffff00)

static const struct proto_mac server_mac = {{2, 0, 0, 0, 0, 0x53}};

struct server_answer {
	enum dhcp_type type;
	uint32_t xid;
	struct proto_mac mac;                                 /* the client's */
	uint32_t address, server, mask, lease, renew, rebind; /* 0: no such option */
	size_t option_bytes;
	uint8_t frame[SERVER_FRAME_BYTES];
	size_t len;
};

static inline void server_option(struct server_answer *answer, uint8_t option, const void *value, uint8_t len) {
	uint8_t *at = answer->frame + AT_OPTIONS + answer->option_bytes;

	at[0] = option;
	at[1] = len;
	memcpy(at + 2, value, len);
	answer->option_bytes += 2 + (size_t)len;
}

static inline void server_option_u32(struct server_answer *answer, uint8_t option, uint32_t value) {
	uint8_t bytes[4];

	base_put_u32(bytes, value);
	if (value != 0)
		server_option(answer, option, bytes, sizeof(bytes));
}

/* The lengths, once all options are there. */
static inline void server_finish(struct server_answer *answer) {
	uint8_t *frame = answer->frame;

	frame[AT_OPTIONS + answer->option_bytes] = 255;
	answer->len = AT_OPTIONS + answer->option_bytes + 1;
	base_put_u16(frame + 16, (uint16_t)(answer->len - 14));
	base_put_u16(frame + 38, (uint16_t)(answer->len - 34));
}

static inline void server_build(struct server_answer *answer) {
	uint8_t *frame = answer->frame;
	const uint8_t type = (uint8_t)answer->type;

	memset(frame, 0, SERVER_FRAME_BYTES);
	answer->option_bytes = 0;
	memcpy(frame, answer->mac.b, PROTO_MAC_BYTES);
	memcpy(frame + 6, server_mac.b, PROTO_MAC_BYTES);
	base_put_u16(frame + 12, 0x0800);
	frame[14] = 0x45;
	frame[22] = 64;
	frame[23] = 17;
	base_put_u32(frame + AT_IP_SOURCE, SERVER_IP);
	base_put_u32(frame + AT_IP_DEST, answer->address);
	base_put_u16(frame + 34, 67);
	base_put_u16(frame + 36, 68);
	memcpy(frame + AT_BOOTP, (const uint8_t[]){2, 1, 6}, 3);
	base_put_u32(frame + AT_XID, answer->xid);
	base_put_u32(frame + AT_YIADDR, answer->address);
	memcpy(frame + AT_CHADDR, answer->mac.b, PROTO_MAC_BYTES);
	base_put_u32(frame + AT_BOOTP + 236, 0x63825363);
	server_option(answer, 53, &type, 1);
	server_option_u32(answer, 54, answer->server);
	server_option_u32(answer, 1, answer->mask);
	server_option_u32(answer, 51, answer->lease);
	server_option_u32(answer, 58, answer->renew);
	server_option_u32(answer, 59, answer->rebind);
	server_finish(answer);
}

#endif
