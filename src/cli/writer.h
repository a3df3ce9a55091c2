/* cli/writer.h: a growing string for --help and the man page. Private to the room. */
#ifndef CLI_WRITER_H
#define CLI_WRITER_H

#include "base/slice.h"

struct cli_writer {
	char *buf;
	size_t len, cap;
	size_t column; /* bytes since the last newline */
	bool failed;   /* memory ran out: what follows is dropped */
};

void cli_writer_add_bytes(struct cli_writer *writer, struct slice bytes);
void cli_writer_add(struct cli_writer *writer, const char *text);
/* Blanks up to a column. */
void cli_writer_pad(struct cli_writer *writer, size_t column);
/* The string, which is the caller's now, or NULL when memory ran out. */
char *cli_writer_finish(struct cli_writer *writer);

#endif
