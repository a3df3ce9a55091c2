/* link/setup.h: what client and gateway have in common before they run: their options for the relay connection, the
 * configuration file, trust, identity file and log. Reads files and prints nothing: the text for the person goes to the
 * binary's main.
 *
 * Use: a table of options that contains LINK_SETUP_OPTIONS and, for a client, virtual-mac; then link_setup_init, then
 * fill in the rest of setup.driver. */
#ifndef LINK_SETUP_H
#define LINK_SETUP_H

#include "cli/options.h"
#include "client-core/identity.h"
#include "host/host.h"
#include "link/driver.h"
#include "roomkey/roomkey.h"
#include "seal/seal.h"

#define LINK_SETUP_STATE_DIRECTORY "/var/lib/lanparty"
#define LINK_SETUP_TEXT_BYTES 640

/* Options all have, in the parts that --help shows them in; a platform without interfaces to name or users to change to
 * leaves those out. `interface_help`, `interface_default` and `identity_default` differ. */
/* clang-format off */
#define LINK_SETUP_RELAY_OPTIONS \
	{.name = "relay", .kind = CLI_TEXT, .value = "HOST[:PORT]", \
	 .help = "the relay: DNS name, IPv4 or IPv6 address; port 443 unless given"}, \
	{.name = "server-name", .kind = CLI_TEXT, .value = "NAME", \
	 .help = "name the relay's certificate must have (default: the host of --relay)"}, \
	{.name = "relay-ca-cert", .kind = CLI_LIST, .value = "FILE", \
	 .help = "trust this certificate (PEM or DER): the relay's own, or a CA's that signed it"}, \
	{.name = "relay-fingerprint", .kind = CLI_LIST, .value = "HEX", \
	 .help = "trust the relay's certificate with this SHA-256 fingerprint"}, \
	{.name = "system-trust", .kind = CLI_FLAG, \
	 .help = "trust the system's certificate authorities (the default without certificate and fingerprint)"}, \
	{.name = "room", .kind = CLI_TEXT, .value = "CODE", \
	 .help = "the room to join: 1 to 32 letters, digits, '-' or '_'"}, \
	{.name = "room-key", .kind = CLI_TEXT, .value = "PASSPHRASE", .secret = true, \
	 .help = "encrypt frames so that the relay cannot read them: 8 to 128 characters, the same for all in the room; " \
	         "best kept in the --config file, as others on this machine see command lines"}
#define LINK_SETUP_RUN_OPTIONS(identity_default) \
	{.name = "name", .kind = CLI_TEXT, .value = "NAME", \
	 .help = "how others see this machine in their logs (default: the host name)"}, \
	{.name = "identity", .kind = CLI_TEXT, .value = "FILE", \
	 .help = "where this machine's identity is kept; made when missing", .fallback = identity_default}, \
	{.name = "congestion", .kind = CLI_TEXT, .value = "bbr|cubic", .help = "congestion control of the tunnel", \
	 .fallback = "bbr"}, \
	{.name = "crypto", .kind = CLI_TEXT, .value = "auto|gnutls|ipsec-mb", \
	 .help = "library that protects packets; auto: ipsec-mb if this machine has it", .fallback = "auto"}, \
	{.name = "no-retry", .kind = CLI_FLAG, .help = "end at the first failure instead of trying again"}, \
	{.name = "no-offload", .kind = CLI_FLAG, .help = "do not use the kernel's segmentation offloads"}, \
	{.name = "priority", .kind = CLI_TEXT, .value = "normal|high|realtime", \
	 .help = "how far to go before other programs when all are busy", .fallback = "high"}
#define LINK_SETUP_LOG_OPTIONS \
	{.name = "log-level", .kind = CLI_TEXT, .value = "LEVEL", .help = "error, warn, info, debug or trace", \
	 .fallback = "info"}, \
	{.name = "log-format", .kind = CLI_TEXT, .value = "text|json", .help = "form of the log lines", \
	 .fallback = "text"}, \
	{.name = "config", .kind = CLI_TEXT, .value = "FILE", .help = "read options from this file too", \
	 .command_line_only = true}, \
	{.name = "help", .kind = CLI_FLAG, .help = "print this help", .command_line_only = true}, \
	{.name = "version", .kind = CLI_FLAG, .help = "print the version", .command_line_only = true}
#define LINK_SETUP_OPTIONS(interface_help, interface_default, identity_default) \
	LINK_SETUP_RELAY_OPTIONS, \
	{.name = "interface", .kind = CLI_TEXT, .value = "NAME", .help = interface_help, .fallback = interface_default}, \
	LINK_SETUP_RUN_OPTIONS(identity_default), \
	{.name = "user", .kind = CLI_TEXT, .value = "NAME", .help = "run as this user once everything is open"}, \
	LINK_SETUP_LOG_OPTIONS
/* clang-format on */

/* For the epilog of --help: the statuses of enum client_exit. */
#define LINK_SETUP_EXIT_STATUS                                \
	"Exit status:\n"                                          \
	"  0  ended on request\n"                                 \
	"  1  failure not listed here\n"                          \
	"  2  command line or configuration file\n"               \
	"  3  network interface\n"                                \
	"  4  relay name not found (only with --no-retry)\n"      \
	"  5  relay does not answer (only with --no-retry)\n"     \
	"  6  relay certificate not trusted\n"                    \
	"  7  relay refused us for good\n"                        \
	"  8  privileges missing, or they could not be dropped\n" \
	"  9  relay does not support QUIC DATAGRAM\n"

struct link_setup_options {
	const struct cli_table *table;
	const char *version;
	enum ctrl_role role;
	enum host_capability needed; /* without it the program ends before it touches the identity file */
	const char *host_name;       /* default of --name; what does not fit a name is left out */
	bool check_only;             /* nothing will run with this: an identity that a running one holds is fine */
	const char *state_directory; /* absolute: where the default identity file (the part behind its last '/') is kept
	                              * instead; NULL or relative: as the table says */
};

struct link_setup {
	struct cli_values *values;
	struct host_stderr out;
	struct obs_log *log;
	struct quic_trust *trust;
	enum seal_choice crypto;
	struct seal_backend *seal;
	struct roomkey *room_key; /* NULL: none */
	bool room_key_in_config;  /* that is where it was given */
	enum host_priority priority;
	struct client_identity identity;
	struct host_hold identity_hold; /* a second process with the same identity would throw this one out of its seat */
	struct link_driver_options driver; /* relay, transport, session, log, no_offload are set */
	enum client_exit status;           /* when link_setup_init said false */
	char text[LINK_SETUP_TEXT_BYTES];  /* the error, without newline; empty for none */
	char *help;                        /* or what goes to standard output */
};

/* True: go on. False: --help, --version or an error; print help or text and exit with `status`. link_setup_done is due
 * either way. quic_global_init() must have been called. */
bool link_setup_init(struct link_setup *setup, const struct link_setup_options *options, int argc,
                     const char *const *argv);
void link_setup_done(struct link_setup *setup);

/* Fills setup->text with "where: what" and sets the status; returns false. */
bool link_setup_fail(struct link_setup *setup, enum client_exit status, const char *where, const char *what);

#endif
