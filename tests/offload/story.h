/* tests/offload/story.h: bytes read as a story of a few flows and what goes wrong on their way (loss, repetition, odd
 * headers, broken checksums), told to a merger. What comes out, taken apart by the splitter, must be the frames that
 * went in, byte for byte and in order within each flow. Aborts when it is not; shared by fuzzing and the unit tests. */
#ifndef TESTS_OFFLOAD_STORY_H
#define TESTS_OFFLOAD_STORY_H

#include "offload/merger.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#define STORY_FRAMES_MAX 2048
#define STORY_FRAME_BYTES_MAX 2048
#define STORY_RECORD_BYTES 4
#define STORY_FLOWS 8
#define STORY_NO_FLOW STORY_FLOWS /* a frame whose place does not matter */

struct story_flow {
	bool udp, ipv6;
	uint32_t sequence;
	uint16_t id, window;
	uint8_t acked, ttl, options;
};

struct story_frame {
	unsigned flow;
	size_t len;
	bool seen;
	uint8_t bytes[STORY_FRAME_BYTES_MAX];
};

struct story {
	struct offload_merger *merger;
	struct story_flow flows[STORY_FLOWS];
	size_t frame_count, merged; /* merged: frames that went into super-frames */
	uint8_t super[OFFLOAD_SUPER_FRAME_MAX];
	struct story_frame frames[STORY_FRAMES_MAX];
};

enum story_turn {
	STORY_PLAIN,
	STORY_PUSHED = 16, /* all below: plain */
	STORY_LOST,
	STORY_REPEATED,
	STORY_BAD_CHECKSUM,
	STORY_BAD_IP_CHECKSUM,
	STORY_ZERO_CHECKSUM,
	STORY_OTHER_ZERO,
	STORY_ACK_MOVES,
	STORY_WINDOW_MOVES,
	STORY_TTL_MOVES,
	STORY_ID_JUMPS,
	STORY_OPTIONS_CHANGE,
	STORY_FLAGS,
	STORY_PADDED,
	STORY_FRAGMENT,
	STORY_IP_OPTIONS,
	STORY_TAGGED,
	STORY_OTHER_MAC,
	STORY_CUT,
	STORY_BIT,
	STORY_END
};

static inline uint32_t story_sum(uint32_t sum, const uint8_t *p, size_t len) {
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum > UINT16_MAX)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return sum;
}

static inline size_t story_put_l4(uint8_t *l4, const struct story_flow *flow, unsigned number, uint8_t flags,
                                  size_t payload) {
	size_t header = flow->udp ? 8 : 20 + (size_t)flow->options;

	base_put_u32(l4, 0x1f900050 + number);
	if (flow->udp) {
		base_put_u16(l4 + 4, (uint16_t)(header + payload));
	} else {
		base_put_u32(l4 + 4, flow->sequence);
		base_put_u32(l4 + 8, flow->acked);
		l4[12] = (uint8_t)(header / 4 << 4);
		l4[13] = flags;
		base_put_u16(l4 + 14, flow->window);
		memset(l4 + 20, 1, flow->options);
	}
	for (size_t i = 0; i < payload; i++)
		l4[header + i] = (uint8_t)(flow->sequence + i);
	return header + payload;
}

static inline void story_finish_l4(uint8_t *l3, uint8_t *l4, size_t l4_len, const struct story_flow *flow) {
	uint8_t *field = l4 + (flow->udp ? 6 : 16);
	uint32_t sum =
	    story_sum((uint32_t)l4_len + (flow->udp ? 17 : 6), flow->ipv6 ? l3 + 8 : l3 + 12, flow->ipv6 ? 32 : 8);

	base_put_u16(field, 0);
	sum = ~story_sum(sum, l4, l4_len) & UINT16_MAX;
	base_put_u16(field, (uint16_t)(flow->udp && sum == 0 ? UINT16_MAX : sum));
}

static inline void story_finish_ipv4(uint8_t *l3, size_t header) {
	base_put_u16(l3 + 10, 0);
	base_put_u16(l3 + 10, (uint16_t)~story_sum(0, l3, header));
}

static inline void story_build(struct story *story, struct story_frame *frame, unsigned number, enum story_turn turn,
                               size_t payload) {
	struct story_flow *flow = &story->flows[number];
	uint8_t *l3 = frame->bytes + 14, *l4;
	size_t ip = flow->ipv6 ? 40 : turn == STORY_IP_OPTIONS ? 24 : 20, l4_len;

	memset(frame, 0, sizeof(*frame));
	frame->flow = number;
	memcpy(frame->bytes, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
	frame->bytes[11] = turn == STORY_OTHER_MAC ? 9 : 1;
	base_put_u16(frame->bytes + 12, flow->ipv6 ? 0x86dd : 0x0800);
	l4 = l3 + ip;
	l4_len = story_put_l4(l4, flow, number, turn == STORY_PUSHED ? 0x18 : turn == STORY_FLAGS ? 0x11 : 0x10, payload);
	frame->len = 14 + ip + l4_len;
	if (flow->ipv6) {
		base_put_u32(l3, 0x60000000);
		base_put_u16(l3 + 4, (uint16_t)l4_len);
		l3[6] = flow->udp ? 17 : 6;
		l3[7] = flow->ttl;
		l3[23] = 1;
		l3[39] = 2;
	} else {
		l3[0] = (uint8_t)(0x40 + ip / 4);
		base_put_u16(l3 + 2, (uint16_t)(ip + l4_len));
		base_put_u16(l3 + 4, flow->id);
		base_put_u16(l3 + 6, turn == STORY_FRAGMENT ? 0x2000 : 0x4000);
		l3[8] = flow->ttl;
		l3[9] = flow->udp ? 17 : 6;
		memcpy(l3 + 12, "\xc0\xa8\0\x32\xc0\xa8\0\1", 8);
		memset(l3 + 20, 1, ip - 20);
		story_finish_ipv4(l3, ip);
	}
	story_finish_l4(l3, l4, l4_len, flow);
	if (turn == STORY_BAD_CHECKSUM)
		l4[flow->udp ? 7 : 17] ^= 1;
	if (turn == STORY_ZERO_CHECKSUM)
		base_put_u16(l4 + (flow->udp ? 6 : 16), 0);
	if (turn == STORY_BAD_IP_CHECKSUM && !flow->ipv6)
		l3[10] ^= 1;
	if (turn == STORY_OTHER_ZERO && base_get_u16(l4 + (flow->udp ? 6 : 16)) == 0)
		base_put_u16(l4 + (flow->udp ? 6 : 16), UINT16_MAX);
	if (turn == STORY_OTHER_ZERO && !flow->ipv6 && base_get_u16(l3 + 10) == 0)
		base_put_u16(l3 + 10, UINT16_MAX);
	if (turn == STORY_PADDED)
		frame->len += 6;
	if (turn == STORY_TAGGED) {
		memmove(frame->bytes + 16, frame->bytes + 12, frame->len - 12);
		base_put_u32(frame->bytes + 12, 0x81000000);
		frame->len += 4;
	}
}

/* One frame that left the merger: the oldest of its flow that has not been seen. */
static inline void story_see(struct story *story, struct slice bytes) {
	bool older[STORY_FLOWS + 1] = {false};

	for (size_t i = 0; i < story->frame_count; i++) {
		struct story_frame *frame = &story->frames[i];

		if (frame->seen || older[frame->flow])
			continue;
		if (frame->len == bytes.len && memcmp(frame->bytes, bytes.data, bytes.len) == 0) {
			frame->seen = true;
			return;
		}
		older[frame->flow] = frame->flow != STORY_NO_FLOW;
	}
	abort(); /* altered, invented, doubled, or before its turn */
}

static inline void story_see_group(struct story *story, size_t index) {
	struct slice singles[OFFLOAD_GROUP_FRAMES_MAX], out;
	struct offload_splitter splitter;
	struct offload_group group;
	uint8_t buf[STORY_FRAME_BYTES_MAX];
	size_t len = 0, bytes = 0, frames = 0;
	int got;

	offload_merger_group(story->merger, index, &group);
	offload_merger_frames(story->merger, index, singles);
	for (size_t i = 0; i < group.part_count; i++) {
		if (group.parts[i].len > UINT16_MAX - len)
			abort();
		memcpy(story->super + len, group.parts[i].data, group.parts[i].len);
		len += group.parts[i].len;
	}
	if (group.frames > 1)
		story->merged += group.frames;
	if ((group.frames > 1) != (group.vnet.gso != OFFLOAD_GSO_NONE) ||
	    offload_splitter_init(&splitter, story->super, len, &group.vnet) != 0)
		abort();
	while ((got = offload_splitter_next(&splitter, buf, sizeof(buf), &out)) > 0) {
		if (frames == group.frames || out.len != singles[frames].len ||
		    memcmp(out.data, singles[frames].data, out.len) != 0)
			abort();
		frames++;
		bytes += out.len;
		story_see(story, out);
	}
	if (got < 0 || frames != group.frames || bytes != group.bytes)
		abort();
}

static inline void story_end_turn(struct story *story) {
	for (size_t i = 0; i < offload_merger_count(story->merger); i++)
		story_see_group(story, i);
	offload_merger_clear(story->merger);
	for (size_t i = 0; i < story->frame_count; i++)
		if (!story->frames[i].seen)
			abort(); /* lost */
	story->frame_count = 0;
}

static inline void story_push(struct story *story) {
	struct story_frame *frame = &story->frames[story->frame_count];
	uint8_t *exact = malloc(frame->len > 0 ? frame->len : 1); /* so that sanitizers see any overrun */

	if (exact == NULL)
		abort();
	memcpy(exact, frame->bytes, frame->len);
	if (!offload_merger_push(story->merger, slice_of(exact, frame->len))) {
		struct story_frame *first = &story->frames[0];

		story_end_turn(story);
		memmove(first, frame, sizeof(*frame));
		if (!offload_merger_push(story->merger, slice_of(exact, frame->len)))
			abort(); /* an empty batch takes any frame */
	}
	free(exact);
	story->frame_count++;
}

static inline void story_record(struct story *story, const uint8_t *record) {
	unsigned number = record[0] % STORY_FLOWS;
	enum story_turn turn = (enum story_turn)(record[1] % (STORY_END + 1));
	struct story_flow *flow = &story->flows[number];
	size_t payload = (record[0] & 0x80) != 0 ? 1300u : (record[2] & 3u) * 100u + record[3];
	struct story_frame *frame = &story->frames[story->frame_count];

	if (turn == STORY_END) {
		story_end_turn(story);
		return;
	}
	flow->acked = (uint8_t)(flow->acked + (turn == STORY_ACK_MOVES));
	flow->window = (uint16_t)(flow->window + (turn == STORY_WINDOW_MOVES));
	flow->ttl = (uint8_t)(flow->ttl + (turn == STORY_TTL_MOVES));
	flow->id = (uint16_t)(flow->id + (turn == STORY_ID_JUMPS ? record[2] : 0));
	if (turn == STORY_OPTIONS_CHANGE)
		flow->options = record[2] % 11 * 4;
	story_build(story, frame, number, turn, payload);
	if (turn == STORY_CUT)
		frame->len = 1 + frame->len * record[2] / 256;
	if (turn == STORY_BIT) { /* perhaps one of its ports */
		frame->bytes[record[2] % 80] ^= (uint8_t)(1 << record[3] % 8);
		frame->flow = STORY_NO_FLOW;
	}
	if (turn != STORY_REPEATED) {
		flow->sequence += (uint32_t)payload;
		flow->id++;
	}
	if (turn != STORY_LOST)
		story_push(story);
}

/* Returns how many frames went into super-frames. */
static inline size_t story_tell(const uint8_t *data, size_t size) {
	struct story *story = calloc(1, sizeof(*story));
	size_t merged;

	if (story == NULL || (story->merger = offload_merger_new()) == NULL)
		abort();
	offload_merger_allow(story->merger, OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP, 1500);
	for (unsigned i = 0; i < STORY_FLOWS; i++)
		story->flows[i] = (struct story_flow){.udp = i % 4 == 3,
		                                      .ipv6 = i % 2 == 1,
		                                      .sequence = 0xfffff000,
		                                      .id = (uint16_t)(0xfff0 + i),
		                                      .ttl = 64,
		                                      .options = i == 0 ? 12 : 0};
	story->flows[6].udp = true;
	for (; size >= STORY_RECORD_BYTES; data += STORY_RECORD_BYTES, size -= STORY_RECORD_BYTES)
		story_record(story, data);
	story_end_turn(story);
	merged = story->merged;
	offload_merger_free(story->merger);
	free(story);
	return merged;
}

#endif
