#include "obs/frame_event.h"

#include "base/text.h"

#include <assert.h>

#define MAC_BYTES 6
#define LENGTH_MAX 1500 /* IEEE 802.3-2022 3.2.6: up to here the type field is a length */

static const char *const direction_names[] = {
    [OBS_DIR_DEVICE_TO_TUNNEL] = "device_to_tunnel",
    [OBS_DIR_TUNNEL_TO_DEVICE] = "tunnel_to_device",
    [OBS_DIR_RELAY] = "relay",
};

static const char *const action_names[] = {
    [OBS_FORWARDED] = "forwarded",
    [OBS_DROPPED] = "dropped",
    [OBS_FILTERED] = "filtered",
    [OBS_RATE_LIMITED] = "rate_limited",
};

const char *obs_direction_name(enum obs_direction direction) {
	assert((unsigned)direction <= OBS_DIR_RELAY);
	return direction_names[direction];
}

const char *obs_action_name(enum obs_action action) {
	assert((unsigned)action <= OBS_RATE_LIMITED);
	return action_names[action];
}

enum obs_action obs_action_of_drop(enum obs_drop drop) {
	if (drop >= OBS_DROP_INVALID_SOURCE && drop <= OBS_DROP_ADDRESS_GUARD)
		return OBS_FILTERED;
	if (drop >= OBS_DROP_RATE_BROADCAST && drop <= OBS_DROP_RATE_BANDWIDTH)
		return OBS_RATE_LIMITED;
	return OBS_DROPPED;
}

/* Whatever of the header is there: a runt is logged with what it has. */
static void add_header(struct obs_log *log, struct slice frame) {
	struct base_reader reader = base_reader_of(frame);
	struct slice dst, src;
	struct base_text text;
	char buf[16];
	uint16_t type;

	if (base_read_bytes(&reader, MAC_BYTES, &dst) != 0)
		return;
	obs_mac(log, "dst", dst.data);
	if (base_read_bytes(&reader, MAC_BYTES, &src) != 0)
		return;
	obs_mac(log, "src", src.data);
	if (base_read_u16(&reader, &type) != 0)
		return;
	base_text_init(&text, buf, sizeof(buf));
	base_text_addf(&text, type <= LENGTH_MAX ? "len:%u" : "0x%04x", type);
	obs_bytes(log, "type", slice_of(buf, text.len));
}

void obs_frame_event(struct obs_log *log, const struct obs_frame_event *event, uint64_t now) {
	enum obs_level level = obs_action_level(event->action);

	if (!obs_on(log, level))
		return;
	obs_begin(log, level, "frame");
	if (event->action != OBS_FORWARDED)
		obs_flood_room(log, event->room_number != 0 ? event->room : NULL, event->room_number, event->peer,
		               event->reason, now);
	obs_str(log, "room", event->room);
	if (event->peer != 0)
		obs_u64(log, "peer", event->peer);
	if (event->target_peer != 0)
		obs_u64(log, "target", event->target_peer);
	obs_str(log, "dir", obs_direction_name(event->direction));
	obs_str(log, "action", obs_action_name(event->action));
	obs_str(log, "reason", event->reason);
	add_header(log, event->frame);
	obs_u64(log, "len", event->frame.len);
	if (event->direction == OBS_DIR_RELAY)
		obs_u64(log, "targets", event->target_count);
	if (event->budget != 0) {
		obs_u64(log, "encoded", event->encoded);
		obs_u64(log, "budget", event->budget);
	}
	obs_end(log);
}
