#include "client-win/firewall.h"

#include "base/error.h"
#include "tests/unit.h"

#include <string.h>

static char said[1024];

static void sink(void *user, struct slice line) {
	size_t len = strlen(said);
	(void)user;
	assert_true(len + line.len < sizeof(said));
	memcpy(said + len, line.data, line.len);
	said[len + line.len] = '\0';
}

static uint64_t wall_clock(void) {
	return 0;
}

/* A network of Windows' that answers as the case says. */
struct fake {
	int get_err, set_err;
	enum winmain_category category;
	bool fleeting; /* unidentified */
	uint8_t id;
	unsigned sets;
};

static int fake_get(void *user, const char *guid, struct winmain_network *ret,
                    char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	struct fake *fake = user;
	assert_string_equal(guid, "{G}");
	memcpy(error, "GETFAIL", 8);
	*ret = (struct winmain_network){.id = {fake->id}, .category = fake->category, .lasting = !fake->fleeting};
	return fake->get_err;
}

static int fake_set(void *user, const char *guid, const struct winmain_network *wanted,
                    char error[static WINMAIN_PROFILE_ERROR_BYTES]) {
	struct fake *fake = user;
	assert_string_equal(guid, "{G}");
	memcpy(error, "SETFAIL", 8);
	if (wanted->id[0] != fake->id)
		return BASE_E_NOT_FOUND;
	fake->sets++;
	if (fake->set_err == 0)
		fake->category = wanted->category;
	return fake->set_err;
}

static void test_what_is_said_and_done(void **state) {
	static const struct {
		struct fake fake;
		bool wanted, settled, changed;
		const char *said; /* part of it; "": nothing at all */
	} cases[] = {
	    {{.get_err = BASE_E_NOT_FOUND}, false, false, false, ""},
	    {{.get_err = BASE_E_IO}, false, true, false, "GETFAIL"},
	    {{.category = WINMAIN_PRIVATE}, true, true, false, ""},
	    {{.category = WINMAIN_DOMAIN}, true, true, false, ""},
	    {{.category = WINMAIN_PUBLIC}, false, true, false, "--private-network"},
	    {{.category = WINMAIN_PUBLIC}, true, true, true, "it is a private one"},
	    {{.category = WINMAIN_PUBLIC, .set_err = BASE_E_DENIED}, true, true, false, "SETFAIL"},
	    {{.category = WINMAIN_PUBLIC, .set_err = BASE_E_NOT_FOUND}, true, false, false, ""},
	};
	struct obs_log *log = obs_log_new(OBS_INFO, OBS_FORMAT_TEXT, sink, wall_clock, NULL);
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake fake = cases[i].fake;
		const struct winmain_profile profile = {.get = fake_get, .set = fake_set, .user = &fake};
		struct winmain_firewall firewall = {
		    .profile = &profile, .log = log, .guid = "{G}", .make_private = cases[i].wanted};
		said[0] = '\0';
		winmain_firewall_look(&firewall);
		unit_assert_true(firewall.settled == cases[i].settled, cases[i].said);
		unit_assert_true(firewall.changed == cases[i].changed, cases[i].said);
		unit_assert_true(cases[i].said[0] == '\0' ? said[0] == '\0' : strstr(said, cases[i].said) != NULL, said);
		said[0] = '\0';
		if (cases[i].settled) {
			winmain_firewall_look(&firewall); /* once is enough */
			unit_assert_true(said[0] == '\0', said);
		}
	}
	obs_log_free(log);
}

static void test_what_was_changed_is_put_back(void **state) {
	struct fake fake = {.category = WINMAIN_PUBLIC};
	const struct winmain_profile profile = {.get = fake_get, .set = fake_set, .user = &fake};
	struct winmain_firewall firewall = {.profile = &profile, .guid = "{G}", .make_private = true};
	(void)state;
	winmain_firewall_restore(&firewall);
	assert_int_equal(fake.sets, 0);
	winmain_firewall_look(&firewall);
	assert_int_equal(fake.category, WINMAIN_PRIVATE);
	winmain_firewall_forget(&firewall);
	assert_int_equal(fake.category, WINMAIN_PUBLIC);
	winmain_firewall_look(&firewall);
	assert_int_equal(fake.category, WINMAIN_PRIVATE);
	winmain_firewall_restore(&firewall);
	winmain_firewall_restore(&firewall);
	assert_int_equal(fake.category, WINMAIN_PUBLIC);
	assert_int_equal(fake.sets, 4);
}

static void test_what_cannot_be_put_back_is_said(void **state) {
	static const struct {
		int err;
		const char *said;
	} cases[] = {{BASE_E_NOT_FOUND, "stays a private one"}, {BASE_E_DENIED, "SETFAIL"}};
	struct obs_log *log = obs_log_new(OBS_INFO, OBS_FORMAT_TEXT, sink, wall_clock, NULL);
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake fake = {.category = WINMAIN_PUBLIC};
		const struct winmain_profile profile = {.get = fake_get, .set = fake_set, .user = &fake};
		struct winmain_firewall firewall = {.profile = &profile, .log = log, .guid = "{G}", .make_private = true};
		winmain_firewall_look(&firewall);
		fake.set_err = cases[i].err;
		said[0] = '\0';
		winmain_firewall_restore(&firewall);
		unit_assert_true(strstr(said, cases[i].said) != NULL, said);
		said[0] = '\0';
		winmain_firewall_restore(&firewall);
		unit_assert_true(said[0] == '\0', said);
	}
	obs_log_free(log);
}

/* Before its DHCP server answers the LAN is unidentified, and public; then it is another network for Windows. */
static void test_another_network_later(void **state) {
	struct obs_log *log = obs_log_new(OBS_INFO, OBS_FORMAT_TEXT, sink, wall_clock, NULL);
	struct fake fake = {.category = WINMAIN_PUBLIC, .fleeting = true, .id = 1};
	const struct winmain_profile profile = {.get = fake_get, .set = fake_set, .user = &fake};
	struct winmain_firewall firewall = {.profile = &profile, .log = log, .guid = "{G}", .make_private = true};
	(void)state;
	winmain_firewall_look(&firewall);
	assert_int_equal(fake.category, WINMAIN_PRIVATE);
	fake = (struct fake){.category = WINMAIN_PUBLIC, .id = 2};
	said[0] = '\0';
	winmain_firewall_look(&firewall);
	assert_int_equal(fake.category, WINMAIN_PRIVATE);
	assert_non_null(strstr(said, "it is a private one"));
	assert_null(strstr(said, "stays a private one")); /* what is unidentified is forgotten anyway */
	/* One that the person made private is not made public at the end. */
	fake = (struct fake){.category = WINMAIN_PRIVATE, .id = 3};
	said[0] = '\0';
	winmain_firewall_look(&firewall);
	assert_non_null(strstr(said, "stays a private one")); /* the one before */
	winmain_firewall_restore(&firewall);
	assert_int_equal(fake.category, WINMAIN_PRIVATE);
	assert_int_equal(fake.sets, 0);
	/* What can't be told for a moment is no other network. */
	said[0] = '\0';
	fake.get_err = BASE_E_IO;
	winmain_firewall_look(&firewall);
	fake.get_err = BASE_E_NOT_FOUND;
	winmain_firewall_look(&firewall);
	assert_string_equal(said, "");
	obs_log_free(log);
}

static void test_a_public_network_later_is_said(void **state) {
	struct obs_log *log = obs_log_new(OBS_INFO, OBS_FORMAT_TEXT, sink, wall_clock, NULL);
	struct fake fake = {.category = WINMAIN_PRIVATE, .id = 1};
	const struct winmain_profile profile = {.get = fake_get, .set = fake_set, .user = &fake};
	struct winmain_firewall firewall = {.profile = &profile, .log = log, .guid = "{G}"};
	(void)state;
	said[0] = '\0';
	winmain_firewall_look(&firewall);
	assert_string_equal(said, "");
	fake = (struct fake){.category = WINMAIN_PUBLIC, .id = 2};
	winmain_firewall_look(&firewall);
	assert_non_null(strstr(said, "--private-network"));
	obs_log_free(log);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_said_and_done),           cmocka_unit_test(test_what_was_changed_is_put_back),
	    cmocka_unit_test(test_what_cannot_be_put_back_is_said), cmocka_unit_test(test_another_network_later),
	    cmocka_unit_test(test_a_public_network_later_is_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
