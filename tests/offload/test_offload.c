/* The expectation is made independently: each segment is built from scratch by the same builder that made the
 * super-frame, with a checksum summed word by word, and compared byte for byte. */
#include "offload/offload.h"

#include "base/error.h"
#include "tests/offload/frames.h"

static void check_segments(const struct shape *shape, const struct frame *super, uint8_t flags) {
	struct offload_splitter splitter;
	uint8_t buf[2048];
	size_t first = 0;
	unsigned index = 0;
	struct slice out;
	int len;

	unit_assert_int(offload_splitter_init(&splitter, super->bytes, super->len, &super->vnet), 0, shape->label);
	while ((len = offload_splitter_next(&splitter, buf, sizeof(buf), &out)) != 0) {
		size_t left = shape->payload - first;
		size_t payload = left < shape->gso_size ? left : shape->gso_size;
		uint8_t cleared = (uint8_t)((index > 0 ? CWR : 0) | (payload < left ? FIN | PSH : 0));
		struct frame expected = build(shape, first, payload, index, (uint8_t)(flags & ~cleared), true);

		unit_assert_int(len, expected.len, shape->label);
		unit_assert_true(out.data == buf && out.len == expected.len, shape->label);
		for (size_t i = 0; i < expected.len; i++) {
			if (buf[i] != expected.bytes[i])
				fail_msg("%s: segment %u differs at byte %u (L3 at %u, L4 at %u)", shape->label, index, (unsigned)i,
				         (unsigned)super->l3, (unsigned)super->l4);
		}
		free(expected.bytes);
		first += payload;
		index++;
	}
	unit_assert_int(first, shape->payload, shape->label);
	unit_assert_int(offload_splitter_next(&splitter, buf, sizeof(buf), &out), 0, shape->label);
}

static void test_segments(void **state) {
	static const uint8_t flags[] = {ACK, ACK | PSH, ACK | PSH | FIN, ACK | CWR | ECE | PSH};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		for (size_t f = 0; f < COUNT(flags); f++) {
			for (int complete = 0; complete < 2; complete++) { /* the checksum begun, or already verified by the card */
				struct frame super = build(&shapes[i], 0, shapes[i].payload, 0, flags[f], complete != 0);

				check_segments(&shapes[i], &super, flags[f]);
				free(super.bytes);
			}
		}
	}
}

/* Under a routing header the address that counts is not in the IPv6 header: the begun checksum knows. */
static void test_begun_checksum_is_used(void **state) {
	const struct shape *shape = &shapes[13];
	struct frame super = build(shape, 0, 3000, 0, ACK, false);
	struct offload_splitter splitter;
	uint8_t buf[2048], *field = super.bytes + super.l4 + 16;
	uint16_t plain, other;
	struct slice out;

	(void)state;
	assert_int_equal(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), 0);
	assert_true(offload_splitter_next(&splitter, buf, sizeof(buf), &out) > 0);
	plain = base_get_u16(buf + super.l4 + 16);
	base_put_u16(field, fold((uint32_t)base_get_u16(field) + 5));
	assert_int_equal(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), 0);
	assert_true(offload_splitter_next(&splitter, buf, sizeof(buf), &out) > 0);
	other = base_get_u16(buf + super.l4 + 16);
	assert_int_equal(fold((uint32_t)other + 5), plain);
	free(super.bytes);
}

static void test_udp_checksum_is_never_zero(void **state) {
	static const struct shape shape = {"UDP", OFFLOAD_GSO_UDP, false, 0, 0, 0, 8, 4};
	struct frame super = build(&shape, 0, 8, 0, 0, false);
	struct frame segment = build(&shape, 0, 4, 0, 0, true);
	uint16_t word = base_get_u16(super.bytes + super.header_len);
	uint16_t checksum = base_get_u16(segment.bytes + segment.l4 + 6);
	struct offload_splitter splitter;
	uint8_t buf[128];
	struct slice out;

	(void)state;
	/* with its checksum added to the payload, the segment sums up to ffff */
	base_put_u16(super.bytes + super.header_len, fold((uint32_t)word + checksum));
	assert_int_equal(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), 0);
	assert_true(offload_splitter_next(&splitter, buf, sizeof(buf), &out) > 0);
	assert_int_equal(base_get_u16(buf + super.l4 + 6), 0xffff);
	free(super.bytes);
	free(segment.bytes);
}

static void test_plain_frames(void **state) {
	static const struct shape plain[] = {
	    {"TCP", OFFLOAD_GSO_TCP4, false, 0, 0, 12, 777, 0},
	    {"TCP, IPv6, tagged", OFFLOAD_GSO_TCP6, true, 1, 0, 0, 1400, 0},
	    {"UDP", OFFLOAD_GSO_UDP, false, 0, 0, 0, 31, 0},
	    {"UDP, IPv6, extension header", OFFLOAD_GSO_UDP, true, 0, 8, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(plain); i++) {
		struct frame begun = build(&plain[i], 0, plain[i].payload, 0, ACK, false);
		struct frame complete = build(&plain[i], 0, plain[i].payload, 0, ACK, true);
		struct offload_splitter splitter;
		struct slice out = {0};

		begun.vnet.gso = OFFLOAD_GSO_NONE;
		unit_assert_int(offload_splitter_init(&splitter, begun.bytes, begun.len, &begun.vnet), 0, plain[i].label);
		unit_assert_int(offload_splitter_next(&splitter, NULL, 0, &out), complete.len, plain[i].label);
		unit_assert_true(out.data == begun.bytes && out.len == complete.len, plain[i].label);
		unit_assert_true(memcmp(begun.bytes, complete.bytes, complete.len) == 0, plain[i].label);
		unit_assert_int(offload_splitter_next(&splitter, NULL, 0, &out), 0, plain[i].label);
		free(begun.bytes);
		free(complete.bytes);
	}
}

static void test_plain_untouched(void **state) {
	const struct offload_vnet nothing = {.csum_start = 0xffff, .csum_offset = 0xffff, .gso_size = 9, .hdr_len = 0xffff};
	uint8_t frame[60], before[60];
	struct offload_splitter splitter;
	struct slice out;

	(void)state;
	memset(frame, 0x5a, sizeof(frame));
	memcpy(before, frame, sizeof(frame));
	assert_int_equal(offload_splitter_init(&splitter, frame, sizeof(frame), &nothing), 0);
	assert_int_equal(offload_splitter_next(&splitter, NULL, 0, &out), 60);
	assert_memory_equal(frame, before, sizeof(frame));
}

static void test_plain_checksum_zero(void **state) {
	/* A sum of ffff is a checksum of 0: written as ffff. */
	uint8_t frame[18] = {[16] = 0xff, [17] = 0xff};
	const struct offload_vnet vnet = {.needs_csum = true, .csum_start = 14, .csum_offset = 2};
	struct offload_splitter splitter;

	(void)state;
	assert_int_equal(offload_splitter_init(&splitter, frame, sizeof(frame), &vnet), 0);
	assert_int_equal(base_get_u16(frame + 16), 0xffff);
}

static void test_plain_sctp(void **state) {
	/* Ports, tag, checksum; COOKIE ACK. */
	static const uint8_t packet[] = {0, 9, 0x13, 0x88, 1, 2, 3, 4, 0x00, 0x45, 0x02, 0xed, 0x0b, 0, 0, 4};
	const struct offload_vnet vnet = {.needs_csum = true, .csum_start = 34, .csum_offset = 8};
	struct offload_splitter splitter;
	uint8_t frame[34 + sizeof(packet)] = {0};

	(void)state;
	memcpy(frame + 34, packet, sizeof(packet));
	memset(frame + 34 + 8, 0, 4);
	assert_int_equal(offload_splitter_init(&splitter, frame, sizeof(frame), &vnet), 0);
	assert_memory_equal(frame + 34, packet, sizeof(packet));
}

static void test_plain_bounds(void **state) {
	static const struct {
		uint16_t start, offset;
		int expected;
	} cases[] = {
	    {14, 0, 0},
	    {58, 0, 0},
	    {14, 44, 0},
	    {14, 45, BASE_E_INVALID},
	    {59, 0, BASE_E_INVALID},
	    {60, 0, BASE_E_INVALID},
	    {0xffff, 0, BASE_E_INVALID},
	    {14, 0xffff, BASE_E_INVALID},
	    {0xffff, 0xffff, BASE_E_INVALID},
	    {13, 0, BASE_E_INVALID},
	    {48, 8, 0},
	    {49, 8, BASE_E_INVALID},
	    {13, 8, BASE_E_INVALID},
	    {0xffff, 8, BASE_E_INVALID},
	    {0, 0, BASE_E_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct offload_vnet vnet = {
		    .needs_csum = true, .csum_start = cases[i].start, .csum_offset = cases[i].offset};
		uint8_t *frame = calloc(1, 60);
		struct offload_splitter splitter;

		assert_int_equal(offload_splitter_init(&splitter, frame, 60, &vnet), cases[i].expected);
		free(frame);
	}
}

static void test_vnet(void **state) {
	static const struct {
		const char *label;
		uint8_t flags, type;
		int expected;
		enum offload_gso gso;
	} cases[] = {
	    {"plain", 0, 0, 0, OFFLOAD_GSO_NONE},
	    {"checksum", 1, 0, 0, OFFLOAD_GSO_NONE},
	    {"verified", 2, 0, 0, OFFLOAD_GSO_NONE},
	    {"TCP4", 1, 1, 0, OFFLOAD_GSO_TCP4},
	    {"TCP4 with ECN", 1, 0x81, 0, OFFLOAD_GSO_TCP4},
	    {"TCP6", 1, 4, 0, OFFLOAD_GSO_TCP6},
	    {"TCP6 with ECN", 1, 0x84, 0, OFFLOAD_GSO_TCP6},
	    {"UDP", 1, 5, 0, OFFLOAD_GSO_UDP},
	    {"UFO", 1, 3, BASE_E_UNSUPPORTED, OFFLOAD_GSO_NONE},
	    {"UFO with ECN", 1, 0x83, BASE_E_UNSUPPORTED, OFFLOAD_GSO_NONE},
	    {"2", 1, 2, BASE_E_UNSUPPORTED, OFFLOAD_GSO_NONE},
	    {"6", 1, 6, BASE_E_UNSUPPORTED, OFFLOAD_GSO_NONE},
	    {"ECN alone", 1, 0x80, BASE_E_UNSUPPORTED, OFFLOAD_GSO_NONE},
	    {"all bits", 1, 0xff, BASE_E_UNSUPPORTED, OFFLOAD_GSO_NONE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t wire[OFFLOAD_VNET_HEADER_BYTES] = {cases[i].flags, cases[i].type, 0x42, 0,    0xa8,
		                                           0x05,           0x22,          0,    0x10, 1};
		uint8_t again[OFFLOAD_VNET_HEADER_BYTES];
		struct offload_vnet vnet = {.gso_size = 77};

		unit_assert_int(offload_vnet_decode(slice_of(wire, sizeof(wire)), &vnet), cases[i].expected, cases[i].label);
		for (size_t cut = 0; cut < sizeof(wire); cut++)
			unit_assert_int(offload_vnet_decode(slice_of(wire, cut), &vnet), BASE_E_SHORT, cases[i].label);
		if (cases[i].expected != 0) {
			unit_assert_int(vnet.gso_size, 77, cases[i].label);
			continue;
		}
		unit_assert_int(vnet.gso, cases[i].gso, cases[i].label);
		unit_assert_int(vnet.needs_csum, cases[i].flags & 1, cases[i].label);
		unit_assert_int(vnet.ecn, cases[i].type >> 7, cases[i].label);
		unit_assert_int(vnet.hdr_len, 0x42, cases[i].label);
		unit_assert_int(vnet.gso_size, 1448, cases[i].label);
		unit_assert_int(vnet.csum_start, 34, cases[i].label);
		unit_assert_int(vnet.csum_offset, 0x110, cases[i].label);
		wire[0] &= 1; /* whether it was verified is not kept */
		offload_vnet_encode(&vnet, again);
		unit_assert_true(memcmp(wire, again, sizeof(wire)) == 0, cases[i].label);
	}
}

/* What contradicts itself is refused. Each case changes bytes of a good frame: offsets are from L3 or, from 1000, L4.
 */
static void test_refuses(void **state) {
	static const struct {
		const char *label;
		size_t shape, at;
		uint8_t value;
		int expected;
	} cases[] = {
	    {"IPv4 version", 0, 0, 0x65, BASE_E_INVALID},
	    {"IPv4 header length 16", 0, 0, 0x44, BASE_E_INVALID},
	    {"IPv4 header length over TCP", 0, 0, 0x46, BASE_E_INVALID},
	    {"IPv4 header length past the end", 9, 0, 0x4b, BASE_E_INVALID},
	    {"IPv4 total length", 0, 3, 0, BASE_E_INVALID},
	    {"IPv4 more fragments", 0, 6, 0x20, BASE_E_UNSUPPORTED},
	    {"IPv4 fragment offset", 0, 7, 1, BASE_E_UNSUPPORTED},
	    {"IPv4 reserved flag", 0, 6, 0x80, 0},
	    {"UDP in TCP4", 0, 9, 17, BASE_E_INVALID},
	    {"GRE", 0, 9, 47, BASE_E_UNSUPPORTED},
	    {"TCP header of 16", 0, 1012, 0x40, BASE_E_INVALID},
	    {"TCP header past the end", 9, 1012, 0x60, BASE_E_INVALID},
	    {"IPv6 version", 13, 0, 0x40, BASE_E_INVALID},
	    {"IPv6 payload length", 13, 5, 0, BASE_E_INVALID},
	    {"IPv6 fragment", 13, 6, 44, BASE_E_UNSUPPORTED},
	    {"IPv6 unknown header", 13, 6, 253, BASE_E_UNSUPPORTED},
	    {"IPv6 extension header past the end", 22, 41, 255, BASE_E_INVALID},
	    {"IPv6 extension header up to the end", 22, 41, 6, BASE_E_INVALID},
	    {"IPv6 extension header one step past the end", 22, 41, 7, BASE_E_INVALID},
	    {"UDP in TCP6", 13, 6, 17, BASE_E_INVALID},
	    {"TCP in UDP", 17, 9, 6, BASE_E_INVALID},
	    {"UDP length", 17, 1005, 0x13, BASE_E_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct shape *shape = &shapes[cases[i].shape];
		struct frame super = build(shape, 0, shape->payload, 0, ACK, false);
		struct offload_splitter splitter = {.frame_len = 1};

		super.bytes[cases[i].at >= 1000 ? super.l4 + cases[i].at - 1000 : super.l3 + cases[i].at] = cases[i].value;
		unit_assert_int(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), cases[i].expected,
		                cases[i].label);
		if (cases[i].expected != 0)
			unit_assert_int(splitter.frame_len, 1, cases[i].label);
		free(super.bytes);
	}
}

static void test_extension_header_behind_the_end(void **state) {
	const struct shape *shape = &shapes[COUNT(shapes) - 1];
	struct frame super = build(shape, 0, shape->payload, 0, ACK, false);
	struct offload_splitter splitter;

	(void)state;
	super.bytes[super.l3 + 40] = 60;
	super.bytes[super.l3 + 41] = (uint8_t)((super.len - super.l3 - 40) / 8 - 1); /* the first one fills the packet */
	assert_int_equal((super.len - super.l3 - 40) % 8, 0);
	assert_int_equal(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), BASE_E_INVALID);
	free(super.bytes);
}

static void test_refuses_header(void **state) {
	static const struct shape *const shape = &shapes[0];
	struct frame super = build(shape, 0, shape->payload, 0, ACK, false);
	struct offload_splitter splitter;
	struct offload_vnet vnet;

	(void)state;
#define REFUSED(change, expected) \
	vnet = super.vnet;            \
	change;                       \
	unit_assert_int(offload_splitter_init(&splitter, super.bytes, super.len, &vnet), expected, #change)
	REFUSED((void)0, 0);
	REFUSED(vnet.gso_size = 0, BASE_E_INVALID);
	REFUSED(vnet.csum_start++, BASE_E_INVALID);
	REFUSED(vnet.csum_start = 0, BASE_E_INVALID);
	REFUSED(vnet.csum_offset = 6, BASE_E_INVALID);
	REFUSED(vnet.csum_offset = 0xffff, BASE_E_INVALID);
	REFUSED(vnet.gso = OFFLOAD_GSO_TCP6, BASE_E_INVALID);
	REFUSED(vnet.gso = OFFLOAD_GSO_UDP, BASE_E_INVALID);
	REFUSED(vnet.hdr_len = 0xffff, 0);
#undef REFUSED
	base_put_u16(super.bytes + 12, 0x8137);
	assert_int_equal(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), BASE_E_UNSUPPORTED);
	free(super.bytes);
}

/* A stranger's super-frame must not become so many frames that nothing else gets its turn. */
static void test_segments_max(void **state) {
	static const struct {
		uint16_t gso_size;
		size_t payload;
		int expected;
	} cases[] = {
	    {1, OFFLOAD_SEGMENTS_MAX, 0},
	    {1, OFFLOAD_SEGMENTS_MAX + 1, BASE_E_UNSUPPORTED},
	    {16, 16 * OFFLOAD_SEGMENTS_MAX + 15, 0},
	    {16, 16 * OFFLOAD_SEGMENTS_MAX + 16, BASE_E_UNSUPPORTED},
	    {36, 65535 - 52, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct shape shape = {"small segments", OFFLOAD_GSO_TCP4, false, 0, 0, 12, 0, 0};
		struct offload_splitter splitter;
		struct frame super;

		shape.payload = cases[i].payload;
		shape.gso_size = cases[i].gso_size;
		super = build(&shape, 0, shape.payload, 0, ACK, false);
		assert_int_equal(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), cases[i].expected);
		free(super.bytes);
	}
}

/* A cut super-frame is refused: its lengths disagree. */
static void test_prefixes(void **state) {
	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		struct frame super = build(&shapes[i], 0, shapes[i].payload, 0, ACK, false);
		size_t cuts = super.len < 300 ? super.len : 300;

		for (size_t cut = 0; cut < cuts; cut++) {
			uint8_t *copy = malloc(cut > 0 ? cut : 1);
			struct offload_splitter splitter;

			assert_non_null(copy);
			memcpy(copy, super.bytes, cut);
			unit_assert_int(offload_splitter_init(&splitter, copy, cut, &super.vnet), BASE_E_INVALID, shapes[i].label);
			free(copy);
		}
		free(super.bytes);
	}
}

/* Puts the header of a tunnel around a frame's packet: GRO merges what is within. */
static struct frame in_tunnel(struct frame inner, const struct shape *shape, uint8_t protocol, uint16_t id) {
	struct shape outer = {"outer", shape->gso, false, 0, 0, 0, 0, 0};
	size_t gre = protocol == 47 ? 4 : 0, packet_len = inner.len - inner.l3;
	struct frame f = {.bytes = calloc(1, FRAME_MAX), .vnet = inner.vnet, .l3 = 14};

	assert_non_null(f.bytes);
	(void)put_ether(f.bytes, &outer);
	(void)put_ip(f.bytes + 14, &outer, gre + packet_len, id);
	f.bytes[14 + 9] = protocol;
	base_put_u16(f.bytes + 14 + 10, 0);
	base_put_u16(f.bytes + 14 + 10, (uint16_t)~fold(sum_words(0, f.bytes + 14, 20)));
	if (gre > 0)
		base_put_u16(f.bytes + 34 + 2, shape->ipv6 ? 0x86dd : 0x0800);
	memcpy(f.bytes + 34 + gre, inner.bytes + inner.l3, packet_len);
	f.len = 34 + gre + packet_len;
	f.vnet.csum_start = (uint16_t)(inner.vnet.csum_start + 20 + gre);
	free(inner.bytes);
	return f;
}

static void test_tunnels(void **state) {
	static const struct {
		size_t shape;
		uint8_t protocol;
	} cases[] = {{0, 4}, {0, 47}, {13, 41}, {13, 47}, {17, 4}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct shape *shape = &shapes[cases[i].shape];
		struct frame super =
		    in_tunnel(build(shape, 0, shape->payload, 0, ACK, false), shape, cases[i].protocol, 0xffff);
		struct offload_splitter splitter;
		unsigned index = 0;
		uint8_t buf[2048];
		size_t first = 0;
		struct slice out;
		int len;

		unit_assert_int(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), 0, shape->label);
		for (; (len = offload_splitter_next(&splitter, buf, sizeof(buf), &out)) > 0; index++) {
			size_t left = shape->payload - first, payload = left < shape->gso_size ? left : shape->gso_size;
			struct frame expected = in_tunnel(build(shape, first, payload, index, ACK, true), shape, cases[i].protocol,
			                                  (uint16_t)(0xffff + index));

			unit_assert_int(len, expected.len, shape->label);
			unit_assert_true(memcmp(buf, expected.bytes, expected.len) == 0, shape->label);
			free(expected.bytes);
			first += payload;
		}
		unit_assert_int(first, shape->payload, shape->label);
		free(super.bytes);
	}
}

static void test_small_buffer(void **state) {
	struct frame super = build(&shapes[0], 0, shapes[0].payload, 0, ACK, false);
	struct offload_splitter splitter;
	uint8_t *buf = malloc(54 + 1447);
	struct slice out = {0};

	(void)state;
	assert_int_equal(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), 0);
	assert_int_equal(offload_splitter_next(&splitter, buf, 54 + 1447, &out), BASE_E_TOO_BIG);
	assert_null(out.data);
	assert_int_equal(offload_splitter_next(&splitter, buf, 54 + 1447, &out), 0);
	free(buf);
	free(super.bytes);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_segments),
	    cmocka_unit_test(test_begun_checksum_is_used),
	    cmocka_unit_test(test_udp_checksum_is_never_zero),
	    cmocka_unit_test(test_plain_frames),
	    cmocka_unit_test(test_plain_untouched),
	    cmocka_unit_test(test_plain_checksum_zero),
	    cmocka_unit_test(test_plain_sctp),
	    cmocka_unit_test(test_plain_bounds),
	    cmocka_unit_test(test_vnet),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_refuses_header),
	    cmocka_unit_test(test_extension_header_behind_the_end),
	    cmocka_unit_test(test_segments_max),
	    cmocka_unit_test(test_prefixes),
	    cmocka_unit_test(test_tunnels),
	    cmocka_unit_test(test_small_buffer),
	};

	return cmocka_run_group_tests_name("offload/offload", tests, NULL, NULL);
}
