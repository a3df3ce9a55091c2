/* What a person can get wrong before the program runs: each case names the part, has its exit status, and leaves the
 * identity file alone. */
#include "link/setup.h"

#include "base/text.h"
#include "quic/tls.h"
#include "tests/system.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16
#define PATH_BYTES 300

static const struct cli_option options[] = {
    LINK_SETUP_OPTIONS("an interface", "if0", "/nonexistent/default-identity.json"),
    {.name = "virtual-mac", .kind = CLI_TEXT, .help = "a client's"},
    {.name = "extra", .kind = CLI_FLAG, .help = "the binary's own"},
};
static const struct cli_table table = {
    .program = "test", .summary = "A test.", .options = options, .count = sizeof(options) / sizeof(options[0])};

static const char *folder;
static char certificate[PATH_BYTES], config[PATH_BYTES], identity[PATH_BYTES], below_file[PATH_BYTES];

#define IDENTITY "{\"version\":1,\"mac\":\"02:11:22:33:44:55\",\"seat_key\":\"00112233445566778899aabbccddeeff\"}\n"

static void write_text(const char *path, const char *text, size_t len) {
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, S_IRUSR | S_IWUSR), 0); /* some of them are identities */
}

static int make_folder(void **state) {
	static const char *const names[] = {"relay.example"};
	struct quic_identity *made;
	char error[QUIC_ERROR_BYTES];
	(void)state;
	assert_int_equal(quic_global_init(), 0);
	folder = system_folder_make();
	(void)snprintf(certificate, sizeof(certificate), "%s/relay.der", folder);
	(void)snprintf(config, sizeof(config), "%s/client.conf", folder);
	(void)snprintf(below_file, sizeof(below_file), "%s/relay.der/below/id.json", folder);
	(void)snprintf(identity, sizeof(identity), "%s/identity.json", folder);
	assert_int_equal(quic_identity_self_signed(names, 1, loop_wall_clock(), &made, error), 0);
	struct slice der = quic_identity_der(made);
	write_text(certificate, (const char *)der.data, der.len);
	quic_identity_unref(made);
	return 0;
}

static int remove_folder(void **state) {
	(void)state;
	(void)unlink(certificate);
	(void)unlink(config);
	(void)unlink(identity);
	quic_global_done();
	return rmdir(folder);
}

static const char *stands_for(const char *word) {
	const struct {
		const char *word, *path;
	} places[] = {
	    {"@cert", certificate}, {"@conf", config}, {"@id", identity}, {"@dir", folder}, {"@below", below_file}};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strcmp(word, places[i].word) == 0)
			return places[i].path;
	}
	return word;
}

static bool check_only; /* of the options that init() gives */

/* `line` is split at blanks. */
static bool init(struct link_setup *setup, const char *line, enum ctrl_role role, const char *state_directory) {
	static char words[1024];
	const char *argv[ARGUMENTS_MAX] = {"test"};
	int argc = 1;
	(void)snprintf(words, sizeof(words), "%s", line);
	for (char *word = words, *end; *word != '\0'; word = end) {
		end = word + strcspn(word, " ");
		if (*end != '\0')
			*end++ = '\0';
		if (word[0] == '\0')
			continue;
		assert_true(argc < ARGUMENTS_MAX);
		argv[argc++] = stands_for(word);
	}
	const struct link_setup_options setup_options = {.table = &table,
	                                                 .version = "1.2.3",
	                                                 .role = role,
	                                                 .host_name = "my pc\x01.example",
	                                                 .check_only = check_only,
	                                                 .state_directory = state_directory};
	return link_setup_init(setup, &setup_options, argc, argv);
}

#define GOOD "--relay relay.example:444 --relay-ca-cert @cert --room ROOM1 --identity @id "

static void test_good(void **state) {
	struct link_setup setup;
	char text[PATH_BYTES + 32];
	(void)state;
	write_text(config, "room = ROOM1\nname = console\ncongestion = cubic\ncrypto = gnutls\npriority = normal\n", 81);
	assert_true(init(&setup, "--relay relay.example:444 --relay-ca-cert @cert --identity @id --config @conf --no-retry",
	                 CTRL_ROLE_CLIENT, NULL));
	assert_string_equal(setup.driver.relay.host, "relay.example");
	assert_int_equal(setup.driver.relay.port, 444);
	assert_string_equal(setup.driver.transport.server_name, "relay.example");
	assert_int_equal(setup.driver.transport.settings.congestion, QUIC_CC_CUBIC);
	assert_int_equal(setup.priority, HOST_PRIORITY_NORMAL);
	assert_string_equal(seal_backend_name(setup.driver.transport.settings.seal), "gnutls");
	assert_string_equal(setup.driver.session.room, "ROOM1");
	assert_string_equal(setup.driver.session.name, "console");
	assert_false(setup.driver.session.retry);
	assert_true(proto_mac_is_local(setup.driver.session.mac));
	const struct proto_mac mac = setup.driver.session.mac;
	link_setup_done(&setup);
	assert_true(system_is_private(identity));

	assert_true(init(&setup, GOOD, CTRL_ROLE_CLIENT, NULL)); /* the same again */
	assert_true(proto_mac_equal(setup.driver.session.mac, mac));
	assert_string_equal(setup.driver.session.name, "mypc.example");
	assert_true(setup.driver.session.retry);
	link_setup_done(&setup);

	write_text(identity, IDENTITY, sizeof(IDENTITY) - 1);
	assert_true(init(&setup, GOOD "--virtual-mac 02-aa-00-00-00-01", CTRL_ROLE_CLIENT, NULL));
	assert_int_equal(setup.driver.session.mac.b[1], 0xaa);
	assert_int_equal(setup.identity.seat_key[15], 0xff); /* the rest is the identity's */
	link_setup_done(&setup);
	assert_true(init(&setup, GOOD, CTRL_ROLE_GATEWAY, NULL));
	assert_true(proto_mac_is_zero(setup.driver.session.mac)); /* a gateway has none */
	assert_int_equal(setup.identity.seat_key[15], 0xff);
	link_setup_done(&setup);
	(void)unlink(identity);

	/* The service manager's folder takes the place of the default one, never of a given one. */
	assert_true(init(&setup, "--relay relay.example --relay-ca-cert @cert --room R", CTRL_ROLE_CLIENT, folder));
	link_setup_done(&setup);
	(void)snprintf(text, sizeof(text), "%s/default-identity.json", folder);
	assert_int_equal(unlink(text), 0);
	assert_true(init(&setup, GOOD, CTRL_ROLE_CLIENT, "/nonexistent"));
	link_setup_done(&setup);
	assert_int_equal(unlink(identity), 0);
}

/* Each relay hears another key, always the same, and none of them is the identity's. The first two as docs/protocol.md
 * has it, computed with Python's hmac. */
static void test_seat_key(void **state) {
	static const uint8_t on_444[] = {0xc5, 0xb9, 0x0c, 0x72, 0xf6, 0xb8, 0xe5, 0xd6,
	                                 0x23, 0x71, 0xc1, 0xa4, 0x07, 0x49, 0xb1, 0xad};
	static const uint8_t on_443[] = {0xa9, 0xa5, 0x36, 0xbe, 0x24, 0xb1, 0x32, 0x4a,
	                                 0x95, 0xc9, 0xf2, 0x8f, 0x3f, 0xce, 0xa1, 0x85};
	static const struct {
		const char *relay;
		const uint8_t *key; /* NULL: neither */
	} cases[] = {
	    {"--relay relay.example:444", on_444}, {"--relay Relay.EXAMPLE:444", on_444},
	    {"--relay relay.example", on_443},     {"--relay 192.0.2.1 --server-name relay.example", on_443},
	    {"--relay 192.0.2.1", NULL},           {"--relay relay.example --server-name evil.example", NULL},
	};

	(void)state;
	write_text(identity, IDENTITY, sizeof(IDENTITY) - 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link_setup setup;
		char line[256];

		(void)snprintf(line, sizeof(line), "%s --relay-ca-cert @cert --room R --identity @id", cases[i].relay);
		unit_assert_true(init(&setup, line, CTRL_ROLE_CLIENT, NULL), cases[i].relay);
		const uint8_t *key = setup.driver.session.seat_key;
		unit_assert_int(memcmp(key, on_444, sizeof(on_444)) == 0, cases[i].key == on_444, cases[i].relay);
		unit_assert_int(memcmp(key, on_443, sizeof(on_443)) == 0, cases[i].key == on_443, cases[i].relay);
		unit_assert_true(memcmp(key, setup.identity.seat_key, CTRL_SEAT_KEY_BYTES) != 0, cases[i].relay);
		link_setup_done(&setup);
	}
	assert_int_equal(unlink(identity), 0);
}

static void test_room_key(void **state) {
	struct link_setup setup;
	struct ctrl_message hello = {.type = CTRL_HELLO};
	const struct client_config *session = &setup.driver.session;
	(void)state;
	assert_true(init(&setup, GOOD, CTRL_ROLE_CLIENT, NULL));
	assert_null(session->cipher);
	link_setup_done(&setup);
	write_text(config, "room-key = \"correct horse\"\n", 27);
	assert_true(init(&setup, GOOD "--config @conf", CTRL_ROLE_CLIENT, NULL));
	assert_non_null(session->cipher);
	assert_true(setup.room_key_in_config);
	assert_null(cli_text(setup.values, "room-key")); /* wiped */
	assert_ptr_equal(session->cipher_user, setup.room_key);
	assert_int_equal(session->room_key[0], 0x8f); /* as in docs/vectors/roomkey.txt */
	assert_int_equal(session->room_key[7], 0x4f);
	assert_int_equal(session->cipher->begin(setup.room_key, CTRL_ROLE_CLIENT, session->mac, hello.hello.salt), 0);
	link_setup_done(&setup);
	assert_true(init(&setup, GOOD "--config @conf --room-key another_one", CTRL_ROLE_CLIENT, NULL));
	assert_false(setup.room_key_in_config); /* the command line goes before it */
	assert_int_not_equal(session->room_key[0], 0x8f);
	link_setup_done(&setup);
	(void)unlink(identity);
}

static void test_bad(void **state) {
	static const struct {
		const char *arguments;
		enum client_exit status;
		const char *names; /* the part that the message must name */
	} cases[] = {
	    {"--room ROOM1", CLIENT_EXIT_USAGE, "--relay"},
	    {"--relay relay.example:99999 --room R", CLIENT_EXIT_USAGE, "99999"},
	    {"--relay relay.example", CLIENT_EXIT_USAGE, "--room"},
	    {"--relay relay.example --room a!b", CLIENT_EXIT_USAGE, "'a!b'"},
	    {"--relay relay.example --room R --name n\x01", CLIENT_EXIT_USAGE, "--name"},
	    {GOOD "--virtual-mac 01:00:5e:00:00:01", CLIENT_EXIT_USAGE, "--virtual-mac '01:00:5e:00:00:01'"},
	    {GOOD "--room-key hunter2", CLIENT_EXIT_USAGE, "--room-key: must be 8 to 128"},
	    {GOOD "--room-key tab\tinside", CLIENT_EXIT_USAGE, "--room-key"},
	    {GOOD "--virtual-mac 02:00", CLIENT_EXIT_USAGE, "'02:00'"},
	    {GOOD "--nonsense", CLIENT_EXIT_USAGE, "nonsense"},
	    {GOOD "--log-level loud", CLIENT_EXIT_USAGE, "'loud'"},
	    {GOOD "--log-format xml", CLIENT_EXIT_USAGE, "'xml'"},
	    {GOOD "--congestion none", CLIENT_EXIT_USAGE, "'none'"},
	    {GOOD "--priority most", CLIENT_EXIT_USAGE, "'most'"},
	    {GOOD "--crypto rot13", CLIENT_EXIT_USAGE, "'rot13'"},
	    {GOOD "--relay-fingerprint abc", CLIENT_EXIT_USAGE, "'abc'"},
	    {GOOD "--relay-ca-cert /nonexistent.pem", CLIENT_EXIT_TLS, "/nonexistent.pem"},
	    {GOOD "--relay-ca-cert @dir", CLIENT_EXIT_TLS, "is not a regular file"},
	    {GOOD "--config /nonexistent.conf", CLIENT_EXIT_USAGE, "/nonexistent.conf"},
	    {GOOD "--config @conf", CLIENT_EXIT_USAGE, "client.conf:2"},
	    {"--relay relay.example --relay-ca-cert @cert --room R --identity @below", CLIENT_EXIT_FAILURE,
	     "relay.der/below"},
	    {"--relay relay.example --relay-ca-cert @cert --room R --identity @dir", CLIENT_EXIT_FAILURE,
	     "is not a regular file"},
	};
	(void)state;
	write_text(config, "no-retry = yes\nwhat = ever\n", 27);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link_setup setup;
		unit_assert_int(init(&setup, cases[i].arguments, CTRL_ROLE_CLIENT, NULL), false, cases[i].arguments);
		unit_assert_int(setup.status, cases[i].status, cases[i].arguments);
		if (strstr(setup.text, cases[i].names) == NULL)
			fail_msg("%s: '%s'", cases[i].arguments, setup.text);
		unit_assert_true(setup.help == NULL, cases[i].arguments);
		unit_assert_true(strstr(setup.text, "hunter2") == NULL, cases[i].arguments);
		link_setup_done(&setup);
		unit_assert_true(access(identity, F_OK) < 0, cases[i].arguments);
	}
}

/* Values that are wrong stand in a file: that, not options that nobody typed, must be named. */
static void test_wrong_values_of_a_file(void **state) {
	static const struct {
		const char *text, *names;
	} cases[] = {
	    {"room = bad room\n", "client.conf:1: room 'bad room': must be"},
	    {"# one\n\nlog-level = loud\n", "client.conf:3: log-level 'loud': must be"},
	    {"congestion = none\n", "client.conf:1: congestion 'none': must be"},
	    {"room = R\nroom-key = hunter2\n", "client.conf:2: room-key: must be 8 to 128"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link_setup setup;
		write_text(config, cases[i].text, strlen(cases[i].text));
		unit_assert_int(
		    init(&setup, "--relay relay.example --relay-ca-cert @cert --config @conf", CTRL_ROLE_CLIENT, NULL), false,
		    cases[i].names);
		unit_assert_int(setup.status, CLIENT_EXIT_USAGE, cases[i].names);
		if (strstr(setup.text, cases[i].names) == NULL)
			fail_msg("%s: '%s'", cases[i].names, setup.text);
		unit_assert_true(strstr(setup.text, "hunter2") == NULL, cases[i].names);
		link_setup_done(&setup);
	}
}

static void test_identity_is_never_replaced(void **state) {
	static const char *const contents[] = {"", "{", "{\"version\":2,\"mac\":\"02:11:22:33:44:55\"}", "\xff\xfe"};
	(void)state;
	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		struct link_setup setup;
		char back[64] = "";
		write_text(identity, contents[i], strlen(contents[i]));
		unit_assert_int(init(&setup, GOOD, CTRL_ROLE_CLIENT, NULL), false, contents[i]);
		unit_assert_int(setup.status, CLIENT_EXIT_FAILURE, contents[i]);
		unit_assert_true(strstr(setup.text, identity) != NULL, contents[i]);
		link_setup_done(&setup);
		FILE *file = fopen(identity, "rb");
		assert_non_null(file);
		size_t len = fread(back, 1, sizeof(back), file);
		(void)fclose(file);
		unit_assert_int(len, strlen(contents[i]), "length");
		assert_memory_equal(back, contents[i], len);
		(void)unlink(identity);
	}
}

static void test_one_process_an_identity(void **state) {
	struct link_setup first, second;
	(void)state;
	assert_true(init(&first, GOOD, CTRL_ROLE_CLIENT, NULL));
	assert_false(init(&second, GOOD, CTRL_ROLE_CLIENT, NULL));
	assert_int_equal(second.status, CLIENT_EXIT_FAILURE);
	assert_non_null(strstr(second.text, "--identity"));
	assert_non_null(strstr(second.text, "another process uses it"));
	link_setup_done(&second);
	check_only = true;
	assert_true(init(&second, GOOD, CTRL_ROLE_CLIENT, NULL));
	link_setup_done(&second);
	check_only = false;
	assert_false(init(&second, GOOD, CTRL_ROLE_CLIENT, NULL)); /* still held by the first */
	link_setup_done(&second);
	link_setup_done(&first);
	assert_true(init(&second, GOOD, CTRL_ROLE_CLIENT, NULL));
	link_setup_done(&second);
	(void)unlink(identity);
}

static void test_help_and_version(void **state) {
	struct link_setup setup;
	(void)state;
	assert_false(init(&setup, "--help", CTRL_ROLE_CLIENT, NULL));
	assert_int_equal(setup.status, CLIENT_EXIT_OK);
	assert_non_null(strstr(setup.help, "--extra"));
	assert_string_equal(setup.text, "");
	link_setup_done(&setup);
	assert_false(init(&setup, "--version", CTRL_ROLE_CLIENT, NULL));
	assert_string_equal(setup.help, "test 1.2.3\n");
	link_setup_done(&setup);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_room_key),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_wrong_values_of_a_file),
	    cmocka_unit_test(test_identity_is_never_replaced),
	    cmocka_unit_test(test_seat_key),
	    cmocka_unit_test(test_one_process_an_identity),
	    cmocka_unit_test(test_help_and_version),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
