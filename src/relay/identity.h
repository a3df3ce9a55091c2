/* relay/identity.h: the relay's certificate and key as the command line wants them: from files, or made on the spot. */
#ifndef RELAY_IDENTITY_H
#define RELAY_IDENTITY_H

#include "quic/tls.h"
#include "relay/config.h"

#define RELAY_IDENTITY_ERROR_BYTES 512

/* PEM files. 0 or a negative code with `error`; *ret is the caller's to unref. */
int relay_identity_load(const struct relay_config *config, struct quic_identity **ret,
                        char error[static RELAY_IDENTITY_ERROR_BYTES]);
/* Self-signed, and its DER file written. */
int relay_identity_make(const struct relay_config *config, uint64_t wall_clock_ns, struct quic_identity **ret,
                        char error[static RELAY_IDENTITY_ERROR_BYTES]);
/* What is wrong with the dates of a certificate, or will be within two weeks, and what to do; false: nothing. */
bool relay_identity_dates(const struct quic_identity *identity, uint64_t wall_clock_ns,
                          char ret[static RELAY_IDENTITY_ERROR_BYTES]);

#endif
