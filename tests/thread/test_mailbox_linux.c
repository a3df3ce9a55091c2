#include "thread/mailbox.h"

#include "tests/unit.h"
#include "thread/thread.h"

#include <poll.h>
#include <sched.h>

#define SENDERS 3
#define MESSAGES 20000

static bool is_ringing(const struct thread_mailbox *mailbox) {
	struct pollfd bell = {.fd = thread_mailbox_fd(mailbox), .events = POLLIN};

	return poll(&bell, 1, 0) == 1;
}

static void test_in_order_and_bounded(void **state) {
	struct thread_mailbox *mailbox = thread_mailbox_new();
	struct thread_message message;

	(void)state;
	assert_non_null(mailbox);
	for (int round = 0; round < 3; round++) {
		assert_false(is_ringing(mailbox));
		assert_false(thread_mailbox_take(mailbox, &message));
		for (int i = 0; i < THREAD_MAILBOX_MAX; i++) {
			assert_true(thread_mailbox_post(mailbox, (struct thread_message){i, (unsigned)round, mailbox}));
			assert_true(is_ringing(mailbox));
		}
		assert_false(thread_mailbox_post(mailbox, (struct thread_message){0}));
		for (int i = 0; i < THREAD_MAILBOX_MAX - round; i++) { /* and the ring goes round */
			assert_true(is_ringing(mailbox));
			assert_true(thread_mailbox_take(mailbox, &message));
			assert_int_equal(message.kind, i);
			assert_int_equal(message.from, round);
			assert_ptr_equal(message.data, mailbox);
		}
		while (thread_mailbox_take(mailbox, &message)) {
		}
	}
	thread_mailbox_free(mailbox);
	thread_mailbox_free(NULL);
}

struct sender {
	struct thread_mailbox *mailbox;
	unsigned number;
};

static void send_all(void *user) {
	const struct sender *sender = user;

	for (int i = 0; i < MESSAGES; i++) {
		while (!thread_mailbox_post(sender->mailbox, (struct thread_message){i, sender->number, NULL}))
			sched_yield();
	}
}

static void test_many_senders(void **state) {
	struct thread_mailbox *mailbox = thread_mailbox_new();
	struct sender senders[SENDERS];
	struct thread *threads[SENDERS];
	int next[SENDERS] = {0};

	(void)state;
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){mailbox, i};
		assert_int_equal(thread_start("sender", send_all, &senders[i], &threads[i]), 0);
	}
	for (int left = SENDERS * MESSAGES; left > 0;) {
		struct pollfd bell = {.fd = thread_mailbox_fd(mailbox), .events = POLLIN};
		struct thread_message message;

		assert_int_equal(poll(&bell, 1, 10000), 1);
		while (thread_mailbox_take(mailbox, &message)) {
			assert_int_equal(message.kind, next[message.from]++);
			left--;
		}
	}
	for (unsigned i = 0; i < SENDERS; i++)
		thread_join(threads[i]);
	assert_false(is_ringing(mailbox));
	thread_mailbox_free(mailbox);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_in_order_and_bounded),
	    cmocka_unit_test(test_many_senders),
	};

	return cmocka_run_group_tests_name("thread/mailbox", tests, NULL, NULL);
}
