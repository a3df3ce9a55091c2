#include "ctrl/stream.h"

#include "base/bytes.h"
#include "tests/ctrl/vectors.h"
#include "tests/unit.h"

#include <stdlib.h>

static const char *vectors_path;

static size_t frame(uint8_t *buf, const char *json) {
	size_t len = strlen(json);

	base_put_u32(buf, (uint32_t)len);
	memcpy(buf + CTRL_LENGTH_BYTES, json, len);
	return CTRL_LENGTH_BYTES + len;
}

/* Feeds bytes from a block of their own; returns what the stream says at the end of them. */
static int feed(struct ctrl_stream *stream, const uint8_t *data, size_t len, struct slice *ret_json) {
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct slice bytes;
	int result;

	assert_non_null(copy);
	memcpy(copy, data, len);
	bytes = slice_of(copy, len);
	result = ctrl_stream_next(stream, &bytes, ret_json);
	assert_int_equal(bytes.len, 0);
	free(copy);
	return result;
}

/* Each vector, framed and cut in two at every position, comes out whole; nothing comes out before its last byte. */
static void test_every_split(void **state) {
	FILE *file = fopen(vectors_path, "r");
	struct vector vector;
	size_t count = 0;

	(void)state;
	assert_non_null(file);
	for (; vector_next(file, &vector); count++) {
		uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
		size_t len = frame(buf, vector.json);

		for (size_t cut = 0; cut < len; cut++) {
			struct ctrl_stream stream;
			struct slice json;

			ctrl_stream_init(&stream);
			unit_assert_int(feed(&stream, buf, cut, &json), 0, vector.name);
			unit_assert_int(ctrl_stream_pending(&stream), cut, vector.name);
			unit_assert_int(feed(&stream, buf + cut, len - cut, &json), 1, vector.name);
			unit_assert_true(slice_equal(json, slice_of_text(vector.json)), vector.name);
			unit_assert_int(ctrl_stream_pending(&stream), 0, vector.name);
		}
	}
	fclose(file);
	assert_true(count > 100);
}

static void test_byte_by_byte_and_all_at_once(void **state) {
	static const char *const texts[] = {"{}", "{\"type\":\"chat\"}", "x"};
	uint8_t buf[128];
	size_t len = 0, seen = 0;
	struct ctrl_stream stream;
	struct slice bytes, json;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		len += frame(buf + len, texts[i]);
	ctrl_stream_init(&stream);
	for (size_t i = 0; i < len; i++) {
		if (feed(&stream, buf + i, 1, &json) == 1) {
			assert_true(slice_equal(json, slice_of_text(texts[seen])));
			seen++;
		}
	}
	assert_int_equal(seen, 3);

	bytes = slice_of(buf, len);
	for (seen = 0; ctrl_stream_next(&stream, &bytes, &json) == 1; seen++)
		assert_true(slice_equal(json, slice_of_text(texts[seen])));
	assert_int_equal(seen, 3);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(ctrl_stream_pending(&stream), 0);
}

static void test_lengths(void **state) {
	static const struct {
		uint32_t len;
		int result;
	} cases[] = {
	    {0, BASE_E_LENGTH},
	    {CTRL_MESSAGE_BYTES_MAX + 1, BASE_E_TOO_BIG},
	    {UINT32_MAX, BASE_E_TOO_BIG},
	    {UINT32_MAX - 3, BASE_E_TOO_BIG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[64] = {0};
		struct slice bytes = slice_of(buf, sizeof(buf)), json = {0};
		struct ctrl_stream stream;

		base_put_u32(buf, cases[i].len);
		ctrl_stream_init(&stream);
		/* It fails at once and stays failed, taking no more bytes. */
		for (int again = 0; again < 3; again++) {
			assert_int_equal(ctrl_stream_next(&stream, &bytes, &json), cases[i].result);
			assert_int_equal(bytes.len, sizeof(buf) - CTRL_LENGTH_BYTES);
		}
		assert_null(json.data);
	}
}

static void test_largest(void **state) {
	static uint8_t buf[2 * (CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX)];
	struct slice bytes = slice_of(buf, sizeof(buf)), json;
	struct ctrl_stream stream;

	(void)state;
	base_put_u32(buf, CTRL_MESSAGE_BYTES_MAX);
	base_put_u32(buf + sizeof(buf) / 2, CTRL_MESSAGE_BYTES_MAX);
	ctrl_stream_init(&stream);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ctrl_stream_next(&stream, &bytes, &json), 1);
		assert_int_equal(json.len, CTRL_MESSAGE_BYTES_MAX);
	}
	assert_int_equal(ctrl_stream_next(&stream, &bytes, &json), 0);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_split),
	    cmocka_unit_test(test_byte_by_byte_and_all_at_once),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_largest),
	};

	if (argc != 2)
		return 2;
	vectors_path = argv[1];
	return cmocka_run_group_tests_name("ctrl/stream", tests, NULL, NULL);
}
