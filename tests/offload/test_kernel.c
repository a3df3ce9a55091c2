/* Our segmentation, and what we merge, against the kernel's own segmentation: super-frames go into one TAP, over a
 * bridge, and out of another that has no offloads, so that the kernel must segment them in software. In a network
 * namespace of its own, gone with the process. Skipped where that can't be had. */
#include "offload/merger.h"
#include "tests/offload/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define WAIT_MS 2000

static int tap_in, tap_out;

static int open_tap(const char *name, short flags) {
	struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
	int fd = open("/dev/net/tun", O_RDWR);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool set_up(void) {
	if (unshare(CLONE_NEWNET) != 0)
		return false;
	tap_in = open_tap("in", IFF_VNET_HDR);
	tap_out = open_tap("out", 0);
	if (tap_in < 0 || tap_out < 0)
		return false;
	return system(
	           "exec 2>/dev/null; sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1;"
	           "ip link add name bridge type bridge && ip link set in master bridge && ip link set out master bridge &&"
	           "ip link set in up && ip link set out up && ip link set bridge up") == 0;
}

/* The next frame from the sender of our frames, or 0 when none comes. */
static size_t read_segment(uint8_t *buf, size_t cap, int wait_ms) {
	struct pollfd ready = {.fd = tap_out, .events = POLLIN};

	while (poll(&ready, 1, wait_ms) == 1) {
		ssize_t len = read(tap_out, buf, cap);

		if (len >= 12 && memcmp(buf + 6, "\x02\0\0\0\0\x01", 6) == 0)
			return (size_t)len;
	}
	return 0;
}

/* False when the kernel does not know this kind: UDP came with Linux 6.2. */
static bool write_super(const struct frame *super) {
	struct offload_vnet vnet = super->vnet;
	uint8_t header[OFFLOAD_VNET_HEADER_BYTES];
	struct iovec parts[] = {{header, sizeof(header)}, {super->bytes, super->len}};

	vnet.hdr_len = (uint16_t)super->header_len;
	offload_vnet_encode(&vnet, header);
	if (writev(tap_in, parts, 2) == (ssize_t)(sizeof(header) + super->len))
		return true;
	assert_true(errno == EINVAL && super->vnet.gso == OFFLOAD_GSO_UDP);
	return false;
}

static bool compare(const struct shape *shape, uint8_t flags) {
	struct frame super = build(shape, 0, shape->payload, 0, flags, false);
	struct offload_splitter splitter;
	uint8_t ours[2048], theirs[2048];
	struct slice out;
	int len;

	if (!write_super(&super)) {
		free(super.bytes);
		return false;
	}
	unit_assert_int(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), 0, shape->label);
	while ((len = offload_splitter_next(&splitter, ours, sizeof(ours), &out)) > 0) {
		unit_assert_int(read_segment(theirs, sizeof(theirs), WAIT_MS), len, shape->label);
		for (size_t i = 0; i < (size_t)len; i++) {
			if (ours[i] != theirs[i])
				fail_msg("%s: segment %u differs at byte %zu: %02x, kernel %02x", shape->label,
				         splitter.segment_index - 1u, i, ours[i], theirs[i]);
		}
	}
	unit_assert_int(read_segment(theirs, sizeof(theirs), 0), 0, shape->label);
	free(super.bytes);
	return true;
}

static bool write_group(const struct offload_group *group) {
	uint8_t header[OFFLOAD_VNET_HEADER_BYTES];
	struct iovec parts[1 + OFFLOAD_GROUP_PARTS_MAX] = {{header, sizeof(header)}};

	offload_vnet_encode(&group->vnet, header);
	for (size_t i = 0; i < group->part_count; i++)
		parts[1 + i] = (struct iovec){(void *)(uintptr_t)group->parts[i].data, group->parts[i].len};
	if (writev(tap_in, parts, (int)(1 + group->part_count)) > 0)
		return true;
	assert_true(errno == EINVAL && group->vnet.gso == OFFLOAD_GSO_UDP);
	return false;
}

/* Segments, merged by us and segmented by the kernel, are what they were. */
static bool compare_merged(struct offload_merger *merger, const struct shape *shape) {
	struct frame super = build(shape, 0, shape->payload, 0, ACK | PSH, false);
	struct slice frames[OFFLOAD_GROUP_FRAMES_MAX], out;
	struct offload_splitter splitter;
	struct offload_group group;
	uint8_t buf[2048];
	bool known = true;

	unit_assert_int(offload_splitter_init(&splitter, super.bytes, super.len, &super.vnet), 0, shape->label);
	while (offload_splitter_next(&splitter, buf, sizeof(buf), &out) > 0)
		unit_assert_true(offload_merger_push(merger, out), shape->label);
	for (size_t i = 0; i < offload_merger_count(merger) && known; i++) {
		offload_merger_group(merger, i, &group);
		offload_merger_frames(merger, i, frames);
		known = write_group(&group);
		for (size_t f = 0; f < group.frames && known; f++) {
			unit_assert_int(read_segment(buf, sizeof(buf), WAIT_MS), frames[f].len, shape->label);
			unit_assert_true(memcmp(buf, frames[f].data, frames[f].len) == 0, shape->label);
		}
	}
	unit_assert_int(read_segment(buf, sizeof(buf), 0), 0, shape->label);
	offload_merger_clear(merger);
	free(super.bytes);
	return known;
}

static void test_merged(void **state) {
	struct offload_merger *merger = offload_merger_new();
	unsigned compared = 0;

	(void)state;
	assert_non_null(merger);
	offload_merger_allow(merger, OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP, 2000);
	for (size_t i = 0; i < COUNT(shapes); i++) {
		if (shapes[i].payload <= 90u * shapes[i].gso_size)
			compared += compare_merged(merger, &shapes[i]);
	}
	assert_true(compared > 12);
	offload_merger_free(merger);
}

static void test_like_the_kernel(void **state) {
	unsigned compared = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		if (shapes[i].payload <= shapes[i].gso_size || shapes[i].payload / shapes[i].gso_size > 90)
			continue; /* the kernel refuses to segment what is one segment; the TAP's queue is bounded */
		compared += compare(&shapes[i], ACK);
		compared += compare(&shapes[i], ACK | PSH | FIN);
		compared += compare(&shapes[i], ACK | PSH | ECE | CWR);
	}
	assert_true(compared > 30);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_like_the_kernel),
	    cmocka_unit_test(test_merged),
	};

	if (!set_up()) {
		fprintf(stderr, "needs root and TAP devices: skipped\n");
		return EXIT_SKIPPED;
	}
	return cmocka_run_group_tests_name("offload/kernel", tests, NULL, NULL);
}
