/* roomkey/window.h: which counters of a sender were seen, so that nobody can send its frames again (RFC 6479's ring of
 * words). On their way frames overtake each other, a game's those of a download, and a sender counts its frames to
 * anybody. So the window holds what it can send (150,000 frames a second) while a frame waits in two queues (200 ms
 * each). */
#ifndef ROOMKEY_WINDOW_H
#define ROOMKEY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define ROOMKEY_WINDOW_WORDS 1024
#define ROOMKEY_WINDOW (64 * (ROOMKEY_WINDOW_WORDS - 1)) /* counters behind the highest that are surely remembered */

/* Zeros: none seen. */
struct roomkey_window {
	uint64_t highest;
	uint64_t seen[ROOMKEY_WINDOW_WORDS]; /* the word of counter / 64, modulo their number */
};

/* Neither seen nor too old to be known. */
bool roomkey_window_is_new(const struct roomkey_window *window, uint64_t counter);
/* For a new one. */
void roomkey_window_mark(struct roomkey_window *window, uint64_t counter);
/* As if all counters up to this one had been seen, and none after it. */
void roomkey_window_close(struct roomkey_window *window, uint64_t highest);

#endif
