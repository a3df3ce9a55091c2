#include "base/error.h"
#include "host/host.h"
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every test runs in a folder of its own. */
static char folder[] = "/tmp/test-host-XXXXXX";

static int set_up(void **state) {
	(void)state;
	memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
	return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static size_t count_files(const char *pattern) {
	char command[128];
	FILE *list;
	size_t count = 0;

	snprintf(command, sizeof(command), "ls -A %s 2>/dev/null | wc -l", pattern);
	list = popen(command, "r");
	assert_non_null(list);
	assert_int_equal(fscanf(list, "%zu", &count), 1);
	pclose(list);
	return count;
}

static void test_write_then_read(void **state) {
	static const size_t lens[] = {0, 1, 4095, 4096, 4097, 100000};
	static uint8_t bytes[100000];
	char error[HOST_ERROR_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint8_t *back = NULL;
		struct stat info;
		size_t len;

		assert_int_equal(host_write_file("a/b/file", slice_of(bytes, lens[i]), 0600, error), 0);
		assert_int_equal(stat("a/b/file", &info), 0);
		assert_int_equal(info.st_mode & 07777, 0600);
		assert_int_equal(host_read_file("a/b/file", lens[i], &back, &len, error), 0);
		assert_int_equal(len, lens[i]);
		assert_memory_equal(back, bytes, len);
		assert_int_equal(back[len], 0);
		free(back);
		if (lens[i] == 0)
			continue;
		back = NULL;
		assert_int_equal(host_read_file("a/b/file", lens[i] - 1, &back, &len, error), BASE_E_TOO_BIG);
		assert_null(back);
		assert_non_null(strstr(error, "a/b/file: is larger than "));
	}
	assert_int_equal(count_files("a/b"), 1); /* no temporary file stays */
}

static void test_mode_and_replacement(void **state) {
	char error[HOST_ERROR_BYTES];
	struct stat info;

	(void)state;
	umask(077);
	assert_int_equal(host_write_file("cert", slice_of("old", 3), 0640, error), 0);
	assert_false(host_is_public("cert"));
	assert_false(host_is_public("missing"));
	assert_int_equal(host_write_file("cert", slice_of("old", 3), 0644, error), 0);
	assert_true(host_is_public("cert"));
	assert_int_equal(host_write_file("cert", slice_of("new", 3), 0644, error), 0);
	umask(022);
	assert_int_equal(stat("cert", &info), 0);
	assert_int_equal(info.st_mode & 07777, 0644);
	assert_int_equal(info.st_size, 3);
}

static void test_read_errors(void **state) {
	char error[HOST_ERROR_BYTES];
	uint8_t *bytes = NULL;
	size_t len = 77;

	(void)state;
	assert_int_equal(host_read_file("missing", 10, &bytes, &len, error), BASE_E_NOT_FOUND);
	assert_string_equal(error, "missing: No such file or directory");
	assert_int_equal(host_read_file("/tmp", 10, &bytes, &len, error), BASE_E_IO);
	assert_string_equal(error, "/tmp: is not a regular file");
	assert_int_equal(host_read_file("/dev/null", 10, &bytes, &len, error), BASE_E_IO);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(host_read_file("fifo", 10, &bytes, &len, error), BASE_E_IO);
	assert_null(bytes);
	assert_int_equal(len, 77);
}

/* As ssh does with keys. */
static void test_secret_open_to_others(void **state) {
	static const struct {
		mode_t mode;
		int result;
	} cases[] = {
	    {0600, 0},
	    {0400, 0},
	    {0640, BASE_E_DENIED},
	    {0620, BASE_E_DENIED},
	    {0604, BASE_E_DENIED},
	    {0644, BASE_E_DENIED},
	    {04600, 0},
	};
	char error[HOST_ERROR_BYTES] = "", label[16];

	(void)state;
	assert_int_equal(host_write_file("secret", slice_of("x", 1), 0600, error), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct host_hold hold = {0};
		uint8_t *bytes = NULL;
		size_t len;

		snprintf(label, sizeof(label), "%04o", (unsigned)cases[i].mode);
		assert_int_equal(chmod("secret", cases[i].mode), 0);
		unit_assert_int(host_read_secret("secret", 10, &bytes, &len, &hold, error), cases[i].result, label);
		unit_assert_int(hold.held, cases[i].result == 0, label);
		free(bytes);
		host_release(&hold);
	}
	assert_string_equal(error, "secret: others may read or write it (mode 0644): chmod 600");
}

/* Files of /proc say they are empty and are not. */
static void test_size_unknown(void **state) {
	char error[HOST_ERROR_BYTES];
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(host_read_file("/proc/self/status", 65536, &bytes, &len, error), 0);
	assert_true(len > 100);
	free(bytes);
}

/* A failed write leaves the old file and nothing else. */
static void test_write_errors(void **state) {
	char error[HOST_ERROR_BYTES], long_name[5000];
	struct stat info;

	(void)state;
	assert_int_equal(host_write_file("plain", slice_of("x", 1), 0600, error), 0);
	assert_int_equal(host_write_file("plain/below", slice_of("x", 1), 0600, error), BASE_E_IO);
	assert_non_null(strstr(error, "plain/below: cannot make "));
	assert_int_equal(mkdir("folder", 0755), 0);
	assert_int_equal(host_write_file("folder", slice_of("x", 1), 0600, error), BASE_E_IO);
	assert_string_equal(error, "folder: cannot be written: Is a directory");
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(symlink("/proc/self/fd/1", "stdout"), 0);
	assert_int_equal(host_write_file("fifo", slice_of("x", 1), 0600, error), BASE_E_IO);
	assert_string_equal(error, "fifo: is not a regular file");
	assert_int_equal(host_write_file("stdout", slice_of("x", 1), 0600, error), BASE_E_IO);
	assert_true(lstat("fifo", &info) == 0 && S_ISFIFO(info.st_mode));
	assert_true(lstat("stdout", &info) == 0 && S_ISLNK(info.st_mode));
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(host_write_file(long_name, slice_of("x", 1), 0600, error), BASE_E_IO);
	assert_int_equal(count_files("."), 4);
}

static void test_stderr_sink(void **state) {
	int pipe_fds[2], before = dup(STDERR_FILENO);
	char line[16] = "";

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
	host_stderr_sink(NULL, slice_of("line\n", 5));
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(read(pipe_fds[0], line, sizeof(line) - 1), 5);
	assert_string_equal(line, "line\n");
	close(before);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A pager nobody scrolls, a terminal after Ctrl-S: the line is lost, the process goes on. */
static void test_stderr_sink_of_a_full_pipe(void **state) {
	static const char block[4096];
	int pipe_fds[2], before = dup(STDERR_FILENO), flags;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	flags = fcntl(pipe_fds[1], F_GETFL);
	assert_int_equal(fcntl(pipe_fds[1], F_SETFL, flags | O_NONBLOCK), 0);
	while (write(pipe_fds[1], block, sizeof(block)) > 0) {
	}
	assert_int_equal(fcntl(pipe_fds[1], F_SETFL, flags), 0);
	assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
	alarm(5); /* without the answer to this test the write waits for ever */
	host_stderr_sink(NULL, slice_of("line\n", 5));
	alarm(0);
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	close(before);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A terminal emulator that hangs, an ssh session whose network is gone: the same. A terminal is ready with room for one
 * byte, and who else has it open reads and writes it as before. */
static void test_stderr_sink_of_a_full_terminal(void **state) {
	static const char line[] =
	    "a line that is about as long as those in the log are, which have a time, an event, fields\n";
	const struct slice bytes = slice_of(line, sizeof(line) - 1);
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, before = dup(STDERR_FILENO);
	struct host_stderr out;
	char back[sizeof(line)] = "";

	(void)state;
	assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(slave >= 0);
	assert_int_equal(dup2(slave, STDERR_FILENO), STDERR_FILENO);
	host_stderr_open(&out);
	alarm(5);
	for (int i = 0; i < 1000; i++)
		host_stderr_sink(&out, bytes);
	alarm(0);
	host_stderr_close(&out);
	assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	assert_true(read(master, back, sizeof(line) - 2) > 0);
	assert_int_equal(memcmp(back, line, strlen(back)), 0);
	close(before);
	close(slave);
	close(master);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_write_then_read),
	    TEST(test_mode_and_replacement),
	    TEST(test_read_errors),
	    TEST(test_secret_open_to_others),
	    TEST(test_size_unknown),
	    TEST(test_write_errors),
	    TEST(test_stderr_sink),
	    TEST(test_stderr_sink_of_a_full_pipe),
	    TEST(test_stderr_sink_of_a_full_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
