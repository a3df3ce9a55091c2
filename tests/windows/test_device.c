/* The TAP adapter's code against a driver that behaves as TAP-Windows6 does. Arguments: path of faketap.sys. Started
 * again with "hold GUID", it opens the adapter and waits to be killed. */
#include "base/error.h"
#include "client-tap/device.h"
#include "tests/unit.h"
#include "tests/windows/faketap_client.h"

#include <winsock2.h>

#include <windows.h>

#include <stdio.h>
#include <string.h>

#define GUID_A "{FA4E7A90-0001-4000-8000-00000000000A}"
#define GUID_B "{FA4E7A90-0002-4000-8000-00000000000B}"
#define SUBKEY_A "0171"
#define SUBKEY_B "0172"
#define STATUS_DEVICE_NOT_CONNECTED_ 0xC000009Du
#define STATUS_INSUFFICIENT_RESOURCES_ 0xC000009Au

static const char *driver_path;

struct fixture {
	struct tapwin_device *device;
	void *wire;
	char error[TAPWIN_ERROR_BYTES];
};

static int setup(void **state) {
	static struct fixture fixture;
	struct faketap_config fresh = {.mac = {2, 0, 0, 0, 0, 0x0a}, .version = {9, 27, 0}, .mtu = 1500};

	memset(&fixture, 0, sizeof(fixture));
	fixture.wire = faketap_wire_open(GUID_A);
	assert_non_null(fixture.wire);
	assert_true(faketap_wire_ask(fixture.wire, FAKETAP_SET_CONFIG, &fresh, sizeof(fresh)));
	if (tapwin_device_open(GUID_A, &fixture.device, fixture.error) != 0)
		fail_msg("%s", fixture.error);
	*state = &fixture;
	return 0;
}

static int teardown(void **state) {
	struct fixture *f = *state;

	tapwin_device_close(f->device);
	faketap_wire_close(f->wire);
	return 0;
}

static struct faketap_config config_of(struct fixture *f) {
	struct faketap_config config;

	assert_true(faketap_wire_ask(f->wire, FAKETAP_GET_CONFIG, &config, sizeof(config)));
	return config;
}

static void set_config(struct fixture *f, struct faketap_config config) {
	assert_true(faketap_wire_ask(f->wire, FAKETAP_SET_CONFIG, &config, sizeof(config)));
}

static struct faketap_state state_of(struct fixture *f) {
	struct faketap_state state;

	assert_true(faketap_wire_ask(f->wire, FAKETAP_GET_STATE, &state, sizeof(state)));
	return state;
}

static void plug(struct fixture *f) {
	if (tapwin_device_set_media(f->device, true, f->error) != 0)
		fail_msg("%s", f->error);
}

static size_t make_frame(uint8_t *frame, size_t len, unsigned seed) {
	for (size_t i = 0; i < len; i++)
		frame[i] = (uint8_t)(seed + i * 7);
	return len;
}

/* The next frame, waited for as the loop does: by the event. */
static int next_frame(struct fixture *f, struct slice *ret) {
	for (;;) {
		int err = tapwin_device_read(f->device, ret);

		if (err != BASE_E_AGAIN)
			return err;
		if (WaitForSingleObject(tapwin_device_event(f->device), 3000) != WAIT_OBJECT_0)
			return BASE_E_TIMEOUT;
	}
}

static void test_ioctls(void **state) {
	struct fixture *f = *state;
	struct faketap_config config = config_of(f);
	uint32_t version[3], mtu;
	struct proto_mac mac;

	memcpy(config.mac, "\x02\x11\x22\x33\x44\x55", 6);
	config.mtu = 1400;
	set_config(f, config);
	assert_int_equal(tapwin_device_version(f->device, version, f->error), 0);
	assert_int_equal(version[0], 9);
	assert_int_equal(version[1], 27);
	assert_int_equal(version[2], 0);
	assert_int_equal(tapwin_device_mac(f->device, &mac, f->error), 0);
	assert_memory_equal(mac.b, config.mac, 6);
	assert_int_equal(tapwin_device_mtu(f->device, &mtu, f->error), 0);
	assert_int_equal(mtu, 1400);
}

static void test_media(void **state) {
	struct fixture *f = *state;
	struct faketap_config config = config_of(f);

	assert_int_equal(state_of(f).media, 0);
	plug(f);
	assert_int_equal(state_of(f).media, 1);
	assert_int_equal(state_of(f).reads_pending, TAPWIN_READS);
	assert_int_equal(tapwin_device_set_media(f->device, false, f->error), 0);
	assert_int_equal(state_of(f).media, 0);
	config.fail_media = STATUS_DEVICE_NOT_CONNECTED_;
	set_config(f, config);
	assert_int_equal(tapwin_device_set_media(f->device, true, f->error), BASE_E_IO);
	assert_non_null(strstr(f->error, "connecting the TAP adapter's media"));
	assert_non_null(strstr(f->error, "Windows error 1167"));
}

static void test_reads_in_order(void **state) {
	struct fixture *f = *state;
	uint8_t frame[TAPWIN_FRAME_BYTES_MAX];
	struct slice got;

	plug(f);
	assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_AGAIN);
	for (unsigned round = 0; round < 5; round++) {
		/* More than the ring has, so that some wait in the driver. */
		for (unsigned i = 0; i < 3 * TAPWIN_READS; i++)
			assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 60 + i * 20, i)));
		for (unsigned i = 0; i < 3 * TAPWIN_READS; i++) {
			const size_t len = make_frame(frame, 60 + i * 20, i);

			assert_int_equal(next_frame(f, &got), 0);
			assert_int_equal(got.len, len);
			assert_memory_equal(got.data, frame, len);
		}
		assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_AGAIN);
		assert_int_equal(WaitForSingleObject(tapwin_device_event(f->device), 0), WAIT_TIMEOUT);
	}
	assert_int_equal(tapwin_device_counters(f->device)->frames_read, 15 * TAPWIN_READS);
}

/* A turn that ends with frames left must be woken again. */
static void test_event_stays_while_frames_wait(void **state) {
	struct fixture *f = *state;
	uint8_t frame[64];
	struct slice got;

	plug(f);
	for (unsigned i = 0; i < 20; i++)
		assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 64, i)));
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(WaitForSingleObject(tapwin_device_event(f->device), 3000), WAIT_OBJECT_0);
		assert_int_equal(tapwin_device_read(f->device, &got), 0);
		assert_int_equal(got.data[0], i);
	}
	assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_AGAIN);
}

static void test_writes(void **state) {
	struct fixture *f = *state;
	uint8_t frame[TAPWIN_FRAME_BYTES_MAX + 1], got[FAKETAP_FRAME_BYTES_MAX];

	plug(f);
	for (unsigned i = 0; i < 128; i++) {
		const size_t len = make_frame(frame, i == 0 ? 14 : i == 1 ? TAPWIN_FRAME_BYTES_MAX : 60 + i, i);

		assert_int_equal(tapwin_device_write(f->device, slice_of(frame, len)), 0);
		assert_int_equal(faketap_wire_receive(f->wire, got, sizeof(got), 3000), len);
		assert_memory_equal(got, frame, len);
	}
	assert_int_equal(tapwin_device_write(f->device, slice_of(frame, 13)), BASE_E_RUNT);
	assert_int_equal(tapwin_device_write(f->device, slice_of(frame, sizeof(frame))), BASE_E_TOO_BIG);
	assert_int_equal(tapwin_device_counters(f->device)->bad_frame, 2);
}

static void expect_at_wire(struct fixture *f, uint8_t first) {
	uint8_t got[FAKETAP_FRAME_BYTES_MAX];

	assert_int_equal(faketap_wire_receive(f->wire, got, sizeof(got), 3000), 64);
	assert_int_equal(got[0], first);
}

static void test_too_many_writes(void **state) {
	struct fixture *f = *state;
	struct faketap_config config = config_of(f);
	uint8_t frame[64];

	plug(f);
	config.hold_writes = TAPWIN_WRITES;
	set_config(f, config);
	for (unsigned i = 0; i < TAPWIN_WRITES; i++)
		assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, i))), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 200))), BASE_E_FULL);
	assert_int_equal(state_of(f).writes_held, TAPWIN_WRITES);
	assert_int_equal(tapwin_device_counters(f->device)->write_full, 3);
	config.hold_writes = 0;
	set_config(f, config);
	for (unsigned i = 0; i < TAPWIN_WRITES; i++)
		expect_at_wire(f, (uint8_t)i);
	for (unsigned i = 0; i < TAPWIN_WRITES / 8; i++) { /* each takes back some of them */
		assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, i))), 0);
		expect_at_wire(f, (uint8_t)i);
	}
	assert_true(tapwin_device_counters(f->device)->frames_written >= TAPWIN_WRITES);
}

/* A program that does not read its connection keeps the frames of that one: nobody else's wait for it. */
static void test_some_writes_are_kept(void **state) {
	struct fixture *f = *state;
	struct faketap_config config = config_of(f);
	uint8_t frame[64];

	plug(f);
	config.hold_writes = 3;
	set_config(f, config);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 100 + i))), 0);
	for (unsigned i = 0; i < 2 * TAPWIN_WRITES; i++) {
		assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, i))), 0);
		expect_at_wire(f, (uint8_t)i);
	}
	assert_int_equal(state_of(f).writes_held, 3);
	config.hold_writes = 0;
	set_config(f, config);
	for (unsigned i = 0; i < 3; i++)
		expect_at_wire(f, (uint8_t)(100 + i));
	assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 7))), 0);
	assert_true(tapwin_device_counters(f->device)->frames_written >= 2 * TAPWIN_WRITES + 3);
}

static void test_not_ready_is_no_error(void **state) {
	struct fixture *f = *state;
	struct faketap_config config;
	uint8_t frame[64];
	struct slice got;

	/* Media down: nothing is posted, and nothing goes wrong. */
	assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_AGAIN);
	tapwin_device_resume(f->device);
	assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_STATE);
	assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_AGAIN);
	assert_int_equal(WaitForSingleObject(tapwin_device_event(f->device), 0), WAIT_TIMEOUT);
	assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 1))), BASE_E_STATE);
	assert_int_equal(tapwin_device_counters(f->device)->write_refused, 1);
	/* Asleep while media is up: waiting reads are given back, and resume when it wakes. */
	plug(f);
	config = config_of(f);
	config.asleep = 1;
	set_config(f, config);
	assert_int_equal(next_frame(f, &got), BASE_E_STATE);
	assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_AGAIN);
	tapwin_device_resume(f->device);
	assert_int_equal(next_frame(f, &got), BASE_E_STATE);
	config.asleep = 0;
	set_config(f, config);
	tapwin_device_resume(f->device);
	assert_int_equal(state_of(f).reads_pending, TAPWIN_READS);
	for (unsigned i = 0; i < 40; i++) {
		assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 64, i)));
		assert_int_equal(next_frame(f, &got), 0);
		assert_int_equal(got.data[0], i);
	}
}

/* TAP-Windows6 gives back all reads with ERROR_OPERATION_ABORTED when its adapter is disabled, as before it sleeps, and
 * refuses all later ones likewise. */
static void test_disabled_is_not_asleep(void **state) {
	struct fixture *f = *state;
	struct faketap_config config;
	uint8_t frame[64];
	struct slice got;

	plug(f);
	config = config_of(f);
	config.asleep = 1;
	set_config(f, config);
	assert_int_equal(next_frame(f, &got), BASE_E_STATE);
	/* Once all reads are back nothing is ready any more: the loop may sleep. */
	for (unsigned i = 0; i < 50 && WaitForSingleObject(tapwin_device_event(f->device), 20) == WAIT_OBJECT_0; i++)
		assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_AGAIN);
	assert_int_equal(WaitForSingleObject(tapwin_device_event(f->device), 0), WAIT_TIMEOUT);
	for (unsigned i = 0; i < 10; i++) {
		tapwin_device_resume(f->device);
		assert_int_equal(next_frame(f, &got), BASE_E_STATE);
	}
	config.asleep = 0;
	config.gone = 1;
	set_config(f, config);
	tapwin_device_resume(f->device);
	assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_IO);
	assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 1))), BASE_E_IO);
	tapwin_device_error(f->device, f->error);
	assert_non_null(strstr(f->error, "reading from the TAP adapter: not there; is the adapter enabled"));
	config.gone = 0;
	set_config(f, config);
}

static void test_bad_frames_are_no_error(void **state) {
	struct fixture *f = *state;
	uint8_t frame[FAKETAP_FRAME_BYTES_MAX];
	struct slice got;

	plug(f);
	assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, TAPWIN_FRAME_BYTES_MAX + 1, 1)));
	assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 13, 2)));
	assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 14, 3)));
	assert_int_equal(next_frame(f, &got), 0);
	assert_int_equal(got.len, 14);
	assert_int_equal(got.data[0], 3);
	assert_int_equal(tapwin_device_counters(f->device)->bad_frame, 2);
}

/* A busy machine has no memory for a request: one frame less, and it goes on. */
static void test_no_memory_for_a_moment(void **state) {
	struct fixture *f = *state;
	struct faketap_config config = config_of(f);
	uint8_t frame[64], got_frame[FAKETAP_FRAME_BYTES_MAX];
	struct slice got;

	plug(f);
	config.fail_write = STATUS_INSUFFICIENT_RESOURCES_;
	set_config(f, config);
	(void)tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 1)));
	Sleep(200);
	assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 2))), 0);
	assert_int_equal(faketap_wire_receive(f->wire, got_frame, sizeof(got_frame), 3000), 64);
	assert_int_equal(got_frame[0], 2);
	assert_int_equal(tapwin_device_counters(f->device)->write_refused, 1);
	config.fail_write = 0;
	config.fail_read = STATUS_INSUFFICIENT_RESOURCES_;
	set_config(f, config);
	assert_int_equal(next_frame(f, &got), BASE_E_STATE);
	tapwin_device_resume(f->device);
	assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 64, 3)));
	assert_int_equal(next_frame(f, &got), 0);
	assert_int_equal(got.data[0], 3);
}

static void test_errors_break_the_device(void **state) {
	struct fixture *f = *state;
	struct faketap_config config = config_of(f);
	uint8_t frame[64];
	struct slice got;

	plug(f);
	config.fail_read = STATUS_DEVICE_NOT_CONNECTED_;
	set_config(f, config);
	assert_int_equal(next_frame(f, &got), BASE_E_IO);
	assert_int_equal(tapwin_device_read(f->device, &got), BASE_E_IO);
	assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 1))), BASE_E_IO);
	tapwin_device_error(f->device, f->error);
	assert_string_equal(f->error, "reading from the TAP adapter: failed (Windows error 1167)");
}

static void test_write_error(void **state) {
	struct fixture *f = *state;
	struct faketap_config config = config_of(f);
	uint8_t frame[64];
	int err;

	plug(f);
	config.fail_write = STATUS_DEVICE_NOT_CONNECTED_;
	set_config(f, config);
	err = tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 1)));
	if (err == 0) {
		Sleep(200);
		err = tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 1)));
	}
	assert_int_equal(err, BASE_E_IO);
	tapwin_device_error(f->device, f->error);
	assert_string_equal(f->error, "writing to the TAP adapter: failed (Windows error 1167)");
}

static void test_close_gives_everything_back(void **state) {
	struct fixture *f = *state;
	struct faketap_config config = config_of(f);
	uint8_t frame[64];
	struct slice got;

	for (unsigned round = 0; round < 3; round++) {
		plug(f);
		config.hold_writes = 1;
		set_config(f, config);
		assert_int_equal(tapwin_device_write(f->device, slice_of(frame, make_frame(frame, 64, 1))), 0);
		assert_int_equal(state_of(f).reads_pending, TAPWIN_READS);
		tapwin_device_close(f->device);
		f->device = NULL;
		assert_int_equal(state_of(f).open, 0);
		assert_int_equal(state_of(f).media, 0);
		assert_int_equal(state_of(f).reads_pending, 0);
		assert_int_equal(state_of(f).writes_held, 0);
		assert_int_equal(tapwin_device_open(GUID_A, &f->device, f->error), 0);
	}
	plug(f);
	config.hold_writes = 0;
	set_config(f, config);
	assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 64, 9)));
	assert_int_equal(next_frame(f, &got), 0);
}

/* Both are open at once, and each has its own frames. */
static void test_second_adapter(void **state) {
	struct fixture *f = *state, second = {.wire = faketap_wire_open(GUID_B)};
	uint8_t frame[64];
	struct proto_mac mac;
	struct slice got;

	assert_non_null(second.wire);
	assert_int_equal(tapwin_device_open(GUID_B, &second.device, second.error), 0);
	plug(f);
	plug(&second);
	assert_int_equal(tapwin_device_mac(second.device, &mac, second.error), 0);
	assert_int_equal(mac.b[5], 0x0b);
	assert_true(faketap_wire_send(second.wire, frame, make_frame(frame, 64, 2)));
	assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 64, 1)));
	assert_int_equal(next_frame(&second, &got), 0);
	assert_int_equal(got.data[0], 2);
	assert_int_equal(tapwin_device_read(second.device, &got), BASE_E_AGAIN);
	assert_int_equal(next_frame(f, &got), 0);
	assert_int_equal(got.data[0], 1);
	tapwin_device_close(second.device);
	faketap_wire_close(second.wire);
}

static void test_open_failures(void **state) {
	struct tapwin_device *device = NULL;
	struct fixture *f = *state;
	struct proto_mac mac;

	assert_int_equal(tapwin_device_open("{FA4E7A90-0009-4000-8000-00000000000C}", &device, f->error), BASE_E_NOT_FOUND);
	assert_null(device);
	assert_non_null(strstr(f->error, "is the adapter enabled"));
	/* Windows refuses the second opener at once, Wine at its first request; the first one is not disturbed. */
	if (tapwin_device_open(GUID_A, &device, f->error) == 0) {
		assert_int_equal(tapwin_device_mac(device, &mac, f->error), BASE_E_EXISTS);
		tapwin_device_close(device);
	}
	assert_non_null(strstr(f->error, "in use by another program"));
	assert_int_equal(tapwin_device_mac(f->device, &mac, f->error), 0);
}

static void test_kill_and_reopen(void **state) {
	struct fixture *f = *state;
	STARTUPINFOA startup = {.cb = sizeof(startup)};
	PROCESS_INFORMATION process;
	char command[1024], self[512];
	struct faketap_state now;
	struct slice got;
	uint8_t frame[64];

	tapwin_device_close(f->device);
	f->device = NULL;
	assert_true(GetModuleFileNameA(NULL, self, sizeof(self)) > 0);
	(void)snprintf(command, sizeof(command), "\"%s\" hold %s", self, GUID_A);
	assert_true(CreateProcessA(NULL, command, NULL, NULL, FALSE, 0, NULL, NULL, &startup, &process));
	for (int i = 0; i < 200 && state_of(f).reads_pending < TAPWIN_READS; i++)
		Sleep(20);
	assert_int_equal(state_of(f).reads_pending, TAPWIN_READS);
	assert_true(TerminateProcess(process.hProcess, 9));
	assert_int_equal(WaitForSingleObject(process.hProcess, 5000), WAIT_OBJECT_0);
	CloseHandle(process.hProcess);
	CloseHandle(process.hThread);
	for (int i = 0; i < 200 && state_of(f).open; i++)
		Sleep(20);
	now = state_of(f);
	assert_int_equal(now.media, 0);
	assert_int_equal(now.reads_pending, 0);
	assert_int_equal(tapwin_device_open(GUID_A, &f->device, f->error), 0);
	plug(f);
	assert_true(faketap_wire_send(f->wire, frame, make_frame(frame, 64, 5)));
	assert_int_equal(next_frame(f, &got), 0);
	assert_int_equal(got.data[0], 5);
}

static int hold(const char *guid) {
	struct tapwin_device *device;
	char error[TAPWIN_ERROR_BYTES];

	if (tapwin_device_open(guid, &device, error) != 0 || tapwin_device_set_media(device, true, error) != 0)
		return 1;
	Sleep(30000); /* longer than the test looks at it */
	tapwin_device_close(device);
	return 0;
}

static const struct tapwin_adapter *find(const struct tapwin_adapter *list, size_t count, const char *guid) {
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].guid, guid) == 0)
			return &list[i];
	fail_msg("%s is not listed", guid);
	return NULL;
}

static void test_registry(void **state) {
	struct tapwin_adapter list[TAPWIN_ADAPTERS_MAX];
	char warning[TAPWIN_ERROR_BYTES], error[TAPWIN_ERROR_BYTES];
	const struct tapwin_adapter *a, *b;
	const struct proto_mac mac = {{2, 0xaa, 0xbb, 0xcc, 0xdd, 0xee}};
	bool changed = false;
	size_t count;

	(void)state;
	assert_int_equal(tapwin_registry_read(list, &count, warning, error), 0);
	assert_int_equal(count, 2);
	assert_string_equal(warning, "");
	a = find(list, count, GUID_A);
	b = find(list, count, GUID_B);
	assert_string_equal(a->subkey, SUBKEY_A);
	assert_string_equal(a->name, "Party A");
	assert_string_equal(a->version, "9.27.0.0");
	assert_false(a->has_configured);
	assert_string_equal(b->version, "9.21.2.0");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(tapwin_registry_set_mac(&list[i], mac, &changed, error), 0);
		assert_true(changed);
		assert_int_equal(tapwin_registry_set_mac(&list[i], mac, &changed, error), 0);
		assert_false(changed);
	}
	assert_int_equal(tapwin_registry_read(list, &count, warning, error), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_true(list[i].has_configured);
		assert_memory_equal(list[i].configured.b, mac.b, 6);
	}
	/* The device installer knows nothing of these two. */
	assert_int_equal(tapwin_adapter_restart(&list[0], error), BASE_E_NOT_FOUND);
	assert_non_null(strstr(error, list[0].guid));
}

static void test_registry_values_by_version(void **state) {
	static const struct {
		const char *subkey, *value;
		bool there;
	} cases[] = {
	    {SUBKEY_A, "NetworkAddress", true},
	    {SUBKEY_A, "MAC", false},
	    {SUBKEY_B, "NetworkAddress", false},
	    {SUBKEY_B, "MAC", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char path[256], text[32] = "";
		DWORD len = sizeof(text);
		LONG code;

		(void)snprintf(path, sizeof(path),
		               "SYSTEM\\CurrentControlSet\\Control\\Class\\"
		               "{4D36E972-E325-11CE-BFC1-08002BE10318}\\%s",
		               cases[i].subkey);
		code = RegGetValueA(HKEY_LOCAL_MACHINE, path, cases[i].value, RRF_RT_REG_SZ, NULL, text, &len);
		unit_assert_true((code == ERROR_SUCCESS) == cases[i].there, cases[i].value);
		if (cases[i].there)
			assert_string_equal(text, "02AABBCCDDEE");
	}
}

static int install(void **state) {
	const struct faketap_adapter a = {driver_path, GUID_A, SUBKEY_A, "Party A", "02000000000A", "9.27.0.0", false};
	const struct faketap_adapter b = {driver_path, GUID_B, SUBKEY_B, "Party B", "02000000000B", "9.21.2.0", false};

	(void)state;
	return faketap_install(&a) && faketap_install(&b) ? 0 : -1;
}

static int uninstall(void **state) {
	const bool a = faketap_remove(GUID_A, SUBKEY_A), b = faketap_remove(GUID_B, SUBKEY_B);

	(void)state;
	return a && b ? 0 : -1;
}

int main(int argc, char **argv) {
#define DEVICE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
	    DEVICE_TEST(test_ioctls),
	    DEVICE_TEST(test_media),
	    DEVICE_TEST(test_reads_in_order),
	    DEVICE_TEST(test_event_stays_while_frames_wait),
	    DEVICE_TEST(test_writes),
	    DEVICE_TEST(test_too_many_writes),
	    DEVICE_TEST(test_some_writes_are_kept),
	    DEVICE_TEST(test_not_ready_is_no_error),
	    DEVICE_TEST(test_disabled_is_not_asleep),
	    DEVICE_TEST(test_bad_frames_are_no_error),
	    DEVICE_TEST(test_no_memory_for_a_moment),
	    DEVICE_TEST(test_errors_break_the_device),
	    DEVICE_TEST(test_write_error),
	    DEVICE_TEST(test_close_gives_everything_back),
	    DEVICE_TEST(test_second_adapter),
	    DEVICE_TEST(test_open_failures),
	    DEVICE_TEST(test_kill_and_reopen),
	    cmocka_unit_test(test_registry),
	    cmocka_unit_test(test_registry_values_by_version),
	};

	if (argc == 3 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2]);
	if (argc != 2) {
		(void)fprintf(stderr, "usage: test_windows_device PATH-OF-faketap.sys\n");
		return 2;
	}
	driver_path = argv[1];
	return cmocka_run_group_tests_name("client-tap/device", tests, install, uninstall);
}
