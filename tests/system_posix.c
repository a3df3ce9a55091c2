#include "tests/system.h"

#include "tests/unit.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/tmp/lanparty-test-XXXXXX"

static char folder[] = FOLDER;

bool system_wait(int fd, int timeout_ms) {
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	return poll(&ready, 1, timeout_ms) == 1 && (ready.revents & POLLNVAL) == 0;
}

void system_signal_open(struct system_signal *signal) {
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	*signal = (struct system_signal){.fd = ends[0], .other = ends[1]};
}

void system_signal_set(struct system_signal *signal) {
	assert_int_equal(write(signal->other, "x", 1), 1);
}

void system_signal_clear(struct system_signal *signal) {
	char byte;

	assert_int_equal(read(signal->fd, &byte, 1), 1);
}

void system_signal_close(struct system_signal *signal) {
	close(signal->fd);
	close(signal->other);
}

const char *system_folder_make(void) {
	memcpy(folder, FOLDER, sizeof(folder));
	assert_non_null(mkdtemp(folder));
	return folder;
}

void system_folder_remove(void) {
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

bool system_is_private(const char *path) {
	struct stat info;

	assert_int_equal(stat(path, &info), 0);
	return (info.st_mode & 077) == 0;
}
