/* The decision from a sysfs tree made of plain files; real interfaces are in test_device.c. */
#include "gateway/port.h"

#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/lanparty-sysfs-XXXXXX";

static void path_of(char *path, size_t cap, const char *name, const char *leaf) {
	int len = snprintf(path, cap, "%s/%s/%s", root, name, leaf);
	assert_true(len > 0 && (size_t)len < cap);
}

static void put(const char *name, const char *leaf, const char *content) {
	char path[256];
	path_of(path, sizeof(path), name, leaf);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static const struct {
	const char *name, *type, *flags, *carrier; /* NULL: no such file */
	const char *directory;                     /* one more in it */
	enum gateway_port_state state;
	const char *error;
} cases[] = {
    {"good", "1\n", "0x1003\n", "1\n", NULL, GATEWAY_PORT_UP, ""},
    {"unplugged", "1\n", "0x1003\n", "0\n", NULL, GATEWAY_PORT_NO_CARRIER, "interface 'unplugged' has no carrier"},
    {"down", "1\n", "0x1002\n", NULL, NULL, GATEWAY_PORT_DOWN, "interface 'down' is down"},
    {"radio", "1\n", "0x1003\n", "1\n", "wireless", GATEWAY_PORT_UNFIT, "interface 'radio' is a Wi-Fi interface"},
    {"phy", "1\n", "0x1003\n", "1\n", "phy80211", GATEWAY_PORT_UNFIT, "interface 'phy' is a Wi-Fi interface"},
    {"port", "1\n", "0x1003\n", "1\n", "brport", GATEWAY_PORT_UP, ""},
    {"ovs", "1\n", "0x1003\n", "1\n", "upper_ovs-system", GATEWAY_PORT_UP, ""},
    {"link", "1\n", "0x1003\n", "1\n", "bonding_slave", GATEWAY_PORT_UP, ""},
    {"ppp", "512\n", "0x1003\n", "1\n", NULL, GATEWAY_PORT_UNFIT, "interface 'ppp' is not an Ethernet interface"},
    {"rubbish", "x\n", "y\n", "z\n", NULL, GATEWAY_PORT_UNFIT, "interface 'rubbish' is not an Ethernet interface"},
    {"strange", "1\n", "0x1003\n", "\n", NULL, GATEWAY_PORT_NO_CARRIER, "interface 'strange' has no carrier"},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static int make_tree(void **state) {
	char path[256];
	(void)state;
	if (mkdtemp(root) == NULL)
		return -1;
	for (size_t i = 0; i < CASES; i++) {
		path_of(path, sizeof(path), cases[i].name, "");
		assert_int_equal(mkdir(path, 0700), 0);
		put(cases[i].name, "type", cases[i].type);
		put(cases[i].name, "flags", cases[i].flags);
		put(cases[i].name, "ifindex", "12\n");
		if (cases[i].carrier != NULL)
			put(cases[i].name, "carrier", cases[i].carrier);
		if (cases[i].directory != NULL) {
			path_of(path, sizeof(path), cases[i].name, cases[i].directory);
			assert_int_equal(mkdir(path, 0700), 0);
		}
	}
	return 0;
}

static int remove_tree(void **state) {
	char path[256];
	(void)state;
	static const char *const leaves[] = {"type", "flags", "ifindex", "carrier", "operstate"};
	for (size_t i = 0; i < CASES; i++) {
		for (size_t k = 0; k < sizeof(leaves) / sizeof(leaves[0]); k++) {
			path_of(path, sizeof(path), cases[i].name, leaves[k]);
			(void)unlink(path);
		}
		if (cases[i].directory != NULL) {
			path_of(path, sizeof(path), cases[i].name, cases[i].directory);
			(void)rmdir(path);
		}
		path_of(path, sizeof(path), cases[i].name, "");
		(void)rmdir(path);
	}
	return rmdir(root);
}

static void test_states(void **state) {
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		char error[GATEWAY_PORT_ERROR_BYTES] = "";
		unit_assert_int(gateway_port_state(root, cases[i].name, error), cases[i].state, cases[i].name);
		if (strncmp(error, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s: '%s'", cases[i].name, error);
	}
	assert_int_equal(gateway_port_ifindex(root, "good"), 12);
}

/* Only a link that is not known to be in use is asked for its carrier. */
static void test_operating(void **state) {
	static const struct {
		const char *operstate, *carrier;
		enum gateway_port_state state;
	} links[] = {
	    {"up\n", "0\n", GATEWAY_PORT_UP},
	    {"unknown\n", "1\n", GATEWAY_PORT_UP},
	    {"dormant\n", "1\n", GATEWAY_PORT_UP},
	    {"lowerlayerdown\n", "0\n", GATEWAY_PORT_NO_CARRIER},
	    {"upwards\n", "0\n", GATEWAY_PORT_NO_CARRIER},
	    {"", "0\n", GATEWAY_PORT_NO_CARRIER},
	};
	char error[GATEWAY_PORT_ERROR_BYTES];
	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		put("link", "operstate", links[i].operstate);
		put("link", "carrier", links[i].carrier);
		unit_assert_int(gateway_port_state(root, "link", error), links[i].state, links[i].operstate);
	}
	put("down", "operstate", "up\n"); /* set down, and the kernel has not come to it yet */
	assert_int_equal(gateway_port_state(root, "down", error), GATEWAY_PORT_DOWN);
}

static void test_no_such_interface(void **state) {
	static const char *const names[] = {
	    "absent", "", ".", "..", "../good", "good/../good", "aninterfacenamethatistoolong"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char error[GATEWAY_PORT_ERROR_BYTES] = "";
		unit_assert_int(gateway_port_state(root, names[i], error), GATEWAY_PORT_GONE, names[i]);
		unit_assert_true(strstr(error, "does not exist") != NULL, names[i]);
		unit_assert_int(gateway_port_ifindex(root, names[i]), 0, names[i]);
	}
}

static void test_part_of_another_interface(void **state) {
	char text[GATEWAY_PORT_ERROR_BYTES] = "";
	(void)state;
	assert_true(gateway_port_is_part(root, "port", text));
	assert_non_null(strstr(text, "interface 'port' is a port of a bridge: "));
	assert_non_null(strstr(text, "a veth pair with one end in it")); /* all of it fits */
	assert_true(gateway_port_is_part(root, "ovs", text));
	assert_non_null(strstr(text, "interface 'ovs' is a port of an Open vSwitch"));
	assert_true(gateway_port_is_part(root, "link", text));
	assert_non_null(strstr(text, "interface 'link' is one link of a bond: "));
	assert_false(gateway_port_is_part(root, "good", text));
	assert_false(gateway_port_is_part(root, "../port", text));
}

static void test_no_descriptor_free(void **state) {
	struct rlimit before, none;

	(void)state;
	assert_true(gateway_port_can_tell(root));
	assert_true(gateway_port_can_tell("/nonexistent"));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	bool can_tell = gateway_port_can_tell(root);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_false(can_tell);
	assert_true(gateway_port_can_tell(root));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_states), cmocka_unit_test(test_no_such_interface), cmocka_unit_test(test_operating),
	    cmocka_unit_test(test_part_of_another_interface), cmocka_unit_test(test_no_descriptor_free)};
	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
