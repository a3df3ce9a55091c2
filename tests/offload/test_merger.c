#include "offload/merger.h"

#include "base/rng.h"
#include "tests/offload/frames.h"
#include "tests/offload/story.h"

#define STORIES 60
#define IP_CHECKSUM_AT 24
#define CHECKSUM_AT 50
#define ALL (OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP)

static const struct shape tcp4 = {"TCP, IPv4", OFFLOAD_GSO_TCP4, false, 0, 0, 12, 0, 1000};

static struct offload_merger *new_merger(unsigned kinds) {
	struct offload_merger *merger = offload_merger_new();

	assert_non_null(merger);
	offload_merger_allow(merger, kinds, 1514);
	return merger;
}

/* Cuts the shape's super-frame, pushes the segments; what comes out must be the super-frame again. */
static void round_trip(struct offload_merger *merger, const struct shape *shape) {
	struct frame super = build(shape, 0, shape->payload, 0, ACK | PSH, false);
	uint8_t *whole = malloc(super.len), segment[2048];
	struct offload_splitter splitter;
	struct offload_group group;
	struct slice out;
	size_t len = 0, bytes = 0;

	assert_non_null(whole);
	unit_assert_int(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), 0, shape->label);
	while (offload_splitter_next(&splitter, segment, sizeof(segment), &out) > 0) {
		unit_assert_true(offload_merger_push(merger, out), shape->label);
		bytes += out.len;
	}
	unit_assert_int(offload_merger_count(merger), 1, shape->label);
	offload_merger_group(merger, 0, &group);
	for (size_t i = 0; i < group.part_count; len += group.parts[i++].len)
		memcpy(whole + len, group.parts[i].data, group.parts[i].len);
	unit_assert_int(len, super.len, shape->label);
	unit_assert_true(memcmp(whole, super.bytes, len) == 0, shape->label);
	unit_assert_int(group.bytes, bytes, shape->label);
	unit_assert_true(group.vnet.needs_csum && group.vnet.gso == shape->gso, shape->label);
	unit_assert_int(group.vnet.gso_size, shape->gso_size, shape->label);
	unit_assert_int(group.vnet.hdr_len, super.header_len, shape->label);
	unit_assert_int(group.vnet.csum_start, super.vnet.csum_start, shape->label);
	unit_assert_int(group.vnet.csum_offset, super.vnet.csum_offset, shape->label);
	offload_merger_clear(merger);
	free(whole);
	free(super.bytes);
}

static void test_round_trip(void **state) {
	struct offload_merger *merger = new_merger(ALL);
	unsigned count = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		if (shapes[i].vlan_tags > 0 || shapes[i].ip_options > 0 || shapes[i].payload <= shapes[i].gso_size ||
		    shapes[i].payload > 65000 || shapes[i].payload > (size_t)OFFLOAD_GROUP_FRAMES_MAX * shapes[i].gso_size)
			continue;
		round_trip(merger, &shapes[i]);
		count++;
	}
	assert_int_equal(count, 9);
	offload_merger_free(merger);
}

/* A run of full TCP segments; `number` 0 starts it. */
static struct frame segment(unsigned number, uint8_t flags) {
	return build(&tcp4, (size_t)number * 1000, 1000, number, flags, true);
}

static void push(struct offload_merger *merger, struct frame frame) {
	assert_true(offload_merger_push(merger, slice_of(frame.bytes, frame.len)));
	free(frame.bytes);
}

static size_t frames_of(struct offload_merger *merger, size_t index) {
	struct offload_group group;

	offload_merger_group(merger, index, &group);
	return group.frames;
}

/* Everything but the checksums themselves stays right. */
static void alter(struct frame *frame, size_t at, uint8_t value) {
	static const struct story_flow tcp = {.udp = false};

	frame->bytes[at] = value;
	if (at == IP_CHECKSUM_AT || at == CHECKSUM_AT)
		return;
	story_finish_ipv4(frame->bytes + frame->l3, 20);
	story_finish_l4(frame->bytes + frame->l3, frame->bytes + frame->l4, frame->len - frame->l4, &tcp);
}

static void test_what_ends_a_run(void **state) {
	static const struct {
		const char *label;
		size_t at; /* from the start of the frame */
		uint8_t value;
	} cases[] = {
	    {"other source MAC", 11, 9},
	    {"other traffic class", 15, 0},
	    {"other TTL", 22, 63},
	    {"may be fragmented", 20, 0},
	    {"more fragments", 20, 0x20},
	    {"other address", 33, 77},
	    {"other port", 35, 77},
	    {"other acknowledgement", 45, 9},
	    {"reserved bits", 46, 0x81},
	    {"SYN", 47, 0x12},
	    {"URG", 47, 0x30},
	    {"ECE", 47, 0x50},
	    {"CWR", 47, 0x90},
	    {"FIN", 47, 0x11},
	    {"RST", 47, 0x14},
	    {"other window", 49, 9},
	    {"other urgent pointer", 53, 9},
	    {"other option", 60, 9},
	    {"other sequence", 41, 0xff},
	    {"other identification", 19, 7},
	    {"IP header checksum", IP_CHECKSUM_AT, 0x11},
	    {"checksum", CHECKSUM_AT, 0x11},
	    {"tagged", 12, 0x81},
	    {"IP options", 14, 0x46},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct offload_merger *merger = new_merger(ALL);
		struct frame odd = segment(2, ACK);

		push(merger, segment(0, ACK));
		push(merger, segment(1, ACK));
		unit_assert_true(odd.bytes[cases[i].at] != cases[i].value, cases[i].label);
		alter(&odd, cases[i].at, cases[i].value);
		push(merger, odd);
		push(merger, segment(3, ACK));
		push(merger, segment(4, ACK));
		unit_assert_true(offload_merger_count(merger) >= 3, cases[i].label);
		unit_assert_int(frames_of(merger, 0), 2, cases[i].label);
		unit_assert_int(frames_of(merger, 1), 1, cases[i].label); /* the odd one, as it came */
		offload_merger_free(merger);
	}
}

/* Alike in all frames, and still nothing to merge: only plain data is. */
static void test_what_never_runs(void **state) {
	static const struct {
		const char *label;
		size_t at;
		uint8_t value;
	} cases[] = {
	    {"reserved bits", 46, 0x81},
	    {"SYN", 47, 0x12},
	    {"URG", 47, 0x30},
	    {"ECE", 47, 0x50},
	    {"CWR", 47, 0x90},
	    {"FIN", 47, 0x11},
	    {"no acknowledgement", 47, 0},
	    {"reserved fragment bit", 20, 0x80},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct offload_merger *merger = new_merger(ALL);

		for (unsigned number = 0; number < 3; number++) {
			struct frame odd = segment(number, ACK);

			alter(&odd, cases[i].at, cases[i].value);
			push(merger, odd);
		}
		unit_assert_int(offload_merger_count(merger), 3, cases[i].label);
		offload_merger_free(merger);
	}
}

/* Adds the checksum to a word under it, which makes the checksum 0. */
static void make_zero(struct frame *frame, size_t checksum_at, size_t word_at) {
	uint8_t *word = frame->bytes + word_at;

	base_put_u16(word, fold((uint32_t)base_get_u16(word) + base_get_u16(frame->bytes + checksum_at)));
	alter(frame, word_at, word[0]);
	assert_int_equal(base_get_u16(frame->bytes + checksum_at), 0);
}

/* 0xffff is as right as 0, but segmentation would write the other. */
static void test_other_zero(void **state) {
	(void)state;
	for (unsigned which = 0; which < 4; which++) {
		bool ip = which % 2 == 1, other = which >= 2;
		struct offload_merger *merger = new_merger(ALL);
		struct frame frames[3];

		for (unsigned i = 0; i < 3; i++)
			frames[i] = segment(i, ACK);
		make_zero(&frames[1], ip ? IP_CHECKSUM_AT : CHECKSUM_AT, ip ? 32 : frames[1].len - 2);
		if (other)
			base_put_u16(frames[1].bytes + (ip ? IP_CHECKSUM_AT : CHECKSUM_AT), UINT16_MAX);
		for (unsigned i = 0; ip && i < 3; i += 2) { /* the same address, of course */
			frames[i].bytes[33] = frames[1].bytes[33];
			alter(&frames[i], 32, frames[1].bytes[32]);
		}
		for (unsigned i = 0; i < 3; i++)
			push(merger, frames[i]);
		assert_int_equal(offload_merger_count(merger), other ? 3 : 1);
		offload_merger_free(merger);
	}
}

static void test_runs(void **state) {
	static const size_t runs[] = {2, 2, 1, 1, 1, 1};
	struct offload_merger *merger = new_merger(ALL);

	(void)state;
	push(merger, segment(0, ACK));
	push(merger, segment(1, ACK | PSH)); /* its last */
	push(merger, segment(2, ACK));
	push(merger, build(&tcp4, 3000, 999, 3, ACK, true)); /* shorter: last as well */
	push(merger, build(&tcp4, 3999, 999, 4, ACK, true));
	push(merger, build(&tcp4, 4998, 1000, 5, ACK, true)); /* longer: starts the next */
	push(merger, build(&tcp4, 5998, 0, 6, ACK, true));    /* nothing in it: alone */
	push(merger, segment(7, ACK));
	assert_int_equal(offload_merger_count(merger), COUNT(runs));
	for (size_t i = 0; i < COUNT(runs); i++)
		assert_int_equal(frames_of(merger, i), runs[i]);
	offload_merger_free(merger);
}

static void test_bad_first_checksum(void **state) {
	struct offload_merger *merger = new_merger(ALL);
	struct frame bad = segment(0, ACK);

	(void)state;
	bad.bytes[bad.len - 1] ^= 1;
	push(merger, bad);
	push(merger, segment(1, ACK));
	push(merger, segment(2, ACK));
	assert_int_equal(offload_merger_count(merger), 2);
	assert_int_equal(frames_of(merger, 0), 1);
	assert_int_equal(frames_of(merger, 1), 2);
	offload_merger_free(merger);
}

static void test_only_what_is_allowed(void **state) {
	static const struct shape udp = {"UDP", OFFLOAD_GSO_UDP, false, 0, 0, 0, 0, 100};
	struct offload_merger *merger = new_merger(0);

	(void)state;
	for (unsigned kinds = 0; kinds <= ALL; kinds++) {
		offload_merger_clear(merger);
		offload_merger_allow(merger, kinds, 1514);
		for (unsigned i = 0; i < 3; i++) {
			push(merger, segment(i, ACK));
			push(merger, build(&udp, i, 100, i, 0, true));
		}
		assert_int_equal(offload_merger_count(merger),
		                 ((kinds & OFFLOAD_MERGE_TCP) != 0 ? 1 : 3) + ((kinds & OFFLOAD_MERGE_UDP) != 0 ? 1 : 3));
	}
	offload_merger_clear(merger);
	offload_merger_allow(merger, ALL, 1065); /* a byte less than the segments have */
	push(merger, segment(0, ACK));
	push(merger, segment(1, ACK));
	assert_int_equal(offload_merger_count(merger), 2);
	offload_merger_free(merger);
}

/* DHCP clients read packet sockets: what is for a group stays as it is. */
static void test_groups(void **state) {
	static const struct shape udp = {"UDP", OFFLOAD_GSO_UDP, false, 0, 0, 0, 0, 100};
	struct offload_merger *merger = new_merger(ALL);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct frame frame = build(&udp, i, 100, i, 0, true);

		memset(frame.bytes, 0xff, 6);
		push(merger, frame);
	}
	assert_int_equal(offload_merger_count(merger), 3);
	offload_merger_free(merger);
}

static void test_full(void **state) {
	struct offload_merger *merger = new_merger(ALL);
	uint8_t largest[UINT16_MAX] = {0};
	struct frame one = segment(0, ACK);
	unsigned count = 0;

	(void)state;
	for (unsigned rounds = 0; rounds < 2; rounds++) {
		for (count = 0; offload_merger_push(merger, slice_of(one.bytes, one.len)); count++)
			assert_true(count < OFFLOAD_MERGER_FRAMES_MAX);
		assert_int_equal(count, OFFLOAD_MERGER_BYTES_MAX / one.len);
		offload_merger_clear(merger);
	}
	for (count = 0; offload_merger_push(merger, slice_of(one.bytes, 1)); count++)
		assert_true(count < OFFLOAD_MERGER_FRAMES_MAX);
	assert_int_equal(count, OFFLOAD_MERGER_FRAMES_MAX);
	offload_merger_clear(merger);
	assert_true(offload_merger_push(merger, slice_of(largest, sizeof(largest))));
	free(one.bytes);
	offload_merger_free(merger);
}

static void test_stories(void **state) {
	uint8_t story[4 * 900];
	size_t merged = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= STORIES; seed++) {
		struct base_rng rng;
		unsigned odd_in = seed % 3 == 0 ? 1 : 20; /* one record of so many is not a plain one */

		base_rng_init(&rng, seed);
		for (size_t i = 0; i < sizeof(story); i += STORY_RECORD_BYTES) {
			base_put_u32(story + i, (uint32_t)base_rng_next(&rng));
			if (base_rng_below(&rng, odd_in) != 0)
				story[i + 1] = STORY_PLAIN;
			if (seed % 2 == 0)
				story[i] |= 0x80; /* full segments */
			if (seed % 5 == 0)
				story[i] &= 0x81; /* two flows */
		}
		merged += story_tell(story, sizeof(story));
	}
	assert_true(merged > STORIES * 100);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_what_ends_a_run),
	    cmocka_unit_test(test_what_never_runs),
	    cmocka_unit_test(test_other_zero),
	    cmocka_unit_test(test_runs),
	    cmocka_unit_test(test_bad_first_checksum),
	    cmocka_unit_test(test_only_what_is_allowed),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_stories),
	};

	return cmocka_run_group_tests_name("offload/merger", tests, NULL, NULL);
}
