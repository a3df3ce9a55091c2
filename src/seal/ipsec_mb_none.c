/* seal/ipsec_mb_none.c: where libipsec-mb cannot be, or its header was not there when this was built. */
#include "base/text.h"
#include "seal/internal.h"

const char *const seal_ipsec_mb_names[] = {NULL};

int seal_ipsec_mb_open(const char *const *names, struct seal_backend **ret, char why[static SEAL_ERROR_BYTES]) {
	(void)names;
	(void)ret;
	base_text_copy(why, SEAL_ERROR_BYTES, "built without libipsec-mb");
	return BASE_E_UNSUPPORTED;
}
