/* bench/micro/micro.h: what one frame costs in one room of the source, without any system call.
 *
 * A case makes its state once, then handles any number of frames again and again. */
#ifndef BENCH_MICRO_MICRO_H
#define BENCH_MICRO_MICRO_H

#include "base/slice.h"

#define MICRO_START_NS UINT64_C(1000000000000) /* the virtual time at which cases begin */

struct micro_case {
	const char *name;
	void *(*open)(const struct micro_case *self);
	void (*run)(void *state, size_t frames);
	void (*close)(void *state);
	size_t size, variant;               /* bytes of a frame; whatever else the case wants to know */
	double (*aside)(const void *state); /* may be NULL: one more figure about the frames so far */
	const char *aside_text;
};

extern const struct micro_case micro_frame_cases[], micro_relay_cases[], micro_quic_cases[]; /* end with no name */

_Noreturn void micro_die(const char *what);
/* An Ethernet frame with IPv4 in it, checksums right; `number` changes ports and sequence numbers. Returns `size`. */
size_t micro_tcp_frame(uint8_t *frame, size_t size, unsigned number);
size_t micro_udp_frame(uint8_t *frame, size_t size, unsigned number);

#endif
