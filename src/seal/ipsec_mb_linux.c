/* seal/ipsec_mb_linux.c: libipsec-mb, loaded at run time if it is there (x86-64). Of its manager only the addresses of
 * the functions for this processor are taken: they keep no state, so that every thread may call them.
 *
 * The library has no stable interface but its functions' places in struct IMB_MGR. Those below are the same in all
 * releases from 1.3 to 2.0; other releases are refused, and what is loaded must agree with GnuTLS before it is used. */
#include "base/text.h"
#include "seal/internal.h"

#include <dlfcn.h>
#include <gnutls/gnutls.h>
#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_MIN IMB_VERSION(1, 3, 0)
#define VERSION_END IMB_VERSION(2, 1, 0)

_Static_assert(IMB_VERSION_NUM >= VERSION_MIN && IMB_VERSION_NUM < VERSION_END, "header of a release not looked at");
_Static_assert(offsetof(IMB_MGR, features) == 8 && offsetof(IMB_MGR, imb_errno) == 60, "layout");
_Static_assert(offsetof(IMB_MGR, keyexp_128) == 112 && offsetof(IMB_MGR, aes128_cfb_one) == 248, "layout");
_Static_assert(offsetof(IMB_MGR, gcm128_enc) == 256 && offsetof(IMB_MGR, gcm256_dec) == 296, "layout");
_Static_assert(offsetof(IMB_MGR, gcm128_pre) == 448 && offsetof(IMB_MGR, gcm256_pre) == 464, "layout");
_Static_assert(offsetof(IMB_MGR, chacha20_poly1305_init) == 920, "layout");
_Static_assert(sizeof(struct gcm_context_data) == 88, "layout");
_Static_assert(sizeof(struct chacha20_poly1305_context_data) == 192, "layout");

/* struct gcm_key_data of the releases since 1.4, the largest; the library reads and writes it aligned. */
#define GCM_KEY_BYTES 1280
#define GCM_KEY_ALIGN 64
_Static_assert(sizeof(struct gcm_key_data) <= GCM_KEY_BYTES, "a larger key");

#define BLOCK_BYTES 16
#define ROUND_KEYS_128 11

/* Below AVX2 the library gains little, and without AES instructions it is slower than GnuTLS. The bits of these
 * features are the same in all releases; those of the library's own self-test are not. */
#define FEATURES_NEEDED (IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ | IMB_FEATURE_AVX2 | IMB_FEATURE_BMI2)

const char *const seal_ipsec_mb_names[] = {"libIPSec_MB.so.2", "libIPSec_MB.so.1", NULL};

struct ipsec_mb {
	struct seal_backend backend;
	void *library;
	struct {
		aes_gcm_pre_t expand;
		aes_gcm_enc_dec_t seal, open;
	} gcm[SEAL_AES_256_GCM + 1];
	keyexp_t aes_128_expand;
	aes_cfb_t aes_128_cfb;
	chacha_poly_init_t chacha_init;
	chacha_poly_enc_dec_update_t chacha_seal, chacha_open;
	chacha_poly_finalize_t chacha_tag;
};

/* --- AES-GCM --- */

struct gcm_key {
	struct seal_key key;
	aes_gcm_enc_dec_t seal, open;
	_Alignas(GCM_KEY_ALIGN) uint8_t schedule[GCM_KEY_BYTES];
};

static const struct gcm_key_data *schedule_of(const struct gcm_key *key) {
	return (const struct gcm_key_data *)(const void *)key->schedule;
}

static bool gcm_seal(struct seal_key *base, const uint8_t *nonce, struct slice aad, struct slice plain, uint8_t *dest) {
	const struct gcm_key *key = (const struct gcm_key *)base;
	struct gcm_context_data context;

	key->seal(schedule_of(key), &context, dest, plain.data, plain.len, nonce, aad.data, aad.len, dest + plain.len,
	          SEAL_TAG_BYTES);
	return true;
}

static bool gcm_open(struct seal_key *base, const uint8_t *nonce, struct slice aad, struct slice sealed,
                     uint8_t *dest) {
	const struct gcm_key *key = (const struct gcm_key *)base;
	size_t len = sealed.len - SEAL_TAG_BYTES;
	struct gcm_context_data context;
	uint8_t tag[SEAL_TAG_BYTES];

	key->open(schedule_of(key), &context, dest, sealed.data, len, nonce, aad.data, aad.len, tag, sizeof(tag));
	return gnutls_memcmp(tag, sealed.data + len, sizeof(tag)) == 0;
}

static void gcm_free(struct seal_key *base) {
	gnutls_memset(base, 0, sizeof(struct gcm_key));
	free(base);
}

static int gcm_new(const struct ipsec_mb *mb, enum seal_suite suite, const uint8_t *bytes, struct seal_key **ret) {
	struct gcm_key *key = aligned_alloc(GCM_KEY_ALIGN, sizeof(*key));

	if (key == NULL)
		return BASE_E_NOMEM;
	key->key = (struct seal_key){.seal = gcm_seal, .open = gcm_open, .free = gcm_free};
	key->seal = mb->gcm[suite].seal;
	key->open = mb->gcm[suite].open;
	mb->gcm[suite].expand(bytes, (struct gcm_key_data *)(void *)key->schedule);
	*ret = &key->key;
	return 0;
}

/* --- ChaCha20-Poly1305 --- */

/* The library's AVX2 functions load the key in halves of 32 bytes each and use 16 of the second: what lies behind the
 * key is read, and must be there to be read. */
#define CHACHA_LOADED_BEHIND 16

struct chacha_key {
	struct seal_key key;
	const struct ipsec_mb *mb;
	uint8_t bytes[SEAL_KEY_BYTES_MAX];
	uint8_t behind[CHACHA_LOADED_BEHIND];
};

static void chacha_run(const struct chacha_key *key, chacha_poly_enc_dec_update_t update, const uint8_t *nonce,
                       struct slice aad, struct slice in, uint8_t *dest, uint8_t tag[static SEAL_TAG_BYTES]) {
	struct chacha20_poly1305_context_data context; /* holds the packet's Poly1305 key */

	key->mb->chacha_init(key->bytes, &context, nonce, aad.data, aad.len);
	update(key->bytes, &context, dest, in.data, in.len);
	key->mb->chacha_tag(&context, tag, SEAL_TAG_BYTES);
	gnutls_memset(&context, 0, sizeof(context));
}

static bool chacha_seal(struct seal_key *base, const uint8_t *nonce, struct slice aad, struct slice plain,
                        uint8_t *dest) {
	const struct chacha_key *key = (const struct chacha_key *)base;

	chacha_run(key, key->mb->chacha_seal, nonce, aad, plain, dest, dest + plain.len);
	return true;
}

static bool chacha_open(struct seal_key *base, const uint8_t *nonce, struct slice aad, struct slice sealed,
                        uint8_t *dest) {
	const struct chacha_key *key = (const struct chacha_key *)base;
	size_t len = sealed.len - SEAL_TAG_BYTES;
	uint8_t tag[SEAL_TAG_BYTES];

	chacha_run(key, key->mb->chacha_open, nonce, aad, slice_of(sealed.data, len), dest, tag);
	return gnutls_memcmp(tag, sealed.data + len, sizeof(tag)) == 0;
}

static void chacha_free(struct seal_key *base) {
	gnutls_memset(base, 0, sizeof(struct chacha_key));
	free(base);
}

static int chacha_new(const struct ipsec_mb *mb, const uint8_t *bytes, struct seal_key **ret) {
	struct chacha_key *key = malloc(sizeof(*key));

	if (key == NULL)
		return BASE_E_NOMEM;
	key->key = (struct seal_key){.seal = chacha_seal, .open = chacha_open, .free = chacha_free};
	key->mb = mb;
	memcpy(key->bytes, bytes, sizeof(key->bytes));
	*ret = &key->key;
	return 0;
}

/* --- headers --- */

struct cfb_mask {
	struct seal_mask mask;
	aes_cfb_t cfb;
	_Alignas(BLOCK_BYTES) uint8_t schedule[ROUND_KEYS_128 * BLOCK_BYTES];
};

/* One block of CFB over zeros is the sample, encrypted. */
static bool mask_make(struct seal_mask *base, const uint8_t *sample, uint8_t *ret) {
	const struct cfb_mask *mask = (const struct cfb_mask *)base;
	static const uint8_t zeros[BLOCK_BYTES];
	uint8_t block[BLOCK_BYTES];

	mask->cfb(block, zeros, sample, mask->schedule, sizeof(block));
	memcpy(ret, block, SEAL_MASK_BYTES);
	return true;
}

static void mask_free(struct seal_mask *base) {
	gnutls_memset(base, 0, sizeof(struct cfb_mask));
	free(base);
}

/* --- backend --- */

static int key_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                   struct seal_key **ret) {
	const struct ipsec_mb *mb = (const struct ipsec_mb *)backend;

	return suite == SEAL_CHACHA20_POLY1305 ? chacha_new(mb, bytes, ret) : gcm_new(mb, suite, bytes, ret);
}

/* Only AES-128 has a function for one block; the others are GnuTLS's. */
static int mask_new(const struct seal_backend *backend, enum seal_suite suite, const uint8_t *bytes,
                    struct seal_mask **ret) {
	const struct ipsec_mb *mb = (const struct ipsec_mb *)backend;
	_Alignas(BLOCK_BYTES) uint8_t backwards[ROUND_KEYS_128 * BLOCK_BYTES];
	struct cfb_mask *mask;

	if (suite != SEAL_AES_128_GCM)
		return seal_mask_new(seal_gnutls(), suite, bytes, ret);
	mask = aligned_alloc(BLOCK_BYTES, sizeof(*mask));
	if (mask == NULL)
		return BASE_E_NOMEM;
	mask->mask = (struct seal_mask){.make = mask_make, .free = mask_free};
	mask->cfb = mb->aes_128_cfb;
	mb->aes_128_expand(bytes, mask->schedule, backwards);
	gnutls_memset(backwards, 0, sizeof(backwards));
	*ret = &mask->mask;
	return 0;
}

static void backend_free(struct seal_backend *backend) {
	struct ipsec_mb *mb = (struct ipsec_mb *)backend;

	if (mb->library != NULL)
		dlclose(mb->library);
	free(mb);
}

/* --- loading --- */

/* Object pointers become function pointers here, which POSIX allows and C does not know. */
static bool find(void *library, const char *name, void *ret, size_t size) {
	void *symbol = dlsym(library, name);

	memcpy(ret, &symbol, size);
	return symbol != NULL;
}
#define FIND(library, function) find(library, #function, &(function), sizeof(function))

static void take_functions(struct ipsec_mb *mb, const IMB_MGR *manager) {
	mb->gcm[SEAL_AES_128_GCM].expand = manager->gcm128_pre;
	mb->gcm[SEAL_AES_128_GCM].seal = manager->gcm128_enc;
	mb->gcm[SEAL_AES_128_GCM].open = manager->gcm128_dec;
	mb->gcm[SEAL_AES_256_GCM].expand = manager->gcm256_pre;
	mb->gcm[SEAL_AES_256_GCM].seal = manager->gcm256_enc;
	mb->gcm[SEAL_AES_256_GCM].open = manager->gcm256_dec;
	mb->aes_128_expand = manager->keyexp_128;
	mb->aes_128_cfb = manager->aes128_cfb_one;
	mb->chacha_init = manager->chacha20_poly1305_init;
	mb->chacha_seal = manager->chacha20_poly1305_enc_update;
	mb->chacha_open = manager->chacha20_poly1305_dec_update;
	mb->chacha_tag = manager->chacha20_poly1305_finalize;
}

/* The manager finds out what the processor can do and tests its own functions. NULL, or what is wrong. */
static const char *ask_manager(struct ipsec_mb *mb) {
	IMB_MGR *(*alloc_mb_mgr)(uint64_t);
	void (*init_mb_mgr_auto)(IMB_MGR *, IMB_ARCH *);
	void (*free_mb_mgr)(IMB_MGR *);
	const char *wrong = NULL;
	IMB_MGR *manager;

	if (!FIND(mb->library, alloc_mb_mgr) || !FIND(mb->library, init_mb_mgr_auto) || !FIND(mb->library, free_mb_mgr))
		return "functions are missing";
	manager = alloc_mb_mgr(0);
	if (manager == NULL)
		return "no manager";
	init_mb_mgr_auto(manager, NULL);
	if ((manager->features & FEATURES_NEEDED) != FEATURES_NEEDED)
		wrong = "this processor lacks AES, PCLMULQDQ, AVX2 or BMI2 instructions";
	else if (manager->imb_errno != 0)
		wrong = "its self-test failed";
	else
		take_functions(mb, manager);
	free_mb_mgr(manager);
	return wrong;
}

static const char *check_version(struct ipsec_mb *mb) {
	unsigned (*imb_get_version)(void);
	struct base_text text;
	unsigned version;

	if (!FIND(mb->library, imb_get_version))
		return "no version";
	version = imb_get_version();
	base_text_init(&text, mb->backend.version, sizeof(mb->backend.version));
	base_text_addf(&text, "%u.%u.%u", version >> 16, version >> 8 & 0xff, version & 0xff);
	return version >= VERSION_MIN && version < VERSION_END ? NULL
	                                                       : "a release that is not known to work, 1.3 to 2.0 are";
}

/* Both libraries make the same of one packet, and this one opens it. */
static bool agrees(const struct seal_backend *backend, enum seal_suite suite, size_t len) {
	static const uint8_t key[SEAL_KEY_BYTES_MAX] = "everybody knows it", nonce[SEAL_NONCE_BYTES] = {7};
	uint8_t plain[1400], sealed[2][sizeof(plain) + SEAL_TAG_BYTES], opened[sizeof(plain)], masks[2][SEAL_MASK_BYTES];
	const struct seal_backend *backends[] = {backend, seal_gnutls()};
	struct slice aad = slice_of(key, 13);
	bool good = true;

	for (size_t i = 0; i < len; i++)
		plain[i] = (uint8_t)(i * 11);
	for (int i = 0; i < 2 && good; i++) {
		struct seal_key *packets = NULL;
		struct seal_mask *headers = NULL;

		good = seal_key_new(backends[i], suite, key, &packets) == 0 &&
		       seal_mask_new(backends[i], suite, key, &headers) == 0 &&
		       seal_key_seal(packets, nonce, aad, slice_of(plain, len), sealed[i]) &&
		       seal_key_open(packets, nonce, aad, slice_of(sealed[i], len + SEAL_TAG_BYTES), opened) &&
		       memcmp(opened, plain, len) == 0 && seal_mask_make(headers, plain, masks[i]);
		seal_key_free(packets);
		seal_mask_free(headers);
	}
	return good && memcmp(sealed[0], sealed[1], len + SEAL_TAG_BYTES) == 0 &&
	       memcmp(masks[0], masks[1], SEAL_MASK_BYTES) == 0;
}

static const char *check_results(const struct ipsec_mb *mb) {
	static const size_t lens[] = {1, 100, 1400};

	for (int suite = 0; suite < SEAL_SUITES; suite++)
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
			if (!agrees(&mb->backend, (enum seal_suite)suite, lens[i]))
				return "its results are wrong";
	return NULL;
}

static const char *check_library(struct ipsec_mb *mb) {
	const char *wrong = check_version(mb);

	if (wrong == NULL)
		wrong = ask_manager(mb);
	return wrong != NULL ? wrong : check_results(mb);
}

int seal_ipsec_mb_open(const char *const *names, struct seal_backend **ret, char why[static SEAL_ERROR_BYTES]) {
	struct ipsec_mb *mb = calloc(1, sizeof(*mb));
	struct base_text text;
	const char *wrong;

	if (mb == NULL)
		return BASE_E_NOMEM;
	mb->backend =
	    (struct seal_backend){.name = "ipsec-mb", .key_new = key_new, .mask_new = mask_new, .free = backend_free};
	while ((mb->library = dlopen(*names, RTLD_NOW | RTLD_LOCAL)) == NULL && names[1] != NULL)
		names++;
	base_text_init(&text, why, SEAL_ERROR_BYTES);
	if (mb->library == NULL) {
		base_text_add(&text, dlerror());
	} else if ((wrong = check_library(mb)) != NULL) {
		base_text_addf(&text, "%s %s: %s", *names, mb->backend.version, wrong);
	} else {
		*ret = &mb->backend;
		return 0;
	}
	backend_free(&mb->backend);
	return BASE_E_UNSUPPORTED;
}
