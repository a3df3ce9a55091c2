/* gateway/limits.h: every cap and interval of the gateway on one page. */
#ifndef GATEWAY_LIMITS_H
#define GATEWAY_LIMITS_H

#include "base/time.h"

/* Remote clients whose MACs we keep: more than a relay puts into one room, so a misbehaving relay can't fill memory. */
#define GATEWAY_REMOTES_MAX 1024

/* LAN addresses the guard protects: a MAC and an IPv4 address each of a /20 full of stations; the longest unseen makes
 * room. */
#define GATEWAY_GUARD_ENTRIES_MAX 8192
/* How many of these addresses one station may hold. There may be one that answers for the whole Internet (proxy ARP),
 * and a remote client may ask it about all of that: it must not push the others out. Stations are counted by a hash, in
 * GATEWAY_GUARD_HOLDERS places. */
#define GATEWAY_GUARD_HELD_MAX 1024
#define GATEWAY_GUARD_HOLDERS 1024
/* How many of them it may have said only in answer to somebody, so that its own addresses, which it says by itself,
 * always find a place. */
#define GATEWAY_GUARD_ANSWERS_MAX (GATEWAY_GUARD_HELD_MAX / 2)
/* How often places that protect nothing any more are looked for, while a station wants one and has none. */
#define GATEWAY_GUARD_TIDY_NS (10 * BASE_SECOND)
/* A binding nobody has refreshed for so long protects nothing any more: short enough that an address which DHCP moves
 * from a LAN machine to a remote one works soon, long enough that routers and busy hosts stay covered. */
#define GATEWAY_GUARD_AGE_NS (120 * BASE_SECOND)
/* For so long after each probe of a LAN machine that wants an address (RFC 5227, RFC 4862) nobody remote may say that
 * it has it, or wants it too: the longest pause between two probes, and after the last, is 2 s. */
#define GATEWAY_GUARD_PROBE_NS (3 * BASE_SECOND)
/* Except whoever has said for so long already that it has the address. A client that lies in wait for newcomers would
 * have to say it of all addresses beforehand, but we remember only so many of each: an honest one has an IPv4 address,
 * perhaps a second one, and a few of IPv6. */
#define GATEWAY_TENURE_NS (10 * BASE_SECOND)
#define GATEWAY_TENURE_IPV4 2
#define GATEWAY_TENURE_IPV6 6
#define GATEWAY_TENURE_HOLDERS 1024
/* A MAC moves far more rarely than an address, and stations may be silent for as long as switches remember them. */
#define GATEWAY_GUARD_STATION_AGE_NS (300 * BASE_SECOND)

/* The guard is told once a second whether the LAN can be heard. After this long without a word the machine was asleep.
 */
#define GATEWAY_GUARD_LATE_NS (5 * BASE_SECOND)

/* How often the guard is told what addresses the gateway's own machine has. */
#define GATEWAY_OWN_ADDRESSES_NS (10 * BASE_SECOND)

/* Of the LAN interface and those upon it, directly or not: a bond, a bridge, its VLANs. */
#define GATEWAY_STOREYS_MAX 32

/* Clients that are told between two checks that they are shut out: the relay bears 20 control messages a second. So
 * many at once are up to no good, and the others may as well not know. */
#define GATEWAY_TOLD_MAX 16

/* Newcomers of which the LAN is told in a time. More than most relays let into a room, and few beside the 8000
 * addresses and more that switches remember for 300 s: a relay that makes up newcomers must not push the LAN's own out.
 */
#define GATEWAY_CAM_NEW_MAX 512
#define GATEWAY_CAM_NEW_NS (60 * BASE_SECOND)

/* Frames or super-frames that leave with one system call. */
#define GATEWAY_WRITE_BATCH 64

#define GATEWAY_SOCKET_BUFFER_BYTES (4 * 1024 * 1024)
/* How often link state and the existence of the interface are looked at. */
#define GATEWAY_PORT_CHECK_NS BASE_SECOND

#endif
