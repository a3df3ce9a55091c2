/* Any datagram to a peer of a room with a key: reading stays inside it; what opens does so once, and not with a bit
 * changed. The corpus holds datagrams that open (docs/vectors/roomkey.txt). */
#include "roomkey/roomkey.c" /* not its header: each input begins with a key that remembers nothing */

#define MUST(condition)   \
	do {                  \
		if (!(condition)) \
			abort();      \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made once: stretching is slow on purpose. */
static struct roomkey *key_of_all(void) {
	static struct roomkey *key;

	if (key == NULL)
		MUST(roomkey_new(seal_gnutls(), "ROOM1", "correct horse", &key) == 0);
	return key;
}

static int open_datagram(struct roomkey_peer *peer, const uint8_t *data, size_t size) {
	struct proto_sealed sealed;
	uint8_t *frame;
	int err;

	if (proto_sealed_decode(slice_of(data, size), &sealed) != 0)
		return BASE_E_INVALID;
	frame = malloc(sealed.frame_len);
	MUST(frame != NULL);
	err = roomkey_open(peer, &sealed, frame);
	MUST(err == 0 || err == BASE_E_INVALID || err == BASE_E_EXISTS);
	MUST(err != 0 || memcmp(frame, sealed.ethernet.data, sealed.ethernet.len) == 0);
	free(frame);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct roomkey_sender sender = {.mac = {{2, 0, 0, 0, 0, 1}}};
	struct roomkey_peer *peer;
	uint8_t *copy;

	for (uint8_t i = 0; i < ROOMKEY_SALT_BYTES; i++)
		sender.salt[i] = i;
	MUST(roomkey_peer_new(key_of_all(), &sender, &peer) == 0);
	if (open_datagram(peer, data, size) == 0) {
		MUST(open_datagram(peer, data, size) == BASE_E_EXISTS);
		roomkey_peer_free(peer); /* gone and announced again */
		MUST(roomkey_peer_new(key_of_all(), &sender, &peer) == 0);
		MUST(open_datagram(peer, data, size) == BASE_E_EXISTS);
		copy = malloc(size);
		MUST(copy != NULL);
		memcpy(copy, data, size);
		copy[size - 1 - size / 3] ^= 0x10;
		MUST(open_datagram(peer, copy, size) != 0);
		free(copy);
	}
	roomkey_peer_free(peer);
	key_of_all()->past_count = 0;
	return 0;
}
