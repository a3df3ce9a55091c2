#include "ctrl/fields.h"

#include "base/addr.h"
#include "base/error.h"
#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(enum ctrl_role) == 4 && sizeof(enum ctrl_reject_code) == 4 && sizeof(enum ctrl_leave_reason) == 4,
               "words are stored as 32-bit numbers");

int ctrl_fail(const struct ctrl_context *context, const char *field, int code, const char *format, ...) {
	struct base_text text;
	va_list args;

	base_text_init(&text, context->error, CTRL_ERROR_BYTES);
	base_text_addf(&text, "%s%s%s: ", context->message, field != NULL ? "." : "", field != NULL ? field : "");
	va_start(args, format);
	vsnprintf(text.buf + text.len, text.cap - text.len, format, args);
	va_end(args);
	return code;
}

static int fail_type(const struct ctrl_context *context, const struct ctrl_field *field, const char *wanted) {
	return ctrl_fail(context, field->name, BASE_E_TYPE, "not %s", wanted);
}

/* Numbers. */

static uint64_t load(const struct ctrl_field *field, const void *value) {
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (field->size) {
	case sizeof(u16):
		memcpy(&u16, value, sizeof(u16));
		return u16;
	case sizeof(u32):
		memcpy(&u32, value, sizeof(u32));
		return u32;
	default:
		assert(field->size == sizeof(u64));
		memcpy(&u64, value, sizeof(u64));
		return u64;
	}
}

static void store(const struct ctrl_field *field, void *value, uint64_t number) {
	uint32_t u32 = (uint32_t)number;
	uint16_t u16 = (uint16_t)number;

	switch (field->size) {
	case sizeof(u16):
		memcpy(value, &u16, sizeof(u16));
		break;
	case sizeof(u32):
		memcpy(value, &u32, sizeof(u32));
		break;
	default:
		assert(field->size == sizeof(number));
		memcpy(value, &number, sizeof(number));
		break;
	}
}

/* JSON integers are signed 64-bit numbers here: a count that has grown beyond is printed as the largest of them. */
static json_t *write_u64(uint64_t number) {
	return json_integer((json_int_t)(number <= INT64_MAX ? number : INT64_MAX));
}

static int check_range(const struct ctrl_context *context, const struct ctrl_field *field, uint64_t number) {
	if (number >= field->min && number <= field->max)
		return 0;
	return ctrl_fail(context, field->name, BASE_E_RANGE, "%llu, allowed is %llu to %llu", (unsigned long long)number,
	                 (unsigned long long)field->min, (unsigned long long)field->max);
}

static int read_number(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	json_int_t number = json_integer_value(json);
	int err;

	if (!json_is_integer(json))
		return fail_type(context, field, "an integer");
	if (number < 0)
		return ctrl_fail(context, field->name, BASE_E_RANGE, "negative");
	err = check_range(context, field, (uint64_t)number);
	if (err == 0)
		store(field, value, (uint64_t)number);
	return err;
}

static int check_number(const struct ctrl_context *context, const struct ctrl_field *field, const void *value) {
	return check_range(context, field, load(field, value));
}

static json_t *write_number(const struct ctrl_field *field, const void *value) {
	return write_u64(load(field, value));
}

static bool is_zero(const struct ctrl_field *field, const void *value) {
	return load(field, value) == 0;
}

const struct ctrl_kind ctrl_kind_number = {read_number, check_number, write_number, is_zero};

static int fail_version(const struct ctrl_context *context, const struct ctrl_field *field, long long version) {
	return ctrl_fail(context, field->name, BASE_E_VERSION, "%lld, this side speaks %d", version, CTRL_PROTOCOL_VERSION);
}

static int read_version(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	json_int_t version = json_integer_value(json);

	if (!json_is_integer(json))
		return fail_type(context, field, "an integer");
	if (version != CTRL_PROTOCOL_VERSION)
		return fail_version(context, field, (long long)version);
	store(field, value, CTRL_PROTOCOL_VERSION);
	return 0;
}

static int check_version(const struct ctrl_context *context, const struct ctrl_field *field, const void *value) {
	uint64_t version = load(field, value);

	return version == CTRL_PROTOCOL_VERSION ? 0 : fail_version(context, field, (long long)version);
}

const struct ctrl_kind ctrl_kind_version = {read_version, check_version, write_number, NULL};

/* Booleans. */

static int read_flag(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	if (!json_is_boolean(json))
		return fail_type(context, field, "true or false");
	*(bool *)value = json_is_true(json);
	return 0;
}

/* For values that are all good. */
static int check_nothing(const struct ctrl_context *context, const struct ctrl_field *field, const void *value) {
	(void)context;
	(void)field;
	(void)value;
	return 0;
}

static json_t *write_flag(const struct ctrl_field *field, const void *value) {
	(void)field;
	return json_boolean(*(const bool *)value);
}

static bool is_false(const struct ctrl_field *field, const void *value) {
	(void)field;
	return !*(const bool *)value;
}

const struct ctrl_kind ctrl_kind_flag = {read_flag, check_nothing, write_flag, is_false};

/* Enumerations. */

static int fail_word(const struct ctrl_context *context, const struct ctrl_field *field) {
	return ctrl_fail(context, field->name, BASE_E_INVALID, "not a %s of this protocol", field->name);
}

static int read_word(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	const struct ctrl_words *words = field->words;
	const char *word = json_string_value(json);
	unsigned index = 0;

	if (word == NULL)
		return fail_type(context, field, "a string");
	while (index < words->count && strcmp(words->names[index], word) != 0)
		index++;
	if (index == words->count) {
		if (words->unknown == CTRL_WORD_REFUSED)
			return fail_word(context, field);
		index = words->unknown;
	}
	store(field, value, index);
	return 0;
}

/* Stricter than reading: what an unknown word was decoded as may have no name to be printed under. */
static int check_word(const struct ctrl_context *context, const struct ctrl_field *field, const void *value) {
	return load(field, value) < field->words->count ? 0 : fail_word(context, field);
}

static json_t *write_word(const struct ctrl_field *field, const void *value) {
	return json_string(field->words->names[load(field, value)]);
}

const struct ctrl_kind ctrl_kind_words = {read_word, check_word, write_word, NULL};

/* The one mode there is: nothing is stored. */

static int read_mode(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	(void)value;
	if (!json_is_string(json))
		return fail_type(context, field, "a string");
	if (strcmp(json_string_value(json), "ethernet") != 0)
		return ctrl_fail(context, field->name, BASE_E_INVALID, "only \"ethernet\" is known");
	return 0;
}

static json_t *write_mode(const struct ctrl_field *field, const void *value) {
	(void)field;
	(void)value;
	return json_string("ethernet");
}

const struct ctrl_kind ctrl_kind_mode = {read_mode, check_nothing, write_mode, NULL};

/* Text in char arrays of field->size bytes, NUL included. */

static bool is_printable(char c) {
	return c >= 0x20 && c < 0x7f;
}

static bool is_room_char(char c) {
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

static bool all_are(bool (*is_good)(char c), const char *text) {
	while (*text != '\0' && is_good(*text))
		text++;
	return *text == '\0';
}

static int check_length(const struct ctrl_context *context, const struct ctrl_field *field, size_t len) {
	if (len < field->min)
		return ctrl_fail(context, field->name, BASE_E_RANGE, "empty");
	if (len > field->max)
		return ctrl_fail(context, field->name, BASE_E_RANGE, "%zu characters, at most %llu allowed", len,
		                 (unsigned long long)field->max);
	return 0;
}

/* Copies a string that fits; its characters are judged by the check of its kind. */
static int read_string(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	size_t len = json_string_length(json);
	int err;

	if (!json_is_string(json))
		return fail_type(context, field, "a string");
	err = check_length(context, field, len);
	if (err != 0)
		return err;
	assert(len < field->size);
	memcpy(value, json_string_value(json), len + 1);
	return field->kind->check(context, field, value);
}

static json_t *write_string(const struct ctrl_field *field, const void *value) {
	(void)field;
	return json_string(value);
}

static bool is_empty(const struct ctrl_field *field, const void *value) {
	(void)field;
	return *(const char *)value == '\0';
}

static int check_room(const struct ctrl_context *context, const struct ctrl_field *field, const void *value) {
	int err = check_length(context, field, strnlen(value, field->size));

	if (err == 0 && !all_are(is_room_char, value))
		err = ctrl_fail(context, field->name, BASE_E_INVALID, "only A-Z, a-z, 0-9, '-' and '_' are allowed");
	return err;
}

static int check_printable(const struct ctrl_context *context, const struct ctrl_field *field, const void *value) {
	int err = check_length(context, field, strnlen(value, field->size));

	if (err == 0 && !all_are(is_printable, value))
		err = ctrl_fail(context, field->name, BASE_E_INVALID, "only printable ASCII characters are allowed");
	return err;
}

static int check_address(const struct ctrl_context *context, const struct ctrl_field *field, const void *value) {
	size_t len = strnlen(value, field->size);
	int err = check_length(context, field, len);
	struct base_addr addr;

	if (err == 0 && len > 0 && base_addr_parse_ip(value, len, &addr) != 0)
		err = ctrl_fail(context, field->name, BASE_E_INVALID, "not an IP address");
	return err;
}

const struct ctrl_kind ctrl_kind_room = {read_string, check_room, write_string, is_empty};
const struct ctrl_kind ctrl_kind_name = {read_string, check_printable, write_string, is_empty};
const struct ctrl_kind ctrl_kind_address = {read_string, check_address, write_string, is_empty};

/* Prose of the other side goes to terminals and logs: made harmless rather than refused, since the code beside it is
 * what counts. Each character outside printable ASCII becomes one '?'. */
static int read_text(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	const char *from = json_string_value(json);
	struct base_text text;

	if (from == NULL)
		return fail_type(context, field, "a string");
	base_text_init(&text, value, field->size);
	for (; *from != '\0'; from++) {
		bool continues = ((unsigned char)*from & 0xc0) == 0x80; /* RFC 3629: not the first byte of its character */

		if (!continues)
			base_text_add_char(&text, is_printable(*from) ? *from : '?');
	}
	return 0;
}

const struct ctrl_kind ctrl_kind_text = {read_text, check_printable, write_string, is_empty};

int ctrl_room_check(const char *room) {
	size_t len = strnlen(room, CTRL_ROOM_BYTES_MAX);

	if (len == 0 || len == CTRL_ROOM_BYTES_MAX)
		return BASE_E_RANGE;
	return all_are(is_room_char, room) ? 0 : BASE_E_INVALID;
}

int ctrl_name_check(const char *name) {
	if (strnlen(name, CTRL_NAME_BYTES_MAX) == CTRL_NAME_BYTES_MAX)
		return BASE_E_RANGE;
	return all_are(is_printable, name) ? 0 : BASE_E_INVALID;
}

/* MAC addresses; all zeros is no address. */

static int check_mac(const struct ctrl_context *context, const struct ctrl_field *field, const void *value) {
	const struct proto_mac *mac = value;

	if (proto_mac_check_identity(*mac) != 0)
		return ctrl_fail(context, field->name, BASE_E_INVALID, "must be a unicast address that is not zero");
	return 0;
}

static int read_mac(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	if (!json_is_string(json))
		return fail_type(context, field, "a string");
	if (proto_mac_parse(json_string_value(json), json_string_length(json), value) != 0)
		return ctrl_fail(context, field->name, BASE_E_INVALID, "not a MAC address");
	return check_mac(context, field, value);
}

static json_t *write_mac(const struct ctrl_field *field, const void *value) {
	const struct proto_mac *mac = value;
	char buf[PROTO_MAC_TEXT_BYTES];

	(void)field;
	return json_string(proto_mac_text(*mac, buf));
}

static bool is_zero_mac(const struct ctrl_field *field, const void *value) {
	const struct proto_mac *mac = value;

	(void)field;
	return proto_mac_is_zero(*mac);
}

const struct ctrl_kind ctrl_kind_mac = {read_mac, check_mac, write_mac, is_zero_mac};

/* The seat key: the value is the whole hello, which says in has_seat_key whether there is one. */

static int read_seat_key(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json,
                         void *value) {
	struct ctrl_hello *hello = value;

	if (!json_is_string(json))
		return fail_type(context, field, "a string");
	if (base_parse_hex(json_string_value(json), json_string_length(json), hello->seat_key, CTRL_SEAT_KEY_BYTES) != 0)
		return ctrl_fail(context, field->name, BASE_E_INVALID, "not %d hexadecimal digits", 2 * CTRL_SEAT_KEY_BYTES);
	hello->has_seat_key = true;
	return 0;
}

static json_t *write_seat_key(const struct ctrl_field *field, const void *value) {
	const struct ctrl_hello *hello = value;
	char buf[2 * CTRL_SEAT_KEY_BYTES + 1];
	struct base_text text;

	(void)field;
	base_text_init(&text, buf, sizeof(buf));
	base_text_add_hex(&text, slice_of(hello->seat_key, CTRL_SEAT_KEY_BYTES));
	return json_string(buf);
}

static bool has_no_seat_key(const struct ctrl_field *field, const void *value) {
	const struct ctrl_hello *hello = value;

	(void)field;
	return !hello->has_seat_key;
}

const struct ctrl_kind ctrl_kind_seat_key = {read_seat_key, check_nothing, write_seat_key, has_no_seat_key};

/* Bytes in hexadecimal: the value is an array of field->size of them, zeros for none. */

static int read_bytes(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	if (!json_is_string(json))
		return fail_type(context, field, "a string");
	if (base_parse_hex(json_string_value(json), json_string_length(json), value, field->size) != 0)
		return ctrl_fail(context, field->name, BASE_E_INVALID, "not %zu hexadecimal digits", 2 * field->size);
	return 0;
}

static json_t *write_bytes(const struct ctrl_field *field, const void *value) {
	char buf[2 * CTRL_SALT_BYTES + 1];
	struct base_text text;

	base_text_init(&text, buf, sizeof(buf));
	base_text_add_hex(&text, slice_of(value, field->size));
	assert(!text.truncated);
	return json_string(buf);
}

static bool is_zero_bytes(const struct ctrl_field *field, const void *value) {
	return slice_is_zero(slice_of(value, field->size));
}

const struct ctrl_kind ctrl_kind_bytes = {read_bytes, check_nothing, write_bytes, is_zero_bytes};

/* Counters: an object from names to numbers; the value is the array that the names index. */

static int read_tally(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json,
                      uint64_t *values, int (*find)(const char *name)) {
	const char *name;
	json_t *number;

	if (!json_is_object(json))
		return fail_type(context, field, "an object");
	json_object_foreach(json, name, number) {
		int index = find(name);

		if (index < 0)
			continue;
		if (!json_is_integer(number))
			return ctrl_fail(context, field->name, BASE_E_TYPE, "%s is not an integer", name);
		if (json_integer_value(number) < 0)
			return ctrl_fail(context, field->name, BASE_E_RANGE, "%s is negative", name);
		values[index] = (uint64_t)json_integer_value(number);
	}
	return 0;
}

/* Sets one member of a new object; on failure the object is gone. */
static json_t *with_member(json_t *object, const char *name, uint64_t number) {
	if (object == NULL || number == 0 || json_object_set_new(object, name, write_u64(number)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static int read_counters(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json,
                         void *value) {
	return read_tally(context, field, json, value, obs_counter_find);
}

static int read_drops(const struct ctrl_context *context, const struct ctrl_field *field, json_t *json, void *value) {
	return read_tally(context, field, json, value, obs_drop_find);
}

static json_t *write_counters(const struct ctrl_field *field, const void *value) {
	const uint64_t *values = value;
	json_t *object = json_object();

	(void)field;
	for (unsigned i = 0; i < OBS_COUNTER_COUNT; i++)
		object = with_member(object, obs_counter_name((enum obs_counter)i), values[i]);
	return object;
}

static json_t *write_drops(const struct ctrl_field *field, const void *value) {
	const uint64_t *values = value;
	json_t *object = json_object();

	(void)field;
	for (unsigned i = 0; i < OBS_DROP_COUNT; i++)
		object = with_member(object, obs_drop_name((enum obs_drop)i), values[i]);
	return object;
}

const struct ctrl_kind ctrl_kind_counters = {read_counters, check_nothing, write_counters, NULL};
const struct ctrl_kind ctrl_kind_drops = {read_drops, check_nothing, write_drops, NULL};
