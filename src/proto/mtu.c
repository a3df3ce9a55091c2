/* proto/mtu.c: MTU arithmetic. */
#include "proto/mtu.h"

#include "base/bytes.h"
#include "base/error.h"
#include "proto/ether.h"
#include "proto/overlay.h"

#define OVERHEAD_BYTES (PROTO_OVERLAY_HEADER_BYTES + PROTO_ETHER_HEADER_BYTES)

_Static_assert(PROTO_BUDGET_MIN == PROTO_TAP_MTU_MIN + OVERHEAD_BYTES, "the smallest budget carries the smallest MTU");

int proto_tap_mtu_from_budget(size_t budget, uint16_t *ret_mtu) {
	size_t mtu;

	if (budget < PROTO_BUDGET_MIN)
		return BASE_E_RANGE;
	mtu = budget - OVERHEAD_BYTES;
	/* IPv6 is worth more than ACKs in the same packet: the headroom never takes the MTU below its minimum. Where the
	 * MTU is below that anyway, no byte is given away. */
	if (mtu >= PROTO_TAP_MTU_IPV6 + PROTO_MTU_HEADROOM)
		mtu -= PROTO_MTU_HEADROOM;
	else if (mtu >= PROTO_TAP_MTU_IPV6)
		mtu = PROTO_TAP_MTU_IPV6;
	*ret_mtu = (uint16_t)(mtu < PROTO_TAP_MTU_MAX ? mtu : PROTO_TAP_MTU_MAX);
	return 0;
}

size_t proto_budget_for_tap_mtu(uint16_t tap_mtu) {
	return (size_t)tap_mtu + OVERHEAD_BYTES;
}

bool proto_tap_mtu_carries_ipv6(uint16_t tap_mtu) {
	return tap_mtu >= PROTO_TAP_MTU_IPV6;
}

size_t proto_frame_bytes_max(uint16_t tap_mtu) {
	return (size_t)tap_mtu + PROTO_ETHER_HEADER_BYTES;
}

bool proto_frame_fits(struct slice frame, uint16_t tap_mtu) {
	size_t max = proto_frame_bytes_max(tap_mtu);

	return frame.len <= max || (frame.len <= max + PROTO_ETHER_VLAN_TAG_BYTES &&
	                            proto_ether_is_vlan_type(base_get_u16(frame.data + 2 * PROTO_MAC_BYTES)));
}
