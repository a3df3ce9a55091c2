#include "client-tap/words.h"

#include "base/error.h"
#include "base/windows_error.h"

#include <windows.h>

int tapwin_fail(char error[static TAPWIN_ERROR_BYTES], const char *what, unsigned long code) {
	static const struct base_windows_error known[] = {
	    {ERROR_ACCESS_DENIED, BASE_E_DENIED, "access denied: run as administrator"},
	    {ERROR_FILE_NOT_FOUND, BASE_E_NOT_FOUND, "not there; is the adapter enabled and its driver loaded?"},
	    {ERROR_PATH_NOT_FOUND, BASE_E_NOT_FOUND, "not there; is the adapter enabled and its driver loaded?"},
	    {ERROR_GEN_FAILURE, BASE_E_EXISTS, "in use by another program (another VPN client?)"},
	    {ERROR_SHARING_VIOLATION, BASE_E_EXISTS, "in use by another program (another VPN client?)"},
	    {ERROR_OPERATION_ABORTED, BASE_E_IO, "the adapter is not ready"},
	    {ERROR_NOT_ENOUGH_MEMORY, BASE_E_NOMEM, "out of memory"},
	    {WAIT_TIMEOUT, BASE_E_TIMEOUT, "the driver does not answer"},
	};

	return base_windows_error(known, sizeof(known) / sizeof(known[0]), "failed", what, code, error, TAPWIN_ERROR_BYTES);
}

void tapwin_widen(const char *ascii, wchar_t *ret, size_t cap) {
	size_t i = 0;

	for (; ascii[i] != '\0' && i + 1 < cap; i++)
		ret[i] = (wchar_t)(unsigned char)ascii[i];
	ret[i] = L'\0';
}
