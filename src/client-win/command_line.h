/* client-win/command_line.h: the command line that Windows keeps for the service, made from the one that installed it.
 * Pure. */
#ifndef CLIENT_WIN_COMMAND_LINE_H
#define CLIENT_WIN_COMMAND_LINE_H

#include "base/text.h"

/* Windows itself takes 32767 characters; this bounds our buffers. */
#define WINMAIN_COMMAND_LINE_BYTES 8192

/* Adds one argument so that CommandLineToArgvW and the C library read it back as it is. */
void winmain_quote(struct base_text *out, const char *argument);

/* `program` (an absolute path), then argv without its first and without --service, then "--service run". A service
 * starts in another folder, so `absolute` (with `user`) is asked for the full path of every file that an option names:
 * it adds it to its text, or returns false. False: something did not fit, or `absolute` said so. */
bool winmain_service_command(struct base_text *out, const char *program, int argc, const char *const *argv,
                             bool (*absolute)(void *user, const char *path, struct base_text *out), void *user);

/* "C:\x" and "\\server\x" say where a file is; other names depend on the folder that a program runs in. */
bool winmain_is_full_path(const char *path);

#endif
