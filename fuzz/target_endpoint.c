/* Relay addresses: what is accepted has a port, a host that fits, and a literal parses again from its own print. */
#include "net/endpoint.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct net_endpoint endpoint, again;
	char error[NET_ERROR_BYTES] = "", printed[BASE_ADDR_TEXT_BYTES];
	char *text = calloc(1, size + 1);

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (net_endpoint_parse(text, &endpoint, error) != 0) {
		if (error[0] == '\0')
			abort();
	} else if (endpoint.port == 0 || endpoint.host[0] == '\0') {
		abort();
	} else if (endpoint.is_literal) {
		base_addr_text(&endpoint.addr, printed);
		if (net_endpoint_parse(printed, &again, error) != 0 || !base_addr_equal(&endpoint.addr, &again.addr))
			abort();
	}
	free(text);
	return 0;
}
