/* loop/signals_windows.h: the ways in which Windows asks a process to end, beyond loop.h. The console tells a thread of
 * its own, a service manager another; both only set an event that the loop waits for. Nothing here is per loop: a
 * process ends once. */
#ifndef LOOP_SIGNALS_WINDOWS_H
#define LOOP_SIGNALS_WINDOWS_H

#include <stdbool.h>

/* Stops the loop that loop_watch_signals was called for, from any thread: a service's control handler. Called before
 * the process's first loop watches, it stops that one as soon as it does. */
void loop_signals_stop(void);

/* Everything is put back: when the window is closed, at logoff and at shutdown Windows ends the process as soon as our
 * handler returns, and the handler waits for this call (LOOP_SIGNALS_WAIT_MS at most, about what Windows grants). */
void loop_signals_done(void);
#define LOOP_SIGNALS_WAIT_MS 5000

/* This process is a service: that somebody logs off is not its end. */
void loop_signals_service(void);

/* What a console event (CTRL_C_EVENT ...) does; the system calls it, and so do tests. True: handled. */
bool loop_signals_console(unsigned long event);

/* For the loop: prepares the above; NULL when the system refuses. The handle (an event, set when the process shall end)
 * stays the process's. */
void *loop_signals_watch(void);

#endif
