/* Memory that runs out: every allocation of this room fails once, one run each; nothing crashes, leaks or hangs. The
 * linker's --wrap puts the functions below between our objects and the C library. */
#include "net.h"
#include "seal/seal.h"

#include <ngtcp2/ngtcp2.h>
#include <stdlib.h>
#include <string.h>

static long fail_at = -1, count; /* fail_at < 0: never */

static bool fails(void) {
	return fail_at >= 0 && count++ == fail_at;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t number, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t number, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size) {
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size) {
	return fails() ? NULL : __real_calloc(number, size);
}

void *__wrap_realloc(void *old, size_t size) {
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text) {
	return fails() ? NULL : __real_strdup(text);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

/* The QUIC library's own allocations do not fail here, but what is made of them may. As before its release 1.18, the
 * caller is then left with what is freed already. */
static int keep_or_free(int result, ngtcp2_conn *const *made) {
	if (result != 0 || !fails())
		return result;
	ngtcp2_conn_del(*made);
	return NGTCP2_ERR_NOMEM;
}

#define PARAMETERS                                                                                                \
	ngtcp2_conn **ret, const ngtcp2_cid *dcid, const ngtcp2_cid *scid, const ngtcp2_path *path, uint32_t version, \
	    int callbacks_version, const ngtcp2_callbacks *callbacks, int settings_version,                           \
	    const ngtcp2_settings *settings, int params_version, const ngtcp2_transport_params *params,               \
	    const ngtcp2_mem *mem, void *user
#define ARGUMENTS                                                                                                     \
	ret, dcid, scid, path, version, callbacks_version, callbacks, settings_version, settings, params_version, params, \
	    mem, user

int __real_ngtcp2_conn_client_new_versioned(PARAMETERS);
int __real_ngtcp2_conn_server_new_versioned(PARAMETERS);
int __wrap_ngtcp2_conn_client_new_versioned(PARAMETERS);
int __wrap_ngtcp2_conn_server_new_versioned(PARAMETERS);

int __wrap_ngtcp2_conn_client_new_versioned(PARAMETERS) {
	return keep_or_free(__real_ngtcp2_conn_client_new_versioned(ARGUMENTS), ret);
}

int __wrap_ngtcp2_conn_server_new_versioned(PARAMETERS) {
	return keep_or_free(__real_ngtcp2_conn_server_new_versioned(ARGUMENTS), ret);
}

struct end {
	struct quic_conn *conn;
	bool done, closed;
	size_t heard;
};

static void on_done(void *user, struct quic_conn *conn, uint64_t now) {
	struct end *end = user;

	(void)now;
	end->done = true;
	quic_conn_control_send(conn, slice_of_text("a message on the control stream"));
}

static void on_control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	struct end *end = user;

	(void)fin;
	(void)now;
	end->heard += bytes.len;
	quic_conn_control_send(conn, slice_of_text("answer"));
}

static void on_datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	(void)user;
	(void)conn;
	(void)payload;
	(void)now;
}

static void on_closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	struct end *end = user;

	(void)conn;
	(void)why;
	(void)now;
	end->closed = true;
}

static const struct quic_events events = {
    .handshake_done = on_done, .control = on_control, .datagram = on_datagram, .closed = on_closed};

static bool on_accept(void *user, struct quic_conn *conn, const struct base_addr *remote, uint64_t now) {
	(void)remote;
	(void)now;
	quic_conn_set_user(conn, user);
	return true;
}

static const struct base_addr near_addr = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 2}, .port = 1};
static const struct base_addr far_addr = {.family = BASE_FAMILY_V4, .ip = {10, 0, 0, 1}, .port = 443};
static uint8_t buf[QUIC_BURST_BYTES];

static void talk(struct quic_server *server, struct quic_conn *client, uint64_t now) {
	const struct base_path to_server = {.local = far_addr, .remote = near_addr};
	const struct base_path to_client = {.local = near_addr, .remote = far_addr};
	struct quic_burst burst;

	for (int turn = 0; turn < 40; turn++, now += 10 * BASE_MS) {
		while (quic_conn_write(client, buf, QUIC_UDP_PAYLOAD_MAX, &burst, now) == 1)
			quic_server_recv(server, &to_server, 0, slice_of(buf, burst.len), now);
		while (quic_server_write(server, buf, QUIC_UDP_PAYLOAD_MAX, &burst, now) == 1)
			quic_conn_recv(client, &to_client, 0, slice_of(buf, burst.len), now);
		if (quic_server_deadline(server) <= now)
			quic_server_tick(server, now);
		if (quic_conn_deadline(client) <= now)
			quic_conn_tick(client, now);
	}
}

/* True when everything went well although (or because no longer) something failed. */
static bool scenario(struct quic_identity *identity, const struct seal_backend *seal) {
	struct end at_server = {0}, at_client = {0};
	struct quic_server_options server_options = {
	    .identity = identity, .settings = {.seal = seal}, .events = &events, .accept = on_accept, .user = &at_server};
	struct quic_client_options client_options = {.path = {.local = near_addr, .remote = far_addr},
	                                             .server_name = "relay.test",
	                                             .settings = {.seal = seal},
	                                             .events = &events,
	                                             .user = &at_client};
	struct quic_server *server = NULL;
	struct quic_conn *client = NULL;
	char error[QUIC_ERROR_BYTES];

	client_options.trust = quic_trust_new();
	if (client_options.trust != NULL &&
	    quic_trust_add_certificate(client_options.trust, quic_identity_der(identity), error) == 0 &&
	    quic_server_new(&server_options, &server) == 0 && quic_client_new(&client_options, NET_START, &client) == 0)
		talk(server, client, NET_START);
	quic_trust_unref(client_options.trust);
	quic_conn_free(client);
	quic_server_free(server);
	return at_server.heard > 0 && at_client.heard > 0 && !at_server.closed && !at_client.closed;
}

static void fail_each(const struct seal_backend *seal) {
	static const char *const names[] = {"relay.test"};
	struct quic_identity *identity;
	char error[QUIC_ERROR_BYTES];
	long failures = 0;
	bool good;

	assert_int_equal(quic_identity_self_signed(names, 1, 1800000000 * BASE_SECOND, &identity, error), 0);
	for (long at = 0;; at++) {
		fail_at = at;
		count = 0;
		good = scenario(identity, seal);
		fail_at = -1;
		if (count <= at)
			break; /* fewer allocations than that: all were tried */
		failures += !good;
	}
	assert_true(good);
	print_message("%ld runs without success\n", failures);
	assert_in_range(failures, 5, 100);
	quic_identity_unref(identity);
}

static void test_each_allocation(void **state) {
	static const enum seal_choice choices[] = {SEAL_GNUTLS, SEAL_IPSEC_MB};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct seal_backend *seal;
		char error[SEAL_ERROR_BYTES];

		if (seal_backend_open(choices[i], NULL, &seal, error) == 0) {
			fail_each(seal);
			seal_backend_free(seal);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
