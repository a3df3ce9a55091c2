/* The real port on a veth pair in a network namespace of this test's own: what the kernel leaves undone is finished,
 * what it took out is put back, what we send is not heard again (GTW-2, GTW-10). */
#include "gateway/lan_port.h"
#include "offload/merger.h"

#include "base/error.h"
#include "policy/policy.h"
#include "tests/policy/frames.h"
#include "tests/private_net.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#define FRAMES_MAX 64

struct fixture {
	struct gateway_lan_port *port;
	struct obs_counters counters;
	int wire; /* a packet socket at the other end of the cable, with virtio-net headers */
	unsigned seen;
	struct test_frame frames[FRAMES_MAX];
};

static void take(void *user, struct slice frame, uint64_t now) {
	struct fixture *fixture = user;
	(void)now;
	assert_true(fixture->seen < FRAMES_MAX && frame.len <= FRAME_TEST_BYTES_MAX);
	/* The kernel's own chatter on a fresh interface (IPv6 is off, but be sure). */
	if (frame.len < 14 || base_get_u16(frame.data + 12) == 0x86dd)
		return;
	memcpy(fixture->frames[fixture->seen].bytes, frame.data, frame.len);
	fixture->frames[fixture->seen++].len = frame.len;
}

static int wire_open(const char *name) {
	const int on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, htons(ETH_P_ALL));
	const struct sockaddr_ll address = {
	    .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
	return fd;
}

static void setup(struct fixture *fixture) {
	struct gateway_packet_socket socket;
	char error[GATEWAY_PORT_ERROR_BYTES];
	memset(fixture, 0, sizeof(*fixture));
	private_net_run("ip link add lan0 type veth peer name sw0 && ip link set lan0 up && ip link set sw0 up");
	if (gateway_packet_socket_open("lan0", &socket, error) < 0)
		fail_msg("%s", error);
	assert_true(socket.vnet_header);
	fixture->port = gateway_lan_port_new(
	    &(struct gateway_lan_port_options){.deliver = take, .user = fixture, .counters = &fixture->counters});
	gateway_lan_port_attach(fixture->port, &socket);
	fixture->wire = wire_open("sw0");
}

static void teardown(struct fixture *fixture) {
	gateway_lan_port_free(fixture->port);
	(void)close(fixture->wire);
	private_net_run("ip link del lan0");
}

static void arrive(struct fixture *fixture, const char *text) {
	struct test_frame frame;
	test_frame_build(&frame, text);
	assert_int_equal(send(fixture->wire, frame.bytes, frame.len, 0), frame.len);
}

#define FINISHED "00 00 0000 0000 0000 0000"
#define OTHERS "00aabbccddee" /* not our address: promiscuous */

static void test_captures_what_is_for_others(void **state) {
	struct fixture *fixture = *state;
	struct test_frame wanted;
	arrive(fixture, FINISHED OTHERS HOST "0800 " IP4("0000", "11") UDP("1000", "1000"));
	assert_int_equal(gateway_lan_port_read(fixture->port, 1), 0);
	test_frame_build(&wanted, OTHERS HOST "0800 " IP4("0000", "11") UDP("1000", "1000"));
	assert_int_equal(fixture->seen, 1);
	assert_int_equal(fixture->frames[0].len, wanted.len);
	assert_memory_equal(fixture->frames[0].bytes, wanted.bytes, wanted.len);
}

static void test_puts_vlan_tags_back(void **state) {
	struct fixture *fixture = *state;
	static const char *const frames[] = {
	    OTHERS HOST "8100 a005 0800 " IP4("0000", "11") UDP("1000", "1000"),
	    OTHERS HOST "8100 a000 0800 " IP4("0000", "11") UDP("1000", "1000"),
	    OTHERS HOST "88a8 0007 8100 a005 0800 " IP4("0000", "11") UDP("1000", "1000"),
	};
	for (unsigned i = 0; i < 3; i++) {
		struct test_frame wanted;
		char text[512];
		(void)snprintf(text, sizeof(text), "%s%s", FINISHED, frames[i]);
		arrive(fixture, text);
		assert_int_equal(gateway_lan_port_read(fixture->port, 1), 0);
		test_frame_build(&wanted, frames[i]);
		unit_assert_int(fixture->seen, i + 1, frames[i]);
		unit_assert_int(fixture->frames[i].len, wanted.len, frames[i]);
		assert_memory_equal(fixture->frames[i].bytes, wanted.bytes, wanted.len);
	}
}

/* The sum over pseudo header and segment of a correct TCP/IPv4 frame. */
static uint16_t tcp_sum(const struct test_frame *frame, size_t l3) {
	const uint8_t *ip = frame->bytes + l3;
	size_t header = (size_t)(ip[0] & 15) * 4, total = base_get_u16(ip + 2);
	uint8_t pseudo[4] = {0, 6, (uint8_t)((total - header) >> 8), (uint8_t)(total - header)};
	uint16_t sum = offload_checksum_add(0, slice_of(ip + 12, 8));
	sum = offload_checksum_add(sum, slice_of(pseudo, 4));
	return offload_checksum_add(sum, slice_of(ip + header, total - header));
}

/* A super-frame as a LAN host's kernel hands it to its virtual cable: the TCP checksum holds the pseudo header's only.
 */
static void test_cuts_super_frames(void **state) {
	struct fixture *fixture = *state;
	for (int tagged = 0; tagged < 2; tagged++) {
		fixture->seen = 0;
		arrive(fixture,
		       tagged != 0 ? "01 01 3a00 e803 2600 1000" OTHERS HOST
		                     "8100 0005 0800 " IP4("4000", "06") "1000 1000 00000001 00000002 5010 ffff 8b62 0000 z09c4"
		                   : "01 01 3600 e803 2200 1000" OTHERS HOST
		                     "0800 " IP4("4000", "06") "1000 1000 00000001 00000002 5010 ffff 8b62 0000 z09c4");
		assert_int_equal(gateway_lan_port_read(fixture->port, 1), 0);
		assert_int_equal(fixture->seen, 3);
		static const size_t payload[] = {1000, 1000, 500};
		for (unsigned i = 0; i < 3; i++) {
			const size_t l3 = tagged != 0 ? 18 : 14;
			unit_assert_int(fixture->frames[i].len, l3 + 40 + payload[i], "segment");
			unit_assert_int(base_get_u32(fixture->frames[i].bytes + l3 + 24), 1 + 1000 * i, "sequence number");
			unit_assert_int(offload_checksum_add(0, slice_of(fixture->frames[i].bytes + l3, 20)), 0xffff,
			                "IP checksum");
			unit_assert_int(tcp_sum(&fixture->frames[i], l3), 0xffff, "TCP checksum");
		}
	}
}

static void test_writes_and_does_not_hear_itself(void **state) {
	struct fixture *fixture = *state;
	struct test_frame frame;
	uint8_t got[256];
	test_frame_build(&frame, BROADCAST ME "0800 " IP4("0000", "11") UDP("1000", "1000"));
	gateway_lan_port_write(fixture->port, slice_of(frame.bytes, frame.len));
	gateway_lan_port_flush(fixture->port);
	ssize_t len = recv(fixture->wire, got, sizeof(got), 0);
	assert_int_equal(len, OFFLOAD_VNET_HEADER_BYTES + frame.len);
	assert_memory_equal(got + OFFLOAD_VNET_HEADER_BYTES, frame.bytes, frame.len);
	assert_int_equal(gateway_lan_port_read(fixture->port, 1), 0);
	assert_int_equal(fixture->seen, 0);
	assert_int_equal(fixture->counters.value[OBS_DEVICE_TX_FRAMES], 1);
}

static void test_does_not_hear_the_host(void **state) {
	struct fixture *fixture = *state;
	int host = wire_open("lan0"); /* as the machine's own stack would send */
	struct test_frame frame;
	test_frame_build(&frame, FINISHED BROADCAST ME "0800 " IP4("0000", "11") UDP("1000", "1000"));
	assert_int_equal(send(host, frame.bytes, frame.len, 0), frame.len);
	assert_int_equal(gateway_lan_port_read(fixture->port, 1), 0);
	assert_int_equal(fixture->seen, 0);
	(void)close(host);
}

/* One batch: 's' is a frame that fits into an MTU of 600, 'b' one that does not. */
static void write_sizes(struct fixture *fixture, const char *sizes) {
	struct test_frame small, big;
	test_frame_build(&small, BROADCAST ME "88b5 z0010");
	test_frame_build(&big, BROADCAST ME "88b5 z0400");
	for (; *sizes != '\0'; sizes++) {
		const struct test_frame *frame = *sizes == 's' ? &small : &big;
		gateway_lan_port_write(fixture->port, slice_of(frame->bytes, frame->len));
	}
	gateway_lan_port_flush(fixture->port);
}

/* One frame over the port's MTU must not take the others of its batch along. */
static void test_a_refused_frame_is_alone(void **state) {
	struct fixture *fixture = *state;
	private_net_run("ip link set lan0 mtu 600");
	write_sizes(fixture, "sbs");
	assert_int_equal(fixture->counters.value[OBS_DEVICE_TX_FRAMES], 2);
	assert_int_equal(fixture->counters.drop[OBS_DROP_DEVICE_FULL], 1);
}

/* The other end of a veth pair drops what it does not take, and the kernel says so with the code of a full queue. */
static void test_a_frame_refused_further_on_is_alone(void **state) {
	struct fixture *fixture = *state;
	private_net_run("ip link set sw0 mtu 600");
	write_sizes(fixture, "bsbs");
	assert_int_equal(fixture->counters.value[OBS_DEVICE_TX_FRAMES], 2);
	assert_int_equal(fixture->counters.drop[OBS_DROP_DEVICE_FULL], 2);
}

/* Segments of a TCP flow as a remote client sends them, with right checksums. */
static void write_segments(struct fixture *fixture, unsigned count) {
	for (unsigned i = 0; i < count; i++) {
		struct test_frame frame;
		uint8_t *l3, *l4;
		test_frame_build(&frame, BROADCAST ME
		                 "0800 " IP4("4000", "06") "1000 1000 00000001 00000002 5010 ffff 0000 0000 z0200");
		l3 = frame.bytes + 14;
		l4 = l3 + 20;
		base_put_u16(l3 + 4, (uint16_t)(7 + i));
		base_put_u16(l3 + 10, 0);
		base_put_u16(l3 + 10, (uint16_t)~offload_checksum_add(0, slice_of(l3, 20)));
		base_put_u32(l4 + 4, 1 + 512 * i);
		base_put_u16(l4 + 16, (uint16_t)~tcp_sum(&frame, 14));
		gateway_lan_port_write(fixture->port, slice_of(frame.bytes, frame.len));
	}
	gateway_lan_port_flush(fixture->port);
}

static void test_writes_super_frames(void **state) {
	struct fixture *fixture = *state;
	uint8_t got[4096];
	struct offload_vnet vnet;
	assert_int_equal(gateway_lan_port_merges(fixture->port), 0); /* until what fits is known */
	gateway_lan_port_set_mtu(fixture->port, gateway_port_mtu(GATEWAY_SYSFS, "lan0"));
	assert_int_equal(gateway_lan_port_merges(fixture->port), OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP);
	write_segments(fixture, 5);
	assert_int_equal(recv(fixture->wire, got, sizeof(got), 0), OFFLOAD_VNET_HEADER_BYTES + 54 + 5 * 512);
	assert_int_equal(offload_vnet_decode(slice_of(got, sizeof(got)), &vnet), 0);
	assert_int_equal(vnet.gso, OFFLOAD_GSO_TCP4);
	assert_int_equal(vnet.gso_size, 512);
	assert_int_equal(recv(fixture->wire, got, sizeof(got), MSG_DONTWAIT), -1);
	assert_int_equal(fixture->counters.value[OBS_DEVICE_TX_FRAMES], 5);
	assert_int_equal(fixture->counters.value[OBS_DEVICE_TX_BYTES], 5 * (54 + 512));
}

/* The kernel looks at the length of single frames only: a super-frame must not carry what does not fit. */
static void test_merging_keeps_to_the_mtu(void **state) {
	struct fixture *fixture = *state;
	private_net_run("ip link set lan0 mtu 300");
	gateway_lan_port_set_mtu(fixture->port, gateway_port_mtu(GATEWAY_SYSFS, "lan0"));
	write_segments(fixture, 5);
	assert_int_equal(fixture->counters.value[OBS_DEVICE_TX_FRAMES], 0);
	assert_int_equal(fixture->counters.drop[OBS_DROP_DEVICE_FULL], 5);
}

/* What does not fit the kernel's buffer is lost before it is read, and counted once. */
static void test_counts_overruns(void **state) {
	struct fixture *fixture = *state;
	const int small = 4096;
	const unsigned sent = 40;
	uint64_t lost;
	assert_int_equal(setsockopt(gateway_lan_port_fd(fixture->port), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	assert_int_equal(gateway_lan_port_overruns(fixture->port), 0);
	for (unsigned i = 0; i < sent; i++)
		arrive(fixture, FINISHED OTHERS HOST "88b5 z0400");
	assert_int_equal(gateway_lan_port_read(fixture->port, 1), 0);
	lost = gateway_lan_port_overruns(fixture->port);
	assert_in_range(lost, 1, sent - 1);
	assert_int_equal(fixture->seen + lost, sent);
	assert_int_equal(fixture->counters.drop[OBS_DROP_DEVICE_OVERRUN], lost);
	assert_int_equal(fixture->counters.value[OBS_DEVICE_RX_FRAMES], lost); /* the others are the bridge's to count */
	assert_int_equal(gateway_lan_port_overruns(fixture->port), 0);
	for (unsigned i = 0; i < sent; i++)
		arrive(fixture, FINISHED OTHERS HOST "88b5 z0400");
	gateway_lan_port_detach(fixture->port);
	assert_true(fixture->counters.drop[OBS_DROP_DEVICE_OVERRUN] > lost);
}

/* A port that nobody reads, since the tunnel's socket is behind, must not keep the loop awake. */
static void test_trouble_is_taken_without_reading(void **state) {
	struct fixture *fixture = *state;
	struct pollfd paused = {.fd = gateway_lan_port_fd(fixture->port)};
	assert_int_equal(poll(&paused, 1, 0), 0);
	private_net_run("ip link set lan0 down");
	assert_int_equal(poll(&paused, 1, 0), 1);
	assert_int_equal(paused.revents, POLLERR);
	gateway_lan_port_take_trouble(fixture->port);
	assert_int_equal(poll(&paused, 1, 0), 0);
}

/* An interface that goes and comes back between two looks at it may be the same by name and index. */
static void test_notices_a_new_interface_of_the_same_index(void **state) {
	struct fixture *fixture = *state;
	char command[128];
	const unsigned index = if_nametoindex("lan0");
	assert_int_equal(gateway_lan_port_ifindex(fixture->port), index);
	(void)snprintf(command, sizeof(command), "ip link del lan0 && ip link add lan0 index %u type veth peer name sw0",
	               index);
	private_net_run(command);
	assert_int_equal(gateway_port_ifindex(GATEWAY_SYSFS, "lan0"), index);
	assert_int_not_equal(gateway_lan_port_ifindex(fixture->port), index);
}

#define OWN_MAX 16

struct own {
	struct slice found[OWN_MAX];
	uint8_t bytes[OWN_MAX][16];
	size_t count;
};

static void note_own(void *user, struct slice address) {
	struct own *own = user;
	assert_true(own->count < OWN_MAX && address.len <= 16);
	memcpy(own->bytes[own->count], address.data, address.len);
	own->found[own->count] = slice_of(own->bytes[own->count], address.len);
	own->count++;
}

static bool is_own(const char *hex) {
	struct own own = {.count = 0};
	struct test_frame wanted;
	bool found = false;
	test_frame_build(&wanted, hex);
	gateway_port_own_addresses(GATEWAY_SYSFS, "lan0", note_own, &own);
	for (size_t i = 0; i < own.count; i++)
		found = found || slice_equal(own.found[i], slice_of(wanted.bytes, wanted.len));
	return found;
}

/* The machine is a station of the LAN with what it has on the port, on a bridge upon it and upon that, but not
 * elsewhere. */
static void test_own_addresses(void **state) {
	(void)state;
	private_net_run("ip link set lan0 address 02:00:00:00:00:31 && ip addr add 192.168.7.1/24 dev lan0"
	                " && ip addr add 192.168.7.2/24 dev lan0 label lan0:two"
	                " && sysctl -q -w net.ipv6.conf.lan0.disable_ipv6=0 && ip addr add fd00::7/64 dev lan0 nodad"
	                " && ip link add br0 address 02:00:00:00:00:32 type bridge && ip addr add 192.168.7.3/24 dev br0"
	                " && ip addr add 192.168.8.1/24 dev sw0");
	assert_true(is_own("020000000031"));
	assert_true(is_own("c0a80701"));
	assert_true(is_own("c0a80702"));
	assert_true(is_own("fd000000000000000000000000000007"));
	assert_false(is_own("c0a80801"));
	assert_false(is_own("c0a80703"));
	assert_false(is_own("020000000032"));
	private_net_run("ip link set lan0 master br0");
	assert_true(is_own("c0a80701"));
	assert_true(is_own("c0a80703"));
	assert_true(is_own("020000000032"));
	assert_false(is_own("c0a80801"));
	assert_false(is_own("c0a80704"));
	if (system("ip link add upon0 link br0 type macvlan 2>/dev/null") == 0) { /* a kernel may be without */
		private_net_run("ip addr add 192.168.7.4/24 dev upon0");
		assert_true(is_own("c0a80704"));
	}
	private_net_run("ip link del br0");
}

static void expect_state(enum gateway_port_state wanted) {
	char error[GATEWAY_PORT_ERROR_BYTES];
	unit_assert_int(gateway_port_state(GATEWAY_SYSFS, "lan0", error), wanted, gateway_port_state_name(wanted));
}

static void test_states(void **state) {
	char error[GATEWAY_PORT_ERROR_BYTES];
	struct gateway_packet_socket socket;
	(void)state;
	expect_state(GATEWAY_PORT_GONE);
	assert_int_equal(gateway_packet_socket_open("lan0", &socket, error), BASE_E_NOT_FOUND);
	private_net_run("ip link add lan0 type veth peer name sw0");
	expect_state(GATEWAY_PORT_DOWN);
	private_net_run("ip link set lan0 up");
	expect_state(GATEWAY_PORT_NO_CARRIER);
	private_net_run("ip link set sw0 up");
	expect_state(GATEWAY_PORT_UP);
	assert_int_equal(gateway_port_ifindex(GATEWAY_SYSFS, "lan0"), if_nametoindex("lan0"));
	private_net_run("ip link del lan0");
	expect_state(GATEWAY_PORT_GONE);
	assert_int_equal(gateway_port_state(GATEWAY_SYSFS, "lo", error), GATEWAY_PORT_UNFIT);
}

static void test_says_which_ports_are_selective(void **state) {
	struct fixture *fixture = *state;
	const int fd = gateway_lan_port_fd(fixture->port);
	char text[GATEWAY_PORT_ERROR_BYTES] = "";
	assert_false(gateway_port_is_selective(fd, "lan0", text));
	assert_false(gateway_port_is_selective(fd, "absent", text));
	assert_false(gateway_port_is_selective(fd, "aninterfacenamethatistoolong", text));
	assert_string_equal(text, "");
	if (system("ip link add lan1 link lan0 type macvlan mode bridge 2>/dev/null") != 0)
		skip(); /* a kernel without */
	assert_true(gateway_port_is_selective(fd, "lan1", text));
	assert_non_null(strstr(text, "interface 'lan1' is a macvlan"));
}

static int setup_group(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	private_net_run("sysctl -q -w net.ipv6.conf.default.disable_ipv6=1");
	if (fixture == NULL)
		return -1;
	setup(fixture);
	*state = fixture;
	return 0;
}

static int teardown_group(void **state) {
	teardown(*state);
	free(*state);
	return 0;
}

#define ON_VETH(test) cmocka_unit_test_setup_teardown(test, setup_group, teardown_group)

int main(void) {
	const struct CMUnitTest tests[] = {
	    ON_VETH(test_captures_what_is_for_others),
	    ON_VETH(test_puts_vlan_tags_back),
	    ON_VETH(test_cuts_super_frames),
	    ON_VETH(test_writes_and_does_not_hear_itself),
	    ON_VETH(test_does_not_hear_the_host),
	    ON_VETH(test_a_refused_frame_is_alone),
	    ON_VETH(test_a_frame_refused_further_on_is_alone),
	    ON_VETH(test_writes_super_frames),
	    ON_VETH(test_merging_keeps_to_the_mtu),
	    ON_VETH(test_counts_overruns),
	    ON_VETH(test_trouble_is_taken_without_reading),
	    ON_VETH(test_notices_a_new_interface_of_the_same_index),
	    ON_VETH(test_own_addresses),
	    ON_VETH(test_says_which_ports_are_selective),
	    cmocka_unit_test(test_states),
	};
	if (!private_net_enter("gateway-device"))
		return PRIVATE_NET_SKIP;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
