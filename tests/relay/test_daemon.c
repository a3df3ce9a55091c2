/* The real binary (its path is the first argument) on loopback with a real QUIC client: start, join, SIGHUP under a
 * living connection, SIGTERM with a goodbye, exit status. */
#include "ctrl/stream.h"
#include "proto/steer.h"
#include "quic/quic.h"
#include "tests/relay/process.h"
#include "tests/unit.h"
#include "thread/mailbox.h"
#include "udp/udp.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PATIENCE_NS PROCESS_PATIENCE_NS
#define HEARD 16

static char *relay_path;

struct client {
	struct quic_conn *conn;
	struct udp_socket *socket;
	struct base_path path;
	const char *room;
	bool behind_another;
	struct ctrl_stream stream;
	struct ctrl_message heard[HEARD];
	size_t heard_count;
	bool closed;
	struct quic_close why;
};

/* --- a client --- */

static void on_handshake_done(void *user, struct quic_conn *conn, uint64_t now) {
	const struct client *client = user;
	uint8_t bytes[256] = {0};
	int len = snprintf((char *)bytes + 4, sizeof(bytes) - 4,
	                   "{\"type\":\"hello\",\"version\":1,\"role\":\"client\",\"room\":\"%s\","
	                   "\"mac\":\"02:00:00:00:00:01\",\"budget\":1400}",
	                   client->room);

	(void)now;
	bytes[3] = (uint8_t)len;
	assert_int_equal(quic_conn_control_send(conn, slice_of(bytes, 4 + (size_t)len)), 0);
}

static void on_control(void *user, struct quic_conn *conn, struct slice bytes, bool fin, uint64_t now) {
	struct client *client = user;
	char error[CTRL_ERROR_BYTES];
	struct slice json;

	(void)conn;
	(void)fin;
	(void)now;
	while (ctrl_stream_next(&client->stream, &bytes, &json) > 0) {
		assert_true(client->heard_count < HEARD);
		assert_int_equal(ctrl_message_parse(json, &client->heard[client->heard_count++], error), 0);
	}
}

static void on_datagram(void *user, struct quic_conn *conn, struct slice payload, uint64_t now) {
	(void)user;
	(void)conn;
	(void)payload;
	(void)now;
}

static void on_closed(void *user, struct quic_conn *conn, const struct quic_close *why, uint64_t now) {
	struct client *client = user;

	(void)conn;
	(void)now;
	client->closed = true;
	client->why = *why;
}

static const struct quic_events events = {
    .handshake_done = on_handshake_done, .control = on_control, .datagram = on_datagram, .closed = on_closed};

/* To the shard of the room `steer`. */
static struct client *client_at(const struct relay *relay, struct quic_trust *trust, const char *room,
                                const char *steer) {
	struct udp_options udp = {.local = {.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}}};
	struct client *client = calloc(1, sizeof(*client));
	struct quic_client_options options = {.server_name = "localhost",
	                                      .trust = trust,
	                                      .events = &events,
	                                      .has_steer_byte = true,
	                                      .steer_byte = proto_steer_byte(steer)};

	assert_non_null(client);
	assert_int_equal(udp_open(&udp, &client->socket), 0);
	client->path.local = udp_local(client->socket);
	client->path.remote = (struct base_addr){.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}, .port = relay->port};
	ctrl_stream_init(&client->stream);
	options.path = client->path;
	options.user = client;
	client->room = room;
	assert_int_equal(quic_client_new(&options, process_clock(), &client->conn), 0);
	return client;
}

static struct client *client_new(const struct relay *relay, struct quic_trust *trust) {
	return client_at(relay, trust, "R", "R");
}

static void client_free(struct client *client) {
	quic_conn_free(client->conn);
	udp_close(client->socket);
	free(client);
}

/* Puts a datagram for the other shard in front of one with a long header: the kernel delivers both together, by the
 * first. */
static void put_behind(const struct client *client, struct udp_burst *out) {
	static uint8_t both[2 * QUIC_UDP_PAYLOAD_MAX];
	size_t len = out->bytes.len;

	if ((out->bytes.data[0] & BASE_STEER_LONG_HEADER) == 0 || len != out->segment || len > QUIC_UDP_PAYLOAD_MAX)
		return;
	memset(both, 0, len);
	both[0] = 0x40;
	both[BASE_STEER_SHORT_AT] = (uint8_t)(proto_steer_byte(client->room) + (1 << BASE_STEER_SHIFT));
	memcpy(both + len, out->bytes.data, len);
	out->bytes = slice_of(both, 2 * len);
}

static void client_turn(struct client *client) {
	static uint8_t buf[QUIC_BURST_BYTES];
	struct pollfd poll_fd = {.fd = udp_fd(client->socket), .events = POLLIN};
	struct udp_chunk chunks[UDP_RX_CHUNKS_MAX];
	struct quic_burst burst;
	int count;

	while (quic_conn_write(client->conn, buf, sizeof(buf), &burst, process_clock()) == 1) {
		struct udp_burst out = {burst.path, burst.ecn, burst.segment, slice_of(buf, burst.len)};

		if (client->behind_another)
			put_behind(client, &out);

		udp_send(client->socket, &out, 1);
	}
	poll(&poll_fd, 1, 10);
	count = udp_recv(client->socket, chunks);
	for (int i = 0; i < count; i++) {
		for (size_t at = 0; at < chunks[i].bytes.len; at += chunks[i].segment) {
			size_t left = chunks[i].bytes.len - at;

			quic_conn_recv(client->conn, &client->path, chunks[i].ecn,
			               slice_of(chunks[i].bytes.data + at, left < chunks[i].segment ? left : chunks[i].segment),
			               process_clock());
		}
	}
	if (quic_conn_deadline(client->conn) <= process_clock())
		quic_conn_tick(client->conn, process_clock());
}

static void client_run(struct client *client, size_t messages, bool until_closed) {
	uint64_t end = process_clock() + PATIENCE_NS;

	while ((client->heard_count < messages || (until_closed && !client->closed)) && process_clock() < end)
		client_turn(client);
	assert_true(client->heard_count >= messages);
	assert_true(client->closed == until_closed);
}

/* --- tests --- */

static void test_join_and_stop(void **state) {
	static const char *const args[] = {"--listen",        "127.0.0.1:0", "--dev-cert-der-out", "relay.der",
	                                   "--status-socket", "status",      "--unsafe-no-policy", NULL};
	struct relay *relay = process_new(relay_path);
	struct quic_trust *trust;
	struct client *client;

	(void)state;
	process_start(relay, args);
	process_find_port(relay);
	process_wait_log(relay, "unsafe_no_policy");
	trust = process_trust_file(relay, "relay.der");
	client = client_new(relay, trust);
	client_run(client, 1, false);
	assert_int_equal(client->heard[0].type, CTRL_WELCOME);
	process_wait_log(relay, "peer_joined");
	/* Nothing to read again, and nothing happens to anybody. */
	kill(relay->pid, SIGHUP);
	process_wait_log(relay, "certificate_kept");
	kill(relay->pid, SIGTERM);
	client_run(client, 2, true);
	assert_int_equal(client->heard[1].type, CTRL_DISCONNECT);
	assert_int_equal(client->heard[1].disconnect.reason, CTRL_LEAVE_SHUTDOWN);
	assert_int_equal(client->why.code, QUIC_APP_SHUTDOWN);
	assert_int_equal(process_wait_exit(relay), 0);
	assert_non_null(strstr(relay->log, "relay_stopped"));
	client_free(client);
	quic_trust_unref(trust);
	process_free(relay);
}

static struct quic_trust *trust_pem(const gnutls_datum_t *chain) {
	struct quic_trust *trust = quic_trust_new();
	char error[QUIC_ERROR_BYTES];

	assert_int_equal(quic_trust_add_certificate(trust, slice_of(chain->data, chain->size), error), 0);
	return trust;
}

static void test_hangup_reloads_under_a_living_connection(void **state) {
	static const char *const args[] = {"--listen", "127.0.0.1:0", "--cert", "chain.pem", "--key", "key.pem", NULL};
	struct relay *relay = process_new(relay_path);
	gnutls_datum_t chain[2], key[2];
	struct quic_trust *trust[2];
	struct client *old, *late, *pinned;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		process_make_pair(&chain[i], &key[i]);
		trust[i] = trust_pem(&chain[i]);
	}
	process_write_file(relay, "chain.pem", chain[0].data, chain[0].size);
	process_write_file(relay, "key.pem", key[0].data, key[0].size);
	process_start(relay, args);
	process_find_port(relay);
	process_wait_log(relay, "certificate_dates"); /* valid for a day */
	old = client_new(relay, trust[0]);
	client_run(old, 1, false);
	/* Half a change: certificate and key do not belong together, so the old pair stays. */
	process_write_file(relay, "chain.pem", chain[1].data, chain[1].size);
	kill(relay->pid, SIGHUP);
	process_wait_log(relay, "do not belong together");
	late = client_new(relay, trust[0]);
	client_run(late, 1, false); /* the same MAC: a reject, over a trusted connection */
	client_free(late);
	process_write_file(relay, "key.pem", key[1].data, key[1].size);
	kill(relay->pid, SIGHUP);
	process_wait_log(relay, "certificate_reloaded");
	pinned = client_new(relay, trust[0]);
	client_run(pinned, 0, true);
	assert_int_equal(pinned->why.kind, QUIC_CLOSED_TLS);
	late = client_new(relay, trust[1]);
	client_run(late, 1, false);
	/* The first one noticed nothing, and is still in the room. */
	assert_int_equal(late->heard[0].reject.code, CTRL_REJECT_DUPLICATE_MAC);
	client_turn(old);
	assert_false(old->closed);
	kill(relay->pid, SIGINT);
	client_run(old, 2, true);
	assert_int_equal(process_wait_exit(relay), 0);
	client_free(old);
	client_free(late);
	client_free(pinned);
	for (size_t i = 0; i < 2; i++) {
		quic_trust_unref(trust[i]);
		gnutls_free(chain[i].data);
		gnutls_free(key[i].data);
	}
	process_free(relay);
}

/* The thread of the relay's only shard. */
static pid_t find_shard(const struct relay *relay) {
	char path[64], name[32];
	const struct dirent *entry;
	pid_t found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)relay->pid);
	assert_non_null(dir = opendir(path));
	while ((entry = readdir(dir)) != NULL) {
		char comm[512];
		FILE *file;

		snprintf(comm, sizeof(comm), "%s/%s/comm", path, entry->d_name);
		if ((file = fopen(comm, "re")) == NULL)
			continue;
		if (fgets(name, sizeof(name), file) != NULL && strcmp(name, "shard 0\n") == 0)
			found = (pid_t)strtol(entry->d_name, NULL, 10);
		fclose(file);
	}
	closedir(dir);
	assert_true(found > 0);
	return found;
}

static void hang_up(struct relay *relay) {
	memset(relay->log, 0, relay->log_len);
	relay->log_len = 0;
	kill(relay->pid, SIGHUP);
	process_wait_log(relay, "certificate_reloaded");
}

/* A shard that does not get to its orders has the last certificate in the end, not the last one it had place for. */
static void test_hangups_beside_a_stuck_shard(void **state) {
	static const char *const args[] = {"--listen", "127.0.0.1:0", "--cert", "chain.pem", "--key",
	                                   "key.pem",  "--shards",    "1",      NULL};
	struct relay *relay = process_new(relay_path);
	gnutls_datum_t chain[2], key[2];
	struct quic_trust *trust;
	struct client *client;
	uint64_t end;
	pid_t shard;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		process_make_pair(&chain[i], &key[i]);
	trust = trust_pem(&chain[1]);
	process_write_file(relay, "chain.pem", chain[0].data, chain[0].size);
	process_write_file(relay, "key.pem", key[0].data, key[0].size);
	process_start(relay, args);
	process_find_port(relay);
	process_wait_log(relay, "certificate_dates");
	shard = find_shard(relay);
	if (ptrace(PTRACE_SEIZE, shard, NULL, NULL) != 0) {
		print_message("this system lets nobody stop a thread\n");
	} else {
		assert_int_equal(ptrace(PTRACE_INTERRUPT, shard, NULL, NULL), 0);
		assert_int_equal(waitpid(shard, NULL, __WALL), shard);
		for (size_t i = 0; i < THREAD_MAILBOX_MAX; i++)
			hang_up(relay);
		process_write_file(relay, "chain.pem", chain[1].data, chain[1].size);
		process_write_file(relay, "key.pem", key[1].data, key[1].size);
		hang_up(relay);
		assert_int_equal(ptrace(PTRACE_DETACH, shard, NULL, NULL), 0);
		for (end = process_clock() + 3 * BASE_SECOND; process_clock() < end;)
			process_read_log(relay, 100);
		client = client_new(relay, trust);
		client_run(client, 1, false);
		client_free(client);
	}
	kill(relay->pid, SIGTERM);
	assert_int_equal(process_wait_exit(relay), 0);
	quic_trust_unref(trust);
	for (size_t i = 0; i < 2; i++) {
		gnutls_free(chain[i].data);
		gnutls_free(key[i].data);
	}
	process_free(relay);
}

static void assert_number(const json_t *object, const char *name, json_int_t expected) {
	unit_assert_int(json_integer_value(json_object_get(object, name)), expected, name);
}

static void check_status_of_two(const struct relay *relay) {
	json_t *status = process_status(relay);
	const json_t *shards = json_object_get(status, "shards"), *rooms = json_object_get(status, "rooms");
	const json_t *totals = json_object_get(status, "totals"), *quic = json_object_get(status, "quic"), *value;
	size_t i;

	assert_number(status, "connections", 2);
	assert_number(status, "joined", 2);
	assert_number(totals, "connections", 3);
	assert_number(json_object_get(totals, "rejected"), "wrong_shard", 1);
	assert_true(json_integer_value(json_object_get(quic, "strays")) > 0);
	assert_number(quic, "strays_lost", 0);
	assert_int_equal(json_array_size(shards), 2);
	json_array_foreach(shards, i, value) {
		assert_number(value, "shard", (json_int_t)i);
		assert_number(value, "joined", 1);
	}
	assert_int_equal(json_array_size(rooms), 2);
	json_array_foreach(rooms, i, value) {
		assert_number(value, "shard", strcmp(json_string_value(json_object_get(value, "room")), "R") == 0);
		assert_int_equal(json_array_size(json_object_get(value, "peers")), 1);
	}
	json_decref(status);
}

/* Rooms on both, a stray, packets in the other's chunks, what both say together, the goodbye of both. */
static void test_two_shards(void **state) {
	static const char *const args[] = {
	    "--listen", "127.0.0.1:0", "--dev-cert-der-out", "relay.der", "--status-socket", "status", "--shards",
	    "2",        NULL};
	struct relay *relay = process_new(relay_path);
	struct client *odd, *even, *stray;
	struct quic_trust *trust;

	(void)state;
	process_start(relay, args);
	process_find_port(relay);
	process_wait_log(relay, "shards=2");
	trust = process_trust_file(relay, "relay.der");
	odd = client_at(relay, trust, "R", "R");
	client_run(odd, 1, false);
	assert_int_equal(odd->heard[0].type, CTRL_WELCOME);
	even = client_at(relay, trust, "test-1", "test-1");
	even->behind_another = true;
	client_run(even, 1, false);
	assert_int_equal(even->heard[0].type, CTRL_WELCOME);
	stray = client_at(relay, trust, "R", "test-1");
	client_run(stray, 1, true);
	assert_int_equal(stray->heard[0].type, CTRL_REJECT);
	assert_int_equal(stray->heard[0].reject.code, CTRL_REJECT_WRONG_SHARD);
	assert_int_equal(base_steer_shard((uint8_t)stray->heard[0].reject.cid_byte, 2), 1);
	check_status_of_two(relay);
	kill(relay->pid, SIGTERM);
	client_run(odd, 2, true);
	client_run(even, 2, true);
	assert_int_equal(odd->heard[1].disconnect.reason, CTRL_LEAVE_SHUTDOWN);
	assert_int_equal(even->heard[1].disconnect.reason, CTRL_LEAVE_SHUTDOWN);
	assert_int_equal(process_wait_exit(relay), 0);
	client_free(odd);
	client_free(even);
	client_free(stray);
	quic_trust_unref(trust);
	process_free(relay);
}

static void test_failures_at_start(void **state) {
	static const struct {
		const char *args[8];
		int status;
		const char *says;
	} cases[] = {
	    {{"--listen", "127.0.0.1:0"}, 2, "a certificate is needed"},
	    {{"--bogus"}, 2, "--bogus"},
	    {{"--listen", "192.0.2.1:0", "--dev-cert-der-out", "relay.der"}, 3, "not an address of this host"},
	    {{"--listen", "127.0.0.1:0", "--cert", "none.pem", "--key", "none.pem"}, 6, "none.pem"},
	    {{"--listen", "127.0.0.1:0", "--dev-cert-der-out", "relay.der", "--status-socket", "/nonexistent/s"},
	     3,
	     "/nonexistent/s"},
	    {{"--listen", "127.0.0.1:0", "--dev-cert-der-out", "relay.der", "--user", "no-such-user"}, 8, "no-such-user"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct relay *relay = process_new(relay_path);

		process_start(relay, cases[i].args);
		unit_assert_int(process_wait_exit(relay), cases[i].status, cases[i].says);
		if (strstr(relay->log, cases[i].says) == NULL)
			fail_msg("no '%s' in:\n%s", cases[i].says, relay->log);
		process_free(relay);
	}
}

static bool says(const struct relay *relay, const char *text) {
	return strstr(relay->log, text) != NULL;
}

static bool has_ended(const struct relay *relay) {
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)relay->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* With however few descriptors it starts or not: the words name them. */
static void test_few_descriptors(void **state) {
	static const char *const args[] = {"--listen", "127.0.0.1:0", "--dev-cert-der-out", "relay.der", "--shards",
	                                   "8",        NULL};
	unsigned one_shard = 0, failed = 0, well = 0;
	struct rlimit before;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (rlim_t limit = 8; well == 0 && limit < 200; limit += 3) {
		struct relay *relay = process_new(relay_path);
		struct rlimit few = {.rlim_cur = limit, .rlim_max = before.rlim_max};
		uint64_t end = process_clock() + PATIENCE_NS;

		process_start_limited(relay, args, &few);
		while (!says(relay, "relay_started") && !has_ended(relay) && process_clock() < end)
			process_read_log(relay, 20);
		(void)kill(relay->pid, SIGTERM);
		(void)process_wait_exit(relay);
		if (says(relay, "one_shard")) {
			one_shard++;
			assert_true(says(relay, "there is no socket for each shard, or "));
		}
		if (says(relay, "out of memory")) {
			failed++;
			assert_true(says(relay, "out of memory or of file descriptors"));
		}
		well += says(relay, "relay_started") && !says(relay, "one_shard");
		process_free(relay);
	}
	print_message("%u with one shard, %u not started\n", one_shard, failed);
	assert_true(one_shard > 0 && failed > 0 && well > 0);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_join_and_stop),   cmocka_unit_test(test_hangup_reloads_under_a_living_connection),
	    cmocka_unit_test(test_two_shards),      cmocka_unit_test(test_failures_at_start),
	    cmocka_unit_test(test_few_descriptors), cmocka_unit_test(test_hangups_beside_a_stuck_shard),
	};
	int result;

	/* The relay runs in a folder of its own. */
	if (argc != 2 || (relay_path = realpath(argv[1], NULL)) == NULL || quic_global_init() != 0)
		return 1;
	result = cmocka_run_group_tests_name("relay/daemon", tests, NULL, NULL);
	quic_global_done();
	free(relay_path);
	return result;
}
