/* relay/status.h: the status socket: a unix stream socket where everybody who connects reads one JSON object and end of
 * file. Readable by its owner only. Never blocks the relay: few readers at a time, the slowest gives way. */
#ifndef RELAY_STATUS_H
#define RELAY_STATUS_H

#include "loop/loop.h"

#define RELAY_STATUS_ERROR_BYTES 256
#define RELAY_STATUS_READERS_MAX 4

struct relay_status;

/* `wanted` says that somebody waits for a text: relay_status_answer follows, from inside it or later. It is not called
 * again before. 0, BASE_E_INVALID or BASE_E_TOO_BIG (path), BASE_E_EXISTS (another process answers
 * there, or it is no socket), BASE_E_DENIED, BASE_E_IO, BASE_E_NOMEM with `error`. */
int relay_status_open(struct loop *loop, const char *path, void (*wanted)(void *user), void *user,
                      struct relay_status **ret, char error[static RELAY_STATUS_ERROR_BYTES]);
/* For everybody who connected before it was wanted; NULL: there is none. Who came later waits for the next. */
void relay_status_answer(struct relay_status *status, const char *text);
void relay_status_close(struct relay_status *status); /* removes the socket's name if it may; accepts NULL */

#endif
