/* quic/stateless.c: what the server says without keeping state: version negotiation, Retry, stateless reset, refusals.
 * All go through one small ring and a limit per second. */
#include "base/bytes.h"
#include "quic/internal.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <string.h>

#define RETRY_TOKEN_LIFE (10 * BASE_SECOND)
#define REGULAR_TOKEN_LIFE (3600 * BASE_SECOND)
#define RESET_BYTES 42     /* looks like a short packet of ours */
#define RESET_BYTES_MIN 21 /* RFC 9000 section 10.3 */

int quic_stateless_set_identity(struct quic_stateless *stateless, const struct quic_identity *identity) {
	return quic_identity_secret(identity, "lanparty stateless reset", stateless->reset_secret);
}

int quic_stateless_token(const struct quic_stateless *stateless, const struct base_addr *local, struct slice cid,
                         uint8_t ret[static NGTCP2_STATELESS_RESET_TOKENLEN]) {
	uint8_t hash[QUIC_SECRET_BYTES], name[sizeof(local->ip) + sizeof(uint16_t) + NGTCP2_MAX_CIDLEN];
	size_t at = sizeof(local->ip) + sizeof(uint16_t);

	assert(cid.len <= NGTCP2_MAX_CIDLEN);
	memcpy(name, local->ip, sizeof(local->ip));
	base_put_u16(name + sizeof(local->ip), local->port);
	memcpy(name + at, cid.data, cid.len);
	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, stateless->reset_secret, sizeof(stateless->reset_secret), name,
	                     at + cid.len, hash) != 0)
		return BASE_E_TLS;
	memcpy(ret, hash, NGTCP2_STATELESS_RESET_TOKENLEN);
	return 0;
}

int quic_stateless_init(struct quic_stateless *stateless, const struct quic_identity *identity, struct quic_gate *gate,
                        size_t per_second) {
	stateless->gate = gate;
	stateless->per_second = per_second;
	if (quic_stateless_set_identity(stateless, identity) != 0 ||
	    quic_identity_secret(identity, "lanparty address token", stateless->token_secret) != 0)
		return BASE_E_TLS;
	return 0;
}

/* A slot of the ring to fill, or NULL when this second's share is used up. The caller commits it with `push`. */
static struct quic_answer *slot(struct quic_stateless *stateless, struct quic_server_counters *counters,
                                enum quic_share share, uint64_t now) {
	size_t waiting_max = share == QUIC_SHARE_RETRY ? QUIC_ANSWERS_MAX : QUIC_ANSWERS_OTHER_MAX;

	if (stateless->count >= waiting_max || !quic_gate_answer(stateless->gate, share, stateless->per_second, now)) {
		counters->stateless_limited++;
		return NULL;
	}
	return &stateless->answers[(stateless->first + stateless->count) % QUIC_ANSWERS_MAX];
}

static bool push(struct quic_stateless *stateless, struct quic_answer *answer, const struct base_path *path,
                 ngtcp2_ssize len) {
	if (len <= 0)
		return false;
	answer->path = *path;
	answer->len = (size_t)len;
	stateless->count++;
	return true;
}

int quic_stateless_write(struct quic_stateless *stateless, uint8_t *buf, size_t cap, struct quic_burst *ret) {
	const struct quic_answer *answer = &stateless->answers[stateless->first];

	if (stateless->count == 0 || cap < answer->len)
		return 0;
	memcpy(buf, answer->bytes, answer->len);
	*ret = (struct quic_burst){.path = answer->path, .segment = answer->len, .len = answer->len};
	stateless->first = (stateless->first + 1) % QUIC_ANSWERS_MAX;
	stateless->count--;
	return 1;
}

void quic_stateless_version(struct quic_stateless *stateless, struct quic_server_counters *counters,
                            const struct base_path *path, const ngtcp2_version_cid *cids, uint64_t now) {
	static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
	struct quic_answer *answer = slot(stateless, counters, QUIC_SHARE_OTHER, now);
	uint8_t unused_bits;

	if (answer == NULL)
		return;
	quic_random(&unused_bits, 1);
	if (push(stateless, answer, path,
	         ngtcp2_pkt_write_version_negotiation(answer->bytes, sizeof(answer->bytes), unused_bits, cids->scid,
	                                              cids->scidlen, cids->dcid, cids->dcidlen, versions,
	                                              sizeof(versions) / sizeof(versions[0]))))
		counters->version_negotiations++;
}

void quic_stateless_reset(struct quic_stateless *stateless, struct quic_server_counters *counters,
                          const struct base_path *path, struct slice dcid, size_t heard_len, uint64_t now) {
	uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN], random[RESET_BYTES];
	size_t len = RESET_BYTES;
	struct quic_answer *answer;

	/* Always shorter than what it answers, so that two servers cannot reset each other for ever. */
	if (heard_len <= RESET_BYTES_MIN)
		return;
	if (len >= heard_len)
		len = heard_len - 1;
	answer = slot(stateless, counters, QUIC_SHARE_OTHER, now);
	if (answer == NULL)
		return;
	if (quic_stateless_token(stateless, &path->local, dcid, token) != 0)
		return;
	quic_random(random, len - sizeof(token));
	if (push(
	        stateless, answer, path,
	        ngtcp2_pkt_write_stateless_reset(answer->bytes, sizeof(answer->bytes), token, random, len - sizeof(token))))
		counters->resets_sent++;
}

void quic_stateless_retry(struct quic_stateless *stateless, struct quic_server_counters *counters,
                          const struct base_path *path, const ngtcp2_pkt_hd *hd, const ngtcp2_cid *scid, uint64_t now) {
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2];
	struct quic_answer *answer = slot(stateless, counters, QUIC_SHARE_RETRY, now);
	ngtcp2_path_storage storage;
	ngtcp2_ssize len;

	if (answer == NULL)
		return;
	quic_path_to_ng(path, &storage);
	len = ngtcp2_crypto_generate_retry_token2(token, stateless->token_secret, QUIC_SECRET_BYTES, hd->version,
	                                          storage.path.remote.addr, storage.path.remote.addrlen, scid, &hd->dcid,
	                                          now);
	if (len > 0 && push(stateless, answer, path,
	                    ngtcp2_crypto_write_retry(answer->bytes, sizeof(answer->bytes), hd->version, &hd->scid, scid,
	                                              &hd->dcid, token, (size_t)len)))
		counters->retries_sent++;
}

void quic_stateless_close(struct quic_stateless *stateless, struct quic_server_counters *counters,
                          const struct base_path *path, const ngtcp2_pkt_hd *hd, uint64_t code, uint64_t now) {
	struct quic_answer *answer = slot(stateless, counters, QUIC_SHARE_OTHER, now);

	if (answer != NULL)
		push(stateless, answer, path,
		     ngtcp2_crypto_write_connection_close(answer->bytes, sizeof(answer->bytes), hd->version, &hd->scid,
		                                          &hd->dcid, code, NULL, 0));
}

enum quic_token quic_stateless_check(const struct quic_stateless *stateless, const struct base_path *path,
                                     const ngtcp2_pkt_hd *hd, ngtcp2_cid *ret_odcid, uint64_t now) {
	ngtcp2_path_storage storage;
	const ngtcp2_addr *remote = &storage.path.remote;

	if (hd->tokenlen == 0)
		return QUIC_TOKEN_NONE;
	quic_path_to_ng(path, &storage);
	if (hd->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2)
		return ngtcp2_crypto_verify_retry_token2(ret_odcid, hd->token, hd->tokenlen, stateless->token_secret,
		                                         QUIC_SECRET_BYTES, hd->version, remote->addr, remote->addrlen,
		                                         &hd->dcid, RETRY_TOKEN_LIFE, now) == 0
		           ? QUIC_TOKEN_RETRY
		           : QUIC_TOKEN_BAD;
	if (hd->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR &&
	    ngtcp2_crypto_verify_regular_token(hd->token, hd->tokenlen, stateless->token_secret, QUIC_SECRET_BYTES,
	                                       remote->addr, remote->addrlen, REGULAR_TOKEN_LIFE, now) == 0)
		return QUIC_TOKEN_REGULAR;
	return QUIC_TOKEN_NONE; /* from elsewhere, or too old: as good as none (RFC 9000 section 8.1.3) */
}
