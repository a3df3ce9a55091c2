/* tests/windows/faketap.c: a kernel driver that looks to its user like TAP-Windows6 and whose network side is a second
 * device, `.wire`, for tests. Never shipped. One service is one adapter; its registry key has Guid and, optional, Mac.
 *
 * Wine's differences from Windows that matter here: IoCsq* are stubs, so the cancel-safe queues are made by hand; the
 * status of a CREATE does not reach the opener, so a second opener is refused at its first request. */
#include "faketap.h"

#include <ntddk.h>

#define TEXT_CHARS 64
#define POOL_TAG 0x50544b46u
#define MAC_BYTES 6
#define ETHERNET_HEADER_BYTES 14

struct frame {
	ULONG len;
	UCHAR bytes[FAKETAP_FRAME_BYTES_MAX];
};

struct side {
	LIST_ENTRY reads;  /* IRPs that wait for a frame */
	LIST_ENTRY writes; /* IRPs that are held */
	struct frame frames[FAKETAP_QUEUE_MAX];
	ULONG first, count, dropped;
	FILE_OBJECT *owner;
};

struct adapter {
	KSPIN_LOCK lock;
	struct faketap_config config;
	ULONG media, media_changes;
	struct side sides[2];
	DEVICE_OBJECT *devices[2];
	WCHAR names[2][TEXT_CHARS * 2], links[2][TEXT_CHARS * 2];
	BOOLEAN unlinked; /* the .tap side has no link */
};

struct extension {
	struct adapter *adapter;
	int side;
};

enum { TAP, WIRE };

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *path);

static void copy(void *to, const void *from, SIZE_T len) {
	UCHAR *a = to;
	const UCHAR *b = from;

	while (len-- > 0)
		*a++ = *b++;
}

static void zero(void *to, SIZE_T len) {
	UCHAR *a = to;

	while (len-- > 0)
		*a++ = 0;
}

static struct extension *extension_of(DEVICE_OBJECT *device) {
	return device->DeviceExtension;
}

static NTSTATUS complete(IRP *irp, NTSTATUS status, ULONG_PTR information) {
	irp->IoStatus.Status = status;
	irp->IoStatus.Information = information;
	IoCompleteRequest(irp, IO_NETWORK_INCREMENT);
	return status;
}

static void NTAPI cancel(DEVICE_OBJECT *device, IRP *irp) {
	struct adapter *adapter = extension_of(device)->adapter;
	KIRQL irql;

	IoReleaseCancelSpinLock(irp->CancelIrql);
	KeAcquireSpinLock(&adapter->lock, &irql);
	RemoveEntryList(&irp->Tail.Overlay.ListEntry);
	KeReleaseSpinLock(&adapter->lock, irql);
	complete(irp, STATUS_CANCELLED, 0);
}

/* With the lock held. False: the request was cancelled already and is the caller's to complete. */
static BOOLEAN enqueue(LIST_ENTRY *list, IRP *irp) {
	IoMarkIrpPending(irp);
	InsertTailList(list, &irp->Tail.Overlay.ListEntry);
	IoSetCancelRoutine(irp, cancel);
	if (!irp->Cancel || IoSetCancelRoutine(irp, NULL) == NULL)
		return TRUE;
	RemoveEntryList(&irp->Tail.Overlay.ListEntry);
	return FALSE;
}

/* With the lock held. Whoever takes the cancel routine away owns the request. */
static IRP *dequeue(LIST_ENTRY *list) {
	while (!IsListEmpty(list)) {
		LIST_ENTRY *entry = RemoveHeadList(list);
		IRP *irp = CONTAINING_RECORD(entry, IRP, Tail.Overlay.ListEntry);

		if (IoSetCancelRoutine(irp, NULL) != NULL)
			return irp;
		InitializeListHead(entry); /* cancel() is on its way and takes it out once more */
	}
	return NULL;
}

static ULONG length(LIST_ENTRY *list) {
	ULONG count = 0;

	for (LIST_ENTRY *entry = list->Flink; entry != list; entry = entry->Flink)
		count++;
	return count;
}

static void flush(struct adapter *adapter, LIST_ENTRY *list, NTSTATUS status) {
	for (;;) {
		KIRQL irql;
		IRP *irp;

		KeAcquireSpinLock(&adapter->lock, &irql);
		irp = dequeue(list);
		KeReleaseSpinLock(&adapter->lock, irql);
		if (irp == NULL)
			return;
		complete(irp, status, 0);
	}
}

static NTSTATUS finish_read(IRP *irp, const UCHAR *bytes, ULONG len) {
	const ULONG room = IoGetCurrentIrpStackLocation(irp)->Parameters.Read.Length;

	copy(irp->AssociatedIrp.SystemBuffer, bytes, len < room ? len : room);
	return complete(irp, len <= room ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW, len < room ? len : room);
}

/* One frame for the readers of a side: to the oldest one, or into the queue, or dropped. */
static void deliver(struct adapter *adapter, int to, const UCHAR *bytes, ULONG len) {
	struct side *side = &adapter->sides[to];
	IRP *reader;
	KIRQL irql;

	KeAcquireSpinLock(&adapter->lock, &irql);
	reader = side->count == 0 ? dequeue(&side->reads) : NULL;
	if (reader == NULL && (side->count == FAKETAP_QUEUE_MAX || (to == TAP && !adapter->media)))
		side->dropped++;
	else if (reader == NULL) {
		struct frame *frame = &side->frames[(side->first + side->count++) % FAKETAP_QUEUE_MAX];

		frame->len = len;
		copy(frame->bytes, bytes, len);
	}
	KeReleaseSpinLock(&adapter->lock, irql);
	if (reader != NULL)
		finish_read(reader, bytes, len);
}

static NTSTATUS take_failure(uint32_t *failure) {
	const NTSTATUS status = (NTSTATUS)*failure;

	*failure = 0;
	return status;
}

static BOOLEAN not_ready(const struct adapter *adapter, int side) {
	return side == TAP && (!adapter->media || adapter->config.asleep || adapter->config.gone);
}

static NTSTATUS read_frame(struct adapter *adapter, int which, IRP *irp) {
	struct side *side = &adapter->sides[which];
	static struct frame frame; /* Wine runs a driver's requests in one thread, and the stack is small */
	NTSTATUS status = STATUS_SUCCESS;
	KIRQL irql;

	KeAcquireSpinLock(&adapter->lock, &irql);
	if (not_ready(adapter, which))
		status = STATUS_CANCELLED;
	else if (which == TAP && adapter->config.fail_read != 0)
		status = take_failure(&adapter->config.fail_read);
	else if (side->count == 0)
		status = enqueue(&side->reads, irp) ? STATUS_PENDING : STATUS_CANCELLED;
	else {
		copy(&frame, &side->frames[side->first], sizeof(frame));
		side->first = (side->first + 1) % FAKETAP_QUEUE_MAX;
		side->count--;
	}
	KeReleaseSpinLock(&adapter->lock, irql);
	if (status == STATUS_PENDING)
		return status;
	return status == STATUS_SUCCESS ? finish_read(irp, frame.bytes, frame.len) : complete(irp, status, 0);
}

static NTSTATUS finish_write(struct adapter *adapter, int which, IRP *irp) {
	const ULONG len = IoGetCurrentIrpStackLocation(irp)->Parameters.Write.Length;

	deliver(adapter, which == TAP ? WIRE : TAP, irp->AssociatedIrp.SystemBuffer, len);
	return complete(irp, STATUS_SUCCESS, len);
}

static NTSTATUS write_frame(struct adapter *adapter, int which, IRP *irp) {
	const ULONG len = IoGetCurrentIrpStackLocation(irp)->Parameters.Write.Length;
	NTSTATUS status = STATUS_SUCCESS;
	KIRQL irql;

	KeAcquireSpinLock(&adapter->lock, &irql);
	if (not_ready(adapter, which))
		status = STATUS_CANCELLED;
	else if (which == TAP && adapter->config.fail_write != 0)
		status = take_failure(&adapter->config.fail_write);
	else if (len < ETHERNET_HEADER_BYTES && which == TAP)
		status = STATUS_BUFFER_TOO_SMALL;
	else if (len > FAKETAP_FRAME_BYTES_MAX)
		status = STATUS_INVALID_PARAMETER;
	else if (which == TAP && adapter->config.hold_writes > 0) {
		adapter->config.hold_writes--;
		status = enqueue(&adapter->sides[TAP].writes, irp) ? STATUS_PENDING : STATUS_CANCELLED;
	}
	KeReleaseSpinLock(&adapter->lock, irql);
	if (status == STATUS_PENDING)
		return status;
	return status == STATUS_SUCCESS ? finish_write(adapter, which, irp) : complete(irp, status, 0);
}

static void release_writes(struct adapter *adapter) {
	for (;;) {
		KIRQL irql;
		IRP *irp;

		KeAcquireSpinLock(&adapter->lock, &irql);
		irp = adapter->config.hold_writes > 0 ? NULL : dequeue(&adapter->sides[TAP].writes);
		KeReleaseSpinLock(&adapter->lock, irql);
		if (irp == NULL)
			return;
		finish_write(adapter, TAP, irp);
	}
}

/* A failure that is asked for while reads wait ends the oldest of them. */
static void fail_waiting_read(struct adapter *adapter) {
	NTSTATUS status = STATUS_SUCCESS;
	IRP *irp = NULL;
	KIRQL irql;

	KeAcquireSpinLock(&adapter->lock, &irql);
	if (adapter->config.fail_read != 0 && (irp = dequeue(&adapter->sides[TAP].reads)) != NULL)
		status = take_failure(&adapter->config.fail_read);
	KeReleaseSpinLock(&adapter->lock, irql);
	if (irp != NULL)
		complete(irp, status, 0);
}

static NTSTATUS answer(IRP *irp, const void *bytes, ULONG len) {
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);

	/* Some versions of the real driver refuse an empty input, too. */
	if (stack->Parameters.DeviceIoControl.OutputBufferLength < len ||
	    stack->Parameters.DeviceIoControl.InputBufferLength < len)
		return complete(irp, STATUS_INVALID_PARAMETER, 0);
	copy(irp->AssociatedIrp.SystemBuffer, bytes, len);
	return complete(irp, STATUS_SUCCESS, len);
}

static NTSTATUS set_media(struct adapter *adapter, IRP *irp) {
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	ULONG up;

	if (stack->Parameters.DeviceIoControl.InputBufferLength < sizeof(up) ||
	    stack->Parameters.DeviceIoControl.OutputBufferLength < sizeof(up))
		return complete(irp, STATUS_INVALID_PARAMETER, 0);
	if (adapter->config.fail_media != 0)
		return complete(irp, (NTSTATUS)adapter->config.fail_media, 0);
	copy(&up, irp->AssociatedIrp.SystemBuffer, sizeof(up));
	adapter->media_changes += adapter->media != (up != 0);
	adapter->media = up != 0; /* waiting reads stay, as in the real one */
	return complete(irp, STATUS_SUCCESS, 1);
}

/* The name by which programs open a side, or no name. */
static NTSTATUS set_link(struct adapter *adapter, int which, BOOLEAN there) {
	UNICODE_STRING name, link;

	RtlInitUnicodeString(&name, adapter->names[which]);
	RtlInitUnicodeString(&link, adapter->links[which]);
	return there ? IoCreateSymbolicLink(&link, &name) : IoDeleteSymbolicLink(&link);
}

static void come_or_go(struct adapter *adapter) {
	const BOOLEAN gone = adapter->config.gone != 0;

	if (gone != adapter->unlinked && set_link(adapter, TAP, !gone) == STATUS_SUCCESS)
		adapter->unlinked = gone;
}

static NTSTATUS set_config(struct adapter *adapter, IRP *irp) {
	KIRQL irql;

	if (IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.InputBufferLength != sizeof(adapter->config))
		return complete(irp, STATUS_INVALID_PARAMETER, 0);
	KeAcquireSpinLock(&adapter->lock, &irql);
	copy(&adapter->config, irp->AssociatedIrp.SystemBuffer, sizeof(adapter->config));
	KeReleaseSpinLock(&adapter->lock, irql);
	release_writes(adapter);
	fail_waiting_read(adapter);
	come_or_go(adapter);
	if (adapter->config.asleep || adapter->config.gone)
		flush(adapter, &adapter->sides[TAP].reads, STATUS_CANCELLED);
	return complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS get_state(struct adapter *adapter, IRP *irp) {
	struct side *tap = &adapter->sides[TAP];
	struct faketap_state state = {.media = adapter->media,
	                              .open = tap->owner != NULL,
	                              .reads_pending = length(&tap->reads),
	                              .writes_held = length(&tap->writes),
	                              .dropped_to_tap = tap->dropped,
	                              .dropped_to_wire = adapter->sides[WIRE].dropped,
	                              .media_changes = adapter->media_changes};

	return answer(irp, &state, sizeof(state));
}

static NTSTATUS control(struct adapter *adapter, int which, IRP *irp) {
	const ULONG code = IoGetCurrentIrpStackLocation(irp)->Parameters.DeviceIoControl.IoControlCode;

	if (code == FAKETAP_GET_MAC)
		return answer(irp, adapter->config.mac, MAC_BYTES);
	if (code == FAKETAP_GET_VERSION)
		return answer(irp, adapter->config.version, sizeof(adapter->config.version));
	if (code == FAKETAP_GET_MTU)
		return answer(irp, &adapter->config.mtu, sizeof(adapter->config.mtu));
	if (code == FAKETAP_SET_MEDIA && which == TAP)
		return set_media(adapter, irp);
	if (code == FAKETAP_GET_CONFIG && which == WIRE)
		return answer(irp, &adapter->config, sizeof(adapter->config));
	if (code == FAKETAP_SET_CONFIG && which == WIRE)
		return set_config(adapter, irp);
	if (code == FAKETAP_GET_STATE && which == WIRE)
		return get_state(adapter, irp);
	return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

static void let_go(struct adapter *adapter, int which, FILE_OBJECT *file) {
	struct side *side = &adapter->sides[which];

	if (side->owner != file)
		return;
	side->owner = NULL;
	if (which == TAP) {
		adapter->media_changes += adapter->media;
		adapter->media = 0;
	}
	flush(adapter, &side->reads, STATUS_CANCELLED);
	flush(adapter, &side->writes, STATUS_CANCELLED);
	side->count = 0;
}

static NTSTATUS NTAPI dispatch(DEVICE_OBJECT *device, IRP *irp) {
	struct extension *extension = extension_of(device);
	IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);
	struct side *side = &extension->adapter->sides[extension->side];

	switch (stack->MajorFunction) {
	case IRP_MJ_CREATE:
		if (side->owner != NULL)
			return complete(irp, STATUS_UNSUCCESSFUL, 0);
		side->owner = stack->FileObject;
		return complete(irp, STATUS_SUCCESS, 0);
	case IRP_MJ_CLEANUP:
	case IRP_MJ_CLOSE:
		let_go(extension->adapter, extension->side, stack->FileObject);
		return complete(irp, STATUS_SUCCESS, 0);
	}
	if (side->owner != stack->FileObject)
		return complete(irp, STATUS_UNSUCCESSFUL, 0);
	switch (stack->MajorFunction) {
	case IRP_MJ_READ:
		return read_frame(extension->adapter, extension->side, irp);
	case IRP_MJ_WRITE:
		return write_frame(extension->adapter, extension->side, irp);
	case IRP_MJ_DEVICE_CONTROL:
		return control(extension->adapter, extension->side, irp);
	default:
		return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
	}
}

/* Text of a value of the service's key; FALSE when it is not there or too long. */
static BOOLEAN read_text(HANDLE key, const WCHAR *name, WCHAR ret[TEXT_CHARS]) {
	struct {
		KEY_VALUE_PARTIAL_INFORMATION head;
		WCHAR more[TEXT_CHARS];
	} value;
	UNICODE_STRING text;
	ULONG len;

	RtlInitUnicodeString(&text, name);
	if (ZwQueryValueKey(key, &text, KeyValuePartialInformation, &value, sizeof(value), &len) != STATUS_SUCCESS ||
	    value.head.Type != REG_SZ || value.head.DataLength > (TEXT_CHARS - 1) * sizeof(WCHAR))
		return FALSE;
	zero(ret, TEXT_CHARS * sizeof(WCHAR));
	copy(ret, value.head.Data, value.head.DataLength);
	return TRUE;
}

static void parse_mac(const WCHAR *text, uint8_t mac[MAC_BYTES]) {
	for (int i = 0; i < 2 * MAC_BYTES; i++) {
		const WCHAR c = text[i];
		const int digit = c >= '0' && c <= '9'                     ? c - '0'
		                  : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
		                                                           : 0;

		mac[i / 2] = (uint8_t)(mac[i / 2] << 4 | digit);
		if (c == 0)
			return;
	}
}

static void append(WCHAR *text, const WCHAR *tail) {
	while (*text != 0)
		text++;
	do
		*text++ = *tail;
	while (*tail++ != 0);
}

static NTSTATUS make_device(DRIVER_OBJECT *driver, struct adapter *adapter, int which, const WCHAR *guid) {
	static const WCHAR *const tails[] = {L".tap", L".wire"};
	UNICODE_STRING device_name;
	NTSTATUS status;

	adapter->names[which][0] = 0;
	append(adapter->names[which], L"\\Device\\");
	append(adapter->names[which], guid);
	append(adapter->names[which], tails[which]);
	adapter->links[which][0] = 0;
	append(adapter->links[which], L"\\DosDevices\\Global\\");
	append(adapter->links[which], guid);
	append(adapter->links[which], tails[which]);
	RtlInitUnicodeString(&device_name, adapter->names[which]);
	status = IoCreateDevice(driver, sizeof(struct extension), &device_name, FILE_DEVICE_UNKNOWN, 0, FALSE,
	                        &adapter->devices[which]);
	if (status != STATUS_SUCCESS)
		return status;
	*extension_of(adapter->devices[which]) = (struct extension){.adapter = adapter, .side = which};
	InitializeListHead(&adapter->sides[which].reads);
	InitializeListHead(&adapter->sides[which].writes);
	status = set_link(adapter, which, TRUE);
	adapter->devices[which]->Flags |= DO_BUFFERED_IO;
	adapter->devices[which]->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
	return status;
}

static void NTAPI unload(DRIVER_OBJECT *driver) {
	struct adapter *adapter = extension_of(driver->DeviceObject)->adapter;

	for (int i = 0; i < 2; i++) {
		set_link(adapter, i, FALSE);
		if (adapter->devices[i] != NULL)
			IoDeleteDevice(adapter->devices[i]);
	}
	ExFreePoolWithTag(adapter, POOL_TAG);
}

NTSTATUS NTAPI DriverEntry(DRIVER_OBJECT *driver, UNICODE_STRING *path) {
	static const struct faketap_config fresh = {.mac = {2, 0, 0, 0, 0, 1}, .version = {9, 27, 0}, .mtu = 1500};
	WCHAR guid[TEXT_CHARS], mac[TEXT_CHARS];
	OBJECT_ATTRIBUTES attributes;
	struct adapter *adapter;
	NTSTATUS status;
	HANDLE key;

	InitializeObjectAttributes(&attributes, path, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
	status = ZwOpenKey(&key, KEY_READ, &attributes);
	if (status != STATUS_SUCCESS)
		return status;
	adapter = ExAllocatePoolWithTag(NonPagedPool, sizeof(*adapter), POOL_TAG);
	if (adapter == NULL || !read_text(key, L"Guid", guid)) {
		ZwClose(key);
		return STATUS_INVALID_PARAMETER;
	}
	zero(adapter, sizeof(*adapter));
	KeInitializeSpinLock(&adapter->lock);
	copy(&adapter->config, &fresh, sizeof(fresh));
	if (read_text(key, L"Mac", mac))
		parse_mac(mac, adapter->config.mac);
	ZwClose(key);
	for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		driver->MajorFunction[i] = dispatch;
	driver->DriverUnload = unload;
	status = make_device(driver, adapter, TAP, guid);
	return status == STATUS_SUCCESS ? make_device(driver, adapter, WIRE, guid) : status;
}
