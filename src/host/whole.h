/* host/whole.h: reading a file to its end, the same on every platform. Internal to the room. */
#ifndef HOST_WHOLE_H
#define HOST_WHOLE_H

#include "host/host.h"

#include <stddef.h>

/* The next bytes of an open file: 0 with how many (0: the end), or a code of base/error.h. */
typedef int host_read_some(intptr_t file, void *buf, size_t cap, size_t *ret_len);

/* What host_read_file does with a file that is open. */
int host_whole_read(host_read_some *read_some, intptr_t file, const char *path, size_t max, uint8_t **ret,
                    size_t *ret_len, char error[static HOST_ERROR_BYTES]);
/* "PATH: WHAT: WHY"; WHAT may be empty. Returns `code`. */
int host_fail(char error[static HOST_ERROR_BYTES], int code, const char *path, const char *what, const char *why);

#endif
