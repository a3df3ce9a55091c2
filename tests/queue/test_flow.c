/* Which frames share a flow and which do not, and that cut-off ones are no trouble. */
#include "queue/flow.h"

#include "proto/overlay.h"
#include "tests/queue/frames.h"
#include "tests/unit.h"

#include <stdlib.h>

#define BYTES 120

struct change {
	const char *name;
	size_t at;
	uint8_t value;
	bool same; /* flow as without the change */
};

static uint64_t hash_of(const uint8_t *datagram, size_t len) {
	return queue_flow_hash(test_seed, 7, slice_of(datagram, len));
}

static void check(const uint8_t base[static BYTES], const struct change *changes, size_t count) {
	for (size_t i = 0; i < count; i++) {
		uint8_t datagram[BYTES];

		memcpy(datagram, base, BYTES);
		assert_true(datagram[changes[i].at] != changes[i].value);
		datagram[changes[i].at] = changes[i].value;
		unit_assert_int(hash_of(datagram, BYTES) == hash_of(base, BYTES), changes[i].same, changes[i].name);
	}
}

static void test_ipv4(void **state) {
	static const struct change changes[] = {
	    {"overlay header", 0, 9, true},
	    {"destination MAC", FRAME_AT + 5, 9, true},
	    {"source MAC", FRAME_AT + 11, 9, true},
	    {"type of service", PACKET_AT + 1, 9, true},
	    {"identification", PACKET_AT + 5, 9, true},
	    {"don't fragment", PACKET_AT + 6, 0x40, true},
	    {"time to live", PACKET_AT + 8, 9, true},
	    {"protocol", PACKET_AT + 9, 6, false},
	    {"checksum", PACKET_AT + 10, 9, true},
	    {"source address", PACKET_AT + 15, 9, false},
	    {"destination address", PACKET_AT + 19, 9, false},
	    {"source port", PACKET_AT + 21, 9, false},
	    {"destination port", PACKET_AT + 23, 9, false},
	    {"behind the ports", PACKET_AT + 24, 9, true},
	    {"more fragments", PACKET_AT + 6, 0x20, false},
	    {"fragment offset", PACKET_AT + 7, 1, false},
	    {"options: ports elsewhere", PACKET_AT, 0x46, false},
	    {"header too short", PACKET_AT, 0x44, false},
	    {"version", PACKET_AT, 0x65, false},
	};
	uint8_t base[BYTES] = {0};

	(void)state;
	fill_udp(base, 1000);
	check(base, changes, sizeof(changes) / sizeof(changes[0]));
}

static void test_fragments_stay_together(void **state) {
	uint8_t first[BYTES] = {0}, later[BYTES] = {0};

	(void)state;
	fill_udp(first, 1000);
	first[PACKET_AT + 6] = 0x20;
	fill_udp(later, 77); /* payload where ports would be */
	later[PACKET_AT + 7] = 185;
	later[PACKET_AT + 5] = 3; /* of another packet of the two */
	assert_true(hash_of(first, BYTES) == hash_of(later, BYTES));
}

/* TCP, DCCP, SCTP and UDP-Lite as UDP. */
static void test_all_that_have_ports(void **state) {
	static const uint8_t protocols[] = {6, 33, 132, 136};
	static const struct change changes[] = {{"source port", PACKET_AT + 21, 9, false},
	                                        {"destination port", PACKET_AT + 23, 9, false},
	                                        {"behind the ports", PACKET_AT + 24, 9, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(protocols); i++) {
		uint8_t base[BYTES] = {0};

		fill_udp(base, 1000);
		base[PACKET_AT + 9] = protocols[i];
		check(base, changes, 3);
	}
}

static void test_no_ports(void **state) {
	static const struct change changes[] = {{"ICMP type and code", PACKET_AT + 20, 8, true},
	                                        {"ICMP identifier", PACKET_AT + 24, 8, true}};
	uint8_t base[BYTES] = {0};

	(void)state;
	fill_udp(base, 0);
	base[PACKET_AT + 9] = 1;
	check(base, changes, 2);
}

static void test_ipv6(void **state) {
	static const struct change changes[] = {
	    {"flow label", PACKET_AT + 3, 9, true},
	    {"hop limit", PACKET_AT + 7, 9, true},
	    {"next header", PACKET_AT + 6, 6, false},
	    {"source address", PACKET_AT + 23, 9, false},
	    {"destination address", PACKET_AT + 39, 9, false},
	    {"source port", PACKET_AT + 41, 9, false},
	    {"destination port", PACKET_AT + 43, 9, false},
	    {"behind the ports", PACKET_AT + 44, 9, true},
	};
	static const struct change in_fragment[] = {{"identification", PACKET_AT + 44, 9, true},
	                                            {"offset", PACKET_AT + 42, 9, true}};
	uint8_t base[BYTES] = {0};

	(void)state;
	fill_udp(base, 0);
	base_put_u16(base + FRAME_AT + 12, 0x86dd);
	base[PACKET_AT] = 0x60;
	base[PACKET_AT + 6] = 17;
	check(base, changes, sizeof(changes) / sizeof(changes[0]));
	base[PACKET_AT + 6] = 44;
	check(base, in_fragment, 2);
}

static void test_others_by_mac_pair_and_type(void **state) {
	static const struct change changes[] = {{"destination MAC", FRAME_AT + 5, 9, false},
	                                        {"source MAC", FRAME_AT + 11, 9, false},
	                                        {"type", FRAME_AT + 13, 0x06, false},
	                                        {"payload", PACKET_AT + 20, 9, true},
	                                        {"802.3, a length", FRAME_AT + 12, 0, false}};
	static const struct change of_802_3[] = {{"another length", FRAME_AT + 13, 0x50, true}};
	uint8_t base[BYTES] = {0};

	(void)state;
	fill_udp(base, 0);
	base_put_u16(base + FRAME_AT + 12, 0x8137);
	check(base, changes, sizeof(changes) / sizeof(changes[0]));
	base_put_u16(base + FRAME_AT + 12, 0x0040);
	check(base, of_802_3, 1);
}

static void test_tag_is_stepped_over(void **state) {
	uint8_t plain[BYTES] = {0}, tagged[BYTES] = {0};

	(void)state;
	fill_udp(plain, 1000);
	memcpy(tagged, plain, FRAME_AT + 12);
	base_put_u16(tagged + FRAME_AT + 12, 0x8100);
	memcpy(tagged + FRAME_AT + 16, plain + FRAME_AT + 12, BYTES - FRAME_AT - 16);
	assert_true(hash_of(plain, BYTES) == hash_of(tagged, BYTES));
}

/* All groups of one sender are one flow, of another sender another. */
static void test_groups(void **state) {
	uint8_t broadcast[BYTES] = {0}, multicast[BYTES] = {0}, unicast[BYTES] = {0};

	(void)state;
	fill_broadcast(broadcast);
	fill_udp(multicast, 5);
	multicast[FRAME_AT] = 1;
	fill_udp(unicast, 0);
	assert_true(hash_of(broadcast, BYTES) == hash_of(multicast, 60));
	assert_true(hash_of(broadcast, BYTES) != hash_of(unicast, BYTES));
	assert_true(hash_of(broadcast, BYTES) != queue_flow_hash(test_seed, 8, slice_of(broadcast, BYTES)));
}

/* Of a sealed frame the sender's label counts, and who it is between; not what is encrypted. */
static void test_sealed(void **state) {
	static const struct change changes[] = {
	    {"destination MAC", FRAME_AT + 5, 9, false},
	    {"source MAC", FRAME_AT + 11, 9, false},
	    {"type", FRAME_AT + 13, 9, true},
	    {"label", FRAME_AT + 14, 9, false},
	    {"label, second byte", FRAME_AT + 15, 9, false},
	    {"counter", FRAME_AT + 21, 9, true},
	    {"ciphertext", FRAME_AT + 40, 9, true},
	    {"tag", BYTES - 1, 9, true},
	};
	uint8_t plain[BYTES] = {0}, base[BYTES] = {0}, group[BYTES], broadcast[BYTES] = {0};

	(void)state;
	fill_udp(plain, 1);
	assert_int_equal(proto_sealed_encode_clear(
	                     base, 7, slice_of(plain + FRAME_AT, BYTES - FRAME_AT - PROTO_SEALED_BYTES), 0x0102, 3, BYTES),
	                 0);
	check(base, changes, sizeof(changes) / sizeof(changes[0]));
	memcpy(group, base, BYTES);
	group[FRAME_AT] = 1;
	fill_broadcast(broadcast);
	assert_true(hash_of(group, BYTES) == hash_of(broadcast, BYTES));
}

/* The label is to be as good as what it stands for. */
static void test_label(void **state) {
	const uint64_t other_seed[2] = {1, 3};
	uint8_t datagram[BYTES] = {0};
	unsigned different = 0;
	uint16_t first;

	(void)state;
	fill_udp(datagram, 1);
	first = queue_flow_label(test_seed, slice_of(datagram + FRAME_AT, BYTES - FRAME_AT));
	datagram[PACKET_AT + 24] ^= 1;
	assert_int_equal(queue_flow_label(test_seed, slice_of(datagram + FRAME_AT, BYTES - FRAME_AT)), first);
	for (uint16_t port = 2; port < 102; port++) {
		fill_udp(datagram, port);
		different += queue_flow_label(test_seed, slice_of(datagram + FRAME_AT, BYTES - FRAME_AT)) != first;
	}
	assert_true(different >= 98);
	fill_udp(datagram, 1);
	assert_true(queue_flow_label(other_seed, slice_of(datagram + FRAME_AT, BYTES - FRAME_AT)) != first);
}

static void test_source_and_seed_count(void **state) {
	const uint64_t other_seed[2] = {1, 3};
	uint8_t base[BYTES] = {0};

	(void)state;
	fill_udp(base, 1);
	assert_true(hash_of(base, BYTES) != queue_flow_hash(test_seed, 8, slice_of(base, BYTES)));
	assert_true(hash_of(base, BYTES) != queue_flow_hash(other_seed, 7, slice_of(base, BYTES)));
}

/* On the heap, so that a sanitizer sees a read behind the end. */
static void test_each_truncated_datagram(void **state) {
	static const uint8_t types[][2] = {{0x08, 0x00}, {0x86, 0xdd}, {0x81, 0x00}, {0x81, 0x37}};
	uint8_t base[BYTES] = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		fill_udp(base, 1);
		memcpy(base + FRAME_AT + 12, types[i], 2);
		if (i == 1) {
			base[PACKET_AT] = 0x60;
			base[PACKET_AT + 6] = 17;
		}
		for (size_t len = 0; len <= BYTES; len++) {
			uint8_t *copy = malloc(len > 0 ? len : 1);
			uint64_t hash;

			assert_non_null(copy);
			memcpy(copy, base, len);
			hash = hash_of(copy, len);
			assert_true(hash == hash_of(base, len));
			if (len >= PACKET_AT + 44)
				assert_true(hash == hash_of(base, BYTES));
			free(copy);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ipv4),
	    cmocka_unit_test(test_fragments_stay_together),
	    cmocka_unit_test(test_all_that_have_ports),
	    cmocka_unit_test(test_no_ports),
	    cmocka_unit_test(test_ipv6),
	    cmocka_unit_test(test_others_by_mac_pair_and_type),
	    cmocka_unit_test(test_tag_is_stepped_over),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_sealed),
	    cmocka_unit_test(test_label),
	    cmocka_unit_test(test_source_and_seed_count),
	    cmocka_unit_test(test_each_truncated_datagram),
	};

	return cmocka_run_group_tests_name("queue/flow", tests, NULL, NULL);
}
