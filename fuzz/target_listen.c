/* Listen addresses: what is accepted has a family and parses again from its own print. */
#include "net/endpoint.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct base_addr addr, again;
	char error[NET_ERROR_BYTES] = "", printed[BASE_ADDR_TEXT_BYTES];
	char *text = calloc(1, size + 1);

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (net_listen_parse(text, &addr, error) != 0) {
		if (error[0] == '\0')
			abort();
	} else {
		base_addr_text(&addr, printed);
		if (net_listen_parse(printed, &again, error) != 0 || !base_addr_equal(&addr, &again))
			abort();
	}
	free(text);
	return 0;
}
