/* A relay of several shards with everything going on at once: peers that join, talk, leave and vanish in many rooms,
 * strays, new certificates, status readers, a debug log; then the end. Under ThreadSanitizer a race ends the relay with
 * its own exit status. LANPARTY_THREADS_SECONDS: how long, 6 unless given. */
#include "base/rng.h"
#include "link/driver.h"
#include "tests/relay/process.h"
#include "tests/unit.h"
#include "udp/udp.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 3
#define ROOMS 9
#define MEMBERS 27
#define READERS 2

struct member {
	struct party *party;
	unsigned number;
	char room[8];
	struct loop *loop;
	struct link_driver *driver; /* NULL: out */
	struct link_driver *over;   /* to be freed */
	bool joined;
	uint64_t joins, frames;
};

struct party {
	struct relay *relay;
	struct quic_trust *trust;
	struct base_rng rng;
	struct member members[MEMBERS];
	struct udp_socket *stray;
	atomic_bool over;
	atomic_uint reports;
};

static char *relay_path;

/* --- members --- */

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct member *member = user;

	(void)welcome;
	(void)now;
	member->joined = true;
	member->joins++;
}

static void on_peer_joined(void *user, const struct client_peer *peer, uint64_t now) {
	(void)user;
	(void)peer;
	(void)now;
}

static void on_peer_left(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	(void)user;
	(void)peer;
	(void)reason;
	(void)now;
}

/* A frame says in which room it was sent. */
static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct member *member = user;

	(void)source_peer;
	(void)now;
	assert_true(frame.len >= 60);
	assert_string_equal((const char *)frame.data + 14, member->room);
	member->frames++;
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct member *member = user;

	(void)why;
	(void)now;
	member->joined = false;
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct member *member = user;

	(void)now;
	if (status != CLIENT_EXIT_OK && status != CLIENT_EXIT_TLS)
		fail_msg("member %u of %s ends: %s", member->number, member->room, why);
	member->joined = false;
	member->over = member->driver;
	member->driver = NULL;
}

static const struct client_events events = {
    .joined = on_joined,
    .peer_joined = on_peer_joined,
    .peer_left = on_peer_left,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

static void come(struct member *member) {
	struct party *party = member->party;
	struct link_driver_options options = {
	    .loop = member->loop,
	    .relay = {.is_literal = true,
	              .addr = {.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}, .port = party->relay->port}},
	    .transport = {.server_name = "localhost", .trust = party->trust},
	    .session =
	        {
	            .role = member->number < ROOMS ? CTRL_ROLE_GATEWAY : CTRL_ROLE_CLIENT,
	            .mac = {{2, 0, 0, 0, 0, (uint8_t)(1 + member->number)}},
	            .retry = true,
	            .seed = base_rng_next(&party->rng),
	            .stats_interval_ns = 200 * BASE_MS,
	            .pool_frames = 64,
	        },
	    .events = &events,
	    .user = member,
	};

	memcpy(options.session.room, member->room, sizeof(member->room));
	memset(options.session.seat_key, (int)(1 + member->number), sizeof(options.session.seat_key));
	assert_int_equal(link_driver_new(&options, &member->driver), 0);
	link_driver_start(member->driver, loop_now(member->loop));
}

static void drop(struct member *member) {
	link_driver_free(member->driver);
	member->driver = NULL;
	member->joined = false;
}

static void talk(struct member *member) {
	uint8_t bytes[900] = {0};
	size_t len = 60 + base_rng_below(&member->party->rng, sizeof(bytes) - 60);
	uint8_t to = (uint8_t)(1 + base_rng_below(&member->party->rng, MEMBERS));

	memset(bytes, 0xff, 6);
	if (base_rng_below(&member->party->rng, 4) > 0)
		memcpy(bytes, (const uint8_t[]){2, 0, 0, 0, 0, to}, 6);
	memcpy(bytes + 6, (const uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(1 + member->number), 0x88, 0xb5}, 8);
	memcpy(bytes + 14, member->room, sizeof(member->room));
	client_session_send(link_driver_session(member->driver), slice_of(bytes, len), loop_now(member->loop));
}

static void live(struct member *member) {
	struct base_rng *rng = &member->party->rng;
	uint64_t dice = base_rng_below(rng, 1000);

	loop_run_once(member->loop, 0);
	link_driver_free(member->over);
	member->over = NULL;
	if (member->driver == NULL) {
		if (dice < 20)
			come(member);
		return;
	}
	for (uint64_t i = base_rng_below(rng, 8); member->joined && i > 0; i--)
		talk(member);
	if (dice < 3)
		drop(member); /* without a word */
	else if (dice < 8)
		client_session_leave(link_driver_session(member->driver), CTRL_LEAVE_QUIT, loop_now(member->loop));
}

/* --- around them --- */

/* One chunk with datagrams for all shards, as the kernel puts them together: rubbish, handed over and thrown away. */
static void send_strays(struct party *party) {
	uint8_t bytes[20 * 60];
	struct udp_burst burst = {.path = {.remote = {.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}}}, .segment = 60};

	burst.path.remote.port = party->relay->port;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)base_rng_next(&party->rng);
	for (size_t i = 0; i < sizeof(bytes); i += 60)
		bytes[i] = 0x40; /* a short header, for a connection that was once */
	burst.bytes = slice_of(bytes, sizeof(bytes));
	udp_send(party->stray, &burst, 1);
}

static json_int_t sum_of(const json_t *parts, const char *name) {
	json_int_t sum = 0;
	const json_t *part;
	size_t i;

	json_array_foreach(parts, i, part) {
		sum += json_integer_value(json_object_get(part, name));
	}
	return sum;
}

static void *read_reports(void *user) {
	struct party *party = user;

	while (!party->over) {
		json_t *status = process_status(party->relay);
		const json_t *shards = json_object_get(status, "shards");
		const json_t *joined = json_object_get(status, "joined");

		assert_int_equal(json_array_size(shards), SHARDS);
		assert_true(json_is_integer(joined));
		assert_int_equal(json_integer_value(joined), sum_of(shards, "joined"));
		assert_true(json_array_size(json_object_get(status, "rooms")) <= ROOMS);
		json_decref(status);
		party->reports++;
		poll(NULL, 0, 5);
	}
	return NULL;
}

/* Whole lines, each a record. */
static void check_log(char *log) {
	size_t lines = 0;

	for (char *line = log, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, lines++) {
		json_t *json;

		*end = '\0';
		json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
		if (json == NULL || json_object_get(json, "event") == NULL)
			fail_msg("no record: %s", line);
		json_decref(json);
	}
	assert_true(lines > 50);
}

static void write_pair(struct party *party) {
	gnutls_datum_t chain, key;
	char error[QUIC_ERROR_BYTES];

	process_make_pair(&chain, &key);
	assert_int_equal(quic_trust_add_certificate(party->trust, slice_of(chain.data, chain.size), error), 0);
	process_write_file(party->relay, "chain.pem", chain.data, chain.size);
	process_write_file(party->relay, "key.pem", key.data, key.size);
	gnutls_free(chain.data);
	gnutls_free(key.data);
}

static struct party *party_new(void) {
	static const char *const args[] = {"--listen",
	                                   "127.0.0.1:0",
	                                   "--cert",
	                                   "chain.pem",
	                                   "--key",
	                                   "key.pem",
	                                   "--status-socket",
	                                   "status",
	                                   "--shards",
	                                   "3",
	                                   "--log-level",
	                                   "debug",
	                                   "--log-format",
	                                   "json",
	                                   "--room-join-rate",
	                                   "0",
	                                   "--address-join-rate",
	                                   "0",
	                                   NULL};
	struct udp_options udp = {.local = {.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}}};
	struct party *party = calloc(1, sizeof(*party));

	assert_non_null(party);
	base_rng_init(&party->rng, process_clock());
	party->relay = process_new(relay_path);
	party->trust = quic_trust_new();
	assert_int_equal(udp_open(&udp, &party->stray), 0);
	write_pair(party);
	process_start(party->relay, args);
	party->relay->port = (uint16_t)strtoul(strchr(process_wait_log(party->relay, "127.0.0.1:"), ':') + 1, NULL, 10);
	process_wait_log(party->relay, "\"gro\"");
	for (unsigned i = 0; i < MEMBERS; i++) {
		struct member *member = &party->members[i];

		member->party = party;
		member->number = i;
		member->loop = loop_new();
		snprintf(member->room, sizeof(member->room), "T%u", i % ROOMS);
		come(member);
	}
	return party;
}

static void party_free(struct party *party) {
	for (unsigned i = 0; i < MEMBERS; i++) {
		drop(&party->members[i]);
		link_driver_free(party->members[i].over);
		loop_free(party->members[i].loop);
	}
	udp_close(party->stray);
	quic_trust_unref(party->trust);
	process_free(party->relay);
	free(party);
}

static uint64_t seconds(void) {
	const char *text = getenv("LANPARTY_THREADS_SECONDS");

	return text != NULL ? strtoull(text, NULL, 10) : 6;
}

static void test_everything_at_once(void **state) {
	struct party *party = party_new();
	uint64_t end = process_clock() + seconds() * BASE_SECOND, hup = process_clock() + BASE_SECOND;
	uint64_t joins = 0, frames = 0;
	const char *report;
	int status;
	pthread_t readers[READERS];

	(void)state;
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_reports, party), 0);
	while (process_clock() < end) {
		for (unsigned i = 0; i < MEMBERS; i++)
			live(&party->members[i]);
		send_strays(party);
		process_read_log(party->relay, 0);
		if (process_clock() > hup) {
			write_pair(party); /* not both at once: the relay may find halves, and keeps what it has */
			kill(party->relay->pid, SIGHUP);
			hup = process_clock() + 300 * BASE_MS;
		}
		poll(NULL, 0, 1);
	}
	party->over = true;
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(readers[i], NULL), 0);
	kill(party->relay->pid, SIGTERM);
	status = process_wait_exit(party->relay);
	report = strstr(party->relay->log, "WARNING: ThreadSanitizer");
	if (status != 0 || report != NULL)
		fail_msg("the relay ended with status %d\n%.20000s", status, report != NULL ? report : "");
	for (unsigned i = 0; i < MEMBERS; i++) {
		joins += party->members[i].joins;
		frames += party->members[i].frames;
	}
	print_message("%llu joins, %llu frames, %u reports\n", (unsigned long long)joins, (unsigned long long)frames,
	              party->reports);
	assert_true(joins > MEMBERS && frames > 100 && party->reports > 10);
	assert_non_null(strstr(party->relay->log, "certificate_reloaded"));
	check_log(party->relay->log);
	party_free(party);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything_at_once)};
	int result;

	if (argc != 2 || (relay_path = realpath(argv[1], NULL)) == NULL || quic_global_init() != 0)
		return 1;
	result = cmocka_run_group_tests_name("relay/threads", tests, NULL, NULL);
	quic_global_done();
	free(relay_path);
	return result;
}
