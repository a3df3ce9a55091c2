/* Connections end to end: handshake, control stream, datagrams, path MTU, the ways they end. */
#include "odd.h"

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
	assert_int_equal(quic_conn_control_send(net.client[0].conn, slice_of("x", 1)), BASE_E_STATE);
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

/* A server can say nothing on a stream that the client has not opened. */
static void test_no_control_stream(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	odd_connect(&net, &(struct odd){.no_control_stream = true});
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.at_server[0].done, 1);
	assert_int_equal(quic_conn_control_send(net.at_server[0].conn, slice_of("x", 1)), BASE_E_STATE);
	net_send(&net.at_server[0], 1, 100);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.client[0].heard, 1);
	net_done(&net);
}

/* The peer's flow control stops the stream, not the datagrams behind it. */
static void check_small_window(const struct odd *odd) {
	struct net net;

	net_init(&net);
	odd_connect(&net, odd);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_say(&net.client[0], 10); /* opens the stream */
	net_run(&net, 100 * BASE_MS);
	net_say(&net.at_server[0], 30000);
	net_send(&net.at_server[0], 20, 500);
	net_run(&net, 100 * BASE_MS);
	assert_int_equal(net.client[0].heard, 20);
	assert_true(net.client[0].control_heard < 30000);
	net_run(&net, 20 * BASE_SECOND);
	assert_int_equal(net.client[0].control_heard, 30000);
	net_done(&net);
}

static void test_small_window(void **state) {
	(void)state;
	check_small_window(&(struct odd){.stream_window = 1000});
	check_small_window(&(struct odd){.data_window = 1000});
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

/* Everything sent on the control stream arrives, in order, however bad the network; datagrams arrive whole or not. */
static void test_bad_network(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	net.loss_permille = 100;
	net.duplicate_permille = 100;
	net.reorder_permille = 200;
	net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, 10 * BASE_SECOND));
	net_say(&net.client[0], 150000);
	net_say(&net.at_server[0], 150000);
	net_send(&net.client[0], 1000, 1000);
	net_send(&net.at_server[0], 1000, 600);
	net_run(&net, 60 * BASE_SECOND);
	assert_int_equal(net.at_server[0].control_heard, 150000);
	assert_int_equal(net.client[0].control_heard, 150000);
	assert_true(quic_conn_control_flushed(net.client[0].conn));
	assert_true(quic_conn_control_flushed(net.at_server[0].conn));
	assert_int_equal(net.client[0].sent, 1000);
	assert_in_range(net.at_server[0].heard, 700, 1000); /* QUIC drops duplicates */
	assert_in_range(net.client[0].heard, 700, 1000);
	assert_int_equal(net.client[0].closed + net.at_server[0].closed, 0);
	net_done(&net);
}

static const struct {
	const char *label;
	size_t mtu, budget;
} path_cases[] = {
    {"Ethernet", 1500, 1440}, {"PPPoE", 1492, 1412}, /* the probe of 1444 */
    {"a tunnel", 1434, 1374}, {"IPv6 minimum", 1280, 1200}, {"smallest", 1228, 1168},
};

static void test_path_mtu(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(path_cases) / sizeof(path_cases[0]); i++) {
		struct net net;
		struct net_peer *client, *server;

		net_init(&net);
		net.mtu = path_cases[i].mtu;
		client = net_connect_pinned(&net);
		assert_true(net_run_until(&net, net_all_connected, 2 * BASE_SECOND));
		server = &net.at_server[0];
		assert_false(quic_conn_budget_settled(client->conn, net.now));
		net_run(&net, 3 * BASE_SECOND);
		unit_assert_int(quic_conn_datagram_budget(client->conn), path_cases[i].budget, path_cases[i].label);
		unit_assert_int(quic_conn_datagram_budget(server->conn), path_cases[i].budget, path_cases[i].label);
		assert_true(quic_conn_budget_settled(client->conn, net.now));
		/* A full datagram fits, also while acknowledgements are due. */
		net.too_big = 0;
		net_send(client, 200, path_cases[i].budget);
		net_send(server, 200, path_cases[i].budget);
		net_run(&net, 2 * BASE_SECOND);
		unit_assert_int(server->heard, 200, path_cases[i].label);
		unit_assert_int(client->heard, 200, path_cases[i].label);
		unit_assert_int(net.too_big, 0, path_cases[i].label);
		net_done(&net);
	}
}

static bool settled(const struct net *net) {
	return quic_conn_budget_settled(net->client[0].conn, net->now);
}

static void test_settling(void **state) {
	static const struct {
		size_t mtu;
		uint64_t latency, at_least, at_most;
	} cases[] = {
	    {1500, 10 * BASE_MS, 0, 100 * BASE_MS},
	    {1434, 10 * BASE_MS, 50 * BASE_MS, 120 * BASE_MS},
	    {1280, 10 * BASE_MS, 1500 * BASE_MS, 1500 * BASE_MS},
	    {1500, BASE_MS / 10, 0, 10 * BASE_MS}, /* a probe is acknowledged at once, as a game's packet is not */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct net net;
		uint64_t took;

		net_init(&net);
		net.mtu = cases[i].mtu;
		net.latency_ns = cases[i].latency;
		net_connect_pinned(&net);
		assert_true(net_run_until(&net, net_all_connected, 2 * BASE_SECOND));
		/* The deadline alone leads to it. */
		assert_true(net_run_until(&net, settled, 2 * BASE_SECOND));
		took = net.now - net.client[0].done_at;
		assert_in_range(took, cases[i].at_least, cases[i].at_most);
		net_done(&net);
	}
}

static void test_oversize(void **state) {
	struct net net;

	(void)state;
	connect_one(&net);
	net.client[0].oversize_every = 3;
	net_send(&net.client[0], 90, 500);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.client[0].given_up, 30);
	assert_int_equal(net.client[0].sent, 60);
	assert_int_equal(net.at_server[0].heard, 60);
	net_done(&net);
}

static void test_peer_datagram_limit(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	odd_connect(&net, &(struct odd){.max_datagram_frame_size = 700});
	assert_true(net_run_until(&net, net_all_connected, 2 * BASE_SECOND));
	assert_int_equal(quic_conn_datagram_budget(net.at_server[0].conn), 697);
	assert_int_equal(quic_conn_peer_datagram_max(net.at_server[0].conn), 697);
	net_send(&net.at_server[0], 10, 697);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.client[0].heard, 10);
	net_send(&net.at_server[0], 10, 698);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.at_server[0].given_up, 10);
	assert_int_equal(net.client[0].heard, 10);
	net_done(&net);
}

static void test_no_datagram(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	odd_connect(&net, &(struct odd){.no_datagram = true});
	assert_true(net_run_until(&net, net_all_closed, 2 * BASE_SECOND));
	assert_int_equal(net.at_server[0].why.kind, QUIC_CLOSED_NO_DATAGRAM);
	assert_int_equal(net.at_server[0].done, 0);
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_BY_PEER);
	assert_int_equal(net.client[0].why.code, QUIC_APP_PROTOCOL);
	assert_non_null(strstr(net.client[0].why.text, "DATAGRAM"));
	net_done(&net);
}

static void test_shutdown(void **state) {
	struct net net;

	(void)state;
	for (int side = 0; side < 2; side++) {
		struct net_peer *who, *other;

		connect_one(&net);
		who = side == 0 ? &net.client[0] : &net.at_server[0];
		other = side == 0 ? &net.at_server[0] : &net.client[0];
		net_run(&net, 100 * BASE_MS);
		quic_conn_shutdown(who->conn, QUIC_APP_REPLACED, "someone took your seat\n", net.now);
		quic_conn_shutdown(who->conn, QUIC_APP_DONE, "second", net.now);
		assert_int_equal(quic_conn_control_send(who->conn, slice_of("x", 1)), BASE_E_STATE);
		assert_int_equal(who->closed, 0); /* not from inside shutdown */
		assert_true(net_run_until(&net, net_all_closed, BASE_SECOND));
		assert_int_equal(who->why.kind, QUIC_CLOSED_BY_US);
		assert_int_equal(who->why.code, QUIC_APP_REPLACED);
		assert_int_equal(other->why.kind, QUIC_CLOSED_BY_PEER);
		assert_int_equal(other->why.code, QUIC_APP_REPLACED);
		assert_non_null(strstr(other->why.text, "someone took your seat?"));
		net_run(&net, 5 * BASE_SECOND);
		assert_int_equal(who->closed, 1);
		assert_int_equal(other->closed, 1);
		assert_int_equal(quic_server_connections(net.server), 0);
		assert_true(quic_conn_is_finished(net.client[0].conn));
		net_done(&net);
	}
}

/* The peer's datagrams in the closing period are answered with the same CONNECTION_CLOSE, ever more rarely. */
static void test_close_lost(void **state) {
	struct net net;
	uint64_t before;

	(void)state;
	connect_one(&net);
	net_run(&net, BASE_SECOND);
	net.cut = true;
	quic_conn_shutdown(net.at_server[0].conn, QUIC_APP_SHUTDOWN, "lost", net.now);
	net_flush(&net);
	net.cut = false;
	net_send(&net.client[0], 1, 100);
	before = net.sent;
	assert_true(net_run_until(&net, net_all_closed, BASE_SECOND));
	assert_int_equal(net.client[0].why.code, QUIC_APP_SHUTDOWN);
	assert_true(net.sent - before <= 4);
	net_done(&net);
}

/* A peer that does not hear the close and goes on talking gets it again, but ever more rarely. */
static void test_close_repeated(void **state) {
	static uint8_t buf[QUIC_BURST_BYTES];
	const uint8_t noise[100] = {0x40};
	struct quic_burst burst;
	struct net net;
	struct base_path path;
	size_t first = 0;
	unsigned times = 0;

	(void)state;
	connect_one(&net);
	net_run(&net, BASE_SECOND);
	path = net_path(&net, &net.client[0]);
	quic_conn_shutdown(net.client[0].conn, QUIC_APP_DONE, "", net.now);
	for (int heard = 0; heard <= 100; heard++) {
		if (quic_conn_write(net.client[0].conn, buf, sizeof(buf), &burst, net.now) == 1) {
			assert_true(first == 0 || burst.len == first);
			first = burst.len;
			times++;
		}
		quic_conn_recv(net.client[0].conn, &path, 0, slice_of(noise, sizeof(noise)), net.now);
	}
	assert_int_equal(times, 1 + 7); /* 1, 2, 4 ... 64 */
	net_done(&net);
}

static void test_shutdown_in_event(void **state) {
	struct net net;

	(void)state;
	connect_one(&net);
	net.at_server[0].shut_in_control = true;
	net_say(&net.client[0], 20000);
	assert_true(net_run_until(&net, net_all_closed, BASE_SECOND));
	assert_int_equal(net.at_server[0].why.kind, QUIC_CLOSED_BY_US);
	assert_int_equal(net.client[0].why.code, QUIC_APP_REJECTED);
	assert_true(net.at_server[0].control_heard < 20000);
	net_done(&net);
}

static void test_idle(void **state) {
	struct net net;
	uint64_t start;

	(void)state;
	connect_one(&net);
	net_run(&net, 60 * BASE_SECOND); /* keep-alives keep it open */
	assert_int_equal(net.client[0].closed + net.at_server[0].closed, 0);
	net.cut = true;
	start = net.now;
	assert_true(net_run_until(&net, net_all_closed, 40 * BASE_SECOND));
	assert_in_range(net.now - start, 12 * BASE_SECOND, 27 * BASE_SECOND);
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_IDLE);
	assert_int_equal(net.at_server[0].why.kind, QUIC_CLOSED_IDLE);
	net_run(&net, 5 * BASE_SECOND);
	assert_int_equal(quic_server_connections(net.server), 0);
	net_done(&net);
}

/* What arrived just before this machine was suspended is read an hour later. The path is not an hour long for that. */
static void test_suspend(void **state) {
	struct quic_info info;
	struct net net;
	uint64_t start;

	(void)state;
	connect_one(&net);
	net_run(&net, BASE_SECOND);
	net_send(&net.client[0], 10, 1000);
	do
		net_run(&net, BASE_MS);
	while (net.packets == NULL || net.packets->to_server);
	net.now += 3600 * BASE_SECOND;
	quic_conn_recv(net.client[0].conn, &net.packets->path, 0, slice_of(net.packets->bytes, net.packets->len), net.now);
	quic_conn_info(net.client[0].conn, &info);
	assert_true(info.rtt_ns > 100 * BASE_SECOND);
	net.cut = true;
	start = net.now;
	assert_true(net_run_until(&net, net_all_closed, 61 * BASE_SECOND));
	assert_true(net.now - start > 10 * BASE_SECOND);
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_IDLE);
	net_done(&net);
}

static void test_handshake_timeout(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	net.cut = true;
	net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_closed, 11 * BASE_SECOND));
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_HANDSHAKE_TIMEOUT);
	assert_int_equal(net.now - NET_START, 10 * BASE_SECOND);
	net_done(&net);
}

static void test_nat_rebinding(void **state) {
	struct net net;
	struct quic_info info;

	(void)state;
	net_init(&net);
	net_connect_pinned(&net);
	net.client[0].nat = net.client[0].local;
	net.client[0].nat.ip[3] = 99;
	assert_true(net_run_until(&net, net_all_connected, 2 * BASE_SECOND));
	net_run(&net, BASE_SECOND);
	for (int round = 0; round < 3; round++) {
		if (round == 1)
			net.client[0].nat.ip[2]++; /* another address */
		net.client[0].nat.port++;
		net_send(&net.client[0], 50, 800);
		net_run(&net, 300 * BASE_MS);
		net_send(&net.at_server[0], 50, 800);
		net_run(&net, 2 * BASE_SECOND);
		assert_int_equal(net.at_server[0].heard, 50 * (round + 1));
		assert_int_equal(net.client[0].heard, 50 * (round + 1));
		quic_conn_info(net.at_server[0].conn, &info);
		assert_true(base_addr_equal(&info.path.remote, &net.client[0].nat));
	}
	assert_int_equal(net.at_server_count, 1);
	net_done(&net);
}

static size_t connection_ids(const struct quic_conn *conn) {
	size_t count = 0;

	for (const struct base_list *link = conn->cids.next; link != &conn->cids; link = link->next)
		count++;
	return count;
}

static void test_migration(void **state) {
	struct net net;
	struct base_path path;
	struct quic_info info;

	(void)state;
	net_init(&net);
	net_connect_pinned(&net);
	path = net_path(&net, &net.client[0]);
	path.local.ip[3] = 77;
	assert_int_equal(quic_conn_migrate(net.client[0].conn, &path, net.now), BASE_E_STATE);
	assert_true(net_run_until(&net, net_all_connected, 2 * BASE_SECOND));
	net_run(&net, BASE_SECOND);
	for (uint8_t round = 0; round < 5; round++) {
		path.local.ip[3] = (uint8_t)(77 + round);
		assert_int_equal(quic_conn_migrate(net.client[0].conn, &path, net.now), 0);
		assert_int_equal(quic_conn_migrate(net.client[0].conn, &path, net.now), 0); /* is there already */
		net.client[0].local = path.local;
		net_send(&net.client[0], 20, 1000);
		net_run(&net, 3 * BASE_SECOND);
		net_send(&net.at_server[0], 20, 1000);
		net_run(&net, BASE_SECOND);
		assert_int_equal(net.at_server[0].heard, 20 * (round + 1));
		assert_int_equal(net.client[0].heard, 20 * (round + 1));
		quic_conn_info(net.at_server[0].conn, &info);
		assert_true(base_addr_equal(&info.path.remote, &path.local));
		assert_int_equal(quic_conn_datagram_budget(net.client[0].conn), 1440); /* probed again */
		assert_in_range(connection_ids(net.at_server[0].conn), 2, 6);          /* used ones are forgotten */
	}
	net_done(&net);
}

/* Whatever was going on: nothing leaks (the sanitizer looks), nothing is called afterwards. */
static void test_free_any_time(void **state) {
	(void)state;
	for (uint64_t at = 0; at < 120; at += 3) {
		struct net net;

		net_init(&net);
		net_connect_pinned(&net);
		net.client[0].control_say = 50000;
		net.client[0].stop_number = 100;
		net.client[0].datagram_len = 1000;
		net_run(&net, at * BASE_MS);
		quic_conn_free(net.client[0].conn);
		net.client[0].conn = NULL;
		assert_int_equal(net.client[0].closed, 0);
		if (at % 2 == 0) {
			net_run(&net, 30 * BASE_SECOND);
			assert_int_equal(quic_server_connections(net.server), 0);
		}
		net_done(&net);
	}
}

static void free_in_event(void *user, struct quic_conn *conn, uint64_t now) {
	struct net_peer *peer = user;

	(void)now;
	quic_conn_free(conn);
	peer->conn = NULL;
}

static void test_free_in_event(void **state) {
	struct quic_events events = net_events;
	struct quic_client_options options = {.server_name = "relay.test", .events = &events};
	struct net net;
	struct net_peer *peer = &net.client[0];

	(void)state;
	events.handshake_done = free_in_event;
	net_init(&net);
	*peer = (struct net_peer){.net = &net, .local = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 9}, .port = 9}};
	net.clients = 1;
	options.trust = net_trust_pin(&net);
	options.path = net_path(&net, peer);
	options.user = peer;
	assert_int_equal(quic_client_new(&options, net.now, &peer->conn), 0);
	quic_trust_unref(options.trust);
	net_run(&net, BASE_SECOND);
	assert_null(peer->conn);
	assert_int_equal(peer->closed, 0);
	net_done(&net);
}

static bool server_heard_one(const struct net *net) {
	return net->at_server[0].heard == 1;
}

/* RFC 9000 section 3.5: the peer reads the control stream no more. ngtcp2 tells so when more of it is to be sent. */
static void test_control_not_read(void **state) {
	struct net_peer *client;
	struct net net;

	(void)state;
	net_init(&net);
	client = net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	assert_int_equal(ngtcp2_conn_shutdown_stream_read(client->conn->ng, 0, client->conn->control.stream_id, 9), 0);
	net_send(client, 1, 10); /* makes it write */
	assert_true(net_run_until(&net, server_heard_one, BASE_SECOND));
	net.cut = true; /* or the client hears that its wish is granted */
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.at_server[0].closed, 0);
	net_say(&net.at_server[0], 100);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.at_server[0].closed, 1);
	assert_int_equal(net.at_server[0].why.code, QUIC_APP_PROTOCOL);
	assert_string_equal(net.at_server[0].why.text, "the peer broke the control stream off");
	net_done(&net);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_control_not_read),
	    cmocka_unit_test(test_handshake),
	    cmocka_unit_test(test_control_stream),
	    cmocka_unit_test(test_datagrams),
	    cmocka_unit_test(test_small_window),
	    cmocka_unit_test(test_no_control_stream),
	    cmocka_unit_test(test_bad_network),
	    cmocka_unit_test(test_path_mtu),
	    cmocka_unit_test(test_settling),
	    cmocka_unit_test(test_oversize),
	    cmocka_unit_test(test_peer_datagram_limit),
	    cmocka_unit_test(test_no_datagram),
	    cmocka_unit_test(test_shutdown),
	    cmocka_unit_test(test_close_lost),
	    cmocka_unit_test(test_close_repeated),
	    cmocka_unit_test(test_shutdown_in_event),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_suspend),
	    cmocka_unit_test(test_handshake_timeout),
	    cmocka_unit_test(test_nat_rebinding),
	    cmocka_unit_test(test_migration),
	    cmocka_unit_test(test_free_any_time),
	    cmocka_unit_test(test_free_in_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
