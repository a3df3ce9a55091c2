/* client-route/apply_unsupported.c: systems where nobody changes routes this way say so (RTE-6). */
#include "base/error.h"
#include "client-route/apply.h"

static int refuse(char error[static ROUTE_ERROR_BYTES]) {
	base_text_copy(error, ROUTE_ERROR_BYTES, "routes and interface settings are not supported on this system");
	return BASE_E_UNSUPPORTED;
}

static int refuse_best(void *user, const struct base_addr *dest, struct route_entry *ret, struct base_addr *ret_source,
                       char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)dest, (void)ret, (void)ret_source;
	return refuse(error);
}

static int refuse_table(void *user, uint8_t family, struct route_entry **ret, size_t *ret_count,
                        char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)family, (void)ret, (void)ret_count;
	return refuse(error);
}

static int refuse_entry(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)entry;
	return refuse(error);
}

static int refuse_get(void *user, uint64_t luid, uint8_t family, struct route_settings *ret,
                      char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)luid, (void)family, (void)ret;
	return refuse(error);
}

static int refuse_set(void *user, uint64_t luid, uint8_t family, const struct route_settings *settings,
                      char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)luid, (void)family, (void)settings;
	return refuse(error);
}

static int refuse_unicast(void *user, struct route_unicast **ret, size_t *ret_count,
                          char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)ret, (void)ret_count;
	return refuse(error);
}

static int refuse_find(void *user, const char *guid, uint64_t *ret_luid, uint32_t *ret_index,
                       char error[static ROUTE_ERROR_BYTES]) {
	(void)user, (void)guid, (void)ret_luid, (void)ret_index;
	return refuse(error);
}

const struct route_system *route_system_native(void) {
	static const struct route_system refusal = {
	    .best = refuse_best,
	    .table = refuse_table,
	    .add = refuse_entry,
	    .remove = refuse_entry,
	    .take_out = refuse_entry,
	    .get_settings = refuse_get,
	    .set_settings = refuse_set,
	    .unicast = refuse_unicast,
	    .find_interface = refuse_find,
	};
	return &refusal;
}
