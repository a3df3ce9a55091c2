/* Frames: into the egress queue, out of it into datagrams, and datagrams from the relay up to the owner. Nothing here
 * allocates or logs per frame unless the log is at debug level; a cipher may, where keys turn. */
#include "base/error.h"
#include "client-core/session_internal.h"
#include "proto/ether.h"
#include "proto/mtu.h"
#include "proto/overlay.h"
#include "queue/flow.h"

#include <string.h>

#define POOL_FRAMES 2048
#define EGRESS_FRAMES 1024
#define EGRESS_BYTES ((size_t)1 << 20)
#define EGRESS_FLOWS 1024             /* all are of one peer, which gets half of them */
#define EGRESS_AGE_NS (200 * BASE_MS) /* an older game packet is worth nothing */

_Static_assert(PROTO_OVERLAY_HEADER_BYTES + PROTO_ETHER_HEADER_BYTES + PROTO_ETHER_VLAN_TAG_BYTES + PROTO_TAP_MTU_MAX +
                       PROTO_SEALED_BYTES <=
                   QUEUE_FRAME_BYTES_MAX,
               "whatever passes the MTU check fits a queue frame");

int client_data_init(struct client_session *session) {
	struct queue_egress_limits limits = session->config.egress;
	size_t pool_frames = session->config.pool_frames;
	const uint64_t seed[2] = {session->config.seed, ~session->config.seed};

	session->label_seed[0] = seed[1];
	session->label_seed[1] = seed[0];
	if (limits.frames_max == 0)
		limits.frames_max = EGRESS_FRAMES;
	if (limits.bytes_max == 0)
		limits.bytes_max = EGRESS_BYTES;
	if (limits.age_ns_max == 0)
		limits.age_ns_max = EGRESS_AGE_NS;
	if (limits.flows_shared_max == 0)
		limits.flows_shared_max = EGRESS_FLOWS;
	session->pool = queue_pool_new(pool_frames > 0 ? pool_frames : POOL_FRAMES);
	session->egress = queue_egress_new(&limits, seed);
	return session->pool != NULL && session->egress != NULL ? 0 : BASE_E_NOMEM;
}

void client_data_done(struct client_session *session) {
	queue_egress_free(session->egress);
	if (session->pool != NULL)
		queue_pool_free(session->pool);
}

/* What the queue dropped by itself since the last call joins our counters. */
static void count_queue_drops(struct client_session *session) {
	const struct queue_egress_stats *stats = queue_egress_stats(session->egress);
	uint64_t *drop = session->counters.drop;

	drop[OBS_DROP_QUEUE_FULL] += stats->dropped_full - session->seen.dropped_full;
	drop[OBS_DROP_QUEUE_CODEL] += stats->dropped_codel - session->seen.dropped_codel;
	drop[OBS_DROP_QUEUE_AGE] += stats->dropped_age - session->seen.dropped_age;
	drop[OBS_DROP_NOT_JOINED] += stats->dropped_flush - session->seen.dropped_flush;
	session->seen = *stats;
}

void client_data_flush(struct client_session *session) {
	queue_egress_flush(session->egress);
	count_queue_drops(session);
}

static int drop(struct client_session *session, enum obs_drop why) {
	session->counters.drop[why]++;
	return (int)why;
}

size_t client_session_encoded(const struct client_session *session, size_t frame_len) {
	return PROTO_OVERLAY_HEADER_BYTES + frame_len + (session->config.cipher != NULL ? PROTO_SEALED_BYTES : 0);
}

size_t client_budget_needed(const struct client_session *session, uint16_t mtu) {
	return client_session_encoded(session, proto_frame_bytes_max(mtu));
}

/* Frame to datagram, sealed if the room has a key. */
static int encode(struct client_session *session, struct slice frame, struct queue_frame *queued) {
	const struct client_config *config = &session->config;
	size_t budget = session->transport->budget(session->transport_user);
	uint32_t source = session->welcome.peer_id;
	int err;

	queued->source_peer = source;
	queued->len = (uint16_t)client_session_encoded(session, frame.len);
	if (config->cipher != NULL)
		return config->cipher->seal(config->cipher_user, source, frame, queue_flow_label(session->label_seed, frame),
		                            budget, queued->data);
	err = proto_overlay_encode_header(queued->data, source, frame.len, budget);
	if (err == 0)
		memcpy(queued->data + PROTO_OVERLAY_HEADER_BYTES, frame.data, frame.len);
	return err;
}

int client_session_send(struct client_session *session, struct slice frame, uint64_t now) {
	struct queue_frame *queued;
	bool was_empty;
	int err;

	if (session->state != CLIENT_JOINED)
		return drop(session, OBS_DROP_NOT_JOINED);
	if (!proto_frame_fits(frame, session->welcome.mtu))
		return drop(session, OBS_DROP_TAP_MTU);
	queued = queue_frame_new(session->pool);
	if (queued == NULL)
		return drop(session, OBS_DROP_NO_BUFFER);
	err = encode(session, frame, queued);
	if (err != 0) {
		queue_frame_unref(queued);
		return drop(session, err == BASE_E_TOO_BIG ? OBS_DROP_DATAGRAM_BUDGET : OBS_DROP_BAD_DATAGRAM);
	}
	was_empty = queue_egress_empty(session->egress);
	err = queue_egress_push(session->egress, queued, now);
	queue_frame_unref(queued);
	count_queue_drops(session); /* other frames may have made room for this one */
	if (err != 0)
		return OBS_DROP_QUEUE_FULL;
	if (was_empty)
		session->transport->wake(session->transport_user);
	return 0;
}

bool client_session_next(struct client_session *session, struct slice *ret_payload, uint64_t now) {
	struct queue_frame *frame;

	if (session->state != CLIENT_JOINED)
		return false;
	frame = queue_egress_peek(session->egress, now);
	count_queue_drops(session);
	if (frame == NULL)
		return false;
	*ret_payload = queue_frame_bytes(frame);
	return true;
}

void client_session_taken(struct client_session *session, bool sent, uint64_t now) {
	const struct queue_frame *frame = queue_egress_offered(session->egress);

	if (frame == NULL)
		return;
	if (sent) {
		session->counters.value[OBS_TUNNEL_TX_DATAGRAMS]++;
		session->counters.value[OBS_TUNNEL_TX_BYTES] += frame->len;
	} else {
		session->counters.drop[OBS_DROP_DATAGRAM_BUDGET]++;
	}
	queue_egress_pop(session->egress, now);
}

static void log_bad_datagram(struct client_session *session, int err, size_t len, uint64_t now) {
	struct obs_log *log = session->config.log;

	if (!obs_on(log, OBS_DEBUG))
		return;
	obs_begin(log, OBS_DEBUG, "bad_datagram");
	obs_str(log, "error", base_error_text(err));
	obs_u64(log, "bytes", len);
	obs_flood_key(log, (uint64_t)-err, now);
	obs_end(log);
}

/* Why a datagram goes no further, in our words. */
static enum obs_drop drop_of(int err) {
	switch (err) {
	case BASE_E_NOMEM:
		return OBS_DROP_NO_BUFFER;
	case BASE_E_NOT_FOUND:
		return OBS_DROP_UNKNOWN_PEER;
	case BASE_E_EXISTS:
		return OBS_DROP_REPLAY;
	case BASE_E_INVALID:
	case BASE_E_TLS:
		return OBS_DROP_NOT_OPENED;
	case BASE_E_STATE:
		return OBS_DROP_REFLECTION;
	default:
		return OBS_DROP_BAD_DATAGRAM;
	}
}

static int decode_sealed(struct client_session *session, struct slice payload, struct proto_overlay *ret) {
	const struct client_config *config = &session->config;
	struct proto_sealed sealed;
	void *peer;
	int err = proto_sealed_decode(payload, &sealed);

	if (err != 0)
		return err;
	if (sealed.frame_len > sizeof(session->opened))
		return BASE_E_TOO_BIG;
	*ret =
	    (struct proto_overlay){.source_peer = sealed.source_peer, .frame = slice_of(session->opened, sealed.frame_len)};
	if (sealed.source_peer == session->welcome.peer_id)
		return BASE_E_STATE;
	peer = client_peers_cipher(&session->peers, sealed.source_peer);
	return peer != NULL ? config->cipher->open(config->cipher_user, peer, &sealed, session->opened) : BASE_E_NOT_FOUND;
}

/* BASE_E_STATE: our own, come back. */
static int decode(struct client_session *session, struct slice payload, struct proto_overlay *ret) {
	int err;

	if (session->config.cipher != NULL)
		return decode_sealed(session, payload, ret);
	err = proto_overlay_decode(payload, ret);
	return err == 0 && ret->source_peer == session->welcome.peer_id ? BASE_E_STATE : err;
}

void client_session_datagram(struct client_session *session, struct slice payload, uint64_t now) {
	struct proto_overlay overlay;
	int err;

	session->counters.value[OBS_TUNNEL_RX_DATAGRAMS]++;
	session->counters.value[OBS_TUNNEL_RX_BYTES] += payload.len;
	if (session->state != CLIENT_JOINED) {
		drop(session, OBS_DROP_NOT_JOINED);
		return;
	}
	err = decode(session, payload, &overlay);
	if (err != 0) {
		enum obs_drop why = drop_of(err);

		drop(session, why);
		if (why == OBS_DROP_BAD_DATAGRAM)
			log_bad_datagram(session, err, payload.len, now);
		return;
	}
	session->events->frame(session->events_user, overlay.source_peer, overlay.frame, now);
}

struct obs_counters *client_session_counters(struct client_session *session) {
	return &session->counters;
}
