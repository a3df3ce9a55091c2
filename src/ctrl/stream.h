/* ctrl/stream.h: cuts the control stream into messages: bytes in any portions in, whole JSON texts out. Bounded: a
 * length prefix over CTRL_MESSAGE_BYTES_MAX fails at once, before anything is buffered for it. */
#ifndef CTRL_STREAM_H
#define CTRL_STREAM_H

#include "ctrl/message.h"

struct ctrl_stream {
	uint8_t buf[CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX];
	size_t len;
};

void ctrl_stream_init(struct ctrl_stream *stream);

/* Takes bytes from the front of *bytes (advancing it) until one message is complete. 1 with *ret_json (valid until the
 * next call); 0 when all bytes are taken and more are needed; BASE_E_TOO_BIG or BASE_E_LENGTH (a length of 0), which
 * every further call returns again. */
int ctrl_stream_next(struct ctrl_stream *stream, struct slice *bytes, struct slice *ret_json);

/* Bytes of an unfinished message that wait for the rest: not 0 at the end of the stream means half a message. */
size_t ctrl_stream_pending(const struct ctrl_stream *stream);

#endif
