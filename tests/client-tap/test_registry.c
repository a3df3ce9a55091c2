#include "base/error.h"
#include "client-tap/registry.h"
#include "tests/unit.h"

#include <stdlib.h>
#include <string.h>

#define GUID "{0000002A-0000-0000-0000-4E6574446576}"
#define OTHER "{0000002B-0000-0000-0000-4E6574446576}"

/* ASCII text as the registry holds it, with its NUL. Freed by the tests' end. */
struct sz {
	uint8_t bytes[256];
};

static struct tapwin_raw sz(struct sz *buf, const char *text) {
	const size_t units = strlen(text) + 1;

	assert_true(units * 2 <= sizeof(buf->bytes));
	for (size_t i = 0; i < units; i++) {
		buf->bytes[2 * i] = (uint8_t)text[i];
		buf->bytes[2 * i + 1] = 0;
	}
	return (struct tapwin_raw){.present = true, .type = 1, .bytes = slice_of(buf->bytes, units * 2)};
}

struct values {
	struct sz texts[TAPWIN_VALUE_COUNT];
	struct tapwin_raw raw[TAPWIN_VALUE_COUNT];
};

static void fill(struct values *values) {
	static const char *const texts[TAPWIN_VALUE_COUNT] = {
	    [TAPWIN_COMPONENT_ID] = "tap0901", [TAPWIN_INSTANCE_ID] = GUID,
	    [TAPWIN_VERSION] = "9.24.6.601",   [TAPWIN_DESCRIPTION] = "TAP-Windows Adapter V9",
	    [TAPWIN_FRIENDLY_NAME] = "Party",  [TAPWIN_NETWORK_ADDRESS] = "0200C0FFEE01",
	};

	memset(values, 0, sizeof(*values));
	for (size_t i = 0; i < TAPWIN_VALUE_COUNT; i++)
		if (texts[i] != NULL)
			values->raw[i] = sz(&values->texts[i], texts[i]);
}

static void test_whole_adapter(void **state) {
	static const uint8_t mac[] = {2, 0, 0xc0, 0xff, 0xee, 1};
	char error[TAPWIN_ERROR_BYTES] = "";
	struct tapwin_adapter adapter;
	struct values values;

	(void)state;
	fill(&values);
	assert_int_equal(tapwin_adapter_parse("0007", values.raw, &adapter, error), 0);
	assert_string_equal(adapter.subkey, "0007");
	assert_string_equal(adapter.guid, GUID);
	assert_string_equal(adapter.description, "TAP-Windows Adapter V9");
	assert_string_equal(adapter.version, "9.24.6.601");
	assert_string_equal(adapter.name, "Party");
	assert_true(adapter.has_configured);
	assert_memory_equal(adapter.configured.b, mac, 6);
	assert_false(adapter.has_mac);
}

static void test_component_ids(void **state) {
	static const struct {
		const char *id;
		int err;
	} cases[] = {
	    {"tap0901", 0},
	    {"TAP0901", 0},
	    {"root\\tap0901", 0},
	    {"ROOT\\Tap0901", 0},
	    {"tap0801", BASE_E_NOT_FOUND},
	    {"tap09011", BASE_E_NOT_FOUND},
	    {"", BASE_E_NOT_FOUND},
	    {"wintun", BASE_E_NOT_FOUND},
	    {"pci\\tap0901", BASE_E_NOT_FOUND},
	};
	char error[TAPWIN_ERROR_BYTES];
	struct tapwin_adapter adapter;
	struct values values;
	struct sz text;

	(void)state;
	fill(&values);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		values.raw[TAPWIN_COMPONENT_ID] = sz(&text, cases[i].id);
		unit_assert_int(tapwin_adapter_parse("0001", values.raw, &adapter, error), cases[i].err, cases[i].id);
	}
	values.raw[TAPWIN_COMPONENT_ID].present = false;
	assert_int_equal(tapwin_adapter_parse("0001", values.raw, &adapter, error), BASE_E_NOT_FOUND);
}

static void test_broken_instance_ids(void **state) {
	static const struct {
		const char *id;
		const char *error;
	} cases[] = {
	    {"", "syntax error"},
	    {"{0000002A-0000-0000-0000-4E6574446576", "syntax error"},
	    {"{0000002A-0000-0000-0000-4E657444657}", "syntax error"},
	    {"{0000002A-0000-0000-0000-4E65744465766}", "syntax error"},
	    {"{0000002G-0000-0000-0000-4E6574446576}", "syntax error"},
	    {"{0000002A-0000-0000-0000-4E6574446576}\\..", "syntax error"},
	    {"..\\..\\PhysicalDrive0", "syntax error"},
	};
	char error[TAPWIN_ERROR_BYTES];
	struct tapwin_adapter adapter;
	struct values values;
	struct sz text;

	(void)state;
	fill(&values);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		values.raw[TAPWIN_INSTANCE_ID] = sz(&text, cases[i].id);
		unit_assert_int(tapwin_adapter_parse("0001", values.raw, &adapter, error), BASE_E_SYNTAX, cases[i].id);
		unit_assert_true(strstr(error, "0001: NetCfgInstanceId: ") != NULL, error);
		unit_assert_true(strstr(error, cases[i].error) != NULL, error);
	}
	values.raw[TAPWIN_INSTANCE_ID].type = 4;
	assert_int_equal(tapwin_adapter_parse("0001", values.raw, &adapter, error), BASE_E_SYNTAX);
	assert_non_null(strstr(error, "wrong type"));
	values.raw[TAPWIN_INSTANCE_ID].present = false;
	assert_int_equal(tapwin_adapter_parse("0001", values.raw, &adapter, error), BASE_E_SYNTAX);
	assert_non_null(strstr(error, "missing"));
}

/* Nothing else stops an adapter from being used. */
static void test_only_id_is_needed(void **state) {
	char error[TAPWIN_ERROR_BYTES];
	struct tapwin_adapter adapter;
	struct values values;

	(void)state;
	fill(&values);
	for (size_t i = TAPWIN_DESCRIPTION; i < TAPWIN_VALUE_COUNT; i++)
		values.raw[i].bytes.len = 1;
	assert_int_equal(tapwin_adapter_parse("0001", values.raw, &adapter, error), 0);
	assert_string_equal(adapter.name, "");
	assert_string_equal(adapter.version, "");
	assert_false(adapter.has_configured);
	/* Each truncated prefix of each value is read without harm; sanitizers watch. */
	for (size_t i = 0; i < TAPWIN_VALUE_COUNT; i++) {
		fill(&values);
		for (size_t len = 0, whole = values.raw[i].bytes.len; len < whole; len++) {
			uint8_t *copy = malloc(len + 1);

			memcpy(copy, values.raw[i].bytes.data, len);
			values.raw[i].bytes = slice_of(copy, len);
			(void)tapwin_adapter_parse("0001", values.raw, &adapter, error);
			values.raw[i].bytes = slice_of(values.texts[i].bytes, whole);
			free(copy);
		}
	}
}

static void test_text(void **state) {
	static const struct {
		const char *bytes;
		size_t len;
		int err;
		const char *text;
	} cases[] = {
	    {"a\0b\0", 4, 0, "ab"},
	    {"a\0\0\0b\0", 6, 0, "a"},
	    {"", 0, 0, ""},
	    {"a\0b", 3, BASE_E_LENGTH, NULL},
	    {"\xfc\0", 2, 0, "\xc3\xbc"},
	    {"\xac\x20", 2, 0, "\xe2\x82\xac"},
	    {"\x3d\xd8\x00\xde", 4, 0, "\xf0\x9f\x98\x80"},
	    {"\x3d\xd8", 2, 0, "\xef\xbf\xbd"},
	    {"\x00\xde\x61\x00", 4, 0, "\xef\xbf\xbd\x61"},
	    {"\x1b\0[\0\n\0", 6, 0, "\xef\xbf\xbd[\xef\xbf\xbd"},
	    {"1\0"
	     "2\0"
	     "3\0"
	     "4\0"
	     "5\0"
	     "6\0"
	     "7\0"
	     "8\0"
	     "9\0",
	     18, 0, "123456789"},
	    {"1\0"
	     "2\0"
	     "3\0"
	     "4\0"
	     "5\0"
	     "6\0"
	     "7\0"
	     "8\0"
	     "9\0"
	     "0\0",
	     20, BASE_E_TOO_BIG, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct tapwin_raw raw = {.present = true, .type = 1, .bytes = slice_of(cases[i].bytes, cases[i].len)};
		char buf[10];

		unit_assert_int(tapwin_text_of(&raw, buf, sizeof(buf)), cases[i].err,
		                cases[i].text != NULL ? cases[i].text : "error");
		if (cases[i].text != NULL)
			assert_string_equal(buf, cases[i].text);
	}
}

static void test_mac_values(void **state) {
	static const struct {
		const char *version;
		unsigned want;
	} cases[] = {
	    {"9.24.6.601", 1U << TAPWIN_NETWORK_ADDRESS},
	    {"9.23", 1U << TAPWIN_NETWORK_ADDRESS},
	    {"9.23.3.601", 1U << TAPWIN_NETWORK_ADDRESS},
	    {"10.0", 1U << TAPWIN_NETWORK_ADDRESS},
	    {"9.22.1", 1U << TAPWIN_OLD_MAC},
	    {"9.9.2", 1U << TAPWIN_OLD_MAC},
	    {"8.99", 1U << TAPWIN_OLD_MAC},
	    {"", 1U << TAPWIN_NETWORK_ADDRESS | 1U << TAPWIN_OLD_MAC},
	    {"9", 1U << TAPWIN_NETWORK_ADDRESS | 1U << TAPWIN_OLD_MAC},
	    {"nine.23", 1U << TAPWIN_NETWORK_ADDRESS | 1U << TAPWIN_OLD_MAC},
	    {"9.99999999999999999999", 1U << TAPWIN_NETWORK_ADDRESS | 1U << TAPWIN_OLD_MAC},
	};
	char error[TAPWIN_ERROR_BYTES];
	struct tapwin_adapter adapter;
	struct values values;
	struct sz version, mac;
	char text[13];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		unit_assert_int(tapwin_mac_values(cases[i].version), cases[i].want, cases[i].version);
	fill(&values);
	values.raw[TAPWIN_OLD_MAC] = sz(&mac, "02-11-22-33-44-55");
	values.raw[TAPWIN_VERSION] = sz(&version, "9.21.2");
	assert_int_equal(tapwin_adapter_parse("0001", values.raw, &adapter, error), 0);
	tapwin_mac_value_text(adapter.configured, text);
	assert_string_equal(text, "021122334455");
}

static void test_choose(void **state) {
	static const struct tapwin_adapter two[] = {
	    {.guid = OTHER, .name = "First", .version = "9.21"},
	    {.guid = GUID, .name = "Second", .has_mac = true, .mac = {{2, 3, 4, 5, 6, 0xab}}}};
	static const struct {
		const char *label;
		size_t count;
		const char *id;
		int err;
		size_t chosen;
		const char *error;
	} cases[] = {
	    {"only one", 1, NULL, 0, 0, NULL},
	    {"by id", 2, GUID, 0, 1, NULL},
	    {"by id without braces, lower case", 2, "0000002a-0000-0000-0000-4e6574446576", 0, 1, NULL},
	    {"none", 0, NULL, BASE_E_NOT_FOUND, 9, "https://openvpn.net/"},
	    {"none, by id", 0, GUID, BASE_E_NOT_FOUND, 9, "https://openvpn.net/"},
	    {"several", 2, NULL, BASE_E_DUPLICATE, 9, "--tap-instance-id:\n" OTHER "  \"First\""},
	    {"only one, another id", 1, GUID, BASE_E_NOT_FOUND, 9, "no TAP-Windows6 adapter has the id " GUID},
	    {"no id", 2, "Second", BASE_E_SYNTAX, 9, "\"Second\" is no adapter id; --list-tap-adapters"},
	    {"half braces", 2, "0000002a-0000-0000-0000-4e6574446576}", BASE_E_SYNTAX, 9, "is no adapter id"},
	    {"empty", 2, "", BASE_E_SYNTAX, 9, "is no adapter id"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char error[TAPWIN_ERROR_BYTES] = "";
		size_t chosen = 9;

		unit_assert_int(tapwin_choose(two, cases[i].count, cases[i].id, &chosen, error), cases[i].err, cases[i].label);
		unit_assert_int(chosen, cases[i].chosen, cases[i].label);
		if (cases[i].error != NULL)
			unit_assert_true(strstr(error, cases[i].error) != NULL, error);
	}
	char list[1024];
	struct base_text text;
	base_text_init(&text, list, sizeof(list));
	tapwin_list_text(two, 2, &text);
	assert_string_equal(list, OTHER "  \"First\"  TAP-Windows6 9.21  MAC unknown\n" GUID
	                                "  \"Second\"  TAP-Windows6 (version unknown)  MAC 02:03:04:05:06:ab\n");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole_adapter),
	    cmocka_unit_test(test_component_ids),
	    cmocka_unit_test(test_broken_instance_ids),
	    cmocka_unit_test(test_only_id_is_needed),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_mac_values),
	    cmocka_unit_test(test_choose),
	};

	return cmocka_run_group_tests_name("client-tap/registry", tests, NULL, NULL);
}
