/* loop/loop.h: the event loop: descriptors, named timers, signals and the single `now`. One file per platform.
 *
 * A descriptor is a file descriptor, on Windows the number of an event (HandleToLong; handles have 32 significant bits)
 * that is reset by hand and set while there is something to do; at most 62 of them. There a source hears all of the
 * events it asked for at once and never LOOP_GONE.
 *
 * One turn: wait until something is ready or the earliest timer is due, read the clock once, run the descriptors that
 * are ready, run the timers that are due, then the `after` hook once (where everything that was queued is written). */
#ifndef LOOP_LOOP_H
#define LOOP_LOOP_H

#include "base/heap.h"
#include "base/time.h"

#include <stdbool.h>

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_GONE = 4 /* error or hang-up, reported always */ };

struct loop;

struct loop_source {
	void (*ready)(void *user, unsigned events, uint64_t now);
	void *user;
	int fd;
	unsigned events;
	bool registered;
};

struct loop_timer {
	struct base_heap_node node;
	void (*due)(void *user, uint64_t now);
	void *user;
};

struct loop *loop_new(void);       /* NULL when the system refuses */
void loop_free(struct loop *loop); /* accepts NULL */

/* The clock of this turn: monotonic ns, with those in which the machine slept. */
uint64_t loop_now(const struct loop *loop);
/* Wall clock, ns since 1970, for log lines only. */
uint64_t loop_wall_clock(void);

/* Watches `fd`. The source is the caller's, with `ready` and `user` set, and must stay until loop_remove; the
 * descriptor must stay open until then too. Readiness is reported every turn for as long as it lasts. 0, BASE_E_NOMEM
 * or BASE_E_IO. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, unsigned events);
/* Of a source that was added. 0, or BASE_E_IO and it still waits for what it waited for. */
int loop_modify(struct loop *loop, struct loop_source *source, unsigned events);
/* Safe inside any callback, also for a source that is ready in the same turn. Does nothing to one that is not added. */
void loop_remove(struct loop *loop, struct loop_source *source);

void loop_timer_init(struct loop_timer *timer, void (*due)(void *user, uint64_t now), void *user);
/* BASE_NEVER stops it. Safe inside callbacks; a timer that is armed for the past by a timer fires in the next turn. 0
 * or BASE_E_NOMEM. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t deadline);

/* Called once at the end of every turn. */
void loop_set_after(struct loop *loop, void (*after)(void *user, uint64_t now), void *user);

/* SIGINT and SIGTERM stop the loop, SIGPIPE is ignored. SIGHUP calls `hangup`; with NULL it stops the loop too, since
 * the terminal is gone, unless it was ignored before (nohup). Repeated signals do nothing more, also in loop_free, so
 * that a clean-up is never cut short. Once a process; before any thread is started. 0 or BASE_E_IO. */
int loop_watch_signals(struct loop *loop, void (*hangup)(void *user), void *user);

/* Runs until loop_stop; the turn that stops is run to its end. Returns 0, or BASE_E_IO when waiting fails. */
int loop_run(struct loop *loop);
/* One turn with at most `wait_ns` of waiting, also after loop_stop: for the last words of a clean-up, and for tests. */
int loop_run_once(struct loop *loop, uint64_t wait_ns);
void loop_stop(struct loop *loop);
bool loop_stopped(const struct loop *loop);

#endif
