/* The tables of messages and their fields, and the two directions over them. */
#include "ctrl/message.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "ctrl/fields.h"
#include "proto/mtu.h"

#include <assert.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Where a field lives: in `member` of the union of struct ctrl_message. */
#define PLACE(member, field) \
	.offset = offsetof(struct ctrl_message, member.field), .size = sizeof(((struct ctrl_message *)NULL)->member.field)
#define NUMBER(low, high) .kind = &ctrl_kind_number, .min = (low), .max = (high)
#define WORD(list) .kind = &ctrl_kind_words, .words = &(list)
#define TEXT(text_kind, shortest, bytes_max) .kind = &(text_kind), .min = (shortest), .max = (bytes_max)-1

/* CTL-3: a client is known by its MAC; a gateway speaks for many and has none. */
static int check_role_mac(const struct ctrl_context *context, enum ctrl_role role, struct proto_mac mac) {
	if (role == CTRL_ROLE_CLIENT && proto_mac_is_zero(mac))
		return ctrl_fail(context, "mac", BASE_E_MISSING, "missing, a client must tell it");
	if (role == CTRL_ROLE_GATEWAY && !proto_mac_is_zero(mac))
		return ctrl_fail(context, "mac", BASE_E_INVALID, "a gateway has none");
	return 0;
}

bool ctrl_has_room_key(const struct ctrl_hello *hello) {
	return !slice_is_zero(slice_of(hello->room_key, sizeof(hello->room_key)));
}

static int check_hello(const struct ctrl_context *context, const struct ctrl_message *message) {
	const struct ctrl_hello *hello = &message->hello;
	bool has_salt = !slice_is_zero(slice_of(hello->salt, sizeof(hello->salt)));

	if (ctrl_has_room_key(hello) && !has_salt)
		return ctrl_fail(context, "salt", BASE_E_MISSING, "missing, room_key needs it");
	if (!ctrl_has_room_key(hello) && has_salt)
		return ctrl_fail(context, "room_key", BASE_E_MISSING, "missing, salt needs it");
	return check_role_mac(context, hello->role, hello->mac);
}

static int check_reject(const struct ctrl_context *context, const struct ctrl_message *message) {
	if (message->reject.code == CTRL_REJECT_WRONG_SHARD && message->reject.cid_byte == 0)
		return ctrl_fail(context, "cid_byte", BASE_E_MISSING, "missing, wrong_shard must tell it");
	return 0;
}

static int check_peer_joined(const struct ctrl_context *context, const struct ctrl_message *message) {
	return check_role_mac(context, message->peer_joined.role, message->peer_joined.mac);
}

static int check_welcome(const struct ctrl_context *context, const struct ctrl_message *message) {
	if (!message->welcome.gateway && message->welcome.gateway_peer != 0)
		return ctrl_fail(context, "gateway_peer_id", BASE_E_INVALID, "given although no gateway is present");
	return 0;
}

/* The version comes first where there is one: of another version nothing else is looked at. */
static const struct ctrl_field hello_fields[] = {
    {"version", .kind = &ctrl_kind_version, .required = true, PLACE(hello, version)},
    {"role", WORD(ctrl_role_words), .required = true, PLACE(hello, role)},
    {"room", TEXT(ctrl_kind_room, 1, CTRL_ROOM_BYTES_MAX), .required = true, PLACE(hello, room)},
    {"mac", .kind = &ctrl_kind_mac, PLACE(hello, mac)},
    /* A budget too small for any room is no bad hello: the relay's answer to it says why (RLY-3). */
    {"budget", NUMBER(1, PROTO_BUDGET_MAX), .required = true, PLACE(hello, budget)},
    {"name", TEXT(ctrl_kind_name, 0, CTRL_NAME_BYTES_MAX), PLACE(hello, name)},
    {"seat_key", .kind = &ctrl_kind_seat_key, .offset = offsetof(struct ctrl_message, hello)},
    {"room_key", .kind = &ctrl_kind_bytes, PLACE(hello, room_key)},
    {"salt", .kind = &ctrl_kind_bytes, PLACE(hello, salt)},
};

static const struct ctrl_field welcome_fields[] = {
    {"version", .kind = &ctrl_kind_version, .required = true, PLACE(welcome, version)},
    {"mode", .kind = &ctrl_kind_mode, .required = true},
    {"peer_id", NUMBER(1, UINT32_MAX), .required = true, PLACE(welcome, peer_id)},
    {"mtu", NUMBER(PROTO_TAP_MTU_MIN, PROTO_TAP_MTU_MAX), .required = true, PLACE(welcome, mtu)},
    {"gateway", .kind = &ctrl_kind_flag, .required = true, PLACE(welcome, gateway)},
    {"gateway_peer_id", NUMBER(1, UINT32_MAX), PLACE(welcome, gateway_peer)}, /* CTL-4: optional */
    {"sealed", .kind = &ctrl_kind_flag, PLACE(welcome, sealed)},
    {"other_room_key", .kind = &ctrl_kind_flag, PLACE(welcome, other_key)},
};

static const struct ctrl_field reject_fields[] = {
    {"code", WORD(ctrl_reject_words), .required = true, PLACE(reject, code)},
    {"text", TEXT(ctrl_kind_text, 0, CTRL_TEXT_BYTES_MAX), PLACE(reject, text)},
    {"cid_byte", NUMBER(1, UINT8_MAX), PLACE(reject, cid_byte)},
};

static const struct ctrl_field peer_joined_fields[] = {
    {"peer_id", NUMBER(1, UINT32_MAX), .required = true, PLACE(peer_joined, peer_id)},
    {"role", WORD(ctrl_role_words), .required = true, PLACE(peer_joined, role)},
    {"mac", .kind = &ctrl_kind_mac, PLACE(peer_joined, mac)},
    {"name", TEXT(ctrl_kind_name, 0, CTRL_NAME_BYTES_MAX), PLACE(peer_joined, name)},
    {"salt", .kind = &ctrl_kind_bytes, PLACE(peer_joined, salt)},
};

static const struct ctrl_field peer_left_fields[] = {
    {"peer_id", NUMBER(1, UINT32_MAX), .required = true, PLACE(peer_left, peer_id)},
    {"reason", WORD(ctrl_leave_words), .required = true, PLACE(peer_left, reason)},
};

static const struct ctrl_field stats_fields[] = {
    {"counters", .kind = &ctrl_kind_counters, PLACE(stats, counters.value)},
    {"drops", .kind = &ctrl_kind_drops, PLACE(stats, counters.drop)},
    {"rtt_us", NUMBER(0, UINT64_MAX), PLACE(stats, rtt_us)},
    {"datagram_budget", NUMBER(0, UINT16_MAX), PLACE(stats, datagram_budget)},
    {"route_pinned", .kind = &ctrl_kind_flag, PLACE(stats, route_pinned)},
    {"tap_ready", .kind = &ctrl_kind_flag, PLACE(stats, tap_ready)},
    {"tap_address", TEXT(ctrl_kind_address, 0, CTRL_ADDRESS_BYTES_MAX), PLACE(stats, tap_address)},
};

static const struct ctrl_field lan_fields[] = {
    {"up", .kind = &ctrl_kind_flag, .required = true, PLACE(lan, up)},
};

static const struct ctrl_field shut_out_fields[] = {
    {"peer_id", NUMBER(1, UINT32_MAX), .required = true, PLACE(shut_out, peer_id)},
    {"out", .kind = &ctrl_kind_flag, .required = true, PLACE(shut_out, out)},
};

static const struct ctrl_field disconnect_fields[] = {
    {"reason", WORD(ctrl_leave_words), .required = true, PLACE(disconnect, reason)},
};

static const struct message_kind {
	const struct ctrl_field *fields;
	size_t field_count;
	/* What no single field can say; NULL: nothing. */
	int (*check)(const struct ctrl_context *context, const struct ctrl_message *message);
} kinds[CTRL_TYPE_COUNT] = {
    [CTRL_HELLO] = {hello_fields, COUNT_OF(hello_fields), check_hello},
    [CTRL_WELCOME] = {welcome_fields, COUNT_OF(welcome_fields), check_welcome},
    [CTRL_REJECT] = {reject_fields, COUNT_OF(reject_fields), check_reject},
    [CTRL_PEER_JOINED] = {peer_joined_fields, COUNT_OF(peer_joined_fields), check_peer_joined},
    [CTRL_PEER_LEFT] = {peer_left_fields, COUNT_OF(peer_left_fields), NULL},
    [CTRL_STATS] = {stats_fields, COUNT_OF(stats_fields), NULL},
    [CTRL_LAN] = {lan_fields, COUNT_OF(lan_fields), NULL},
    [CTRL_SHUT_OUT] = {shut_out_fields, COUNT_OF(shut_out_fields), NULL},
    [CTRL_DISCONNECT] = {disconnect_fields, COUNT_OF(disconnect_fields), NULL},
};

static const void *place_of(const struct ctrl_message *message, const struct ctrl_field *field) {
	return (const uint8_t *)message + field->offset;
}

static bool is_absent(const struct ctrl_message *message, const struct ctrl_field *field) {
	return !field->required && field->kind->is_absent != NULL &&
	       field->kind->is_absent(field, place_of(message, field));
}

static int fail_size(const struct ctrl_context *context, size_t len, size_t room) {
	size_t max = room < CTRL_MESSAGE_BYTES_MAX ? room : CTRL_MESSAGE_BYTES_MAX;

	return ctrl_fail(context, NULL, BASE_E_TOO_BIG, "%zu bytes, at most %zu allowed", len, max);
}

static int check_together(const struct ctrl_context *context, const struct ctrl_message *message) {
	const struct message_kind *kind = &kinds[message->type];

	return kind->check != NULL ? kind->check(context, message) : 0;
}

/* Parsing. */

/* What jansson found, in our codes. It says nothing at all when memory runs out, or blames the token it was reading. */
static int code_of(const json_error_t *problem) {
	if (problem->text[0] == '\0')
		return BASE_E_NOMEM;
	switch (json_error_code(problem)) {
	case json_error_out_of_memory:
		return BASE_E_NOMEM;
	case json_error_end_of_input_expected:
		return BASE_E_TRAILING;
	case json_error_duplicate_key:
		return BASE_E_DUPLICATE;
	case json_error_numeric_overflow:
		return BASE_E_RANGE;
	default:
		return BASE_E_SYNTAX;
	}
}

/* The library quotes the text it stumbled over: strangers' bytes, made harmless. */
static int fail_load(const json_error_t *problem, char error[static CTRL_ERROR_BYTES]) {
	struct base_text text;

	base_text_init(&text, error, CTRL_ERROR_BYTES);
	base_text_addf(&text, "message, byte %d: ", problem->position);
	if (problem->text[0] == '\0')
		base_text_add(&text, base_error_text(BASE_E_NOMEM));
	base_text_add_printable(&text, slice_of_text(problem->text));
	return code_of(problem);
}

static int find_type(const json_t *object, enum ctrl_type *ret, char error[static CTRL_ERROR_BYTES]) {
	const struct ctrl_context context = {"message", error};
	const json_t *json = json_object_get(object, "type");
	int type = CTRL_UNKNOWN + 1;

	if (json == NULL)
		return ctrl_fail(&context, "type", BASE_E_MISSING, "missing");
	if (!json_is_string(json))
		return ctrl_fail(&context, "type", BASE_E_TYPE, "not a string");
	while (type < CTRL_TYPE_COUNT && strcmp(ctrl_type_name((enum ctrl_type)type), json_string_value(json)) != 0)
		type++;
	*ret = type < CTRL_TYPE_COUNT ? (enum ctrl_type)type : CTRL_UNKNOWN;
	return 0;
}

static int read_fields(const json_t *object, struct ctrl_message *message, char error[static CTRL_ERROR_BYTES]) {
	const struct ctrl_context context = {ctrl_type_name(message->type), error};
	const struct message_kind *kind = &kinds[message->type];

	for (size_t i = 0; i < kind->field_count; i++) {
		const struct ctrl_field *field = &kind->fields[i];
		json_t *json = json_object_get(object, field->name);
		int err;

		if (json == NULL && field->required)
			return ctrl_fail(&context, field->name, BASE_E_MISSING, "missing");
		/* Some encoders write an absent option as null. */
		if (json == NULL || (json_is_null(json) && !field->required))
			continue;
		err = field->kind->read(&context, field, json, (uint8_t *)message + field->offset);
		if (err != 0)
			return err;
	}
	return check_together(&context, message);
}

static int read_message(const json_t *root, struct ctrl_message *ret, char error[static CTRL_ERROR_BYTES]) {
	const struct ctrl_context context = {"message", error};
	struct ctrl_message message;
	int err;

	if (!json_is_object(root))
		return ctrl_fail(&context, NULL, BASE_E_TYPE, "not an object");
	memset(&message, 0, sizeof(message)); /* an initializer would reach the first member of the union only */
	err = find_type(root, &message.type, error);
	if (err == 0)
		err = read_fields(root, &message, error);
	if (err == 0)
		*ret = message;
	return err;
}

int ctrl_message_parse(struct slice json, struct ctrl_message *ret, char error[static CTRL_ERROR_BYTES]) {
	const struct ctrl_context context = {"message", error};
	json_error_t problem;
	json_t *root;
	int err;

	error[0] = '\0';
	if (json.len > CTRL_MESSAGE_BYTES_MAX)
		return fail_size(&context, json.len, CTRL_MESSAGE_BYTES_MAX);
	root = json_loadb(json.len > 0 ? (const char *)json.data : "", json.len, JSON_REJECT_DUPLICATES, &problem);
	if (root == NULL)
		return fail_load(&problem, error);
	err = read_message(root, ret, error);
	json_decref(root);
	return err;
}

/* Printing. */

static int check_fields(const struct ctrl_context *context, const struct ctrl_message *message) {
	const struct message_kind *kind = &kinds[message->type];

	for (size_t i = 0; i < kind->field_count; i++) {
		const struct ctrl_field *field = &kind->fields[i];
		int err = is_absent(message, field) ? 0 : field->kind->check(context, field, place_of(message, field));

		if (err != 0)
			return err;
	}
	return check_together(context, message);
}

/* A new reference, or NULL when memory is out. */
static json_t *write_fields(const struct ctrl_message *message) {
	const struct message_kind *kind = &kinds[message->type];
	json_t *object = json_object();
	int err = json_object_set_new(object, "type", json_string(ctrl_type_name(message->type)));

	for (size_t i = 0; i < kind->field_count && err == 0; i++) {
		const struct ctrl_field *field = &kind->fields[i];

		if (!is_absent(message, field))
			err = json_object_set_new(object, field->name, field->kind->write(field, place_of(message, field)));
	}
	if (err == 0)
		return object;
	json_decref(object);
	return NULL;
}

int ctrl_message_print(const struct ctrl_message *message, uint8_t *buf, size_t cap,
                       char error[static CTRL_ERROR_BYTES]) {
	const struct ctrl_context context = {ctrl_type_name(message->type), error};
	size_t room = cap > CTRL_LENGTH_BYTES ? cap - CTRL_LENGTH_BYTES : 0;
	json_t *object;
	size_t len;
	int err;

	error[0] = '\0';
	if (message->type <= CTRL_UNKNOWN || message->type >= CTRL_TYPE_COUNT)
		return ctrl_fail(&context, NULL, BASE_E_INVALID, "not a message type that can be printed");
	err = check_fields(&context, message);
	if (err != 0)
		return err;
	object = write_fields(message);
	if (object == NULL)
		return ctrl_fail(&context, NULL, BASE_E_NOMEM, "out of memory");
	len = json_dumpb(object, room > 0 ? (char *)buf + CTRL_LENGTH_BYTES : NULL, room, JSON_COMPACT);
	json_decref(object);
	if (len == 0)
		return ctrl_fail(&context, NULL, BASE_E_NOMEM, "out of memory");
	if (len > CTRL_MESSAGE_BYTES_MAX || len > room)
		return fail_size(&context, len, room);
	base_put_u32(buf, (uint32_t)len);
	return (int)(CTRL_LENGTH_BYTES + len);
}
