/* bench/stream.c: the bench's UDP streams.
 *
 *     stream echo PORT                               sends everything back
 *     stream game ADDRESS PORT HZ BYTES SECONDS      one packet every 1/HZ s, to an echo; prints the round trips
 *     stream sink PORT                               counts frames by step, and answers when asked for the count
 *     stream search ADDRESS PORT BYTES PERMILLE MS   finds the highest rate of which less than PERMILLE is lost
 *     stream send ADDRESS PORT RATE BYTES SECONDS    to an address that may be a broadcast one; prints what was sent
 *     stream count DEVICE PORT SECONDS               counts what arrives on one device
 *
 * Results are one line of JSON. A packet begins with a step and a number, network byte order. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define BYTES_MAX 2048
#define BATCH 64
#define GAME_MAX 65536
#define STRAGGLERS (2 * SECOND) /* so long a game waits for its last answers */
#define TICK MS                 /* a sender at a rate sends what is due once a tick */
#define STEPS_MAX 64
#define STEP_ASKS UINT32_MAX /* number of a packet that asks for its step's count */
#define DOUBLINGS_MAX 12
#define BISECTIONS 3
#define RATE_FIRST 16000.0

struct header {
	uint32_t step, number;
};

struct batch {
	uint8_t bytes[BATCH][BYTES_MAX];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
};

static struct batch batch;

static uint64_t clock_now(void) {
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static void sleep_until(uint64_t when) {
	struct timespec time = {.tv_sec = (time_t)(when / SECOND), .tv_nsec = (long)(when % SECOND)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

static _Noreturn void die(const char *what) {
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t number(const char *text, uint64_t low, uint64_t high) {
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value < low || value > high) {
		fprintf(stderr, "stream: '%s' is not a number between %llu and %llu\n", text, (unsigned long long)low,
		        (unsigned long long)high);
		exit(2);
	}
	return value;
}

static int open_socket(void) {
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, bytes = 4 << 20;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) != 0)
		die("socket");
	/* Root may go beyond the system's limit; without it the limit must do. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return fd;
}

static int listen_on(uint64_t port) {
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = open_socket();

	if (bind(fd, (struct sockaddr *)&local, sizeof(local)) != 0)
		die("bind");
	return fd;
}

static int connect_to(const char *address, const char *port) {
	struct sockaddr_in remote = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(port, 1, 65535))};
	int fd = open_socket();

	if (inet_pton(AF_INET, address, &remote.sin_addr) != 1) {
		fprintf(stderr, "stream: '%s' is not an IPv4 address\n", address);
		exit(2);
	}
	if (connect(fd, (struct sockaddr *)&remote, sizeof(remote)) != 0)
		die("connect");
	return fd;
}

static void put_header(uint8_t *bytes, uint32_t step, uint32_t count) {
	struct header header = {htonl(step), htonl(count)};

	memcpy(bytes, &header, sizeof(header));
}

static struct header get_header(const uint8_t *bytes) {
	struct header header;

	memcpy(&header, bytes, sizeof(header));
	return (struct header){ntohl(header.step), ntohl(header.number)};
}

/* A batch of packets of `bytes` bytes; for receiving BYTES_MAX. */
static void prepare_batch(size_t bytes) {
	for (size_t i = 0; i < BATCH; i++) {
		batch.parts[i] = (struct iovec){batch.bytes[i], bytes};
		batch.messages[i].msg_hdr = (struct msghdr){.msg_iov = &batch.parts[i], .msg_iovlen = 1};
	}
}

/* Waits for packets until the deadline; returns how many came. */
static unsigned receive(int fd, uint64_t deadline) {
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	uint64_t now = clock_now(), wait = deadline > now ? deadline - now : 0;
	struct timespec time = {.tv_sec = (time_t)(wait / SECOND), .tv_nsec = (long)(wait % SECOND)};
	int got;

	if (ppoll(&polled, 1, &time, NULL) <= 0)
		return 0;
	got = recvmmsg(fd, batch.messages, BATCH, MSG_DONTWAIT, NULL);
	return got > 0 ? (unsigned)got : 0;
}

/* --- echo and game --- */

static int echo(char **arguments) {
	int fd = listen_on(number(arguments[0], 1, 65535));

	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t len;

	while ((len = recvfrom(fd, batch.bytes[0], BYTES_MAX, 0, (struct sockaddr *)&from, &from_len)) >= 0)
		(void)sendto(fd, batch.bytes[0], (size_t)len, 0, (struct sockaddr *)&from, from_len);
	die("receive");
}

static int game(char **arguments) {
	static uint64_t sent_at[GAME_MAX], back_at[GAME_MAX];
	int fd = connect_to(arguments[0], arguments[1]);
	uint64_t hertz = number(arguments[2], 1, 10000), bytes = number(arguments[3], sizeof(struct header), BYTES_MAX);
	uint64_t count = number(arguments[4], 1, 3600) * hertz, sent = 0, answered = 0, first = clock_now(), end = 0;

	if (count > GAME_MAX)
		count = GAME_MAX;
	prepare_batch(BYTES_MAX);
	while (sent < count || (answered < sent && clock_now() < end)) {
		uint64_t next = first + sent * SECOND / hertz;
		unsigned got;

		if (sent < count && clock_now() >= next) {
			static uint8_t packet[BYTES_MAX];

			put_header(packet, 0, (uint32_t)sent);
			sent_at[sent++] = clock_now();
			(void)send(fd, packet, bytes, MSG_DONTWAIT); /* one the network refuses is lost */
			end = clock_now() + STRAGGLERS;
			continue;
		}
		got = receive(fd, sent < count ? next : end);
		for (unsigned i = 0; i < got; i++) {
			struct header header = get_header(batch.bytes[i]);

			if (batch.messages[i].msg_len < sizeof(header) || header.number >= sent || back_at[header.number] != 0)
				continue;
			back_at[header.number] = clock_now();
			answered++;
		}
	}
	printf("{\"sent\": %llu, \"rtt_us\": [", (unsigned long long)sent);
	for (uint64_t i = 0; i < sent; i++) {
		if (back_at[i] == 0)
			printf("%snull", i > 0 ? ", " : "");
		else
			printf("%s%.1f", i > 0 ? ", " : "", (double)(back_at[i] - sent_at[i]) / 1000);
	}
	printf("]}\n");
	return 0;
}

/* --- the highest rate --- */

static int sink(char **arguments) {
	static uint32_t counts[STEPS_MAX];
	int fd = listen_on(number(arguments[0], 1, 65535)), got = 0;

	while (got >= 0) {
		struct sockaddr_in from[BATCH];

		prepare_batch(BYTES_MAX);
		for (size_t i = 0; i < BATCH; i++) {
			batch.messages[i].msg_hdr.msg_name = &from[i];
			batch.messages[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
		got = recvmmsg(fd, batch.messages, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < got; i++) {
			struct header header = get_header(batch.bytes[i]);

			if (header.step >= STEPS_MAX || batch.messages[i].msg_len < sizeof(header))
				continue;
			if (header.number != STEP_ASKS) {
				counts[header.step]++;
				continue;
			}
			put_header(batch.bytes[i], header.step, counts[header.step]);
			(void)sendto(fd, batch.bytes[i], sizeof(header), 0, (struct sockaddr *)&from[i], sizeof(from[i]));
		}
	}
	die("receive");
}

/* Sends `rate` packets a second for `duration`; returns how many left. What the socket has no room for now waits. */
static uint64_t send_at_rate(int fd, uint32_t step, double rate, uint64_t duration) {
	uint64_t first = clock_now(), sent = 0;

	for (uint64_t tick = 1; tick * TICK <= duration; tick++) {
		uint64_t due = (uint64_t)(rate * (double)(tick * TICK) / (double)SECOND);

		/* A sender that falls behind goes on at its own pace, and does not try to make up for it. */
		while (sent < due && clock_now() - first < duration) {
			unsigned want = due - sent < BATCH ? (unsigned)(due - sent) : BATCH;
			int did;

			for (unsigned i = 0; i < want; i++)
				put_header(batch.bytes[i], step, (uint32_t)(sent + i));
			did = sendmmsg(fd, batch.messages, want, 0);
			if (did <= 0 && errno != ENOBUFS && errno != ECONNREFUSED)
				die("send");
			sent += did > 0 ? (uint64_t)did : 0;
			if (did <= 0)
				break;
		}
		sleep_until(first + tick * TICK);
	}
	return sent;
}

static uint32_t ask(int fd, uint32_t step) {
	for (int attempt = 0; attempt < 50; attempt++) {
		uint8_t packet[sizeof(struct header)];
		uint64_t deadline = clock_now() + 100 * MS;
		ssize_t len;

		put_header(packet, step, STEP_ASKS);
		(void)send(fd, packet, sizeof(packet), 0);
		while (clock_now() < deadline) {
			struct pollfd polled = {.fd = fd, .events = POLLIN};

			if (poll(&polled, 1, 100) <= 0)
				break;
			len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);
			if (len == (ssize_t)sizeof(packet) && get_header(packet).step == step)
				return get_header(packet).number;
		}
	}
	fprintf(stderr, "stream: the sink does not answer\n");
	exit(1);
}

/* One step of the search: how many packets a second were sent, and whether enough of them arrived. */
struct attempt {
	double rate, lost_permille;
};

static struct attempt attempt(int fd, uint32_t step, double rate, uint64_t duration) {
	uint64_t started = clock_now(), sent = send_at_rate(fd, step, rate, duration);
	double seconds = (double)(clock_now() - started) / (double)SECOND;
	struct attempt result = {.rate = (double)sent / seconds};
	uint32_t arrived;

	usleep(200000); /* what still waits in queues arrives */
	arrived = ask(fd, step);
	result.lost_permille = sent == 0 ? 0 : 1000 * (1 - (double)arrived / (double)sent);
	return result;
}

/* A slow moment of the machine is not the rate's fault: too much must be lost twice. */
static struct attempt attempt_twice(int fd, uint32_t *step, double rate, double permille, uint64_t duration) {
	struct attempt result = attempt(fd, (*step)++, rate, duration);

	return result.lost_permille < permille ? result : attempt(fd, (*step)++, rate, duration);
}

/* Doubles the rate until too much is lost or the sender cannot, then halves the gap. */
static int search(char **arguments) {
	int fd = connect_to(arguments[0], arguments[1]);
	uint64_t bytes = number(arguments[2], sizeof(struct header), BYTES_MAX);
	double permille = (double)number(arguments[3], 1, 999), rate = RATE_FIRST, good = 0, bad = 0;
	uint64_t duration = number(arguments[4], 10, 10000) * MS;
	bool sender_limited = false;
	uint32_t step = 0;

	prepare_batch(bytes);
	(void)ask(fd, STEPS_MAX - 1); /* the path is open */
	for (int i = 0; i < DOUBLINGS_MAX && bad == 0 && !sender_limited; i++, rate *= 2) {
		struct attempt result = attempt_twice(fd, &step, rate, permille, duration);

		if (result.lost_permille >= permille)
			bad = rate;
		else
			good = result.rate;
		sender_limited = bad == 0 && result.rate < 0.9 * rate;
	}
	for (int i = 0; i < BISECTIONS && bad > 0; i++) {
		struct attempt result = attempt_twice(fd, &step, (good + bad) / 2, permille, duration);

		if (result.lost_permille >= permille)
			bad = (good + bad) / 2;
		else
			good = result.rate;
	}
	printf("{\"per_second\": %.0f, \"sender_limited\": %s}\n", good, sender_limited ? "true" : "false");
	return 0;
}

/* --- one stream to many --- */

static int send_stream(char **arguments) {
	int fd = connect_to(arguments[0], arguments[1]);
	uint64_t rate = number(arguments[2], 1, 10000000), seconds = number(arguments[4], 1, 3600);

	prepare_batch(number(arguments[3], sizeof(struct header), BYTES_MAX));
	printf("{\"sent\": %llu}\n", (unsigned long long)send_at_rate(fd, 0, (double)rate, seconds * SECOND));
	return 0;
}

static int count_stream(char **arguments) {
	int fd = open_socket();
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number(arguments[1], 1, 65535))};
	uint64_t end = clock_now() + number(arguments[2], 1, 3600) * SECOND, count = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, arguments[0], (socklen_t)strlen(arguments[0])) != 0)
		die(arguments[0]);
	if (bind(fd, (struct sockaddr *)&local, sizeof(local)) != 0)
		die("bind");
	prepare_batch(BYTES_MAX);
	while (clock_now() < end)
		count += receive(fd, end);
	printf("{\"count\": %llu}\n", (unsigned long long)count);
	return 0;
}

static const struct mode {
	const char *name;
	int arguments;
	int (*run)(char **arguments);
} modes[] = {
    {"echo", 1, echo},     {"game", 5, game},        {"sink", 1, sink},
    {"search", 5, search}, {"send", 5, send_stream}, {"count", 3, count_stream},
};

int main(int argc, char **argv) {
	prctl(PR_SET_TIMERSLACK, 1UL);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (argc >= 2 && strcmp(argv[1], modes[i].name) == 0 && argc == 2 + modes[i].arguments)
			return modes[i].run(argv + 2);
	}
	fprintf(stderr, "usage: stream echo|game|sink|search|send|count ..., see bench/stream.c\n");
	return 2;
}
