#include "proto/steer.h"

#include "base/map.h"

/* "lanparty" and "-shard-1" as little-endian words: the key of SipHash-1-3. It is public and keeps this hash apart from
 * other uses; what protects a room's code is that five bits say next to nothing. */
static const uint64_t key[2] = {UINT64_C(0x79747261706e616c), UINT64_C(0x312d64726168732d)};

uint8_t proto_steer_byte(const char *room) {
	uint64_t hash = base_siphash13(key, slice_of_text(room));

	return (uint8_t)(hash % BASE_STEER_GROUPS << BASE_STEER_SHIFT);
}
