#include "base/error.h"
#include "client-route/apply.h"
#include "host/host.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOME 100
#define WIFI 200
#define TAP 900
#define STATE_PATH "test_client_route_apply.state"

/* A system as a table, which writes down every change in order. */
struct machine {
	struct route_entry routes[16];
	size_t count;
	struct route_settings settings[2]; /* of TAP */
	struct route_unicast addresses[8];
	size_t address_count;
	char log[4096];
	struct base_text calls;
	const char *deny; /* the call that is refused */
	bool overtaken;   /* somebody makes the same route just before us */
};

struct fixture {
	struct machine machine;
	struct route_system system;
	struct route_scope *scope;
	char error[ROUTE_ERROR_BYTES];
};

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

static int refuse(const struct machine *machine, const char *call, char *error) {
	if (machine->deny == NULL || strcmp(machine->deny, call) != 0)
		return 0;
	(void)snprintf(error, ROUTE_ERROR_BYTES, "%s: access denied", call);
	return BASE_E_DENIED;
}

static size_t on_disk(void) {
	struct route_change changes[ROUTE_STATE_CHANGES_MAX];
	char error[ROUTE_ERROR_BYTES];
	uint8_t *bytes;
	size_t len, count = 0;

	if (host_read_file(STATE_PATH, 4096, &bytes, &len, error) != 0)
		return 0;
	if (route_state_parse(slice_of(bytes, len), changes, &count, error) != 0)
		fail_msg("%s", error);
	free(bytes);
	return count;
}

static void note(struct machine *machine, const char *call, uint64_t a, uint64_t b) {
	base_text_addf(&machine->calls, "%s %llu %llu [%zu]\n", call, (unsigned long long)a, (unsigned long long)b,
	               on_disk());
}

static int fake_best(void *user, const struct base_addr *dest, struct route_entry *ret, struct base_addr *ret_source,
                     char error[static ROUTE_ERROR_BYTES]) {
	struct machine *machine = user;

	(void)ret_source, (void)error;
	return route_best_of(machine->routes, machine->count, dest, 0, NULL, ret) ? 0 : BASE_E_NOT_FOUND;
}

static int fake_table(void *user, uint8_t family, struct route_entry **ret, size_t *ret_count,
                      char error[static ROUTE_ERROR_BYTES]) {
	struct machine *machine = user;
	struct route_entry *copy;

	(void)family;
	if (refuse(machine, "table", error) != 0)
		return BASE_E_DENIED;
	copy = calloc(16, sizeof(*copy));
	memcpy(copy, machine->routes, machine->count * sizeof(*copy));
	*ret = copy;
	*ret_count = machine->count;
	return 0;
}

static int fake_add(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]) {
	struct machine *machine = user;

	note(machine, "add", entry->luid, entry->next_hop.ip[3]);
	if (refuse(machine, "add", error) != 0)
		return BASE_E_DENIED;
	if (machine->overtaken)
		machine->routes[machine->count++] = *entry;
	for (size_t i = 0; i < machine->count; i++)
		if (route_entry_same(&machine->routes[i], entry))
			return BASE_E_EXISTS;
	machine->routes[machine->count++] = *entry;
	return 0;
}

static int delete_entry(struct machine *machine, const struct route_entry *entry, const char *call, char *error) {
	note(machine, call, entry->luid, entry->next_hop.ip[3]);
	if (refuse(machine, call, error) != 0)
		return BASE_E_DENIED;
	for (size_t i = 0; i < machine->count; i++) {
		if (!route_entry_same(&machine->routes[i], entry))
			continue;
		machine->routes[i] = machine->routes[--machine->count];
		return 0;
	}
	return BASE_E_NOT_FOUND;
}

static int fake_remove(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]) {
	return delete_entry(user, entry, "remove", error);
}

static int fake_take_out(void *user, const struct route_entry *entry, char error[static ROUTE_ERROR_BYTES]) {
	return delete_entry(user, entry, "take out", error);
}

static int fake_get(void *user, uint64_t luid, uint8_t family, struct route_settings *ret,
                    char error[static ROUTE_ERROR_BYTES]) {
	struct machine *machine = user;

	(void)error;
	if (luid != TAP || !machine->settings[family == 6].present)
		return BASE_E_NOT_FOUND;
	*ret = machine->settings[family == 6];
	return 0;
}

static int fake_set(void *user, uint64_t luid, uint8_t family, const struct route_settings *settings,
                    char error[static ROUTE_ERROR_BYTES]) {
	struct machine *machine = user;
	const struct route_settings *now = &machine->settings[family == 6];

	assert_int_equal(luid, TAP);
	if (now->mtu != settings->mtu)
		note(machine, "mtu", family, settings->mtu);
	else if (now->metric != settings->metric || now->automatic_metric != settings->automatic_metric)
		note(machine, settings->automatic_metric ? "automatic" : "metric", family, settings->metric);
	else
		note(machine, "defaults", family, settings->no_default_routes);
	if (refuse(machine, "set", error) != 0)
		return BASE_E_DENIED;
	machine->settings[family == 6] = *settings;
	return 0;
}

static int fake_unicast(void *user, struct route_unicast **ret, size_t *ret_count,
                        char error[static ROUTE_ERROR_BYTES]) {
	struct machine *machine = user;

	(void)error;
	*ret = calloc(8, sizeof(**ret));
	memcpy(*ret, machine->addresses, sizeof(machine->addresses));
	*ret_count = machine->address_count;
	return 0;
}

static int setup(void **state) {
	struct fixture *f = calloc(1, sizeof(*f));
	struct machine *m = &f->machine;

	(void)remove(STATE_PATH);
	f->system = (struct route_system){.best = fake_best,
	                                  .table = fake_table,
	                                  .add = fake_add,
	                                  .remove = fake_remove,
	                                  .take_out = fake_take_out,
	                                  .get_settings = fake_get,
	                                  .set_settings = fake_set,
	                                  .unicast = fake_unicast,
	                                  .user = m};
	m->routes[m->count++] = route("0.0.0.0", 0, "192.0.2.1", HOME, 50);
	m->settings[0] = m->settings[1] =
	    (struct route_settings){.present = true, .automatic_metric = true, .metric = 25, .mtu = 1500};
	base_text_init(&m->calls, m->log, sizeof(m->log));
	f->scope = route_scope_new(&f->system, STATE_PATH, NULL);
	assert_non_null(f->scope);
	*state = f;
	return 0;
}

static int teardown(void **state) {
	struct fixture *f = *state;

	route_scope_free(f->scope);
	(void)remove(STATE_PATH);
	free(f);
	return 0;
}

static void expect_calls(struct fixture *f, const char *want) {
	assert_string_equal(f->machine.log, want);
	base_text_init(&f->machine.calls, f->machine.log, sizeof(f->machine.log));
}

static const struct route_tap_wish wish = {.mtu = 1400, .metric = 3};

static const char *const tuned = "add 100 1 [1]\nmtu 4 1400 [2]\nmetric 4 3 [3]\ndefaults 4 1 [4]\nmtu 6 1400 [5]\n"
                                 "metric 6 3 [6]\ndefaults 6 1 [7]\n";
/* The file is shortened when all is undone. */
static const char *const restored = "defaults 6 0 [7]\nautomatic 6 25 [7]\nmtu 6 1500 [7]\ndefaults 4 0 [7]\n"
                                    "automatic 4 25 [7]\nmtu 4 1500 [7]\nremove 100 1 [7]\n";

static void tune(struct fixture *f) {
	const struct base_addr relay = ip("203.0.113.5");
	unsigned notes = 0;

	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), 0);
	assert_int_equal(route_tune_tap(f->scope, TAP, &wish, &notes, f->error), 0);
	assert_int_equal(notes, ROUTE_NOTE_DEFAULTS_V4 | ROUTE_NOTE_DEFAULTS_V6);
	assert_int_equal(route_pin_state(f->scope), OBS_YES);
}

static void expect_untouched(const struct machine *m) {
	assert_int_equal(m->count, 1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(m->settings[i].mtu, 1500);
		assert_int_equal(m->settings[i].metric, 25);
		assert_true(m->settings[i].automatic_metric);
		assert_false(m->settings[i].no_default_routes);
	}
}

static void test_changes_and_restores_in_order(void **state) {
	struct fixture *f = *state;

	tune(f);
	expect_calls(f, tuned);
	assert_int_equal(route_restore(f->scope, f->error), 0);
	expect_calls(f, restored);
	expect_untouched(&f->machine);
	assert_int_equal(on_disk(), 0);
	assert_int_equal(route_restore(f->scope, f->error), 0);
	expect_calls(f, "");
}

static void test_recovers_after_a_crash(void **state) {
	struct fixture *f = *state;
	struct route_system dead = f->system;
	struct route_scope *crashed = f->scope;

	tune(f);
	expect_calls(f, tuned);
	f->scope = route_scope_new(&f->system, STATE_PATH, NULL);
	assert_int_equal(route_recover(f->scope, f->error), 0);
	expect_calls(f, restored);
	expect_untouched(&f->machine);
	assert_int_equal(on_disk(), 0);
	(void)dead;
	route_scope_free(crashed); /* finds everything gone or not its own */
	expect_untouched(&f->machine);
}

static void test_recovery_leaves_what_others_set(void **state) {
	struct fixture *f = *state;
	struct route_scope *crashed = f->scope;

	tune(f);
	f->machine.settings[0].mtu = 1300;
	f->machine.settings[1].present = false;
	f->scope = route_scope_new(&f->system, STATE_PATH, NULL);
	assert_int_equal(route_recover(f->scope, f->error), 0);
	assert_int_equal(f->machine.settings[0].mtu, 1300);
	assert_true(f->machine.settings[0].automatic_metric);
	assert_int_equal(f->machine.count, 1);
	assert_int_equal(on_disk(), 0);
	route_scope_free(crashed);
}

static void test_recovery_of_a_broken_file(void **state) {
	struct fixture *f = *state;

	assert_int_equal(route_recover(f->scope, f->error), 0); /* no file */
	assert_int_equal(host_write_file(STATE_PATH, slice_of_text("lanparty-route-state 1\nmtu x\n"), 0600, f->error), 0);
	assert_int_equal(route_recover(f->scope, f->error), BASE_E_SYNTAX);
	assert_memory_equal(f->error, STATE_PATH ": line 2, family: ", sizeof(STATE_PATH ": line 2, family: ") - 1);
	assert_non_null(strstr(f->error, "then delete this file")); /* else every start and the removal would stop here */
	expect_calls(f, "");
	(void)remove(STATE_PATH);
	tune(f);
}

static void test_denied(void **state) {
	const struct base_addr relay = ip("203.0.113.5");
	struct fixture *f = *state;
	unsigned notes;

	f->machine.deny = "add";
	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), BASE_E_DENIED);
	assert_int_equal(route_pin_state(f->scope), OBS_NO);
	assert_string_equal(f->error, "add: access denied");
	assert_int_equal(on_disk(), 0);
	f->machine.deny = "set";
	assert_int_equal(route_tune_tap(f->scope, TAP, &wish, &notes, f->error), BASE_E_DENIED);
	assert_int_equal(on_disk(), 0);
	f->machine.deny = NULL;
	assert_int_equal(route_check_pin(f->scope, f->error), 0); /* tried again */
	assert_int_equal(route_pin_state(f->scope), OBS_YES);
	assert_int_equal(on_disk(), 1);
	/* What cannot be undone stays for the next start, the rest is undone. */
	assert_int_equal(route_tune_tap(f->scope, TAP, &wish, &notes, f->error), 0);
	f->machine.deny = "remove";
	assert_int_equal(route_restore(f->scope, f->error), BASE_E_DENIED);
	assert_int_equal(on_disk(), 1);
	assert_int_equal(f->machine.settings[1].mtu, 1500);
	f->machine.deny = NULL;
	assert_int_equal(route_restore(f->scope, f->error), 0);
	expect_untouched(&f->machine);
}

static void test_nothing_without_the_file(void **state) {
	const struct base_addr relay = ip("203.0.113.5");
	struct fixture *f = *state;
	struct route_scope *scope = route_scope_new(&f->system, "/proc/nowhere/state", NULL);

	assert_int_not_equal(route_pin(scope, &relay, TAP, f->error), 0);
	assert_non_null(strstr(f->error, "/proc/nowhere"));
	expect_calls(f, "");
	expect_untouched(&f->machine);
	route_scope_free(scope);
}

static void test_existing_route_is_left_alone(void **state) {
	const struct base_addr relay = ip("203.0.113.5");
	struct fixture *f = *state;

	f->machine.routes[f->machine.count++] = route("203.0.113.5", 32, "192.0.2.7", HOME, 20);
	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), 0);
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	assert_int_equal(route_restore(f->scope, f->error), 0);
	expect_calls(f, "");
	assert_int_equal(f->machine.count, 2);
	/* When its owner takes it away, ours comes in its place. */
	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), 0);
	f->machine.count = 1;
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	expect_calls(f, "add 100 1 [1]\n");
}

/* Between our look and our change: theirs as well then. */
static void test_route_made_by_another_just_before(void **state) {
	const struct base_addr relay = ip("203.0.113.5");
	struct fixture *f = *state;

	f->machine.overtaken = true;
	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), 0);
	assert_int_equal(route_pin_state(f->scope), OBS_YES);
	assert_int_equal(on_disk(), 0);
	assert_int_equal(route_restore(f->scope, f->error), 0);
	expect_calls(f, "add 100 1 [1]\n");
	assert_int_equal(f->machine.count, 2);
}

static void test_restore_goes_on_after_a_failure(void **state) {
	struct fixture *f = *state;

	tune(f);
	f->machine.deny = "set";
	assert_int_equal(route_restore(f->scope, f->error), BASE_E_DENIED);
	assert_int_equal(f->machine.count, 1); /* the pin, the first change, is gone all the same */
	assert_int_equal(on_disk(), 6);
	f->machine.deny = NULL;
	assert_int_equal(route_restore(f->scope, f->error), 0);
	expect_untouched(&f->machine);
}

static void test_check_repairs(void **state) {
	const struct base_addr relay = ip("203.0.113.5"), other = ip("203.0.113.6");
	struct fixture *f = *state;
	struct machine *m = &f->machine;

	assert_int_equal(route_check_pin(f->scope, f->error), BASE_E_STATE);
	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), 0);
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), 0); /* the relay was lost and is found again */
	expect_calls(f, "add 100 1 [1]\n");
	m->count = 1; /* somebody took it out */
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	expect_calls(f, "remove 100 1 [1]\nadd 100 1 [1]\n");
	m->routes[0] = route("0.0.0.0", 0, "198.51.100.9", WIFI, 40); /* another network */
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	expect_calls(f, "remove 100 1 [1]\nadd 200 9 [1]\n");
	assert_int_equal(m->count, 2);
	m->routes[m->count++] = route("203.0.113.5", 32, "0.0.0.0", TAP, 0); /* sorts first: the same prefix, found later */
	m->routes[1].metric = 5;
	m->deny = "take out";
	assert_int_equal(route_check_pin(f->scope, f->error), BASE_E_STATE);
	assert_int_equal(route_pin_state(f->scope), OBS_NO);
	m->deny = NULL;
	m->count--;
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	assert_int_equal(route_pin(f->scope, &other, TAP, f->error), 0); /* the relay has a new address */
	expect_calls(f, "take out 900 0 [1]\nremove 200 9 [1]\nadd 200 9 [1]\n");
	m->count = 0;
	assert_int_equal(route_check_pin(f->scope, f->error), BASE_E_NOT_FOUND);
	assert_non_null(strstr(f->error, "no route leads to the relay"));
	m->routes[m->count++] = route("0.0.0.0", 0, "192.0.2.1", HOME, 50);
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
}

/* The relay has a new address and the system says no for a while: what is there is no pin of this one. */
static void test_refused_at_a_new_address(void **state) {
	const struct base_addr relay = ip("203.0.113.5"), other = ip("203.0.113.6"), third = ip("203.0.113.7");
	struct fixture *f = *state;
	struct machine *m = &f->machine;

	m->routes[m->count++] = route("203.0.113.5", 32, "192.0.2.1", HOME, 20); /* somebody's, by the usual way */
	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), 0);
	m->deny = "table";
	assert_int_equal(route_pin(f->scope, &other, TAP, f->error), BASE_E_DENIED);
	m->deny = NULL;
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	expect_calls(f, "add 100 1 [1]\n");
	m->deny = "remove";
	assert_int_equal(route_pin(f->scope, &third, TAP, f->error), BASE_E_DENIED);
	assert_int_equal(route_check_pin(f->scope, f->error), BASE_E_DENIED);
	assert_int_equal(route_pin_state(f->scope), OBS_NO);
	m->deny = NULL;
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	expect_calls(f, "remove 100 1 [1]\nremove 100 1 [1]\nremove 100 1 [1]\nadd 100 1 [1]\n");
	assert_int_equal(m->count, 3);
}

/* A DHCP server may name routes (RFC 3442), also one to the relay itself: the tunnel would run through itself. */
static void test_host_routes_into_the_tunnel(void **state) {
	const struct base_addr relay = ip("203.0.113.5"), other = ip("203.0.113.6");
	struct fixture *f = *state;
	struct machine *m = &f->machine;

	assert_int_equal(route_pin(f->scope, &relay, TAP, f->error), 0);
	m->routes[1].metric = 5; /* with the interface's */
	m->routes[m->count++] = route("203.0.113.5", 32, "192.168.77.1", TAP, 3);
	m->routes[m->count++] = route("203.0.113.5", 32, "192.168.77.2", TAP, 3);
	m->routes[m->count++] = route("203.0.113.6", 32, "192.168.77.3", TAP, 3);
	assert_int_equal(route_check_pin(f->scope, f->error), 0);
	assert_int_equal(route_pin_state(f->scope), OBS_YES);
	expect_calls(f, "add 100 1 [1]\ntake out 900 1 [1]\ntake out 900 2 [1]\n");
	assert_int_equal(m->count, 3); /* what is not the relay's stays */
	/* Another relay, with such a route before there is a pin. */
	assert_int_equal(route_pin(f->scope, &other, TAP, f->error), 0);
	expect_calls(f, "remove 100 1 [1]\ntake out 900 3 [0]\nadd 100 1 [1]\n");
}

/* However often the room's MTU changes, there is one undo for it. */
static void test_tuned_again_and_again(void **state) {
	struct fixture *f = *state;
	unsigned notes = 99;

	tune(f);
	for (uint16_t mtu = 1300; mtu < 1350; mtu++) {
		const struct route_tap_wish next = {.mtu = mtu, .metric = 3};

		assert_int_equal(route_tune_tap(f->scope, TAP, &next, &notes, f->error), 0);
		assert_int_equal(notes, 0);
	}
	assert_int_equal(route_restore(f->scope, f->error), 0);
	expect_untouched(&f->machine);
}

/* Nor however often somebody else, or the adapter's driver, sets what we had set. */
static void test_tuned_against_somebody(void **state) {
	struct fixture *f = *state;
	struct machine *m = &f->machine;
	unsigned notes;

	tune(f);
	for (uint32_t metric = 31; metric < 51; metric++) {
		m->settings[0].automatic_metric = true;
		m->settings[0].metric = metric;
		m->settings[1].mtu = 1500;
		assert_int_equal(route_tune_tap(f->scope, TAP, &wish, &notes, f->error), 0);
		assert_int_equal(m->settings[0].metric, 3);
		assert_int_equal(m->settings[1].mtu, 1400);
	}
	assert_int_equal(route_restore(f->scope, f->error), 0);
	assert_true(m->settings[0].automatic_metric);
	assert_int_equal(m->settings[0].metric, 50);
	m->settings[0].metric = 25;
	expect_untouched(m);
}

static void test_tap_address(void **state) {
	struct route_unicast address, overlap;
	struct fixture *f = *state;
	struct machine *m = &f->machine;

	m->addresses[m->address_count++] = (struct route_unicast){ip("192.168.1.5"), 24, HOME, false};
	assert_int_equal(route_tap_address(&f->system, TAP, &address, &overlap, f->error), BASE_E_NOT_FOUND);
	assert_int_equal(overlap.addr.family, BASE_FAMILY_NONE);
	m->addresses[m->address_count++] = (struct route_unicast){ip("192.168.1.77"), 24, TAP, false};
	assert_int_equal(route_tap_address(&f->system, TAP, &address, &overlap, f->error), 0);
	assert_int_equal(address.addr.ip[3], 77);
	assert_int_equal(overlap.addr.ip[3], 5);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_changes_and_restores_in_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_recovers_after_a_crash, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery_leaves_what_others_set, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_recovery_of_a_broken_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_denied, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nothing_without_the_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_existing_route_is_left_alone, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_route_made_by_another_just_before, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restore_goes_on_after_a_failure, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_check_repairs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refused_at_a_new_address, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_host_routes_into_the_tunnel, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_tuned_again_and_again, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_tuned_against_somebody, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_tap_address, setup, teardown),
	};

	return cmocka_run_group_tests_name("client-route/apply", tests, NULL, NULL);
}
