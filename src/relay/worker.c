/* relay/worker.c: wires a shard to a socket and a loop in a thread. One turn: read what has arrived (bounded), let due
 * timers run, then write everything that the turn produced. */
#include "relay/worker.h"

#include "base/error.h"
#include "base/steer.h"
#include "loop/loop.h"
#include "thread/thread.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RX_ROUNDS_MAX 4  /* reads a turn: bounds the time until answers leave */
#define TX_ROUNDS_MAX 16 /* writes a turn: bounds the time until the next read */
#define TX_BYTES (4 * QUIC_BURST_BYTES)
#define TX_BLOCKED_NS BASE_MS /* timers while the socket takes nothing */
#define GOODBYE_NS (1500 * BASE_MS)

_Static_assert(QUIC_BURST_BYTES <= UDP_BURST_BYTES_MAX && QUIC_BURST_SEGMENTS_MAX <= UDP_BURST_SEGMENTS_MAX,
               "a burst is too long for the socket");

/* A datagram that came to another worker. */
struct stray {
	struct base_path path;
	uint8_t ecn;
	size_t len;
	uint8_t bytes[];
};

struct relay_worker {
	unsigned number, count;
	struct relay_worker *const *workers; /* `count` of them */
	struct obs_log *log;
	struct loop *loop;
	struct udp_socket *socket;
	struct relay_shard *shard;
	struct thread_mailbox *inbox, *strays, *control;
	struct thread *thread;
	struct loop_source socket_source, inbox_source, strays_source;
	struct loop_timer shard_timer, second_timer, snapshot_timer;
	bool failed, stopping;
	uint64_t goodbye_until;
	struct udp_burst bursts[UDP_TX_BURSTS_MAX]; /* those from burst_next on wait for the socket */
	size_t burst_count, burst_next;
	uint8_t tx[TX_BYTES];
};

static void send_news(struct relay_worker *worker, enum relay_news kind, void *data) {
	bool posted = thread_mailbox_post(worker->control, (struct thread_message){(int)kind, worker->number, data});

	assert(posted); /* one snapshot at a time, and a failure is the last news */
	(void)posted;
}

static void fail(struct relay_worker *worker, const char *event, const char *text) {
	obs_note(worker->log, OBS_ERROR, event, text);
	worker->failed = true;
	send_news(worker, RELAY_NEWS_FAILED, NULL);
}

/* --- packets --- */

/* False: lost for want of memory or of place. For QUIC that is as if it was lost on the way. */
static bool hand_over(struct relay_worker *to, const struct udp_chunk *chunk, struct slice datagram) {
	struct stray *stray = malloc(sizeof(*stray) + datagram.len);

	if (stray == NULL)
		return false;
	*stray = (struct stray){.path = chunk->path, .ecn = chunk->ecn, .len = datagram.len};
	memcpy(stray->bytes, datagram.data, datagram.len);
	if (thread_mailbox_post(to->strays, (struct thread_message){.data = stray}))
		return true;
	free(stray);
	return false;
}

/* The kernel steers by the first datagram of those that it received together (GRO): who has connections to several
 * shards from one port may have others in the same chunk. */
static void receive_chunk(struct relay_worker *worker, const struct udp_chunk *chunk, uint64_t now) {
	struct slice rest = chunk->bytes;

	while (rest.len > 0) {
		struct slice datagram = slice_of(rest.data, rest.len < chunk->segment ? rest.len : chunk->segment);
		unsigned shard = base_steer_datagram(datagram.data, datagram.len, worker->count);

		if (shard == worker->number)
			relay_shard_recv(worker->shard, &chunk->path, chunk->ecn, datagram, now);
		else
			relay_shard_stray(worker->shard, hand_over(worker->workers[shard], chunk, datagram));
		rest = slice_of(rest.data + datagram.len, rest.len - datagram.len);
	}
}

static void strays_ready(void *user, unsigned events, uint64_t now) {
	struct relay_worker *worker = user;
	struct thread_message message;

	(void)events;
	for (size_t i = 0; i < THREAD_MAILBOX_MAX && thread_mailbox_take(worker->strays, &message); i++) {
		struct stray *stray = message.data;

		relay_shard_recv(worker->shard, &stray->path, stray->ecn, slice_of(stray->bytes, stray->len), now);
		free(stray);
	}
}

static void socket_ready(void *user, unsigned events, uint64_t now) {
	struct relay_worker *worker = user;
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];

	(void)events; /* what can be written is written at the end of the turn */
	for (int round = 0; round < RX_ROUNDS_MAX; round++) {
		int count = udp_recv(worker->socket, chunks);

		if (count < 0) {
			loop_remove(worker->loop, &worker->socket_source);
			fail(worker, "socket_failed", "the UDP socket is beyond use");
			return;
		}
		for (int i = 0; i < count; i++)
			receive_chunk(worker, &chunks[i], now);
		if (count < UDP_RX_CHUNKS_MAX)
			return;
	}
}

/* False when the socket is full: the rest waits. */
static bool send_bursts(struct relay_worker *worker) {
	worker->burst_next +=
	    udp_send(worker->socket, worker->bursts + worker->burst_next, worker->burst_count - worker->burst_next);
	if (worker->burst_next < worker->burst_count)
		return false;
	worker->burst_count = worker->burst_next = 0;
	return true;
}

static void collect_bursts(struct relay_worker *worker, uint64_t now) {
	size_t used = 0;
	struct quic_burst burst = {.dry = false};

	assert(worker->burst_count == 0);
	while (!burst.dry && worker->burst_count < UDP_TX_BURSTS_MAX && sizeof(worker->tx) - used >= QUIC_BURST_BYTES &&
	       relay_shard_write(worker->shard, worker->tx + used, QUIC_BURST_BYTES, &burst, now) == 1) {
		worker->bursts[worker->burst_count++] = (struct udp_burst){
		    .path = burst.path,
		    .ecn = burst.ecn,
		    .segment = burst.segment,
		    .bytes = slice_of(worker->tx + used, burst.len),
		};
		used += burst.len;
	}
}

/* The last words have been written, or there was no time for more. */
static void stop_when_done(struct relay_worker *worker, uint64_t now) {
	if (worker->stopping && (worker->failed || relay_shard_is_drained(worker->shard) || now >= worker->goodbye_until))
		loop_stop(worker->loop);
}

static void write_turn(void *user, uint64_t now) {
	struct relay_worker *worker = user;
	uint64_t deadline;
	bool blocked = !send_bursts(worker);
	int round;

	for (round = 0; !blocked && round < TX_ROUNDS_MAX; round++) {
		collect_bursts(worker, now);
		if (worker->burst_count == 0)
			break;
		blocked = !send_bursts(worker);
	}
	deadline = relay_shard_deadline(worker->shard);
	if (blocked && deadline < now + TX_BLOCKED_NS)
		deadline = now + TX_BLOCKED_NS; /* a timer that asks for a write again and again would spin */
	else if (round == TX_ROUNDS_MAX)
		deadline = now;
	if (worker->stopping)
		deadline = base_time_min(deadline, worker->goodbye_until);
	loop_timer_set(worker->loop, &worker->shard_timer, deadline);
	if (!worker->failed)
		loop_modify(worker->loop, &worker->socket_source, blocked ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	stop_when_done(worker, now);
}

static void shard_due(void *user, uint64_t now) {
	struct relay_worker *worker = user;

	relay_shard_tick(worker->shard, now);
}

static void second_due(void *user, uint64_t now) {
	struct relay_worker *worker = user;

	obs_log_tick(worker->log, now);
	loop_timer_set(worker->loop, &worker->second_timer, now + BASE_SECOND);
}

/* --- messages --- */

/* One slice a turn, so that frames go on between them. */
static void snapshot_due(void *user, uint64_t now) {
	struct relay_worker *worker = user;
	struct json_t *json = NULL;

	if (relay_shard_snapshot(worker->shard, now, &json) == 0)
		loop_timer_set(worker->loop, &worker->snapshot_timer, now);
	else
		send_news(worker, RELAY_NEWS_SNAPSHOT, json);
}

static void obey(struct relay_worker *worker, const struct thread_message *message, uint64_t now) {
	switch ((enum relay_order)message->kind) {
	case RELAY_ORDER_SNAPSHOT:
		loop_timer_set(worker->loop, &worker->snapshot_timer, now);
		break;
	case RELAY_ORDER_IDENTITY:
		relay_shard_set_identity(worker->shard, message->data);
		quic_identity_unref(message->data);
		break;
	case RELAY_ORDER_STOP:
		worker->stopping = true;
		worker->goodbye_until = now + GOODBYE_NS;
		relay_shard_shutdown(worker->shard, now);
		break;
	}
}

static void inbox_ready(void *user, unsigned events, uint64_t now) {
	struct relay_worker *worker = user;
	struct thread_message message;

	(void)events;
	while (thread_mailbox_take(worker->inbox, &message))
		obey(worker, &message, now);
}

bool relay_worker_post(struct relay_worker *worker, enum relay_order order, void *data) {
	return thread_mailbox_post(worker->inbox, (struct thread_message){.kind = (int)order, .data = data});
}

/* --- life --- */

static int watch(struct relay_worker *worker) {
	int err = loop_add(worker->loop, &worker->socket_source, udp_fd(worker->socket), LOOP_READ);

	if (err == 0)
		err = loop_add(worker->loop, &worker->inbox_source, thread_mailbox_fd(worker->inbox), LOOP_READ);
	if (err == 0)
		err = loop_add(worker->loop, &worker->strays_source, thread_mailbox_fd(worker->strays), LOOP_READ);
	return err;
}

static int open_all(struct relay_worker *worker, const struct relay_worker_options *options) {
	struct relay_shard_options shard = options->shard;
	int err;

	worker->log =
	    obs_log_new(options->log_level, options->log_format, options->log_sink, loop_wall_clock, options->log_user);
	worker->loop = loop_new();
	worker->inbox = thread_mailbox_new();
	worker->strays = thread_mailbox_new();
	if (worker->log == NULL || worker->loop == NULL || worker->inbox == NULL || worker->strays == NULL)
		return BASE_E_NOMEM;
	shard.log = worker->log;
	err = relay_shard_new(&shard, &worker->shard);
	return err == 0 ? watch(worker) : err;
}

int relay_worker_new(const struct relay_worker_options *options, struct relay_worker **ret) {
	struct relay_worker *worker = calloc(1, sizeof(*worker));
	int err;

	if (worker == NULL) {
		udp_close(options->socket);
		return BASE_E_NOMEM;
	}
	worker->number = options->shard.shard;
	worker->count = options->shard.shards;
	worker->socket = options->socket;
	worker->control = options->control;
	worker->workers = options->workers;
	worker->socket_source = (struct loop_source){.ready = socket_ready, .user = worker};
	worker->inbox_source = (struct loop_source){.ready = inbox_ready, .user = worker};
	worker->strays_source = (struct loop_source){.ready = strays_ready, .user = worker};
	loop_timer_init(&worker->shard_timer, shard_due, worker);
	loop_timer_init(&worker->second_timer, second_due, worker);
	loop_timer_init(&worker->snapshot_timer, snapshot_due, worker);
	err = open_all(worker, options);
	if (err != 0) {
		relay_worker_free(worker);
		return err;
	}
	*ret = worker;
	return 0;
}

static void run(void *user) {
	struct relay_worker *worker = user;

	loop_set_after(worker->loop, write_turn, worker);
	second_due(worker, loop_now(worker->loop));
	if (loop_run(worker->loop) != 0)
		fail(worker, "loop_failed", "the event loop is beyond use");
}

int relay_worker_start(struct relay_worker *worker) {
	char name[16];

	snprintf(name, sizeof(name), "shard %u", worker->number);
	return thread_start(name, run, worker, &worker->thread);
}

void relay_worker_join(struct relay_worker *worker) {
	thread_join(worker->thread);
	worker->thread = NULL;
}

static void forget_messages(struct relay_worker *worker) {
	struct thread_message message;

	while (worker->inbox != NULL && thread_mailbox_take(worker->inbox, &message)) {
		if (message.kind == RELAY_ORDER_IDENTITY)
			quic_identity_unref(message.data);
	}
	while (worker->strays != NULL && thread_mailbox_take(worker->strays, &message))
		free(message.data);
}

void relay_worker_free(struct relay_worker *worker) {
	if (worker == NULL)
		return;
	assert(worker->thread == NULL);
	forget_messages(worker);
	relay_shard_free(worker->shard);
	thread_mailbox_free(worker->inbox);
	thread_mailbox_free(worker->strays);
	loop_free(worker->loop);
	udp_close(worker->socket);
	obs_log_free(worker->log);
	free(worker);
}
