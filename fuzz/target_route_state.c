/* Any text as a state file: what parses is written back as the same bytes. */
#include "client-route/state_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct route_change changes[ROUTE_STATE_CHANGES_MAX], again[ROUTE_STATE_CHANGES_MAX];
	char error[ROUTE_ERROR_BYTES] = "", buf[ROUTE_STATE_BYTES_MAX];
	struct base_text text;
	size_t count = 0, count_again = 0;

	if (route_state_parse(slice_of(data, size), changes, &count, error) != 0) {
		if (error[0] == '\0')
			abort();
		return 0;
	}
	base_text_init(&text, buf, sizeof(buf));
	route_state_write(changes, count, &text);
	if (route_state_parse(slice_of(buf, text.len), again, &count_again, error) != 0 || count_again != count)
		abort();
	for (size_t i = 0; i < count; i++)
		if (again[i].kind != changes[i].kind || again[i].luid != changes[i].luid || again[i].set != changes[i].set ||
		    again[i].was != changes[i].was || !route_entry_same(&again[i].pin, &changes[i].pin))
			abort();
	return 0;
}
