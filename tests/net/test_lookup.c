#include "base/error.h"
#include "net/resolve.h"
#include "tests/system.h"
#include "tests/unit.h"

#include <string.h>

static struct net_resolver *start(const char *text) {
	struct net_endpoint endpoint;
	struct net_resolver *resolver;
	char error[NET_ERROR_BYTES];

	assert_int_equal(net_endpoint_parse(text, &endpoint, error), 0);
	resolver = net_resolver_start(&endpoint);
	assert_non_null(resolver);
	return resolver;
}

static void test_localhost(void **state) {
	struct net_resolver *resolver = start("localhost:4433");
	struct net_resolved result = {0};
	char error[NET_ERROR_BYTES];

	(void)state;
	assert_true(system_wait(net_resolver_fd(resolver), 10000));
	assert_int_equal(net_resolver_result(resolver, &result, error), 0);
	assert_true(result.count >= 1);
	for (size_t i = 0; i < result.count; i++) {
		assert_int_equal(result.addrs[i].port, 4433);
		assert_true(result.addrs[i].family == BASE_FAMILY_V6 || result.addrs[i].ip[0] == 127);
	}
	net_resolver_free(resolver);
}

/* A name with an impossible length makes getaddrinfo fail without asking any server. */
static void test_failure_has_a_text(void **state) {
	struct net_endpoint endpoint = {.port = 443};
	struct net_resolver *resolver;
	struct net_resolved result = {.count = 77};
	char error[NET_ERROR_BYTES] = "";

	(void)state;
	memset(endpoint.host, 'a', sizeof(endpoint.host) - 1);
	resolver = net_resolver_start(&endpoint);
	assert_non_null(resolver);
	assert_true(system_wait(net_resolver_fd(resolver), 10000));
	assert_int_equal(net_resolver_result(resolver, &result, error), BASE_E_NOT_FOUND);
	assert_memory_equal(error, "aaaaaaaa", 8);
	assert_non_null(strstr(error, ": "));
	assert_int_equal(result.count, 77);
	net_resolver_free(resolver);
}

/* As a hosts file or a name server may have it. */
static void test_mapped_answer_is_ipv4(void **state) {
	struct net_endpoint endpoint = {.host = "::ffff:192.0.2.7", .port = 443};
	struct net_resolver *resolver = net_resolver_start(&endpoint);
	struct net_resolved result = {0};
	char error[NET_ERROR_BYTES], buf[BASE_ADDR_TEXT_BYTES];

	(void)state;
	assert_non_null(resolver);
	assert_true(system_wait(net_resolver_fd(resolver), 10000));
	if (net_resolver_result(resolver, &result, error) != 0)
		fail_msg("%s", error);
	assert_int_equal(result.count, 1);
	assert_string_equal(base_addr_text(&result.addrs[0], buf), "192.0.2.7:443");
	net_resolver_free(resolver);
}

static void test_freed_while_running(void **state) {
	(void)state;
	for (int i = 0; i < 8; i++)
		net_resolver_free(start("localhost"));
	net_resolver_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_localhost),
	    cmocka_unit_test(test_failure_has_a_text),
	    cmocka_unit_test(test_mapped_answer_is_ipv4),
	    cmocka_unit_test(test_freed_while_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
