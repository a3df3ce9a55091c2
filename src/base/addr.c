#include "base/addr.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"

#include <string.h>

#define V6_GROUPS 8

bool base_addr_equal(const struct base_addr *a, const struct base_addr *b) {
	return a->family == b->family && a->port == b->port && a->scope == b->scope &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool base_path_equal(const struct base_path *a, const struct base_path *b) {
	return base_addr_equal(&a->local, &b->local) && base_addr_equal(&a->remote, &b->remote);
}

size_t base_addr_ip_bytes(const struct base_addr *addr) {
	return addr->family == BASE_FAMILY_V4 ? 4 : addr->family == BASE_FAMILY_V6 ? 16 : 0;
}

bool base_addr_same_prefix(const struct base_addr *a, const struct base_addr *b, size_t bits) {
	const size_t whole = bits / 8, rest = bits % 8;

	if (a->family != b->family || bits > base_addr_ip_bytes(a) * 8 || memcmp(a->ip, b->ip, whole) != 0)
		return false;
	return rest == 0 || (a->ip[whole] ^ b->ip[whole]) >> (8 - rest) == 0;
}

bool base_addr_is_link_local(const struct base_addr *addr) {
	static const struct base_addr v4 = {.family = BASE_FAMILY_V4, .ip = {169, 254}};
	static const struct base_addr v6 = {.family = BASE_FAMILY_V6, .ip = {0xfe, 0x80}};

	return base_addr_same_prefix(addr, &v4, 16) || base_addr_same_prefix(addr, &v6, 10);
}

bool base_addr_is_loopback(const struct base_addr *addr) {
	static const struct base_addr v4 = {.family = BASE_FAMILY_V4, .ip = {127}};
	static const struct base_addr v6 = {.family = BASE_FAMILY_V6, .ip = {[15] = 1}};

	return base_addr_same_prefix(addr, &v4, 8) || base_addr_same_prefix(addr, &v6, 128);
}

struct slice base_addr_network(const struct base_addr *addr) {
	return slice_of(addr->ip, addr->family == BASE_FAMILY_V4 ? 4 : BASE_ADDR_NETWORK_BYTES_MAX);
}

/* The longest run of at least two zero groups, which RFC 5952 section 4.2 shortens to "::". */
static void find_zero_run(const uint8_t ip[static 16], int *ret_start, int *ret_len) {
	int start = -1, len = 0;

	*ret_start = -1;
	*ret_len = 1;
	for (int i = 0; i < V6_GROUPS; i++) {
		if (base_get_u16(ip + 2 * i) != 0) {
			len = 0;
			continue;
		}
		if (len++ == 0)
			start = i;
		if (len > *ret_len) {
			*ret_start = start;
			*ret_len = len;
		}
	}
}

static void add_v6(struct base_text *text, const uint8_t ip[static 16]) {
	int zero_start, zero_len;

	find_zero_run(ip, &zero_start, &zero_len);
	for (int i = 0; i < V6_GROUPS; i++) {
		if (i == zero_start) {
			base_text_add(text, "::");
			i += zero_len - 1;
			continue;
		}
		if (i > 0 && (zero_start < 0 || i != zero_start + zero_len))
			base_text_add_char(text, ':');
		base_text_addf(text, "%x", base_get_u16(ip + 2 * i));
	}
}

static void add_ip(struct base_text *text, const struct base_addr *addr) {
	switch (addr->family) {
	case BASE_FAMILY_V4:
		base_text_addf(text, "%u.%u.%u.%u", addr->ip[0], addr->ip[1], addr->ip[2], addr->ip[3]);
		break;
	case BASE_FAMILY_V6:
		add_v6(text, addr->ip);
		if (addr->scope != 0)
			base_text_addf(text, "%%%u", (unsigned)addr->scope);
		break;
	default:
		base_text_add_char(text, '-');
	}
}

const char *base_addr_ip_text(const struct base_addr *addr, char buf[static BASE_ADDR_TEXT_BYTES]) {
	struct base_text text;

	base_text_init(&text, buf, BASE_ADDR_TEXT_BYTES);
	add_ip(&text, addr);
	return buf;
}

const char *base_addr_network_text(const struct base_addr *addr, char buf[static BASE_ADDR_TEXT_BYTES]) {
	struct base_addr network = {.family = addr->family};
	struct base_text text;

	memcpy(network.ip, addr->ip, base_addr_network(addr).len);
	base_text_init(&text, buf, BASE_ADDR_TEXT_BYTES);
	add_ip(&text, &network);
	base_text_add(&text, addr->family == BASE_FAMILY_V6 ? "/56" : "");
	return buf;
}

const char *base_addr_text(const struct base_addr *addr, char buf[static BASE_ADDR_TEXT_BYTES]) {
	const bool brackets = addr->family == BASE_FAMILY_V6;
	struct base_text text;

	base_text_init(&text, buf, BASE_ADDR_TEXT_BYTES);
	base_text_add(&text, brackets ? "[" : "");
	add_ip(&text, addr);
	base_text_add(&text, brackets ? "]" : "");
	if (addr->family != BASE_FAMILY_NONE)
		base_text_addf(&text, ":%u", addr->port);
	return buf;
}

static int parse_v4(const char *text, size_t len, uint8_t ret[static 4]) {
	size_t pos = 0;
	uint8_t ip[4];

	for (int i = 0; i < 4; i++) {
		size_t start = pos;
		uint64_t octet;

		while (pos < len && text[pos] >= '0' && text[pos] <= '9')
			pos++;
		/* A leading zero means octal to some parsers: refused, as getaddrinfo and we would disagree. */
		if (pos - start > 1 && text[start] == '0')
			return BASE_E_SYNTAX;
		if (base_parse_u64(text + start, pos - start, 255, &octet) != 0)
			return BASE_E_SYNTAX;
		ip[i] = (uint8_t)octet;
		if (i < 3 && (pos >= len || text[pos++] != '.'))
			return BASE_E_SYNTAX;
	}
	if (pos != len)
		return BASE_E_SYNTAX;
	memcpy(ret, ip, 4);
	return 0;
}

struct v6_parser {
	uint8_t ip[16];
	size_t filled; /* bytes */
	size_t gap;    /* where "::" was, or SIZE_MAX */
};

/* One group of up to four hex digits, or the dotted quad that may end an address. Returns the characters taken, 0 for a
 * syntax error. */
static size_t parse_v6_group(struct v6_parser *parser, const char *text, size_t len) {
	size_t digits = 0;
	unsigned group = 0;

	while (digits < len && text[digits] != ':' && text[digits] != '.') {
		char c = text[digits];
		unsigned value;

		if (c >= '0' && c <= '9')
			value = (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			value = (unsigned)((c | 32) - 'a' + 10);
		else
			return 0;
		if (++digits > 4)
			return 0;
		group = group << 4 | value;
	}
	if (digits < len && text[digits] == '.') {
		if (parser->filled > 12 || parse_v4(text, len, parser->ip + parser->filled) != 0)
			return 0;
		parser->filled += 4;
		return len;
	}
	if (digits == 0 || parser->filled > 14)
		return 0;
	base_put_u16(parser->ip + parser->filled, (uint16_t)group);
	parser->filled += 2;
	return digits;
}

static int parse_v6(const char *text, size_t len, uint8_t ret[static 16]) {
	struct v6_parser parser = {.gap = SIZE_MAX};
	size_t pos = 0;

	while (pos < len) {
		bool starts_gap = pos + 1 < len && text[pos] == ':' && text[pos + 1] == ':';
		size_t taken;

		if (starts_gap) {
			if (parser.gap != SIZE_MAX)
				return BASE_E_SYNTAX;
			parser.gap = parser.filled;
			pos += 2;
			if (pos == len)
				break;
		} else if (pos > 0 && text[pos++] != ':') {
			return BASE_E_SYNTAX;
		}
		taken = parse_v6_group(&parser, text + pos, len - pos);
		if (taken == 0)
			return BASE_E_SYNTAX;
		pos += taken;
	}
	if (parser.gap == SIZE_MAX ? parser.filled != 16 : parser.filled > 14)
		return BASE_E_SYNTAX;
	memset(ret, 0, 16);
	if (parser.gap == SIZE_MAX)
		parser.gap = 16;
	memcpy(ret, parser.ip, parser.gap);
	if (parser.gap < 16)
		memcpy(ret + 16 - (parser.filled - parser.gap), parser.ip + parser.gap, parser.filled - parser.gap);
	return 0;
}

int base_addr_parse_ip(const char *text, size_t len, struct base_addr *ret) {
	struct base_addr addr = {0};

	if (parse_v4(text, len, addr.ip) == 0)
		addr.family = BASE_FAMILY_V4;
	else if (len >= 2 && parse_v6(text, len, addr.ip) == 0)
		addr.family = BASE_FAMILY_V6;
	else
		return BASE_E_SYNTAX;
	*ret = addr;
	return 0;
}
