#include "thread/lock.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

struct thread_lock {
	pthread_mutex_t mutex;
};

struct thread_lock *thread_lock_new(void) {
	struct thread_lock *lock = calloc(1, sizeof(*lock));

	if (lock != NULL && pthread_mutex_init(&lock->mutex, NULL) != 0) {
		free(lock);
		return NULL;
	}
	return lock;
}

void thread_lock_free(struct thread_lock *lock) {
	if (lock == NULL)
		return;
	pthread_mutex_destroy(&lock->mutex);
	free(lock);
}

void thread_lock_take(struct thread_lock *lock) {
	int err = pthread_mutex_lock(&lock->mutex);

	assert(err == 0);
	(void)err;
}

void thread_lock_release(struct thread_lock *lock) {
	int err = pthread_mutex_unlock(&lock->mutex);

	assert(err == 0);
	(void)err;
}
