/* relay/egress.c: the frames on their way to each peer, and the buffers they lie in.
 *
 * All peers of a core share one pool. Half of it is for whoever needs it, by dynamic thresholds (Choudhury and Hahne
 * 1998, alpha 1): a room holds no more of these buffers than are free, a sender no more than are free beyond what its
 * room holds, and its frames for one receiver are no more than are free beyond what both hold. So one greedy room,
 * sender or receiver always leaves some to the others. But a dozen of them, one after the other, can use up all of it.
 * That is why the other half is a reserve in even parts, where nobody can take another's part. */
#include "relay/internal.h"

#include "obs/frame_event.h"

#include <assert.h>
#include <string.h>

/* Half of the reserve is for frames to one peer, half for broadcasts. Of either half each joined peer has an even part
 * for what it sends, and at least one buffer. The part for frames to one peer is divided evenly among the peers of its
 * room, if it is enough for one each, so that those who fetch nothing take nothing from those who do. */
static bool is_reserved(const struct relay_peer *source, const struct relay_peer *target) {
	const struct relay_core *core = source->core;
	uint64_t half = core->limits.pool_frames / 4, peers = core->joined_count, each = peers * source->room->peer_count;
	size_t held;

	if (target != NULL && each <= half)
		return (queue_egress_frames_of(target->egress, source->id) + 1) * each <= half;
	held = target != NULL ? source->held.frames - source->held_for_all.frames : source->held_for_all.frames;
	return held == 0 || (held + 1) * peers <= half;
}

static bool may_hold_more(const struct relay_peer *source, const struct relay_peer *target) {
	size_t available = queue_pool_available(source->core->pool), reserve = source->core->limits.pool_frames / 2;
	size_t room = source->room->held.frames, sender = source->held.frames;

	if (is_reserved(source, target))
		return true;
	available = available > reserve ? available - reserve : 0;
	if (room >= available || sender >= available - room)
		return false;
	return target == NULL || queue_egress_frames_of(target->egress, source->id) < available - room - sender;
}

struct queue_frame *relay_egress_frame(struct relay_peer *source, const struct relay_peer *target,
                                       struct slice datagram) {
	struct queue_frame *frame = may_hold_more(source, target) ? queue_frame_new(source->core->pool) : NULL;

	if (frame == NULL)
		return NULL;
	assert(datagram.len <= sizeof(frame->data)); /* forward.c let no longer one pass */
	memcpy(frame->data, datagram.data, datagram.len);
	frame->len = (uint16_t)datagram.len;
	frame->source_peer = source->id;
	queue_frame_charge(frame, target != NULL ? &source->held : &source->held_for_all);
	return frame;
}

/* An egress drop in the words of OBS-1. */
static void log_skip(const struct relay_peer *target, const struct queue_frame *frame, enum obs_drop drop,
                     size_t budget, uint64_t now) {
	struct slice bytes = queue_frame_bytes(frame);
	struct obs_frame_event event = {
	    .room = target->room->code,
	    .room_number = target->room->number,
	    .peer = frame->source_peer,
	    .target_peer = target->id,
	    .frame = relay_room_frame(target->room, bytes),
	    .direction = OBS_DIR_RELAY,
	    .action = OBS_DROPPED,
	    .reason = obs_drop_name(drop),
	    .encoded = bytes.len,
	    .budget = budget,
	};

	if (obs_on(target->core->log, OBS_DEBUG))
		obs_frame_event(target->core->log, &event, now);
}

bool relay_egress_offer(struct relay_peer *target, struct queue_frame *frame, uint64_t now) {
	struct relay_core *core = target->core;
	size_t budget = core->transport->budget(core->transport_user, target->conn);
	int result;

	/* A path may have changed since the peer joined, and starts small again. */
	if (frame->len > budget) {
		target->tx.drop[OBS_DROP_DATAGRAM_BUDGET]++;
		log_skip(target, frame, OBS_DROP_DATAGRAM_BUDGET, budget, now);
		return false;
	}
	result = queue_egress_push(target->egress, frame, now);
	if (result != 0) {
		log_skip(target, frame, OBS_DROP_QUEUE_FULL, 0, now);
		return false;
	}
	core->transport->wake(core->transport_user, target->conn);
	return true;
}

bool relay_core_next(struct relay_peer *peer, struct slice *ret_datagram, uint64_t now) {
	struct queue_frame *frame;

	if (peer->state != RELAY_PEER_JOINED)
		return false;
	frame = queue_egress_peek(peer->egress, now);
	if (frame == NULL)
		return false;
	*ret_datagram = queue_frame_bytes(frame);
	return true;
}

void relay_core_taken(struct relay_peer *peer, bool sent, uint64_t now) {
	const struct queue_frame *frame;

	/* The peer may have left the room while its connection was writing. */
	if (peer->state != RELAY_PEER_JOINED || (frame = queue_egress_offered(peer->egress)) == NULL)
		return;
	if (sent) {
		peer->tx.value[OBS_TUNNEL_TX_DATAGRAMS]++;
		peer->tx.value[OBS_TUNNEL_TX_BYTES] += frame->len;
	} else {
		peer->tx.drop[OBS_DROP_DATAGRAM_BUDGET]++;
		log_skip(peer, frame, OBS_DROP_DATAGRAM_BUDGET,
		         peer->core->transport->budget(peer->core->transport_user, peer->conn), now);
	}
	queue_egress_pop(peer->egress, now);
}

void relay_egress_age(struct relay_peer *peer, uint64_t now) {
	if (peer->state != RELAY_PEER_JOINED)
		return;
	queue_egress_age(peer->egress, now);
}

/* The queue keeps its own books; these are the same numbers under the names everybody uses. */
static void book_queue(struct relay_peer *peer) {
	const struct queue_egress_stats *stats;

	if (peer->egress == NULL)
		return;
	stats = queue_egress_stats(peer->egress);
	peer->tx.drop[OBS_DROP_QUEUE_FULL] = stats->dropped_full;
	peer->tx.drop[OBS_DROP_QUEUE_CODEL] = stats->dropped_codel;
	peer->tx.drop[OBS_DROP_QUEUE_AGE] = stats->dropped_age;
}

void relay_egress_close(struct relay_peer *peer) {
	peer->tx.drop[OBS_DROP_NOT_JOINED] += relay_peer_queued(peer);
	book_queue(peer);
	queue_egress_free(peer->egress);
	peer->egress = NULL;
}

const struct obs_counters *relay_peer_tx(struct relay_peer *peer) {
	book_queue(peer);
	return &peer->tx;
}

size_t relay_peer_queued(const struct relay_peer *peer) {
	return peer->egress != NULL ? queue_egress_frames(peer->egress) : 0;
}
