#include "net.h"

#include "base/bytes.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS_MAX 2000000

/* --- events, the same for both ends --- */

uint8_t net_pattern(size_t offset) {
	return (uint8_t)(offset * 7 + (offset >> 8) * 13 + 1);
}

static void say_more(struct net_peer *peer) {
	uint8_t block[1000];

	while (peer->conn != NULL && peer->control_said < peer->control_say) {
		size_t len = peer->control_say - peer->control_said;
		int err;

		if (len > sizeof(block))
			len = sizeof(block);
		for (size_t i = 0; i < len; i++)
			block[i] = net_pattern(peer->control_said + i);
		err = quic_conn_control_send(peer->conn, slice_of(block, len));
		if (err == BASE_E_FULL || err == BASE_E_STATE)
			return;
		assert_int_equal(err, 0);
		peer->control_said += len;
	}
}

static void on_done(void *user, struct quic_conn *conn, uint64_t now) {
	struct net_peer *peer = user;

	assert_ptr_equal(peer->conn, conn);
	peer->done++;
	peer->done_at = now;
	assert_true(quic_conn_datagram_budget(conn) > 0);
	say_more(peer);
}

static void on_control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	struct net_peer *peer = user;

	for (size_t i = 0; i < bytes.len; i++)
		assert_int_equal(bytes.data[i], net_pattern(peer->control_heard + i));
	peer->control_heard += bytes.len;
	assert_false(peer->fin);
	peer->fin = fin;
	say_more(peer);
	if (peer->shut_in_control)
		quic_conn_shutdown(conn, QUIC_APP_REJECTED, "as the test wants", now);
}

static void fill_payload(struct net_peer *peer, uint32_t number, size_t len) {
	base_put_u32(peer->payload, number);
	base_put_u32(peer->payload + 4, (uint32_t)len);
	for (size_t i = NET_DATAGRAM_MIN; i < len; i++)
		peer->payload[i] = net_pattern(number + i);
}

static void on_datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	struct net_peer *peer = user;
	uint32_t number;

	(void)conn;
	assert_true(payload.len >= NET_DATAGRAM_MIN);
	number = base_get_u32(payload.data);
	assert_int_equal(base_get_u32(payload.data + 4), payload.len);
	for (size_t i = NET_DATAGRAM_MIN; i < payload.len; i++)
		assert_int_equal(payload.data[i], net_pattern(number + i));
	if (peer->heard > 0 && number != peer->last_number + 1)
		peer->disordered++;
	peer->last_number = number;
	peer->heard_at = now;
	peer->heard++;
	if (payload.len > peer->largest_heard)
		peer->largest_heard = payload.len;
}

static bool is_at_server(const struct net_peer *peer) {
	return peer >= peer->net->at_server && peer < peer->net->at_server + NET_ENDS_MAX;
}

static void on_closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	struct net_peer *peer = user;

	(void)now;
	assert_ptr_equal(peer->conn, conn);
	peer->closed++;
	peer->why = *why;
	assert_true(quic_conn_is_closed(conn));
	if (is_at_server(peer))
		peer->conn = NULL;
}

static bool on_next(void *user, struct slice *ret, uint64_t now) {
	struct net_peer *peer = user;
	size_t len = peer->datagram_len;

	(void)now;
	if (peer->next_number >= peer->stop_number)
		return false;
	if (peer->oversize_every > 0 && peer->next_number % peer->oversize_every == 0)
		len = 1600;
	if (peer->vary)
		len = NET_DATAGRAM_MIN + (peer->next_number * 7919u) % (len - NET_DATAGRAM_MIN + 1);
	fill_payload(peer, peer->next_number, len);
	*ret = slice_of(peer->payload, len);
	return true;
}

static void on_taken(void *user, bool sent, uint64_t now) {
	struct net_peer *peer = user;

	(void)now;
	peer->next_number++;
	if (sent)
		peer->sent++;
	else
		peer->given_up++;
}

const struct quic_events net_events = {
    .handshake_done = on_done,
    .control = on_control,
    .datagram = on_datagram,
    .closed = on_closed,
    .next = on_next,
    .taken = on_taken,
};

static bool on_accept(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now) {
	struct net *net = user;
	struct net_peer *peer;

	(void)now;
	assert_int_equal(remote->family, BASE_FAMILY_V4);
	if (net->refuse)
		return false;
	assert_true(net->at_server_count < NET_ENDS_MAX);
	peer = &net->at_server[net->at_server_count++];
	*peer = (struct net_peer){.net = net, .conn = conn};
	quic_conn_set_user(conn, peer);
	return true;
}

/* --- set-up --- */

uint64_t net_usual_seed;

static uint64_t pick_seed(void) {
	const char *text = getenv("QUIC_TEST_SEED");

	if (text != NULL)
		return strtoull(text, NULL, 10);
	return net_usual_seed != 0 ? net_usual_seed : (uint64_t)time(NULL);
}

static void print_line(void *user, struct slice line) {
	(void)user;
	print_message("%.*s", (int)line.len, (const char *)line.data);
}

static uint64_t no_clock(void) {
	return 0;
}

static void start_server(struct net *net) {
	struct quic_server_options options = {
	    .identity = net->identity,
	    .settings = net->settings,
	    .limits = net->limits,
	    .events = &net_events,
	    .accept = on_accept,
	    .user = net,
	    .shard = NET_SHARD,
	    .shards = NET_SHARDS,
	    .gate = net->gate,
	};

	assert_int_equal(quic_server_new(&options, &net->server), 0);
}

void net_init(struct net *net) {
	const char *names[] = {"relay.test", "192.0.2.1"};
	char error[QUIC_ERROR_BYTES];

	*net = (struct net){.seed = pick_seed(), .now = NET_START, .latency_ns = 10 * BASE_MS, .mtu = 1500};
	base_rng_init(&net->rng, net->seed);
	net->settings.rng = &net->rng;
	print_message("seed %llu (QUIC_TEST_SEED repeats it)\n", (unsigned long long)net->seed);
	if (getenv("QUIC_TEST_TRACE") != NULL)
		net->settings.log = obs_log_new(OBS_TRACE, OBS_FORMAT_TEXT, print_line, no_clock, NULL);
	assert_int_equal(base_addr_parse_ip("192.0.2.1", 9, &net->server_addr), 0);
	net->server_addr.port = 443;
	assert_int_equal(quic_identity_self_signed(names, 2, (uint64_t)time(NULL) * BASE_SECOND, &net->identity, error), 0);
	start_server(net);
}

void net_server_restart(struct net *net) {
	quic_server_free(net->server);
	net->at_server_count = 0;
	start_server(net);
}

void net_done(struct net *net) {
	for (size_t i = 0; i < net->clients; i++)
		quic_conn_free(net->client[i].conn);
	quic_server_free(net->server);
	quic_identity_unref(net->identity);
	obs_log_free(net->settings.log);
	while (net->packets != NULL) {
		struct net_packet *packet = net->packets;

		net->packets = packet->next;
		free(packet);
	}
}

struct quic_trust *net_trust_pin(struct net *net) {
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES];

	assert_non_null(trust);
	assert_int_equal(quic_trust_add_certificate(trust, quic_identity_der(net->identity), error), 0);
	return trust;
}

struct base_path net_path(const struct net *net, const struct net_peer *client) {
	return (struct base_path){.local = client->local, .remote = net->server_addr};
}

struct net_peer *net_connect(struct net *net, const char *name, struct quic_trust *trust) {
	struct net_peer *peer = &net->client[net->clients];
	struct quic_client_options options = {
	    .server_name = name,
	    .trust = trust,
	    .settings = net->settings,
	    .events = &net_events,
	    .user = peer,
	    .has_steer_byte = net->steer_byte != 0,
	    .steer_byte = net->steer_byte,
	};

	assert_true(net->clients < NET_CLIENTS_MAX);
	*peer = (struct net_peer){.net = net};
	assert_int_equal(base_addr_parse_ip("10.0.0.2", 8, &peer->local), 0);
	peer->local.port = (uint16_t)(5000 + net->clients);
	options.path = net_path(net, peer);
	net->clients++;
	assert_int_equal(quic_client_new(&options, net->now, &peer->conn), 0);
	return peer;
}

struct net_peer *net_connect_pinned(struct net *net) {
	struct quic_trust *trust = net_trust_pin(net);
	struct net_peer *peer = net_connect(net, "relay.test", trust);

	quic_trust_unref(trust);
	return peer;
}

/* --- the network --- */

static bool chance(struct net *net, unsigned permille) {
	return permille > 0 && base_rng_below(&net->rng, 1000) < permille;
}

/* When the last bit is through the bottleneck, or BASE_NEVER when its queue is full. */
static uint64_t through_bottleneck(struct net *net, bool to_server, size_t len) {
	uint64_t *free_at = &net->free_at[to_server];

	if (net->rate == 0)
		return net->now;
	if (*free_at < net->now)
		*free_at = net->now;
	if (*free_at - net->now > net->queue_ns)
		return BASE_NEVER;
	if (*free_at - net->now > net->longest_queue_ns)
		net->longest_queue_ns = *free_at - net->now;
	*free_at += (len + NET_IP_UDP_BYTES) * BASE_SECOND / net->rate;
	return *free_at;
}

static uint64_t over_radio(struct net *net, bool to_server, uint64_t at) {
	if (net->turn_ns > 0)
		at = (at + net->turn_ns - 1) / net->turn_ns * net->turn_ns;
	if (net->jitter_ns > 0)
		at += base_rng_below(&net->rng, net->jitter_ns + 1);
	if ((net->turn_ns > 0 || net->jitter_ns > 0) && at < net->arrival[to_server])
		at = net->arrival[to_server];
	return net->arrival[to_server] = at;
}

static void enqueue(struct net *net, const struct base_path *path, bool to_server, struct net_peer *client,
                    struct slice datagram) {
	uint64_t at = through_bottleneck(net, to_server, datagram.len);
	struct net_packet *packet = malloc(sizeof(*packet) + datagram.len);
	struct net_packet **link = &net->packets;

	assert_non_null(packet);
	if (at == BASE_NEVER) {
		net->lost++;
		free(packet);
		return;
	}
	*packet = (struct net_packet){.at = over_radio(net, to_server, at + net->latency_ns),
	                              .path = *path,
	                              .to_server = to_server,
	                              .client = client,
	                              .len = datagram.len};
	memcpy(packet->bytes, datagram.data, datagram.len);
	if (chance(net, net->reorder_permille))
		packet->at += base_rng_below(&net->rng, 4 * net->latency_ns + 1);
	while (*link != NULL && (*link)->at <= packet->at)
		link = &(*link)->next;
	packet->next = *link;
	*link = packet;
}

static void transmit(struct net *net, const struct base_path *path, bool to_server, struct net_peer *client,
                     struct slice datagram) {
	net->sent++;
	if (datagram.len > net->largest)
		net->largest = datagram.len;
	if (datagram.len + NET_IP_UDP_BYTES > net->mtu) {
		net->too_big++;
		return;
	}
	if (net->cut || chance(net, net->loss_permille)) {
		net->lost++;
		return;
	}
	enqueue(net, path, to_server, client, datagram);
	if (chance(net, net->duplicate_permille))
		enqueue(net, path, to_server, client, datagram);
}

void net_inject(struct net *net, struct base_addr from, struct slice datagram) {
	struct base_path path = {.local = net->server_addr, .remote = from};

	transmit(net, &path, true, NULL, datagram);
}

void net_knock(struct net *net, struct base_addr from) {
	static uint8_t buf[QUIC_BURST_BYTES];
	const struct base_path at_server = {.local = net->server_addr, .remote = from};
	struct quic_trust *trust = net_trust_pin(net);
	const struct quic_client_options options = {
	    .path = {.local = from, .remote = net->server_addr},
	    .server_name = "relay.test",
	    .trust = trust,
	    .events = &net_events,
	};
	struct quic_burst burst;
	struct quic_conn *conn;

	assert_int_equal(quic_client_new(&options, net->now, &conn), 0);
	assert_int_equal(quic_conn_write(conn, buf, sizeof(buf), &burst, net->now), 1);
	quic_server_recv(net->server, &at_server, 0, slice_of(buf, burst.len), net->now);
	quic_conn_free(conn);
	quic_trust_unref(trust);
}

static void split(struct net *net, const struct quic_burst *burst, const uint8_t *buf, const struct base_path *path,
                  bool to_server, struct net_peer *client) {
	unsigned count = 0;

	for (size_t at = 0; at < burst->len; at += burst->segment) {
		size_t len = burst->len - at < burst->segment ? burst->len - at : burst->segment;

		transmit(net, path, to_server, client, slice_of(buf + at, len));
		count++;
	}
	assert_true(count >= 1 && count <= QUIC_BURST_SEGMENTS_MAX);
}

static void from_client(struct net *net, struct net_peer *client, const struct quic_burst *burst, const uint8_t *buf) {
	struct base_path path = {.local = burst->path.remote, .remote = burst->path.local};

	assert_true(base_addr_equal(&burst->path.remote, &net->server_addr));
	if (client->nat.family != BASE_FAMILY_NONE)
		path.remote = client->nat;
	split(net, burst, buf, &path, true, client);
}

static void from_server(struct net *net, const struct quic_burst *burst, const uint8_t *buf) {
	for (size_t i = 0; i < net->clients; i++) {
		struct net_peer *client = &net->client[i];
		const struct base_addr *seen = client->nat.family != BASE_FAMILY_NONE ? &client->nat : &client->local;
		struct base_path path = net_path(net, client);

		if (base_addr_equal(seen, &burst->path.remote)) {
			split(net, burst, buf, &path, false, client);
			return;
		}
	}
}

void net_flush(struct net *net) {
	static uint8_t buf[QUIC_BURST_BYTES];
	struct quic_burst burst;

	while (quic_server_write(net->server, buf, sizeof(buf), &burst, net->now) == 1)
		from_server(net, &burst, buf);
	for (size_t i = 0; i < net->clients; i++) {
		while (net->client[i].conn != NULL &&
		       quic_conn_write(net->client[i].conn, buf, sizeof(buf), &burst, net->now) == 1)
			from_client(net, &net->client[i], &burst, buf);
	}
}

static void deliver(struct net *net) {
	while (net->packets != NULL && net->packets->at <= net->now) {
		struct net_packet *packet = net->packets;
		struct slice bytes = slice_of(packet->bytes, packet->len);

		net->packets = packet->next;
		if (net->cut)
			net->lost++;
		else if (packet->to_server && (net->tap == NULL || net->tap(net, bytes)))
			quic_server_recv(net->server, &packet->path, 0, bytes, net->now);
		else if (!packet->to_server && packet->client->conn != NULL)
			quic_conn_recv(packet->client->conn, &packet->path, 0, bytes, net->now);
		free(packet);
	}
}

static void tick(struct net *net) {
	if (quic_server_deadline(net->server) <= net->now)
		quic_server_tick(net->server, net->now);
	for (size_t i = 0; i < net->clients; i++) {
		struct net_peer *client = &net->client[i];

		if (client->conn != NULL && quic_conn_deadline(client->conn) <= net->now)
			quic_conn_tick(client->conn, net->now);
	}
}

static uint64_t next_event(const struct net *net) {
	uint64_t at = quic_server_deadline(net->server);

	if (net->packets != NULL)
		at = base_time_min(at, net->packets->at);
	for (size_t i = 0; i < net->clients; i++) {
		if (net->client[i].conn != NULL)
			at = base_time_min(at, quic_conn_deadline(net->client[i].conn));
	}
	return at > net->now ? at : net->now;
}

static bool run(struct net *net, bool (*condition)(const struct net *net), uint64_t limit) {
	uint64_t end = net->now + limit;

	for (size_t step = 0; step < STEPS_MAX; step++) {
		uint64_t at;

		net_flush(net);
		if (condition != NULL && condition(net))
			return true;
		at = next_event(net);
		if (at > end) {
			net->now = end;
			return false;
		}
		net->now = at;
		deliver(net);
		tick(net);
	}
	fail_msg("the network does not come to rest");
	return false;
}

void net_run(struct net *net, uint64_t duration) {
	run(net, NULL, duration);
}

bool net_run_until(struct net *net, bool (*condition)(const struct net *net), uint64_t limit) {
	return run(net, condition, limit);
}

bool net_all_connected(const struct net *net) {
	size_t server_ends = 0;

	for (size_t i = 0; i < net->clients; i++) {
		if (net->client[i].done == 0)
			return false;
	}
	for (size_t i = 0; i < net->at_server_count; i++)
		server_ends += net->at_server[i].done;
	return server_ends >= net->clients;
}

bool net_all_closed(const struct net *net) {
	for (size_t i = 0; i < net->clients; i++) {
		if (net->client[i].closed == 0)
			return false;
	}
	for (size_t i = 0; i < net->at_server_count; i++) {
		if (net->at_server[i].closed == 0)
			return false;
	}
	return true;
}

void net_say(struct net_peer *peer, size_t bytes) {
	peer->control_say += bytes;
	say_more(peer);
}

void net_send(struct net_peer *peer, uint32_t count, size_t len) {
	peer->stop_number += count;
	peer->datagram_len = len;
	if (is_at_server(peer))
		quic_server_wake(peer->net->server, peer->conn);
}
