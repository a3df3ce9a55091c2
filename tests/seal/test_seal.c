/* What both libraries must make of known keys, of each other's packets and of broken ones. A backend this machine does
 * not have is skipped by name. */
#include "base/rng.h"
#include "base/text.h"
#include "seal/internal.h"
#include "seal/seal.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_BYTES_MAX 1500

/* GnuTLS, then libipsec-mb as each name finds it. */
struct setup {
	const struct seal_backend *backends[3];
	struct seal_backend *mine[2];
	size_t count;
};

static int set_up(void **state) {
	struct setup *setup = calloc(1, sizeof(*setup));
	char why[SEAL_ERROR_BYTES];

	setup->backends[setup->count++] = seal_gnutls();
	for (size_t i = 0; seal_ipsec_mb_names[i] != NULL; i++) {
		const char *const names[] = {seal_ipsec_mb_names[i], NULL};
		struct seal_backend *backend;

		if (seal_ipsec_mb_open(names, &backend, why) != 0) {
			print_message("skipped: %s\n", why);
			continue;
		}
		print_message("%s %s\n", backend->name, backend->version);
		setup->mine[setup->count - 1] = backend;
		setup->backends[setup->count++] = backend;
	}
	*state = setup;
	return 0;
}

static int tear_down(void **state) {
	struct setup *setup = *state;

	seal_backend_free(setup->mine[0]);
	seal_backend_free(setup->mine[1]);
	free(setup);
	return 0;
}

static size_t unhex(const char *text, uint8_t *ret) {
	size_t len = strlen(text) / 2;

	unit_assert_int(base_parse_hex(text, strlen(text), ret, len), 0, text);
	return len;
}

/* --- known answers --- */

struct vector {
	const char *label;
	enum seal_suite suite;
	const char *key, *nonce, *aad, *plain, *sealed; /* sealed: with the tag */
};

#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_NONCE "cafebabefacedbaddecaf888"
#define GCM_AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define GCM_PLAIN                                                                                                      \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657" \
	"ba637b39"
#define GCM_128                                                                                                        \
	"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac97" \
	"3d58e091"
#define GCM_256                                                                                                        \
	"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a" \
	"bcc9f662"

static const struct vector vectors[] = {
    /* The Galois/Counter Mode of Operation (McGrew, Viega; NIST's submission), appendix B, with 96-bit vectors */
    {"test case 1", SEAL_AES_128_GCM, "00000000000000000000000000000000", "000000000000000000000000", "", "",
     "58e2fccefa7e3061367f1d57a4e7455a"},
    {"test case 2", SEAL_AES_128_GCM, "00000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
    {"test case 3", SEAL_AES_128_GCM, GCM_KEY, GCM_NONCE, "", GCM_PLAIN "1aafd255",
     GCM_128 "473f59854d5c2af327cd64a62cf35abd2ba6fab4"},
    {"test case 4", SEAL_AES_128_GCM, GCM_KEY, GCM_NONCE, GCM_AAD, GCM_PLAIN,
     GCM_128 "5bc94fbc3221a5db94fae95ae7121a47"},
    {"test case 13", SEAL_AES_256_GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"test case 14", SEAL_AES_256_GCM, "0000000000000000000000000000000000000000000000000000000000000000",
     "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"test case 15", SEAL_AES_256_GCM, GCM_KEY GCM_KEY, GCM_NONCE, "", GCM_PLAIN "1aafd255",
     GCM_256 "898015adb094dac5d93471bdec1a502270e3cc6c"},
    {"test case 16", SEAL_AES_256_GCM, GCM_KEY GCM_KEY, GCM_NONCE, GCM_AAD, GCM_PLAIN,
     GCM_256 "76fc6ece0f4e1768cddf8853bb2d551b"},
    /* RFC 9001 appendix A.3: the server's Initial, packet number 1 */
    {"RFC 9001 A.3", SEAL_AES_128_GCM, "cf3a5331653c364c88f0f379b6067e37", "0ac1493ca1905853b0bba03f",
     "c1000000010008f067a5502a4262b50040750001",
     "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a12001301"
     "00002e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304",
     "5a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df354"
     "8e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407d"
     "d074ee"},
    /* RFC 9001 appendix A.5 */
    {"RFC 9001 A.5", SEAL_CHACHA20_POLY1305, "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8",
     "e0459b3474bdd0e46d417eb0", "4200bff4", "01", "655e5cd55c41f69080575d7999c25a5bfb"},
};

static void check_vector(const struct seal_backend *backend, const struct vector *vector) {
	uint8_t bytes[SEAL_KEY_BYTES_MAX], nonce[SEAL_NONCE_BYTES], aad[64], plain[256], sealed[256], got[256];
	size_t aad_len = unhex(vector->aad, aad), plain_len = unhex(vector->plain, plain);
	size_t sealed_len = unhex(vector->sealed, sealed);
	struct seal_key *key;

	unit_assert_int(unhex(vector->key, bytes), seal_key_bytes(vector->suite), vector->label);
	unit_assert_int(unhex(vector->nonce, nonce), SEAL_NONCE_BYTES, vector->label);
	unit_assert_int(sealed_len, plain_len + SEAL_TAG_BYTES, vector->label);
	unit_assert_int(seal_key_new(backend, vector->suite, bytes, &key), 0, vector->label);
	unit_assert_true(seal_key_seal(key, nonce, slice_of(aad, aad_len), slice_of(plain, plain_len), got), vector->label);
	assert_memory_equal(got, sealed, sealed_len);
	unit_assert_true(seal_key_open(key, nonce, slice_of(aad, aad_len), slice_of(sealed, sealed_len), got),
	                 vector->label);
	assert_memory_equal(got, plain, plain_len);
	seal_key_free(key);
}

static void test_vectors(void **state) {
	const struct setup *setup = *state;

	for (size_t b = 0; b < setup->count; b++)
		for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
			check_vector(setup->backends[b], &vectors[i]);
}

/* RFC 9001 appendix A.2, A.3, A.5; AES-256 from FIPS-197 appendix C.3. */
static void test_masks(void **state) {
	static const struct {
		enum seal_suite suite;
		const char *key, *sample, *mask;
	} cases[] = {
	    {SEAL_AES_128_GCM, "9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36"},
	    {SEAL_AES_128_GCM, "c206b8d9b9f0f37644430b490eeaa314", "2cd0991cd25b0aac406a5816b6394100", "2ec0d8356a"},
	    {SEAL_AES_256_GCM, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	     "00112233445566778899aabbccddeeff", "8ea2b7ca51"},
	    {SEAL_CHACHA20_POLY1305, "25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4",
	     "5e5cd55c41f69080575d7999c25a5bfb", "aefefe7d03"},
	};
	const struct setup *setup = *state;

	for (size_t b = 0; b < setup->count; b++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			uint8_t key[SEAL_KEY_BYTES_MAX], sample[SEAL_SAMPLE_BYTES], expected[SEAL_MASK_BYTES], got[SEAL_MASK_BYTES];
			struct seal_mask *mask;

			unhex(cases[i].key, key);
			unhex(cases[i].sample, sample);
			unhex(cases[i].mask, expected);
			assert_int_equal(seal_mask_new(setup->backends[b], cases[i].suite, key, &mask), 0);
			for (int again = 0; again < 2; again++) { /* a mask remembers nothing */
				assert_true(seal_mask_make(mask, sample, got));
				assert_memory_equal(got, expected, sizeof(got));
			}
			seal_mask_free(mask);
		}
	}
}

/* --- one against the other --- */

struct packet {
	struct base_rng rng;
	uint8_t key[SEAL_KEY_BYTES_MAX], nonce[SEAL_NONCE_BYTES], aad[40], plain[PACKET_BYTES_MAX];
	uint8_t sealed[PACKET_BYTES_MAX + SEAL_TAG_BYTES];
	size_t aad_len, len;
};

static void randomize(struct packet *packet, uint8_t *bytes, size_t len) {
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)base_rng_below(&packet->rng, 256);
}

static void make_packet(struct packet *packet, size_t len) {
	packet->len = len;
	packet->aad_len = base_rng_below(&packet->rng, sizeof(packet->aad) + 1);
	randomize(packet, packet->key, sizeof(packet->key));
	randomize(packet, packet->nonce, sizeof(packet->nonce));
	randomize(packet, packet->aad, sizeof(packet->aad));
	randomize(packet, packet->plain, len);
}

static bool seal_it(struct seal_key *key, struct packet *packet, uint8_t *dest) {
	return seal_key_seal(key, packet->nonce, slice_of(packet->aad, packet->aad_len),
	                     slice_of(packet->plain, packet->len), dest);
}

static bool open_it(struct seal_key *key, const struct packet *packet, const uint8_t *sealed, uint8_t *dest) {
	return seal_key_open(key, packet->nonce, slice_of(packet->aad, packet->aad_len),
	                     slice_of(sealed, packet->len + SEAL_TAG_BYTES), dest);
}

static void cross(const struct seal_backend *one, const struct seal_backend *other, enum seal_suite suite,
                  struct packet *packet) {
	uint8_t buf[PACKET_BYTES_MAX + SEAL_TAG_BYTES];
	struct seal_key *sealing, *opening;

	assert_int_equal(seal_key_new(one, suite, packet->key, &sealing), 0);
	assert_int_equal(seal_key_new(other, suite, packet->key, &opening), 0);
	assert_true(seal_it(sealing, packet, packet->sealed));
	assert_true(open_it(opening, packet, packet->sealed, buf));
	assert_memory_equal(buf, packet->plain, packet->len);
	/* in place, as ngtcp2 seals */
	assert_true(
	    seal_key_seal(sealing, packet->nonce, slice_of(packet->aad, packet->aad_len), slice_of(buf, packet->len), buf));
	assert_memory_equal(buf, packet->sealed, packet->len + SEAL_TAG_BYTES);
	assert_true(open_it(opening, packet, buf, buf));
	assert_memory_equal(buf, packet->plain, packet->len);
	seal_key_free(sealing);
	seal_key_free(opening);
}

static void test_cross(void **state) {
	const struct setup *setup = *state;
	struct packet packet;

	base_rng_init(&packet.rng, 1);
	for (size_t a = 0; a < setup->count; a++)
		for (size_t b = 0; b < setup->count; b++)
			for (int suite = 0; suite < SEAL_SUITES; suite++)
				for (size_t i = 0; i < 300; i++) { /* each short length, then any */
					make_packet(&packet, i < 100 ? i : base_rng_below(&packet.rng, PACKET_BYTES_MAX + 1));
					cross(setup->backends[a], setup->backends[b], suite, &packet);
				}
}

static void test_cross_masks(void **state) {
	const struct setup *setup = *state;
	struct packet packet;

	base_rng_init(&packet.rng, 2);
	for (int suite = 0; suite < SEAL_SUITES; suite++) {
		for (int i = 0; i < 200; i++) {
			uint8_t masks[3][SEAL_MASK_BYTES];

			make_packet(&packet, SEAL_SAMPLE_BYTES);
			for (size_t b = 0; b < setup->count; b++) {
				struct seal_mask *mask;

				assert_int_equal(seal_mask_new(setup->backends[b], suite, packet.key, &mask), 0);
				assert_true(seal_mask_make(mask, packet.plain, masks[b]));
				assert_memory_equal(masks[b], masks[0], SEAL_MASK_BYTES);
				seal_mask_free(mask);
			}
		}
	}
}

/* --- what must not be opened --- */

static void assert_refused(bool opened, const uint8_t *dest, size_t len, const char *label) {
	uint8_t all = 0;

	unit_assert_true(!opened, label);
	for (size_t i = 0; i < len; i++)
		all |= dest[i];
	unit_assert_int(all, 0, label);
}

/* Each bit of tag, associated data and nonce, and bits all over the payload. */
static void break_packet(struct seal_key *key, struct packet *packet) {
	const struct {
		const char *label;
		uint8_t *bytes;
		size_t len, step;
	} parts[] = {
	    {"tag", packet->sealed + packet->len, SEAL_TAG_BYTES, 1},
	    {"payload", packet->sealed, packet->len, packet->len > 100 ? 41 : 1},
	    {"header", packet->aad, packet->aad_len, 1},
	    {"nonce", packet->nonce, sizeof(packet->nonce), 1},
	};
	uint8_t opened[PACKET_BYTES_MAX + SEAL_TAG_BYTES];

	for (size_t p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
		for (size_t bit = 0; bit < parts[p].len * 8; bit += parts[p].step) {
			parts[p].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			memset(opened, 0xaa, sizeof(opened));
			assert_refused(open_it(key, packet, packet->sealed, opened), opened, packet->len, parts[p].label);
			assert_int_equal(opened[packet->len], 0xaa); /* nothing behind it is touched */
			memcpy(opened, packet->sealed, packet->len + SEAL_TAG_BYTES);
			assert_refused(open_it(key, packet, opened, opened), opened, packet->len, parts[p].label);
			parts[p].bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	assert_true(open_it(key, packet, packet->sealed, opened));
}

static void test_broken(void **state) {
	static const size_t lens[] = {1, 15, 16, 33, 200, 1400};
	const struct setup *setup = *state;
	struct packet packet;

	base_rng_init(&packet.rng, 3);
	for (size_t b = 0; b < setup->count; b++)
		for (int suite = 0; suite < SEAL_SUITES; suite++)
			for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
				struct seal_key *key;

				make_packet(&packet, lens[i]);
				assert_int_equal(seal_key_new(setup->backends[b], suite, packet.key, &key), 0);
				assert_true(seal_it(key, &packet, packet.sealed));
				break_packet(key, &packet);
				seal_key_free(key);
			}
}

static void test_truncated(void **state) {
	const struct setup *setup = *state;
	struct packet packet;

	base_rng_init(&packet.rng, 4);
	for (size_t b = 0; b < setup->count; b++)
		for (int suite = 0; suite < SEAL_SUITES; suite++) {
			uint8_t opened[200];
			struct seal_key *key;

			make_packet(&packet, sizeof(opened));
			assert_int_equal(seal_key_new(setup->backends[b], suite, packet.key, &key), 0);
			assert_true(seal_it(key, &packet, packet.sealed));
			for (size_t len = 0; len < packet.len + SEAL_TAG_BYTES; len++) {
				/* exactly as large as it claims, for the sanitizer */
				uint8_t *copy = malloc(len + 1);

				memcpy(copy + 1, packet.sealed, len);
				assert_false(seal_key_open(key, packet.nonce, slice_of(packet.aad, packet.aad_len),
				                           slice_of(copy + 1, len), opened));
				free(copy);
			}
			seal_key_free(key);
		}
}

static void test_choice(void **state) {
	enum seal_choice choice = SEAL_GNUTLS;

	(void)state;
	assert_int_equal(seal_choice_parse("auto", &choice), 0);
	assert_int_equal(choice, SEAL_AUTO);
	assert_int_equal(seal_choice_parse("ipsec-mb", &choice), 0);
	assert_int_equal(choice, SEAL_IPSEC_MB);
	assert_int_equal(seal_choice_parse("gnutls", &choice), 0);
	assert_int_equal(choice, SEAL_GNUTLS);
	assert_int_equal(seal_choice_parse("", &choice), BASE_E_INVALID);
	assert_int_equal(seal_choice_parse("GnuTLS", &choice), BASE_E_INVALID);
	assert_int_equal(choice, SEAL_GNUTLS);
}

/* RFC 7914 section 11, the second after 80000 rounds */
static void test_stretch(void **state) {
	static const struct {
		const char *password, *salt;
		unsigned rounds;
		const char *expected;
	} cases[] = {
	    {"passwd", "salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"},
	    {"Password", "NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"},
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint8_t expected[SEAL_SECRET_BYTES], got[SEAL_SECRET_BYTES];

		assert_int_equal(unhex(cases[i].expected, expected), sizeof(expected));
		assert_int_equal(
		    seal_stretch(slice_of_text(cases[i].password), slice_of_text(cases[i].salt), cases[i].rounds, got), 0);
		assert_memory_equal(got, expected, sizeof(got));
	}
}

/* RFC 5869 appendix A.1: its pseudorandom key and output. */
static void test_expand(void **state) {
	uint8_t secret[SEAL_SECRET_BYTES], info[10], expected[42], got[42];

	(void)state;
	assert_int_equal(unhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5", secret), sizeof(secret));
	assert_int_equal(unhex("f0f1f2f3f4f5f6f7f8f9", info), sizeof(info));
	assert_int_equal(
	    unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865", expected),
	    sizeof(expected));
	assert_int_equal(seal_expand(secret, slice_of(info, sizeof(info)), got, sizeof(got)), 0);
	assert_memory_equal(got, expected, sizeof(got));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),     cmocka_unit_test(test_masks),   cmocka_unit_test(test_cross),
	    cmocka_unit_test(test_cross_masks), cmocka_unit_test(test_broken),  cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_choice),      cmocka_unit_test(test_stretch), cmocka_unit_test(test_expand),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
