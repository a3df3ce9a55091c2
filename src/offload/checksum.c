/* offload/checksum.c: the Internet checksum (RFC 1071), which on the data path is paid per byte, and SCTP's, which few
 * ever ask for. */
#include "offload/offload.h"

#include "base/bytes.h"

#include <string.h>

#define LANES 4 /* independent sums, so that one addition need not wait for the last */
#define WORD_BYTES sizeof(uint64_t)
#define CRC32C_POLYNOMIAL 0x82f63b78u /* the lowest bit is the highest power */

/* Two 32-bit words in a 64-bit sum: it cannot overflow within any frame, so no carry need be looked for. */
static uint64_t sum_halves(const uint8_t *p) {
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return (word & UINT32_MAX) + (word >> 32);
}

/* Words are added as the machine loads them: the sum comes out with its bytes swapped accordingly (RFC 1071 section
 * 1.2 B), and is read back in network order at the end. */
uint16_t offload_checksum_add(uint16_t sum, struct slice bytes) {
	const uint8_t *p = bytes.data;
	size_t left = bytes.len;
	uint64_t lanes[LANES] = {0}, total = 0;
	uint8_t network[2];
	uint32_t folded;

	for (; left >= LANES * WORD_BYTES; left -= LANES * WORD_BYTES, p += LANES * WORD_BYTES) {
		for (size_t i = 0; i < LANES; i++)
			lanes[i] += sum_halves(p + i * WORD_BYTES);
	}
	for (size_t i = 0; i < LANES; i++)
		total += lanes[i];
	for (; left >= WORD_BYTES; left -= WORD_BYTES, p += WORD_BYTES)
		total += sum_halves(p);
	if (left > 0) {
		uint8_t tail[WORD_BYTES] = {0};

		memcpy(tail, p, left);
		total += sum_halves(tail);
	}
	total = (total >> 32) + (total & UINT32_MAX);
	total = (total >> 32) + (total & UINT32_MAX);
	folded = (uint32_t)((total >> 16) + (total & UINT16_MAX));
	folded = (folded >> 16) + (folded & UINT16_MAX);
	memcpy(network, &(uint16_t){(uint16_t)folded}, sizeof(network));
	folded = (uint32_t)sum + base_get_u16(network);
	return (uint16_t)((folded >> 16) + (folded & UINT16_MAX));
}

uint32_t offload_crc32c(struct slice bytes) {
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? CRC32C_POLYNOMIAL : 0);
	}
	return ~crc;
}
