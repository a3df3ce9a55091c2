#include "base/map.h"

#include "base/error.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MIN 16

static uint64_t rotate_left(uint64_t x, int bits) {
	return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[static 4]) {
	v[0] += v[1];
	v[1] = rotate_left(v[1], 13) ^ v[0];
	v[0] = rotate_left(v[0], 32);
	v[2] += v[3];
	v[3] = rotate_left(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate_left(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate_left(v[1], 17) ^ v[2];
	v[2] = rotate_left(v[2], 32);
}

/* Little-endian load, as SipHash is defined (Aumasson, Bernstein: SipHash, section 2.2). */
static uint64_t load_le(const uint8_t *p, size_t len) {
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)p[i] << (8 * i);
	return word;
}

uint64_t base_siphash13(const uint64_t seed[static 2], struct slice bytes) {
	uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
	                 seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
	size_t whole = bytes.len - bytes.len % 8;
	uint64_t last;

	for (size_t i = 0; i < whole; i += 8) {
		uint64_t word = load_le(bytes.data + i, 8);

		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	last = (uint64_t)(bytes.len & 0xff) << 56;
	if (bytes.len > whole)
		last |= load_le(bytes.data + whole, bytes.len - whole);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int base_map_init(struct base_map *map, const uint64_t seed[static 2]) {
	*map = (struct base_map){.bucket_count = BUCKETS_MIN, .seed = {seed[0], seed[1]}};
	map->buckets = calloc(map->bucket_count, sizeof(struct base_map_node *));
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
	return map->len > 0 ? find_hashed(map, key, base_siphash13(map->seed, key)) : NULL;
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
	struct base_map_node **buckets = calloc(old_count * 2, sizeof(struct base_map_node *));

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
