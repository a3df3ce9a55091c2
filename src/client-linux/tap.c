/* client-linux/tap.c: Linux Documentation/networking/tuntap.rst. */
#include "client-linux/tap.h"

#include "base/error.h"
#include "link/gather.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* Since Linux 6.2; older headers lack them, older kernels refuse them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#endif
#ifndef TUN_F_USO6
#define TUN_F_USO6 0x40
#endif

struct lintap_tap {
	int fd;
	unsigned ifindex;
	char name[LINTAP_NAME_BYTES];
	bool no_offload;
	struct link_capture capture;
	struct offload_merger *merger;
	unsigned merges;
	struct lintap_written written;
	uint8_t rx[OFFLOAD_VNET_HEADER_BYTES + OFFLOAD_SUPER_FRAME_MAX];
};

/* The device takes any length: what the room's MTU lets pass may be merged. */
static void set_merges(struct lintap_tap *tap, unsigned kinds) {
	tap->merges = kinds;
	offload_merger_allow(tap->merger, kinds, SIZE_MAX);
}

struct lintap_tap *lintap_tap_wrap(const struct lintap_tap_options *options, int fd) {
	struct lintap_tap *tap = calloc(1, sizeof(*tap));

	if (tap == NULL)
		return NULL;
	tap->merger = offload_merger_new();
	if (tap->merger == NULL) {
		free(tap);
		return NULL;
	}
	set_merges(tap, options->no_offload ? 0 : OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP);
	tap->fd = fd;
	tap->capture.deliver = options->deliver;
	tap->capture.user = options->user;
	tap->capture.counters = options->counters;
	return tap;
}

void lintap_tap_close(struct lintap_tap *tap) {
	if (tap == NULL)
		return;
	if (tap->fd >= 0)
		(void)close(tap->fd);
	offload_merger_free(tap->merger);
	free(tap);
}

static int fail(char error[static LINTAP_ERROR_BYTES], int code, const char *name, const char *what, const char *hint) {
	(void)snprintf(error, LINTAP_ERROR_BYTES, "interface '%s': %s: %s%s", name, what, strerror(errno), hint);
	return code;
}

static int open_device(const char *name, int *ret, char error[static LINTAP_ERROR_BYTES]) {
	*ret = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*ret >= 0)
		return 0;
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return fail(error, BASE_E_UNSUPPORTED, name, "/dev/net/tun", " (is the kernel module 'tun' there?)");
	if (errno == EACCES || errno == EPERM)
		return fail(error, BASE_E_DENIED, name, "/dev/net/tun", " (its mode, or the container's rules for devices)");
	return fail(error, BASE_E_IO, name, "/dev/net/tun", "");
}

/* Asks the kernel for big unfinished frames: fewer, and their checksums are left to us. UDP segmentation is newer, and
 * a kernel that hands such frames out takes them too. */
static int set_offload(struct lintap_tap *tap, bool none) {
	static const struct {
		unsigned flags, merges;
	} levels[] = {
	    {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
	     OFFLOAD_MERGE_TCP | OFFLOAD_MERGE_UDP},
	    {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN, OFFLOAD_MERGE_TCP},
	    {0, 0},
	};
	for (size_t i = none ? 2 : 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (ioctl(tap->fd, TUNSETOFFLOAD, (unsigned long)levels[i].flags) < 0)
			continue;
		set_merges(tap, levels[i].merges);
		return 0;
	}
	return -1;
}

static bool name_is_valid(const char *name) {
	size_t len = strlen(name);

	return len > 0 && len < LINTAP_NAME_BYTES && strpbrk(name, "/%: \t\n") == NULL && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

int lintap_tap_open(const struct lintap_tap_options *options, struct lintap_tap **ret,
                    char error[static LINTAP_ERROR_BYTES]) {
	int fd;

	if (!name_is_valid(options->name)) {
		(void)snprintf(error, LINTAP_ERROR_BYTES,
		               "--interface '%.64s': not a name for an interface (1 to 15 characters)", options->name);
		return BASE_E_INVALID;
	}
	int err = open_device(options->name, &fd, error);
	if (err < 0)
		return err;
	struct lintap_tap *tap = lintap_tap_wrap(options, fd);
	if (tap == NULL) {
		(void)close(fd);
		(void)snprintf(error, LINTAP_ERROR_BYTES, "%s", base_error_text(BASE_E_NOMEM));
		return BASE_E_NOMEM;
	}
	memcpy(tap->name, options->name, strlen(options->name) + 1);
	tap->no_offload = options->no_offload;
	*ret = tap;
	return 0;
}

int lintap_tap_make(struct lintap_tap *tap, char error[static LINTAP_ERROR_BYTES]) {
	struct ifreq request = {.ifr_flags = (short)(uint16_t)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL)};
	const char *name = tap->name;

	memcpy(request.ifr_name, name, sizeof(tap->name));
	if (ioctl(tap->fd, TUNSETIFF, &request) < 0) {
		if (errno == EBUSY || errno == EEXIST)
			return fail(error, BASE_E_EXISTS, name, "it exists already",
			            " (another client? choose a name with --interface)");
		if (errno == EPERM)
			return fail(error, BASE_E_DENIED, name, "cannot make it", " (the client needs root or CAP_NET_ADMIN)");
		return fail(error, BASE_E_IO, name, "cannot make it", "");
	}
	const int header_bytes = OFFLOAD_VNET_HEADER_BYTES, little_endian = 1;
	if (ioctl(tap->fd, TUNSETVNETHDRSZ, &header_bytes) < 0 || ioctl(tap->fd, TUNSETVNETLE, &little_endian) < 0 ||
	    set_offload(tap, tap->no_offload) < 0)
		return fail(error, BASE_E_IO, name, "cannot set up offloads", "");
	tap->ifindex = if_nametoindex(tap->name);
	if (tap->ifindex == 0)
		return fail(error, BASE_E_IO, name, "no interface index", "");
	if (lintap_tap_set_carrier(tap, false) < 0)
		return fail(error, BASE_E_IO, name, "cannot take its carrier away", "");
	return 0;
}

int lintap_tap_fd(const struct lintap_tap *tap) {
	return tap->fd;
}

unsigned lintap_tap_ifindex(const struct lintap_tap *tap) {
	return tap->ifindex;
}

int lintap_tap_set_carrier(struct lintap_tap *tap, bool on) {
	const int carrier = on;

	return ioctl(tap->fd, TUNSETCARRIER, &carrier) == 0 ? 0 : -errno;
}

static int read_one(void *user, uint64_t now) {
	struct lintap_tap *tap = user;
	ssize_t got = read(tap->fd, tap->rx, sizeof(tap->rx));

	if (got < 0 && errno == EINVAL) {
		/* A super-frame of a kind for which its header has no number: it is gone. */
		link_capture_lost(&tap->capture, 0);
		return 0;
	}
	if (got <= 0)
		return got < 0 ? -errno : -EIO;
	const size_t delivered = link_capture_read(&tap->capture, tap->rx, (size_t)got, now);
	return (int)(delivered > (size_t)got ? delivered : (size_t)got);
}

int lintap_tap_read(struct lintap_tap *tap, uint64_t now) {
	return link_capture_turn(&tap->capture, read_one, tap, now);
}

const char *lintap_tap_error_text(int err) {
	return err == -EBADFD ? "the tunnel interface was deleted" : strerror(-err);
}

static bool write_parts(struct lintap_tap *tap, const struct iovec *parts, size_t count) {
	ssize_t written;

	do {
		written = writev(tap->fd, parts, (int)count);
	} while (written < 0 && errno == EINTR);
	return written >= 0;
}

static void count_written(struct lintap_tap *tap, bool taken, size_t frames, size_t bytes) {
	tap->written.frames += taken ? frames : 0;
	tap->written.bytes += taken ? bytes : 0;
	tap->written.refused += taken ? 0 : frames;
}

/* The kernel does not know super-frames of this kind after all. */
static void write_singly(struct lintap_tap *tap, size_t index, size_t count) {
	static const uint8_t finished[OFFLOAD_VNET_HEADER_BYTES]; /* nothing left to do */
	struct slice frames[OFFLOAD_GROUP_FRAMES_MAX];

	offload_merger_frames(tap->merger, index, frames);
	for (size_t i = 0; i < count; i++) {
		/* writev only reads; iovec has no const form. */
		const struct iovec parts[2] = {{(void *)(uintptr_t)finished, sizeof(finished)},
		                               {(void *)(uintptr_t)frames[i].data, frames[i].len}};
		count_written(tap, write_parts(tap, parts, 2), 1, frames[i].len);
	}
}

static void write_batch(struct lintap_tap *tap) {
	struct iovec parts[LINK_GATHER_PARTS_MAX];
	uint8_t header[OFFLOAD_VNET_HEADER_BYTES];
	struct offload_group group;

	for (size_t i = 0; i < offload_merger_count(tap->merger); i++) {
		offload_merger_group(tap->merger, i, &group);
		bool taken = write_parts(tap, parts, link_gather(&group, header, parts));
		if (!taken && errno == EINVAL && group.frames > 1) {
			set_merges(tap, tap->merges & ~offload_group_kind(&group));
			write_singly(tap, i, group.frames);
		} else {
			count_written(tap, taken, group.frames, group.bytes);
		}
	}
	offload_merger_clear(tap->merger);
}

void lintap_tap_write(struct lintap_tap *tap, struct slice frame) {
	if (offload_merger_push(tap->merger, frame))
		return;
	write_batch(tap);
	(void)offload_merger_push(tap->merger, frame);
}

void lintap_tap_flush(struct lintap_tap *tap, struct lintap_written *ret) {
	write_batch(tap);
	*ret = tap->written;
	tap->written = (struct lintap_written){0};
}

unsigned lintap_tap_merges(const struct lintap_tap *tap) {
	return tap->merges;
}
