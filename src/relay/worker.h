/* relay/worker.h: one shard in a thread of its own: loop, UDP socket, shard, log. Everybody else talks to it by
 * messages; it answers to the control thread's mailbox. */
#ifndef RELAY_WORKER_H
#define RELAY_WORKER_H

#include "relay/shard.h"
#include "thread/mailbox.h"
#include "udp/udp.h"

/* Messages to a worker. */
enum relay_order {
	RELAY_ORDER_SNAPSHOT,
	RELAY_ORDER_IDENTITY, /* data: a reference to a struct quic_identity, which the worker takes */
	RELAY_ORDER_STOP      /* goodbye to all peers, bounded in time; then the thread ends */
};

/* ... and from one; `from` is its number. */
enum relay_news {
	RELAY_NEWS_SNAPSHOT, /* data: what relay_shard_snapshot gave, or NULL */
	RELAY_NEWS_FAILED    /* its socket or loop is beyond use; it waits for the order to stop */
};

struct relay_worker;

struct relay_worker_options {
	struct relay_shard_options shard; /* its log is the worker's own */
	struct udp_socket *socket;        /* the worker's from here on, also after an error */
	struct thread_mailbox *control;
	/* All of the relay, by their numbers, before the first is started: to hand over what came to the wrong one. */
	struct relay_worker *const *workers;
	enum obs_level log_level;
	enum obs_format log_format;
	void (*log_sink)(void *user, struct slice line); /* any thread */
	void *log_user;
};

/* Allocates everything; nothing runs yet. 0, BASE_E_NOMEM, BASE_E_INVALID, BASE_E_TLS or BASE_E_IO. */
int relay_worker_new(const struct relay_worker_options *options, struct relay_worker **ret);
int relay_worker_start(struct relay_worker *worker); /* as thread_start */
/* Any thread. False when it is hopelessly behind. */
bool relay_worker_post(struct relay_worker *worker, enum relay_order order, void *data);
void relay_worker_join(struct relay_worker *worker); /* after RELAY_ORDER_STOP, or if it was never started */
void relay_worker_free(struct relay_worker *worker); /* joined, like all others; accepts NULL */

#endif
