/* What the kernel may refuse: sendmmsg is defined here, passes on to the kernel, and fails where a test says so. */
#include "tests/udp/pair.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	int segmented_errno; /* for messages that ask for segmentation */
	int oversize_errno;  /* for single messages above `oversize_bytes` */
	size_t oversize_bytes;
	int budget; /* messages until the buffer is full; -1: never */
	int full_errno;
	int interrupts;
	int calls;
} fault;

static bool is_segmented(struct msghdr *message) {
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
		if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_SEGMENT)
			return true;
	}
	return false;
}

static int fault_of(struct msghdr *message) {
	if (fault.segmented_errno != 0 && is_segmented(message))
		return fault.segmented_errno;
	if (fault.oversize_errno != 0 && !is_segmented(message) && message->msg_iov->iov_len > fault.oversize_bytes)
		return fault.oversize_errno;
	if (fault.budget == 0)
		return fault.full_errno;
	return 0;
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
	fault.calls++;
	if (fault.interrupts > 0) {
		fault.interrupts--;
		errno = EINTR;
		return -1;
	}
	for (unsigned i = 0; i < count; i++) {
		int code = fault_of(&messages[i].msg_hdr);

		if (code != 0) {
			errno = code;
			return i > 0 ? (int)i : -1;
		}
		if (syscall(SYS_sendmmsg, fd, &messages[i], 1, flags) != 1)
			return i > 0 ? (int)i : -1;
		if (fault.budget > 0)
			fault.budget--;
	}
	return (int)count;
}

static struct inbox inbox;
static uint8_t payload[20000];
static struct udp_socket *sender, *receiver;

static int set_up(void **state) {
	(void)state;
	memset(&fault, 0, sizeof(fault));
	fault.budget = -1;
	fault.full_errno = EAGAIN;
	fill_payload(payload, sizeof(payload), 1000);
	sender = open_at("127.0.0.1", false, false);
	receiver = open_at("127.0.0.1", false, false);
	return udp_features(sender).gso ? 0 : -1;
}

static int tear_down(void **state) {
	(void)state;
	udp_close(sender);
	udp_close(receiver);
	return 0;
}

static void check_whole(size_t segment, size_t len) {
	size_t count = (len + segment - 1) / segment;

	receive(receiver, &inbox, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(inbox.datagrams[i].len, i + 1 < count ? segment : len - i * segment);
		assert_memory_equal(inbox.datagrams[i].bytes, payload + i * segment, inbox.datagrams[i].len);
	}
}

/* A device that computes no checksums: the burst at hand is not lost, and later ones do not try again. */
static void test_eio_turns_gso_off(void **state) {
	struct udp_burst burst = burst_to(udp_local(receiver), payload, 9100, 1000);

	(void)state;
	fault.segmented_errno = EIO;
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	check_whole(1000, 9100);
	assert_false(udp_features(sender).gso);
	fault.calls = 0;
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	assert_int_equal(fault.calls, 1);
	check_whole(1000, 9100);
}

static void test_einval_with_good_singles_turns_gso_off(void **state) {
	struct udp_burst burst = burst_to(udp_local(receiver), payload, 9100, 1000);

	(void)state;
	fault.segmented_errno = EINVAL;
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	check_whole(1000, 9100);
	assert_false(udp_features(sender).gso);
}

/* Segments above the MTU: their burst is lost but for its tail, GSO stays. */
static void test_oversize_segments_keep_gso(void **state) {
	struct udp_burst bursts[2];

	(void)state;
	fault.segmented_errno = EINVAL;
	fault.oversize_errno = EMSGSIZE;
	fault.oversize_bytes = 900;
	bursts[0] = burst_to(udp_local(receiver), payload, 9100, 1000);
	bursts[1] = burst_to(udp_local(receiver), payload, 500, 500);
	assert_int_equal(udp_send(sender, bursts, 2), 2);
	assert_true(udp_features(sender).gso);
	receive(receiver, &inbox, 2);
	assert_int_equal(inbox.datagrams[0].len, 100);
	assert_int_equal(inbox.datagrams[1].len, 500);
}

static void test_full_between_bursts(void **state) {
	static const int codes[] = {EAGAIN, ENOBUFS};
	struct udp_burst bursts[5];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		bursts[i] = burst_to(udp_local(receiver), payload + i * 2000, 2000, 1000);
	for (size_t i = 0; i < 2; i++) {
		fault.budget = 2;
		fault.full_errno = codes[i];
		assert_int_equal(udp_send(sender, bursts, 5), 2);
		assert_int_equal(udp_send(sender, bursts + 2, 3), 0);
		fault.budget = -1;
		assert_int_equal(udp_send(sender, bursts + 2, 3), 3);
		check_whole(1000, 10000);
	}
}

/* Without GSO a burst may be cut by a full buffer: the rest follows, nothing twice. */
static void test_full_within_burst(void **state) {
	struct udp_burst burst = burst_to(udp_local(receiver), payload, 9100, 1000);

	(void)state;
	fault.segmented_errno = EIO;
	fault.budget = 4;
	assert_int_equal(udp_send(sender, &burst, 1), 0);
	assert_int_equal(udp_send(sender, &burst, 1), 0);
	fault.budget = -1;
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	check_whole(1000, 9100);

	/* Another burst than the one that was cut is sent from its start, also when it is longer than what was gone. */
	fault.budget = 4;
	assert_int_equal(udp_send(sender, &burst, 1), 0);
	fault.budget = -1;
	receive(receiver, &inbox, 4);
	burst = burst_to(udp_local(receiver), payload + 1, 6000, 1000);
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	receive(receiver, &inbox, 6);
}

static void test_interrupted(void **state) {
	struct udp_burst burst = burst_to(udp_local(receiver), payload, 3000, 1000);

	(void)state;
	fault.interrupts = 3;
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	check_whole(1000, 3000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_eio_turns_gso_off),          TEST(test_einval_with_good_singles_turns_gso_off),
	    TEST(test_oversize_segments_keep_gso), TEST(test_full_between_bursts),
	    TEST(test_full_within_burst),          TEST(test_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
