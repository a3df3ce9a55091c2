/* Any bytes as registry values. Input: for each value in turn one byte type (0xff: not there), one byte length, the
 * bytes; the last eats the rest. */
#include "client-tap/registry.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct tapwin_raw values[TAPWIN_VALUE_COUNT] = {{.present = false}};
	struct base_reader reader = base_reader_of(slice_of(data, size));
	char error[TAPWIN_ERROR_BYTES] = "", list[4096], guid[TAPWIN_GUID_BYTES];
	struct tapwin_adapter adapter;
	struct base_text text;
	size_t chosen;
	int err;

	for (size_t i = 0; i < TAPWIN_VALUE_COUNT; i++) {
		uint8_t type, len;

		if (base_read_u8(&reader, &type) != 0 || base_read_u8(&reader, &len) != 0)
			break;
		values[i].present = type != 0xff;
		values[i].type = type;
		if (i == TAPWIN_VALUE_COUNT - 1)
			values[i].bytes = reader.rest;
		else if (base_read_bytes(&reader, len, &values[i].bytes) != 0)
			break;
	}
	err = tapwin_adapter_parse("0007", values, &adapter, error);
	if (err != 0) {
		if (err != BASE_E_NOT_FOUND && error[0] == '\0')
			abort();
		return 0;
	}
	if (tapwin_guid_parse(adapter.guid, guid) != 0 || strcmp(guid, adapter.guid) != 0)
		abort();
	base_text_init(&text, list, sizeof(list));
	tapwin_list_text(&adapter, 1, &text);
	for (size_t i = 0; i < text.len; i++)
		if ((uint8_t)list[i] < 0x20 && list[i] != '\n')
			abort(); /* a terminal would obey */
	if (text.truncated || tapwin_choose(&adapter, 1, adapter.guid, &chosen, error) != 0 || chosen != 0)
		abort();
	return 0;
}
