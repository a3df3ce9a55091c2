/* client-tap/registry.h: TAP-Windows6 adapters out of the values of the registry's network class (TAP-1, TAP-2). The
 * values are bytes that any installer may have written; here they are judged, and nothing is read or written. */
#ifndef CLIENT_TAP_REGISTRY_H
#define CLIENT_TAP_REGISTRY_H

#include "base/text.h"
#include "proto/mac.h"

#define TAPWIN_ERROR_BYTES 1024
#define TAPWIN_TEXT_BYTES 256
#define TAPWIN_GUID_BYTES 39 /* "{8-4-4-4-12}" and its NUL */
#define TAPWIN_SUBKEY_BYTES 16
#define TAPWIN_ADAPTERS_MAX 64

#define TAPWIN_DOWNLOAD \
	"https://openvpn.net/community-downloads/ (\"TAP-Windows6\", or the OpenVPN installer with its TAP driver)"

/* Values of an adapter's subkey of the class. FRIENDLY_NAME lies elsewhere:
 * Control\Network\{class}\{GUID}\Connection, value Name. */
enum tapwin_value {
	TAPWIN_COMPONENT_ID,
	TAPWIN_INSTANCE_ID,
	TAPWIN_DESCRIPTION,
	TAPWIN_VERSION,
	TAPWIN_NETWORK_ADDRESS,
	TAPWIN_OLD_MAC,
	TAPWIN_FRIENDLY_NAME,
	TAPWIN_VALUE_COUNT,
};
const char *tapwin_value_name(enum tapwin_value value); /* as in the registry */

/* One value as RegQueryValueEx gives it. */
struct tapwin_raw {
	bool present;
	uint32_t type; /* 1 is REG_SZ, UTF-16LE */
	struct slice bytes;
};

struct tapwin_adapter {
	char subkey[TAPWIN_SUBKEY_BYTES]; /* "0007" */
	char guid[TAPWIN_GUID_BYTES];     /* upper case, with braces */
	char description[TAPWIN_TEXT_BYTES];
	char version[32];             /* "" when unknown */
	char name[TAPWIN_TEXT_BYTES]; /* as in the network settings; "" when unknown */
	struct proto_mac configured;  /* the address the registry asks the driver to take */
	struct proto_mac mac;         /* the address it has, as far as the system says */
	bool has_configured, has_mac;
};

/* Whether these values describe a TAP-Windows6 adapter. 0; BASE_E_NOT_FOUND: it is something else; BASE_E_SYNTAX: it
 * is one, but broken, with `error` naming subkey and value. */
int tapwin_adapter_parse(const char *subkey, const struct tapwin_raw values[static TAPWIN_VALUE_COUNT],
                         struct tapwin_adapter *ret, char error[static TAPWIN_ERROR_BYTES]);
/* A REG_SZ as UTF-8 up to its NUL; what is no text becomes U+FFFD, control characters as well. 0, BASE_E_TYPE,
 * BASE_E_LENGTH (odd number of bytes), BASE_E_TOO_BIG. */
int tapwin_text_of(const struct tapwin_raw *raw, char *buf, size_t cap);

/* "{GUID}" in either case, with or without braces, into its form in struct tapwin_adapter. 0 or BASE_E_SYNTAX. */
int tapwin_guid_parse(const char *text, char ret[static TAPWIN_GUID_BYTES]);

/* Which registry values make this driver take an address: drivers before 9.23 read MAC, later ones NetworkAddress; both
 * when the version is unknown. Bits 1 << enum tapwin_value. */
unsigned tapwin_mac_values(const char *version);
/* "0200C0FFEE01" as the driver wants it. */
void tapwin_mac_value_text(struct proto_mac mac, char buf[static 13]);

/* Which adapter to open: the one with this instance id, or without one (NULL) the only one there is. 0;
 * BASE_E_NOT_FOUND, BASE_E_SYNTAX (instance id), BASE_E_DUPLICATE (several: the user must choose), with `error` saying
 * what to do. */
int tapwin_choose(const struct tapwin_adapter *adapters, size_t count, const char *instance_id, size_t *ret,
                  char error[static TAPWIN_ERROR_BYTES]);
/* What --list-tap-adapters prints. */
void tapwin_list_text(const struct tapwin_adapter *adapters, size_t count, struct base_text *out);

/* Below: registry_windows.c. */

/* The adapters of this machine, at most TAPWIN_ADAPTERS_MAX; broken ones are left out and named in `warning` ("" when
 * there is none). 0, BASE_E_DENIED, BASE_E_IO with `error`. */
int tapwin_registry_read(struct tapwin_adapter ret[static TAPWIN_ADAPTERS_MAX], size_t *ret_count,
                         char warning[static TAPWIN_ERROR_BYTES], char error[static TAPWIN_ERROR_BYTES]);
/* Asks the driver to take this address when the adapter starts the next time. *ret_changed: the registry said something
 * else before, so that the adapter needs a restart. 0, BASE_E_DENIED, BASE_E_NOT_FOUND, BASE_E_IO with `error`. */
int tapwin_registry_set_mac(const struct tapwin_adapter *adapter, struct proto_mac mac, bool *ret_changed,
                            char error[static TAPWIN_ERROR_BYTES]);

#endif
