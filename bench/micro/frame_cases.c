/* bench/micro/frame_cases.c: what is done to a frame alone: policy, codecs, checksum, segmenting, merging. */
#include "base/bytes.h"
#include "base/error.h"
#include "bench/micro/micro.h"
#include "ctrl/message.h"
#include "offload/merger.h"
#include "policy/policy.h"
#include "proto/overlay.h"
#include "queue/flow.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES 64 /* different ones, so that branches are not learnt by heart */
#define FRAME_MAX 1600
#define SUPER_SEGMENTS 44
#define SEGMENT_PAYLOAD 1346
#define TCP_HEADERS (14 + 20 + 20)
#define UDP_HEADERS (14 + 20 + 8)

struct frames {
	uint8_t bytes[FRAMES][FRAME_MAX];
	size_t size;
	uint64_t sum; /* of results: they must not be optimised away */
	struct offload_merger *merger;
	uint8_t *super;
	size_t super_len;
	struct offload_vnet vnet;
};

/* --- frames --- */

static void ip_header(uint8_t *ip, size_t len, uint8_t protocol, unsigned number) {
	static const uint8_t addresses[8] = {192, 168, 77, 77, 192, 168, 77, 2};

	memset(ip, 0, 20);
	ip[0] = 0x45;
	base_put_u16(ip + 2, (uint16_t)len);
	base_put_u16(ip + 4, (uint16_t)number); /* segments of one packet count up */
	ip[6] = 0x40;                           /* don't fragment */
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, addresses, 8);
	base_put_u16(ip + 10, (uint16_t)~offload_checksum_add(0, slice_of(ip, 20)));
}

static size_t frame(uint8_t *frame, size_t size, uint8_t protocol, unsigned number) {
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
	uint8_t *ip = frame + 14, *l4 = ip + 20;
	size_t l4_len = size - 34;
	bool is_tcp = protocol == 6;
	uint8_t pseudo[4] = {0, protocol, (uint8_t)(l4_len >> 8), (uint8_t)l4_len};
	uint16_t sum;

	memset(frame, (int)(number * 7), size);
	memcpy(frame, macs, sizeof(macs));
	base_put_u16(frame + 12, 0x0800);
	ip_header(ip, size - 14, protocol, number);
	memset(l4, 0, is_tcp ? 20 : 8);
	base_put_u16(l4, 40000);
	base_put_u16(l4 + 2, 27015);
	if (is_tcp) {
		base_put_u32(l4 + 4, (uint32_t)(number * (size - TCP_HEADERS)));
		base_put_u32(l4 + 8, 1);
		l4[12] = 5 << 4;
		l4[13] = 0x10; /* ACK */
		base_put_u16(l4 + 14, 1000);
	} else {
		base_put_u16(l4 + 4, (uint16_t)l4_len);
	}
	sum = offload_checksum_add(0, slice_of(pseudo, sizeof(pseudo)));
	sum = offload_checksum_add(sum, slice_of(ip + 12, 8));
	sum = offload_checksum_add(sum, slice_of(l4, l4_len));
	base_put_u16(l4 + (is_tcp ? 16 : 6), (uint16_t)~sum);
	return size;
}

size_t micro_tcp_frame(uint8_t *bytes, size_t size, unsigned number) {
	return frame(bytes, size, 6, number);
}

size_t micro_udp_frame(uint8_t *bytes, size_t size, unsigned number) {
	return frame(bytes, size, 17, number);
}

static struct frames *new_frames(const struct micro_case *self) {
	struct frames *all = calloc(1, sizeof(*all));

	if (all == NULL)
		micro_die("out of memory");
	all->size = self->size;
	return all;
}

static void *open_tcp(const struct micro_case *self) {
	struct frames *all = new_frames(self);

	for (unsigned i = 0; i < FRAMES; i++)
		(void)micro_tcp_frame(all->bytes[i], self->size, i);
	return all;
}

static void *open_udp(const struct micro_case *self) {
	struct frames *all = new_frames(self);

	for (unsigned i = 0; i < FRAMES; i++)
		(void)micro_udp_frame(all->bytes[i], self->size, i);
	return all;
}

/* Overlay datagrams: frames behind the header. */
static void *open_overlay(const struct micro_case *self) {
	struct frames *all = new_frames(self);

	for (unsigned i = 0; i < FRAMES; i++) {
		(void)micro_tcp_frame(all->bytes[i] + PROTO_OVERLAY_HEADER_BYTES, self->size, i);
		if (proto_overlay_encode_header(all->bytes[i], 1 + i, self->size, FRAME_MAX) != 0)
			micro_die("the overlay header does not encode");
	}
	return all;
}

static void close_frames(void *state) {
	struct frames *all = state;

	if (all->sum == 1)
		micro_die("that cannot be");
	offload_merger_free(all->merger);
	free(all->super);
	free(all);
}

/* --- policy and codecs --- */

static void run_policy(void *state, size_t frames) {
	struct frames *all = state;

	for (size_t i = 0; i < frames; i++) {
		if (policy_check(slice_of(all->bytes[i % FRAMES], all->size), POLICY_FROM_REMOTE) != POLICY_PASS)
			micro_die("the policy stops the bench's frame");
	}
}

static void run_overlay(void *state, size_t frames) {
	struct frames *all = state;
	size_t len = PROTO_OVERLAY_HEADER_BYTES + all->size;

	for (size_t i = 0; i < frames; i++) {
		uint8_t *bytes = all->bytes[i % FRAMES];
		struct proto_overlay overlay;

		if (proto_overlay_decode(slice_of(bytes, len), &overlay) != 0 ||
		    proto_overlay_encode_header(bytes, overlay.source_peer, overlay.frame.len, FRAME_MAX) != 0)
			micro_die("the overlay header is refused");
		all->sum += overlay.source_peer;
	}
}

static void run_flow_hash(void *state, size_t frames) {
	static const uint64_t seed[2] = {1, 2};
	struct frames *all = state;
	size_t len = PROTO_OVERLAY_HEADER_BYTES + all->size;

	for (size_t i = 0; i < frames; i++)
		all->sum += queue_flow_hash(seed, 1, slice_of(all->bytes[i % FRAMES], len)) & 0xff;
}

/* A control message, one of the longest: a peer's stats. */
static void run_control(void *state, size_t messages) {
	struct frames *all = state;

	for (size_t i = 0; i < messages; i++) {
		struct ctrl_message message = {.type = CTRL_STATS}, back;
		uint8_t bytes[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
		char error[CTRL_ERROR_BYTES];
		int len;

		for (size_t counter = 0; counter < OBS_COUNTER_COUNT; counter++)
			message.stats.counters.value[counter] = 1000000 + i;
		len = ctrl_message_print(&message, bytes, sizeof(bytes), error);
		if (len <= 0 ||
		    ctrl_message_parse(slice_of(bytes + CTRL_LENGTH_BYTES, (size_t)len - CTRL_LENGTH_BYTES), &back, error) != 0)
			micro_die(error);
		all->sum += back.stats.counters.value[0];
	}
}

/* --- checksum, segments, merging --- */

static void run_checksum(void *state, size_t frames) {
	struct frames *all = state;

	for (size_t i = 0; i < frames; i++)
		all->sum += offload_checksum_add(0, slice_of(all->bytes[i % FRAMES], all->size));
}

/* A super-frame of `variant` TCP or UDP, as a TAP with offloads gives it. */
static void *open_super(const struct micro_case *self) {
	struct frames *all = new_frames(self);
	bool is_tcp = self->variant == 6;
	size_t headers = is_tcp ? TCP_HEADERS : UDP_HEADERS;

	all->super_len = headers + SUPER_SEGMENTS * SEGMENT_PAYLOAD;
	all->super = malloc(all->super_len);
	if (all->super == NULL)
		micro_die("out of memory");
	(void)frame(all->super, all->super_len, (uint8_t)self->variant, 1);
	all->vnet = (struct offload_vnet){.needs_csum = true,
	                                  .gso = is_tcp ? OFFLOAD_GSO_TCP4 : OFFLOAD_GSO_UDP,
	                                  .hdr_len = (uint16_t)headers,
	                                  .gso_size = SEGMENT_PAYLOAD,
	                                  .csum_start = 34,
	                                  .csum_offset = is_tcp ? 16 : 6};
	return all;
}

static void run_split(void *state, size_t frames) {
	struct frames *all = state;
	struct slice segment;

	for (size_t done = 0; done < frames;) {
		struct offload_splitter splitter;
		int got;

		if (offload_splitter_init(&splitter, all->super, all->super_len, &all->vnet) != 0)
			micro_die("the super-frame is refused");
		for (; (got = offload_splitter_next(&splitter, all->bytes[0], FRAME_MAX, &segment)) > 0; done++)
			all->sum += segment.data[segment.len - 1];
		if (got < 0)
			micro_die("a segment does not fit");
	}
}

static void *open_merge(const struct micro_case *self) {
	struct frames *all = self->variant == 6 ? open_tcp(self) : open_udp(self);

	all->merger = offload_merger_new();
	if (all->merger == NULL)
		micro_die("out of memory");
	offload_merger_allow(all->merger, OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP, 1514);
	return all;
}

static void run_merge(void *state, size_t frames) {
	struct frames *all = state;
	struct offload_group group;

	for (size_t done = 0; done < frames;) {
		for (size_t i = 0; i < 32; i++, done++) {
			if (!offload_merger_push(all->merger, slice_of(all->bytes[i], all->size)))
				micro_die("the batch is full");
		}
		for (size_t i = 0; i < offload_merger_count(all->merger); i++) {
			offload_merger_group(all->merger, i, &group);
			all->sum += group.part_count;
		}
		if (offload_merger_count(all->merger) != 1)
			micro_die("a batch of one flow is not one group");
		offload_merger_clear(all->merger);
	}
}

const struct micro_case micro_frame_cases[] = {
    {.name = "policy, TCP 1400", .open = open_tcp, .run = run_policy, .close = close_frames, .size = 1400},
    {.name = "policy, UDP 200", .open = open_udp, .run = run_policy, .close = close_frames, .size = 200},
    {.name = "codec, overlay header", .open = open_overlay, .run = run_overlay, .close = close_frames, .size = 1400},
    {.name = "codec, control message (stats)", .open = open_tcp, .run = run_control, .close = close_frames, .size = 60},
    {.name = "flow hash, TCP 1400", .open = open_overlay, .run = run_flow_hash, .close = close_frames, .size = 1400},
    {.name = "checksum, 1400", .open = open_tcp, .run = run_checksum, .close = close_frames, .size = 1400},
    {.name = "checksum, 200", .open = open_tcp, .run = run_checksum, .close = close_frames, .size = 200},
    {.name = "segment, TCP 1400",
     .open = open_super,
     .run = run_split,
     .close = close_frames,
     .size = 1400,
     .variant = 6},
    {.name = "segment, UDP 1400",
     .open = open_super,
     .run = run_split,
     .close = close_frames,
     .size = 1400,
     .variant = 17},
    {.name = "merge 32, TCP 1400",
     .open = open_merge,
     .run = run_merge,
     .close = close_frames,
     .size = 1400,
     .variant = 6},
    {.name = "merge 32, UDP 200",
     .open = open_merge,
     .run = run_merge,
     .close = close_frames,
     .size = 200,
     .variant = 17},
    {.name = NULL},
};
