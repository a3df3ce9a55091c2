#include "client-tap/registry.h"

#include "base/bytes.h"
#include "base/error.h"

#include <string.h>

#define REG_TEXT 1 /* REG_SZ */

static const char *const value_names[TAPWIN_VALUE_COUNT] = {
    [TAPWIN_COMPONENT_ID] = "ComponentId",
    [TAPWIN_INSTANCE_ID] = "NetCfgInstanceId",
    [TAPWIN_DESCRIPTION] = "DriverDesc",
    [TAPWIN_VERSION] = "DriverVersion",
    [TAPWIN_NETWORK_ADDRESS] = "NetworkAddress",
    [TAPWIN_OLD_MAC] = "MAC",
    [TAPWIN_FRIENDLY_NAME] = "Name",
};

const char *tapwin_value_name(enum tapwin_value value) {
	return value_names[value];
}

static char lower(char c) {
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equal_nocase(const char *a, const char *b) {
	while (*a != '\0' && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}

/* Appends a code point as UTF-8; false when it does not fit with a NUL behind it. */
static bool put_utf8(char *buf, size_t cap, size_t *len, uint32_t c) {
	uint8_t bytes[4];
	size_t count;

	if (c < 0x80) {
		bytes[0] = (uint8_t)c;
		count = 1;
	} else if (c < 0x800) {
		bytes[0] = (uint8_t)(0xc0 | c >> 6);
		count = 2;
	} else if (c < 0x10000) {
		bytes[0] = (uint8_t)(0xe0 | c >> 12);
		count = 3;
	} else {
		bytes[0] = (uint8_t)(0xf0 | c >> 18);
		count = 4;
	}
	for (size_t i = 1; i < count; i++)
		bytes[i] = (uint8_t)(0x80 | (c >> 6 * (count - 1 - i) & 0x3f));
	if (*len + count >= cap)
		return false;
	memcpy(buf + *len, bytes, count);
	*len += count;
	return true;
}

static uint32_t unit_at(struct slice bytes, size_t index) {
	return base_get_le16(bytes.data + 2 * index);
}

int tapwin_text_of(const struct tapwin_raw *raw, char *buf, size_t cap) {
	const size_t units = raw->bytes.len / 2;
	size_t len = 0;

	if (!raw->present || raw->type != REG_TEXT)
		return BASE_E_TYPE;
	if (raw->bytes.len % 2 != 0)
		return BASE_E_LENGTH;
	for (size_t i = 0; i < units && unit_at(raw->bytes, i) != 0; i++) {
		uint32_t c = unit_at(raw->bytes, i);

		if (c >= 0xd800 && c < 0xdc00 && i + 1 < units && (unit_at(raw->bytes, i + 1) & 0xfc00) == 0xdc00)
			c = 0x10000 + ((c - 0xd800) << 10) + (unit_at(raw->bytes, ++i) - 0xdc00);
		else if ((c >= 0xd800 && c < 0xe000) || c < 0x20 || (c >= 0x7f && c < 0xa0))
			c = 0xfffd; /* half of a pair, or a control character that a terminal would obey */
		if (!put_utf8(buf, cap, &len, c))
			return BASE_E_TOO_BIG;
	}
	buf[len] = '\0';
	return 0;
}

int tapwin_guid_parse(const char *text, char ret[static TAPWIN_GUID_BYTES]) {
	static const char form[] = "{xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx}";
	const bool braces = text[0] == '{';
	char guid[TAPWIN_GUID_BYTES] = "{";

	for (size_t i = 1; i < sizeof(form) - 1; i++) {
		char c = text[i - (braces ? 0 : 1)];

		if (form[i] == 'x' && ((c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f')))
			guid[i] = c >= 'a' ? (char)(c - 'a' + 'A') : c;
		else if (!braces && form[i] == '}' && c == '\0')
			guid[i] = '}';
		else if (form[i] != 'x' && c == form[i] && (braces || c != '}'))
			guid[i] = c;
		else
			return BASE_E_SYNTAX;
	}
	if (braces && text[sizeof(form) - 1] != '\0')
		return BASE_E_SYNTAX;
	memcpy(ret, guid, sizeof(guid));
	return 0;
}

static int fail(char error[static TAPWIN_ERROR_BYTES], const char *subkey, enum tapwin_value value, int code) {
	struct base_text text;

	base_text_init(&text, error, TAPWIN_ERROR_BYTES);
	base_text_addf(&text, "TAP adapter in registry key %.15s: %s: %s", subkey, value_names[value],
	               base_error_text(code));
	return BASE_E_SYNTAX;
}

/* Twelve hex digits; '-' or ':' between them are taken as well: not every writer knew better. */
static bool parse_mac(const struct tapwin_raw *raw, struct proto_mac *ret) {
	char text[32];
	uint8_t bytes[PROTO_MAC_BYTES];

	if (tapwin_text_of(raw, text, sizeof(text)) != 0)
		return false;
	if (base_parse_hex(text, strlen(text), bytes, sizeof(bytes)) == 0) {
		*ret = proto_mac_of(bytes);
		return true;
	}
	return proto_mac_parse(text, strlen(text), ret) == 0;
}

int tapwin_adapter_parse(const char *subkey, const struct tapwin_raw values[static TAPWIN_VALUE_COUNT],
                         struct tapwin_adapter *ret, char error[static TAPWIN_ERROR_BYTES]) {
	struct tapwin_adapter adapter = {.has_configured = false};
	char text[TAPWIN_TEXT_BYTES];
	unsigned mac_values;
	int err;

	if (tapwin_text_of(&values[TAPWIN_COMPONENT_ID], text, sizeof(text)) != 0 ||
	    !(equal_nocase(text, "tap0901") || equal_nocase(text, "root\\tap0901")))
		return BASE_E_NOT_FOUND;
	base_text_copy(adapter.subkey, sizeof(adapter.subkey), subkey);
	if (!values[TAPWIN_INSTANCE_ID].present)
		return fail(error, subkey, TAPWIN_INSTANCE_ID, BASE_E_MISSING);
	err = tapwin_text_of(&values[TAPWIN_INSTANCE_ID], text, sizeof(text));
	if (err == 0)
		err = tapwin_guid_parse(text, adapter.guid);
	if (err != 0)
		return fail(error, subkey, TAPWIN_INSTANCE_ID, err);
	/* The rest is for people; an adapter works without. */
	if (tapwin_text_of(&values[TAPWIN_DESCRIPTION], adapter.description, sizeof(adapter.description)) != 0)
		adapter.description[0] = '\0';
	if (tapwin_text_of(&values[TAPWIN_VERSION], adapter.version, sizeof(adapter.version)) != 0)
		adapter.version[0] = '\0';
	if (tapwin_text_of(&values[TAPWIN_FRIENDLY_NAME], adapter.name, sizeof(adapter.name)) != 0)
		adapter.name[0] = '\0';
	mac_values = tapwin_mac_values(adapter.version);
	if ((mac_values & 1U << TAPWIN_NETWORK_ADDRESS) != 0)
		adapter.has_configured = parse_mac(&values[TAPWIN_NETWORK_ADDRESS], &adapter.configured);
	if (!adapter.has_configured && (mac_values & 1U << TAPWIN_OLD_MAC) != 0)
		adapter.has_configured = parse_mac(&values[TAPWIN_OLD_MAC], &adapter.configured);
	*ret = adapter;
	return 0;
}

/* Decimal up to a dot or the end; false when there is no such number. */
static bool version_part(const char **text, unsigned *ret) {
	const char *c = *text;
	unsigned value = 0;

	for (; *c >= '0' && *c <= '9' && value < 100000; c++)
		value = value * 10 + (unsigned)(*c - '0');
	if (c == *text || (*c != '.' && *c != '\0'))
		return false;
	*text = *c == '.' ? c + 1 : c;
	*ret = value;
	return true;
}

unsigned tapwin_mac_values(const char *version) {
	unsigned major, minor;

	if (!version_part(&version, &major) || !version_part(&version, &minor))
		return 1U << TAPWIN_NETWORK_ADDRESS | 1U << TAPWIN_OLD_MAC;
	return 1U << (major > 9 || (major == 9 && minor >= 23) ? TAPWIN_NETWORK_ADDRESS : TAPWIN_OLD_MAC);
}

void tapwin_mac_value_text(struct proto_mac mac, char buf[static 13]) {
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < PROTO_MAC_BYTES; i++) {
		buf[2 * i] = digits[mac.b[i] >> 4];
		buf[2 * i + 1] = digits[mac.b[i] & 15];
	}
	buf[12] = '\0';
}

static void add_adapter(struct base_text *out, const struct tapwin_adapter *adapter) {
	char mac[PROTO_MAC_TEXT_BYTES] = "unknown";

	if (adapter->has_mac)
		(void)proto_mac_text(adapter->mac, mac);
	else if (adapter->has_configured)
		(void)proto_mac_text(adapter->configured, mac);
	base_text_addf(out, "%s  \"%s\"  %s %s  MAC %s\n", adapter->guid,
	               adapter->name[0] != '\0' ? adapter->name : "(no name)",
	               adapter->description[0] != '\0' ? adapter->description : "TAP-Windows6",
	               adapter->version[0] != '\0' ? adapter->version : "(version unknown)", mac);
}

void tapwin_list_text(const struct tapwin_adapter *adapters, size_t count, struct base_text *out) {
	if (count == 0)
		base_text_add(out, "no TAP-Windows6 adapter; get the driver from " TAPWIN_DOWNLOAD "\n");
	for (size_t i = 0; i < count; i++)
		add_adapter(out, &adapters[i]);
}

int tapwin_choose(const struct tapwin_adapter *adapters, size_t count, const char *instance_id, size_t *ret,
                  char error[static TAPWIN_ERROR_BYTES]) {
	char guid[TAPWIN_GUID_BYTES];
	struct base_text text;

	base_text_init(&text, error, TAPWIN_ERROR_BYTES);
	if (instance_id != NULL && tapwin_guid_parse(instance_id, guid) != 0) {
		base_text_addf(&text, "\"%.60s\" is no adapter id; --list-tap-adapters shows them", instance_id);
		return BASE_E_SYNTAX;
	}
	if (count == 0) {
		base_text_add(&text, "no TAP-Windows6 adapter is installed; get the driver from " TAPWIN_DOWNLOAD);
		return BASE_E_NOT_FOUND;
	}
	if (instance_id == NULL && count == 1) {
		*ret = 0;
		return 0;
	}
	if (instance_id == NULL) {
		base_text_add(&text, "there are several TAP-Windows6 adapters; choose one with --tap-instance-id:\n");
		tapwin_list_text(adapters, count, &text);
		return BASE_E_DUPLICATE;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(adapters[i].guid, guid) == 0) {
			*ret = i;
			return 0;
		}
	}
	base_text_addf(&text, "no TAP-Windows6 adapter has the id %s; there are:\n", guid);
	tapwin_list_text(adapters, count, &text);
	return BASE_E_NOT_FOUND;
}
