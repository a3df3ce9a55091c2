/* thread/mailbox.h: messages to one thread from others, in order, bounded; a descriptor tells its loop that there are
 * some. For the control plane: posting takes a lock. What a message points to is the receiver's from then on. Linux
 * only. */
#ifndef THREAD_MAILBOX_H
#define THREAD_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Nobody has more than a few requests under way with one thread at a time. */
#define THREAD_MAILBOX_MAX 256

struct thread_message {
	int kind;
	unsigned from;
	void *data;
};

struct thread_mailbox;

struct thread_mailbox *thread_mailbox_new(void);             /* NULL when the system refuses */
void thread_mailbox_free(struct thread_mailbox *mailbox);    /* what is still in it is forgotten; accepts NULL */
int thread_mailbox_fd(const struct thread_mailbox *mailbox); /* readable while there is something */

/* Any thread. False when the box is full. */
bool thread_mailbox_post(struct thread_mailbox *mailbox, struct thread_message message);
/* Its owner. False when there is nothing; the descriptor is then quiet. */
bool thread_mailbox_take(struct thread_mailbox *mailbox, struct thread_message *ret);

#endif
