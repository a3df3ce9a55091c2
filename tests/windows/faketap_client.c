#include "tests/windows/faketap_client.h"

#include <winsock2.h>

#include <windows.h>

#include <stdio.h>

#define NET_CLASS "{4D36E972-E325-11CE-BFC1-08002BE10318}"
#define CONTROL "SYSTEM\\CurrentControlSet\\Control\\"
#define PATH_BYTES 512

static bool complain(const char *what, DWORD code) {
	(void)fprintf(stderr, "faketap: %s: Windows error %lu\n", what, (unsigned long)code);
	return false;
}

/* Texts are ASCII. */
static bool set_value(const char *path, const char *name, const char *value) {
	HKEY key;
	LONG code =
	    RegCreateKeyExA(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, KEY_SET_VALUE | KEY_WOW64_64KEY, NULL, &key, NULL);

	if (code != ERROR_SUCCESS)
		return complain(path, (DWORD)code);
	code = RegSetValueExA(key, name, 0, REG_SZ, (const BYTE *)value, (DWORD)strlen(value) + 1);
	RegCloseKey(key);
	return code == ERROR_SUCCESS || complain(path, (DWORD)code);
}

static void service_name(const char *guid, char name[static PATH_BYTES]) {
	(void)snprintf(name, PATH_BYTES, "faketap-%.13s", guid + 1);
}

static bool describe(const struct faketap_adapter *adapter) {
	char path[PATH_BYTES];

	(void)snprintf(path, sizeof(path), CONTROL "Class\\" NET_CLASS "\\%s", adapter->subkey);
	if (!set_value(path, "ComponentId", "tap0901") || !set_value(path, "NetCfgInstanceId", adapter->guid) ||
	    !set_value(path, "DriverDesc", "TAP-Windows Adapter V9") || !set_value(path, "DriverVersion", adapter->version))
		return false;
	(void)snprintf(path, sizeof(path), CONTROL "Network\\" NET_CLASS "\\%s\\Connection", adapter->guid);
	return set_value(path, "Name", adapter->name);
}

static bool start(SC_HANDLE service) {
	DWORD code = 0;

	for (int attempt = 0; attempt < 60; attempt++) {

		if (StartServiceW(service, 0, NULL))
			return true;
		code = GetLastError();
		if (code == ERROR_SERVICE_ALREADY_RUNNING)
			return true;
		/* Wine is still starting services of its own; in a new prefix a driver may fail outright until they run. */
		if (code != ERROR_SERVICE_DATABASE_LOCKED && code != ERROR_SERVICE_REQUEST_TIMEOUT && code != ERROR_GEN_FAILURE)
			break;
		Sleep(250);
	}
	return complain("starting the driver", code);
}

bool faketap_install(const struct faketap_adapter *adapter) {
	char name[PATH_BYTES], path[PATH_BYTES], driver[PATH_BYTES];
	SC_HANDLE manager, service = NULL;
	bool done;

	if (GetFullPathNameA(adapter->driver, sizeof(driver), driver, NULL) == 0)
		return complain(adapter->driver, GetLastError());
	service_name(adapter->guid, name);
	manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS);
	if (manager == NULL)
		return complain("opening the service manager", GetLastError());
	service = CreateServiceA(manager, name, name, SERVICE_ALL_ACCESS, SERVICE_KERNEL_DRIVER,
	                         adapter->auto_start ? SERVICE_AUTO_START : SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL,
	                         driver, NULL, NULL, NULL, NULL, NULL);
	if (service == NULL && GetLastError() == ERROR_SERVICE_EXISTS)
		service = OpenServiceA(manager, name, SERVICE_ALL_ACCESS);
	if (service == NULL) {
		complain("creating the service", GetLastError());
		CloseServiceHandle(manager);
		return false;
	}
	(void)snprintf(path, sizeof(path), "SYSTEM\\CurrentControlSet\\Services\\%s", name);
	done = set_value(path, "Guid", adapter->guid) && set_value(path, "Mac", adapter->mac) && describe(adapter) &&
	       start(service);
	CloseServiceHandle(service);
	CloseServiceHandle(manager);
	return done;
}

bool faketap_remove(const char *guid, const char *subkey) {
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS), service = NULL;
	char name[PATH_BYTES], path[PATH_BYTES];
	SERVICE_STATUS status;
	bool done = false;

	service_name(guid, name);
	if (manager != NULL)
		service = OpenServiceA(manager, name, SERVICE_ALL_ACCESS);
	if (service != NULL) {
		(void)ControlService(service, SERVICE_CONTROL_STOP, &status);
		done = DeleteService(service);
		CloseServiceHandle(service);
	}
	if (manager != NULL)
		CloseServiceHandle(manager);
	(void)snprintf(path, sizeof(path), CONTROL "Class\\" NET_CLASS "\\%s", subkey);
	done = RegDeleteTreeA(HKEY_LOCAL_MACHINE, path) == ERROR_SUCCESS && done;
	(void)snprintf(path, sizeof(path), CONTROL "Network\\" NET_CLASS "\\%s", guid);
	return RegDeleteTreeA(HKEY_LOCAL_MACHINE, path) == ERROR_SUCCESS && done;
}

void *faketap_wire_open(const char *guid) {
	char path[PATH_BYTES];
	HANDLE wire;

	(void)snprintf(path, sizeof(path), "\\\\.\\Global\\%s.wire", guid);
	wire = CreateFileA(path, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
	if (wire != INVALID_HANDLE_VALUE)
		return wire;
	(void)complain(path, GetLastError());
	return NULL;
}

/* Waits for a request that was just made. */
static bool wait(HANDLE wire, OVERLAPPED *io, BOOL done, unsigned ms, DWORD *ret_len) {
	const DWORD code = GetLastError();
	bool ok;

	if (!done && code != ERROR_IO_PENDING) {
		CloseHandle(io->hEvent);
		return complain("wire", code);
	}
	if (WaitForSingleObject(io->hEvent, ms) != WAIT_OBJECT_0)
		(void)CancelIoEx(wire, io);
	ok = GetOverlappedResult(wire, io, ret_len, TRUE);
	CloseHandle(io->hEvent);
	return ok;
}

bool faketap_wire_ask(void *wire, uint32_t code, void *buf, size_t len) {
	OVERLAPPED io = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
	DWORD got;

	return wait(wire, &io, DeviceIoControl(wire, code, buf, (DWORD)len, buf, (DWORD)len, NULL, &io), 5000, &got);
}

bool faketap_wire_send(void *wire, const void *frame, size_t len) {
	OVERLAPPED io = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
	DWORD got;

	return wait(wire, &io, WriteFile(wire, frame, (DWORD)len, NULL, &io), 5000, &got) && got == len;
}

int faketap_wire_receive(void *wire, void *buf, size_t cap, unsigned ms) {
	OVERLAPPED io = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
	DWORD got;

	return wait(wire, &io, ReadFile(wire, buf, (DWORD)cap, NULL, &io), ms, &got) ? (int)got : -1;
}

void faketap_wire_close(void *wire) {
	CloseHandle(wire);
}
