#include "link/room_key.h"

#include "base/bytes.h"
#include "loop/loop.h"
#include "quic/quic.h"

#include <string.h>

_Static_assert(CTRL_KEY_CHECK_BYTES == ROOMKEY_CHECK_BYTES && CTRL_SALT_BYTES == ROOMKEY_SALT_BYTES,
               "what the hello says of the key");

static int begin(void *user, enum ctrl_role role, struct proto_mac mac, uint8_t ret_salt[static CTRL_SALT_BYTES]) {
	struct roomkey_sender sender = {.is_gateway = role == CTRL_ROLE_GATEWAY, .mac = mac};
	uint8_t fresh[ROOMKEY_FRESH_BYTES];
	int err;

	quic_random(fresh, sizeof(fresh) - sizeof(uint64_t));
	base_put_u64(fresh + sizeof(fresh) - sizeof(uint64_t), loop_wall_clock());
	err = roomkey_begin(user, fresh, &sender);

	memcpy(ret_salt, sender.salt, sizeof(sender.salt));
	return err;
}

static int seal(void *user, uint32_t source_peer, struct slice frame, uint16_t flow, size_t budget, uint8_t *dest) {
	return roomkey_seal(user, source_peer, frame, flow, budget, dest);
}

static int peer_new(void *user, const struct ctrl_peer *told, void **ret_peer) {
	struct roomkey_sender sender = {.is_gateway = told->role == CTRL_ROLE_GATEWAY, .mac = told->mac};
	struct roomkey_peer *peer;
	int err;

	memcpy(sender.salt, told->salt, sizeof(sender.salt));
	err = roomkey_peer_new(user, &sender, &peer);
	if (err == 0)
		*ret_peer = peer;
	return err;
}

static void peer_free(void *user, void *peer) {
	(void)user;
	roomkey_peer_free(peer);
}

static int open_frame(void *user, void *peer, const struct proto_sealed *sealed, uint8_t *dest) {
	(void)user;
	return roomkey_open(peer, sealed, dest);
}

static const struct client_cipher cipher = {
    .begin = begin,
    .seal = seal,
    .peer_new = peer_new,
    .peer_free = peer_free,
    .open = open_frame,
};

void link_room_key_use(struct client_config *config, struct roomkey *key) {
	config->cipher = &cipher;
	config->cipher_user = key;
	memcpy(config->room_key, roomkey_check(key), sizeof(config->room_key));
}
