/* base/time.h: time as numbers. One monotonic `now` in nanoseconds is read once per loop turn by the binary and passed
 * down by value; nothing below the loop asks a clock. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stdint.h>

#define BASE_US UINT64_C(1000)
#define BASE_MS UINT64_C(1000000)
#define BASE_SECOND UINT64_C(1000000000)
#define BASE_NEVER UINT64_MAX /* a deadline that does not come */

static inline uint64_t base_time_min(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

#endif
