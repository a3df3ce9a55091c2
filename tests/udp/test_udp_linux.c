/* What the Linux socket does beyond test_udp.c. */
#include "tests/udp/pair.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct inbox inbox;
static uint8_t payload[64 * 1200];

/* A host with several addresses answers from the one that was asked. */
static void test_local_address_in_path(void **state) {
	static const char *const servers[] = {"0.0.0.0", "::"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct udp_socket *server = open_at(servers[i], false, true);
		struct udp_socket *client = open_at("127.0.0.1", false, false);
		struct base_addr target = addr_of("127.0.0.2", udp_local(server).port);
		struct udp_burst burst = burst_to(target, payload, 3000, 1200);

		assert_int_equal(udp_send(client, &burst, 1), 1);
		receive(server, &inbox, 3);
		assert_true(base_addr_equal(&inbox.datagrams[0].path.local, &target));
		burst.path = inbox.datagrams[0].path;
		burst.ecn = 2;
		assert_int_equal(udp_send(server, &burst, 1), 1);
		receive(client, &inbox, 3);
		assert_true(base_addr_equal(&inbox.datagrams[2].path.remote, &target));
		assert_int_equal(inbox.datagrams[2].ecn, 2);
		udp_close(server);
		udp_close(client);
	}
}

static void test_ecn(void **state) {
	static const char *const ips[] = {"127.0.0.1", "::1"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct udp_socket *sender = open_at("::", false, false);
		struct udp_socket *receiver = open_at("::", false, false);
		struct base_addr target = addr_of(ips[i], udp_local(receiver).port);
		struct udp_burst bursts[4];

		for (uint8_t ecn = 0; ecn < 4; ecn++) {
			bursts[ecn] = burst_to(target, payload, 2400, 1200);
			bursts[ecn].ecn = ecn;
		}
		assert_int_equal(udp_send(sender, bursts, 4), 4);
		receive(receiver, &inbox, 8);
		for (size_t j = 0; j < 8; j++)
			unit_assert_int(inbox.datagrams[j].ecn, j / 2, ips[i]);
		udp_close(sender);
		udp_close(receiver);
	}
}

/* Datagrams that do not fit a slot are dropped whole, empty ones are no chunks. */
static void test_truncated_and_empty(void **state) {
	struct udp_socket *receiver = open_at("127.0.0.1", true, false);
	struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(udp_local(receiver).port)};
	static const size_t lens[] = {10000, 0, 9216, 1};
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];
	int plain = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_true(plain >= 0);
	target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(sendto(plain, payload, lens[i], 0, (struct sockaddr *)&target, sizeof(target)), lens[i]);
	assert_true(system_wait(udp_fd(receiver), 1000));
	assert_int_equal(udp_recv(receiver, chunks), 2);
	assert_int_equal(chunks[0].bytes.len, 9216);
	assert_int_equal(chunks[1].bytes.len, 1);
	close(plain);
	udp_close(receiver);
}

#define LONG_DATAGRAMS 50 /* of 1200 bytes: of chunks that long two are a call's share */

static void send_long_chunks(struct udp_socket *sender, struct udp_socket *receiver, int count) {
	const struct udp_burst burst = burst_to(udp_local(receiver), payload, (size_t)LONG_DATAGRAMS * 1200, 1200);

	for (int i = 0; i < count; i++)
		assert_int_equal(udp_send(sender, &burst, 1), 1);
}

/* A call brings fewer chunks where they are long, and many again where they are short; all of them arrive. */
static void test_calls_are_bounded_in_bytes(void **state) {
	struct udp_socket *sender = open_at("127.0.0.1", false, false);
	struct udp_socket *receiver = open_at("127.0.0.1", false, false);
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];

	(void)state;
	if (udp_features(sender).gso && udp_features(receiver).gro) {
		send_long_chunks(sender, receiver, 10);
		assert_int_equal(udp_recv(receiver, chunks), 10); /* what they are like is not known before */
		send_long_chunks(sender, receiver, 5);
		assert_int_equal(udp_recv(receiver, chunks), UDP_RX_BYTES / (LONG_DATAGRAMS * 1200));
		for (size_t i = 0; i < 64; i++) {
			const struct udp_burst burst = burst_to(udp_local(receiver), (const uint8_t *)"short", 5, 5);

			assert_int_equal(udp_send(sender, &burst, 1), 1);
		}
		assert_int_equal(udp_recv(receiver, chunks), 2);
		assert_int_equal(udp_recv(receiver, chunks), 2); /* one long, one short */
		assert_int_equal(chunks[1].bytes.len, 5);
		assert_int_equal(udp_recv(receiver, chunks), 4);
		assert_int_equal(udp_recv(receiver, chunks), UDP_RX_CHUNKS_MAX);
		receive(receiver, &inbox, 64 - 1 - 4 - UDP_RX_CHUNKS_MAX);
	}
	udp_close(sender);
	udp_close(receiver);
}

/* Not in test_udp.c because Wine lets a socket have such an address. */
static void test_address_is_not_ours(void **state) {
	static const char *const ips[] = {"192.0.2.1", "fe80::1"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct udp_options options = {.local = addr_of(ips[i], 0)};
		struct udp_socket *opened = NULL;

		unit_assert_int(udp_open(&options, &opened), BASE_E_INVALID, ips[i]);
		assert_null(opened);
	}
}

static void test_reuse_port(void **state) {
	struct udp_options options = {.local = addr_of("127.0.0.1", 0), .reuse_port = true};
	struct udp_socket *first, *second;

	(void)state;
	assert_int_equal(udp_open(&options, &first), 0);
	options.local = udp_local(first);
	assert_int_equal(udp_open(&options, &second), 0);
	udp_close(first);
	udp_close(second);
}

static int get_int(const struct udp_socket *of, int level, int name) {
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(udp_fd(of), level, name, &value, &len), 0);
	return value;
}

static void test_options(void **state) {
	struct udp_socket *dual = open_at("::", false, false), *v4 = open_at("127.0.0.1", false, false);

	(void)state;
	assert_int_equal(get_int(dual, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_PROBE);
	assert_int_equal(get_int(dual, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_PROBE);
	assert_int_equal(get_int(v4, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_PROBE);
	assert_true(get_int(v4, SOL_SOCKET, SO_RCVBUF) >= 200000);
	udp_close(dual);
	udp_close(v4);
}

/* Whoever may not force it gets what net.core.rmem_max allows. */
static int open_unprivileged(size_t wanted) {
	const struct udp_options options = {.local = addr_of("127.0.0.1", 0), .buffer_bytes = wanted};
	struct udp_socket *opened;
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		if (unshare(CLONE_NEWUSER) != 0 || udp_open(&options, &opened) != 0)
			_exit(2);
		_exit(udp_features(opened).small_buffer ? 1 : 0);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_small_buffer(void **state) {
	(void)state;
	if (open_unprivileged(4096) == 2) {
		skip();
		return;
	}
	assert_int_equal(open_unprivileged(4096), 0);
	assert_int_equal(open_unprivileged((size_t)1 << 30), 1);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_local_address_in_path),
	    cmocka_unit_test(test_ecn),
	    cmocka_unit_test(test_truncated_and_empty),
	    cmocka_unit_test(test_calls_are_bounded_in_bytes),
	    cmocka_unit_test(test_address_is_not_ours),
	    cmocka_unit_test(test_reuse_port),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_small_buffer),
	};

	fill_payload(payload, sizeof(payload), 1200);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
