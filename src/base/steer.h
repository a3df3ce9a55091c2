/* base/steer.h: which shard of a relay a connection ID leads to (docs/protocol.md, "Shards"). The first byte of a
 * connection ID decides: its upper five bits are a group, the rest is random. Groups are dealt out to the shards in
 * turn. */
#ifndef BASE_STEER_H
#define BASE_STEER_H

#include <stddef.h>
#include <stdint.h>

#define BASE_STEER_SHIFT 3
#define BASE_STEER_RANDOM ((1U << BASE_STEER_SHIFT) - 1) /* the bits that steer nothing */
#define BASE_STEER_GROUPS 32
#define BASE_SHARDS_MAX BASE_STEER_GROUPS /* a shard without a group would have nothing to do */

static inline unsigned base_steer_group(uint8_t first_byte) {
	return (unsigned)first_byte >> BASE_STEER_SHIFT;
}

static inline unsigned base_steer_shard(uint8_t first_byte, unsigned shards) {
	return base_steer_group(first_byte) % shards;
}

/* A first byte that leads to `shard`, made from a random byte. Which of the shard's groups it names is random too, so
 * that an onlooker learns the shard from it and nothing else. */
static inline uint8_t base_steer_byte(unsigned shard, unsigned shards, uint8_t random) {
	unsigned groups = (BASE_STEER_GROUPS - shard + shards - 1) / shards;
	unsigned group = shard + base_steer_group(random) % groups * shards;

	return (uint8_t)(group << BASE_STEER_SHIFT | (random & BASE_STEER_RANDOM));
}

/* Which shard a UDP datagram is for (RFC 8999: in a long header the destination connection ID begins after flags,
 * version and length, in a short one after the flags). One that is too short to have any is for the first. */
#define BASE_STEER_LONG_HEADER 0x80
#define BASE_STEER_LONG_AT 6
#define BASE_STEER_SHORT_AT 1
static inline unsigned base_steer_datagram(const uint8_t *bytes, size_t len, unsigned shards) {
	size_t at = len > 0 && (bytes[0] & BASE_STEER_LONG_HEADER) != 0 ? BASE_STEER_LONG_AT : BASE_STEER_SHORT_AT;

	return at < len ? base_steer_shard(bytes[at], shards) : 0;
}

#endif
