/* relay/daemon.c: the control thread of the relay: signals, certificate files, status socket, and the workers it starts
 * and stops. It sees no packet. Order of start: port, status socket, certificate, crypto, and only then privileges are
 * given up, before the first thread starts and the first byte of a stranger is read. */
#include "relay/daemon.h"

#include "base/error.h"
#include "base/steer.h"
#include "base/text.h"
#include "host/host.h"
#include "loop/loop.h"
#include "relay/identity.h"
#include "relay/report.h"
#include "relay/status.h"
#include "relay/worker.h"
#include "thread/lock.h"
#include "thread/thread.h"

#include <jansson.h>
#include <stdlib.h>

#define CERTIFICATE_LOOK_NS (24 * 3600 * BASE_SECOND)
/* How often a worker is told to stop that takes no order: for 2 s in all. */
#define STOP_TRIES 200
#define STOP_RETRY_NS (10 * BASE_MS)

struct daemon {
	const struct relay_config *config;
	struct host_stderr out;
	struct obs_log *log;
	struct thread_lock *log_lock;
	struct loop *loop;
	struct thread_mailbox *inbox;
	struct loop_source inbox_source;
	struct loop_timer second_timer;
	struct udp_socket *sockets[BASE_SHARDS_MAX]; /* NULL once they are a worker's */
	struct base_addr local;
	struct udp_features features;
	struct relay_worker *workers[BASE_SHARDS_MAX];
	unsigned shards, started;
	struct quic_gate *gate;
	struct relay_shared *shared;
	struct quic_identity *identity;
	bool behind[BASE_SHARDS_MAX]; /* workers that do not know it yet */
	uint64_t dates_due;           /* when its dates are looked at again */
	struct seal_backend *seal;
	struct relay_status *status;
	json_t *parts[BASE_SHARDS_MAX]; /* of the report that is being collected */
	unsigned part_count;            /* of the workers that have answered */
	bool failed;
};

/* Whole lines: a line is one write, and only while the reader keeps up, which two threads could not both ask. */
static void write_line(void *user, struct slice line) {
	struct daemon *daemon = user;

	thread_lock_take(daemon->log_lock);
	host_stderr_sink(&daemon->out, line);
	thread_lock_release(daemon->log_lock);
}

/* Once a day, and after each change. One made for a try is pinned, whatever its dates. */
static void look_at_dates(struct daemon *daemon, uint64_t now) {
	char text[RELAY_IDENTITY_ERROR_BYTES];

	daemon->dates_due = now + CERTIFICATE_LOOK_NS;
	if (daemon->config->cert != NULL && relay_identity_dates(daemon->identity, loop_wall_clock(), text))
		obs_note(daemon->log, OBS_WARN, "certificate_dates", text);
}

/* One that has hundreds of orders to obey first takes no more of them. */
static void give_identity(struct daemon *daemon, unsigned number) {
	struct quic_identity *identity = quic_identity_ref(daemon->identity);

	daemon->behind[number] = !relay_worker_post(daemon->workers[number], RELAY_ORDER_IDENTITY, identity);
	if (daemon->behind[number])
		quic_identity_unref(identity);
}

static void second_due(void *user, uint64_t now) {
	struct daemon *daemon = user;

	obs_log_tick(daemon->log, now);
	for (unsigned i = 0; i < daemon->shards; i++) {
		if (daemon->behind[i])
			give_identity(daemon, i);
	}
	if (now >= daemon->dates_due)
		look_at_dates(daemon, now);
	loop_timer_set(daemon->loop, &daemon->second_timer, now + BASE_SECOND);
}

/* --- status --- */

static void forget_parts(struct daemon *daemon) {
	for (unsigned i = 0; i < daemon->shards; i++) {
		json_decref(daemon->parts[i]);
		daemon->parts[i] = NULL;
	}
}

static void answer(struct daemon *daemon) {
	char *text = NULL;
	unsigned have = 0;

	while (have < daemon->shards && daemon->parts[have] != NULL)
		have++;
	if (have < daemon->shards) {
		forget_parts(daemon);
	} else {
		text = relay_report(daemon->parts, have);
		for (unsigned i = 0; i < have; i++)
			daemon->parts[i] = NULL;
	}
	relay_status_answer(daemon->status, text);
	free(text);
}

static void take_part(struct daemon *daemon, unsigned shard, json_t *part) {
	daemon->parts[shard] = part;
	if (++daemon->part_count == daemon->shards)
		answer(daemon);
}

static void status_wanted(void *user) {
	struct daemon *daemon = user;

	daemon->part_count = 0;
	for (unsigned i = 0; i < daemon->shards; i++) {
		if (!relay_worker_post(daemon->workers[i], RELAY_ORDER_SNAPSHOT, NULL))
			take_part(daemon, i, NULL);
	}
}

static void inbox_ready(void *user, unsigned events, uint64_t now) {
	struct daemon *daemon = user;
	struct thread_message message;

	(void)events;
	(void)now;
	while (thread_mailbox_take(daemon->inbox, &message)) {
		if (message.kind == RELAY_NEWS_FAILED) {
			daemon->failed = true;
			loop_stop(daemon->loop);
			continue;
		}
		take_part(daemon, message.from, message.data);
	}
}

/* --- certificate --- */

static const char *fingerprint_text(const struct quic_identity *identity,
                                    char buf[static 2 * QUIC_FINGERPRINT_BYTES + 1]) {
	uint8_t fingerprint[QUIC_FINGERPRINT_BYTES];
	struct base_text text;

	quic_identity_fingerprint(identity, fingerprint);
	base_text_init(&text, buf, 2 * QUIC_FINGERPRINT_BYTES + 1);
	base_text_add_hex(&text, slice_of(fingerprint, sizeof(fingerprint)));
	return buf;
}

static void hang_up(void *user) {
	struct daemon *daemon = user;
	char error[RELAY_IDENTITY_ERROR_BYTES], fingerprint[2 * QUIC_FINGERPRINT_BYTES + 1];
	struct quic_identity *identity;

	if (daemon->config->cert == NULL) {
		obs_note(daemon->log, OBS_INFO, "certificate_kept", "self-signed: there is no file to read again");
		return;
	}
	if (relay_identity_load(daemon->config, &identity, error) != 0) {
		obs_note(daemon->log, OBS_ERROR, "certificate_kept", error);
		return;
	}
	quic_identity_unref(daemon->identity);
	daemon->identity = identity;
	for (unsigned i = 0; i < daemon->shards; i++)
		give_identity(daemon, i);
	obs_begin(daemon->log, OBS_INFO, "certificate_reloaded");
	obs_str(daemon->log, "fingerprint", fingerprint_text(identity, fingerprint));
	obs_end(daemon->log);
	look_at_dates(daemon, loop_now(daemon->loop));
}

/* --- start and end --- */

static int start_failed(struct daemon *daemon, enum relay_exit status, const char *what, const char *text) {
	obs_note(daemon->log, OBS_ERROR, what, text);
	return (int)status;
}

static int open_identity(struct daemon *daemon) {
	char error[RELAY_IDENTITY_ERROR_BYTES];
	int result = daemon->config->cert != NULL
	                 ? relay_identity_load(daemon->config, &daemon->identity, error)
	                 : relay_identity_make(daemon->config, loop_wall_clock(), &daemon->identity, error);

	return result == 0 ? 0 : start_failed(daemon, RELAY_EXIT_CERTIFICATE, "certificate", error);
}

static int open_sockets(struct daemon *daemon) {
	struct udp_options options = {
	    .local = daemon->config->listen, .local_addr_in_path = true, .no_offload = daemon->config->no_offload};
	size_t wanted = daemon->config->shards != 0 ? daemon->config->shards : thread_cores();
	char addr[BASE_ADDR_TEXT_BYTES], text[160];
	struct base_text out;
	int result;

	wanted = wanted < BASE_SHARDS_MAX ? wanted : BASE_SHARDS_MAX;
	result = udp_open_steered(&options, wanted, daemon->sockets);
	if (result > 0) {
		daemon->shards = (unsigned)result;
		daemon->local = udp_local(daemon->sockets[0]);
		daemon->features = udp_features(daemon->sockets[0]);
		if (daemon->shards < wanted)
			obs_note(
			    daemon->log, OBS_WARN, "one_shard",
			    "there is no socket for each shard, or this system does not steer packets by their connection IDs: one "
			    "shard does all the work");
		if (daemon->features.small_buffer)
			obs_note(daemon->log, OBS_WARN, "small_buffer", UDP_SMALL_BUFFER_TEXT);
		return 0;
	}
	base_text_init(&out, text, sizeof(text));
	base_text_addf(&out, "cannot listen on %s: %s", base_addr_text(&daemon->config->listen, addr),
	               result == BASE_E_EXISTS    ? "the address is in use"
	               : result == BASE_E_INVALID ? "it is not an address of this host"
	               : result == BASE_E_DENIED  ? "a port below 1024 needs root or CAP_NET_BIND_SERVICE"
	                                          : base_error_text(result));
	return start_failed(daemon, RELAY_EXIT_LISTEN, "listen", text);
}

static int open_status(struct daemon *daemon) {
	char error[RELAY_STATUS_ERROR_BYTES];

	if (daemon->config->status_socket == NULL || relay_status_open(daemon->loop, daemon->config->status_socket,
	                                                               status_wanted, daemon, &daemon->status, error) == 0)
		return 0;
	return start_failed(daemon, RELAY_EXIT_LISTEN, "status_socket", error);
}

static int open_seal(struct daemon *daemon) {
	char error[SEAL_ERROR_BYTES];
	int result = seal_backend_open(daemon->config->crypto, daemon->log, &daemon->seal, error);

	if (result == 0)
		return 0;
	return start_failed(daemon, RELAY_EXIT_FAILURE, "packet_protection",
	                    result == BASE_E_UNSUPPORTED ? error : base_error_text(result));
}

static int open_worker(struct daemon *daemon, unsigned number) {
	const struct relay_config *config = daemon->config;
	struct relay_worker_options options = {
	    .shard =
	        {
	            .identity = daemon->identity,
	            .limits = config->limits,
	            .quic = {.congestion = config->congestion, .seal = daemon->seal},
	            .shared = daemon->shared,
	            .gate = daemon->gate,
	            .shard = number,
	            .shards = daemon->shards,
	            .unsafe_no_policy = config->unsafe_no_policy,
	        },
	    .socket = daemon->sockets[number],
	    .control = daemon->inbox,
	    .workers = daemon->workers,
	    .log_level = config->log_level,
	    .log_format = config->log_format,
	    .log_sink = write_line,
	    .log_user = daemon,
	};

	daemon->sockets[number] = NULL;
	quic_random((uint8_t *)options.shard.seed, sizeof(options.shard.seed));
	return relay_worker_new(&options, &daemon->workers[number]);
}

static int open_workers(struct daemon *daemon) {
	uint64_t seed[2];
	int result = 0;

	quic_random((uint8_t *)seed, sizeof(seed));
	daemon->gate = quic_gate_new();
	daemon->shared = relay_shared_new(seed);
	if (daemon->gate == NULL || daemon->shared == NULL)
		result = BASE_E_NOMEM;
	for (unsigned i = 0; i < daemon->shards && result == 0; i++)
		result = open_worker(daemon, i);
	if (result == 0)
		return 0;
	return start_failed(daemon, RELAY_EXIT_FAILURE, "start",
	                    result == BASE_E_NOMEM ? "out of memory or of file descriptors" : base_error_text(result));
}

static int start_workers(struct daemon *daemon) {
	while (daemon->started < daemon->shards) {
		if (relay_worker_start(daemon->workers[daemon->started]) != 0)
			return start_failed(daemon, RELAY_EXIT_FAILURE, "start", "the system allows no more threads");
		daemon->started++;
	}
	return 0;
}

/* The workers' threads inherit it. */
static void take_priority(struct daemon *daemon) {
	enum host_priority priority = daemon->config->priority;
	char error[HOST_ERROR_BYTES];
	int err = host_set_priority(priority, error);

	obs_note(daemon->log, OBS_INFO, "priority", err == 0 ? host_priority_text(priority) : error);
}

static int open_all(struct daemon *daemon) {
	char error[HOST_ERROR_BYTES];
	int status;

	if (quic_global_init() != 0)
		return start_failed(daemon, RELAY_EXIT_FAILURE, "start", "the TLS library does not start");
	daemon->loop = loop_new();
	daemon->inbox = thread_mailbox_new();
	daemon->inbox_source = (struct loop_source){.ready = inbox_ready, .user = daemon};
	if (daemon->loop == NULL || daemon->inbox == NULL || loop_watch_signals(daemon->loop, hang_up, daemon) != 0 ||
	    loop_add(daemon->loop, &daemon->inbox_source, thread_mailbox_fd(daemon->inbox), LOOP_READ) != 0)
		return start_failed(daemon, RELAY_EXIT_FAILURE, "start", "the event loop does not start");
	/* The port first: a second relay must not overwrite the certificate file of the one that runs. */
	if ((status = open_sockets(daemon)) != 0 || (status = open_status(daemon)) != 0 ||
	    (status = open_identity(daemon)) != 0 || (status = open_seal(daemon)) != 0)
		return status;
	take_priority(daemon);
	if (host_drop_privileges(HOST_CAP_NONE, daemon->config->user, error) != 0)
		return start_failed(daemon, RELAY_EXIT_PRIVILEGE, "privileges", error);
	return open_workers(daemon);
}

static void log_started(struct daemon *daemon) {
	char addr[BASE_ADDR_TEXT_BYTES], fingerprint[2 * QUIC_FINGERPRINT_BYTES + 1];

	obs_begin(daemon->log, OBS_INFO, "relay_started");
	obs_str(daemon->log, "version", LANPARTY_VERSION);
	obs_str(daemon->log, "listen", base_addr_text(&daemon->local, addr));
	obs_str(daemon->log, "fingerprint", fingerprint_text(daemon->identity, fingerprint));
	obs_u64(daemon->log, "shards", daemon->shards);
	obs_bool(daemon->log, "gso", daemon->features.gso);
	obs_bool(daemon->log, "gro", daemon->features.gro);
	obs_end(daemon->log);
	if (daemon->config->unsafe_no_policy)
		obs_note(daemon->log, OBS_WARN, "unsafe_no_policy",
		         "the layer-2 policy is off: any client can take over a LAN; for tests only");
}

/* All say goodbye at the same time; each takes a bounded time for it. */
static void stop_workers(struct daemon *daemon) {
	for (unsigned i = 0; i < daemon->started; i++) {
		/* It takes none while hundreds of others wait for it, and never if it has failed. */
		for (int tries = 0; tries < STOP_TRIES; tries++) {
			if (relay_worker_post(daemon->workers[i], RELAY_ORDER_STOP, NULL))
				break;
			loop_run_once(daemon->loop, STOP_RETRY_NS);
		}
	}
	for (unsigned i = 0; i < daemon->started; i++)
		relay_worker_join(daemon->workers[i]);
}

static void close_all(struct daemon *daemon) {
	struct thread_message message;

	stop_workers(daemon);
	while (daemon->inbox != NULL && thread_mailbox_take(daemon->inbox, &message))
		json_decref(message.data);
	forget_parts(daemon);
	for (unsigned i = 0; i < daemon->shards; i++) {
		relay_worker_free(daemon->workers[i]);
		udp_close(daemon->sockets[i]);
	}
	quic_gate_free(daemon->gate);
	relay_shared_free(daemon->shared);
	relay_status_close(daemon->status);
	quic_identity_unref(daemon->identity);
	seal_backend_free(daemon->seal);
	thread_mailbox_free(daemon->inbox);
	loop_free(daemon->loop);
	quic_global_done();
}

static int run(struct daemon *daemon) {
	int status = open_all(daemon);

	if (status == 0)
		status = start_workers(daemon);
	if (status != 0) {
		daemon->failed = true;
		return status;
	}
	log_started(daemon);
	loop_timer_init(&daemon->second_timer, second_due, daemon);
	second_due(daemon, loop_now(daemon->loop));
	if (loop_run(daemon->loop) != 0)
		daemon->failed = true;
	return daemon->failed ? RELAY_EXIT_FAILURE : RELAY_EXIT_OK;
}

int relay_daemon_run(const struct relay_config *config) {
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	int status = RELAY_EXIT_FAILURE;

	if (daemon == NULL)
		return status;
	daemon->config = config;
	host_stderr_open(&daemon->out);
	daemon->log_lock = thread_lock_new();
	if (daemon->log_lock != NULL)
		daemon->log = obs_log_new(config->log_level, config->log_format, write_line, loop_wall_clock, daemon);
	if (daemon->log != NULL) {
		status = run(daemon);
		close_all(daemon);
		if (daemon->started > 0)
			obs_note(daemon->log, OBS_INFO, "relay_stopped", daemon->failed ? "after a failure" : "by a signal");
		obs_log_free(daemon->log);
	}
	thread_lock_free(daemon->log_lock);
	host_stderr_close(&daemon->out);
	free(daemon);
	return status;
}
