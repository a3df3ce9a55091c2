#include "dhcp/message.h"

#include "base/error.h"
#include "offload/offload.h"
#include "tests/dhcp/server.h"
#include "tests/unit.h"

#define XID UINT32_C(0x01020304)

static const struct proto_mac mac = {{2, 0x4c, 0x50, 0, 0, 1}};

static struct server_answer ack(void) {
	struct server_answer answer = {.type = DHCP_ACK,
	                               .xid = XID,
	                               .mac = mac,
	                               .address = OFFERED,
	                               .server = SERVER_IP,
	                               .mask = MASK_24,
	                               .lease = 3600};

	server_build(&answer);
	return answer;
}

static int parse(const struct server_answer *answer, struct dhcp_answer *ret) {
	return dhcp_answer_parse(slice_of(answer->frame, answer->len), mac, ret);
}

/* --- what the client says --- */

static void test_checksums(void **state) {
	const struct dhcp_message message = {.type = DHCP_REQUEST, .xid = XID, .mac = mac, .own = OFFERED};
	uint8_t frame[DHCP_FRAME_BYTES], pseudo[12] = {0};

	(void)state;
	dhcp_message_frame(&message, frame);
	assert_int_equal(offload_checksum_add(0, slice_of(frame + 14, 20)), 0xffff);
	memcpy(pseudo, frame + AT_IP_SOURCE, 8);
	pseudo[9] = 17;
	memcpy(pseudo + 10, frame + 38, 2);
	uint16_t sum = offload_checksum_add(0, slice_of(pseudo, sizeof(pseudo)));
	assert_int_equal(offload_checksum_add(sum, slice_of(frame + 34, sizeof(frame) - 34)), 0xffff);
}

static void test_discover(void **state) {
	static const uint8_t options[] = {53, 1, 1, 50, 4, 192, 168, 77, 100, 55, 4, 1, 51, 58, 59, 255};
	const struct dhcp_message message = {
	    .type = DHCP_DISCOVER, .xid = XID, .seconds = 258, .mac = mac, .requested = OFFERED};
	uint8_t frame[DHCP_FRAME_BYTES];

	(void)state;
	dhcp_message_frame(&message, frame);
	assert_memory_equal(frame, "\xff\xff\xff\xff\xff\xff\x02\x4c\x50\x00\x00\x01\x08\x00", 14);
	assert_int_equal(base_get_u16(frame + 16), sizeof(frame) - 14);
	assert_int_equal(base_get_u32(frame + AT_IP_SOURCE), 0);
	assert_int_equal(base_get_u32(frame + AT_IP_DEST), UINT32_MAX);
	assert_memory_equal(frame + 34, "\x00\x44\x00\x43", 4);
	assert_int_equal(base_get_u16(frame + 38), sizeof(frame) - 34);
	assert_memory_equal(frame + AT_BOOTP, "\x01\x01\x06\x00\x01\x02\x03\x04\x01\x02\x00\x00", 12);
	assert_memory_equal(frame + AT_CHADDR, mac.b, sizeof(mac.b));
	assert_int_equal(base_get_u32(frame + AT_CIADDR), 0);
	assert_memory_equal(frame + AT_OPTIONS, options, sizeof(options));
	assert_true(
	    slice_is_zero(slice_of(frame + AT_OPTIONS + sizeof(options), sizeof(frame) - AT_OPTIONS - sizeof(options))));
}

static void test_release_goes_to_the_server(void **state) {
	static const uint8_t options[] = {53, 1, 7, 54, 4, 192, 168, 77, 1, 255};
	const struct dhcp_message message = {.type = DHCP_RELEASE,
	                                     .xid = XID,
	                                     .mac = mac,
	                                     .own = OFFERED,
	                                     .server = SERVER_IP,
	                                     .dest = SERVER_IP,
	                                     .to = &server_mac};
	uint8_t frame[DHCP_FRAME_BYTES];

	(void)state;
	dhcp_message_frame(&message, frame);
	assert_memory_equal(frame, server_mac.b, sizeof(server_mac.b));
	assert_int_equal(base_get_u32(frame + AT_IP_SOURCE), OFFERED);
	assert_int_equal(base_get_u32(frame + AT_IP_DEST), SERVER_IP);
	assert_int_equal(base_get_u32(frame + AT_CIADDR), OFFERED);
	assert_memory_equal(frame + AT_OPTIONS, options, sizeof(options));
}

/* --- what servers answer --- */

static void test_ack(void **state) {
	struct server_answer answer = ack();
	struct dhcp_answer got;

	(void)state;
	assert_int_equal(parse(&answer, &got), 0);
	assert_int_equal(got.type, DHCP_ACK);
	assert_int_equal(got.xid, XID);
	assert_true(proto_mac_equal(got.from, server_mac));
	assert_int_equal(got.address, OFFERED);
	assert_int_equal(got.server, SERVER_IP);
	assert_int_equal(got.prefix, 24);
	assert_int_equal(got.lease_s, 3600);
	assert_int_equal(got.renew_s, 1800);
	assert_int_equal(got.rebind_s, 3150);
	base_put_u16(answer.frame + 34, 4011); /* a server behind something that changes ports */
	assert_int_equal(parse(&answer, &got), 0);
}

static void test_times(void **state) {
	static const struct {
		const char *name;
		uint32_t lease, renew, rebind, got_renew, got_rebind;
	} cases[] = {
	    {"the server's", 100, 10, 20, 10, 20},
	    {"T1 too short", 100, 4, 20, 50, 88},
	    {"T1 alone", 100, 10, 0, 50, 88},
	    {"T1 behind T2", 100, 30, 20, 50, 88},
	    {"T2 behind the end", 100, 30, 100, 50, 88},
	    {"for ever", DHCP_FOREVER, 0, 0, DHCP_FOREVER / 2, DHCP_FOREVER - DHCP_FOREVER / 8},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server_answer answer = ack();
		struct dhcp_answer got;

		answer.lease = cases[i].lease;
		answer.renew = cases[i].renew;
		answer.rebind = cases[i].rebind;
		server_build(&answer);
		unit_assert_int(parse(&answer, &got), 0, cases[i].name);
		unit_assert_int(got.lease_s, cases[i].lease, cases[i].name);
		unit_assert_int(got.renew_s, cases[i].got_renew, cases[i].name);
		unit_assert_int(got.rebind_s, cases[i].got_rebind, cases[i].name);
	}
}

static void test_masks(void **state) {
	static const struct {
		const char *name;
		uint32_t address, mask;
		int prefix; /* or an error */
		uint32_t broadcast;
	} cases[] = {
	    {"22 bits", OFFERED, 0xfffffc00, 22, 0xc0a84fff},
	    {"all bits", OFFERED, UINT32_MAX, 32, OFFERED},
	    {"16 bits", 0x08080005, 0xffff0000, 16, 0x0808ffff},
	    {"a hole", OFFERED, 0xff00ff00, BASE_E_INVALID, 0},
	    {"wrong end", OFFERED, 1, BASE_E_INVALID, 0},
	    {"none, class A", 0x0a000005, 0, 8, 0x0affffff},
	    {"none, class B", 0xac100005, 0, 16, 0xac10ffff},
	    {"none, class C", OFFERED, 0, 24, 0xc0a84dff},
	    {"no address", 0, MASK_24, BASE_E_INVALID, 0},
	    {"loopback", 0x7f000001, MASK_24, BASE_E_INVALID, 0},
	    {"a group", 0xe0000001, 0, BASE_E_INVALID, 0},
	    {"everybody", UINT32_MAX, 0, BASE_E_INVALID, 0},
	    /* What takes in much of the Internet. */
	    {"15 bits", 0x08080005, 0xfffe0000, 16, 0x0809ffff},
	    {"none, class A of the Internet", 0x08080005, 0, 16, 0x08ffffff},
	    {"192.168 and eight bits", OFFERED, 0xff000000, 16, 0xc0ffffff},
	    {"172.16 and eight bits", 0xac100005, 0xff000000, 12, 0xacffffff},
	    {"100.64 and eight bits", 0x64400005, 0xff000000, 10, 0x64ffffff},
	    {"10 and seven bits", 0x0a000005, 0xfe000000, 8, 0x0bffffff},
	    {"a quarter of it", OFFERED, 0xc0000000, 16, UINT32_MAX},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server_answer answer = ack();
		struct dhcp_answer got;

		answer.address = cases[i].address;
		answer.mask = cases[i].mask;
		server_build(&answer);
		int err = parse(&answer, &got);
		unit_assert_int(err < 0 ? err : got.prefix, cases[i].prefix, cases[i].name);
		unit_assert_int(err < 0 ? 0 : got.broadcast, cases[i].broadcast, cases[i].name);
	}
}

static void test_what_is_missing(void **state) {
	struct server_answer answer = ack();
	struct dhcp_answer got;

	(void)state;
	answer.lease = 0;
	server_build(&answer);
	assert_int_equal(parse(&answer, &got), BASE_E_MISSING);
	answer.lease = 9;
	server_build(&answer);
	assert_int_equal(parse(&answer, &got), BASE_E_INVALID);
	answer = ack();
	answer.server = 0;
	server_build(&answer);
	assert_int_equal(parse(&answer, &got), BASE_E_MISSING);
	answer = ack();
	answer.type = DHCP_DISCOVER;
	server_build(&answer);
	assert_int_equal(parse(&answer, &got), BASE_E_INVALID);
	/* A refusal has neither address nor times. */
	answer = (struct server_answer){.type = DHCP_NAK, .xid = XID, .mac = mac, .server = SERVER_IP};
	server_build(&answer);
	assert_int_equal(parse(&answer, &got), 0);
	assert_int_equal(got.type, DHCP_NAK);
}

/* Options that went into the fields for a boot file and a server's name (RFC 2131 section 4.1, RFC 2132 section 9.3).
 */
static void test_overload(void **state) {
	struct server_answer answer = ack();
	struct dhcp_answer got;

	(void)state;
	answer.lease = 0;
	answer.mask = 0;
	for (uint8_t overload = 0; overload <= 3; overload++) {
		server_build(&answer);
		server_option(&answer, 52, &overload, 1);
		server_finish(&answer);
		memcpy(answer.frame + AT_FILE, "\x33\x04\x00\x00\x0e\x10\xff", 7);
		memcpy(answer.frame + AT_SNAME, "\x01\x04\xff\xff\x00\x00\xff", 7);
		int err = parse(&answer, &got);
		assert_int_equal(err, (overload & 1) != 0 ? 0 : BASE_E_MISSING);
		if (err == 0)
			assert_int_equal(got.prefix, overload == 3 ? 16 : 24);
	}
}

static void test_not_for_us(void **state) {
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
	} cases[] = {
	    {"EtherType", 13, 6},          {"IP version", 14, 0x65},      {"protocol", 23, 6},
	    {"more fragments", 20, 0x20},  {"fragment", 21, 1},           {"destination port", 37, 67},
	    {"operation", AT_BOOTP, 1},    {"hardware", AT_BOOTP + 1, 6}, {"another MAC", AT_CHADDR + 5, 2},
	    {"cookie", AT_BOOTP + 239, 0},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct server_answer answer = ack();
		struct dhcp_answer got;

		answer.frame[cases[i].at] = cases[i].value;
		unit_assert_int(parse(&answer, &got), BASE_E_NOT_FOUND, cases[i].name);
	}
}

/* Behind each cut the bytes are gone: a sanitizer sees who reads on. */
static void test_truncated(void **state) {
	const struct server_answer whole = ack();

	(void)state;
	for (size_t len = 0; len < whole.len; len++) {
		struct server_answer cut = whole;
		struct dhcp_answer got;
		uint8_t *bytes = test_malloc(len + 1);

		memcpy(bytes, whole.frame, len);
		assert_true(dhcp_answer_parse(slice_of(bytes, len), mac, &got) < 0);
		test_free(bytes);
		if (len < AT_BOOTP)
			continue;
		/* The same with lengths that agree; an option that is cut off is an error, one that is gone is missing. */
		base_put_u16(cut.frame + 16, (uint16_t)(len - 14));
		base_put_u16(cut.frame + 38, (uint16_t)(len - 34));
		bytes = test_malloc(len);
		memcpy(bytes, cut.frame, len);
		int err = dhcp_answer_parse(slice_of(bytes, len), mac, &got);
		if (len < whole.len - 1) /* the last byte only says that it ends */
			assert_true(err == BASE_E_SHORT || err == BASE_E_MISSING || err == BASE_E_INVALID);
		else
			assert_int_equal(err, 0);
		test_free(bytes);
	}
}

/* --- ARP --- */

static void test_arp(void **state) {
	static const struct proto_mac other = {{2, 0, 0, 0, 0, 9}};
	uint8_t frame[DHCP_ARP_FRAME_BYTES];

	(void)state;
	dhcp_arp_frame(mac, 0, OFFERED, frame);
	assert_memory_equal(frame, "\xff\xff\xff\xff\xff\xff\x02\x4c\x50\x00\x00\x01\x08\x06", 14);
	assert_memory_equal(frame + 14, "\x00\x01\x08\x00\x06\x04\x00\x01\x02\x4c\x50\x00\x00\x01\x00\x00\x00\x00", 18);
	assert_memory_equal(frame + 32, "\x00\x00\x00\x00\x00\x00\xc0\xa8\x4d\x64", 10);
	const struct slice arp = slice_of(frame, sizeof(frame));
	assert_false(dhcp_arp_contests(arp, mac, OFFERED)); /* our own */

	dhcp_arp_frame(other, 0, OFFERED, frame);
	assert_true(dhcp_arp_contests(arp, mac, OFFERED));
	assert_false(dhcp_arp_contests(arp, mac, OFFERED + 1));
	frame[21] = 2; /* an answer to somebody without an address is no claim */
	assert_false(dhcp_arp_contests(arp, mac, OFFERED));
	dhcp_arp_frame(other, OFFERED, SERVER_IP, frame);
	assert_true(dhcp_arp_contests(arp, mac, OFFERED));
	frame[21] = 2;
	assert_true(dhcp_arp_contests(arp, mac, OFFERED));
	dhcp_arp_frame(other, SERVER_IP, OFFERED, frame); /* asks for whoever has it */
	assert_false(dhcp_arp_contests(arp, mac, OFFERED));
	dhcp_arp_frame(other, OFFERED, OFFERED, frame);
	assert_true(dhcp_arp_contests(arp, mac, OFFERED));
	for (size_t len = 0; len < sizeof(frame); len++)
		assert_false(dhcp_arp_contests(slice_of(frame, len), mac, OFFERED));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_checksums),
	    cmocka_unit_test(test_discover),
	    cmocka_unit_test(test_release_goes_to_the_server),
	    cmocka_unit_test(test_ack),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_masks),
	    cmocka_unit_test(test_what_is_missing),
	    cmocka_unit_test(test_overload),
	    cmocka_unit_test(test_not_for_us),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_arp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
