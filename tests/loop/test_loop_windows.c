/* What only the Windows loop has: the limit of handles, and the ways in which Windows asks a process to end. */
#include "base/error.h"
#include "loop/signals_windows.h"
#include "tests/loop/fixture.h"

#include <process.h>
#include <windows.h>

#define SOURCES_MAX 62

static void on_ready(void *user, unsigned events, uint64_t now) {
	(void)events;
	(void)now;
	(*(int *)user)++;
}

static void test_most_sources(void **state) {
	struct loop_source sources[SOURCES_MAX + 1];
	int calls[SOURCES_MAX + 1] = {0};
	HANDLE event = CreateEventW(NULL, TRUE, TRUE, NULL);
	struct loop *loop = *state;

	for (int i = 0; i <= SOURCES_MAX; i++) {
		sources[i] = (struct loop_source){.ready = on_ready, .user = &calls[i]};
		assert_int_equal(loop_add(loop, &sources[i], HandleToLong(event), LOOP_READ),
		                 i < SOURCES_MAX ? 0 : BASE_E_NOMEM);
	}
	/* With stop and timer all places are taken, and an event that stays set starves nobody. */
	assert_int_equal(loop_watch_signals(loop, NULL, NULL), 0);
	assert_int_equal(loop_run_once(loop, BASE_SECOND), 0);
	for (int i = 0; i <= SOURCES_MAX; i++) {
		assert_int_equal(calls[i], i < SOURCES_MAX ? 1 : 0);
		loop_remove(loop, &sources[i]);
	}
	CloseHandle(event);
}

/* Nothing but an event, a file or a timer can be waited for. */
static void test_bad_handles(void **state) {
	struct loop_source source = {.ready = on_ready};
	HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

	CloseHandle(event);
	assert_int_equal(loop_add(*state, &source, HandleToLong(event), LOOP_READ), BASE_E_IO);
	assert_int_equal(loop_add(*state, &source, 0, LOOP_READ), BASE_E_IO);
}

/* Wine is some 0.7 ms late; a coarse timer would be 10 to 16. */
static void test_timer_precision(void **state) {
	struct loop *loop = *state;
	uint64_t best = BASE_NEVER;

	for (int i = 0; i < 20; i++) {
		uint64_t before;

		assert_int_equal(loop_run_once(loop, 0), 0);
		before = loop_now(loop);
		assert_int_equal(loop_run_once(loop, 2 * BASE_MS), 0);
		assert_true(loop_now(loop) - before >= 2 * BASE_MS - 100 * BASE_US);
		best = base_time_min(best, loop_now(loop) - before);
	}
	assert_true(best < 8 * BASE_MS);
}

/* The first test: nobody has watched yet. A service that is stopped while it starts must not run on. */
static void test_stop_before_anybody_watches(void **state) {
	struct loop *loop = *state;

	loop_signals_stop();
	assert_int_equal(loop_watch_signals(loop, NULL, NULL), 0);
	assert_int_equal(loop_run_once(loop, 50 * BASE_MS), 0);
	assert_true(loop_stopped(loop));
}

static unsigned __stdcall stop_later(void *user) {
	(void)user;
	Sleep(20);
	loop_signals_stop();
	return 0;
}

static void test_stop_from_another_thread(void **state) {
	struct loop *loop = *state;
	HANDLE thread;

	loop_signals_stop(); /* was for a loop before this one */
	assert_int_equal(loop_watch_signals(loop, NULL, NULL), 0);
	thread = (HANDLE)_beginthreadex(NULL, 0, stop_later, NULL, 0, NULL);
	assert_non_null(thread);
	assert_int_equal(loop_run(loop), 0);
	assert_true(loop_stopped(loop));
	assert_int_equal(loop_run_once(loop, BASE_MS), 0); /* and does not spin: the next waits its time */
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
}

struct console {
	DWORD event;
	HANDLE returned;
};

static unsigned __stdcall tell(void *user) {
	const struct console *console = user;

	assert_true(loop_signals_console(console->event));
	SetEvent(console->returned);
	return 0;
}

/* Ctrl-C may return at once. When the window is closed, the process lives only as long as the handler runs. */
static void test_console_events(void **state) {
	static const struct {
		const char *label;
		DWORD event;
		bool service, stops, waits;
	} cases[] = {
	    {"Ctrl-C", CTRL_C_EVENT, false, true, false},
	    {"break", CTRL_BREAK_EVENT, false, true, false},
	    {"close", CTRL_CLOSE_EVENT, false, true, true},
	    {"logoff", CTRL_LOGOFF_EVENT, false, true, true},
	    {"shutdown", CTRL_SHUTDOWN_EVENT, false, true, true},
	    {"service, logoff", CTRL_LOGOFF_EVENT, true, false, false},
	    {"service, shutdown", CTRL_SHUTDOWN_EVENT, true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct console console = {cases[i].event, CreateEventW(NULL, TRUE, FALSE, NULL)};
		struct loop *loop = loop_new();
		HANDLE thread;

		if (cases[i].service)
			loop_signals_service();
		assert_int_equal(loop_watch_signals(loop, NULL, NULL), 0);
		thread = (HANDLE)_beginthreadex(NULL, 0, tell, &console, 0, NULL);
		assert_int_equal(loop_run_once(loop, cases[i].stops ? BASE_NEVER : 50 * BASE_MS), 0);
		unit_assert_int(loop_stopped(loop), cases[i].stops, cases[i].label);
		unit_assert_int(WaitForSingleObject(console.returned, cases[i].waits ? 50 : 5000),
		                cases[i].waits ? WAIT_TIMEOUT : WAIT_OBJECT_0, cases[i].label);
		loop_free(loop);
		loop_signals_done();
		unit_assert_int(WaitForSingleObject(console.returned, 2000), WAIT_OBJECT_0, cases[i].label);
		WaitForSingleObject(thread, INFINITE);
		CloseHandle(thread);
		CloseHandle(console.returned);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(test_stop_before_anybody_watches), /* first */
	    TEST(test_stop_from_another_thread),
	    TEST(test_most_sources),
	    TEST(test_bad_handles),
	    TEST(test_timer_precision),
	    TEST(test_console_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
