#include "thread/lock.h"

#include <stdlib.h>
#include <windows.h>

struct thread_lock {
	SRWLOCK lock;
};

struct thread_lock *thread_lock_new(void) {
	struct thread_lock *lock = calloc(1, sizeof(*lock));

	if (lock != NULL)
		InitializeSRWLock(&lock->lock);
	return lock;
}

void thread_lock_free(struct thread_lock *lock) {
	free(lock);
}

void thread_lock_take(struct thread_lock *lock) {
	AcquireSRWLockExclusive(&lock->lock);
}

void thread_lock_release(struct thread_lock *lock) {
	ReleaseSRWLockExclusive(&lock->lock);
}
