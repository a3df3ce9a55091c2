/* client-route/apply_windows.c: struct route_system over Windows' IP Helper. As thin as it can be: one call of the
 * library each, values translated, errors put into words. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/windows_error.h"
#include "client-route/apply.h"

#include <winsock2.h>
#include <ws2ipdef.h>

#include <iphlpapi.h>
#include <netioapi.h>

#include <stdlib.h>
#include <string.h>

static int fail(char error[static ROUTE_ERROR_BYTES], const char *call, DWORD code) {
	static const struct base_windows_error known[] = {
	    {ERROR_ACCESS_DENIED, BASE_E_DENIED, "access denied: run as administrator"},
	    {ERROR_NOT_FOUND, BASE_E_NOT_FOUND, "not found"},
	    {ERROR_FILE_NOT_FOUND, BASE_E_NOT_FOUND, "not found"},
	    {ERROR_NETWORK_UNREACHABLE, BASE_E_NOT_FOUND, "no route leads there"},
	    {ERROR_OBJECT_ALREADY_EXISTS, BASE_E_EXISTS, "already exists"},
	    {ERROR_NOT_SUPPORTED, BASE_E_UNSUPPORTED, "not supported by this system"},
	    {ERROR_NOT_ENOUGH_MEMORY, BASE_E_NOMEM, "out of memory"},
	};

	return base_windows_error(known, sizeof(known) / sizeof(known[0]), "refused", call, code, error, ROUTE_ERROR_BYTES);
}

static ADDRESS_FAMILY windows_family(uint8_t family) {
	return family == BASE_FAMILY_V6 ? AF_INET6 : AF_INET;
}

static void put_addr(const struct base_addr *addr, SOCKADDR_INET *ret) {
	memset(ret, 0, sizeof(*ret));
	ret->si_family = windows_family(addr->family);
	if (addr->family == BASE_FAMILY_V6) {
		memcpy(&ret->Ipv6.sin6_addr, addr->ip, 16);
		ret->Ipv6.sin6_scope_id = addr->scope;
	} else
		memcpy(&ret->Ipv4.sin_addr, addr->ip, 4);
}

static struct base_addr get_addr(const SOCKADDR_INET *inet) {
	struct base_addr addr = {.family = BASE_FAMILY_V4};

	if (inet->si_family == AF_INET6) {
		addr.family = BASE_FAMILY_V6;
		memcpy(addr.ip, &inet->Ipv6.sin6_addr, 16);
	} else
		memcpy(addr.ip, &inet->Ipv4.sin_addr, 4);
	return addr;
}

/* The metric that counts is the sum with the interface's. An interface without metric is as cheap as it looks. */
static uint32_t summed_metric(const MIB_IPFORWARD_ROW2 *row) {
	MIB_IPINTERFACE_ROW interface_row;

	InitializeIpInterfaceEntry(&interface_row);
	interface_row.Family = row->DestinationPrefix.Prefix.si_family;
	interface_row.InterfaceLuid = row->InterfaceLuid;
	if (GetIpInterfaceEntry(&interface_row) != NO_ERROR || interface_row.Metric > UINT32_MAX - row->Metric)
		return row->Metric;
	return row->Metric + interface_row.Metric;
}

static struct route_entry get_entry(const MIB_IPFORWARD_ROW2 *row) {
	struct route_entry entry = {.dest = get_addr(&row->DestinationPrefix.Prefix),
	                            .prefix = row->DestinationPrefix.PrefixLength,
	                            .next_hop = get_addr(&row->NextHop),
	                            .luid = row->InterfaceLuid.Value,
	                            .index = row->InterfaceIndex,
	                            .metric = summed_metric(row)};

	entry.next_hop.family = entry.dest.family; /* an on-link next hop may come without one */
	return entry;
}

static int windows_best(void *user, const struct base_addr *dest, struct route_entry *ret, struct base_addr *ret_source,
                        char error[static ROUTE_ERROR_BYTES]) {
	SOCKADDR_INET to, source;
	MIB_IPFORWARD_ROW2 row;
	DWORD code;

	(void)user;
	put_addr(dest, &to);
	code = GetBestRoute2(NULL, 0, NULL, &to, 0, &row, &source);
	if (code != NO_ERROR)
		return fail(error, "GetBestRoute2", code);
	*ret = get_entry(&row);
	*ret_source = get_addr(&source);
	return 0;
}

static int windows_table(void *user, uint8_t family, struct route_entry **ret, size_t *ret_count,
                         char error[static ROUTE_ERROR_BYTES]) {
	MIB_IPFORWARD_TABLE2 *table = NULL;
	struct route_entry *entries;
	DWORD code = GetIpForwardTable2(windows_family(family), &table);

	(void)user;
	if (code != NO_ERROR)
		return fail(error, "GetIpForwardTable2", code);
	entries = calloc((size_t)table->NumEntries + 1, sizeof(*entries));
	if (entries == NULL) {
		FreeMibTable(table);
		return fail(error, "GetIpForwardTable2", ERROR_NOT_ENOUGH_MEMORY);
	}
	for (ULONG i = 0; i < table->NumEntries; i++)
		entries[i] = get_entry(&table->Table[i]);
	*ret_count = table->NumEntries;
	*ret = entries;
	FreeMibTable(table);
	return 0;
}

static void put_entry(const struct route_entry *entry, MIB_IPFORWARD_ROW2 *ret) {
	InitializeIpForwardEntry(ret);
	ret->InterfaceLuid.Value = entry->luid;
	put_addr(&entry->dest, &ret->DestinationPrefix.Prefix);
	ret->DestinationPrefix.PrefixLength = entry->prefix;
	put_addr(&entry->next_hop, &ret->NextHop);
	ret->Metric = 0;
	ret->Protocol = MIB_IPPROTO_NETMGMT;
}

static int windows_add(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]) {
	MIB_IPFORWARD_ROW2 row;
	DWORD code;

	(void)user;
	put_entry(entry, &row);
	code = CreateIpForwardEntry2(&row);
	return code == NO_ERROR ? 0 : fail(error, "CreateIpForwardEntry2", code);
}

static int find_entry(const struct route_entry *entry, MIB_IPFORWARD_ROW2 *ret, char error[static ROUTE_ERROR_BYTES]) {
	DWORD code;

	put_entry(entry, ret);
	code = GetIpForwardEntry2(ret);
	return code == NO_ERROR ? 0 : fail(error, "GetIpForwardEntry2", code);
}

static int delete_row(const MIB_IPFORWARD_ROW2 *row, char error[static ROUTE_ERROR_BYTES]) {
	const DWORD code = DeleteIpForwardEntry2(row);

	return code == NO_ERROR ? 0 : fail(error, "DeleteIpForwardEntry2", code);
}

/* Only a route as we make them: one of the same form that a router or a policy put there is not ours. */
static int windows_remove(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]) {
	MIB_IPFORWARD_ROW2 row;
	int err = find_entry(entry, &row, error);

	(void)user;
	if (err == 0 && row.Protocol != MIB_IPPROTO_NETMGMT)
		err = fail(error, "GetIpForwardEntry2", ERROR_NOT_FOUND);
	return err == 0 ? delete_row(&row, error) : err;
}

/* But not the one that each address of this machine has. */
static int windows_take_out(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]) {
	MIB_IPFORWARD_ROW2 row;
	int err = find_entry(entry, &row, error);

	(void)user;
	if (err == 0 && row.Protocol == MIB_IPPROTO_LOCAL)
		err = fail(error, "DeleteIpForwardEntry2", ERROR_ACCESS_DENIED);
	return err == 0 ? delete_row(&row, error) : err;
}

static int read_interface(uint64_t luid, uint8_t family, MIB_IPINTERFACE_ROW *ret,
                          char error[static ROUTE_ERROR_BYTES]) {
	DWORD code;

	InitializeIpInterfaceEntry(ret);
	ret->Family = windows_family(family);
	ret->InterfaceLuid.Value = luid;
	code = GetIpInterfaceEntry(ret);
	return code == NO_ERROR ? 0 : fail(error, "GetIpInterfaceEntry", code);
}

static int windows_get_settings(void *user, uint64_t luid, uint8_t family, struct route_settings *ret,
                                char error[static ROUTE_ERROR_BYTES]) {
	MIB_IPINTERFACE_ROW row;
	int err = read_interface(luid, family, &row, error);

	(void)user;
	if (err != 0)
		return err;
	*ret = (struct route_settings){.present = true,
	                               .automatic_metric = row.UseAutomaticMetric != FALSE,
	                               .no_default_routes = row.DisableDefaultRoutes != FALSE,
	                               .metric = row.Metric,
	                               .mtu = row.NlMtu};
	return 0;
}

static int windows_set_settings(void *user, uint64_t luid, uint8_t family, const struct route_settings *settings,
                                char error[static ROUTE_ERROR_BYTES]) {
	MIB_IPINTERFACE_ROW row;
	int err = read_interface(luid, family, &row, error);
	DWORD code;

	(void)user;
	if (err != 0)
		return err;
	row.UseAutomaticMetric = settings->automatic_metric;
	row.DisableDefaultRoutes = settings->no_default_routes;
	row.Metric = settings->metric;
	row.NlMtu = settings->mtu;
	if (family == BASE_FAMILY_V4)
		row.SitePrefixLength = 0; /* what Get filled in, Set refuses for IPv4 */
	code = SetIpInterfaceEntry(&row);
	return code == NO_ERROR ? 0 : fail(error, "SetIpInterfaceEntry", code);
}

static int windows_unicast(void *user, struct route_unicast **ret, size_t *ret_count,
                           char error[static ROUTE_ERROR_BYTES]) {
	MIB_UNICASTIPADDRESS_TABLE *table = NULL;
	DWORD code = GetUnicastIpAddressTable(AF_UNSPEC, &table);
	struct route_unicast *list;
	size_t count = 0;

	(void)user;
	if (code != NO_ERROR)
		return fail(error, "GetUnicastIpAddressTable", code);
	list = calloc((size_t)table->NumEntries + 1, sizeof(*list));
	if (list == NULL) {
		FreeMibTable(table);
		return fail(error, "GetUnicastIpAddressTable", ERROR_NOT_ENOUGH_MEMORY);
	}
	for (ULONG i = 0; i < table->NumEntries; i++) {
		const MIB_UNICASTIPADDRESS_ROW *row = &table->Table[i];

		if (row->DadState != IpDadStatePreferred && row->DadState != IpDadStateDeprecated)
			continue; /* not an address yet, or somebody else's */
		list[count++] = (struct route_unicast){.addr = get_addr(&row->Address),
		                                       .prefix = row->OnLinkPrefixLength,
		                                       .by_hand = row->PrefixOrigin == IpPrefixOriginManual,
		                                       .luid = row->InterfaceLuid.Value};
	}
	FreeMibTable(table);
	*ret = list;
	*ret_count = count;
	return 0;
}

/* Registry form into a GUID, without the COM library. */
static bool parse_guid(const char *text, GUID *ret) {
	static const uint8_t at[16] = {1, 3, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27, 29, 31, 33, 35};
	uint8_t b[16];

	if (strlen(text) != 38 || text[0] != '{' || text[9] != '-' || text[14] != '-' || text[19] != '-' ||
	    text[24] != '-' || text[37] != '}')
		return false;
	for (size_t i = 0; i < sizeof(b); i++)
		if (base_parse_hex(text + at[i], 2, &b[i], 1) != 0)
			return false;
	ret->Data1 = base_get_u32(b);
	ret->Data2 = base_get_u16(b + 4);
	ret->Data3 = base_get_u16(b + 6);
	memcpy(ret->Data4, b + 8, 8);
	return true;
}

static int windows_find_interface(void *user, const char *guid, uint64_t *ret_luid, uint32_t *ret_index,
                                  char error[static ROUTE_ERROR_BYTES]) {
	NET_IFINDEX index = 0;
	NET_LUID luid;
	GUID parsed;
	DWORD code = ERROR_INVALID_PARAMETER;

	(void)user;
	if (parse_guid(guid, &parsed))
		code = ConvertInterfaceGuidToLuid(&parsed, &luid);
	/* An unknown interface is an invalid parameter to Windows. */
	if (code == ERROR_INVALID_PARAMETER)
		code = ERROR_FILE_NOT_FOUND;
	if (code != NO_ERROR)
		return fail(error, "ConvertInterfaceGuidToLuid", code);
	code = ConvertInterfaceLuidToIndex(&luid, &index);
	if (code != NO_ERROR)
		return fail(error, "ConvertInterfaceLuidToIndex", code);
	*ret_luid = luid.Value;
	*ret_index = index;
	return 0;
}

const struct route_system *route_system_native(void) {
	static const struct route_system ip_helper = {
	    .best = windows_best,
	    .table = windows_table,
	    .add = windows_add,
	    .remove = windows_remove,
	    .take_out = windows_take_out,
	    .get_settings = windows_get_settings,
	    .set_settings = windows_set_settings,
	    .unicast = windows_unicast,
	    .find_interface = windows_find_interface,
	};
	return &ip_helper;
}
