/* client-tap/words.h: error texts and names at the edge to Windows. Internal to the room. */
#ifndef CLIENT_TAP_WORDS_H
#define CLIENT_TAP_WORDS_H

#include "client-tap/registry.h"

/* "WHAT: words (Windows error N)" for a number of GetLastError(); returns the code of base/error.h. */
int tapwin_fail(char error[static TAPWIN_ERROR_BYTES], const char *what, unsigned long code);
/* ASCII into UTF-16; the caller's texts are ours or checked (GUIDs, subkeys). */
void tapwin_widen(const char *ascii, wchar_t *ret, size_t cap);

#endif
