#include "relay/config.h"

#include "base/error.h"
#include "base/steer.h"
#include "base/text.h"
#include "host/host.h"
#include "net/endpoint.h"
#include "proto/mtu.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frames a second; far more than a relay forwards, and small enough for any arithmetic. */
#define RATE_MAX 1000000
#define BANDWIDTH_KBIT_MAX 10000000

static const struct cli_option options[] = {
    {.name = "listen",
     .kind = CLI_TEXT,
     .value = "HOST:PORT",
     .fallback = "[::]:443",
     .help = "UDP address to listen on; also :PORT or PORT/udp.\n[::] takes IPv4 as well."},
    {.name = "cert", .kind = CLI_TEXT, .value = "FILE", .help = "certificate chain (PEM); read again on SIGHUP"},
    {.name = "key", .kind = CLI_TEXT, .value = "FILE", .help = "private key of the certificate (PEM)"},
    {.name = "dev-cert-der-out",
     .kind = CLI_TEXT,
     .value = "FILE",
     .help = "instead of --cert and --key: make a self-signed certificate\nat every start and write it to FILE (DER)"},
    {.name = "dev-cert-name",
     .kind = CLI_LIST,
     .value = "NAME",
     .help = "DNS name or address in that certificate\n(default: localhost and the name of this host)"},
    {.name = "shards",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "0",
     .max = BASE_SHARDS_MAX,
     .help = "threads that share out the rooms; 0: one for each core the\nrelay may run on"},
    {.name = "room-mtu",
     .kind = CLI_NUMBER,
     .value = "BYTES",
     .fallback = "1344",
     .min = PROTO_TAP_MTU_MIN,
     .max = PROTO_TAP_MTU_MAX,
     .help = "largest TAP MTU of a room; the first peer's path may\nmake it smaller"},
    {.name = "max-rooms",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "1024",
     .min = 1,
     .max = 1000000,
     .help = "rooms at a time"},
    {.name = "max-peers-per-room",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "64",
     .min = 2,
     .max = 1024,
     .help = "clients and gateway of one room"},
    {.name = "max-connections",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "4096",
     .min = 1,
     .max = 1000000,
     .help = "QUIC connections at a time, joined or not"},
    {.name = "max-connections-per-address",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "256",
     .min = 1,
     .max = 1000000,
     .help = "those of one IPv4 address or one IPv6 /56"},
    {.name = "room-join-rate",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "120",
     .max = RATE_MAX,
     .help = "peers a minute that are new to a room, twice as many or a\nwhole room at once; 0: no limit"},
    {.name = "address-join-rate",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "60",
     .max = RATE_MAX,
     .help = "the same for all peers of one IPv4 address or IPv6 /56,\nin whatever rooms, refused ones too"},
    {.name = "broadcast-rate",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "300",
     .max = RATE_MAX,
     .help = "broadcast and multicast frames a second from each client,\ntwice as many at once; 0: no limit"},
    {.name = "gateway-broadcast-rate",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "2000",
     .max = RATE_MAX,
     .help = "the same for the gateway"},
    {.name = "room-broadcast-rate",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "150000",
     .max = RATE_MAX,
     .help = "copies a second of such frames from all clients of a room;\n0: no limit"},
    {.name = "unknown-unicast-rate",
     .kind = CLI_NUMBER,
     .value = "N",
     .fallback = "1000",
     .max = RATE_MAX,
     .help = "frames a second from each client to stations that were\nnever heard; 0: no limit"},
    {.name = "client-bandwidth",
     .kind = CLI_NUMBER,
     .value = "KBIT",
     .fallback = "0",
     .max = BANDWIDTH_KBIT_MAX,
     .help = "kilobits a second from each client; 0: no limit"},
    {.name = "congestion",
     .kind = CLI_TEXT,
     .value = "bbr|cubic",
     .fallback = "bbr",
     .help = "congestion control; bbr keeps queues on the path short"},
    {.name = "crypto",
     .kind = CLI_TEXT,
     .value = "auto|gnutls|ipsec-mb",
     .fallback = "auto",
     .help = "library that protects packets; auto: ipsec-mb if this\nmachine has it"},
    {.name = "priority",
     .kind = CLI_TEXT,
     .value = "normal|high|realtime",
     .fallback = "high",
     .help = "how far to go before other programs when all are busy"},
    {.name = "status-socket",
     .kind = CLI_TEXT,
     .value = "PATH",
     .help = "unix socket; whoever connects reads one JSON object:\nrooms, peers, counters"},
    {.name = "user",
     .kind = CLI_TEXT,
     .value = "NAME",
     .help = "run as this user once the port is open; it must be able\nto read --cert and --key for SIGHUP to work"},
    {.name = "log-level",
     .kind = CLI_TEXT,
     .value = "LEVEL",
     .fallback = "info",
     .help = "error, warn, info, debug (dropped frames) or trace (all\nframes)"},
    {.name = "log-format", .kind = CLI_TEXT, .value = "text|json", .fallback = "text", .help = "format of log lines"},
    {.name = "no-offload", .kind = CLI_FLAG, .help = "do not use UDP segmentation and receive offload"},
    {.name = "unsafe-no-policy",
     .kind = CLI_FLAG,
     .help =
         "FOR TESTS ONLY: forward frames that the layer-2 policy\nstops (rogue DHCP, router advertisements, STP ...)"},
    {.name = "config",
     .kind = CLI_TEXT,
     .value = "FILE",
     .command_line_only = true,
     .help = "read options from FILE, one \"name = value\" a line"},
    {.name = "help", .kind = CLI_FLAG, .command_line_only = true, .help = "show this help"},
    {.name = "version", .kind = CLI_FLAG, .command_line_only = true, .help = "show the version"},
};

const struct cli_table relay_cli_table = {
    .program = "lanparty-relay",
    .summary = "public relay that connects LAN party clients with a gateway on a LAN",
    .epilog = "Signals:\n"
              "  SIGTERM, SIGINT  say goodbye to all peers and stop\n"
              "  SIGHUP           read --cert and --key again; peers stay connected\n"
              "\n"
              "Exit status:\n"
              "  0  stopped by a signal\n"
              "  1  failure while running\n"
              "  2  wrong command line or configuration file\n"
              "  3  the address or the status socket cannot be opened\n"
              "  6  certificate or key cannot be used\n"
              "  8  privileges cannot be given up\n",
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
};

__attribute__((format(printf, 4, 5))) static int
fail(const struct cli_values *values, char error[static RELAY_CONFIG_ERROR_BYTES], int code, const char *format, ...) {
	char message[RELAY_CONFIG_ERROR_BYTES];
	struct base_text text;
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	base_text_init(&text, error, RELAY_CONFIG_ERROR_BYTES);
	cli_error_place(values, message, &text);
	return code;
}

static int read_config_file(struct cli_values *values, char error[static RELAY_CONFIG_ERROR_BYTES]) {
	const char *path = cli_text(values, "config");
	char host_error[HOST_ERROR_BYTES], cli_error[CLI_ERROR_BYTES];
	uint8_t *bytes;
	size_t len;
	int result;

	if (path == NULL)
		return 0;
	if ((result = host_read_file(path, CLI_CONFIG_BYTES_MAX, &bytes, &len, host_error)) != 0)
		return fail(values, error, result, "--config: %s", host_error);
	result = cli_parse_config(values, slice_of(bytes, len), path, cli_error);
	free(bytes);
	return result == 0 ? 0 : fail(values, error, result, "%s", cli_error);
}

/* As a name that nobody can connect to it would only show at the peers. */
static int check_dev_cert_names(const struct relay_config *config, char error[static RELAY_CONFIG_ERROR_BYTES]) {
	for (size_t i = 0; i < cli_list_count(config->values, "dev-cert-name"); i++) {
		const char *name = cli_list_item(config->values, "dev-cert-name", i);

		for (const char *c = name; *c != '\0'; c++)
			if (*c <= ' ' || *c >= 0x7f)
				return fail(config->values, error, BASE_E_INVALID,
				            "--dev-cert-name: '%s' is neither a DNS name nor an address", name);
		if (name[0] == '\0')
			return fail(config->values, error, BASE_E_INVALID,
			            "--dev-cert-name: '' is neither a DNS name nor an address");
	}
	return 0;
}

static int check_certificate(struct relay_config *config, char error[static RELAY_CONFIG_ERROR_BYTES]) {
	config->cert = cli_text(config->values, "cert");
	config->key = cli_text(config->values, "key");
	config->dev_cert_der_out = cli_text(config->values, "dev-cert-der-out");
	if ((config->cert == NULL) != (config->key == NULL))
		return fail(config->values, error, BASE_E_MISSING, "--cert and --key go together: --%s is missing",
		            config->cert == NULL ? "cert" : "key");
	if (config->cert == NULL && config->dev_cert_der_out == NULL)
		return fail(config->values, error, BASE_E_MISSING,
		            "a certificate is needed: give --cert and --key, or --dev-cert-der-out for a self-signed one");
	if (config->cert != NULL && config->dev_cert_der_out != NULL)
		return fail(config->values, error, BASE_E_INVALID, "--cert and --dev-cert-der-out cannot both be used");
	if (cli_list_count(config->values, "dev-cert-name") > 0 && config->dev_cert_der_out == NULL)
		return fail(config->values, error, BASE_E_INVALID, "--dev-cert-name needs --dev-cert-der-out");
	return check_dev_cert_names(config, error);
}

static int check_words(struct relay_config *config, char error[static RELAY_CONFIG_ERROR_BYTES]) {
	const char *level = cli_text(config->values, "log-level");
	const char *format = cli_text(config->values, "log-format");
	const char *congestion = cli_text(config->values, "congestion");
	const char *crypto = cli_text(config->values, "crypto");
	const char *priority = cli_text(config->values, "priority");
	const char *listen = cli_text(config->values, "listen");
	char net_error[NET_ERROR_BYTES];

	if (net_listen_parse(listen, &config->listen, net_error) != 0)
		return fail(config->values, error, BASE_E_SYNTAX, "--listen: %s", net_error);
	if (obs_level_parse(level, &config->log_level) != 0)
		return fail(config->values, error, BASE_E_INVALID,
		            "--log-level: '%s' is none of error, warn, info, debug, trace", level);
	if (obs_format_parse(format, &config->log_format) != 0)
		return fail(config->values, error, BASE_E_INVALID, "--log-format: '%s' is neither text nor json", format);
	if (strcmp(congestion, "bbr") != 0 && strcmp(congestion, "cubic") != 0)
		return fail(config->values, error, BASE_E_INVALID, "--congestion: '%s' is neither bbr nor cubic", congestion);
	if (seal_choice_parse(crypto, &config->crypto) != 0)
		return fail(config->values, error, BASE_E_INVALID, "--crypto: '%s' is none of auto, gnutls, ipsec-mb", crypto);
	if (host_priority_parse(priority, &config->priority) != 0)
		return fail(config->values, error, BASE_E_INVALID, "--priority: '%s' is none of normal, high, realtime",
		            priority);
	config->congestion = congestion[0] == 'b' ? QUIC_CC_BBR : QUIC_CC_CUBIC;
	return 0;
}

static struct relay_rate rate_of(const struct cli_values *values, const char *name, uint64_t burst_seconds) {
	uint64_t per_second = cli_number(values, name);

	return (struct relay_rate){per_second, per_second * burst_seconds};
}

static struct relay_rate join_rate_of(const struct cli_values *values, const char *name, uint64_t whole_room) {
	uint64_t a_minute = cli_number(values, name);
	uint64_t at_once = 2 * a_minute > whole_room ? 2 * a_minute : whole_room;

	return (struct relay_rate){a_minute, at_once * RELAY_JOIN_TOKENS};
}

static void read_limits(struct relay_config *config) {
	const struct cli_values *values = config->values;
	struct relay_limits *limits = &config->limits;
	uint64_t bytes = cli_number(values, "client-bandwidth") * 1000 / 8;

	*limits = (struct relay_limits)RELAY_LIMITS_DEFAULT;
	limits->room_mtu_max = (uint16_t)cli_number(values, "room-mtu");
	limits->rooms_max = cli_number(values, "max-rooms");
	limits->room_peers_max = cli_number(values, "max-peers-per-room");
	limits->peers_max = cli_number(values, "max-connections");
	limits->address_peers_max = cli_number(values, "max-connections-per-address");
	limits->room_joins = join_rate_of(values, "room-join-rate", limits->room_peers_max);
	limits->address_joins = join_rate_of(values, "address-join-rate", limits->room_peers_max);
	limits->broadcast = rate_of(values, "broadcast-rate", 2);
	limits->gateway_broadcast = rate_of(values, "gateway-broadcast-rate", 2);
	limits->room_broadcast = rate_of(values, "room-broadcast-rate", 2);
	limits->unknown_unicast = rate_of(values, "unknown-unicast-rate", 1);
	/* A tenth of a second, but at least a TCP window's worth of frames, or small limits would stop TCP altogether. */
	limits->bandwidth = (struct relay_rate){bytes, bytes / 10 > 65536 ? bytes / 10 : 65536};
}

static int fill(struct relay_config *config, char error[static RELAY_CONFIG_ERROR_BYTES]) {
	int result = read_config_file(config->values, error);

	if (result == 0)
		result = check_certificate(config, error);
	if (result == 0)
		result = check_words(config, error);
	if (result != 0)
		return result;
	config->status_socket = cli_text(config->values, "status-socket");
	config->user = cli_text(config->values, "user");
	config->shards = cli_number(config->values, "shards");
	config->no_offload = cli_flag(config->values, "no-offload");
	config->unsafe_no_policy = cli_flag(config->values, "unsafe-no-policy");
	read_limits(config);
	return 0;
}

int relay_config_parse(int argc, const char *const *argv, struct relay_config *ret, char **ret_shown,
                       char error[static RELAY_CONFIG_ERROR_BYTES]) {
	struct relay_config config = {0};
	char cli_error[CLI_ERROR_BYTES];
	int result = cli_parse_args(&relay_cli_table, argc, argv, &config.values, cli_error);

	if (result != 0)
		return fail(config.values, error, result, "%s", cli_error);
	if (cli_flag(config.values, "help") || cli_flag(config.values, "version")) {
		*ret_shown = cli_flag(config.values, "help") ? cli_help(&relay_cli_table)
		                                             : strdup("lanparty-relay " LANPARTY_VERSION "\n");
		cli_values_free(config.values);
		return *ret_shown != NULL ? 0 : fail(NULL, error, BASE_E_NOMEM, "%s", base_error_text(BASE_E_NOMEM));
	}
	result = fill(&config, error);
	if (result != 0) {
		cli_values_free(config.values);
		return result;
	}
	*ret = config;
	return 0;
}

void relay_config_done(struct relay_config *config) {
	cli_values_free(config->values);
	config->values = NULL;
}
