/* What client-route asks of Windows, against the fake IP Helper: each call as strict as Windows documents it. The
 * interface is Linux's loopback, which every machine has. */
#include "base/error.h"
#include "client-route/apply.h"
#include "tests/unit.h"

#include <winsock2.h>

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "test_windows_ip_helper.state"
#define LOOPBACK "{00000001-0000-0000-0000-4E6574446576}" /* Wine makes the GUID from Linux's index */
#define LOOPBACK_INDEX 1

struct fixture {
	const struct route_system *system;
	uint64_t luid;
	char error[ROUTE_ERROR_BYTES];
};

static struct base_addr ip(const char *text) {
	struct base_addr addr;

	assert_int_equal(base_addr_parse_ip(text, strlen(text), &addr), 0);
	return addr;
}

static void put_file(const char *name, const char *text) {
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void expect_calls(const char *want) {
	char text[4096];
	FILE *file = fopen(FOLDER "/calls.txt", "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	(void)fclose(file);
	assert_string_equal(text, want);
}

static int setup(void **state) {
	static struct fixture fixture;
	uint32_t index = 0;

	(void)CreateDirectoryA(FOLDER, NULL);
	put_file(FOLDER "/table.txt", "");
	put_file(FOLDER "/calls.txt", "");
	put_file(FOLDER "/fail.txt", "");
	fixture.system = route_system_native();
	if (fixture.system->find_interface(fixture.system->user, LOOPBACK, &fixture.luid, &index, fixture.error) != 0)
		fail_msg("%s", fixture.error);
	assert_int_equal(index, LOOPBACK_INDEX);
	*state = &fixture;
	return 0;
}

static struct route_entry pin_of(const struct fixture *f, const char *relay, const char *next_hop, uint8_t prefix) {
	return (struct route_entry){.dest = ip(relay), .next_hop = ip(next_hop), .prefix = prefix, .luid = f->luid};
}

static void test_interfaces(void **state) {
	struct fixture *f = *state;
	uint64_t luid = 7;
	uint32_t index = 7;

	assert_int_equal(f->system->find_interface(NULL, "{00FFFFF1-0000-0000-0000-4E6574446576}", &luid, &index, f->error),
	                 BASE_E_NOT_FOUND);
	assert_int_equal(f->system->find_interface(NULL, "lo", &luid, &index, f->error), BASE_E_NOT_FOUND);
	assert_int_equal(luid, 7);
}

static void test_routes(void **state) {
	static const struct {
		const char *relay, *next_hop;
		uint8_t prefix;
	} cases[] = {{"203.0.113.5", "127.0.0.9", 32}, {"2001:db8::5", "fe80::9", 128}, {"203.0.113.6", "0.0.0.0", 32}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct route_entry pin = pin_of(f, cases[i].relay, cases[i].next_hop, cases[i].prefix), best, *table;
		struct base_addr source;
		size_t count, found = 0;

		unit_assert_int(f->system->remove(NULL, &pin, f->error), BASE_E_NOT_FOUND, cases[i].relay);
		unit_assert_int(f->system->add(NULL, &pin, f->error), 0, f->error);
		unit_assert_int(f->system->add(NULL, &pin, f->error), BASE_E_EXISTS, cases[i].relay);
		unit_assert_int(f->system->best(NULL, &pin.dest, &best, &source, f->error), 0, cases[i].relay);
		unit_assert_true(route_entry_same(&best, &pin), cases[i].relay);
		unit_assert_int(best.index, LOOPBACK_INDEX, cases[i].relay);
		unit_assert_int(best.metric, 25, "the interface's metric counts");
		unit_assert_int(f->system->table(NULL, pin.dest.family, &table, &count, f->error), 0, cases[i].relay);
		for (size_t r = 0; r < count; r++)
			found += route_entry_same(&table[r], &pin);
		free(table);
		unit_assert_int(found, 1, cases[i].relay);
		unit_assert_int((i == 1 ? f->system->take_out : f->system->remove)(NULL, &pin, f->error), 0, cases[i].relay);
		unit_assert_int(f->system->remove(NULL, &pin, f->error), BASE_E_NOT_FOUND, cases[i].relay);
		unit_assert_int(f->system->take_out(NULL, &pin, f->error), BASE_E_NOT_FOUND, cases[i].relay);
	}
	expect_calls("CreateIpForwardEntry2 203.0.113.5/32 via 127.0.0.9 if=lo metric=0 -> 0\n"
	             "CreateIpForwardEntry2 203.0.113.5/32 via 127.0.0.9 if=lo metric=0 -> 5010\n"
	             "DeleteIpForwardEntry2 203.0.113.5/32 via 127.0.0.9 if=lo -> 0\n"
	             "CreateIpForwardEntry2 2001:db8::5/128 via fe80::9 if=lo metric=0 -> 0\n"
	             "CreateIpForwardEntry2 2001:db8::5/128 via fe80::9 if=lo metric=0 -> 5010\n"
	             "DeleteIpForwardEntry2 2001:db8::5/128 via fe80::9 if=lo -> 0\n"
	             "CreateIpForwardEntry2 203.0.113.6/32 via 0.0.0.0 if=lo metric=0 -> 0\n"
	             "CreateIpForwardEntry2 203.0.113.6/32 via 0.0.0.0 if=lo metric=0 -> 5010\n"
	             "DeleteIpForwardEntry2 203.0.113.6/32 via 0.0.0.0 if=lo -> 0\n");
}

static void test_settings(void **state) {
	struct fixture *f = *state;
	struct route_settings before, after;

	for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
		assert_int_equal(f->system->get_settings(NULL, f->luid, family, &before, f->error), 0);
		assert_true(before.present && before.automatic_metric && !before.no_default_routes);
		assert_int_equal(before.metric, 25);
		after = (struct route_settings){.present = true, .no_default_routes = true, .metric = 3, .mtu = 1400};
		if (f->system->set_settings(NULL, f->luid, family, &after, f->error) != 0)
			fail_msg("%s", f->error);
		assert_int_equal(f->system->get_settings(NULL, f->luid, family, &after, f->error), 0);
		assert_true(!after.automatic_metric && after.no_default_routes);
		assert_int_equal(after.metric, 3);
		assert_int_equal(after.mtu, 1400);
		before.mtu = 1500;
		assert_int_equal(f->system->set_settings(NULL, f->luid, family, &before, f->error), 0);
	}
	after.mtu = 1279;
	assert_int_equal(f->system->set_settings(NULL, f->luid, 6, &after, f->error), BASE_E_IO);
	assert_string_equal(f->error, "SetIpInterfaceEntry: refused (Windows error 87)");
	assert_int_equal(f->system->get_settings(NULL, f->luid + 999, 4, &before, f->error), BASE_E_NOT_FOUND);
	expect_calls("SetIpInterfaceEntry if=lo family=4 automatic=0 metric=3 mtu=1400 nodefaults=1 -> 0\n"
	             "SetIpInterfaceEntry if=lo family=4 automatic=1 metric=25 mtu=1500 nodefaults=0 -> 0\n"
	             "SetIpInterfaceEntry if=lo family=6 automatic=0 metric=3 mtu=1400 nodefaults=1 -> 0\n"
	             "SetIpInterfaceEntry if=lo family=6 automatic=1 metric=25 mtu=1500 nodefaults=0 -> 0\n"
	             "SetIpInterfaceEntry if=lo family=6 automatic=0 metric=3 mtu=1279 nodefaults=1 -> 87\n");
}

static void test_failures(void **state) {
	struct fixture *f = *state;
	struct route_entry pin = pin_of(f, "203.0.113.5", "127.0.0.9", 32), best;
	struct route_settings settings;
	struct base_addr source;

	put_file(FOLDER "/fail.txt", "CreateIpForwardEntry2 5\nSetIpInterfaceEntry 5\nGetBestRoute2 1231\n"
	                             "GetIpInterfaceEntry/6 1168\n");
	assert_int_equal(f->system->add(NULL, &pin, f->error), BASE_E_DENIED);
	assert_string_equal(f->error, "CreateIpForwardEntry2: access denied: run as administrator (Windows error 5)");
	assert_int_equal(f->system->get_settings(NULL, f->luid, 4, &settings, f->error), 0);
	assert_int_equal(f->system->set_settings(NULL, f->luid, 4, &settings, f->error), BASE_E_DENIED);
	assert_int_equal(f->system->get_settings(NULL, f->luid, 6, &settings, f->error), BASE_E_NOT_FOUND);
	assert_int_equal(f->system->best(NULL, &pin.dest, &best, &source, f->error), BASE_E_NOT_FOUND);
	assert_string_equal(f->error, "GetBestRoute2: no route leads there (Windows error 1231)");
}

/* Stands in for mirror.py: writes down what is asked, and answers what the test says. */
struct mirror {
	SOCKET udp;
	const char *answer;
	char requests[1024];
	struct base_text text;
};

static DWORD WINAPI run_mirror(void *user) {
	struct mirror *mirror = user;
	struct sockaddr_in from;
	char buf[256];

	for (;;) {
		int from_len = sizeof(from),
		    len = recvfrom(mirror->udp, buf, sizeof(buf), 0, (struct sockaddr *)&from, &from_len);

		if (len <= 0 || (len == 4 && memcmp(buf, "quit", 4) == 0))
			return 0;
		base_text_add_bytes(&mirror->text, slice_of(buf, (size_t)len));
		base_text_add_char(&mirror->text, '\n');
		(void)sendto(mirror->udp, mirror->answer, (int)strlen(mirror->answer), 0, (struct sockaddr *)&from, from_len);
	}
}

static void test_mirror(void **state) {
	struct fixture *f = *state;
	struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	struct route_entry pin = pin_of(f, "203.0.113.5", "127.0.0.9", 32);
	struct route_settings settings;
	struct mirror mirror = {.answer = "ok"};
	int self_len = sizeof(self);
	WSADATA data;
	HANDLE thread;
	char port[64];

	assert_int_equal(WSAStartup(MAKEWORD(2, 2), &data), 0);
	base_text_init(&mirror.text, mirror.requests, sizeof(mirror.requests));
	mirror.udp = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(mirror.udp, (const struct sockaddr *)&self, sizeof(self)), 0);
	assert_int_equal(getsockname(mirror.udp, (struct sockaddr *)&self, &self_len), 0);
	(void)snprintf(port, sizeof(port), "FAKE_IPHLPAPI_MIRROR=%u", ntohs(self.sin_port));
	assert_int_equal(_putenv(port), 0);
	thread = CreateThread(NULL, 0, run_mirror, &mirror, 0, NULL);
	assert_int_equal(f->system->add(NULL, &pin, f->error), 0);
	assert_int_equal(f->system->get_settings(NULL, f->luid, 4, &settings, f->error), 0);
	settings.mtu = 1400;
	assert_int_equal(f->system->set_settings(NULL, f->luid, 4, &settings, f->error), 0);
	mirror.answer = "no";
	assert_int_equal(f->system->remove(NULL, &pin, f->error), BASE_E_IO); /* what Linux refuses did not happen */
	mirror.answer = "ok";
	assert_int_equal(f->system->remove(NULL, &pin, f->error), 0);
	assert_int_equal(_putenv("FAKE_IPHLPAPI_MIRROR="), 0);
	assert_int_equal(sendto(mirror.udp, "quit", 4, 0, (const struct sockaddr *)&self, sizeof(self)), 4);
	assert_int_equal(WaitForSingleObject(thread, 5000), WAIT_OBJECT_0);
	CloseHandle(thread);
	closesocket(mirror.udp);
	WSACleanup();
	assert_string_equal(mirror.requests, "add 203.0.113.5/32 127.0.0.9 lo\nmtu lo 1400\n"
	                                     "del 203.0.113.5/32 127.0.0.9 lo\ndel 203.0.113.5/32 127.0.0.9 lo\n");
}

static void test_addresses(void **state) {
	struct route_unicast *list, found;
	struct fixture *f = *state;
	size_t count;

	assert_int_equal(f->system->unicast(NULL, &list, &count, f->error), 0);
	assert_true(route_choose_unicast(list, count, f->luid, &found));
	assert_int_equal(found.addr.family, BASE_FAMILY_V4);
	assert_int_equal(found.addr.ip[0], 127);
	free(list);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_interfaces, setup), cmocka_unit_test_setup(test_routes, setup),
	    cmocka_unit_test_setup(test_settings, setup),   cmocka_unit_test_setup(test_failures, setup),
	    cmocka_unit_test_setup(test_mirror, setup),     cmocka_unit_test_setup(test_addresses, setup),
	};

	if (_putenv("FAKE_IPHLPAPI=" FOLDER) != 0)
		return 2;
	return cmocka_run_group_tests_name("client-route/ip_helper", tests, NULL, NULL);
}
