#include "dhcp/message.h"

#include "base/bytes.h"
#include "base/error.h"
#include "offload/offload.h"

#include <string.h>

#define IPV4_HEADER_BYTES 20
#define UDP_HEADER_BYTES 8
#define IP_UDP 17
#define IP_TTL 64
#define PORT_SERVER 67
#define PORT_CLIENT 68
#define EVERYBODY UINT32_MAX

#define IP_AT PROTO_ETHER_HEADER_BYTES
#define UDP_AT (IP_AT + IPV4_HEADER_BYTES)
#define BOOTP_AT (UDP_AT + UDP_HEADER_BYTES)

/* Offsets in a BOOTP message (RFC 2131 section 2). */
#define BOOTP_REQUEST 1
#define BOOTP_REPLY 2
#define HARDWARE_ETHERNET 1
#define AT_XID 4
#define AT_SECONDS 8
#define AT_CIADDR 12
#define AT_YIADDR 16
#define AT_CHADDR 28
#define AT_SNAME 44
#define AT_FILE 108
#define AT_COOKIE 236
#define AT_OPTIONS 240
#define COOKIE UINT32_C(0x63825363)

enum option {
	OPTION_PAD = 0,
	OPTION_MASK = 1,
	OPTION_REQUESTED = 50,
	OPTION_LEASE = 51,
	OPTION_OVERLOAD = 52,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_WANTED = 55,
	OPTION_RENEW = 58,
	OPTION_REBIND = 59,
	OPTION_END = 255,
};

/* ---- what the client says ---- */

static uint8_t *put_option_u32(uint8_t *at, enum option option, uint32_t value) {
	if (value == 0)
		return at;
	at[0] = (uint8_t)option;
	at[1] = 4;
	base_put_u32(at + 2, value);
	return at + 6;
}

static void put_options(const struct dhcp_message *message, uint8_t *at) {
	/* A mask and times, no router and no name server: the LAN is for the game, the Internet stays as it is. */
	static const uint8_t wanted[] = {OPTION_WANTED, 4, OPTION_MASK, OPTION_LEASE, OPTION_RENEW, OPTION_REBIND};

	*at++ = OPTION_TYPE;
	*at++ = 1;
	*at++ = (uint8_t)message->type;
	at = put_option_u32(at, OPTION_REQUESTED, message->requested);
	at = put_option_u32(at, OPTION_SERVER, message->server);
	if (message->type == DHCP_DISCOVER || message->type == DHCP_REQUEST) {
		memcpy(at, wanted, sizeof(wanted));
		at += sizeof(wanted);
	}
	*at = OPTION_END;
}

static void put_ethernet(uint8_t *out, const struct proto_mac *to, struct proto_mac from, uint16_t type) {
	memset(out, 0xff, PROTO_MAC_BYTES);
	if (to != NULL)
		memcpy(out, to->b, PROTO_MAC_BYTES);
	memcpy(out + PROTO_MAC_BYTES, from.b, PROTO_MAC_BYTES);
	base_put_u16(out + 2 * PROTO_MAC_BYTES, type);
}

static void put_headers(const struct dhcp_message *message, uint8_t *ip) {
	const uint16_t ip_len = DHCP_FRAME_BYTES - IP_AT, udp_len = DHCP_FRAME_BYTES - UDP_AT;
	uint8_t *udp = ip + IPV4_HEADER_BYTES;

	ip[0] = 0x45;
	base_put_u16(ip + 2, ip_len);
	ip[8] = IP_TTL;
	ip[9] = IP_UDP;
	base_put_u32(ip + 12, message->own);
	base_put_u32(ip + 16, message->dest != 0 ? message->dest : EVERYBODY);
	base_put_u16(ip + 10, (uint16_t)~offload_checksum_add(0, slice_of(ip, IPV4_HEADER_BYTES)));
	base_put_u16(udp, PORT_CLIENT);
	base_put_u16(udp + 2, PORT_SERVER);
	base_put_u16(udp + 4, udp_len);
	/* The pseudo header (RFC 768): addresses, protocol, length. */
	uint8_t rest[4] = {0, IP_UDP};
	base_put_u16(rest + 2, udp_len);
	uint16_t sum = offload_checksum_add(0, slice_of(ip + 12, 8));
	sum = offload_checksum_add(sum, slice_of(rest, sizeof(rest)));
	sum = (uint16_t)~offload_checksum_add(sum, slice_of(udp, udp_len));
	base_put_u16(udp + 6, sum != 0 ? sum : UINT16_MAX);
}

void dhcp_message_frame(const struct dhcp_message *message, uint8_t out[static DHCP_FRAME_BYTES]) {
	uint8_t *bootp = out + BOOTP_AT;

	memset(out, 0, DHCP_FRAME_BYTES);
	put_ethernet(out, message->to, message->mac, PROTO_ETHERTYPE_IPV4);
	bootp[0] = BOOTP_REQUEST;
	bootp[1] = HARDWARE_ETHERNET;
	bootp[2] = PROTO_MAC_BYTES;
	base_put_u32(bootp + AT_XID, message->xid);
	base_put_u16(bootp + AT_SECONDS, message->seconds);
	base_put_u32(bootp + AT_CIADDR, message->own);
	memcpy(bootp + AT_CHADDR, message->mac.b, PROTO_MAC_BYTES);
	base_put_u32(bootp + AT_COOKIE, COOKIE);
	put_options(message, bootp + AT_OPTIONS);
	put_headers(message, out + IP_AT);
}

/* ---- what servers answer ---- */

struct options {
	uint32_t value[OPTION_REBIND + 1]; /* by number; 0: not there */
};

static void take_option(struct options *options, uint8_t option, struct slice value) {
	static const uint8_t lengths[] = {
	    [OPTION_MASK] = 4,   [OPTION_LEASE] = 4, [OPTION_OVERLOAD] = 1, [OPTION_TYPE] = 1,
	    [OPTION_SERVER] = 4, [OPTION_RENEW] = 4, [OPTION_REBIND] = 4,
	};

	if (option < sizeof(lengths) && value.len > 0 && value.len == lengths[option])
		options->value[option] = value.len == 1 ? value.data[0] : base_get_u32(value.data);
}

/* A field may end without OPTION_END; what is cut off is an error. */
static int take_options(struct options *options, struct slice field) {
	struct base_reader reader = base_reader_of(field);
	struct slice value;
	uint8_t option, len;

	while (base_read_u8(&reader, &option) == 0 && option != OPTION_END) {
		if (option == OPTION_PAD)
			continue;
		if (base_read_u8(&reader, &len) < 0 || base_read_bytes(&reader, len, &value) < 0)
			return BASE_E_SHORT;
		take_option(options, option, value);
	}
	return 0;
}

static int take_all_options(struct options *options, struct slice bootp) {
	int err = take_options(options, slice_of(bootp.data + AT_OPTIONS, bootp.len - AT_OPTIONS));
	const uint32_t overload = options->value[OPTION_OVERLOAD];

	if (err == 0 && (overload & 1) != 0)
		err = take_options(options, slice_of(bootp.data + AT_FILE, AT_COOKIE - AT_FILE));
	if (err == 0 && (overload & 2) != 0)
		err = take_options(options, slice_of(bootp.data + AT_SNAME, AT_FILE - AT_SNAME));
	return err;
}

/* The BOOTP message of a UDP packet to clients, from any port as other clients take it, without what Ethernet padded it
 * with. BASE_E_NOT_FOUND for everything else, fragments among it. Checksums are not looked at: the cable has its own,
 * and so has the tunnel.
 */
static int find_bootp(struct slice frame, struct slice *ret) {
	const uint8_t *ip = frame.data + IP_AT;

	if (frame.len < BOOTP_AT || base_get_u16(frame.data + 2 * PROTO_MAC_BYTES) != PROTO_ETHERTYPE_IPV4 ||
	    ip[9] != IP_UDP || ip[0] >> 4 != 4 || (base_get_u16(ip + 6) & 0x3fff) != 0)
		return BASE_E_NOT_FOUND;
	const size_t header = (size_t)(ip[0] & 0x0f) * 4, total = base_get_u16(ip + 2);
	if (header < IPV4_HEADER_BYTES || header + UDP_HEADER_BYTES > total || total > frame.len - IP_AT)
		return BASE_E_NOT_FOUND;
	const uint8_t *udp = ip + header;
	if (base_get_u16(udp + 2) != PORT_CLIENT)
		return BASE_E_NOT_FOUND;
	const size_t udp_len = base_get_u16(udp + 4);
	if (udp_len < UDP_HEADER_BYTES || udp_len > total - header)
		return BASE_E_LENGTH;
	*ret = slice_of(udp + UDP_HEADER_BYTES, udp_len - UDP_HEADER_BYTES);
	return 0;
}

static bool can_be_had(uint32_t address) {
	const uint32_t net = address >> 24;

	return net != 0 && net != 127 && net < 224;
}

/* RFC 791 section 3.2 */
static uint32_t mask_of_class(uint32_t address) {
	return address >> 31 == 0 ? UINT32_C(0xff000000) : address >> 30 == 2 ? UINT32_C(0xffff0000) : UINT32_C(0xffffff00);
}

/* 0 for one with holes (RFC 950 section 2.1 allowed them). */
static uint8_t prefix_of(uint32_t mask) {
	uint8_t bits = 0;

	while (bits < 32 && (mask & (UINT32_C(1) << 31)) != 0) {
		mask <<= 1;
		bits++;
	}
	return mask == 0 ? bits : 0;
}

/* Shorter ones would have a client do little else. */
#define LEASE_SECONDS_MIN 10
#define RENEW_SECONDS_MIN 5

static void set_times(struct dhcp_answer *answer, const struct options *options) {
	const uint32_t lease = options->value[OPTION_LEASE];
	const uint32_t renew = options->value[OPTION_RENEW], rebind = options->value[OPTION_REBIND];
	const bool sane = RENEW_SECONDS_MIN <= renew && renew < rebind && rebind < lease;

	answer->lease_s = lease;
	answer->renew_s = sane ? renew : lease / 2;
	answer->rebind_s = sane ? rebind : lease - lease / 8;
}

/* The interface's own network leads into the tunnel: a large one would be a default route in disguise, and 192.168.1.5
 * with 255.0.0.0 is a mistake that works as long as nobody wants to go anywhere else. So it is at most all of a private
 * network (RFC 1918, RFC 6598), or 65536 addresses. */
static uint8_t prefix_min(uint32_t address) {
	return address >> 24 == 10 ? 8 : address >> 22 == 0x191 ? 10 : address >> 20 == 0xac1 ? 12 : 16;
}

static void set_network(struct dhcp_answer *answer, uint32_t mask) {
	const uint32_t used = mask != 0 ? mask : mask_of_class(answer->address);
	const uint8_t prefix = prefix_of(used), least = prefix_min(answer->address);

	answer->broadcast = answer->address | ~used;
	answer->prefix = prefix == 0 || prefix > least ? prefix : least;
}

static int answer_of(const struct options *options, struct dhcp_answer *answer) {
	const uint32_t type = options->value[OPTION_TYPE], lease = options->value[OPTION_LEASE];

	if (type != DHCP_OFFER && type != DHCP_ACK && type != DHCP_NAK)
		return BASE_E_INVALID;
	answer->type = (enum dhcp_type)type;
	answer->server = options->value[OPTION_SERVER];
	if (answer->server == 0)
		return BASE_E_MISSING;
	if (answer->type == DHCP_NAK)
		return 0;
	if (lease == 0)
		return BASE_E_MISSING;
	set_network(answer, options->value[OPTION_MASK]);
	if (!can_be_had(answer->address) || answer->prefix == 0 || lease < LEASE_SECONDS_MIN)
		return BASE_E_INVALID;
	set_times(answer, options);
	return 0;
}

int dhcp_answer_parse(struct slice frame, struct proto_mac mac, struct dhcp_answer *ret) {
	struct options options = {.value = {0}};
	struct slice bootp;
	int err = find_bootp(frame, &bootp);

	if (err < 0)
		return err;
	if (bootp.len < AT_OPTIONS)
		return BASE_E_SHORT;
	if (bootp.data[0] != BOOTP_REPLY || bootp.data[1] != HARDWARE_ETHERNET || bootp.data[2] != PROTO_MAC_BYTES ||
	    memcmp(bootp.data + AT_CHADDR, mac.b, PROTO_MAC_BYTES) != 0 || base_get_u32(bootp.data + AT_COOKIE) != COOKIE)
		return BASE_E_NOT_FOUND;
	err = take_all_options(&options, bootp);
	if (err < 0)
		return err;
	struct dhcp_answer answer = {.xid = base_get_u32(bootp.data + AT_XID),
	                             .from = proto_mac_of(frame.data + PROTO_MAC_BYTES),
	                             .address = base_get_u32(bootp.data + AT_YIADDR)};
	err = answer_of(&options, &answer);
	if (err == 0)
		*ret = answer;
	return err;
}

/* ---- ARP (RFC 826) ---- */

#define ARP_AT PROTO_ETHER_HEADER_BYTES
#define ARP_SENDER_MAC (ARP_AT + 8)
#define ARP_SENDER_IP (ARP_AT + 14)
#define ARP_TARGET_IP (ARP_AT + 24)
#define ARP_REQUEST 1

static const uint8_t arp_ethernet_ipv4[] = {0, HARDWARE_ETHERNET, 8, 0, PROTO_MAC_BYTES, 4};

void dhcp_arp_frame(struct proto_mac mac, uint32_t sender, uint32_t address, uint8_t out[static DHCP_ARP_FRAME_BYTES]) {
	memset(out, 0, DHCP_ARP_FRAME_BYTES);
	put_ethernet(out, NULL, mac, PROTO_ETHERTYPE_ARP);
	memcpy(out + ARP_AT, arp_ethernet_ipv4, sizeof(arp_ethernet_ipv4));
	base_put_u16(out + ARP_AT + sizeof(arp_ethernet_ipv4), ARP_REQUEST);
	memcpy(out + ARP_SENDER_MAC, mac.b, PROTO_MAC_BYTES);
	base_put_u32(out + ARP_SENDER_IP, sender);
	base_put_u32(out + ARP_TARGET_IP, address);
}

static bool is_arp_of_another(struct slice frame, struct proto_mac mac) {
	return frame.len >= DHCP_ARP_FRAME_BYTES && base_get_u16(frame.data + 2 * PROTO_MAC_BYTES) == PROTO_ETHERTYPE_ARP &&
	       memcmp(frame.data + ARP_AT, arp_ethernet_ipv4, sizeof(arp_ethernet_ipv4)) == 0 &&
	       memcmp(frame.data + ARP_SENDER_MAC, mac.b, PROTO_MAC_BYTES) != 0;
}

bool dhcp_arp_claims(struct slice frame, struct proto_mac mac, uint32_t address) {
	return is_arp_of_another(frame, mac) && base_get_u32(frame.data + ARP_SENDER_IP) == address;
}

bool dhcp_arp_contests(struct slice frame, struct proto_mac mac, uint32_t address) {
	if (!is_arp_of_another(frame, mac))
		return false;
	const bool probe = base_get_u32(frame.data + ARP_SENDER_IP) == 0 &&
	                   base_get_u16(frame.data + ARP_AT + sizeof(arp_ethernet_ipv4)) == ARP_REQUEST &&
	                   base_get_u32(frame.data + ARP_TARGET_IP) == address;
	return probe || dhcp_arp_claims(frame, mac, address);
}
