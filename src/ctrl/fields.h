/* ctrl/fields.h: one field of a control message: how it is stored, checked, read from JSON and written to it. Internal
 * to the room. message.c has the tables of fields; names.c the words.
 *
 * `read` refuses what `check` refuses; printing calls `check` before `write`. An optional field whose stored value is
 * zero or empty is absent. */
#ifndef CTRL_FIELDS_H
#define CTRL_FIELDS_H

#include "base/text.h"
#include "ctrl/message.h"

#include <jansson.h>

/* The words an enumeration may have on the wire, by value. */
struct ctrl_words {
	const char *const *names;
	size_t count;
	unsigned unknown; /* what a word not in the list decodes as, or CTRL_WORD_REFUSED */
};
#define CTRL_WORD_REFUSED UINT32_MAX

extern const struct ctrl_words ctrl_role_words, ctrl_reject_words, ctrl_leave_words;

/* Where errors go: the caller's buffer and the name of the message for the text. */
struct ctrl_context {
	const char *message;
	char *error; /* CTRL_ERROR_BYTES */
};

/* Writes "message.field: ..." (without the field for NULL) into the context's error and returns `code`. Nothing of the
 * peer's text may go into it. */
BASE_PRINTF(4, 5)
int ctrl_fail(const struct ctrl_context *context, const char *field, int code, const char *format, ...);

struct ctrl_field;

struct ctrl_kind {
	/* 0 or an error; `json` is not NULL. */
	int (*read)(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value);
	int (*check)(const struct ctrl_context *context, const struct ctrl_field *field, const void *value);
	/* A new reference, or NULL when memory is out; the value has been checked. */
	json_t *(*write)(const struct ctrl_field *field, const void *value);
	/* For optional fields; NULL: always there. */
	bool (*is_absent)(const struct ctrl_field *field, const void *value);
};

struct ctrl_field {
	const char *name;
	const struct ctrl_kind *kind;
	bool required;
	size_t offset; /* in struct ctrl_message */
	size_t size;
	uint64_t min, max;              /* numbers: range; text: characters */
	const struct ctrl_words *words; /* words only */
};

extern const struct ctrl_kind ctrl_kind_version, ctrl_kind_number, ctrl_kind_flag, ctrl_kind_words, ctrl_kind_mode;
extern const struct ctrl_kind ctrl_kind_room, ctrl_kind_name, ctrl_kind_text, ctrl_kind_address, ctrl_kind_mac;
extern const struct ctrl_kind ctrl_kind_seat_key, ctrl_kind_bytes, ctrl_kind_counters, ctrl_kind_drops;

#endif
