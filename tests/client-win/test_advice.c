#include "client-win/advice.h"

#include "base/error.h"
#include "tests/unit.h"

#include <string.h>

static char buf[WINMAIN_ADVICE_BYTES];

static struct base_text fresh(void) {
	struct base_text text;
	base_text_init(&text, buf, sizeof(buf));
	return text;
}

static void test_mac(void **state) {
	struct tapwin_adapter adapter = {.name = "Ethernet 3", .guid = "{G}"};
	const struct proto_mac driver = {{0x00, 0xff, 1, 2, 3, 4}}, tunnel = {{0x02, 0, 0, 0, 0, 9}};
	struct base_text text = fresh();
	(void)state;
	winmain_advise_mac(&text, &adapter, driver, tunnel, "");
	assert_false(text.truncated);
	assert_non_null(strstr(buf, "\"Ethernet 3\" has the MAC address 00:ff:01:02:03:04 and not 02:00:00:00:00:09"));
	assert_non_null(strstr(buf, "although it was restarted"));
	adapter.name[0] = '\0';
	text = fresh();
	winmain_advise_mac(&text, &adapter, driver, tunnel, "no permission");
	assert_non_null(strstr(buf, "\"{G}\""));
	assert_non_null(strstr(buf, "could not be restarted (no permission)"));
}

static void test_joined(void **state) {
	static const struct {
		struct ctrl_welcome welcome;
		const char *text;
	} cases[] = {
	    {{.peer_id = 3, .mtu = 1400, .gateway = true, .gateway_peer = 1},
	     "room R, peer 3, MTU 1400, gateway: connected (peer 1)"},
	    {{.peer_id = 3, .mtu = 1400, .gateway = true}, "room R, peer 3, MTU 1400, gateway: connected"},
	    {{.peer_id = 3, .mtu = 1280}, "room R, peer 3, MTU 1280, gateway: not connected"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct base_text text = fresh();
		winmain_advise_joined(&text, "R", &cases[i].welcome);
		assert_string_equal(buf, cases[i].text);
	}
}

static void test_notes_and_exits(void **state) {
	static const struct {
		int err;
		enum client_exit status;
	} exits[] = {{BASE_E_DENIED, CLIENT_EXIT_PRIVILEGE}, {BASE_E_SYNTAX, CLIENT_EXIT_USAGE},
	             {BASE_E_DUPLICATE, CLIENT_EXIT_USAGE},  {BASE_E_NOT_FOUND, CLIENT_EXIT_DEVICE},
	             {BASE_E_EXISTS, CLIENT_EXIT_DEVICE},    {BASE_E_IO, CLIENT_EXIT_DEVICE}};
	(void)state;
	for (unsigned note = 1; note <= ROUTE_NOTE_SMALL_MTU; note <<= 1)
		assert_non_null(winmain_advise_note((enum route_note)note));
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++)
		unit_assert_int(winmain_exit_of_adapter(exits[i].err), exits[i].status, base_error_text(exits[i].err));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mac),
	    cmocka_unit_test(test_joined),
	    cmocka_unit_test(test_notes_and_exits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
