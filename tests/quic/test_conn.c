/* Connections end to end: handshake, control stream, datagrams, path MTU, the ways they end. */
#include "net.h"

#include <string.h>

static void connect_one(struct net *net) {
	net_init(net);
	net_connect_pinned(net);
	assert_true(net_run_until(net, net_all_connected, 2 * BASE_SECOND));
}

static void test_handshake(void **state) {
	struct net net;
	struct quic_info info;

	(void)state;
	net_init(&net);
	net_connect_pinned(&net);
	assert_int_equal(quic_conn_datagram_budget(net.client[0].conn), 0);
	assert_int_equal(quic_conn_control_send(net.client[0].conn, slice_of("x", 1)), -26);
	assert_true(net_run_until(&net, net_all_connected, 2 * BASE_SECOND));
	assert_int_equal(net.client[0].done, 1);
	assert_int_equal(net.at_server[0].done, 1);
	assert_true(net.client[0].done_at - NET_START <= 25 * BASE_MS);
	assert_int_equal(quic_server_connections(net.server), 1);
	net_run(&net, BASE_SECOND);
	quic_conn_info(net.client[0].conn, &info);
	assert_true(info.rtt_ns >= 19 * BASE_MS && info.rtt_ns < 30 * BASE_MS);
	assert_int_equal(net.client[0].closed, 0);
	assert_int_equal(net.at_server[0].closed, 0);
	net_done(&net);
}

static void test_control_stream(void **state) {
	struct net net;

	(void)state;
	connect_one(&net);
	net_say(&net.client[0], 700000); /* more than either window and than the send buffer */
	net_run(&net, BASE_SECOND);
	net_say(&net.at_server[0], 500000);
	net_run(&net, 20 * BASE_SECOND);
	assert_int_equal(net.at_server[0].control_heard, net.client[0].control_said);
	assert_int_equal(net.client[0].control_heard, net.at_server[0].control_said);
	assert_true(net.client[0].control_said >= QUIC_CONTROL_SEND_MAX - 1000);
	assert_true(quic_conn_control_flushed(net.client[0].conn));
	net_done(&net);
}

static void test_datagrams(void **state) {
	struct net net;

	(void)state;
	connect_one(&net);
	net_send(&net.client[0], 500, 900);
	net_send(&net.at_server[0], 300, 1100);
	net_run(&net, 2 * BASE_SECOND);
	assert_int_equal(net.client[0].sent, 500);
	assert_int_equal(net.at_server[0].heard, 500);
	assert_int_equal(net.at_server[0].largest_heard, 900);
	assert_int_equal(net.client[0].heard, 300);
	assert_int_equal(net.client[0].largest_heard, 1100);
	net_done(&net);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_handshake),
	    cmocka_unit_test(test_control_stream),
	    cmocka_unit_test(test_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
