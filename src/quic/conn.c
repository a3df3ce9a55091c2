/* quic/conn.c: one connection's life: what ngtcp2 calls back, datagrams in, timers, getters. Knows nothing of sockets.
 */
#include "base/text.h"
#include "quic/internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_TIMEOUT_DEFAULT (20 * BASE_SECOND)
#define KEEP_ALIVE_DEFAULT (6 * BASE_SECOND)
#define HANDSHAKE_TIMEOUT_DEFAULT (10 * BASE_SECOND)
/* RFC 9002 proposes 333 ms, which costs a game a second when its first packet is lost; a path slower than this only
 * sees its Initial twice. */
#define INITIAL_RTT (100 * BASE_MS)
#define CONNECTION_IDS 4
#define DATAGRAM_FRAME_MAX 65535 /* says: whatever fits a packet (RFC 9221 section 3) */
#define SETTLE_WAIT_MIN (50 * BASE_MS)
#define SETTLE_RTTS 3
#define PROBE_FIRST 1406

/* 1406 carries the usual TAP MTU, so it is proven in the first round trip; then the full Ethernet, then less. */
static const uint16_t pmtud_probes[] = {PROBE_FIRST, QUIC_UDP_PAYLOAD_MAX, 1444, 1342, 1232};

/* At trace level ngtcp2 tells what it does, packet by packet. */
static void trace(void *user, const char *format, ...) {
	struct quic_conn *conn = user;
	char line[512];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	obs_begin(conn->log, OBS_TRACE, "quic_trace");
	obs_str(conn->log, "role", conn->server != NULL ? "server" : "client");
	obs_str(conn->log, "line", line);
	obs_end(conn->log);
}

static uint64_t idle_timeout(const struct quic_settings *settings) {
	return settings->idle_timeout_ns != 0 ? settings->idle_timeout_ns : IDLE_TIMEOUT_DEFAULT;
}

void quic_settings_to_ng(const struct quic_settings *settings, uint64_t now, ngtcp2_settings *ret,
                         ngtcp2_transport_params *ret_params) {
	ngtcp2_settings_default(ret);
	ret->cc_algo = settings->congestion == QUIC_CC_CUBIC ? NGTCP2_CC_ALGO_CUBIC : NGTCP2_CC_ALGO_BBR;
	ret->initial_ts = now;
	ret->initial_rtt = INITIAL_RTT;
	ret->max_tx_udp_payload_size = QUIC_UDP_PAYLOAD_MAX;
	ret->ack_thresh = QUIC_ACK_THRESHOLD;
	ret->rand_ctx.native_handle = settings->rng;
	ret->handshake_timeout =
	    settings->handshake_timeout_ns != 0 ? settings->handshake_timeout_ns : HANDSHAKE_TIMEOUT_DEFAULT;
	if (obs_on(settings->log, OBS_TRACE))
		ret->log_printf = trace;
	ret->pmtud_probes = pmtud_probes;
	ret->pmtud_probeslen = sizeof(pmtud_probes) / sizeof(pmtud_probes[0]);
	ngtcp2_transport_params_default(ret_params);
	ret_params->max_idle_timeout = idle_timeout(settings);
	ret_params->max_ack_delay = QUIC_MAX_ACK_DELAY_NS;
	ret_params->max_datagram_frame_size = DATAGRAM_FRAME_MAX;
	ret_params->initial_max_data = QUIC_STREAM_WINDOW;
	ret_params->initial_max_stream_data_bidi_local = QUIC_STREAM_WINDOW;
	ret_params->initial_max_stream_data_bidi_remote = QUIC_STREAM_WINDOW;
	ret_params->active_connection_id_limit = CONNECTION_IDS;
}

uint64_t quic_keep_alive(const struct quic_settings *settings) {
	return settings->keep_alive_ns != 0 ? settings->keep_alive_ns : KEEP_ALIVE_DEFAULT;
}

void quic_conn_init(struct quic_conn *conn, const struct quic_settings *settings, uint64_t now) {
	conn->log = settings->log;
	conn->now = now;
	conn->settle_at = BASE_NEVER;
	conn->paced_until = BASE_NEVER;
	conn->silence_max = QUIC_IDLE_TIMEOUTS_MAX * idle_timeout(settings);
	conn->restrains = settings->congestion == QUIC_CC_BBR;
	conn->seal = settings->seal != NULL ? settings->seal : seal_gnutls();
	conn->refused = &conn->refused_here;
	quic_control_init(&conn->control);
	ngtcp2_path_storage_zero(&conn->held_path);
	base_list_init(&conn->all);
	base_list_init(&conn->dirty);
	base_list_init(&conn->cids);
	base_list_init(&conn->half_open);
	base_heap_node_init(&conn->timer);
}

void quic_conn_done(struct quic_conn *conn) {
	ngtcp2_conn_del(conn->ng);
	if (conn->tls != NULL)
		gnutls_deinit(conn->tls);
	quic_control_done(&conn->control);
	quic_trust_unref(conn->trust);
	quic_identity_unref(conn->identity);
	free(conn->server_name);
	free(conn);
}

/* --- callbacks: none may call into the same ngtcp2_conn to write --- */

static bool is_open(const struct quic_conn *conn) {
	return conn->phase == QUIC_PHASE_OPEN;
}

static int on_handshake_completed(ngtcp2_conn *ng, void *user) {
	struct quic_conn *conn = user;
	const ngtcp2_transport_params *params = ngtcp2_conn_get_remote_transport_params(ng);

	if (!is_open(conn))
		return 0;
	if (!quic_tls_alpn_agreed(conn)) {
		quic_close_alert(conn, QUIC_CLOSED_TLS, GNUTLS_A_NO_APPLICATION_PROTOCOL, "the peer does not speak " QUIC_ALPN);
		return 0;
	}
	if (params == NULL || params->max_datagram_frame_size == 0) {
		quic_close_application(conn, QUIC_CLOSED_NO_DATAGRAM, QUIC_APP_PROTOCOL,
		                       "the peer does not support QUIC DATAGRAM frames");
		return 0;
	}
	if (!ngtcp2_conn_is_server(ng) && ngtcp2_conn_open_bidi_stream(ng, &conn->control.stream_id, NULL) != 0) {
		quic_close_application(conn, QUIC_CLOSED_ERROR, QUIC_APP_PROTOCOL,
		                       "the peer does not allow the control stream");
		return 0;
	}
	conn->handshake_done = true;
	conn->opened_at = conn->now;
	conn->settle_at = conn->now + QUIC_PMTU_SETTLE_NS;
	if (conn->server != NULL)
		quic_server_handshake_done(conn->server, conn);
	conn->events->handshake_done(conn->user, conn, conn->now);
	return 0;
}

/* GnuTLS keeps what it heard of a message until it has all of it, and a message may say that it is 16 MiB long. */
static int on_crypto_data(ngtcp2_conn *ng, ngtcp2_encryption_level level, uint64_t offset, const uint8_t *data,
                          size_t len, void *user) {
	if (offset + len > QUIC_CRYPTO_MAX) {
		quic_close_transport(user, QUIC_CLOSED_ERROR, NGTCP2_CRYPTO_BUFFER_EXCEEDED,
		                     "the peer's TLS messages are too long");
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	return ngtcp2_crypto_recv_crypto_data_cb(ng, level, offset, data, len, user);
}

static int on_stream_open(ngtcp2_conn *ng, int64_t stream_id, void *user) {
	struct quic_conn *conn = user;

	(void)ng;
	conn->control.stream_id = stream_id; /* the transport parameters allow the client exactly one */
	return 0;
}

/* Counts what the peer wants to be acknowledged, which packets with nothing but acknowledgements are not: two ends that
 * counted those would answer each other's for as long as a game goes on. */
static void note_heard(struct quic_conn *conn, unsigned weight) {
	if (conn->heard == 0)
		conn->heard_at = conn->now;
	conn->heard += weight;
	if (conn->heard > 2)
		conn->heard = 2;
}

static int on_stream_data(ngtcp2_conn *ng, uint32_t flags, int64_t stream_id, uint64_t offset, const uint8_t *data,
                          size_t len, void *user, void *stream_user) {
	struct quic_conn *conn = user;

	(void)offset;
	(void)stream_user;
	if (!is_open(conn))
		return 0;
	if (!conn->handshake_done || stream_id != conn->control.stream_id)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	note_heard(conn, 1);
	conn->events->control(conn->user, conn, slice_of(data, len), (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0, conn->now);
	ngtcp2_conn_extend_max_offset(ng, len);
	return ngtcp2_conn_extend_max_stream_offset(ng, stream_id, len) == NGTCP2_ERR_NOMEM ? NGTCP2_ERR_CALLBACK_FAILURE
	                                                                                    : 0;
}

static int on_stream_acked(ngtcp2_conn *ng, int64_t stream_id, uint64_t offset, uint64_t len, void *user,
                           void *stream_user) {
	struct quic_conn *conn = user;

	(void)ng;
	(void)stream_id;
	(void)offset;
	(void)stream_user;
	quic_control_acked(&conn->control, (size_t)len);
	return 0;
}

static int on_stream_window(ngtcp2_conn *ng, int64_t stream_id, uint64_t max, void *user, void *stream_user) {
	struct quic_conn *conn = user;

	(void)ng;
	(void)stream_id;
	(void)max;
	(void)stream_user;
	conn->control.blocked = false;
	return 0;
}

void quic_control_broken(struct quic_conn *conn) {
	quic_close_application(conn, QUIC_CLOSED_ERROR, QUIC_APP_PROTOCOL, "the peer broke the control stream off");
}

static int on_stream_reset(ngtcp2_conn *ng, int64_t stream_id, uint64_t final_size, uint64_t code, void *user,
                           void *stream_user) {
	(void)ng;
	(void)stream_id;
	(void)final_size;
	(void)code;
	(void)stream_user;
	quic_control_broken(user);
	return 0;
}

static int on_datagram(ngtcp2_conn *ng, uint32_t flags, const uint8_t *data, size_t len, void *user) {
	struct quic_conn *conn = user;

	(void)ng;
	(void)flags;
	note_heard(conn, 1);
	if (is_open(conn) && conn->handshake_done)
		conn->events->datagram(conn->user, conn, slice_of(data, len), conn->now);
	return 0;
}

/* The number of a datagram is its length. */
static int on_datagram_acked(ngtcp2_conn *ng, uint64_t len, void *user) {
	struct quic_conn *conn = user;

	(void)ng;
	quic_narrowing_acked(&conn->narrowing, (size_t)len);
	return 0;
}

static int on_datagram_lost(ngtcp2_conn *ng, uint64_t len, void *user) {
	struct quic_conn *conn = user;

	(void)ng;
	if (len > QUIC_DATAGRAM_ALWAYS && quic_narrowing_lost(&conn->narrowing, (size_t)len, conn->now))
		quic_close_application(conn, QUIC_CLOSED_NARROWED, QUIC_APP_PATH, "the path carries no large packets any more");
	return 0;
}

static int on_stateless_reset(ngtcp2_conn *ng, const ngtcp2_pkt_stateless_reset *reset, void *user) {
	struct quic_conn *conn = user;

	(void)ng;
	(void)reset;
	conn->reset_heard = true;
	return 0;
}

static void on_random(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx) {
	struct base_rng *rng = ctx->native_handle;

	if (rng == NULL) {
		quic_random(dest, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		dest[i] = (uint8_t)base_rng_next(rng);
}

static int on_new_cid(ngtcp2_conn *ng, ngtcp2_cid *cid, uint8_t *token, size_t len, void *user) {
	struct quic_conn *conn = user;
	struct base_path path;

	assert(len == QUIC_CID_BYTES);
	if (conn->server != NULL) {
		quic_path_from_ng(ngtcp2_conn_get_path(ng), &path);
		return quic_server_new_cid(conn->server, conn, &path.local, cid, token) == 0 ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
	}
	cid->datalen = len;
	quic_random(cid->data, len);
	quic_random(token, NGTCP2_STATELESS_RESET_TOKENLEN);
	return 0;
}

/* The first is that of a client for which ngtcp2 ends the handshake. */
static int on_peer_cid(ngtcp2_conn *ng, ngtcp2_connection_id_status_type type, uint64_t number, const ngtcp2_cid *cid,
                       const uint8_t *token, void *user) {
	struct quic_conn *conn = user;

	(void)ng;
	(void)type;
	(void)number;
	(void)cid;
	(void)token;
	conn->established = true;
	return 0;
}

static int on_cid_removed(ngtcp2_conn *ng, const ngtcp2_cid *cid, void *user) {
	struct quic_conn *conn = user;

	(void)ng;
	if (conn->server != NULL)
		quic_server_forget_cid(conn->server, conn, cid);
	return 0;
}

const ngtcp2_callbacks quic_callbacks = {
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = on_crypto_data,
    .handshake_completed = on_handshake_completed,
    .encrypt = quic_protect_encrypt,
    .decrypt = quic_protect_decrypt,
    .hp_mask = quic_protect_mask,
    .recv_stream_data = on_stream_data,
    .acked_stream_data_offset = on_stream_acked,
    .stream_open = on_stream_open,
    .recv_stateless_reset = on_stateless_reset,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
    .rand = on_random,
    .get_new_connection_id = on_new_cid,
    .remove_connection_id = on_cid_removed,
    .update_key = quic_protect_update,
    .dcid_status = on_peer_cid,
    .stream_reset = on_stream_reset,
    .extend_max_stream_data = on_stream_window,
    .delete_crypto_aead_ctx = quic_protect_delete_key,
    .delete_crypto_cipher_ctx = quic_protect_delete_mask,
    .recv_datagram = on_datagram,
    .ack_datagram = on_datagram_acked,
    .lost_datagram = on_datagram_lost,
    .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
};

/* --- input --- */

/* ngtcp2 asserts that time does not go back. */
void quic_conn_clock(struct quic_conn *conn, uint64_t now) {
	if (now > conn->now)
		conn->now = now;
}

void quic_conn_enter(struct quic_conn *conn, uint64_t now) {
	quic_conn_clock(conn, now);
	conn->busy++;
}

void quic_conn_leave(struct quic_conn *conn) {
	if (conn->busy == 1 && conn->phase != QUIC_PHASE_OPEN && !conn->closed_told && !conn->doomed) {
		conn->closed_told = true;
		conn->events->closed(conn->user, conn, &conn->why, conn->now);
	}
	if (--conn->busy == 0 && conn->doomed)
		quic_conn_done(conn);
}

/* Remembers when the path proved to carry more, for quic_conn_budget_settled. */
static void note_path_mtu(struct quic_conn *conn) {
	size_t payload = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn->ng);
	ngtcp2_conn_info info;
	uint64_t wait;

	if (payload == conn->udp_payload || !conn->handshake_done)
		return;
	conn->udp_payload = payload;
	if (payload < PROBE_FIRST)
		return;
	ngtcp2_conn_get_conn_info(conn->ng, &info);
	wait = SETTLE_RTTS * info.smoothed_rtt;
	if (wait < SETTLE_WAIT_MIN)
		wait = SETTLE_WAIT_MIN;
	if (payload >= QUIC_UDP_PAYLOAD_MAX)
		wait = 0;
	conn->settle_at = base_time_min(conn->settle_at, conn->now + wait);
}

int quic_conn_read(struct quic_conn *conn, const struct base_path *path, uint8_t ecn, struct slice datagram) {
	ngtcp2_pkt_info info = {.ecn = ecn};
	ngtcp2_path_storage storage;
	int code;

	if (datagram.len >= QUIC_UDP_PAYLOAD_MIN) /* a probe of the path too */
		note_heard(conn, 2);
	quic_path_to_ng(path, &storage);
	code = ngtcp2_conn_read_pkt(conn->ng, &storage.path, &info, datagram.data, datagram.len, conn->now);
	if (code == 0)
		note_path_mtu(conn);
	return code;
}

static void tls_failed(struct quic_conn *conn) {
	const bool refused = conn->tls_text[0] != 0;
	uint8_t alert = ngtcp2_conn_get_tls_alert(conn->ng);
	struct base_text out;
	const char *name;

	if (alert == 0) /* refused before TLS could say why */
		alert = GNUTLS_A_INTERNAL_ERROR;
	name = gnutls_alert_get_name((gnutls_alert_description_t)alert);
	if (!refused) {
		base_text_init(&out, conn->tls_text, sizeof(conn->tls_text));
		if (alert == GNUTLS_A_NO_APPLICATION_PROTOCOL)
			base_text_add(&out, "the peer does not speak " QUIC_ALPN);
		else
			base_text_addf(&out, "TLS handshake failed: %s", name != NULL ? name : "unknown alert");
	}
	quic_close_alert(conn, refused ? QUIC_CLOSED_TLS : QUIC_CLOSED_ERROR, alert, conn->tls_text);
}

/* The programmers' guide of ngtcp2, "Error handling in general". */
void quic_conn_read_failed(struct quic_conn *conn, int code) {
	switch (code) {
	case NGTCP2_ERR_DRAINING:
		quic_close_by_peer(conn);
		break;
	case NGTCP2_ERR_CLOSING:
		break;
	case NGTCP2_ERR_RETRY:
	case NGTCP2_ERR_DROP_CONN:
		quic_close_silent(conn, QUIC_CLOSED_ERROR, 0, "the handshake could not start", QUIC_PHASE_FINISHED);
		break;
	case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
		quic_close_silent(conn, QUIC_CLOSED_ERROR, 0, "the peer does not speak QUIC version 1", QUIC_PHASE_FINISHED);
		break;
	case NGTCP2_ERR_CRYPTO:
		tls_failed(conn);
		break;
	default:
		quic_close_liberr(conn, code);
	}
}

void quic_conn_recv(struct quic_conn *conn, const struct base_path *path, uint8_t ecn, struct slice datagram,
                    uint64_t now) {
	quic_conn_enter(conn, now);
	if (conn->phase == QUIC_PHASE_OPEN) {
		int code = quic_conn_read(conn, path, ecn, datagram);

		if (code != 0)
			quic_conn_read_failed(conn, code);
	} else if (conn->phase == QUIC_PHASE_CLOSING) {
		/* Every second, fourth, eighth ... datagram, so that two closing ends cannot feed each other. */
		conn->close_heard++;
		if ((conn->close_heard & (conn->close_heard - 1)) == 0)
			conn->close_replay = true;
	}
	quic_conn_leave(conn);
}

static void give_up(struct quic_conn *conn) {
	quic_close_silent(conn, QUIC_CLOSED_IDLE, 0, "nothing was heard from the peer any more", QUIC_PHASE_FINISHED);
}

/* When there is no hope left; the handshake has a timeout of its own. */
static uint64_t hope_ends(const struct quic_conn *conn) {
	return conn->handshake_done ? conn->opened_at + conn->silence_max : BASE_NEVER;
}

static void handle_expiry(struct quic_conn *conn) {
	int code = ngtcp2_conn_handle_expiry(conn->ng, conn->now);

	switch (code) {
	case 0:
		break;
	case NGTCP2_ERR_IDLE_CLOSE:
		give_up(conn);
		break;
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		quic_close_silent(conn, QUIC_CLOSED_HANDSHAKE_TIMEOUT, 0, "the handshake was not finished in time",
		                  QUIC_PHASE_FINISHED);
		break;
	default:
		quic_close_liberr(conn, code);
	}
}

void quic_conn_tick(struct quic_conn *conn, uint64_t now) {
	quic_conn_enter(conn, now);
	if (conn->phase == QUIC_PHASE_OPEN) {
		if (ngtcp2_conn_get_expiry(conn->ng) <= conn->now)
			handle_expiry(conn);
		if (hope_ends(conn) <= conn->now)
			give_up(conn);
		if (conn->settle_at <= conn->now)
			conn->settle_told = true;
		if (conn->paced_until <= conn->now) /* the next write knows; until the socket takes one there is none */
			conn->paced_until = BASE_NEVER;
	} else if (conn->now >= conn->close_until) {
		conn->phase = QUIC_PHASE_FINISHED;
	}
	quic_conn_leave(conn);
}

static uint64_t open_deadline(const struct quic_conn *conn) {
	uint64_t expiry = ngtcp2_conn_get_expiry(conn->ng);
	bool lone = conn->heard <= 1 && conn->now - conn->prompt_at < QUIC_PROMPT_INTERVAL_NS;
	uint64_t slack = lone ? QUIC_LONE_SLACK_NS : QUIC_TIMER_SLACK_NS;

	/* Later by no more than the slack, however often something is written. */
	if (conn->written_at != 0 && conn->handshake_done && expiry < conn->written_at + slack)
		expiry = base_time_min(expiry, conn->written_at) + slack;
	expiry = base_time_min(expiry, base_time_min(conn->paced_until, hope_ends(conn)));
	return base_time_min(expiry, conn->settle_told ? BASE_NEVER : conn->settle_at);
}

uint64_t quic_conn_deadline(const struct quic_conn *conn) {
	if (conn->phase != QUIC_PHASE_OPEN && !conn->closed_told)
		return conn->now;
	switch (conn->phase) {
	case QUIC_PHASE_OPEN:
		return open_deadline(conn);
	case QUIC_PHASE_FINISHED:
		return BASE_NEVER;
	default:
		return conn->close_until;
	}
}

/* --- the application's side --- */

int quic_conn_control_send(struct quic_conn *conn, struct slice bytes) {
	int err;

	if (conn->phase != QUIC_PHASE_OPEN || !conn->handshake_done || conn->control.stream_id < 0)
		return BASE_E_STATE;
	err = quic_control_push(&conn->control, bytes);
	if (err == 0 && conn->server != NULL)
		quic_server_wake(conn->server, conn);
	return err;
}

bool quic_conn_control_flushed(const struct quic_conn *conn) {
	return conn->control.bytes == 0;
}

void quic_conn_shutdown(struct quic_conn *conn, enum quic_app_code code, const char *text, uint64_t now) {
	quic_conn_clock(conn, now);
	quic_close_application(conn, QUIC_CLOSED_BY_US, code, text);
}

bool quic_conn_is_closed(const struct quic_conn *conn) {
	return conn->phase != QUIC_PHASE_OPEN;
}

bool quic_conn_is_finished(const struct quic_conn *conn) {
	return conn->phase == QUIC_PHASE_FINISHED && conn->closed_told;
}

/* RFC 9221 section 4: the parameter counts the whole frame: type, length, payload. */
size_t quic_conn_peer_datagram_max(const struct quic_conn *conn) {
	const ngtcp2_transport_params *params = ngtcp2_conn_get_remote_transport_params(conn->ng);
	uint64_t max = params != NULL ? params->max_datagram_frame_size : 0;
	size_t overhead = max > 16383 ? 5 : 3; /* its length may take four bytes, or only two */

	if (max > DATAGRAM_FRAME_MAX)
		max = DATAGRAM_FRAME_MAX;
	return max > overhead ? (size_t)max - overhead : 0;
}

size_t quic_conn_datagram_budget(const struct quic_conn *conn) {
	size_t payload, overhead, peer_max;

	if (!conn->handshake_done || conn->phase != QUIC_PHASE_OPEN)
		return 0;
	payload = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn->ng);
	overhead = QUIC_DATAGRAM_OVERHEAD(ngtcp2_conn_get_dcid(conn->ng)->datalen);
	peer_max = quic_conn_peer_datagram_max(conn);
	return payload - overhead < peer_max ? payload - overhead : peer_max;
}

bool quic_conn_budget_settled(const struct quic_conn *conn, uint64_t now) {
	return conn->handshake_done && now >= conn->settle_at;
}

void quic_conn_info(const struct quic_conn *conn, struct quic_info *ret) {
	ngtcp2_conn_info info;

	ngtcp2_conn_get_conn_info(conn->ng, &info);
	*ret = (struct quic_info){.cwnd = info.cwnd, .bytes_in_flight = info.bytes_in_flight};
	if (info.min_rtt != UINT64_MAX) {
		ret->rtt_ns = info.smoothed_rtt;
		ret->rtt_min_ns = info.min_rtt;
	}
	ret->undecryptable = *conn->refused;
	quic_path_from_ng(ngtcp2_conn_get_path(conn->ng), &ret->path);
}

void quic_conn_set_user(struct quic_conn *conn, void *user) {
	conn->user = user;
}
