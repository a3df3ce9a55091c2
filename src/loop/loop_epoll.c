/* loop/loop_epoll.c: the loop over epoll, level-triggered, with signals and the earliest deadline as two more
 * descriptors. It knows descriptors and deadlines and nothing of what they are for. */
#include "base/error.h"
#include "loop/alarm.h"
#include "loop/turn.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define CLOCK CLOCK_BOOTTIME /* goes on while the machine sleeps, as the relay does */
#define BATCH 64             /* more are ready: epoll hands them out in turn, none starves */
#define LONG_RUN_NS (100 * BASE_US)
#define SLEEP_NS (20 * BASE_US) /* what waits so long has slept */

struct loop {
	struct loop_turn turn;
	int epoll_fd;

	uint64_t running_since, waiting_since; /* since the last sleep; since the last call that may sleep */

	struct loop_source bell; /* the alarm's timerfd */
	struct loop_alarm alarm;

	/* What epoll reported for this turn; loop_remove takes a source out of what is still to be run. */
	struct epoll_event batch[BATCH];
	int batch_len, batch_next;

	struct loop_source signals; /* fd -1 while unused */
	sigset_t watched, mask_before;
	void (*hangup)(void *user);
	void *hangup_user;
};

static uint64_t read_clock(clockid_t clock) {
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * BASE_SECOND + (uint64_t)time.tv_nsec;
}

static void alarm_rang(void *user, unsigned events, uint64_t now) {
	struct loop *loop = user;

	(void)events;
	(void)now;
	loop->alarm.at = BASE_NEVER;
}

/* Edge-triggered, so that it rings once without being read. */
static bool open_alarm(struct loop *loop) {
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = &loop->bell};

	loop->bell = (struct loop_source){.ready = alarm_rang, .user = loop};
	loop->alarm.at = BASE_NEVER;
	loop->bell.fd = timerfd_create(CLOCK, TFD_CLOEXEC | TFD_NONBLOCK);
	return loop->bell.fd >= 0 && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->bell.fd, &event) == 0;
}

static void close_descriptors(struct loop *loop) {
	if (loop->bell.fd >= 0)
		close(loop->bell.fd);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
}

struct loop *loop_new(void) {
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return NULL;
	loop->signals.fd = loop->bell.fd = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0 || !open_alarm(loop)) {
		close_descriptors(loop);
		free(loop);
		return NULL;
	}
	loop->running_since = read_clock(CLOCK);
	loop_turn_init(&loop->turn, loop->running_since);
	return loop;
}

void loop_free(struct loop *loop) {
	static const struct timespec no_time;

	if (loop == NULL)
		return;
	if (loop->signals.fd >= 0) {
		while (sigtimedwait(&loop->watched, NULL, &no_time) > 0 || errno == EINTR) {
		}
		close(loop->signals.fd);
		pthread_sigmask(SIG_SETMASK, &loop->mask_before, NULL);
	}
	loop_turn_done(&loop->turn);
	close_descriptors(loop);
	free(loop);
}

uint64_t loop_wall_clock(void) {
	return read_clock(CLOCK_REALTIME);
}

static int control(struct loop *loop, int operation, struct loop_source *source) {
	struct epoll_event event = {.data.ptr = source};

	if (source->events & LOOP_READ)
		event.events |= EPOLLIN;
	if (source->events & LOOP_WRITE)
		event.events |= EPOLLOUT;
	if (epoll_ctl(loop->epoll_fd, operation, source->fd, &event) == 0)
		return 0;
	return errno == ENOMEM || errno == ENOSPC ? BASE_E_NOMEM : BASE_E_IO;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, unsigned events) {
	int err;

	assert(!source->registered && source->ready != NULL);
	source->fd = fd;
	source->events = events;
	err = control(loop, EPOLL_CTL_ADD, source);
	source->registered = err == 0;
	return err;
}

int loop_modify(struct loop *loop, struct loop_source *source, unsigned events) {
	unsigned before = source->events;
	int err;

	assert(source->registered);
	if (events == before)
		return 0;
	source->events = events;
	err = control(loop, EPOLL_CTL_MOD, source);
	if (err != 0)
		source->events = before;
	return err;
}

void loop_remove(struct loop *loop, struct loop_source *source) {
	if (!source->registered)
		return;
	source->registered = false;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	for (int i = loop->batch_next; i < loop->batch_len; i++) {
		if (loop->batch[i].data.ptr == source)
			loop->batch[i].data.ptr = NULL;
	}
}

static void read_signals(void *user, unsigned events, uint64_t now) {
	struct signalfd_siginfo info;
	struct loop *loop = user;

	(void)events;
	(void)now;
	while (read(loop->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP && loop->hangup != NULL)
			loop->hangup(loop->hangup_user);
		else
			loop->turn.stopped = true;
	}
}

static bool is_ignored(int signal_number) {
	struct sigaction action;

	return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int loop_watch_signals(struct loop *loop, void (*hangup)(void *user), void *user) {
	sigset_t set;
	int fd;

	assert(loop->signals.fd < 0);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (hangup != NULL || !is_ignored(SIGHUP))
		sigaddset(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return BASE_E_IO;
	loop->signals = (struct loop_source){.ready = read_signals, .user = loop};
	if (loop_add(loop, &loop->signals, fd, LOOP_READ) != 0) {
		close(fd);
		loop->signals.fd = -1;
		return BASE_E_IO;
	}
	loop->watched = set;
	loop->hangup = hangup;
	loop->hangup_user = user;
	pthread_sigmask(SIG_BLOCK, &set, &loop->mask_before);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* A timeout of epoll_wait is a kernel timer that is set before each sleep and taken back after it, before the program
 * runs: each packet that ends a sleep is later by that. The alarm stands beside instead. */
static int set_alarm(struct loop *loop, uint64_t now, uint64_t deadline) {
	struct itimerspec spec = {.it_interval.tv_nsec = 0};
	uint64_t at;

	if (!loop_alarm_moves(&loop->alarm, now, deadline, &at))
		return 0;
	spec.it_value.tv_sec = (time_t)(at / BASE_SECOND);
	spec.it_value.tv_nsec = (long)(at % BASE_SECOND);
	if (timerfd_settime(loop->bell.fd, TFD_TIMER_ABSTIME, &spec, NULL) != 0)
		return -1;
	loop->alarm = (struct loop_alarm){.at = at, .set_at = now};
	return 0;
}

/* What epoll_wait returns. */
static int wait_ready(struct loop *loop, uint64_t wait_ns) {
	uint64_t now = read_clock(CLOCK);

	loop->waiting_since = now;
	wait_ns = loop_turn_wait(&loop->turn, now, wait_ns);
	if (wait_ns > 0 && wait_ns < BASE_NEVER - now && set_alarm(loop, now, now + wait_ns) != 0)
		return -1;
	return epoll_wait(loop->epoll_fd, loop->batch, BATCH, wait_ns == 0 ? 0 : -1);
}

static void run_sources(struct loop *loop, int count) {
	loop->batch_len = count;
	for (loop->batch_next = 0; loop->batch_next < loop->batch_len;) {
		const struct epoll_event *event = &loop->batch[loop->batch_next++];
		struct loop_source *source = event->data.ptr;
		unsigned events = 0;

		if (source == NULL)
			continue;
		if (event->events & EPOLLIN)
			events |= LOOP_READ;
		if (event->events & EPOLLOUT)
			events |= LOOP_WRITE;
		if (event->events & (EPOLLERR | EPOLLHUP))
			events |= LOOP_GONE;
		source->ready(source->user, events, loop->turn.now);
	}
	loop->batch_len = 0;
}

/* Who has worked for long without a sleep lets those go first that wait for this processor. Else the kernel sees to it
 * only at its next tick, some milliseconds later, and the frames of everybody on the way wait for that. */
static uint64_t give_way(struct loop *loop) {
	uint64_t now = read_clock(CLOCK);

	if (now - loop->waiting_since >= SLEEP_NS)
		loop->running_since = now;
	if (now - loop->running_since < LONG_RUN_NS)
		return now;
	sched_yield();
	return loop->running_since = read_clock(CLOCK);
}

int loop_run_once(struct loop *loop, uint64_t wait_ns) {
	int count = wait_ready(loop, wait_ns);

	if (count < 0 && errno != EINTR)
		return BASE_E_IO;
	loop->turn.now = give_way(loop);
	run_sources(loop, count > 0 ? count : 0);
	loop_turn_end(&loop->turn);
	return 0;
}
