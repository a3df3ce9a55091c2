/* fuzz/target_dhcp.c: a DHCP client on a LAN that says what it likes. Input: records of one option byte, a length of
 * two bytes and a frame. Options: bit 0, the frame becomes an answer to the client's last question in all but its
 * options; bits 1 and 2, before it pass nothing, 1 s, 1 h or the time to the next deadline; bits 3 and 4: the LAN goes,
 * or comes (again). */
#include "base/bytes.h"
#include "dhcp/client.h"

#include <stdlib.h>
#include <string.h>

#define START (1000 * BASE_SECOND)
#define FRAME_MAX 600
#define TICKS_MAX 2       /* the second takes a lease that was due for renewal when it came */
#define HEADERS_BYTES 282 /* up to the options */
#define AT_XID 46

static const struct proto_mac mac = {{2, 0x4c, 0x50, 0, 0, 1}};

struct world {
	uint64_t now;
	uint8_t question[DHCP_FRAME_BYTES];
};

static void send_frame(void *user, struct slice frame, uint64_t now) {
	struct world *world = user;

	(void)now;
	if (frame.len == DHCP_FRAME_BYTES)
		memcpy(world->question, frame.data, frame.len);
}

static const char *unfit(void *user, uint32_t address) {
	(void)user;
	return (address & 7) == 7 ? "it ends in 7" : NULL;
}

static bool leased(void *user, const struct dhcp_lease *lease, uint64_t now) {
	(void)user;
	if (lease->address >> 24 == 0 || lease->address >> 28 >= 14 || lease->prefix < 8 || lease->prefix > 32 ||
	    lease->server == 0 || lease->renew_at > lease->rebind_at || lease->rebind_at > lease->expires_at ||
	    lease->expires_at < now || unfit(user, lease->address) != NULL)
		abort();
	return (lease->address & 15) != 5;
}

static void lost(void *user, const char *why, uint64_t now) {
	(void)user;
	(void)now;
	if (why == NULL)
		abort();
}

static void declined(void *user, uint32_t address, const char *why, uint64_t now) {
	(void)user;
	(void)why;
	(void)address;
	(void)now;
}

static const struct dhcp_events events = {
    .send = send_frame, .unfit = unfit, .leased = leased, .lost = lost, .declined = declined};

static void make_answer(const struct world *world, uint8_t frame[static FRAME_MAX], size_t len) {
	const uint8_t bootp[] = {2, 1, 6, 0};

	memcpy(frame, mac.b, sizeof(mac.b));
	base_put_u16(frame + 12, PROTO_ETHERTYPE_IPV4);
	frame[14] = 0x45;
	base_put_u16(frame + 16, (uint16_t)(len - 14));
	base_put_u16(frame + 20, 0);
	frame[23] = 17;
	base_put_u16(frame + 34, 67);
	base_put_u16(frame + 36, 68);
	base_put_u16(frame + 38, (uint16_t)(len - 34));
	memcpy(frame + 42, bootp, sizeof(bootp));
	memcpy(frame + AT_XID, world->question + AT_XID, 4);
	memcpy(frame + 70, mac.b, sizeof(mac.b));
	base_put_u32(frame + 278, 0x63825363);
}

static uint64_t pause(const struct dhcp_client *client, uint8_t option, uint64_t now) {
	static const uint64_t times[] = {0, BASE_SECOND, 3600 * BASE_SECOND};
	const unsigned choice = (option >> 1) & 3;
	const uint64_t deadline = dhcp_client_deadline(client);

	if (choice < 3)
		return times[choice];
	return deadline == BASE_NEVER || deadline < now ? 0 : deadline - now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct base_reader reader = base_reader_of(slice_of(data, size));
	struct world world = {.now = START};
	uint8_t frame[FRAME_MAX], option;
	struct dhcp_client client;
	struct slice bytes;
	uint16_t len;

	dhcp_client_init(&client, mac, 1, &events, &world);
	dhcp_client_start(&client, world.now);
	while (base_read_u8(&reader, &option) == 0 && base_read_u16(&reader, &len) == 0) {
		if (base_read_bytes(&reader, len < reader.rest.len ? len : reader.rest.len, &bytes) < 0 ||
		    bytes.len > sizeof(frame))
			break;
		memset(frame, 0, sizeof(frame));
		if (bytes.len > 0)
			memcpy(frame, bytes.data, bytes.len);
		if ((option & 1) != 0 && bytes.len >= HEADERS_BYTES)
			make_answer(&world, frame, bytes.len);
		world.now += pause(&client, option, world.now);
		for (unsigned i = 0; i == 0 || dhcp_client_deadline(&client) <= world.now; i++) {
			if (i == TICKS_MAX)
				abort(); /* it would never rest */
			dhcp_client_tick(&client, world.now);
		}
		if ((option & 8) != 0)
			dhcp_client_stop(&client);
		if ((option & 16) != 0)
			dhcp_client_start(&client, world.now);
		(void)dhcp_client_frame(&client, slice_of(frame, bytes.len), world.now);
	}
	dhcp_client_release(&client, world.now);
	return 0;
}
