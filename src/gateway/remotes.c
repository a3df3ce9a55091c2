/* gateway/remotes.c: two hash tables over the same objects. */
#include "gateway/remotes.h"

#include "base/error.h"
#include "base/list.h"
#include "gateway/limits.h"

#include <stdlib.h>

static struct slice mac_key(const struct proto_mac *mac) {
	return slice_of(mac->b, PROTO_MAC_BYTES);
}

static struct slice peer_key(const uint32_t *peer) {
	return slice_of(peer, sizeof(*peer)); /* host order: the key never leaves this table */
}

static struct gateway_remote *of_mac_node(struct base_map_node *node) {
	return node == NULL ? NULL : BASE_CONTAINER(node, struct gateway_remote, by_mac);
}

static struct gateway_remote *of_peer_node(struct base_map_node *node) {
	return node == NULL ? NULL : BASE_CONTAINER(node, struct gateway_remote, by_peer);
}

int gateway_remotes_init(struct gateway_remotes *remotes, const uint64_t seed[static 2]) {
	int err = base_map_init(&remotes->by_mac, seed);

	if (err < 0)
		return err;
	err = base_map_init(&remotes->by_peer, seed);
	if (err < 0)
		base_map_done(&remotes->by_mac);
	return err;
}

void gateway_remotes_done(struct gateway_remotes *remotes) {
	gateway_remotes_clear(remotes);
	base_map_done(&remotes->by_mac);
	base_map_done(&remotes->by_peer);
}

static void drop(struct gateway_remotes *remotes, struct gateway_remote *remote) {
	if (remote == NULL)
		return;
	base_map_remove(&remotes->by_mac, &remote->by_mac);
	base_map_remove(&remotes->by_peer, &remote->by_peer);
	free(remote);
}

int gateway_remotes_add(struct gateway_remotes *remotes, uint32_t peer, struct proto_mac mac) {
	if (peer == 0 || proto_mac_check_identity(mac) < 0)
		return BASE_E_INVALID;
	drop(remotes, gateway_remotes_by_peer(remotes, peer));
	drop(remotes, of_mac_node(base_map_find(&remotes->by_mac, mac_key(&mac))));
	if (remotes->by_mac.len >= GATEWAY_REMOTES_MAX)
		return BASE_E_FULL;

	struct gateway_remote *remote = calloc(1, sizeof(*remote));
	if (remote == NULL)
		return BASE_E_NOMEM;
	remote->peer = peer;
	remote->mac = mac;
	int err = base_map_insert(&remotes->by_mac, &remote->by_mac, mac_key(&remote->mac));
	if (err < 0) {
		free(remote);
		return err;
	}
	err = base_map_insert(&remotes->by_peer, &remote->by_peer, peer_key(&remote->peer));
	if (err < 0) {
		base_map_remove(&remotes->by_mac, &remote->by_mac);
		free(remote);
	}
	return err;
}

void gateway_remotes_remove(struct gateway_remotes *remotes, uint32_t peer) {
	drop(remotes, gateway_remotes_by_peer(remotes, peer));
}

void gateway_remotes_clear(struct gateway_remotes *remotes) {
	struct gateway_remote *remote;

	while ((remote = gateway_remotes_next(remotes, NULL)) != NULL)
		drop(remotes, remote);
}

const struct gateway_remote *gateway_remotes_by_mac(const struct gateway_remotes *remotes,
                                                    const uint8_t mac[static PROTO_MAC_BYTES]) {
	if (remotes->by_mac.len == 0)
		return NULL;
	const struct gateway_remote *remote = of_mac_node(base_map_find(&remotes->by_mac, slice_of(mac, PROTO_MAC_BYTES)));
	return remote != NULL && !remote->on_lan ? remote : NULL;
}

struct gateway_remote *gateway_remotes_by_peer(const struct gateway_remotes *remotes, uint32_t peer) {
	return of_peer_node(base_map_find(&remotes->by_peer, peer_key(&peer)));
}

struct gateway_remote *gateway_remotes_next(const struct gateway_remotes *remotes,
                                            const struct gateway_remote *remote) {
	return of_peer_node(base_map_next(&remotes->by_peer, remote == NULL ? NULL : &remote->by_peer));
}

size_t gateway_remotes_count(const struct gateway_remotes *remotes) {
	return remotes->by_mac.len;
}
