/* Sessions over real QUIC connections to a real quic_server, in memory and virtual time: one millisecond each way. */
#include "link/transport.h"

#include "base/error.h"
#include "quic/internal.h"
#include "tests/link/owner.h"
#include "tests/link/relay.h"
#include "tests/unit.h"

#include <ngtcp2/ngtcp2_crypto.h>
#include <string.h>

#define STEP_NS BASE_MS
#define CLIENTS 2
#define PACKETS_MAX 512

static const struct base_addr relay_addr = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 1}, .port = 443};
static const struct base_addr dead_addr = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, 66}, .port = 443};

struct client {
	struct owner owner; /* first: the session's events get the client as its owner */
	struct base_addr addr;
	struct link_transport *transport;
	struct client_session *session;
	size_t addr_count;
	struct base_addr addrs[3];
	size_t opened;
};

struct packet {
	struct client *client;
	bool to_relay;
	size_t len;
	uint8_t bytes[1500];
};

static struct world {
	struct relay relay;
	struct client client[CLIENTS];
	struct quic_trust *trust;
	uint64_t now;
	bool cut;
	bool no_datagram;   /* connections that begin know no DATAGRAM frames */
	bool refused;       /* somebody answers in the relay's place, in the first packet's keys, which all can know */
	bool initials_only; /* of each datagram from the relay its first packet, if that is an Initial */
	struct packet packets[PACKETS_MAX];
	size_t packet_count;
} world;

static void on_resolve(void *user, uint64_t now) {
	struct client *client = user;

	client_session_addresses(client->session, client->addrs, client->addr_count, now);
}

static int on_opening(void *user, const struct base_addr *remote, uint64_t now) {
	(void)remote;
	(void)now;
	((struct client *)user)->opened++;
	return 0;
}

static int setup(void **state) {
	(void)state;
	memset(&world, 0, sizeof(world));
	world.now = 1000 * BASE_SECOND;
	relay_init(&world.relay);
	world.trust = relay_trust(&world.relay);
	return 0;
}

static int teardown(void **state) {
	(void)state;
	for (size_t i = 0; i < CLIENTS; i++) {
		link_transport_free(world.client[i].transport);
		client_session_free(world.client[i].session);
	}
	quic_trust_unref(world.trust);
	relay_done(&world.relay);
	return 0;
}

static struct client *start(size_t index, const struct client_config *config) {
	struct client *client = &world.client[index];
	struct link_transport_options options = {
	    .server_name = "relay.test",
	    .trust = world.trust,
	    .resolve = on_resolve,
	    .opening = on_opening,
	    .user = client,
	};

	client->addr = (struct base_addr){
	    .family = BASE_FAMILY_V4, .ip = {198, 51, 100, (uint8_t)(index + 1)}, .port = (uint16_t)(5000 + index)};
	if (client->addr_count == 0) {
		client->addrs[0] = relay_addr;
		client->addr_count = 1;
	}
	assert_int_equal(link_transport_new(&options, &client->transport), 0);
	assert_int_equal(
	    client_session_new(config, &link_transport_ops, client->transport, &owner_events, client, &client->session), 0);
	link_transport_attach(client->transport, client->session);
	client_session_start(client->session, world.now);
	return client;
}

static struct client *start_one(void) {
	struct client_config config = owner_config(1);

	return start(0, &config);
}

/* Cuts a burst into the packets that are under way. */
static void send_burst(const uint8_t *bytes, const struct quic_burst *burst, struct client *client, bool to_relay) {
	for (size_t at = 0; at < burst->len; at += burst->segment) {
		struct packet *packet = &world.packets[world.packet_count];

		assert_true(world.packet_count < PACKETS_MAX);
		packet->len = burst->len - at < burst->segment ? burst->len - at : burst->segment;
		assert_true(packet->len <= sizeof(packet->bytes));
		memcpy(packet->bytes, bytes + at, packet->len);
		packet->client = client;
		packet->to_relay = to_relay;
		world.packet_count++;
	}
}

static struct client *client_at(const struct base_addr *addr) {
	for (size_t i = 0; i < CLIENTS; i++) {
		if (base_addr_equal(&world.client[i].addr, addr))
			return &world.client[i];
	}
	return NULL;
}

static void write_everything(void) {
	static uint8_t buf[QUIC_BURST_BYTES];
	struct quic_burst burst;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *client = &world.client[i];

		while (client->transport != NULL &&
		       link_transport_write(client->transport, buf, sizeof(buf), &burst, world.now) > 0) {
			if (base_addr_equal(&burst.path.remote, &relay_addr))
				send_burst(buf, &burst, client, true);
		}
	}
	while (quic_server_write(world.relay.server, buf, sizeof(buf), &burst, world.now) > 0) {
		struct client *client = client_at(&burst.path.remote);

		if (client != NULL)
			send_burst(buf, &burst, client, false);
	}
}

/* The Initial packet at the front of a datagram, or nothing (RFC 9000 section 17.2.2; the relay's have no token). */
static size_t initial_len(const struct packet *packet) {
	const uint8_t *b = packet->bytes;
	size_t at = 5;

	if ((b[0] & 0xf0) != 0xc0)
		return 0;
	at += 1 + (size_t)b[at];
	at += 1 + (size_t)b[at];
	assert_int_equal(b[at], 0);
	at++;
	size_t varint = (size_t)1 << (b[at] >> 6), len = b[at] & 0x3f;
	for (size_t i = 1; i < varint; i++)
		len = len << 8 | b[at + i];
	return at + varint + len;
}

static void refuse(const struct packet *packet) {
	struct base_path at_client = {.local = packet->client->addr, .remote = relay_addr};
	ngtcp2_pkt_hd head;
	uint8_t bytes[1500];
	ngtcp2_ssize len;

	assert_int_equal(ngtcp2_accept(&head, packet->bytes, packet->len), 0);
	len = ngtcp2_crypto_write_connection_close(bytes, sizeof(bytes), head.version, &head.scid, &head.dcid,
	                                           NGTCP2_CRYPTO_ERROR | 40, NULL, 0);
	assert_true(len > 0);
	link_transport_recv(packet->client->transport, &at_client, 0, slice_of(bytes, (size_t)len), world.now);
}

static void deliver(const struct packet *packet) {
	size_t len = world.initials_only && !packet->to_relay ? initial_len(packet) : packet->len;
	struct slice bytes = slice_of(packet->bytes, len);
	struct base_path at_relay = {.local = relay_addr, .remote = packet->client->addr};
	struct base_path at_client = {.local = packet->client->addr, .remote = relay_addr};

	if (packet->to_relay && world.refused)
		refuse(packet);
	else if (packet->to_relay)
		quic_server_recv(world.relay.server, &at_relay, 0, bytes, world.now);
	else
		link_transport_recv(packet->client->transport, &at_client, 0, bytes, world.now);
}

static void step(void) {
	static struct packet under_way[PACKETS_MAX];
	size_t count;

	write_everything();
	count = world.packet_count;
	memcpy(under_way, world.packets, count * sizeof(under_way[0]));
	world.packet_count = 0;
	world.now += STEP_NS;
	for (size_t i = 0; i < count && !world.cut; i++)
		deliver(&under_way[i]);
	if (quic_server_deadline(world.relay.server) <= world.now)
		quic_server_tick(world.relay.server, world.now);
	for (size_t i = 0; i < CLIENTS; i++) {
		if (world.client[i].transport != NULL && link_transport_deadline(world.client[i].transport) <= world.now)
			link_transport_tick(world.client[i].transport, world.now);
	}
}

static void run(uint64_t ns) {
	for (uint64_t end = world.now + ns; world.now < end;)
		step();
}

static bool run_until_state(const struct client *client, enum client_state state, uint64_t limit) {
	for (uint64_t end = world.now + limit; world.now < end; step()) {
		if (client_session_state(client->session) == state)
			return true;
	}
	return false;
}

static void test_joins_and_measures(void **state) {
	struct client *client = start_one();
	struct obs_diagnostics diagnostics;

	(void)state;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	assert_int_equal(client->owner.joins, 1);
	assert_int_equal(client->owner.welcome.mtu, 1300);
	assert_int_equal(client->opened, 1);
	/* No path limit here: discovery must have gone beyond the first 1200 bytes before the hello. */
	assert_true(world.relay.hello.budget > 1400);
	assert_memory_equal(world.relay.hello.seat_key, owner_config(1).seat_key, CTRL_SEAT_KEY_BYTES);
	client_session_diagnostics(client->session, &diagnostics);
	assert_int_equal(diagnostics.datagram_budget, world.relay.hello.budget);
	assert_in_range(diagnostics.rtt_ns, 2 * STEP_NS, 10 * STEP_NS);
	run(25 * BASE_SECOND); /* keep-alive holds it, stats arrive */
	assert_int_equal(client_session_state(client->session), CLIENT_JOINED);
	assert_int_equal(world.relay.stats, 2);
}

static void test_frames_between_two(void **state) {
	struct client_config first = owner_config(1), second = owner_config(2);
	struct client *a = start(0, &first), *b = start(1, &second);
	uint8_t buf[1314];

	(void)state;
	assert_true(run_until_state(a, CLIENT_JOINED, 5 * BASE_SECOND));
	assert_true(run_until_state(b, CLIENT_JOINED, 5 * BASE_SECOND));
	run(50 * BASE_MS);
	assert_int_equal(a->owner.peers_joined, 1);
	assert_int_equal(b->owner.peers_joined, 1);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(client_session_send(a->session, owner_frame(buf, 2, 1, 1314), world.now), 0);
	assert_int_equal(client_session_send(b->session, owner_frame(buf, 1, 2, 60), world.now), 0);
	run(500 * BASE_MS);
	assert_int_equal(b->owner.frames, 20);
	assert_int_equal(b->owner.frame_len, 1314);
	assert_memory_equal(b->owner.frame, owner_frame(buf, 2, 1, 1314).data, 1314);
	assert_int_equal(b->owner.frame_source, a->owner.welcome.peer_id);
	assert_int_equal(a->owner.frames, 1);
	assert_int_equal(client_session_counters(a->session)->value[OBS_TUNNEL_TX_DATAGRAMS], 20);
	assert_int_equal(client_session_counters(b->session)->value[OBS_TUNNEL_RX_DATAGRAMS], 20);
	assert_int_equal(obs_drops_total(client_session_counters(a->session)), 0);
}

static void test_rejected(void **state) {
	struct ctrl_reject reject = {.code = CTRL_REJECT_VERSION, .text = "too old"};
	struct client *client;

	(void)state;
	world.relay.reject = &reject;
	client = start_one();
	assert_true(run_until_state(client, CLIENT_FAILED, 5 * BASE_SECOND));
	assert_int_equal(client->owner.status, CLIENT_EXIT_REJECTED);
	assert_non_null(strstr(client->owner.why, "too old"));
	run(100 * BASE_MS);
	assert_int_equal(world.relay.closed, 1); /* the relay heard our close */
	assert_int_equal(world.relay.why.kind, QUIC_CLOSED_BY_PEER);
	assert_int_equal(world.relay.why.code, QUIC_APP_DONE);
}

static void test_full_room_is_tried_again(void **state) {
	struct ctrl_reject reject = {.code = CTRL_REJECT_ROOM_FULL};
	struct client *client;

	(void)state;
	world.relay.reject = &reject;
	client = start_one();
	assert_true(run_until_state(client, CLIENT_WAITING, 5 * BASE_SECOND));
	world.relay.reject = NULL;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	assert_int_equal(world.relay.hellos, 2);
}

static void test_certificate_not_trusted(void **state) {
	struct client *client;

	(void)state;
	relay_restart(&world.relay, true);
	client = start_one();
	assert_true(run_until_state(client, CLIENT_FAILED, 5 * BASE_SECOND));
	assert_int_equal(client->owner.status, CLIENT_EXIT_TLS);
	assert_int_equal(world.relay.hellos, 0);
}

/* The linker puts this in front of what a new connection says of itself. */
void __real_quic_settings_to_ng(const struct quic_settings *settings, uint64_t now, ngtcp2_settings *ret,
                                ngtcp2_transport_params *ret_params);
void __wrap_quic_settings_to_ng(const struct quic_settings *settings, uint64_t now, ngtcp2_settings *ret,
                                ngtcp2_transport_params *ret_params);
void __wrap_quic_settings_to_ng(const struct quic_settings *settings, uint64_t now, ngtcp2_settings *ret,
                                ngtcp2_transport_params *ret_params) {
	__real_quic_settings_to_ng(settings, now, ret, ret_params);
	if (world.no_datagram)
		ret_params->max_datagram_frame_size = 0;
}

static void test_relay_without_datagrams(void **state) {
	struct client *client = start_one();

	(void)state;
	world.no_datagram = true;
	assert_true(run_until_state(client, CLIENT_FAILED, 5 * BASE_SECOND));
	assert_int_equal(client->owner.status, CLIENT_EXIT_NO_DATAGRAM);
	assert_string_equal(client->owner.why, "the relay does not support QUIC DATAGRAM frames");
	assert_int_equal(world.relay.hellos, 0);
}

/* Whoever sees the handshake begin can forge the answer that it is refused. */
static void test_refusal_is_tried_again(void **state) {
	struct client *client;

	(void)state;
	world.refused = true;
	client = start_one();
	assert_true(run_until_state(client, CLIENT_WAITING, 5 * BASE_SECOND));
	world.refused = false;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
}

static void test_relay_restarts(void **state) {
	struct client *client = start_one();

	(void)state;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	run(6 * BASE_SECOND);
	relay_restart(&world.relay, false);
	/* The keep-alive meets a relay that knows nothing and says so: no waiting for the idle timeout. */
	assert_true(run_until_state(client, CLIENT_WAITING, 10 * BASE_SECOND));
	assert_int_equal(client->owner.losses, 1);
	assert_string_equal(client->owner.why, "the relay no longer knows this connection (was it started again?)");
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	assert_int_equal(client->owner.joins, 2);
	assert_memory_equal(world.relay.hello.seat_key, owner_config(1).seat_key, CTRL_SEAT_KEY_BYTES);
}

static void test_relay_comes_back_with_another_certificate(void **state) {
	struct client *client = start_one();

	(void)state;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	relay_restart(&world.relay, true);
	run(60 * BASE_SECOND);
	assert_int_equal(client->owner.losses, 1);
	assert_int_equal(client->owner.ends, 0);
	assert_true(client->opened >= 4); /* it goes on trying */
	assert_int_equal(world.relay.hellos, 1);
}

static void test_network_goes_away(void **state) {
	struct client *client = start_one();
	uint8_t buf[100];

	(void)state;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	run(6 * BASE_SECOND);
	world.cut = true;
	assert_int_equal(client_session_send(client->session, owner_frame(buf, 2, 1, 100), world.now), 0);
	run(40 * BASE_SECOND);
	assert_int_equal(client->owner.losses, 1);
	assert_string_equal(client->owner.why, "nothing was heard from the relay any more");
	assert_int_not_equal(client_session_state(client->session), CLIENT_JOINED);
	world.cut = false;
	assert_true(run_until_state(client, CLIENT_JOINED, 30 * BASE_SECOND));
}

/* Another source address, as after a DHCP change or a NAT that forgot us: the connection goes on, nobody is lost. */
static void test_local_address_changes(void **state) {
	struct client *client;
	uint8_t buf[100];

	(void)state;
	world.relay.echo = true;
	client = start_one();
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	run(BASE_SECOND);
	client->addr = (struct base_addr){.family = BASE_FAMILY_V4, .ip = {203, 0, 113, 9}, .port = 6000};
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(client_session_send(client->session, owner_frame(buf, 9, 1, 100), world.now), 0);
		run(50 * BASE_MS);
	}
	assert_true(client->owner.frames >= 18);
	run(30 * BASE_SECOND);
	assert_int_equal(client_session_state(client->session), CLIENT_JOINED);
	assert_int_equal(client->owner.losses, 0);
	assert_int_equal(world.relay.hellos, 1);
}

static void test_dead_address_first(void **state) {
	uint64_t started = world.now;
	struct client *client = &world.client[0];

	(void)state;
	client->addrs[0] = dead_addr;
	client->addrs[1] = relay_addr;
	client->addr_count = 2;
	start_one();
	assert_true(run_until_state(client, CLIENT_JOINED, 10 * BASE_SECOND));
	assert_int_equal(client->opened, 2);
	assert_in_range(world.now - started, 2 * BASE_SECOND, 4 * BASE_SECOND);
}

static void test_nobody_answers(void **state) {
	struct client_config config = owner_config(1);
	struct client *client;

	(void)state;
	world.cut = true;
	config.retry = false;
	client = start(0, &config);
	assert_true(run_until_state(client, CLIENT_FAILED, 11 * BASE_SECOND));
	assert_int_equal(client->owner.status, CLIENT_EXIT_UNREACHABLE);
	assert_string_equal(client->owner.why, "the relay does not answer");
}

/* Then there is a relay, and its address is right: another trouble, which is not to be sought at the address. */
static void test_handshake_is_not_finished(void **state) {
	struct client_config config = owner_config(1);
	struct client *client;

	(void)state;
	world.initials_only = true;
	config.retry = false;
	client = start(0, &config);
	assert_true(run_until_state(client, CLIENT_FAILED, 11 * BASE_SECOND));
	assert_int_equal(client->owner.status, CLIENT_EXIT_UNREACHABLE);
	assert_string_equal(client->owner.why, "the handshake was not finished in time");
}

static void test_hello_is_not_answered(void **state) {
	struct client *client;

	(void)state;
	world.relay.silent = true;
	client = start_one();
	assert_true(run_until_state(client, CLIENT_WAITING, 10 * BASE_SECOND));
	assert_int_equal(world.relay.hellos, 1);
	world.relay.silent = false;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	assert_int_equal(world.relay.closed, 1);
}

/* --max-connections, --max-connections-per-address: a refusal, for which there is an exit status. */
static void test_relay_is_full(void **state) {
	struct client_config config = owner_config(1);
	struct client *client;

	(void)state;
	world.relay.connections_max = 1;
	relay_restart(&world.relay, false);
	assert_true(run_until_state(start_one(), CLIENT_JOINED, 5 * BASE_SECOND));
	config.retry = false;
	client = start(1, &config);
	assert_true(run_until_state(client, CLIENT_FAILED, BASE_SECOND));
	assert_int_equal(client->owner.status, CLIENT_EXIT_REJECTED);
	assert_string_equal(client->owner.why, "the relay takes no more connections, or no more from this address");
}

/* The code alone does not say that: it is that of a flood of control messages, too. */
static void test_limit_after_the_join(void **state) {
	struct client_config config = owner_config(1);
	struct client *client;

	(void)state;
	config.retry = false;
	client = start(0, &config);
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	relay_close_all(&world.relay, QUIC_APP_LIMIT, world.now);
	assert_true(run_until_state(client, CLIENT_FAILED, 100 * BASE_MS));
	assert_int_equal(client->owner.status, CLIENT_EXIT_FAILURE);
	assert_null(strstr(client->owner.why, "no more connections"));
}

static void test_closed_by_the_relay(void **state) {
	static const struct {
		enum quic_app_code code;
		enum client_state then;
	} cases[] = {{QUIC_APP_SHUTDOWN, CLIENT_WAITING},
	             {QUIC_APP_PATH, CLIENT_WAITING},
	             {QUIC_APP_LIMIT, CLIENT_WAITING},
	             {QUIC_APP_REPLACED, CLIENT_FAILED}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct client *client;

		teardown(state);
		setup(state);
		client = start_one();
		assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
		relay_close_all(&world.relay, cases[i].code, world.now);
		assert_true(run_until_state(client, cases[i].then, 100 * BASE_MS));
		assert_int_equal(client->owner.losses, 1);
	}
	/* The last one: what a person can do about it. */
	assert_int_equal(world.client[0].owner.status, CLIENT_EXIT_REJECTED);
	assert_non_null(strstr(world.client[0].owner.why, "another process with this identity took the seat"));
}

static void test_protocol_error_is_told_to_the_relay(void **state) {
	struct ctrl_message message = {.type = CTRL_PEER_LEFT, .peer_left = {.reason = CTRL_LEAVE_QUIT}};
	struct client *client = start_one();

	(void)state;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	message.peer_left.peer_id = client->owner.welcome.peer_id;
	relay_say(&world.relay, &message);
	assert_true(run_until_state(client, CLIENT_WAITING, 100 * BASE_MS));
	run(20 * BASE_MS);
	assert_int_equal(world.relay.closed, 1);
	assert_int_equal(world.relay.why.code, QUIC_APP_PROTOCOL);
	assert_non_null(strstr(world.relay.why.text, "peer_left.peer_id"));
}

static void test_leaves(void **state) {
	struct client *client = start_one();

	(void)state;
	assert_true(run_until_state(client, CLIENT_JOINED, 5 * BASE_SECOND));
	client_session_leave(client->session, CTRL_LEAVE_QUIT, world.now);
	assert_true(run_until_state(client, CLIENT_CLOSED, 300 * BASE_MS));
	assert_int_equal(client->owner.status, CLIENT_EXIT_OK);
	run(20 * BASE_MS);
	assert_int_equal(world.relay.disconnects, 1);
	assert_int_equal(world.relay.reason, CTRL_LEAVE_QUIT);
	assert_int_equal(world.relay.closed, 1);
	assert_int_equal(world.relay.why.code, QUIC_APP_DONE);
	assert_true(link_transport_deadline(client->transport) == BASE_NEVER);
}

static void test_without_a_connection(void **state) {
	struct link_transport_options options = {.trust = world.trust};
	struct link_transport *transport = NULL;
	struct quic_burst burst;
	uint8_t buf[2000];

	(void)state;
	assert_int_equal(link_transport_new(&options, &transport), 0);
	assert_int_equal(link_transport_ops.budget(transport), 0);
	assert_int_equal(link_transport_ops.rtt_ns(transport), 0);
	assert_false(link_transport_ops.budget_settled(transport, world.now));
	assert_int_equal(link_transport_ops.control_send(transport, slice_of("x", 1), world.now), BASE_E_STATE);
	link_transport_ops.close(transport, 0, "", world.now);
	assert_int_equal(link_transport_write(transport, buf, sizeof(buf), &burst, world.now), 0);
	link_transport_tick(transport, world.now);
	link_transport_free(transport);
	link_transport_free(NULL);
}

static int global_setup(void **state) {
	(void)state;
	return quic_global_init();
}

static int global_teardown(void **state) {
	(void)state;
	quic_global_done();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_joins_and_measures),
	    TEST(test_frames_between_two),
	    TEST(test_rejected),
	    TEST(test_full_room_is_tried_again),
	    TEST(test_certificate_not_trusted),
	    TEST(test_relay_without_datagrams),
	    TEST(test_refusal_is_tried_again),
	    TEST(test_relay_restarts),
	    TEST(test_relay_comes_back_with_another_certificate),
	    TEST(test_network_goes_away),
	    TEST(test_dead_address_first),
	    TEST(test_local_address_changes),
	    TEST(test_nobody_answers),
	    TEST(test_handshake_is_not_finished),
	    TEST(test_hello_is_not_answered),
	    TEST(test_relay_is_full),
	    TEST(test_limit_after_the_join),
	    TEST(test_closed_by_the_relay),
	    TEST(test_protocol_error_is_told_to_the_relay),
	    TEST(test_leaves),
	    TEST(test_without_a_connection),
	};

	return cmocka_run_group_tests_name("link/transport", tests, global_setup, global_teardown);
}
