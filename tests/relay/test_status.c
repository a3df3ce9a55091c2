#include "relay/status.h"

#include "base/error.h"
#include "tests/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct scene {
	char folder[32];
	char path[64];
	struct loop *loop;
	struct relay_status *status;
	size_t text_len;
	unsigned asked;
	bool later; /* the test answers */
};

static void answer(struct scene *scene) {
	char *text = malloc(scene->text_len + 1);

	assert_non_null(text);
	memset(text, 'x', scene->text_len);
	text[scene->text_len] = '\0';
	relay_status_answer(scene->status, text);
	free(text);
}

static void wanted(void *user) {
	struct scene *scene = user;

	scene->asked++;
	if (!scene->later)
		answer(scene);
}

static struct scene *scene_new(void) {
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	memcpy(scene->folder, "/tmp/relay-status-XXXXXX", 25);
	assert_non_null(mkdtemp(scene->folder));
	snprintf(scene->path, sizeof(scene->path), "%s/socket", scene->folder);
	scene->loop = loop_new();
	assert_non_null(scene->loop);
	scene->text_len = 10;
	return scene;
}

static int scene_open(struct scene *scene, char error[static RELAY_STATUS_ERROR_BYTES]) {
	return relay_status_open(scene->loop, scene->path, wanted, scene, &scene->status, error);
}

static void scene_free(struct scene *scene) {
	relay_status_close(scene->status);
	loop_free(scene->loop);
	unlink(scene->path);
	assert_int_equal(rmdir(scene->folder), 0);
	free(scene);
}

static int dial(const struct scene *scene) {
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	memcpy(addr.sun_path, scene->path, strlen(scene->path));
	assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Reads until end of file, with the loop turning; returns the bytes. */
static size_t read_all(struct scene *scene, int fd) {
	char buf[4096];
	size_t total = 0;

	for (int turn = 0; turn < 10000; turn++) {
		ssize_t got = read(fd, buf, sizeof(buf));

		if (got == 0) {
			close(fd);
			return total;
		}
		if (got > 0)
			total += (size_t)got;
		else
			assert_int_equal(loop_run_once(scene->loop, 0), 0);
	}
	fail_msg("no end of file after %zu bytes", total);
	return 0;
}

static void test_one_object_and_end_of_file(void **state) {
	struct scene *scene = scene_new();
	char error[RELAY_STATUS_ERROR_BYTES];
	struct stat info;

	(void)state;
	assert_int_equal(scene_open(scene, error), 0);
	assert_int_equal(stat(scene->path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(read_all(scene, dial(scene)), 10);
	scene->text_len = 3000000; /* more than a socket takes at once */
	assert_int_equal(read_all(scene, dial(scene)), 3000000);
	assert_int_equal(scene->asked, 2);
	scene_free(scene);
}

static void test_slow_readers_give_way(void **state) {
	struct scene *scene = scene_new();
	char error[RELAY_STATUS_ERROR_BYTES];
	int slow[RELAY_STATUS_READERS_MAX];

	(void)state;
	assert_int_equal(scene_open(scene, error), 0);
	scene->text_len = 3000000;
	for (size_t i = 0; i < RELAY_STATUS_READERS_MAX; i++) {
		slow[i] = dial(scene);
		for (int turn = 0; turn < 5; turn++)
			loop_run_once(scene->loop, 0);
	}
	assert_int_equal(read_all(scene, dial(scene)), 3000000);
	assert_true(read_all(scene, slow[0]) < 3000000);
	assert_int_equal(read_all(scene, slow[1]), 3000000);
	close(slow[2]);
	close(slow[3]);
	loop_run_once(scene->loop, 0);
	scene_free(scene);
}

static void turns(struct scene *scene) {
	for (int turn = 0; turn < 5; turn++)
		assert_int_equal(loop_run_once(scene->loop, 0), 0);
}

/* Nobody gets what was collected before it came. */
static void test_answers_come_later(void **state) {
	struct scene *scene = scene_new();
	char error[RELAY_STATUS_ERROR_BYTES];
	int first, second, third, gone;

	(void)state;
	scene->later = true;
	assert_int_equal(scene_open(scene, error), 0);
	first = dial(scene);
	turns(scene);
	second = dial(scene);
	gone = dial(scene);
	third = dial(scene);
	turns(scene);
	assert_int_equal(scene->asked, 1);
	close(gone);
	turns(scene);
	answer(scene);
	assert_int_equal(scene->asked, 2);
	assert_int_equal(read_all(scene, first), 10);
	scene->text_len = 20;
	answer(scene);
	assert_int_equal(read_all(scene, second), 20);
	assert_int_equal(read_all(scene, third), 20);
	assert_int_equal(scene->asked, 2);
	/* There is nothing to say. */
	first = dial(scene);
	turns(scene);
	relay_status_answer(scene->status, NULL);
	assert_int_equal(read_all(scene, first), 0);
	/* Those who wait give way too, and one who does not wait leaves nothing behind. */
	for (size_t i = 0; i < RELAY_STATUS_READERS_MAX + 1; i++) {
		gone = dial(scene);
		turns(scene);
		close(gone);
	}
	turns(scene);
	answer(scene);
	turns(scene);
	first = dial(scene);
	turns(scene);
	answer(scene);
	assert_int_equal(read_all(scene, first), 20);
	scene_free(scene);
}

static void test_names_in_use(void **state) {
	struct scene *scene = scene_new();
	struct scene second = *scene;
	char error[RELAY_STATUS_ERROR_BYTES];
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	FILE *file;
	int fd;

	(void)state;
	assert_int_equal(scene_open(scene, error), 0);
	assert_int_equal(scene_open(&second, error), BASE_E_EXISTS);
	assert_non_null(strstr(error, scene->path));
	relay_status_close(scene->status);
	scene->status = NULL;
	/* A file that is no socket stays. */
	file = fopen(scene->path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(scene_open(scene, error), BASE_E_EXISTS);
	assert_int_equal(unlink(scene->path), 0);
	/* A socket that nobody listens on any more is replaced. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	memcpy(addr.sun_path, scene->path, strlen(scene->path));
	assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(scene_open(scene, error), 0);
	scene_free(scene);
}

static void test_bad_paths(void **state) {
	struct scene *scene = scene_new();
	char error[RELAY_STATUS_ERROR_BYTES], path[256];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(relay_status_open(scene->loop, path, wanted, scene, &scene->status, error), BASE_E_TOO_BIG);
	assert_int_equal(relay_status_open(scene->loop, "", wanted, scene, &scene->status, error), BASE_E_INVALID);
	assert_int_equal(relay_status_open(scene->loop, "/nonexistent/x", wanted, scene, &scene->status, error), BASE_E_IO);
	assert_null(scene->status);
	scene_free(scene);
}

/* The listener stays ready while nobody can be let in: looked at all the time it would take a core. */
static void test_no_descriptor_free(void **state) {
	struct scene *scene = scene_new();
	char error[RELAY_STATUS_ERROR_BYTES];
	struct rlimit before, none;
	uint64_t start, took;
	int fd;

	(void)state;
	assert_int_equal(scene_open(scene, error), 0);
	fd = dial(scene);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	start = loop_now(scene->loop);
	for (int turn = 0; turn < 5; turn++)
		assert_int_equal(loop_run_once(scene->loop, 60 * BASE_MS), 0);
	took = loop_now(scene->loop) - start;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(took >= 200 * BASE_MS);
	assert_int_equal(scene->asked, 0);
	while (scene->asked == 0 && loop_now(scene->loop) < start + 10 * BASE_SECOND)
		assert_int_equal(loop_run_once(scene->loop, 60 * BASE_MS), 0);
	assert_int_equal(read_all(scene, fd), 10);
	/* The pause may be on when the socket is closed. */
	fd = dial(scene);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	turns(scene);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	scene_free(scene);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_object_and_end_of_file),
	    cmocka_unit_test(test_slow_readers_give_way),
	    cmocka_unit_test(test_answers_come_later),
	    cmocka_unit_test(test_names_in_use),
	    cmocka_unit_test(test_bad_paths),
	    cmocka_unit_test(test_no_descriptor_free),
	};

	return cmocka_run_group_tests_name("relay/status", tests, NULL, NULL);
}
