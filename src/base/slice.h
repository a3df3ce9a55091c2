/* base/slice.h: a borrowed view of bytes, and a reader over one that fails closed.
 *
 * Nothing here owns memory. A reader never moves past the end: reading too much returns BASE_E_SHORT and leaves the
 * reader where it was. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
	const uint8_t *data;
	size_t len;
};

static inline struct slice slice_of(const void *data, size_t len) {
	return (struct slice){.data = (const uint8_t *)data, .len = len};
}

/* The bytes of a NUL-terminated string without its NUL. */
struct slice slice_of_text(const char *text);
bool slice_equal(struct slice a, struct slice b);

struct base_reader {
	struct slice rest;
};

static inline struct base_reader base_reader_of(struct slice bytes) {
	return (struct base_reader){.rest = bytes};
}

/* Each returns 0, or BASE_E_SHORT with *ret and the reader untouched. Network byte order. */
int base_read_u8(struct base_reader *reader, uint8_t *ret);
int base_read_u16(struct base_reader *reader, uint16_t *ret);
int base_read_bytes(struct base_reader *reader, size_t len, struct slice *ret);

/* No byte is anything but zero; also of an empty one. */
static inline bool slice_is_zero(struct slice slice) {
	uint8_t any = 0;

	for (size_t i = 0; i < slice.len; i++)
		any |= slice.data[i];
	return any == 0;
}

#endif
