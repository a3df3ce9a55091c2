/* What the kernel might answer: every message of a read, as every kind of payload. */
#include "client-linux/netlink.h"

#include "base/error.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct slice rest = slice_of(data, size);
	struct netlink_message message;
	size_t before = rest.len;
	while (netlink_next(&rest, &message) > 0) {
		struct netlink_route route;
		struct netlink_address address;
		struct netlink_link_state link;
		int code;
		assert(rest.len < before);
		before = rest.len;
		if (netlink_parse_route(message.payload, &route) == 0) {
			assert(route.prefix <= base_addr_ip_bytes(&route.dest) * 8);
			(void)netlink_route_covers(&route, &route.dest);
			(void)netlink_route_better(&route, &route);
		}
		if (netlink_parse_address(message.payload, &address) == 0)
			assert(base_addr_ip_bytes(&address.addr) != 0 && !netlink_address_better(&address, &address));
		if (netlink_parse_link(message.payload, &link) == 0)
			assert(link.mtu != 0);
		if (netlink_parse_error(message.payload, &code) == 0)
			assert(code >= 0);
	}
	return 0;
}
