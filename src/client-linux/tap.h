/* client-linux/tap.h: the TAP device: made for this process, gone with it. Reads are drained up to a bound for each
 * turn and come out as finished frames; writes wait for the turn's end and leave merged. Needs CAP_NET_ADMIN to be
 * made. */
#ifndef CLIENT_LINUX_TAP_H
#define CLIENT_LINUX_TAP_H

#include "link/capture.h"

#define LINTAP_NAME_BYTES 16 /* IFNAMSIZ */
#define LINTAP_ERROR_BYTES 256

struct lintap_tap;

struct lintap_tap_options {
	const char *name;
	bool no_offload; /* finished frames only, in both directions */
	void (*deliver)(void *user, struct slice frame, uint64_t now);
	void *user;
	struct obs_counters *counters;
};

/* What is needed for a device; there is none yet. 0; BASE_E_INVALID (name), BASE_E_DENIED, BASE_E_UNSUPPORTED (no
 * TUN/TAP in this kernel), BASE_E_NOMEM, BASE_E_IO, with `error`. */
int lintap_tap_open(const struct lintap_tap_options *options, struct lintap_tap **ret,
                    char error[static LINTAP_ERROR_BYTES]);
/* The device is there, but down and without carrier. 0; BASE_E_EXISTS (in use), BASE_E_DENIED, BASE_E_IO, with `error`.
 */
int lintap_tap_make(struct lintap_tap *tap, char error[static LINTAP_ERROR_BYTES]);
void lintap_tap_close(struct lintap_tap *tap); /* accepts NULL */

/* The seam for tests: the same object over any descriptor that keeps message boundaries. Takes the descriptor. */
struct lintap_tap *lintap_tap_wrap(const struct lintap_tap_options *options, int fd);

int lintap_tap_fd(const struct lintap_tap *tap);
unsigned lintap_tap_ifindex(const struct lintap_tap *tap); /* 0 before it is made */

/* The plug: with it the machine sees a cable, without it none. 0 or a negative errno. */
int lintap_tap_set_carrier(struct lintap_tap *tap, bool on);

/* Delivers what is there, up to the bound of a turn. 0, or the negative errno of a device that is beyond use. */
int lintap_tap_read(struct lintap_tap *tap, uint64_t now);
/* What such an error means, for people. */
const char *lintap_tap_error_text(int err);
/* What became of the frames written since the last flush. */
struct lintap_written {
	size_t frames, bytes, refused;
};

/* Keeps a copy of the frame until the flush at the end of the turn. */
void lintap_tap_write(struct lintap_tap *tap, struct slice frame);
void lintap_tap_flush(struct lintap_tap *tap, struct lintap_written *ret);
/* Which frames leave merged (enum offload_kinds). */
unsigned lintap_tap_merges(const struct lintap_tap *tap);

#endif
