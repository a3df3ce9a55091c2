#include "link/process.h"

#include "base/error.h"
#include "base/text.h"
#include "host/host.h"

#include <stdio.h>
#include <string.h>

#define LEAVE_STEP_NS (BASE_SECOND / 10)
#define GOODBYE_NS (50 * BASE_MS)

static void complain(struct link_process *process, enum client_exit status, const char *why) {
	char line[LINK_SETUP_TEXT_BYTES + 128];
	struct base_text text;

	base_text_init(&text, line, sizeof(line));
	base_text_addf(&text, "%s: %s\n", process->program, why);
	if (status == CLIENT_EXIT_USAGE)
		base_text_addf(&text, "Try '%s --help'.\n", process->program);
	host_stderr_sink(&process->setup.out, slice_of(line, text.len));
}

bool link_process_fail(struct link_process *process, enum client_exit status, const char *where, const char *what) {
	return link_setup_fail(&process->setup, status, where, what);
}

static void take_priority(struct link_process *process) {
	char error[HOST_ERROR_BYTES];
	int err = host_set_priority(process->setup.priority, error);

	obs_note(process->log, OBS_INFO, "priority", err == 0 ? host_priority_text(process->setup.priority) : error);
}

bool link_process_init(struct link_process *process, const struct link_setup_options *options, int argc,
                       const char *const *argv) {
	process->program = options->table->program;
	if (!link_setup_init(&process->setup, options, argc, argv))
		return false;
	process->log = process->setup.log;
	take_priority(process);
	return true;
}

bool link_process_open_loop(struct link_process *process) {
	process->loop = loop_new();
	if (process->loop != NULL && loop_watch_signals(process->loop, NULL, NULL) == 0)
		return true;
	return link_process_fail(process, CLIENT_EXIT_FAILURE, "", "cannot set up the event loop");
}

bool link_process_open_driver(struct link_process *process, const struct client_events *events, void *user) {
	struct link_driver_options *options = &process->setup.driver;

	options->loop = process->loop;
	options->events = events;
	options->user = user;
	int err = link_driver_new(options, &process->driver);
	if (err < 0)
		return link_process_fail(process, CLIENT_EXIT_FAILURE, "cannot set up the tunnel", base_error_text(err));
	process->session = link_driver_session(process->driver);
	return true;
}

void link_process_ended(struct link_process *process, enum client_exit status, const char *why) {
	process->ended = true;
	if (status != CLIENT_EXIT_OK) {
		process->status = status;
		complain(process, status, why);
	}
	loop_stop(process->loop);
}

static bool was_said(const struct link_process *process, const char *line) {
	for (size_t i = 0; i < OBS_DIAGNOSTICS_LINES_MAX; i++)
		if (strcmp(process->said[i], line) == 0)
			return true;
	return false;
}

void link_process_diagnose(struct link_process *process, const struct obs_diagnostics *diagnostics) {
	struct obs_diagnostics still = *diagnostics;
	char lines[OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES];
	char plain[OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES];

	process->diagnosed_at = loop_now(process->loop);
	memset(plain, 0, sizeof(plain));
	client_session_report_device(process->session, diagnostics->tap_ready == OBS_YES, &diagnostics->tap_address);
	client_session_report_route(process->session, diagnostics->route_pinned == OBS_YES);
	size_t count = obs_diagnostics_lines(diagnostics, lines);
	still.rtt_ns = 0;
	(void)obs_diagnostics_lines(&still, plain);
	for (size_t i = 0; i < count; i++)
		if (!was_said(process, plain[i]))
			obs_note(process->log, OBS_INFO, "status", lines[i]);
	memcpy(process->said, plain, sizeof(plain));
}

uint64_t link_process_diagnose_due(const struct link_process *process) {
	const uint64_t now = loop_now(process->loop), next = process->diagnosed_at + LINK_PROCESS_DIAGNOSE_NS;

	return process->diagnosed_at == 0 || next < now ? now : next;
}

static void leave(struct link_process *process) {
	const uint64_t give_up = loop_now(process->loop) + LINK_PROCESS_LEAVE_NS_MAX;

	if (process->goodbye != NULL) {
		/* The others hear of a leave before frames that are still on their way, and take none of those any more. */
		const uint64_t last = loop_now(process->loop) + GOODBYE_NS;
		process->goodbye(process->setup.driver.user, loop_now(process->loop));
		while (!process->ended && loop_now(process->loop) < last)
			if (loop_run_once(process->loop, GOODBYE_NS) < 0)
				break;
	}
	if (process->ended)
		return;
	client_session_leave(process->session, CTRL_LEAVE_QUIT, loop_now(process->loop));
	while (!process->ended && loop_now(process->loop) < give_up)
		if (loop_run_once(process->loop, LEAVE_STEP_NS) < 0)
			break;
}

int link_process_run(struct link_process *process, bool started) {
	if (!started) {
		const struct link_setup *setup = &process->setup;
		if (setup->help != NULL && (fputs(setup->help, stdout) == EOF || fflush(stdout) != 0))
			return CLIENT_EXIT_FAILURE;
		if (setup->text[0] != '\0')
			complain(process, setup->status, setup->text);
		return (int)setup->status;
	}
	if (loop_run(process->loop) < 0 && process->status == CLIENT_EXIT_OK) {
		process->status = CLIENT_EXIT_FAILURE;
		complain(process, process->status, "the system does not let it wait for events");
	}
	if (!process->ended)
		leave(process);
	return (int)process->status;
}

void link_process_done(struct link_process *process) {
	link_driver_free(process->driver);
	loop_free(process->loop);
	link_setup_done(&process->setup);
}
