#include "base/map.h"

#include "base/bytes.h"
#include "base/error.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MIN 16

static uint64_t rotate_left(uint64_t x, int bits) {
	return (x << bits) | (x >> (64 - bits));
}

/* The functions of SipHash work on these (Aumasson, Bernstein: SipHash, section 2.2). */
struct sip {
	uint64_t v0, v1, v2, v3;
};

/* Inlined, so that the state stays in registers: each frame is hashed three times on its way through the relay. */
static inline void sip_round(struct sip *s) {
	s->v0 += s->v1;
	s->v1 = rotate_left(s->v1, 13) ^ s->v0;
	s->v0 = rotate_left(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate_left(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate_left(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate_left(s->v1, 17) ^ s->v2;
	s->v2 = rotate_left(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word) {
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

/* The bytes behind the last whole word, and the length above them. */
static uint64_t last_word(const uint8_t *p, size_t len) {
	uint64_t word = (uint64_t)(len & 0xff) << 56;
	unsigned bits = 0;

	if (len & 4) {
		word |= base_get_le32(p);
		p += 4;
		bits = 32;
	}
	if (len & 2) {
		word |= (uint64_t)base_get_le16(p) << bits;
		p += 2;
		bits += 16;
	}
	if (len & 1)
		word |= (uint64_t)*p << bits;
	return word;
}

uint64_t base_siphash13(const uint64_t seed[static 2], struct slice bytes) {
	struct sip s = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
	                seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
	size_t whole = bytes.len - bytes.len % 8;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&s, base_get_le64(bytes.data + i));
	sip_word(&s, last_word(bytes.data + whole, bytes.len));
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* `count` empty buckets, and behind them the place for the node that was found last. */
static struct base_map_node **new_buckets(size_t count) {
	return calloc(count + 1, sizeof(struct base_map_node *));
}

static struct base_map_node **last_of(const struct base_map *map) {
	return &map->buckets[map->bucket_count];
}

int base_map_init(struct base_map *map, const uint64_t seed[static 2]) {
	*map = (struct base_map){.bucket_count = BUCKETS_MIN, .seed = {seed[0], seed[1]}};
	map->buckets = new_buckets(map->bucket_count);
	return map->buckets != NULL ? 0 : BASE_E_NOMEM;
}

void base_map_done(struct base_map *map) {
	free(map->buckets);
	*map = (struct base_map){0};
}

static struct base_map_node **bucket_of(const struct base_map *map, uint64_t hash) {
	return &map->buckets[hash & (map->bucket_count - 1)];
}

static struct base_map_node *find_hashed(const struct base_map *map, struct slice key, uint64_t hash) {
	struct base_map_node *node;

	for (node = *bucket_of(map, hash); node != NULL; node = node->next) {
		if (node->hash == hash && slice_equal(node->key, key))
			return node;
	}
	return NULL;
}

struct base_map_node *base_map_find(const struct base_map *map, struct slice key) {
	struct base_map_node *node;

	if (map->len == 0)
		return NULL;
	node = *last_of(map);
	if (node != NULL && slice_equal(node->key, key))
		return node;
	node = find_hashed(map, key, base_siphash13(map->seed, key));
	if (node != NULL)
		*last_of(map) = node;
	return node;
}

static void push(struct base_map *map, struct base_map_node *node) {
	struct base_map_node **bucket = bucket_of(map, node->hash);

	node->next = *bucket;
	*bucket = node;
}

/* Doubles the table; failure only costs speed, so it is not reported. */
static void grow(struct base_map *map) {
	struct base_map_node **old = map->buckets;
	size_t old_count = map->bucket_count;
	struct base_map_node **buckets = new_buckets(old_count * 2);

	if (buckets == NULL)
		return;
	map->buckets = buckets;
	map->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		for (struct base_map_node *node = old[i], *next; node != NULL; node = next) {
			next = node->next;
			push(map, node);
		}
	}
	free(old);
}

int base_map_insert(struct base_map *map, struct base_map_node *node, struct slice key) {
	uint64_t hash = base_siphash13(map->seed, key);

	if (find_hashed(map, key, hash) != NULL)
		return BASE_E_EXISTS;
	if (map->len >= map->bucket_count)
		grow(map);
	*node = (struct base_map_node){.hash = hash, .key = key};
	push(map, node);
	map->len++;
	return 0;
}

void base_map_remove(struct base_map *map, struct base_map_node *node) {
	struct base_map_node **link = bucket_of(map, node->hash);

	while (*link != NULL && *link != node)
		link = &(*link)->next;
	assert(*link == node);
	if (*last_of(map) == node)
		*last_of(map) = NULL;
	*link = node->next;
	node->next = NULL;
	map->len--;
}

struct base_map_node *base_map_next(const struct base_map *map, const struct base_map_node *node) {
	size_t index = 0;

	if (node != NULL) {
		if (node->next != NULL)
			return node->next;
		index = (node->hash & (map->bucket_count - 1)) + 1;
	}
	for (; index < map->bucket_count; index++) {
		if (map->buckets[index] != NULL)
			return map->buckets[index];
	}
	return NULL;
}
