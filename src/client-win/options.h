/* client-win/options.h: the command line of lanparty-client.exe, and which task it asks for. Pure. */
#ifndef CLIENT_WIN_OPTIONS_H
#define CLIENT_WIN_OPTIONS_H

#include "cli/options.h"

#define WINMAIN_OPTIONS_MAX 32
#define WINMAIN_PATH_BYTES 1024

enum winmain_task {
	WINMAIN_RUN, /* also --help, --version and whatever is wrong with the other options */
	WINMAIN_LIST_ADAPTERS,
	WINMAIN_RECOVER,
	WINMAIN_SERVICE_INSTALL,
	WINMAIN_SERVICE_REMOVE,
	WINMAIN_SERVICE_RUN,
};

/* The table as it is documented; the default of --identity names the usual place of ProgramData. */
extern const struct cli_table winmain_options;

/* The same table with the identity where this machine's ProgramData is. */
struct winmain_table {
	struct cli_table table;
	struct cli_option options[WINMAIN_OPTIONS_MAX];
	char identity[WINMAIN_PATH_BYTES];
};
void winmain_table_init(struct winmain_table *table, const char *state_directory);

/* What `values` ask for. 0 or BASE_E_INVALID with `error`: an unknown task of --service, or two tasks at once. */
int winmain_task_of(const struct cli_values *values, enum winmain_task *ret, char error[static CLI_ERROR_BYTES]);

#endif
