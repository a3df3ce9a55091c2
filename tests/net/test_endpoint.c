#include "base/error.h"
#include "net/endpoint.h"
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#define LABEL63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"

struct text_case {
	const char *text;
	const char *printed; /* address, or host:port for a name; NULL: refused */
	int err;
	const char *error;
};

static const struct text_case endpoint_cases[] = {
    {"relay.example", "relay.example:443", 0, NULL},
    {"relay.example.", "relay.example.:443", 0, NULL},
    {"relay.example:4433", "relay.example:4433", 0, NULL},
    {"localhost:1", "localhost:1", 0, NULL},
    {"my_relay-2", "my_relay-2:443", 0, NULL},
    {"xn--bcher-kva.example:65535", "xn--bcher-kva.example:65535", 0, NULL},
    {"1und1.example", "1und1.example:443", 0, NULL},
    {"10.0.0.1.example", "10.0.0.1.example:443", 0, NULL},
    {LABEL63 ".example", LABEL63 ".example:443", 0, NULL},
    {"192.0.2.1", "192.0.2.1:443", 0, NULL},
    {"192.0.2.1:4433", "192.0.2.1:4433", 0, NULL},
    {"2001:db8::1", "[2001:db8::1]:443", 0, NULL},
    {"[2001:db8::1]", "[2001:db8::1]:443", 0, NULL},
    {"[2001:db8::1]:4433", "[2001:db8::1]:4433", 0, NULL},
    {"::1", "[::1]:443", 0, NULL},
    {"fe80::1%3", "[fe80::1%3]:443", 0, NULL},
    {"[fe80::1%3]:7", "[fe80::1%3]:7", 0, NULL},
    {"::ffff:192.0.2.1", "192.0.2.1:443", 0, NULL},
    {"[::ffff:c000:201]:5", "192.0.2.1:5", 0, NULL},
    {"", NULL, BASE_E_SYNTAX, "address '' names no host"},
    {":443", NULL, BASE_E_SYNTAX, "address ':443' names no host"},
    {"[]:443", NULL, BASE_E_SYNTAX, "address '[]:443' names no host"},
    {"relay.example:", NULL, BASE_E_SYNTAX, "port '' is missing behind ':'"},
    {"relay.example:https", NULL, BASE_E_SYNTAX, "port 'https' is not a number"},
    {"relay.example:+443", NULL, BASE_E_SYNTAX, "port '+443' is not a number"},
    {"relay.example:0", NULL, BASE_E_RANGE, "port '0' is not between 1 and 65535"},
    {"relay.example:99999", NULL, BASE_E_RANGE, "port '99999' is not between 1 and 65535"},
    {"relay.example:99999999999999999999999", NULL, BASE_E_RANGE,
     "port '99999999999999999999999' is not between 1 and 65535"},
    {"https://relay.example", NULL, BASE_E_SYNTAX,
     "port '//relay.example' is not a number (write HOST or HOST:PORT, not a web address)"},
    {"relay..example", NULL, BASE_E_SYNTAX, "host 'relay..example' has an empty part between dots"},
    {".example", NULL, BASE_E_SYNTAX, "host '.example' has an empty part between dots"},
    {".", NULL, BASE_E_SYNTAX, "host '.' has an empty part between dots"},
    {"-relay.example", NULL, BASE_E_SYNTAX, "host '-relay.example' has a part that starts with '-'"},
    {"relay-.example", NULL, BASE_E_SYNTAX, "host 'relay-.example' has a part that ends with '-'"},
    {"relay example", NULL, BASE_E_SYNTAX, "host 'relay example' holds a character that no name has"},
    {"relay\x1b[1m", NULL, BASE_E_SYNTAX, "host 'relay?[1m' holds a character that no name has"},
    {"b\xc3\xbc"
     "cher.example",
     NULL, BASE_E_SYNTAX,
     "host 'b\xc3\xbc"
     "cher.example' is not ASCII (write its \"xn--\" form)"},
    {"a" LABEL63, NULL, BASE_E_RANGE, "host 'a" LABEL63 "' has a part longer than 63 characters"},
    {"192.0.2.256", NULL, BASE_E_SYNTAX, "host '192.0.2.256' is not an IPv4 address"},
    {"192.0.2", NULL, BASE_E_SYNTAX, "host '192.0.2' is not an IPv4 address"},
    {"443", NULL, BASE_E_SYNTAX, "host '443' is not an IPv4 address"},
    {"0.0.0.0", NULL, BASE_E_SYNTAX, "host '0.0.0.0' is not an address one can connect to"},
    {"[::]:443", NULL, BASE_E_SYNTAX, "host '::' is not an address one can connect to"},
    {"2001:db8::1:99999", NULL, BASE_E_SYNTAX,
     "host '2001:db8::1:99999' is not an IPv6 address (with a port it is written [address]:port)"},
    {"[192.0.2.1]:443", NULL, BASE_E_SYNTAX,
     "host '192.0.2.1' is not an IPv6 address (with a port it is written [address]:port)"},
    {"[::1", NULL, BASE_E_SYNTAX, "address '[::1' has no closing bracket"},
    {"[::1]443", NULL, BASE_E_SYNTAX, "text '443' behind the bracket is not a port (\":443\")"},
    {"[::1]:", NULL, BASE_E_SYNTAX, "port '' is missing behind ':'"},
    {"fe80::1%eth0", NULL, BASE_E_SYNTAX, "scope 'eth0' is not an interface number (see \"ip link\")"},
    {"fe80::1%", NULL, BASE_E_SYNTAX, "scope '' is not an interface number (see \"ip link\")"},
    {"fe80::1%0", NULL, BASE_E_SYNTAX, "scope '0' is not an interface number (see \"ip link\")"},
    {"fe80::1%4294967296", NULL, BASE_E_SYNTAX, "scope '4294967296' is not an interface number (see \"ip link\")"},
};

static void test_endpoint(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(endpoint_cases) / sizeof(endpoint_cases[0]); i++) {
		const struct text_case *c = &endpoint_cases[i];
		struct net_endpoint endpoint = {.port = 9};
		char error[NET_ERROR_BYTES] = "", printed[NET_HOST_BYTES_MAX + 8];

		unit_assert_int(net_endpoint_parse(c->text, &endpoint, error), c->err, c->text);
		if (c->err != 0) {
			assert_string_equal(error, c->error);
			assert_int_equal(endpoint.port, 9);
			continue;
		}
		if (endpoint.is_literal) {
			assert_int_equal(endpoint.addr.port, endpoint.port);
			base_addr_text(&endpoint.addr, printed);
		} else {
			assert_int_equal(endpoint.addr.family, BASE_FAMILY_NONE);
			snprintf(printed, sizeof(printed), "%s:%u", endpoint.host, endpoint.port);
		}
		assert_string_equal(printed, c->printed);
	}
}

/* Four full labels are 255 characters: one takes two off, the other three. */
static void test_name_length(void **state) {
	char name[300] = LABEL63 "." LABEL63 "." LABEL63 "." LABEL63;
	struct net_endpoint endpoint;
	char error[NET_ERROR_BYTES];

	(void)state;
	name[254] = '\0';
	assert_int_equal(net_endpoint_parse(name, &endpoint, error), BASE_E_RANGE);
	assert_non_null(strstr(error, "is longer than 253 characters"));
	name[253] = '\0';
	assert_int_equal(net_endpoint_parse(name, &endpoint, error), 0);
	assert_string_equal(endpoint.host, name);
	memset(name, '0', sizeof(name) - 1);
	memcpy(name, "fe80::1%", 8);
	name[298] = '1';
	assert_int_equal(net_endpoint_parse(name, &endpoint, error), BASE_E_RANGE);
}

static const struct text_case listen_cases[] = {
    {"443/udp", "[::]:443", 0, NULL},
    {"0/udp", "[::]:0", 0, NULL},
    {":443", "[::]:443", 0, NULL},
    {"0.0.0.0:443", "0.0.0.0:443", 0, NULL},
    {"[::]:443", "[::]:443", 0, NULL},
    {"192.0.2.1:0", "192.0.2.1:0", 0, NULL},
    {"[2001:db8::1]:65535", "[2001:db8::1]:65535", 0, NULL},
    {"[fe80::1%2]:443", "[fe80::1%2]:443", 0, NULL},
    {"localhost:443", "127.0.0.1:443", 0, NULL},
    {"", NULL, BASE_E_SYNTAX, "address '' has no port (write HOST:PORT or PORT/udp)"},
    {"443", NULL, BASE_E_SYNTAX, "address '443' has no port (write HOST:PORT or PORT/udp)"},
    {"192.0.2.1", NULL, BASE_E_SYNTAX, "address '192.0.2.1' has no port (write HOST:PORT or PORT/udp)"},
    {"::1", NULL, BASE_E_SYNTAX, "address '::1' has no port (write HOST:PORT or PORT/udp)"},
    {"localhost", NULL, BASE_E_SYNTAX, "address 'localhost' has no port (write HOST:PORT or PORT/udp)"},
    {"443/tcp", NULL, BASE_E_SYNTAX, "protocol 'tcp' is not udp"},
    {"443/", NULL, BASE_E_SYNTAX, "protocol '' is not udp"},
    {"/udp", NULL, BASE_E_SYNTAX, "address '/udp' has no port in front of '/'"},
    {"70000/udp", NULL, BASE_E_RANGE, "port '70000' is not between 0 and 65535"},
    {"x/udp", NULL, BASE_E_SYNTAX, "port 'x' is not a number"},
    {"192.0.2.1:", NULL, BASE_E_SYNTAX, "port '' is missing behind ':'"},
    {"192.0.2.1:65536", NULL, BASE_E_RANGE, "port '65536' is not between 0 and 65535"},
    {"relay.example:443", NULL, BASE_E_SYNTAX, "host 'relay.example' is neither an IP address nor localhost"},
    {"[]:443", NULL, BASE_E_SYNTAX, "host '' is not an IPv6 address (with a port it is written [address]:port)"},
    {"[::1]x", NULL, BASE_E_SYNTAX, "text 'x' behind the bracket is not a port (\":443\")"},
};

static void test_listen(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(listen_cases) / sizeof(listen_cases[0]); i++) {
		const struct text_case *c = &listen_cases[i];
		struct base_addr addr = {.port = 9};
		char error[NET_ERROR_BYTES] = "", printed[BASE_ADDR_TEXT_BYTES];

		unit_assert_int(net_listen_parse(c->text, &addr, error), c->err, c->text);
		if (c->err != 0) {
			assert_string_equal(error, c->error);
			assert_int_equal(addr.port, 9);
		} else {
			assert_string_equal(base_addr_text(&addr, printed), c->printed);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_endpoint),
	    cmocka_unit_test(test_name_length),
	    cmocka_unit_test(test_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
