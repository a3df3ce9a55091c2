#include "net/resolve_system.h"

#include <process.h>
#include <winsock2.h>

#define STACK_BYTES (256 * 1024) /* reserved; the system's resolver runs on it */

bool net_bell_open(struct net_bell *bell) {
	HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);
	WSADATA sockets;

	if (event == NULL)
		return false;
	if (WSAStartup(MAKEWORD(2, 2), &sockets) != 0) {
		CloseHandle(event);
		return false;
	}
	*bell = (struct net_bell){.wait = (intptr_t)event, .ring = (intptr_t)event};
	return true;
}

void net_bell_ring(struct net_bell *bell) {
	SetEvent((HANDLE)bell->ring);
}

void net_bell_close(struct net_bell *bell) {
	CloseHandle((HANDLE)bell->ring);
	WSACleanup();
}

int net_bell_fd(const struct net_bell *bell) {
	return HandleToLong((HANDLE)bell->wait);
}

static unsigned __stdcall run(void *user) {
	net_resolver_look_up(user);
	return 0;
}

bool net_resolver_start_thread(struct net_resolver *resolver) {
	uintptr_t thread = _beginthreadex(NULL, STACK_BYTES, run, resolver, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);

	if (thread == 0)
		return false;
	CloseHandle((HANDLE)thread);
	return true;
}
