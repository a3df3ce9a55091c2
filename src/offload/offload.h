/* offload/offload.h: what the kernel leaves undone on frames it hands us with a virtio-net header: checksums not
 * filled in, TCP and UDP super-frames not yet segmented (Linux include/uapi/linux/virtio_net.h, virtio 1.2 section
 * 5.1.6). Pure: a header and a large frame in, finished frames out.
 *
 * IPv4 (with options) and IPv6 (with extension headers up to the one csum_start points behind), TCP and UDP, behind any
 * VLAN tags. What cannot be segmented is refused, never guessed. */
#ifndef OFFLOAD_OFFLOAD_H
#define OFFLOAD_OFFLOAD_H

#include "base/slice.h"

/* The legacy header that both TAP and PACKET_VNET_HDR use; little endian on the wire. */
#define OFFLOAD_VNET_HEADER_BYTES 10
#define OFFLOAD_SUPER_FRAME_MAX 65550 /* 14 + 65535 and one byte to see an overrun */

/* More segments are refused: a virtual machine or a container on the LAN chooses gso_size itself, and one frame of 64
 * KiB would be 65,000. What Linux sends has at least 36 bytes in each (tcp_min_snd_mss 48, with time stamps). */
#define OFFLOAD_SEGMENTS_MAX 2048
#define OFFLOAD_IP_HEADERS_MAX 4 /* a tunnel's, and of what it carries; GRO goes no deeper */

enum offload_gso { OFFLOAD_GSO_NONE, OFFLOAD_GSO_TCP4, OFFLOAD_GSO_TCP6, OFFLOAD_GSO_UDP };

struct offload_vnet {
	bool needs_csum;
	bool ecn; /* VIRTIO_NET_HDR_GSO_ECN */
	enum offload_gso gso;
	uint16_t hdr_len;     /* a hint of the kernel; never trusted */
	uint16_t gso_size;    /* payload bytes per segment */
	uint16_t csum_start;  /* bytes from the start of the frame */
	uint16_t csum_offset; /* from csum_start */
};

/* 0, BASE_E_SHORT, or BASE_E_UNSUPPORTED for a gso type we did not ask for (the old UDP fragmentation UFO, too). */
int offload_vnet_decode(struct slice bytes, struct offload_vnet *ret);
void offload_vnet_encode(const struct offload_vnet *vnet, uint8_t out[static OFFLOAD_VNET_HEADER_BYTES]);

/* Iterates over the finished frames of one captured frame. The frame is modified in place (a plain frame gets its
 * checksum) or left alone (segments are copied out). */
struct offload_splitter {
	uint8_t *frame;
	size_t frame_len;
	struct offload_vnet vnet;
	size_t l3_offsets[OFFLOAD_IP_HEADERS_MAX], l3_count; /* outermost first: tunnels have several */
	size_t l4_offset, header_len;                        /* header_len: all up to the payload */
	size_t next_payload;                                 /* offset of the next segment's payload */
	uint16_t segment_index;
	uint16_t pseudo_sum; /* see offload.c */
	bool done;
};

/* Checks header against frame. 0; BASE_E_INVALID when the header points outside the frame or contradicts it;
 * BASE_E_UNSUPPORTED when the frame is not something we can segment. */
int offload_splitter_init(struct offload_splitter *splitter, uint8_t *frame, size_t len,
                          const struct offload_vnet *vnet);

/* The next finished frame: for a frame without GSO the frame itself, once; else one segment built in `buf`. Returns its
 * length with *ret set, 0 at the end, or BASE_E_TOO_BIG when a segment does not fit `cap` (the rest is skipped). */
int offload_splitter_next(struct offload_splitter *splitter, uint8_t *buf, size_t cap, struct slice *ret);

/* RFC 1071 over `bytes`, added to `sum` (not complemented), folded to 16 bits. */
uint16_t offload_checksum_add(uint16_t sum, struct slice bytes);

/* SCTP's checksum (RFC 9260 appendix A), as a number; on the wire its bytes are in little-endian order. */
uint32_t offload_crc32c(struct slice bytes);

#endif
