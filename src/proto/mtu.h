/* proto/mtu.h: from a QUIC DATAGRAM budget to the MTU of the tunnel interface and back.
 *
 *   budget  = largest DATAGRAM payload a connection can always carry
 *   TAP MTU = largest layer-3 packet = budget - overlay header (8) - Ethernet header (14) - headroom
 *
 * The headroom lets a pending QUIC ACK ride in the same packet as a full frame; it shrinks to nothing rather than push
 * the TAP MTU under IPv6's 1280. */
#ifndef PROTO_MTU_H
#define PROTO_MTU_H

#include "base/slice.h"

#define PROTO_TAP_MTU_MIN 576   /* RFC 1122 section 3.3.3: what every IPv4 host must take */
#define PROTO_TAP_MTU_IPV6 1280 /* RFC 8200 section 5 */
#define PROTO_TAP_MTU_MAX 1500  /* Ethernet */
#define PROTO_MTU_HEADROOM 12
#define PROTO_BUDGET_MIN (PROTO_TAP_MTU_MIN + 22)
#define PROTO_BUDGET_MAX 65535

/* The TAP MTU for a budget, capped at PROTO_TAP_MTU_MAX. 0 or BASE_E_RANGE when not even PROTO_TAP_MTU_MIN fits. */
int proto_tap_mtu_from_budget(size_t budget, uint16_t *ret_mtu);
/* The smallest budget that carries every frame of this TAP MTU (no headroom). */
size_t proto_budget_for_tap_mtu(uint16_t tap_mtu);
/* Whether IPv6 can work on it. */
bool proto_tap_mtu_carries_ipv6(uint16_t tap_mtu);
/* Largest untagged frame (bytes with Ethernet header) for a TAP MTU. */
size_t proto_frame_bytes_max(uint16_t tap_mtu);
/* Whether a frame is within the TAP MTU. One with a VLAN tag may be PROTO_ETHER_VLAN_TAG_BYTES longer, as on any
 * switch; the datagram budget must still carry that. Reads nothing behind the Ethernet header. */
bool proto_frame_fits(struct slice frame, uint16_t tap_mtu);

#endif
