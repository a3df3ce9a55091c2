/* A process without a device: what it prints where, and what it ends with. Standard error and output go to files. */
#include "link/process.h"

#include "quic/tls.h"
#include "tests/system.h"
#include "tests/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES 8192

static const struct cli_option options[] = {
    LINK_SETUP_OPTIONS("an interface", "if0", "/nonexistent/identity.json"),
    {.name = "virtual-mac", .kind = CLI_TEXT, .help = "a client's"},
};
static const struct cli_table table = {
    .program = "test", .summary = "A test.", .options = options, .count = sizeof(options) / sizeof(options[0])};

static char identity[300];
static struct link_process process;
static struct loop_timer timer;
static unsigned turns;

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	(void)now;
	link_process_ended(user, status, why);
}

static const struct client_events events = {.ended = on_ended};

/* Everything but the run. */
static bool start(const char *option) {
	const char *const argv[] = {"test",
	                            "--relay",
	                            "192.0.2.1",
	                            "--relay-fingerprint",
	                            "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
	                            "--room",
	                            "R",
	                            "--identity",
	                            identity,
	                            option};
	const struct link_setup_options setup = {
	    .table = &table, .version = "1.2.3", .role = CTRL_ROLE_CLIENT, .host_name = "pc"};
	memset(&process, 0, sizeof(process));
	return link_process_init(&process, &setup, option != NULL ? 10 : 9, argv) && link_process_open_loop(&process) &&
	       link_process_open_driver(&process, &events, &process);
}

static int saved[3];

static void catch_output(int fd) {
	char name[] = "/tmp/test-process-XXXXXX";
	int file = mkstemp(name);
	assert_true(file >= 0 && unlink(name) == 0);
	(void)fflush(stdout);
	saved[fd] = dup(fd);
	assert_true(saved[fd] >= 0 && dup2(file, fd) == fd);
	(void)close(file);
}

static const char *caught(int fd) {
	static char text[3][TEXT_BYTES];
	(void)fflush(stdout);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	ssize_t len = read(fd, text[fd], TEXT_BYTES - 1);
	assert_true(len >= 0);
	text[fd][len] = '\0';
	(void)dup2(saved[fd], fd);
	(void)close(saved[fd]);
	return text[fd];
}

static void test_what_does_not_start(void **state) {
	static const struct {
		const char *option;
		int status;
		const char *out, *err; /* how they begin */
	} cases[] = {
	    {"--help", CLIENT_EXIT_OK, "Usage: test", ""},
	    {"--version", CLIENT_EXIT_OK, "test 1.2.3\n", ""},
	    {"--nonsense", CLIENT_EXIT_USAGE, "", "test: unknown option"},
	    {"--name=\x01", CLIENT_EXIT_USAGE, "", "test: --name "},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		catch_output(STDOUT_FILENO);
		catch_output(STDERR_FILENO);
		int status = link_process_run(&process, start(cases[i].option));
		link_process_done(&process);
		const char *err = caught(STDERR_FILENO), *out = caught(STDOUT_FILENO);
		unit_assert_int(status, cases[i].status, cases[i].option);
		if (strncmp(out, cases[i].out, strlen(cases[i].out)) != 0 || (cases[i].out[0] == '\0') != (out[0] == '\0'))
			fail_msg("%s: '%s'", cases[i].option, out);
		if (strncmp(err, cases[i].err, strlen(cases[i].err)) != 0 || (cases[i].err[0] == '\0') != (err[0] == '\0'))
			fail_msg("%s: '%s'", cases[i].option, err);
	}
}

static void end_session(void *user, uint64_t now) {
	(void)user;
	on_ended(&process, CLIENT_EXIT_TLS, "not trusted", now);
}

static void stop_loop(void *user, uint64_t now) {
	(void)user;
	(void)now;
	turns++;
	loop_stop(process.loop);
}

static unsigned goodbyes;

static void on_goodbye(void *user, uint64_t now) {
	(void)now;
	assert_ptr_equal(user, &process);
	assert_false(process.ended);
	goodbyes++;
}

/* The session's end is the process's, with its reason; a signal's (here: a stop) lets it say goodbye first. */
static void test_how_it_ends(void **state) {
	static const struct {
		void (*due)(void *user, uint64_t now);
		int status;
		const char *err;
	} cases[] = {
	    {end_session, CLIENT_EXIT_TLS, "test: not trusted\n"},
	    {stop_loop, CLIENT_EXIT_OK, ""},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		catch_output(STDERR_FILENO);
		bool started = start("--log-level=error");
		assert_true(started);
		process.goodbye = on_goodbye;
		loop_timer_init(&timer, cases[i].due, NULL);
		(void)loop_timer_set(process.loop, &timer, loop_now(process.loop));
		int status = link_process_run(&process, started);
		assert_true(process.ended);
		link_process_done(&process);
		assert_string_equal(caught(STDERR_FILENO), cases[i].err);
		assert_int_equal(status, cases[i].status);
	}
	assert_int_equal(turns, 1);
	assert_int_equal(goodbyes, 1);
}

/* A status that a device failure has set is not undone by the session's clean end. */
static void test_keeps_an_earlier_status(void **state) {
	(void)state;
	assert_true(start("--log-level=error"));
	process.status = CLIENT_EXIT_DEVICE;
	loop_timer_init(&timer, stop_loop, NULL);
	(void)loop_timer_set(process.loop, &timer, loop_now(process.loop));
	assert_int_equal(link_process_run(&process, true), CLIENT_EXIT_DEVICE);
	link_process_done(&process);
}

/* Closes what the loop waits with. */
static void break_loop(void) {
	char link[32], target[64];
	unsigned found = 0;
	for (int fd = 0; fd < 256; fd++) {
		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t len = readlink(link, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		if (strcmp(target, "anon_inode:[eventpoll]") == 0 && close(fd) == 0)
			found++;
	}
	assert_int_equal(found, 1);
}

/* Whoever restarts what failed must see that it did. */
static void test_waiting_fails(void **state) {
	(void)state;
	catch_output(STDERR_FILENO);
	bool started = start("--log-level=error");
	if (started)
		break_loop();
	int status = link_process_run(&process, started);
	link_process_done(&process);
	assert_string_equal(caught(STDERR_FILENO), "test: the system does not let it wait for events\n");
	assert_int_equal(status, CLIENT_EXIT_FAILURE);
}

static size_t count_of(const char *text, const char *what) {
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		count++;
	return count;
}

/* Each line once, until it changes; a new round trip alone is no news. */
static void test_diagnose(void **state) {
	struct obs_diagnostics diagnostics = {.relay_connected = true, .rtt_ns = BASE_MS, .tap_ready = OBS_YES};
	(void)state;
	catch_output(STDERR_FILENO);
	assert_true(start(NULL));
	for (unsigned i = 0; i < 4; i++) {
		diagnostics.rtt_ns += BASE_MS;
		diagnostics.gateway_present = i == 3;
		link_process_diagnose(&process, &diagnostics);
	}
	link_process_done(&process);
	const char *said = caught(STDERR_FILENO);
	assert_int_equal(count_of(said, "relay: connected, round trip 2.0 ms"), 1);
	assert_int_equal(count_of(said, "relay: connected"), 1);
	assert_int_equal(count_of(said, "tunnel adapter: ready"), 1);
	assert_int_equal(count_of(said, "gateway: not connected"), 1);
	assert_int_equal(count_of(said, "gateway: connected"), 1);
}

/* After a pause at once; else when a second has passed since the last time, however much comes until then. */
static void test_diagnose_due(void **state) {
	const struct obs_diagnostics diagnostics = {.relay_connected = true};
	(void)state;
	assert_true(start("--log-level=error"));
	const uint64_t now = loop_now(process.loop);
	assert_true(link_process_diagnose_due(&process) == now);
	link_process_diagnose(&process, &diagnostics);
	assert_true(link_process_diagnose_due(&process) == now + LINK_PROCESS_DIAGNOSE_NS);
	process.diagnosed_at = now - LINK_PROCESS_DIAGNOSE_NS / 4;
	assert_true(link_process_diagnose_due(&process) == now + LINK_PROCESS_DIAGNOSE_NS * 3 / 4);
	process.diagnosed_at = now - LINK_PROCESS_DIAGNOSE_NS * 2;
	assert_true(link_process_diagnose_due(&process) == now);
	link_process_done(&process);
}

/* A line that comes or goes is no news of those below it. */
static void test_diagnose_one_line_more(void **state) {
	struct obs_diagnostics diagnostics = {.relay_connected = true};
	(void)state;
	catch_output(STDERR_FILENO);
	assert_true(start(NULL));
	for (unsigned i = 0; i < 4; i++) {
		diagnostics.tap_mtu = i % 2 == 1 ? 1344 : 0;
		link_process_diagnose(&process, &diagnostics);
	}
	link_process_done(&process);
	const char *said = caught(STDERR_FILENO);
	assert_int_equal(count_of(said, "MTU: 1344"), 2);
	assert_int_equal(count_of(said, "broadcasts: none yet"), 1);
}

static int set_up(void **state) {
	(void)state;
	(void)snprintf(identity, sizeof(identity), "%s/identity.json", system_folder_make());
	return quic_global_init();
}

static int tear_down(void **state) {
	(void)state;
	quic_global_done();
	system_folder_remove();
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_does_not_start),
	    cmocka_unit_test(test_how_it_ends),
	    cmocka_unit_test(test_keeps_an_earlier_status),
	    cmocka_unit_test(test_waiting_fails),
	    cmocka_unit_test(test_diagnose),
	    cmocka_unit_test(test_diagnose_due),
	    cmocka_unit_test(test_diagnose_one_line_more),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
