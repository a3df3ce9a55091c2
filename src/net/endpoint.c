/* net/endpoint.c: addresses as people write them. Pure text work: no resolver, no socket, no interface names. */
#include "net/endpoint.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>

#define LABEL_BYTES_MAX 63 /* RFC 1035 section 2.3.4 */

/* The parts of what was written, before anyone asks what they mean. */
struct parts {
	struct slice host;
	struct slice port;
	bool bracketed;
	bool has_port;
};

static bool is_digit(uint8_t c) {
	return c >= '0' && c <= '9';
}

static size_t count_byte(struct slice text, uint8_t byte) {
	size_t count = 0;

	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == byte;
	return count;
}

/* "WHAT 'text' WHY" */
static int fail(char error[static NET_ERROR_BYTES], int code, const char *what, struct slice text, const char *why) {
	struct base_text out;

	base_text_init(&out, error, NET_ERROR_BYTES);
	base_text_addf(&out, "%s ", what);
	base_text_add_quoted(&out, text);
	base_text_addf(&out, " %s", why);
	return code;
}

static int split(struct slice text, struct parts *ret, char error[static NET_ERROR_BYTES]) {
	struct parts parts = {.host = text};
	const uint8_t *mark;
	struct slice rest;

	if (text.len > 0 && text.data[0] == '[') {
		mark = memchr(text.data, ']', text.len);
		if (mark == NULL)
			return fail(error, BASE_E_SYNTAX, "address", text, "has no closing bracket");
		parts.bracketed = true;
		parts.host = slice_of(text.data + 1, (size_t)(mark - text.data) - 1);
		rest = slice_of(mark + 1, text.len - parts.host.len - 2);
		if (rest.len > 0 && rest.data[0] != ':')
			return fail(error, BASE_E_SYNTAX, "text", rest, "behind the bracket is not a port (\":443\")");
		parts.has_port = rest.len > 0;
		if (parts.has_port)
			parts.port = slice_of(rest.data + 1, rest.len - 1);
	} else if (count_byte(text, ':') == 1) {
		mark = memchr(text.data, ':', text.len);
		parts.has_port = true;
		parts.host = slice_of(text.data, (size_t)(mark - text.data));
		parts.port = slice_of(mark + 1, text.len - parts.host.len - 1);
	}
	*ret = parts;
	return 0;
}

static int parse_port(struct slice text, uint16_t min, uint16_t *ret, char error[static NET_ERROR_BYTES]) {
	uint64_t port;
	int err = base_parse_u64((const char *)text.data, text.len, UINT16_MAX, &port);

	if (err == BASE_E_SYNTAX)
		return fail(error, err, "port", text,
		            text.len == 0         ? "is missing behind ':'"
		            : text.data[0] == '/' ? "is not a number (write HOST or HOST:PORT, not a web address)"
		                                  : "is not a number");
	if (err != 0 || port < min)
		return fail(error, BASE_E_RANGE, "port", text,
		            min > 0 ? "is not between 1 and 65535" : "is not between 0 and 65535");
	*ret = (uint16_t)port;
	return 0;
}

void net_unmap_v4(struct base_addr *addr) {
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (addr->family != BASE_FAMILY_V6 || memcmp(addr->ip, prefix, sizeof(prefix)) != 0)
		return;
	memmove(addr->ip, addr->ip + 12, 4);
	memset(addr->ip + 4, 0, 12);
	addr->family = BASE_FAMILY_V4;
	addr->scope = 0;
}

static int parse_v6(struct slice text, struct base_addr *ret, char error[static NET_ERROR_BYTES]) {
	const uint8_t *percent = text.len > 0 ? memchr(text.data, '%', text.len) : NULL;
	size_t len = percent != NULL ? (size_t)(percent - text.data) : text.len;
	struct base_addr addr;
	uint64_t scope = 0;

	if (base_addr_parse_ip((const char *)text.data, len, &addr) != 0 || addr.family != BASE_FAMILY_V6)
		return fail(error, BASE_E_SYNTAX, "host", text,
		            "is not an IPv6 address (with a port it is written [address]:port)");
	if (percent != NULL) {
		struct slice zone = slice_of(percent + 1, text.len - len - 1);

		if (base_parse_u64((const char *)zone.data, zone.len, UINT32_MAX, &scope) != 0 || scope == 0)
			return fail(error, BASE_E_SYNTAX, "scope", zone, "is not an interface number (see \"ip link\")");
	}
	addr.scope = (uint32_t)scope;
	net_unmap_v4(&addr);
	*ret = addr;
	return 0;
}

/* IPv6 where brackets or colons say so, else IPv4 when it is one. Sets family NONE for what can only be a name. */
static int parse_literal(const struct parts *parts, struct base_addr *ret, char error[static NET_ERROR_BYTES]) {
	struct slice last_label = parts->host;

	if (parts->bracketed || count_byte(parts->host, ':') > 0)
		return parse_v6(parts->host, ret, error);
	if (base_addr_parse_ip((const char *)parts->host.data, parts->host.len, ret) == 0)
		return 0;
	while (last_label.len > 0 && is_digit(last_label.data[last_label.len - 1]))
		last_label.len--;
	/* No top-level domain is a number, so that this is a mistyped address and not a name to ask DNS about. */
	if (last_label.len < parts->host.len && (last_label.len == 0 || last_label.data[last_label.len - 1] == '.'))
		return fail(error, BASE_E_SYNTAX, "host", parts->host, "is not an IPv4 address");
	*ret = (struct base_addr){0};
	return 0;
}

static bool is_name_byte(uint8_t c) {
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static int check_name(struct slice name, char error[static NET_ERROR_BYTES]) {
	size_t label = 0;

	if (name.len >= NET_HOST_BYTES_MAX)
		return fail(error, BASE_E_RANGE, "host", name, "is longer than 253 characters");
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '.') {
			if (label == 0)
				return fail(error, BASE_E_SYNTAX, "host", name, "has an empty part between dots");
			label = 0;
			continue;
		}
		if (name.data[i] >= 0x80)
			return fail(error, BASE_E_SYNTAX, "host", name, "is not ASCII (write its \"xn--\" form)");
		if (!is_name_byte(name.data[i]))
			return fail(error, BASE_E_SYNTAX, "host", name, "holds a character that no name has");
		if (label == 0 && name.data[i] == '-')
			return fail(error, BASE_E_SYNTAX, "host", name, "has a part that starts with '-'");
		if (++label > LABEL_BYTES_MAX)
			return fail(error, BASE_E_RANGE, "host", name, "has a part longer than 63 characters");
		if (name.data[i] == '-' && (i + 1 == name.len || name.data[i + 1] == '.'))
			return fail(error, BASE_E_SYNTAX, "host", name, "has a part that ends with '-'");
	}
	return 0;
}

static bool is_unspecified(const struct base_addr *addr) {
	static const uint8_t zero[16];

	return memcmp(addr->ip, zero, sizeof(zero)) == 0;
}

int net_endpoint_parse(const char *text, struct net_endpoint *ret, char error[static NET_ERROR_BYTES]) {
	struct net_endpoint endpoint = {.port = NET_PORT_DEFAULT};
	struct parts parts;
	int err = split(slice_of_text(text), &parts, error);

	if (err == 0 && parts.host.len == 0)
		err = fail(error, BASE_E_SYNTAX, "address", slice_of_text(text), "names no host");
	if (err == 0)
		err = parse_literal(&parts, &endpoint.addr, error);
	if (err == 0 && endpoint.addr.family == BASE_FAMILY_NONE)
		err = check_name(parts.host, error);
	if (err == 0 && parts.has_port)
		err = parse_port(parts.port, 1, &endpoint.port, error);
	if (err != 0)
		return err;
	endpoint.is_literal = endpoint.addr.family != BASE_FAMILY_NONE;
	if (endpoint.is_literal) {
		if (is_unspecified(&endpoint.addr))
			return fail(error, BASE_E_SYNTAX, "host", parts.host, "is not an address one can connect to");
		if (parts.host.len >= sizeof(endpoint.host)) /* zeros in front of a scope number */
			return fail(error, BASE_E_RANGE, "host", parts.host, "is longer than 253 characters");
		endpoint.addr.port = endpoint.port;
	}
	memcpy(endpoint.host, parts.host.data, parts.host.len);
	*ret = endpoint;
	return 0;
}

/* "443/udp" */
static int parse_shorthand(struct slice text, size_t slash, struct base_addr *ret, char error[static NET_ERROR_BYTES]) {
	struct slice protocol = slice_of(text.data + slash + 1, text.len - slash - 1);
	struct base_addr addr = {.family = BASE_FAMILY_V6};
	int err;

	if (!slice_equal(protocol, slice_of_text("udp")))
		return fail(error, BASE_E_SYNTAX, "protocol", protocol, "is not udp");
	if (slash == 0)
		return fail(error, BASE_E_SYNTAX, "address", text, "has no port in front of '/'");
	err = parse_port(slice_of(text.data, slash), 0, &addr.port, error);
	if (err == 0)
		*ret = addr;
	return err;
}

int net_listen_parse(const char *string, struct base_addr *ret, char error[static NET_ERROR_BYTES]) {
	struct slice text = slice_of_text(string);
	const char *slash = strchr(string, '/');
	struct base_addr addr = {.family = BASE_FAMILY_V6};
	struct parts parts;
	int err;

	if (slash != NULL)
		return parse_shorthand(text, (size_t)(slash - string), ret, error);
	err = split(text, &parts, error);
	if (err != 0)
		return err;
	if (!parts.has_port)
		return fail(error, BASE_E_SYNTAX, "address", text, "has no port (write HOST:PORT or PORT/udp)");
	if (slice_equal(parts.host, slice_of_text("localhost")))
		addr = (struct base_addr){.family = BASE_FAMILY_V4, .ip = {127, 0, 0, 1}};
	else if (parts.host.len > 0 || parts.bracketed)
		err = parse_literal(&parts, &addr, error);
	if (err != 0)
		return err;
	if (addr.family == BASE_FAMILY_NONE)
		return fail(error, BASE_E_SYNTAX, "host", parts.host, "is neither an IP address nor localhost");
	err = parse_port(parts.port, 0, &addr.port, error);
	if (err == 0)
		*ret = addr;
	return err;
}
