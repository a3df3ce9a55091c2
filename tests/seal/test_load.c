/* Which library is taken, and what is said when none can be: absent, another library, a wrong release, a processor that
 * lacks what it needs, wrong results (tests/seal/fake_ipsec_mb.c plays them). That threads may share it, and that keys
 * leave no trace. */
#include "obs/log.h"
#include "seal/internal.h"
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char said[1000];

static void sink(void *user, struct slice line) {
	size_t len = line.len < sizeof(said) - 1 ? line.len : sizeof(said) - 1;

	(void)user;
	memcpy(said, line.data, len);
	said[len] = '\0';
}

static uint64_t no_clock(void) {
	return 0;
}

static bool have_ipsec_mb(void) {
	struct seal_backend *backend;
	char why[SEAL_ERROR_BYTES];

	if (seal_ipsec_mb_open(seal_ipsec_mb_names, &backend, why) != 0)
		return false;
	seal_backend_free(backend);
	return true;
}

static void test_refused(void **state) {
	static const struct {
		const char *name, *why;
	} cases[] = {
	    {"libno-such-library.so.7", "libno-such-library.so.7: cannot open shared object file"},
	    {"libm.so.6", "libm.so.6 : no version"},
	    {FAKES "/libfake_old.so", "1.2.0: a release that is not known to work, 1.3 to 2.0 are"},
	    {FAKES "/libfake_new.so", "2.1.0: a release that is not known to work"},
	    {FAKES "/libfake_poor.so", "this processor lacks AES, PCLMULQDQ, AVX2 or BMI2 instructions"},
	    {FAKES "/libfake_failed.so", "its self-test failed"},
	    {FAKES "/libfake_empty.so", "no manager"},
	    {FAKES "/libfake_wrong.so", "its results are wrong"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const names[] = {"libneither-is-this.so", cases[i].name, NULL};
		struct seal_backend *backend = NULL;
		char why[SEAL_ERROR_BYTES] = "";

		unit_assert_int(seal_ipsec_mb_open(names, &backend, why), BASE_E_UNSUPPORTED, cases[i].name);
		if (strstr(why, cases[i].why) == NULL)
			fail_msg("%s: said '%s', expected '%s'", cases[i].name, why, cases[i].why);
		assert_null(backend);
	}
}

/* The first that is there counts, also when it is of no use. */
static void test_order(void **state) {
	const char *const names[] = {FAKES "/libfake_old.so", seal_ipsec_mb_names[1], NULL};
	struct seal_backend *backend = NULL;
	char why[SEAL_ERROR_BYTES];

	(void)state;
	assert_int_equal(seal_ipsec_mb_open(names, &backend, why), BASE_E_UNSUPPORTED);
	assert_non_null(strstr(why, "1.2.0"));
}

static void check_choice(enum seal_choice choice, bool ipsec_mb) {
	struct obs_log *log = obs_log_new(OBS_INFO, OBS_FORMAT_TEXT, sink, no_clock, NULL);
	struct seal_backend *backend;
	char error[SEAL_ERROR_BYTES], expected[100] = "packet_protection library=";

	strcat(expected, ipsec_mb ? "ipsec-mb version=" : "gnutls version=");
	assert_int_equal(seal_backend_open(choice, log, &backend, error), 0);
	assert_string_equal(seal_backend_name(backend), ipsec_mb ? "ipsec-mb" : "gnutls");
	assert_non_null(strstr(said, expected));
	seal_backend_free(backend);
	obs_log_free(log);
}

static void test_choice(void **state) {
	struct seal_backend *backend = NULL;
	char error[SEAL_ERROR_BYTES] = "";

	(void)state;
	check_choice(SEAL_GNUTLS, false);
	assert_null(strstr(said, "message="));
	check_choice(SEAL_AUTO, have_ipsec_mb());
	if (have_ipsec_mb()) {
		check_choice(SEAL_IPSEC_MB, true);
		return;
	}
	assert_non_null(strstr(said, "message=")); /* why not */
	assert_int_equal(seal_backend_open(SEAL_IPSEC_MB, NULL, &backend, error), BASE_E_UNSUPPORTED);
	assert_true(strlen(error) > 0);
}

/* --- threads: one backend, each its own keys --- */

#define THREADS 4
#define THREAD_PACKETS 3000

static void *seal_and_open(void *argument) {
	const struct seal_backend *backends[] = {argument, seal_gnutls()};
	uint8_t bytes[SEAL_KEY_BYTES_MAX], plain[600], sealed[sizeof(plain) + SEAL_TAG_BYTES], opened[sizeof(plain)];
	uint8_t nonce[SEAL_NONCE_BYTES] = {0};
	size_t bad = 0;

	memset(bytes, (int)((uintptr_t)&bytes >> 12 & 0xff), sizeof(bytes)); /* differs from thread to thread */
	memset(plain, 0x5a, sizeof(plain));
	for (unsigned i = 0; i < THREAD_PACKETS; i++) {
		enum seal_suite suite = i % SEAL_SUITES;
		struct seal_key *keys[2] = {NULL, NULL};
		size_t len = i % sizeof(plain);

		memcpy(nonce, &i, sizeof(i));
		/* what one library seals the other opens */
		bad +=
		    seal_key_new(backends[0], suite, bytes, &keys[0]) != 0 ||
		    seal_key_new(backends[1], suite, bytes, &keys[1]) != 0 ||
		    !seal_key_seal(keys[i & 1], nonce, slice_of(bytes, 13), slice_of(plain, len), sealed) ||
		    !seal_key_open(keys[~i & 1], nonce, slice_of(bytes, 13), slice_of(sealed, len + SEAL_TAG_BYTES), opened) ||
		    memcmp(opened, plain, len) != 0;
		seal_key_free(keys[0]);
		seal_key_free(keys[1]);
	}
	return bad == 0 ? NULL : argument;
}

static void test_threads(void **state) {
	struct seal_backend *backend;
	pthread_t threads[THREADS];
	char why[SEAL_ERROR_BYTES];

	(void)state;
	if (seal_ipsec_mb_open(seal_ipsec_mb_names, &backend, why) != 0) {
		print_message("skipped: %s\n", why);
		skip();
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, seal_and_open, backend), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *bad;

		assert_int_equal(pthread_join(threads[i], &bad), 0);
		assert_null(bad);
	}
	seal_backend_free(backend);
}

/* --- memory; the linker's --wrap puts this between our objects and the C library --- */

/* A block with nothing behind it. */
static struct {
	bool wanted; /* by the next malloc */
	void *block;
	uint8_t *pages;
	size_t page;
} cliff;

void *__real_malloc(size_t len);
void *__wrap_malloc(size_t len);

void *__wrap_malloc(size_t len) {
	if (!cliff.wanted)
		return __real_malloc(len);
	cliff.wanted = false;
	cliff.page = (size_t)sysconf(_SC_PAGESIZE);
	cliff.pages = mmap(NULL, 2 * cliff.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(cliff.pages != MAP_FAILED && len <= cliff.page);
	assert_int_equal(mprotect(cliff.pages + cliff.page, cliff.page, PROT_NONE), 0);
	cliff.block = cliff.pages + cliff.page - (len + 15) / 16 * 16;
	return cliff.block;
}

static struct {
	const void *block;
	size_t bytes;
	bool clean;
} watched;

void __real_free(void *block);
void __wrap_free(void *block);

void __wrap_free(void *block) {
	if (block != NULL && block == watched.block) {
		const uint8_t *bytes = block;

		watched.clean = true;
		for (size_t i = 0; i < watched.bytes; i++)
			watched.clean = watched.clean && bytes[i] == 0;
	}
	if (block != NULL && block == cliff.block)
		munmap(cliff.pages, 2 * cliff.page);
	else
		__real_free(block);
}

static void watch(const void *block, size_t bytes) {
	watched.block = block;
	watched.bytes = bytes;
	watched.clean = false;
}

static void test_wiped(void **state) {
	/* At least the function pointers and the key itself; an expanded AES key has 1280 bytes behind them. */
	static const size_t bytes[SEAL_SUITES] = {1280, 1280, 56};
	static const uint8_t key[SEAL_KEY_BYTES_MAX] = {1, 2, 3, 4, 5};
	struct seal_backend *backend;
	struct seal_key *packets;
	struct seal_mask *headers;
	char why[SEAL_ERROR_BYTES];

	(void)state;
	if (seal_ipsec_mb_open(seal_ipsec_mb_names, &backend, why) != 0) {
		print_message("skipped: %s\n", why);
		skip();
	}
	for (int suite = 0; suite < SEAL_SUITES; suite++) {
		assert_int_equal(seal_key_new(backend, (enum seal_suite)suite, key, &packets), 0);
		watch(packets, bytes[suite]);
		seal_key_free(packets);
		assert_true(watched.clean);
	}
	assert_int_equal(seal_mask_new(backend, SEAL_AES_128_GCM, key, &headers), 0);
	watch(headers, 192);
	seal_mask_free(headers);
	assert_true(watched.clean);
	watch(NULL, 0);
	seal_backend_free(backend);
}

/* The library's AVX2 functions read more than the key: what they read must be ours. */
static void test_nothing_behind_the_key(void **state) {
	static const uint8_t bytes[SEAL_KEY_BYTES_MAX] = {7}, nonce[SEAL_NONCE_BYTES] = {1}, plain[700];
	uint8_t sealed[sizeof(plain) + SEAL_TAG_BYTES], opened[sizeof(plain)];
	struct seal_backend *backend;
	char why[SEAL_ERROR_BYTES];
	struct seal_key *key;

	(void)state;
	if (seal_ipsec_mb_open(seal_ipsec_mb_names, &backend, why) != 0) {
		print_message("skipped: %s\n", why);
		skip();
	}
	cliff.wanted = true;
	assert_int_equal(seal_key_new(backend, SEAL_CHACHA20_POLY1305, bytes, &key), 0);
	assert_false(cliff.wanted);
	for (size_t len = 0; len <= sizeof(plain); len += 7) {
		assert_true(seal_key_seal(key, nonce, slice_of(bytes, 13), slice_of(plain, len), sealed));
		assert_true(seal_key_open(key, nonce, slice_of(bytes, 13), slice_of(sealed, len + SEAL_TAG_BYTES), opened));
	}
	seal_key_free(key);
	seal_backend_free(backend);
}

static void test_nothing_to_free(void **state) {
	(void)state;
	seal_key_free(NULL);
	seal_mask_free(NULL);
	seal_backend_free(NULL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refused),         cmocka_unit_test(test_order),
	    cmocka_unit_test(test_choice),          cmocka_unit_test(test_threads),
	    cmocka_unit_test(test_wiped),           cmocka_unit_test(test_nothing_behind_the_key),
	    cmocka_unit_test(test_nothing_to_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
