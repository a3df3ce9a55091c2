/* link/setup.c: each step checks one part and names it when it is wrong. */
#include "link/setup.h"

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "host/host.h"
#include "link/room_key.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CERTIFICATE_BYTES_MAX (1024 * 1024)
#define PATH_BYTES_MAX 4096

bool link_setup_fail(struct link_setup *setup, enum client_exit status, const char *where, const char *what) {
	char message[LINK_SETUP_TEXT_BYTES];
	struct base_text text;

	base_text_init(&text, message, sizeof(message));
	base_text_add(&text, where);
	if (where[0] != '\0' && what[0] != '\0')
		base_text_add(&text, ": ");
	base_text_add(&text, what);
	base_text_init(&text, setup->text, sizeof(setup->text));
	cli_error_place(setup->values, message, &text);
	setup->status = status;
	return false;
}

/* The same with the value that is wrong. */
static bool fail_value(struct link_setup *setup, enum client_exit status, const char *option, const char *value,
                       const char *what) {
	char where[LINK_SETUP_TEXT_BYTES / 2];
	struct base_text text;

	base_text_init(&text, where, sizeof(where));
	base_text_addf(&text, "%s '%s'", option, value);
	return link_setup_fail(setup, status, where, what);
}

static bool read_config(struct link_setup *setup) {
	const char *path = cli_text(setup->values, "config");

	if (path == NULL)
		return true;
	bool key_given = cli_given(setup->values, "room-key");
	uint8_t *bytes;
	size_t len;
	char error[HOST_ERROR_BYTES];
	if (host_read_file(path, CLI_CONFIG_BYTES_MAX, &bytes, &len, error) < 0)
		return link_setup_fail(setup, CLIENT_EXIT_USAGE, "--config", error);
	char config_error[CLI_ERROR_BYTES];
	int err = cli_parse_config(setup->values, slice_of(bytes, len), path, config_error);
	base_wipe(bytes, len);
	free(bytes);
	setup->room_key_in_config = !key_given && cli_given(setup->values, "room-key");
	return err < 0 ? link_setup_fail(setup, CLIENT_EXIT_USAGE, config_error, "") : true;
}

static char *version_text(const struct link_setup_options *options) {
	size_t cap = strlen(options->table->program) + strlen(options->version) + 3;
	char *buf = malloc(cap);

	if (buf == NULL)
		return NULL;
	struct base_text text;
	base_text_init(&text, buf, cap);
	base_text_addf(&text, "%s %s\n", options->table->program, options->version);
	return buf;
}

/* False ends the program: with help, the version, or an error. */
static bool read_options(struct link_setup *setup, const struct link_setup_options *options, int argc,
                         const char *const *argv) {
	char error[CLI_ERROR_BYTES];

	if (cli_parse_args(options->table, argc, argv, &setup->values, error) < 0)
		return link_setup_fail(setup, CLIENT_EXIT_USAGE, error, "");
	bool help = cli_flag(setup->values, "help");
	if (help || cli_flag(setup->values, "version")) {
		setup->help = help ? cli_help(options->table) : version_text(options);
		setup->status = setup->help != NULL ? CLIENT_EXIT_OK : CLIENT_EXIT_FAILURE;
		return false;
	}
	return read_config(setup);
}

static bool open_log(struct link_setup *setup) {
	enum obs_level level;
	enum obs_format format;

	if (obs_level_parse(cli_text(setup->values, "log-level"), &level) < 0)
		return fail_value(setup, CLIENT_EXIT_USAGE, "--log-level", cli_text(setup->values, "log-level"),
		                  "must be error, warn, info, debug or trace");
	if (obs_format_parse(cli_text(setup->values, "log-format"), &format) < 0)
		return fail_value(setup, CLIENT_EXIT_USAGE, "--log-format", cli_text(setup->values, "log-format"),
		                  "must be text or json");
	host_stderr_open(&setup->out);
	setup->log = obs_log_new(level, format, host_stderr_sink, loop_wall_clock, &setup->out);
	return setup->log != NULL ? true : link_setup_fail(setup, CLIENT_EXIT_FAILURE, "log", "out of memory");
}

static bool read_relay(struct link_setup *setup) {
	const char *relay = cli_text(setup->values, "relay");
	char error[NET_ERROR_BYTES];

	if (relay == NULL)
		return link_setup_fail(setup, CLIENT_EXIT_USAGE, "--relay", "is needed: the relay's name or address");
	if (net_endpoint_parse(relay, &setup->driver.relay, error) < 0)
		return link_setup_fail(setup, CLIENT_EXIT_USAGE, "--relay", error);
	struct link_transport_options *transport = &setup->driver.transport;
	transport->server_name = cli_text(setup->values, "server-name");
	if (transport->server_name == NULL)
		transport->server_name = setup->driver.relay.host;
	if (transport->server_name[0] == '\0' || strlen(transport->server_name) >= NET_HOST_BYTES_MAX)
		return link_setup_fail(setup, CLIENT_EXIT_USAGE, "--server-name", "must be 1 to 253 characters");
	return true;
}

/* How packets are sent and protected, and how far we go for that. */
static bool read_tunnel(struct link_setup *setup) {
	struct quic_settings *settings = &setup->driver.transport.settings;
	const char *congestion = cli_text(setup->values, "congestion");
	if (strcmp(congestion, "bbr") != 0 && strcmp(congestion, "cubic") != 0)
		return fail_value(setup, CLIENT_EXIT_USAGE, "--congestion", congestion, "must be bbr or cubic");
	settings->congestion = congestion[0] == 'b' ? QUIC_CC_BBR : QUIC_CC_CUBIC;
	const char *crypto = cli_text(setup->values, "crypto");
	if (seal_choice_parse(crypto, &setup->crypto) < 0)
		return fail_value(setup, CLIENT_EXIT_USAGE, "--crypto", crypto, "must be auto, gnutls or ipsec-mb");
	const char *priority = cli_text(setup->values, "priority");
	if (host_priority_parse(priority, &setup->priority) < 0)
		return fail_value(setup, CLIENT_EXIT_USAGE, "--priority", priority, "must be normal, high or realtime");
	settings->log = setup->log;
	setup->driver.no_offload = cli_flag(setup->values, "no-offload");
	return true;
}

static bool trust_file(struct link_setup *setup, const char *path) {
	uint8_t *bytes;
	size_t len;
	char host_error[HOST_ERROR_BYTES];

	if (host_read_file(path, CERTIFICATE_BYTES_MAX, &bytes, &len, host_error) < 0)
		return link_setup_fail(setup, CLIENT_EXIT_TLS, "--relay-ca-cert", host_error);
	char error[QUIC_ERROR_BYTES];
	int err = quic_trust_add_certificate(setup->trust, slice_of(bytes, len), error);
	free(bytes);
	if (err == 0)
		return true;
	return fail_value(setup, CLIENT_EXIT_TLS, "--relay-ca-cert", path, error);
}

static bool read_trust(struct link_setup *setup) {
	char error[QUIC_ERROR_BYTES];
	size_t certificates = cli_list_count(setup->values, "relay-ca-cert");
	size_t fingerprints = cli_list_count(setup->values, "relay-fingerprint");

	setup->trust = quic_trust_new();
	if (setup->trust == NULL)
		return link_setup_fail(setup, CLIENT_EXIT_FAILURE, "trust", "out of memory");
	for (size_t i = 0; i < certificates; i++)
		if (!trust_file(setup, cli_list_item(setup->values, "relay-ca-cert", i)))
			return false;
	for (size_t i = 0; i < fingerprints; i++) {
		const char *fingerprint = cli_list_item(setup->values, "relay-fingerprint", i);
		if (quic_trust_add_fingerprint(setup->trust, fingerprint, error) < 0)
			return fail_value(setup, CLIENT_EXIT_USAGE, "--relay-fingerprint", fingerprint, error);
	}
	bool system_trust = cli_flag(setup->values, "system-trust") || certificates + fingerprints == 0;
	if (system_trust && quic_trust_add_system(setup->trust, error) < 0)
		return link_setup_fail(setup, CLIENT_EXIT_TLS, "system trust", error);
	setup->driver.transport.trust = setup->trust;
	return true;
}

/* The host name as a peer name: printable characters without blanks, cut to what fits. */
static void default_name(const char *host_name, char name[static CTRL_NAME_BYTES_MAX]) {
	size_t len = 0;

	for (const char *c = host_name; *c != '\0' && len + 1 < CTRL_NAME_BYTES_MAX; c++)
		if (*c > ' ' && *c < 0x7f)
			name[len++] = *c;
	name[len] = '\0';
	if (ctrl_name_check(name) < 0)
		name[0] = '\0';
}

/* Of a client: the MAC that stands in for the identity's, if one is given. */
static bool read_virtual_mac(struct link_setup *setup) {
	const char *given = cli_text(setup->values, "virtual-mac");
	struct proto_mac *mac = &setup->driver.session.mac;

	if (given == NULL || (proto_mac_parse(given, strlen(given), mac) == 0 && proto_mac_check_identity(*mac) == 0))
		return true;
	return fail_value(setup, CLIENT_EXIT_USAGE, "--virtual-mac", given,
	                  "must be a unicast MAC address such as 02:12:34:56:78:9a");
}

static bool read_session(struct link_setup *setup, const struct link_setup_options *options) {
	struct client_config *session = &setup->driver.session;
	const char *room = cli_text(setup->values, "room");
	const char *name = cli_text(setup->values, "name");
	const char *passphrase = cli_text(setup->values, "room-key");

	if (room == NULL)
		return link_setup_fail(setup, CLIENT_EXIT_USAGE, "--room", "is needed: the code of the room to join");
	if (ctrl_room_check(room) < 0)
		return fail_value(setup, CLIENT_EXIT_USAGE, "--room", room, "must be 1 to 32 letters, digits, '-' or '_'");
	memcpy(session->room, room, strlen(room) + 1);
	if (name == NULL) {
		default_name(options->host_name, session->name);
	} else {
		if (ctrl_name_check(name) < 0)
			return fail_value(setup, CLIENT_EXIT_USAGE, "--name", name, "must be up to 32 printable ASCII characters");
		memcpy(session->name, name, strlen(name) + 1);
	}
	if (passphrase != NULL && roomkey_passphrase_check(passphrase) < 0) /* not shown: it may be all but right */
		return link_setup_fail(setup, CLIENT_EXIT_USAGE, "--room-key", "must be 8 to 128 printable ASCII characters");
	if (options->role == CTRL_ROLE_CLIENT && !read_virtual_mac(setup))
		return false;
	session->role = options->role;
	session->retry = !cli_flag(setup->values, "no-retry");
	quic_random((uint8_t *)&session->seed, sizeof(session->seed));
	session->log = setup->log;
	return true;
}

static bool is_absolute(const char *path) {
	bool has_drive = ((path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z')) && path[1] == ':';

	if (has_drive)
		path += 2;
	return path[0] == '/' || (has_drive && path[0] == '\\');
}

/* --identity, or the table's file name in the state directory that the service manager made. */
static bool identity_path(const struct link_setup *setup, const char *state_directory,
                          char path[static PATH_BYTES_MAX]) {
	const char *given = cli_text(setup->values, "identity");
	struct base_text text;

	base_text_init(&text, path, PATH_BYTES_MAX);
	if (state_directory != NULL && is_absolute(state_directory) && !cli_given(setup->values, "identity")) {
		const char *leaf = strrchr(given, '/');
		assert(leaf != NULL);
		base_text_add(&text, state_directory);
		given = leaf;
	}
	base_text_add(&text, given);
	return !text.truncated;
}

static bool create_identity(struct link_setup *setup, const char *path) {
	uint8_t random[CLIENT_IDENTITY_RANDOM_BYTES];
	char file[CLIENT_IDENTITY_BYTES_MAX];
	char error[HOST_ERROR_BYTES];

	quic_random(random, sizeof(random));
	const struct client_identity identity = client_identity_from_random(random);
	int len = client_identity_print(&identity, file, sizeof(file));
	assert(len > 0);
	if (host_write_file(path, slice_of(file, (size_t)len), 0600, error) < 0)
		return link_setup_fail(setup, CLIENT_EXIT_FAILURE, "cannot keep the identity (choose a place with --identity)",
		                       error);
	return true;
}

/* The seat key that is told to the relay is made for it alone, by its name and port, which no other relay has: what one
 * relay hears takes no seat at another. HKDF-Expand with the identity's key, which HMAC fills up with zeros. */
static int seat_key_for_relay(struct link_setup *setup) {
	const char *name = setup->driver.transport.server_name;
	uint8_t secret[SEAL_SECRET_BYTES] = {0};
	char info[NET_HOST_BYTES_MAX + 16];
	struct base_text text;

	base_text_init(&text, info, sizeof(info));
	base_text_add(&text, "seat ");
	for (const char *c = name; *c != '\0'; c++)
		base_text_add_char(&text, *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c);
	base_text_addf(&text, " %u", (unsigned)setup->driver.relay.port);
	memcpy(secret, setup->identity.seat_key, CTRL_SEAT_KEY_BYTES);
	int err = seal_expand(secret, slice_of_text(info), setup->driver.session.seat_key, CTRL_SEAT_KEY_BYTES);
	base_wipe(secret, sizeof(secret));
	return err;
}

/* A file that can't be read or understood is never replaced: it may be somebody's seat and MAC. */
static bool read_identity(struct link_setup *setup, const struct link_setup_options *options) {
	char path[PATH_BYTES_MAX];

	if (!identity_path(setup, options->state_directory, path))
		return link_setup_fail(setup, CLIENT_EXIT_USAGE, "--identity", "the path is too long");
	uint8_t *bytes;
	size_t len;
	char host_error[HOST_ERROR_BYTES], error[CLIENT_IDENTITY_ERROR_BYTES];
	int err = host_read_secret(path, CLIENT_IDENTITY_BYTES_MAX, &bytes, &len, &setup->identity_hold, host_error);
	if (err == BASE_E_NOT_FOUND) {
		if (!create_identity(setup, path))
			return false;
		err = host_read_secret(path, CLIENT_IDENTITY_BYTES_MAX, &bytes, &len, &setup->identity_hold, host_error);
	}
	if (err == BASE_E_EXISTS && options->check_only)
		return true;
	if (err == BASE_E_EXISTS)
		return link_setup_fail(setup, CLIENT_EXIT_FAILURE, "identity (each instance needs an --identity of its own)",
		                       host_error);
	if (err < 0)
		return link_setup_fail(setup, CLIENT_EXIT_FAILURE, "identity", host_error);
	err = client_identity_parse(slice_of(bytes, len), &setup->identity, error);
	free(bytes);
	if (err < 0)
		return fail_value(setup, CLIENT_EXIT_FAILURE, "identity file", path, error);
	err = seat_key_for_relay(setup);
	if (err < 0)
		return link_setup_fail(setup, CLIENT_EXIT_FAILURE, "seat key", base_error_text(err));
	if (setup->driver.session.role == CTRL_ROLE_CLIENT && proto_mac_is_zero(setup->driver.session.mac))
		setup->driver.session.mac = setup->identity.mac;
	return true;
}

/* Before anything is written for a user who cannot go on. */
static bool check_privilege(struct link_setup *setup, const struct link_setup_options *options) {
	char error[HOST_ERROR_BYTES];

	return host_check_capability(options->needed, error) == 0 ||
	       link_setup_fail(setup, CLIENT_EXIT_PRIVILEGE, "", error);
}

static bool open_seal(struct link_setup *setup, const struct link_setup_options *options) {
	char error[SEAL_ERROR_BYTES];
	int err = seal_backend_open(setup->crypto, options->check_only ? NULL : setup->log, &setup->seal, error);

	if (err < 0)
		return fail_value(setup, CLIENT_EXIT_FAILURE, "--crypto", cli_text(setup->values, "crypto"),
		                  err == BASE_E_UNSUPPORTED ? error : base_error_text(err));
	setup->driver.transport.settings.seal = setup->seal;
	return true;
}

/* Only when the passphrase is in the file; later than reading it, as the log has to be there. */
static void warn_of_public_config(const struct link_setup *setup) {
	const char *path = cli_text(setup->values, "config");

	if (!setup->room_key_in_config || !host_is_public(path) || !obs_on(setup->log, OBS_WARN))
		return;
	obs_begin(setup->log, OBS_WARN, "config_is_public");
	obs_str(setup->log, "file", path);
	obs_str(setup->log, "message", "every user of this machine can read the room key in it: chmod o-r");
	obs_end(setup->log);
}

static bool open_room_key(struct link_setup *setup, const struct link_setup_options *options) {
	const char *passphrase = cli_text(setup->values, "room-key");

	if (passphrase == NULL || options->check_only)
		return true;
	warn_of_public_config(setup);
	int err = roomkey_new(setup->seal, setup->driver.session.room, passphrase, &setup->room_key);
	cli_forget(setup->values, "room-key");
	if (err < 0)
		return link_setup_fail(setup, CLIENT_EXIT_FAILURE, "--room-key", base_error_text(err));
	link_room_key_use(&setup->driver.session, setup->room_key);
	return true;
}

bool link_setup_init(struct link_setup *setup, const struct link_setup_options *options, int argc,
                     const char *const *argv) {
	memset(setup, 0, sizeof(*setup));
	setup->status = CLIENT_EXIT_FAILURE;
	if (!read_options(setup, options, argc, argv) || !open_log(setup) || !read_relay(setup) || !read_tunnel(setup) ||
	    !read_session(setup, options) || !read_trust(setup) || !check_privilege(setup, options) ||
	    !read_identity(setup, options) || !open_seal(setup, options) || !open_room_key(setup, options))
		return false;
	setup->driver.log = setup->log;
	return true;
}

void link_setup_done(struct link_setup *setup) {
	host_release(&setup->identity_hold);
	obs_log_free(setup->log);
	host_stderr_close(&setup->out);
	roomkey_free(setup->room_key);
	seal_backend_free(setup->seal);
	quic_trust_unref(setup->trust);
	cli_values_free(setup->values);
	free(setup->help);
	memset(setup, 0, sizeof(*setup));
}
