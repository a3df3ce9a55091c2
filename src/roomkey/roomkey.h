/* roomkey/roomkey.h: what a room's key does to frames: the peers who know it read each other's, the relay between them
 * does not (docs/protocol.md, "Room keys", has the derivations and the layout; docs/security.md what it is good for).
 *
 * From the passphrase comes the room's secret, from that each sender's, from that a key of AES-256-GCM. A sender has
 * other keys in each of its lives at the relay, by the salt it announces; its frames are numbered.
 * Single-threaded. */
#ifndef ROOMKEY_ROOMKEY_H
#define ROOMKEY_ROOMKEY_H

#include "proto/mac.h"
#include "proto/overlay.h"
#include "seal/seal.h"

#define ROOMKEY_CHECK_BYTES 8
#define ROOMKEY_SALT_BYTES 16
#define ROOMKEY_FRESH_BYTES 24
#define ROOMKEY_PASSPHRASE_MIN 8 /* characters */
#define ROOMKEY_PASSPHRASE_MAX 128

struct roomkey;
struct roomkey_peer;

/* Whose frames: the keys are bound to it, so that a relay that tells wrong of a peer makes its frames unreadable. */
struct roomkey_sender {
	bool is_gateway;
	struct proto_mac mac; /* zeros for a gateway */
	uint8_t salt[ROOMKEY_SALT_BYTES];
};

/* 0 or BASE_E_INVALID: ROOMKEY_PASSPHRASE_MIN to _MAX printable ASCII characters. */
int roomkey_passphrase_check(const char *passphrase);

/* Takes a tenth of a second or more, on purpose. 0, BASE_E_INVALID (passphrase), BASE_E_NOMEM or BASE_E_TLS. The
 * backend must outlive the key. */
int roomkey_new(const struct seal_backend *backend, const char *room, const char *passphrase, struct roomkey **ret);
void roomkey_free(struct roomkey *key); /* wipes it; accepts NULL */

/* The same for all who have the same key for the same room; of no use to others but to try passphrases. */
const uint8_t *roomkey_check(const struct roomkey *key);

/* A new life of ours: from here on frames are sealed under another salt; `sender->salt` is set. `fresh` must not have
 * been given before, nor by another process; random bytes and the time, since a machine that is restored from a
 * snapshot draws the same random bytes again. 0, BASE_E_NOMEM or BASE_E_TLS. */
int roomkey_begin(struct roomkey *key, const uint8_t fresh[static ROOMKEY_FRESH_BYTES], struct roomkey_sender *sender);

/* Writes the datagram with the sealed frame, frame->len + PROTO_OVERLAY_HEADER_BYTES + PROTO_SEALED_BYTES bytes that do
 * not overlap it. After roomkey_begin. 0; the errors of proto_sealed_encode_clear; BASE_E_NOMEM or BASE_E_TLS. */
int roomkey_seal(struct roomkey *key, uint32_t source_peer, struct slice frame, uint16_t flow, size_t budget,
                 uint8_t *dest);

/* 0, BASE_E_NOMEM or BASE_E_TLS. The key must outlive its peers. It remembers which frames they sent: one that comes
 * back with the same salt has to go on where it was. BASE_E_FULL: so many (16384) are remembered that no other can be.
 */
int roomkey_peer_new(struct roomkey *key, const struct roomkey_sender *sender, struct roomkey_peer **ret);
void roomkey_peer_free(struct roomkey_peer *peer); /* accepts NULL */

/* Writes the frame, sealed->frame_len bytes that do not overlap the datagram. 0; BASE_E_EXISTS: seen before, or so old
 * that it cannot be known; BASE_E_INVALID: not sealed by this sender with this key, or altered; BASE_E_NOMEM or
 * BASE_E_TLS. */
int roomkey_open(struct roomkey_peer *peer, const struct proto_sealed *sealed, uint8_t *dest);

#endif
