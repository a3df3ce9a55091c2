/* The identity file: whatever is accepted prints to a text that means the same. */
#include "client-core/identity.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char error[CLIENT_IDENTITY_ERROR_BYTES] = "", text[CLIENT_IDENTITY_BYTES_MAX];
	struct client_identity identity, again;
	int len;

	if (client_identity_parse(slice_of(data, size), &identity, error) != 0) {
		if (error[0] == '\0' || strlen(error) >= sizeof(error))
			abort();
		return 0;
	}
	len = client_identity_print(&identity, text, sizeof(text));
	if (len <= 0 || client_identity_parse(slice_of(text, (size_t)len), &again, error) != 0 ||
	    memcmp(&identity, &again, sizeof(identity)) != 0)
		abort();
	return 0;
}
