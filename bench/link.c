/* bench/link.c: a cable with a rate, a delay and a buffer, between two TAP devices of its own making:
 *
 *     link TAP_A TAP_B RATE_AB DELAY BUFFER RATE_BA DELAY BUFFER      bit/s, microseconds, bytes
 *
 * A frame waits until those before it are through (rate 0: it does not), then travels for the delay. What would make
 * the waiting ones longer than the buffer is lost. Prints "ready" when the devices are there and runs until it is
 * killed. For kernels without netem; it takes a real-time priority, so that a busy machine does not pass for a long
 * cable. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define FRAMES_MAX 8192
#define FRAME_BYTES 2048
#define SECOND UINT64_C(1000000000)

struct frame {
	uint64_t due;
	size_t len;
	uint8_t bytes[FRAME_BYTES];
};

struct direction {
	int from, to;
	uint64_t rate, delay, buffer; /* bytes/s, ns, bytes */
	uint64_t busy_until;
	size_t first, count;
	struct frame *frames;
};

static uint64_t clock_now(void) {
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static int open_tap(const char *name) {
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
		fprintf(stderr, "link: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static void take(struct direction *way) {
	for (;;) {
		struct frame *frame = &way->frames[(way->first + way->count) % FRAMES_MAX];
		ssize_t len = read(way->from, frame->bytes, FRAME_BYTES);
		uint64_t now = clock_now(), start = way->busy_until > now ? way->busy_until : now;

		if (len <= 0)
			return;
		if (way->count == FRAMES_MAX - 1 || (start - now) * way->rate / SECOND + (uint64_t)len > way->buffer)
			continue;
		way->busy_until = start + (way->rate > 0 ? (uint64_t)len * SECOND / way->rate : 0);
		frame->due = way->busy_until + way->delay;
		frame->len = (size_t)len;
		way->count++;
	}
}

/* Returns when the next frame is due. */
static uint64_t give(struct direction *way, uint64_t now) {
	while (way->count > 0) {
		struct frame *frame = &way->frames[way->first];

		if (frame->due > now)
			return frame->due;
		/* A far end that is down loses it, like a real one. */
		if (write(way->to, frame->bytes, frame->len) < 0 && errno != EIO && errno != EAGAIN)
			perror("link: write");
		way->first = (way->first + 1) % FRAMES_MAX;
		way->count--;
	}
	return UINT64_MAX;
}

static void configure(struct direction *way, int from, int to, char **values) {
	*way = (struct direction){.from = from,
	                          .to = to,
	                          .rate = strtoull(values[0], NULL, 10) / 8,
	                          .delay = strtoull(values[1], NULL, 10) * 1000,
	                          .buffer = strtoull(values[2], NULL, 10)};
	way->frames = calloc(FRAMES_MAX, sizeof(*way->frames));
	if (way->frames == NULL)
		exit(1);
}

int main(int argc, char **argv) {
	struct sched_param priority = {.sched_priority = 10};
	struct direction ways[2];
	int a, b;

	if (argc != 9) {
		fprintf(stderr, "usage: link TAP_A TAP_B RATE_AB DELAY BUFFER RATE_BA DELAY BUFFER\n");
		return 2;
	}
	a = open_tap(argv[1]);
	b = open_tap(argv[2]);
	configure(&ways[0], a, b, argv + 3);
	configure(&ways[1], b, a, argv + 6);
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0)
		fprintf(stderr, "link: no real-time priority: %s\n", strerror(errno));
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct pollfd polls[2] = {{.fd = a, .events = POLLIN}, {.fd = b, .events = POLLIN}};
		uint64_t now = clock_now(), due = UINT64_MAX;
		struct timespec wait;

		for (int i = 0; i < 2; i++) {
			uint64_t next = give(&ways[i], now);

			due = next < due ? next : due;
		}
		now = clock_now();
		due = due == UINT64_MAX ? SECOND : due > now ? due - now : 0;
		wait = (struct timespec){.tv_sec = (time_t)(due / SECOND), .tv_nsec = (long)(due % SECOND)};
		if (ppoll(polls, 2, &wait, NULL) > 0) {
			for (int i = 0; i < 2; i++)
				take(&ways[i]);
		}
	}
}
