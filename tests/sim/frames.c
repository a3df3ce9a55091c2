#include "frames.h"

#include "base/bytes.h"

#include <assert.h>
#include <string.h>

#define MAGIC UINT32_C(0x51a7f00d)
#define TRAILER_BYTES 12
#define HEADER PROTO_ETHER_HEADER_BYTES

struct kind {
	const char *name;
	bool from_remote, from_lan;
	/* Fills in what is behind the Ethernet header of an untagged frame, and may change the header. */
	void (*fill)(const struct sim_frame_spec *spec, uint8_t *frame);
	uint16_t type;
	uint16_t outer_tag; /* EtherType of a tag to put in front, 0: none */
	uint16_t tag_id;
};

static void fill_nothing(const struct sim_frame_spec *spec, uint8_t *frame) {
	(void)spec;
	(void)frame;
}

static void ipv4_header(const struct sim_frame_spec *spec, uint8_t *p, size_t len, uint8_t protocol) {
	static const uint8_t fixed[] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64};

	memset(p, 0, 20);
	memcpy(p, fixed, sizeof(fixed));
	base_put_u16(p + 2, (uint16_t)len);
	p[9] = protocol;
	base_put_u32(p + 12, spec->ip);
	base_put_u32(p + 16, UINT32_MAX);
}

static void udp_header(uint8_t *p, uint16_t from, uint16_t to, size_t len) {
	base_put_u16(p, from);
	base_put_u16(p + 2, to);
	base_put_u16(p + 4, (uint16_t)len);
	base_put_u16(p + 6, 0);
}

static void fill_ipv4(const struct sim_frame_spec *spec, uint8_t *frame, uint16_t from, uint16_t to) {
	ipv4_header(spec, frame + HEADER, spec->len - HEADER, 17);
	udp_header(frame + HEADER + 20, from, to, spec->len - HEADER - 20);
}

static void fill_ipv4_udp(const struct sim_frame_spec *spec, uint8_t *frame) {
	fill_ipv4(spec, frame, 27015, 27015);
}

static void fill_dhcp4_server(const struct sim_frame_spec *spec, uint8_t *frame) {
	fill_ipv4(spec, frame, 67, 68);
}

static uint8_t *fill_ipv6(const struct sim_frame_spec *spec, uint8_t *frame, uint8_t next) {
	uint8_t *p = frame + HEADER;

	memset(p, 0, 40);
	p[0] = 0x60;
	base_put_u16(p + 4, (uint16_t)(spec->len - HEADER - 40));
	p[6] = next;
	p[7] = 255;
	p[8] = 0xfe, p[9] = 0x80;
	memcpy(p + 18, spec->src.b, PROTO_MAC_BYTES);
	p[24] = 0xff, p[25] = 0x02, p[39] = 1;
	return p + 40;
}

static void fill_ipv6_udp(const struct sim_frame_spec *spec, uint8_t *frame) {
	udp_header(fill_ipv6(spec, frame, 17), 27015, 27015, spec->len - HEADER - 40);
}

static void fill_dhcp6_server(const struct sim_frame_spec *spec, uint8_t *frame) {
	udp_header(fill_ipv6(spec, frame, 17), 547, 546, spec->len - HEADER - 40);
}

static void fill_router_advertisement(const struct sim_frame_spec *spec, uint8_t *frame) {
	uint8_t *p = fill_ipv6(spec, frame, 58);

	p[0] = 134;
	p[1] = 0;
}

static void fill_ipv6_fragment(const struct sim_frame_spec *spec, uint8_t *frame) {
	uint8_t *p = fill_ipv6(spec, frame, 44);

	p[0] = 17;
	p[1] = 0;
	base_put_u16(p + 2, 1);
}

static void fill_arp(const struct sim_frame_spec *spec, uint8_t *frame) {
	static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0, 1};
	uint8_t *p = frame + HEADER;

	memcpy(p, fixed, sizeof(fixed));
	memcpy(p + 8, spec->src.b, PROTO_MAC_BYTES);
	base_put_u32(p + 14, spec->ip);
	memset(p + 18, 0, PROTO_MAC_BYTES);
	base_put_u32(p + 24, spec->ip ^ 1);
}

static void put_llc(const struct sim_frame_spec *spec, uint8_t *frame, const uint8_t *llc, size_t len) {
	base_put_u16(frame + 12,
	             (uint16_t)(spec->len - HEADER <= PROTO_LENGTH_MAX ? spec->len - HEADER : PROTO_LENGTH_MAX));
	memcpy(frame + HEADER, llc, len);
}

static void fill_ipx(const struct sim_frame_spec *spec, uint8_t *frame) {
	static const uint8_t raw[] = {0xff, 0xff};

	put_llc(spec, frame, raw, sizeof(raw));
}

static void fill_snap_ipv4(const struct sim_frame_spec *spec, uint8_t *frame) {
	static const uint8_t snap[] = {0xaa, 0xaa, 3, 0, 0, 0, 8, 0};

	put_llc(spec, frame, snap, sizeof(snap));
}

static void set_dst(uint8_t *frame, uint32_t high, uint16_t low) {
	base_put_u32(frame, high);
	base_put_u16(frame + 4, low);
}

static void fill_stp(const struct sim_frame_spec *spec, uint8_t *frame) {
	static const uint8_t bpdu[] = {0x42, 0x42, 3, 0, 0, 0, 0};

	set_dst(frame, 0x0180c200, 0);
	put_llc(spec, frame, bpdu, sizeof(bpdu));
}

static void fill_lldp(const struct sim_frame_spec *spec, uint8_t *frame) {
	(void)spec;
	set_dst(frame, 0x0180c200, 0x000e);
}

static void fill_pause(const struct sim_frame_spec *spec, uint8_t *frame) {
	(void)spec;
	set_dst(frame, 0x0180c200, 1);
}

static void fill_group_source(const struct sim_frame_spec *spec, uint8_t *frame) {
	(void)spec;
	frame[PROTO_MAC_BYTES] |= 1;
}

static void fill_zero_source(const struct sim_frame_spec *spec, uint8_t *frame) {
	(void)spec;
	memset(frame + PROTO_MAC_BYTES, 0, PROTO_MAC_BYTES);
}

#define EXPERIMENTAL 0x88b6 /* IEEE 802 local experimental 2; the gateway's CAM refresh uses 1 */

static const struct kind kinds[SIM_KIND_COUNT] = {
    [SIM_PLAIN] = {"plain", true, true, fill_nothing, EXPERIMENTAL, 0, 0},
    [SIM_IPV4_UDP] = {"ipv4_udp", true, true, fill_ipv4_udp, PROTO_ETHERTYPE_IPV4, 0, 0},
    [SIM_IPV6_UDP] = {"ipv6_udp", true, true, fill_ipv6_udp, PROTO_ETHERTYPE_IPV6, 0, 0},
    [SIM_ARP] = {"arp", true, true, fill_arp, PROTO_ETHERTYPE_ARP, 0, 0},
    [SIM_IPX] = {"ipx", true, true, fill_ipx, 0, 0, 0},
    [SIM_DHCP4_SERVER] = {"dhcp4_server", false, true, fill_dhcp4_server, PROTO_ETHERTYPE_IPV4, 0, 0},
    [SIM_DHCP6_SERVER] = {"dhcp6_server", false, true, fill_dhcp6_server, PROTO_ETHERTYPE_IPV6, 0, 0},
    [SIM_ROUTER_ADVERTISEMENT] = {"router_advertisement", false, true, fill_router_advertisement, PROTO_ETHERTYPE_IPV6,
                                  0, 0},
    [SIM_IPV6_FRAGMENT] = {"ipv6_fragment", false, true, fill_ipv6_fragment, PROTO_ETHERTYPE_IPV6, 0, 0},
    [SIM_SNAP_IPV4] = {"snap_ipv4", false, true, fill_snap_ipv4, 0, 0, 0},
    [SIM_PRIORITY_TAG] = {"priority_tag", false, true, fill_nothing, EXPERIMENTAL, PROTO_ETHERTYPE_VLAN, 0xa000},
    [SIM_STP] = {"stp", false, false, fill_stp, 0, 0, 0},
    [SIM_LLDP] = {"lldp", false, false, fill_lldp, PROTO_ETHERTYPE_LLDP, 0, 0},
    [SIM_PAUSE] = {"pause", false, false, fill_pause, PROTO_ETHERTYPE_PAUSE, 0, 0},
    [SIM_VLAN] = {"vlan", false, false, fill_nothing, EXPERIMENTAL, PROTO_ETHERTYPE_VLAN, 7},
    [SIM_QINQ] = {"qinq", false, false, fill_nothing, EXPERIMENTAL, PROTO_ETHERTYPE_QINQ, 7},
    [SIM_GROUP_SOURCE] = {"group_source", false, false, fill_group_source, EXPERIMENTAL, 0, 0},
    [SIM_ZERO_SOURCE] = {"zero_source", false, false, fill_zero_source, EXPERIMENTAL, 0, 0},
};

bool sim_kind_passes(enum sim_kind kind, bool from_lan) {
	return from_lan ? kinds[kind].from_lan : kinds[kind].from_remote;
}

const char *sim_kind_name(enum sim_kind kind) {
	return kinds[kind].name;
}

size_t sim_frame_build(const struct sim_frame_spec *spec, uint8_t buf[static SIM_FRAME_BYTES_MAX]) {
	const struct kind *kind = &kinds[spec->kind];
	uint8_t *trailer = buf + spec->len - TRAILER_BYTES;

	assert(spec->len >= SIM_FRAME_BYTES_MIN && spec->len <= SIM_FRAME_BYTES_MAX - PROTO_ETHER_VLAN_TAG_BYTES);
	for (size_t i = HEADER; i < spec->len; i++)
		buf[i] = (uint8_t)(spec->number * 31 + i * 7 + (i >> 8));
	memcpy(buf, spec->dst.b, PROTO_MAC_BYTES);
	memcpy(buf + PROTO_MAC_BYTES, spec->src.b, PROTO_MAC_BYTES);
	base_put_u16(buf + 12, kind->type);
	kind->fill(spec, buf);
	base_put_u32(trailer, MAGIC);
	base_put_u64(trailer + 4, spec->number);
	if (kind->outer_tag == 0)
		return spec->len;
	memmove(buf + 16, buf + 12, spec->len - 12);
	base_put_u16(buf + 12, kind->outer_tag);
	base_put_u16(buf + 14, kind->tag_id);
	return spec->len + PROTO_ETHER_VLAN_TAG_BYTES;
}

bool sim_frame_number(struct slice frame, uint64_t *ret) {
	const uint8_t *trailer = frame.data + frame.len - TRAILER_BYTES;

	if (frame.len < SIM_FRAME_BYTES_MIN || base_get_u32(trailer) != MAGIC)
		return false;
	*ret = base_get_u64(trailer + 4);
	return true;
}
