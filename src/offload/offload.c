/* offload/offload.c: finishes what the kernel left to a network card. Knows the virtio-net header, and IP, TCP and UDP
 * as far as segmentation touches them. Segments are made the way the kernel's own software segmentation makes them. */
#include "offload/offload.h"

#include "base/bytes.h"
#include "base/error.h"
#include "offload/headers.h"
#include "proto/ether.h"

#include <string.h>

#define VNET_NEEDS_CSUM 0x01
#define VNET_GSO_ECN 0x80

#define SCTP_CHECKSUM_AT 8
#define SCTP_CHECKSUM_BYTES 4

#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80

#define GRE_HEADER_MIN 4
#define GRE_KEY 0x2000

/* The wire's numbers for enum offload_gso; 3 was UFO. */
static const uint8_t gso_numbers[] = {
    [OFFLOAD_GSO_NONE] = 0,
    [OFFLOAD_GSO_TCP4] = 1,
    [OFFLOAD_GSO_TCP6] = 4,
    [OFFLOAD_GSO_UDP] = 5,
};

#define GSO_KINDS (sizeof(gso_numbers) / sizeof(gso_numbers[0]))

int offload_vnet_decode(struct slice bytes, struct offload_vnet *ret) {
	const uint8_t *p = bytes.data;
	size_t gso = 0;
	bool ecn;

	if (bytes.len < OFFLOAD_VNET_HEADER_BYTES)
		return BASE_E_SHORT;
	ecn = (p[1] & VNET_GSO_ECN) != 0;
	while (gso < GSO_KINDS && gso_numbers[gso] != (p[1] & ~VNET_GSO_ECN))
		gso++;
	if (gso == GSO_KINDS || (ecn && gso == OFFLOAD_GSO_NONE))
		return BASE_E_UNSUPPORTED;
	*ret = (struct offload_vnet){
	    .needs_csum = (p[0] & VNET_NEEDS_CSUM) != 0,
	    .ecn = ecn,
	    .gso = (enum offload_gso)gso,
	    .hdr_len = base_get_le16(p + 2),
	    .gso_size = base_get_le16(p + 4),
	    .csum_start = base_get_le16(p + 6),
	    .csum_offset = base_get_le16(p + 8),
	};
	return 0;
}

void offload_vnet_encode(const struct offload_vnet *vnet, uint8_t out[static OFFLOAD_VNET_HEADER_BYTES]) {
	out[0] = vnet->needs_csum ? VNET_NEEDS_CSUM : 0;
	out[1] = (uint8_t)(gso_numbers[vnet->gso] | (vnet->ecn ? VNET_GSO_ECN : 0));
	base_put_le16(out + 2, vnet->hdr_len);
	base_put_le16(out + 4, vnet->gso_size);
	base_put_le16(out + 6, vnet->csum_start);
	base_put_le16(out + 8, vnet->csum_offset);
}

/* A CRC over the packet with zeros in its place. */
static int fill_sctp_checksum(uint8_t *frame, size_t len, const struct offload_vnet *vnet) {
	size_t field = (size_t)vnet->csum_start + vnet->csum_offset;

	if (vnet->csum_start < PROTO_ETHER_HEADER_BYTES || field + SCTP_CHECKSUM_BYTES > len)
		return BASE_E_INVALID;
	memset(frame + field, 0, SCTP_CHECKSUM_BYTES);
	base_put_le32(frame + field, offload_crc32c(slice_of(frame + vnet->csum_start, len - vnet->csum_start)));
	return 0;
}

/* The field holds the sum of the pseudo header, or whatever the protocol wants added: summing it with the rest is right
 * for all of them. Never 0 as a result, which in UDP means no checksum. */
static int fill_checksum(uint8_t *frame, size_t len, const struct offload_vnet *vnet) {
	size_t field = (size_t)vnet->csum_start + vnet->csum_offset;
	uint16_t checksum;

	if (vnet->csum_start < PROTO_ETHER_HEADER_BYTES || field + 2 > len)
		return BASE_E_INVALID;
	checksum = (uint16_t)~offload_checksum_add(0, slice_of(frame + vnet->csum_start, len - vnet->csum_start));
	base_put_u16(frame + field, checksum != 0 ? checksum : UINT16_MAX);
	return 0;
}

/* Each finds where TCP or UDP begins. 0, BASE_E_INVALID or BASE_E_UNSUPPORTED. */
static int find_ipv4_payload(struct slice packet, uint8_t *ret_protocol, size_t *ret_offset) {
	const uint8_t *p = packet.data;
	size_t header_len;

	if (packet.len < PROTO_IPV4_HEADER_MIN || p[0] >> 4 != 4)
		return BASE_E_INVALID;
	header_len = (size_t)(p[0] & 0x0f) * 4;
	if (header_len < PROTO_IPV4_HEADER_MIN || header_len > packet.len || base_get_u16(p + 2) != packet.len)
		return BASE_E_INVALID;
	if ((base_get_u16(p + 6) & 0x3fff) != 0)
		return BASE_E_UNSUPPORTED; /* a fragment */
	*ret_protocol = p[9];
	*ret_offset = header_len;
	return 0;
}

static int find_ipv6_payload(struct slice packet, uint8_t *ret_protocol, size_t *ret_offset) {
	struct slice payload;

	if (proto_ipv6_payload(packet, ret_protocol, &payload) != 0 ||
	    base_get_u16(packet.data + 4) != packet.len - PROTO_IPV6_HEADER_BYTES)
		return BASE_E_INVALID;
	*ret_offset = packet.len - payload.len;
	return 0;
}

static int find_payload(struct offload_splitter *s) {
	size_t l4_len = s->frame_len - s->l4_offset;
	bool udp = s->vnet.gso == OFFLOAD_GSO_UDP;
	size_t header_len = PROTO_UDP_HEADER_BYTES;

	if (l4_len < (udp ? PROTO_UDP_HEADER_BYTES : TCP_HEADER_MIN))
		return BASE_E_INVALID;
	if (udp && base_get_u16(s->frame + s->l4_offset + 4) != l4_len)
		return BASE_E_INVALID;
	if (!udp) {
		header_len = (size_t)(s->frame[s->l4_offset + 12] >> 4) * 4;
		if (header_len < TCP_HEADER_MIN || header_len > l4_len)
			return BASE_E_INVALID;
	}
	s->header_len = s->l4_offset + header_len;
	return 0;
}

/* What a tunnel's packet carries. GRE with a key or without; its checksum and sequence numbers would differ between
 * segments. */
static int enter_tunnel(struct slice *packet, uint8_t protocol, size_t *at, uint16_t *ret_type) {
	size_t header_len = GRE_HEADER_MIN;

	if (protocol != PROTO_IP_GRE) {
		*ret_type = protocol == PROTO_IP_IPV4 ? PROTO_ETHERTYPE_IPV4 : PROTO_ETHERTYPE_IPV6;
		return 0;
	}
	if (packet->len < GRE_HEADER_MIN || (base_get_u16(packet->data) & ~GRE_KEY) != 0)
		return BASE_E_UNSUPPORTED;
	header_len += base_get_u16(packet->data) != 0 ? 4 : 0;
	if (packet->len < header_len)
		return BASE_E_INVALID;
	*ret_type = base_get_u16(packet->data + 2);
	*packet = slice_of(packet->data + header_len, packet->len - header_len);
	*at += header_len;
	return 0;
}

/* From one IP header to the next, down to TCP or UDP. */
static int find_transport(struct offload_splitter *s, struct slice packet, size_t at, uint16_t type) {
	enum offload_gso gso = s->vnet.gso;
	uint8_t protocol;
	size_t offset;
	int err = 0;

	while (err == 0 && s->l3_count < OFFLOAD_IP_HEADERS_MAX) {
		if (type != PROTO_ETHERTYPE_IPV4 && type != PROTO_ETHERTYPE_IPV6)
			return BASE_E_UNSUPPORTED;
		err = type == PROTO_ETHERTYPE_IPV4 ? find_ipv4_payload(packet, &protocol, &offset)
		                                   : find_ipv6_payload(packet, &protocol, &offset);
		if (err != 0)
			return err;
		s->l3_offsets[s->l3_count++] = at;
		at += offset;
		packet = slice_of(packet.data + offset, packet.len - offset);
		if (protocol == PROTO_IP_TCP || protocol == PROTO_IP_UDP) {
			s->l4_offset = at;
			return protocol != (gso == OFFLOAD_GSO_UDP ? PROTO_IP_UDP : PROTO_IP_TCP) ||
			               gso == (type == PROTO_ETHERTYPE_IPV4 ? OFFLOAD_GSO_TCP6 : OFFLOAD_GSO_TCP4)
			           ? BASE_E_INVALID
			           : 0;
		}
		if (protocol != PROTO_IP_IPV4 && protocol != PROTO_IP_IPV6 && protocol != PROTO_IP_GRE)
			return BASE_E_UNSUPPORTED;
		err = enter_tunnel(&packet, protocol, &at, &type);
	}
	return err != 0 ? err : BASE_E_UNSUPPORTED;
}

static int find_headers(struct offload_splitter *s) {
	struct proto_ether ether;
	int err;

	if (proto_ether_parse(slice_of(s->frame, s->frame_len), &ether) != 0)
		return BASE_E_INVALID;
	err = find_transport(s, ether.payload, ether.payload_offset, ether.type);
	return err != 0 ? err : find_payload(s);
}

/* The pseudo header's sum without the length, which differs between segments. The kernel left it in the checksum field,
 * with the super-frame's length; take that, since a routing header may have changed the address that counts. */
static uint16_t sum_pseudo_header(const struct offload_splitter *s) {
	const uint8_t *l3 = s->frame + s->l3_offsets[s->l3_count - 1];
	uint8_t minus[2];

	if (!s->vnet.needs_csum)
		return offload_sum_pseudo_header(l3, s->vnet.gso);
	base_put_u16(minus, (uint16_t) ~(s->frame_len - s->l4_offset));
	return offload_checksum_add(base_get_u16(s->frame + s->l4_offset + offload_checksum_at(s->vnet.gso)),
	                            slice_of(minus, 2));
}

int offload_splitter_init(struct offload_splitter *splitter, uint8_t *frame, size_t len,
                          const struct offload_vnet *vnet) {
	struct offload_splitter s = {.frame = frame, .frame_len = len, .vnet = *vnet};
	int err;

	if (vnet->gso == OFFLOAD_GSO_NONE) {
		/* The header has no word for the kind of checksum, but only SCTP has its field there. */
		err = !vnet->needs_csum                       ? 0
		      : vnet->csum_offset == SCTP_CHECKSUM_AT ? fill_sctp_checksum(frame, len, vnet)
		                                              : fill_checksum(frame, len, vnet);
	} else {
		err = vnet->gso_size > 0 ? find_headers(&s) : BASE_E_INVALID;
		if (err == 0 && vnet->needs_csum &&
		    (vnet->csum_start != s.l4_offset || vnet->csum_offset != offload_checksum_at(vnet->gso)))
			err = BASE_E_INVALID;
		if (err == 0 && (len - s.header_len) / vnet->gso_size > OFFLOAD_SEGMENTS_MAX)
			err = BASE_E_UNSUPPORTED;
		if (err == 0) {
			s.next_payload = s.header_len;
			s.pseudo_sum = sum_pseudo_header(&s);
		}
	}
	if (err == 0)
		*splitter = s;
	return err;
}

/* Lengths, identification and header checksum of the network layer. Extension headers stay as they are. */
static void finish_l3(const struct offload_splitter *s, uint8_t *segment, size_t segment_len, size_t at) {
	uint8_t *l3 = segment + at;
	uint16_t l3_len = (uint16_t)(segment_len - at);

	if (l3[0] >> 4 == 6) {
		base_put_u16(l3 + 4, (uint16_t)(l3_len - PROTO_IPV6_HEADER_BYTES));
		return;
	}
	base_put_u16(l3 + 2, l3_len);
	base_put_u16(l3 + 4, (uint16_t)(base_get_u16(l3 + 4) + s->segment_index));
	base_put_u16(l3 + 10, 0);
	base_put_u16(l3 + 10, (uint16_t)~offload_checksum_add(0, slice_of(l3, (size_t)(l3[0] & 0x0f) * 4)));
}

static void finish_l4(const struct offload_splitter *s, uint8_t *segment, size_t segment_len, bool last) {
	uint8_t *l4 = segment + s->l4_offset;
	uint8_t *field = l4 + offload_checksum_at(s->vnet.gso);
	uint16_t l4_len = (uint16_t)(segment_len - s->l4_offset);
	uint8_t length[2];
	uint16_t checksum;

	base_put_u16(length, l4_len);
	if (s->vnet.gso == OFFLOAD_GSO_UDP) {
		memcpy(l4 + 4, length, sizeof(length));
	} else {
		base_put_u32(l4 + 4, base_get_u32(l4 + 4) + (uint32_t)(s->next_payload - s->header_len));
		if (!last)
			l4[13] &= (uint8_t)~TCP_FIN_PSH;
		if (s->segment_index > 0)
			l4[13] &= (uint8_t)~TCP_CWR;
	}
	base_put_u16(field, 0);
	checksum = offload_checksum_add(s->pseudo_sum, slice_of(length, sizeof(length)));
	checksum = (uint16_t)~offload_checksum_add(checksum, slice_of(l4, l4_len));
	if (checksum == 0 && s->vnet.gso == OFFLOAD_GSO_UDP)
		checksum = UINT16_MAX; /* 0 would mean none (RFC 768) */
	base_put_u16(field, checksum);
}

int offload_splitter_next(struct offload_splitter *splitter, uint8_t *buf, size_t cap, struct slice *ret) {
	struct offload_splitter *s = splitter;
	size_t payload_len, segment_len;

	if (s->done)
		return 0;
	if (s->vnet.gso == OFFLOAD_GSO_NONE) {
		s->done = true;
		*ret = slice_of(s->frame, s->frame_len);
		return (int)s->frame_len;
	}
	payload_len = s->frame_len - s->next_payload;
	if (payload_len > s->vnet.gso_size)
		payload_len = s->vnet.gso_size;
	else
		s->done = true;
	segment_len = s->header_len + payload_len;
	if (segment_len > cap) {
		s->done = true;
		return BASE_E_TOO_BIG;
	}
	memcpy(buf, s->frame, s->header_len);
	memcpy(buf + s->header_len, s->frame + s->next_payload, payload_len);
	for (size_t i = 0; i < s->l3_count; i++)
		finish_l3(s, buf, segment_len, s->l3_offsets[i]);
	finish_l4(s, buf, segment_len, s->done);
	s->next_payload += payload_len;
	s->segment_index++;
	*ret = slice_of(buf, segment_len);
	return (int)segment_len;
}
