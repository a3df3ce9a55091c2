/* The control stream, fed in portions of the size that the first byte says: the same messages and the same end as
 * walking over the whole at once by hand. */
#include "base/bytes.h"
#include "base/error.h"
#include "ctrl/stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must come next out of *all: 1 with a message, 0 at a clean or early end, or an error. */
static int expect(struct slice *all, struct slice *ret_json) {
	uint32_t len;

	if (all->len < CTRL_LENGTH_BYTES)
		return 0;
	len = base_get_u32(all->data);
	if (len == 0)
		return BASE_E_LENGTH;
	if (len > CTRL_MESSAGE_BYTES_MAX)
		return BASE_E_TOO_BIG;
	if (all->len - CTRL_LENGTH_BYTES < len)
		return 0;
	*ret_json = slice_of(all->data + CTRL_LENGTH_BYTES, len);
	*all = slice_of(all->data + CTRL_LENGTH_BYTES + len, all->len - CTRL_LENGTH_BYTES - len);
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct ctrl_stream stream;
	struct slice rest, json, wanted, portion;
	size_t step;
	int result = 0;

	if (size < 2)
		return 0;
	step = data[0] > 0 ? data[0] : 1;
	rest = slice_of(data + 1, size - 1);
	ctrl_stream_init(&stream);
	for (size_t pos = 1; pos < size && result >= 0; pos += step) {
		portion = slice_of(data + pos, size - pos < step ? size - pos : step);
		while ((result = ctrl_stream_next(&stream, &portion, &json)) == 1) {
			if (expect(&rest, &wanted) != 1 || !slice_equal(json, wanted))
				abort();
		}
		if (result == 0 && portion.len != 0)
			abort();
	}
	if (expect(&rest, &wanted) != result || (result == 0 && ctrl_stream_pending(&stream) != rest.len))
		abort();
	if (result < 0 && ctrl_stream_next(&stream, &portion, &json) != result)
		abort();
	return 0;
}
