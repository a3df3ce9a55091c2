/* gateway/bridge.h: the gateway's frame path between its LAN port and the tunnel (GTW-3 to GTW-5, GTW-8). Pure: frames
 * in, verdicts out, everything counted and, when the log is on, said as a frame event. Knows no device and no session.
 *
 * Balance: DEVICE_RX_FRAMES + TUNNEL_RX_DATAGRAMS = frames sent to the tunnel + frames to write to the LAN + drops. */
#ifndef GATEWAY_BRIDGE_H
#define GATEWAY_BRIDGE_H

#include "gateway/guard.h"
#include "gateway/remotes.h"
#include "obs/counters.h"
#include "obs/log.h"
#include "queue/frame.h"

struct gateway_bridge {
	struct gateway_remotes *remotes;
	struct gateway_guard *guard; /* NULL: off */
	struct obs_counters *counters;
	struct obs_log *log;    /* may be NULL */
	const char *room;       /* for frame events; outlives the bridge */
	uint16_t tap_mtu;       /* of the room; 0 while there is none */
	bool unsafe_no_filters; /* everything from the tunnel goes to the LAN: attack tests only */
	/* Queues a frame for the relay: 0, or the enum obs_drop that says why not, already counted. */
	int (*send)(void *user, struct slice frame, uint64_t now);
	void *user;
	uint8_t untagged[QUEUE_FRAME_BYTES_MAX]; /* where priority tags are taken off */
};

/* One frame read from the LAN. True: it went to the tunnel. False: dropped and counted; *ret_drop (may be NULL) says
 * why. */
bool gateway_bridge_from_lan(struct gateway_bridge *bridge, struct slice frame, enum obs_drop *ret_drop, uint64_t now);

/* One frame of the room. True: the owner writes it to the LAN. False: dropped and counted, as above. */
bool gateway_bridge_from_tunnel(struct gateway_bridge *bridge, uint32_t source_peer, struct slice frame,
                                enum obs_drop *ret_drop, uint64_t now);

#endif
