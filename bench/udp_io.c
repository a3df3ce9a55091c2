/* bench/udp_io.c: what moving datagrams costs a process of ours, without QUIC: the floor under the relay's figure.
 *
 *     udp-io send TARGET BYTES BURST SECONDS offload|plain           as fast as it goes
 *     udp-io drain LISTEN SECONDS offload|plain                      receives and throws away
 *     udp-io forward LISTEN TARGET SECONDS offload|plain LIBRARY     sends on what it receives, sealed and opened once
 *                                                                    (AES-128-GCM) by gnutls or ipsec-mb, or with none
 *
 * "offload" is GSO and GRO, "plain" sendmmsg and recvmmsg. Each prints packets and its processor time as JSON. Ends
 * SECONDS after the first packet. */
#include "net/endpoint.h"
#include "seal/seal.h"
#include "udp/udp.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND UINT64_C(1000000000)
#define WAIT_FIRST_MS 10000
#define PACKET_MAX 1472
#define BURST_MAX 64

static uint64_t clock_of(clockid_t id) {
	struct timespec time;

	clock_gettime(id, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static _Noreturn void die(const char *what, const char *why) {
	fprintf(stderr, "udp-io: %s: %s\n", what, why);
	exit(1);
}

static uint64_t number(const char *text, uint64_t low, uint64_t high) {
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value < low || value > high)
		die(text, "is no number, or one that makes no sense here");
	return value;
}

static bool choice(const char *text, const char *yes, const char *no) {
	if (strcmp(text, yes) != 0 && strcmp(text, no) != 0)
		die(text, "is not one of the two choices");
	return strcmp(text, yes) == 0;
}

static struct udp_socket *open_socket(const struct base_addr *local, bool offload) {
	struct udp_options options = {.local = *local, .no_offload = !offload};
	struct udp_socket *socket;

	if (udp_open(&options, &socket) != 0)
		die("socket", "cannot be opened");
	return socket;
}

static struct base_addr address(const char *text) {
	char error[NET_ERROR_BYTES];
	struct base_addr addr;

	if (net_listen_parse(text, &addr, error) != 0)
		die(text, error);
	return addr;
}

static bool wait_for(const struct udp_socket *socket, short events, int ms) {
	struct pollfd polled = {.fd = udp_fd(socket), .events = events};

	return poll(&polled, 1, ms) > 0;
}

static void report(uint64_t packets, uint64_t cpu, uint64_t ns) {
	printf("{\"packets\": %llu, \"cpu_ns_per_packet\": %.1f, \"per_second\": %.0f}\n", (unsigned long long)packets,
	       packets > 0 ? (double)cpu / (double)packets : 0.0, (double)packets * (double)SECOND / (double)ns);
}

static void send_all(struct udp_socket *socket, const struct udp_burst *bursts, size_t count) {
	size_t sent = 0;

	while (sent < count) {
		sent += udp_send(socket, bursts + sent, count - sent);
		if (sent < count)
			(void)wait_for(socket, POLLOUT, 100);
	}
}

static int run_send(char **arguments) {
	static uint8_t bytes[BURST_MAX * PACKET_MAX];
	struct base_addr target = address(arguments[0]), local = {.family = target.family};
	size_t len = (size_t)number(arguments[1], 1, PACKET_MAX);
	uint64_t burst = number(arguments[2], 1, BURST_MAX), packets = 0;
	uint64_t duration = number(arguments[3], 1, 3600) * SECOND;
	struct udp_socket *socket = open_socket(&local, choice(arguments[4], "offload", "plain"));
	uint64_t began = clock_of(CLOCK_MONOTONIC), cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID), now = began;

	if (burst * len > UDP_BURST_BYTES_MAX)
		burst = UDP_BURST_BYTES_MAX / len;
	for (; now - began < duration; now = clock_of(CLOCK_MONOTONIC)) {
		send_all(socket, &(struct udp_burst){.path = {.remote = target}, .segment = len, .bytes = {bytes, burst * len}},
		         1);
		packets += burst;
	}
	report(packets, clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, now - began);
	return 0;
}

/* Seals and opens each packet of a chunk, as a relay does to each frame. */
static void protect(struct seal_key *key, struct slice bytes, size_t segment) {
	static uint8_t sealed[PACKET_MAX + SEAL_TAG_BYTES], opened[PACKET_MAX];
	static const uint8_t nonce[SEAL_NONCE_BYTES], header[13];
	struct slice aad = slice_of(header, sizeof(header));

	while (bytes.len > 0) {
		size_t len = segment < bytes.len ? segment : bytes.len;

		if (len > PACKET_MAX || !seal_key_seal(key, nonce, aad, slice_of(bytes.data, len), sealed) ||
		    !seal_key_open(key, nonce, aad, slice_of(sealed, len + SEAL_TAG_BYTES), opened))
			die("AES-128-GCM", "failed");
		bytes = slice_of(bytes.data + len, bytes.len - len);
	}
}

/* Receives for a time; what came goes on to the target, if there is one. */
static int receive(const char *listen, const struct base_addr *target, uint64_t duration, bool offload,
                   struct seal_key *key) {
	struct base_addr local = address(listen);
	struct udp_socket *socket = open_socket(&local, offload);
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];
	struct udp_burst bursts[UDP_RX_CHUNKS_MAX];
	uint64_t packets = 0, began, cpu, now;

	if (!wait_for(socket, POLLIN, WAIT_FIRST_MS))
		die(listen, "nothing comes");
	began = now = clock_of(CLOCK_MONOTONIC);
	cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
	for (; now - began < duration; now = clock_of(CLOCK_MONOTONIC)) {
		int count = udp_recv(socket, chunks);

		if (count <= 0 && !wait_for(socket, POLLIN, 100))
			continue;
		for (int i = 0; i < count; i++) {
			size_t segment = chunks[i].segment > 0 ? chunks[i].segment : chunks[i].bytes.len;

			packets += (chunks[i].bytes.len + segment - 1) / segment;
			if (key != NULL)
				protect(key, chunks[i].bytes, segment);
			if (target != NULL)
				bursts[i] =
				    (struct udp_burst){.path = {.remote = *target}, .segment = segment, .bytes = chunks[i].bytes};
		}
		if (target != NULL && count > 0)
			send_all(socket, bursts, (size_t)count);
	}
	report(packets, clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, now - began);
	return 0;
}

static int run_drain(char **arguments) {
	return receive(arguments[0], NULL, number(arguments[1], 1, 3600) * SECOND, choice(arguments[2], "offload", "plain"),
	               NULL);
}

static struct seal_key *open_key(const char *library) {
	static const uint8_t bytes[16];
	struct seal_backend *backend;
	char error[SEAL_ERROR_BYTES];
	enum seal_choice choice;
	struct seal_key *key;

	if (strcmp(library, "none") == 0)
		return NULL;
	if (seal_choice_parse(library, &choice) != 0)
		die(library, "is neither none, gnutls nor ipsec-mb");
	if (seal_backend_open(choice, NULL, &backend, error) != 0)
		die(library, error);
	if (seal_key_new(backend, SEAL_AES_128_GCM, bytes, &key) != 0)
		die("AES-128-GCM", "is not there");
	return key;
}

static int run_forward(char **arguments) {
	struct base_addr target = address(arguments[1]);
	struct seal_key *key = open_key(arguments[4]);

	return receive(arguments[0], &target, number(arguments[2], 1, 3600) * SECOND,
	               choice(arguments[3], "offload", "plain"), key);
}

static const struct mode {
	const char *name;
	int arguments;
	int (*run)(char **arguments);
} modes[] = {{"send", 5, run_send}, {"drain", 3, run_drain}, {"forward", 5, run_forward}};

int main(int argc, char **argv) {
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (argc >= 2 && strcmp(argv[1], modes[i].name) == 0 && argc == 2 + modes[i].arguments)
			return modes[i].run(argv + 2);
	}
	fprintf(stderr, "usage: udp-io send|drain|forward ..., see bench/udp_io.c\n");
	return 2;
}
