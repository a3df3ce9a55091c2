/* bench/relay_load.c: many peers in one process that speak to a relay as ours do, without devices.
 *
 *     relay-load idle RELAY CERT PEERS SECONDS           joins rooms of up to 64 and is silent; prints "joined"
 *     relay-load forward RELAY CERT ROOM SHARD SHARDS BYTES BURST RATE SECONDS
 *                                                        two peers in a room that SHARD of SHARDS serves, its name
 *                                                        beginning with ROOM; one sends frames to the other, in
 *                                                        bursts of BURST, RATE a second in all (0: as fast as the
 *                                                        relay takes them); prints what was sent and what arrived
 *
 * RELAY is ADDRESS:PORT, CERT the relay's certificate (DER). A forwarding run waits for a line on standard input
 * between joining and sending, so that its surroundings can be measured. */
#include "link/transport.h"
#include "net/endpoint.h"
#include "proto/steer.h"
#include "seal/seal.h"
#include "udp/udp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEERS_MAX 1000
#define ROOM_PEERS 64
#define JOIN_WITHIN (30 * BASE_SECOND)
#define ARENA_BYTES ((size_t)4 * UDP_BURST_BYTES_MAX)
#define CERT_BYTES_MAX 16384
#define BURST_MAX 256
#define WINDOW_BURSTS 4
#define LOST_AFTER (20 * BASE_MS)
#define ETHERTYPE_EXPERIMENT 0x88b5 /* IEEE Std 802, local experimental */

struct station {
	struct link_transport *transport;
	struct client_session *session;
	struct udp_socket *socket;
	uint64_t received;
	bool joined;
};

static struct station stations[PEERS_MAX];
static struct pollfd polls[PEERS_MAX];
static size_t station_count;
static struct net_endpoint relay;
static struct seal_backend *seal; /* the fastest there is: the load must not be what limits the relay */

static uint64_t clock_now(void) {
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * BASE_SECOND + (uint64_t)time.tv_nsec;
}

static _Noreturn void die(const char *what, const char *why) {
	fprintf(stderr, "relay-load: %s: %s\n", what, why);
	exit(1);
}

static uint64_t number(const char *text, uint64_t low, uint64_t high) {
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value < low || value > high)
		die(text, "is no number, or one that makes no sense here");
	return value;
}

/* --- events --- */

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct station *station = user;

	(void)welcome, (void)now;
	station->joined = true;
}

static void on_peer_joined(void *user, const struct client_peer *peer, uint64_t now) {
	(void)user, (void)peer, (void)now;
}

static void on_peer_left(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	(void)user, (void)peer, (void)reason, (void)now;
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct station *station = user;

	(void)source_peer, (void)frame, (void)now;
	station->received++;
}

static void on_lost(void *user, const char *why, uint64_t now) {
	(void)user, (void)now;
	die("a peer was lost", why);
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	(void)user, (void)status, (void)now;
	die("a peer's session ended", why);
}

static const struct client_events events = {
    .joined = on_joined,
    .peer_joined = on_peer_joined,
    .peer_left = on_peer_left,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

/* --- stations --- */

static struct proto_mac station_mac(size_t index) {
	return (struct proto_mac){{0x02, 0x62, (uint8_t)getpid(), 0, (uint8_t)(index >> 8), (uint8_t)index}};
}

static void on_resolve(void *user, uint64_t now) {
	struct station *station = user;

	client_session_addresses(station->session, &relay.addr, 1, now);
}

static void open_station(const char *room, size_t pool_frames, struct quic_trust *trust, uint64_t now) {
	size_t index = station_count++;
	struct station *station = &stations[index];
	struct udp_options udp = {.local = {.family = relay.addr.family}};
	struct link_transport_options transport = {
	    .server_name = "localhost", .trust = trust, .settings = {.seal = seal}, .resolve = on_resolve, .user = station};
	struct client_config config = {
	    .role = CTRL_ROLE_CLIENT, .mac = station_mac(index), .seed = index, .pool_frames = pool_frames};

	snprintf(config.room, sizeof(config.room), "%s", room);
	snprintf(config.name, sizeof(config.name), "load%zu", index);
	quic_random(config.seat_key, sizeof(config.seat_key));
	if (udp_open(&udp, &station->socket) != 0)
		die("socket", strerror(errno));
	if (link_transport_new(&transport, &station->transport) != 0 ||
	    client_session_new(&config, &link_transport_ops, station->transport, &events, station, &station->session) != 0)
		die("session", "cannot be made");
	link_transport_attach(station->transport, station->session);
	polls[index] = (struct pollfd){.fd = udp_fd(station->socket), .events = POLLIN};
	client_session_start(station->session, now);
}

/* Returns how many chunks came. */
static int read_station(struct station *station, uint64_t now) {
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];
	int count = udp_recv(station->socket, chunks);

	for (int i = 0; i < count; i++) {
		struct slice rest = chunks[i].bytes;

		while (rest.len > 0) {
			size_t len = chunks[i].segment > 0 && chunks[i].segment < rest.len ? chunks[i].segment : rest.len;

			link_transport_recv(station->transport, &chunks[i].path, chunks[i].ecn, slice_of(rest.data, len), now);
			rest = slice_of(rest.data + len, rest.len - len);
		}
	}
	return count;
}

static void write_station(struct station *station, uint64_t now) {
	static uint8_t arena[ARENA_BYTES];
	bool drained = false;

	while (!drained) {
		struct udp_burst bursts[4];
		size_t used = 0, count = 0, sent = 0;

		while (count < 4 && !drained) {
			struct quic_burst written;

			drained = link_transport_write(station->transport, arena + used, UDP_BURST_BYTES_MAX, &written, now) <= 0;
			if (drained)
				break;
			bursts[count++] = (struct udp_burst){.path = {.remote = written.path.remote},
			                                     .ecn = written.ecn,
			                                     .segment = written.segment,
			                                     .bytes = slice_of(arena + used, written.len)};
			used += written.len;
		}
		while (sent < count) {
			struct pollfd writable = {.fd = udp_fd(station->socket), .events = POLLOUT};

			sent += udp_send(station->socket, bursts + sent, count - sent);
			if (sent < count)
				(void)poll(&writable, 1, 100);
		}
	}
}

/* One turn of everybody: waits until something comes, a deadline passes or `until`. */
static void turn(uint64_t until) {
	uint64_t now = clock_now(), due = until;
	struct timespec wait;

	for (size_t i = 0; i < station_count; i++) {
		uint64_t deadline = link_transport_deadline(stations[i].transport);

		due = deadline < due ? deadline : due;
	}
	due = due > now ? due - now : 0;
	wait = (struct timespec){.tv_sec = (time_t)(due / BASE_SECOND), .tv_nsec = (long)(due % BASE_SECOND)};
	int ready = ppoll(polls, station_count, &wait, NULL);

	now = clock_now();
	for (size_t i = 0; i < station_count; i++) {
		bool late = link_transport_deadline(stations[i].transport) <= now;
		bool readable = ready > 0 && polls[i].revents != 0;

		if (readable)
			(void)read_station(&stations[i], now);
		if (late)
			link_transport_tick(stations[i].transport, now);
		if (readable || late)
			write_station(&stations[i], now);
	}
}

static void join_all(void) {
	uint64_t deadline = clock_now() + JOIN_WITHIN;
	size_t joined = 0;

	for (size_t i = 0; i < station_count; i++)
		write_station(&stations[i], clock_now());
	while (joined < station_count) {
		if (clock_now() > deadline)
			die("relay", "not everybody could join");
		turn(clock_now() + 10 * BASE_MS);
		joined = 0;
		for (size_t i = 0; i < station_count; i++)
			joined += stations[i].joined;
	}
}

/* --- the two kinds of load --- */

static int run_idle(struct quic_trust *trust, char **arguments) {
	uint64_t count = number(arguments[0], 1, PEERS_MAX), end;

	for (uint64_t i = 0; i < count; i++) {
		char room[CTRL_ROOM_BYTES_MAX];

		snprintf(room, sizeof(room), "IDLE-%u-%u", (unsigned)getpid(), (unsigned)(i / ROOM_PEERS));
		open_station(room, 1, trust, clock_now());
		if (i % 16 == 15)
			join_all(); /* not all handshakes at once: the relay would ask for tokens */
	}
	join_all();
	printf("joined\n");
	fflush(stdout);
	end = clock_now() + number(arguments[1], 1, 3600) * BASE_SECOND;
	while (clock_now() < end)
		turn(end);
	return 0;
}

static size_t make_frame(uint8_t *frame, size_t len) {
	struct proto_mac to = station_mac(1), from = station_mac(0);

	memset(frame, 0x5a, len);
	memcpy(frame, to.b, sizeof(to.b));
	memcpy(frame + 6, from.b, sizeof(from.b));
	frame[12] = ETHERTYPE_EXPERIMENT >> 8;
	frame[13] = ETHERTYPE_EXPERIMENT & 0xff;
	return len;
}

/* Frames on their way: no more than WINDOW_BURSTS bursts, so that the load neither overruns a queue nor runs dry. What
 * has not arrived LOST_AFTER nothing else has is lost. */
struct window {
	uint64_t arrived, arrived_at, lost;
};

static uint64_t window_open(struct window *window, uint64_t sent, uint64_t arrived, uint64_t now) {
	if (arrived != window->arrived || window->arrived_at == 0) {
		window->arrived = arrived;
		window->arrived_at = now;
	} else if (now - window->arrived_at >= LOST_AFTER) {
		window->lost = sent - arrived;
		window->arrived_at = now;
	}
	return sent > arrived + window->lost ? sent - arrived - window->lost : 0;
}

static void name_room(char room[static CTRL_ROOM_BYTES_MAX], const char *prefix, uint64_t shard, uint64_t shards) {
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(room, CTRL_ROOM_BYTES_MAX, "%.20s-%u", prefix, i);
		if (base_steer_shard(proto_steer_byte(room), (unsigned)shards) == shard)
			return;
	}
	die(prefix, "no room of that name leads to the shard");
}

static int run_forward(struct quic_trust *trust, char **arguments) {
	static uint8_t frame[QUEUE_FRAME_BYTES_MAX];
	size_t len = make_frame(frame, number(arguments[3], 14, 1514));
	uint64_t burst = number(arguments[4], 1, BURST_MAX), rate = number(arguments[5], 0, 100000000);
	uint64_t seconds = number(arguments[6], 1, 3600), sent = 0, refused = 0, began, end, before;
	uint64_t shards = number(arguments[2], 1, BASE_SHARDS_MAX);
	struct window window = {0};
	char room[CTRL_ROOM_BYTES_MAX];

	name_room(room, arguments[0], number(arguments[1], 0, shards - 1), shards);
	open_station(room, 0, trust, clock_now());
	open_station(room, 0, trust, clock_now());
	join_all();
	printf("joined\n");
	fflush(stdout);
	if (getchar() == EOF)
		return 0;
	before = stations[1].received;
	began = clock_now();
	end = began + seconds * BASE_SECOND;
	for (uint64_t now = began; now < end; now = clock_now()) {
		uint64_t due = rate == 0 ? UINT64_MAX : (now - began) * rate / BASE_SECOND;
		bool open = window_open(&window, sent, stations[1].received - before, now) + burst <= WINDOW_BURSTS * burst;

		if (open && sent + burst <= due) {
			for (uint64_t i = 0; i < burst; i++) {
				if (client_session_send(stations[0].session, slice_of(frame, len), now) != 0)
					refused++;
			}
			sent += burst;
			write_station(&stations[0], now);
			turn(now); /* only what is there already */
		} else {
			turn(now + (rate == 0 ? LOST_AFTER : burst * BASE_SECOND / rate / 2));
		}
	}
	end = clock_now();
	for (uint64_t rest = end + 200 * BASE_MS; clock_now() < rest;)
		turn(rest);
	printf("{\"sent\": %llu, \"refused\": %llu, \"received\": %llu, \"seconds\": %.3f}\n", (unsigned long long)sent,
	       (unsigned long long)refused, (unsigned long long)(stations[1].received - before),
	       (double)(end - began) / (double)BASE_SECOND);
	return 0;
}

static struct quic_trust *read_trust(const char *path) {
	static uint8_t bytes[CERT_BYTES_MAX];
	char error[QUIC_ERROR_BYTES] = "";
	struct quic_trust *trust = quic_trust_new();
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file == NULL || trust == NULL)
		die(path, strerror(errno));
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	if (quic_trust_add_certificate(trust, slice_of(bytes, len), error) != 0)
		die(path, error);
	return trust;
}

int main(int argc, char **argv) {
	char error[NET_ERROR_BYTES], seal_error[SEAL_ERROR_BYTES];

	if (argc < 4 || !(strcmp(argv[1], "idle") == 0 ? argc == 6 : strcmp(argv[1], "forward") == 0 && argc == 11)) {
		fprintf(stderr, "usage: relay-load idle|forward RELAY CERT ..., see bench/relay_load.c\n");
		return 2;
	}
	if (quic_global_init() != 0)
		die("TLS", "cannot be initialised");
	if (seal_backend_open(SEAL_AUTO, NULL, &seal, seal_error) != 0)
		die("packet protection", seal_error);
	if (net_endpoint_parse(argv[2], &relay, error) != 0 || !relay.is_literal)
		die(argv[2], "is no address with a port");
	return argv[1][0] == 'i' ? run_idle(read_trust(argv[3]), argv + 4) : run_forward(read_trust(argv[3]), argv + 4);
}
