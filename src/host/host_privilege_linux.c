/* host/host_privilege_linux.c: giving up privilege with libcap-ng (docs/decisions/0005-libcap-ng.md), and looking
 * afterwards whether it is really gone. */
#include "base/error.h"
#include "base/text.h"
#include "host/host.h"

#include <cap-ng.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NO_CAPABILITY (-1)

static int capability_of(enum host_capability keep) {
	switch (keep) {
	case HOST_CAP_NET_RAW:
		return CAP_NET_RAW;
	case HOST_CAP_NET_ADMIN:
		return CAP_NET_ADMIN;
	case HOST_CAP_NONE:
	default:
		return NO_CAPABILITY;
	}
}

static int deny(char error[static HOST_ERROR_BYTES], const char *what) {
	struct base_text text;

	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "cannot give up privileges: %s", what);
	return BASE_E_DENIED;
}

/* 0 with the account's numbers, or *ret_uid untouched for no user or the one we are. */
static int find_user(const char *user, int *ret_uid, int *ret_gid, char error[static HOST_ERROR_BYTES]) {
	const struct passwd *entry;
	struct base_text text;

	if (user == NULL)
		return 0;
	entry = getpwnam(user);
	if (entry == NULL) {
		base_text_init(&text, error, HOST_ERROR_BYTES);
		base_text_addf(&text, "cannot give up privileges: there is no user '%.64s'", user);
		return BASE_E_NOT_FOUND;
	}
	if (entry->pw_uid == getuid() && entry->pw_uid == geteuid() && entry->pw_gid == getgid())
		return 0;
	*ret_uid = (int)entry->pw_uid;
	*ret_gid = (int)entry->pw_gid;
	return 0;
}

static bool have_capability_sets(int keep, bool expect_empty_bounds) {
	if (capng_get_caps_process() != 0)
		return false;
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
		int expected = (int)i == keep;

		if (capng_have_capability(CAPNG_EFFECTIVE, i) != expected ||
		    capng_have_capability(CAPNG_PERMITTED, i) != expected || capng_have_capability(CAPNG_INHERITABLE, i) != 0 ||
		    capng_have_capability(CAPNG_AMBIENT, i) != 0)
			return false;
		if (expect_empty_bounds && capng_have_capability(CAPNG_BOUNDING_SET, i) != 0)
			return false;
	}
	return true;
}

static bool have_user(int uid, int gid) {
	uid_t real, effective, saved;
	gid_t real_gid, effective_gid, saved_gid;

	if (uid < 0)
		return true;
	return getresuid(&real, &effective, &saved) == 0 && getresgid(&real_gid, &effective_gid, &saved_gid) == 0 &&
	       real == (uid_t)uid && effective == (uid_t)uid && saved == (uid_t)uid && real_gid == (gid_t)gid &&
	       effective_gid == (gid_t)gid && saved_gid == (gid_t)gid;
}

int host_check_capability(enum host_capability needed, char error[static HOST_ERROR_BYTES]) {
	int capability = capability_of(needed);
	struct base_text text;

	if (capability == NO_CAPABILITY ||
	    (capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, (unsigned)capability)))
		return 0;
	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "needs root, or %s", needed == HOST_CAP_NET_RAW ? "CAP_NET_RAW" : "CAP_NET_ADMIN");
	return BASE_E_DENIED;
}

int host_drop_privileges(enum host_capability keep, const char *user, char error[static HOST_ERROR_BYTES]) {
	int capability = capability_of(keep), uid = -1, gid = -1, err;
	bool can_clear_bounds;

	err = find_user(user, &uid, &gid, error);
	if (err != 0)
		return err;
	if (capng_get_caps_process() != 0)
		return deny(error, "the capabilities cannot be read");
	if (capability != NO_CAPABILITY && !capng_have_capability(CAPNG_PERMITTED, (unsigned)capability))
		capability = NO_CAPABILITY;
	/* Clearing the bounding set is itself a privilege. Who lacks it is kept from gaining any by no_new_privs. */
	can_clear_bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	if (can_clear_bounds) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
			return deny(error, "the bounding set cannot be cleared");
	}
	capng_clear(CAPNG_SELECT_ALL);
	if (capability != NO_CAPABILITY)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, (unsigned)capability);
	if (uid >= 0 && capng_change_id(uid, gid, CAPNG_INIT_SUPP_GRP) != 0)
		return deny(error, "changing the user is not permitted");
	if (uid < 0 && capng_apply(CAPNG_SELECT_CAPS) != 0)
		return deny(error, "the capabilities cannot be set");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return deny(error, strerror(errno));
	if (!have_capability_sets(capability, can_clear_bounds) || !have_user(uid, gid) ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return deny(error, "the kernel still grants more than was asked for");
	return 0;
}
