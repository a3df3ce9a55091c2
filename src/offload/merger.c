/* offload/merger.c: frames lie in the arena one behind the other, a group is a chain of them, and a small table knows
 * the group that each flow may still add to. Whatever can't join a group starts the flow's next one, so that order is
 * kept without looking back. */
#include "offload/merger.h"

#include "base/bytes.h"
#include "offload/headers.h"
#include "proto/ether.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 64 /* a power of two; flows that share one only end each other's groups */
#define NO_GROUP UINT16_MAX
#define SUPER_BYTES_MAX 65535 /* under 64 KiB with everything, which every device takes */

#define IPV4_DONT_FRAGMENT 0x4000
#define TCP_ACK 0x10
#define TCP_PSH 0x08

/* Where things are in a frame that may be merged. */
struct layout {
	enum offload_gso gso;
	bool ipv6;
	uint8_t l4, header_len;
	size_t payload_len;
};

struct stored {
	uint32_t at; /* in the arena */
	uint16_t len, next;
};

struct group {
	struct layout layout; /* of the first frame; no payload: nothing joins */
	uint16_t first, last, count;
	uint16_t last_payload;
	bool verified; /* the first frame's checksums; looked at when a second frame comes */
	bool ended;
	uint32_t payload, bytes;
	uint8_t header[OFFLOAD_GROUP_HEADER_MAX]; /* the super-frame's */
};

struct offload_merger {
	unsigned kinds;
	size_t frame_bytes_max;
	size_t frame_count, group_count, used;
	uint16_t slots[SLOTS]; /* groups that may grow */
	struct stored frames[OFFLOAD_MERGER_FRAMES_MAX];
	struct group groups[OFFLOAD_MERGER_FRAMES_MAX];
	uint8_t arena[OFFLOAD_MERGER_BYTES_MAX];
};

static void forget_flows(struct offload_merger *merger) {
	memset(merger->slots, 0xff, sizeof(merger->slots));
}

struct offload_merger *offload_merger_new(void) {
	struct offload_merger *merger = calloc(1, sizeof(*merger)); /* pages nobody wrote to cost nothing */

	if (merger != NULL)
		forget_flows(merger);
	return merger;
}

void offload_merger_free(struct offload_merger *merger) {
	free(merger);
}

void offload_merger_allow(struct offload_merger *merger, unsigned kinds, size_t frame_bytes_max) {
	merger->kinds = kinds;
	merger->frame_bytes_max = frame_bytes_max;
	forget_flows(merger);
}

/* ---- what a frame is ---- */

/* Each tells the length that the packet says it has. */
static bool read_ipv4(struct slice packet, struct layout *layout, uint8_t *ret_protocol, size_t *ret_len) {
	const uint8_t *l3 = packet.data;
	uint16_t fragment;

	if (packet.len < PROTO_IPV4_HEADER_MIN || l3[0] != 0x45)
		return false;
	fragment = base_get_u16(l3 + 6);
	if (fragment != 0 && fragment != IPV4_DONT_FRAGMENT)
		return false;
	layout->ipv6 = false;
	layout->l4 = PROTO_ETHER_HEADER_BYTES + PROTO_IPV4_HEADER_MIN;
	*ret_protocol = l3[9];
	*ret_len = base_get_u16(l3 + 2);
	return true;
}

static bool read_ipv6(struct slice packet, struct layout *layout, uint8_t *ret_protocol, size_t *ret_len) {
	const uint8_t *l3 = packet.data;

	if (packet.len < PROTO_IPV6_HEADER_BYTES || l3[0] >> 4 != 6)
		return false;
	layout->ipv6 = true;
	layout->l4 = PROTO_ETHER_HEADER_BYTES + PROTO_IPV6_HEADER_BYTES;
	*ret_protocol = l3[6];
	*ret_len = PROTO_IPV6_HEADER_BYTES + (size_t)base_get_u16(l3 + 4);
	return true;
}

/* Whether a frame is plain TCP or UDP over plain IP with nothing around it, so that its flow is known. */
static bool read_layout(struct slice frame, struct layout *layout) {
	size_t packet_len, l4_len, header_len = PROTO_UDP_HEADER_BYTES;
	struct slice packet;
	uint8_t protocol;
	uint16_t type;

	if (frame.len < PROTO_ETHER_HEADER_BYTES)
		return false;
	packet = slice_of(frame.data + PROTO_ETHER_HEADER_BYTES, frame.len - PROTO_ETHER_HEADER_BYTES);
	type = base_get_u16(frame.data + 2 * PROTO_MAC_BYTES);
	if (!(type == PROTO_ETHERTYPE_IPV4 && read_ipv4(packet, layout, &protocol, &packet_len)) &&
	    !(type == PROTO_ETHERTYPE_IPV6 && read_ipv6(packet, layout, &protocol, &packet_len)))
		return false;
	l4_len = frame.len - layout->l4;
	if (protocol == PROTO_IP_TCP && l4_len >= TCP_HEADER_MIN) {
		layout->gso = layout->ipv6 ? OFFLOAD_GSO_TCP6 : OFFLOAD_GSO_TCP4;
		header_len = (size_t)(frame.data[layout->l4 + 12] >> 4) * 4;
		if (header_len < TCP_HEADER_MIN)
			return false;
	} else if (protocol == PROTO_IP_UDP) {
		layout->gso = OFFLOAD_GSO_UDP;
	} else {
		return false;
	}
	if (header_len > l4_len)
		return false;
	layout->header_len = (uint8_t)(layout->l4 + header_len);
	/* Ethernet pads short frames: such a one has its flow, but nothing joins it. */
	layout->payload_len = packet_len == packet.len ? l4_len - header_len : 0;
	return true;
}

/* Addresses and ports. Both ends of the words are mixed in, since neighbours differ in the last bits only. */
static size_t slot_of(const uint8_t *frame, const struct layout *layout) {
	const uint8_t *l3 = frame + PROTO_ETHER_HEADER_BYTES;
	const uint8_t *p = l3 + (layout->ipv6 ? 8 : 12), *end = frame + layout->l4;
	uint32_t hash = base_get_u32(end) ^ (uint32_t)layout->gso;

	for (; p < end; p += sizeof(hash))
		hash = (hash ^ base_get_u32(p)) * 0x9e3779b1u;
	return hash >> 26;
}

_Static_assert(SLOTS == 1 << (32 - 26), "slot_of takes the upper bits");

static bool may_merge(const struct offload_merger *merger, struct slice frame, const struct layout *layout) {
	const uint8_t *l4 = frame.data + layout->l4;

	if (layout->payload_len == 0 || frame.len > merger->frame_bytes_max)
		return false;
	/* Not what goes to groups: DHCP clients read packet sockets, where nobody takes super-frames apart. */
	if (layout->gso == OFFLOAD_GSO_UDP)
		return (merger->kinds & OFFLOAD_MERGE_UDP) != 0 && (frame.data[0] & 1) == 0 &&
		       base_get_u16(l4 + 4) == PROTO_UDP_HEADER_BYTES + layout->payload_len;
	return (merger->kinds & OFFLOAD_MERGE_TCP) != 0 && (l4[12] & 0x0f) == 0 && (l4[13] & ~TCP_PSH) == TCP_ACK;
}

static uint16_t sum_pseudo_header(const uint8_t *l3, const struct layout *layout, size_t l4_len) {
	uint8_t length[2];

	base_put_u16(length, (uint16_t)l4_len);
	return offload_checksum_add(offload_sum_pseudo_header(l3, layout->gso), slice_of(length, sizeof(length)));
}

/* Correct, and written the one way the splitter writes it: ones' complement has two zeros. */
static bool checksums_good(const uint8_t *frame, const struct layout *layout) {
	const uint8_t *l3 = frame + PROTO_ETHER_HEADER_BYTES, *l4 = frame + layout->l4;
	bool udp = layout->gso == OFFLOAD_GSO_UDP;
	size_t l4_len = layout->header_len - layout->l4 + layout->payload_len;
	uint16_t field = base_get_u16(l4 + offload_checksum_at(layout->gso));

	if (field == (udp ? 0 : UINT16_MAX))
		return false;
	if (!layout->ipv6 && (base_get_u16(l3 + 10) == UINT16_MAX ||
	                      offload_checksum_add(0, slice_of(l3, PROTO_IPV4_HEADER_MIN)) != UINT16_MAX))
		return false;
	return offload_checksum_add(sum_pseudo_header(l3, layout, l4_len), slice_of(l4, l4_len)) == UINT16_MAX;
}

/* ---- what goes together ---- */

static bool same(const uint8_t *a, const uint8_t *b, size_t from, size_t to) {
	return memcmp(a + from, b + from, to - from) == 0;
}

/* Everything of the headers that the splitter copies from the first frame. */
static bool same_headers(const uint8_t *a, const uint8_t *b, const struct layout *layout) {
	const size_t l3 = PROTO_ETHER_HEADER_BYTES, l4 = layout->l4;

	/* Addresses, type, version and traffic class, before lengths and identification; then what is behind them. */
	if (!same(a, b, 0, l3 + (layout->ipv6 ? 4 : 2)) || !same(a, b, l3 + 6, layout->ipv6 ? l4 : l3 + 10) ||
	    (!layout->ipv6 && !same(a, b, l3 + 12, l4)) || !same(a, b, l4, l4 + 4))
		return false;
	if (layout->gso == OFFLOAD_GSO_UDP)
		return true;
	/* Acknowledgement and header length; the flags were looked at; window; urgent pointer and options. */
	return same(a, b, l4 + 8, l4 + 13) && same(a, b, l4 + 14, l4 + 16) && same(a, b, l4 + 18, layout->header_len);
}

static bool continues(const struct group *group, const uint8_t *first, const uint8_t *frame) {
	const struct layout *layout = &group->layout;
	const size_t id = PROTO_ETHER_HEADER_BYTES + 4, sequence = layout->l4 + 4u;

	if (!layout->ipv6 && base_get_u16(frame + id) != (uint16_t)(base_get_u16(first + id) + group->count))
		return false;
	return layout->gso == OFFLOAD_GSO_UDP ||
	       base_get_u32(frame + sequence) == base_get_u32(first + sequence) + group->payload;
}

static const uint8_t *first_frame(const struct offload_merger *merger, const struct group *group) {
	return merger->arena + merger->frames[group->first].at;
}

static bool joins(struct offload_merger *merger, struct group *group, const uint8_t *frame,
                  const struct layout *layout) {
	const uint8_t *first = first_frame(merger, group);

	if (group->ended || group->layout.gso != layout->gso || group->layout.ipv6 != layout->ipv6 ||
	    group->layout.header_len != layout->header_len || layout->payload_len > group->layout.payload_len ||
	    group->last_payload < group->layout.payload_len || group->count == OFFLOAD_GROUP_FRAMES_MAX ||
	    group->layout.header_len + group->payload + layout->payload_len > SUPER_BYTES_MAX)
		return false;
	if (!same_headers(first, frame, layout) || !continues(group, first, frame))
		return false;
	if (!group->verified && !checksums_good(first, &group->layout)) {
		group->ended = true;
		return false;
	}
	group->verified = true;
	return checksums_good(frame, layout);
}

/* A frame with PSH is the last of its super-frame: only there does segmentation keep the flag. */
static bool ends_group(const uint8_t *frame, const struct layout *layout) {
	return layout->gso != OFFLOAD_GSO_UDP && (frame[layout->l4 + 13] & TCP_PSH) != 0;
}

static uint16_t store(struct offload_merger *merger, struct slice frame) {
	uint16_t index = (uint16_t)merger->frame_count++;

	memcpy(merger->arena + merger->used, frame.data, frame.len);
	merger->frames[index] = (struct stored){.at = (uint32_t)merger->used, .len = (uint16_t)frame.len, .next = NO_GROUP};
	merger->used += frame.len;
	return index;
}

static struct group *start_group(struct offload_merger *merger, struct slice frame) {
	struct group *group = &merger->groups[merger->group_count++];

	group->first = group->last = store(merger, frame);
	group->count = 1;
	group->bytes = (uint32_t)frame.len;
	return group;
}

static void start_flow(struct offload_merger *merger, struct slice frame, const struct layout *layout, size_t slot) {
	struct group *group;

	merger->slots[slot] = (uint16_t)merger->group_count;
	group = start_group(merger, frame);
	group->layout = *layout;
	group->verified = false;
	group->ended = ends_group(frame.data, layout);
	group->payload = (uint32_t)layout->payload_len;
	group->last_payload = (uint16_t)layout->payload_len;
}

static void join(struct offload_merger *merger, struct group *group, struct slice frame, const struct layout *layout) {
	uint16_t index = store(merger, frame);

	merger->frames[group->last].next = index;
	group->last = index;
	group->count++;
	group->bytes += (uint32_t)frame.len;
	group->payload += (uint32_t)layout->payload_len;
	group->last_payload = (uint16_t)layout->payload_len;
	group->ended = ends_group(frame.data, layout);
}

bool offload_merger_push(struct offload_merger *merger, struct slice frame) {
	struct layout layout;
	size_t slot;
	uint16_t index;

	assert(frame.len <= UINT16_MAX);
	if (merger->frame_count == OFFLOAD_MERGER_FRAMES_MAX || frame.len > sizeof(merger->arena) - merger->used)
		return false;
	if (merger->kinds == 0) {
		start_group(merger, frame);
		return true;
	}
	if (!read_layout(frame, &layout)) {
		/* Perhaps a fragment, or a tagged frame, of a flow we know: nothing may overtake it. */
		forget_flows(merger);
		start_group(merger, frame);
		return true;
	}
	slot = slot_of(frame.data, &layout);
	index = merger->slots[slot];
	if (!may_merge(merger, frame, &layout)) {
		merger->slots[slot] = NO_GROUP;
		start_group(merger, frame);
	} else if (index != NO_GROUP && joins(merger, &merger->groups[index], frame.data, &layout)) {
		join(merger, &merger->groups[index], frame, &layout);
	} else {
		start_flow(merger, frame, &layout, slot);
	}
	return true;
}

/* ---- what comes out ---- */

size_t offload_merger_count(const struct offload_merger *merger) {
	return merger->group_count;
}

size_t offload_merger_frame_count(const struct offload_merger *merger) {
	return merger->frame_count;
}

/* The first frame's header, with the lengths of all, and of the transport's checksum the sum of the pseudo header. */
static struct slice super_header(struct offload_merger *merger, struct group *group) {
	const struct layout *layout = &group->layout;
	const uint8_t *last = merger->arena + merger->frames[group->last].at;
	uint8_t *l3 = group->header + PROTO_ETHER_HEADER_BYTES, *l4 = group->header + layout->l4;
	size_t l4_len = layout->header_len - layout->l4 + group->payload;

	memcpy(group->header, first_frame(merger, group), layout->header_len);
	if (layout->ipv6) {
		base_put_u16(l3 + 4, (uint16_t)l4_len);
	} else {
		base_put_u16(l3 + 2, (uint16_t)(PROTO_IPV4_HEADER_MIN + l4_len));
		base_put_u16(l3 + 10, 0);
		base_put_u16(l3 + 10, (uint16_t)~offload_checksum_add(0, slice_of(l3, PROTO_IPV4_HEADER_MIN)));
	}
	if (layout->gso == OFFLOAD_GSO_UDP)
		base_put_u16(l4 + 4, (uint16_t)l4_len);
	else
		l4[13] = last[layout->l4 + 13];
	base_put_u16(l4 + offload_checksum_at(layout->gso), sum_pseudo_header(l3, layout, l4_len));
	return slice_of(group->header, layout->header_len);
}

void offload_merger_group(struct offload_merger *merger, size_t index, struct offload_group *ret) {
	struct group *group = &merger->groups[index];
	const struct layout *layout = &group->layout;
	uint16_t next = group->first;

	ret->frames = group->count;
	ret->bytes = group->bytes;
	ret->part_count = 1;
	if (group->count == 1) {
		ret->vnet = (struct offload_vnet){.gso = OFFLOAD_GSO_NONE};
		ret->parts[0] = slice_of(merger->arena + merger->frames[next].at, merger->frames[next].len);
		return;
	}
	ret->vnet = (struct offload_vnet){.needs_csum = true,
	                                  .gso = layout->gso,
	                                  .hdr_len = layout->header_len,
	                                  .gso_size = (uint16_t)layout->payload_len,
	                                  .csum_start = layout->l4,
	                                  .csum_offset = offload_checksum_at(layout->gso)};
	ret->parts[0] = super_header(merger, group);
	for (; next != NO_GROUP; next = merger->frames[next].next) {
		const struct stored *frame = &merger->frames[next];

		ret->parts[ret->part_count++] =
		    slice_of(merger->arena + frame->at + layout->header_len, (size_t)frame->len - layout->header_len);
	}
}

void offload_merger_frames(const struct offload_merger *merger, size_t index,
                           struct slice ret[static OFFLOAD_GROUP_FRAMES_MAX]) {
	size_t count = 0;

	for (uint16_t next = merger->groups[index].first; next != NO_GROUP; next = merger->frames[next].next)
		ret[count++] = slice_of(merger->arena + merger->frames[next].at, merger->frames[next].len);
}

unsigned offload_group_kind(const struct offload_group *group) {
	return group->vnet.gso == OFFLOAD_GSO_UDP ? OFFLOAD_MERGE_UDP : OFFLOAD_MERGE_TCP;
}

void offload_merger_clear(struct offload_merger *merger) {
	if (merger->frame_count == 0)
		return;
	merger->frame_count = merger->group_count = merger->used = 0;
	forget_flows(merger);
}
