#include "ctrl/message.h"

#include "base/bytes.h"
#include "tests/ctrl/vectors.h"
#include "tests/unit.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>

#define BUF_BYTES (CTRL_LENGTH_BYTES + CTRL_MESSAGE_BYTES_MAX)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *vectors_path;

/* Parses from a heap block of the exact size, so that sanitizers see any overrun; checks what holds for every input. */
static int parse(struct slice json, struct ctrl_message *ret, char error[static CTRL_ERROR_BYTES]) {
	struct ctrl_message before;
	uint8_t *copy = malloc(json.len > 0 ? json.len : 1);
	int err;

	assert_non_null(copy);
	if (json.len > 0)
		memcpy(copy, json.data, json.len);
	memset(ret, 0x5a, sizeof(*ret));
	memcpy(&before, ret, sizeof(before));
	err = ctrl_message_parse(slice_of(copy, json.len), ret, error);
	free(copy);
	assert_int_equal(err == 0, error[0] == '\0');
	if (err != 0)
		assert_memory_equal(ret, &before, sizeof(before));
	return err;
}

static int parse_text(const char *json, struct ctrl_message *ret, char error[static CTRL_ERROR_BYTES]) {
	return parse(slice_of_text(json), ret, error);
}

/* What was parsed prints, and parses again to the same value. The exception is a reject code nobody knows. */
static void check_round_trip(const struct ctrl_message *message, const char *name) {
	struct ctrl_message again;
	uint8_t buf[BUF_BYTES];
	char error[CTRL_ERROR_BYTES];
	int len = ctrl_message_print(message, buf, sizeof(buf), error);

	unit_assert_true(len > CTRL_LENGTH_BYTES, name);
	unit_assert_int(base_get_u32(buf), len - CTRL_LENGTH_BYTES, name);
	unit_assert_int(parse(slice_of(buf + CTRL_LENGTH_BYTES, (size_t)len - CTRL_LENGTH_BYTES), &again, error), 0, name);
	unit_assert_true(memcmp(message, &again, sizeof(again)) == 0, name);
	for (size_t cap = 0; cap < (size_t)len; cap += 7)
		unit_assert_int(ctrl_message_print(message, buf, cap, error), BASE_E_TOO_BIG, name);
}

static void test_vectors(void **state) {
	FILE *file = fopen(vectors_path, "r");
	struct vector vector;
	size_t count = 0;

	(void)state;
	assert_non_null(file);
	for (; vector_next(file, &vector); count++) {
		struct ctrl_message message;
		char error[CTRL_ERROR_BYTES];

		unit_assert_true(vector.code <= 0, vector.name);
		unit_assert_int(parse_text(vector.json, &message, error), vector.code, vector.name);
		if (vector.code != 0)
			continue;
		if (message.type != CTRL_UNKNOWN)
			check_round_trip(&message, vector.name);
		/* Every proper prefix of an object that ends with its brace is refused. */
		for (size_t len = 0; len + 2 < strlen(vector.json); len++)
			unit_assert_true(parse(slice_of(vector.json, len), &message, error) < 0, vector.name);
	}
	fclose(file);
	assert_true(count > 100);
}

static void test_errors_name_the_field(void **state) {
	static const struct {
		const char *json, *error;
	} cases[] = {
	    {"{\"type\":\"hello\",\"version\":1,\"role\":\"gateway\",\"room\":"
	     "\"1234567890123456789012345678901234567890\"}",
	     "hello.room: 40 characters, at most 32 allowed"},
	    {"{\"type\":\"hello\",\"version\":1,\"role\":\"gateway\",\"room\":\"\"}", "hello.room: empty"},
	    {"{\"type\":\"hello\",\"version\":1,\"role\":\"gateway\",\"room\":\"a b\"}",
	     "hello.room: only A-Z, a-z, 0-9, '-' and '_' are allowed"},
	    {"{\"type\":\"hello\",\"version\":9}", "hello.version: 9, this side speaks 1"},
	    {"{\"type\":\"hello\",\"version\":1,\"role\":\"x\"}", "hello.role: not a role of this protocol"},
	    {"{\"type\":\"hello\",\"version\":1}", "hello.role: missing"},
	    {"{\"type\":\"hello\",\"version\":1,\"role\":\"client\",\"room\":\"R\",\"budget\":1400}",
	     "hello.mac: missing, a client must tell it"},
	    {"{\"type\":\"welcome\",\"version\":1,\"mode\":\"ip\"}", "welcome.mode: only \"ethernet\" is known"},
	    {"{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":0}",
	     "welcome.peer_id: 0, allowed is 1 to 4294967295"},
	    {"{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":1,\"mtu\":1501}",
	     "welcome.mtu: 1501, allowed is 576 to 1500"},
	    {"{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":1.0}",
	     "welcome.peer_id: not an integer"},
	    {"{\"type\":\"stats\",\"drops\":{\"arp\":-1}}", "stats.drops: arp is negative"},
	    {"{\"type\":7}", "message.type: not a string"},
	    {"[]", "message: not an object"},
	    {"{\"a\":\x1b", "message, byte 6: invalid token near '?'"},
	    {"{\"a\":1,\"a\":2}", "message, byte 10: duplicate object key near '\"a\"'"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct ctrl_message message;
		char error[CTRL_ERROR_BYTES];

		assert_true(parse_text(cases[i].json, &message, error) < 0);
		assert_string_equal(error, cases[i].error);
	}
}

static void test_values(void **state) {
	static const uint8_t key[CTRL_SEAT_KEY_BYTES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff};
	struct ctrl_message message;
	char error[CTRL_ERROR_BYTES];

	(void)state;
	assert_int_equal(parse_text("{\"type\":\"hello\",\"version\":1,\"role\":\"client\",\"room\":\"ROOM1\",\"mac\":"
	                            "\"02:00:00:00:00:01\",\"budget\":1400,\"name\":\"Anna\","
	                            "\"seat_key\":\"000102030405060708090a0b0c0d0eFF\"}",
	                            &message, error),
	                 0);
	assert_int_equal(message.type, CTRL_HELLO);
	assert_int_equal(message.hello.version, 1);
	assert_int_equal(message.hello.role, CTRL_ROLE_CLIENT);
	assert_string_equal(message.hello.room, "ROOM1");
	assert_memory_equal(message.hello.mac.b, "\x02\0\0\0\0\x01", 6);
	assert_int_equal(message.hello.budget, 1400);
	assert_string_equal(message.hello.name, "Anna");
	assert_true(message.hello.has_seat_key);
	assert_memory_equal(message.hello.seat_key, key, sizeof(key));

	assert_int_equal(parse_text("{\"type\":\"welcome\",\"version\":1,\"mode\":\"ethernet\",\"peer_id\":7,\"mtu\":1300,"
	                            "\"gateway\":true}",
	                            &message, error),
	                 0);
	assert_int_equal(message.type, CTRL_WELCOME);
	assert_int_equal(message.welcome.peer_id, 7);
	assert_int_equal(message.welcome.mtu, 1300);
	assert_true(message.welcome.gateway);
	assert_int_equal(message.welcome.gateway_peer, 0);

	assert_int_equal(parse_text("{\"type\":\"peer_left\",\"peer_id\":2,\"reason\":\"abducted\"}", &message, error), 0);
	assert_int_equal(message.peer_left.reason, CTRL_LEAVE_OTHER);
	assert_int_equal(parse_text("{\"type\":\"chat\"}", &message, error), 0);
	assert_int_equal(message.type, CTRL_UNKNOWN);
	/* The name of CTRL_UNKNOWN is no type on the wire. */
	assert_int_equal(parse_text("{\"type\":\"unknown\"}", &message, error), 0);
	assert_int_equal(message.type, CTRL_UNKNOWN);

	assert_int_equal(parse_text("{\"type\":\"stats\",\"counters\":{\"forwarded_copies\":5},\"drops\":{\"tap_mtu\":6},"
	                            "\"rtt_us\":7,\"tap_ready\":true,\"tap_address\":\"10.0.0.1\"}",
	                            &message, error),
	                 0);
	assert_int_equal(message.stats.counters.value[OBS_FORWARDED_COPIES], 5);
	assert_int_equal(message.stats.counters.drop[OBS_DROP_TAP_MTU], 6);
	assert_int_equal(obs_drops_total(&message.stats.counters), 6);
	assert_int_equal(message.stats.rtt_us, 7);
	assert_true(message.stats.tap_ready);
	assert_string_equal(message.stats.tap_address, "10.0.0.1");
}

static void test_reject_text_is_made_harmless(void **state) {
	char json[1200], error[CTRL_ERROR_BYTES];
	struct ctrl_message message;

	(void)state;
	assert_int_equal(
	    parse_text("{\"type\":\"reject\",\"code\":\"later\",\"text\":\"a\\u001b[31m\\nb\\u00e9\\u20ac\\u007f.\"}",
	               &message, error),
	    0);
	assert_int_equal(message.reject.code, CTRL_REJECT_CODE_COUNT);
	assert_string_equal(message.reject.text, "a?[31m?b???.");
	/* A code without a name cannot be printed. */
	assert_int_equal(ctrl_message_print(&message, (uint8_t *)json, sizeof(json), error), BASE_E_INVALID);
	assert_string_equal(error, "reject.code: not a code of this protocol");

	snprintf(json, sizeof(json), "{\"type\":\"reject\",\"code\":\"mtu\",\"text\":\"%0900d\"}", 0);
	assert_int_equal(parse_text(json, &message, error), 0);
	assert_int_equal(strlen(message.reject.text), CTRL_TEXT_BYTES_MAX - 1);
	check_round_trip(&message, "cut text");
}

static struct ctrl_message hello_of(void) {
	struct ctrl_message message;

	memset(&message, 0, sizeof(message));
	message.type = CTRL_HELLO;
	message.hello = (struct ctrl_hello){
	    .version = 1, .role = CTRL_ROLE_CLIENT, .room = "R", .mac = {{2, 0, 0, 0, 0, 1}}, .budget = 1400};
	return message;
}

static struct ctrl_message welcome_of(void) {
	struct ctrl_message message;

	memset(&message, 0, sizeof(message));
	message.type = CTRL_WELCOME;
	message.welcome = (struct ctrl_welcome){.version = 1, .peer_id = 1, .mtu = 1400};
	return message;
}

static void check_refused(const struct ctrl_message *message, int code, const char *expected) {
	uint8_t buf[BUF_BYTES];
	char error[CTRL_ERROR_BYTES];

	unit_assert_int(ctrl_message_print(message, buf, sizeof(buf), error), code, expected);
	assert_string_equal(error, expected);
}

static void test_invalid_hello_is_not_printed(void **state) {
	struct ctrl_message message = hello_of();

	(void)state;
	check_round_trip(&message, "hello");
	message.hello.version = 2;
	check_refused(&message, BASE_E_VERSION, "hello.version: 2, this side speaks 1");
	message = hello_of();
	message.hello.role = (enum ctrl_role)9;
	check_refused(&message, BASE_E_INVALID, "hello.role: not a role of this protocol");
	message = hello_of();
	message.hello.role = CTRL_ROLE_GATEWAY;
	check_refused(&message, BASE_E_INVALID, "hello.mac: a gateway has none");
	message = hello_of();
	message.hello.room[0] = '\0';
	check_refused(&message, BASE_E_RANGE, "hello.room: empty");
	memset(message.hello.room, 'R', sizeof(message.hello.room));
	check_refused(&message, BASE_E_RANGE, "hello.room: 33 characters, at most 32 allowed");
	message = hello_of();
	message.hello.room[0] = '/';
	check_refused(&message, BASE_E_INVALID, "hello.room: only A-Z, a-z, 0-9, '-' and '_' are allowed");
	message = hello_of();
	message.hello.mac.b[0] = 3;
	check_refused(&message, BASE_E_INVALID, "hello.mac: must be a unicast address that is not zero");
	memset(&message.hello.mac, 0, sizeof(message.hello.mac));
	check_refused(&message, BASE_E_MISSING, "hello.mac: missing, a client must tell it");
	message = hello_of();
	message.hello.budget = 0;
	check_refused(&message, BASE_E_RANGE, "hello.budget: 0, allowed is 1 to 65535");
	message = hello_of();
	memset(message.hello.name, 'n', sizeof(message.hello.name));
	check_refused(&message, BASE_E_RANGE, "hello.name: 33 characters, at most 32 allowed");
	message = hello_of();
	message.hello.name[0] = '\t';
	check_refused(&message, BASE_E_INVALID, "hello.name: only printable ASCII characters are allowed");
}

static void test_invalid_others_are_not_printed(void **state) {
	struct ctrl_message message = welcome_of();

	(void)state;
	check_round_trip(&message, "welcome");
	message.welcome.peer_id = 0;
	check_refused(&message, BASE_E_RANGE, "welcome.peer_id: 0, allowed is 1 to 4294967295");
	message = welcome_of();
	message.welcome.mtu = 1501;
	check_refused(&message, BASE_E_RANGE, "welcome.mtu: 1501, allowed is 576 to 1500");
	message = welcome_of();
	message.welcome.gateway_peer = 1;
	check_refused(&message, BASE_E_INVALID, "welcome.gateway_peer_id: given although no gateway is present");

	memset(&message, 0, sizeof(message));
	check_refused(&message, BASE_E_INVALID, "unknown: not a message type that can be printed");
	message.type = CTRL_TYPE_COUNT;
	check_refused(&message, BASE_E_INVALID, "unknown: not a message type that can be printed");
	message.type = CTRL_REJECT;
	message.reject.text[0] = '\n';
	check_refused(&message, BASE_E_INVALID, "reject.text: only printable ASCII characters are allowed");
	memset(message.reject.text, 'a', sizeof(message.reject.text));
	check_refused(&message, BASE_E_RANGE, "reject.text: 201 characters, at most 200 allowed");
	memset(&message, 0, sizeof(message));
	message.type = CTRL_PEER_LEFT;
	message.peer_left.peer_id = 1;
	message.peer_left.reason = CTRL_LEAVE_REASON_COUNT;
	check_refused(&message, BASE_E_INVALID, "peer_left.reason: not a reason of this protocol");
	memset(&message, 0, sizeof(message));
	message.type = CTRL_STATS;
	message.stats.tap_address[0] = 'x';
	check_refused(&message, BASE_E_INVALID, "stats.tap_address: not an IP address");
}

/* Every counter at its largest, every text at its longest: the limit on messages holds. */
static void test_largest_stats_fit(void **state) {
	struct ctrl_message message, again;
	uint8_t buf[BUF_BYTES];
	char error[CTRL_ERROR_BYTES];
	int len;

	(void)state;
	memset(&message, 0, sizeof(message));
	message.type = CTRL_STATS;
	memset(&message.stats.counters, 0xff, sizeof(message.stats.counters));
	message.stats.rtt_us = UINT64_MAX;
	message.stats.tap_ready = true;
	memcpy(message.stats.tap_address, "1111:2222:3333:4444:5555:6666:255.255.255.255", CTRL_ADDRESS_BYTES_MAX);
	len = ctrl_message_print(&message, buf, sizeof(buf), error);
	assert_true(len > 0);
	assert_int_equal(parse(slice_of(buf + 4, (size_t)len - 4), &again, error), 0);
	for (size_t i = 0; i < OBS_COUNTER_COUNT; i++)
		assert_true(again.stats.counters.value[i] == INT64_MAX);
	for (size_t i = 0; i < OBS_DROP_COUNT; i++)
		assert_true(again.stats.counters.drop[i] == INT64_MAX);
	assert_true(again.stats.rtt_us == INT64_MAX);
	assert_string_equal(again.stats.tap_address, message.stats.tap_address);
}

static void test_zeros_are_not_printed(void **state) {
	struct ctrl_message message;
	uint8_t buf[BUF_BYTES];
	char error[CTRL_ERROR_BYTES];
	int len;

	(void)state;
	memset(&message, 0, sizeof(message));
	message.type = CTRL_STATS;
	message.stats.counters.drop[OBS_DROP_ARP] = 3;
	len = ctrl_message_print(&message, buf, sizeof(buf) - 1, error);
	assert_true(len > 0);
	buf[len] = '\0';
	assert_string_equal((char *)buf + 4, "{\"type\":\"stats\",\"counters\":{},\"drops\":{\"arp\":3}}");
	message = (struct ctrl_message){.type = CTRL_HELLO,
	                                .hello = {.version = 1, .role = CTRL_ROLE_GATEWAY, .room = "R", .budget = 1400}};
	len = ctrl_message_print(&message, buf, sizeof(buf) - 1, error);
	assert_true(len > 0);
	buf[len] = '\0';
	assert_null(strstr((char *)buf + 4, "key"));
	assert_null(strstr((char *)buf + 4, "salt"));
	/* Others may print them. */
	assert_int_equal(parse_text("{\"type\":\"stats\",\"counters\":{},\"drops\":{\"arp\":0}}", &message, error), 0);
}

static void test_hostile_bytes(void **state) {
	static const struct {
		const char *bytes;
		size_t len;
		int code;
	} cases[] = {
	    {"", 0, BASE_E_SYNTAX},
	    {"\0", 1, BASE_E_SYNTAX},
	    {"{\"type\":\"chat\"}\0", 16, BASE_E_TRAILING},
	    {"{\"type\":\"ch\0at\"}", 16, BASE_E_SYNTAX},
	    {"{\"type\":\"\xff\"}", 12, BASE_E_SYNTAX},
	    {"{\"type\":\"\xc0\xaf\"}", 13, BASE_E_SYNTAX},         /* overlong */
	    {"{\"type\":\"\xed\xa0\x80\"}", 14, BASE_E_SYNTAX},     /* surrogate */
	    {"{\"type\":\"\xf4\x90\x80\x80\"}", 15, BASE_E_SYNTAX}, /* over U+10FFFF */
	    {"{\"type\":\"a\nb\"}", 14, BASE_E_SYNTAX},
	    {"\xef\xbb\xbf{\"type\":\"chat\"}", 18, BASE_E_SYNTAX}, /* byte order mark */
	};
	static uint8_t big[CTRL_MESSAGE_BYTES_MAX + 1];
	struct ctrl_message message;
	char error[CTRL_ERROR_BYTES];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		unit_assert_int(parse(slice_of(cases[i].bytes, cases[i].len), &message, error), cases[i].code, error);
	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"type\":\"chat\"}", 15);
	assert_int_equal(parse(slice_of(big, sizeof(big) - 1), &message, error), 0);
	assert_int_equal(parse(slice_of(big, sizeof(big)), &message, error), BASE_E_TOO_BIG);
	assert_string_equal(error, "message: 4097 bytes, at most 4096 allowed");
	memset(big, '[', sizeof(big));
	assert_int_equal(parse(slice_of(big, sizeof(big) - 1), &message, error), BASE_E_SYNTAX);
	memset(big + 1000, ']', 1000);
	assert_int_equal(parse(slice_of(big, 2000), &message, error), BASE_E_TYPE);
}

static unsigned allocations_left;

static void *failing_malloc(size_t len) {
	return allocations_left > 0 && allocations_left-- > 0 ? malloc(len) : NULL;
}

/* Fails the first, second, third ... allocation until none is left to fail: each time an error, nothing lost. */
static void test_out_of_memory(void **state) {
	static const char json[] = "{\"type\":\"stats\",\"counters\":{\"device_rx_frames\":1},\"drops\":{\"arp\":2},"
	                           "\"tap_address\":\"10.0.0.1\",\"other\":[1.5,\"\\u00e4\"]}";
	struct ctrl_message message, printed;
	uint8_t buf[BUF_BYTES];
	char error[CTRL_ERROR_BYTES];
	unsigned parse_failures = 0, print_failures = 0;
	int result;

	(void)state;
	assert_int_equal(parse_text(json, &printed, error), 0);
	json_set_alloc_funcs(failing_malloc, free);
	do {
		allocations_left = parse_failures;
		result = parse_text(json, &message, error);
		assert_true(result == 0 || result == BASE_E_NOMEM || result == BASE_E_SYNTAX);
		if (parse_failures < 3)
			assert_string_equal(error, "message, byte 0: out of memory");
	} while (result != 0 && parse_failures++ < 1000);
	do {
		allocations_left = print_failures;
		result = ctrl_message_print(&printed, buf, sizeof(buf), error);
		assert_true(result > 0 || result == BASE_E_NOMEM);
	} while (result < 0 && print_failures++ < 1000);
	json_set_alloc_funcs(malloc, free);
	assert_in_range(parse_failures, 10, 999);
	assert_in_range(print_failures, 10, 999);
}

static void test_checks_and_names(void **state) {
	(void)state;
	assert_int_equal(ctrl_room_check("ROOM-1_a"), 0);
	assert_int_equal(ctrl_room_check("12345678901234567890123456789012"), 0);
	assert_int_equal(ctrl_room_check("123456789012345678901234567890123"), BASE_E_RANGE);
	assert_int_equal(ctrl_room_check(""), BASE_E_RANGE);
	for (char room[2] = {1, 0}; room[0] != 0; room[0]++) {
		bool good = room[0] > 0 && (isalnum(room[0]) || room[0] == '-' || room[0] == '_');

		assert_int_equal(ctrl_room_check(room), good ? 0 : BASE_E_INVALID);
	}
	assert_int_equal(ctrl_name_check(""), 0);
	assert_int_equal(ctrl_name_check("Anna's PC ~"), 0);
	assert_int_equal(ctrl_name_check("123456789012345678901234567890123"), BASE_E_RANGE);
	assert_int_equal(ctrl_name_check("\x7f"), BASE_E_INVALID);
	assert_int_equal(ctrl_name_check("\xc3\xa4"), BASE_E_INVALID);

	assert_string_equal(ctrl_type_name(CTRL_PEER_JOINED), "peer_joined");
	assert_string_equal(ctrl_type_name(CTRL_TYPE_COUNT), "unknown");
	assert_string_equal(ctrl_role_name(CTRL_ROLE_GATEWAY), "gateway");
	assert_string_equal(ctrl_reject_name(CTRL_REJECT_ROOM_FULL), "room_full");
	assert_string_equal(ctrl_reject_name(CTRL_REJECT_CODE_COUNT), "unknown");
	assert_string_equal(ctrl_reject_text(CTRL_REJECT_ROOM_FULL), "the room is full");
	assert_non_null(ctrl_reject_text(CTRL_REJECT_CODE_COUNT));
	assert_false(ctrl_reject_is_transient(CTRL_REJECT_VERSION));
	assert_true(ctrl_reject_is_transient(CTRL_REJECT_GATEWAY_EXISTS));
	assert_true(ctrl_reject_is_transient(CTRL_REJECT_CODE_COUNT));
	assert_string_equal(ctrl_leave_name(CTRL_LEAVE_REPLACED), "replaced");
	assert_string_equal(ctrl_leave_name(CTRL_LEAVE_REASON_COUNT), "unknown");
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_errors_name_the_field),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_reject_text_is_made_harmless),
	    cmocka_unit_test(test_invalid_hello_is_not_printed),
	    cmocka_unit_test(test_invalid_others_are_not_printed),
	    cmocka_unit_test(test_largest_stats_fit),
	    cmocka_unit_test(test_zeros_are_not_printed),
	    cmocka_unit_test(test_hostile_bytes),
	    cmocka_unit_test(test_out_of_memory),
	    cmocka_unit_test(test_checks_and_names),
	};

	if (argc != 2)
		return 2;
	vectors_path = argv[1];
	return cmocka_run_group_tests_name("ctrl/message", tests, NULL, NULL);
}
