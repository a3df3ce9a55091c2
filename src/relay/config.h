/* relay/config.h: the command line and configuration file of lanparty-relay, checked and turned into numbers. */
#ifndef RELAY_CONFIG_H
#define RELAY_CONFIG_H

#include "base/addr.h"
#include "cli/options.h"
#include "host/host.h"
#include "quic/server.h"
#include "relay/limits.h"
#include "seal/seal.h"

/* The same numbers as those of client and gateway (client-core/session.h) where they mean the same. */
enum relay_exit {
	RELAY_EXIT_OK = 0,
	RELAY_EXIT_FAILURE = 1,
	RELAY_EXIT_USAGE = 2,
	RELAY_EXIT_LISTEN = 3, /* the address or the status socket cannot be had */
	RELAY_EXIT_CERTIFICATE = 6,
	RELAY_EXIT_PRIVILEGE = 8
};

#define RELAY_CONFIG_ERROR_BYTES 512

struct relay_config {
	struct cli_values *values; /* owns the strings below */
	struct base_addr listen;
	const char *cert, *key;       /* PEM files, or both NULL */
	const char *dev_cert_der_out; /* self-signed, or NULL */
	const char *status_socket;    /* or NULL */
	const char *user;             /* or NULL */
	enum obs_level log_level;
	enum obs_format log_format;
	enum quic_congestion congestion;
	enum seal_choice crypto;
	enum host_priority priority;
	bool no_offload, unsafe_no_policy;
	size_t shards; /* 0: one for each core */
	struct relay_limits limits;
};

extern const struct cli_table relay_cli_table;

/* 0 with *ret, which relay_config_done ends; a negative code with `error`. Reads the file of --config. With --help or
 * --version only those are looked at: *ret_shown is the text to print (free() it) and *ret is untouched. */
int relay_config_parse(int argc, const char *const *argv, struct relay_config *ret, char **ret_shown,
                       char error[static RELAY_CONFIG_ERROR_BYTES]);
void relay_config_done(struct relay_config *config);

#endif
