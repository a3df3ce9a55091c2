/* net/resolve_windows.c: getaddrinfo in a thread that nobody waits for, as in resolve_posix.c: it cannot be interrupted
 * and may take minutes. The thread and the caller share one block that the last of them frees; an event tells the loop.
 */
#include "base/error.h"
#include "net/lookup.h"
#include "net/resolve.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <process.h>
#include <winsock2.h>

#define STACK_BYTES (256 * 1024) /* reserved; the system's resolver runs on it */

struct net_resolver {
	atomic_int owners; /* the caller and the thread */
	atomic_bool done;  /* result and error are there */
	HANDLE event;
	struct net_endpoint endpoint;
	struct net_resolved result;
	char error[NET_ERROR_BYTES]; /* empty: no error */
};

static void release(struct net_resolver *resolver) {
	if (atomic_fetch_sub(&resolver->owners, 1) > 1)
		return;
	CloseHandle(resolver->event);
	WSACleanup();
	free(resolver);
}

static void publish(struct net_resolver *resolver) {
	atomic_store(&resolver->done, true);
	SetEvent(resolver->event);
}

static unsigned __stdcall run(void *user) {
	struct net_resolver *resolver = user;

	net_lookup(&resolver->endpoint, &resolver->result, resolver->error);
	publish(resolver);
	release(resolver);
	return 0;
}

static bool start_thread(struct net_resolver *resolver) {
	uintptr_t thread = _beginthreadex(NULL, STACK_BYTES, run, resolver, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);

	if (thread == 0)
		return false;
	CloseHandle((HANDLE)thread);
	return true;
}

struct net_resolver *net_resolver_start(const struct net_endpoint *endpoint) {
	struct net_resolver *resolver = calloc(1, sizeof(*resolver));
	WSADATA sockets;

	if (resolver == NULL)
		return NULL;
	resolver->event = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (resolver->event == NULL || WSAStartup(MAKEWORD(2, 2), &sockets) != 0) {
		if (resolver->event != NULL)
			CloseHandle(resolver->event);
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
	return HandleToLong(resolver->event);
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
