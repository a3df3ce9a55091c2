#include "client-core/identity.h"

#include "base/error.h"
#include "base/text.h"

#include <jansson.h>
#include <string.h>

#define KEY_SHOWN_MAX 40 /* longer than any field's name */

static int fail(char *error, int code, const char *field, const char *what) {
	struct base_text text;

	base_text_init(&text, error, CLIENT_IDENTITY_ERROR_BYTES);
	if (field != NULL)
		base_text_addf(&text, "%s: ", field);
	base_text_add(&text, what);
	return code;
}

/* `key` may be any text. */
static int fail_key(char *error, int code, const char *what, const char *key) {
	struct base_text text;

	base_text_init(&text, error, CLIENT_IDENTITY_ERROR_BYTES);
	base_text_add(&text, what);
	base_text_add_printable(&text, slice_of(key, strnlen(key, KEY_SHOWN_MAX)));
	return code;
}

static int take_version(const json_t *value, struct client_identity *identity, char *error) {
	(void)identity;
	if (!json_is_integer(value))
		return fail(error, BASE_E_TYPE, "version", "not an integer");
	if (json_integer_value(value) != CLIENT_IDENTITY_VERSION)
		return fail(error, BASE_E_VERSION, "version", "not 1, the only one known here");
	return 0;
}

static int take_mac(const json_t *value, struct client_identity *identity, char *error) {
	struct proto_mac mac;

	if (!json_is_string(value))
		return fail(error, BASE_E_TYPE, "mac", "not a string");
	if (proto_mac_parse(json_string_value(value), json_string_length(value), &mac) != 0)
		return fail(error, BASE_E_INVALID, "mac", "not six octets like 02:11:22:33:44:55");
	if (proto_mac_check_identity(mac) != 0)
		return fail(error, BASE_E_INVALID, "mac", "must be a unicast address and not zero");
	identity->mac = mac;
	return 0;
}

static int take_seat_key(const json_t *value, struct client_identity *identity, char *error) {
	if (!json_is_string(value))
		return fail(error, BASE_E_TYPE, "seat_key", "not a string");
	if (base_parse_hex(json_string_value(value), json_string_length(value), identity->seat_key,
	                   sizeof(identity->seat_key)) != 0)
		return fail(error, BASE_E_INVALID, "seat_key", "not 32 hex digits");
	return 0;
}

static const struct {
	const char *name;
	int (*take)(const json_t *value, struct client_identity *identity, char *error);
} fields[] = {
    {"version", take_version}, /* first: another version may give the rest another meaning */
    {"mac", take_mac},
    {"seat_key", take_seat_key},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static bool is_known(const char *name) {
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (strcmp(name, fields[i].name) == 0)
			return true;
	}
	return false;
}

static int refuse_unknown(json_t *root, char *error) {
	for (void *at = json_object_iter(root); at != NULL; at = json_object_iter_next(root, at)) {
		if (!is_known(json_object_iter_key(at)))
			return fail_key(error, BASE_E_INVALID, "unknown field: ", json_object_iter_key(at));
	}
	return 0;
}

static int take_fields(json_t *root, struct client_identity *identity, char *error) {
	if (!json_is_object(root))
		return fail(error, BASE_E_TYPE, NULL, "not a JSON object");
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const json_t *value = json_object_get(root, fields[i].name);
		int err;

		if (value == NULL)
			return fail(error, BASE_E_MISSING, fields[i].name, "missing");
		err = fields[i].take(value, identity, error);
		if (err != 0)
			return err;
	}
	return json_object_size(root) == FIELD_COUNT ? 0 : refuse_unknown(root, error);
}

int client_identity_parse(struct slice json, struct client_identity *ret,
                          char error[static CLIENT_IDENTITY_ERROR_BYTES]) {
	struct client_identity identity = {0};
	json_error_t where;
	json_t *root;
	int err;

	if (json.len > CLIENT_IDENTITY_BYTES_MAX)
		return fail(error, BASE_E_TOO_BIG, NULL, "longer than any identity");
	root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &where);
	if (root == NULL) {
		/* Without memory jansson says nothing, or blames the token it was reading. */
		if (where.text[0] == '\0' || json_error_code(&where) == json_error_out_of_memory)
			return fail(error, BASE_E_NOMEM, NULL, "out of memory");
		if (json_error_code(&where) == json_error_duplicate_key)
			return fail_key(error, BASE_E_DUPLICATE, "", where.text);
		return fail(error, BASE_E_SYNTAX, NULL, json.len == 0 ? "empty" : "not JSON, or cut off");
	}
	err = take_fields(root, &identity, error);
	json_decref(root);
	if (err == 0)
		*ret = identity;
	return err;
}

int client_identity_print(const struct client_identity *identity, char *buf, size_t cap) {
	char mac[PROTO_MAC_TEXT_BYTES];
	struct base_text text;

	if (cap == 0)
		return BASE_E_TOO_BIG;
	if (proto_mac_check_identity(identity->mac) != 0)
		return BASE_E_INVALID;
	base_text_init(&text, buf, cap);
	base_text_addf(&text, "{\"version\":%d,\"mac\":\"%s\",\"seat_key\":\"", CLIENT_IDENTITY_VERSION,
	               proto_mac_text(identity->mac, mac));
	base_text_add_hex(&text, slice_of(identity->seat_key, sizeof(identity->seat_key)));
	base_text_add(&text, "\"}\n");
	return text.truncated ? BASE_E_TOO_BIG : (int)text.len;
}

struct client_identity client_identity_from_random(const uint8_t random[static CLIENT_IDENTITY_RANDOM_BYTES]) {
	struct client_identity identity = {.mac = proto_mac_from_random(random)};

	memcpy(identity.seat_key, random + PROTO_MAC_BYTES, sizeof(identity.seat_key));
	return identity;
}
