/* The server as a whole: limits, Retry, version negotiation, stateless reset, fairness. */
#include "odd.h"

#include "base/bytes.h"
#include "base/steer.h"

#include <string.h>
#include <time.h>

static struct base_addr stranger(uint8_t last) {
	return (struct base_addr){.family = BASE_FAMILY_V4, .ip = {203, 0, 113, last}, .port = 4000};
}

/* The server's next stateless answer, or length 0. */
static size_t answer(struct net *net, uint8_t *buf, struct quic_burst *ret) {
	return quic_server_write(net->server, buf, QUIC_BURST_BYTES, ret, net->now) == 1 ? ret->len : 0;
}

static uint8_t out[QUIC_BURST_BYTES];

static void recv_raw(struct net *net, uint8_t last, const void *bytes, size_t len) {
	struct base_path path = {.local = net->server_addr, .remote = stranger(last)};

	quic_server_recv(net->server, &path, 0, slice_of(bytes, len), net->now);
}

static void test_version_negotiation(void **state) {
	uint8_t packet[1200] = {0xc0, 0xba, 0xba, 0xba, 0xba, 8, 1, 2, 3, 4, 5, 6, 7, 8, 3, 9, 9, 9};
	static const uint8_t expected[] = {0, 0, 0, 0, 3, 9, 9, 9, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1};
	struct quic_burst burst;
	struct net net;

	(void)state;
	net_init(&net);
	recv_raw(&net, 1, packet, sizeof(packet));
	assert_true(answer(&net, out, &burst) >= 1 + sizeof(expected));
	assert_true(out[0] & 0x80);
	assert_memory_equal(out + 1, expected, sizeof(expected)); /* RFC 9000 section 17.2.1: IDs swapped, version 1 */
	assert_int_equal(burst.path.remote.ip[3], 1);
	assert_int_equal(burst.path.remote.port, 4000);
	/* Too small to be a first packet: no answer. */
	recv_raw(&net, 1, packet, 1199);
	assert_int_equal(answer(&net, out, &burst), 0);
	/* Connection IDs of up to 255 bytes are legal in other versions. */
	packet[5] = 255;
	packet[6 + 255] = 255;
	recv_raw(&net, 1, packet, sizeof(packet));
	assert_true(answer(&net, out, &burst) > 510);
	assert_int_equal(quic_server_counters(net.server)->version_negotiations, 2);
	/* A packet that is itself a version negotiation. */
	memset(packet + 1, 0, 4);
	recv_raw(&net, 1, packet, sizeof(packet));
	assert_int_equal(answer(&net, out, &burst), 0);
	assert_int_equal(quic_server_connections(net.server), 0);
	net_done(&net);
}

/* A client of ours that meets a server without its version says so. */
static void test_version_refused(void **state) {
	struct quic_burst burst;
	struct base_path path;
	struct net net;
	uint8_t reply[64] = {0x80};
	uint8_t *hello = out;
	size_t len;

	(void)state;
	net_init(&net);
	net_connect_pinned(&net);
	path = net_path(&net, &net.client[0]);
	assert_int_equal(quic_conn_write(net.client[0].conn, out, sizeof(out), &burst, net.now), 1);
	/* long header: version 0, IDs swapped */
	len = 5;
	memcpy(reply + len, hello + 6 + hello[5], 1 + QUIC_CID_BYTES);
	len += 1 + QUIC_CID_BYTES;
	memcpy(reply + len, hello + 5, 1 + (size_t)hello[5]);
	len += 1 + (size_t)hello[5];
	base_put_u32(reply + len, 0xff00001d);
	quic_conn_recv(net.client[0].conn, &path, 0, slice_of(reply, len + 4), net.now);
	assert_int_equal(net.client[0].closed, 1);
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_ERROR);
	assert_non_null(strstr(net.client[0].why.text, "version 1"));
	net_done(&net);
}

static void test_version_2(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	odd_connect(&net, &(struct odd){.version = NGTCP2_PROTO_VER_V2});
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_done(&net);
}

/* Half-open connections, each from an address of its own. */
static void half_open(struct net *net, size_t count) {
	for (size_t i = 0; i < count; i++)
		net_knock(net, stranger((uint8_t)(i & 0xff)));
}

static void test_retry(void **state) {
	const struct quic_server_counters *counters;
	struct net net;

	(void)state;
	net_init(&net);
	net.limits.retry_above = 5;
	net_server_restart(&net);
	counters = quic_server_counters(net.server);
	half_open(&net, 5);
	assert_int_equal(quic_server_connections(net.server), 5);
	assert_int_equal(counters->retries_sent, 0);
	half_open(&net, 3);
	assert_int_equal(quic_server_connections(net.server), 5);
	assert_int_equal(counters->retries_sent, 3);
	/* An honest client gets in, one round trip later. */
	net_connect_pinned(&net);
	net_run(&net, 200 * BASE_MS);
	assert_int_equal(net.client[0].done, 1);
	assert_int_equal(counters->retries_sent, 4);
	assert_int_equal(counters->accepted, 6);
	assert_true(net.client[0].done_at - NET_START >= 40 * BASE_MS);
	/* It is not half-open any more; the others give up after the handshake timeout. */
	net_run(&net, 12 * BASE_SECOND);
	assert_int_equal(quic_server_connections(net.server), 1);
	net_connect_pinned(&net);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.client[1].done, 1);
	assert_int_equal(counters->retries_sent, 4);
	net_done(&net);
}

/* First packets that are refused at once must not get round the Retry. */
static void test_retry_after_refusals(void **state) {
	const struct quic_server_counters *counters;
	struct net net;

	(void)state;
	net_init(&net);
	net.limits.retry_above = 5;
	net_server_restart(&net);
	counters = quic_server_counters(net.server);
	for (int i = 0; i < 10; i++)
		odd_connect(&net, &(struct odd){.alpn = "h3"});
	net_flush(&net);
	net_run(&net, net.latency_ns);
	assert_int_equal(quic_server_connections(net.server), 5);
	assert_int_equal(counters->retries_sent, 5);
	net_run(&net, 10 * BASE_SECOND);
	assert_int_equal(quic_server_connections(net.server), 0);
	net_done(&net);
}

static struct {
	uint8_t bytes[1500];
	size_t len;
} caught;

/* Keeps the first Initial with a token. */
static bool catch_token(struct net *net, struct slice datagram) {
	ngtcp2_pkt_hd hd;

	(void)net;
	if (caught.len == 0 && ngtcp2_accept(&hd, datagram.data, datagram.len) == 0 && hd.tokenlen > 0) {
		memcpy(caught.bytes, datagram.data, datagram.len);
		caught.len = datagram.len;
		return false;
	}
	return true;
}

static void test_bad_tokens(void **state) {
	const struct quic_server_counters *counters;
	struct base_path path;
	struct quic_burst burst;
	struct net net;

	(void)state;
	net_init(&net);
	net.limits.retry_above = 1;
	net_server_restart(&net);
	counters = quic_server_counters(net.server);
	half_open(&net, 1);
	net.tap = catch_token;
	caught.len = 0;
	net_connect_pinned(&net);
	net_run(&net, 200 * BASE_MS);
	assert_true(caught.len > 0);
	/* A token is no use to another address ... */
	recv_raw(&net, 200, caught.bytes, caught.len);
	assert_int_equal(counters->bad_tokens, 1);
	assert_true(answer(&net, out, &burst) > 0); /* INVALID_TOKEN */
	assert_int_equal(burst.path.remote.ip[3], 200);
	/* ... nor after its time. */
	path = (struct base_path){.local = net.server_addr, .remote = net.client[0].local};
	net.now += 11 * BASE_SECOND;
	quic_conn_free(net.client[0].conn);
	net.client[0].conn = NULL;
	quic_server_recv(net.server, &path, 0, slice_of(caught.bytes, caught.len), net.now);
	assert_int_equal(counters->bad_tokens, 2);
	net_done(&net);
}

static void test_limits(void **state) {
	const struct quic_server_counters *counters;
	struct net net;

	(void)state;
	net_init(&net);
	net.limits.connections_max = 6;
	net.limits.half_open_max = 4;
	net_server_restart(&net);
	counters = quic_server_counters(net.server);
	for (int i = 0; i < 3; i++)
		net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	half_open(&net, 10);
	assert_int_equal(counters->refused_full, 7); /* 3 + 3 of them */
	assert_int_equal(quic_server_connections(net.server), 6);
	/* A full server says so at once. */
	net_connect_pinned(&net);
	net_run(&net, 100 * BASE_MS);
	assert_int_equal(net.client[3].why.kind, QUIC_CLOSED_BY_PEER);
	assert_int_equal(net.client[3].why.code, QUIC_APP_LIMIT);
	net_done(&net);

	net_init(&net);
	net.limits.half_open_max = 4;
	net_server_restart(&net);
	half_open(&net, 10);
	assert_int_equal(quic_server_counters(net.server)->refused_half_open, 6);
	assert_int_equal(quic_server_connections(net.server), 4);
	net_done(&net);
}

/* Those who prove their address and then say nothing more do not keep others out. */
static void test_half_open_full(void **state) {
	const struct quic_server_counters *counters;
	struct net net;

	(void)state;
	net_init(&net);
	net.limits.retry_above = 2;
	net.limits.half_open_max = 4;
	net_server_restart(&net);
	counters = quic_server_counters(net.server);
	half_open(&net, 2);
	for (int i = 0; i < 2; i++) {
		net_connect_pinned(&net);
		net_run(&net, 35 * BASE_MS); /* Initial, Retry, Initial with the token */
		quic_conn_free(net.client[i].conn);
		net.client[i].conn = NULL;
	}
	assert_int_equal(quic_server_connections(net.server), 4);
	assert_int_equal(counters->accepted, 4);
	half_open(&net, 1); /* anybody could send this one */
	assert_int_equal(quic_server_connections(net.server), 4);
	net_connect_pinned(&net);
	net_run(&net, 100 * BASE_MS);
	assert_int_equal(net.client[2].done, 1);
	assert_int_equal(counters->refused_half_open, 1);
	assert_int_equal(net.at_server[0].closed, 1);
	assert_int_equal(net.at_server[0].why.kind, QUIC_CLOSED_HANDSHAKE_TIMEOUT);
	net_done(&net);
}

/* First packets from addresses that nobody proved take no place that somebody else would need: neither of few in all,
 * nor of few from the victim's address. */
static void test_few_places(void **state) {
	(void)state;
	for (int of_address = 0; of_address < 2; of_address++) {
		struct net_peer *client;
		struct net net;

		net_init(&net);
		if (of_address)
			net.limits.per_address_max = 5;
		else
			net.limits.connections_max = 5;
		net_server_restart(&net);
		for (uint8_t i = 0; i < 20; i++)
			net_knock(&net, stranger(of_address ? 1 : i));
		assert_int_equal(quic_server_connections(net.server), 2);
		client = net_connect_pinned(&net);
		client->nat = stranger(1);
		client->nat.port = 4999;
		net_run(&net, 200 * BASE_MS);
		assert_int_equal(client->done, 1);
		net_done(&net);
	}
}

/* One host cannot take all places; where it gave one up another connection fits. */
static void test_limit_per_address(void **state) {
	const struct quic_server_counters *counters;
	struct net net;

	(void)state;
	net_init(&net);
	net.limits.per_address_max = 3;
	net_server_restart(&net);
	counters = quic_server_counters(net.server);
	for (int i = 0; i < 3; i++)
		net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_connect_pinned(&net);
	net_run(&net, 100 * BASE_MS);
	assert_int_equal(net.client[3].why.kind, QUIC_CLOSED_BY_PEER);
	assert_int_equal(net.client[3].why.code, QUIC_APP_LIMIT);
	assert_int_equal(counters->refused_address, 1);
	half_open(&net, 5); /* from elsewhere */
	assert_int_equal(quic_server_connections(net.server), 8);
	quic_conn_shutdown(net.client[0].conn, QUIC_APP_DONE, "", net.now);
	net_run(&net, 12 * BASE_SECOND);
	assert_int_equal(quic_server_connections(net.server), 2);
	net_connect_pinned(&net);
	net_run(&net, 100 * BASE_MS);
	assert_int_equal(net.client[4].done, 1);
	assert_int_equal(counters->refused_address, 1);
	net_done(&net);
}

/* Uses up what the address of all clients has for a while. */
static size_t use_up(struct net *net, bool proven) {
	const struct base_addr *remote = &net->client[0].local;
	size_t count = 0;

	while (quic_gate_handshake(net->gate, &net->limits, remote, proven, net->now))
		count++;
	return count;
}

/* Who comes too often proves its address first, and waits if that is too often, too: who forges it keeps it from
 * nothing. Others do not notice. */
static void test_handshake_rate(void **state) {
	const struct quic_server_counters *counters;
	struct quic_gate *gate = quic_gate_new();
	struct net net;

	(void)state;
	net_init(&net);
	net.gate = gate;
	net_server_restart(&net);
	counters = quic_server_counters(net.server);
	net_connect_pinned(&net);
	net_run(&net, 200 * BASE_MS);
	assert_int_equal(counters->retries_sent, 0);
	assert_int_equal(use_up(&net, false), 256); /* that one is in again */
	net_connect_pinned(&net);
	net_run(&net, 220 * BASE_MS);
	assert_int_equal(net.client[1].done, 1);
	assert_int_equal(counters->retries_sent, 1);
	assert_in_range(use_up(&net, false), 5, 6);
	assert_int_equal(use_up(&net, true), 256);
	net_connect_pinned(&net);
	half_open(&net, 1);
	net_run(&net, 30 * BASE_MS); /* less than it takes for the next one */
	assert_int_equal(quic_server_connections(net.server), 3);
	net_run(&net, 200 * BASE_MS);
	assert_int_equal(net.client[2].why.code, QUIC_APP_LIMIT);
	assert_int_equal(counters->refused_address, 1);
	net_run(&net, BASE_SECOND);
	net_connect_pinned(&net);
	net_run(&net, 200 * BASE_MS);
	assert_int_equal(net.client[3].done, 1);
	net_done(&net);
	quic_gate_free(gate);
}

/* An IPv6 host has many addresses, but one network. */
static void test_sources(void **state) {
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
	    {"192.0.2.1", "192.0.2.1", true},
	    {"192.0.2.1", "192.0.2.2", false},
	    {"2001:db8:0:100::1", "2001:db8:0:1ff:8000::2", true},
	    {"2001:db8:0:100::1", "2001:db8:0:200::1", false},
	    {"2001:db8::1", "32.1.13.184", false}, /* the same first four bytes */
	};
	const uint64_t seed[2] = {1, 2};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct base_addr a, b;
		struct base_map sources;
		struct quic_source *source;

		assert_int_equal(base_addr_parse_ip(cases[i].a, strlen(cases[i].a), &a), 0);
		assert_int_equal(base_addr_parse_ip(cases[i].b, strlen(cases[i].b), &b), 0);
		assert_int_equal(base_map_init(&sources, seed), 0);
		a.port = 1;
		source = quic_source_enter(&sources, &a);
		assert_non_null(source);
		assert_ptr_equal(quic_source_enter(&sources, &a), source);
		assert_int_equal(quic_source_count(&sources, &b), cases[i].same ? 2 : 0);
		quic_source_leave(&sources, source);
		assert_int_equal(quic_source_count(&sources, &a), 1);
		quic_source_leave(&sources, source);
		assert_int_equal(quic_source_count(&sources, &a), 0);
		assert_int_equal(sources.len, 0);
		base_map_done(&sources);
	}
}

static void test_refused_by_application(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	net.refuse = true;
	net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_closed, BASE_SECOND));
	assert_int_equal(net.client[0].why.code, QUIC_APP_LIMIT);
	assert_int_equal(quic_server_counters(net.server)->accepted, 0);
	net_run(&net, 5 * BASE_SECOND);
	assert_int_equal(quic_server_connections(net.server), 0);
	net_done(&net);
}

static void run_stateless_reset(bool renewed) {
	struct net net;
	uint64_t start;

	net_init(&net);
	if (renewed) {
		const char *name = "relay.test";
		char error[QUIC_ERROR_BYTES];

		quic_identity_unref(net.identity);
		assert_int_equal(quic_identity_self_signed(&name, 1, (uint64_t)time(NULL) * BASE_SECOND, &net.identity, error),
		                 0);
		quic_server_set_identity(net.server, net.identity);
	}
	net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_run(&net, BASE_SECOND);
	net_server_restart(&net); /* the same key */
	start = net.now;
	net_send(&net.client[0], 1, 100);
	assert_true(net_run_until(&net, net_all_closed, BASE_SECOND));
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_RESET);
	assert_int_equal(net.now - start, 20 * BASE_MS); /* one round trip */
	assert_int_equal(quic_server_counters(net.server)->resets_sent, 1);
	net_done(&net);
}

/* The key of a relay that starts again is that of its certificate then, which may have been renewed meanwhile. */
static void test_stateless_reset(void **state) {
	(void)state;
	run_stateless_reset(false);
	run_stateless_reset(true);
}

static bool catch_short(struct net *net, struct slice datagram) {
	(void)net;
	if ((datagram.data[0] & 0x80) == 0) {
		assert_true(datagram.len <= sizeof(caught.bytes));
		memcpy(caught.bytes, datagram.data, datagram.len);
		caught.len = datagram.len;
	}
	return true;
}

/* Two relays with one key: what one answers to a packet for a connection of the other ends that one at its own address
 * only, where it is the other one started again. */
static void test_reset_is_of_an_address(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	net.tap = catch_short;
	net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_send(&net.client[0], 1, 100);
	net_run(&net, BASE_SECOND);
	for (unsigned same = 0; same < 3; same++) {
		struct quic_server_options options = {
		    .identity = net.identity, .events = &net_events, .shard = NET_SHARD, .shards = NET_SHARDS};
		struct base_path path = {.local = net.server_addr, .remote = stranger(1)};
		struct base_path to_client = net_path(&net, &net.client[0]);
		struct quic_server *other;
		struct quic_burst burst;

		path.local.ip[3] = (uint8_t)(path.local.ip[3] + (same == 0));
		path.local.port = (uint16_t)(path.local.port + (same == 1));
		assert_int_equal(quic_server_new(&options, &other), 0);
		quic_server_recv(other, &path, 0, slice_of(caught.bytes, caught.len), net.now);
		assert_int_equal(quic_server_write(other, out, sizeof(out), &burst, net.now), 1);
		quic_conn_recv(net.client[0].conn, &to_client, 0, slice_of(out, burst.len), net.now);
		net_run(&net, BASE_SECOND);
		assert_int_equal(net.client[0].closed, same == 2);
		quic_server_free(other);
	}
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_RESET);
	caught.len = 0;
	net_done(&net);
}

static void test_reset_sizes(void **state) {
	uint8_t packet[100] = {0x40};
	struct quic_burst burst;
	struct net net;

	(void)state;
	net_init(&net);
	for (size_t len = 0; len <= sizeof(packet); len++) {
		size_t got;

		recv_raw(&net, 1, packet, len);
		got = answer(&net, out, &burst);
		assert_true(got < len || len == 0);
		assert_int_equal(got > 0, len > 21);
		assert_true(got == 0 || (got >= 21 && (out[0] & 0xc0) == 0x40));
	}
	net_done(&net);
}

static void test_stateless_limit(void **state) {
	uint8_t packet[100] = {0x40};
	const struct quic_server_counters *counters;
	struct quic_burst burst;
	struct net net;

	(void)state;
	net_init(&net);
	net.limits.stateless_per_second = 10;
	net_server_restart(&net);
	counters = quic_server_counters(net.server);
	for (int i = 0; i < 30; i++) {
		recv_raw(&net, 1, packet, sizeof(packet));
		answer(&net, out, &burst);
	}
	assert_int_equal(counters->resets_sent, 10);
	assert_int_equal(counters->stateless_limited, 20);
	net.now += BASE_SECOND;
	recv_raw(&net, 1, packet, sizeof(packet));
	assert_int_equal(counters->resets_sent, 11);
	/* Unsent answers are bounded too. */
	net.limits.stateless_per_second = 100000;
	net_server_restart(&net);
	for (int i = 0; i < 1000; i++)
		recv_raw(&net, 1, packet, sizeof(packet));
	assert_int_equal(quic_server_counters(net.server)->resets_sent, QUIC_ANSWERS_OTHER_MAX);
	net_done(&net);
}

/* A first packet must have a connection ID of 8 bytes at least, whatever it brings as its token. */
static void test_short_cid(void **state) {
	static const uint8_t token[] = {NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2, 'x'}; /* is answered with INVALID_TOKEN */
	uint8_t packet[QUIC_UDP_PAYLOAD_MIN];
	struct quic_burst burst;
	struct net net;

	(void)state;
	net_init(&net);
	for (uint8_t cid_len = 0; cid_len <= NGTCP2_MAX_CIDLEN; cid_len++) {
		const uint8_t start[] = {0xc0, 0, 0, 0, 1, cid_len};
		size_t len = sizeof(start);

		memset(packet, 0, sizeof(packet));
		memcpy(packet, start, len);
		len += cid_len + 1u; /* and no source connection ID */
		packet[len++] = sizeof(token);
		memcpy(packet + len, token, sizeof(token));
		len += sizeof(token);
		packet[len++] = 0x44; /* 1024 bytes follow */
		recv_raw(&net, 1, packet, sizeof(packet));
		assert_int_equal(answer(&net, out, &burst) > 0, cid_len >= NGTCP2_MIN_INITIAL_DCIDLEN);
		assert_int_equal(quic_server_connections(net.server), 0);
	}
	net_done(&net);
}

/* A peer that vanished in the middle of everything costs a few timers until it is given up, not a busy processor. */
static void test_silent_peer_is_cheap(void **state) {
	struct quic_burst burst;
	unsigned turns = 0;
	struct net net;

	(void)state;
	net_init(&net);
	net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_say(&net.client[0], 10);
	net_run(&net, BASE_SECOND);
	net_say(&net.at_server[0], 100000);
	net_send(&net.at_server[0], 1000000, 1000);
	quic_server_wake(net.server, net.at_server[0].conn);
	while (quic_server_connections(net.server) > 0) {
		uint64_t deadline;

		while (quic_server_write(net.server, out, sizeof(out), &burst, net.now) == 1)
			;
		deadline = quic_server_deadline(net.server);
		assert_true(deadline < BASE_NEVER);
		net.now = deadline > net.now ? deadline : net.now + BASE_US;
		quic_server_tick(net.server, net.now);
		turns++;
		assert_true(turns < 1000);
	}
	assert_int_equal(net.at_server[0].why.kind, QUIC_CLOSED_IDLE);
	net_done(&net);
}

/* A peer that calls itself slow does not keep its place for a minute after it left. */
static void test_slow_to_go(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	odd_connect(&net, &(struct odd){.max_ack_delay = 16000 * BASE_MS});
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	quic_conn_shutdown(net.client[0].conn, QUIC_APP_DONE, "", net.now);
	net_run(&net, 4 * BASE_SECOND);
	assert_int_equal(net.at_server[0].closed, 1);
	assert_int_equal(quic_server_connections(net.server), 0);
	net_done(&net);
}

/* Nor does one whose acknowledgements made the path look long, at either end, after it fell silent. */
static void test_slow_to_be_missed(void **state) {
	uint64_t start;
	struct net net;

	(void)state;
	net_init(&net);
	odd_connect(&net, &(struct odd){.max_ack_delay = 16000 * BASE_MS});
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net.latency_ns = 9 * BASE_SECOND;
	net_run(&net, 120 * BASE_SECOND);
	assert_int_equal(net.client[0].closed + net.at_server[0].closed, 0);
	net.cut = true;
	start = net.now;
	assert_true(net_run_until(&net, net_all_closed, 61 * BASE_SECOND));
	assert_true(net.now - start > 21 * BASE_SECOND);
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_IDLE);
	assert_int_equal(net.at_server[0].why.kind, QUIC_CLOSED_IDLE);
	net_done(&net);
}

/* A stranger who uses up what may be answered to garbage does not keep honest clients from getting their Retry. */
static void test_retry_share(void **state) {
	uint8_t packet[100] = {0x40};
	struct quic_burst burst;
	struct net net;

	(void)state;
	net_init(&net);
	net.limits.retry_above = 2;
	net.limits.stateless_per_second = 100;
	net_server_restart(&net);
	half_open(&net, 2);
	for (int i = 0; i < 200; i++) {
		recv_raw(&net, 1, packet, sizeof(packet));
		answer(&net, out, &burst);
	}
	for (int i = 0; i < 200; i++) /* these wait to be sent */
		recv_raw(&net, 1, packet, sizeof(packet));
	net_connect_pinned(&net);
	net_run(&net, 200 * BASE_MS);
	assert_int_equal(net.client[0].done, 1);
	assert_int_equal(quic_server_counters(net.server)->retries_sent, 1);
	net_done(&net);
}

/* Every ID the server ever issues leads to its shard; the client's own first one, of another length, where it wants. */
static bool check_shard(struct net *net, struct slice datagram) {
	bool is_long = (datagram.data[0] & 0x80) != 0;
	uint8_t first = datagram.data[is_long ? 6 : 1];

	if (is_long && datagram.data[5] != QUIC_CID_BYTES) {
		assert_int_equal(base_steer_group(first), 23);
		assert_true(datagram.data[5] > 8); /* so many stay random */
	} else {
		assert_int_equal(base_steer_shard(first, NET_SHARDS), NET_SHARD);
		net->tap_count += is_long ? 1 : 1000;
	}
	return true;
}

static void run_shard(bool retry) {
	struct quic_trust *trust;
	struct base_path path;
	struct net net;

	net_init(&net);
	if (retry) {
		net.limits.retry_above = 2;
		net_server_restart(&net);
		half_open(&net, 2);
	}
	net.steer_byte = 23 << BASE_STEER_SHIFT;
	trust = net_trust_pin(&net);
	net.tap = check_shard;
	net_connect(&net, "relay.test", trust);
	quic_trust_unref(trust);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.client[0].done, 1);
	assert_int_equal(quic_server_counters(net.server)->retries_sent, retry);
	assert_true(net.tap_count % 1000 >= 1);
	path = net_path(&net, &net.client[0]);
	path.local.port++;
	assert_int_equal(quic_conn_migrate(net.client[0].conn, &path, net.now), 0);
	net.client[0].local = path.local;
	net_run(&net, 10 * BASE_SECOND);
	assert_true(net.tap_count > 5000);
	net_done(&net);
}

static void test_shard(void **state) {
	(void)state;
	run_shard(false);
	run_shard(true);
}

static void start_odd(struct net *net, const struct odd *odd) {
	net_init(net);
	odd_connect(net, odd);
	net_run(net, 2 * BASE_SECOND);
	assert_int_equal(net->at_server[0].done, 1);
}

/* --- a peer that announces connection IDs without end --- */

/* What the client's next 1-RTT packet consists of, in place of its own frames. */
static uint8_t forged[32];
static size_t forged_len;

static int forge(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                 const uint8_t *plain, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                 size_t aad_len) {
	uint8_t frames[QUIC_UDP_PAYLOAD_MAX] = {0}; /* PADDING */

	if (forged_len > 0 && (aad[0] & 0x80) == 0 && len >= forged_len && len <= sizeof(frames)) {
		memcpy(frames, forged, forged_len);
		forged_len = 0;
		plain = frames;
	}
	return quic_protect_encrypt(dest, aead, context, plain, len, nonce, nonce_len, aad, aad_len);
}

/* All that the client has to say reaches the server from there; what the server says is lost, and so is never
 * acknowledged. */
static void say_from(struct net *net, struct base_addr from) {
	const struct base_path path = {.local = net->server_addr, .remote = from};
	struct net_peer *client = &net->client[0];
	struct quic_burst burst;

	net->now += BASE_MS;
	net_send(client, 1, 300);
	while (quic_conn_write(client->conn, out, sizeof(out), &burst, net->now) == 1) {
		for (size_t at = 0; at < burst.len; at += burst.segment) {
			size_t len = burst.len - at < burst.segment ? burst.len - at : burst.segment;

			quic_server_recv(net->server, &path, 0, slice_of(out + at, len), net->now);
		}
	}
	assert_int_equal(forged_len, 0);
	while (quic_server_write(net->server, out, sizeof(out), &burst, net->now) == 1) {
	}
}

/* NEW_CONNECTION_ID, which also takes back those of lower numbers than `first` (RFC 9000 section 19.15). */
static void announce(struct net *net, uint8_t number, uint8_t first) {
	const uint8_t head[] = {0x18, number, first, QUIC_CID_BYTES};

	memcpy(forged, head, sizeof(head));
	forged_len = sizeof(head) + QUIC_CID_BYTES + NGTCP2_STATELESS_RESET_TOKENLEN;
	quic_random(forged + sizeof(head), forged_len - sizeof(head));
	say_from(net, net_path(net, &net->client[0]).local);
}

/* ngtcp2 has room for 16 IDs whose end was not acknowledged. With more of them, moving to another path and back again
 * would end the process. */
static void test_too_many_connection_ids(void **state) {
	const struct odd odd = {.encrypt = forge};
	struct base_path before, path;
	struct net net;

	(void)state;
	start_odd(&net, &odd);
	for (uint8_t number = 10; number <= 22; number++)
		announce(&net, number, number);
	announce(&net, 23, 22);
	before = path = net_path(&net, &net.client[0]);
	path.local.port++;
	assert_int_equal(quic_conn_migrate(net.client[0].conn, &path, net.now), 0);
	say_from(&net, path.local);
	say_from(&net, before.local);
	assert_int_equal(net.at_server[0].closed, 1);
	assert_int_equal(net.at_server[0].why.kind, QUIC_CLOSED_ERROR);
	assert_int_equal(net.at_server[0].why.code, NGTCP2_CONNECTION_ID_LIMIT_ERROR);
	net_done(&net);
}

/* --- a TLS message without end --- */

static bool talks_tls;
static uint32_t tls_said;

static int forge_tls(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                     const uint8_t *plain, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                     size_t aad_len) {
	static const uint8_t key_update[] = {24, 0xff, 0xff, 0xff}; /* 16 MiB of it */
	uint8_t frames[QUIC_UDP_PAYLOAD_MAX] = {0};
	const size_t head = 7;

	if (talks_tls && (aad[0] & 0x80) == 0 && len >= 1000 && len <= sizeof(frames)) {
		frames[0] = 0x06; /* CRYPTO */
		base_put_u32(frames + 1, UINT32_C(0x80000000) | tls_said);
		base_put_u16(frames + 5, (uint16_t)(0x4000 | (len - head)));
		if (tls_said == 0)
			memcpy(frames + head, key_update, sizeof(key_update));
		tls_said += (uint32_t)(len - head);
		plain = frames;
	}
	return quic_protect_encrypt(dest, aead, context, plain, len, nonce, nonce_len, aad, aad_len);
}

/* The TLS library would keep all of it, for each connection, with or without a hello. */
static void test_long_tls_message(void **state) {
	const struct odd odd = {.encrypt = forge_tls};
	struct net net;

	(void)state;
	start_odd(&net, &odd);
	talks_tls = true;
	net_send(&net.client[0], 100, 1100);
	net_run(&net, BASE_SECOND);
	assert_int_equal(net.at_server[0].closed, 1);
	assert_int_equal(net.at_server[0].why.code, NGTCP2_CRYPTO_BUFFER_EXCEEDED);
	assert_in_range(tls_said, QUIC_CRYPTO_MAX, 100 * 1200);
	net_done(&net);
}

static void test_many(void **state) {
	struct net net;

	(void)state;
	net_init(&net);
	net.loss_permille = 20;
	for (int i = 0; i < 12; i++)
		net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, 10 * BASE_SECOND));
	assert_int_equal(quic_server_connections(net.server), 12);
	for (size_t i = 0; i < 12; i++)
		net_send(&net.at_server[i], 100, 1000);
	net_run(&net, 3 * BASE_SECOND);
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(net.at_server[i].sent, 100);
		assert_in_range(net.client[i].heard, 75, 100);
	}
	for (size_t i = 0; i < 12; i++)
		quic_conn_shutdown(net.at_server[i].conn, QUIC_APP_SHUTDOWN, "bye", net.now);
	assert_true(net_run_until(&net, net_all_closed, 30 * BASE_SECOND));
	net_run(&net, 5 * BASE_SECOND);
	assert_int_equal(quic_server_connections(net.server), 0);
	net_done(&net);
}

/* One connection with endless data must not keep another's datagram waiting: bursts take turns. */
static void test_turns(void **state) {
	struct quic_burst burst;
	struct net net;
	size_t before = 0;

	(void)state;
	net_init(&net);
	net_connect_pinned(&net);
	net_connect_pinned(&net);
	assert_true(net_run_until(&net, net_all_connected, BASE_SECOND));
	net_run(&net, BASE_SECOND);
	net_send(&net.at_server[0], 100000, 1000);
	net_send(&net.at_server[1], 1, 200);
	while (net.at_server[1].sent == 0) {
		assert_int_equal(quic_server_write(net.server, out, sizeof(out), &burst, net.now), 1);
		before++;
	}
	assert_true(before <= 2);
	net_done(&net);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_version_negotiation),
	    cmocka_unit_test(test_version_refused),
	    cmocka_unit_test(test_version_2),
	    cmocka_unit_test(test_retry),
	    cmocka_unit_test(test_bad_tokens),
	    cmocka_unit_test(test_retry_after_refusals),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_half_open_full),
	    cmocka_unit_test(test_few_places),
	    cmocka_unit_test(test_limit_per_address),
	    cmocka_unit_test(test_handshake_rate),
	    cmocka_unit_test(test_sources),
	    cmocka_unit_test(test_refused_by_application),
	    cmocka_unit_test(test_stateless_reset),
	    cmocka_unit_test(test_reset_is_of_an_address),
	    cmocka_unit_test(test_reset_sizes),
	    cmocka_unit_test(test_stateless_limit),
	    cmocka_unit_test(test_retry_share),
	    cmocka_unit_test(test_short_cid),
	    cmocka_unit_test(test_slow_to_go),
	    cmocka_unit_test(test_slow_to_be_missed),
	    cmocka_unit_test(test_silent_peer_is_cheap),
	    cmocka_unit_test(test_shard),
	    cmocka_unit_test(test_too_many_connection_ids),
	    cmocka_unit_test(test_long_tls_message),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
