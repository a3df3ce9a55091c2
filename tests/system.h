/* tests/system.h: the little that tests want from the system itself, in one file per platform (system_*.c). */
#ifndef TESTS_SYSTEM_H
#define TESTS_SYSTEM_H

#include <stdbool.h>

/* Waits for a descriptor as the loop does; false after the time. */
bool system_wait(int fd, int timeout_ms);

/* A descriptor that is ready when the test wants. */
struct system_signal {
	int fd, other;
};
void system_signal_open(struct system_signal *signal);
void system_signal_set(struct system_signal *signal); /* once, before the next clear */
void system_signal_clear(struct system_signal *signal);
void system_signal_close(struct system_signal *signal);

/* A new folder for the files of a test; its path has slashes and lives until it is removed with the files in it. */
const char *system_folder_make(void);
void system_folder_remove(void);

/* Whether nobody beyond the owner (and the administrators) may read it. */
bool system_is_private(const char *path);

#endif
