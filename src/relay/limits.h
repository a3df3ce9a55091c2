/* relay/limits.h: every bound, timeout and default rate of the relay, each with its reason. Nothing a stranger can make
 * grow is without a line here; what concerns packets before a hello is in quic/server.h. */
#ifndef RELAY_LIMITS_H
#define RELAY_LIMITS_H

#include "base/time.h"
#include "queue/egress.h"

/* A connection that has finished its handshake must say hello within this time: long enough for a lost packet or two on
 * a slow path, short enough that silent connections do not pile up. */
#define RELAY_HELLO_TIMEOUT_NS (5 * BASE_SECOND)
/* Path MTU discovery and acknowledgements are asked about, not announced: this often, while somebody waits for them. */
#define RELAY_POLL_NS (10 * BASE_MS)
/* A reject or disconnect is given this long to be acknowledged before the connection is closed under it. */
#define RELAY_LINGER_NS (500 * BASE_MS)
/* An empty room keeps its TAP MTU and its peer id counter this long, so that the last peer may reconnect (and others
 * may still hold old ids) without the room changing under them. */
#define RELAY_ROOM_GRACE_NS (60 * BASE_SECOND)
/* How long the gateway's seat is kept for a gateway that lost its connection. No longer, since another one may have to
 * stand in for it. */
#define RELAY_GATEWAY_HOLD_NS (30 * BASE_SECOND)
/* How long the gateway of a room is refused because its path does not even carry IPv6: a bad moment must not cost
 * everybody else theirs, and it may have a wider path to another of our addresses. It tries some four times meanwhile;
 * its seat is kept for longer. */
#define RELAY_NARROW_NS (10 * BASE_SECOND)
/* ... and a try so long after the first begins anew: that moment is over. It waits up to 15 s between two tries, before
 * each up to 30 s for the resolver, and then for addresses that do not answer. */
#define RELAY_NARROW_NS_MAX (60 * BASE_SECOND)
/* How long a client's MAC is kept for it. A client that lost its connection may be out of reach for a while, and the
 * LAN's switches and neighbour tables point to its MAC for minutes; one that quit may be about to be started again. */
#define RELAY_CLIENT_HOLD_NS (300 * BASE_SECOND)
#define RELAY_QUIT_HOLD_NS (30 * BASE_SECOND)
/* Seats kept in one room: a full one twice over; 14 KiB, only in rooms that somebody left. */
#define RELAY_HOLDS_MAX 128
/* Frames of a peer that is not asked for datagrams (blocked, or about to time out) are aged at least this often. */
#define RELAY_SWEEP_NS BASE_SECOND

/* Peers and rooms of one slice of a snapshot: some 10 us each, so that a slice is shorter than a turn with frames. */
#define RELAY_SNAPSHOT_ITEMS 16

/* What a LAN station may be silent before its MAC counts as unknown again: the ageing time of a switch (802.1Q-2022
 * section 8.8.3). */
#define RELAY_STATION_AGE_NS (300 * BASE_SECOND)
/* A gateway that knows a client sends frames with the client's MAC only if it knows that a LAN station has that MAC,
 * too. When they come for so long, the relay believes it. Those of a moment were on their way, or went round in the
 * LAN, when the client joined. */
#define RELAY_CLAIM_NS (5 * BASE_SECOND)
/* A longer pause between two of them begins that time anew. Routers ask who has an address more often than that. */
#define RELAY_CLAIM_PAUSE_NS (60 * BASE_SECOND)
/* Learned LAN stations of a room: a LAN of a few hundred hosts fits; a LAN that floods sources only makes the relay
 * treat more destinations as unknown. 1024 * 16 bytes, only in rooms with a gateway. */
#define RELAY_STATIONS_MAX 1024

/* A join takes as many tokens, so that rates of joins are numbers a minute. */
#define RELAY_JOIN_TOKENS 60
/* Buckets of eight bytes for the networks that join, by a keyed hash: when a thousand networks do, one in eight shares
 * its bucket with another. */
#define RELAY_SOURCES 8192

/* Frames a second (or bytes a second for bandwidth). per_second 0: unlimited. */
struct relay_rate {
	uint64_t per_second;
	uint64_t burst;
};

/* Rates and bursts stay below this, so that no product of a rate and a time overflows (limiter.c). */
#define RELAY_RATE_MAX UINT64_C(10000000000)

struct relay_limits {
	size_t peers_max; /* connections the core accepts, joined or not */
	/* Those of one IPv4 address or IPv6 /56: a venue behind one NAT fits, one host cannot lock everybody out. */
	size_t address_peers_max;
	size_t rooms_max;
	size_t room_peers_max;
	uint16_t room_mtu_max;
	size_t pool_frames;
	struct queue_egress_limits egress;
	struct relay_rate control;           /* messages from one peer */
	struct relay_rate malformed;         /* undecodable datagrams before the peer is disconnected */
	struct relay_rate broadcast;         /* group frames from one client */
	struct relay_rate gateway_broadcast; /* group frames from the gateway */
	struct relay_rate room_broadcast;    /* copies of group frames from all clients of a room; half in even parts */
	struct relay_rate unknown_unicast;   /* from one client to stations never heard */
	struct relay_rate bandwidth;         /* bytes from one client */
	/* These two in joins a minute: each takes RELAY_JOIN_TOKENS. */
	struct relay_rate room_joins;    /* of peers that are new to a room */
	struct relay_rate address_joins; /* of all hellos from one IPv4 address or IPv6 /56, with those that are refused;
	                                  * and of the returns to one seat, counted apart */
};

/* Each limit with its reason, on lines of their own. */
/* clang-format off */
#define RELAY_LIMITS_DEFAULT {                                                                                         \
	/* 50 KiB each before the hello, most of it QUIC's and TLS's: 200 MiB; the same number as in quic/server.h */      \
	.peers_max = 4096,                                                                                                 \
	.address_peers_max = 256,                                                                                          \
	.rooms_max = 1024,                                                                                                 \
	/* A broadcast costs one encryption a peer; LAN parties are smaller. */                                            \
	.room_peers_max = 64,                                                                                              \
	/* 1366 bytes of budget fit UDP payloads of 1406, which PPPoE, DS-Lite and common VPN paths still carry: a first   \
	 * peer on a perfect path must not lock out the others. */                                                         \
	.room_mtu_max = 1344,                                                                                              \
	/* 26 MiB when all are used. Half is a reserve in even parts; of the other half a room may take at most half, a    \
	 * peer a third (egress.c). */                                                                                     \
	.pool_frames = 16384,                                                                                              \
	/* An older game frame is worthless, and TCP should hear early that the path is full. Four times as much in frames \
	 * and bytes carried no more. */                                                                                   \
	.egress = {.frames_max = 1024, .bytes_max = 1024 * 1024, .age_ns_max = 200 * BASE_MS},                             \
	/* A peer sends hello, stats every 10 s and disconnect. */                                                         \
	.control = {.per_second = 20, .burst = 50},                                                                        \
	/* Bit errors do not pass QUIC's authentication: whoever sends 64 in 10 s is broken or hostile. */                 \
	.malformed = {.per_second = 6, .burst = 64},                                                                       \
	/* Old IPX games broadcast every tick: 35 a second and player. Discovery comes in bursts. */                       \
	.broadcast = {.per_second = 300, .burst = 600},                                                                    \
	/* A whole LAN's ARP, mDNS and discovery; a video multicast must not fill every player's downlink. */              \
	.gateway_broadcast = {.per_second = 2000, .burst = 4000},                                                          \
	/* 64 players of old games make 141,120 copies a second, the most that honest people ask for; 64 who send          \
	 * what each of them may, 1.2 million: more than a shard can make, which has other rooms too. */                   \
	.room_broadcast = {.per_second = 150000, .burst = 300000},                                                         \
	/* A station is unknown until its first frame comes through the gateway, one round trip after ARP. The burst       \
	 * carries a running download over the moment after a gateway's reconnect. */                                      \
	.unknown_unicast = {.per_second = 1000, .burst = 1000},                                                            \
	/* Unlimited: QUIC's congestion control already shares the relay's line. */                                        \
	.bandwidth = {.per_second = 0, .burst = 0},                                                                        \
	/* Every join shows a new MAC to the LAN's switches. 240 at once and 120 a minute are 840 in the 300 s for which a \
	 * switch remembers them: less than the smallest have room for. A relay that was started again is joined by whole  \
	 * rooms at once. */                                                                                               \
	.room_joins = {.per_second = 120, .burst = 240 * RELAY_JOIN_TOKENS},                                               \
	/* Half of it, so that one stranger with the room's code does not keep others out; a whole room behind one NAT     \
	 * comes in at once all the same. */                                                                               \
	.address_joins = {.per_second = 60, .burst = 120 * RELAY_JOIN_TOKENS},                                             \
}
/* clang-format on */

#endif
