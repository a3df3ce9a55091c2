/* The limits that several servers share, hit from several threads at once: exactly as many get in. */
#include "net.h"
#include "quic/internal.h"

#include <pthread.h>
#include <string.h>

#define THREADS 4
#define NETWORKS 30
#define PLACES 200

static const struct quic_server_limits limits = {.connections_max = 240, .per_address_max = 9};

struct visitor {
	struct quic_gate *gate;
	struct quic_source *sources[PLACES];
	size_t count, full, denied, half_open, answers;
	size_t of_network[NETWORKS];
	unsigned number;
};

static struct base_addr address(unsigned network) {
	return (struct base_addr){.family = BASE_FAMILY_V4, .ip = {198, 51, 100, (uint8_t)network}, .port = 7};
}

static void *visit(void *user) {
	struct visitor *visitor = user;

	for (unsigned i = 0; i < PLACES; i++) {
		unsigned network = (i + visitor->number * 7) % NETWORKS;
		struct base_addr from = address(network);
		int result = quic_gate_enter(visitor->gate, &limits, &from, &visitor->sources[visitor->count]);

		if (result == 0) {
			visitor->count++;
			visitor->of_network[network]++;
		} else if (result == BASE_E_FULL) {
			visitor->full++;
		} else {
			assert_int_equal(result, BASE_E_DENIED);
			visitor->denied++;
		}
		visitor->half_open += quic_gate_begin(visitor->gate, 500);
		visitor->answers += quic_gate_answer(visitor->gate, QUIC_SHARE_RETRY, 300, 5 * BASE_SECOND + i);
	}
	return NULL;
}

static void *leave(void *user) {
	struct visitor *visitor = user;

	while (visitor->count > 0)
		quic_gate_leave(visitor->gate, visitor->sources[--visitor->count]);
	while (visitor->half_open > 0) {
		quic_gate_end(visitor->gate);
		visitor->half_open--;
	}
	return NULL;
}

static void in_threads(struct visitor visitors[static THREADS], void *(*run)(void *user)) {
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, &visitors[i]), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_concurrent(void **state) {
	static struct visitor visitors[THREADS];
	struct quic_gate *gate = quic_gate_new();

	(void)state;
	for (int round = 0; round < 50; round++) {
		size_t count = 0, half_open = 0, answers = 0, of_network[NETWORKS] = {0};

		memset(visitors, 0, sizeof(visitors));
		for (unsigned i = 0; i < THREADS; i++) {
			visitors[i].gate = gate;
			visitors[i].number = i;
		}
		in_threads(visitors, visit);
		for (size_t i = 0; i < THREADS; i++) {
			count += visitors[i].count;
			half_open += visitors[i].half_open;
			answers += visitors[i].answers;
			for (size_t n = 0; n < NETWORKS; n++)
				of_network[n] += visitors[i].of_network[n];
		}
		for (size_t n = 0; n < NETWORKS; n++)
			assert_true(of_network[n] <= limits.per_address_max);
		/* 30 networks of up to 9: the sum runs full first. */
		assert_int_equal(count, limits.connections_max);
		assert_int_equal(half_open, 500);
		assert_int_equal(answers, round == 0 ? 300 : 0); /* all in one second */
		assert_true(quic_gate_is_full(gate, &limits));
		in_threads(visitors, leave);
		assert_int_equal(gate->connections, 0);
		assert_int_equal(gate->half_open, 0);
		assert_int_equal(gate->sources.len, 0);
	}
	quic_gate_free(gate);
	quic_gate_free(NULL);
}

/* Clocks of different threads are a turn apart; that makes no second twice as long. */
static void test_answers_by_second(void **state) {
	struct quic_gate *gate = quic_gate_new();
	uint64_t second = 100 * BASE_SECOND;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(quic_gate_answer(gate, QUIC_SHARE_OTHER, 3, second - 1));
	assert_false(quic_gate_answer(gate, QUIC_SHARE_OTHER, 3, second - 1));
	assert_true(quic_gate_answer(gate, QUIC_SHARE_RETRY, 3, second - 1));
	assert_true(quic_gate_answer(gate, QUIC_SHARE_OTHER, 3, second));
	assert_true(quic_gate_answer(gate, QUIC_SHARE_OTHER, 3, second - 1));
	assert_true(quic_gate_answer(gate, QUIC_SHARE_OTHER, 3, second + 1));
	assert_false(quic_gate_answer(gate, QUIC_SHARE_OTHER, 3, second - 1));
	assert_true(quic_gate_answer(gate, QUIC_SHARE_OTHER, 3, second + BASE_SECOND));
	quic_gate_free(gate);
}

/* Two servers at one gate. */
static void two_servers(struct net nets[static 2], const struct quic_server_limits *both) {
	struct quic_gate *gate = quic_gate_new();

	for (size_t i = 0; i < 2; i++) {
		net_init(&nets[i]);
		nets[i].limits = *both;
		nets[i].gate = gate;
		net_server_restart(&nets[i]);
	}
}

static void two_done(struct net nets[static 2]) {
	struct quic_gate *gate = nets[0].gate;

	net_done(&nets[0]);
	net_done(&nets[1]);
	assert_int_equal(gate->connections, 0);
	assert_int_equal(gate->half_open, 0);
	quic_gate_free(gate);
}

/* So many clients that never go on, each from an address of its own. */
static void knock(struct net *net, size_t count) {
	for (size_t i = 0; i < count; i++)
		net_knock(net, address((unsigned)i));
}

/* Otherwise the last places would be for those who come again with a token. */
#define NO_RETRY 1000

static void test_connections_of_both(void **state) {
	static struct net nets[2];

	(void)state;
	two_servers(nets, &(struct quic_server_limits){.connections_max = 6, .retry_above = NO_RETRY});
	knock(&nets[0], 4);
	knock(&nets[1], 5);
	assert_int_equal(quic_server_connections(nets[0].server), 4);
	assert_int_equal(quic_server_connections(nets[1].server), 2);
	assert_int_equal(quic_server_counters(nets[1].server)->refused_full, 3);
	knock(&nets[0], 1);
	assert_int_equal(quic_server_counters(nets[0].server)->refused_full, 1);
	/* The handshakes time out at one: there is room at the other. */
	net_run(&nets[1], 30 * BASE_SECOND);
	assert_int_equal(quic_server_connections(nets[1].server), 0);
	knock(&nets[0], 3);
	assert_int_equal(quic_server_connections(nets[0].server), 6);
	two_done(nets);
}

static void test_address_at_both(void **state) {
	static struct net nets[2];

	(void)state;
	two_servers(nets, &(struct quic_server_limits){.per_address_max = 3, .retry_above = NO_RETRY});
	for (int i = 0; i < 2; i++) {
		knock(&nets[0], 1);
		knock(&nets[1], 1);
	}
	assert_int_equal(quic_server_connections(nets[0].server), 2);
	assert_int_equal(quic_server_connections(nets[1].server), 1);
	assert_int_equal(quic_server_counters(nets[1].server)->refused_address, 1);
	two_done(nets);
}

/* Half-open connections anywhere make every server ask for Retry; and those at one do not keep anybody out of another.
 */
static void test_half_open_at_both(void **state) {
	static struct net nets[2];

	(void)state;
	two_servers(nets, &(struct quic_server_limits){.retry_above = 5, .half_open_max = 5});
	knock(&nets[0], 3);
	knock(&nets[1], 2);
	assert_int_equal(quic_server_counters(nets[1].server)->retries_sent, 0);
	knock(&nets[0], 1);
	knock(&nets[1], 1);
	assert_int_equal(quic_server_counters(nets[0].server)->retries_sent, 1);
	assert_int_equal(quic_server_counters(nets[1].server)->retries_sent, 1);
	net_run(&nets[1], 30 * BASE_SECOND); /* its own time out */
	knock(&nets[0], 2);
	assert_int_equal(quic_server_connections(nets[0].server), 5);
	net_connect_pinned(&nets[1]);
	net_run(&nets[1], 200 * BASE_MS);
	assert_int_equal(nets[1].client[0].done, 1);
	assert_int_equal(quic_server_connections(nets[0].server), 5);
	two_done(nets);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_concurrent),          cmocka_unit_test(test_answers_by_second),
	    cmocka_unit_test(test_connections_of_both), cmocka_unit_test(test_address_at_both),
	    cmocka_unit_test(test_half_open_at_both),
	};
	int result;

	if (quic_global_init() != 0)
		return 1;
	result = cmocka_run_group_tests_name("quic/gate", tests, NULL, NULL);
	quic_global_done();
	return result;
}
