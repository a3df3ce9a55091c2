/* A loopback of its own with an Ethernet MTU and 100 Mbit/s, where the send buffer really fills. Needs the right to
 * make a network namespace, ip and tc; without them the test is skipped (exit status 77). */
#include "tests/udp/pair.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>

#define BURSTS 40
#define BURST_DATAGRAMS 20
#define SEGMENT 1200

static struct inbox inbox;
static uint8_t payload[BURST_DATAGRAMS * SEGMENT + BURSTS];

/* The kernel keeps what comes over the loopback in a queue per core, and would overtake when we move to another. */
static void stay_on_this_core(void) {
	int core = sched_getcpu();
	cpu_set_t cores;

	assert_true(core >= 0);
	CPU_ZERO(&cores);
	CPU_SET((size_t)core, &cores);
	assert_int_equal(sched_setaffinity(0, sizeof(cores), &cores), 0);
}

static struct udp_socket *open_small(bool no_offload, size_t buffer_bytes) {
	const struct udp_options options = {
	    .local = addr_of("127.0.0.1", 0),
	    .no_offload = no_offload,
	    .buffer_bytes = buffer_bytes,
	};
	struct udp_socket *opened = NULL;

	assert_int_equal(udp_open(&options, &opened), 0);
	return opened;
}

static void wait_writable(const struct udp_socket *on) {
	struct pollfd fd = {.fd = udp_fd(on), .events = POLLOUT};

	assert_int_equal(poll(&fd, 1, 2000), 1);
}

/* Everything arrives once and in order, however often the buffer was full, also in the middle of a burst. */
static void send_through(bool no_offload) {
	struct udp_socket *sender = open_small(no_offload, 400000), *receiver = open_small(no_offload, 16 << 20);
	struct udp_burst bursts[BURSTS];
	size_t sent = 0, full = 0;

	stay_on_this_core();
	for (size_t i = 0; i < BURSTS; i++)
		bursts[i] = burst_to(udp_local(receiver), payload + i, BURST_DATAGRAMS * SEGMENT, SEGMENT);
	while (sent < BURSTS) {
		sent += udp_send(sender, bursts + sent, BURSTS - sent);
		if (sent < BURSTS) {
			full++;
			wait_writable(sender);
		}
	}
	assert_true(full > 0);
	receive(receiver, &inbox, BURSTS * BURST_DATAGRAMS);
	for (size_t i = 0; i < inbox.count; i++)
		assert_memory_equal(inbox.datagrams[i].bytes, payload + i / BURST_DATAGRAMS + i % BURST_DATAGRAMS * SEGMENT,
		                    SEGMENT);
	udp_close(sender);
	udp_close(receiver);
}

static void test_full_buffer_singly(void **state) {
	(void)state;
	send_through(true);
}

static void test_full_buffer_with_gso(void **state) {
	(void)state;
	send_through(false);
}

/* Longer than the MTU: lost, never fragmented, and no reason to give GSO up. */
static void test_above_mtu(void **state) {
	struct udp_socket *sender = open_small(false, 0), *receiver = open_small(false, 0);
	struct udp_burst bursts[3];

	(void)state;
	bursts[0] = burst_to(udp_local(receiver), payload, 1473, 1473);
	bursts[1] = burst_to(udp_local(receiver), payload, 3 * 1473, 1473);
	bursts[2] = burst_to(udp_local(receiver), payload, 3 * 1472, 1472);
	assert_int_equal(udp_send(sender, bursts, 3), 3);
	receive(receiver, &inbox, 3);
	assert_int_equal(inbox.datagrams[0].len, 1472);
	assert_true(udp_features(sender).gso);
	assert_false(system_wait(udp_fd(receiver), 50));
	udp_close(sender);
	udp_close(receiver);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_full_buffer_singly),
	    cmocka_unit_test(test_full_buffer_with_gso),
	    cmocka_unit_test(test_above_mtu),
	};

	fill_payload(payload, sizeof(payload), SEGMENT);
	if (unshare(CLONE_NEWNET) != 0 ||
	    system("{ ip link set lo mtu 1500 up && tc qdisc add dev lo root tbf rate 100mbit burst 64k limit 20000000; } "
	           ">/dev/null 2>&1") != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
