/* net/resolve_posix.c: getaddrinfo in a detached thread. The thread and the caller share one block that the last of
 * them frees; a pipe tells the loop. Nobody waits for a thread: getaddrinfo cannot be interrupted and may take minutes.
 */
#include "base/error.h"
#include "base/text.h"
#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

	net_resolve_interleave(&resolver->result);
	atomic_store(&resolver->done, true);
	/* One byte into an empty pipe that we hold both ends of: it always fits. */
	do
		written = write(resolver->pipe[1], "", 1);
	while (written < 0 && errno == EINTR);
}

static bool convert(const struct addrinfo *info, uint16_t port, struct base_addr *ret) {
	struct base_addr addr = {.port = port};

	if (info->ai_family == AF_INET && info->ai_addrlen >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;

		memcpy(&in, info->ai_addr, sizeof(in));
		addr.family = BASE_FAMILY_V4;
		memcpy(addr.ip, &in.sin_addr, 4);
	} else if (info->ai_family == AF_INET6 && info->ai_addrlen >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;

		memcpy(&in6, info->ai_addr, sizeof(in6));
		addr.family = BASE_FAMILY_V6;
		memcpy(addr.ip, &in6.sin6_addr, 16);
		addr.scope = in6.sin6_scope_id;
	} else {
		return false;
	}
	*ret = addr;
	return true;
}

/* Names listed twice in the hosts file come twice. */
static void add_once(struct net_resolved *result, const struct base_addr *addr) {
	for (size_t i = 0; i < result->count; i++) {
		if (base_addr_equal(&result->addrs[i], addr))
			return;
	}
	if (result->count < NET_RESOLVE_ADDRS_MAX)
		result->addrs[result->count++] = *addr;
}

static const char *reason_text(int code) {
	switch (code) {
	case EAI_NONAME:
		return "name not known";
#ifdef EAI_NODATA
	case EAI_NODATA:
		return "the name has no address";
#endif
	case EAI_AGAIN:
		return "no name server answers (try again later)";
	case EAI_FAIL:
		return "the name server could not answer";
	default:
		return gai_strerror(code);
	}
}

static void look_up(struct net_resolver *resolver) {
	const struct addrinfo hints = {
	    .ai_flags = AI_ADDRCONFIG,
	    .ai_family = AF_UNSPEC,
	    .ai_socktype = SOCK_DGRAM,
	    .ai_protocol = IPPROTO_UDP,
	};
	struct addrinfo *list = NULL;
	const char *reason = NULL;
	int code = getaddrinfo(resolver->endpoint.host, NULL, &hints, &list);
	struct base_text text;

	if (code != 0) {
		reason = reason_text(code);
	} else {
		for (const struct addrinfo *info = list; info != NULL; info = info->ai_next) {
			struct base_addr addr;

			if (convert(info, resolver->endpoint.port, &addr))
				add_once(&resolver->result, &addr);
		}
		freeaddrinfo(list);
		if (resolver->result.count == 0)
			reason = "the name has no address";
	}
	if (reason != NULL) {
		base_text_init(&text, resolver->error, sizeof(resolver->error));
		base_text_addf(&text, "%.90s: %s", resolver->endpoint.host, reason);
	}
}

static void *run(void *user) {
	struct net_resolver *resolver = user;

	look_up(resolver);
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
		add_once(&resolver->result, &endpoint->addr);
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
