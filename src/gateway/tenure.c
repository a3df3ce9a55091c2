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

struct gateway_tenure {
	uint64_t seed[2];
	struct tenancy places[GATEWAY_TENURE_HOLDERS][GATEWAY_TENURE_ADDRESSES];
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

static size_t holder_of(const struct gateway_tenure *tenure, struct proto_mac client) {
	return base_siphash13(tenure->seed, slice_of(client.b, sizeof(client.b))) % GATEWAY_TENURE_HOLDERS;
}

static bool is_of(const struct tenancy *place, const struct gateway_claim *claim, struct proto_mac client) {
	return place->last != 0 && memcmp(place->claim.key, claim->key, sizeof(claim->key)) == 0 &&
	       proto_mac_equal(place->client, client);
}

static bool is_over(const struct tenancy *place, uint64_t now) {
	return now - place->last >= GATEWAY_TENURE_AGE_NS;
}

void gateway_tenure_note(struct gateway_tenure *tenure, const struct gateway_claim *claim, struct proto_mac client,
                         uint64_t now) {
	struct tenancy *places = tenure->places[holder_of(tenure, client)], *place = &places[0];

	for (size_t i = 0; i < GATEWAY_TENURE_ADDRESSES; i++) {
		if (is_of(&places[i], claim, client)) {
			place = &places[i];
			break;
		}
		if (places[i].last < place->last)
			place = &places[i];
	}
	if (!is_of(place, claim, client) || is_over(place, now))
		*place = (struct tenancy){.claim = *claim, .client = client, .since = now};
	place->last = now;
}

bool gateway_tenure_has(const struct gateway_tenure *tenure, const struct gateway_claim *claim, struct proto_mac client,
                        uint64_t now) {
	const struct tenancy *places = tenure->places[holder_of(tenure, client)];

	for (size_t i = 0; i < GATEWAY_TENURE_ADDRESSES; i++) {
		if (is_of(&places[i], claim, client))
			return now - places[i].since >= GATEWAY_TENURE_NS && !is_over(&places[i], now);
	}
	return false;
}
