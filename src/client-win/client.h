/* client-win/client.h: the Windows client at run time: adapter, bridge, session, routes and timers on one loop.
 *
 * Order of start (WIN-1): the adapter gets its MAC and is opened with its cable out; the relay is found, connected and
 * joined; then its route is pinned, the adapter tuned, the cable plugged in, the pin looked at again, and frames flow.
 * The adapter stays open from start to end, so that no other program takes it during an outage. */
#ifndef CLIENT_WIN_CLIENT_H
#define CLIENT_WIN_CLIENT_H

#include "client-win/options.h"

struct winmain_start {
	const struct cli_table *table;
	const char *state_directory;
	const char *host_name;
	int argc;
	const char *const *argv;
};

/* Runs until it is asked to end (loop/signals_windows.h) or fails; returns the exit status with everything restored.
 * quic_global_init() must have been called. */
int winmain_client_run(const struct winmain_start *start);

#define WINMAIN_ROUTE_STATE_FILE "\\route-state.txt"

#endif
