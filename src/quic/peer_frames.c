/* quic/peer_frames.c: looks through a peer's frames before ngtcp2 reads them, for two things that make an assertion of
 * ngtcp2 fail, and so would end the program (1.11, and still 1.25):
 *
 * - Many connection IDs (NEW_CONNECTION_ID, RFC 9000 section 19.15). Of those that it gave up, ngtcp2 remembers 16
 *   until the peer has acknowledged that; a peer that acknowledges none and then changes its path is too much for
 *   conn_recv_pkt. Who cannot announce so many cannot fill that list.
 * - From a server, before the handshake is over: HANDSHAKE_DONE, and the end of its first connection ID. It is not over
 *   while the congestion window keeps a client from saying its part, though ngtcp2 goes on.
 *
 * Knows just enough of frames to step over them; what is malformed is left to ngtcp2, which ends the connection. Pure.
 */
#include "quic/internal.h"

#define FRAME_ACK 0x02
#define FRAME_ACK_ECN 0x03
#define FRAME_STREAM 0x08 /* to 0x0f */
#define FRAME_STREAM_LAST 0x0f
#define STREAM_HAS_OFFSET 0x04
#define STREAM_HAS_LENGTH 0x02
#define FRAME_NEW_CONNECTION_ID 0x18
#define FRAME_HANDSHAKE_DONE 0x1e
#define FRAME_DATAGRAM 0x30 /* to the packet's end */

/* Frames that are some numbers (RFC 9000 section 16) and then bytes: as many as the last number says, or always as
 * many. Those of no bytes at all, and those that nobody knows, are zero. */
static const struct form {
	uint8_t numbers, bytes;
	bool has_data;
} forms[] = {
    [0x04] = {.numbers = 3},                   /* RESET_STREAM */
    [0x05] = {.numbers = 2},                   /* STOP_SENDING */
    [0x06] = {.numbers = 2, .has_data = true}, /* CRYPTO */
    [0x07] = {.numbers = 1, .has_data = true}, /* NEW_TOKEN */
    [0x10] = {.numbers = 1},                   /* MAX_DATA */
    [0x11] = {.numbers = 2},                   /* MAX_STREAM_DATA */
    [0x12] = {.numbers = 1},                   /* MAX_STREAMS */
    [0x13] = {.numbers = 1},
    [0x14] = {.numbers = 1}, /* DATA_BLOCKED */
    [0x15] = {.numbers = 2}, /* STREAM_DATA_BLOCKED */
    [0x16] = {.numbers = 1}, /* STREAMS_BLOCKED */
    [0x17] = {.numbers = 1},
    [0x19] = {.numbers = 1},                   /* RETIRE_CONNECTION_ID */
    [0x1a] = {.bytes = 8},                     /* PATH_CHALLENGE */
    [0x1b] = {.bytes = 8},                     /* PATH_RESPONSE */
    [0x1c] = {.numbers = 3, .has_data = true}, /* CONNECTION_CLOSE */
    [0x1d] = {.numbers = 2, .has_data = true},
    [0x31] = {.numbers = 1, .has_data = true}, /* DATAGRAM */
};

static bool skip(struct slice *rest, uint64_t len) {
	if (len > rest->len)
		return false;
	*rest = slice_of(rest->data + len, rest->len - (size_t)len);
	return true;
}

/* The last of `count` numbers. */
static bool read_numbers(struct slice *rest, uint64_t count, uint64_t *ret) {
	for (uint64_t i = 0; i < count; i++) {
		size_t len = rest->len > 0 ? (size_t)1 << (rest->data[0] >> 6) : 1;

		if (len > rest->len)
			return false;
		*ret = rest->data[0] & 0x3f;
		for (size_t at = 1; at < len; at++)
			*ret = *ret << 8 | rest->data[at];
		skip(rest, len);
	}
	return true;
}

static bool skip_ack(struct slice *rest, bool has_ecn) {
	uint64_t ranges = 0, last;

	return read_numbers(rest, 3, &ranges) && read_numbers(rest, 1 + 2 * ranges + (has_ecn ? 3 : 0), &last);
}

static bool skip_stream(struct slice *rest, uint8_t type) {
	bool has_offset = (type & STREAM_HAS_OFFSET) != 0, has_length = (type & STREAM_HAS_LENGTH) != 0;
	uint64_t last = 0;

	if (!read_numbers(rest, UINT64_C(1) + has_offset + has_length, &last))
		return false;
	return skip(rest, has_length ? last : rest->len);
}

static bool skip_frame(struct slice *rest, uint8_t type) {
	const struct form *form;
	uint64_t last = 0;

	if (type == FRAME_ACK || type == FRAME_ACK_ECN)
		return skip_ack(rest, type == FRAME_ACK_ECN);
	if (type >= FRAME_STREAM && type <= FRAME_STREAM_LAST)
		return skip_stream(rest, type);
	if (type == FRAME_DATAGRAM)
		return skip(rest, rest->len);
	if (type >= sizeof(forms) / sizeof(forms[0]))
		return false;
	form = &forms[type];
	if (!read_numbers(rest, form->numbers, &last))
		return false;
	return skip(rest, form->has_data ? last : form->bytes);
}

/* One that is announced again, because the packet was lost, counts once. Who numbers them so high has announced as
 * many, or will not say. */
static void note_cid(struct quic_peer_frames *peer, uint64_t number) {
	uint64_t bit = number < 64 ? UINT64_C(1) << number : 0;

	if ((peer->cids & bit) == 0)
		peer->cids_count++;
	peer->cids |= bit;
	if (bit == 0 || peer->cids_count > QUIC_PEER_CIDS_MAX)
		peer->too_many_cids = true;
}

static bool read_new_cid(struct quic_peer_frames *peer, struct slice *rest) {
	uint64_t number = 0, retired = 0;

	if (!read_numbers(rest, 1, &number))
		return false;
	note_cid(peer, number);
	if (!read_numbers(rest, 1, &retired))
		return false;
	peer->final = peer->final || retired > 0;
	return rest->len > 0 && skip(rest, 1 + (uint64_t)rest->data[0] + NGTCP2_STATELESS_RESET_TOKENLEN);
}

void quic_peer_frames_note(struct quic_peer_frames *peer, struct slice frames) {
	bool more = true;

	while (more && frames.len > 0) {
		uint8_t type = frames.data[0];

		skip(&frames, 1);
		peer->final = peer->final || type == FRAME_HANDSHAKE_DONE;
		more = type == FRAME_NEW_CONNECTION_ID ? read_new_cid(peer, &frames) : skip_frame(&frames, type);
	}
}
