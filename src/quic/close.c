/* quic/close.c: how a connection ends: why, what the peer is told, and the closing period (RFC 9000 section 10.2). */
#include "base/text.h"
#include "quic/internal.h"

#include <string.h>

#define CRYPTO_ERROR_FIRST 0x100 /* RFC 9000 section 20.1: 0x100 + TLS alert */
#define CRYPTO_ERROR_LAST 0x1ff
#define CLOSING_PTOS 3
/* The peer has a say in its probe timeout (RFC 9000 section 18.2: max_ack_delay up to 16 s); what is closed must not
 * keep its place because of that. */
#define CLOSING_MAX (3 * BASE_SECOND)

static void note(struct quic_conn *conn) {
	char remote[BASE_ADDR_TEXT_BYTES];
	struct base_path path;

	if (!obs_on(conn->log, OBS_DEBUG))
		return;
	quic_path_from_ng(ngtcp2_conn_get_path(conn->ng), &path);
	obs_begin(conn->log, OBS_DEBUG, "quic_closed");
	obs_flood_key(conn->log, (uint64_t)conn->why.kind, conn->now);
	obs_str(conn->log, "remote", base_addr_text(&path.remote, remote));
	obs_u64(conn->log, "code", conn->why.code);
	obs_str(conn->log, "why", conn->why.text);
	obs_end(conn->log);
}

static bool begin(struct quic_conn *conn, enum quic_close_kind kind, uint64_t code, const char *text,
                  enum quic_phase phase) {
	if (conn->phase != QUIC_PHASE_OPEN)
		return false;
	conn->phase = phase;
	conn->why.kind = kind;
	conn->why.code = code;
	base_text_copy(conn->why.text, sizeof(conn->why.text), text);
	conn->close_until = conn->now + base_time_min(CLOSING_PTOS * ngtcp2_conn_get_pto(conn->ng), CLOSING_MAX);
	conn->held_len = 0;
	ngtcp2_ccerr_default(&conn->wire);
	note(conn);
	if (conn->server != NULL)
		quic_server_changed(conn->server, conn);
	return true;
}

static const uint8_t *reason(const struct quic_conn *conn) {
	return (const uint8_t *)conn->why.text;
}

void quic_close_application(struct quic_conn *conn, enum quic_close_kind kind, uint64_t code, const char *text) {
	if (begin(conn, kind, code, text, QUIC_PHASE_CLOSE_PENDING))
		ngtcp2_ccerr_set_application_error(&conn->wire, code, reason(conn), strlen(conn->why.text));
}

void quic_close_transport(struct quic_conn *conn, enum quic_close_kind kind, uint64_t code, const char *text) {
	if (begin(conn, kind, code, text, QUIC_PHASE_CLOSE_PENDING))
		ngtcp2_ccerr_set_transport_error(&conn->wire, code, reason(conn), strlen(conn->why.text));
}

void quic_close_alert(struct quic_conn *conn, enum quic_close_kind kind, uint8_t alert, const char *text) {
	if (begin(conn, kind, CRYPTO_ERROR_FIRST + (uint64_t)alert, text, QUIC_PHASE_CLOSE_PENDING))
		ngtcp2_ccerr_set_tls_alert(&conn->wire, alert, reason(conn), strlen(conn->why.text));
}

void quic_close_liberr(struct quic_conn *conn, int code) {
	struct base_text out;
	char text[sizeof(conn->why.text)];

	base_text_init(&out, text, sizeof(text));
	base_text_addf(&out, "QUIC: %s", ngtcp2_strerror(code));
	if (begin(conn, QUIC_CLOSED_ERROR, ngtcp2_err_infer_quic_transport_error_code(code), text,
	          QUIC_PHASE_CLOSE_PENDING))
		ngtcp2_ccerr_set_liberr(&conn->wire, code, reason(conn), strlen(conn->why.text));
}

void quic_close_silent(struct quic_conn *conn, enum quic_close_kind kind, uint64_t code, const char *text,
                       enum quic_phase phase) {
	begin(conn, kind, code, text, phase);
}

/* The peer's reason is its text, not ours: only printable ASCII goes further. */
static void add_reason(struct base_text *out, const ngtcp2_ccerr *error) {
	if (error->reasonlen == 0)
		return;
	base_text_add(out, ": \"");
	base_text_add_printable(out, slice_of(error->reason, error->reasonlen));
	base_text_add_char(out, '"');
}

void quic_close_by_peer(struct quic_conn *conn) {
	const ngtcp2_ccerr *error = ngtcp2_conn_get_ccerr(conn->ng);
	enum quic_close_kind kind = QUIC_CLOSED_ERROR;
	uint64_t code = error->error_code;
	struct base_text out;
	char text[sizeof(conn->why.text)];

	base_text_init(&out, text, sizeof(text));
	if (conn->reset_heard) {
		kind = QUIC_CLOSED_RESET;
		base_text_add(&out, "the peer no longer knows this connection");
	} else if (error->type == NGTCP2_CCERR_TYPE_APPLICATION || code == NGTCP2_NO_ERROR) {
		/* The number is the same as QUIC_APP_DONE's, which means more. */
		kind = error->type == NGTCP2_CCERR_TYPE_APPLICATION ? QUIC_CLOSED_BY_PEER : QUIC_CLOSED_UNSAID;
		base_text_add(&out, "closed by the peer");
	} else if (code == NGTCP2_CONNECTION_REFUSED) {
		kind = QUIC_CLOSED_BY_PEER;
		code = QUIC_APP_LIMIT;
		base_text_add(&out, "the peer takes no more connections");
	} else if (code >= CRYPTO_ERROR_FIRST && code <= CRYPTO_ERROR_LAST) {
		const char *name = gnutls_alert_get_name((gnutls_alert_description_t)(code - CRYPTO_ERROR_FIRST));

		base_text_addf(&out, "the peer refused the TLS handshake (%s)", name != NULL ? name : "unknown alert");
	} else {
		base_text_addf(&out, "the peer gave up with QUIC error 0x%llx", (unsigned long long)code);
	}
	add_reason(&out, error);
	begin(conn, kind, code, text, QUIC_PHASE_DRAINING);
}

static void write_first(struct quic_conn *conn) {
	ngtcp2_path_storage path;
	ngtcp2_pkt_info info;
	ngtcp2_ssize len;

	ngtcp2_path_storage_zero(&path);
	len = ngtcp2_conn_write_connection_close(conn->ng, &path.path, &info, conn->close_packet,
	                                         sizeof(conn->close_packet), &conn->wire, conn->now);
	if (len <= 0) {
		/* Nothing was ever sent, or the peer may not be sent more (amplification limit): nobody to tell. */
		conn->phase = QUIC_PHASE_FINISHED;
		return;
	}
	conn->phase = QUIC_PHASE_CLOSING;
	conn->close_len = (size_t)len;
	conn->close_replay = true;
	quic_path_from_ng(&path.path, &conn->close_path);
}

int quic_close_write(struct quic_conn *conn, uint8_t *buf, size_t cap, struct quic_burst *ret) {
	if (conn->phase == QUIC_PHASE_CLOSE_PENDING)
		write_first(conn);
	if (conn->phase != QUIC_PHASE_CLOSING || !conn->close_replay || cap < conn->close_len)
		return 0;
	conn->close_replay = false;
	memcpy(buf, conn->close_packet, conn->close_len);
	*ret = (struct quic_burst){.path = conn->close_path, .segment = conn->close_len, .len = conn->close_len};
	return 1;
}
