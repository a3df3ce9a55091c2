/* The device over a socketpair in place of /dev/net/tun. */
#include "client-linux/tap.h"

#include "base/error.h"
#include "tests/policy/frames.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define FINISHED "00 00 0000 0000 0000 0000"
#define FRAME HOST ME "88b5 0102030405"

/* The linker sends the device's reads here: what a kernel does with a super-frame for which it has no words. */
static unsigned reads_refused;
ssize_t __real_read(int fd, void *buf, size_t cap);
ssize_t __wrap_read(int fd, void *buf, size_t cap);
ssize_t __wrap_read(int fd, void *buf, size_t cap) {
	ssize_t got = __real_read(fd, buf, cap);
	if (got < 0 || reads_refused == 0)
		return got;
	reads_refused--;
	errno = EINVAL;
	return -1;
}

struct fixture {
	struct lintap_tap *tap;
	struct obs_counters counters;
	int machine;
	unsigned seen;
	size_t seen_bytes;
	struct test_frame last;
};

static void take(void *user, struct slice frame, uint64_t now) {
	struct fixture *fixture = user;
	(void)now;
	fixture->seen++;
	fixture->seen_bytes += frame.len;
	memcpy(fixture->last.bytes, frame.data, frame.len);
	fixture->last.len = frame.len;
}

static void setup(struct fixture *fixture) {
	int ends[2];
	memset(fixture, 0, sizeof(*fixture));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	fixture->machine = ends[1];
	fixture->tap = lintap_tap_wrap(
	    &(struct lintap_tap_options){.deliver = take, .user = fixture, .counters = &fixture->counters}, ends[0]);
	assert_non_null(fixture->tap);
}

static void teardown(struct fixture *fixture) {
	lintap_tap_close(fixture->tap);
	if (fixture->machine >= 0)
		(void)close(fixture->machine);
}

static void arrive(struct fixture *fixture, const char *text) {
	struct test_frame frame;
	test_frame_build(&frame, text);
	assert_int_equal(send(fixture->machine, frame.bytes, frame.len, 0), frame.len);
}

static void test_read(void **state) {
	struct fixture fixture;
	struct test_frame frame;
	(void)state;
	setup(&fixture);
	test_frame_build(&frame, FRAME);
	assert_int_equal(lintap_tap_read(fixture.tap, 1), 0); /* nothing there is no error */
	arrive(&fixture, FINISHED FRAME);
	arrive(&fixture, "00 00"); /* not even a header: dropped, and on it goes */
	arrive(&fixture, FINISHED FRAME);
	assert_int_equal(lintap_tap_read(fixture.tap, 1), 0);
	assert_int_equal(fixture.seen, 2);
	assert_int_equal(fixture.counters.drop[OBS_DROP_OFFLOAD], 1);
	assert_int_equal(fixture.last.len, frame.len);
	assert_memory_equal(fixture.last.bytes, frame.bytes, frame.len);
	teardown(&fixture);
}

static void test_read_what_the_kernel_cannot_describe(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	for (int i = 0; i < 3; i++)
		arrive(&fixture, FINISHED FRAME);
	reads_refused = 2;
	assert_int_equal(lintap_tap_read(fixture.tap, 1), 0);
	assert_int_equal(reads_refused, 0);
	assert_int_equal(fixture.counters.drop[OBS_DROP_OFFLOAD], 2);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_RX_FRAMES], 2);
	assert_int_equal(fixture.seen, 1);
	teardown(&fixture);
}

static void test_write(void **state) {
	struct fixture fixture;
	struct test_frame frame, wanted;
	struct lintap_written written;
	uint8_t got[256];
	const int small = 4096;
	(void)state;
	setup(&fixture);
	test_frame_build(&frame, FRAME);
	test_frame_build(&wanted, FINISHED FRAME);
	lintap_tap_write(fixture.tap, slice_of(frame.bytes, frame.len));
	assert_int_equal(recv(fixture.machine, got, sizeof(got), 0), -1); /* waits for the end of the turn */
	lintap_tap_flush(fixture.tap, &written);
	assert_int_equal(written.frames, 1);
	assert_int_equal(written.bytes, frame.len);
	assert_int_equal(written.refused, 0);
	assert_int_equal(recv(fixture.machine, got, sizeof(got), 0), wanted.len);
	assert_memory_equal(got, wanted.bytes, wanted.len);

	assert_int_equal(setsockopt(lintap_tap_fd(fixture.tap), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (unsigned i = 0; i < 1000; i++)
		lintap_tap_write(fixture.tap, slice_of(frame.bytes, frame.len));
	lintap_tap_flush(fixture.tap, &written);
	assert_true(written.refused > 0); /* full is no error and no wait */
	assert_int_equal(written.frames + written.refused, 1000);
	teardown(&fixture);
}

static void test_device_gone(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture);
	(void)close(fixture.machine);
	fixture.machine = -1;
	assert_int_equal(lintap_tap_read(fixture.tap, 1), -EIO);
	teardown(&fixture);
}

static void test_names(void **state) {
	static const char *const names[] = {"", ".", "..", "a/b", "lan%d", "two words", "a:1", "sixteencharacter"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct lintap_tap *tap = NULL;
		char error[LINTAP_ERROR_BYTES] = "";
		unit_assert_int(lintap_tap_open(&(struct lintap_tap_options){.name = names[i]}, &tap, error), BASE_E_INVALID,
		                names[i]);
		unit_assert_true(tap == NULL && strstr(error, names[i]) != NULL, names[i]);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),  cmocka_unit_test(test_read_what_the_kernel_cannot_describe),
	    cmocka_unit_test(test_write), cmocka_unit_test(test_device_gone),
	    cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
