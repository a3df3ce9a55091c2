/* From where a service may run. Wine keeps no access lists, so the question for them ends in the test (as in
 * test_service_windows.c); the program and its folder are this test's own. */
#include "base/error.h"
#include "client-win/system.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

#define ADMINISTRATORS "O:BAD:(A;;FA;;;SY)(A;;FA;;;BA)"
/* As Windows makes a drive: others may add to it, and change what they added. */
#define DRIVE ADMINISTRATORS "(A;OICI;0x1200a9;;;BU)(A;OICIIO;0x1301bf;;;AU)(A;;0x4;;;AU)"
#define TRUSTED_INSTALLER "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

static struct {
	const char *program, *folder, *above, *drive;
	DWORD refusal;
	bool is_remote;
	wchar_t asked[MAX_PATH]; /* the last name */
	unsigned folders;        /* asked for since the program */
} lists = {.above = DRIVE, .drive = DRIVE};

static const char *list_of(const wchar_t *name) {
	const size_t len = wcslen(name);
	if (len > 4 && wcscmp(name + len - 4, L".exe") == 0) {
		lists.folders = 0;
		return lists.program;
	}
	if (lists.folders++ == 0)
		return lists.folder;
	return name[len - 1] == L'\\' ? lists.drive : lists.above;
}

static DWORD WINAPI fake_get(const wchar_t *name, SE_OBJECT_TYPE type, SECURITY_INFORMATION what, PSID *owner,
                             PSID *group, PACL *acl, PACL *audit, PSECURITY_DESCRIPTOR *ret) {
	BOOL present = FALSE, defaulted;
	(void)group;
	(void)audit;
	assert_int_equal(type, SE_FILE_OBJECT);
	assert_int_equal(what, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION);
	assert_true(wcslen(name) < MAX_PATH);
	wcscpy(lists.asked, name);
	if (lists.refusal != 0)
		return lists.refusal;
	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorA(list_of(name), SDDL_REVISION_1, ret, NULL));
	assert_true(GetSecurityDescriptorOwner(*ret, owner, &defaulted));
	assert_true(GetSecurityDescriptorDacl(*ret, &present, acl, &defaulted));
	if (!present)
		*acl = NULL;
	return ERROR_SUCCESS;
}

/* C:\lpN\below\program.exe */
static char folder[32];

static int make_program(void **state) {
	char path[MAX_PATH];
	HANDLE file;
	(void)state;
	(void)snprintf(folder, sizeof(folder), "C:\\lp%lu", GetCurrentProcessId());
	(void)snprintf(path, sizeof(path), "%s\\below", folder);
	if (!CreateDirectoryA(folder, NULL) || !CreateDirectoryA(path, NULL))
		return -1;
	(void)snprintf(path, sizeof(path), "%s\\below\\program.exe", folder);
	file = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
	return file != INVALID_HANDLE_VALUE && CloseHandle(file) ? 0 : -1;
}

static int remove_program(void **state) {
	char path[MAX_PATH];
	bool gone;
	(void)state;
	(void)snprintf(path, sizeof(path), "%s\\below\\program.exe", folder);
	gone = DeleteFileA(path);
	(void)snprintf(path, sizeof(path), "%s\\below", folder);
	return RemoveDirectoryA(path) && RemoveDirectoryA(folder) && gone ? 0 : -1;
}

static UINT WINAPI fake_type(const wchar_t *root) {
	assert_int_equal(wcscmp(root + 1, L":\\"), 0);
	return lists.is_remote ? DRIVE_REMOTE : DRIVE_FIXED;
}

extern const void *const __imp_GetDriveTypeW;
const void *const __imp_GetDriveTypeW = (const void *)fake_type;
extern const void *const __imp_GetNamedSecurityInfoW;
const void *const __imp_GetNamedSecurityInfoW = (const void *)fake_get;

static void test_who_may_change_it(void **state) {
	static const struct {
		const char *label, *program, *folder;
		enum { NOBODY, PROGRAM, FOLDER } what;
	} cases[] = {
	    {"as the installer makes it", ADMINISTRATORS "(A;;0x1200a9;;;BU)", ADMINISTRATORS "(A;OICI;0x1200a9;;;BU)",
	     NOBODY},
	    {"under Program Files",
	     "O:BAD:AI(A;ID;FA;;;" TRUSTED_INSTALLER
	     ")(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)(A;ID;0x1200a9;;;AC)",
	     "O:" TRUSTED_INSTALLER "D:(A;;FA;;;" TRUSTED_INSTALLER ")(A;CIIO;GA;;;" TRUSTED_INSTALLER
	     ")(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;OICIIO;GA;;;CO)",
	     NOBODY},
	    {"in a new folder on C:", ADMINISTRATORS "(A;ID;0x1301bf;;;AU)(A;ID;0x1200a9;;;BU)",
	     ADMINISTRATORS "(A;OICIID;0x1301bf;;;AU)", PROGRAM},
	    {"the folder alone", ADMINISTRATORS, ADMINISTRATORS "(A;;0x2;;;BU)", FOLDER},
	    {"who may delete in the folder", ADMINISTRATORS, ADMINISTRATORS "(A;;0x40;;;BU)", FOLDER},
	    {"another user's", "O:S-1-5-21-1-2-3-1001D:(A;;FA;;;BA)", ADMINISTRATORS, PROGRAM},
	    {"another service's", ADMINISTRATORS "(A;;FA;;;S-1-5-80-1-2-3-4-5)", ADMINISTRATORS, PROGRAM},
	    {"without a list", "O:BA", ADMINISTRATORS, PROGRAM},
	};
	static const struct {
		const char *label, *above, *drive, *what; /* "": nothing */
	} above[] = {
	    {"in a folder that others may rename", DRIVE "(A;;0x1301bf;;;AU)", DRIVE, "change the folder C:\\lp"},
	    {"in a folder from which others may delete", DRIVE "(A;;0x40;;;AU)", DRIVE, "change the folder C:\\lp"},
	    {"in a folder of another user", "O:S-1-5-21-1-2-3-1001D:(A;;FA;;;BA)", DRIVE, "change the folder C:\\lp"},
	    {"on a drive for data", DRIVE, DRIVE "(A;;0x1301bf;;;AU)", ""},
	    {"on a drive that others own", DRIVE, DRIVE "(A;;FA;;;AU)", "change the folder C:\\,"},
	};
	char path[MAX_PATH], error[WINMAIN_ERROR_BYTES];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s\\below\\program.exe", folder);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lists.program = cases[i].program;
		lists.folder = cases[i].folder;
		error[0] = '\0';
		unit_assert_int(winmain_check_program(path, error), cases[i].what == NOBODY ? 0 : BASE_E_DENIED,
		                cases[i].label);
		unit_assert_int(strstr(error, path) != NULL, cases[i].what != NOBODY, cases[i].label);
		unit_assert_int(strstr(error, "the folder of ") != NULL, cases[i].what == FOLDER, cases[i].label);
	}
	lists.program = lists.folder = ADMINISTRATORS;
	for (size_t i = 0; i < sizeof(above) / sizeof(above[0]); i++) {
		lists.above = above[i].above;
		lists.drive = above[i].drive;
		error[0] = '\0';
		unit_assert_int(winmain_check_program(path, error), above[i].what[0] != '\0' ? BASE_E_DENIED : 0,
		                above[i].label);
		unit_assert_int(strstr(error, above[i].what) != NULL, true, error);
	}
	lists.above = lists.drive = DRIVE;
}

static void test_a_file_of_the_service(void **state) {
	char path[MAX_PATH], error[WINMAIN_ERROR_BYTES];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s\\below\\program.exe", folder);
	lists.program = lists.folder = ADMINISTRATORS;
	assert_int_equal(winmain_check_file(path, error), 0);
	lists.program = "O:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;S-1-3-4)"; /* as an identity is written */
	assert_int_equal(winmain_check_file(path, error), 0);
	lists.program = "O:S-1-5-21-1-2-3-1001D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;S-1-3-4)";
	assert_int_equal(winmain_check_file(path, error), BASE_E_DENIED);
	lists.program = ADMINISTRATORS "(A;;0x1301bf;;;BU)";
	assert_int_equal(winmain_check_file(path, error), BASE_E_DENIED);
	assert_non_null(strstr(error, "and a service has all rights: copy it to C:\\ProgramData\\lanparty"));
}

static void test_on_the_drive_itself(void **state) {
	char path[32], error[WINMAIN_ERROR_BYTES];
	(void)state;
	(void)snprintf(path, sizeof(path), "C:\\lp%lu.exe", GetCurrentProcessId());
	HANDLE handle = CreateFileA(path, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
	assert_true(handle != INVALID_HANDLE_VALUE);
	(void)CloseHandle(handle);
	lists.program = lists.folder = ADMINISTRATORS;
	const int err = winmain_check_program(path, error);
	assert_true(DeleteFileA(path));
	assert_int_equal(err, 0);
	assert_int_equal(wcscmp(lists.asked, L"C:\\"), 0);
}

/* Whoever may change it there: a service logs on as another, and does not have the drives of who is at the PC. */
static void test_in_the_network(void **state) {
	static const char *const names[] = {"\\\\server\\share\\party.conf", "\\\\?\\UNC\\server\\share\\party.conf",
	                                    "C:\\windows\\system.ini"};
	char error[WINMAIN_ERROR_BYTES], expected[WINMAIN_ERROR_BYTES];
	(void)state;
	lists.program = lists.folder = ADMINISTRATORS;
	lists.is_remote = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		unit_assert_int(winmain_check_file(names[i], error), BASE_E_DENIED, names[i]);
		(void)snprintf(expected, sizeof(expected),
		               "%s is on another machine, where a service has other rights: copy it to ", names[i]);
		unit_assert_int(strncmp(error, expected, strlen(expected)), 0, error);
	}
	lists.is_remote = false;
}

static void test_not_to_be_told(void **state) {
	char path[MAX_PATH], error[WINMAIN_ERROR_BYTES];
	(void)state;
	assert_true(winmain_program_path(path, sizeof(path)));
	lists.refusal = ERROR_ACCESS_DENIED;
	assert_int_equal(winmain_check_program(path, error), BASE_E_IO);
	assert_non_null(strstr(error, path));
	lists.refusal = 0;
	assert_int_equal(winmain_check_program("C:\\nowhere\\lanparty-client.exe", error), BASE_E_IO);
	assert_non_null(strstr(error, "nowhere"));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_who_may_change_it, make_program, remove_program),
	    cmocka_unit_test_setup_teardown(test_a_file_of_the_service, make_program, remove_program),
	    cmocka_unit_test(test_on_the_drive_itself),
	    cmocka_unit_test(test_in_the_network),
	    cmocka_unit_test(test_not_to_be_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
