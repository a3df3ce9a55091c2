/* A driver that keeps what it is asked, which neither Wine nor the drivers of tests/windows do: the calls end here (as
 * in tests/client-win/test_service_windows.c). */
#include "base/error.h"
#include "client-tap/device.h"
#include "tests/unit.h"

#include <string.h>

#include <windows.h>

#define GUID_TEXT "{FA4E7A90-0001-4000-8000-00000000000A}"

static struct {
	unsigned asked, cancelled;
	bool answers, gives_back;
	OVERLAPPED *request;
	ULONGLONG ms; /* the clock */
} driver;

static HANDLE WINAPI fake_open(const wchar_t *name, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security, DWORD how,
                               DWORD flags, HANDLE template) {
	(void)name, (void)access, (void)share, (void)security, (void)how, (void)flags, (void)template;
	return CreateEventW(NULL, TRUE, FALSE, NULL);
}

static BOOL WINAPI fake_ask(HANDLE file, DWORD code, void *in, DWORD in_len, void *out, DWORD out_len, DWORD *got,
                            OVERLAPPED *request) {
	(void)file, (void)code, (void)in, (void)in_len, (void)out;
	driver.asked++;
	*got = out_len;
	if (driver.answers)
		return TRUE;
	driver.request = request;
	request->Internal = (ULONG_PTR)STATUS_PENDING;
	SetLastError(ERROR_IO_PENDING);
	return FALSE;
}

static BOOL WINAPI fake_cancel(HANDLE file, OVERLAPPED *request) {
	(void)file;
	if (request == NULL)
		return TRUE;
	assert_ptr_equal(request, driver.request);
	driver.cancelled++;
	if (driver.gives_back) {
		request->Internal = 0xC0000120u; /* STATUS_CANCELLED */
		(void)SetEvent(request->hEvent);
	}
	return TRUE;
}

static BOOL WINAPI fake_write(HANDLE file, const void *bytes, DWORD len, DWORD *written, OVERLAPPED *request) {
	(void)file, (void)bytes, (void)len, (void)written;
	request->Internal = (ULONG_PTR)STATUS_PENDING;
	SetLastError(ERROR_IO_PENDING);
	return FALSE;
}

static void WINAPI fake_sleep(DWORD ms) {
	driver.ms += ms < 16 ? 16 : ms; /* as Windows does it */
}

static ULONGLONG WINAPI fake_clock(void) {
	return driver.ms;
}

#define INSTEAD_OF(name, fake)             \
	extern const void *const __imp_##name; \
	const void *const __imp_##name = (const void *)(fake)

INSTEAD_OF(CreateFileW, fake_open);
INSTEAD_OF(DeviceIoControl, fake_ask);
INSTEAD_OF(CancelIoEx, fake_cancel);
INSTEAD_OF(WriteFile, fake_write);
INSTEAD_OF(Sleep, fake_sleep);
INSTEAD_OF(GetTickCount64, fake_clock);

static struct tapwin_device *open_device(void) {
	struct tapwin_device *device = NULL;
	char error[TAPWIN_ERROR_BYTES];

	memset(&driver, 0, sizeof(driver));
	assert_int_equal(tapwin_device_open(GUID_TEXT, &device, error), 0);
	return device;
}

static void test_an_answer_that_does_not_come(void **state) {
	struct tapwin_device *device = open_device();
	char error[TAPWIN_ERROR_BYTES];
	struct proto_mac mac;

	(void)state;
	driver.gives_back = true;
	assert_int_equal(tapwin_device_mac(device, &mac, error), BASE_E_TIMEOUT);
	assert_non_null(strstr(error, "asking the TAP driver for its MAC: the driver does not answer"));
	driver.answers = true;
	assert_int_equal(tapwin_device_mac(device, &mac, error), 0);
	tapwin_device_close(device);
	assert_int_equal(driver.asked, 3);
}

/* It says so, and is asked nothing more: what there still is to put back does not wait for it. */
static void test_a_driver_that_keeps_the_question(void **state) {
	struct tapwin_device *device = open_device();
	char error[TAPWIN_ERROR_BYTES];
	struct proto_mac mac;

	(void)state;
	assert_int_equal(tapwin_device_mac(device, &mac, error), BASE_E_TIMEOUT);
	assert_int_equal(driver.cancelled, 1);
	assert_int_equal(tapwin_device_set_media(device, false, error), BASE_E_TIMEOUT);
	assert_non_null(strstr(error, "disconnecting the TAP adapter's media: the driver does not answer"));
	tapwin_device_close(device);
	assert_int_equal(driver.asked, 1);
	/* It answers when it likes, into memory that is still there for it. */
	driver.request->Internal = 0;
	driver.request->InternalHigh = 6;
}

/* Late, it is asked again. */
static void test_a_driver_that_answers_late(void **state) {
	struct tapwin_device *device = open_device();
	char error[TAPWIN_ERROR_BYTES];
	struct proto_mac mac;

	(void)state;
	assert_int_equal(tapwin_device_mac(device, &mac, error), BASE_E_TIMEOUT);
	driver.request->Internal = 0;
	driver.answers = true;
	assert_int_equal(tapwin_device_mac(device, &mac, error), 0);
	tapwin_device_close(device);
}

static void test_a_driver_that_keeps_a_frame(void **state) {
	static const uint8_t frame[60];
	struct tapwin_device *device = open_device();

	(void)state;
	driver.answers = true;
	assert_int_equal(tapwin_device_write(device, slice_of(frame, sizeof(frame))), 0);
	tapwin_device_close(device); /* its memory stays for the driver */
	assert_in_range(driver.ms, 5000, 5100);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_answer_that_does_not_come),
	    cmocka_unit_test(test_a_driver_that_keeps_the_question),
	    cmocka_unit_test(test_a_driver_that_answers_late),
	    cmocka_unit_test(test_a_driver_that_keeps_a_frame),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
