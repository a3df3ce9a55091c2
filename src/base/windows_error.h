/* base/windows_error.h: a number of GetLastError() in words. Pure: each edge to Windows has a table of the numbers that
 * mean something there. */
#ifndef BASE_WINDOWS_ERROR_H
#define BASE_WINDOWS_ERROR_H

#include <stddef.h>

struct base_windows_error {
	unsigned long number;
	int err; /* of base/error.h */
	const char *words;
};

/* Writes "WHAT: words (Windows error N)" to `error`, of `cap` bytes, and returns the number's code. One that is not
 * among the `count` known ones is BASE_E_IO, in the words of `unknown`. */
int base_windows_error(const struct base_windows_error *known, size_t count, const char *unknown, const char *what,
                       unsigned long number, char *error, size_t cap);

#endif
