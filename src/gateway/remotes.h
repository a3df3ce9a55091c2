/* gateway/remotes.h: the remote clients of the room, found by MAC (does this LAN frame concern the tunnel?) and by peer
 * id (is this frame's source the MAC that was announced?). Fed by lifecycle events alone, never by traffic (GTW-5).
 * Bounded by GATEWAY_REMOTES_MAX. */
#ifndef GATEWAY_REMOTES_H
#define GATEWAY_REMOTES_H

#include "base/map.h"
#include "proto/mac.h"

struct gateway_remote {
	uint32_t peer;
	struct proto_mac mac;
	/* The owner's to set. */
	bool on_lan; /* a LAN station has this MAC: nothing is bridged for the remote client */
	bool shown;  /* to the LAN's switches */
	struct base_map_node by_mac, by_peer;
};

struct gateway_remotes {
	struct base_map by_mac, by_peer;
};

/* The seed keys the hash tables: MACs are chosen by strangers. 0 or BASE_E_NOMEM. */
int gateway_remotes_init(struct gateway_remotes *remotes, const uint64_t seed[static 2]);
void gateway_remotes_done(struct gateway_remotes *remotes);

/* A peer or MAC that is already known is replaced: the newest announcement counts. 0, BASE_E_INVALID (not a unicast
 * address), BASE_E_FULL or BASE_E_NOMEM. */
int gateway_remotes_add(struct gateway_remotes *remotes, uint32_t peer, struct proto_mac mac);
void gateway_remotes_remove(struct gateway_remotes *remotes, uint32_t peer); /* unknown peers are ignored */
void gateway_remotes_clear(struct gateway_remotes *remotes);

/* Bytes of a MAC as they stand in a frame. NULL when no remote client has it, or a LAN station has it too. */
const struct gateway_remote *gateway_remotes_by_mac(const struct gateway_remotes *remotes,
                                                    const uint8_t mac[static PROTO_MAC_BYTES]);
struct gateway_remote *gateway_remotes_by_peer(const struct gateway_remotes *remotes, uint32_t peer);
/* Iteration: NULL for the first. */
struct gateway_remote *gateway_remotes_next(const struct gateway_remotes *remotes, const struct gateway_remote *remote);
size_t gateway_remotes_count(const struct gateway_remotes *remotes);

#endif
