/* The decoder against docs/vectors/overlay.txt, which the documentation shows too. */
#include "proto/overlay.h"

#include "base/error.h"
#include "base/text.h"
#include "proto/ether.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VECTOR_BYTES_MAX 512
#define VECTORS_MIN 20 /* a file that lost its lines must not pass */

struct vector {
	char name[64];
	uint8_t bytes[VECTOR_BYTES_MAX];
	size_t len;
	char result[16];
	uint32_t source_peer;
	size_t frame_len;
};

static const char *vectors_path;

static int error_of(const char *name) {
	static const struct {
		const char *name;
		int err;
	} errors[] = {
	    {"ok", 0},
	    {"short", BASE_E_SHORT},
	    {"version", BASE_E_VERSION},
	    {"flags", BASE_E_FLAGS},
	    {"length", BASE_E_LENGTH},
	    {"runt", BASE_E_RUNT},
	    {"peer", BASE_E_RANGE},
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].err;
	}
	fail_msg("unknown result %s", name);
	return 0;
}

static void read_vector(const char *line, struct vector *ret) {
	char hex[2 * VECTOR_BYTES_MAX + 1];
	unsigned long source_peer = 0, frame_len = 0;
	int fields = sscanf(line, "%63s %1024s %15s %lu %lu", ret->name, hex, ret->result, &source_peer, &frame_len);

	if (fields != (strcmp(ret->result, "ok") == 0 ? 5 : 3))
		fail_msg("bad line: %s", line);
	ret->len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;
	if (ret->len > 0 && base_parse_hex(hex, strlen(hex), ret->bytes, ret->len) != 0)
		fail_msg("bad hex: %s", line);
	ret->source_peer = (uint32_t)source_peer;
	ret->frame_len = frame_len;
}

static int decode_exact(const uint8_t *bytes, size_t len, struct proto_overlay *ret) {
	uint8_t *copy = malloc(len > 0 ? len : 1); /* so that sanitizers see any overrun */
	int err;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	err = proto_overlay_decode(slice_of(copy, len), ret);
	if (err == 0)
		assert_ptr_equal(ret->frame.data, copy + PROTO_OVERLAY_HEADER_BYTES);
	free(copy);
	return err;
}

static void check_vector(const struct vector *v) {
	struct proto_overlay overlay = {.source_peer = 0xdead};
	uint8_t header[PROTO_OVERLAY_HEADER_BYTES];
	int expected = error_of(v->result);

	unit_assert_int(decode_exact(v->bytes, v->len, &overlay), expected, v->name);
	if (expected != 0) {
		unit_assert_int(overlay.source_peer, 0xdead, v->name);
		return;
	}
	unit_assert_int(overlay.source_peer, v->source_peer, v->name);
	unit_assert_int(overlay.frame.len, v->frame_len, v->name);
	unit_assert_int(proto_overlay_encode_header(header, v->source_peer, v->frame_len, v->len), 0, v->name);
	unit_assert_true(memcmp(header, v->bytes, sizeof(header)) == 0, v->name);
	for (size_t cut = 0; cut < v->len; cut++) {
		int err = decode_exact(v->bytes, cut, &overlay);

		unit_assert_int(err, cut < PROTO_OVERLAY_HEADER_BYTES ? BASE_E_SHORT : BASE_E_LENGTH, v->name);
	}
}

static void test_vectors(void **state) {
	FILE *file = fopen(vectors_path, "r");
	char line[2 * VECTOR_BYTES_MAX + 128];
	unsigned count = 0;

	(void)state;
	if (file == NULL)
		fail_msg("%s: cannot be opened", vectors_path);
	while (fgets(line, sizeof(line), file) != NULL) {
		struct vector v = {.len = 0};

		if (line[0] == '#' || line[0] == '\n')
			continue;
		read_vector(line, &v);
		check_vector(&v);
		count++;
	}
	fclose(file);
	assert_true(count >= VECTORS_MIN);
}

static void test_encode_refuses(void **state) {
	static const struct {
		const char *label;
		uint32_t source_peer;
		size_t frame_len, budget;
		int expected;
	} cases[] = {
	    {"exactly the budget", 1, 14, 22, 0},
	    {"largest frame", 1, 65535, 65543, 0},
	    {"runt", 1, 13, 1400, BASE_E_RUNT},
	    {"no frame", 1, 0, 1400, BASE_E_RUNT},
	    {"source peer 0", 0, 14, 1400, BASE_E_RANGE},
	    {"one over the budget", 1, 1393, 1400, BASE_E_TOO_BIG},
	    {"budget 0", 1, 14, 0, BASE_E_TOO_BIG},
	    {"over the length field", 1, 65536, SIZE_MAX, BASE_E_TOO_BIG},
	    {"absurd", 1, SIZE_MAX, SIZE_MAX, BASE_E_TOO_BIG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const uint8_t untouched[PROTO_OVERLAY_HEADER_BYTES];
		uint8_t out[PROTO_OVERLAY_HEADER_BYTES] = {0};
		int err = proto_overlay_encode_header(out, cases[i].source_peer, cases[i].frame_len, cases[i].budget);

		unit_assert_int(err, cases[i].expected, cases[i].label);
		unit_assert_true((memcmp(out, untouched, sizeof(out)) == 0) == (err != 0), cases[i].label);
	}
}

#define SEALED_BYTES 60 /* of the frame */

static void test_sealed(void **state) {
	static const uint8_t frame[SEALED_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06};
	uint8_t datagram[SEALED_BYTES + PROTO_OVERLAY_HEADER_BYTES + PROTO_SEALED_BYTES] = {0};
	struct slice whole = slice_of(datagram, sizeof(datagram));
	struct proto_overlay overlay;
	struct proto_sealed sealed;

	(void)state;
	assert_int_equal(proto_sealed_encode_clear(datagram, 66051, slice_of(frame, sizeof(frame)), 0x1234,
	                                           PROTO_SEALED_COUNTER_MAX - 1, sizeof(datagram)),
	                 0);
	assert_int_equal(proto_sealed_decode(whole, &sealed), 0);
	assert_int_equal(sealed.source_peer, 66051);
	assert_int_equal(sealed.frame_len, SEALED_BYTES);
	assert_int_equal(sealed.flow, 0x1234);
	assert_true(sealed.counter == PROTO_SEALED_COUNTER_MAX - 1);
	assert_ptr_equal(sealed.clear.data, datagram);
	assert_int_equal(sealed.clear.len, PROTO_SEALED_CLEAR_BYTES);
	assert_memory_equal(sealed.ethernet.data, frame, PROTO_ETHER_HEADER_BYTES);
	assert_ptr_equal(sealed.sealed.data, datagram + PROTO_SEALED_CLEAR_BYTES);
	assert_int_equal(sealed.sealed.len, SEALED_BYTES - PROTO_ETHER_HEADER_BYTES + PROTO_SEALED_TAG_BYTES);
	/* Each kind is refused where the other is meant. */
	assert_int_equal(proto_overlay_decode(whole, &overlay), BASE_E_FLAGS);
	datagram[1] = 0;
	assert_int_equal(proto_overlay_decode(whole, &overlay), 0);
	assert_int_equal(proto_sealed_decode(whole, &sealed), BASE_E_FLAGS);
	datagram[1] = 3;
	assert_int_equal(proto_sealed_decode(whole, &sealed), BASE_E_FLAGS);
}

static void test_sealed_refuses(void **state) {
	static const struct {
		const char *label;
		uint32_t source_peer;
		size_t frame_len, budget;
		uint64_t counter;
		int expected;
	} cases[] = {
	    {"exactly the budget", 1, 14, 46, 0, 0},
	    {"one over the budget", 1, 15, 46, 0, BASE_E_TOO_BIG},
	    {"runt", 1, 13, 1400, 0, BASE_E_RUNT},
	    {"source peer 0", 0, 14, 1400, 0, BASE_E_RANGE},
	    {"last counter", 1, 14, 1400, PROTO_SEALED_COUNTER_MAX, 0},
	    {"no counter left", 1, 14, 1400, PROTO_SEALED_COUNTER_MAX + 1, BASE_E_RANGE},
	    {"over the length field", 1, 65535 - 23, SIZE_MAX, 0, BASE_E_TOO_BIG},
	};
	static const uint8_t frame[65535];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t datagram[PROTO_SEALED_CLEAR_BYTES + PROTO_SEALED_TAG_BYTES] = {0};
		struct proto_sealed sealed;

		unit_assert_int(proto_sealed_encode_clear(datagram, cases[i].source_peer, slice_of(frame, cases[i].frame_len),
		                                          7, cases[i].counter, cases[i].budget),
		                cases[i].expected, cases[i].label);
		if (cases[i].expected != 0)
			continue;
		unit_assert_int(proto_sealed_decode(slice_of(datagram, sizeof(datagram)), &sealed), 0, cases[i].label);
		unit_assert_true(sealed.counter == cases[i].counter, cases[i].label);
		for (size_t cut = 0; cut < sizeof(datagram); cut++) {
			uint8_t *copy = malloc(cut > 0 ? cut : 1);

			assert_non_null(copy);
			memcpy(copy, datagram, cut);
			unit_assert_int(proto_sealed_decode(slice_of(copy, cut), &sealed),
			                cut < PROTO_OVERLAY_HEADER_BYTES ? BASE_E_SHORT : BASE_E_LENGTH, cases[i].label);
			free(copy);
		}
		datagram[3]--; /* too short for a tag, and says so */
		unit_assert_int(proto_sealed_decode(slice_of(datagram, sizeof(datagram) - 1), &sealed), BASE_E_RUNT,
		                cases[i].label);
	}
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_encode_refuses),
	    cmocka_unit_test(test_sealed),
	    cmocka_unit_test(test_sealed_refuses),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s VECTORS\n", argv[0]);
		return 2;
	}
	vectors_path = argv[1];
	return cmocka_run_group_tests_name("proto/overlay", tests, NULL, NULL);
}
