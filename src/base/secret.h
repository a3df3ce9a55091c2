/* base/secret.h: for memory that held a secret and goes back to the system. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

/* Fills it with zeros, in a way that no compiler may leave out. */
static inline void base_wipe(void *secret, size_t len) {
	volatile uint8_t *bytes = secret;

	while (len-- > 0)
		*bytes++ = 0;
}

#endif
