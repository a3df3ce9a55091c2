/* host/host.h: the few things binaries need from the operating system: whole files, dropping privilege, where state is
 * kept. Texts and paths are UTF-8. One file per platform; nothing that runs per frame. */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define HOST_ERROR_BYTES 256

/* Reads a whole regular file (no pipe, device or folder) of at most `max` bytes. 0 with a buffer the caller frees (a
 * NUL is added behind the bytes); BASE_E_NOT_FOUND, BASE_E_DENIED, BASE_E_TOO_BIG, BASE_E_IO, BASE_E_NOMEM, with
 * `error` for a person. */
int host_read_file(const char *path, size_t max, uint8_t **ret, size_t *ret_len, char error[static HOST_ERROR_BYTES]);

/* Whether every user of the machine can read the file. On Windows false: there it is the folder's access list that
 * keeps others out. */
bool host_is_public(const char *path);

/* A file that this process keeps to itself; all zero: none. */
struct host_hold {
	bool held;
	intptr_t handle;
};

/* As host_read_file, for a file with secrets that one process uses at a time. BASE_E_DENIED too when its mode lets
 * others than its owner at it (on Windows its access list is host_write_file's and the installer's business);
 * BASE_E_EXISTS when another process holds it. It is held until host_release or the end of the process, however that
 * comes. */
int host_read_secret(const char *path, size_t max, uint8_t **ret, size_t *ret_len, struct host_hold *ret_hold,
                     char error[static HOST_ERROR_BYTES]);
void host_release(struct host_hold *hold);

/* Writes a temporary file beside `path`, syncs it, renames it over: readers see the old or the new bytes, never half.
 * `mode` are permission bits (0600); Windows knows of them whether others may read. Missing parent directories are made
 * (0755). What is no regular file, a device or a link, is left alone. 0, BASE_E_DENIED or BASE_E_IO. */
int host_write_file(const char *path, struct slice bytes, unsigned mode, char error[static HOST_ERROR_BYTES]);

/* Standard error as a log's sink has it; all zero: as it was handed to us. */
struct host_stderr {
	bool own; /* it is a terminal, and `handle` our own way to it */
	intptr_t handle;
};

/* A terminal whose reader has stopped would hold us up at the line for which it has no room: it is opened anew, so that
 * writing to it waits for nothing and who shares it with us finds it unchanged. Called before privileges are given up:
 * the terminal is another user's after sudo. Where it cannot be opened, and on Windows, nothing changes. */
void host_stderr_open(struct host_stderr *ret);
void host_stderr_close(struct host_stderr *out);
/* Writes a whole line to standard error; a log sink. What a closed or full pipe, or a full terminal, does not take is
 * lost. `user` is a struct host_stderr, or NULL. */
void host_stderr_sink(void *user, struct slice line);

/* How far to go before other programs when they compete for a processor: a frame that waits here is somebody's shot.
 * high: Linux a short time slice, which brings earlier turns but no more of them; Windows ABOVE_NORMAL_PRIORITY_CLASS
 * realtime: Linux SCHED_RR with the lowest real-time priority; Windows HIGH_PRIORITY_CLASS
 * With either, Windows does not throttle the process as one of the background. */
enum host_priority { HOST_PRIORITY_NORMAL, HOST_PRIORITY_HIGH, HOST_PRIORITY_REALTIME };

/* The name as in --priority; 0 or BASE_E_INVALID. */
int host_priority_parse(const char *text, enum host_priority *ret);
const char *host_priority_text(enum host_priority priority);

/* For the calling thread and those it starts; called before privileges are given up. "normal" changes nothing. 0, or
 * BASE_E_DENIED, BASE_E_UNSUPPORTED or BASE_E_IO with a text that says what stayed as it was: no reason to end. */
int host_set_priority(enum host_priority priority, char error[static HOST_ERROR_BYTES]);

enum host_capability { HOST_CAP_NONE, HOST_CAP_NET_RAW, HOST_CAP_NET_ADMIN };

/* 0, or BASE_E_DENIED with a text that says what is needed. Always 0 where there are no such capabilities (Windows):
 * there what needs a privilege fails by itself. */
int host_check_capability(enum host_capability needed, char error[static HOST_ERROR_BYTES]);

/* Gives up every privilege but the one named, for good: other capabilities, the bounding set, new privileges; changes
 * to `user` (NULL: stays) with its groups. A capability the process does not have is not gained; without any privilege
 * there is nothing to do and nothing to fail. What the kernel says afterwards is compared with what was asked. Called
 * after the privileged descriptors are open and before any thread is started (capabilities are per thread). 0,
 * BASE_E_NOT_FOUND (no such user), BASE_E_DENIED: then the process must not go on. */
int host_drop_privileges(enum host_capability keep, const char *user, char error[static HOST_ERROR_BYTES]);

#endif
