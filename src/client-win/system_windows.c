#include "client-win/system.h"

#include "base/error.h"
#include "host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include <shlobj.h>

#define WIDE_PATH 1024
#define LINE_BYTES 2048
#define INSTANCE_FILE L"\\client.lock"
#define INSTANCE_BYTE 0x7fffffff /* times 4 GB: a lock keeps others from what it covers, and here there is nothing */

static bool to_wide(const char *text, wchar_t *buf, int cap) {
	return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, buf, cap) > 0;
}

static bool to_utf8(const wchar_t *text, char *buf, size_t cap) {
	return WideCharToMultiByte(CP_UTF8, 0, text, -1, buf, (int)cap, NULL, NULL) > 0;
}

static UINT code_page_before; /* 0: there is no console */

void winmain_system_init(void) {
	/* An elevated program must not load a library that lies in the current folder, nor more of those beside it. */
	(void)SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
	code_page_before = GetConsoleOutputCP();
	(void)SetConsoleOutputCP(CP_UTF8);
}

void winmain_system_done(void) {
	(void)fflush(stdout);
	if (code_page_before != 0)
		(void)SetConsoleOutputCP(code_page_before);
}

char **winmain_arguments(int *ret_argc) {
	int argc;
	wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &argc);
	char **argv = wide != NULL ? calloc((size_t)argc + 1, sizeof(*argv)) : NULL;

	for (int i = 0; argv != NULL && i < argc; i++) {
		int len = WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, NULL, 0, NULL, NULL);
		argv[i] = len > 0 ? malloc((size_t)len) : NULL;
		if (argv[i] == NULL || WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, argv[i], len, NULL, NULL) != len) {
			winmain_arguments_free(argv);
			argv = NULL;
		}
	}
	if (wide != NULL)
		(void)LocalFree(wide);
	*ret_argc = argc;
	return argv;
}

void winmain_arguments_free(char **argv) {
	for (char **each = argv; each != NULL && *each != NULL; each++)
		free(*each);
	free(argv);
}

bool winmain_is_elevated(void) {
	SID_IDENTIFIER_AUTHORITY authority = {SECURITY_NT_AUTHORITY};
	BOOL member = FALSE;
	PSID administrators;
	if (!AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS, 0, 0, 0, 0, 0, 0,
	                              &administrators))
		return false;
	/* Before elevation the group is in the token for denials only, which does not count here. */
	if (!CheckTokenMembership(NULL, administrators, &member))
		member = FALSE;
	(void)FreeSid(administrators);
	return member;
}

bool winmain_state_directory(char *buf, size_t cap) {
	wchar_t *folder;
	char path[WIDE_PATH];
	struct base_text text;

	base_text_init(&text, buf, cap);
	if (FAILED(SHGetKnownFolderPath(&FOLDERID_ProgramData, 0, NULL, &folder)))
		return false;
	bool fits = to_utf8(folder, path, sizeof(path));
	CoTaskMemFree(folder);
	if (!fits)
		return false;
	base_text_addf(&text, "%s\\lanparty", path);
	return !text.truncated;
}

void winmain_host_name(char *buf, size_t cap) {
	wchar_t wide[256];
	DWORD len = 256;

	buf[0] = '\0';
	if (!GetComputerNameExW(ComputerNameDnsHostname, wide, &len) || !to_utf8(wide, buf, cap))
		buf[0] = '\0';
}

bool winmain_program_path(char *buf, size_t cap) {
	wchar_t wide[WIDE_PATH];
	DWORD len = GetModuleFileNameW(NULL, wide, WIDE_PATH);

	return len > 0 && len < WIDE_PATH && to_utf8(wide, buf, cap);
}

bool winmain_absolute_path(void *user, const char *path, struct base_text *out) {
	wchar_t wide[WIDE_PATH], full[WIDE_PATH];
	char utf8[WIDE_PATH * 3];

	(void)user;
	if (path[0] == '\0' || !to_wide(path, wide, WIDE_PATH))
		return false;
	DWORD len = GetFullPathNameW(wide, WIDE_PATH, full, NULL);
	if (len == 0 || len >= WIDE_PATH || !to_utf8(full, utf8, sizeof(utf8)))
		return false;
	base_text_add(out, utf8);
	return true;
}

static HANDLE instance;

int winmain_claim_instance(const char *state_directory) {
	wchar_t wide[WIDE_PATH + 16];
	OVERLAPPED place = {.OffsetHigh = INSTANCE_BYTE};

	if (!to_wide(state_directory, wide, WIDE_PATH))
		return BASE_E_INVALID;
	(void)wcscat(wide, INSTANCE_FILE);
	/* Not shared for deletion: in a second file of this name there would be a second claim. */
	HANDLE file = CreateFileW(wide, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS,
	                          FILE_ATTRIBUTE_NORMAL, NULL);
	if (file == INVALID_HANDLE_VALUE)
		return BASE_E_IO;
	if (LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place)) {
		instance = file;
		return 0;
	}
	const DWORD number = GetLastError();
	(void)CloseHandle(file);
	return number == ERROR_LOCK_VIOLATION || number == ERROR_IO_PENDING ? BASE_E_EXISTS : BASE_E_IO;
}

void winmain_release_instance(void) {
	if (instance != NULL)
		(void)CloseHandle(instance);
	instance = NULL;
}

static struct {
	wchar_t path[WIDE_PATH];
	uint64_t bytes_max;
	HANDLE file; /* NULL: standard error is where it was */
} log_file;

/* Shared for writing too: the process of the service before this one may still end, with the file open. */
static HANDLE open_log(void) {
	return CreateFileW(log_file.path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
	                   OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
}

static bool set_log_aside(void) {
	wchar_t old[WIDE_PATH + 8];

	(void)_snwprintf(old, WIDE_PATH + 8, L"%ls.old", log_file.path);
	return MoveFileExW(log_file.path, old, MOVEFILE_REPLACE_EXISTING);
}

int winmain_log_to_file(const char *path, uint64_t bytes_max) {
	WIN32_FILE_ATTRIBUTE_DATA found;

	if (!to_wide(path, log_file.path, WIDE_PATH))
		return BASE_E_INVALID;
	log_file.bytes_max = bytes_max;
	if (GetFileAttributesExW(log_file.path, GetFileExInfoStandard, &found) &&
	    ((uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow) > bytes_max)
		(void)set_log_aside();
	HANDLE file = open_log();
	if (file == INVALID_HANDLE_VALUE || !SetStdHandle(STD_ERROR_HANDLE, file))
		return BASE_E_IO;
	log_file.file = file;
	return 0;
}

void winmain_log_look(void) {
	LARGE_INTEGER len;
	HANDLE file;

	/* Who reads it may not let it be renamed: next time, then. */
	if (log_file.file == NULL || !GetFileSizeEx(log_file.file, &len) || (uint64_t)len.QuadPart <= log_file.bytes_max ||
	    !set_log_aside())
		return;
	file = open_log();
	if (file == INVALID_HANDLE_VALUE || !SetStdHandle(STD_ERROR_HANDLE, file))
		return;
	(void)CloseHandle(log_file.file);
	log_file.file = file;
}

/* Not through the C library: in a service its standard error has no file. */
void winmain_complain(const char *message) {
	char line[LINE_BYTES];
	struct base_text text;

	base_text_init(&text, line, sizeof(line));
	base_text_addf(&text, "lanparty-client: %s\n", message);
	host_stderr_sink(NULL, slice_of((const uint8_t *)line, text.len));
}

void winmain_add_system_error(struct base_text *out, unsigned long number) {
	wchar_t wide[256];
	char text[512];
	DWORD len =
	    FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK, NULL,
	                   number, 0, wide, 256, NULL);

	while (len > 0 && (wide[len - 1] == L' ' || wide[len - 1] == L'.'))
		wide[--len] = L'\0';
	if (len > 0 && to_utf8(wide, text, sizeof(text)))
		base_text_addf(out, "%s (%lu)", text, number);
	else
		base_text_addf(out, "Windows error %lu", number);
}
