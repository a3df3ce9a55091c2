#include "client-win/run.h"

#include "base/error.h"
#include "client-core/session.h"
#include "client-route/apply.h"
#include "client-tap/registry.h"
#include "client-win/advice.h"
#include "client-win/client.h"
#include "client-win/command_line.h"
#include "client-win/console.h"
#include "client-win/limits.h"
#include "client-win/service.h"
#include "client-win/system.h"
#include "host/host.h"
#include "link/setup.h"
#include "loop/loop.h"
#include "quic/quic.h"

#include <stdio.h>
#include <stdlib.h>

#define LIST_BYTES ((size_t)64 * 1024)

struct program {
	struct winmain_table table;
	char state_directory[WINMAIN_PATH_BYTES];
	char notice[WINMAIN_ERROR_BYTES]; /* about that folder; mostly empty */
	char host_name[256];
	int argc;
	char **argv;
	bool asks; /* --help, --version: nothing is run */
};

static int fail(enum client_exit status, const char *text) {
	winmain_complain(text);
	return (int)status;
}

static const char *const *arguments(const struct program *program) {
	return (const char *const *)program->argv;
}

static int list_adapters(void) {
	static struct tapwin_adapter adapters[TAPWIN_ADAPTERS_MAX];
	static char list[LIST_BYTES];
	char warning[TAPWIN_ERROR_BYTES], error[TAPWIN_ERROR_BYTES];
	struct base_text text;
	size_t count;
	int err = tapwin_registry_read(adapters, &count, warning, error);

	if (err < 0)
		return fail(winmain_exit_of_adapter(err), error);
	if (warning[0] != '\0')
		(void)fail(CLIENT_EXIT_OK, warning);
	base_text_init(&text, list, sizeof(list));
	tapwin_list_text(adapters, count, &text);
	(void)fputs(list, stdout);
	return count > 0 ? CLIENT_EXIT_OK : CLIENT_EXIT_DEVICE;
}

static int recover(const struct program *program) {
	char path[WINMAIN_PATH_BYTES], error[ROUTE_ERROR_BYTES];

	if (winmain_claim_instance(program->state_directory) == BASE_E_EXISTS)
		return fail(CLIENT_EXIT_DEVICE, "a lanparty-client runs on this PC: it puts everything back when it ends");
	struct obs_log *log = obs_log_new(OBS_INFO, OBS_FORMAT_TEXT, host_stderr_sink, loop_wall_clock, NULL);
	(void)snprintf(path, sizeof(path), "%s" WINMAIN_ROUTE_STATE_FILE, program->state_directory);
	struct route_scope *scope = route_scope_new(route_system_native(), path, log);
	int err = scope != NULL ? route_recover(scope, error) : BASE_E_NOMEM;
	route_scope_free(scope);
	obs_log_free(log);
	winmain_release_instance(); /* the window may stay open for a while */
	if (err == 0)
		return CLIENT_EXIT_OK;
	return fail(err == BASE_E_DENIED ? CLIENT_EXIT_PRIVILEGE : CLIENT_EXIT_FAILURE,
	            err == BASE_E_NOMEM ? base_error_text(err) : error);
}

static int run_client(void *user) {
	const struct program *program = user;
	const struct winmain_start start = {.table = &program->table.table,
	                                    .state_directory = program->state_directory,
	                                    .host_name = program->host_name,
	                                    .argc = program->argc,
	                                    .argv = arguments(program)};

	if (!program->asks && winmain_claim_instance(program->state_directory) == BASE_E_EXISTS)
		return fail(CLIENT_EXIT_DEVICE,
		            "another lanparty-client runs on this PC (perhaps as a service); end that one first");
	int status = CLIENT_EXIT_FAILURE;
	if (quic_global_init() < 0) {
		winmain_complain("the TLS library cannot be set up");
	} else {
		status = winmain_client_run(&start);
		quic_global_done();
	}
	winmain_release_instance();
	return status;
}

static int run_in_console(struct program *program) {
	if (program->asks)
		return run_client(program);
	winmain_console_open();
	int status = run_client(program);
	winmain_console_close();
	return status;
}

static int run_with_log_file(void *user) {
	const struct program *program = user;
	char path[WINMAIN_PATH_BYTES];

	(void)snprintf(path, sizeof(path), "%s\\client.log", program->state_directory);
	(void)winmain_log_to_file(path, WINMAIN_LOG_BYTES_MAX);
	if (program->notice[0] != '\0')
		winmain_complain(program->notice); /* only now somebody can read it */
	return run_client(user);
}

static int run_service(struct program *program) {
	if (winmain_service_run(run_with_log_file, program) < 0)
		return fail(CLIENT_EXIT_USAGE, "--service run: only Windows starts this; use --service install");
	return CLIENT_EXIT_OK;
}

/* In a window; a service that runs is stopped and renewed. */
static bool another_runs(const struct program *program) {
	const bool claimed = winmain_claim_instance(program->state_directory) == BASE_E_EXISTS;

	winmain_release_instance();
	return claimed && !winmain_service_runs();
}

/* Of a file that the service will read with all rights, and from another folder than this one. */
static bool check_file(const struct cli_values *values, const char *name, const char *path,
                       char error[static WINMAIN_ERROR_BYTES]) {
	char full[WINMAIN_PATH_BYTES], message[WINMAIN_ERROR_BYTES];
	struct base_text text, reason;

	base_text_init(&text, full, sizeof(full));
	base_text_init(&reason, message, sizeof(message));
	if (cli_from_file(values, name) && !winmain_is_full_path(path))
		base_text_addf(&reason, "--%s '%.120s': a service needs the full path", name, path);
	else if (!winmain_absolute_path(NULL, path, &text) || text.truncated)
		base_text_addf(&reason, "--%s '%.120s': the path is too long", name, path);
	else
		return winmain_check_file(full, error) == 0;
	base_text_init(&text, error, WINMAIN_ERROR_BYTES);
	cli_error_place(values, message, &text);
	return false;
}

static bool check_files(const struct cli_values *values, char error[static WINMAIN_ERROR_BYTES]) {
	const char *config = cli_text(values, "config");

	if ((config != NULL && !check_file(values, "config", config, error)) ||
	    !check_file(values, "identity", cli_text(values, "identity"), error))
		return false;
	for (size_t i = 0; i < cli_list_count(values, "relay-ca-cert"); i++)
		if (!check_file(values, "relay-ca-cert", cli_list_item(values, "relay-ca-cert", i), error))
			return false;
	return true;
}

/* Everything the service will need is looked at now, while somebody reads the answer. */
static int install_service(const struct program *program) {
	static char command[WINMAIN_COMMAND_LINE_BYTES];
	char path[WINMAIN_PATH_BYTES], error[WINMAIN_ERROR_BYTES];
	const struct link_setup_options options = {.table = &program->table.table,
	                                           .version = LANPARTY_VERSION,
	                                           .role = CTRL_ROLE_CLIENT,
	                                           .check_only = true,
	                                           .host_name = program->host_name};
	struct link_setup setup;
	struct base_text text;
	int status = CLIENT_EXIT_OK;

	/* First of all: what follows may make an identity. */
	if (!winmain_program_path(path, sizeof(path)))
		return fail(CLIENT_EXIT_FAILURE, "--service install: the path of the program is too long");
	if (winmain_check_program(path, error) < 0)
		return fail(CLIENT_EXIT_USAGE, error);
	if (quic_global_init() < 0)
		return fail(CLIENT_EXIT_FAILURE, "the TLS library cannot be set up");
	if (!link_setup_init(&setup, &options, program->argc, arguments(program)))
		status = fail(setup.status, setup.text);
	else if (!check_files(setup.values, error))
		status = fail(CLIENT_EXIT_USAGE, error);
	link_setup_done(&setup);
	quic_global_done();
	if (status != CLIENT_EXIT_OK)
		return status;
	base_text_init(&text, command, sizeof(command));
	if (!winmain_service_command(&text, path, program->argc, arguments(program), winmain_absolute_path, NULL))
		return fail(CLIENT_EXIT_USAGE, "--service install: the options are too long, or name a file that cannot be");
	if (another_runs(program))
		return fail(CLIENT_EXIT_DEVICE,
		            "--service install: another lanparty-client runs on this PC, in a window; end that one first");
	int err = winmain_service_install(command, error);
	if (err < 0)
		return fail(err == BASE_E_DENIED ? CLIENT_EXIT_PRIVILEGE : CLIENT_EXIT_FAILURE, error);
	(void)printf("The service lanparty-client runs, and starts with Windows. Its log: %s\\client.log\n",
	             program->state_directory);
	return CLIENT_EXIT_OK;
}

static int remove_service(void) {
	char error[WINMAIN_ERROR_BYTES];
	bool found;
	int err = winmain_service_remove(&found, error);

	if (err < 0)
		return fail(err == BASE_E_DENIED ? CLIENT_EXIT_PRIVILEGE : CLIENT_EXIT_FAILURE, error);
	(void)puts(found ? "The service lanparty-client is removed." : "There is no service lanparty-client.");
	return CLIENT_EXIT_OK;
}

/* Bad command lines are left to whoever reads all of it, for one wording of the error. */
static enum client_exit find_task(struct program *program, enum winmain_task *ret) {
	char error[CLI_ERROR_BYTES];
	struct cli_values *values;

	*ret = WINMAIN_RUN;
	program->asks = true;
	if (cli_parse_args(&program->table.table, program->argc, arguments(program), &values, error) < 0)
		return CLIENT_EXIT_OK;
	int err = winmain_task_of(values, ret, error);
	program->asks = cli_flag(values, "help") || cli_flag(values, "version");
	cli_values_free(values);
	return err < 0 ? (enum client_exit)fail(CLIENT_EXIT_USAGE, error) : CLIENT_EXIT_OK;
}

static int perform(struct program *program, enum winmain_task task) {
	char error[WINMAIN_ERROR_BYTES];

	if (task == WINMAIN_LIST_ADAPTERS)
		return list_adapters();
	if (!program->asks) {
		if (!winmain_is_elevated())
			return fail(CLIENT_EXIT_PRIVILEGE,
			            "this needs administrator rights: open the Start menu, type \"cmd\", choose "
			            "\"Run as administrator\", and start it there");
		if (winmain_own_directory(program->state_directory, program->notice, error) < 0)
			return fail(CLIENT_EXIT_FAILURE, error);
		if (program->notice[0] != '\0')
			winmain_complain(program->notice);
	}
	switch (task) {
	case WINMAIN_RECOVER:
		return recover(program);
	case WINMAIN_SERVICE_INSTALL:
		return install_service(program);
	case WINMAIN_SERVICE_REMOVE:
		return remove_service();
	case WINMAIN_SERVICE_RUN:
		return run_service(program);
	default:
		return run_in_console(program);
	}
}

int winmain_run(void) {
	static struct program program;
	enum winmain_task task;

	winmain_system_init();
	program.argv = winmain_arguments(&program.argc);
	if (program.argv == NULL || !winmain_state_directory(program.state_directory, sizeof(program.state_directory)))
		return fail(CLIENT_EXIT_FAILURE, "cannot read the command line or find the ProgramData folder");
	winmain_host_name(program.host_name, sizeof(program.host_name));
	winmain_table_init(&program.table, program.state_directory);
	int status = (int)find_task(&program, &task);
	if (status == CLIENT_EXIT_OK)
		status = perform(&program, task);
	if (status != CLIENT_EXIT_OK)
		winmain_console_hold(WINMAIN_HOLD_MS);
	winmain_arguments_free(program.argv);
	winmain_system_done();
	return status;
}
