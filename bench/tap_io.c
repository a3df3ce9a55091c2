/* bench/tap_io.c: carries frames between two TAP devices of its own making, as they come.
 *
 *     tap-io TAP_A TAP_B plain|super      "super" takes and gives super-frames with unfinished checksums (IFF_VNET_HDR)
 *
 * Prints "ready" when the devices are there and runs until it is killed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FRAME_MAX (10 + 65536)
#define FRAMES_A_TURN 64

static int open_tap(const char *name, bool super) {
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (super ? IFF_VNET_HDR : 0))};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0 ||
	    (super && ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0)) {
		fprintf(stderr, "tap-io: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static void carry(int from, int to) {
	static char frame[FRAME_MAX];

	for (int i = 0; i < FRAMES_A_TURN; i++) {
		ssize_t len = read(from, frame, sizeof(frame));

		if (len <= 0)
			return;
		if (write(to, frame, (size_t)len) < 0 && errno != EIO && errno != EAGAIN) /* down, or full: lost */
			perror("tap-io: write");
	}
}

int main(int argc, char **argv) {
	bool super = argc == 4 && strcmp(argv[3], "super") == 0;
	int fds[2];

	if (argc != 4 || (!super && strcmp(argv[3], "plain") != 0)) {
		fprintf(stderr, "usage: tap-io TAP_A TAP_B plain|super\n");
		return 2;
	}
	for (int i = 0; i < 2; i++)
		fds[i] = open_tap(argv[1 + i], super);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct pollfd polls[2] = {{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};

		if (poll(polls, 2, -1) > 0) {
			carry(fds[0], fds[1]);
			carry(fds[1], fds[0]);
		}
	}
}
