/* A libipsec-mb that claims to be of release FAKE_VERSION and to have found the processor's FAKE_FEATURES. With
 * FAKE_ERROR its self-test failed, with FAKE_EMPTY it has no memory; its functions do nothing. */
#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>

static void expand(const void *key, struct gcm_key_data *ret) {
	(void)key;
	(void)ret;
}

static void run(const struct gcm_key_data *key, struct gcm_context_data *context, uint8_t *out, uint8_t const *in,
                uint64_t len, const uint8_t *nonce, uint8_t const *aad, uint64_t aad_len, uint8_t *tag,
                uint64_t tag_len) {
	(void)key;
	(void)context;
	(void)nonce;
	(void)aad;
	(void)aad_len;
	memmove(out, in, len);
	memset(tag, 0, tag_len);
}

static void expand_aes(const void *key, void *forward, void *backward) {
	(void)key;
	memset(forward, 0, 11 * 16);
	memset(backward, 0, 11 * 16);
}

static void cfb(void *out, const void *in, const void *nonce, const void *keys, uint64_t len) {
	(void)nonce;
	(void)keys;
	memmove(out, in, len);
}

unsigned imb_get_version(void) {
	return FAKE_VERSION;
}

IMB_MGR *alloc_mb_mgr(uint64_t flags) {
	(void)flags;
#ifdef FAKE_EMPTY
	return NULL;
#else
	return calloc(1, sizeof(IMB_MGR));
#endif
}

void init_mb_mgr_auto(IMB_MGR *manager, IMB_ARCH *ret) {
	(void)ret;
	manager->features = FAKE_FEATURES;
#ifdef FAKE_ERROR
	manager->imb_errno = FAKE_ERROR;
#endif
	manager->gcm128_pre = manager->gcm256_pre = expand;
	manager->gcm128_enc = manager->gcm128_dec = manager->gcm256_enc = manager->gcm256_dec = run;
	manager->keyexp_128 = expand_aes;
	manager->aes128_cfb_one = cfb;
}

void free_mb_mgr(IMB_MGR *manager) {
	free(manager);
}
