/* obs/counters.h: the one vocabulary of tunnel counters and drop reasons (OBS-2), shared by the stats message, the log
 * lines and the status page. A client, a gateway and each peer of a relay own one struct obs_counters.
 *
 * Balance that tests check: frames in = frames out + the sum of the drops. */
#ifndef OBS_COUNTERS_H
#define OBS_COUNTERS_H

#include <stdint.h>

/* X(NAME, "name"): traffic. "device" is the TAP or the LAN port, "tunnel" the QUIC connection. */
#define OBS_COUNTERS(X)                           \
	X(DEVICE_RX_FRAMES, "device_rx_frames")       \
	X(DEVICE_RX_BYTES, "device_rx_bytes")         \
	X(DEVICE_TX_FRAMES, "device_tx_frames")       \
	X(DEVICE_TX_BYTES, "device_tx_bytes")         \
	X(TUNNEL_RX_DATAGRAMS, "tunnel_rx_datagrams") \
	X(TUNNEL_RX_BYTES, "tunnel_rx_bytes")         \
	X(TUNNEL_TX_DATAGRAMS, "tunnel_tx_datagrams") \
	X(TUNNEL_TX_BYTES, "tunnel_tx_bytes")         \
	X(BROADCASTS_TO_LAN, "broadcasts_to_lan")     \
	X(BROADCASTS_FROM_LAN, "broadcasts_from_lan") \
	X(FORWARDED_COPIES, "forwarded_copies")       \
	X(CAM_REFRESHES, "cam_refreshes")

/* X(NAME, "name"): why a frame or datagram went no further. The first block mirrors the rules of policy/policy.h. */
#define OBS_DROPS(X)                                                                                      \
	X(MALFORMED, "malformed")                                                                             \
	X(INVALID_SOURCE, "invalid_source")                                                                   \
	X(JUMBO, "jumbo")                                                                                     \
	X(SWITCH_CONTROL, "switch_control")                                                                   \
	X(VLAN, "vlan")                                                                                       \
	X(LLC_ENCAPSULATION, "llc_encapsulation")                                                             \
	X(ARP, "arp")                                                                                         \
	X(DHCP4_SERVER, "dhcp4_server")                                                                       \
	X(DHCP6_SERVER, "dhcp6_server")                                                                       \
	X(ROUTER_ADVERTISEMENT, "router_advertisement")                                                       \
	X(IPV6_FRAGMENT, "ipv6_fragment")                                                                     \
	X(IPV6_CHAIN, "ipv6_chain")                                                                           \
	X(IP_MALFORMED, "ip_malformed")                                                                       \
	X(FORGED_SOURCE, "forged_source")     /* not the MAC bound to the sender */                           \
	X(ADDRESS_GUARD, "address_guard")     /* a remote has, claims or asks for what is the LAN's */        \
	X(TAP_MTU, "tap_mtu")                 /* longer than the room's TAP MTU */                            \
	X(DATAGRAM_BUDGET, "datagram_budget") /* over a connection's datagram budget */                       \
	X(BAD_DATAGRAM, "bad_datagram")       /* overlay header that does not decode */                       \
	X(NOT_OPENED, "not_opened")           /* not sealed with the room's key by its sender, or altered */  \
	X(REPLAY, "replay")                   /* a sealed frame that came before, or far too late */          \
	X(UNKNOWN_PEER, "unknown_peer")       /* source peer id nobody announced */                           \
	X(UNKNOWN_UNICAST, "unknown_unicast") /* no such destination in the room */                           \
	X(NOT_FOR_US, "not_for_us")           /* unicast for another station */                               \
	X(LOCAL_UNICAST, "local_unicast")     /* LAN traffic that is for no remote client */                  \
	X(REFLECTION, "reflection")           /* came back to where it was sent from */                       \
	X(NOBODY, "nobody")                   /* no peer to forward to */                                     \
	X(RATE_BROADCAST, "rate_broadcast")                                                                   \
	X(RATE_ROOM_BROADCAST, "rate_room_broadcast") /* of all clients of the room together */               \
	X(RATE_UNKNOWN_UNICAST, "rate_unknown_unicast")                                                       \
	X(RATE_BANDWIDTH, "rate_bandwidth")                                                                   \
	X(QUEUE_FULL, "queue_full")                                                                           \
	X(QUEUE_CODEL, "queue_codel") /* its flow had a standing queue (CoDel, RFC 8289) */                   \
	X(QUEUE_AGE, "queue_age")                                                                             \
	X(NO_BUFFER, "no_buffer")                                                                             \
	X(NOT_JOINED, "not_joined")         /* no room yet, or no longer */                                   \
	X(OFFLOAD, "offload")               /* a super-frame that could not be segmented */                   \
	X(DEVICE_OVERRUN, "device_overrun") /* the kernel's buffer was full because we had not read it yet */ \
	X(DEVICE_FULL, "device_full")       /* TAP or LAN port would not take it */                           \
	X(DEVICE_GONE, "device_gone")       /* there is no LAN port to give it to */

/* clang-format off */
enum obs_counter {
#define OBS_COUNTER_ENUM(name, text) OBS_##name,
	OBS_COUNTERS(OBS_COUNTER_ENUM)
#undef OBS_COUNTER_ENUM
	OBS_COUNTER_COUNT
};

enum obs_drop {
#define OBS_DROP_ENUM(name, text) OBS_DROP_##name,
	OBS_DROPS(OBS_DROP_ENUM)
#undef OBS_DROP_ENUM
	OBS_DROP_COUNT
};
/* clang-format on */

struct obs_counters {
	uint64_t value[OBS_COUNTER_COUNT];
	uint64_t drop[OBS_DROP_COUNT];
};

const char *obs_counter_name(enum obs_counter counter);
const char *obs_drop_name(enum obs_drop drop);
/* The enum value for a name, or -1. */
int obs_counter_find(const char *name);
int obs_drop_find(const char *name);
uint64_t obs_drops_total(const struct obs_counters *counters);

#endif
