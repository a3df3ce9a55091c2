/* roomkey/roomkey.c: derives the keys, seals and opens. */
#include "roomkey/roomkey.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "proto/ether.h"
#include "roomkey/window.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 600000 /* of PBKDF2: what OWASP's password storage guide asks for with SHA-256 */
#define ROOM_BYTES_MAX 64
#define PAST_PEERS_FIRST 64
#define PAST_PEERS_MAX 16384 /* 512 KB: a hundred players, each here anew 160 times */
#define SENDER_BYTES (1 + PROTO_MAC_BYTES + ROOMKEY_SALT_BYTES)
#ifndef ROOMKEY_EPOCH_FRAMES_LOG2 /* tests turn keys sooner */
/* After so many frames a sender's key changes, long before AES-GCM would tell its packets from noise (RFC 9001 appendix
 * B.1.1 allows 2^28 of our length). */
#define ROOMKEY_EPOCH_FRAMES_LOG2 28
#endif

_Static_assert(PROTO_SEALED_TAG_BYTES == SEAL_TAG_BYTES, "the tag of the cipher");

/* One sender's frames in one of its lives. */
struct stream {
	const struct seal_backend *backend;
	uint8_t secret[SEAL_SECRET_BYTES];
	uint32_t epoch;
	struct seal_key *key; /* of the epoch */
};

/* A peer that is gone: when it is announced again, nobody may play its old frames to us. It is known by all that its
 * keys are made from; by the salt alone another member, who may choose any, could use its counters up. */
struct past {
	uint8_t sender[SENDER_BYTES];
	uint64_t highest;
};

struct roomkey {
	const struct seal_backend *backend;
	uint8_t secret[SEAL_SECRET_BYTES];
	uint32_t lives;
	uint8_t check[ROOMKEY_CHECK_BYTES];
	struct stream ours; /* no key before roomkey_begin */
	uint64_t counter;   /* of the next frame */
	struct past *past;
	size_t past_count, past_cap;
	bool past_full; /* somebody could not be remembered */
};

struct roomkey_peer {
	struct roomkey *key;
	struct stream stream;
	uint8_t sender[SENDER_BYTES];
	bool heard; /* something of it was opened */
	struct roomkey_window window;
};

/* --- streams --- */

static int epoch_key(const struct stream *stream, uint32_t epoch, struct seal_key **ret) {
	uint8_t info[] = {'e', 'p', 'o', 'c', 'h', 0, 0, 0, 0}, bytes[SEAL_KEY_BYTES_MAX];
	int err;

	base_put_u32(info + 5, epoch);
	err = seal_expand(stream->secret, slice_of(info, sizeof(info)), bytes, seal_key_bytes(SEAL_AES_256_GCM));
	if (err == 0)
		err = seal_key_new(stream->backend, SEAL_AES_256_GCM, bytes, ret);
	base_wipe(bytes, sizeof(bytes));
	return err;
}

static void stream_done(struct stream *stream) {
	seal_key_free(stream->key);
	stream->key = NULL;
	base_wipe(stream->secret, sizeof(stream->secret));
}

static void sender_bytes(const struct roomkey_sender *sender, uint8_t ret[static SENDER_BYTES]) {
	ret[0] = sender->is_gateway;
	memcpy(ret + 1, sender->mac.b, PROTO_MAC_BYTES);
	memcpy(ret + 1 + PROTO_MAC_BYTES, sender->salt, ROOMKEY_SALT_BYTES);
}

static int stream_init(struct stream *stream, const struct roomkey *key, const struct roomkey_sender *sender) {
	uint8_t info[6 + SENDER_BYTES] = {'s', 'e', 'n', 'd', 'e', 'r'};
	int err;

	sender_bytes(sender, info + 6);
	*stream = (struct stream){.backend = key->backend};
	err = seal_expand(key->secret, slice_of(info, sizeof(info)), stream->secret, sizeof(stream->secret));
	if (err == 0)
		err = epoch_key(stream, 0, &stream->key);
	if (err != 0)
		stream_done(stream);
	return err;
}

static uint32_t epoch_of(uint64_t counter) {
	return (uint32_t)(counter >> ROOMKEY_EPOCH_FRAMES_LOG2);
}

static void nonce_of(uint32_t source_peer, uint64_t counter, uint8_t ret[static SEAL_NONCE_BYTES]) {
	base_put_u32(ret, source_peer);
	base_put_u64(ret + 4, counter);
}

static void take_key(struct stream *stream, struct seal_key *key, uint32_t epoch) {
	seal_key_free(stream->key);
	stream->key = key;
	stream->epoch = epoch;
}

/* --- the key --- */

int roomkey_passphrase_check(const char *passphrase) {
	size_t len = strlen(passphrase);

	if (len < ROOMKEY_PASSPHRASE_MIN || len > ROOMKEY_PASSPHRASE_MAX)
		return BASE_E_INVALID;
	for (size_t i = 0; i < len; i++) {
		if (passphrase[i] < ' ' || passphrase[i] > '~')
			return BASE_E_INVALID;
	}
	return 0;
}

/* The room's code in the salt: one dictionary does not do for all rooms. */
static int derive(struct roomkey *key, const char *room, const char *passphrase) {
	char buf[sizeof("lanparty room key ") + ROOM_BYTES_MAX];
	struct base_text salt;
	int err;

	base_text_init(&salt, buf, sizeof(buf));
	base_text_addf(&salt, "lanparty room key %s", room);
	assert(!salt.truncated);
	err = seal_stretch(slice_of_text(passphrase), slice_of(buf, salt.len), ROUNDS, key->secret);
	if (err == 0)
		err = seal_expand(key->secret, slice_of_text("check"), key->check, sizeof(key->check));
	return err;
}

int roomkey_new(const struct seal_backend *backend, const char *room, const char *passphrase, struct roomkey **ret) {
	struct roomkey *key;
	int err = roomkey_passphrase_check(passphrase);

	if (err != 0)
		return err;
	key = calloc(1, sizeof(*key));
	if (key == NULL)
		return BASE_E_NOMEM;
	key->backend = backend;
	err = derive(key, room, passphrase);
	if (err != 0) {
		roomkey_free(key);
		return err;
	}
	*ret = key;
	return 0;
}

void roomkey_free(struct roomkey *key) {
	if (key == NULL)
		return;
	stream_done(&key->ours);
	free(key->past);
	base_wipe(key, sizeof(*key));
	free(key);
}

const uint8_t *roomkey_check(const struct roomkey *key) {
	return key->check;
}

/* --- our frames --- */

int roomkey_begin(struct roomkey *key, const uint8_t fresh[static ROOMKEY_FRESH_BYTES], struct roomkey_sender *sender) {
	uint8_t info[4 + 4 + ROOMKEY_FRESH_BYTES] = {'s', 'a', 'l', 't'};
	struct stream stream;
	int err;

	base_put_u32(info + 4, key->lives);
	memcpy(info + 8, fresh, ROOMKEY_FRESH_BYTES);
	err = seal_expand(key->secret, slice_of(info, sizeof(info)), sender->salt, sizeof(sender->salt));
	if (err == 0)
		err = stream_init(&stream, key, sender);
	if (err != 0)
		return err;
	key->lives++;
	stream_done(&key->ours);
	key->ours = stream;
	key->counter = 0;
	base_wipe(&stream, sizeof(stream));
	return 0;
}

/* Once in 2^28 frames, which is why it may allocate. */
static int turn_key(struct stream *stream, uint32_t epoch) {
	struct seal_key *key;
	int err = epoch_key(stream, epoch, &key);

	if (err == 0)
		take_key(stream, key, epoch);
	return err;
}

int roomkey_seal(struct roomkey *key, uint32_t source_peer, struct slice frame, uint16_t flow, size_t budget,
                 uint8_t *dest) {
	uint8_t nonce[SEAL_NONCE_BYTES];
	int err = proto_sealed_encode_clear(dest, source_peer, frame, flow, key->counter, budget);

	assert(key->ours.key != NULL);
	if (err == 0 && epoch_of(key->counter) != key->ours.epoch)
		err = turn_key(&key->ours, epoch_of(key->counter));
	if (err != 0)
		return err;
	nonce_of(source_peer, key->counter++, nonce);
	return seal_key_seal(key->ours.key, nonce, slice_of(dest, PROTO_SEALED_CLEAR_BYTES),
	                     slice_of(frame.data + PROTO_ETHER_HEADER_BYTES, frame.len - PROTO_ETHER_HEADER_BYTES),
	                     dest + PROTO_SEALED_CLEAR_BYTES)
	           ? 0
	           : BASE_E_TLS;
}

/* --- others' frames --- */

static struct past *find_past(struct roomkey *key, const uint8_t sender[static SENDER_BYTES]) {
	for (size_t i = 0; i < key->past_count; i++) {
		if (memcmp(key->past[i].sender, sender, SENDER_BYTES) == 0)
			return &key->past[i];
	}
	return NULL;
}

/* NULL: there are too many, or no memory. */
static struct past *add_past(struct roomkey *key, const uint8_t sender[static SENDER_BYTES]) {
	if (key->past_count == key->past_cap) {
		size_t cap = key->past_cap == 0 ? PAST_PEERS_FIRST : 2 * key->past_cap;
		struct past *grown = cap <= PAST_PEERS_MAX ? realloc(key->past, cap * sizeof(*grown)) : NULL;

		if (grown == NULL)
			return NULL;
		key->past = grown;
		key->past_cap = cap;
	}
	key->past[key->past_count] = (struct past){0};
	memcpy(key->past[key->past_count].sender, sender, SENDER_BYTES);
	return &key->past[key->past_count++];
}

/* One entry a sender, and nobody is ever forgotten: who is could be played to us again. */
static void remember(struct roomkey *key, const struct roomkey_peer *peer) {
	struct past *past = find_past(key, peer->sender);

	if (past == NULL)
		past = add_past(key, peer->sender);
	if (past == NULL)
		key->past_full = true;
	else if (peer->window.highest > past->highest)
		past->highest = peer->window.highest;
}

int roomkey_peer_new(struct roomkey *key, const struct roomkey_sender *sender, struct roomkey_peer **ret) {
	struct roomkey_peer *peer = calloc(1, sizeof(*peer));
	const struct past *past;
	int err;

	if (peer == NULL)
		return BASE_E_NOMEM;
	sender_bytes(sender, peer->sender);
	past = find_past(key, peer->sender);
	err = past == NULL && key->past_full ? BASE_E_FULL : stream_init(&peer->stream, key, sender);
	if (err != 0) {
		free(peer);
		return err;
	}
	peer->key = key;
	if (past != NULL) {
		roomkey_window_close(&peer->window, past->highest);
		peer->heard = true;
	}
	*ret = peer;
	return 0;
}

void roomkey_peer_free(struct roomkey_peer *peer) {
	if (peer == NULL)
		return;
	if (peer->heard) /* who was never heard cannot push others out */
		remember(peer->key, peer);
	stream_done(&peer->stream);
	free(peer);
}

static bool open_with(struct seal_key *key, const struct proto_sealed *sealed, uint8_t *dest) {
	uint8_t nonce[SEAL_NONCE_BYTES];

	nonce_of(sealed->source_peer, sealed->counter, nonce);
	return seal_key_open(key, nonce, sealed->clear, sealed->sealed, dest + PROTO_ETHER_HEADER_BYTES);
}

/* A frame of another epoch: we came late, or the sender has just turned its key. That key is kept only if it opens the
 * frame, for the number may be anybody's. A straggler of the last epoch is opened too; the key stays the newer one. */
static int open_other_epoch(struct stream *stream, const struct proto_sealed *sealed, uint8_t *dest) {
	uint32_t epoch = epoch_of(sealed->counter);
	struct seal_key *key;
	int err = epoch_key(stream, epoch, &key);

	if (err != 0)
		return err;
	err = open_with(key, sealed, dest) ? 0 : BASE_E_INVALID;
	if (err == 0 && epoch > stream->epoch)
		take_key(stream, key, epoch);
	else
		seal_key_free(key);
	return err;
}

int roomkey_open(struct roomkey_peer *peer, const struct proto_sealed *sealed, uint8_t *dest) {
	int err = 0;

	if (!roomkey_window_is_new(&peer->window, sealed->counter))
		return BASE_E_EXISTS;
	if (epoch_of(sealed->counter) != peer->stream.epoch)
		err = open_other_epoch(&peer->stream, sealed, dest);
	else if (!open_with(peer->stream.key, sealed, dest))
		err = BASE_E_INVALID;
	if (err != 0)
		return err;
	memcpy(dest, sealed->ethernet.data, sealed->ethernet.len);
	roomkey_window_mark(&peer->window, sealed->counter);
	peer->heard = true;
	return 0;
}
