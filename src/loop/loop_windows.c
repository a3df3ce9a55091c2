/* loop/loop_windows.c: the loop over WaitForMultipleObjects. A descriptor is an event that stays set while there is
 * something to do (manual reset); what it is for, and whether to read or to write, its owner knows. Windows has no
 * hang-up: `hangup` is never called, and Ctrl-C, closing the window, logoff and shutdown stop the loop
 * (signals_windows.h). */
#include "base/error.h"
#include "loop/signals_windows.h"
#include "loop/turn.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include <windows.h>

#define OWN_HANDLES 2 /* stop and timer */
#define SOURCES_MAX (MAXIMUM_WAIT_OBJECTS - OWN_HANDLES)
#define NS_PER_TICK 100                               /* of timers and of the wall clock */
#define UNIX_EPOCH_TICKS UINT64_C(116444736000000000) /* between 1601 and 1970 */
#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x2 /* Windows 10 1803; our headers are older */
#endif

struct loop {
	struct loop_turn turn;
	uint64_t clock_frequency;
	HANDLE timer;
	HANDLE stop; /* NULL: no signals are watched */

	struct loop_source *sources[SOURCES_MAX];
	size_t source_count;
	/* What may be ready in this turn; loop_remove takes a source out of what is still to be run. */
	struct loop_source *batch[SOURCES_MAX];
	size_t batch_len, batch_next;
};

/* Whole seconds and the rest apart: the product of all would not fit. */
static uint64_t read_clock(const struct loop *loop) {
	LARGE_INTEGER counter;
	uint64_t ticks;

	QueryPerformanceCounter(&counter);
	ticks = (uint64_t)counter.QuadPart;
	return ticks / loop->clock_frequency * BASE_SECOND +
	       ticks % loop->clock_frequency * BASE_SECOND / loop->clock_frequency;
}

static HANDLE new_timer(void) {
	HANDLE timer = CreateWaitableTimerExW(
	    NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION | CREATE_WAITABLE_TIMER_MANUAL_RESET, TIMER_ALL_ACCESS);

	/* Older systems know only the clock's resolution. */
	return timer != NULL ? timer
	                     : CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_MANUAL_RESET, TIMER_ALL_ACCESS);
}

struct loop *loop_new(void) {
	struct loop *loop = calloc(1, sizeof(*loop));
	LARGE_INTEGER frequency;

	if (loop == NULL)
		return NULL;
	QueryPerformanceFrequency(&frequency);
	loop->clock_frequency = (uint64_t)frequency.QuadPart;
	loop->timer = new_timer();
	if (loop->timer == NULL) {
		free(loop);
		return NULL;
	}
	loop_turn_init(&loop->turn, read_clock(loop));
	return loop;
}

void loop_free(struct loop *loop) {
	if (loop == NULL)
		return;
	CloseHandle(loop->timer);
	loop_turn_done(&loop->turn);
	free(loop);
}

uint64_t loop_wall_clock(void) {
	ULARGE_INTEGER ticks;
	FILETIME time;

	GetSystemTimePreciseAsFileTime(&time);
	ticks.LowPart = time.dwLowDateTime;
	ticks.HighPart = time.dwHighDateTime;
	return (ticks.QuadPart - UNIX_EPOCH_TICKS) * NS_PER_TICK;
}

static HANDLE handle_of(const struct loop_source *source) {
	return LongToHandle(source->fd);
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, unsigned events) {
	assert(!source->registered && source->ready != NULL);
	source->fd = fd;
	source->events = events;
	/* -1 is a valid handle as well, of the process. */
	if (fd <= 0 || WaitForSingleObject(handle_of(source), 0) == WAIT_FAILED)
		return BASE_E_IO;
	if (loop->source_count == SOURCES_MAX)
		return BASE_E_NOMEM;
	loop->sources[loop->source_count++] = source;
	source->registered = true;
	return 0;
}

int loop_modify(struct loop *loop, struct loop_source *source, unsigned events) {
	(void)loop;
	assert(source->registered);
	source->events = events;
	return 0;
}

void loop_remove(struct loop *loop, struct loop_source *source) {
	size_t at = 0;

	if (!source->registered)
		return;
	source->registered = false;
	while (loop->sources[at] != source)
		at++;
	loop->sources[at] = loop->sources[--loop->source_count];
	for (size_t i = loop->batch_next; i < loop->batch_len; i++) {
		if (loop->batch[i] == source)
			loop->batch[i] = NULL;
	}
}

int loop_watch_signals(struct loop *loop, void (*hangup)(void *user), void *user) {
	(void)hangup;
	(void)user;
	assert(loop->stop == NULL);
	loop->stop = loop_signals_watch();
	return loop->stop != NULL ? 0 : BASE_E_IO;
}

/* Waits for the sources of the batch, in their order, then stop and timer. The index of the first that is set, or
 * SIZE_MAX for none. */
static int wait_ready(struct loop *loop, uint64_t wait_ns, size_t *ret) {
	HANDLE handles[MAXIMUM_WAIT_OBJECTS];
	DWORD count = 0, timeout = wait_ns == 0 ? 0 : INFINITE, result;
	LARGE_INTEGER due;

	for (size_t i = 0; i < loop->batch_len; i++)
		handles[count++] = handle_of(loop->batch[i]);
	if (loop->stop != NULL && !loop->turn.stopped)
		handles[count++] = loop->stop;
	if (wait_ns != 0 && wait_ns != BASE_NEVER) {
		/* Negative: from now on. Rounded up, so that nothing wakes early. */
		due.QuadPart = -(LONGLONG)(wait_ns / NS_PER_TICK + (wait_ns % NS_PER_TICK != 0));
		if (!SetWaitableTimer(loop->timer, &due, 0, NULL, NULL, FALSE))
			return BASE_E_IO;
		handles[count++] = loop->timer;
	}
	*ret = SIZE_MAX;
	if (count == 0 && timeout == 0)
		return 0;
	if (count == 0)
		Sleep(timeout); /* forever, as asked for */
	result = WaitForMultipleObjects(count, handles, FALSE, timeout);
	if (result == WAIT_FAILED)
		return BASE_E_IO;
	if (result != WAIT_TIMEOUT)
		*ret = result - WAIT_OBJECT_0;
	return 0;
}

/* The wait named the first that is ready; the others behind it have their turn as well, none starves. */
static void run_sources(struct loop *loop, size_t first) {
	for (loop->batch_next = first; loop->batch_next < loop->batch_len;) {
		struct loop_source *source = loop->batch[loop->batch_next++];

		if (source != NULL && source->events != 0 && WaitForSingleObject(handle_of(source), 0) == WAIT_OBJECT_0)
			source->ready(source->user, source->events, loop->turn.now);
	}
	loop->batch_len = 0;
}

int loop_run_once(struct loop *loop, uint64_t wait_ns) {
	size_t first;
	int err;

	wait_ns = loop_turn_wait(&loop->turn, read_clock(loop), wait_ns);
	loop->batch_len = 0;
	for (size_t i = 0; i < loop->source_count; i++) {
		if (loop->sources[i]->events != 0)
			loop->batch[loop->batch_len++] = loop->sources[i];
	}
	err = wait_ready(loop, wait_ns, &first);
	if (err != 0) {
		loop->batch_len = 0;
		return err;
	}
	loop->turn.now = read_clock(loop);
	if (loop->stop != NULL && WaitForSingleObject(loop->stop, 0) == WAIT_OBJECT_0)
		loop->turn.stopped = true;
	run_sources(loop, first);
	loop_turn_end(&loop->turn);
	return 0;
}
