/* fuzz/replay.c: a main for fuzz targets without libFuzzer: runs every file of the folders and files named on the
 * command line through the target once, plus the empty input and each proper prefix of every small file. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PREFIX_BYTES_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is copied to a heap block of its exact size, so that sanitizers see any overrun. */
static void run_once(const uint8_t *data, size_t len) {
	uint8_t *copy = calloc(1, len > 0 ? len : 1);

	if (copy == NULL)
		abort();
	memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static int run_file(const char *path) {
	static uint8_t buf[1 << 20];
	FILE *file = fopen(path, "rb");
	size_t len;

	if (file == NULL) {
		fprintf(stderr, "%s: cannot be opened\n", path);
		return -1;
	}
	len = fread(buf, 1, sizeof(buf), file);
	fclose(file);
	run_once(buf, len);
	if (len <= PREFIX_BYTES_MAX) {
		for (size_t cut = 0; cut < len; cut++)
			run_once(buf, cut);
	}
	return 0;
}

static int run_folder(const char *path, size_t *count) {
	char name[4096];
	struct dirent *entry;
	DIR *dir = opendir(path);
	int result = 0;

	if (dir == NULL) {
		fprintf(stderr, "%s: cannot be opened\n", path);
		return -1;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (run_file(name) != 0)
			result = -1;
		(*count)++;
	}
	closedir(dir);
	return result;
}

int main(int argc, char **argv) {
	size_t count = 0;
	int result = 0;

	run_once((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++) {
		struct stat info;

		if (stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode)) {
			if (run_folder(argv[i], &count) != 0)
				result = 1;
		} else {
			if (run_file(argv[i]) != 0)
				result = 1;
			count++;
		}
	}
	printf("%zu inputs replayed\n", count);
	if (count == 0) {
		fprintf(stderr, "no inputs: an empty corpus tests nothing\n");
		return 1;
	}
	return result;
}
