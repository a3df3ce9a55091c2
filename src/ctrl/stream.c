#include "ctrl/stream.h"

#include "base/bytes.h"
#include "base/error.h"

#include <string.h>

void ctrl_stream_init(struct ctrl_stream *stream) {
	stream->len = 0;
}

/* Moves bytes over until the buffer holds `want` of them. */
static bool fill(struct ctrl_stream *stream, struct slice *bytes, size_t want) {
	size_t missing = want - stream->len;
	size_t taken = bytes->len < missing ? bytes->len : missing;

	if (taken > 0) {
		memcpy(stream->buf + stream->len, bytes->data, taken);
		stream->len += taken;
		*bytes = slice_of(bytes->data + taken, bytes->len - taken);
	}
	return taken == missing;
}

/* Whether the buffer holds a whole message, which then has been handed out. A refused length prefix is none: it stays
 * in the buffer and is refused again. */
static bool is_whole(const struct ctrl_stream *stream) {
	return stream->len > CTRL_LENGTH_BYTES && stream->len == CTRL_LENGTH_BYTES + base_get_u32(stream->buf);
}

int ctrl_stream_next(struct ctrl_stream *stream, struct slice *bytes, struct slice *ret_json) {
	uint32_t json_len;

	if (is_whole(stream))
		stream->len = 0;
	if (stream->len < CTRL_LENGTH_BYTES && !fill(stream, bytes, CTRL_LENGTH_BYTES))
		return 0;
	json_len = base_get_u32(stream->buf);
	if (json_len == 0)
		return BASE_E_LENGTH;
	if (json_len > CTRL_MESSAGE_BYTES_MAX)
		return BASE_E_TOO_BIG;
	if (!fill(stream, bytes, CTRL_LENGTH_BYTES + json_len))
		return 0;
	*ret_json = slice_of(stream->buf + CTRL_LENGTH_BYTES, json_len);
	return 1;
}

size_t ctrl_stream_pending(const struct ctrl_stream *stream) {
	return is_whole(stream) ? 0 : stream->len;
}
