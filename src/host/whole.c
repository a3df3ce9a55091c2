#include "host/whole.h"

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_READ_BYTES 4096

int host_fail(char error[static HOST_ERROR_BYTES], int code, const char *path, const char *what, const char *why) {
	struct base_text text;

	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "%.140s: %s%s%s", path, what, what[0] != '\0' ? ": " : "", why);
	return code;
}

/* No copy of what may be a secret stays behind. */
static uint8_t *move(uint8_t *bytes, size_t len, size_t cap) {
	uint8_t *grown = cap > 0 ? malloc(cap) : NULL;

	if (grown != NULL)
		memcpy(grown, bytes, len);
	base_wipe(bytes, len);
	free(bytes);
	return grown;
}

/* To the end or to max + 1 bytes, whichever comes first: the size a file claims may be wrong (/proc) or change. */
static int read_all(host_read_some *read_some, intptr_t file, size_t max, uint8_t **ret, size_t *ret_len) {
	size_t cap = max < FIRST_READ_BYTES ? max + 1 : FIRST_READ_BYTES, len = 0;
	uint8_t *bytes = malloc(cap + 1);

	while (bytes != NULL) {
		size_t got = 0;
		int err = read_some(file, bytes + len, cap - len, &got);

		if (err != 0) {
			move(bytes, len, 0);
			return err;
		}
		len += got;
		if (got == 0 || len > max)
			break;
		if (len < cap)
			continue;
		cap = cap > max / 2 ? max + 1 : cap * 2;
		bytes = move(bytes, len, cap + 1);
	}
	if (bytes == NULL)
		return BASE_E_NOMEM;
	bytes[len] = '\0';
	*ret = bytes;
	*ret_len = len;
	return 0;
}

int host_whole_read(host_read_some *read_some, intptr_t file, const char *path, size_t max, uint8_t **ret,
                    size_t *ret_len, char error[static HOST_ERROR_BYTES]) {
	uint8_t *bytes = NULL;
	size_t len = 0;
	int err = read_all(read_some, file, max, &bytes, &len);

	if (err != 0)
		return host_fail(error, err, path, "cannot be read", base_error_text(err));
	if (len > max) {
		char limit[64];

		move(bytes, len, 0);
		snprintf(limit, sizeof(limit), "is larger than %zu bytes", max);
		return host_fail(error, BASE_E_TOO_BIG, path, "", limit);
	}
	*ret = bytes;
	*ret_len = len;
	return 0;
}
