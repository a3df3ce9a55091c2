/* The bounded table of the room's other peers, by id. Its memory is taken when the session is made; in a room with a
 * key each peer has some more of its own. */
#include "base/bytes.h"
#include "base/error.h"
#include "client-core/session_internal.h"

#include <assert.h>
#include <stdlib.h>

int client_peers_init(struct client_peers *peers, const struct client_config *config) {
	const uint64_t seeds[2] = {config->seed, ~config->seed};

	base_list_init(&peers->used);
	base_list_init(&peers->spare);
	peers->cipher = config->cipher;
	peers->cipher_user = config->cipher_user;
	peers->slots = calloc(CLIENT_PEERS_MAX, sizeof(*peers->slots));
	if (peers->slots == NULL)
		return BASE_E_NOMEM;
	for (size_t i = 0; i < CLIENT_PEERS_MAX; i++)
		base_list_append(&peers->spare, &peers->slots[i].link);
	return base_map_init(&peers->by_id, seeds);
}

static void release(struct client_peers *peers, struct client_peer_slot *slot) {
	if (peers->cipher != NULL)
		peers->cipher->peer_free(peers->cipher_user, slot->cipher);
	slot->cipher = NULL;
	base_map_remove(&peers->by_id, &slot->node);
	base_list_remove(&slot->link);
	base_list_append(&peers->spare, &slot->link);
}

void client_peers_done(struct client_peers *peers) {
	if (peers->slots != NULL)
		client_peers_clear(peers);
	base_map_done(&peers->by_id);
	free(peers->slots);
	peers->slots = NULL;
}

static struct client_peer_slot *find_slot(const struct client_peers *peers, uint32_t id) {
	struct base_map_node *node;
	uint8_t key[4];

	base_put_u32(key, id);
	node = base_map_find(&peers->by_id, slice_of(key, sizeof(key)));
	return node == NULL ? NULL : BASE_CONTAINER(node, struct client_peer_slot, node);
}

struct client_peer *client_peers_find(const struct client_peers *peers, uint32_t id) {
	struct client_peer_slot *slot = find_slot(peers, id);

	return slot == NULL ? NULL : &slot->peer;
}

struct client_peer *client_peers_add(struct client_peers *peers, uint32_t id) {
	struct client_peer_slot *slot = find_slot(peers, id);

	if (slot != NULL)
		return &slot->peer;
	if (base_list_empty(&peers->spare))
		return NULL;
	slot = BASE_CONTAINER(peers->spare.next, struct client_peer_slot, link);
	base_put_u32(slot->key, id);
	if (base_map_insert(&peers->by_id, &slot->node, slice_of(slot->key, sizeof(slot->key))) != 0)
		return NULL;
	base_list_remove(&slot->link);
	base_list_append(&peers->used, &slot->link);
	slot->peer = (struct client_peer){.id = id};
	return &slot->peer;
}

void client_peers_remove(struct client_peers *peers, uint32_t id) {
	struct client_peer_slot *slot = find_slot(peers, id);

	if (slot != NULL)
		release(peers, slot);
}

void client_peers_clear(struct client_peers *peers) {
	while (!base_list_empty(&peers->used))
		release(peers, BASE_CONTAINER(peers->used.next, struct client_peer_slot, link));
}

int client_peers_announce(struct client_peers *peers, struct client_peer *peer, const struct ctrl_peer *told) {
	struct client_peer_slot *slot = BASE_CONTAINER(peer, struct client_peer_slot, peer);

	assert(slot->cipher == NULL);
	return peers->cipher->peer_new(peers->cipher_user, told, &slot->cipher);
}

void *client_peers_cipher(const struct client_peers *peers, uint32_t id) {
	struct client_peer_slot *slot = find_slot(peers, id);

	return slot == NULL ? NULL : slot->cipher;
}

const struct client_peer *client_session_peer(const struct client_session *session, uint32_t id) {
	return client_peers_find(&session->peers, id);
}
