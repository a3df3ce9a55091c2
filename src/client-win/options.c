#include "client-win/options.h"

#include "base/error.h"
#include "base/text.h"
#include "link/setup.h"

#include <assert.h>
#include <string.h>

#define IDENTITY_FILE "\\client-identity.json"

static const struct cli_option options[] = {
    LINK_SETUP_RELAY_OPTIONS,
    {.name = "tap-instance-id",
     .kind = CLI_TEXT,
     .value = "GUID",
     .help = "the TAP-Windows6 adapter to use, as --list-tap-adapters shows it; needed when there are several"},
    LINK_SETUP_RUN_OPTIONS("C:\\ProgramData\\lanparty" IDENTITY_FILE),
    {.name = "virtual-mac",
     .kind = CLI_TEXT,
     .value = "MAC",
     .help = "use this MAC address instead of the one in the identity file"},
    {.name = "no-route-pin", .kind = CLI_FLAG, .help = "do not keep a host route to the relay outside of the tunnel"},
    {.name = "private-network",
     .kind = CLI_FLAG,
     .help = "have Windows treat the LAN as a private network while this runs, so that its firewall\n"
             "lets other players find this PC"},
    {.name = "list-tap-adapters",
     .kind = CLI_FLAG,
     .help = "list the TAP-Windows6 adapters of this PC and end",
     .command_line_only = true},
    {.name = "recover-routes",
     .kind = CLI_FLAG,
     .help = "take back what an interrupted run left in routes and adapter settings, and end",
     .command_line_only = true},
    {.name = "service",
     .kind = CLI_TEXT,
     .value = "install|remove|run",
     .help = "install: start with Windows, with the other options given here; remove: undo that;\n"
             "run: what Windows calls",
     .command_line_only = true},
    LINK_SETUP_LOG_OPTIONS,
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

const struct cli_table winmain_options = {
    .program = "lanparty-client",
    .summary = "Makes this PC a station of a remote LAN.",
    .epilog = "Needs administrator rights and a TAP-Windows6 adapter. What it changes in Windows is put back when it "
              "ends.\n\n" LINK_SETUP_EXIT_STATUS "\nExample:\n"
              "  lanparty-client --relay relay.example --relay-ca-cert relay-cert.der --room ROOM1\n",
    .options = options,
    .count = OPTION_COUNT,
};

void winmain_table_init(struct winmain_table *table, const char *state_directory) {
	static_assert(OPTION_COUNT <= WINMAIN_OPTIONS_MAX, "the copy holds every option");
	struct base_text text;
	base_text_init(&text, table->identity, sizeof(table->identity));
	base_text_addf(&text, "%s%s", state_directory, IDENTITY_FILE);
	memcpy(table->options, options, sizeof(options));
	table->table = winmain_options;
	table->table.options = table->options;
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strcmp(options[i].name, "identity") == 0)
			table->options[i].fallback = table->identity;
}

static int service_task(const char *name, enum winmain_task *ret, char error[static CLI_ERROR_BYTES]) {
	static const struct {
		const char *name;
		enum winmain_task task;
	} tasks[] = {
	    {"install", WINMAIN_SERVICE_INSTALL}, {"remove", WINMAIN_SERVICE_REMOVE}, {"run", WINMAIN_SERVICE_RUN}};
	struct base_text text;
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if (strcmp(name, tasks[i].name) == 0) {
			*ret = tasks[i].task;
			return 0;
		}
	base_text_init(&text, error, CLI_ERROR_BYTES);
	base_text_addf(&text, "--service '%.64s': must be install, remove or run", name);
	return BASE_E_INVALID;
}

int winmain_task_of(const struct cli_values *values, enum winmain_task *ret, char error[static CLI_ERROR_BYTES]) {
	const char *service = cli_text(values, "service");
	bool list = cli_flag(values, "list-tap-adapters"), recover = cli_flag(values, "recover-routes");

	if (cli_flag(values, "help") || cli_flag(values, "version")) {
		*ret = WINMAIN_RUN;
		return 0;
	}
	if ((service != NULL) + list + recover > 1) {
		base_text_copy(error, CLI_ERROR_BYTES,
		               "--list-tap-adapters, --recover-routes and --service: only one of them at a time");
		return BASE_E_INVALID;
	}
	if (service != NULL && strcmp(service, "install") == 0 && cli_given(values, "room-key")) {
		base_text_copy(error, CLI_ERROR_BYTES,
		               "--service install: --room-key could be read by every user of this PC; put it into the "
		               "--config file");
		return BASE_E_INVALID;
	}
	if (service != NULL)
		return service_task(service, ret, error);
	*ret = list ? WINMAIN_LIST_ADAPTERS : recover ? WINMAIN_RECOVER : WINMAIN_RUN;
	return 0;
}
