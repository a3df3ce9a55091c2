#include "link/capture.h"

#include "tests/policy/frames.h"

#include <errno.h>

struct seen {
	unsigned frames;
	size_t bytes;
	size_t longest;
};

static void deliver(void *user, struct slice frame, uint64_t now) {
	struct seen *seen = user;
	assert_int_equal(now, 77);
	seen->frames++;
	seen->bytes += frame.len;
	if (frame.len > seen->longest)
		seen->longest = frame.len;
}

#define TCP_HEADER "1000 1000 00000001 00000002 5010 ffff 0000 0000"

static void test_frames(void **state) {
	static const struct {
		const char *label, *vnet, *frame;
		unsigned frames, dropped;
		size_t longest;
	} cases[] = {
	    {"finished", "00 00 0000 0000 0000 0000", HOST ME "88b5 0102", 1, 0, 16},
	    {"checksum left to us", "01 00 0000 0000 2200 0600", HOST ME "0800 " IP4("0000", "11") UDP("1000", "1000"), 1,
	     0, 50},
	    {"checksum outside of the frame", "01 00 0000 0000 ff00 0600", HOST ME "0800 " IP4("0000", "11"), 0, 1, 0},
	    {"2500 bytes of TCP in segments of 1000", "01 01 3600 e803 2200 1000",
	     HOST ME "0800 " IP4("4000", "06") TCP_HEADER "z09c4", 3, 0, 1054},
	    {"a kind nobody asked for", "01 03 3600 e803 2200 1000", HOST ME "0800 " IP4("4000", "11"), 0, 1, 0},
	    {"segments of nothing", "01 01 3600 0000 2200 1000", HOST ME "0800 " IP4("4000", "06") TCP_HEADER "z0100", 0, 1,
	     0},
	};
	struct link_capture *capture = test_calloc(1, sizeof(*capture));
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test_frame header, frame;
		struct seen seen = {.frames = 0};
		struct obs_counters counters = {.value = {0}};
		uint8_t bytes[OFFLOAD_VNET_HEADER_BYTES + FRAME_TEST_BYTES_MAX];
		test_frame_build(&header, cases[i].vnet);
		assert_int_equal(header.len, OFFLOAD_VNET_HEADER_BYTES);
		test_frame_build(&frame, cases[i].frame);
		memcpy(bytes, header.bytes, header.len);
		memcpy(bytes + header.len, frame.bytes, frame.len);
		*capture = (struct link_capture){.deliver = deliver, .user = &seen, .counters = &counters};
		/* What a turn is charged with: each segment with its headers. */
		size_t delivered = link_capture_read(capture, bytes, header.len + frame.len, 77);
		unit_assert_int(delivered, seen.bytes, cases[i].label);
		unit_assert_int(seen.frames, cases[i].frames, cases[i].label);
		unit_assert_int(seen.longest, cases[i].longest, cases[i].label);
		unit_assert_int(counters.drop[OBS_DROP_OFFLOAD], cases[i].dropped, cases[i].label);
		/* What is dropped here was read; what is delivered is for the bridge to count. */
		unit_assert_int(counters.value[OBS_DEVICE_RX_FRAMES], cases[i].dropped, cases[i].label);
	}
	test_free(capture);
}

static void test_truncated(void **state) {
	struct link_capture *capture = test_calloc(1, sizeof(*capture));
	struct seen seen = {.frames = 0};
	struct obs_counters counters = {.value = {0}};
	struct test_frame read;
	(void)state;
	*capture = (struct link_capture){.deliver = deliver, .user = &seen, .counters = &counters};
	test_frame_build(&read, "01 01 3600 e803 2200 1000" HOST ME "0800 " IP4("4000", "06") TCP_HEADER "z09c4");
	for (size_t len = 0; len < read.len; len++) {
		uint8_t *copy = test_malloc(len + 1);
		memcpy(copy + 1, read.bytes, len);
		link_capture_read(capture, copy + 1, len, 77);
		test_free(copy);
	}
	assert_int_equal(seen.frames, 0); /* the IP length disagrees with every cut */
	assert_int_equal(counters.drop[OBS_DROP_OFFLOAD], read.len);
	test_free(capture);
}

/* A device with so many reads left; each brings `bytes`, or is what `other` says. */
struct device {
	unsigned left, reads;
	int bytes, other;
};

static int read_one(void *user, uint64_t now) {
	struct device *device = user;
	int other = device->other;

	(void)now;
	device->reads++;
	device->other = 0;
	if (other != 0)
		return other;
	if (device->left == 0)
		return -EAGAIN;
	device->left--;
	return device->bytes;
}

static int turn(struct link_capture *capture, struct device *device, uint64_t now) {
	device->reads = 0;
	return link_capture_turn(capture, read_one, device, now);
}

static void test_a_turn_is_bounded(void **state) {
	static struct link_capture capture; /* more than a stack should hold */
	struct device device = {.left = LINK_CAPTURE_READS_PER_TURN + 3, .bytes = 60};

	(void)state;
	assert_int_equal(turn(&capture, &device, 1), 0);
	assert_int_equal(device.left, 3);
	assert_int_equal(turn(&capture, &device, 2), 0);
	assert_int_equal(device.left, 0);
	device = (struct device){.left = 10, .bytes = LINK_CAPTURE_BYTES_PER_TURN / 4 - 1};
	assert_int_equal(turn(&capture, &device, 3), 0);
	assert_int_equal(device.left, 5);
	device = (struct device){.left = 1, .other = -EINTR};
	assert_int_equal(turn(&capture, &device, 4), 0);
	assert_int_equal(device.left, 0);
	device = (struct device){.left = 1, .other = -EIO};
	assert_int_equal(turn(&capture, &device, 5), -EIO);
	assert_int_equal(device.reads, 1);
}

/* The first frame after a pause is read alone; but on a machine whose turns are long nothing else must wait for turns.
 */
static void test_a_long_turn_is_no_pause(void **state) {
	static struct link_capture capture;
	struct device device = {.left = 5};
	uint64_t now = 10 * LINK_CAPTURE_PAUSE_NS;

	(void)state;
	assert_int_equal(turn(&capture, &device, now), 0);
	assert_int_equal(device.left, 4);
	assert_int_equal(turn(&capture, &device, now += 10 * LINK_CAPTURE_PAUSE_NS), 0);
	assert_int_equal(device.left, 0);
	device.left = 2;
	assert_int_equal(turn(&capture, &device, now += 10 * LINK_CAPTURE_PAUSE_NS), 0);
	assert_int_equal(device.left, 1);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_frames), cmocka_unit_test(test_truncated),
	                                   cmocka_unit_test(test_a_turn_is_bounded),
	                                   cmocka_unit_test(test_a_long_turn_is_no_pause)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
