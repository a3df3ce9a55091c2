#include "relay/stations.h"

#include "base/map.h"
#include "relay/limits.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 8
#define SETS (RELAY_STATIONS_MAX / WAYS)

struct place {
	struct proto_mac mac; /* zero: empty, since a zero source never passes the policy */
	uint64_t heard;
};

struct relay_stations {
	uint64_t seed[2];
	struct place places[SETS][WAYS];
};

struct relay_stations *relay_stations_new(const uint64_t seed[static 2]) {
	struct relay_stations *stations = calloc(1, sizeof(*stations));

	if (stations != NULL)
		memcpy(stations->seed, seed, sizeof(stations->seed));
	return stations;
}

void relay_stations_free(struct relay_stations *stations) {
	free(stations);
}

void relay_stations_clear(struct relay_stations *stations) {
	memset(stations->places, 0, sizeof(stations->places));
}

static size_t set_of(const struct relay_stations *stations, struct proto_mac mac) {
	return base_siphash13(stations->seed, slice_of(mac.b, sizeof(mac.b))) % SETS;
}

static bool is_live(const struct place *place, uint64_t now) {
	return !proto_mac_is_zero(place->mac) && now - place->heard < RELAY_STATION_AGE_NS;
}

void relay_stations_learn(struct relay_stations *stations, struct proto_mac mac, uint64_t now) {
	struct place *set = stations->places[set_of(stations, mac)];
	struct place *oldest = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (proto_mac_equal(set[i].mac, mac)) {
			set[i].heard = now;
			return;
		}
		/* An empty place was heard at 0, so it is the oldest. */
		if (set[i].heard < oldest->heard)
			oldest = &set[i];
	}
	*oldest = (struct place){.mac = mac, .heard = now};
}

bool relay_stations_known(const struct relay_stations *stations, struct proto_mac mac, uint64_t now) {
	const struct place *set = stations->places[set_of(stations, mac)];

	for (size_t i = 0; i < WAYS; i++) {
		if (proto_mac_equal(set[i].mac, mac))
			return is_live(&set[i], now);
	}
	return false;
}

size_t relay_stations_count(const struct relay_stations *stations, uint64_t now) {
	size_t count = 0;

	for (size_t i = 0; i < RELAY_STATIONS_MAX; i++)
		count += is_live(&stations->places[i / WAYS][i % WAYS], now);
	return count;
}
