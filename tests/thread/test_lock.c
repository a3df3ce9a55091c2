#include "thread/lock.h"

#include "tests/unit.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 50000

struct shared {
	struct thread_lock *lock;
	unsigned long count;
};

static void *add(void *user) {
	struct shared *shared = user;

	for (unsigned i = 0; i < ROUNDS; i++) {
		thread_lock_take(shared->lock);
		shared->count++;
		thread_lock_release(shared->lock);
	}
	return NULL;
}

static void test_one_at_a_time(void **state) {
	struct shared shared = {.lock = thread_lock_new()};
	pthread_t threads[THREADS];

	(void)state;
	assert_non_null(shared.lock);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add, &shared), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(shared.count, THREADS * ROUNDS);
	thread_lock_free(shared.lock);
	thread_lock_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_at_a_time)};

	return cmocka_run_group_tests_name("thread/lock", tests, NULL, NULL);
}
