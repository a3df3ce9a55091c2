#include "cli/writer.h"

#include <stdlib.h>
#include <string.h>

static bool make_room(struct cli_writer *writer, size_t len) {
	size_t cap = writer->cap > 0 ? writer->cap : 1024;
	char *grown;

	if (writer->failed)
		return false;
	if (writer->cap - writer->len > len)
		return true;
	while (cap - writer->len <= len)
		cap *= 2;
	grown = realloc(writer->buf, cap);
	if (grown == NULL) {
		writer->failed = true;
		return false;
	}
	writer->buf = grown;
	writer->cap = cap;
	return true;
}

void cli_writer_add_bytes(struct cli_writer *writer, struct slice bytes) {
	if (bytes.len == 0 || !make_room(writer, bytes.len))
		return;
	memcpy(writer->buf + writer->len, bytes.data, bytes.len);
	writer->len += bytes.len;
	for (size_t i = 0; i < bytes.len; i++)
		writer->column = bytes.data[i] == '\n' ? 0 : writer->column + 1;
}

void cli_writer_add(struct cli_writer *writer, const char *text) {
	cli_writer_add_bytes(writer, slice_of_text(text));
}

void cli_writer_pad(struct cli_writer *writer, size_t column) {
	while (!writer->failed && writer->column < column)
		cli_writer_add(writer, " ");
}

char *cli_writer_finish(struct cli_writer *writer) {
	char *text = writer->buf;

	if (!make_room(writer, 0)) {
		free(text);
		return NULL;
	}
	writer->buf[writer->len] = '\0';
	return writer->buf;
}
