/* client-linux/netlink.c: struct nlmsghdr and friends only ever through memcpy: nothing is assumed about alignment. */
#include "client-linux/netlink.h"

#include "base/bytes.h"
#include "base/error.h"

#include <assert.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

static size_t aligned(size_t len) {
	return (len + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1);
}

static uint8_t os_family(uint8_t family) {
	return family == BASE_FAMILY_V4 ? AF_INET : family == BASE_FAMILY_V6 ? AF_INET6 : AF_UNSPEC;
}

/* ---- building ---- */

static void put(struct netlink_request *request, const void *bytes, size_t len) {
	assert(request->len + aligned(len) <= sizeof(request->bytes));
	memcpy(request->bytes + request->len, bytes, len);
	request->len += aligned(len);
}

static void begin(struct netlink_request *request, uint16_t type, uint16_t flags, uint32_t seq, const void *fixed,
                  size_t fixed_len) {
	const struct nlmsghdr header = {
	    .nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = seq};

	memset(request, 0, sizeof(*request));
	put(request, &header, sizeof(header));
	put(request, fixed, fixed_len);
}

static void attribute(struct netlink_request *request, uint16_t type, const void *bytes, size_t len) {
	const struct rtattr header = {.rta_len = (uint16_t)(sizeof(header) + len), .rta_type = type};

	put(request, &header, sizeof(header));
	put(request, bytes, len);
}

static void finish(struct netlink_request *request) {
	const uint32_t len = (uint32_t)request->len;

	memcpy(request->bytes, &len, sizeof(len)); /* nlmsg_len is the first field */
}

void netlink_set_link(struct netlink_request *request, uint32_t seq, const struct netlink_link *link) {
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC,
	                               .ifi_index = (int)link->ifindex,
	                               .ifi_flags = link->up ? IFF_UP : 0,
	                               .ifi_change = link->up ? IFF_UP : 0};

	begin(request, RTM_NEWLINK, NLM_F_ACK, seq, &info, sizeof(info));
	if (link->mac != NULL)
		attribute(request, IFLA_ADDRESS, link->mac->b, PROTO_MAC_BYTES);
	if (link->mtu != 0) {
		const uint32_t mtu = link->mtu;
		attribute(request, IFLA_MTU, &mtu, sizeof(mtu));
	}
	finish(request);
}

void netlink_get_link(struct netlink_request *request, uint32_t seq, unsigned ifindex) {
	const struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)ifindex};

	begin(request, RTM_GETLINK, 0, seq, &info, sizeof(info));
	finish(request);
}

void netlink_change_route(struct netlink_request *request, uint32_t seq, enum netlink_change change,
                          const struct netlink_route *route) {
	const bool add = change == NETLINK_ADD;
	const bool on_link = route->gateway.family == BASE_FAMILY_NONE;
	const struct rtmsg info = {.rtm_family = os_family(route->dest.family),
	                           .rtm_dst_len = route->prefix,
	                           .rtm_table = RT_TABLE_MAIN,
	                           .rtm_protocol = add ? NETLINK_ROUTE_PROTOCOL : route->protocol,
	                           /* The way we copy may lead to a gateway outside of every subnet. */
	                           .rtm_flags = on_link ? 0 : RTNH_F_ONLINK,
	                           .rtm_scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
	                           .rtm_type = RTN_UNICAST};
	const uint32_t ifindex = route->ifindex;

	begin(request, add ? RTM_NEWROUTE : RTM_DELROUTE, (uint16_t)(NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0)),
	      seq, &info, sizeof(info));
	attribute(request, RTA_DST, route->dest.ip, base_addr_ip_bytes(&route->dest));
	if (!on_link)
		attribute(request, RTA_GATEWAY, route->gateway.ip, base_addr_ip_bytes(&route->gateway));
	attribute(request, RTA_OIF, &ifindex, sizeof(ifindex));
	if (route->metric != 0)
		attribute(request, RTA_PRIORITY, &route->metric, sizeof(route->metric));
	finish(request);
}

void netlink_change_address(struct netlink_request *request, uint32_t seq, enum netlink_change change,
                            const struct netlink_address *address, uint32_t seconds) {
	const bool add = change == NETLINK_ADD;
	const struct ifaddrmsg info = {
	    .ifa_family = AF_INET, .ifa_prefixlen = address->prefix, .ifa_index = address->ifindex};
	const struct ifa_cacheinfo times = {.ifa_prefered = seconds, .ifa_valid = seconds};

	begin(request, add ? RTM_NEWADDR : RTM_DELADDR, (uint16_t)(NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0)),
	      seq, &info, sizeof(info));
	attribute(request, IFA_LOCAL, address->addr.ip, 4);
	attribute(request, IFA_ADDRESS, address->addr.ip, 4);
	if (add) {
		attribute(request, IFA_BROADCAST, address->broadcast.ip, 4);
		attribute(request, IFA_CACHEINFO, &times, sizeof(times));
	}
	finish(request);
}

void netlink_get_route(struct netlink_request *request, uint32_t seq, const struct base_addr *dest, bool matched) {
	const size_t ip_bytes = base_addr_ip_bytes(dest);
	const struct rtmsg info = {.rtm_family = os_family(dest->family),
	                           .rtm_dst_len = (uint8_t)(ip_bytes * 8),
	                           .rtm_flags = matched ? RTM_F_FIB_MATCH : 0};

	begin(request, RTM_GETROUTE, 0, seq, &info, sizeof(info));
	attribute(request, RTA_DST, dest->ip, ip_bytes);
	finish(request);
}

void netlink_dump_routes(struct netlink_request *request, uint32_t seq, uint8_t family) {
	const struct rtmsg info = {.rtm_family = os_family(family)};

	begin(request, RTM_GETROUTE, NLM_F_DUMP, seq, &info, sizeof(info));
	finish(request);
}

void netlink_dump_addresses(struct netlink_request *request, uint32_t seq) {
	const struct ifaddrmsg info = {.ifa_family = AF_UNSPEC};

	begin(request, RTM_GETADDR, NLM_F_DUMP, seq, &info, sizeof(info));
	finish(request);
}

/* ---- parsing ---- */

static void take(struct slice *bytes, size_t len) {
	len = len < bytes->len ? len : bytes->len; /* the last one may come without its padding */
	bytes->data += len;
	bytes->len -= len;
}

int netlink_next(struct slice *bytes, struct netlink_message *ret) {
	struct nlmsghdr header;

	if (bytes->len == 0)
		return 0;
	if (bytes->len < sizeof(header))
		return BASE_E_SHORT;
	memcpy(&header, bytes->data, sizeof(header));
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > bytes->len)
		return BASE_E_LENGTH;
	*ret = (struct netlink_message){
	    .type = header.nlmsg_type,
	    .flags = header.nlmsg_flags,
	    .seq = header.nlmsg_seq,
	    .payload = slice_of(bytes->data + sizeof(header), header.nlmsg_len - sizeof(header)),
	};
	take(bytes, aligned(header.nlmsg_len));
	return 1;
}

int netlink_parse_error(struct slice payload, int *ret_errno) {
	int32_t code;

	if (payload.len < sizeof(code))
		return BASE_E_SHORT;
	memcpy(&code, payload.data, sizeof(code));
	*ret_errno = code < 0 && code != INT32_MIN ? -code : 0;
	return 0;
}

/* The next attribute: 1, 0 at the end, or an error. */
static int next_attribute(struct slice *bytes, uint16_t *ret_type, struct slice *ret_value) {
	struct rtattr header;

	if (bytes->len == 0)
		return 0;
	if (bytes->len < sizeof(header))
		return BASE_E_SHORT;
	memcpy(&header, bytes->data, sizeof(header));
	if (header.rta_len < sizeof(header) || header.rta_len > bytes->len)
		return BASE_E_LENGTH;
	*ret_type = header.rta_type & (uint16_t)NLA_TYPE_MASK;
	*ret_value = slice_of(bytes->data + sizeof(header), header.rta_len - sizeof(header));
	take(bytes, aligned(header.rta_len));
	return 1;
}

static int value_u32(struct slice value, uint32_t *ret) {
	if (value.len != sizeof(*ret))
		return BASE_E_LENGTH;
	memcpy(ret, value.data, sizeof(*ret));
	return 0;
}

static int value_ip(struct slice value, uint8_t family, struct base_addr *ret) {
	struct base_addr addr = {.family = family};

	if (value.len != base_addr_ip_bytes(&addr))
		return BASE_E_LENGTH;
	memcpy(addr.ip, value.data, value.len);
	*ret = addr;
	return 0;
}

static int base_family_of(uint8_t family, uint8_t *ret) {
	if (family != AF_INET && family != AF_INET6)
		return BASE_E_UNSUPPORTED;
	*ret = family == AF_INET ? BASE_FAMILY_V4 : BASE_FAMILY_V6;
	return 0;
}

static int route_attribute(struct netlink_route *route, uint16_t type, struct slice value) {
	uint32_t table;
	int err;

	switch (type) {
	case RTA_DST:
		return value_ip(value, route->dest.family, &route->dest);
	case RTA_GATEWAY:
		return value_ip(value, route->dest.family, &route->gateway);
	case RTA_OIF:
		return value_u32(value, &route->ifindex);
	case RTA_VIA:
		return BASE_E_UNSUPPORTED;
	case RTA_PRIORITY:
		return value_u32(value, &route->metric);
	case RTA_TABLE:
		err = value_u32(value, &table);
		if (err == 0)
			route->table = table <= UINT8_MAX ? (uint8_t)table : RT_TABLE_UNSPEC;
		return err;
	default:
		return 0;
	}
}

int netlink_parse_route(struct slice payload, struct netlink_route *ret) {
	struct rtmsg info;

	if (payload.len < sizeof(info))
		return BASE_E_SHORT;
	memcpy(&info, payload.data, sizeof(info));
	struct netlink_route route = {.prefix = info.rtm_dst_len,
	                              .protocol = info.rtm_protocol,
	                              .type = info.rtm_type,
	                              .table = info.rtm_table,
	                              .dead = (info.rtm_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0};
	int err = base_family_of(info.rtm_family, &route.dest.family);
	if (err < 0)
		return err;
	if (route.prefix > base_addr_ip_bytes(&route.dest) * 8)
		return BASE_E_LENGTH;
	struct slice rest = slice_of(payload.data + sizeof(info), payload.len - sizeof(info));
	struct slice value;
	uint16_t type;
	while ((err = next_attribute(&rest, &type, &value)) > 0) {
		err = route_attribute(&route, type, value);
		if (err < 0)
			return err;
	}
	if (err < 0)
		return err;
	*ret = route;
	return 0;
}

int netlink_parse_address(struct slice payload, struct netlink_address *ret) {
	struct ifaddrmsg info;

	if (payload.len < sizeof(info))
		return BASE_E_SHORT;
	memcpy(&info, payload.data, sizeof(info));
	struct netlink_address address = {.ifindex = info.ifa_index,
	                                  .prefix = info.ifa_prefixlen,
	                                  .scope = info.ifa_scope,
	                                  .permanent = (info.ifa_flags & IFA_F_PERMANENT) != 0};
	uint8_t family;
	int err = base_family_of(info.ifa_family, &family);
	if (err < 0)
		return err;
	struct slice rest = slice_of(payload.data + sizeof(info), payload.len - sizeof(info));
	struct slice value;
	uint16_t type;
	bool local = false; /* IFA_LOCAL is the address; IFA_ADDRESS is it too, or the other end of a point-to-point link */
	while ((err = next_attribute(&rest, &type, &value)) > 0) {
		if (type != IFA_LOCAL && (type != IFA_ADDRESS || local))
			continue;
		local |= type == IFA_LOCAL;
		err = value_ip(value, family, &address.addr);
		if (err < 0)
			return err;
	}
	if (err < 0)
		return err;
	if (address.addr.family == BASE_FAMILY_NONE)
		return BASE_E_SHORT;
	if (address.prefix > base_addr_ip_bytes(&address.addr) * 8)
		return BASE_E_LENGTH;
	*ret = address;
	return 0;
}

int netlink_parse_link(struct slice payload, struct netlink_link_state *ret) {
	struct ifinfomsg info;

	if (payload.len < sizeof(info))
		return BASE_E_SHORT;
	memcpy(&info, payload.data, sizeof(info));
	struct netlink_link_state state = {.ifindex = (unsigned)info.ifi_index, .up = (info.ifi_flags & IFF_UP) != 0};
	struct slice rest = slice_of(payload.data + sizeof(info), payload.len - sizeof(info));
	struct slice value;
	uint16_t type;
	bool has_mac = false;
	int err;
	while ((err = next_attribute(&rest, &type, &value)) > 0) {
		if (type == IFLA_MTU)
			err = value_u32(value, &state.mtu);
		else if (type == IFLA_ADDRESS && value.len != PROTO_MAC_BYTES)
			err = BASE_E_LENGTH;
		else if (type == IFLA_ADDRESS) {
			state.mac = proto_mac_of(value.data);
			has_mac = true;
		}
		if (err < 0)
			return err;
	}
	if (err < 0)
		return err;
	if (!has_mac || state.mtu == 0)
		return BASE_E_SHORT;
	*ret = state;
	return 0;
}

/* ---- choosing ---- */

bool netlink_route_covers(const struct netlink_route *route, const struct base_addr *dest) {
	return base_addr_same_prefix(&route->dest, dest, route->prefix);
}

static bool has_network(const struct base_addr *addr) {
	return addr->family == BASE_FAMILY_V4 && !base_addr_is_loopback(addr) && !base_addr_is_link_local(addr);
}

bool netlink_same_network(const struct netlink_address *a, const struct netlink_address *b) {
	return has_network(&a->addr) && has_network(&b->addr) &&
	       base_addr_same_prefix(&a->addr, &b->addr, a->prefix < b->prefix ? a->prefix : b->prefix);
}

bool netlink_route_better(const struct netlink_route *a, const struct netlink_route *b) {
	return a->prefix != b->prefix ? a->prefix > b->prefix : a->metric < b->metric;
}

static int address_rank(const struct netlink_address *address) {
	const bool global = address->scope == RT_SCOPE_UNIVERSE && !base_addr_is_link_local(&address->addr);
	const bool v4 = address->addr.family == BASE_FAMILY_V4;

	return (global ? 2 : 0) + (v4 ? 1 : 0);
}

bool netlink_address_better(const struct netlink_address *a, const struct netlink_address *b) {
	return address_rank(a) > address_rank(b);
}
