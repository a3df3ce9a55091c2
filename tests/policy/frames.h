/* tests/policy/frames.h: frames written as text, so that a table of cases can be read. Hex digits, blanks ignored, and:
 *
 *   (      a 16-bit length of all that follows it           802.3
 *   [      a 16-bit length of all from 2 bytes before it    IPv4 total length
 *   {      a 16-bit length of all from 36 bytes behind it   IPv6 payload length
 *   zNNNN  NNNN (hex) zero bytes
 *
 * Lengths are counted to the end of the text or to a '.', behind which padding may follow. */
#ifndef TESTS_POLICY_FRAMES_H
#define TESTS_POLICY_FRAMES_H

#include "base/bytes.h"
#include "base/text.h"
#include "tests/unit.h"

#include <string.h>

#define FRAME_TEST_BYTES_MAX 4096

struct test_frame {
	uint8_t bytes[FRAME_TEST_BYTES_MAX];
	size_t len;
};

static inline void test_frame_build(struct test_frame *frame, const char *text) {
	struct {
		size_t at;
		size_t counted_from;
	} lengths[8];
	size_t count = 0, end = 0;
	const char *p = text;

	memset(frame, 0, sizeof(*frame));
	for (; *p != '\0'; p++) {
		if (*p == ' ')
			continue;
		if (*p == '.') {
			end = frame->len;
		} else if (*p == '(' || *p == '[' || *p == '{') {
			lengths[count].at = frame->len;
			lengths[count++].counted_from = *p == '(' ? frame->len + 2 : *p == '[' ? frame->len - 2 : frame->len + 36;
			frame->len += 2;
		} else if (*p == 'z') {
			uint8_t zeros[2];

			assert_int_equal(base_parse_hex(p + 1, 4, zeros, 2), 0);
			frame->len += base_get_u16(zeros);
			p += 4;
		} else {
			if (base_parse_hex(p, 2, &frame->bytes[frame->len], 1) != 0)
				fail_msg("bad frame text at: %s", p);
			frame->len++;
			p++;
		}
		assert_true(frame->len < FRAME_TEST_BYTES_MAX && count < 8);
	}
	if (end == 0)
		end = frame->len;
	for (size_t i = 0; i < count; i++)
		base_put_u16(&frame->bytes[lengths[i].at], (uint16_t)(end - lengths[i].counted_from));
}

#define BROADCAST "ffffffffffff"
#define HOST "020000000002"
#define ME "020000000001"

#define IP4_MC "01005e0000fb"
#define IP6_MC "333300000001"

/* 20-byte IPv4 header: flags and fragment offset, protocol */
#define IP4(fragment, protocol) "4500 [ 0001" fragment "40" protocol "0000 c0a80032 c0a80001"
/* to one of the link's groups, from 224.0.0.0 on */
#define LINK4(protocol) "4500 [ 0001 0000 01" protocol "0000 c0a80032 e0000066"
#define UDP(source, destination) source destination "0010 0000 0102030405060708"

/* 40-byte IPv6 header: next header */
#define IP6(next) "60000000 {" next "ff fe800000000000000000000000000001 ff020000000000000000000000000001"
#define ICMP6(type) type "000000 00000000 00000000 00000000"

#define ARP_HEAD "0001 0800 06 04"
#define ARP(operation, sender) ARP_HEAD operation sender "c0a80032 000000000000 c0a80001"

#endif
