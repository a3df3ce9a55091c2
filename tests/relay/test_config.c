#include "relay/config.h"

#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 12

static int parse(const char *const *args, struct relay_config *ret, char **ret_shown,
                 char error[static RELAY_CONFIG_ERROR_BYTES]) {
	const char *argv[ARGS_MAX + 2] = {"lanparty-relay"};
	int argc = 1;

	for (; args[argc - 1] != NULL; argc++)
		argv[argc] = args[argc - 1];
	error[0] = '\0';
	return relay_config_parse(argc, argv, ret, ret_shown, error);
}

static void test_errors_name_the_part(void **state) {
	static const struct {
		const char *args[ARGS_MAX];
		const char *error; /* is part of it */
	} cases[] = {
	    {{NULL}, "--dev-cert-der-out"},
	    {{"--cert", "a"}, "--key is missing"},
	    {{"--key", "a"}, "--cert is missing"},
	    {{"--cert", "a", "--key", "b", "--dev-cert-der-out", "c"}, "cannot both"},
	    {{"--cert", "a", "--key", "b", "--dev-cert-name", "c"}, "--dev-cert-name needs"},
	    {{"--dev-cert-der-out", "a", "--dev-cert-name", ""}, "--dev-cert-name: '' is neither"},
	    {{"--dev-cert-der-out", "a", "--dev-cert-name", "relay test"}, "--dev-cert-name: 'relay test' is neither"},
	    {{"--dev-cert-der-out", "a", "--dev-cert-name", "\xc3\xa4"}, "--dev-cert-name:"},
	    {{"--dev-cert-der-out", "c", "--listen", "example.com:443"}, "--listen: "},
	    {{"--dev-cert-der-out", "c", "--listen", "1.2.3.4:99999"}, "99999"},
	    {{"--dev-cert-der-out", "c", "--congestion", "reno"}, "'reno'"},
	    {{"--dev-cert-der-out", "c", "--priority", "most"}, "'most'"},
	    {{"--dev-cert-der-out", "c", "--crypto", "openssl"}, "'openssl'"},
	    {{"--dev-cert-der-out", "c", "--log-level", "loud"}, "'loud'"},
	    {{"--dev-cert-der-out", "c", "--log-format", "xml"}, "'xml'"},
	    {{"--dev-cert-der-out", "c", "--room-mtu", "1501"}, "room-mtu"},
	    {{"--dev-cert-der-out", "c", "--room-mtu", "575"}, "room-mtu"},
	    {{"--dev-cert-der-out", "c", "--max-rooms", "0"}, "max-rooms"},
	    {{"--dev-cert-der-out", "c", "--shards", "33"}, "shards"},
	    {{"--dev-cert-der-out", "c", "--config", "/nonexistent/relay.conf"}, "--config: "},
	    {{"--dev-cert-der-out", "c", "extra"}, "extra"},
	    {{"--frobnicate"}, "frobnicate"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[RELAY_CONFIG_ERROR_BYTES];
		struct relay_config config;
		char *shown = NULL;

		unit_assert_true(parse(cases[i].args, &config, &shown, error) < 0, cases[i].error);
		if (strstr(error, cases[i].error) == NULL)
			fail_msg("'%s' does not say '%s'", error, cases[i].error);
		assert_null(shown);
	}
}

static void test_defaults_are_those_of_limits_h(void **state) {
	static const char *const args[] = {"--dev-cert-der-out", "c", NULL};
	const struct relay_limits defaults = RELAY_LIMITS_DEFAULT;
	char error[RELAY_CONFIG_ERROR_BYTES];
	struct relay_config config;
	char *shown = NULL;

	(void)state;
	assert_int_equal(parse(args, &config, &shown, error), 0);
	assert_int_equal(config.listen.port, 443);
	assert_int_equal(config.listen.family, BASE_FAMILY_V6);
	assert_int_equal(config.limits.room_mtu_max, defaults.room_mtu_max);
	assert_int_equal(config.limits.rooms_max, defaults.rooms_max);
	assert_int_equal(config.limits.room_peers_max, defaults.room_peers_max);
	assert_int_equal(config.limits.peers_max, defaults.peers_max);
	assert_memory_equal(&config.limits.broadcast, &defaults.broadcast, sizeof(defaults.broadcast));
	assert_memory_equal(&config.limits.gateway_broadcast, &defaults.gateway_broadcast, sizeof(defaults.broadcast));
	assert_memory_equal(&config.limits.room_broadcast, &defaults.room_broadcast, sizeof(defaults.broadcast));
	assert_memory_equal(&config.limits.unknown_unicast, &defaults.unknown_unicast, sizeof(defaults.broadcast));
	assert_memory_equal(&config.limits.room_joins, &defaults.room_joins, sizeof(defaults.room_joins));
	assert_memory_equal(&config.limits.address_joins, &defaults.address_joins, sizeof(defaults.address_joins));
	assert_int_equal(config.limits.bandwidth.per_second, defaults.bandwidth.per_second);
	assert_int_equal(config.congestion, QUIC_CC_BBR);
	assert_int_equal(config.crypto, SEAL_AUTO);
	assert_int_equal(config.priority, HOST_PRIORITY_HIGH);
	assert_int_equal(config.shards, 0);
	assert_false(config.unsafe_no_policy);
	relay_config_done(&config);
}

static void write_file(char *path, const char *text) {
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_wrong_values_of_a_file(void **state) {
	static const char text[] = "dev-cert-der-out = c\n\nlog-level = loud\n";
	char path[] = "/tmp/relay-config-XXXXXX", expected[100];
	const char *const args[] = {"--config", path, NULL};
	char error[RELAY_CONFIG_ERROR_BYTES];
	struct relay_config config;
	char *shown = NULL;

	(void)state;
	write_file(path, text);
	assert_true(parse(args, &config, &shown, error) < 0);
	snprintf(expected, sizeof(expected), "%s:3: log-level: 'loud' is none of ", path);
	assert_memory_equal(error, expected, strlen(expected));
	unlink(path);
}

static void test_values_and_file(void **state) {
	static const char text[] =
	    "cert = \"/etc/relay/chain.pem\"\nkey = /etc/relay/key.pem\nlisten = 8443/udp\n"
	    "client-bandwidth = 80000 # ten megabytes\nno-offload = yes\npriority = realtime\nmax-rooms = 5\nshards = 4\n";
	char path[] = "/tmp/relay-config-XXXXXX";
	const char *const args[] = {"--config", path, "--max-rooms=7", "--congestion", "cubic", "--crypto=gnutls", NULL};
	char error[RELAY_CONFIG_ERROR_BYTES];
	struct relay_config config;
	char *shown = NULL;

	(void)state;
	write_file(path, text);
	assert_int_equal(parse(args, &config, &shown, error), 0);
	assert_string_equal(config.cert, "/etc/relay/chain.pem");
	assert_int_equal(config.listen.port, 8443);
	assert_int_equal(config.limits.rooms_max, 7);
	assert_int_equal(config.limits.bandwidth.per_second, 10000000);
	assert_int_equal(config.limits.bandwidth.burst, 1000000);
	assert_int_equal(config.shards, 4);
	assert_true(config.no_offload);
	assert_int_equal(config.congestion, QUIC_CC_CUBIC);
	assert_int_equal(config.priority, HOST_PRIORITY_REALTIME);
	assert_int_equal(config.crypto, SEAL_GNUTLS);
	relay_config_done(&config);
	unlink(path);
}

static void test_help_and_version(void **state) {
	static const char *const help[] = {"--help", NULL};
	static const char *const version[] = {"--version", NULL};
	char error[RELAY_CONFIG_ERROR_BYTES];
	struct relay_config config;
	char *shown = NULL;

	(void)state;
	assert_int_equal(parse(help, &config, &shown, error), 0);
	assert_non_null(strstr(shown, "Exit status:"));
	assert_non_null(strstr(shown, "--unsafe-no-policy"));
	free(shown);
	assert_int_equal(parse(version, &config, &shown, error), 0);
	assert_true(strncmp(shown, "lanparty-relay ", 15) == 0);
	free(shown);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_errors_name_the_part),   cmocka_unit_test(test_defaults_are_those_of_limits_h),
	    cmocka_unit_test(test_wrong_values_of_a_file), cmocka_unit_test(test_values_and_file),
	    cmocka_unit_test(test_help_and_version),
	};

	return cmocka_run_group_tests_name("relay/config", tests, NULL, NULL);
}
