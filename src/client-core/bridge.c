#include "client-core/bridge.h"

#include "obs/frame_event.h"
#include "policy/drop.h"
#include "proto/ether.h"
#include "proto/mtu.h"

/* Verdicts of the checks below: a drop reason, or PASS. */
#define PASS (-1)

static void log_frame(const struct client_bridge *bridge, enum obs_direction direction, uint32_t peer,
                      struct slice frame, int verdict, uint64_t now) {
	struct obs_frame_event event = {
	    .room = bridge->room,
	    .peer = peer,
	    .frame = frame,
	    .direction = direction,
	    .action = verdict == PASS ? OBS_FORWARDED : obs_action_of_drop((enum obs_drop)verdict),
	    .reason = verdict == PASS ? NULL : obs_drop_name((enum obs_drop)verdict),
	};

	if (verdict == OBS_DROP_DATAGRAM_BUDGET) {
		struct obs_diagnostics diagnostics;

		client_session_diagnostics(bridge->session, &diagnostics);
		event.budget = diagnostics.datagram_budget;
		event.encoded = client_session_encoded(bridge->session, frame.len);
	}
	obs_frame_event(bridge->log, &event, now);
}

/* Ends one frame's way: log and translate. Forwarded frames are told at trace level only. */
static bool finish(const struct client_bridge *bridge, enum obs_direction direction, uint32_t peer, struct slice frame,
                   int verdict, enum obs_drop *ret_drop, uint64_t now) {
	if (obs_on(bridge->log, verdict == PASS ? OBS_TRACE : OBS_DEBUG))
		log_frame(bridge, direction, peer, frame, verdict, now);
	if (verdict != PASS && ret_drop != NULL)
		*ret_drop = (enum obs_drop)verdict;
	return verdict == PASS;
}

static int drop_of(enum policy_rule rule) {
	return rule == POLICY_PASS ? PASS : (int)policy_drop(rule);
}

static bool is_broadcast(struct slice frame) {
	struct proto_mac dst, src;
	uint16_t type;

	return proto_ether_peek(frame, &dst, &src, &type) && proto_mac_is_broadcast(dst);
}

static int check_from_device(const struct client_bridge *bridge, struct slice frame) {
	struct proto_mac dst, src;
	uint16_t type;

	if (!proto_ether_peek(frame, &dst, &src, &type))
		return OBS_DROP_MALFORMED;
	if (bridge->unsafe_no_filters)
		return PASS;
	if (!proto_mac_equal(src, bridge->mac))
		return OBS_DROP_FORGED_SOURCE;
	return drop_of(policy_check(frame, POLICY_FROM_REMOTE));
}

bool client_bridge_from_device(struct client_bridge *bridge, struct slice frame, enum obs_drop *ret_drop,
                               uint64_t now) {
	struct obs_counters *counters = client_session_counters(bridge->session);
	int verdict = check_from_device(bridge, frame);

	counters->value[OBS_DEVICE_RX_FRAMES]++;
	counters->value[OBS_DEVICE_RX_BYTES] += frame.len;
	if (verdict != PASS) {
		counters->drop[verdict]++;
	} else {
		int refused = client_session_send(bridge->session, frame, now); /* counts by itself */

		if (refused != 0)
			verdict = refused;
		else if (is_broadcast(frame))
			counters->value[OBS_BROADCASTS_TO_LAN]++;
	}
	return finish(bridge, OBS_DIR_DEVICE_TO_TUNNEL, 0, frame, verdict, ret_drop, now);
}

/* The relay has checked all this, except in a room with a key, where it sees headers only. A frame from the gateway is
 * a LAN station's: of it no more is asked than a switch would. */
static int check_from_tunnel(const struct client_bridge *bridge, uint32_t source_peer, struct slice frame) {
	const struct client_peer *peer = client_session_peer(bridge->session, source_peer);
	const struct ctrl_welcome *welcome = client_session_welcome(bridge->session);
	struct proto_mac dst, src;
	uint16_t type;
	int verdict;

	if (!proto_ether_peek(frame, &dst, &src, &type))
		return OBS_DROP_MALFORMED;
	if (bridge->unsafe_no_filters)
		return PASS;
	if (welcome == NULL)
		return OBS_DROP_NOT_JOINED;
	if (peer == NULL)
		return OBS_DROP_UNKNOWN_PEER;
	verdict = drop_of(policy_check(frame, peer->role == CTRL_ROLE_GATEWAY ? POLICY_FROM_LAN : POLICY_FROM_REMOTE));
	if (verdict != PASS)
		return verdict;
	if (proto_mac_equal(src, bridge->mac))
		return OBS_DROP_REFLECTION;
	if (peer->role == CTRL_ROLE_CLIENT && !proto_mac_equal(src, peer->mac))
		return OBS_DROP_FORGED_SOURCE;
	if (!proto_mac_is_group(dst) && !proto_mac_equal(dst, bridge->mac))
		return OBS_DROP_NOT_FOR_US;
	return proto_frame_fits(frame, welcome->mtu) ? PASS : OBS_DROP_TAP_MTU;
}

bool client_bridge_from_tunnel(struct client_bridge *bridge, uint32_t source_peer, struct slice frame,
                               enum obs_drop *ret_drop, uint64_t now) {
	struct obs_counters *counters = client_session_counters(bridge->session);
	int verdict = check_from_tunnel(bridge, source_peer, frame);

	if (verdict != PASS)
		counters->drop[verdict]++;
	else if (is_broadcast(frame))
		counters->value[OBS_BROADCASTS_FROM_LAN]++;
	return finish(bridge, OBS_DIR_TUNNEL_TO_DEVICE, source_peer, frame, verdict, ret_drop, now);
}

void client_bridge_wrote(struct client_bridge *bridge, size_t frames, size_t bytes) {
	struct obs_counters *counters = client_session_counters(bridge->session);

	counters->value[OBS_DEVICE_TX_FRAMES] += frames;
	counters->value[OBS_DEVICE_TX_BYTES] += bytes;
}

void client_bridge_device_full(struct client_bridge *bridge, size_t frames) {
	client_session_counters(bridge->session)->drop[OBS_DROP_DEVICE_FULL] += frames;
}
