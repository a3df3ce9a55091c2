/* Paths that become narrower: by the rules, and end to end. */
#include "quic/internal.h"

#include "net.h"

#include <string.h>

/* --- the rules --- */

struct step {
	unsigned at_ms;
	size_t lost, acked; /* lengths; 0: nothing */
};

static const struct {
	const char *label;
	struct step steps[12];
	unsigned narrow_at_ms; /* 0: never */
} cases[] = {
    {"one a second",
     {{1, 1300, 0},
      {1000, 1300, 0},
      {2000, 1300, 0},
      {3000, 1300, 0},
      {4000, 1300, 0},
      {5000, 1300, 0},
      {6000, 1300, 0},
      {7000, 1300, 0}},
     7000},
    {"one of them came through",
     {{1, 1300, 0},
      {1000, 1300, 0},
      {2000, 1300, 0},
      {3000, 1300, 0},
      {4000, 0, 1300},
      {5000, 1300, 0},
      {6000, 1300, 0},
      {7000, 1300, 0},
      {8000, 1300, 0}},
     0},
    {"shorter ones come through",
     {{1, 1300, 1200},
      {1000, 1400, 1299},
      {2000, 1300, 1200},
      {3000, 1300, 1200},
      {4000, 1300, 1200},
      {5000, 1300, 1200},
      {6000, 1300, 1200},
      {7000, 1300, 1200}},
     7000},
    {"one as long as the shortest of them does",
     {{1, 1400, 0},
      {1000, 1300, 0},
      {2000, 1400, 0},
      {3000, 1400, 0},
      {4000, 1400, 1350},
      {5000, 1400, 0},
      {6000, 1400, 0},
      {7000, 1400, 0}},
     0},
    {"all in between did",
     {{1, 1400, 1300},
      {600000, 1400, 1300},
      {1200000, 1400, 1300},
      {1800000, 1300, 0},
      {1800001, 1300, 0},
      {1800002, 1300, 0},
      {1800003, 1300, 0},
      {1800004, 1300, 0}},
     0},
    {"too few", {{1, 1300, 0}, {5000, 1300, 0}, {10000, 1300, 0}, {15000, 1300, 0}, {20000, 1300, 0}}, 0},
    {"too soon",
     {{1, 1300, 0},
      {600, 1300, 0},
      {1200, 1300, 0},
      {1800, 1300, 0},
      {2400, 1300, 0},
      {3000, 1300, 0},
      {3600, 1300, 0},
      {4200, 1300, 0},
      {5000, 1300, 0}},
     0},
    {"too few moments",
     {{1, 1300, 0},
      {100, 1300, 0},
      {200, 1300, 0},
      {300, 1300, 0},
      {400, 1300, 0},
      {499, 1300, 0},
      {5000, 1300, 0},
      {5400, 1300, 0},
      {8000, 1300, 0},
      {8499, 1300, 0}},
     0},
    {"a transfer that retries ever later",
     {{1, 1300, 0},
      {1, 1300, 0},
      {1, 1300, 0},
      {1, 1300, 0},
      {1, 1300, 0},
      {200, 1300, 0},
      {600, 1300, 0},
      {1400, 1300, 0},
      {3000, 1300, 0},
      {6200, 1300, 0}},
     6200},
};

static void test_rules(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct quic_narrowing narrowing = {0};
		unsigned narrow_at = 0;

		quic_narrowing_acked(&narrowing, 1300); /* before anything was lost */
		for (const struct step *step = cases[i].steps; step->at_ms > 0 && narrow_at == 0; step++) {
			if (step->lost > 0 && quic_narrowing_lost(&narrowing, step->lost, NET_START + step->at_ms * BASE_MS))
				narrow_at = step->at_ms;
			if (step->acked > 0)
				quic_narrowing_acked(&narrowing, step->acked);
		}
		unit_assert_int(narrow_at, cases[i].narrow_at_ms, cases[i].label);
	}
}

/* --- end to end --- */

static void connect_wide(struct net *net) {
	net_init(net);
	net_connect_pinned(net);
	assert_true(net_run_until(net, net_all_connected, 2 * BASE_SECOND));
	net_run(net, 3 * BASE_SECOND);
	assert_int_equal(quic_conn_datagram_budget(net->client[0].conn), 1440);
	assert_int_equal(quic_conn_datagram_budget(net->at_server[0].conn), 1440);
}

/* `large` of those that come next, then a small one, every 200 ms until the connection ends or the time is up. */
static void play(struct net *net, struct net_peer *peer, unsigned large, size_t len, uint64_t duration) {
	for (uint64_t end = net->now + duration; net->now < end && peer->closed == 0;) {
		net_send(peer, large, len);
		net_run(net, 100 * BASE_MS);
		if (peer->closed == 0)
			net_send(peer, 1, 100);
		net_run(net, 100 * BASE_MS);
	}
}

static void play_narrow(bool of_server) {
	struct net net;
	struct net_peer *loser, *other;

	connect_wide(&net);
	loser = of_server ? &net.at_server[0] : &net.client[0];
	other = of_server ? &net.client[0] : &net.at_server[0];
	play(&net, loser, 2, 1366, 10 * BASE_SECOND);
	assert_int_equal(loser->closed, 0);
	net.mtu = 1380;
	play(&net, loser, 2, 1366, 10 * BASE_SECOND);
	assert_int_equal(loser->closed, 1);
	assert_int_equal(loser->why.kind, QUIC_CLOSED_NARROWED);
	assert_string_equal(loser->why.text, "the path carries no large packets any more");
	net_run(&net, BASE_SECOND);
	assert_int_equal(other->closed, 1);
	assert_int_equal(other->why.kind, QUIC_CLOSED_BY_PEER);
	assert_int_equal(other->why.code, QUIC_APP_PATH);
	net_run(&net, 5 * BASE_SECOND);
	/* The next connection knows. */
	net_connect_pinned(&net);
	net_run(&net, 3 * BASE_SECOND);
	assert_int_equal(quic_conn_datagram_budget(net.client[1].conn), 1310);
	play(&net, of_server ? &net.at_server[1] : &net.client[1], 2, 1310, 10 * BASE_SECOND);
	assert_int_equal(net.client[1].closed, 0);
	net_done(&net);
}

static void test_client(void **state) {
	(void)state;
	play_narrow(false);
}

static void test_server(void **state) {
	(void)state;
	play_narrow(true);
}

/* Nothing large but what came through before is no reason to end a game. */
static void test_small_only(void **state) {
	struct net net;

	(void)state;
	connect_wide(&net);
	net.mtu = 1228;
	play(&net, &net.client[0], 2, QUIC_DATAGRAM_ALWAYS, 30 * BASE_SECOND);
	assert_int_equal(net.client[0].closed + net.at_server[0].closed, 0);
	assert_int_equal(net.at_server[0].heard, net.client[0].sent);
	net_done(&net);
}

/* A line that is dead for seconds, again and again, and one that loses much, are not narrow. */
static void test_bad_lines(void **state) {
	struct net net;

	(void)state;
	connect_wide(&net);
	for (int round = 0; round < 10; round++) {
		net.cut = true;
		play(&net, &net.client[0], 4, 1366, 6 * BASE_SECOND);
		net.cut = false;
		play(&net, &net.client[0], 1, 1366, 2 * BASE_SECOND);
	}
	assert_int_equal(net.client[0].closed + net.at_server[0].closed, 0);
	net.loss_permille = 200;
	play(&net, &net.client[0], 1, 1366, 60 * BASE_SECOND);
	assert_int_equal(net.client[0].closed + net.at_server[0].closed, 0);
	net_done(&net);
}

/* A path on which nothing large or small comes through is the idle timeout's business. */
static void test_dead(void **state) {
	struct net net;

	(void)state;
	connect_wide(&net);
	net.cut = true;
	play(&net, &net.client[0], 2, 1366, 40 * BASE_SECOND);
	assert_int_equal(net.client[0].why.kind, QUIC_CLOSED_IDLE);
	net_done(&net);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules),     cmocka_unit_test(test_client),
	                                   cmocka_unit_test(test_server),    cmocka_unit_test(test_small_only),
	                                   cmocka_unit_test(test_bad_lines), cmocka_unit_test(test_dead)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
