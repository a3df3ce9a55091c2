/* tests/windows/fake_iphlpapi.c: an iphlpapi.dll to lie beside a program that runs under Wine with
 * WINEDLLOVERRIDES="iphlpapi=n,b". Wine cannot change routes and interfaces at all: those calls are answered from a
 * table here, as strictly as Windows answers them; everything else goes to Wine's own library. Never shipped.
 *
 * The folder named by FAKE_IPHLPAPI, or ip-helper beside the library (a service gets no environment of ours), holds:
 * table.txt, what was changed (it outlives the program, as in a real system); calls.txt, each change in order with its
 * result; fail.txt, made by tests: lines "FUNCTION CODE" or "FUNCTION/6 CODE" (IPv6 only), such calls fail. With
 * FAKE_IPHLPAPI_MIRROR, a UDP port on 127.0.0.1, mirror.py makes the changes in Linux as well. */
#include <winsock2.h>
#include <ws2tcpip.h>

#include <iphlpapi.h>
#include <netioapi.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 64
#define LINE_BYTES 512
#define DEFAULT_METRIC 25
#define MIRROR_MS 3000
#define LINUX_ROUTE_OF_THIS_MACHINE 0x80200200u /* RTF_LOCAL, RTF_REJECT and what a lookup left */

/* What goes to Wine's own library, whatever its arguments are. */
#define FORWARDS(X)                       \
	X(AllocateAndGetIfTableFromStack)     \
	X(AllocateAndGetIpAddrTableFromStack) \
	X(AllocateAndGetTcpExTableFromStack)  \
	X(CancelIPChangeNotify)               \
	X(CancelMibChangeNotify2)             \
	X(ConvertInterfaceAliasToLuid)        \
	X(ConvertInterfaceGuidToLuid)         \
	X(ConvertInterfaceIndexToLuid)        \
	X(ConvertInterfaceLuidToAlias)        \
	X(ConvertInterfaceLuidToGuid)         \
	X(ConvertInterfaceLuidToIndex)        \
	X(ConvertInterfaceLuidToNameA)        \
	X(ConvertInterfaceLuidToNameW)        \
	X(ConvertLengthToIpv4Mask)            \
	X(CreateSortedAddressPairs)           \
	X(FreeMibTable)                       \
	X(GetAdapterIndex)                    \
	X(GetAdaptersAddresses)               \
	X(GetAdaptersInfo)                    \
	X(GetBestInterface)                   \
	X(GetBestInterfaceEx)                 \
	X(GetBestRoute)                       \
	X(GetExtendedTcpTable)                \
	X(GetExtendedUdpTable)                \
	X(GetIfEntry)                         \
	X(GetIfEntry2)                        \
	X(GetIfEntry2Ex)                      \
	X(GetIfTable)                         \
	X(GetIfTable2)                        \
	X(GetIfTable2Ex)                      \
	X(GetInterfaceInfo)                   \
	X(GetIpAddrTable)                     \
	X(GetIpForwardTable)                  \
	X(GetIpInterfaceTable)                \
	X(GetIpNetTable)                      \
	X(GetIpNetTable2)                     \
	X(GetNetworkParams)                   \
	X(GetNumberOfInterfaces)              \
	X(GetPerAdapterInfo)                  \
	X(GetUnicastIpAddressEntry)           \
	X(GetUnicastIpAddressTable)           \
	X(NotifyAddrChange)                   \
	X(NotifyIpInterfaceChange)            \
	X(NotifyRouteChange)                  \
	X(NotifyRouteChange2)                 \
	X(NotifyUnicastIpAddressChange)       \
	X(if_indextoname)                     \
	X(if_nametoindex)

/* A jump keeps registers and stack as they are. */
#define FORWARD(name)            \
	extern void *forward_##name; \
	void *forward_##name;        \
	__asm__(".globl " #name "\n" #name ":\n\tjmp *forward_" #name "(%rip)\n");
FORWARDS(FORWARD)

struct setting {
	uint64_t luid;
	int family;
	unsigned automatic, metric, mtu, no_defaults;
};

struct table {
	MIB_IPFORWARD_ROW2 routes[ROWS_MAX];
	struct setting settings[ROWS_MAX];
	size_t route_count, setting_count;
};

static NETIO_STATUS(WINAPI *real_forward_table)(ADDRESS_FAMILY family, PMIB_IPFORWARD_TABLE2 *table);
static SRWLOCK lock = SRWLOCK_INIT;
static char own_folder[MAX_PATH + 16];

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, void *reserved) {
	WCHAR path[MAX_PATH];
	HMODULE real;

	(void)reserved;
	if (reason != DLL_PROCESS_ATTACH)
		return TRUE;
	if (GetModuleFileNameA(instance, own_folder, MAX_PATH) == 0)
		return FALSE;
	(void)strcpy(strrchr(own_folder, '\\') + 1, "ip-helper");
	if (GetSystemDirectoryW(path, MAX_PATH - 16) == 0)
		return FALSE;
	wcscat(path, L"\\iphlpapi.dll");
	real = LoadLibraryW(path);
	if (real == NULL)
		return FALSE;
#define RESOLVE(name) forward_##name = (void *)(intptr_t)GetProcAddress(real, #name);
	FORWARDS(RESOLVE)
	real_forward_table = (void *)(intptr_t)GetProcAddress(real, "GetIpForwardTable2");
	return real_forward_table != NULL;
}

static FILE *open_file(const char *name, const char *mode) {
	const char *folder = getenv("FAKE_IPHLPAPI");
	char path[LINE_BYTES];

	(void)snprintf(path, sizeof(path), "%s/%s", folder != NULL ? folder : own_folder, name);
	return fopen(path, mode);
}

static void ip_text(const SOCKADDR_INET *addr, int family, char buf[static 64]) {
	const void *ip = family == AF_INET6 ? (const void *)&addr->Ipv6.sin6_addr : (const void *)&addr->Ipv4.sin_addr;

	if (InetNtopA(family, ip, buf, 64) == NULL)
		(void)snprintf(buf, 64, "?");
}

static void parse_ip(const char *text, int family, SOCKADDR_INET *ret) {
	memset(ret, 0, sizeof(*ret));
	ret->si_family = (ADDRESS_FAMILY)family;
	(void)InetPtonA(family, text, family == AF_INET6 ? (void *)&ret->Ipv6.sin6_addr : (void *)&ret->Ipv4.sin_addr);
}

static void load(struct table *table) {
	FILE *file = open_file("table.txt", "r");
	char line[LINE_BYTES], dest[64], hop[64];
	unsigned long long luid;
	unsigned a, b, c, d;
	int family;

	memset(table, 0, sizeof(*table));
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		struct setting *setting = &table->settings[table->setting_count];
		MIB_IPFORWARD_ROW2 *route = &table->routes[table->route_count];

		if (sscanf(line, "route %llu %d %63s %u %63s %u", &luid, &family, dest, &a, hop, &b) == 6) {
			parse_ip(dest, family, &route->DestinationPrefix.Prefix);
			parse_ip(hop, family, &route->NextHop);
			route->DestinationPrefix.PrefixLength = (UINT8)a;
			route->InterfaceLuid.Value = luid;
			route->Metric = b;
			route->Protocol = MIB_IPPROTO_NETMGMT;
			(void)ConvertInterfaceLuidToIndex(&route->InterfaceLuid, &route->InterfaceIndex);
			table->route_count += table->route_count + 1 < ROWS_MAX;
		} else if (sscanf(line, "setting %llu %d %u %u %u %u", &luid, &family, &a, &b, &c, &d) == 6) {
			*setting = (struct setting){luid, family, a, b, c, d};
			table->setting_count += table->setting_count + 1 < ROWS_MAX;
		}
	}
	if (file != NULL)
		(void)fclose(file);
}

static void save(const struct table *table) {
	FILE *file = open_file("table.txt", "w");

	if (file == NULL)
		return;
	for (size_t i = 0; i < table->route_count; i++) {
		const MIB_IPFORWARD_ROW2 *row = &table->routes[i];
		const int family = row->DestinationPrefix.Prefix.si_family;
		char dest[64], hop[64];

		ip_text(&row->DestinationPrefix.Prefix, family, dest);
		ip_text(&row->NextHop, family, hop);
		(void)fprintf(file, "route %llu %d %s %u %s %lu\n", (unsigned long long)row->InterfaceLuid.Value, family, dest,
		              row->DestinationPrefix.PrefixLength, hop, row->Metric);
	}
	for (size_t i = 0; i < table->setting_count; i++) {
		const struct setting *s = &table->settings[i];

		(void)fprintf(file, "setting %llu %d %u %u %u %u\n", (unsigned long long)s->luid, s->family, s->automatic,
		              s->metric, s->mtu, s->no_defaults);
	}
	(void)fclose(file);
}

static DWORD failure_of(const char *function, int family) {
	FILE *file = open_file("fail.txt", "r");
	char line[LINE_BYTES], name[128], name6[128];
	unsigned long code;
	DWORD found = NO_ERROR;

	(void)snprintf(name6, sizeof(name6), "%s/6", function);
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "%127s %lu", name, &code) == 2 &&
		    (strcmp(name, function) == 0 || (family == AF_INET6 && strcmp(name, name6) == 0)))
			found = code;
	if (file != NULL)
		(void)fclose(file);
	return found;
}

static void interface_name(NET_LUID luid, char name[static 64]) {
	WCHAR alias[NDIS_IF_MAX_STRING_SIZE + 1] = L"?";
	size_t i = 0;

	(void)ConvertInterfaceLuidToAlias(&luid, alias, NDIS_IF_MAX_STRING_SIZE + 1);
	for (; i < 63 && alias[i] != 0; i++)
		name[i] = (char)alias[i];
	name[i] = '\0';
}

static DWORD log_call(const char *text, DWORD result) {
	FILE *file = open_file("calls.txt", "a");

	if (file != NULL) {
		(void)fprintf(file, "%s -> %lu\n", text, (unsigned long)result);
		(void)fclose(file);
	}
	return result;
}

/* Asks the Linux side to do it, too. */
static DWORD mirror(const char *request) {
	const char *port = getenv("FAKE_IPHLPAPI_MIRROR");
	struct sockaddr_in to = {.sin_family = AF_INET};
	DWORD result = ERROR_GEN_FAILURE, timeout = MIRROR_MS;
	char reply[16];
	WSADATA data;
	SOCKET s;
	int len;

	if (port == NULL)
		return NO_ERROR;
	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		return ERROR_GEN_FAILURE;
	s = socket(AF_INET, SOCK_DGRAM, 0);
	to.sin_port = htons((u_short)strtoul(port, NULL, 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	(void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&timeout, sizeof(timeout));
	if (sendto(s, request, (int)strlen(request), 0, (const struct sockaddr *)&to, sizeof(to)) > 0) {
		len = recv(s, reply, sizeof(reply), 0);
		if (len == 2 && memcmp(reply, "ok", 2) == 0)
			result = NO_ERROR;
	}
	closesocket(s);
	WSACleanup();
	return result;
}

static bool same_ip(const SOCKADDR_INET *a, const SOCKADDR_INET *b, int family) {
	return family == AF_INET6 ? memcmp(&a->Ipv6.sin6_addr, &b->Ipv6.sin6_addr, 16) == 0
	                          : memcmp(&a->Ipv4.sin_addr, &b->Ipv4.sin_addr, 4) == 0;
}

static bool same_route(const MIB_IPFORWARD_ROW2 *a, const MIB_IPFORWARD_ROW2 *b) {
	const int family = a->DestinationPrefix.Prefix.si_family;

	return family == b->DestinationPrefix.Prefix.si_family && a->InterfaceLuid.Value == b->InterfaceLuid.Value &&
	       a->DestinationPrefix.PrefixLength == b->DestinationPrefix.PrefixLength &&
	       same_ip(&a->DestinationPrefix.Prefix, &b->DestinationPrefix.Prefix, family) &&
	       same_ip(&a->NextHop, &b->NextHop, family);
}

static MIB_IPFORWARD_ROW2 *find_route(MIB_IPFORWARD_ROW2 *rows, size_t count, const MIB_IPFORWARD_ROW2 *row) {
	for (size_t i = 0; i < count; i++)
		if (same_route(&rows[i], row))
			return &rows[i];
	return NULL;
}

void WINAPI InitializeIpForwardEntry(PMIB_IPFORWARD_ROW2 row) {
	memset(row, 0, sizeof(*row));
	row->ValidLifetime = row->PreferredLifetime = row->Metric = UINT32_MAX;
	row->Protocol = (NL_ROUTE_PROTOCOL)-1; /* to be filled in */
	row->Loopback = row->AutoconfigureAddress = row->Publish = row->Immortal = TRUE;
}

static bool parse_hex_ip(const char *hex, SOCKADDR_INET *ret) {
	memset(ret, 0, sizeof(*ret));
	ret->si_family = AF_INET6;
	for (int i = 0; i < 16; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		ret->Ipv6.sin6_addr.s6_addr[i] = (UINT8)byte;
	}
	return true;
}

/* Wine 8 knows no routes of IPv6, and Wine 10 takes those that reject for a way; Linux tells them in a file. Returns
 * how many it added. */
static ULONG linux_routes6(MIB_IPFORWARD_ROW2 *rows) {
	FILE *file = fopen("Z:\\proc\\net\\ipv6_route", "r");
	char line[LINE_BYTES], dest[33], hop[33], name[64];
	unsigned length, metric, flags;
	ULONG count = 0;

	while (file != NULL && count < ROWS_MAX && fgets(line, sizeof(line), file) != NULL) {
		MIB_IPFORWARD_ROW2 row;
		WCHAR alias[64] = L"";

		InitializeIpForwardEntry(&row);
		if (sscanf(line, "%32s %x %*s %*s %32s %x %*s %*s %x %63s", dest, &length, hop, &metric, &flags, name) != 6 ||
		    !parse_hex_ip(dest, &row.DestinationPrefix.Prefix) || !parse_hex_ip(hop, &row.NextHop))
			continue;
		for (int i = 0; name[i] != '\0'; i++)
			alias[i] = (WCHAR)name[i];
		if ((flags & LINUX_ROUTE_OF_THIS_MACHINE) != 0 ||
		    ConvertInterfaceAliasToLuid(alias, &row.InterfaceLuid) != NO_ERROR)
			continue;
		(void)ConvertInterfaceLuidToIndex(&row.InterfaceLuid, &row.InterfaceIndex);
		row.DestinationPrefix.PrefixLength = (UINT8)length;
		row.Metric = metric;
		rows[count++] = row;
	}
	if (file != NULL)
		(void)fclose(file);
	return count;
}

/* Wine's routes and ours, each once: what is mirrored is in both. Freed with HeapFree, as FreeMibTable does. */
static NETIO_STATUS all_routes(const struct table *own, ADDRESS_FAMILY family, MIB_IPFORWARD_TABLE2 **ret) {
	MIB_IPFORWARD_TABLE2 *real, *all;
	NETIO_STATUS status = real_forward_table(family, &real);
	ULONG count;

	if (status != NO_ERROR)
		return status;
	all = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY,
	                sizeof(*all) + (real->NumEntries + 2 * ROWS_MAX) * sizeof(all->Table[0]));
	if (all == NULL) {
		FreeMibTable(real);
		return ERROR_NOT_ENOUGH_MEMORY;
	}
	count = real->NumEntries;
	memcpy(all->Table, real->Table, count * sizeof(all->Table[0]));
	FreeMibTable(real);
	if (family == AF_INET6)
		count = linux_routes6(all->Table);
	for (size_t i = 0; i < own->route_count; i++) {
		const MIB_IPFORWARD_ROW2 *row = &own->routes[i];
		MIB_IPFORWARD_ROW2 *there = find_route(all->Table, count, row);

		if (family != AF_UNSPEC && row->DestinationPrefix.Prefix.si_family != family)
			continue;
		if (there == NULL)
			there = &all->Table[count++];
		*there = *row;
	}
	all->NumEntries = count;
	*ret = all;
	return NO_ERROR;
}

/* The state of one family of an interface, from the table or as Windows starts with it. False: no such interface. */
static bool setting_of(const struct table *table, NET_LUID luid, int family, struct setting *ret) {
	MIB_IF_ROW2 row;

	for (size_t i = 0; i < table->setting_count; i++) {
		if (table->settings[i].luid == luid.Value && table->settings[i].family == family) {
			*ret = table->settings[i];
			return true;
		}
	}
	memset(&row, 0, sizeof(row));
	row.InterfaceLuid = luid;
	if (GetIfEntry2(&row) != NO_ERROR)
		return false;
	*ret = (struct setting){luid.Value, family, 1, DEFAULT_METRIC, row.Mtu, 0};
	return true;
}

NETIO_STATUS WINAPI CreateIpForwardEntry2(const MIB_IPFORWARD_ROW2 *row) {
	const int family = row->DestinationPrefix.Prefix.si_family;
	char dest[64], hop[64], name[64], text[LINE_BYTES], request[LINE_BYTES];
	MIB_IPFORWARD_TABLE2 *all = NULL;
	struct table table;
	DWORD result;

	AcquireSRWLockExclusive(&lock);
	load(&table);
	ip_text(&row->DestinationPrefix.Prefix, family, dest);
	ip_text(&row->NextHop, family, hop);
	interface_name(row->InterfaceLuid, name);
	(void)snprintf(text, sizeof(text), "CreateIpForwardEntry2 %s/%u via %s if=%s metric=%lu", dest,
	               row->DestinationPrefix.PrefixLength, hop, name, row->Metric);
	(void)snprintf(request, sizeof(request), "add %s/%u %s %s", dest, row->DestinationPrefix.PrefixLength, hop, name);
	result = failure_of("CreateIpForwardEntry2", family);
	if (result == NO_ERROR && (row->Protocol != MIB_IPPROTO_NETMGMT || row->NextHop.si_family != family ||
	                           row->ValidLifetime != UINT32_MAX || row->Metric == UINT32_MAX))
		result = ERROR_INVALID_PARAMETER;
	if (result == NO_ERROR)
		result = all_routes(&table, (ADDRESS_FAMILY)family, &all);
	if (result == NO_ERROR && find_route(all->Table, all->NumEntries, row) != NULL)
		result = ERROR_OBJECT_ALREADY_EXISTS;
	if (result == NO_ERROR && table.route_count + 1 == ROWS_MAX)
		result = ERROR_NOT_ENOUGH_MEMORY;
	if (result == NO_ERROR)
		result = mirror(request);
	if (result == NO_ERROR) {
		table.routes[table.route_count++] = *row;
		save(&table);
	}
	if (all != NULL)
		FreeMibTable(all);
	result = log_call(text, result);
	ReleaseSRWLockExclusive(&lock);
	return result;
}

NETIO_STATUS WINAPI DeleteIpForwardEntry2(const MIB_IPFORWARD_ROW2 *row) {
	const int family = row->DestinationPrefix.Prefix.si_family;
	char dest[64], hop[64], name[64], text[LINE_BYTES], request[LINE_BYTES];
	MIB_IPFORWARD_ROW2 *found;
	struct table table;
	DWORD result;

	AcquireSRWLockExclusive(&lock);
	load(&table);
	ip_text(&row->DestinationPrefix.Prefix, family, dest);
	ip_text(&row->NextHop, family, hop);
	interface_name(row->InterfaceLuid, name);
	(void)snprintf(text, sizeof(text), "DeleteIpForwardEntry2 %s/%u via %s if=%s", dest,
	               row->DestinationPrefix.PrefixLength, hop, name);
	(void)snprintf(request, sizeof(request), "del %s/%u %s %s", dest, row->DestinationPrefix.PrefixLength, hop, name);
	result = failure_of("DeleteIpForwardEntry2", family);
	found = find_route(table.routes, table.route_count, row);
	if (result == NO_ERROR && found == NULL)
		result = ERROR_NOT_FOUND;
	if (result == NO_ERROR)
		result = mirror(request);
	if (result == NO_ERROR) {
		*found = table.routes[--table.route_count];
		save(&table);
	}
	result = log_call(text, result);
	ReleaseSRWLockExclusive(&lock);
	return result;
}

NETIO_STATUS WINAPI GetIpForwardEntry2(PMIB_IPFORWARD_ROW2 row) {
	MIB_IPFORWARD_TABLE2 *all;
	struct table table;
	NETIO_STATUS status;

	load(&table);
	status = all_routes(&table, row->DestinationPrefix.Prefix.si_family, &all);
	if (status != NO_ERROR)
		return status;
	const MIB_IPFORWARD_ROW2 *found = find_route(all->Table, all->NumEntries, row);
	if (found != NULL)
		*row = *found;
	FreeMibTable(all);
	return found != NULL ? NO_ERROR : ERROR_NOT_FOUND;
}

NETIO_STATUS WINAPI GetIpForwardTable2(ADDRESS_FAMILY family, PMIB_IPFORWARD_TABLE2 *ret) {
	struct table table;

	load(&table);
	return all_routes(&table, family, ret);
}

static bool covers(const IP_ADDRESS_PREFIX *prefix, const SOCKADDR_INET *addr) {
	const int family = addr->si_family;
	const uint8_t *a =
	    family == AF_INET6 ? prefix->Prefix.Ipv6.sin6_addr.s6_addr : (const uint8_t *)&prefix->Prefix.Ipv4.sin_addr;
	const uint8_t *b = family == AF_INET6 ? addr->Ipv6.sin6_addr.s6_addr : (const uint8_t *)&addr->Ipv4.sin_addr;

	for (unsigned bit = 0; bit < prefix->PrefixLength; bit++)
		if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return false;
	return true;
}

static void source_on(NET_LUID luid, int family, SOCKADDR_INET *ret) {
	MIB_UNICASTIPADDRESS_TABLE *addresses;

	memset(ret, 0, sizeof(*ret));
	ret->si_family = (ADDRESS_FAMILY)family;
	if (GetUnicastIpAddressTable((ADDRESS_FAMILY)family, &addresses) != NO_ERROR)
		return;
	for (ULONG i = 0; i < addresses->NumEntries; i++)
		if (addresses->Table[i].InterfaceLuid.Value == luid.Value)
			*ret = addresses->Table[i].Address;
	FreeMibTable(addresses);
}

NETIO_STATUS WINAPI GetBestRoute2(NET_LUID *luid, NET_IFINDEX index, const SOCKADDR_INET *source,
                                  const SOCKADDR_INET *dest, ULONG options, PMIB_IPFORWARD_ROW2 ret,
                                  SOCKADDR_INET *ret_source) {
	const MIB_IPFORWARD_ROW2 *best = NULL;
	unsigned best_metric = 0;
	MIB_IPFORWARD_TABLE2 *all;
	struct table table;
	NETIO_STATUS status;

	(void)index, (void)source, (void)options;
	load(&table);
	status = failure_of("GetBestRoute2", dest->si_family);
	if (status == NO_ERROR)
		status = all_routes(&table, dest->si_family, &all);
	if (status != NO_ERROR)
		return status;
	for (ULONG i = 0; i < all->NumEntries; i++) {
		const MIB_IPFORWARD_ROW2 *row = &all->Table[i];
		struct setting setting = {.metric = 0};
		unsigned metric;

		if ((luid != NULL && luid->Value != row->InterfaceLuid.Value) || !covers(&row->DestinationPrefix, dest))
			continue;
		(void)setting_of(&table, row->InterfaceLuid, dest->si_family, &setting);
		metric = row->Metric + setting.metric;
		if (row->DestinationPrefix.PrefixLength == 0 && setting.no_defaults)
			continue;
		if (best == NULL || row->DestinationPrefix.PrefixLength > best->DestinationPrefix.PrefixLength ||
		    (row->DestinationPrefix.PrefixLength == best->DestinationPrefix.PrefixLength && metric < best_metric)) {
			best = row;
			best_metric = metric;
		}
	}
	if (best != NULL) {
		*ret = *best;
		source_on(best->InterfaceLuid, dest->si_family, ret_source);
	}
	FreeMibTable(all);
	return best != NULL ? NO_ERROR : ERROR_NETWORK_UNREACHABLE;
}

void WINAPI InitializeIpInterfaceEntry(PMIB_IPINTERFACE_ROW row) {
	memset(row, 0xff, sizeof(*row));
	row->Family = AF_UNSPEC;
	row->InterfaceLuid.Value = 0;
	row->InterfaceIndex = 0;
}

NETIO_STATUS WINAPI GetIpInterfaceEntry(PMIB_IPINTERFACE_ROW row) {
	struct setting setting;
	struct table table;
	DWORD failure = failure_of("GetIpInterfaceEntry", row->Family);

	if (failure != NO_ERROR)
		return failure;
	if (row->Family != AF_INET && row->Family != AF_INET6)
		return ERROR_INVALID_PARAMETER;
	if (row->InterfaceLuid.Value == 0)
		(void)ConvertInterfaceIndexToLuid(row->InterfaceIndex, &row->InterfaceLuid);
	load(&table);
	if (!setting_of(&table, row->InterfaceLuid, row->Family, &setting))
		return ERROR_FILE_NOT_FOUND;
	(void)ConvertInterfaceLuidToIndex(&row->InterfaceLuid, &row->InterfaceIndex);
	row->UseAutomaticMetric = setting.automatic != 0;
	row->Metric = setting.metric;
	row->NlMtu = setting.mtu;
	row->DisableDefaultRoutes = setting.no_defaults != 0;
	row->SitePrefixLength = 64; /* for IPv4 as well: what Set then refuses */
	row->Connected = TRUE;
	return NO_ERROR;
}

/* What is wrong with the row, as far as Windows would say. */
static DWORD judge(const MIB_IPINTERFACE_ROW *row) {
	const unsigned mtu_min = row->Family == AF_INET6 ? 1280 : 576;

	if ((row->Family != AF_INET && row->Family != AF_INET6) || (row->Family == AF_INET && row->SitePrefixLength != 0) ||
	    row->SitePrefixLength > 64 || row->NlMtu < mtu_min || row->NlMtu > 65535 || row->UseAutomaticMetric > 1 ||
	    row->DisableDefaultRoutes > 1)
		return ERROR_INVALID_PARAMETER;
	return NO_ERROR;
}

NETIO_STATUS WINAPI SetIpInterfaceEntry(PMIB_IPINTERFACE_ROW row) {
	char name[64], text[LINE_BYTES], request[LINE_BYTES];
	struct setting setting, *slot = NULL;
	struct table table;
	DWORD result;

	AcquireSRWLockExclusive(&lock);
	load(&table);
	interface_name(row->InterfaceLuid, name);
	(void)snprintf(
	    text, sizeof(text), "SetIpInterfaceEntry if=%s family=%d automatic=%u metric=%lu mtu=%lu nodefaults=%u", name,
	    row->Family == AF_INET6 ? 6 : 4, row->UseAutomaticMetric, row->Metric, row->NlMtu, row->DisableDefaultRoutes);
	result = failure_of("SetIpInterfaceEntry", row->Family);
	if (result == NO_ERROR)
		result = judge(row);
	if (result == NO_ERROR && !setting_of(&table, row->InterfaceLuid, row->Family, &setting))
		result = ERROR_FILE_NOT_FOUND;
	for (size_t i = 0; i < table.setting_count; i++)
		if (table.settings[i].luid == row->InterfaceLuid.Value && table.settings[i].family == row->Family)
			slot = &table.settings[i];
	if (result == NO_ERROR && slot == NULL && table.setting_count + 1 < ROWS_MAX)
		slot = &table.settings[table.setting_count++];
	if (result == NO_ERROR && slot == NULL)
		result = ERROR_NOT_ENOUGH_MEMORY;
	if (result == NO_ERROR && row->Family == AF_INET && setting.mtu != row->NlMtu) {
		(void)snprintf(request, sizeof(request), "mtu %s %lu", name, row->NlMtu);
		result = mirror(request);
	}
	if (result == NO_ERROR) {
		*slot = (struct setting){row->InterfaceLuid.Value,
		                         row->Family,
		                         row->UseAutomaticMetric != 0,
		                         row->UseAutomaticMetric ? DEFAULT_METRIC : row->Metric,
		                         row->NlMtu,
		                         row->DisableDefaultRoutes != 0};
		save(&table);
	}
	result = log_call(text, result);
	ReleaseSRWLockExclusive(&lock);
	return result;
}
