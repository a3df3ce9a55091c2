/* gateway/guard.c: a bounded table of bindings in order of last sight. Entries live in one array; the hash table finds
 * them by address, the list keeps the longest unseen first. */
#include "gateway/guard.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/list.h"
#include "base/map.h"
#include "gateway/limits.h"
#include "gateway/tenure.h"
#include "proto/ip.h"

#include <stdlib.h>
#include <string.h>

enum { ARP_OPERATION = 6, ARP_SENDER_IP = 14, ARP_TARGET_IP = 24, ARP_BYTES = 28, ARP_REPLY = 2 };
enum { IPV4_FRAGMENT = 6, IPV4_PROTOCOL = 9, IPV4_SOURCE = 12 };
enum { IPV4_MORE = 0x2000, IPV4_OFFSET_MASK = 0x1fff, PORT_DHCP_SERVER = 67 };
enum { BOOTP_CLIENT_IP = 12, BOOTP_RELAY_AGENT = 24, BOOTP_MAC = 28, BOOTP_BYTES = 236 }; /* RFC 951, without options */
enum { IPV6_HOP_LIMIT = 7, IPV6_SOURCE = 8, HOP_LIMIT_MAX = 255 };
enum { ND_ROUTER_SOLICIT = 133, ND_ROUTER_ADVERT = 134, ND_NEIGHBOUR_SOLICIT = 135, ND_NEIGHBOUR_ADVERT = 136 };
enum { ND_ROUTER_LIFETIME = 6, ND_ROUTER_BYTES = 8, ND_TARGET = 8, ND_TARGET_BYTES = 24 };

struct binding {
	struct gateway_claim claim;
	bool wanted;           /* nobody has said that it has it, but a LAN machine has asked whether it is free */
	uint64_t wanted_until; /* so long that one may not be disturbed */
	struct proto_mac mac;
	uint64_t last_seen;
	uint64_t router_until; /* 0: no router */
	struct base_map_node node;
	struct base_list order;
};

struct gateway_guard {
	struct base_map by_address;
	struct gateway_tenure *of_remotes;
	uint64_t seed[2];
	uint16_t held[GATEWAY_GUARD_HOLDERS]; /* IP addresses, by hash of the station's MAC */
	struct base_list order;               /* longest unseen first */
	struct base_list unused;              /* entries that were handed back */
	uint64_t tidy_due;
	size_t used; /* entries handed out so far */
	struct binding entries[GATEWAY_GUARD_ENTRIES_MAX];
};

static struct slice claim_key(const struct gateway_claim *claim) {
	return slice_of(claim->key, sizeof(claim->key));
}

/* False for the unspecified address, which claims nothing. */
static bool claim_of(uint8_t family, const uint8_t *ip, size_t len, struct gateway_claim *ret) {
	struct gateway_claim claim = {.key = {family}};

	memcpy(claim.key + 1, ip, len);
	const struct gateway_claim nothing = {.key = {family}};
	if (memcmp(claim.key, nothing.key, sizeof(claim.key)) == 0)
		return false;
	*ret = claim;
	return true;
}

static bool is_arp_for_ipv4(struct slice arp) {
	static const uint8_t ethernet_ipv4[6] = {0, 1, 8, 0, 6, 4};

	return arp.len >= ARP_BYTES && memcmp(arp.data, ethernet_ipv4, sizeof(ethernet_ipv4)) == 0;
}

static bool claim_of_arp(struct slice arp, struct gateway_claim *ret) {
	if (!is_arp_for_ipv4(arp))
		return false;
	if (!claim_of(4, arp.data + ARP_SENDER_IP, 4, ret))
		return false;
	ret->is_answer = base_get_u16(arp.data + ARP_OPERATION) == ARP_REPLY;
	return true;
}

/* Behind any extension headers, where a claim may hide. Empty when there is none. */
static struct slice icmpv6_of(struct slice ip) {
	struct slice payload;
	uint8_t protocol;

	return proto_ipv6_payload(ip, &protocol, &payload) == 0 && protocol == PROTO_IP_ICMP6 ? payload : slice_of(NULL, 0);
}

static bool claim_of_ipv6(struct slice ip, struct gateway_claim *ret) {
	struct slice icmp = icmpv6_of(ip);

	if (icmp.len == 0)
		return false;
	switch (icmp.data[0]) {
	case ND_ROUTER_ADVERT:
		if (!claim_of(6, ip.data + IPV6_SOURCE, 16, ret))
			return false;
		if (icmp.len >= ND_ROUTER_BYTES)
			ret->router_seconds = base_get_u16(icmp.data + ND_ROUTER_LIFETIME);
		return true;
	case ND_ROUTER_SOLICIT:
	case ND_NEIGHBOUR_SOLICIT:
		return claim_of(6, ip.data + IPV6_SOURCE, 16, ret);
	case ND_NEIGHBOUR_ADVERT:
		if (icmp.len < ND_TARGET_BYTES || !claim_of(6, icmp.data + ND_TARGET, 16, ret))
			return false;
		ret->is_answer = true;
		return true;
	default:
		return false;
	}
}

bool gateway_claim_parse(const struct proto_ether *ether, struct gateway_claim *ret) {
	if (ether->is_length)
		return false;
	switch (ether->type) {
	case PROTO_ETHERTYPE_ARP:
		return claim_of_arp(ether->payload, ret);
	case PROTO_ETHERTYPE_IPV6:
		return claim_of_ipv6(ether->payload, ret);
	default:
		return false;
	}
}

/* What somebody asks for who claims nothing: is this address free? */
static bool probe_parse(const struct proto_ether *ether, struct gateway_claim *ret) {
	struct slice icmp;

	if (ether->is_length)
		return false;
	if (ether->type == PROTO_ETHERTYPE_ARP)
		return is_arp_for_ipv4(ether->payload) && claim_of(4, ether->payload.data + ARP_TARGET_IP, 4, ret);
	if (ether->type != PROTO_ETHERTYPE_IPV6)
		return false;
	icmp = icmpv6_of(ether->payload);
	return icmp.len >= ND_TARGET_BYTES && icmp.data[0] == ND_NEIGHBOUR_SOLICIT &&
	       claim_of(6, icmp.data + ND_TARGET, 16, ret);
}

/* The source address of an ordinary packet: it refreshes a binding but makes none, since a router sends from the whole
 * Internet's addresses. */
static bool source_of(const struct proto_ether *ether, struct gateway_claim *ret) {
	if (ether->is_length)
		return false;
	if (ether->type == PROTO_ETHERTYPE_IPV4 && ether->payload.len >= PROTO_IPV4_HEADER_MIN)
		return claim_of(4, ether->payload.data + IPV4_SOURCE, 4, ret);
	if (ether->type == PROTO_ETHERTYPE_IPV6 && ether->payload.len >= PROTO_IPV6_HEADER_BYTES)
		return claim_of(6, ether->payload.data + IPV6_SOURCE, 16, ret);
	return false;
}

struct gateway_guard *gateway_guard_new(const uint64_t seed[static 2]) {
	struct gateway_guard *guard = calloc(1, sizeof(*guard));

	if (guard == NULL)
		return NULL;
	base_list_init(&guard->order);
	base_list_init(&guard->unused);
	memcpy(guard->seed, seed, sizeof(guard->seed));
	guard->of_remotes = gateway_tenure_new(seed);
	if (base_map_init(&guard->by_address, seed) < 0 || guard->of_remotes == NULL) {
		gateway_guard_free(guard);
		return NULL;
	}
	return guard;
}

void gateway_guard_free(struct gateway_guard *guard) {
	if (guard == NULL)
		return;
	base_map_done(&guard->by_address);
	gateway_tenure_free(guard->of_remotes);
	free(guard);
}

static struct binding *find(const struct gateway_guard *guard, const struct gateway_claim *claim) {
	struct base_map_node *node = base_map_find(&guard->by_address, claim_key(claim));

	return node == NULL ? NULL : BASE_CONTAINER(node, struct binding, node);
}

static uint16_t *held_by(struct gateway_guard *guard, struct proto_mac mac) {
	return &guard->held[base_siphash13(guard->seed, slice_of(mac.b, sizeof(mac.b))) % GATEWAY_GUARD_HOLDERS];
}

static bool is_ip(const struct gateway_claim *claim) {
	return claim->key[0] != 2;
}

/* It stays in the table, for another station or another address. */
static void take_from_station(struct gateway_guard *guard, const struct binding *binding) {
	if (is_ip(&binding->claim))
		(*held_by(guard, binding->mac))--;
}

static void give_to_station(struct gateway_guard *guard, struct binding *binding, struct proto_mac mac) {
	binding->mac = mac;
	binding->router_until = 0;
	if (is_ip(&binding->claim))
		(*held_by(guard, mac))++;
}

static bool protects(const struct binding *binding, uint64_t now) {
	return now - binding->last_seen < GATEWAY_GUARD_AGE_NS || now < binding->router_until;
}

/* What stations that hold much no longer hold makes room for what they hold now. */
static void forget_stale(struct gateway_guard *guard, uint64_t now) {
	for (struct base_list *item = guard->order.next, *next; item != &guard->order; item = next) {
		struct binding *binding = BASE_CONTAINER(item, struct binding, order);

		next = item->next;
		if (now - binding->last_seen < GATEWAY_GUARD_AGE_NS)
			return; /* so are all that follow */
		if (!is_ip(&binding->claim) || protects(binding, now) ||
		    *held_by(guard, binding->mac) <= GATEWAY_GUARD_ANSWERS_MAX / 2)
			continue;
		base_map_remove(&guard->by_address, &binding->node);
		take_from_station(guard, binding);
		base_list_remove(&binding->order);
		base_list_append(&guard->unused, &binding->order);
	}
}

static bool has_place(struct gateway_guard *guard, const struct gateway_claim *claim, struct proto_mac mac,
                      uint64_t now) {
	const uint16_t *held = held_by(guard, mac);
	const uint16_t most = claim->is_answer ? GATEWAY_GUARD_ANSWERS_MAX : GATEWAY_GUARD_HELD_MAX;

	if (!is_ip(claim) || *held < most)
		return true;
	if (now < guard->tidy_due)
		return false;
	guard->tidy_due = now + GATEWAY_GUARD_TIDY_NS;
	forget_stale(guard, now);
	return *held < most;
}

/* A fresh entry, or the one unseen for the longest. */
static struct binding *take_entry(struct gateway_guard *guard) {
	if (!base_list_empty(&guard->unused)) {
		struct binding *entry = BASE_CONTAINER(guard->unused.next, struct binding, order);
		base_list_remove(&entry->order);
		return entry;
	}
	if (guard->used < GATEWAY_GUARD_ENTRIES_MAX) {
		struct binding *entry = &guard->entries[guard->used++];
		base_list_init(&entry->order);
		return entry;
	}
	struct binding *oldest = BASE_CONTAINER(guard->order.next, struct binding, order);
	base_map_remove(&guard->by_address, &oldest->node);
	take_from_station(guard, oldest);
	return oldest;
}

static void see(struct gateway_guard *guard, struct binding *binding, uint64_t now) {
	binding->last_seen = now;
	base_list_remove(&binding->order);
	base_list_append(&guard->order, &binding->order);
}

/* The binding is this station's from now on; NULL when there is no place. */
static struct binding *take(struct gateway_guard *guard, const struct gateway_claim *claim, struct proto_mac mac,
                            uint64_t now) {
	struct binding *binding = find(guard, claim);

	if (binding == NULL) {
		if (!has_place(guard, claim, mac, now))
			return NULL;
		binding = take_entry(guard);
		binding->claim = *claim;
		binding->wanted = false;
		binding->wanted_until = 0;
		/* The key is new and the node free, so the insert can't fail. */
		(void)base_map_insert(&guard->by_address, &binding->node, claim_key(&binding->claim));
		give_to_station(guard, binding, mac);
	} else if (!proto_mac_equal(binding->mac, mac)) {
		take_from_station(guard, binding);
		give_to_station(guard, binding, mac);
	}
	see(guard, binding, now);
	return binding;
}

static void bind(struct gateway_guard *guard, const struct gateway_claim *claim, struct proto_mac mac, uint64_t now) {
	struct binding *binding = take(guard, claim, mac, now);

	if (binding == NULL)
		return;
	binding->wanted = false;
	if (claim->router_seconds > 0)
		binding->router_until = now + claim->router_seconds * BASE_SECOND;
}

/* A LAN machine looks whether it can have an address. One that another has, or had, stays that one's. */
static void want(struct gateway_guard *guard, const struct gateway_claim *claim, struct proto_mac mac, uint64_t now) {
	struct binding *binding = find(guard, claim);
	bool is_new = binding == NULL;

	if (is_new || binding->wanted)
		binding = take(guard, claim, mac, now);
	if (binding == NULL)
		return;
	binding->wanted = binding->wanted || is_new;
	binding->wanted_until = now + GATEWAY_GUARD_PROBE_NS;
}

/* False for what is no station's address. */
static bool claim_of_station(struct proto_mac mac, struct gateway_claim *ret) {
	return !proto_mac_is_group(mac) && claim_of(2, mac.b, sizeof(mac.b), ret);
}

void gateway_guard_hear(struct gateway_guard *guard, struct proto_mac station, uint64_t now) {
	struct gateway_claim claim;

	if (claim_of_station(station, &claim))
		bind(guard, &claim, station, now);
}

bool gateway_guard_on_lan(const struct gateway_guard *guard, struct proto_mac mac, uint64_t now) {
	struct gateway_claim claim;
	const struct binding *binding = claim_of_station(mac, &claim) ? find(guard, &claim) : NULL;

	return binding != NULL && now - binding->last_seen < GATEWAY_GUARD_STATION_AGE_NS;
}

/* No host heeds neighbour discovery that a router has passed on (RFC 4861 section 7.1). It is anybody's: a remote
 * client that sends it through the LAN's router has it come in from a LAN station. */
static bool is_of_this_link(const struct proto_ether *ether) {
	return ether->is_length || ether->type != PROTO_ETHERTYPE_IPV6 || ether->payload.len < PROTO_IPV6_HEADER_BYTES ||
	       ether->payload.data[IPV6_HOP_LIMIT] == HOP_LIMIT_MAX;
}

void gateway_guard_learn(struct gateway_guard *guard, const struct proto_ether *ether, uint64_t now) {
	struct gateway_claim claim;

	if (!is_of_this_link(ether) || !gateway_claim_parse(ether, &claim)) {
		if (is_of_this_link(ether) && probe_parse(ether, &claim))
			want(guard, &claim, ether->src, now);
		struct binding *known = source_of(ether, &claim) ? find(guard, &claim) : NULL;
		if (known != NULL && proto_mac_equal(known->mac, ether->src)) {
			known->wanted = false; /* it uses it */
			see(guard, known, now);
		}
		return;
	}
	bind(guard, &claim, ether->src, now);
}

void gateway_guard_hold(struct gateway_guard *guard, struct slice ip, uint64_t now) {
	const struct proto_mac nobody_else = {{0}};
	struct gateway_claim claim;

	if ((ip.len == 4 || ip.len == 16) && claim_of(ip.len == 4 ? 4 : 6, ip.data, ip.len, &claim))
		bind(guard, &claim, nobody_else, now);
}

/* Where a DHCP request begins in the payload, if it is one; else 0. Policy has looked at the IP header. */
static size_t dhcp_request_offset(const struct proto_ether *ether) {
	const uint8_t *p = ether->payload.data;

	if (ether->is_length || ether->type != PROTO_ETHERTYPE_IPV4 || ether->payload.len < PROTO_IPV4_HEADER_MIN ||
	    p[IPV4_PROTOCOL] != PROTO_IP_UDP || (base_get_u16(p + IPV4_FRAGMENT) & IPV4_OFFSET_MASK) != 0)
		return 0;
	size_t bootp = (size_t)(p[0] & 0x0f) * 4 + PROTO_UDP_HEADER_BYTES;
	if (bootp > ether->payload.len || base_get_u16(p + bootp - PROTO_UDP_HEADER_BYTES + 2) != PORT_DHCP_SERVER)
		return 0;
	return bootp;
}

/* What DHCP snooping asks of a switch's stations: a request speaks of the machine that sends it, whole and through no
 * relay agent. */
static bool is_honest_dhcp_request(const struct proto_ether *ether, size_t bootp) {
	const uint8_t *p = ether->payload.data;

	return (base_get_u16(p + IPV4_FRAGMENT) & IPV4_MORE) == 0 && ether->payload.len - bootp >= BOOTP_BYTES &&
	       base_get_u32(p + bootp + BOOTP_RELAY_AGENT) == 0 &&
	       proto_mac_equal(proto_mac_of(p + bootp + BOOTP_MAC), ether->src);
}

/* Whether a remote client may claim an address of which the LAN has said something, or ask whether it is free. */
static bool may_say(struct gateway_guard *guard, const struct binding *binding, struct proto_mac client, bool is_probe,
                    uint64_t now) {
	/* A gateway that waited for another one's seat on the same LAN has heard that one's clients as stations. */
	if (proto_mac_equal(binding->mac, client))
		return true;
	/* Who asks for a taken address gets its owner's answer. */
	if (!binding->wanted && protects(binding, now))
		return is_probe;
	return now >= binding->wanted_until || gateway_tenure_has(guard->of_remotes, &binding->claim, client, now);
}

bool gateway_guard_allows(struct gateway_guard *guard, const struct proto_ether *ether, uint64_t now) {
	const size_t bootp = dhcp_request_offset(ether);
	struct gateway_claim claim;
	bool is_probe = false;

	if (bootp > 0 && !is_honest_dhcp_request(ether, bootp))
		return false;
	/* Who renews or gives back a lease says that the address is its own; servers look for the lease by the client
	 * identifier, which anybody may have read in its owner's broadcasts. */
	if (bootp > 0 ? !claim_of(4, ether->payload.data + bootp + BOOTP_CLIENT_IP, 4, &claim)
	              : !gateway_claim_parse(ether, &claim)) {
		is_probe = bootp == 0 && probe_parse(ether, &claim);
		if (!is_probe)
			return true;
	}
	const struct binding *binding = find(guard, &claim);
	if (binding != NULL && !may_say(guard, binding, ether->src, is_probe, now))
		return false;
	/* Not what is said to the DHCP server alone, where its owner does not hear it. */
	if (!is_probe && bootp == 0)
		gateway_tenure_note(guard->of_remotes, &claim, ether->src, now);
	return true;
}

size_t gateway_guard_count(const struct gateway_guard *guard) {
	return guard->by_address.len;
}
