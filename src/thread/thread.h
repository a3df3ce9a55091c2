/* thread/thread.h: starting threads and waiting for their end. Linux only. */
#ifndef THREAD_THREAD_H
#define THREAD_THREAD_H

#include <stddef.h>

struct thread;

/* `run` gets `user` in a thread of its own, in which all signals are blocked. `name` (up to 15 characters) is what
 * process lists show. 0, BASE_E_NOMEM or BASE_E_IO (the system allows no more threads). */
int thread_start(const char *name, void (*run)(void *user), void *user, struct thread **ret);
/* Waits until the thread's function has returned, and frees. Accepts NULL. */
void thread_join(struct thread *thread);

/* The processors that this process may run on; at least 1. */
size_t thread_cores(void);

#endif
