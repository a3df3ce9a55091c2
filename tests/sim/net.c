#include "net.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A node whose timer is due so often within one virtual second has a deadline that does not move. */
#define SPINS_MAX 20000

struct packet {
	struct sim_event event;
	struct sim_net *net;
	struct base_addr from, to;
	size_t len;
	uint8_t bytes[];
};

void sim_fail(const struct sim_net *net, const char *format, ...) {
	char text[600];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print_error("%s, seed %llu, at %.6f s: %s\nagain with: LANPARTY_SIM_SEED=%llu %s %s\n", net->scenario,
	            (unsigned long long)net->seed, (double)(net->now - SIM_START_NS) / 1e9, text,
	            (unsigned long long)net->seed, program_invocation_name, net->scenario);
	fail();
}

bool sim_chance(struct sim_net *net, unsigned permille) {
	return permille > 0 && base_rng_below(&net->rng, 1000) < permille;
}

void sim_net_at(struct sim_net *net, struct sim_event *event, uint64_t at) {
	sim_check(net, base_heap_set(&net->events, &event->node, at) == 0, "out of memory");
}

void sim_net_init(struct sim_net *net, const char *scenario, uint64_t seed) {
	*net = (struct sim_net){.scenario = scenario, .seed = seed, .now = SIM_START_NS};
	base_rng_init(&net->rng, seed);
	base_heap_init(&net->events);
	base_list_init(&net->dirty);
}

/* --- nodes --- */

static void on_timer(struct sim_event *event, uint64_t now) {
	struct sim_node *node = BASE_CONTAINER(event, struct sim_node, timer);

	if (now - node->spin_since >= BASE_SECOND) {
		node->spin_since = now;
		node->spins = 0;
	}
	sim_check(node->net, ++node->spins <= SPINS_MAX, "node %u spins: its deadline is always due", node->address.port);
	node->driver->tick(node->user, now);
	sim_net_wake(node);
}

void sim_net_add(struct sim_net *net, struct sim_node *node, const char *ip, uint16_t port) {
	sim_check(net, net->node_count < SIM_NODES_MAX, "too many nodes");
	sim_check(net, base_addr_parse_ip(ip, strlen(ip), &node->address) == 0, "bad address %s", ip);
	node->address.port = port;
	node->net = net;
	node->off = true;
	node->timer.run = on_timer;
	base_heap_node_init(&node->timer.node);
	base_list_init(&node->dirty);
	net->nodes[net->node_count++] = node;
}

void sim_net_wake(struct sim_node *node) {
	if (!node->off && base_list_empty(&node->dirty))
		base_list_append(&node->net->dirty, &node->dirty);
}

void sim_net_power(struct sim_node *node, bool on) {
	node->off = !on;
	if (on) {
		sim_net_wake(node);
	} else {
		base_list_remove(&node->dirty);
		base_heap_remove(&node->net->events, &node->timer.node);
	}
}

static struct sim_node *find_node(struct sim_net *net, const struct base_addr *address) {
	for (size_t i = 0; i < net->node_count; i++) {
		if (base_addr_equal(&net->nodes[i]->address, address))
			return net->nodes[i];
	}
	return NULL;
}

/* --- datagrams --- */

static void drop_packet(struct packet *packet, uint64_t *counter) {
	(*counter)++;
	packet->net->in_flight--;
	free(packet);
}

static void on_arrival(struct sim_event *event, uint64_t now) {
	struct packet *packet = BASE_CONTAINER(event, struct packet, event);
	struct sim_net *net = packet->net;
	struct sim_node *node = find_node(net, &packet->to);

	if (node == NULL || node->off) {
		drop_packet(packet, &net->nowhere);
	} else if (node->down.cut) {
		drop_packet(packet, &net->lost);
	} else {
		const struct base_path path = {.local = node->address, .remote = packet->from};

		node->driver->recv(node->user, &path, slice_of(packet->bytes, packet->len), now);
		sim_net_wake(node);
		drop_packet(packet, &net->delivered);
	}
}

/* When a datagram of `len` bytes is through the link; NEVER when it is lost there. */
static uint64_t pass_link(struct sim_net *net, const struct sim_link *link, uint64_t *busy_until, size_t len,
                          uint64_t at) {
	if (link->cut || sim_chance(net, link->loss_permille))
		return BASE_NEVER;
	if (link->bytes_per_second > 0) {
		uint64_t start = *busy_until > at ? *busy_until : at;

		if (start - at > link->backlog_ns)
			return BASE_NEVER;
		*busy_until = at = start + (len + SIM_IP_UDP_BYTES) * BASE_SECOND / link->bytes_per_second;
	}
	return at + link->delay_ns + base_rng_below(&net->rng, link->jitter_ns + 1);
}

static void transmit_one(struct sim_node *from, struct sim_node *to, const struct base_addr *to_address,
                         struct slice datagram) {
	struct sim_net *net = from->net;
	size_t ip_len = datagram.len + SIM_IP_UDP_BYTES;
	struct packet *packet;
	uint64_t at;

	if (ip_len > from->up.mtu || (to != NULL && ip_len > to->down.mtu)) {
		net->too_big++;
		return;
	}
	at = pass_link(net, &from->up, &from->up_busy_until, datagram.len, net->now);
	if (at != BASE_NEVER && to != NULL)
		at = pass_link(net, &to->down, &to->down_busy_until, datagram.len, at);
	if (at == BASE_NEVER) {
		net->lost++;
		return;
	}
	packet = malloc(sizeof(*packet) + datagram.len);
	sim_check(net, packet != NULL, "out of memory");
	*packet = (struct packet){
	    .event = {.run = on_arrival}, .net = net, .from = from->address, .to = *to_address, .len = datagram.len};
	base_heap_node_init(&packet->event.node);
	memcpy(packet->bytes, datagram.data, datagram.len);
	net->in_flight++;
	sim_net_at(net, &packet->event, at);
}

static void transmit(struct sim_node *from, const struct quic_burst *burst, const uint8_t *buf) {
	struct sim_net *net = from->net;
	struct sim_node *to = find_node(net, &burst->path.remote);

	sim_check(net, burst->len > 0 && burst->segment > 0, "an empty burst");
	for (size_t at = 0; at < burst->len; at += burst->segment) {
		size_t len = burst->len - at < burst->segment ? burst->len - at : burst->segment;

		net->sent++;
		transmit_one(from, to, &burst->path.remote, slice_of(buf + at, len));
		if (sim_chance(net, from->up.duplicate_permille) ||
		    (to != NULL && sim_chance(net, to->down.duplicate_permille))) {
			net->duplicated++;
			transmit_one(from, to, &burst->path.remote, slice_of(buf + at, len));
		}
	}
}

/* --- time --- */

static void flush(struct sim_net *net) {
	static uint8_t buf[QUIC_BURST_BYTES];

	while (!base_list_empty(&net->dirty)) {
		struct sim_node *node = BASE_CONTAINER(net->dirty.next, struct sim_node, dirty);
		struct quic_burst burst;
		uint64_t deadline;

		base_list_remove(&node->dirty);
		while (node->driver->write(node->user, buf, sizeof(buf), &burst, net->now) == 1)
			transmit(node, &burst, buf);
		deadline = node->driver->deadline(node->user);
		sim_net_at(net, &node->timer, deadline > net->now ? deadline : net->now + 1);
	}
}

bool sim_net_run_until(struct sim_net *net, bool (*done)(void *user), void *user, uint64_t ns) {
	uint64_t end = net->now + ns;

	for (;;) {
		struct base_heap_node *first;

		flush(net);
		if (done != NULL && done(user))
			return true;
		first = base_heap_first(&net->events);
		if (first == NULL || first->deadline > end) {
			net->now = end;
			return false;
		}
		sim_check(net, first->deadline >= net->now, "time goes back");
		net->now = first->deadline;
		while ((first = base_heap_first(&net->events)) != NULL && first->deadline <= net->now) {
			struct sim_event *event = BASE_CONTAINER(first, struct sim_event, node);

			base_heap_remove(&net->events, first);
			event->run(event, net->now);
		}
	}
}

void sim_net_run(struct sim_net *net, uint64_t ns) {
	sim_net_run_until(net, NULL, NULL, ns);
}

void sim_net_done(struct sim_net *net) {
	struct base_heap_node *first;

	while ((first = base_heap_first(&net->events)) != NULL) {
		struct sim_event *event = BASE_CONTAINER(first, struct sim_event, node);

		base_heap_remove(&net->events, first);
		if (event->run == on_arrival)
			drop_packet(BASE_CONTAINER(event, struct packet, event), &net->lost);
	}
	sim_check(net,
	          net->in_flight == 0 &&
	              net->sent + net->duplicated == net->delivered + net->lost + net->too_big + net->nowhere,
	          "the network's own books do not add up");
	base_heap_done(&net->events);
}
