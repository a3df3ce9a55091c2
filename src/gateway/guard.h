/* gateway/guard.h: the address guard: a remote client is a stranger on somebody's LAN and must not take over the IP
 * address of the router or of another LAN machine by ARP or neighbour discovery. Pure.
 *
 * It remembers which IPv4 and IPv6 addresses the LAN's own stations hold: learnt from their ARP and neighbour
 * discovery (claim.h), kept fresh by every packet of theirs that the gateway bridges. A remote frame that claims such
 * an address is refused; claims nobody contradicts pass, so do address probes (RFC 5227, duplicate address detection),
 * which claim nothing. For a moment after such a probe of a LAN station the address is its: or a remote client could
 * claim whatever a newcomer asks for. One that has claimed it for a while may go on (tenure.h). A binding unseen for
 * GATEWAY_GUARD_AGE_NS ends, so that an address may really move; that of an IPv6 router, which may advertise itself
 * every half hour only, not before its router lifetime.
 *
 * The same table holds the LAN stations' MACs: a remote client that chose the router's would draw the whole LAN's
 * traffic to the gateway's switch port, so it stays outside while the LAN's own station is heard.
 *
 * It protects LAN stations, nothing more: it does not tie a remote client to one address. */
#ifndef GATEWAY_GUARD_H
#define GATEWAY_GUARD_H

#include "proto/ether.h"

struct gateway_guard;

/* NULL when memory is out. */
struct gateway_guard *gateway_guard_new(const uint64_t seed[static 2]);
void gateway_guard_free(struct gateway_guard *guard); /* accepts NULL */

/* A frame of a LAN station that came in through the LAN port. Neighbour discovery that a router has passed on teaches
 * nothing. */
void gateway_guard_learn(struct gateway_guard *guard, const struct proto_ether *ether, uint64_t now);
/* Protects an IP address of the gateway's own machine, 4 or 16 bytes. It cannot be learnt, since what that machine
 * sends does not come in through the port. */
void gateway_guard_hold(struct gateway_guard *guard, struct slice ip, uint64_t now);
/* False when this frame of a remote client
 * - claims an address that a LAN station of another MAC holds or wants, be it to its neighbours or to the DHCP server;
 * - asks whether an address is free while such a station asks the same;
 * - asks the LAN's DHCP server for something on behalf of another machine: in that way a stranger could use up all
 *   leases, or give back those of LAN machines. */
bool gateway_guard_allows(struct gateway_guard *guard, const struct proto_ether *ether, uint64_t now);
size_t gateway_guard_count(const struct gateway_guard *guard);

/* Once a second or so: whether stations can be heard from now on. While they cannot, or nobody says that they can (the
 * machine slept), nothing grows old: that is no silence of theirs. Of who is never told, all can be heard. */
void gateway_guard_tell(struct gateway_guard *guard, bool hears, uint64_t now);

/* The source of a frame that came in through the LAN port, or the port's own MAC. */
void gateway_guard_hear(struct gateway_guard *guard, struct proto_mac station, uint64_t now);
/* True while a LAN station with this MAC was heard within GATEWAY_GUARD_STATION_AGE_NS of listening. */
bool gateway_guard_on_lan(const struct gateway_guard *guard, struct proto_mac mac, uint64_t now);

#endif
