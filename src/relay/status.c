#include "relay/status.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct reader {
	struct relay_status *status;
	struct loop_source source; /* fd -1: free */
	enum { READER_NEW, READER_ASKED, READER_ANSWERED } state;
	char *text; /* from ANSWERED on */
	size_t len, sent;
	uint64_t since;
};

struct relay_status {
	struct loop *loop;
	struct loop_source listener;
	struct loop_timer pause; /* no descriptor is free: the listener is looked at again when it is over */
	struct sockaddr_un addr;
	void (*wanted)(void *user);
	void *user;
	bool asked;
	struct reader readers[RELAY_STATUS_READERS_MAX];
};

static void reader_end(struct reader *reader) {
	if (reader->source.fd < 0)
		return;
	loop_remove(reader->status->loop, &reader->source);
	close(reader->source.fd);
	reader->source.fd = -1;
	free(reader->text);
	reader->text = NULL;
}

static void reader_ready(void *user, unsigned events, uint64_t now) {
	struct reader *reader = user;
	ssize_t sent;

	(void)now;
	if ((events & LOOP_GONE) != 0 || reader->state != READER_ANSWERED) {
		reader_end(reader);
		return;
	}
	sent =
	    send(reader->source.fd, reader->text + reader->sent, reader->len - reader->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (sent > 0)
		reader->sent += (size_t)sent;
	if (sent <= 0 || reader->sent == reader->len)
		reader_end(reader);
}

/* A free place, else that of the reader who takes longest. */
static struct reader *take_place(struct relay_status *status) {
	struct reader *oldest = &status->readers[0];

	for (size_t i = 0; i < RELAY_STATUS_READERS_MAX; i++) {
		if (status->readers[i].source.fd < 0)
			return &status->readers[i];
		if (status->readers[i].since < oldest->since)
			oldest = &status->readers[i];
	}
	reader_end(oldest);
	return oldest;
}

/* For all who are new, unless an answer to others is under way. */
static void ask(struct relay_status *status) {
	bool any = false;

	for (size_t i = 0; i < RELAY_STATUS_READERS_MAX && !status->asked; i++) {
		struct reader *reader = &status->readers[i];

		if (reader->source.fd < 0 || reader->state != READER_NEW)
			continue;
		reader->state = READER_ASKED;
		any = true;
	}
	if (!any)
		return;
	status->asked = true;
	status->wanted(status->user);
}

static void pause_over(void *user, uint64_t now) {
	struct relay_status *status = user;

	if (loop_modify(status->loop, &status->listener, LOOP_READ) != 0)
		(void)loop_timer_set(status->loop, &status->pause, now + BASE_SECOND);
}

static void listener_ready(void *user, unsigned events, uint64_t now) {
	struct relay_status *status = user;
	int fd = accept4(status->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct reader *reader;

	(void)events;
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED &&
		    loop_modify(status->loop, &status->listener, 0) == 0)
			(void)loop_timer_set(status->loop, &status->pause, now + BASE_SECOND);
		return;
	}
	reader = take_place(status);
	reader->state = READER_NEW;
	reader->since = now;
	reader->source = (struct loop_source){.ready = reader_ready, .user = reader};
	if (loop_add(status->loop, &reader->source, fd, 0) != 0) { /* for now only to hear that it goes */
		close(fd);
		reader->source.fd = -1;
		return;
	}
	ask(status);
}

static void answer_reader(struct reader *reader, const char *text) {
	reader->state = READER_ANSWERED;
	reader->text = text != NULL ? strdup(text) : NULL;
	reader->len = reader->text != NULL ? strlen(reader->text) : 0;
	reader->sent = 0;
	if (reader->text == NULL || loop_modify(reader->status->loop, &reader->source, LOOP_WRITE) != 0)
		reader_end(reader);
}

void relay_status_answer(struct relay_status *status, const char *text) {
	status->asked = false;
	for (size_t i = 0; i < RELAY_STATUS_READERS_MAX; i++) {
		struct reader *reader = &status->readers[i];

		if (reader->source.fd >= 0 && reader->state == READER_ASKED)
			answer_reader(reader, text);
	}
	ask(status);
}

static int fail(char error[static RELAY_STATUS_ERROR_BYTES], int code, const char *path, const char *what) {
	snprintf(error, RELAY_STATUS_ERROR_BYTES, "status socket %s: %s", path, what);
	return code;
}

/* A socket that nobody answers on is left over from a relay that could not remove it. */
static void remove_stale(const struct sockaddr_un *addr) {
	struct stat info;
	int fd;

	if (lstat(addr->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)(const void *)addr, sizeof(*addr)) != 0 && errno == ECONNREFUSED)
		unlink(addr->sun_path);
	close(fd);
}

static int bind_private(int fd, const struct sockaddr_un *addr) {
	mode_t mask = umask(0177);
	int result = bind(fd, (const struct sockaddr *)(const void *)addr, sizeof(*addr));
	int saved = errno;

	umask(mask);
	errno = saved;
	return result;
}

static int open_listener(struct relay_status *status, const char *path, char error[static RELAY_STATUS_ERROR_BYTES]) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail(error, BASE_E_IO, path, strerror(errno));
	remove_stale(&status->addr);
	if (bind_private(fd, &status->addr) != 0) {
		int code = errno == EADDRINUSE ? BASE_E_EXISTS : errno == EACCES ? BASE_E_DENIED : BASE_E_IO;

		fail(error, code, path, strerror(errno));
		close(fd);
		return code;
	}
	if (listen(fd, RELAY_STATUS_READERS_MAX) != 0 || loop_add(status->loop, &status->listener, fd, LOOP_READ) != 0) {
		fail(error, BASE_E_IO, path, strerror(errno));
		close(fd);
		unlink(path);
		return BASE_E_IO;
	}
	return 0;
}

int relay_status_open(struct loop *loop, const char *path, void (*wanted)(void *user), void *user,
                      struct relay_status **ret, char error[static RELAY_STATUS_ERROR_BYTES]) {
	struct relay_status *status;
	int result;

	/* To Linux an empty path is a name that every user may connect to. */
	if (path[0] == '\0')
		return fail(error, BASE_E_INVALID, "''", "the path is empty");
	if (strlen(path) >= sizeof(status->addr.sun_path))
		return fail(error, BASE_E_TOO_BIG, path, "the path is too long for a unix socket");
	status = calloc(1, sizeof(*status));
	if (status == NULL)
		return fail(error, BASE_E_NOMEM, path, base_error_text(BASE_E_NOMEM));
	status->loop = loop;
	status->wanted = wanted;
	status->user = user;
	status->addr.sun_family = AF_UNIX;
	memcpy(status->addr.sun_path, path, strlen(path));
	status->listener = (struct loop_source){.ready = listener_ready, .user = status};
	loop_timer_init(&status->pause, pause_over, status);
	for (size_t i = 0; i < RELAY_STATUS_READERS_MAX; i++) {
		status->readers[i].status = status;
		status->readers[i].source.fd = -1;
	}
	result = open_listener(status, path, error);
	if (result != 0) {
		free(status);
		return result;
	}
	*ret = status;
	return 0;
}

void relay_status_close(struct relay_status *status) {
	if (status == NULL)
		return;
	for (size_t i = 0; i < RELAY_STATUS_READERS_MAX; i++)
		reader_end(&status->readers[i]);
	(void)loop_timer_set(status->loop, &status->pause, BASE_NEVER);
	loop_remove(status->loop, &status->listener);
	close(status->listener.fd);
	unlink(status->addr.sun_path);
	free(status);
}
