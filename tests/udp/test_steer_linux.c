/* The kernel's program and base/steer.h agree on every first byte, and nobody else gets onto the address. */
#include "base/steer.h"
#include "tests/udp/pair.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SHARDS_MAX 5
#define SHORT 0x40
#define LONG 0xc0

static int refused_option = -1; /* of SOL_SOCKET */

/* The room's own calls come here: a kernel that lacks something. */
int setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
	if (level == SOL_SOCKET && name == refused_option) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

static struct udp_socket *sockets[SHARDS_MAX];
static struct udp_socket *sender;
static struct base_path to_relay;

static void open_all(const char *ip, size_t count, int expected) {
	const struct udp_options options = {.local = addr_of(ip, 0)};
	struct base_addr local;

	unit_assert_int(udp_open_steered(&options, count, sockets), expected, ip);
	local = udp_local(sockets[0]);
	for (int i = 1; i < expected; i++)
		assert_true(base_addr_equal(&(struct base_addr[]){udp_local(sockets[i])}[0], &local));
	sender = open_at(ip[0] == ':' ? "::1" : "127.0.0.1", true, false);
	to_relay.remote = addr_of(ip[0] == ':' ? "::1" : "127.0.0.1", local.port);
}

static void close_all(int count) {
	for (int i = 0; i < count; i++)
		udp_close(sockets[i]);
	udp_close(sender);
}

static void send_one(const uint8_t *bytes, size_t len) {
	const struct udp_burst burst = {.path = to_relay, .segment = len, .bytes = slice_of(bytes, len)};

	assert_int_equal(udp_send(sender, &burst, 1), 1);
}

/* Loopback delivers inside of the send. */
static int arrived_at(int count) {
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];
	int found = -1;

	for (int i = 0; i < count; i++) {
		int got = udp_recv(sockets[i], chunks);

		assert_true(got == 0 || (got == 1 && found < 0));
		if (got == 1)
			found = i;
	}
	return found;
}

static void check_all_bytes(int count) {
	uint8_t packet[40] = {0};

	for (unsigned byte = 0; byte < 256; byte++) {
		int expected = (int)base_steer_shard((uint8_t)byte, (unsigned)count);

		memset(packet, (uint8_t)~byte, sizeof(packet));
		packet[0] = SHORT;
		packet[1] = (uint8_t)byte;
		assert_int_equal(base_steer_datagram(packet, sizeof(packet), (unsigned)count), expected);
		send_one(packet, sizeof(packet));
		unit_assert_int(arrived_at(count), expected, "short header");
		packet[1] = (uint8_t)~byte;
		packet[0] = LONG;
		packet[6] = (uint8_t)byte;
		assert_int_equal(base_steer_datagram(packet, sizeof(packet), (unsigned)count), expected);
		send_one(packet, sizeof(packet));
		unit_assert_int(arrived_at(count), expected, "long header");
	}
}

static void test_every_byte(void **state) {
	static const char *const ips[] = {"127.0.0.1", "::"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (int count = 2; count <= SHARDS_MAX; count++) {
			open_all(ips[i], (size_t)count, count);
			check_all_bytes(count);
			close_all(count);
		}
	}
}

/* What has no connection ID goes to the first. */
static void test_short_packets(void **state) {
	uint8_t packet[6] = {LONG, 0xff, 0xff, 0xff, 0xff, 0xff};

	(void)state;
	open_all("127.0.0.1", 2, 2);
	for (size_t len = 1; len <= sizeof(packet); len++) {
		send_one(packet, len);
		assert_int_equal(arrived_at(2), 0);
		assert_int_equal(base_steer_datagram(packet, len, 2), 0);
	}
	packet[0] = SHORT;
	send_one(packet, 1);
	assert_int_equal(arrived_at(2), 0);
	close_all(2);
}

static void test_address_is_taken(void **state) {
	struct udp_options options = {0};
	struct udp_socket *others[2] = {NULL, NULL};

	(void)state;
	open_all("127.0.0.1", 2, 2);
	options.local = udp_local(sockets[0]);
	assert_int_equal(udp_open_steered(&options, 2, others), BASE_E_EXISTS);
	assert_int_equal(udp_open(&options, &others[0]), BASE_E_EXISTS);
	assert_null(others[0]);
	udp_close(sockets[0]);
	/* One that is left is enough. */
	assert_int_equal(udp_open_steered(&options, 2, others), BASE_E_EXISTS);
	sockets[0] = sockets[1];
	close_all(1);
	assert_int_equal(udp_open_steered(&options, 2, others), 2);
	udp_close(others[0]);
	udp_close(others[1]);
}

/* Without steering there is one socket, and the address is its own. */
static void test_kernel_refuses(void **state) {
	static const int names[] = {SO_REUSEPORT, SO_ATTACH_REUSEPORT_CBPF};
	uint8_t packet[40] = {SHORT};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct udp_options options = {0};
		struct udp_socket *other;

		refused_option = names[i];
		open_all("127.0.0.1", 3, 1);
		refused_option = -1;
		for (unsigned byte = 0; byte < 256; byte++) {
			packet[1] = (uint8_t)byte;
			send_one(packet, sizeof(packet));
			assert_int_equal(arrived_at(1), 0);
		}
		options.local = udp_local(sockets[0]);
		options.reuse_port = true;
		assert_int_equal(udp_open(&options, &other), BASE_E_EXISTS);
		close_all(1);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_byte),
	    cmocka_unit_test(test_short_packets),
	    cmocka_unit_test(test_address_is_taken),
	    cmocka_unit_test(test_kernel_refuses),
	};

	return cmocka_run_group_tests_name("udp/steer", tests, NULL, NULL);
}
