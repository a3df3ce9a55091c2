/* host/host_windows.c: whole files and standard error. Paths are UTF-8 with either slash; Windows gets UTF-16.
 *
 * Permission bits become access lists: a file without bits for others (0600) is for its owner, the administrators and
 * the system alone, and folders that are made on the way can be written to by nobody else either. ProgramData, where
 * this program keeps its files, would let every user in otherwise. */
#include "base/error.h"
#include "base/text.h"
#include "host/whole.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#include <sddl.h>

#define PATH_UNITS_MAX 1024 /* UTF-16; more than Windows takes without special prefixes */
#define TEMPORARY_TRIES 16
#define MOVE_TRIES 10
#define MOVE_WAIT_MS 20
#define CONSOLE_UNITS 512
#define REASON_BYTES 96

/* Protected lists: full access for the system, the administrators and the owner ("owner rights", S-1-3-4); the second
 * one is inherited and lets users read. */
#define ACCESS_PRIVATE L"D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;S-1-3-4)"
#define ACCESS_FOLDER L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;S-1-3-4)(A;OICI;0x1200a9;;;BU)"

static int map_error(DWORD code) {
	switch (code) {
	case ERROR_FILE_NOT_FOUND:
	case ERROR_PATH_NOT_FOUND:
	case ERROR_INVALID_NAME:
	case ERROR_BAD_PATHNAME:
	case ERROR_INVALID_DRIVE:
	case ERROR_BAD_NETPATH:
	case ERROR_BAD_NET_NAME:
	case ERROR_NOT_READY:
		return BASE_E_NOT_FOUND;
	case ERROR_ACCESS_DENIED:
	case ERROR_SHARING_VIOLATION:
	case ERROR_WRITE_PROTECT:
	case ERROR_PRIVILEGE_NOT_HELD:
		return BASE_E_DENIED;
	case ERROR_NOT_ENOUGH_MEMORY:
	case ERROR_OUTOFMEMORY:
		return BASE_E_NOMEM;
	default:
		return BASE_E_IO;
	}
}

/* In English, as all our messages, and with the number, which people can look up. */
static int fail_system(char error[static HOST_ERROR_BYTES], DWORD code, const char *path, const char *what) {
	static const struct {
		DWORD code;
		const char *text;
	} reasons[] = {
	    {ERROR_FILE_NOT_FOUND, "there is no such file"},          {ERROR_PATH_NOT_FOUND, "there is no such folder"},
	    {ERROR_INVALID_NAME, "this is no name for a file"},       {ERROR_ACCESS_DENIED, "access is denied"},
	    {ERROR_SHARING_VIOLATION, "another program has it open"}, {ERROR_DISK_FULL, "the disk is full"},
	};
	char why[REASON_BYTES];
	struct base_text text;

	base_text_init(&text, why, sizeof(why));
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].code == code)
			base_text_addf(&text, "%s ", reasons[i].text);
	}
	base_text_addf(&text, "(Windows error %lu)", code);
	return host_fail(error, map_error(code), path, what, why);
}

static bool widen(const char *path, wchar_t ret[static PATH_UNITS_MAX]) {
	if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, ret, PATH_UNITS_MAX) == 0)
		return false;
	for (wchar_t *c = ret; *c != L'\0'; c++) {
		if (*c == L'/')
			*c = L'\\';
	}
	return true;
}

static int read_some(intptr_t file, void *buf, size_t cap, size_t *ret_len) {
	DWORD want = cap > INT_MAX ? INT_MAX : (DWORD)cap, got = 0;

	if (!ReadFile((HANDLE)file, buf, want, &got, NULL))
		return BASE_E_IO;
	*ret_len = got;
	return 0;
}

static int open_regular(const char *path, HANDLE *ret, char error[static HOST_ERROR_BYTES]) {
	wchar_t wide[PATH_UNITS_MAX];
	BY_HANDLE_FILE_INFORMATION info;
	HANDLE file;

	if (!widen(path, wide))
		return host_fail(error, BASE_E_NOT_FOUND, path, "", "the name is too long or not UTF-8");
	/* With backup semantics a folder opens as well, and is told apart. A pipe's server must not act as us. */
	file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
	                   FILE_FLAG_BACKUP_SEMANTICS | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, NULL);
	if (file == INVALID_HANDLE_VALUE)
		return fail_system(error, GetLastError(), path, "");
	if (GetFileType(file) != FILE_TYPE_DISK || !GetFileInformationByHandle(file, &info) ||
	    (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
		CloseHandle(file);
		return host_fail(error, BASE_E_IO, path, "", "is not a regular file");
	}
	*ret = file;
	return 0;
}

int host_read_file(const char *path, size_t max, uint8_t **ret, size_t *ret_len, char error[static HOST_ERROR_BYTES]) {
	HANDLE file;
	int err = open_regular(path, &file, error);

	if (err != 0)
		return err;
	err = host_whole_read(read_some, (intptr_t)file, path, max, ret, ret_len, error);
	CloseHandle(file);
	return err;
}

int host_read_secret(const char *path, size_t max, uint8_t **ret, size_t *ret_len, struct host_hold *ret_hold,
                     char error[static HOST_ERROR_BYTES]) {
	/* A byte that no file has: a lock keeps others from what it covers, and they may read. */
	OVERLAPPED place = {.OffsetHigh = 0x7fffffff};
	HANDLE file;
	int err = open_regular(path, &file, error);

	if (err != 0)
		return err;
	if (!LockFileEx(file, LOCKFILE_EXCLUSIVE_LOCK | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &place) &&
	    (GetLastError() == ERROR_LOCK_VIOLATION || GetLastError() == ERROR_IO_PENDING))
		err = host_fail(error, BASE_E_EXISTS, path, "", "another process uses it");
	if (err != 0 || (err = host_whole_read(read_some, (intptr_t)file, path, max, ret, ret_len, error)) != 0) {
		CloseHandle(file);
		return err;
	}
	*ret_hold = (struct host_hold){.held = true, .handle = (intptr_t)file};
	return 0;
}

void host_release(struct host_hold *hold) {
	if (hold->held)
		CloseHandle((HANDLE)hold->handle);
	hold->held = false;
}

/* NULL `list` leaves it to the folder. False when the list cannot be made: then nothing must be created. */
static bool open_access(const wchar_t *list, SECURITY_ATTRIBUTES *ret) {
	*ret = (SECURITY_ATTRIBUTES){.nLength = sizeof(*ret)};
	return list == NULL || ConvertStringSecurityDescriptorToSecurityDescriptorW(list, SDDL_REVISION_1,
	                                                                            &ret->lpSecurityDescriptor, NULL);
}

/* A folder that exists may not let us see that it does ("C:\"): the file will tell what is really wrong. */
static bool make_parents(const wchar_t *path) {
	SECURITY_ATTRIBUTES access;
	wchar_t partial[PATH_UNITS_MAX];
	bool good = open_access(ACCESS_FOLDER, &access);

	for (size_t i = 0; good && path[i] != L'\0'; i++) {
		partial[i] = L'\0';
		if (path[i] == L'\\' && i > 0 && path[i - 1] != L':' && path[i - 1] != L'\\' &&
		    GetFileAttributesW(partial) == INVALID_FILE_ATTRIBUTES && !CreateDirectoryW(partial, &access)) {
			DWORD code = GetLastError();

			good = code == ERROR_ALREADY_EXISTS || code == ERROR_ACCESS_DENIED;
		}
		partial[i] = path[i];
	}
	LocalFree(access.lpSecurityDescriptor);
	return good;
}

/* A new file beside `path`, and its name. */
static HANDLE create_temporary(const wchar_t *path, const wchar_t *list, wchar_t ret_name[static PATH_UNITS_MAX]) {
	HANDLE file = INVALID_HANDLE_VALUE;
	SECURITY_ATTRIBUTES access;
	LARGE_INTEGER counter;

	if (!open_access(list, &access))
		return INVALID_HANDLE_VALUE;
	for (int i = 0; i < TEMPORARY_TRIES; i++) {
		QueryPerformanceCounter(&counter);
		if (swprintf(ret_name, PATH_UNITS_MAX, L"%ls.%08lx%08lx.tmp", path, GetCurrentProcessId(), counter.LowPart) <
		    0) {
			SetLastError(ERROR_FILENAME_EXCED_RANGE);
			break;
		}
		file = CreateFileW(ret_name, GENERIC_WRITE, 0, &access, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
		if (file != INVALID_HANDLE_VALUE || GetLastError() != ERROR_FILE_EXISTS)
			break;
	}
	DWORD code = GetLastError();
	LocalFree(access.lpSecurityDescriptor);
	SetLastError(code);
	return file;
}

static bool write_all(HANDLE file, struct slice bytes) {
	while (bytes.len > 0) {
		DWORD written = 0, len = bytes.len > INT_MAX ? INT_MAX : (DWORD)bytes.len;

		if (!WriteFile(file, bytes.data, len, &written, NULL) || written == 0)
			return false;
		bytes = slice_of(bytes.data + written, bytes.len - written);
	}
	return true;
}

/* Virus scanners and search indexes open what is new for a moment. */
static bool move_over(const wchar_t *from, const wchar_t *to) {
	for (int i = 0; i < MOVE_TRIES; i++) {
		/* Written through: the new name is on disk when this returns. */
		if (MoveFileExW(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
			return true;
		if (GetLastError() != ERROR_ACCESS_DENIED && GetLastError() != ERROR_SHARING_VIOLATION)
			return false;
		Sleep(i + 1 < MOVE_TRIES ? MOVE_WAIT_MS : 0);
	}
	return false;
}

bool host_is_public(const char *path) {
	(void)path;
	return false;
}

int host_write_file(const char *path, struct slice bytes, unsigned mode, char error[static HOST_ERROR_BYTES]) {
	wchar_t wide[PATH_UNITS_MAX], temporary[PATH_UNITS_MAX];
	DWORD code = 0;
	HANDLE file;
	int err;

	if (!widen(path, wide))
		return host_fail(error, BASE_E_IO, path, "", "the name is too long or not UTF-8");
	if (!make_parents(wide)) {
		err = fail_system(error, GetLastError(), path, "cannot make its folder");
		return err == BASE_E_DENIED ? BASE_E_DENIED : BASE_E_IO;
	}
	file = create_temporary(wide, (mode & 077) == 0 ? ACCESS_PRIVATE : NULL, temporary);
	if (file == INVALID_HANDLE_VALUE) {
		err = fail_system(error, GetLastError(), path, "cannot make a file beside it");
		return err == BASE_E_DENIED ? BASE_E_DENIED : BASE_E_IO;
	}
	if (!write_all(file, bytes) || !FlushFileBuffers(file))
		code = GetLastError();
	if (!CloseHandle(file) && code == 0)
		code = GetLastError();
	if (code == 0 && !move_over(temporary, wide))
		code = GetLastError();
	if (code == 0)
		return 0;
	DeleteFileW(temporary);
	err = fail_system(error, code, path, "cannot be written");
	return err == BASE_E_DENIED ? BASE_E_DENIED : BASE_E_IO;
}

/* A console takes UTF-16, whatever code page it shows bytes in. */
static void write_console(HANDLE console, struct slice line) {
	wchar_t wide[CONSOLE_UNITS];
	DWORD written;

	while (line.len > 0) {
		/* A piece never ends inside a character: its last bytes would be 10xxxxxx. */
		size_t len = line.len < CONSOLE_UNITS ? line.len : CONSOLE_UNITS;
		int units;

		while (len < line.len && len > 1 && (line.data[len] & 0xc0) == 0x80)
			len--;
		units = MultiByteToWideChar(CP_UTF8, 0, (const char *)line.data, (int)len, wide, CONSOLE_UNITS);
		if (units <= 0 || !WriteConsoleW(console, wide, (DWORD)units, &written, NULL))
			return;
		line = slice_of(line.data + len, line.len - len);
	}
}

/* A click into the console is what would hold us up, and that is the console's business (client-win/console.h). */
void host_stderr_open(struct host_stderr *ret) {
	*ret = (struct host_stderr){.own = false};
}

void host_stderr_close(struct host_stderr *out) {
	(void)out;
}

void host_stderr_sink(void *user, struct slice line) {
	DWORD mode, no_wait = PIPE_READMODE_BYTE | PIPE_NOWAIT;
	HANDLE out = GetStdHandle(STD_ERROR_HANDLE);

	(void)user;
	if (out == NULL || out == INVALID_HANDLE_VALUE)
		return; /* a service has none */
	if (GetConsoleMode(out, &mode)) {
		write_console(out, line);
		return;
	}
	/* A reader that has stopped must not stop us: a full pipe takes nothing instead. */
	if (GetFileType(out) == FILE_TYPE_PIPE)
		SetNamedPipeHandleState(out, &no_wait, NULL, NULL);
	write_all(out, line);
}

/* A process of Windows cannot become another user, and what an administrator's token may do is needed to the end, to
 * put routes and adapter back. There is nothing to give up. */
int host_check_capability(enum host_capability needed, char error[static HOST_ERROR_BYTES]) {
	(void)needed;
	(void)error;
	return 0;
}

int host_drop_privileges(enum host_capability keep, const char *user, char error[static HOST_ERROR_BYTES]) {
	(void)keep;
	if (user == NULL)
		return 0;
	struct base_text text;
	base_text_init(&text, error, HOST_ERROR_BYTES);
	base_text_addf(&text, "cannot run as user '%.64s': Windows starts programs as a user, it does not change it", user);
	return BASE_E_DENIED;
}
