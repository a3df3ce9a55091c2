/* seal/datum.h: bytes for GnuTLS, whose type for them is not const even where it only reads them. */
#ifndef SEAL_DATUM_H
#define SEAL_DATUM_H

#include "base/slice.h"

#include <gnutls/gnutls.h>

/* For a function that only reads them. The bytes stay the caller's. */
static inline gnutls_datum_t seal_datum(struct slice bytes) {
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)bytes.data, .size = (unsigned)bytes.len};
}

#endif
