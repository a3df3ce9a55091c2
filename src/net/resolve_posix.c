#include "net/resolve_system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

bool net_bell_open(struct net_bell *bell) {
	int pipe[2];

	if (pipe2(pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	*bell = (struct net_bell){.wait = pipe[0], .ring = pipe[1]};
	return true;
}

void net_bell_ring(struct net_bell *bell) {
	ssize_t written;

	/* One byte into an empty pipe that we hold both ends of: it always fits. */
	do
		written = write((int)bell->ring, "", 1);
	while (written < 0 && errno == EINTR);
}

void net_bell_close(struct net_bell *bell) {
	close((int)bell->wait);
	close((int)bell->ring);
}

int net_bell_fd(const struct net_bell *bell) {
	return (int)bell->wait;
}

static void *run(void *user) {
	net_resolver_look_up(user);
	return NULL;
}

/* Signals are for the loop. */
bool net_resolver_start_thread(struct net_resolver *resolver) {
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	bool started;

	if (pthread_attr_init(&attributes) != 0)
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&thread, &attributes, run, resolver) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return started;
}
