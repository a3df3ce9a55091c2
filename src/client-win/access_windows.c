#include "client-win/access.h"

#include "base/error.h"
#include "client-win/system.h"

#include <windows.h>

#include <aclapi.h>
#include <lm.h>
#include <sddl.h>

#define WIDE_PATH 1024
#define NAME_UNITS 257 /* of a group, and of whose it is */

static bool is_sid(PSID sid, const wchar_t *text) {
	PSID known;
	if (!ConvertStringSidToSidW(text, &known))
		return false;
	const bool same = EqualSid(sid, known);
	(void)LocalFree(known);
	return same;
}

/* The service that owns what belongs to Windows, Program Files too. */
static bool is_trusted_installer(PSID sid) {
	return is_sid(sid, L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464");
}

/* "Owner rights": whoever owns it, who is looked at by itself. The identity has them. */
static bool is_owner(PSID sid) {
	return is_sid(sid, L"S-1-3-4");
}

/* An account that is in the group of administrators. With "Continue", Explorer gives full control over a folder to the
 * account of who opens it, for good, and the next to look may be the service, which is the system. */
static bool is_administrator(PSID sid) {
	uint8_t group[SECURITY_MAX_SID_SIZE];
	wchar_t name[NAME_UNITS], domain[NAME_UNITS];
	DWORD group_len = sizeof(group), name_len = NAME_UNITS, domain_len = NAME_UNITS, count = 0, all;
	LOCALGROUP_MEMBERS_INFO_0 *members = NULL;
	SID_NAME_USE use;
	bool found = false;

	/* Its name depends on the language. */
	if (!CreateWellKnownSid(WinBuiltinAdministratorsSid, NULL, group, &group_len) ||
	    !LookupAccountSidW(NULL, group, name, &name_len, domain, &domain_len, &use) ||
	    NetLocalGroupGetMembers(NULL, name, 0, (BYTE **)&members, MAX_PREFERRED_LENGTH, &count, &all, NULL) !=
	        NERR_Success ||
	    members == NULL)
		return false;
	for (DWORD i = 0; i < count && !found; i++)
		found = EqualSid(members[i].lgrmi0_sid, sid);
	(void)NetApiBufferFree(members);
	return found;
}

/* The system, administrators, and whoever runs this: an administrator too. */
static bool is_trusted(PSID sid, PSID own) {
	return IsWellKnownSid(sid, WinLocalSystemSid) || IsWellKnownSid(sid, WinBuiltinAdministratorsSid) ||
	       EqualSid(sid, own) || is_trusted_installer(sid) || is_administrator(sid);
}

/* Everything that an access list allows to anybody else, with `inside` also with what will be or was made inside; all
 * rights when it can't be told. */
static DWORD rights_of_others(PACL acl, PSID own, bool inside) {
	DWORD rights = 0;

	if (acl == NULL)
		return GENERIC_ALL; /* no list: everybody may do everything */
	for (DWORD i = 0; i < acl->AceCount; i++) {
		void *found;
		if (!GetAce(acl, i, &found))
			return GENERIC_ALL;
		ACCESS_ALLOWED_ACE *ace = found;
		if (ace->Header.AceType == ACCESS_DENIED_ACE_TYPE ||
		    (!inside && (ace->Header.AceFlags & INHERIT_ONLY_ACE) != 0))
			continue;
		if (ace->Header.AceType != ACCESS_ALLOWED_ACE_TYPE)
			return GENERIC_ALL;
		/* Whoever makes something inside has its rights: where others may make nothing, that is nobody of them. */
		if ((ace->Header.AceFlags & INHERIT_ONLY_ACE) != 0 && IsWellKnownSid(&ace->SidStart, WinCreatorOwnerSid))
			continue;
		if (!is_owner(&ace->SidStart) && !is_trusted(&ace->SidStart, own))
			rights |= ace->Mask;
	}
	return rights;
}

static DWORD look(const wchar_t *path, bool inside, DWORD *ret_rights) {
	PSECURITY_DESCRIPTOR security;
	PSID owner;
	PACL acl;
	HANDLE token;
	union {
		TOKEN_USER user;
		uint8_t bytes[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
	} own;
	DWORD len, kind = GetFileAttributesW(path);
	if (kind == INVALID_FILE_ATTRIBUTES)
		return GetLastError();
	*ret_rights = GENERIC_ALL;
	/* A drive (with its backslash) is no link, though Wine says of each file system's root that it is mounted. */
	if ((kind & FILE_ATTRIBUTE_REPARSE_POINT) != 0 && path[wcslen(path) - 1] != L'\\')
		return 0;
	if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
		return GetLastError();
	DWORD number = GetTokenInformation(token, TokenUser, &own, sizeof(own), &len) ? 0 : GetLastError();
	(void)CloseHandle(token);
	if (number == 0)
		number = GetNamedSecurityInfoW(path, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
		                               &owner, NULL, &acl, NULL, &security);
	if (number != 0)
		return number;
	if (is_trusted(owner, own.user.User.Sid))
		*ret_rights = rights_of_others(acl, own.user.User.Sid, inside);
	(void)LocalFree(security);
	return 0;
}

DWORD winmain_rights_of_others(const wchar_t *path, DWORD *ret_rights) {
	return look(path, true, ret_rights);
}

bool winmain_rights_change(DWORD rights) {
	return (rights & ~(DWORD)(FILE_GENERIC_READ | FILE_GENERIC_EXECUTE | GENERIC_READ | GENERIC_EXECUTE)) != 0;
}

/* With one of these rights a folder that is there can be moved away or deleted with all that is in it, or the rights
 * can be taken. What others may make beside it does no harm, and a drive cannot be moved. */
static bool lets_replace(DWORD rights, bool is_drive) {
	const DWORD replace = FILE_DELETE_CHILD | WRITE_DAC | WRITE_OWNER | GENERIC_ALL, move = is_drive ? 0 : DELETE;

	return (rights & (replace | move)) != 0;
}

struct subject {
	const char *path, *advice;
	char *error; /* WINMAIN_ERROR_BYTES */
};

static int complain(const struct subject *subject, DWORD number, const char *what, const char *path) {
	struct base_text text;

	base_text_init(&text, subject->error, WINMAIN_ERROR_BYTES);
	if (number == 0) {
		base_text_addf(&text, "others than administrators can change %s%s, and a service has all rights: %s", what,
		               path, subject->advice);
		return BASE_E_DENIED;
	}
	base_text_addf(&text, "who can change %s%s: ", what, path);
	winmain_add_system_error(&text, number);
	return BASE_E_IO;
}

/* A service logs on to other machines as another, who answers for them is not told here, and a drive that leads there
 * is that of who is at the PC. `wide` is a full path. */
static bool is_remote(const wchar_t *wide) {
	wchar_t root[] = L"C:\\";

	if (wcsncmp(wide, L"\\\\", 2) == 0)
		return (wide[2] != L'?' && wide[2] != L'.') || wcsncmp(wide + 3, L"\\UNC\\", 5) == 0;
	root[0] = wide[0];
	return GetDriveTypeW(root) == DRIVE_REMOTE;
}

static int check_one(const struct subject *subject, const wchar_t *wide, const char *what) {
	DWORD rights = GENERIC_ALL, number = winmain_rights_of_others(wide, &rights);

	return number == 0 && !winmain_rights_change(rights) ? 0 : complain(subject, number, what, subject->path);
}

/* Cuts the name down to the folder it is in. False: it is in none. Without its backslash a drive would mean the folder
 * one is in there. */
static bool go_up(wchar_t *wide, bool *ret_is_drive) {
	wchar_t *end = wcsrchr(wide, L'\\');

	if (end == NULL || end == wide || end[1] == L'\0')
		return false;
	*ret_is_drive = end[-1] == L':';
	end[*ret_is_drive ? 1 : 0] = L'\0';
	return true;
}

/* Whoever may rename a folder above can put another one with another file in its place. */
static int check_above(const struct subject *subject, wchar_t *wide) {
	char folder[WIDE_PATH * 3];
	bool is_drive = false;

	while (go_up(wide, &is_drive)) {
		DWORD rights = GENERIC_ALL, number = look(wide, false, &rights);
		if (number == 0 && !lets_replace(rights, is_drive))
			continue;
		(void)WideCharToMultiByte(CP_UTF8, 0, wide, -1, folder, sizeof(folder), NULL, NULL);
		return complain(subject, number, "the folder ", folder);
	}
	return 0;
}

static int check(const struct subject *subject) {
	wchar_t wide[WIDE_PATH];
	struct base_text text;
	bool is_drive = false;

	if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, subject->path, -1, wide, WIDE_PATH) == 0) {
		base_text_init(&text, subject->error, WINMAIN_ERROR_BYTES);
		base_text_addf(&text, "%s: ", subject->path);
		winmain_add_system_error(&text, GetLastError());
		return BASE_E_IO;
	}
	if (is_remote(wide)) {
		base_text_init(&text, subject->error, WINMAIN_ERROR_BYTES);
		base_text_addf(&text, "%s is on another machine, where a service has other rights: %s", subject->path,
		               subject->advice);
		return BASE_E_DENIED;
	}
	int err = check_one(subject, wide, "");
	if (err != 0 || !go_up(wide, &is_drive))
		return err;
	err = check_one(subject, wide, "the folder of ");
	return err == 0 ? check_above(subject, wide) : err;
}

int winmain_check_program(const char *path, char error[static WINMAIN_ERROR_BYTES]) {
	return check(&(struct subject){path, "use the installer, or a folder under Program Files", error});
}

int winmain_check_file(const char *path, char error[static WINMAIN_ERROR_BYTES]) {
	return check(&(struct subject){path, "copy it to C:\\ProgramData\\lanparty", error});
}
