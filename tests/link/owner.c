#include "tests/link/owner.h"

#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

static void on_joined(void *user, const struct ctrl_welcome *welcome, uint64_t now) {
	struct owner *owner = user;

	(void)now;
	owner->joins++;
	owner->welcome = *welcome;
}

static void on_peer_joined(void *user, const struct client_peer *peer, uint64_t now) {
	(void)peer;
	(void)now;
	((struct owner *)user)->peers_joined++;
}

static void on_peer_left(void *user, const struct client_peer *peer, enum ctrl_leave_reason reason, uint64_t now) {
	(void)peer;
	(void)reason;
	(void)now;
	((struct owner *)user)->peers_left++;
}

static void on_frame(void *user, uint32_t source_peer, struct slice frame, uint64_t now) {
	struct owner *owner = user;

	(void)now;
	owner->frames++;
	owner->frame_source = source_peer;
	owner->frame_len = frame.len;
	assert_true(frame.len <= sizeof(owner->frame));
	memcpy(owner->frame, frame.data, frame.len);
}

static void on_lost(void *user, const char *why, uint64_t now) {
	struct owner *owner = user;

	(void)now;
	owner->losses++;
	snprintf(owner->why, sizeof(owner->why), "%s", why);
}

static void on_ended(void *user, enum client_exit status, const char *why, uint64_t now) {
	struct owner *owner = user;

	(void)now;
	owner->ends++;
	owner->status = status;
	snprintf(owner->why, sizeof(owner->why), "%s", why);
}

const struct client_events owner_events = {
    .joined = on_joined,
    .peer_joined = on_peer_joined,
    .peer_left = on_peer_left,
    .frame = on_frame,
    .lost = on_lost,
    .ended = on_ended,
};

struct client_config owner_config(uint8_t last_mac_octet) {
	return (struct client_config){
	    .role = CTRL_ROLE_CLIENT,
	    .room = "ROOM1",
	    .mac = {{2, 0, 0, 0, 0, last_mac_octet}},
	    .seat_key = {1, 2, last_mac_octet},
	    .retry = true,
	    .seed = last_mac_octet,
	};
}

struct slice owner_frame(uint8_t *buf, uint8_t dst, uint8_t src, size_t len) {
	assert_true(len >= 14);
	memset(buf, 0xa5, len);
	memcpy(buf, (uint8_t[]){2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5}, 14);
	return slice_of(buf, len);
}
