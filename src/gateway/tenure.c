/* gateway/tenure.c: a few places for each hash of a client. Two clients that share them lose nothing but that. */
#include "gateway/tenure.h"

#include "base/map.h"
#include "gateway/limits.h"

#include <stdlib.h>
#include <string.h>

struct tenancy {
	struct gateway_claim claim;
	struct proto_mac client;
	uint64_t since, last; /* it was claimed; `last` 0: nothing is here */
};

struct holder {
	struct tenancy ipv4[GATEWAY_TENURE_IPV4], ipv6[GATEWAY_TENURE_IPV6];
};

struct gateway_tenure {
	uint64_t seed[2];
	struct holder holders[GATEWAY_TENURE_HOLDERS];
};

struct gateway_tenure *gateway_tenure_new(const uint64_t seed[static 2]) {
	struct gateway_tenure *tenure = calloc(1, sizeof(*tenure));

	if (tenure != NULL)
		memcpy(tenure->seed, seed, sizeof(tenure->seed));
	return tenure;
}

void gateway_tenure_free(struct gateway_tenure *tenure) {
	free(tenure);
}

/* The places for such an address, and how many there are. */
static struct tenancy *places_of(struct gateway_tenure *tenure, const struct gateway_claim *claim,
                                 struct proto_mac client, size_t *ret_count) {
	uint64_t hash = base_siphash13(tenure->seed, slice_of(client.b, sizeof(client.b)));
	struct holder *holder = &tenure->holders[hash % GATEWAY_TENURE_HOLDERS];
	bool is_ipv4 = gateway_claim_kind(claim) == GATEWAY_CLAIM_IPV4;

	*ret_count = is_ipv4 ? GATEWAY_TENURE_IPV4 : GATEWAY_TENURE_IPV6;
	return is_ipv4 ? holder->ipv4 : holder->ipv6;
}

static bool is_of(const struct tenancy *place, const struct gateway_claim *claim, struct proto_mac client) {
	return place->last != 0 && memcmp(place->claim.key, claim->key, sizeof(claim->key)) == 0 &&
	       proto_mac_equal(place->client, client);
}

void gateway_tenure_note(struct gateway_tenure *tenure, const struct gateway_claim *claim, struct proto_mac client,
                         uint64_t now) {
	size_t count;
	struct tenancy *places = places_of(tenure, claim, client, &count), *place = &places[0];

	for (size_t i = 0; i < count && !is_of(place, claim, client); i++) {
		if (is_of(&places[i], claim, client) || places[i].last < place->last)
			place = &places[i];
	}
	if (!is_of(place, claim, client))
		*place = (struct tenancy){.claim = *claim, .client = client, .since = now};
	place->last = now;
}

bool gateway_tenure_has(struct gateway_tenure *tenure, const struct gateway_claim *claim, struct proto_mac client,
                        uint64_t now) {
	size_t count;
	const struct tenancy *places = places_of(tenure, claim, client, &count);

	for (size_t i = 0; i < count; i++) {
		if (is_of(&places[i], claim, client))
			return now - places[i].since >= GATEWAY_TENURE_NS;
	}
	return false;
}
