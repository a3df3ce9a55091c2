/* gateway/bridge.c: on a busy LAN most frames are not for us, so that test comes first and looks at six bytes only. */
#include "gateway/bridge.h"

#include "base/bytes.h"
#include "obs/frame_event.h"
#include "policy/drop.h"
#include "proto/mtu.h"

#include <string.h>

struct passage {
	enum obs_direction direction;
	uint32_t peer;
	struct slice frame;
	uint64_t now;
};

static void say(struct gateway_bridge *bridge, const struct passage *passage, enum obs_action action,
                const char *reason) {
	if (!obs_on(bridge->log, obs_action_level(action)))
		return;
	const struct obs_frame_event event = {
	    .room = bridge->room,
	    .peer = passage->peer,
	    .frame = passage->frame,
	    .direction = passage->direction,
	    .action = action,
	    .reason = reason,
	    .target_count = action == OBS_FORWARDED,
	};
	obs_frame_event(bridge->log, &event, passage->now);
}

/* Of one that is counted. */
static bool dropped(struct gateway_bridge *bridge, const struct passage *passage, enum obs_drop reason,
                    enum obs_drop *ret_drop) {
	say(bridge, passage, obs_action_of_drop(reason), obs_drop_name(reason));
	if (ret_drop != NULL)
		*ret_drop = reason;
	return false;
}

static bool drop(struct gateway_bridge *bridge, const struct passage *passage, enum obs_drop reason,
                 enum obs_drop *ret_drop) {
	bridge->counters->drop[reason]++;
	return dropped(bridge, passage, reason, ret_drop);
}

static bool is_group(const uint8_t *mac) {
	return (mac[0] & 1) != 0;
}

/* Notes who is on the LAN. Not before the room is joined: a gateway that waits for another one's seat on the same LAN
 * hears that one's remote clients. */
static void hear(struct gateway_bridge *bridge, struct slice frame, uint64_t now) {
	if (bridge->guard != NULL && bridge->tap_mtu != 0)
		gateway_guard_hear(bridge->guard, proto_mac_of(frame.data + PROTO_MAC_BYTES), now);
}

/* A good frame that we never wrote to the LAN, since no client may send the like or so long a one. A tag may have been
 * put on by a switch and proves nothing. */
static bool no_client_sent(const struct gateway_bridge *bridge, struct slice frame) {
	struct proto_ether ether;

	return bridge->guard != NULL && policy_check(frame, POLICY_FROM_LAN) == POLICY_PASS &&
	       proto_ether_parse(frame, &ether) == 0 && ether.vlan_tags == 0 &&
	       (frame.len > proto_frame_bytes_max(bridge->tap_mtu) ||
	        policy_check(frame, POLICY_FROM_REMOTE) != POLICY_PASS);
}

/* Traffic between LAN stations (flooded, behind a hub, or with this machine) still teaches the guard: who is there, and
 * by ARP and neighbour discovery who holds an address. */
static void learn_in_passing(struct gateway_bridge *bridge, struct slice frame, uint64_t now) {
	struct proto_ether ether;

	if (bridge->guard == NULL)
		return;
	if (gateway_remotes_by_mac(bridge->remotes, frame.data + PROTO_MAC_BYTES) != NULL) {
		if (no_client_sent(bridge, frame))
			hear(bridge, frame, now);
		return;
	}
	hear(bridge, frame, now);
	uint16_t type = base_get_u16(frame.data + 12);
	if ((type == PROTO_ETHERTYPE_ARP || type == PROTO_ETHERTYPE_IPV6) &&
	    policy_check(frame, POLICY_FROM_LAN) == POLICY_PASS && proto_ether_parse(frame, &ether) == 0)
		gateway_guard_learn(bridge->guard, &ether, now);
}

/* Priority tags (VID 0) mean something to the LAN's switches only, and a remote station may not send any back. */
static struct slice without_tags(struct gateway_bridge *bridge, struct slice frame, const struct proto_ether *ether) {
	if (ether->vlan_tags == 0)
		return frame;
	size_t rest = ether->payload_offset - 2; /* from the inner type on */
	size_t len = 2 * PROTO_MAC_BYTES + frame.len - rest;
	if (len > sizeof(bridge->untagged))
		return frame;
	memcpy(bridge->untagged, frame.data, 2 * PROTO_MAC_BYTES);
	memcpy(bridge->untagged + 2 * PROTO_MAC_BYTES, frame.data + rest, frame.len - rest);
	return slice_of(bridge->untagged, len);
}

/* A frame with a remote client's source coming in from the LAN: a loop, a second way between the two, or a LAN station
 * whose MAC the client chose; the guard is told when it can only be that. */
static bool reflected(struct gateway_bridge *bridge, const struct passage *passage, enum obs_drop *ret_drop) {
	if (no_client_sent(bridge, passage->frame))
		hear(bridge, passage->frame, passage->now);
	obs_begin(bridge->log, OBS_WARN, "lan_loop");
	obs_flood_key(bridge->log, 0, passage->now); /* first: in a storm the rest costs nothing then */
	obs_mac(bridge->log, "src", passage->frame.data + PROTO_MAC_BYTES);
	obs_str(bridge->log, "message", "a frame of a remote client came in from the LAN: is there a second bridge?");
	obs_end(bridge->log);
	return drop(bridge, passage, OBS_DROP_REFLECTION, ret_drop);
}

bool gateway_bridge_from_lan(struct gateway_bridge *bridge, struct slice frame, enum obs_drop *ret_drop, uint64_t now) {
	const struct passage passage = {.direction = OBS_DIR_DEVICE_TO_TUNNEL, .frame = frame, .now = now};

	bridge->counters->value[OBS_DEVICE_RX_FRAMES]++;
	bridge->counters->value[OBS_DEVICE_RX_BYTES] += frame.len;
	if (frame.len < PROTO_ETHER_HEADER_BYTES)
		return drop(bridge, &passage, OBS_DROP_MALFORMED, ret_drop);
	if (!is_group(frame.data) && gateway_remotes_by_mac(bridge->remotes, frame.data) == NULL) {
		learn_in_passing(bridge, frame, now);
		return drop(bridge, &passage, OBS_DROP_LOCAL_UNICAST, ret_drop);
	}
	if (gateway_remotes_by_mac(bridge->remotes, frame.data + PROTO_MAC_BYTES) != NULL)
		return reflected(bridge, &passage, ret_drop);

	enum policy_rule rule = policy_check(frame, POLICY_FROM_LAN);
	if (rule != POLICY_PASS)
		return drop(bridge, &passage, policy_drop(rule), ret_drop);
	struct proto_ether ether;
	if (proto_ether_parse(frame, &ether) < 0)
		return drop(bridge, &passage, OBS_DROP_MALFORMED, ret_drop);
	hear(bridge, frame, now);
	if (bridge->guard != NULL)
		gateway_guard_learn(bridge->guard, &ether, now);

	int refused = bridge->send(bridge->user, without_tags(bridge, frame, &ether), now);
	if (refused > 0)
		return dropped(bridge, &passage, (enum obs_drop)refused, ret_drop);
	bridge->counters->value[OBS_BROADCASTS_FROM_LAN] += is_group(frame.data);
	say(bridge, &passage, OBS_FORWARDED, NULL);
	return true;
}

bool gateway_bridge_from_tunnel(struct gateway_bridge *bridge, uint32_t source_peer, struct slice frame,
                                enum obs_drop *ret_drop, uint64_t now) {
	const struct passage passage = {
	    .direction = OBS_DIR_TUNNEL_TO_DEVICE, .peer = source_peer, .frame = frame, .now = now};
	const struct gateway_remote *remote = gateway_remotes_by_peer(bridge->remotes, source_peer);

	if (remote == NULL)
		return drop(bridge, &passage, OBS_DROP_UNKNOWN_PEER, ret_drop);
	if (bridge->unsafe_no_filters)
		return true;
	enum policy_rule rule = policy_check(frame, POLICY_FROM_REMOTE);
	if (rule != POLICY_PASS)
		return drop(bridge, &passage, policy_drop(rule), ret_drop);
	struct proto_ether ether;
	if (proto_ether_parse(frame, &ether) < 0)
		return drop(bridge, &passage, OBS_DROP_MALFORMED, ret_drop);
	if (!proto_mac_equal(ether.src, remote->mac))
		return drop(bridge, &passage, OBS_DROP_FORGED_SOURCE, ret_drop);
	if (frame.len > proto_frame_bytes_max(bridge->tap_mtu))
		return drop(bridge, &passage, OBS_DROP_TAP_MTU, ret_drop);
	if (remote->on_lan)
		return drop(bridge, &passage, OBS_DROP_ADDRESS_GUARD, ret_drop);
	/* What one client says to another is not for the LAN; a relay that has it wrong must not put it there. */
	if (!is_group(frame.data) && gateway_remotes_by_mac(bridge->remotes, frame.data) != NULL)
		return drop(bridge, &passage, OBS_DROP_NOT_FOR_US, ret_drop);
	if (bridge->guard != NULL && !gateway_guard_allows(bridge->guard, &ether, now))
		return drop(bridge, &passage, OBS_DROP_ADDRESS_GUARD, ret_drop);

	bridge->counters->value[OBS_BROADCASTS_TO_LAN] += is_group(frame.data);
	say(bridge, &passage, OBS_FORWARDED, NULL);
	return true;
}
