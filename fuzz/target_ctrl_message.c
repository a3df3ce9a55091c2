/* Control messages: a refusal says why in printable ASCII; what is accepted prints and parses back to the same value.
 */
#include "base/error.h"
#include "ctrl/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const char *error) {
	if (error[0] == '\0')
		abort();
	for (; *error != '\0'; error++) {
		if (*error < 0x20 || *error > 0x7e)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	struct ctrl_message message, again;
	char error[CTRL_ERROR_BYTES];
	int len;

	if (ctrl_message_parse(slice_of(data, size), &message, error) != 0) {
		check_error(error);
		return 0;
	}
	len = ctrl_message_print(&message, buf, sizeof(buf), error);
	if (message.type == CTRL_UNKNOWN ||
	    (message.type == CTRL_REJECT && message.reject.code == CTRL_REJECT_CODE_COUNT)) {
		if (len != BASE_E_INVALID)
			abort();
		return 0;
	}
	if (len <= CTRL_LENGTH_BYTES)
		abort();
	if (ctrl_message_parse(slice_of(buf + CTRL_LENGTH_BYTES, (size_t)len - CTRL_LENGTH_BYTES), &again, error) != 0)
		abort();
	if (memcmp(&message, &again, sizeof(message)) != 0)
		abort();
	return 0;
}
