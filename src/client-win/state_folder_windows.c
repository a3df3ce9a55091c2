/* The folder that holds identity, configuration and the state to restore: what is in there decides where this PC
 * connects to, and is read with all rights. */
#include "client-win/access.h"
#include "client-win/system.h"

#include "base/error.h"

#include <stdio.h>

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#define WIDE_PATH 1024
/* Full control for the system and administrators, inherited by what is inside; nothing for anybody else. */
#define OWNER_AND_ACCESS L"O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
/* Somebody may make the folder again in between, but not for ever. */
#define TRIES 10
#define ASIDE_MAX 1000

static int fail(char error[static WINMAIN_ERROR_BYTES], const char *path, DWORD number) {
	struct base_text text;

	base_text_init(&text, error, WINMAIN_ERROR_BYTES);
	base_text_addf(&text, "%s: ", path);
	winmain_add_system_error(&text, number);
	return number == ERROR_ACCESS_DENIED ? BASE_E_DENIED : BASE_E_IO;
}

/* What others may do with the folder, and so may have done. A file in its place is not ours. */
static DWORD look(const wchar_t *path, DWORD *ret_rights) {
	DWORD kind = GetFileAttributesW(path);

	if (kind == INVALID_FILE_ATTRIBUTES)
		return GetLastError();
	*ret_rights = GENERIC_ALL;
	return (kind & FILE_ATTRIBUTE_DIRECTORY) != 0 ? winmain_rights_of_others(path, ret_rights) : 0;
}

static DWORD move_aside(const wchar_t *wide, const char *path, char notice[static WINMAIN_ERROR_BYTES]) {
	wchar_t aside[WIDE_PATH + 32];
	struct base_text text;

	for (unsigned i = 1; i < ASIDE_MAX; i++) {
		(void)swprintf(aside, WIDE_PATH + 32, L"%ls.untrusted-%u", wide, i);
		if (MoveFileW(wide, aside)) {
			base_text_init(&text, notice, WINMAIN_ERROR_BYTES);
			base_text_addf(
			    &text,
			    "others than administrators could write to %s: it is %s.untrusted-%u now, and nothing in it is "
			    "used; copy back what you know",
			    path, path, i);
			return 0;
		}
		if (GetLastError() != ERROR_ALREADY_EXISTS)
			break;
	}
	return GetLastError();
}

/* Nobody could change anything; from now on nobody can read it either, also what is inside. */
static DWORD close_to_others(wchar_t *wide, PSECURITY_DESCRIPTOR wanted) {
	PSID owner;
	PACL acl;
	BOOL present, defaulted;
	if (!GetSecurityDescriptorDacl(wanted, &present, &acl, &defaulted) ||
	    !GetSecurityDescriptorOwner(wanted, &owner, &defaulted))
		return GetLastError();
	return SetNamedSecurityInfoW(wide, SE_FILE_OBJECT,
	                             OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION |
	                                 PROTECTED_DACL_SECURITY_INFORMATION,
	                             owner, NULL, acl, NULL);
}

int winmain_own_directory(const char *path, char notice[static WINMAIN_ERROR_BYTES],
                          char error[static WINMAIN_ERROR_BYTES]) {
	wchar_t wide[WIDE_PATH];
	SECURITY_ATTRIBUTES attributes = {.nLength = sizeof(attributes)};
	DWORD rights = 0, number = ERROR_ALREADY_EXISTS;

	notice[0] = '\0';
	if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, WIDE_PATH) == 0)
		return fail(error, path, ERROR_INVALID_NAME);
	if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(OWNER_AND_ACCESS, SDDL_REVISION_1,
	                                                          &attributes.lpSecurityDescriptor, NULL))
		return fail(error, path, GetLastError());
	for (unsigned i = 0; number == ERROR_ALREADY_EXISTS && i < TRIES; i++) {
		number = CreateDirectoryW(wide, &attributes) ? 0 : GetLastError();
		if (number != ERROR_ALREADY_EXISTS)
			break;
		number = look(wide, &rights);
		if (number == 0 && winmain_rights_change(rights)) {
			number = move_aside(wide, path, notice);
			if (number == 0)
				number = ERROR_ALREADY_EXISTS; /* once more */
		} else if (number == 0 && rights != 0) {
			number = close_to_others(wide, attributes.lpSecurityDescriptor);
		}
	}
	(void)LocalFree(attributes.lpSecurityDescriptor);
	return number == 0 ? 0 : fail(error, path, number);
}
