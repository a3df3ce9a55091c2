/* tests/sim/net.h: an internet in memory: nodes with one address each, every node behind a link of its own with delay,
 * jitter (which reorders), loss, duplication, an MTU and a rate; virtual time in nanoseconds, one heap of events. It
 * knows UDP datagrams only; who sits on a node is behind four functions.
 *
 * All that is random here and in the schedule of a scenario comes from one seed, which is printed when something fails.
 * QUIC itself draws keys, connection IDs and its own jitter from GnuTLS: the same seed gives the same network and the
 * same schedule, not the same bytes, so a failure that needs a rare coincidence may want several runs. */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include "base/addr.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/text.h"
#include "base/time.h"
#include "quic/quic.h"
#include "unit.h"

#define SIM_NODES_MAX 96
#define SIM_START_NS (1000 * BASE_SECOND)
#define SIM_IP_UDP_BYTES 28

/* One direction between a node and the rest. */
struct sim_link {
	uint64_t delay_ns;
	uint64_t jitter_ns; /* up to so much more, drawn for each datagram */
	unsigned loss_permille, duplicate_permille;
	size_t mtu;                /* of IP packets; longer ones vanish without a word */
	uint64_t bytes_per_second; /* 0: unlimited */
	uint64_t backlog_ns;       /* with a rate: what waits longer is lost */
	bool cut;
};

struct sim_event {
	struct base_heap_node node;
	void (*run)(struct sim_event *event, uint64_t now);
};

struct sim_driver {
	void (*recv)(void *user, const struct base_path *path, struct slice datagram, uint64_t now);
	int (*write)(void *user, uint8_t *buf, size_t cap, struct quic_burst *ret, uint64_t now);
	uint64_t (*deadline)(void *user);
	void (*tick)(void *user, uint64_t now);
};

struct sim_node {
	struct sim_net *net;
	const struct sim_driver *driver;
	void *user;
	struct base_addr address; /* as the others see it; changes when its NAT forgets */
	struct sim_link up, down;
	bool off; /* nobody is there: no timers, arrivals vanish */
	struct sim_event timer;
	struct base_list dirty;
	uint64_t up_busy_until, down_busy_until;
	uint64_t spin_since;
	unsigned spins;
};

struct sim_net {
	const char *scenario;
	uint64_t seed, now;
	struct base_rng rng;
	struct base_heap events;
	struct base_list dirty;
	struct sim_node *nodes[SIM_NODES_MAX];
	size_t node_count;
	/* Every datagram that was sent, and each duplicate, ends in exactly one of the others. */
	uint64_t sent, duplicated, delivered, lost, too_big, nowhere, in_flight;
};

void sim_net_init(struct sim_net *net, const char *scenario, uint64_t seed);
void sim_net_done(struct sim_net *net); /* what is in flight is lost; checks the sum */
void sim_net_add(struct sim_net *net, struct sim_node *node, const char *ip, uint16_t port);
/* Something was queued at the node from outside: it writes before time goes on. */
void sim_net_wake(struct sim_node *node);
/* Switches the node off or on. */
void sim_net_power(struct sim_node *node, bool on);
/* `event` belongs to the caller; NEVER takes it out. */
void sim_net_at(struct sim_net *net, struct sim_event *event, uint64_t at);

void sim_net_run(struct sim_net *net, uint64_t ns);
/* Until `done` says so (true) or `ns` have passed (false). */
bool sim_net_run_until(struct sim_net *net, bool (*done)(void *user), void *user, uint64_t ns);

/* True in `permille` of the cases. */
bool sim_chance(struct sim_net *net, unsigned permille);

/* Ends the test with scenario, seed, virtual time and how to run it again. */
BASE_PRINTF(2, 3)
void sim_fail(const struct sim_net *net, const char *format, ...);
#define sim_check(net, condition, ...)    \
	do {                                  \
		if (!(condition))                 \
			sim_fail((net), __VA_ARGS__); \
	} while (0)

#endif
