#include "client-win/adapter.h"

#include "base/error.h"
#include "client-route/apply.h"
#include "client-win/limits.h"

#include <string.h>

#include <windows.h>

static int choose(const char *instance_id, struct obs_log *log, struct tapwin_adapter *ret,
                  char error[static TAPWIN_ERROR_BYTES]) {
	static struct tapwin_adapter adapters[TAPWIN_ADAPTERS_MAX]; /* big for a stack; used once a start */
	char warning[TAPWIN_ERROR_BYTES];
	size_t count, chosen;
	int err = tapwin_registry_read(adapters, &count, warning, error);

	if (err < 0)
		return err;
	if (warning[0] != '\0')
		obs_note(log, OBS_WARN, "tap_adapter", warning);
	err = tapwin_choose(adapters, count, instance_id, &chosen, error);
	if (err == 0)
		*ret = adapters[chosen];
	return err;
}

/* After a restart the device is back within seconds; before that there is nothing to open. */
static int open_device(const struct tapwin_adapter *adapter, unsigned tries, struct tapwin_device **ret,
                       char error[static TAPWIN_ERROR_BYTES]) {
	int err = tapwin_device_open(adapter->guid, ret, error);

	while (err < 0 && err != BASE_E_DENIED && --tries > 0) {
		Sleep(WINMAIN_REOPEN_WAIT_MS);
		err = tapwin_device_open(adapter->guid, ret, error);
	}
	return err;
}

/* Open, cable out, and what MAC it has. On failure nothing stays open. */
static int open_and_ask(const struct tapwin_adapter *adapter, unsigned tries, struct tapwin_device **ret,
                        struct proto_mac *ret_mac, char error[static TAPWIN_ERROR_BYTES]) {
	struct tapwin_device *device;
	int err = open_device(adapter, tries, &device, error);

	if (err < 0)
		return err;
	err = tapwin_device_set_media(device, false, error);
	if (err == 0)
		err = tapwin_device_mac(device, ret_mac, error);
	if (err < 0)
		tapwin_device_close(device);
	else
		*ret = device;
	return err;
}

static bool restart(const struct tapwin_adapter *adapter, struct obs_log *log, char why[static TAPWIN_ERROR_BYTES]) {
	obs_note(log, OBS_INFO, "tap_restart", adapter->guid);
	why[0] = '\0';
	int err = tapwin_adapter_restart(adapter, why);
	if (err < 0 && why[0] == '\0')
		(void)strcpy_s(why, TAPWIN_ERROR_BYTES, base_error_text(err));
	return err == 0;
}

static void say_open(struct obs_log *log, const struct tapwin_adapter *adapter, struct proto_mac mac) {
	if (!obs_on(log, OBS_INFO))
		return;
	obs_begin(log, OBS_INFO, "tap_opened");
	obs_str(log, "adapter", adapter->name[0] != '\0' ? adapter->name : adapter->description);
	obs_str(log, "guid", adapter->guid);
	obs_str(log, "driver", adapter->version);
	obs_mac(log, "mac", mac.b);
	obs_end(log);
}

static bool has_ip(const struct tapwin_adapter *adapter) {
	const struct route_system *system = route_system_native();
	char error[ROUTE_ERROR_BYTES];
	struct route_settings settings;
	uint64_t luid;
	uint32_t index;

	return system->find_interface(system->user, adapter->guid, &luid, &index, error) == 0 &&
	       system->get_settings(system->user, luid, BASE_FAMILY_V4, &settings, error) != BASE_E_NOT_FOUND;
}

/* Windows' IP takes an adapter that has come up a little later than its driver lets us open it; IPv6 then comes with
 * IPv4. If it does not come at all, that is said when it is needed. */
static void wait_for_ip(const struct tapwin_adapter *adapter) {
	for (unsigned tries = 0; tries < WINMAIN_REOPEN_TRIES && !has_ip(adapter); tries++)
		Sleep(WINMAIN_REOPEN_WAIT_MS);
	Sleep(WINMAIN_REOPEN_WAIT_MS);
}

/* Opened with `mac` if that can be had; what the driver has is in *ret_driver. A driver reads its MAC when it starts,
 * so it is restarted for a new one. On failure nothing stays open. */
static int open_with_mac(const struct tapwin_adapter *adapter, struct proto_mac mac, struct obs_log *log,
                         struct tapwin_device **ret, struct proto_mac *ret_driver, char why[static TAPWIN_ERROR_BYTES],
                         char error[static TAPWIN_ERROR_BYTES]) {
	struct tapwin_device *device = NULL;
	bool changed;
	const int opened = open_and_ask(adapter, 1, &device, ret_driver, error);

	if (opened == BASE_E_EXISTS)
		return opened; /* before anything is changed: another program's tunnel runs over it */
	const int err = tapwin_registry_set_mac(adapter, mac, &changed, error);
	if (err == 0 && (opened == 0 ? proto_mac_equal(*ret_driver, mac) : !changed)) {
		*ret = device;
		return opened;
	}
	tapwin_device_close(device);
	if (err < 0)
		return err;
	const bool restarted = restart(adapter, log, why);
	const int reopened = open_and_ask(adapter, restarted ? WINMAIN_REOPEN_TRIES : 1, ret, ret_driver, error);
	if (restarted && reopened == 0)
		wait_for_ip(adapter);
	return reopened;
}

enum client_exit winmain_adapter_open(const char *instance_id, struct proto_mac mac, struct obs_log *log,
                                      struct tapwin_adapter *ret_adapter, struct tapwin_device **ret_device,
                                      char error[static TAPWIN_ERROR_BYTES]) {
	char why[TAPWIN_ERROR_BYTES] = "";
	struct tapwin_device *device;
	struct proto_mac driver;
	struct base_text text;
	int err = choose(instance_id, log, ret_adapter, error);

	if (err == 0)
		err = open_with_mac(ret_adapter, mac, log, &device, &driver, why, error);
	if (err < 0)
		return winmain_exit_of_adapter(err);
	if (!proto_mac_equal(driver, mac)) {
		base_text_init(&text, error, TAPWIN_ERROR_BYTES);
		winmain_advise_mac(&text, ret_adapter, driver, mac, why);
		tapwin_device_close(device);
		return CLIENT_EXIT_DEVICE;
	}
	say_open(log, ret_adapter, mac);
	*ret_device = device;
	return CLIENT_EXIT_OK;
}
