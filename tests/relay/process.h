/* tests/relay/process.h: the real relay as a process in a folder of its own: starting, its log, its files, its status.
 */
#ifndef TESTS_RELAY_PROCESS_H
#define TESTS_RELAY_PROCESS_H

#include "quic/tls.h"

#include <gnutls/x509.h>
#include <jansson.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define PROCESS_PATIENCE_NS (UINT64_C(10) * 1000000000)
#define PROCESS_LOG_BYTES (16 << 20) /* what comes later is not read, and so not written */

struct relay {
	const char *path; /* of the binary */
	char folder[64];
	char *log;
	size_t log_len;
	int log_fd;
	pid_t pid;
	uint16_t port;
};

struct relay *process_new(const char *path); /* not started */
void process_free(struct relay *relay);      /* it has ended */
void process_start(struct relay *relay, const char *const *args);
/* With so many descriptors; NULL: with the test's own limit. */
void process_start_limited(struct relay *relay, const char *const *args, const struct rlimit *descriptors);
void process_find_port(struct relay *relay); /* it listens on 127.0.0.1:0 */
int process_wait_exit(struct relay *relay);  /* its status, -1: killed */

void process_read_log(struct relay *relay, int wait_ms);
/* Where the log says `text`, or a failure. */
const char *process_wait_log(struct relay *relay, const char *text);

size_t process_read_file(const struct relay *relay, const char *name, uint8_t *buf, size_t cap);
void process_write_file(const struct relay *relay, const char *name, const void *bytes, size_t len);
/* A self-signed pair for localhost in PEM, as an operator would bring. */
void process_make_pair(gnutls_datum_t *ret_chain, gnutls_datum_t *ret_key);
/* Trusts the certificate of that file. */
struct quic_trust *process_trust_file(const struct relay *relay, const char *name);
/* What the socket "status" in its folder says. */
json_t *process_status(const struct relay *relay);

uint64_t process_clock(void);

#endif
