/* thread/lock.h: a mutex for what the threads of a program share outside of the data path. One file per platform. */
#ifndef THREAD_LOCK_H
#define THREAD_LOCK_H

struct thread_lock;

struct thread_lock *thread_lock_new(void);       /* NULL when memory is out */
void thread_lock_free(struct thread_lock *lock); /* accepts NULL */
void thread_lock_take(struct thread_lock *lock); /* waits; not twice in one thread */
void thread_lock_release(struct thread_lock *lock);

#endif
