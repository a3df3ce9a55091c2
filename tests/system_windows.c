#include "tests/system.h"

#include "tests/unit.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

static char folder[MAX_PATH];

bool system_wait(int fd, int timeout_ms) {
	return WaitForSingleObject(LongToHandle(fd), (DWORD)timeout_ms) == WAIT_OBJECT_0;
}

void system_signal_open(struct system_signal *signal) {
	HANDLE event = CreateEventW(NULL, TRUE, FALSE, NULL);

	assert_non_null(event);
	*signal = (struct system_signal){.fd = HandleToLong(event)};
}

void system_signal_set(struct system_signal *signal) {
	assert_true(SetEvent(LongToHandle(signal->fd)));
}

void system_signal_clear(struct system_signal *signal) {
	assert_true(ResetEvent(LongToHandle(signal->fd)));
}

void system_signal_close(struct system_signal *signal) {
	assert_true(CloseHandle(LongToHandle(signal->fd)));
}

const char *system_folder_make(void) {
	char base[MAX_PATH];
	DWORD len = GetTempPathA(sizeof(base), base);

	assert_in_range(len, 1, sizeof(base) - 40);
	snprintf(folder, sizeof(folder), "%slanparty-test-%lu-%lu", base, GetCurrentProcessId(), GetTickCount());
	assert_true(CreateDirectoryA(folder, NULL));
	for (char *c = folder; *c != '\0'; c++) {
		if (*c == '\\')
			*c = '/';
	}
	return folder;
}

static void remove_tree(const wchar_t *path) {
	wchar_t name[2 * MAX_PATH];
	WIN32_FIND_DATAW found;
	HANDLE search;

	swprintf(name, 2 * MAX_PATH, L"%ls\\*", path);
	search = FindFirstFileW(name, &found);
	assert_true(search != INVALID_HANDLE_VALUE);
	do {
		if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0)
			continue;
		swprintf(name, 2 * MAX_PATH, L"%ls\\%ls", path, found.cFileName);
		if ((found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
			remove_tree(name);
		else
			assert_true(DeleteFileW(name));
	} while (FindNextFileW(search, &found));
	FindClose(search);
	assert_true(RemoveDirectoryW(path));
}

void system_folder_remove(void) {
	wchar_t wide[MAX_PATH];

	swprintf(wide, MAX_PATH, L"%hs", folder);
	remove_tree(wide);
}

bool system_is_private(const char *path) {
	static const char *const others[] = {"S-1-1-0" /* everyone */, "S-1-5-32-545" /* users */, "S-1-5-11"};
	char name[MAX_PATH];
	PSECURITY_DESCRIPTOR descriptor;
	bool found = false;
	PACL list;

	snprintf(name, sizeof(name), "%s", path); /* (the function wants to write to it) */
	assert_int_equal(
	    GetNamedSecurityInfoA(name, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL, &descriptor),
	    0);
	assert_non_null(list);
	for (WORD i = 0; i < list->AceCount; i++) {
		ACCESS_ALLOWED_ACE *entry;
		char *text;

		assert_true(GetAce(list, i, (void **)&entry));
		assert_int_equal(entry->Header.AceType, ACCESS_ALLOWED_ACE_TYPE);
		assert_true(ConvertSidToStringSidA((PSID)&entry->SidStart, &text));
		for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
			found = found || strcmp(text, others[j]) == 0;
		LocalFree(text);
	}
	LocalFree(descriptor);
	return !found;
}
