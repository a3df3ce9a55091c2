/* Every allocation of a new session fails once, in turn: an error and no leak; then the same for an identity. The
 * linker puts these allocators in front of the real ones. */
#include "base/error.h"
#include "client-core/identity.h"
#include "client-core/session.h"
#include "tests/unit.h"

#include <jansson.h>
#include <stdlib.h>

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);

static bool counting;
static size_t allocations_left;

static bool is_refused(void) {
	if (!counting)
		return false;
	if (allocations_left == 0)
		return true;
	allocations_left--;
	return false;
}

void *__wrap_malloc(size_t len) {
	return is_refused() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len) {
	return is_refused() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len) {
	return is_refused() ? NULL : __real_realloc(old, len);
}

static int try_session(void) {
	static const struct client_transport transport;
	static const struct client_events events;
	const struct client_config config = {.room = "R", .mac = {{2, 0, 0, 0, 0, 1}}};
	struct client_session *session = NULL;
	int err = client_session_new(&config, &transport, NULL, &events, NULL, &session);

	client_session_free(session);
	return err;
}

static int try_identity(void) {
	static const char text[] = "{\"version\":1,\"mac\":\"02:11:22:33:44:55\","
	                           "\"seat_key\":\"000102030405060708090a0b0c0d0e0f\"}";
	char error[CLIENT_IDENTITY_ERROR_BYTES];
	struct client_identity identity;

	return client_identity_parse(slice_of_text(text), &identity, error);
}

/* `also`: what else may be said of a lack of memory. */
static void fail_each(int (*attempt)(void), int also) {
	size_t failures = 0;
	int err = BASE_E_NOMEM;

	for (; err != 0 && failures < 1000; failures++) {
		allocations_left = failures;
		counting = true;
		err = attempt();
		counting = false;
		assert_true(err == 0 || err == BASE_E_NOMEM || err == also);
	}
	assert_int_equal(err, 0);
	assert_true(failures > 5); /* the allocations were really ours to fail */
}

static void test_session(void **state) {
	(void)state;
	fail_each(try_session, BASE_E_NOMEM);
}

static void test_identity(void **state) {
	(void)state;
	json_set_alloc_funcs(malloc, free); /* the library is linked dynamically: hand it this file's malloc */
	fail_each(try_identity, BASE_E_SYNTAX);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_session),
	    cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests_name("client-core/memory", tests, NULL, NULL);
}
