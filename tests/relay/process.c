#include "tests/relay/process.h"

#include "base/time.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS PROCESS_PATIENCE_NS
#define STATUS_BYTES_MAX (4 << 20)

uint64_t process_clock(void) {
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * BASE_SECOND + (uint64_t)time.tv_nsec;
}

void process_read_log(struct relay *relay, int wait_ms) {
	struct pollfd poll_fd = {.fd = relay->log_fd, .events = POLLIN};
	ssize_t got;

	if (poll(&poll_fd, 1, wait_ms) != 1)
		return;
	got = read(relay->log_fd, relay->log + relay->log_len, PROCESS_LOG_BYTES - 1 - relay->log_len);
	if (got > 0)
		relay->log_len += (size_t)got;
}

/* Where the log says `text`, or a failure. */
const char *process_wait_log(struct relay *relay, const char *text) {
	uint64_t end = process_clock() + PATIENCE_NS;
	const char *found;

	while ((found = strstr(relay->log, text)) == NULL && process_clock() < end)
		process_read_log(relay, 20);
	if (found == NULL)
		fail_msg("no '%s' in:\n%s", text, relay->log);
	return found;
}

void process_start(struct relay *relay, const char *const *args) {
	process_start_limited(relay, args, NULL);
}

void process_start_limited(struct relay *relay, const char *const *args, const struct rlimit *descriptors) {
	const char *argv[24] = {relay->path};
	int pipe_fds[2];

	for (size_t i = 0; args[i] != NULL; i++)
		argv[i + 1] = args[i];
	assert_int_equal(pipe(pipe_fds), 0);
	relay->pid = fork();
	assert_true(relay->pid >= 0);
	if (relay->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
		dup2(pipe_fds[1], STDERR_FILENO);
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		if (descriptors != NULL && setrlimit(RLIMIT_NOFILE, descriptors) != 0)
			_exit(126);
		if (chdir(relay->folder) == 0)
			execv(relay->path, (char *const *)(void *)argv);
		_exit(127);
	}
	close(pipe_fds[1]);
	relay->log_fd = pipe_fds[0];
}

int process_wait_exit(struct relay *relay) {
	uint64_t end = process_clock() + PATIENCE_NS;
	int status;

	while (waitpid(relay->pid, &status, WNOHANG) == 0) {
		process_read_log(relay, 20);
		if (process_clock() > end) {
			kill(relay->pid, SIGKILL);
			waitpid(relay->pid, &status, 0);
			fail_msg("the relay did not end:\n%s", relay->log);
		}
	}
	process_read_log(relay, 0);
	close(relay->log_fd);
	relay->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct relay *process_new(const char *path) {
	struct relay *relay = calloc(1, sizeof(*relay));

	assert_non_null(relay);
	relay->log = calloc(1, PROCESS_LOG_BYTES);
	assert_non_null(relay->log);
	memcpy(relay->folder, "/tmp/relay-daemon-XXXXXX", 25);
	assert_non_null(mkdtemp(relay->folder));
	relay->path = path;
	return relay;
}

void process_free(struct relay *relay) {
	static const char *const names[] = {"relay.der", "chain.pem", "key.pem", "status"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", relay->folder, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(relay->folder), 0);
	free(relay->log);
	free(relay);
}

size_t process_read_file(const struct relay *relay, const char *name, uint8_t *buf, size_t cap) {
	char path[128];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", relay->folder, name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	len = read(fd, buf, cap);
	close(fd);
	assert_true(len > 0);
	return (size_t)len;
}

void process_find_port(struct relay *relay) {
	static const char where[] = "listen=127.0.0.1:";

	relay->port = (uint16_t)strtoul(process_wait_log(relay, where) + sizeof(where) - 1, NULL, 10);
	assert_true(relay->port > 0);
	process_wait_log(relay, "gro=");
}

struct quic_trust *process_trust_file(const struct relay *relay, const char *name) {
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES];
	uint8_t buf[8192];
	size_t len = process_read_file(relay, name, buf, sizeof(buf));

	assert_int_equal(quic_trust_add_certificate(trust, slice_of(buf, len), error), 0);
	return trust;
}

void process_write_file(const struct relay *relay, const char *name, const void *bytes, size_t len) {
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", relay->folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

/* A self-signed pair in PEM, as an operator would bring. */
void process_make_pair(gnutls_datum_t *ret_chain, gnutls_datum_t *ret_key) {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	time_t now = time(NULL);

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
	    gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_activation_time(crt, now - 3600);
	gnutls_x509_crt_set_expiration_time(crt, now + 86400);
	gnutls_x509_crt_set_key(crt, key);
	assert_int_equal(gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL), 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, ret_chain), 0);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, ret_key), 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

json_t *process_status(const struct relay *relay) {
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char *text = malloc(STATUS_BYTES_MAX);
	size_t len = 0;
	json_t *json;
	ssize_t got;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/status", relay->folder);
	assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&addr, sizeof(addr)), 0);
	while ((got = read(fd, text + len, STATUS_BYTES_MAX - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	text[len] = '\0';
	json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (json == NULL)
		fail_msg("no status: %s", text);
	free(text);
	return json;
}
