/* client-tap/registry_windows.c: reads and writes the registry; what the values mean, registry.c says. */
#include "client-tap/words.h"

#include "base/bytes.h"
#include "base/error.h"

#include <winsock2.h>
#include <ws2ipdef.h>

#include <iphlpapi.h>
#include <netioapi.h>

#include <string.h>

#define NET_CLASS L"{4D36E972-E325-11CE-BFC1-08002BE10318}"
#define CLASS_KEY L"SYSTEM\\CurrentControlSet\\Control\\Class\\" NET_CLASS
#define NETWORK_KEY L"SYSTEM\\CurrentControlSet\\Control\\Network\\" NET_CLASS
#define VALUE_BYTES_MAX (2 * TAPWIN_TEXT_BYTES)
#define PATH_CHARS 256
#define SUBKEYS_MAX 10000 /* their names have four digits */

/* A value with the memory it lies in. */
struct held {
	uint8_t bytes[TAPWIN_VALUE_COUNT][VALUE_BYTES_MAX];
	struct tapwin_raw raw[TAPWIN_VALUE_COUNT];
};

/* A value that is not there, or longer than any we know, is no value. */
static void read_value(HKEY key, enum tapwin_value value, struct held *held) {
	DWORD type, len = VALUE_BYTES_MAX;
	wchar_t name[32];

	tapwin_widen(tapwin_value_name(value), name, 32);
	if (RegQueryValueExW(key, name, NULL, &type, held->bytes[value], &len) != ERROR_SUCCESS)
		return;
	held->raw[value] = (struct tapwin_raw){.present = true, .type = type, .bytes = slice_of(held->bytes[value], len)};
}

static LONG open_key(const wchar_t *path, REGSAM access, HKEY *ret) {
	return RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, access | KEY_WOW64_64KEY, ret);
}

static void join(wchar_t *path, const wchar_t *tail) {
	const size_t len = wcslen(path), more = wcslen(tail);

	if (len + more + 2 > PATH_CHARS)
		return; /* then it is no key that exists */
	path[len] = L'\\';
	memcpy(path + len + 1, tail, (more + 1) * sizeof(*tail));
}

/* The name the user sees in the network settings. */
static void read_friendly_name(struct held *held) {
	wchar_t path[PATH_CHARS] = NETWORK_KEY, guid_wide[TAPWIN_GUID_BYTES];
	char text[TAPWIN_TEXT_BYTES], guid[TAPWIN_GUID_BYTES];
	HKEY key;

	if (tapwin_text_of(&held->raw[TAPWIN_INSTANCE_ID], text, sizeof(text)) != 0 || tapwin_guid_parse(text, guid) != 0)
		return;
	tapwin_widen(guid, guid_wide, TAPWIN_GUID_BYTES);
	join(path, guid_wide);
	join(path, L"Connection");
	if (open_key(path, KEY_QUERY_VALUE, &key) != ERROR_SUCCESS)
		return;
	read_value(key, TAPWIN_FRIENDLY_NAME, held);
	RegCloseKey(key);
}

/* The address the adapter has now; the registry only has what it was asked to take. */
static void read_current_mac(struct tapwin_adapter *adapter) {
	const char *c = adapter->guid;
	uint8_t b[16];
	MIB_IF_ROW2 row = {.InterfaceIndex = 0};
	GUID guid;

	for (size_t i = 0; i < sizeof(b); i++, c += 2) {
		while (*c == '{' || *c == '-')
			c++;
		if (base_parse_hex(c, 2, &b[i], 1) != 0)
			return;
	}
	guid.Data1 = base_get_u32(b);
	guid.Data2 = base_get_u16(b + 4);
	guid.Data3 = base_get_u16(b + 6);
	memcpy(guid.Data4, b + 8, 8);
	if (ConvertInterfaceGuidToLuid(&guid, &row.InterfaceLuid) != NO_ERROR || GetIfEntry2(&row) != NO_ERROR ||
	    row.PhysicalAddressLength != PROTO_MAC_BYTES)
		return;
	adapter->mac = proto_mac_of(row.PhysicalAddress);
	adapter->has_mac = true;
}

static int read_adapter(const wchar_t *subkey, struct tapwin_adapter *ret, char error[static TAPWIN_ERROR_BYTES]) {
	wchar_t path[PATH_CHARS] = CLASS_KEY;
	struct held held = {.raw = {{.present = false}}};
	char name[TAPWIN_SUBKEY_BYTES];
	size_t i = 0;
	HKEY key;
	int err;

	for (; i + 1 < sizeof(name) && subkey[i] >= L'0' && subkey[i] <= L'9'; i++)
		name[i] = (char)subkey[i];
	name[i] = '\0';
	join(path, subkey);
	/* "Properties" can't even be opened; and what has another name is no adapter. */
	if (i == 0 || subkey[i] != L'\0' || open_key(path, KEY_QUERY_VALUE, &key) != ERROR_SUCCESS)
		return BASE_E_NOT_FOUND;
	for (size_t value = 0; value < TAPWIN_FRIENDLY_NAME; value++)
		read_value(key, (enum tapwin_value)value, &held);
	RegCloseKey(key);
	read_friendly_name(&held);
	err = tapwin_adapter_parse(name, held.raw, ret, error);
	if (err == 0)
		read_current_mac(ret);
	return err;
}

int tapwin_registry_read(struct tapwin_adapter ret[static TAPWIN_ADAPTERS_MAX], size_t *ret_count,
                         char warning[static TAPWIN_ERROR_BYTES], char error[static TAPWIN_ERROR_BYTES]) {
	size_t count = 0;
	HKEY class_key;
	LONG code = open_key(CLASS_KEY, KEY_ENUMERATE_SUB_KEYS, &class_key);

	warning[0] = '\0';
	if (code == ERROR_FILE_NOT_FOUND) {
		*ret_count = 0; /* a machine without any network adapter */
		return 0;
	}
	if (code != ERROR_SUCCESS)
		return tapwin_fail(error, "reading the network adapters in the registry", (DWORD)code);
	for (DWORD index = 0; index < SUBKEYS_MAX && count < TAPWIN_ADAPTERS_MAX; index++) {
		DWORD len = PATH_CHARS;
		wchar_t subkey[PATH_CHARS];

		code = RegEnumKeyExW(class_key, index, subkey, &len, NULL, NULL, NULL, NULL);
		if (code == ERROR_NO_MORE_ITEMS)
			break;
		if (code == ERROR_SUCCESS && read_adapter(subkey, &ret[count], warning) == 0)
			count++;
	}
	RegCloseKey(class_key);
	*ret_count = count;
	return 0;
}

static LONG write_mac(HKEY key, enum tapwin_value value, const wchar_t *mac, bool *changed) {
	struct held held = {.raw = {{.present = false}}};
	const DWORD len = (DWORD)((wcslen(mac) + 1) * sizeof(*mac));
	wchar_t name[32];

	read_value(key, value, &held);
	if (held.raw[value].present && held.raw[value].type == REG_SZ && held.raw[value].bytes.len == len &&
	    memcmp(held.bytes[value], mac, len) == 0)
		return ERROR_SUCCESS;
	*changed = true;
	tapwin_widen(tapwin_value_name(value), name, 32);
	return RegSetValueExW(key, name, 0, REG_SZ, (const BYTE *)mac, len);
}

int tapwin_registry_set_mac(const struct tapwin_adapter *adapter, struct proto_mac mac, bool *ret_changed,
                            char error[static TAPWIN_ERROR_BYTES]) {
	const unsigned values = tapwin_mac_values(adapter->version);
	wchar_t path[PATH_CHARS] = CLASS_KEY, subkey[TAPWIN_SUBKEY_BYTES], wide[13];
	bool changed = false;
	char text[13];
	HKEY key;
	LONG code;

	tapwin_widen(adapter->subkey, subkey, TAPWIN_SUBKEY_BYTES);
	join(path, subkey);
	tapwin_mac_value_text(mac, text);
	tapwin_widen(text, wide, 13);
	code = open_key(path, KEY_QUERY_VALUE | KEY_SET_VALUE, &key);
	if (code != ERROR_SUCCESS)
		return tapwin_fail(error, "setting the adapter's MAC in the registry", (DWORD)code);
	for (size_t value = 0; value < TAPWIN_VALUE_COUNT && code == ERROR_SUCCESS; value++)
		if ((values & 1U << value) != 0)
			code = write_mac(key, (enum tapwin_value)value, wide, &changed);
	RegCloseKey(key);
	if (code != ERROR_SUCCESS)
		return tapwin_fail(error, "setting the adapter's MAC in the registry", (DWORD)code);
	*ret_changed = changed;
	return 0;
}
