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
#define TRUSTED_INSTALLER "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"

static struct {
	const char *program, *folder;
	DWORD refusal;
	wchar_t asked[MAX_PATH]; /* the last name */
} lists;

static DWORD WINAPI fake_get(const wchar_t *name, SE_OBJECT_TYPE type, SECURITY_INFORMATION what, PSID *owner,
                             PSID *group, PACL *acl, PACL *audit, PSECURITY_DESCRIPTOR *ret) {
	const size_t len = wcslen(name);
	BOOL present = FALSE, defaulted;
	(void)group;
	(void)audit;
	assert_int_equal(type, SE_FILE_OBJECT);
	assert_int_equal(what, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION);
	assert_true(len < MAX_PATH);
	wcscpy(lists.asked, name);
	if (lists.refusal != 0)
		return lists.refusal;
	const char *sddl = len > 4 && wcscmp(name + len - 4, L".exe") == 0 ? lists.program : lists.folder;
	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorA(sddl, SDDL_REVISION_1, ret, NULL));
	assert_true(GetSecurityDescriptorOwner(*ret, owner, &defaulted));
	assert_true(GetSecurityDescriptorDacl(*ret, &present, acl, &defaulted));
	if (!present)
		*acl = NULL;
	return ERROR_SUCCESS;
}

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
	char path[MAX_PATH], error[WINMAIN_ERROR_BYTES];
	(void)state;
	assert_true(winmain_program_path(path, sizeof(path)));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lists.program = cases[i].program;
		lists.folder = cases[i].folder;
		error[0] = '\0';
		unit_assert_int(winmain_check_program(path, error), cases[i].what == NOBODY ? 0 : BASE_E_DENIED,
		                cases[i].label);
		unit_assert_int(strstr(error, path) != NULL, cases[i].what != NOBODY, cases[i].label);
		unit_assert_int(strstr(error, "the folder of ") != NULL, cases[i].what == FOLDER, cases[i].label);
	}
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
	    cmocka_unit_test(test_who_may_change_it),
	    cmocka_unit_test(test_on_the_drive_itself),
	    cmocka_unit_test(test_not_to_be_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
