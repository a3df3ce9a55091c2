/* Whom the folder under ProgramData is trusted from. Wine keeps no access lists, only what Linux' permissions can say
 * of them: the folders are real here, and the question for their lists ends in the test (as in test_service_windows.c).
 */
#include "client-win/system.h"

#include "base/error.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include <windows.h>

#include <aclapi.h>
#include <lm.h>
#include <sddl.h>

#define ADMINISTRATOR "S-1-5-21-1-2-3-1002"
#define TRUSTED "O:BAD:(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
#define FILE_NAME "\\client.conf"

static struct {
	const char *sddl;  /* of the folder until it is closed or made anew */
	DWORD refusal;     /* the answer instead */
	unsigned closings; /* lists set */
	bool set_protected;
} folder;

static char path[MAX_PATH], aside[MAX_PATH + 16], file[MAX_PATH + 16];

static DWORD WINAPI fake_get(const wchar_t *name, SE_OBJECT_TYPE type, SECURITY_INFORMATION what, PSID *owner,
                             PSID *group, PACL *acl, PACL *audit, PSECURITY_DESCRIPTOR *ret) {
	BOOL present = FALSE, defaulted;
	(void)name;
	(void)group;
	(void)audit;
	assert_int_equal(type, SE_FILE_OBJECT);
	assert_int_equal(what, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION);
	if (folder.refusal != 0)
		return folder.refusal;
	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorA(folder.sddl, SDDL_REVISION_1, ret, NULL));
	assert_true(GetSecurityDescriptorOwner(*ret, owner, &defaulted));
	assert_true(GetSecurityDescriptorDacl(*ret, &present, acl, &defaulted));
	if (!present)
		*acl = NULL;
	return ERROR_SUCCESS;
}

static DWORD WINAPI fake_set(wchar_t *name, SE_OBJECT_TYPE type, SECURITY_INFORMATION what, PSID owner, PSID group,
                             PACL acl, PACL audit) {
	(void)name;
	(void)type;
	(void)group;
	(void)audit;
	folder.closings++;
	folder.set_protected = (what & PROTECTED_DACL_SECURITY_INFORMATION) != 0;
	assert_true(IsWellKnownSid(owner, WinBuiltinAdministratorsSid));
	assert_int_equal(acl->AceCount, 2);
	return ERROR_SUCCESS;
}

/* Two accounts are in the group; the second is ADMINISTRATOR. (Headers do not say that these come from a DLL.) */
NET_API_STATUS WINAPI NetLocalGroupGetMembers(const wchar_t *server, const wchar_t *group, DWORD level, BYTE **ret,
                                              DWORD bytes, DWORD *count, DWORD *all, DWORD_PTR *resume) {
	static LOCALGROUP_MEMBERS_INFO_0 members[2];
	(void)resume;
	assert_null(server);
	assert_int_equal(wcscmp(group, L"Administrators"), 0);
	assert_int_equal(level, 0);
	assert_int_equal(bytes, MAX_PREFERRED_LENGTH);
	assert_true(ConvertStringSidToSidA("S-1-5-21-1-2-3-500", &members[0].lgrmi0_sid));
	assert_true(ConvertStringSidToSidA(ADMINISTRATOR, &members[1].lgrmi0_sid));
	*ret = (BYTE *)members;
	*count = *all = 2;
	return NERR_Success;
}

NET_API_STATUS WINAPI NetApiBufferFree(void *buf) {
	LOCALGROUP_MEMBERS_INFO_0 *members = buf;
	(void)LocalFree(members[0].lgrmi0_sid);
	(void)LocalFree(members[1].lgrmi0_sid);
	return NERR_Success;
}

#define INSTEAD_OF(name, fake)             \
	extern const void *const __imp_##name; \
	const void *const __imp_##name = (const void *)(fake)

INSTEAD_OF(GetNamedSecurityInfoW, fake_get);
INSTEAD_OF(SetNamedSecurityInfoW, fake_set);

static bool is_there(const char *name) {
	return GetFileAttributesA(name) != INVALID_FILE_ATTRIBUTES;
}

static int clear(void **state) {
	char inside[MAX_PATH + 32];
	(void)state;
	(void)snprintf(inside, sizeof(inside), "%s" FILE_NAME, aside);
	(void)DeleteFileA(inside);
	(void)RemoveDirectoryA(aside);
	(void)DeleteFileA(aside);
	(void)DeleteFileA(file);
	(void)RemoveDirectoryA(path);
	(void)DeleteFileA(path);
	assert_false(is_there(path) || is_there(aside));
	ZeroMemory(&folder, sizeof(folder));
	return 0;
}

static int setup(void **state) {
	char temporary[MAX_PATH - 64];
	assert_in_range(GetTempPathA(sizeof(temporary), temporary), 1, sizeof(temporary));
	(void)snprintf(path, sizeof(path), "%slanparty-state-%lu", temporary, GetCurrentProcessId());
	(void)snprintf(aside, sizeof(aside), "%s.untrusted-1", path);
	(void)snprintf(file, sizeof(file), "%s" FILE_NAME, path);
	return clear(state);
}

static void make_folder(void) {
	HANDLE handle;
	assert_true(CreateDirectoryA(path, NULL));
	handle = CreateFileA(file, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
	assert_true(handle != INVALID_HANDLE_VALUE);
	(void)CloseHandle(handle);
}

static void test_who_is_trusted(void **state) {
	enum outcome { KEPT, CLOSED, ASIDE };
	static const struct {
		const char *label, *sddl;
		enum outcome outcome;
	} cases[] = {
	    {"as it is made", "O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", KEPT},
	    {"the system's", "O:SYD:(A;OICI;FA;;;SY)", KEPT},
	    {"an administrator's", "O:" ADMINISTRATOR "D:(A;OICI;FA;;;" ADMINISTRATOR ")", KEPT},
	    {"as Explorer leaves it after \"Continue\"", TRUSTED "(A;OICI;FA;;;" ADMINISTRATOR ")", KEPT},
	    {"of an account that is no administrator", TRUSTED "(A;OICI;FA;;;S-1-5-21-1-2-3-1003)", ASIDE},
	    {"denied to others", TRUSTED "(D;OICI;FA;;;BU)", KEPT},
	    {"for who makes something in it", TRUSTED "(A;OICIIO;GA;;;CO)", KEPT},
	    {"users read", TRUSTED "(A;OICI;0x1200a9;;;BU)", CLOSED},
	    {"users read, generic", TRUSTED "(A;OICI;GRGX;;;BU)", CLOSED},
	    {"users read what is inside", TRUSTED "(A;OICIIO;GRGX;;;BU)", CLOSED},
	    {"as ProgramData passes it on",
	     "O:BAD:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIIOID;GA;;;CO)(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;"
	     "BU)",
	     ASIDE},
	    {"everybody's", TRUSTED "(A;OICI;FA;;;WD)", ASIDE},
	    {"users may add", TRUSTED "(A;;0x2;;;BU)", ASIDE},
	    {"users may delete", TRUSTED "(A;;SD;;;BU)", ASIDE},
	    {"users may delete what is inside", TRUSTED "(A;;0x40;;;BU)", ASIDE},
	    {"users may set rights", TRUSTED "(A;;WD;;;BU)", ASIDE},
	    {"users may take it", TRUSTED "(A;;WO;;;BU)", ASIDE},
	    {"users may, generic", TRUSTED "(A;;GW;;;AU)", ASIDE},
	    {"users may write what is inside", TRUSTED "(A;OICIIO;FA;;;BU)", ASIDE},
	    {"a user's", "O:S-1-5-21-1-2-3-1001D:(A;OICI;FA;;;BA)", ASIDE},
	    {"without a list", "O:BA", ASIDE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char notice[WINMAIN_ERROR_BYTES], error[WINMAIN_ERROR_BYTES];
		const bool goes = cases[i].outcome == ASIDE;
		(void)clear(state);
		make_folder();
		folder.sddl = cases[i].sddl;
		unit_assert_int(winmain_own_directory(path, notice, error), 0, cases[i].label);
		unit_assert_int(is_there(aside), goes, cases[i].label);
		unit_assert_int(is_there(file), !goes, cases[i].label);
		unit_assert_int(is_there(path), true, cases[i].label);
		unit_assert_int(strstr(notice, ".untrusted-1") != NULL, goes, cases[i].label);
		unit_assert_int(folder.closings, cases[i].outcome == CLOSED, cases[i].label);
		unit_assert_int(folder.set_protected, cases[i].outcome == CLOSED, cases[i].label);
	}
}

/* Somebody keeps administrators out: nothing in it is used, and nothing is made elsewhere. */
static void test_not_let_in(void **state) {
	char notice[WINMAIN_ERROR_BYTES], error[WINMAIN_ERROR_BYTES];
	(void)state;
	make_folder();
	folder.refusal = ERROR_ACCESS_DENIED;
	assert_int_equal(winmain_own_directory(path, notice, error), BASE_E_DENIED);
	assert_non_null(strstr(error, path));
	assert_false(is_there(aside));
}

static void test_a_file_instead(void **state) {
	char notice[WINMAIN_ERROR_BYTES], error[WINMAIN_ERROR_BYTES];
	HANDLE handle = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
	(void)state;
	assert_true(handle != INVALID_HANDLE_VALUE);
	(void)CloseHandle(handle);
	assert_int_equal(winmain_own_directory(path, notice, error), 0);
	assert_true(is_there(aside));
	assert_true((GetFileAttributesA(path) & FILE_ATTRIBUTE_DIRECTORY) != 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_who_is_trusted, setup, clear),
	    cmocka_unit_test_setup_teardown(test_not_let_in, setup, clear),
	    cmocka_unit_test_setup_teardown(test_a_file_instead, setup, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
