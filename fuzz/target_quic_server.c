/* fuzz/target_quic_server.c: what strangers send to the relay's port. Input: records of one option byte, a length of
 * two bytes and a datagram. Options: bit 0 pads it to 1200 bytes, bit 1 lets 100 ms pass before it, bits 2 and 3 choose
 * the sender, bit 4 makes it come back with the connection ID of the server's last answer. */
#include "base/slice.h"
#include "quic/server.h"

#include <stdlib.h>
#include <string.h>

#define START (1000 * BASE_SECOND)
#define DATAGRAM_MAX 2048

static void handshake_done(void *user, struct quic_conn *conn, uint64_t now) {
	(void)user;
	(void)conn;
	(void)now;
}

static void control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	(void)user;
	(void)bytes;
	(void)fin;
	(void)now;
	quic_conn_control_send(conn, slice_of("x", 1));
}

static void datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	(void)user;
	(void)conn;
	(void)payload;
	(void)now;
}

static void closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	(void)user;
	(void)conn;
	(void)now;
	if (memchr(why->text, 0, sizeof(why->text)) == NULL)
		abort();
}

static const struct quic_events events = {
    .handshake_done = handshake_done, .control = control, .datagram = datagram, .closed = closed};

/* Everybody but one of the senders. */
static bool accept_most(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now) {
	(void)user;
	(void)conn;
	(void)now;
	return remote->ip[3] != 3;
}

static struct quic_identity *identity(void) {
	static struct quic_identity *made;
	static const char *const names[] = {"relay.test"};
	char error[QUIC_ERROR_BYTES];

	if (made == NULL && quic_identity_self_signed(names, 1, 1800000000 * BASE_SECOND, &made, error) != 0)
		abort();
	return made;
}

static uint8_t out[QUIC_BURST_BYTES];

/* Sends everything; keeps the source connection ID of a long header. */
static void drain(struct quic_server *server, uint8_t cid[static QUIC_CID_BYTES], uint64_t now) {
	struct quic_burst burst;

	while (quic_server_write(server, out, sizeof(out), &burst, now) == 1) {
		size_t at = 6 + (size_t)out[5];

		if (burst.len == 0 || burst.segment == 0 || burst.segment > burst.len)
			abort();
		if ((out[0] & 0x80) != 0 && burst.len > at + QUIC_CID_BYTES && out[at] == QUIC_CID_BYTES)
			memcpy(cid, out + at + 1, QUIC_CID_BYTES);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct quic_server_options options = {
	    .identity = identity(),
	    .limits = {.connections_max = 8, .half_open_max = 6, .retry_above = 3, .stateless_per_second = 20},
	    .events = &events,
	    .accept = accept_most,
	    .shard = 1,
	    .shards = 2,
	};
	struct base_reader reader = base_reader_of(slice_of(data, size));
	struct base_path path = {.local = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443},
	                         .remote = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 0}, .port = 1000}};
	uint8_t buf[DATAGRAM_MAX], cid[QUIC_CID_BYTES] = {0}, option;
	struct quic_server *server;
	uint64_t now = START;
	uint16_t len;
	struct slice bytes;

	if (quic_server_new(&options, &server) != 0)
		return 0;
	while (base_read_u8(&reader, &option) == 0 && base_read_u16(&reader, &len) == 0) {
		if (len > reader.rest.len)
			len = (uint16_t)reader.rest.len;
		if (len > DATAGRAM_MAX || base_read_bytes(&reader, len, &bytes) != 0)
			break;
		memset(buf, 0, sizeof(buf));
		if (bytes.len > 0)
			memcpy(buf, bytes.data, bytes.len);
		if ((option & 1) != 0 && bytes.len < 1200)
			bytes.len = 1200;
		if ((option & 2) != 0)
			now += 100 * BASE_MS;
		path.remote.ip[3] = (uint8_t)((option >> 2) & 3);
		if ((option & 16) != 0)
			memcpy((buf[0] & 0x80) != 0 ? buf + 6 : buf + 1, cid, sizeof(cid));
		if (quic_server_deadline(server) <= now)
			quic_server_tick(server, now);
		quic_server_recv(server, &path, option >> 6, slice_of(buf, bytes.len), now);
		drain(server, cid, now);
	}
	for (int i = 0; i < 200 && quic_server_deadline(server) != BASE_NEVER; i++) {
		if (quic_server_deadline(server) > now)
			now = quic_server_deadline(server);
		quic_server_tick(server, now);
		drain(server, cid, now);
	}
	if (quic_server_connections(server) != 0)
		abort(); /* every handshake that nobody went on with must have ended */
	quic_server_free(server);
	return 0;
}
