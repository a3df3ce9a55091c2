/* relay/stations.h: which MACs live on the LAN behind the gateway, learned from the sources of its frames as a switch
 * learns them. It tells known from unknown destinations (and so what the unknown-unicast limit counts), frames for
 * either go to the gateway; and which MACs no new client may have.
 *
 * Fixed size, eight places per hash; a new station takes an empty or aged place, else that of the one silent longest.
 */
#ifndef RELAY_STATIONS_H
#define RELAY_STATIONS_H

#include "proto/mac.h"

struct relay_stations;

struct relay_stations *relay_stations_new(const uint64_t seed[static 2]); /* NULL when memory is out */
void relay_stations_free(struct relay_stations *stations);                /* accepts NULL */
void relay_stations_clear(struct relay_stations *stations);
void relay_stations_learn(struct relay_stations *stations, struct proto_mac mac, uint64_t now);
bool relay_stations_known(const struct relay_stations *stations, struct proto_mac mac, uint64_t now);
size_t relay_stations_count(const struct relay_stations *stations, uint64_t now);

#endif
