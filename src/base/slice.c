#include "base/slice.h"

#include "base/bytes.h"
#include "base/error.h"

#include <string.h>

struct slice slice_of_text(const char *text) {
	return slice_of(text, strlen(text));
}

bool slice_equal(struct slice a, struct slice b) {
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int base_read_bytes(struct base_reader *reader, size_t len, struct slice *ret) {
	if (reader->rest.len < len)
		return BASE_E_SHORT;
	*ret = slice_of(reader->rest.data, len);
	if (len > 0)
		reader->rest = slice_of(reader->rest.data + len, reader->rest.len - len);
	return 0;
}

int base_read_u8(struct base_reader *reader, uint8_t *ret) {
	struct slice bytes;
	int err = base_read_bytes(reader, 1, &bytes);

	if (err == 0)
		*ret = bytes.data[0];
	return err;
}

int base_read_u16(struct base_reader *reader, uint16_t *ret) {
	struct slice bytes;
	int err = base_read_bytes(reader, 2, &bytes);

	if (err == 0)
		*ret = base_get_u16(bytes.data);
	return err;
}
