/* host/host_posix.c: whole files and standard error. */
#include "base/error.h"
#include "base/text.h"
#include "host/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int map_errno(int code) {
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return BASE_E_NOT_FOUND;
	case EACCES:
	case EPERM:
	case EROFS:
		return BASE_E_DENIED;
	case ENOMEM:
		return BASE_E_NOMEM;
	default:
		return BASE_E_IO;
	}
}

static int fail_errno(char error[static HOST_ERROR_BYTES], const char *path, const char *what) {
	return host_fail(error, map_errno(errno), path, what, strerror(errno));
}

static int read_some(intptr_t file, void *buf, size_t cap, size_t *ret_len) {
	ssize_t got;

	do
		got = read((int)file, buf, cap);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return map_errno(errno);
	*ret_len = (size_t)got;
	return 0;
}

static int open_regular(const char *path, int *ret, struct stat *ret_info, char error[static HOST_ERROR_BYTES]) {
	/* O_NONBLOCK: opening a FIFO nobody writes to must not hang. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return fail_errno(error, path, "");
	if (fstat(fd, ret_info) != 0 || !S_ISREG(ret_info->st_mode)) {
		close(fd);
		return host_fail(error, BASE_E_IO, path, "", "is not a regular file");
	}
	*ret = fd;
	return 0;
}

int host_read_file(const char *path, size_t max, uint8_t **ret, size_t *ret_len, char error[static HOST_ERROR_BYTES]) {
	struct stat info;
	int fd = -1, err = open_regular(path, &fd, &info, error);

	if (err != 0)
		return err;
	err = host_whole_read(read_some, fd, path, max, ret, ret_len, error);
	close(fd);
	return err;
}

static int keep_to_us(int fd, const struct stat *info, const char *path, char error[static HOST_ERROR_BYTES]) {
	char why[64];

	if ((info->st_mode & 077) != 0) {
		snprintf(why, sizeof(why), "others may read or write it (mode %04o): chmod 600",
		         (unsigned)info->st_mode & 07777);
		return host_fail(error, BASE_E_DENIED, path, "", why);
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		return host_fail(error, BASE_E_EXISTS, path, "", "another process uses it");
	return 0; /* a file system that knows no locks has none to respect */
}

int host_read_secret(const char *path, size_t max, uint8_t **ret, size_t *ret_len, struct host_hold *ret_hold,
                     char error[static HOST_ERROR_BYTES]) {
	struct stat info;
	int fd = -1, err = open_regular(path, &fd, &info, error);

	if (err != 0)
		return err;
	if ((err = keep_to_us(fd, &info, path, error)) != 0 ||
	    (err = host_whole_read(read_some, fd, path, max, ret, ret_len, error)) != 0) {
		close(fd);
		return err;
	}
	*ret_hold = (struct host_hold){.held = true, .handle = fd};
	return 0;
}

void host_release(struct host_hold *hold) {
	if (hold->held)
		close((int)hold->handle);
	hold->held = false;
}

static bool write_all(int fd, struct slice bytes) {
	while (bytes.len > 0) {
		ssize_t written = write(fd, bytes.data, bytes.len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes = slice_of(bytes.data + written, bytes.len - (size_t)written);
	}
	return true;
}

static bool make_parents(const char *path) {
	char partial[PATH_MAX];
	struct base_text text;

	base_text_init(&text, partial, sizeof(partial));
	for (const char *c = path; *c != '\0'; c++) {
		if (*c == '/' && c != path && mkdir(partial, 0755) != 0 && errno != EEXIST)
			return false;
		base_text_add_char(&text, *c);
	}
	return true;
}

/* A rename is on disk only when its folder is. */
static bool sync_folder(const char *path) {
	char copy[PATH_MAX];
	bool good;
	int fd;

	base_text_copy(copy, sizeof(copy), path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	good = fsync(fd) == 0 || errno == EINVAL; /* EINVAL: this file system has nothing to sync */
	close(fd);
	return good;
}

static bool fill_temporary(int fd, struct slice bytes, unsigned mode) {
	bool good = fchmod(fd, (mode_t)(mode & 07777)) == 0 && write_all(fd, bytes) && fsync(fd) == 0;
	int code = errno;

	if (close(fd) != 0 && good)
		return false;
	errno = code;
	return good;
}

/* Renaming would put our file in the place of what is there: of /dev/null, or of the link /dev/stdout. */
static bool is_something_else(const char *path) {
	struct stat info;

	return lstat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

bool host_is_public(const char *path) {
	struct stat info;

	return stat(path, &info) == 0 && (info.st_mode & S_IROTH) != 0;
}

int host_write_file(const char *path, struct slice bytes, unsigned mode, char error[static HOST_ERROR_BYTES]) {
	char temporary[PATH_MAX];
	struct base_text text;
	int fd, code, err;

	base_text_init(&text, temporary, sizeof(temporary));
	base_text_addf(&text, "%s.XXXXXX", path);
	if (text.truncated)
		return host_fail(error, BASE_E_IO, path, "", "the name is too long");
	if (is_something_else(path))
		return host_fail(error, BASE_E_IO, path, "", "is not a regular file");
	if (!make_parents(path))
		err = fail_errno(error, path, "cannot make its folder");
	else if ((fd = mkostemp(temporary, O_CLOEXEC)) < 0)
		err = fail_errno(error, path, "cannot make a file beside it");
	else if (!fill_temporary(fd, bytes, mode) || rename(temporary, path) != 0) {
		code = errno;
		unlink(temporary);
		errno = code;
		err = fail_errno(error, path, "cannot be written");
	} else if (!sync_folder(path))
		err = fail_errno(error, path, "its folder cannot be synced");
	else
		return 0;
	return err == BASE_E_DENIED ? BASE_E_DENIED : BASE_E_IO;
}

void host_stderr_open(struct host_stderr *ret) {
	int fd = -1;

	if (isatty(STDERR_FILENO))
		fd = open("/proc/self/fd/2", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	*ret = (struct host_stderr){.own = fd >= 0, .handle = fd};
}

void host_stderr_close(struct host_stderr *out) {
	if (out->own)
		close((int)out->handle);
	out->own = false;
}

void host_stderr_sink(void *user, struct slice line) {
	const struct host_stderr *own = user;
	struct pollfd out = {.fd = own != NULL && own->own ? (int)own->handle : STDERR_FILENO, .events = POLLOUT};

	/* A reader that has stopped must not stop us. A pipe that is ready has room for a page, more than a log line; a
	 * terminal may have room for one byte. */
	if (poll(&out, 1, 0) > 0 && (out.revents & POLLOUT) != 0)
		write_all(out.fd, line);
}
