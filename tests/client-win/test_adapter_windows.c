/* The adapter with a driver and Windows' IP made of the functions below, which go before those of the libraries. */
#include "client-win/adapter.h"

#include "base/error.h"
#include "client-route/apply.h"
#include "tests/unit.h"

#include <string.h>

static const struct proto_mac wanted = {{2, 0x4c, 0x50, 0, 0, 1}}, other = {{2, 0, 0, 0, 0, 9}};

static struct {
	bool is_open, restarted;
	struct proto_mac mac;
	unsigned ip_after; /* so often it is looked for in vain after a restart */
	unsigned looks;
} pc;

int tapwin_registry_read(struct tapwin_adapter ret[static TAPWIN_ADAPTERS_MAX], size_t *ret_count,
                         char warning[static TAPWIN_ERROR_BYTES], char error[static TAPWIN_ERROR_BYTES]) {
	(void)error;
	warning[0] = '\0';
	ret[0] = (struct tapwin_adapter){.subkey = "0007", .guid = "{00000000-0000-0000-0000-000000000007}"};
	*ret_count = 1;
	return 0;
}

int tapwin_registry_set_mac(const struct tapwin_adapter *adapter, struct proto_mac mac, bool *ret_changed,
                            char error[static TAPWIN_ERROR_BYTES]) {
	(void)adapter, (void)mac, (void)error;
	*ret_changed = true;
	return 0;
}

int tapwin_adapter_restart(const struct tapwin_adapter *adapter, char error[static TAPWIN_ERROR_BYTES]) {
	(void)adapter, (void)error;
	assert_false(pc.is_open);
	pc.restarted = true;
	pc.mac = wanted;
	return 0;
}

int tapwin_device_open(const char *guid, struct tapwin_device **ret, char error[static TAPWIN_ERROR_BYTES]) {
	(void)guid, (void)error;
	pc.is_open = true;
	*ret = (struct tapwin_device *)&pc;
	return 0;
}

void tapwin_device_close(struct tapwin_device *device) {
	(void)device;
	pc.is_open = false;
}

int tapwin_device_set_media(struct tapwin_device *device, bool up, char error[static TAPWIN_ERROR_BYTES]) {
	(void)device, (void)error;
	assert_false(up);
	return 0;
}

int tapwin_device_mac(struct tapwin_device *device, struct proto_mac *ret, char error[static TAPWIN_ERROR_BYTES]) {
	(void)device, (void)error;
	*ret = pc.mac;
	return 0;
}

static int find_interface(void *user, const char *guid, uint64_t *ret_luid, uint32_t *ret_index,
                          char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)guid, (void)error;
	*ret_luid = 7;
	*ret_index = 7;
	return 0;
}

static int get_settings(void *user, uint64_t luid, uint8_t family, struct route_settings *ret,
                        char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)error;
	assert_int_equal(luid, 7);
	assert_int_equal(family, BASE_FAMILY_V4);
	*ret = (struct route_settings){.present = true};
	return pc.looks++ < pc.ip_after ? BASE_E_NOT_FOUND : 0;
}

const struct route_system *route_system_native(void) {
	static const struct route_system system = {.find_interface = find_interface, .get_settings = get_settings};

	return &system;
}

static void open_adapter(void) {
	struct tapwin_adapter adapter;
	struct tapwin_device *device = NULL;
	char error[TAPWIN_ERROR_BYTES] = "";

	if (winmain_adapter_open(NULL, wanted, NULL, &adapter, &device, error) != CLIENT_EXIT_OK)
		fail_msg("%s", error);
	assert_true(pc.is_open);
	assert_ptr_equal(device, &pc);
}

/* Windows' IP takes it only after we could open it: what is set then must not be refused for that. */
static void test_restarted(void **state) {
	(void)state;
	memset(&pc, 0, sizeof(pc));
	pc.mac = other;
	pc.ip_after = 3;
	open_adapter();
	assert_true(pc.restarted);
	assert_int_equal(pc.looks, 4);
}

static void test_as_it_is(void **state) {
	(void)state;
	memset(&pc, 0, sizeof(pc));
	pc.mac = wanted;
	open_adapter();
	assert_false(pc.restarted);
	assert_int_equal(pc.looks, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_restarted), cmocka_unit_test(test_as_it_is)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
