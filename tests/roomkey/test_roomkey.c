/* Keys and frames against docs/vectors/roomkey.txt, which another implementation made, and against each other. */
#include "roomkey/roomkey.h"

#include "base/error.h"
#include "base/text.h"
#include "tests/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 256
#define VECTORS_MIN 8
#define PASSPHRASE "correct horse"

static const char *vectors_path;
static const uint8_t fresh[ROOMKEY_FRESH_BYTES] = {7}, also_fresh[ROOMKEY_FRESH_BYTES] = {8};

static struct roomkey *new_key(const char *room, const char *passphrase) {
	struct roomkey *key = NULL;

	assert_int_equal(roomkey_new(seal_gnutls(), room, passphrase, &key), 0);
	return key;
}

/* --- vectors --- */

enum field { NAME, PASS, ROOM, CHECK, ROLE, MAC, SALT, SOURCE, FLOW, COUNTER, FRAME, DATAGRAM, FIELDS };

static void split(char *line, char *fields[static FIELDS]) {
	size_t count = 0;

	line[strcspn(line, "\n")] = '\0';
	for (char *at = line; at != NULL && count < FIELDS; count++) {
		char *tab = strchr(at, '\t');

		fields[count] = at;
		if (tab != NULL)
			*tab++ = '\0';
		at = tab;
	}
	assert_int_equal(count, FIELDS);
}

static size_t unhex(const char *hex, uint8_t *ret) {
	size_t len = strlen(hex) / 2;

	assert_true(len <= BYTES_MAX);
	if (len > 0)
		assert_int_equal(base_parse_hex(hex, strlen(hex), ret, len), 0);
	return len;
}

static void check_vector(char *fields[static FIELDS]) {
	const char *name = fields[NAME];
	struct roomkey_sender sender = {.is_gateway = strcmp(fields[ROLE], "gateway") == 0};
	uint8_t check[BYTES_MAX], salt[BYTES_MAX], frame[BYTES_MAX], datagram[BYTES_MAX], got[BYTES_MAX], clear[BYTES_MAX];
	size_t frame_len = unhex(fields[FRAME], frame), len = unhex(fields[DATAGRAM], datagram);
	struct roomkey *key = new_key(fields[ROOM], fields[PASS]);
	struct roomkey_peer *peer;
	struct proto_sealed sealed;

	unit_assert_int(unhex(fields[CHECK], check), ROOMKEY_CHECK_BYTES, name);
	unit_assert_true(memcmp(roomkey_check(key), check, ROOMKEY_CHECK_BYTES) == 0, name);
	if (!sender.is_gateway)
		unit_assert_int(proto_mac_parse(fields[MAC], strlen(fields[MAC]), &sender.mac), 0, name);
	unit_assert_int(unhex(fields[SALT], salt), ROOMKEY_SALT_BYTES, name);
	memcpy(sender.salt, salt, ROOMKEY_SALT_BYTES);
	unit_assert_int(roomkey_peer_new(key, &sender, &peer), 0, name);
	unit_assert_int(proto_sealed_decode(slice_of(datagram, len), &sealed), 0, name);
	unit_assert_int(sealed.source_peer, strtoul(fields[SOURCE], NULL, 10), name);
	unit_assert_int(sealed.flow, strtoul(fields[FLOW], NULL, 10), name);
	unit_assert_int(sealed.counter, strtoull(fields[COUNTER], NULL, 10), name);
	unit_assert_int(sealed.frame_len, frame_len, name);
	unit_assert_int(roomkey_open(peer, &sealed, got), 0, name);
	unit_assert_true(memcmp(got, frame, frame_len) == 0, name);
	unit_assert_int(proto_sealed_encode_clear(clear, sealed.source_peer, slice_of(frame, frame_len), sealed.flow,
	                                          sealed.counter, len),
	                0, name);
	unit_assert_true(memcmp(clear, datagram, PROTO_SEALED_CLEAR_BYTES) == 0, name);
	roomkey_peer_free(peer);
	roomkey_free(key);
}

static void test_vectors(void **state) {
	FILE *file = fopen(vectors_path, "r");
	char line[4 * BYTES_MAX];
	unsigned count = 0;

	(void)state;
	if (file == NULL)
		fail_msg("%s: cannot be opened", vectors_path);
	while (fgets(line, sizeof(line), file) != NULL) {
		char *fields[FIELDS];

		if (line[0] == '#')
			continue;
		split(line, fields);
		check_vector(fields);
		count++;
	}
	fclose(file);
	assert_true(count >= VECTORS_MIN);
}

/* --- sender and receiver --- */

struct pair {
	struct roomkey *key, *other_key;
	struct roomkey_sender sender;
	struct roomkey_peer *peer;
	uint8_t frame[1514], datagram[1600], opened[1600];
};

static int set_up(void **state) {
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->key = new_key("ROOM1", PASSPHRASE);
	pair->other_key = new_key("ROOM1", PASSPHRASE);
	pair->sender = (struct roomkey_sender){.mac = {{2, 0, 0, 0, 0, 1}}};
	assert_int_equal(roomkey_begin(pair->key, fresh, &pair->sender), 0);
	assert_int_equal(roomkey_peer_new(pair->other_key, &pair->sender, &pair->peer), 0);
	for (size_t i = 0; i < sizeof(pair->frame); i++)
		pair->frame[i] = (uint8_t)(i * 7 + i / 256);
	*state = pair;
	return 0;
}

static int tear_down(void **state) {
	struct pair *pair = *state;

	roomkey_peer_free(pair->peer);
	roomkey_free(pair->key);
	roomkey_free(pair->other_key);
	free(pair);
	return 0;
}

static struct slice seal_frame(struct pair *pair, size_t len) {
	assert_int_equal(roomkey_seal(pair->key, 5, slice_of(pair->frame, len), 0xabcd, 1600, pair->datagram), 0);
	return slice_of(pair->datagram, len + PROTO_OVERLAY_HEADER_BYTES + PROTO_SEALED_BYTES);
}

static int open_frame(struct roomkey_peer *peer, struct slice datagram, uint8_t *dest) {
	struct proto_sealed sealed;

	assert_int_equal(proto_sealed_decode(datagram, &sealed), 0);
	return roomkey_open(peer, &sealed, dest);
}

static void test_every_length(void **state) {
	struct pair *pair = *state;

	for (size_t len = 14; len <= sizeof(pair->frame); len++) {
		struct slice datagram = seal_frame(pair, len);

		assert_int_equal(open_frame(pair->peer, datagram, pair->opened), 0);
		assert_memory_equal(pair->opened, pair->frame, len);
	}
}

static bool contains(struct slice where, struct slice what) {
	for (size_t i = 0; i + what.len <= where.len; i++) {
		if (memcmp(where.data + i, what.data, what.len) == 0)
			return true;
	}
	return false;
}

static void test_payload_is_hidden_and_header_is_not(void **state) {
	struct pair *pair = *state;
	struct slice datagram = seal_frame(pair, 200);

	assert_memory_equal(datagram.data + PROTO_OVERLAY_HEADER_BYTES, pair->frame, 14);
	for (size_t i = 14; i + 4 <= 200; i++)
		assert_false(contains(datagram, slice_of(pair->frame + i, 4)));
}

static void test_any_changed_bit_is_refused(void **state) {
	struct pair *pair = *state;
	struct slice datagram = seal_frame(pair, 60);

	for (size_t bit = 0; bit < 8 * datagram.len; bit++) {
		struct proto_sealed sealed;

		pair->datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* Version, flags, length and an epoch of a far future are refused one way or the other. */
		if (proto_sealed_decode(datagram, &sealed) == 0)
			assert_int_equal(roomkey_open(pair->peer, &sealed, pair->opened), BASE_E_INVALID);
		pair->datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), 0); /* none of them used its number up */
}

static void test_replay(void **state) {
	struct pair *pair = *state;
	struct slice datagram = seal_frame(pair, 60);

	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), 0);
	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), BASE_E_EXISTS);
}

/* A relay that lets a peer leave and join again, in its own words, must not get to send its frames anew; what the peer
 * sends from then on does arrive. */
static void test_replay_to_who_is_told_anew(void **state) {
	struct pair *pair = *state;
	uint8_t first[BYTES_MAX];
	struct slice datagram = seal_frame(pair, 60);

	memcpy(first, datagram.data, datagram.len);
	for (int life = 0; life < 4; life++) {
		assert_int_equal(open_frame(pair->peer, slice_of(first, datagram.len), pair->opened),
		                 life == 0 ? 0 : BASE_E_EXISTS);
		assert_int_equal(open_frame(pair->peer, seal_frame(pair, 60), pair->opened), 0);
		roomkey_peer_free(pair->peer);
		assert_int_equal(roomkey_peer_new(pair->other_key, &pair->sender, &pair->peer), 0);
	}
	/* Late ones of before are lost with it; nobody knows whether they came. */
	seal_frame(pair, 60);
	datagram = seal_frame(pair, 60);
	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), 0);
}

/* Salts are no secret, and each peer chooses its own: who takes another's must not count on in its place. */
static void test_another_with_the_same_salt(void **state) {
	struct pair *pair = *state;
	struct roomkey_sender other = {.mac = {{2, 0, 0, 0, 0, 0x66}}};
	struct roomkey *third = new_key("ROOM1", PASSPHRASE);
	struct roomkey_peer *peer;
	uint8_t ahead[BYTES_MAX];

	assert_int_equal(open_frame(pair->peer, seal_frame(pair, 60), pair->opened), 0);
	assert_int_equal(roomkey_begin(third, fresh, &other), 0);
	assert_memory_equal(other.salt, pair->sender.salt, sizeof(other.salt));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(roomkey_seal(third, 6, slice_of(pair->frame, 60), 0, sizeof(ahead), ahead), 0);
	assert_int_equal(roomkey_peer_new(pair->other_key, &other, &peer), 0);
	assert_int_equal(open_frame(peer, slice_of(ahead, 92), pair->opened), 0);
	roomkey_peer_free(peer);
	roomkey_peer_free(pair->peer);
	roomkey_free(third);
	assert_int_equal(roomkey_peer_new(pair->other_key, &pair->sender, &pair->peer), 0);
	assert_int_equal(open_frame(pair->peer, seal_frame(pair, 60), pair->opened), 0);
}

/* The relay can announce as many as it likes: who says nothing is not remembered, and nobody twice. */
static void test_nobody_is_pushed_out(void **state) {
	struct pair *pair = *state;
	struct roomkey_sender other = {.is_gateway = true};
	struct roomkey *third = new_key("ROOM1", PASSPHRASE);
	struct slice datagram = seal_frame(pair, 60);
	uint8_t busy[BYTES_MAX];

	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), 0);
	roomkey_peer_free(pair->peer);
	assert_int_equal(roomkey_begin(third, also_fresh, &other), 0);
	assert_int_equal(roomkey_seal(third, 6, slice_of(pair->frame, 60), 0, sizeof(busy), busy), 0);
	for (unsigned i = 0; i < 3000; i++) {
		assert_int_equal(roomkey_peer_new(pair->other_key, &other, &pair->peer), 0);
		assert_int_equal(open_frame(pair->peer, slice_of(busy, 92), pair->opened), i == 0 ? 0 : BASE_E_EXISTS);
		roomkey_peer_free(pair->peer);
	}
	roomkey_free(third);
	for (unsigned i = 0; i < 3000; i++) {
		other.salt[0] = (uint8_t)i;
		other.salt[1] = (uint8_t)(i >> 8);
		assert_int_equal(roomkey_peer_new(pair->other_key, &other, &pair->peer), 0);
		roomkey_peer_free(pair->peer);
	}
	assert_int_equal(roomkey_peer_new(pair->other_key, &pair->sender, &pair->peer), 0);
	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), BASE_E_EXISTS);
}

/* Nor by recordings of many other lives: when no more can be remembered, nobody new is heard, but nothing twice. */
static void test_nobody_is_forgotten(void **state) {
	struct pair *pair = *state;
	struct roomkey_sender other = {.is_gateway = true};
	struct roomkey *third = new_key("ROOM1", PASSPHRASE);
	struct slice datagram = seal_frame(pair, 60);
	struct roomkey_peer *peer;
	uint8_t recorded[BYTES_MAX];
	unsigned lives = 0;
	int err;

	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), 0);
	roomkey_peer_free(pair->peer);
	for (; lives < 30000; lives++) {
		uint8_t random[ROOMKEY_FRESH_BYTES] = {1, 2, (uint8_t)lives, (uint8_t)(lives >> 8)};

		assert_int_equal(roomkey_begin(third, random, &other), 0);
		assert_int_equal(roomkey_seal(third, 6, slice_of(pair->frame, 60), 0, sizeof(recorded), recorded), 0);
		err = roomkey_peer_new(pair->other_key, &other, &peer);
		if (err != 0)
			break;
		assert_int_equal(open_frame(peer, slice_of(recorded, 92), pair->opened), 0);
		roomkey_peer_free(peer);
	}
	roomkey_free(third);
	assert_int_equal(err, BASE_E_FULL);
	assert_in_range(lives, 10000, 20000);
	assert_int_equal(roomkey_peer_new(pair->other_key, &pair->sender, &pair->peer), 0);
	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), BASE_E_EXISTS);
	assert_int_equal(open_frame(pair->peer, seal_frame(pair, 60), pair->opened), 0);
}

/* What the relay says of the sender must be true, or nothing of it can be read. */
static void test_keys_are_bound_to_the_sender(void **state) {
	struct pair *pair = *state;
	struct slice datagram = seal_frame(pair, 60);
	struct roomkey_sender senders[3] = {pair->sender, pair->sender, pair->sender};
	struct roomkey_peer *peer;

	senders[0].is_gateway = true;
	senders[1].mac.b[5] ^= 1;
	senders[2].salt[15] ^= 1;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(roomkey_peer_new(pair->other_key, &senders[i], &peer), 0);
		assert_int_equal(open_frame(peer, datagram, pair->opened), BASE_E_INVALID);
		roomkey_peer_free(peer);
	}
}

static void test_other_keys(void **state) {
	static const struct {
		const char *room, *passphrase;
	} others[] = {{"ROOM2", PASSPHRASE}, {"ROOM1", "correct hors3"}};
	struct pair *pair = *state;
	struct slice datagram = seal_frame(pair, 60);

	for (int i = 0; i < 2; i++) {
		struct roomkey *key = new_key(others[i].room, others[i].passphrase);
		struct roomkey_peer *peer;

		assert_memory_not_equal(roomkey_check(key), roomkey_check(pair->key), ROOMKEY_CHECK_BYTES);
		assert_int_equal(roomkey_peer_new(key, &pair->sender, &peer), 0);
		assert_int_equal(open_frame(peer, datagram, pair->opened), BASE_E_INVALID);
		roomkey_peer_free(peer);
		roomkey_free(key);
	}
	assert_memory_equal(roomkey_check(pair->other_key), roomkey_check(pair->key), ROOMKEY_CHECK_BYTES);
}

/* A nonce must never come twice under one key: each life has a salt of its own, and numbers from 0 on. */
static void test_lives(void **state) {
	struct pair *pair = *state;
	struct roomkey_sender again = pair->sender;
	struct slice datagram = seal_frame(pair, 60);
	uint8_t first[BYTES_MAX];

	memcpy(first, datagram.data, datagram.len);
	assert_int_equal(roomkey_begin(pair->key, fresh, &again), 0); /* should the random bytes ever come again */
	assert_memory_not_equal(again.salt, pair->sender.salt, ROOMKEY_SALT_BYTES);
	datagram = seal_frame(pair, 60);
	assert_memory_equal(datagram.data, first, PROTO_SEALED_CLEAR_BYTES);
	assert_memory_not_equal(datagram.data + PROTO_SEALED_CLEAR_BYTES, first + PROTO_SEALED_CLEAR_BYTES, 46);
	assert_int_equal(open_frame(pair->peer, datagram, pair->opened), BASE_E_INVALID);
}

/* Were a life ever to come again (a restored machine), it would still have another id at the relay. */
static void test_ids_are_in_the_nonce(void **state) {
	struct pair *pair = *state;
	struct roomkey *again = new_key("ROOM1", PASSPHRASE);
	struct roomkey_sender sender = {.mac = pair->sender.mac};
	uint8_t first[BYTES_MAX];

	seal_frame(pair, 60);
	memcpy(first, pair->datagram, 92);
	assert_int_equal(roomkey_begin(again, fresh, &sender), 0);
	assert_memory_equal(sender.salt, pair->sender.salt, ROOMKEY_SALT_BYTES);
	assert_int_equal(roomkey_seal(again, 6, slice_of(pair->frame, 60), 0xabcd, 1600, pair->datagram), 0);
	assert_memory_not_equal(pair->datagram + PROTO_SEALED_CLEAR_BYTES, first + PROTO_SEALED_CLEAR_BYTES, 46);
	roomkey_free(again);
}

static void test_seal_refuses(void **state) {
	struct pair *pair = *state;

	assert_int_equal(roomkey_seal(pair->key, 5, slice_of(pair->frame, 13), 0, 1600, pair->datagram), BASE_E_RUNT);
	assert_int_equal(roomkey_seal(pair->key, 0, slice_of(pair->frame, 60), 0, 1600, pair->datagram), BASE_E_RANGE);
	assert_int_equal(roomkey_seal(pair->key, 5, slice_of(pair->frame, 60), 0, 91, pair->datagram), BASE_E_TOO_BIG);
	assert_int_equal(roomkey_seal(pair->key, 5, slice_of(pair->frame, 60), 0, 92, pair->datagram), 0);
}

static void test_passphrases(void **state) {
	static const struct {
		const char *text;
		int expected;
	} cases[] = {
	    {"", BASE_E_INVALID},           {"1234567", BASE_E_INVALID},     {"12345678", 0},
	    {"with spaces in it ~", 0},     {"tab\tinside", BASE_E_INVALID}, {"gr\xc3\xbc\xc3\x9f dich", BASE_E_INVALID},
	    {"delete \x7f", BASE_E_INVALID}};
	struct roomkey *key = NULL;
	char longest[ROOMKEY_PASSPHRASE_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		unit_assert_int(roomkey_passphrase_check(cases[i].text), cases[i].expected, cases[i].text);
	memset(longest, 'x', sizeof(longest));
	longest[ROOMKEY_PASSPHRASE_MAX + 1] = '\0';
	assert_int_equal(roomkey_passphrase_check(longest), BASE_E_INVALID);
	longest[ROOMKEY_PASSPHRASE_MAX] = '\0';
	assert_int_equal(roomkey_passphrase_check(longest), 0);
	assert_int_equal(roomkey_new(seal_gnutls(), "R", "1234567", &key), BASE_E_INVALID);
	assert_null(key);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    WITH_PAIR(test_every_length),
	    WITH_PAIR(test_payload_is_hidden_and_header_is_not),
	    WITH_PAIR(test_any_changed_bit_is_refused),
	    WITH_PAIR(test_replay),
	    WITH_PAIR(test_replay_to_who_is_told_anew),
	    WITH_PAIR(test_another_with_the_same_salt),
	    WITH_PAIR(test_nobody_is_forgotten),
	    WITH_PAIR(test_nobody_is_pushed_out),
	    WITH_PAIR(test_keys_are_bound_to_the_sender),
	    WITH_PAIR(test_other_keys),
	    WITH_PAIR(test_lives),
	    WITH_PAIR(test_ids_are_in_the_nonce),
	    WITH_PAIR(test_seal_refuses),
	    cmocka_unit_test(test_passphrases),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s VECTORS\n", argv[0]);
		return 2;
	}
	vectors_path = argv[1];
	return cmocka_run_group_tests_name("roomkey", tests, NULL, NULL);
}
