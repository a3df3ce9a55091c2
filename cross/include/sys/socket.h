/* cross/include: the POSIX names of socket headers that Windows has under others, so that code which needs only what
 * both systems have (addresses, getaddrinfo) is written once. Sockets themselves differ: udp/udp_windows.c. */
#ifndef CROSS_SYS_SOCKET_H
#define CROSS_SYS_SOCKET_H

#include <winsock2.h>
#include <ws2tcpip.h>

typedef ADDRESS_FAMILY sa_family_t;

#endif
