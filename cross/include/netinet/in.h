/* See sys/socket.h. */
#include <sys/socket.h>
