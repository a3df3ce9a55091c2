/* The driver on real sockets: loopback, a relay in the same process on a loop of its own. */
#include "link/driver.h"

#include "base/error.h"
#include "link/transport.h"
#include "tests/link/owner.h"
#include "tests/link/relay.h"
#include "tests/unit.h"
#include "udp/udp.h"

#include <stdio.h>
#include <string.h>

#define LIMIT_NS (8 * BASE_SECOND)

/* The relay's side: a socket, quic_server, a timer. */
struct site {
	struct relay relay;
	struct loop *loop;
	struct udp_socket *socket;
	struct loop_source source;
	struct loop_timer timer;
	bool deaf;
};

/* The driver's socket fails or is full on demand, and it is known when it is closed: the driver under test calls these
 * for the functions of their names (meson.build). */
static bool socket_breaks, socket_keeps_breaking, socket_full, reading;
static size_t sockets_broken, sockets_closed, closed_while_reading;
int fake_udp_recv(struct udp_socket *socket, struct udp_chunk chunks[static UDP_RX_CHUNKS_MAX]);
size_t fake_udp_send(struct udp_socket *socket, const struct udp_burst *bursts, size_t count);
void fake_udp_close(struct udp_socket *socket);
void fake_link_transport_recv(struct link_transport *transport, const struct base_path *path, uint8_t ecn,
                              struct slice datagram, uint64_t now);

static struct site site;
static struct loop *loop;
static struct owner owner;
static struct link_driver *driver;
static struct quic_trust *trust;
static size_t turns, connects, connects_refused;
static struct base_addr connected_to;

int fake_udp_recv(struct udp_socket *socket, struct udp_chunk chunks[static UDP_RX_CHUNKS_MAX]) {
	if (!socket_breaks && !socket_keeps_breaking)
		return udp_recv(socket, chunks);
	socket_breaks = false;
	sockets_broken++;
	return BASE_E_IO;
}

size_t fake_udp_send(struct udp_socket *socket, const struct udp_burst *bursts, size_t count) {
	return socket_full ? 0 : udp_send(socket, bursts, count);
}

void fake_udp_close(struct udp_socket *socket) {
	sockets_closed += socket != NULL ? 1 : 0;
	closed_while_reading += socket != NULL && reading ? 1 : 0;
	udp_close(socket);
}

void fake_link_transport_recv(struct link_transport *transport, const struct base_path *path, uint8_t ecn,
                              struct slice datagram, uint64_t now) {
	reading = true;
	link_transport_recv(transport, path, ecn, datagram, now);
	reading = false;
}

static void on_readable(void *user, unsigned events, uint64_t now) {
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];
	int count = udp_recv(site.socket, chunks);

	(void)user;
	(void)events;
	assert_true(count >= 0);
	for (int i = 0; i < count && !site.deaf; i++) {
		for (size_t at = 0; at < chunks[i].bytes.len; at += chunks[i].segment) {
			size_t left = chunks[i].bytes.len - at;

			quic_server_recv(site.relay.server, &chunks[i].path, chunks[i].ecn,
			                 slice_of(chunks[i].bytes.data + at, left < chunks[i].segment ? left : chunks[i].segment),
			                 now);
		}
	}
}

static void on_site_timer(void *user, uint64_t now) {
	(void)user;
	quic_server_tick(site.relay.server, now);
}

static void on_site_turn_end(void *user, uint64_t now) {
	static uint8_t buf[QUIC_BURST_BYTES];
	struct quic_burst written;

	(void)user;
	while (quic_server_write(site.relay.server, buf, sizeof(buf), &written, now) > 0) {
		struct udp_burst burst = {
		    .path = written.path,
		    .ecn = written.ecn,
		    .segment = written.segment,
		    .bytes = slice_of(buf, written.len),
		};

		udp_send(site.socket, &burst, 1);
	}
	loop_timer_set(site.loop, &site.timer, quic_server_deadline(site.relay.server));
}

static void site_start(void) {
	struct udp_options options = {
	    .local = {.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}},
	    .local_addr_in_path = true,
	};

	memset(&site, 0, sizeof(site));
	relay_init(&site.relay);
	site.loop = loop_new();
	assert_non_null(site.loop);
	assert_int_equal(udp_open(&options, &site.socket), 0);
	site.source.ready = on_readable;
	assert_int_equal(loop_add(site.loop, &site.source, udp_fd(site.socket), LOOP_READ), 0);
	loop_timer_init(&site.timer, on_site_timer, NULL);
	loop_set_after(site.loop, on_site_turn_end, NULL);
}

static void site_stop(void) {
	loop_remove(site.loop, &site.source);
	loop_timer_set(site.loop, &site.timer, BASE_NEVER);
	udp_close(site.socket);
	loop_free(site.loop);
	relay_done(&site.relay);
}

static void after_turn(void *user, uint64_t now) {
	(void)user;
	(void)now;
	turns++;
}

static int connecting(void *user, const struct base_addr *relay, uint64_t now) {
	(void)user;
	(void)now;
	connects++;
	connected_to = *relay;
	return connects <= connects_refused ? BASE_E_UNREACHABLE : 0;
}

static int setup(void **state) {
	(void)state;
	site_start();
	loop = loop_new();
	assert_non_null(loop);
	trust = relay_trust(&site.relay);
	memset(&owner, 0, sizeof(owner));
	turns = connects = connects_refused = sockets_broken = sockets_closed = closed_while_reading = 0;
	socket_breaks = socket_keeps_breaking = socket_full = false;
	return 0;
}

static int teardown(void **state) {
	(void)state;
	link_driver_free(driver);
	driver = NULL;
	quic_trust_unref(trust);
	loop_free(loop);
	site_stop();
	return 0;
}

static void start_driver(const char *host) {
	char text[NET_HOST_BYTES_MAX + 8], error[NET_ERROR_BYTES] = "";
	struct link_driver_options options = {
	    .loop = loop,
	    .transport = {.server_name = "relay.test", .trust = trust},
	    .session = owner_config(1),
	    .events = &owner_events,
	    .user = &owner,
	    .after_turn = after_turn,
	    .connecting = connecting,
	};

	snprintf(text, sizeof(text), "%s:%u", host, udp_local(site.socket).port);
	if (net_endpoint_parse(text, &options.relay, error) != 0)
		fail_msg("%s: %s", text, error);
	assert_int_equal(link_driver_new(&options, &driver), 0);
	assert_int_equal(client_session_state(link_driver_session(driver)), CLIENT_IDLE);
	link_driver_start(driver, loop_now(loop));
}

static void turn(void) {
	assert_int_equal(loop_run_once(loop, BASE_MS / 2), 0);
	assert_int_equal(loop_run_once(site.loop, BASE_MS / 2), 0);
}

static bool run_until_state(enum client_state state) {
	for (uint64_t end = loop_now(loop) + LIMIT_NS; loop_now(loop) < end; turn()) {
		if (client_session_state(link_driver_session(driver)) == state)
			return true;
	}
	return false;
}

static bool run_until_count(const size_t *counter, size_t count) {
	for (uint64_t end = loop_now(loop) + LIMIT_NS; loop_now(loop) < end; turn()) {
		if (*counter >= count)
			return true;
	}
	return false;
}

static void test_joins_echoes_leaves(void **state) {
	uint8_t buf[1314];

	(void)state;
	site.relay.echo = true;
	start_driver("127.0.0.1");
	assert_true(run_until_state(CLIENT_JOINED));
	assert_int_equal(owner.joins, 1);
	assert_int_equal(connects, 1);
	assert_int_equal(connected_to.port, udp_local(site.socket).port);
	assert_true(turns > 0);
	/* In portions, because the test relay has a short queue. */
	for (size_t i = 0; i < 10; i++) {
		for (size_t j = 0; j < 20; j++)
			assert_int_equal(
			    client_session_send(link_driver_session(driver), owner_frame(buf, 9, 1, 1314), loop_now(loop)), 0);
		assert_true(run_until_count(&owner.frames, (i + 1) * 20));
	}
	assert_int_equal(owner.frame_source, RELAY_GATEWAY_ID);
	assert_memory_equal(owner.frame, owner_frame(buf, 9, 1, 1314).data, 1314);
	assert_false(link_driver_congested(driver));
	client_session_leave(link_driver_session(driver), CTRL_LEAVE_QUIT, loop_now(loop));
	assert_true(run_until_count(&site.relay.closed, 1));
	assert_int_equal(site.relay.disconnects, 1);
	assert_int_equal(owner.status, CLIENT_EXIT_OK);
	assert_int_equal(owner.ends, 1);
}

static void send_frames(size_t count) {
	uint8_t buf[200];

	for (size_t i = 0; i < count; i++)
		assert_int_equal(
		    client_session_send(link_driver_session(driver), owner_frame(buf, 9, 1, sizeof(buf)), loop_now(loop)), 0);
}

/* A new socket has another port: the relay follows, the session does not notice. */
static void test_broken_socket_is_replaced(void **state) {
	(void)state;
	site.relay.echo = true;
	start_driver("127.0.0.1");
	assert_true(run_until_state(CLIENT_JOINED));
	socket_breaks = true;
	send_frames(1);
	assert_true(run_until_count(&sockets_broken, 1));
	owner.frames = 0;
	for (size_t i = 0; i < 10; i++) {
		send_frames(2);
		turn();
	}
	assert_true(run_until_count(&owner.frames, 10));
	assert_int_equal(client_session_state(link_driver_session(driver)), CLIENT_JOINED);
	assert_int_equal(owner.losses, 0);
}

/* One that breaks whenever it is read is opened anew once a second, and not in each turn. */
static void test_socket_that_keeps_breaking(void **state) {
	(void)state;
	site.relay.echo = true;
	start_driver("127.0.0.1");
	assert_true(run_until_state(CLIENT_JOINED));
	socket_keeps_breaking = true;
	for (uint64_t end = loop_now(loop) + 1500 * BASE_MS; loop_now(loop) < end; turn())
		send_frames(1);
	assert_in_range(sockets_broken, 2, 4);
	socket_keeps_breaking = false;
	owner.frames = 0;
	for (uint64_t end = loop_now(loop) + LIMIT_NS; owner.frames == 0 && loop_now(loop) < end; turn())
		send_frames(1);
	assert_true(owner.frames > 0);
	assert_int_equal(owner.losses, 0);
}

static void test_full_socket_is_waited_for(void **state) {
	(void)state;
	site.relay.echo = true;
	start_driver("127.0.0.1");
	assert_true(run_until_state(CLIENT_JOINED));
	for (size_t i = 0; i < 20; i++)
		turn();
	socket_full = true;
	send_frames(5);
	turn();
	assert_true(link_driver_congested(driver));
	for (size_t i = 0; i < 20; i++)
		turn();
	assert_true(link_driver_congested(driver));
	assert_int_equal(owner.frames, 0);
	socket_full = false;
	turn();
	assert_false(link_driver_congested(driver));
	assert_true(run_until_count(&owner.frames, 5));
}

/* A name goes through the resolver; "localhost" may be ::1 first, where nobody listens, so the family changes too. */
static void test_resolves_a_name(void **state) {
	(void)state;
	start_driver("localhost");
	assert_true(run_until_state(CLIENT_JOINED));
	assert_int_equal(connected_to.family, BASE_FAMILY_V4);
	assert_int_equal(connected_to.ip[0], 127);
}

/* The owner knows that no way leads there: nothing is waited for, and it is asked again in the next round. */
static void test_owner_refuses_an_address(void **state) {
	(void)state;
	connects_refused = 2;
	start_driver("127.0.0.1");
	assert_int_equal(client_session_state(link_driver_session(driver)), CLIENT_WAITING);
	assert_true(run_until_state(CLIENT_JOINED));
	assert_int_equal(connects, 3);
}

/* The relay's answer leads to an address of the other family, and so to another socket, while the datagram that it came
 * in is still being read. */
static void test_another_family_while_reading(void **state) {
	struct ctrl_reject narrow = {.code = CTRL_REJECT_MTU};
	struct base_addr addrs[2] = {{.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}},
	                             {.family = BASE_FAMILY_V6, .ip = {[15] = 1}}};

	(void)state;
	addrs[0].port = addrs[1].port = udp_local(site.socket).port;
	site.relay.reject = &narrow;
	start_driver("localhost");
	client_session_addresses(link_driver_session(driver), addrs, 2, loop_now(loop));
	sockets_closed = 0;
	assert_true(run_until_count(&connects, 2));
	assert_int_equal(connected_to.family, BASE_FAMILY_V6);
	assert_int_equal(sockets_closed, 1);
	assert_int_equal(closed_while_reading, 0);
}

static void test_relay_restarts(void **state) {
	(void)state;
	start_driver("127.0.0.1");
	assert_true(run_until_state(CLIENT_JOINED));
	relay_close_all(&site.relay, QUIC_APP_SHUTDOWN, loop_now(loop));
	assert_true(run_until_state(CLIENT_WAITING));
	relay_restart(&site.relay, false);
	assert_true(run_until_state(CLIENT_JOINED));
	assert_int_equal(owner.losses, 1);
	assert_int_equal(owner.joins, 2);
	assert_int_equal(connects, 2);
}

/* Leaving outside of any turn must not wait for a timer that was set before. */
static void test_leaves_at_once(void **state) {
	uint64_t started;

	(void)state;
	start_driver("127.0.0.1");
	assert_true(run_until_state(CLIENT_JOINED));
	started = loop_now(loop);
	client_session_leave(link_driver_session(driver), CTRL_LEAVE_QUIT, started);
	assert_int_equal(loop_run_once(loop, 5 * BASE_SECOND), 0);
	assert_true(loop_now(loop) - started < 200 * BASE_MS);
	assert_true(run_until_state(CLIENT_CLOSED));
}

static void test_ends_while_nobody_answers(void **state) {
	(void)state;
	site.deaf = true;
	start_driver("127.0.0.1");
	for (size_t i = 0; i < 20; i++)
		turn();
	assert_int_equal(client_session_state(link_driver_session(driver)), CLIENT_CONNECTING);
	client_session_leave(link_driver_session(driver), CTRL_LEAVE_QUIT, loop_now(loop));
	assert_int_equal(owner.ends, 1);
	turn();
}

/* Freed in the middle of a look-up and of a connection. */
static void test_free_at_any_time(void **state) {
	(void)state;
	start_driver("localhost");
	link_driver_free(driver);
	start_driver("127.0.0.1");
	turn();
	link_driver_free(driver);
	driver = NULL;
	link_driver_free(NULL);
	turn();
}

static void test_refuses_bad_config(void **state) {
	struct link_driver_options options = {
	    .loop = loop,
	    .relay = {.is_literal = true, .addr = {.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}, .port = 1}},
	    .transport = {.trust = trust},
	    .session = owner_config(1),
	    .events = &owner_events,
	};

	(void)state;
	options.session.room[0] = '\0';
	assert_int_equal(link_driver_new(&options, &driver), BASE_E_INVALID);
	assert_null(driver);
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
	    TEST(test_broken_socket_is_replaced),
	    TEST(test_socket_that_keeps_breaking),
	    TEST(test_full_socket_is_waited_for),
	    TEST(test_joins_echoes_leaves),
	    TEST(test_resolves_a_name),
	    TEST(test_owner_refuses_an_address),
	    TEST(test_another_family_while_reading),
	    TEST(test_relay_restarts),
	    TEST(test_leaves_at_once),
	    TEST(test_free_at_any_time),
	    TEST(test_refuses_bad_config),
	    TEST(test_ends_while_nobody_answers),
	};

	return cmocka_run_group_tests_name("link/driver", tests, global_setup, global_teardown);
}
