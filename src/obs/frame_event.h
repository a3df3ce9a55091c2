/* obs/frame_event.h: OBS-1, what happened to one frame, in the same words at client, gateway and relay.
 *
 * One record "frame" with the fields that apply: room, peer, target, dir, action, reason, dst, src, type ("0x0800", or
 * "len:38" for an 802.3 length), len (bytes of the frame), targets (relay only), encoded and budget. */
#ifndef OBS_FRAME_EVENT_H
#define OBS_FRAME_EVENT_H

#include "obs/counters.h"
#include "obs/log.h"

enum obs_direction { OBS_DIR_DEVICE_TO_TUNNEL, OBS_DIR_TUNNEL_TO_DEVICE, OBS_DIR_RELAY };
enum obs_action { OBS_FORWARDED, OBS_DROPPED, OBS_FILTERED, OBS_RATE_LIMITED };

struct obs_frame_event {
	const char *room;     /* NULL when there is none */
	uint64_t room_number; /* tells rooms of a relay apart, each of which has its own peer ids; else 0 */
	uint32_t peer;        /* the other end or the ingress peer; 0 for none */
	uint32_t target_peer; /* for egress drops; 0 for none */
	struct slice frame;   /* addresses and type are read from it, safely */
	enum obs_direction direction;
	enum obs_action action;
	const char *reason;     /* drop reason (obs_drop_name) or a literal, e.g. "periodic"; NULL for none */
	size_t target_count;    /* relay: how many peers got it */
	size_t encoded, budget; /* for reason=datagram_budget: bytes of the datagram, and the most there may be; 0: none */
};

/* Forwarded frames are OBS_TRACE and all shown; everything else is OBS_DEBUG, with room, peer and reason as the flood
 * key. */
static inline enum obs_level obs_action_level(enum obs_action action) {
	return action == OBS_FORWARDED ? OBS_TRACE : OBS_DEBUG;
}
void obs_frame_event(struct obs_log *log, const struct obs_frame_event *event, uint64_t now);
/* The action that belongs to a drop reason: what the safety rules stop (policy, forged source, address guard) is
 * filtered, rate_* rate_limited, the rest dropped; malformed counts to the rest (RLY-8). */
enum obs_action obs_action_of_drop(enum obs_drop drop);
const char *obs_action_name(enum obs_action action);
const char *obs_direction_name(enum obs_direction direction);

#endif
