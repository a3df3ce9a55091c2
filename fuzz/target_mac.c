/* Any text: what parses prints back to the same address. */
#include "proto/mac.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char text[PROTO_MAC_TEXT_BYTES];
	struct proto_mac mac, again;

	if (proto_mac_parse((const char *)data, size, &mac) != 0)
		return 0;
	proto_mac_text(mac, text);
	if (proto_mac_parse(text, sizeof(text) - 1, &again) != 0 || !proto_mac_equal(mac, again))
		abort();
	return 0;
}
