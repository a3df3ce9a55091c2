#include "thread/thread.h"

#include "base/error.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

struct thread {
	pthread_t id;
	void (*run)(void *user);
	void *user;
};

static void *run_thread(void *user) {
	const struct thread *thread = user;

	thread->run(thread->user);
	return NULL;
}

int thread_start(const char *name, void (*run)(void *user), void *user, struct thread **ret) {
	struct thread *thread = calloc(1, sizeof(*thread));
	sigset_t all, before;
	int err;

	if (thread == NULL)
		return BASE_E_NOMEM;
	thread->run = run;
	thread->user = user;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread->id, NULL, run_thread, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0) {
		free(thread);
		return BASE_E_IO;
	}
	pthread_setname_np(thread->id, name);
	*ret = thread;
	return 0;
}

void thread_join(struct thread *thread) {
	if (thread == NULL)
		return;
	pthread_join(thread->id, NULL);
	free(thread);
}

size_t thread_cores(void) {
	cpu_set_t cores;
	int count = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;

	return count > 0 ? (size_t)count : 1;
}
