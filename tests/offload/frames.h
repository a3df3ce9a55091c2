/* tests/offload/frames.h: super-frames and the frames they should become, built from scratch, with checksums summed
 * word by word. */
#ifndef TESTS_OFFLOAD_FRAMES_H
#define TESTS_OFFLOAD_FRAMES_H

#include "offload/offload.h"

#include "base/bytes.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 66000
#define FIN 0x01
#define PSH 0x08
#define ACK 0x10
#define ECE 0x40
#define CWR 0x80

struct shape {
	const char *label;
	enum offload_gso gso;
	bool ipv6;
	unsigned vlan_tags;
	unsigned ip_options;  /* IPv4 options, or a destination options header: bytes, a multiple of 4 or 8 */
	unsigned tcp_options; /* bytes, a multiple of 4 */
	size_t payload;
	uint16_t gso_size;
};

struct frame {
	uint8_t *bytes;
	size_t len, l3, l4, header_len;
	struct offload_vnet vnet;
};

static inline uint32_t sum_words(uint32_t sum, const uint8_t *p, size_t len) {
	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return sum;
}

static inline uint16_t fold(uint32_t sum) {
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline uint8_t payload_byte(size_t index) {
	return (uint8_t)(index * 7 + index / 251);
}

static inline size_t put_ether(uint8_t *p, const struct shape *shape) {
	size_t at = 12;

	memcpy(p, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01", 12);
	for (unsigned i = 0; i < shape->vlan_tags; i++, at += 4)
		base_put_u32(p + at, 0x81000000 + i);
	base_put_u16(p + at, shape->ipv6 ? 0x86dd : 0x0800);
	return at + 2;
}

static inline size_t put_ip(uint8_t *p, const struct shape *shape, size_t l4_len, uint16_t id) {
	uint8_t protocol = shape->gso == OFFLOAD_GSO_UDP ? 17 : 6;
	size_t len = (shape->ipv6 ? 40 : 20) + shape->ip_options;

	memset(p, 0, len);
	if (shape->ipv6) {
		base_put_u32(p, 0x60012345);
		base_put_u16(p + 4, (uint16_t)(len - 40 + l4_len));
		p[6] = shape->ip_options > 0 ? 60 : protocol;
		p[7] = 64;
		memcpy(p + 8, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 32);
		if (shape->ip_options > 0) {
			p[40] = protocol;
			p[41] = (uint8_t)(shape->ip_options / 8 - 1);
			p[42] = 1;
			p[43] = (uint8_t)(shape->ip_options - 4);
		}
	} else {
		p[0] = (uint8_t)(0x40 + len / 4);
		p[1] = 2;
		base_put_u16(p + 2, (uint16_t)(len + l4_len));
		base_put_u16(p + 4, id);
		base_put_u16(p + 6, 0x4000);
		p[8] = 64;
		p[9] = protocol;
		memcpy(p + 12, "\xc0\xa8\0\x32\xc0\xa8\0\1", 8);
		memset(p + 20, 1, shape->ip_options);
		base_put_u16(p + 10, (uint16_t)~fold(sum_words(0, p, len)));
	}
	return len;
}

static inline uint16_t pseudo_sum(const struct shape *shape, const uint8_t *l3, size_t l4_len) {
	uint32_t sum = (uint32_t)l4_len + (shape->gso == OFFLOAD_GSO_UDP ? 17 : 6);

	return fold(shape->ipv6 ? sum_words(sum, l3 + 8, 32) : sum_words(sum, l3 + 12, 8));
}

/* A frame with payload bytes [first, first + payload), its checksum complete or, as the kernel leaves it, begun. */
static inline struct frame build(const struct shape *shape, size_t first, size_t payload, unsigned index,
                                 uint8_t tcp_flags, bool complete) {
	bool udp = shape->gso == OFFLOAD_GSO_UDP;
	size_t l4_header = udp ? 8 : 20 + shape->tcp_options;
	struct frame f = {.bytes = calloc(1, FRAME_MAX)};
	uint16_t checksum;
	uint8_t *l4;

	assert_non_null(f.bytes);
	f.l3 = put_ether(f.bytes, shape);
	f.l4 = f.l3 + put_ip(f.bytes + f.l3, shape, l4_header + payload, (uint16_t)(0xfffe + index));
	f.header_len = f.l4 + l4_header;
	f.len = f.header_len + payload;
	l4 = f.bytes + f.l4;
	base_put_u32(l4, 0x1f900050);
	if (udp) {
		base_put_u16(l4 + 4, (uint16_t)(l4_header + payload));
	} else {
		base_put_u32(l4 + 4, 0xfffff000 + (uint32_t)first); /* wraps within larger frames */
		base_put_u32(l4 + 8, 0x01020304);
		l4[12] = (uint8_t)(l4_header / 4 << 4);
		l4[13] = tcp_flags;
		base_put_u16(l4 + 14, 512);
		base_put_u16(l4 + 18, 7);
		memset(l4 + 20, 1, shape->tcp_options);
	}
	for (size_t i = 0; i < payload; i++)
		l4[l4_header + i] = payload_byte(first + i);
	checksum = pseudo_sum(shape, f.bytes + f.l3, l4_header + payload);
	if (complete) {
		checksum = (uint16_t)~fold(sum_words(checksum, l4, l4_header + payload));
		if (udp && checksum == 0)
			checksum = 0xffff;
	}
	base_put_u16(l4 + (udp ? 6 : 16), checksum);
	f.bytes = realloc(f.bytes, f.len); /* exact, so that sanitizers see any overrun */
	assert_non_null(f.bytes);
	f.vnet = (struct offload_vnet){.needs_csum = !complete,
	                               .gso = shape->gso,
	                               .gso_size = shape->gso_size,
	                               .hdr_len = 1, /* a hint, and a wrong one */
	                               .csum_start = (uint16_t)f.l4,
	                               .csum_offset = udp ? 6 : 16};
	return f;
}

static const struct shape shapes[] = {
    {"TCP, IPv4", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 4000, 1448},
    {"TCP, IPv4, timestamps", OFFLOAD_GSO_TCP4, false, 0, 0, 12, 64000, 1428},
    {"TCP, IPv4, all options", OFFLOAD_GSO_TCP4, false, 0, 40, 40, 5000, 999},
    {"TCP, IPv4, tagged", OFFLOAD_GSO_TCP4, false, 1, 0, 12, 5000, 1400},
    {"TCP, IPv4, two tags", OFFLOAD_GSO_TCP4, false, 2, 0, 0, 5000, 1400},
    {"TCP, IPv4, whole segments", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 2800, 1400},
    {"TCP, IPv4, one byte over", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 2801, 1400},
    {"TCP, IPv4, one segment", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 1400, 1400},
    {"TCP, IPv4, less than a segment", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 10, 1400},
    {"TCP, IPv4, empty", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 0, 1400},
    {"TCP, IPv4, odd segments", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 100, 7},
    {"TCP, IPv4, segments of a byte", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 20, 1},
    {"TCP, IPv4, the largest", OFFLOAD_GSO_TCP4, false, 0, 0, 0, 65535 - 40, 1448},
    {"TCP, IPv6", OFFLOAD_GSO_TCP6, true, 0, 0, 12, 40000, 1428},
    {"TCP, IPv6, tagged", OFFLOAD_GSO_TCP6, true, 1, 0, 12, 5000, 1428},
    {"TCP, IPv6, extension header", OFFLOAD_GSO_TCP6, true, 0, 16, 12, 5000, 1400},
    {"TCP, IPv6, the largest", OFFLOAD_GSO_TCP6, true, 0, 0, 0, 65535 - 20, 1428},
    {"UDP, IPv4", OFFLOAD_GSO_UDP, false, 0, 0, 0, 5000, 1472},
    {"UDP, IPv4, options", OFFLOAD_GSO_UDP, false, 0, 8, 0, 5000, 1400},
    {"UDP, IPv6", OFFLOAD_GSO_UDP, true, 0, 0, 0, 5000, 1452},
    {"UDP, IPv6, extension header, tagged", OFFLOAD_GSO_UDP, true, 1, 8, 0, 5001, 1400},
    {"UDP, IPv4, small", OFFLOAD_GSO_UDP, false, 0, 0, 0, 300, 3},
    {"TCP, IPv6, extension header, small", OFFLOAD_GSO_TCP6, true, 0, 8, 0, 28, 20},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
