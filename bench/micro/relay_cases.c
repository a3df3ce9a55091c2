/* bench/micro/relay_cases.c: the egress queue, and a relay core that switches frames between fake connections. */
#include "base/bytes.h"
#include "base/error.h"
#include "bench/micro/micro.h"
#include "proto/overlay.h"
#include "queue/egress.h"
#include "relay/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 32
#define PEERS_MAX 9
#define BUDGET 1440
#define DATAGRAM_MAX 1500

/* --- the queue --- */

struct queue {
	struct queue_pool *pool;
	struct queue_egress *egress;
	size_t size, flows;
	uint64_t now;
	uint8_t datagrams[BATCH][DATAGRAM_MAX];
};

static void *open_queue(const struct micro_case *self) {
	static const uint64_t seed[2] = {1, 2};
	struct queue_egress_limits limits = {.frames_max = 1024, .bytes_max = 1024 * 1024, .age_ns_max = 200 * BASE_MS};
	struct queue *queue = calloc(1, sizeof(*queue));

	if (queue == NULL)
		micro_die("out of memory");
	queue->pool = queue_pool_new(1024);
	queue->egress = queue_egress_new(&limits, seed);
	queue->size = self->size;
	queue->flows = self->variant;
	queue->now = MICRO_START_NS;
	if (queue->pool == NULL || queue->egress == NULL)
		micro_die("out of memory");
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t *datagram = queue->datagrams[i];

		(void)micro_udp_frame(datagram + PROTO_OVERLAY_HEADER_BYTES, self->size, i);
		base_put_u16(datagram + PROTO_OVERLAY_HEADER_BYTES + 34, (uint16_t)(40000 + i % self->variant));
		(void)proto_overlay_encode_header(datagram, 1, self->size, DATAGRAM_MAX);
	}
	return queue;
}

/* A batch comes, and goes. The copy into the frame is the relay's too. */
static void run_queue(void *state, size_t frames) {
	struct queue *queue = state;

	for (size_t done = 0; done < frames; done += BATCH) {
		queue->now += 50 * BASE_US;
		for (size_t i = 0; i < BATCH; i++) {
			struct queue_frame *frame = queue_frame_new(queue->pool);

			if (frame == NULL)
				micro_die("the pool is empty");
			frame->len = (uint16_t)(PROTO_OVERLAY_HEADER_BYTES + queue->size);
			frame->source_peer = 1;
			memcpy(frame->data, queue->datagrams[i], frame->len);
			if (queue_egress_push(queue->egress, frame, queue->now) != 0)
				micro_die("the queue is full");
			queue_frame_unref(frame);
		}
		while (queue_egress_peek(queue->egress, queue->now) != NULL)
			queue_egress_pop(queue->egress, queue->now);
	}
}

static void close_queue(void *state) {
	struct queue *queue = state;

	queue_egress_free(queue->egress);
	queue_pool_free(queue->pool);
	free(queue);
}

/* --- the switch --- */

struct relay {
	struct relay_core *core;
	struct relay_peer *peers[PEERS_MAX];
	size_t peer_count, datagram_len;
	uint64_t now;
	uint8_t datagrams[BATCH][DATAGRAM_MAX];
};

static int control_send(void *user, void *conn, struct slice bytes) {
	(void)user, (void)conn, (void)bytes;
	return 0;
}

static bool control_flushed(void *user, void *conn) {
	(void)user, (void)conn;
	return true;
}

static void close_conn(void *user, void *conn, enum quic_app_code code, const char *text, uint64_t now) {
	(void)user, (void)conn, (void)code, (void)now;
	micro_die(text);
}

static size_t budget(void *user, void *conn) {
	(void)user, (void)conn;
	return BUDGET;
}

static bool budget_settled(void *user, void *conn, uint64_t now) {
	(void)user, (void)conn, (void)now;
	return true;
}

static void wake(void *user, void *conn) {
	(void)user, (void)conn;
}

static void info(void *user, void *conn, struct relay_conn_info *ret) {
	(void)user, (void)conn;
	ret->rtt_ns = BASE_MS;
}

static const struct relay_transport transport = {
    control_send, control_flushed, close_conn, budget, budget_settled, wake, info};

static struct proto_mac peer_mac(size_t index) {
	return (struct proto_mac){{2, 0, 0, 0, 0, (uint8_t)(index + 1)}};
}

static void join(struct relay *relay, size_t index) {
	struct ctrl_message hello = {.type = CTRL_HELLO,
	                             .hello = {.version = CTRL_PROTOCOL_VERSION,
	                                       .role = CTRL_ROLE_CLIENT,
	                                       .room = "MICRO",
	                                       .mac = peer_mac(index),
	                                       .budget = BUDGET}};
	struct base_addr remote = {.family = BASE_FAMILY_V4, .ip = {192, 0, 2, (uint8_t)(index + 1)}, .port = 999};
	uint8_t bytes[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	char error[CTRL_ERROR_BYTES];
	int len = ctrl_message_print(&hello, bytes, sizeof(bytes), error);

	relay->peers[index] = relay_core_accept(relay->core, relay, &remote, relay->now);
	if (len <= 0 || relay->peers[index] == NULL)
		micro_die("a peer cannot join");
	relay_core_connected(relay->peers[index], relay->now);
	relay_core_control(relay->peers[index], slice_of(bytes, (size_t)len), false, relay->now);
	if (relay->peers[index]->id == 0)
		micro_die("a peer did not join");
}

/* `variant` 1: unicast to one other peer; more: a broadcast to so many. Broadcasts are not limited here. */
static void *open_switch(const struct micro_case *self) {
	struct relay_core_options options = {.limits = RELAY_LIMITS_DEFAULT, .transport = &transport, .seed = {1, 2}};
	struct relay *relay = calloc(1, sizeof(*relay));

	options.limits.broadcast = options.limits.room_broadcast = (struct relay_rate){0, 0};
	if (relay == NULL || relay_core_new(&options, &relay->core) != 0)
		micro_die("out of memory");
	relay->now = MICRO_START_NS;
	relay->peer_count = 1 + self->variant;
	relay->datagram_len = PROTO_OVERLAY_HEADER_BYTES + self->size;
	for (size_t i = 0; i < relay->peer_count; i++)
		join(relay, i);
	for (unsigned i = 0; i < BATCH; i++) {
		uint8_t *frame = relay->datagrams[i] + PROTO_OVERLAY_HEADER_BYTES;

		(void)micro_udp_frame(frame, self->size, i);
		memcpy(frame, peer_mac(1).b, 6);
		if (self->variant > 1)
			memset(frame, 0xff, 6);
		memcpy(frame + 6, peer_mac(0).b, 6);
		(void)proto_overlay_encode_header(relay->datagrams[i], relay->peers[0]->id, self->size, DATAGRAM_MAX);
	}
	return relay;
}

/* In, through policy, limits and queue, and out again to each target, as a shard does it with its connections. */
static void run_switch(void *state, size_t frames) {
	struct relay *relay = state;

	for (size_t done = 0; done < frames; done += BATCH) {
		size_t out = 0;

		relay->now += 50 * BASE_US;
		for (size_t i = 0; i < BATCH; i++)
			relay_core_datagram(relay->peers[0], slice_of(relay->datagrams[i], relay->datagram_len), relay->now);
		for (size_t peer = 1; peer < relay->peer_count; peer++) {
			struct slice datagram;

			for (; relay_core_next(relay->peers[peer], &datagram, relay->now); out++)
				relay_core_taken(relay->peers[peer], true, relay->now);
		}
		if (out != BATCH * (relay->peer_count - 1))
			micro_die("the relay dropped frames");
	}
}

static void close_relay(void *state) {
	struct relay *relay = state;

	relay_core_free(relay->core);
	free(relay);
}

#define QUEUE .open = open_queue, .run = run_queue, .close = close_queue
#define SWITCH .open = open_switch, .run = run_switch, .close = close_relay
const struct micro_case micro_relay_cases[] = {
    {.name = "queue, one flow, 1300", QUEUE, .size = 1300, .variant = 1},
    {.name = "queue, 32 flows, 1300", QUEUE, .size = 1300, .variant = BATCH},
    {.name = "queue, 32 flows, 200", QUEUE, .size = 200, .variant = BATCH},
    {.name = "switch, unicast 1300", SWITCH, .size = 1300, .variant = 1},
    {.name = "switch, unicast 200", SWITCH, .size = 200, .variant = 1},
    {.name = "switch, broadcast to 8, 200", SWITCH, .size = 200, .variant = 8},
    {.name = NULL},
};
