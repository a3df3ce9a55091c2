/* tests/udp/pair.h: two sockets on loopback, and a receiver that collects single datagrams, for the tests of this room.
 */
#ifndef TESTS_UDP_PAIR_H
#define TESTS_UDP_PAIR_H

#include "base/error.h"
#include "tests/system.h"
#include "tests/unit.h"
#include "udp/udp.h"

#include <string.h>

#define DATAGRAMS_MAX 1024
#define DATAGRAM_BYTES_MAX 1600

struct datagram {
	struct base_path path;
	uint8_t ecn;
	size_t len;
	uint8_t bytes[DATAGRAM_BYTES_MAX];
};

struct inbox {
	struct datagram datagrams[DATAGRAMS_MAX];
	size_t count;
	size_t chunks;
};

static inline struct base_addr addr_of(const char *ip, uint16_t port) {
	struct base_addr addr;

	assert_int_equal(base_addr_parse_ip(ip, strlen(ip), &addr), 0);
	addr.port = port;
	return addr;
}

static inline struct udp_socket *open_at(const char *ip, bool no_offload, bool local_addr_in_path) {
	const struct udp_options options = {
	    .local = addr_of(ip, 0),
	    .no_offload = no_offload,
	    .local_addr_in_path = local_addr_in_path,
	};
	struct udp_socket *opened = NULL;

	assert_int_equal(udp_open(&options, &opened), 0);
	return opened;
}

static inline void collect_chunk(struct inbox *inbox, const struct udp_chunk *chunk) {
	assert_true(chunk->segment > 0 && chunk->segment <= chunk->bytes.len);
	inbox->chunks++;
	for (size_t offset = 0; offset < chunk->bytes.len; offset += chunk->segment) {
		struct datagram *datagram = &inbox->datagrams[inbox->count++];
		size_t len = chunk->bytes.len - offset;

		if (len > chunk->segment)
			len = chunk->segment;
		assert_true(inbox->count <= DATAGRAMS_MAX && len <= DATAGRAM_BYTES_MAX);
		datagram->path = chunk->path;
		datagram->ecn = chunk->ecn;
		datagram->len = len;
		memcpy(datagram->bytes, chunk->bytes.data + offset, len);
	}
}

/* Collects datagrams until there are `expected`, or for at most a second of silence. */
static inline void receive(struct udp_socket *from, struct inbox *inbox, size_t expected) {
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];

	inbox->count = inbox->chunks = 0;
	while (inbox->count < expected && system_wait(udp_fd(from), 1000)) {
		int count = udp_recv(from, chunks);

		assert_true(count >= 0);
		for (int i = 0; i < count; i++)
			collect_chunk(inbox, &chunks[i]);
	}
	assert_int_equal(inbox->count, expected);
}

/* No two datagrams of `segment` bytes that follow each other in it are the same. */
static inline void fill_payload(uint8_t *payload, size_t len, size_t segment) {
	for (size_t i = 0; i < len; i++)
		payload[i] = (uint8_t)(i * 7 + i / segment);
}

static inline struct udp_burst burst_to(struct base_addr remote, const uint8_t *data, size_t len, size_t segment) {
	return (struct udp_burst){.path.remote = remote, .segment = segment, .bytes = slice_of(data, len)};
}

#endif
