#include "client-tap/device.h"
#include "client-tap/words.h"

#include "base/error.h"
#include "proto/ether.h"

#include <windows.h>
#include <winioctl.h>

#include <stdlib.h>
#include <string.h>

#define IOCTL_OF(number) CTL_CODE(FILE_DEVICE_UNKNOWN, number, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define IOCTL_GET_MAC IOCTL_OF(1)
#define IOCTL_GET_VERSION IOCTL_OF(2)
#define IOCTL_GET_MTU IOCTL_OF(3)
#define IOCTL_SET_MEDIA IOCTL_OF(6)

#define ANSWER_MS_MAX 5000 /* what a driver may take for an IOCTL, or for giving cancelled requests back */
#define IOCTL_BYTES_MAX 12 /* a version's */
#define REAPS_MAX 16       /* writes looked at before each new one: kept ones must not cost more the more they are */

struct slot {
	OVERLAPPED io;
	uint8_t bytes[TAPWIN_FRAME_BYTES_MAX];
};

/* Reads in the order they were posted: `count` of them, from `oldest` on. The driver finishes them in that order. */
struct ring {
	struct slot slots[TAPWIN_READS];
	size_t oldest, count;
};

/* A write is finished when whoever got the frame lets go of it, and each in its own time: a program that does not read
 * what came for it keeps its frames, and all others' go on. `order` is a list of all slots; its first `count` are out,
 * and those before `next` are to be looked at before the others. */
struct writes {
	struct slot slots[TAPWIN_WRITES];
	uint16_t order[TAPWIN_WRITES];
	size_t count, next;
};

struct tapwin_device {
	char guid[TAPWIN_GUID_BYTES];
	HANDLE file, read_event, ioctl_event;
	struct ring reads;
	struct writes writes;
	OVERLAPPED ioctl;
	uint8_t ioctl_bytes[IOCTL_BYTES_MAX];
	bool ioctl_kept; /* the driver did not answer it, nor give it back in time */
	bool paused;     /* the driver is not ready: no reads are posted */
	bool pause_told; /* the caller knows */
	DWORD failure;   /* beyond use since this error */
	const char *failed_call;
	struct tapwin_device_counters counters;
};

static struct slot *ring_oldest(struct ring *ring) {
	return &ring->slots[ring->oldest];
}

static struct slot *ring_next_free(struct ring *ring) {
	return &ring->slots[(ring->oldest + ring->count) % TAPWIN_READS];
}

static void ring_drop_oldest(struct ring *ring) {
	ring->oldest = (ring->oldest + 1) % TAPWIN_READS;
	ring->count--;
}

static struct slot *write_at(struct writes *writes, size_t at) {
	return &writes->slots[writes->order[at]];
}

/* It changes places with the last one that is out. */
static void write_drop(struct writes *writes, size_t at) {
	const uint16_t slot = writes->order[at];

	writes->order[at] = writes->order[--writes->count];
	writes->order[writes->count] = slot;
}

/* ERROR_IO_INCOMPLETE while the driver has it. */
static DWORD result_of(const struct tapwin_device *device, struct slot *slot, DWORD *ret_len) {
	return GetOverlappedResult(device->file, &slot->io, ret_len, FALSE) ? ERROR_SUCCESS : GetLastError();
}

/* What passes: the driver is not ready, or the system had no memory for this one request. */
static bool may_pass(DWORD code) {
	return code == ERROR_OPERATION_ABORTED || code == ERROR_NO_SYSTEM_RESOURCES || code == ERROR_NOT_ENOUGH_MEMORY ||
	       code == ERROR_WORKING_SET_QUOTA || code == ERROR_NOT_ENOUGH_QUOTA;
}

static void break_down(struct tapwin_device *device, const char *call, DWORD code) {
	if (device->failure != 0)
		return;
	device->failure = code;
	device->failed_call = call;
}

static HANDLE open_file(const char *guid) {
	char path[64];
	wchar_t wide[64];
	struct base_text text;

	base_text_init(&text, path, sizeof(path));
	base_text_addf(&text, "\\\\.\\Global\\%s.tap", guid);
	tapwin_widen(path, wide, sizeof(wide) / sizeof(wide[0]));
	return CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
	                   FILE_ATTRIBUTE_SYSTEM | FILE_FLAG_OVERLAPPED, NULL);
}

int tapwin_device_open(const char *guid, struct tapwin_device **ret, char error[static TAPWIN_ERROR_BYTES]) {
	struct tapwin_device *device = calloc(1, sizeof(*device));
	DWORD code = ERROR_NOT_ENOUGH_MEMORY;

	if (device != NULL) {
		base_text_copy(device->guid, sizeof(device->guid), guid);
		for (uint16_t i = 0; i < TAPWIN_WRITES; i++)
			device->writes.order[i] = i;
		device->paused = device->pause_told = true; /* until media is up */
		device->read_event = CreateEventW(NULL, TRUE, FALSE, NULL);
		device->ioctl_event = CreateEventW(NULL, TRUE, FALSE, NULL);
		device->file = INVALID_HANDLE_VALUE;
		if (device->read_event != NULL && device->ioctl_event != NULL) {
			device->file = open_file(guid);
			code = GetLastError();
		}
		if (device->file != INVALID_HANDLE_VALUE) {
			*ret = device;
			return 0;
		}
		tapwin_device_close(device);
	}
	return tapwin_fail(error, "opening the TAP adapter", code);
}

/* The shortest sleep may take 16 ms. */
static bool wait_for(const struct slot *slot, ULONGLONG end) {
	while (!HasOverlappedIoCompleted(&slot->io)) {
		if (GetTickCount64() >= end)
			return false;
		Sleep(1);
	}
	return true;
}

/* Until the driver has given every request back. */
static bool wait_for_all(struct tapwin_device *device) {
	const ULONGLONG end = GetTickCount64() + ANSWER_MS_MAX;

	for (; device->reads.count > 0; ring_drop_oldest(&device->reads))
		if (!wait_for(ring_oldest(&device->reads), end))
			return false;
	for (; device->writes.count > 0; write_drop(&device->writes, 0))
		if (!wait_for(write_at(&device->writes, 0), end))
			return false;
	return !device->ioctl_kept;
}

void tapwin_device_close(struct tapwin_device *device) {
	char ignored[TAPWIN_ERROR_BYTES];
	bool given_back = true;

	if (device == NULL)
		return;
	if (device->file != INVALID_HANDLE_VALUE) {
		(void)tapwin_device_set_media(device, false, ignored);
		(void)CancelIoEx(device->file, NULL);
		given_back = wait_for_all(device);
		CloseHandle(device->file);
	}
	if (device->read_event != NULL)
		CloseHandle(device->read_event);
	if (device->ioctl_event != NULL)
		CloseHandle(device->ioctl_event);
	/* A driver that still has buffers of ours would write into whatever comes there next: then they are not freed. */
	if (given_back)
		free(device);
}

static bool is_answered(const struct tapwin_device *device) {
	return WaitForSingleObject(device->ioctl_event, ANSWER_MS_MAX) == WAIT_OBJECT_0;
}

/* A driver that does not even give it back must not hold us up for ever. */
static DWORD wait_for_answer(struct tapwin_device *device, DWORD *ret_len) {
	DWORD err;

	const bool in_time = is_answered(device);
	if (!in_time) {
		(void)CancelIoEx(device->file, &device->ioctl);
		device->ioctl_kept = !is_answered(device);
		if (device->ioctl_kept)
			return WAIT_TIMEOUT;
	}
	err = GetOverlappedResult(device->file, &device->ioctl, ret_len, FALSE) ? ERROR_SUCCESS : GetLastError();
	return in_time || err == ERROR_SUCCESS ? err : WAIT_TIMEOUT;
}

/* The same buffer in and out, and never an empty one: some driver versions insist. */
static int ask(struct tapwin_device *device, const char *what, DWORD code, void *buf, DWORD len,
               char error[static TAPWIN_ERROR_BYTES]) {
	DWORD got = 0, err = ERROR_SUCCESS;

	if (device->ioctl_kept && !HasOverlappedIoCompleted(&device->ioctl))
		return tapwin_fail(error, what, WAIT_TIMEOUT);
	device->ioctl_kept = false;
	device->ioctl = (OVERLAPPED){.hEvent = device->ioctl_event};
	memcpy(device->ioctl_bytes, buf, len);
	if (!DeviceIoControl(device->file, code, device->ioctl_bytes, len, device->ioctl_bytes, len, &got,
	                     &device->ioctl)) {
		err = GetLastError();
		if (err == ERROR_IO_PENDING)
			err = wait_for_answer(device, &got);
	}
	if (err == ERROR_SUCCESS && got < len && code != IOCTL_SET_MEDIA)
		err = ERROR_INVALID_DATA;
	if (err != ERROR_SUCCESS)
		return tapwin_fail(error, what, err);
	memcpy(buf, device->ioctl_bytes, len);
	return 0;
}

int tapwin_device_version(struct tapwin_device *device, uint32_t ret[static 3], char error[static TAPWIN_ERROR_BYTES]) {
	uint32_t version[3] = {0, 0, 0};
	int err = ask(device, "asking the TAP driver for its version", IOCTL_GET_VERSION, version, sizeof(version), error);

	if (err == 0)
		memcpy(ret, version, sizeof(version));
	return err;
}

int tapwin_device_mac(struct tapwin_device *device, struct proto_mac *ret, char error[static TAPWIN_ERROR_BYTES]) {
	uint8_t mac[PROTO_MAC_BYTES] = {0};
	int err = ask(device, "asking the TAP driver for its MAC", IOCTL_GET_MAC, mac, sizeof(mac), error);

	if (err == 0)
		*ret = proto_mac_of(mac);
	return err;
}

int tapwin_device_mtu(struct tapwin_device *device, uint32_t *ret, char error[static TAPWIN_ERROR_BYTES]) {
	uint32_t mtu = 0;
	int err = ask(device, "asking the TAP driver for its MTU", IOCTL_GET_MTU, &mtu, sizeof(mtu), error);

	if (err == 0)
		*ret = mtu;
	return err;
}

int tapwin_device_set_media(struct tapwin_device *device, bool up, char error[static TAPWIN_ERROR_BYTES]) {
	uint32_t status = up ? 1 : 0;
	int err = ask(device, up ? "connecting the TAP adapter's media" : "disconnecting the TAP adapter's media",
	              IOCTL_SET_MEDIA, &status, sizeof(status), error);

	if (err == 0 && up)
		tapwin_device_resume(device);
	return err;
}

void *tapwin_device_event(const struct tapwin_device *device) {
	return device->read_event;
}

static void pause_reads(struct tapwin_device *device) {
	if (!device->paused)
		device->pause_told = false;
	device->paused = true;
}

static void post_reads(struct tapwin_device *device) {
	struct ring *ring = &device->reads;

	while (!device->paused && device->failure == 0 && ring->count < TAPWIN_READS) {
		struct slot *slot = ring_next_free(ring);
		DWORD code = ERROR_SUCCESS;

		slot->io = (OVERLAPPED){.hEvent = device->read_event};
		if (!ReadFile(device->file, slot->bytes, sizeof(slot->bytes), NULL, &slot->io))
			code = GetLastError();
		if (may_pass(code))
			pause_reads(device);
		else if (code == ERROR_MORE_DATA)
			device->counters.bad_frame++; /* finished at once, and lost */
		else if (code != ERROR_SUCCESS && code != ERROR_IO_PENDING)
			break_down(device, "reading from the TAP adapter", code);
		else
			ring->count++;
	}
}

/* The driver has one opener at a time: while it sleeps, another one is refused as ever. Of an adapter that was disabled
 * or removed the device is gone, or a new one is in its place; all that we hear from ours then is that it is not ready.
 */
static bool is_gone(const struct tapwin_device *device) {
	char ignored[TAPWIN_ERROR_BYTES];
	struct tapwin_device *other;
	struct proto_mac mac;
	int err = tapwin_device_open(device->guid, &other, ignored);

	if (err == 0) {
		err = tapwin_device_mac(other, &mac, ignored); /* Wine refuses no earlier */
		tapwin_device_close(other);
	}
	return err == 0 || err == BASE_E_NOT_FOUND;
}

void tapwin_device_resume(struct tapwin_device *device) {
	const bool was_paused = device->paused;

	device->paused = false;
	post_reads(device);
	if (was_paused && is_gone(device))
		break_down(device, "reading from the TAP adapter", ERROR_FILE_NOT_FOUND);
}

/* Whether a frame is finished. The event was reset by posting, or now: from here on it tells of what finishes later. */
static bool oldest_finished(struct tapwin_device *device, DWORD *ret_code, DWORD *ret_len) {
	struct ring *ring = &device->reads;

	if (ring->count == 0)
		ResetEvent(device->read_event); /* all were given back, and posting waits for tapwin_device_resume() */
	for (int look = 0; look < 2 && ring->count > 0; look++) {
		*ret_code = result_of(device, ring_oldest(ring), ret_len);
		if (*ret_code != ERROR_IO_INCOMPLETE)
			return true;
		if (look == 0)
			ResetEvent(device->read_event);
	}
	return false;
}

/* Posting and resetting may have wiped out the news of the next frame. */
static void keep_event(struct tapwin_device *device) {
	struct ring *ring = &device->reads;
	DWORD len;

	if (ring->count > 0 && result_of(device, ring_oldest(ring), &len) != ERROR_IO_INCOMPLETE)
		SetEvent(device->read_event);
}

int tapwin_device_read(struct tapwin_device *device, struct slice *ret) {
	DWORD code, len = 0;

	for (;;) {
		struct slot *slot;

		post_reads(device);
		if (device->failure != 0)
			return BASE_E_IO;
		if (!oldest_finished(device, &code, &len))
			break;
		slot = ring_oldest(&device->reads);
		ring_drop_oldest(&device->reads);
		if (may_pass(code))
			pause_reads(device);
		else if (code == ERROR_MORE_DATA || (code == ERROR_SUCCESS && len < PROTO_ETHER_HEADER_BYTES))
			device->counters.bad_frame++;
		else if (code != ERROR_SUCCESS)
			break_down(device, "reading from the TAP adapter", code);
		else {
			device->counters.frames_read++;
			keep_event(device);
			*ret = slice_of(slot->bytes, len);
			return 0;
		}
	}
	if (!device->paused || device->pause_told)
		return BASE_E_AGAIN;
	device->pause_told = true;
	return BASE_E_STATE;
}

static void reap_write(struct tapwin_device *device, DWORD code) {
	if (code == ERROR_SUCCESS)
		device->counters.frames_written++;
	else if (may_pass(code))
		device->counters.write_refused++;
	else if (code == ERROR_INSUFFICIENT_BUFFER)
		device->counters.bad_frame++;
	else
		break_down(device, "writing to the TAP adapter", code);
}

/* Some at a time, each in its turn: of those that are out nearly all may be kept. */
static void reap_writes(struct tapwin_device *device) {
	struct writes *writes = &device->writes;
	DWORD code, len;

	for (int looks = 0; looks < REAPS_MAX && writes->count > 0; looks++) {
		writes->next = writes->next > 0 ? writes->next - 1 : writes->count - 1;
		code = result_of(device, write_at(writes, writes->next), &len);
		if (code == ERROR_IO_INCOMPLETE)
			continue;
		write_drop(writes, writes->next);
		reap_write(device, code);
	}
}

static int reject(struct tapwin_device *device, int err) {
	uint64_t *counter = err == BASE_E_FULL ? &device->counters.write_full : &device->counters.bad_frame;

	(*counter)++;
	return err;
}

int tapwin_device_write(struct tapwin_device *device, struct slice frame) {
	struct writes *writes = &device->writes;
	struct slot *slot;
	DWORD code;

	reap_writes(device);
	if (device->failure != 0)
		return BASE_E_IO;
	if (frame.len < PROTO_ETHER_HEADER_BYTES)
		return reject(device, BASE_E_RUNT);
	if (frame.len > TAPWIN_FRAME_BYTES_MAX)
		return reject(device, BASE_E_TOO_BIG);
	if (writes->count == TAPWIN_WRITES)
		return reject(device, BASE_E_FULL);
	slot = write_at(writes, writes->count);
	memcpy(slot->bytes, frame.data, frame.len);
	slot->io = (OVERLAPPED){.hEvent = NULL};
	code = WriteFile(device->file, slot->bytes, (DWORD)frame.len, NULL, &slot->io) ? ERROR_SUCCESS : GetLastError();
	if (code == ERROR_SUCCESS || code == ERROR_IO_PENDING) {
		writes->count++;
		return 0;
	}
	reap_write(device, code);
	if (device->failure != 0)
		return BASE_E_IO;
	return may_pass(code) ? BASE_E_STATE : BASE_E_RUNT;
}

const struct tapwin_device_counters *tapwin_device_counters(const struct tapwin_device *device) {
	return &device->counters;
}

void tapwin_device_error(const struct tapwin_device *device, char error[static TAPWIN_ERROR_BYTES]) {
	(void)tapwin_fail(error, device->failure != 0 ? device->failed_call : "TAP adapter", device->failure);
}
