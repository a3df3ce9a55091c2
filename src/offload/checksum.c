/* offload/checksum.c: the Internet checksum (RFC 1071), which on the data path is paid per byte. */
#include "offload/offload.h"

#include "base/bytes.h"

#include <string.h>

#define LANES 4 /* independent sums, so that one addition need not wait for the last */

static uint64_t load_u64(const uint8_t *p) {
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static uint64_t add_with_carry(uint64_t a, uint64_t b) {
	uint64_t sum = a + b;

	return sum + (sum < b);
}

/* Words are added as the machine loads them: the sum comes out with its bytes swapped accordingly (RFC 1071 section
 * 1.2 B), and is read back in network order at the end. */
uint16_t offload_checksum_add(uint16_t sum, struct slice bytes) {
	const uint8_t *p = bytes.data;
	size_t left = bytes.len;
	uint64_t lanes[LANES] = {0}, total;
	uint8_t network[2];
	uint32_t folded;

	for (; left >= LANES * sizeof(uint64_t); left -= LANES * sizeof(uint64_t), p += LANES * sizeof(uint64_t)) {
		for (size_t i = 0; i < LANES; i++)
			lanes[i] = add_with_carry(lanes[i], load_u64(p + i * sizeof(uint64_t)));
	}
	total = add_with_carry(add_with_carry(lanes[0], lanes[1]), add_with_carry(lanes[2], lanes[3]));
	for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t), p += sizeof(uint64_t))
		total = add_with_carry(total, load_u64(p));
	if (left > 0) {
		uint8_t tail[sizeof(uint64_t)] = {0};

		memcpy(tail, p, left);
		total = add_with_carry(total, load_u64(tail));
	}
	total = (total >> 32) + (total & UINT32_MAX);
	total = (total >> 32) + (total & UINT32_MAX);
	folded = (uint32_t)((total >> 16) + (total & UINT16_MAX));
	folded = (folded >> 16) + (folded & UINT16_MAX);
	memcpy(network, &(uint16_t){(uint16_t)folded}, sizeof(network));
	folded = (uint32_t)sum + base_get_u16(network);
	return (uint16_t)((folded >> 16) + (folded & UINT16_MAX));
}
