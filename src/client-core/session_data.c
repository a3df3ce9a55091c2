/* Frames: into the egress queue, out of it into datagrams, and datagrams from the relay up to the owner. Nothing here
 * allocates or logs per frame unless the log is at debug level. */
#include "base/bytes.h"
#include "base/error.h"
#include "client-core/session_internal.h"
#include "proto/ether.h"
#include "proto/mtu.h"
#include "proto/overlay.h"

#include <string.h>

#define POOL_FRAMES 2048
#define EGRESS_FRAMES 1024
#define EGRESS_BYTES ((size_t)1 << 20)
#define EGRESS_AGE_NS (200 * BASE_MS) /* an older game packet is worth nothing */

_Static_assert(PROTO_OVERLAY_HEADER_BYTES + PROTO_ETHER_HEADER_BYTES + PROTO_ETHER_VLAN_TAG_BYTES + PROTO_TAP_MTU_MAX <=
                   QUEUE_FRAME_BYTES_MAX,
               "whatever passes the MTU check fits a queue frame");

int client_data_init(struct client_session *session) {
	struct queue_egress_limits limits = session->config.egress;
	size_t pool_frames = session->config.pool_frames;
	const uint64_t seed[2] = {session->config.seed, ~session->config.seed};

	if (limits.frames_max == 0)
		limits.frames_max = EGRESS_FRAMES;
	if (limits.bytes_max == 0)
		limits.bytes_max = EGRESS_BYTES;
	if (limits.age_ns_max == 0)
		limits.age_ns_max = EGRESS_AGE_NS;
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
	session->offered = NULL;
	queue_egress_flush(session->egress);
	count_queue_drops(session);
}

bool client_frame_within_mtu(struct slice frame, uint16_t mtu) {
	size_t max = proto_frame_bytes_max(mtu);
	uint16_t type;

	if (frame.len <= max)
		return true;
	type = base_get_u16(frame.data + 2 * PROTO_MAC_BYTES);
	if (type != PROTO_ETHERTYPE_VLAN && type != PROTO_ETHERTYPE_QINQ && type != PROTO_ETHERTYPE_QINQ_OLD)
		return false;
	return frame.len <= max + PROTO_ETHER_VLAN_TAG_BYTES;
}

static int drop(struct client_session *session, enum obs_drop why) {
	session->counters.drop[why]++;
	return (int)why;
}

int client_session_send(struct client_session *session, struct slice frame, uint64_t now) {
	uint8_t header[PROTO_OVERLAY_HEADER_BYTES];
	struct queue_frame *queued;
	bool was_empty;
	int err;

	if (session->state != CLIENT_JOINED)
		return drop(session, OBS_DROP_NOT_JOINED);
	if (!client_frame_within_mtu(frame, session->welcome.mtu))
		return drop(session, OBS_DROP_TAP_MTU);
	err = proto_overlay_encode_header(header, session->welcome.peer_id, frame.len,
	                                  session->transport->budget(session->transport_user));
	if (err != 0)
		return drop(session, err == BASE_E_TOO_BIG ? OBS_DROP_DATAGRAM_BUDGET : OBS_DROP_BAD_DATAGRAM);
	queued = queue_frame_new(session->pool);
	if (queued == NULL)
		return drop(session, OBS_DROP_NO_BUFFER);
	memcpy(queued->data, header, sizeof(header));
	memcpy(queued->data + sizeof(header), frame.data, frame.len);
	queued->len = (uint16_t)(sizeof(header) + frame.len);
	queued->source_peer = session->welcome.peer_id;
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
	if (session->state != CLIENT_JOINED)
		return false;
	session->offered = queue_egress_peek(session->egress, now);
	count_queue_drops(session);
	if (session->offered == NULL)
		return false;
	*ret_payload = queue_frame_bytes(session->offered);
	return true;
}

void client_session_taken(struct client_session *session, bool sent, uint64_t now) {
	(void)now;
	if (session->offered == NULL)
		return;
	if (sent) {
		session->counters.value[OBS_TUNNEL_TX_DATAGRAMS]++;
		session->counters.value[OBS_TUNNEL_TX_BYTES] += session->offered->len;
	} else {
		session->counters.drop[OBS_DROP_DATAGRAM_BUDGET]++;
	}
	session->offered = NULL;
	queue_egress_pop(session->egress);
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

void client_session_datagram(struct client_session *session, struct slice payload, uint64_t now) {
	struct proto_overlay overlay;
	int err;

	session->counters.value[OBS_TUNNEL_RX_DATAGRAMS]++;
	session->counters.value[OBS_TUNNEL_RX_BYTES] += payload.len;
	if (session->state != CLIENT_JOINED) {
		drop(session, OBS_DROP_NOT_JOINED);
		return;
	}
	err = proto_overlay_decode(payload, &overlay);
	if (err != 0) {
		drop(session, OBS_DROP_BAD_DATAGRAM);
		log_bad_datagram(session, err, payload.len, now);
		return;
	}
	if (overlay.source_peer == session->welcome.peer_id) {
		drop(session, OBS_DROP_REFLECTION);
		return;
	}
	session->events->frame(session->events_user, overlay.source_peer, overlay.frame, now);
}

struct obs_counters *client_session_counters(struct client_session *session) {
	return &session->counters;
}
