/* INetworkListManager is documented for applications; the category of a network is what the Settings page shows. */
#define COBJMACROS
#include "client-win/profile.h"

#include "base/error.h"
#include "client-win/system.h"

#include <string.h>

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

/* Windows' own words for how far it is with a network. A system that does not say it has identified all. */
static NLM_NETWORK_CLASS class_of(INetwork *network) {
	static const GUID bag_id = {0x55272a00, 0x42cb, 0x11ce, {0x81, 0x35, 0x00, 0xaa, 0x00, 0x4b, 0xb8, 0x51}};
	NLM_NETWORK_CLASS class = NLM_NETWORK_IDENTIFIED;
	VARIANT value = {.vt = VT_EMPTY};
	IPropertyBag *bag;
	if (FAILED(INetwork_QueryInterface(network, &bag_id, (void **)&bag)))
		return class;
	if (SUCCEEDED(IPropertyBag_Read(bag, L"NA_NetworkClass", &value, NULL)) &&
	    (value.vt == VT_UI4 || value.vt == VT_UINT || value.vt == VT_I4 || value.vt == VT_INT))
		class = (NLM_NETWORK_CLASS)value.ulVal;
	(void)IPropertyBag_Release(bag);
	return class;
}

/* While Windows still identifies a network it shows one of its own in that place, which is public and cannot be
 * changed.
 */
static int find_network(const char *guid, INetwork **ret, struct winmain_network *ret_found,
                        char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	INetworkListManager *manager;
	NLM_NETWORK_CLASS class;
	wchar_t wide[64];
	GUID adapter, id = {0};
	if (MultiByteToWideChar(CP_UTF8, 0, guid, -1, wide, 64) == 0 || FAILED(CLSIDFromString(wide, &adapter)))
		return fail(E_INVALIDARG, "adapter GUID", error);
	HRESULT result = open_manager(&manager);
	if (FAILED(result))
		return fail(result, "INetworkListManager", error);
	result = find_in(manager, &adapter, ret);
	if (FAILED(result))
		return fail(result, "GetNetworkConnections", error);
	if (result != S_OK)
		return BASE_E_NOT_FOUND;
	class = class_of(*ret);
	if (class == NLM_NETWORK_IDENTIFYING) {
		(void)INetwork_Release(*ret);
		return BASE_E_NOT_FOUND;
	}
	(void)INetwork_GetNetworkId(*ret, &id); /* without one, all are the same */
	_Static_assert(sizeof(id) == WINMAIN_NETWORK_ID_BYTES, "an id is a GUID");
	memcpy(ret_found->id, &id, sizeof(id));
	ret_found->lasting = class != NLM_NETWORK_UNIDENTIFIED;
	return 0;
}

static int get(void *user, const char *guid, struct winmain_network *ret,
               char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	INetwork *network;
	NLM_NETWORK_CATEGORY category;
	(void)user;
	int err = find_network(guid, &network, ret, error);
	if (err < 0)
		return err;
	HRESULT result = INetwork_GetCategory(network, &category);
	(void)INetwork_Release(network);
	if (FAILED(result))
		return fail(result, "GetCategory", error);
	ret->category = category == NLM_NETWORK_CATEGORY_PUBLIC    ? WINMAIN_PUBLIC
	                : category == NLM_NETWORK_CATEGORY_PRIVATE ? WINMAIN_PRIVATE
	                                                           : WINMAIN_DOMAIN;
	return 0;
}

static int set(void *user, const char *guid, const struct winmain_network *wanted,
               char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	struct winmain_network found;
	HRESULT result = S_OK;
	INetwork *network;
	(void)user;
	int err = find_network(guid, &network, &found, error);
	if (err < 0)
		return err;
	const bool same = memcmp(found.id, wanted->id, sizeof(found.id)) == 0;
	if (same)
		result = INetwork_SetCategory(network, wanted->category == WINMAIN_PRIVATE ? NLM_NETWORK_CATEGORY_PRIVATE
		                                                                           : NLM_NETWORK_CATEGORY_PUBLIC);
	(void)INetwork_Release(network);
	if (!same)
		return BASE_E_NOT_FOUND;
	return FAILED(result) ? fail(result, "SetCategory", error) : 0;
}

const struct winmain_profile *winmain_profile_native(void) {
	static const struct winmain_profile native = {.get = get, .set = set};

	return &native;
}
