/* base/bytes.h: the only place that knows byte order. All accessors make no assumption about alignment; they are for
 * network byte order (big endian), those named le for little endian. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdint.h>

static inline uint16_t base_get_u16(const uint8_t *p) {
	return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}

static inline uint32_t base_get_u32(const uint8_t *p) {
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t base_get_u64(const uint8_t *p) {
	return (uint64_t)base_get_u32(p) << 32 | base_get_u32(p + 4);
}

static inline void base_put_u16(uint8_t *p, uint16_t v) {
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void base_put_u32(uint8_t *p, uint32_t v) {
	base_put_u16(p, (uint16_t)(v >> 16));
	base_put_u16(p + 2, (uint16_t)v);
}

static inline void base_put_u64(uint8_t *p, uint64_t v) {
	base_put_u32(p, (uint32_t)(v >> 32));
	base_put_u32(p + 4, (uint32_t)v);
}

static inline uint16_t base_get_le16(const uint8_t *p) {
	return (uint16_t)((uint16_t)p[1] << 8 | p[0]);
}

static inline uint32_t base_get_le32(const uint8_t *p) {
	return (uint32_t)base_get_le16(p + 2) << 16 | base_get_le16(p);
}

static inline uint64_t base_get_le64(const uint8_t *p) {
	return (uint64_t)base_get_le32(p + 4) << 32 | base_get_le32(p);
}

static inline void base_put_le16(uint8_t *p, uint16_t v) {
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void base_put_le32(uint8_t *p, uint32_t v) {
	base_put_le16(p, (uint16_t)v);
	base_put_le16(p + 2, (uint16_t)(v >> 16));
}

#endif
