/* net/resolve_posix.c: getaddrinfo in a detached thread. The thread and the caller share one block that the last of
 * them frees; a pipe tells the loop. Nobody waits for a thread: getaddrinfo cannot be interrupted and may take minutes.
 */
#include "base/error.h"
#include "net/lookup.h"
#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct net_resolver {
	atomic_int owners; /* the caller and the thread */
	atomic_bool done;  /* result and error are there */
	int pipe[2];
	struct net_endpoint endpoint;
	struct net_resolved result;
	char error[NET_ERROR_BYTES]; /* empty: no error */
};

static void release(struct net_resolver *resolver) {
	if (atomic_fetch_sub(&resolver->owners, 1) > 1)
		return;
	close(resolver->pipe[0]);
	close(resolver->pipe[1]);
	free(resolver);
}

static void publish(struct net_resolver *resolver) {
	ssize_t written;

	atomic_store(&resolver->done, true);
	/* One byte into an empty pipe that we hold both ends of: it always fits. */
	do
		written = write(resolver->pipe[1], "", 1);
	while (written < 0 && errno == EINTR);
}

static void *run(void *user) {
	struct net_resolver *resolver = user;

	net_lookup(&resolver->endpoint, &resolver->result, resolver->error);
	publish(resolver);
	release(resolver);
	return NULL;
}

/* The thread gets no signals: they are for the loop. */
static bool start_thread(struct net_resolver *resolver) {
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

struct net_resolver *net_resolver_start(const struct net_endpoint *endpoint) {
	struct net_resolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver == NULL)
		return NULL;
	if (pipe2(resolver->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
		free(resolver);
		return NULL;
	}
	resolver->endpoint = *endpoint;
	if (endpoint->is_literal) {
		atomic_store(&resolver->owners, 1);
		resolver->result = (struct net_resolved){.addrs = {endpoint->addr}, .count = 1};
		publish(resolver);
		return resolver;
	}
	atomic_store(&resolver->owners, 2);
	if (!start_thread(resolver)) {
		atomic_store(&resolver->owners, 1);
		release(resolver);
		return NULL;
	}
	return resolver;
}

int net_resolver_fd(const struct net_resolver *resolver) {
	return resolver->pipe[0];
}

int net_resolver_result(struct net_resolver *resolver, struct net_resolved *ret, char error[static NET_ERROR_BYTES]) {
	if (!atomic_load(&resolver->done))
		return BASE_E_AGAIN;
	if (resolver->error[0] != '\0') {
		memcpy(error, resolver->error, NET_ERROR_BYTES);
		return BASE_E_NOT_FOUND;
	}
	*ret = resolver->result;
	return 0;
}

void net_resolver_free(struct net_resolver *resolver) {
	if (resolver != NULL)
		release(resolver);
}
