#include "base/error.h"
#include "client-route/plan.h"
#include "tests/unit.h"

#include <string.h>

#define HOME 100
#define WIFI 200
#define TAP 900

static struct base_addr ip(const char *text) {
	struct base_addr addr;

	assert_int_equal(base_addr_parse_ip(text, strlen(text), &addr), 0);
	return addr;
}

static struct route_entry route(const char *dest, uint8_t prefix, const char *next_hop, uint64_t luid,
                                uint32_t metric) {
	return (struct route_entry){
	    .dest = ip(dest), .prefix = prefix, .next_hop = ip(next_hop), .luid = luid, .metric = metric};
}

#define VIEW(table, best_route) \
	{ .routes = (table), .count = sizeof(table) / sizeof((table)[0]), .best = (best_route), .tap_luid = TAP }

static void test_best_of(void **state) {
	const struct route_entry table[] = {
	    route("0.0.0.0", 0, "192.0.2.1", HOME, 50),      route("0.0.0.0", 0, "198.51.100.1", WIFI, 40),
	    route("203.0.113.0", 24, "192.0.2.9", HOME, 90), route("203.0.113.0", 25, "0.0.0.0", TAP, 3),
	    route("10.3.0.0", 19, "192.0.2.8", HOME, 1),
	};
	static const struct {
		const char *dest;
		uint64_t except;
		const char *next_hop;
	} cases[] = {
	    {"8.8.8.8", TAP, "198.51.100.1"}, {"8.8.8.8", WIFI, "192.0.2.1"},    {"203.0.113.7", TAP, "192.0.2.9"},
	    {"203.0.113.7", HOME, "0.0.0.0"}, {"10.3.31.255", TAP, "192.0.2.8"}, {"10.3.32.0", TAP, "198.51.100.1"},
	};
	struct route_entry found;
	struct base_addr dest;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct base_addr want = ip(cases[i].next_hop);

		dest = ip(cases[i].dest);
		unit_assert_true(route_best_of(table, 5, &dest, cases[i].except, NULL, &found), cases[i].dest);
		unit_assert_true(base_addr_equal(&found.next_hop, &want), cases[i].dest);
	}
	dest = ip("2001:db8::1");
	assert_false(route_best_of(table, 5, &dest, TAP, NULL, &found));
	dest = ip("10.3.0.1");
	assert_true(route_best_of(table, 5, &dest, TAP, &table[4], &found));
	assert_true(route_entry_same(&found, &table[1]));
}

static void test_pin_adds_host_route(void **state) {
	const struct route_entry table[] = {route("0.0.0.0", 0, "192.0.2.1", HOME, 50)};
	struct base_addr relay = ip("203.0.113.5");
	struct route_view view = VIEW(table, &table[0]);
	struct route_pin_plan plan;

	(void)state;
	relay.port = 443;
	assert_int_equal(route_plan_pin(&view, &relay, &plan), 0);
	assert_int_equal(plan.kind, ROUTE_PIN_ADD);
	assert_int_equal(plan.change.kind, ROUTE_CHANGE_PIN);
	assert_int_equal(plan.change.pin.prefix, 32);
	assert_int_equal(plan.change.pin.metric, 0);
	assert_int_equal(plan.change.pin.luid, HOME);
	assert_int_equal(plan.change.luid, HOME);
	assert_int_equal(plan.change.pin.dest.port, 0);
	assert_memory_equal(plan.change.pin.dest.ip, relay.ip, 16);
	assert_memory_equal(plan.change.pin.next_hop.ip, table[0].next_hop.ip, 16);
	assert_true(plan.follows);
}

static void test_pin_goes_around_the_tunnel(void **state) {
	const struct route_entry table[] = {route("::", 0, "fe80::1", HOME, 50), route("2001:db8::", 32, "::", TAP, 3),
	                                    route("::", 0, "fe80::7", TAP, 3)};
	const struct route_entry tap_only[] = {route("::", 0, "fe80::7", TAP, 3)};
	const struct base_addr relay = ip("2001:db8::5");
	struct route_view view = VIEW(table, &table[1]), lost = VIEW(tap_only, &tap_only[0]);
	struct route_pin_plan plan;

	(void)state;
	assert_int_equal(route_plan_pin(&view, &relay, &plan), 0);
	assert_int_equal(plan.kind, ROUTE_PIN_ADD);
	assert_int_equal(plan.change.pin.luid, HOME);
	assert_int_equal(plan.change.pin.prefix, 128);
	memset(&plan, 0x55, sizeof(plan));
	assert_int_equal(route_plan_pin(&lost, &relay, &plan), BASE_E_NOT_FOUND);
	assert_int_equal((unsigned char)plan.change.family, 0x55);
}

static void test_pin_prefers_the_systems_choice(void **state) {
	const struct route_entry table[] = {route("0.0.0.0", 0, "192.0.2.1", HOME, 50),
	                                    route("0.0.0.0", 0, "198.51.100.1", WIFI, 40)};
	const struct base_addr relay = ip("203.0.113.5");
	struct route_view view = VIEW(table, &table[0]);
	struct route_pin_plan plan;

	(void)state;
	assert_int_equal(route_plan_pin(&view, &relay, &plan), 0);
	assert_int_equal(plan.change.pin.luid, HOME);
	assert_false(plan.follows);
}

static void test_pin_leaves_alone(void **state) {
	const struct route_entry table[] = {route("0.0.0.0", 0, "192.0.2.1", HOME, 50),
	                                    route("203.0.113.5", 32, "192.0.2.77", HOME, 60)};
	struct base_addr relay = ip("203.0.113.5");
	struct route_view view = VIEW(table, &table[1]);
	struct route_pin_plan plan;

	(void)state;
	assert_int_equal(route_plan_pin(&view, &relay, &plan), 0);
	assert_int_equal(plan.kind, ROUTE_PIN_EXISTS);
	assert_true(route_entry_same(&plan.change.pin, &table[1]));
	static const char *const needless[] = {"127.0.0.1", "::1", "fe80::1", "169.254.3.4"};
	for (size_t i = 0; i < 4; i++) {
		relay = ip(needless[i]);
		unit_assert_int(route_plan_pin(&view, &relay, &plan), 0, needless[i]);
		unit_assert_int(plan.kind, ROUTE_PIN_NEEDLESS, needless[i]);
	}
}

static void test_judge(void **state) {
	const struct route_entry pin = route("203.0.113.5", 32, "192.0.2.1", HOME, 0);
	const struct route_entry old_way = route("0.0.0.0", 0, "192.0.2.1", HOME, 50);
	const struct route_entry new_way = route("0.0.0.0", 0, "198.51.100.1", WIFI, 40);
	const struct route_entry tap_way = route("203.0.113.0", 24, "0.0.0.0", TAP, 3);
	const struct {
		const char *name;
		struct route_entry table[3];
		const struct route_entry *best;
		bool follows;
		enum route_pin_verdict verdict;
	} cases[] = {
	    {"good", {pin, old_way, tap_way}, &pin, true, ROUTE_PIN_GOOD},
	    {"metric differs",
	     {route("203.0.113.5", 32, "192.0.2.1", HOME, 25), old_way, tap_way},
	     &pin,
	     true,
	     ROUTE_PIN_GOOD},
	    {"lost", {old_way, tap_way, tap_way}, &tap_way, true, ROUTE_PIN_LOST},
	    {"moved", {pin, new_way, tap_way}, &pin, true, ROUTE_PIN_MOVED},
	    {"another's stays", {pin, new_way, tap_way}, &pin, false, ROUTE_PIN_GOOD},
	    {"no other way", {pin, tap_way, tap_way}, &pin, true, ROUTE_PIN_GOOD},
	    {"overruled", {pin, old_way, tap_way}, &tap_way, true, ROUTE_PIN_OVERRULED},
	    {"no way at all", {pin, old_way, tap_way}, NULL, true, ROUTE_PIN_OVERRULED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct route_view view = VIEW(cases[i].table, cases[i].best);

		unit_assert_int(route_pin_judge(&view, &pin, cases[i].follows), cases[i].verdict, cases[i].name);
	}
}

static const struct route_settings fresh = {.present = true, .automatic_metric = true, .metric = 25, .mtu = 1500};

static void test_tap_plan(void **state) {
	static const struct {
		enum route_change_kind kind;
		uint8_t family;
		uint32_t set, was;
		bool was_automatic;
	} want[] = {
	    {ROUTE_CHANGE_MTU, 4, 1400, 1500, false}, {ROUTE_CHANGE_METRIC, 4, 3, 25, true},
	    {ROUTE_CHANGE_DEFAULTS, 4, 1, 0, false},  {ROUTE_CHANGE_MTU, 6, 1400, 1500, false},
	    {ROUTE_CHANGE_METRIC, 6, 3, 25, true},    {ROUTE_CHANGE_DEFAULTS, 6, 1, 0, false},
	};
	const struct route_tap_wish wish = {.mtu = 1400, .metric = 3};
	struct route_settings now[2] = {fresh, fresh};
	struct route_tap_plan plan;

	(void)state;
	assert_int_equal(route_plan_tap(TAP, now, &wish, &plan), 0);
	assert_int_equal(plan.count, 6);
	assert_int_equal(plan.notes, ROUTE_NOTE_DEFAULTS_V4 | ROUTE_NOTE_DEFAULTS_V6);
	for (size_t i = 0; i < plan.count; i++) {
		const char *name = route_change_name(want[i].kind);
		struct route_settings *settings = &now[plan.changes[i].family == 6];

		unit_assert_int(plan.changes[i].kind, want[i].kind, name);
		unit_assert_int(plan.changes[i].family, want[i].family, name);
		unit_assert_int(plan.changes[i].set, want[i].set, name);
		unit_assert_int(plan.changes[i].was, want[i].was, name);
		unit_assert_int(plan.changes[i].was_automatic, want[i].was_automatic, name);
		route_change_apply(&plan.changes[i], settings);
	}
	/* Nothing is left to do; undone in reverse, all is as it was. */
	struct route_tap_plan none;
	assert_int_equal(route_plan_tap(TAP, now, &wish, &none), 0);
	assert_int_equal(none.count, 0);
	assert_int_equal(none.notes, 0);
	for (size_t i = plan.count; i-- > 0;)
		assert_true(route_change_undo(&plan.changes[i], &now[plan.changes[i].family == 6]));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(now[i].mtu, 1500);
		assert_int_equal(now[i].metric, 25);
		assert_true(now[i].automatic_metric);
		assert_false(now[i].no_default_routes);
	}
}

/* While it runs: a larger one is put back, a smaller one stays. */
static void test_tap_plan_for_an_mtu_of_others(void **state) {
	static const struct {
		uint32_t mtu;
		bool smaller_will_do;
		size_t changes;
	} cases[] = {{1400, true, 0}, {1500, true, 1}, {1300, true, 0}, {1300, false, 1}, {1500, false, 1}};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct route_settings now[2] = {
		    {.present = true, .no_default_routes = true, .metric = 3, .mtu = cases[i].mtu}, {.present = false}};
		const struct route_tap_wish wish = {.mtu = 1400, .smaller_will_do = cases[i].smaller_will_do, .metric = 3};
		struct route_tap_plan plan;
		assert_int_equal(route_plan_tap(TAP, now, &wish, &plan), 0);
		assert_int_equal(plan.count, cases[i].changes);
	}
}

static void test_tap_plan_of_half_an_adapter(void **state) {
	const struct route_tap_wish wish = {.mtu = 1279, .metric = 3};
	struct route_settings now[2] = {fresh, {.present = false}};
	struct route_tap_plan plan;

	(void)state;
	assert_int_equal(route_plan_tap(TAP, now, &wish, &plan), 0);
	assert_int_equal(plan.count, 3);
	assert_true((plan.notes & ROUTE_NOTE_NO_V6) != 0);
	now[1] = fresh;
	assert_int_equal(route_plan_tap(TAP, now, &wish, &plan), 0);
	assert_int_equal(plan.count, 5);
	assert_true((plan.notes & ROUTE_NOTE_SMALL_MTU) != 0);
	for (size_t i = 3; i < 5; i++)
		assert_int_not_equal(plan.changes[i].kind, ROUTE_CHANGE_MTU);
	now[0].present = false;
	assert_int_equal(route_plan_tap(TAP, now, &wish, &plan), BASE_E_NOT_FOUND);
}

static void test_undo_leaves_what_others_set(void **state) {
	static const struct route_change changes[] = {
	    {.kind = ROUTE_CHANGE_MTU, .set = 1400, .was = 1500},
	    {.kind = ROUTE_CHANGE_METRIC, .set = 3, .was = 25, .was_automatic = true},
	    {.kind = ROUTE_CHANGE_DEFAULTS, .set = 1, .was = 0},
	};
	struct route_settings theirs = {.present = true, .automatic_metric = false, .metric = 7, .mtu = 1300};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		unit_assert_true(!route_change_undo(&changes[i], &theirs), route_change_name(changes[i].kind));
	theirs.metric = 3;
	theirs.automatic_metric = true;
	assert_false(route_change_undo(&changes[1], &theirs));
	assert_int_equal(theirs.mtu, 1300);
	assert_int_equal(theirs.metric, 3);
	assert_false(theirs.no_default_routes);
}

static void test_unicast(void **state) {
	const struct route_unicast list[] = {
	    {ip("192.168.1.9"), 24, HOME, false}, {ip("fe80::9"), 64, TAP, false},
	    {ip("169.254.8.8"), 16, TAP, false},  {ip("2001:db8::9"), 64, TAP, false},
	    {ip("192.168.1.70"), 25, TAP, false}, {ip("169.254.1.1"), 16, HOME, false},
	};
	struct route_unicast found, lan;

	(void)state;
	assert_false(route_choose_unicast(list, 6, WIFI, &found));
	for (size_t count = 2; count <= 5; count++) {
		static const size_t want[] = {1, 2, 3, 4};

		assert_true(route_choose_unicast(list, count, TAP, &found));
		assert_true(base_addr_equal(&found.addr, &list[want[count - 2]].addr));
	}
	assert_true(route_find_overlap(list, 6, TAP, &found, &lan));
	assert_true(base_addr_equal(&found.addr, &list[0].addr));
	assert_true(base_addr_equal(&lan.addr, &list[4].addr));
	assert_false(route_find_overlap(list + 1, 5, TAP, &found, &lan)); /* two 169.254 are no conflict */
	const struct route_unicast apart[] = {{ip("192.168.1.9"), 25, HOME, false}, {ip("192.168.1.200"), 25, TAP, false}};
	assert_false(route_find_overlap(apart, 2, TAP, &found, &lan));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_best_of),
	    cmocka_unit_test(test_pin_adds_host_route),
	    cmocka_unit_test(test_pin_goes_around_the_tunnel),
	    cmocka_unit_test(test_pin_prefers_the_systems_choice),
	    cmocka_unit_test(test_pin_leaves_alone),
	    cmocka_unit_test(test_judge),
	    cmocka_unit_test(test_tap_plan),
	    cmocka_unit_test(test_tap_plan_for_an_mtu_of_others),
	    cmocka_unit_test(test_tap_plan_of_half_an_adapter),
	    cmocka_unit_test(test_undo_leaves_what_others_set),
	    cmocka_unit_test(test_unicast),
	};

	return cmocka_run_group_tests_name("client-route/plan", tests, NULL, NULL);
}
