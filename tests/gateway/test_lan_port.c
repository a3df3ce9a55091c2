/* The port over a socketpair in place of the packet socket. */
#include "gateway/lan_port.h"

#include "gateway/limits.h"
#include "tests/policy/frames.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define FINISHED "00 00 0000 0000 0000 0000"
#define FRAME HOST ME "88b5 0102030405"

/* The linker sends the port's reads here: what a kernel does with a super-frame for which it has no words. */
static unsigned reads_refused;
ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags) {
	ssize_t got = __real_recvmsg(fd, message, flags);
	if (got < 0 || reads_refused == 0)
		return got;
	reads_refused--;
	errno = EINVAL;
	return -1;
}

struct fixture {
	struct gateway_lan_port *port;
	struct obs_counters counters;
	int wire;
	unsigned seen;
	struct test_frame last;
};

static void take(void *user, struct slice frame, uint64_t now) {
	struct fixture *fixture = user;
	(void)now;
	fixture->seen++;
	memcpy(fixture->last.bytes, frame.data, frame.len);
	fixture->last.len = frame.len;
}

static void setup(struct fixture *fixture, bool vnet_header) {
	int ends[2];
	memset(fixture, 0, sizeof(*fixture));
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	fixture->wire = ends[1];
	fixture->port = gateway_lan_port_new(
	    &(struct gateway_lan_port_options){.deliver = take, .user = fixture, .counters = &fixture->counters});
	assert_non_null(fixture->port);
	assert_false(gateway_lan_port_attached(fixture->port));
	gateway_lan_port_attach(fixture->port,
	                        &(struct gateway_packet_socket){.fd = ends[0], .ifindex = 5, .vnet_header = vnet_header});
}

static void teardown(struct fixture *fixture) {
	gateway_lan_port_free(fixture->port);
	(void)close(fixture->wire);
}

static void arrive(struct fixture *fixture, const char *text) {
	struct test_frame frame;
	test_frame_build(&frame, text);
	assert_int_equal(send(fixture->wire, frame.bytes, frame.len, 0), frame.len);
}

static void test_read(void **state) {
	struct fixture fixture;
	struct test_frame frame;
	(void)state;
	test_frame_build(&frame, FRAME);
	for (int vnet_header = 0; vnet_header < 2; vnet_header++) {
		setup(&fixture, vnet_header != 0);
		arrive(&fixture, vnet_header != 0 ? FINISHED FRAME : FRAME);
		arrive(&fixture, vnet_header != 0 ? FINISHED FRAME : FRAME);
		assert_int_equal(gateway_lan_port_read(fixture.port, 1), 0);
		assert_int_equal(fixture.seen, 2);
		assert_int_equal(fixture.last.len, frame.len);
		assert_memory_equal(fixture.last.bytes, frame.bytes, frame.len);
		teardown(&fixture);
	}
}

static void test_read_rubbish(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture, true);
	arrive(&fixture, "00 00");                                    /* not even a header */
	arrive(&fixture, FINISHED);                                   /* a header and nothing */
	arrive(&fixture, "01 01 3600 e803 2200 1000" HOST ME "0800"); /* segments of nothing */
	arrive(&fixture, FINISHED "0102");                            /* a runt is the bridge's to judge */
	assert_int_equal(gateway_lan_port_read(fixture.port, 1), 0);
	assert_int_equal(fixture.counters.drop[OBS_DROP_OFFLOAD], 2);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_RX_FRAMES], 2);
	assert_int_equal(fixture.seen, 2);
	teardown(&fixture);
}

static void test_read_what_the_kernel_cannot_describe(void **state) {
	struct fixture fixture;
	(void)state;
	setup(&fixture, true);
	for (int i = 0; i < 3; i++)
		arrive(&fixture, FINISHED FRAME);
	reads_refused = 2;
	assert_int_equal(gateway_lan_port_read(fixture.port, 1), 0);
	assert_int_equal(reads_refused, 0);
	assert_int_equal(fixture.counters.drop[OBS_DROP_OFFLOAD], 2);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_RX_FRAMES], 2);
	assert_int_equal(fixture.seen, 1);
	teardown(&fixture);
	/* Without the header the kernel has nothing to describe: then it is trouble. */
	setup(&fixture, false);
	arrive(&fixture, FRAME);
	reads_refused = 1;
	assert_int_equal(gateway_lan_port_read(fixture.port, 1), -EINVAL);
	assert_int_equal(fixture.counters.drop[OBS_DROP_OFFLOAD], 0);
	teardown(&fixture);
}

static void test_write_in_batches(void **state) {
	struct fixture fixture;
	struct test_frame frame, wanted;
	uint8_t got[256];
	(void)state;
	setup(&fixture, true);
	test_frame_build(&frame, FRAME);
	test_frame_build(&wanted, FINISHED FRAME);
	gateway_lan_port_write(fixture.port, slice_of(frame.bytes, frame.len));
	gateway_lan_port_write(fixture.port, slice_of(frame.bytes, frame.len));
	assert_int_equal(recv(fixture.wire, got, sizeof(got), 0), -1); /* waits for the end of the turn */
	gateway_lan_port_flush(fixture.port);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(recv(fixture.wire, got, sizeof(got), 0), wanted.len);
		assert_memory_equal(got, wanted.bytes, wanted.len);
	}
	assert_int_equal(recv(fixture.wire, got, sizeof(got), 0), -1);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_TX_FRAMES], 2);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_TX_BYTES], 2 * frame.len);
	teardown(&fixture);
}

static void test_every_frame_sent_or_refused(void **state) {
	struct fixture fixture;
	struct test_frame frame;
	uint8_t got[256];
	unsigned received = 0;
	(void)state;
	const int small = 4096;
	setup(&fixture, false);
	assert_int_equal(setsockopt(gateway_lan_port_fd(fixture.port), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	test_frame_build(&frame, FRAME);
	for (unsigned i = 0; i < 3 * GATEWAY_WRITE_BATCH; i++) /* more than the pair holds */
		gateway_lan_port_write(fixture.port, slice_of(frame.bytes, frame.len));
	gateway_lan_port_flush(fixture.port);
	while (recv(fixture.wire, got, sizeof(got), 0) > 0)
		received++;
	assert_true(received > 0 && received < 3 * GATEWAY_WRITE_BATCH);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_TX_FRAMES], received);
	assert_int_equal(fixture.counters.drop[OBS_DROP_DEVICE_FULL], 3 * GATEWAY_WRITE_BATCH - received);
	teardown(&fixture);
}

static void test_without_carrier(void **state) {
	struct fixture fixture;
	uint8_t buf[64];
	(void)state;
	setup(&fixture, false);
	for (unsigned i = 0; i < 3; i++) {
		gateway_lan_port_set_carrier(fixture.port, i != 1);
		gateway_lan_port_write(fixture.port, slice_of("123456789012345", 15));
		gateway_lan_port_flush(fixture.port);
		assert_int_equal(recv(fixture.wire, buf, sizeof(buf), 0), 15); /* in case it is back */
	}
	assert_int_equal(fixture.counters.value[OBS_DEVICE_TX_FRAMES], 2);
	assert_int_equal(fixture.counters.value[OBS_DEVICE_TX_BYTES], 30);
	assert_int_equal(fixture.counters.drop[OBS_DROP_DEVICE_FULL], 1);
	teardown(&fixture);
}

static void test_without_a_socket(void **state) {
	struct fixture fixture;
	struct test_frame frame;
	(void)state;
	setup(&fixture, false);
	test_frame_build(&frame, FRAME);
	gateway_lan_port_write(fixture.port, slice_of(frame.bytes, frame.len)); /* still waits when the port goes */
	gateway_lan_port_detach(fixture.port);
	gateway_lan_port_detach(fixture.port);
	gateway_lan_port_write(fixture.port, slice_of(frame.bytes, frame.len));
	gateway_lan_port_flush(fixture.port);
	assert_int_equal(fixture.counters.drop[OBS_DROP_DEVICE_GONE], 2);
	assert_int_equal(fixture.counters.drop[OBS_DROP_DEVICE_FULL], 0); /* nothing was too much for anything */
	assert_int_equal(gateway_lan_port_read(fixture.port, 1), 0);
	assert_int_equal(gateway_lan_port_fd(fixture.port), -1);
	assert_int_equal(gateway_lan_port_ifindex(fixture.port), 0);
	teardown(&fixture);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_read_rubbish),
	    cmocka_unit_test(test_read_what_the_kernel_cannot_describe),
	    cmocka_unit_test(test_write_in_batches),
	    cmocka_unit_test(test_every_frame_sent_or_refused),
	    cmocka_unit_test(test_without_carrier),
	    cmocka_unit_test(test_without_a_socket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
