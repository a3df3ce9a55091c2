#include "tests/udp/pair.h"

static struct inbox inbox;
static uint8_t payload[64 * 1200];

struct family_case {
	const char *server, *client, *target;
};

/* The last two reach a dual-stack server, which must see plain IPv4. */
static const struct family_case families[] = {
    {"127.0.0.1", "127.0.0.1", "127.0.0.1"}, {"::1", "::1", "::1"}, {"::", "::", "::1"}, {"::", "::", "127.0.0.1"},
    {"::", "127.0.0.1", "127.0.0.1"},
};

static void test_families(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct udp_socket *server = open_at(families[i].server, false, true);
		struct udp_socket *client = open_at(families[i].client, false, false);
		struct base_addr target = addr_of(families[i].target, udp_local(server).port);
		struct udp_burst burst = burst_to(target, payload, 100, 100);

		assert_int_equal(udp_send(client, &burst, 1), 1);
		receive(server, &inbox, 1);
		assert_memory_equal(inbox.datagrams[0].bytes, payload, 100);
		unit_assert_true(base_addr_equal(&inbox.datagrams[0].path.local, &target), families[i].target);
		unit_assert_int(inbox.datagrams[0].path.remote.port, udp_local(client).port, families[i].target);
		unit_assert_int(inbox.datagrams[0].path.remote.family, target.family, families[i].target);

		/* The answer goes back along the path it came. */
		burst.path = inbox.datagrams[0].path;
		assert_int_equal(udp_send(server, &burst, 1), 1);
		receive(client, &inbox, 1);
		assert_true(base_addr_equal(&inbox.datagrams[0].path.remote, &target));
		udp_close(server);
		udp_close(client);
	}
	udp_close(NULL);
}

static void check_datagrams(const struct inbox *in, size_t len, size_t segment) {
	for (size_t i = 0; i < in->count; i++) {
		size_t expected = len - i * segment < segment ? len - i * segment : segment;

		assert_int_equal(in->datagrams[i].len, expected);
		assert_memory_equal(in->datagrams[i].bytes, payload + i * segment, expected);
	}
}

struct offload_case {
	bool sender_off, receiver_off;
	const char *ip;
};

static const struct offload_case offloads[] = {
    {false, false, "127.0.0.1"}, {true, false, "127.0.0.1"}, {false, true, "127.0.0.1"},
    {true, true, "127.0.0.1"},   {false, false, "::1"},      {false, true, "::1"},
};

/* Twenty full datagrams and a short tail arrive as they were, whoever cuts and whoever glues. */
static void test_bursts(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++) {
		struct udp_socket *sender = open_at(offloads[i].ip, offloads[i].sender_off, false);
		struct udp_socket *receiver = open_at(offloads[i].ip, offloads[i].receiver_off, false);
		struct udp_burst burst = burst_to(udp_local(receiver), payload, 20 * 1200 + 77, 1200);

		if (offloads[i].sender_off)
			assert_false(udp_features(sender).gso || udp_features(sender).gro);
		assert_int_equal(udp_send(sender, &burst, 1), 1);
		receive(receiver, &inbox, 21);
		check_datagrams(&inbox, burst.bytes.len, 1200);
		if (udp_features(sender).gso && udp_features(receiver).gro)
			assert_true(inbox.chunks < 21);
		if (offloads[i].receiver_off)
			assert_int_equal(inbox.chunks, 21);
		udp_close(sender);
		udp_close(receiver);
	}
}

static void test_many_bursts(void **state) {
	struct udp_socket *sender = open_at("127.0.0.1", false, false);
	struct udp_socket *receiver = open_at("127.0.0.1", false, false);
	struct udp_burst bursts[100];

	(void)state;
	/* Alternately one and two datagrams, more than one system call takes. */
	for (size_t i = 0; i < 100; i++)
		bursts[i] = burst_to(udp_local(receiver), payload + i * 10, i % 2 == 0 ? 100 : 200, 100);
	assert_int_equal(udp_send(sender, bursts, 100), 100);
	receive(receiver, &inbox, 150);
	for (size_t i = 0, n = 0; i < 100; i++) {
		assert_memory_equal(inbox.datagrams[n++].bytes, payload + i * 10, 100);
		if (i % 2 == 1)
			assert_memory_equal(inbox.datagrams[n++].bytes, payload + i * 10 + 100, 100);
	}
	assert_int_equal(udp_send(sender, bursts, 0), 0);
	udp_close(sender);
	udp_close(receiver);
}

/* What the network refuses is gone, and what follows it goes on. */
static void test_refused_counts_as_taken(void **state) {
	struct udp_socket *sender = open_at("127.0.0.1", false, false);
	struct udp_socket *receiver = open_at("127.0.0.1", false, false);
	struct udp_burst bursts[4];

	(void)state;
	bursts[0] = burst_to(addr_of("192.0.2.1", 9), payload, 100, 100);       /* not from a loopback address */
	bursts[1] = burst_to(addr_of("::1", 9), payload, 100, 100);             /* not on this socket */
	bursts[2] = burst_to(addr_of("255.255.255.255", 9), payload, 300, 100); /* broadcast is not allowed */
	bursts[3] = burst_to(udp_local(receiver), payload, 100, 100);
	assert_int_equal(udp_send(sender, bursts, 4), 4);
	receive(receiver, &inbox, 1);
	udp_close(sender);
	udp_close(receiver);
}

static void test_nothing_there(void **state) {
	struct udp_socket *receiver = open_at("127.0.0.1", false, false);
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];

	(void)state;
	assert_int_equal(udp_recv(receiver, chunks), 0);
	udp_close(receiver);
}

/* Datagrams that do not fit a slot are dropped whole, and hold up nothing. */
static void test_too_long(void **state) {
	static const size_t lens[] = {10000, 9216, 1};
	struct udp_socket *receiver = open_at("127.0.0.1", true, false), *sender = open_at("127.0.0.1", true, false);
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct udp_burst burst = burst_to(udp_local(receiver), payload, lens[i], lens[i]);

		assert_int_equal(udp_send(sender, &burst, 1), 1);
	}
	assert_true(system_wait(udp_fd(receiver), 1000));
	assert_int_equal(udp_recv(receiver, chunks), 2);
	assert_int_equal(chunks[0].bytes.len, 9216);
	assert_int_equal(chunks[1].bytes.len, 1);
	udp_close(sender);
	udp_close(receiver);
}

/* Ready for as long as there is something, whatever a batch holds; then not any more. */
static void test_ready_while_there_is_more(void **state) {
	struct udp_socket *receiver = open_at("127.0.0.1", true, false), *sender = open_at("127.0.0.1", true, false);
	struct udp_burst burst = burst_to(udp_local(receiver), payload, 40 * 100, 100);
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];

	(void)state;
	assert_false(system_wait(udp_fd(receiver), 0));
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	assert_true(system_wait(udp_fd(receiver), 1000));
	assert_int_equal(udp_recv(receiver, chunks), UDP_RX_CHUNKS_MAX);
	assert_true(system_wait(udp_fd(receiver), 0));
	assert_int_equal(udp_recv(receiver, chunks), 40 - UDP_RX_CHUNKS_MAX);
	udp_recv(receiver, chunks); /* Windows may announce the last of a batch once more */
	assert_false(system_wait(udp_fd(receiver), 0));
	assert_int_equal(udp_send(sender, &burst, 1), 1);
	assert_true(system_wait(udp_fd(receiver), 1000));
	udp_close(sender);
	udp_close(receiver);
}

/* Nobody listens, and the network says so: nothing breaks, and what comes later is heard. */
static void test_unreachable_is_ignored(void **state) {
	struct udp_socket *closed = open_at("127.0.0.1", true, false), *client = open_at("127.0.0.1", true, false);
	struct udp_burst burst = burst_to(udp_local(closed), payload, 100, 100);
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];

	(void)state;
	udp_close(closed);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(udp_send(client, &burst, 1), 1);
		system_wait(udp_fd(client), 20);
		assert_int_equal(udp_recv(client, chunks), 0);
	}
	burst.path.remote = udp_local(client);
	assert_int_equal(udp_send(client, &burst, 1), 1);
	receive(client, &inbox, 1);
	udp_close(client);
}

/* A host with several addresses knows which one was asked. */
static void test_local_address_is_told(void **state) {
	static const char *const servers[] = {"0.0.0.0", "::"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct udp_socket *server = open_at(servers[i], false, true), *client = open_at("127.0.0.1", false, false);
		struct base_addr target = addr_of("127.0.0.2", udp_local(server).port);
		struct udp_burst burst = burst_to(target, payload, 100, 100);

		assert_int_equal(udp_send(client, &burst, 1), 1);
		receive(server, &inbox, 1);
		unit_assert_true(base_addr_equal(&inbox.datagrams[0].path.local, &target), servers[i]);
		udp_close(server);
		udp_close(client);
	}
}

static void test_port_is_taken(void **state) {
	struct udp_socket *first = open_at("127.0.0.1", false, false), *second = NULL;
	const struct udp_options options = {.local = udp_local(first)};

	(void)state;
	assert_int_equal(udp_open(&options, &second), BASE_E_EXISTS);
	assert_null(second);
	udp_close(first);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_families),
	    cmocka_unit_test(test_bursts),
	    cmocka_unit_test(test_many_bursts),
	    cmocka_unit_test(test_refused_counts_as_taken),
	    cmocka_unit_test(test_nothing_there),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_ready_while_there_is_more),
	    cmocka_unit_test(test_unreachable_is_ignored),
	    cmocka_unit_test(test_local_address_is_told),
	    cmocka_unit_test(test_port_is_taken),
	};

	fill_payload(payload, sizeof(payload), 1200);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
