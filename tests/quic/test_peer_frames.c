/* What a peer's frames amount to: connection IDs are found behind any frames and counted once each, up to the bound. */
#include "unit.h"

#include "quic/internal.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN 16
#define FRAME_BYTES_MAX 40

/* Frames that come in front. What is data in them looks like the frame that is looked for. */
static const struct {
	const char *label;
	size_t len;
	uint8_t bytes[FRAME_BYTES_MAX];
} cases[] = {
    {"nothing", 0, {0}},
    {"PADDING, PING, HANDSHAKE_DONE", 4, {0, 0, 1, 0x1e}},
    {"ACK", 5, {0x02, 0x18, 0x18, 0, 0x18}},
    {"ACK with ranges and long numbers", 13, {0x02, 0x40, 0x18, 0x80, 0, 0, 0x18, 2, 0x18, 0x18, 0x18, 0x18, 0x18}},
    {"ACK with ECN", 8, {0x03, 0x18, 0x18, 0, 0x18, 0x18, 0x18, 0x18}},
    {"RESET_STREAM", 4, {0x04, 0x18, 0x18, 0x18}},
    {"STOP_SENDING", 3, {0x05, 0x18, 0x18}},
    {"CRYPTO", 5, {0x06, 0x18, 2, 0x18, 0x18}},
    {"NEW_TOKEN", 4, {0x07, 2, 0x18, 0x18}},
    {"STREAM with length", 5, {0x0a, 0x18, 2, 0x18, 0x18}},
    {"STREAM with offset, length and end", 7, {0x0f, 0x18, 0x40, 0x18, 2, 0x18, 0x18}},
    {"MAX_DATA", 2, {0x10, 0x18}},
    {"MAX_STREAM_DATA", 3, {0x11, 0x18, 0x18}},
    {"MAX_STREAMS", 4, {0x12, 0x18, 0x13, 0x18}},
    {"DATA_BLOCKED", 2, {0x14, 0x18}},
    {"STREAM_DATA_BLOCKED", 3, {0x15, 0x18, 0x18}},
    {"STREAMS_BLOCKED", 4, {0x16, 0x18, 0x17, 0x18}},
    {"RETIRE_CONNECTION_ID", 2, {0x19, 0x18}},
    {"PATH_CHALLENGE", 9, {0x1a, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18}},
    {"PATH_RESPONSE", 9, {0x1b, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18}},
    {"CONNECTION_CLOSE", 6, {0x1c, 0x18, 0x18, 2, 0x18, 0x18}},
    {"CONNECTION_CLOSE of an application", 5, {0x1d, 0x18, 2, 0x18, 0x18}},
    {"DATAGRAM with length", 4, {0x31, 2, 0x18, 0x18}},
};

/* Puts NEW_CONNECTION_ID there, with an ID of four bytes; returns its length. */
static size_t put_cid(uint8_t *at, uint8_t number) {
	const uint8_t frame[] = {0x18, number, 0, 4, 0x18, 0x18, 0x18, 0x18};

	memcpy(at, frame, sizeof(frame));
	memset(at + sizeof(frame), 0x18, TOKEN);
	return sizeof(frame) + TOKEN;
}

/* A copy of just that size, so that the sanitizer sees who reads behind it. */
static void note(struct quic_peer_frames *peer, const uint8_t *bytes, size_t len) {
	uint8_t *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	quic_peer_frames_note(peer, slice_of(copy, len));
	free(copy);
}

static void test_found(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[2 * FRAME_BYTES_MAX + 8 + TOKEN] = {0};
		struct quic_peer_frames peer = {0};
		size_t len = cases[i].len;

		memcpy(bytes, cases[i].bytes, len);
		len += put_cid(bytes + len, 5);
		len += put_cid(bytes + len, 6);
		note(&peer, bytes, len);
		unit_assert_int(peer.cids, 1 << 5 | 1 << 6, cases[i].label);
		unit_assert_int(peer.cids_count, 2, cases[i].label);
		for (size_t cut = 0; cut < len; cut++) {
			peer = (struct quic_peer_frames){0};
			note(&peer, bytes, cut);
			unit_assert_true((peer.cids & ~(UINT64_C(1) << 5 | UINT64_C(1) << 6)) == 0, cases[i].label);
		}
	}
}

/* What fills the packet holds no frame; behind what nobody knows nothing counts. */
static void test_not_found(void **state) {
	static const uint8_t types[] = {0x08, 0x0c, 0x30, 0x32, 0x40, 0xff};

	(void)state;
	for (size_t i = 0; i < sizeof(types); i++) {
		uint8_t bytes[8 + 8 + TOKEN] = {types[i]};
		struct quic_peer_frames peer = {0};
		size_t len = 1 + (types[i] == 0x08 ? 1 : types[i] == 0x0c ? 2 : 0);

		len += put_cid(bytes + len, 5);
		note(&peer, bytes, len);
		unit_assert_int(peer.cids_count, 0, "not found");
	}
}

/* What comes only after the handshake: its confirmation, and IDs in place of others. */
static void test_final(void **state) {
	static const uint8_t ping_done[] = {1, 0x1e};
	struct quic_peer_frames peer = {0};
	uint8_t bytes[8 + TOKEN];

	(void)state;
	put_cid(bytes, 3);
	note(&peer, bytes, sizeof(bytes));
	assert_false(peer.final);
	bytes[2] = 1;
	note(&peer, bytes, sizeof(bytes));
	assert_true(peer.final);
	peer = (struct quic_peer_frames){0};
	note(&peer, ping_done, sizeof(ping_done));
	assert_true(peer.final);
}

static void test_bound(void **state) {
	struct quic_peer_frames peer = {0};
	uint8_t bytes[8 + TOKEN];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint8_t i = 0; i < QUIC_PEER_CIDS_MAX; i++)
			note(&peer, bytes, put_cid(bytes, (uint8_t)(i * 3)));
	}
	assert_false(peer.too_many_cids);
	note(&peer, bytes, put_cid(bytes, 1));
	assert_true(peer.too_many_cids);
	peer = (struct quic_peer_frames){0};
	note(&peer, bytes, put_cid(bytes, 63));
	assert_false(peer.too_many_cids);
	put_cid(bytes, 0x40); /* a number of two bytes: 64 */
	bytes[2] = 64;
	note(&peer, bytes, sizeof(bytes));
	assert_true(peer.too_many_cids);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_found),
	    cmocka_unit_test(test_not_found),
	    cmocka_unit_test(test_final),
	    cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
