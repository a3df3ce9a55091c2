/* relay/daemon.c: wires a shard to socket, clock and signals. One turn: read what has arrived (bounded), let due timers
 * run, then write everything that the turn produced. Order of start: port, status socket, certificate, crypto, and only
 * then privileges are given up, before the first byte of a stranger is read. */
#include "relay/daemon.h"

#include "base/error.h"
#include "base/text.h"
#include "host/host.h"
#include "loop/loop.h"
#include "relay/identity.h"
#include "relay/shard.h"
#include "relay/status.h"
#include "udp/udp.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RX_ROUNDS_MAX 4  /* reads a turn: bounds the time until answers leave */
#define TX_ROUNDS_MAX 16 /* writes a turn: bounds the time until the next read */
#define TX_BYTES (4 * QUIC_BURST_BYTES)
#define TX_BLOCKED_NS BASE_MS /* timers while the socket takes nothing */
#define GOODBYE_NS (1500 * BASE_MS)

struct daemon {
	const struct relay_config *config;
	struct obs_log *log;
	struct loop *loop;
	struct udp_socket *socket;
	struct relay_shard *shard;
	struct relay_status *status;
	struct quic_identity *identity;
	struct seal_backend *seal;
	struct loop_source source;
	struct loop_timer shard_timer, second_timer;
	bool failed;
	struct udp_burst bursts[UDP_TX_BURSTS_MAX]; /* those from burst_next on wait for the socket */
	size_t burst_count, burst_next;
	uint8_t tx[TX_BYTES];
};

/* --- packets --- */

static void receive_chunk(struct daemon *daemon, const struct udp_chunk *chunk, uint64_t now) {
	struct slice rest = chunk->bytes;

	while (rest.len > 0) {
		size_t len = rest.len < chunk->segment ? rest.len : chunk->segment;

		relay_shard_recv(daemon->shard, &chunk->path, chunk->ecn, slice_of(rest.data, len), now);
		rest = slice_of(rest.data + len, rest.len - len);
	}
}

static void socket_failed(struct daemon *daemon) {
	obs_note(daemon->log, OBS_ERROR, "socket_failed", "the UDP socket is beyond use");
	daemon->failed = true;
	loop_remove(daemon->loop, &daemon->source);
	loop_stop(daemon->loop);
}

static void socket_ready(void *user, unsigned events, uint64_t now) {
	struct daemon *daemon = user;
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];

	(void)events; /* what can be written is written at the end of the turn */
	for (int round = 0; round < RX_ROUNDS_MAX; round++) {
		int count = udp_recv(daemon->socket, chunks);

		if (count < 0) {
			socket_failed(daemon);
			return;
		}
		for (int i = 0; i < count; i++)
			receive_chunk(daemon, &chunks[i], now);
		if (count < UDP_RX_CHUNKS_MAX)
			return;
	}
}

/* False when the socket is full: the rest waits. */
static bool send_bursts(struct daemon *daemon) {
	daemon->burst_next +=
	    udp_send(daemon->socket, daemon->bursts + daemon->burst_next, daemon->burst_count - daemon->burst_next);
	if (daemon->burst_next < daemon->burst_count)
		return false;
	daemon->burst_count = daemon->burst_next = 0;
	return true;
}

static void collect_bursts(struct daemon *daemon, uint64_t now) {
	size_t used = 0;
	struct quic_burst burst;

	assert(daemon->burst_count == 0);
	while (daemon->burst_count < UDP_TX_BURSTS_MAX && sizeof(daemon->tx) - used >= QUIC_BURST_BYTES &&
	       relay_shard_write(daemon->shard, daemon->tx + used, QUIC_BURST_BYTES, &burst, now) == 1) {
		daemon->bursts[daemon->burst_count++] = (struct udp_burst){
		    .path = burst.path,
		    .ecn = burst.ecn,
		    .segment = burst.segment,
		    .bytes = slice_of(daemon->tx + used, burst.len),
		};
		used += burst.len;
	}
}

static void write_turn(void *user, uint64_t now) {
	struct daemon *daemon = user;
	uint64_t deadline;
	bool blocked = !send_bursts(daemon);
	int round;

	for (round = 0; !blocked && round < TX_ROUNDS_MAX; round++) {
		collect_bursts(daemon, now);
		if (daemon->burst_count == 0)
			break;
		blocked = !send_bursts(daemon);
	}
	deadline = relay_shard_deadline(daemon->shard);
	if (blocked && deadline < now + TX_BLOCKED_NS)
		deadline = now + TX_BLOCKED_NS; /* a timer that asks for a write again and again would spin */
	else if (round == TX_ROUNDS_MAX)
		deadline = now;
	loop_timer_set(daemon->loop, &daemon->shard_timer, deadline);
	if (!daemon->failed)
		loop_modify(daemon->loop, &daemon->source, blocked ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void shard_due(void *user, uint64_t now) {
	struct daemon *daemon = user;

	relay_shard_tick(daemon->shard, now);
}

static void second_due(void *user, uint64_t now) {
	struct daemon *daemon = user;

	obs_log_tick(daemon->log, now);
	loop_timer_set(daemon->loop, &daemon->second_timer, now + BASE_SECOND);
}

static char *snapshot(void *user, uint64_t now) {
	struct daemon *daemon = user;

	return relay_shard_snapshot(daemon->shard, now);
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
	relay_shard_set_identity(daemon->shard, identity);
	quic_identity_unref(daemon->identity);
	daemon->identity = identity;
	obs_begin(daemon->log, OBS_INFO, "certificate_reloaded");
	obs_str(daemon->log, "fingerprint", fingerprint_text(identity, fingerprint));
	obs_end(daemon->log);
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

static int open_socket(struct daemon *daemon) {
	struct udp_options options = {
	    .local = daemon->config->listen, .local_addr_in_path = true, .no_offload = daemon->config->no_offload};
	int result = udp_open(&options, &daemon->socket);
	char addr[BASE_ADDR_TEXT_BYTES], text[160];
	struct base_text out;

	daemon->source = (struct loop_source){.ready = socket_ready, .user = daemon};
	if (result == 0 && (result = loop_add(daemon->loop, &daemon->source, udp_fd(daemon->socket), LOOP_READ)) == 0)
		return 0;
	base_text_init(&out, text, sizeof(text));
	base_text_addf(&out, "cannot listen on %s: %s", base_addr_text(&daemon->config->listen, addr),
	               result == BASE_E_EXISTS    ? "the address is in use"
	               : result == BASE_E_INVALID ? "it is not an address of this host"
	                                          : base_error_text(result));
	return start_failed(daemon, RELAY_EXIT_LISTEN, "listen", text);
}

static int open_status(struct daemon *daemon) {
	char error[RELAY_STATUS_ERROR_BYTES];

	if (daemon->config->status_socket == NULL ||
	    relay_status_open(daemon->loop, daemon->config->status_socket, snapshot, daemon, &daemon->status, error) == 0)
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

static int open_shard(struct daemon *daemon) {
	const struct relay_config *config = daemon->config;
	struct relay_shard_options options = {
	    .identity = daemon->identity,
	    .limits = config->limits,
	    .quic = {.congestion = config->congestion, .seal = daemon->seal},
	    .log = daemon->log,
	    .unsafe_no_policy = config->unsafe_no_policy,
	};
	int result;

	quic_random((uint8_t *)options.seed, sizeof(options.seed));
	result = relay_shard_new(&options, &daemon->shard);
	return result == 0 ? 0 : start_failed(daemon, RELAY_EXIT_FAILURE, "start", base_error_text(result));
}

static int open_all(struct daemon *daemon) {
	char error[HOST_ERROR_BYTES];
	int status;

	if (quic_global_init() != 0)
		return start_failed(daemon, RELAY_EXIT_FAILURE, "start", "the TLS library does not start");
	daemon->loop = loop_new();
	if (daemon->loop == NULL || loop_watch_signals(daemon->loop, hang_up, daemon) != 0)
		return start_failed(daemon, RELAY_EXIT_FAILURE, "start", "the event loop does not start");
	/* The port first: a second relay must not overwrite the certificate file of the one that runs. */
	if ((status = open_socket(daemon)) != 0 || (status = open_status(daemon)) != 0 ||
	    (status = open_identity(daemon)) != 0 || (status = open_seal(daemon)) != 0)
		return status;
	if (host_drop_privileges(HOST_CAP_NONE, daemon->config->user, error) != 0)
		return start_failed(daemon, RELAY_EXIT_PRIVILEGE, "privileges", error);
	return open_shard(daemon);
}

static void log_started(struct daemon *daemon) {
	char addr[BASE_ADDR_TEXT_BYTES], fingerprint[2 * QUIC_FINGERPRINT_BYTES + 1];
	struct base_addr local = udp_local(daemon->socket);
	struct udp_features features = udp_features(daemon->socket);

	obs_begin(daemon->log, OBS_INFO, "relay_started");
	obs_str(daemon->log, "version", LANPARTY_VERSION);
	obs_str(daemon->log, "listen", base_addr_text(&local, addr));
	obs_str(daemon->log, "fingerprint", fingerprint_text(daemon->identity, fingerprint));
	obs_bool(daemon->log, "gso", features.gso);
	obs_bool(daemon->log, "gro", features.gro);
	obs_end(daemon->log);
	if (daemon->config->unsafe_no_policy)
		obs_note(daemon->log, OBS_WARN, "unsafe_no_policy",
		         "the layer-2 policy is off: any client can take over a LAN; for tests only");
}

static void close_all(struct daemon *daemon) {
	relay_shard_free(daemon->shard);
	relay_status_close(daemon->status);
	if (daemon->source.registered)
		loop_remove(daemon->loop, &daemon->source);
	udp_close(daemon->socket);
	quic_identity_unref(daemon->identity);
	seal_backend_free(daemon->seal);
	if (daemon->loop != NULL)
		loop_free(daemon->loop);
	quic_global_done();
}

static void say_goodbye(struct daemon *daemon) {
	uint64_t end = loop_now(daemon->loop) + GOODBYE_NS;

	relay_shard_shutdown(daemon->shard, loop_now(daemon->loop));
	do {
		/* The shard's new deadlines are armed at the end of the first turn. */
		if (loop_run_once(daemon->loop, 10 * BASE_MS) != 0)
			return;
	} while (!relay_shard_is_drained(daemon->shard) && loop_now(daemon->loop) < end);
}

static int run(struct daemon *daemon) {
	int status = open_all(daemon);

	if (status != 0)
		return status;
	log_started(daemon);
	loop_timer_init(&daemon->shard_timer, shard_due, daemon);
	loop_timer_init(&daemon->second_timer, second_due, daemon);
	loop_set_after(daemon->loop, write_turn, daemon);
	second_due(daemon, loop_now(daemon->loop));
	if (loop_run(daemon->loop) != 0)
		daemon->failed = true;
	if (!daemon->failed)
		say_goodbye(daemon);
	obs_note(daemon->log, OBS_INFO, "relay_stopped", daemon->failed ? "after a failure" : "by a signal");
	return daemon->failed ? RELAY_EXIT_FAILURE : RELAY_EXIT_OK;
}

int relay_daemon_run(const struct relay_config *config) {
	struct daemon *daemon = calloc(1, sizeof(*daemon));
	int status = RELAY_EXIT_FAILURE;

	if (daemon == NULL)
		return status;
	daemon->config = config;
	daemon->log = obs_log_new(config->log_level, config->log_format, host_stderr_sink, loop_wall_clock, NULL);
	if (daemon->log != NULL) {
		status = run(daemon);
		close_all(daemon);
		obs_log_free(daemon->log);
	}
	free(daemon);
	return status;
}
