#include "thread/mailbox.h"

#include "thread/lock.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct thread_mailbox {
	struct thread_lock *lock;
	int bell; /* eventfd, rung with the first message */
	size_t first, count;
	struct thread_message messages[THREAD_MAILBOX_MAX];
};

struct thread_mailbox *thread_mailbox_new(void) {
	struct thread_mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (mailbox == NULL)
		return NULL;
	mailbox->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	mailbox->lock = thread_lock_new();
	if (mailbox->bell < 0 || mailbox->lock == NULL) {
		thread_mailbox_free(mailbox);
		return NULL;
	}
	return mailbox;
}

void thread_mailbox_free(struct thread_mailbox *mailbox) {
	if (mailbox == NULL)
		return;
	if (mailbox->bell >= 0)
		close(mailbox->bell);
	thread_lock_free(mailbox->lock);
	free(mailbox);
}

int thread_mailbox_fd(const struct thread_mailbox *mailbox) {
	return mailbox->bell;
}

bool thread_mailbox_post(struct thread_mailbox *mailbox, struct thread_message message) {
	bool fits;

	thread_lock_take(mailbox->lock);
	fits = mailbox->count < THREAD_MAILBOX_MAX;
	if (fits)
		mailbox->messages[(mailbox->first + mailbox->count++) % THREAD_MAILBOX_MAX] = message;
	if (fits && mailbox->count == 1)
		(void)eventfd_write(mailbox->bell, 1); /* it is 0 now, so there is room */
	thread_lock_release(mailbox->lock);
	return fits;
}

bool thread_mailbox_take(struct thread_mailbox *mailbox, struct thread_message *ret) {
	eventfd_t rung;
	bool found;

	thread_lock_take(mailbox->lock);
	found = mailbox->count > 0;
	if (found) {
		*ret = mailbox->messages[mailbox->first];
		mailbox->first = (mailbox->first + 1) % THREAD_MAILBOX_MAX;
		if (--mailbox->count == 0)
			(void)eventfd_read(mailbox->bell, &rung);
	}
	thread_lock_release(mailbox->lock);
	return found;
}
