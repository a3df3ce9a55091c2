/* client-tap/restart_windows.c: disables and enables an adapter through the device installer, as the device manager
 * does: only then does its driver read its MAC anew. */
#include "client-tap/device.h"
#include "client-tap/words.h"

#include "base/error.h"

#include <windows.h>

#include <setupapi.h>

#include <string.h>

static const GUID net_class = {0x4d36e972, 0xe325, 0x11ce, {0xbf, 0xc1, 0x08, 0x00, 0x2b, 0xe1, 0x03, 0x18}};

/* A device's driver key is "{class}\0007": the subkey it has in the registry's class. */
static bool is_device_of(HDEVINFO devices, SP_DEVINFO_DATA *device, const wchar_t *subkey) {
	wchar_t driver[128];
	const wchar_t *tail;

	if (!SetupDiGetDeviceRegistryPropertyW(devices, device, SPDRP_DRIVER, NULL, (BYTE *)driver,
	                                       sizeof(driver) - sizeof(driver[0]), NULL))
		return false;
	driver[sizeof(driver) / sizeof(driver[0]) - 1] = L'\0';
	tail = wcsrchr(driver, L'\\');
	return tail != NULL && wcscmp(tail + 1, subkey) == 0;
}

static DWORD change_state(HDEVINFO devices, SP_DEVINFO_DATA *device, DWORD state) {
	SP_PROPCHANGE_PARAMS params = {
	    .ClassInstallHeader = {.cbSize = sizeof(SP_CLASSINSTALL_HEADER), .InstallFunction = DIF_PROPERTYCHANGE},
	    .StateChange = state,
	    .Scope = DICS_FLAG_GLOBAL,
	};

	if (!SetupDiSetClassInstallParamsW(devices, device, &params.ClassInstallHeader, sizeof(params)) ||
	    !SetupDiCallClassInstaller(DIF_PROPERTYCHANGE, devices, device))
		return GetLastError();
	return ERROR_SUCCESS;
}

static bool needs_reboot(HDEVINFO devices, SP_DEVINFO_DATA *device) {
	SP_DEVINSTALL_PARAMS_W params = {.cbSize = sizeof(params)};

	return SetupDiGetDeviceInstallParamsW(devices, device, &params) &&
	       (params.Flags & (DI_NEEDREBOOT | DI_NEEDRESTART)) != 0;
}

static int restart_device(HDEVINFO devices, SP_DEVINFO_DATA *device, char error[static TAPWIN_ERROR_BYTES]) {
	DWORD code = change_state(devices, device, DICS_DISABLE);

	if (code != ERROR_SUCCESS)
		return tapwin_fail(error, "disabling the TAP adapter", code);
	code = change_state(devices, device, DICS_ENABLE);
	if (code != ERROR_SUCCESS)
		return tapwin_fail(error, "enabling the TAP adapter again", code);
	if (!needs_reboot(devices, device))
		return 0;
	base_text_copy(error, TAPWIN_ERROR_BYTES,
	               "Windows wants to be restarted before the TAP adapter takes its new settings");
	return BASE_E_STATE;
}

int tapwin_adapter_restart(const struct tapwin_adapter *adapter, char error[static TAPWIN_ERROR_BYTES]) {
	SP_DEVINFO_DATA device = {.cbSize = sizeof(device)};
	HDEVINFO devices = SetupDiGetClassDevsW(&net_class, NULL, NULL, DIGCF_PRESENT);
	wchar_t subkey[TAPWIN_SUBKEY_BYTES];
	struct base_text text;
	int err = BASE_E_NOT_FOUND;

	if (devices == INVALID_HANDLE_VALUE)
		return tapwin_fail(error, "listing the network adapters", GetLastError());
	tapwin_widen(adapter->subkey, subkey, TAPWIN_SUBKEY_BYTES);
	base_text_init(&text, error, TAPWIN_ERROR_BYTES);
	base_text_addf(&text, "the TAP adapter %s is not among the devices of this machine", adapter->guid);
	for (DWORD i = 0; SetupDiEnumDeviceInfo(devices, i, &device); i++) {
		if (!is_device_of(devices, &device, subkey))
			continue;
		err = restart_device(devices, &device, error);
		break;
	}
	SetupDiDestroyDeviceInfoList(devices);
	return err;
}
