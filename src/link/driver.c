/* The session's life on a loop. All writing happens once, at the end of a turn: what the session, the connection and
 * the owner's device queued meanwhile leaves in as few system calls as the socket allows. */
#include "link/driver.h"

#include "base/error.h"
#include "net/resolve.h"
#include "udp/udp.h"

#include <stdlib.h>
#include <string.h>

#define RECV_ROUNDS 4 /* batches per turn: a flood from the network must not starve the device */
#define SEND_ROUNDS 4 /* arenas per turn, likewise */
#define ARENA_BYTES ((size_t)4 * UDP_BURST_BYTES_MAX)
#define TICK_NS BASE_SECOND

_Static_assert(QUIC_BURST_BYTES <= UDP_BURST_BYTES_MAX && QUIC_BURST_SEGMENTS_MAX <= UDP_BURST_SEGMENTS_MAX,
               "a burst is too long for the socket");

struct link_driver {
	struct link_driver_options options;
	struct link_transport *transport;
	struct client_session *session;

	struct udp_socket *socket;  /* NULL: broken or not openable at the moment */
	struct udp_socket *reading; /* its datagrams are at hand: it is closed when they no longer are */
	uint8_t socket_family;
	bool small_buffer_said;
	uint64_t reopened_at;
	struct loop_source socket_source;
	struct loop_timer timer;
	struct loop_timer tick; /* once a second: flood summaries of the log, a new try for a socket */

	struct net_resolver *resolver;
	struct loop_source resolver_source;

	/* Bursts that the socket has not taken yet; they lie in the arena. */
	struct udp_burst bursts[UDP_TX_BURSTS_MAX];
	size_t burst_count, burst_next;
	bool more; /* this turn's rounds were used up before everything was written */
	uint8_t arena[ARENA_BYTES];
};

/* --- socket --- */

static void log_error(struct link_driver *driver, const char *event, int err) {
	obs_note(driver->options.log, OBS_WARN, event, base_error_text(err));
}

static void close_socket(struct link_driver *driver) {
	loop_remove(driver->options.loop, &driver->socket_source);
	if (driver->socket != driver->reading)
		udp_close(driver->socket);
	driver->socket = NULL;
	driver->burst_next = driver->burst_count = 0; /* lost on the way, for QUIC */
}

static int open_socket(struct link_driver *driver, uint8_t family) {
	struct udp_options options = {.local = {.family = family}, .no_offload = driver->options.no_offload};
	int err = udp_open(&options, &driver->socket);

	if (err != 0)
		return err;
	driver->socket_family = family;
	if (udp_features(driver->socket).small_buffer && !driver->small_buffer_said)
		obs_note(driver->options.log, OBS_WARN, "small_buffer", UDP_SMALL_BUFFER_TEXT);
	driver->small_buffer_said = true;
	err = loop_add(driver->options.loop, &driver->socket_source, udp_fd(driver->socket), LOOP_READ);
	if (err != 0)
		close_socket(driver);
	return err;
}

/* At most one new socket a second, so that one that breaks at once does not keep the loop busy. */
static void reopen_socket(struct link_driver *driver, uint64_t now) {
	int err;

	close_socket(driver);
	if (now - driver->reopened_at < TICK_NS)
		return;
	driver->reopened_at = now;
	err = open_socket(driver, driver->socket_family);
	if (err != 0)
		log_error(driver, "socket_not_reopened", err);
}

/* The transport is about to connect: the socket must be of the relay's family, and the owner may pin its route. */
static int on_opening(void *user, const struct base_addr *remote, uint64_t now) {
	struct link_driver *driver = user;
	int err = driver->options.connecting != NULL ? driver->options.connecting(driver->options.user, remote, now) : 0;

	if (err != 0)
		return err;
	if (driver->socket != NULL && driver->socket_family == remote->family)
		return 0;
	close_socket(driver);
	return open_socket(driver, remote->family);
}

/* False when the socket is another one now: an event may have ended the connection, and the next address wanted the
 * other family. */
static bool receive_chunk(struct link_driver *driver, const struct udp_chunk *chunk, uint64_t now) {
	struct slice rest = chunk->bytes;

	while (rest.len > 0) {
		size_t len = chunk->segment > 0 && chunk->segment < rest.len ? chunk->segment : rest.len;

		link_transport_recv(driver->transport, &chunk->path, chunk->ecn, slice_of(rest.data, len), now);
		if (driver->socket != driver->reading)
			return false;
		rest = slice_of(rest.data + len, rest.len - len);
	}
	return true;
}

/* Returns whether there may be more. */
static bool receive_batch(struct link_driver *driver, uint64_t now) {
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];
	struct udp_socket *socket = driver->socket;
	int count = udp_recv(socket, chunks);
	bool more = count == UDP_RX_CHUNKS_MAX;

	if (count < 0) {
		log_error(driver, "socket_failed", count);
		reopen_socket(driver, now);
		return false;
	}
	driver->reading = socket;
	for (int i = 0; i < count && driver->socket == socket; i++)
		more = receive_chunk(driver, &chunks[i], now) && more;
	driver->reading = NULL;
	if (driver->socket != socket)
		udp_close(socket);
	return more;
}

static void on_socket(void *user, unsigned events, uint64_t now) {
	struct link_driver *driver = user;

	if ((events & (LOOP_READ | LOOP_GONE)) == 0)
		return; /* writable: the end of the turn writes */
	for (size_t round = 0; round < RECV_ROUNDS; round++)
		if (!receive_batch(driver, now))
			return;
}

/* --- writing --- */

/* Fills the arena with bursts. False when the connection has nothing more to write now. */
static bool fill_arena(struct link_driver *driver, uint64_t now) {
	size_t used = 0;

	driver->burst_count = driver->burst_next = 0;
	while (driver->burst_count < UDP_TX_BURSTS_MAX && ARENA_BYTES - used >= UDP_BURST_BYTES_MAX) {
		struct udp_burst *burst = &driver->bursts[driver->burst_count];
		struct quic_burst written;

		if (link_transport_write(driver->transport, driver->arena + used, ARENA_BYTES - used, &written, now) <= 0)
			return false;
		*burst = (struct udp_burst){
		    .path = {.remote = written.path.remote}, /* the kernel chooses the local address */
		    .ecn = written.ecn,
		    .segment = written.segment,
		    .bytes = slice_of(driver->arena + used, written.len),
		};
		driver->burst_count++;
		used += written.len;
		if (written.dry)
			break;
	}
	return true;
}

/* False while the socket's buffer is full. */
static bool send_bursts(struct link_driver *driver) {
	size_t left = driver->burst_count - driver->burst_next;

	if (left == 0 || driver->socket == NULL) {
		driver->burst_next = driver->burst_count; /* no socket: lost on the way */
		return true;
	}
	driver->burst_next += udp_send(driver->socket, driver->bursts + driver->burst_next, left);
	return driver->burst_next == driver->burst_count;
}

static void write_all(struct link_driver *driver, uint64_t now) {
	bool drained = false;

	driver->more = false;
	for (size_t round = 0; send_bursts(driver) && !drained; round++) {
		if (round == SEND_ROUNDS) {
			driver->more = true;
			return;
		}
		drained = !fill_arena(driver, now);
	}
}

/* Something was queued, perhaps outside of any turn: the next one comes at once. */
static void on_wake(void *user) {
	struct link_driver *driver = user;

	loop_timer_set(driver->options.loop, &driver->timer, loop_now(driver->options.loop));
}

static void on_turn_end(void *user, uint64_t now) {
	struct link_driver *driver = user;

	if (driver->options.flush != NULL)
		driver->options.flush(driver->options.user, now);
	write_all(driver, now);
	if (driver->socket != NULL)
		loop_modify(driver->options.loop, &driver->socket_source,
		            link_driver_congested(driver) ? LOOP_READ | LOOP_WRITE : LOOP_READ);
	loop_timer_set(driver->options.loop, &driver->timer,
	               driver->more ? now : link_transport_deadline(driver->transport));
	/* Last: what the owner queues here wakes the timer again. */
	if (driver->options.after_turn != NULL)
		driver->options.after_turn(driver->options.user, now);
}

static void on_timer(void *user, uint64_t now) {
	struct link_driver *driver = user;

	link_transport_tick(driver->transport, now);
}

static void on_tick(void *user, uint64_t now) {
	struct link_driver *driver = user;

	obs_log_tick(driver->options.log, now);
	if (driver->socket == NULL)
		reopen_socket(driver, now);
	loop_timer_set(driver->options.loop, &driver->tick, now + TICK_NS);
}

/* --- the relay's addresses --- */

static void stop_resolving(struct link_driver *driver) {
	loop_remove(driver->options.loop, &driver->resolver_source);
	net_resolver_free(driver->resolver);
	driver->resolver = NULL;
}

static void on_resolved(void *user, unsigned events, uint64_t now) {
	struct link_driver *driver = user;
	char error[NET_ERROR_BYTES] = "";
	struct net_resolved found;
	int err = net_resolver_result(driver->resolver, &found, error);

	(void)events;
	if (err == BASE_E_AGAIN)
		return;
	stop_resolving(driver);
	if (err == 0)
		client_session_addresses(driver->session, found.addrs, found.count, now);
	else
		client_session_resolve_failed(driver->session, error, now);
}

static void on_resolve(void *user, uint64_t now) {
	struct link_driver *driver = user;
	const struct net_endpoint *relay = &driver->options.relay;

	stop_resolving(driver); /* an answer that did not come in time */
	if (relay->is_literal) {
		client_session_addresses(driver->session, &relay->addr, 1, now);
		return;
	}
	driver->resolver = net_resolver_start(relay);
	if (driver->resolver == NULL) {
		client_session_resolve_failed(driver->session, "no thread can be started for the resolver", now);
		return;
	}
	if (loop_add(driver->options.loop, &driver->resolver_source, net_resolver_fd(driver->resolver), LOOP_READ) != 0) {
		stop_resolving(driver);
		client_session_resolve_failed(driver->session, "the resolver cannot be waited for", now);
	}
}

/* --- life --- */

/* A first socket shows early whether there can be one; the relay's address may ask for the other family later. */
static int open_first_socket(struct link_driver *driver) {
	const struct net_endpoint *relay = &driver->options.relay;
	int err;

	if (relay->is_literal)
		return open_socket(driver, relay->addr.family);
	err = open_socket(driver, BASE_FAMILY_V6);
	return err == 0 ? 0 : open_socket(driver, BASE_FAMILY_V4);
}

int link_driver_new(const struct link_driver_options *options, struct link_driver **ret) {
	struct link_driver *driver = calloc(1, sizeof(*driver));
	struct link_transport_options transport = options->transport;
	int err;

	if (driver == NULL)
		return BASE_E_NOMEM;
	driver->options = *options;
	driver->socket_source = (struct loop_source){.ready = on_socket, .user = driver, .fd = -1};
	driver->resolver_source = (struct loop_source){.ready = on_resolved, .user = driver, .fd = -1};
	loop_timer_init(&driver->timer, on_timer, driver);
	loop_timer_init(&driver->tick, on_tick, driver);
	transport.resolve = on_resolve;
	transport.opening = on_opening;
	transport.wake = on_wake;
	transport.user = driver;
	err = link_transport_new(&transport, &driver->transport);
	if (err == 0)
		err = client_session_new(&options->session, &link_transport_ops, driver->transport, options->events,
		                         options->user, &driver->session);
	if (err == 0) {
		link_transport_attach(driver->transport, driver->session);
		err = open_first_socket(driver);
	}
	if (err != 0) {
		link_driver_free(driver);
		return err == BASE_E_NOMEM || err == BASE_E_INVALID ? err : BASE_E_IO;
	}
	loop_set_after(options->loop, on_turn_end, driver);
	*ret = driver;
	return 0;
}

void link_driver_free(struct link_driver *driver) {
	if (driver == NULL)
		return;
	loop_set_after(driver->options.loop, NULL, NULL);
	loop_timer_set(driver->options.loop, &driver->timer, BASE_NEVER);
	loop_timer_set(driver->options.loop, &driver->tick, BASE_NEVER);
	stop_resolving(driver);
	close_socket(driver);
	link_transport_free(driver->transport);
	client_session_free(driver->session);
	free(driver);
}

void link_driver_start(struct link_driver *driver, uint64_t now) {
	loop_timer_set(driver->options.loop, &driver->tick, now + TICK_NS);
	client_session_start(driver->session, now);
}

struct client_session *link_driver_session(struct link_driver *driver) {
	return driver->session;
}

bool link_driver_congested(const struct link_driver *driver) {
	return driver->burst_next < driver->burst_count;
}
