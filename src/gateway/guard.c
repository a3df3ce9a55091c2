/* gateway/guard.c: a bounded table of bindings in order of last sight. Entries live in one array; the hash table finds
 * them by address, the list keeps the longest unseen first. */
#include "gateway/guard.h"

#include "base/error.h"
#include "base/list.h"
#include "base/map.h"
#include "gateway/limits.h"
#include "gateway/tenure.h"
#include "proto/ip.h"

#include <stdlib.h>
#include <string.h>

enum { IPV6_HOP_LIMIT = 7, HOP_LIMIT_MAX = 255 };

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
	bool hears; /* as it was told at told_at, when its clock stood at `clock` */
	uint64_t told_at, clock;
	size_t used; /* entries handed out so far */
	struct binding entries[GATEWAY_GUARD_ENTRIES_MAX];
};

static struct slice claim_key(const struct gateway_claim *claim) {
	return slice_of(claim->key, sizeof(claim->key));
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
	return gateway_claim_kind(claim) != GATEWAY_CLAIM_MAC;
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

/* Every time in the table is of this clock, which goes on only while stations can be heard, and never back. */
static uint64_t clock_of(const struct gateway_guard *guard, uint64_t now) {
	const uint64_t since = now - guard->told_at;

	if (guard->told_at == 0)
		return now;
	if (!guard->hears)
		return guard->clock;
	return guard->clock + (since < GATEWAY_GUARD_LATE_NS ? since : GATEWAY_GUARD_LATE_NS);
}

void gateway_guard_tell(struct gateway_guard *guard, bool hears, uint64_t now) {
	guard->clock = clock_of(guard, now);
	guard->told_at = now;
	guard->hears = hears;
}

/* False for what is no station's address. */
static bool claim_of_station(struct proto_mac mac, struct gateway_claim *ret) {
	return !proto_mac_is_group(mac) && gateway_claim_of(slice_of(mac.b, sizeof(mac.b)), ret);
}

void gateway_guard_hear(struct gateway_guard *guard, struct proto_mac station, uint64_t now) {
	struct gateway_claim claim;

	if (claim_of_station(station, &claim))
		bind(guard, &claim, station, clock_of(guard, now));
}

bool gateway_guard_on_lan(const struct gateway_guard *guard, struct proto_mac mac, uint64_t now) {
	struct gateway_claim claim;
	const struct binding *binding = claim_of_station(mac, &claim) ? find(guard, &claim) : NULL;

	return binding != NULL && clock_of(guard, now) - binding->last_seen < GATEWAY_GUARD_STATION_AGE_NS;
}

/* No host heeds neighbour discovery that a router has passed on (RFC 4861 section 7.1). It is anybody's: a remote
 * client that sends it through the LAN's router has it come in from a LAN station. */
static bool is_of_this_link(const struct proto_ether *ether) {
	return ether->type != PROTO_ETHERTYPE_IPV6 || ether->payload.len < PROTO_IPV6_HEADER_BYTES ||
	       ether->payload.data[IPV6_HOP_LIMIT] == HOP_LIMIT_MAX;
}

void gateway_guard_learn(struct gateway_guard *guard, const struct proto_ether *ether, uint64_t now) {
	const bool of_this_link = is_of_this_link(ether);
	struct gateway_claim claim;

	now = clock_of(guard, now);
	if (of_this_link && gateway_claim_parse(ether, &claim)) {
		bind(guard, &claim, ether->src, now);
		return;
	}
	if (of_this_link && gateway_claim_probe(ether, &claim))
		want(guard, &claim, ether->src, now);
	struct binding *known = gateway_claim_source(ether, &claim) ? find(guard, &claim) : NULL;
	if (known != NULL && proto_mac_equal(known->mac, ether->src)) {
		known->wanted = false; /* it uses it */
		see(guard, known, now);
	}
}

void gateway_guard_hold(struct gateway_guard *guard, struct slice ip, uint64_t now) {
	const struct proto_mac nobody_else = {{0}};
	struct gateway_claim claim;

	if (gateway_claim_of(ip, &claim) && is_ip(&claim))
		bind(guard, &claim, nobody_else, clock_of(guard, now));
}

/* Whether a remote client may claim an address of which the LAN has said something, or ask whether it is free. */
static bool may_say_of(struct gateway_guard *guard, const struct binding *binding, struct proto_mac client,
                       bool is_probe, uint64_t now) {
	/* A gateway that waited for another one's seat on the same LAN has heard that one's clients as stations. */
	if (proto_mac_equal(binding->mac, client))
		return true;
	/* Who asks for a taken address gets its owner's answer. */
	if (!binding->wanted && protects(binding, now))
		return is_probe;
	return now >= binding->wanted_until || gateway_tenure_has(guard->of_remotes, &binding->claim, client, now);
}

static bool may_say(struct gateway_guard *guard, const struct gateway_claim *claim, struct proto_mac client,
                    bool is_probe, uint64_t now) {
	const struct binding *binding = find(guard, claim);

	return binding == NULL || may_say_of(guard, binding, client, is_probe, now);
}

bool gateway_guard_allows(struct gateway_guard *guard, const struct proto_ether *ether, uint64_t now) {
	struct gateway_dhcp_request request;
	struct gateway_claim claim;

	now = clock_of(guard, now);
	/* Its owner does not hear what is said to the DHCP server alone, so that it is no claim of long standing. */
	if (gateway_dhcp_parse(ether, &request))
		return request.is_honest && (!request.has_address || may_say(guard, &request.address, ether->src, false, now));
	if (!gateway_claim_parse(ether, &claim))
		return !gateway_claim_probe(ether, &claim) || may_say(guard, &claim, ether->src, true, now);
	if (!may_say(guard, &claim, ether->src, false, now))
		return false;
	gateway_tenure_note(guard->of_remotes, &claim, ether->src, now);
	return true;
}

size_t gateway_guard_count(const struct gateway_guard *guard) {
	return guard->by_address.len;
}
