/* quic/internal.h: what the files of this room share. Not for other rooms. */
#ifndef QUIC_INTERNAL_H
#define QUIC_INTERNAL_H

#include "base/error.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "quic/narrowing.h"
#include "quic/quic.h"
#include "quic/restraint.h"
#include "quic/server.h"
#include "seal/seal.h"

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <stdatomic.h>

#define QUIC_SECRET_BYTES 32
#define QUIC_STREAM_WINDOW (64 * 1024)
#define QUIC_CRYPTO_MAX (64 * 1024) /* bytes of TLS in each encryption level; 16 certificates are half of it */
#define QUIC_ACK_THRESHOLD 8        /* packets that are acknowledged together */

/* The least time between a write and the next timer of a connection that has nothing more to send. ngtcp2 acknowledges
 * a packet after an eighth of the round trip. On a path of half a millisecond that takes a packet of its own for every
 * game packet, at either end, just when the processor has the answer to send. A little later, the acknowledgement goes
 * along with the answer. */
#define QUIC_TIMER_SLACK_NS BASE_MS
/* The same while at most one small packet waits to be acknowledged. At a game's pace (60 packets a second and more) the
 * acknowledgement then goes along with the game's next packet, and none is sent for acknowledgements alone. The peer is
 * told to expect that (QUIC_MAX_ACK_DELAY_NS). */
#define QUIC_LONE_SLACK_NS (20 * BASE_MS)
/* But once in this time a packet is acknowledged without that wait. The peer's congestion controller takes the shortest
 * round trip of the last seconds for what the path takes when it is empty. If our wait were part of all of them, it
 * would let a transfer keep a queue of so many milliseconds. */
#define QUIC_PROMPT_INTERVAL_NS BASE_SECOND
#define QUIC_MAX_ACK_DELAY_NS (25 * BASE_MS)

/* A peer that was not heard for so many idle timeouts is gone. ngtcp2 waits three probe timeouts if they are longer
 * than one idle timeout (RFC 9000 section 10.1). In those a peer has a say: by its max_ack_delay, up to 16 s, and by
 * each of its acknowledgements, since one that is minutes late makes the path look minutes long. So does a suspend of
 * ours. */
#define QUIC_IDLE_TIMEOUTS_MAX 3

/* The life of a connection. Only OPEN calls into ngtcp2 for anything but the close. */
enum quic_phase {
	QUIC_PHASE_OPEN,
	QUIC_PHASE_CLOSE_PENDING, /* CONNECTION_CLOSE goes out with the next write */
	QUIC_PHASE_CLOSING,       /* it is out: repeated when the peer goes on talking (RFC 9000 section 10.2.1) */
	QUIC_PHASE_DRAINING,      /* the peer closed: nothing is sent any more (section 10.2.2) */
	QUIC_PHASE_FINISHED
};

/* Control stream bytes, kept until the peer has acknowledged them; ngtcp2 points into `data` meanwhile. */
struct quic_chunk {
	struct quic_chunk *next;
	size_t len, cap;
	uint8_t data[];
};

struct quic_control {
	int64_t stream_id; /* -1: not open */
	struct quic_chunk *head, *tail;
	struct quic_chunk *unsent; /* first chunk with bytes that were not yet sent, or NULL */
	size_t unsent_offset;
	size_t head_acked; /* bytes of `head` that are acknowledged */
	size_t bytes;      /* not acknowledged */
	bool blocked;      /* by the peer's flow control */
};

/* peer_frames.c: what a peer's frames have said so far. A peer announces its connection IDs by number, from 1 on:
 * it keeps us supplied with a few (CONNECTION_IDS in conn.c), and each change of path uses up one. */
#define QUIC_PEER_CIDS_MAX 14
struct quic_peer_frames {
	uint64_t cids; /* bit n: it announced number n */
	unsigned cids_count;
	bool too_many_cids; /* more than QUIC_PEER_CIDS_MAX, or a number above 63 */
	bool final;         /* it said what it may only say when the handshake is over */
};
/* Looks through the frames of a packet that was opened, before ngtcp2 does. */
void quic_peer_frames_note(struct quic_peer_frames *peer, struct slice frames);

struct quic_conn {
	ngtcp2_crypto_conn_ref ref; /* GnuTLS's session pointer; get_conn finds the conn from it */
	ngtcp2_conn *ng;
	gnutls_session_t tls;
	const struct quic_events *events;
	void *user;
	struct obs_log *log;
	const struct seal_backend *seal;
	uint64_t *refused; /* counts packets that no key opens: `refused_here`, or the server's for all its connections */
	uint64_t refused_here;

	enum quic_phase phase;
	struct quic_close why;
	ngtcp2_ccerr wire; /* what CONNECTION_CLOSE says; its reason is why.text */
	uint64_t close_until;
	uint64_t close_heard; /* datagrams that arrived in the closing period */
	bool close_replay;
	bool closed_told; /* the closed event is over, or nobody must hear of it */
	size_t close_len;
	uint8_t close_packet[QUIC_UDP_PAYLOAD_MIN];
	struct base_path close_path;

	bool has_rx_secret, has_tx_secret; /* of 1-RTT */
	uint64_t opened_at;                /* the peer's last packet with a good key, at first the end of the handshake */
	uint64_t silence_max;              /* so much later it is gone */
	bool handshake_done;
	bool reset_heard;
	bool settle_told;
	uint64_t settle_at; /* path MTU discovery counts as settled from here on */
	size_t udp_payload; /* as last seen */
	struct quic_narrowing narrowing;

	unsigned busy; /* inside recv or tick: events may be running */
	bool doomed;   /* freed by an event; happens when busy falls to 0 */
	uint64_t now;

	struct quic_control control;

	unsigned heard;      /* packets of the peer perhaps not acknowledged yet, up to 2; a large one is 2 */
	uint64_t heard_at;   /* the first of them */
	uint64_t prompt_at;  /* when something was last acknowledged with no other wait than ngtcp2's */
	bool dry;            /* when last asked, the source had nothing more */
	uint64_t written_at; /* the last write that found nothing left to send; 0: it was blocked */
	bool restrains;      /* the controller is BBR */
	struct quic_restraint restraint;
	uint64_t paced_until; /* the restraint lets a datagram leave again; BASE_NEVER: it is not what stops us */
	uint64_t sent;        /* bytes, ever */
	size_t round_bytes, round_limit; /* sent since pacing was told, and at most before it is */
	size_t held_len;                 /* a packet that did not fit the last burst */
	ngtcp2_path_storage held_path;
	uint8_t held_ecn;
	uint8_t held[QUIC_UDP_PAYLOAD_MAX];

	/* client */
	struct quic_trust *trust;
	char *server_name;
	char tls_text[sizeof(((struct quic_close *)0)->text)]; /* why the certificate was refused */
	bool has_handshake_keys;
	bool initial_over; /* a packet with those keys is written, and the keys before them are gone */
	bool established;  /* ngtcp2 counts all of our handshake as written, also where the congestion window holds it up */

	/* server */
	struct quic_server *server;
	struct quic_identity *identity;
	struct quic_source *source;
	struct base_list all, dirty, cids;
	struct base_list half_open; /* in the server's list until the handshake is done */
	struct base_heap_node timer;

	struct quic_peer_frames peer_frames;
};

/* path.c: base_path <-> ngtcp2_path. Family NONE becomes the unspecified address and port 0 of the other side's family,
 * and that becomes NONE again. */
void quic_path_to_ng(const struct base_path *path, ngtcp2_path_storage *ret);
void quic_path_from_ng(const ngtcp2_path *path, struct base_path *ret);

/* tls_global.c: frees what GnuTLS allocated for us. */
void quic_tls_free(void *memory);
/* Puts `what` into `error`, and what GnuTLS says to its `code` if that is not 0. BASE_E_NOMEM or BASE_E_TLS. */
int quic_tls_fail(char error[static QUIC_ERROR_BYTES], const char *what, int code);

/* What all sessions with an identity, or with a trust, share: the certificates, and the versions and ciphers spoken. */
struct quic_credentials {
	gnutls_certificate_credentials_t certificates;
	gnutls_priority_t priority;
};
/* tls_global.c: `end` is GNUTLS_SERVER or GNUTLS_CLIENT. 0 or BASE_E_NOMEM, and there is nothing to free. */
int quic_credentials_init(struct quic_credentials *credentials, unsigned end);
void quic_credentials_done(struct quic_credentials *credentials);

/* tls_identity.c, tls_trust.c */
const struct quic_credentials *quic_identity_credentials(const struct quic_identity *identity);
/* A secret that stays the same as long as the private key does; `label` keeps uses apart. 0 or BASE_E_TLS. */
int quic_identity_secret(const struct quic_identity *identity, const char *label,
                         uint8_t ret[static QUIC_SECRET_BYTES]);
const struct quic_credentials *quic_trust_credentials(const struct quic_trust *trust);
bool quic_trust_pins(const struct quic_trust *trust, const uint8_t fingerprint[static QUIC_FINGERPRINT_BYTES]);
bool quic_trust_has_authorities(const struct quic_trust *trust);
bool quic_trust_has_pins(const struct quic_trust *trust);
/* The system may know an authority that is not in its store yet. True: it does, and is trusted from now on. */
bool quic_trust_ask_system(struct quic_trust *trust, gnutls_session_t session);
/* tls_authority_*.c: the same for the chain that a peer showed, and what is to trust the authority. */
bool quic_tls_ask_system(const gnutls_datum_t *chain, unsigned count, gnutls_certificate_credentials_t trusting);
int quic_fingerprint(struct slice der, uint8_t ret[static QUIC_FINGERPRINT_BYTES]);

/* tls_session.c: 0, BASE_E_NOMEM or BASE_E_TLS. `alpn` is QUIC_ALPN but in tests; NULL for none. */
int quic_tls_server_session(struct quic_conn *conn);
int quic_tls_client_session(struct quic_conn *conn, const char *alpn);
bool quic_tls_alpn_agreed(const struct quic_conn *conn);

/* protect.c: callbacks of ngtcp2; and takes the session's 1-RTT secrets from the helper. */
int quic_protect_encrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                         const uint8_t *plain, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                         size_t aad_len);
int quic_protect_decrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead, const ngtcp2_crypto_aead_ctx *context,
                         const uint8_t *sealed, size_t len, const uint8_t *nonce, size_t nonce_len, const uint8_t *aad,
                         size_t aad_len);
int quic_protect_mask(uint8_t *dest, const ngtcp2_crypto_cipher *cipher, const ngtcp2_crypto_cipher_ctx *context,
                      const uint8_t *sample);
int quic_protect_update(ngtcp2_conn *ng, uint8_t *rx_secret, uint8_t *tx_secret, ngtcp2_crypto_aead_ctx *rx_key,
                        uint8_t *rx_vector, ngtcp2_crypto_aead_ctx *tx_key, uint8_t *tx_vector,
                        const uint8_t *current_rx, const uint8_t *current_tx, size_t len, void *user);
void quic_protect_delete_key(ngtcp2_conn *ng, ngtcp2_crypto_aead_ctx *context, void *user);
void quic_protect_delete_mask(ngtcp2_conn *ng, ngtcp2_crypto_cipher_ctx *context, void *user);
void quic_protect_session(gnutls_session_t session);
/* For `len` up to 255. 0 or BASE_E_TLS. */
int quic_expand_label(const ngtcp2_crypto_md *hash, struct slice secret, const char *label, uint8_t *ret, size_t len);

/* conn.c */
extern const ngtcp2_callbacks quic_callbacks;
uint64_t quic_keep_alive(const struct quic_settings *settings);
void quic_conn_init(struct quic_conn *conn, const struct quic_settings *settings, uint64_t now);
void quic_conn_done(struct quic_conn *conn);
void quic_settings_to_ng(const struct quic_settings *settings, uint64_t now, ngtcp2_settings *ret,
                         ngtcp2_transport_params *ret_params);
/* Feeds one datagram; the ngtcp2 code is left to the caller. */
int quic_conn_read(struct quic_conn *conn, const struct base_path *path, uint8_t ecn, struct slice datagram);
void quic_conn_read_failed(struct quic_conn *conn, int code);
/* Between enter and leave events may run; leave calls `closed` and frees a doomed client. */
void quic_conn_enter(struct quic_conn *conn, uint64_t now);
void quic_conn_leave(struct quic_conn *conn);
void quic_conn_clock(struct quic_conn *conn, uint64_t now);
void quic_control_broken(struct quic_conn *conn); /* closes: the peer sends or reads no more of the control stream */

/* close.c: the first call wins. */
void quic_close_application(struct quic_conn *conn, enum quic_close_kind kind, uint64_t code, const char *text);
void quic_close_transport(struct quic_conn *conn, enum quic_close_kind kind, uint64_t code, const char *text);
void quic_close_alert(struct quic_conn *conn, enum quic_close_kind kind, uint8_t alert, const char *text);
void quic_close_liberr(struct quic_conn *conn, int code);
/* Nothing goes out: the peer closed (DRAINING), or there is nobody to tell (FINISHED). */
void quic_close_silent(struct quic_conn *conn, enum quic_close_kind kind, uint64_t code, const char *text,
                       enum quic_phase phase);
void quic_close_by_peer(struct quic_conn *conn);
/* Writes or repeats CONNECTION_CLOSE; 1 with *ret, or 0. */
int quic_close_write(struct quic_conn *conn, uint8_t *buf, size_t cap, struct quic_burst *ret);

/* control.c */
void quic_control_init(struct quic_control *control);
void quic_control_done(struct quic_control *control);
int quic_control_push(struct quic_control *control, struct slice bytes);
bool quic_control_has_unsent(const struct quic_control *control);
struct slice quic_control_unsent(const struct quic_control *control);
void quic_control_sent(struct quic_control *control, size_t len);
void quic_control_acked(struct quic_control *control, size_t len);

/* server.c */
void quic_server_changed(struct quic_server *server, struct quic_conn *conn); /* write soon, timers too */
void quic_server_handshake_done(struct quic_server *server, struct quic_conn *conn);
/* A new ID of QUIC_CID_BYTES for the server's shard, with its stateless reset token at the server's address `local`;
 * filed under `conn`. 0, BASE_E_EXISTS (no luck), BASE_E_NOMEM or BASE_E_TLS. */
int quic_server_new_cid(struct quic_server *server, struct quic_conn *conn, const struct base_addr *local,
                        ngtcp2_cid *ret, uint8_t ret_token[static NGTCP2_STATELESS_RESET_TOKENLEN]);
void quic_server_forget_cid(struct quic_server *server, const struct quic_conn *conn, const ngtcp2_cid *cid);

/* cid.c: which connection a connection ID belongs to. */
struct quic_conn *quic_cid_find(const struct base_map *cids, struct slice bytes);
/* 0, BASE_E_EXISTS or BASE_E_NOMEM. */
int quic_cid_add(struct base_map *cids, struct quic_conn *conn, struct slice bytes);
/* Only if it is this connection's. */
void quic_cid_remove(struct base_map *cids, struct slice bytes, const struct quic_conn *conn);
void quic_cid_remove_all(struct base_map *cids, struct quic_conn *conn);

/* gate.c: any thread. */
enum quic_share { QUIC_SHARE_RETRY, QUIC_SHARE_OTHER, QUIC_SHARE_COUNT };
/* A keyed hash of the network says which bucket counts its handshakes. All buckets together take 64 KiB. */
#define QUIC_HANDSHAKE_BUCKETS 4096
struct quic_gate {
	struct thread_lock *lock; /* for the sources, and for `connections` to grow */
	struct base_map sources;
	atomic_size_t connections, half_open;
	_Atomic(uint64_t) answers[QUIC_SHARE_COUNT];
	uint64_t seed[2];
	_Atomic(uint64_t) handshakes[2][QUIC_HANDSHAKE_BUCKETS]; /* when each is full again; [1]: of proven addresses */
};
struct quic_source;
/* A place for one more connection from there: 0 with *ret, BASE_E_FULL, BASE_E_DENIED (that network has enough) or
 * BASE_E_NOMEM. */
int quic_gate_enter(struct quic_gate *gate, const struct quic_server_limits *limits, const struct base_addr *remote,
                    struct quic_source **ret);
void quic_gate_leave(struct quic_gate *gate, struct quic_source *source);
bool quic_gate_is_full(struct quic_gate *gate, const struct quic_server_limits *limits);
/* Whether the last places, of all or of that network, are being given away: those are for who proved its address. */
bool quic_gate_is_scarce(struct quic_gate *gate, const struct quic_server_limits *limits,
                         const struct base_addr *remote);
/* One more half-open connection, if there are fewer than `max`; and one less. */
bool quic_gate_begin(struct quic_gate *gate, size_t max);
void quic_gate_end(struct quic_gate *gate);
/* Whether one more answer without a connection may be given in this second; counts it. */
bool quic_gate_answer(struct quic_gate *gate, enum quic_share share, size_t per_second, uint64_t now);

/* Whether that network may begin one more handshake now; counts it. Those with a token, whose address is proven, are
 * counted apart: whoever forges an address must not use up what its owner has. */
bool quic_gate_handshake(struct quic_gate *gate, const struct quic_server_limits *limits,
                         const struct base_addr *remote, bool proven, uint64_t now);

/* source.c: connections by the network they came from first (base_addr_network). */
size_t quic_source_count(const struct base_map *sources, const struct base_addr *addr);
/* Counts one more; NULL when memory is out. */
struct quic_source *quic_source_enter(struct base_map *sources, const struct base_addr *addr);
/* One less. */
void quic_source_leave(struct base_map *sources, struct quic_source *source);

/* stateless.c: answers that belong to no connection, bounded in number and rate. Retries have a share of their own:
 * otherwise a stranger who asks for resets could keep out everybody who needs a Retry to come in. */
#define QUIC_ANSWERS_MAX 64
#define QUIC_ANSWERS_OTHER_MAX (QUIC_ANSWERS_MAX / 2)
#define QUIC_ANSWER_BYTES 640

struct quic_answer {
	struct base_path path;
	size_t len;
	uint8_t bytes[QUIC_ANSWER_BYTES];
};

struct quic_stateless {
	uint8_t reset_secret[QUIC_SECRET_BYTES];
	uint8_t token_secret[QUIC_SECRET_BYTES];
	size_t per_second; /* of each share */
	struct quic_gate *gate;
	size_t first, count; /* ring */
	struct quic_answer answers[QUIC_ANSWERS_MAX];
};

enum quic_token { QUIC_TOKEN_NONE, QUIC_TOKEN_RETRY, QUIC_TOKEN_REGULAR, QUIC_TOKEN_BAD };

int quic_stateless_init(struct quic_stateless *stateless, const struct quic_identity *identity, struct quic_gate *gate,
                        size_t per_second);
/* Stateless reset tokens derive from the private key from here on, so that a relay that starts again with the same key
 * can reset the connections it lost. 0 or BASE_E_TLS. */
int quic_stateless_set_identity(struct quic_stateless *stateless, const struct quic_identity *identity);
/* The token with which a connection ID is reset at the server's address `local`. 0 or BASE_E_TLS. Two relays may have
 * one key: by the key alone, who sends one of them a packet for a connection of the other would be told how to end it
 * (RFC 9000 section 21.11). */
int quic_stateless_token(const struct quic_stateless *stateless, const struct base_addr *local, struct slice cid,
                         uint8_t ret[static NGTCP2_STATELESS_RESET_TOKENLEN]);
void quic_stateless_version(struct quic_stateless *stateless, struct quic_server_counters *counters,
                            const struct base_path *path, const ngtcp2_version_cid *cids, uint64_t now);
void quic_stateless_reset(struct quic_stateless *stateless, struct quic_server_counters *counters,
                          const struct base_path *path, struct slice dcid, size_t heard_len, uint64_t now);
void quic_stateless_retry(struct quic_stateless *stateless, struct quic_server_counters *counters,
                          const struct base_path *path, const ngtcp2_pkt_hd *hd, const ngtcp2_cid *scid, uint64_t now);
void quic_stateless_close(struct quic_stateless *stateless, struct quic_server_counters *counters,
                          const struct base_path *path, const ngtcp2_pkt_hd *hd, uint64_t code, uint64_t now);
/* What the token of an Initial proves; RETRY comes with the client's first connection ID. */
enum quic_token quic_stateless_check(const struct quic_stateless *stateless, const struct base_path *path,
                                     const ngtcp2_pkt_hd *hd, ngtcp2_cid *ret_odcid, uint64_t now);
int quic_stateless_write(struct quic_stateless *stateless, uint8_t *buf, size_t cap, struct quic_burst *ret);

#endif
