/* base/text.h: a bounded string builder over the caller's buffer. It always keeps the buffer NUL-terminated and
 * remembers when something did not fit; it never allocates. Also the hex and number helpers everything shares. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/slice.h"

/* printf-like: argument `format_index` is the format, `first` the first to be formatted. The formats are C99's
 * everywhere, which gcc calls gnu_printf where the C library's own differ (Windows). */
#ifdef __clang__
#define BASE_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define BASE_PRINTF(format_index, first) __attribute__((format(gnu_printf, format_index, first)))
#endif

struct base_text {
	char *buf;
	size_t cap; /* bytes in buf, NUL included; at least 1 */
	size_t len; /* without NUL */
	bool truncated;
};

void base_text_init(struct base_text *text, char *buf, size_t cap);
void base_text_add(struct base_text *text, const char *string);
void base_text_add_bytes(struct base_text *text, struct slice bytes);
void base_text_add_char(struct base_text *text, char c);
/* A stranger's bytes, made harmless for terminals and logs: each outside printable ASCII becomes '?'. */
void base_text_add_printable(struct base_text *text, struct slice bytes);
/* What a person wrote and is to recognise, UTF-8 too: in quotes, shortened, with '?' for control characters. */
void base_text_add_quoted(struct base_text *text, struct slice bytes);
void base_text_add_u64(struct base_text *text, uint64_t value);
void base_text_add_hex(struct base_text *text, struct slice bytes); /* lower case, no separator */
BASE_PRINTF(2, 3)
void base_text_addf(struct base_text *text, const char *format, ...);

/* As much of `string` as fits, into cap (at least 1) bytes. */
void base_text_copy(char *buf, size_t cap, const char *string);

/* Strict decimal: digits only, no sign, no leading blank, at most `max`. 0, BASE_E_SYNTAX or BASE_E_RANGE. */
int base_parse_u64(const char *string, size_t len, uint64_t max, uint64_t *ret);
/* Exactly `len` bytes from 2 * len hex digits of either case. 0 or BASE_E_SYNTAX. */
int base_parse_hex(const char *string, size_t string_len, uint8_t *ret, size_t len);

#endif
