/* INetworkListManager is documented for applications; the category of a network is what the Settings page shows. */
#define COBJMACROS
#include "client-win/profile.h"

#include "base/error.h"
#include "client-win/system.h"

#include <windows.h>

#include <initguid.h>
#include <netlistmgr.h>

static int fail(HRESULT result, const char *where, char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	struct base_text text;

	base_text_init(&text, error, WINMAIN_PROFILE_ERROR_BYTES);
	base_text_addf(&text, "%s: 0x%08lx", where, (unsigned long)result);
	return result == E_ACCESSDENIED ? BASE_E_DENIED : result == E_NOTIMPL ? BASE_E_UNSUPPORTED : BASE_E_IO;
}

/* The network that the adapter is connected to. S_FALSE: none. */
static HRESULT find_in(INetworkListManager *manager, const GUID *adapter, INetwork **ret) {
	IEnumNetworkConnections *list;
	INetworkConnection *connection;
	ULONG fetched;
	HRESULT result = INetworkListManager_GetNetworkConnections(manager, &list);
	if (FAILED(result))
		return result;
	result = S_FALSE;
	while (result == S_FALSE && IEnumNetworkConnections_Next(list, 1, &connection, &fetched) == S_OK && fetched == 1) {
		GUID id;
		if (SUCCEEDED(INetworkConnection_GetAdapterId(connection, &id)) && IsEqualGUID(&id, adapter))
			result = INetworkConnection_GetNetwork(connection, ret);
		(void)INetworkConnection_Release(connection);
	}
	(void)IEnumNetworkConnections_Release(list);
	return result;
}

/* Made once and kept: Wine's takes its networks along when it goes, also those that somebody holds. */
static HRESULT open_manager(INetworkListManager **ret) {
	static INetworkListManager *manager;
	HRESULT result = S_OK;
	if (manager == NULL) {
		result = CoInitializeEx(NULL, COINIT_MULTITHREADED);
		if (SUCCEEDED(result) || result == RPC_E_CHANGED_MODE)
			result = CoCreateInstance(&CLSID_NetworkListManager, NULL, CLSCTX_ALL, &IID_INetworkListManager,
			                          (void **)&manager);
	}
	*ret = manager;
	return result;
}

static int find_network(const char *guid, INetwork **ret, char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	INetworkListManager *manager;
	wchar_t wide[64];
	GUID adapter;
	if (MultiByteToWideChar(CP_UTF8, 0, guid, -1, wide, 64) == 0 || FAILED(CLSIDFromString(wide, &adapter)))
		return fail(E_INVALIDARG, "adapter GUID", error);
	HRESULT result = open_manager(&manager);
	if (FAILED(result))
		return fail(result, "INetworkListManager", error);
	result = find_in(manager, &adapter, ret);
	if (FAILED(result))
		return fail(result, "GetNetworkConnections", error);
	return result == S_OK ? 0 : BASE_E_NOT_FOUND;
}

static int get(void *user, const char *guid, enum winmain_category *ret,
               char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	INetwork *network;
	NLM_NETWORK_CATEGORY category;
	(void)user;
	int err = find_network(guid, &network, error);
	if (err < 0)
		return err;
	HRESULT result = INetwork_GetCategory(network, &category);
	(void)INetwork_Release(network);
	if (FAILED(result))
		return fail(result, "GetCategory", error);
	*ret = category == NLM_NETWORK_CATEGORY_PUBLIC    ? WINMAIN_PUBLIC
	       : category == NLM_NETWORK_CATEGORY_PRIVATE ? WINMAIN_PRIVATE
	                                                  : WINMAIN_DOMAIN;
	return 0;
}

static int set(void *user, const char *guid, enum winmain_category category,
               char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	INetwork *network;
	(void)user;
	int err = find_network(guid, &network, error);
	if (err < 0)
		return err;
	HRESULT result = INetwork_SetCategory(network, category == WINMAIN_PRIVATE ? NLM_NETWORK_CATEGORY_PRIVATE
	                                                                           : NLM_NETWORK_CATEGORY_PUBLIC);
	(void)INetwork_Release(network);
	return FAILED(result) ? fail(result, "SetCategory", error) : 0;
}

const struct winmain_profile *winmain_profile_native(void) {
	static const struct winmain_profile native = {.get = get, .set = set};

	return &native;
}
