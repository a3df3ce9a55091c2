/* link/process.h: the process of a peer from its command line to its exit status, whatever its device: options, loop,
 * session, goodbye, and what it says to the person who started it. The owner embeds one and opens its device in
 * between.
 *
 * Use: link_process_init, link_process_open_loop and link_process_open_driver in an order of the owner's, up to
 * link_driver_start; then link_process_run, whether that went well or not, and link_process_done. */
#ifndef LINK_PROCESS_H
#define LINK_PROCESS_H

#include "link/setup.h"
#include "obs/diagnostics.h"

/* After this long in LEAVING the process ends without the relay's acknowledgement. */
#define LINK_PROCESS_LEAVE_NS_MAX (2 * BASE_SECOND)
/* What the relay says is not diagnosed more often than this. */
#define LINK_PROCESS_DIAGNOSE_NS BASE_SECOND

struct link_process { /* all zero at first; the owner reads what it needs */
	struct link_setup setup;
	struct obs_log *log; /* the setup's */
	struct loop *loop;
	struct link_driver *driver;
	struct client_session *session; /* the driver's */
	const char *program;
	/* Called before it leaves, with the user of the driver's events: the last frames. May be NULL. */
	void (*goodbye)(void *user, uint64_t now);
	bool ended;              /* the session is over */
	enum client_exit status; /* what the process will end with */
	uint64_t diagnosed_at;   /* 0: not yet */
	/* The lines said last, with the round trip left out: it always changes. */
	char said[OBS_DIAGNOSTICS_LINES_MAX][OBS_DIAGNOSTICS_LINE_BYTES];
};

/* Those that can fail return false with the reason in setup.text and setup.status. The first also takes the priority
 * that was asked for. */
bool link_process_init(struct link_process *process, const struct link_setup_options *options, int argc,
                       const char *const *argv);
bool link_process_open_loop(struct link_process *process);
/* With the rest of setup.driver as the owner filled it. */
bool link_process_open_driver(struct link_process *process, const struct client_events *events, void *user);
/* Always false, with this reason (link_setup_fail). */
bool link_process_fail(struct link_process *process, enum client_exit status, const char *where, const char *what);

/* What events.ended comes to: the reason is said, the loop stops. */
void link_process_ended(struct link_process *process, enum client_exit status, const char *why);
/* Logs the lines that are new, and tells the relay what it cannot see. */
void link_process_diagnose(struct link_process *process, const struct obs_diagnostics *diagnostics);
/* When the owner shall diagnose what the relay brought about just now, which may be as often as it likes: at once, or
 * LINK_PROCESS_DIAGNOSE_NS after the last time, so that the last word is said all the same. */
uint64_t link_process_diagnose_due(const struct link_process *process);

/* `started`: runs until the session or a signal ends it, and says goodbye. Else says why not: help, version or error.
 * Returns the exit status. */
int link_process_run(struct link_process *process, bool started);
/* Frees all of it; the device must have left the loop. */
void link_process_done(struct link_process *process);

#endif
