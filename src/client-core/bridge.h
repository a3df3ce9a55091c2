/* client-core/bridge.h: the frame path of a remote client, between its device (TAP) and its session (CLI-6, CLI-7).
 * Pure: frames in, verdicts out, everything counted in the session's counters and, when the log is on, said as a frame
 * event. Knows no device: the owner reads and writes it.
 *
 * Balance: DEVICE_RX_FRAMES + TUNNEL_RX_DATAGRAMS = TUNNEL_TX_DATAGRAMS + DEVICE_TX_FRAMES + drops + frames still in
 * the egress queue, provided that the owner reports what became of each frame that it should write. */
#ifndef CLIENT_CORE_BRIDGE_H
#define CLIENT_CORE_BRIDGE_H

#include "client-core/session.h"

struct client_bridge {
	struct client_session *session;
	struct proto_mac mac; /* the tunnel identity */
	struct obs_log *log;  /* may be NULL */
	const char *room;     /* for frame events; outlives the bridge */
	/* Attack tests only: nothing is filtered in either direction, so that the relay's and the gateway's own filters are
	 * what is tested. The room's MTU and the datagram budget still hold. Never set in a normal build. */
	bool unsafe_no_filters;
};

/* One frame that the device handed out. True: queued for the relay. False: dropped and counted; *ret_drop (may be NULL)
 * says why. */
bool client_bridge_from_device(struct client_bridge *bridge, struct slice frame, enum obs_drop *ret_drop, uint64_t now);

/* One frame of the room (client_events.frame). True: the owner writes it to the device and reports the outcome with
 * client_bridge_wrote or client_bridge_device_full. False: dropped and counted, as above. */
bool client_bridge_from_tunnel(struct client_bridge *bridge, uint32_t source_peer, struct slice frame,
                               enum obs_drop *ret_drop, uint64_t now);

/* What became of frames that were to be written; `bytes` without any header of the device. */
void client_bridge_wrote(struct client_bridge *bridge, size_t frames, size_t bytes);
void client_bridge_device_full(struct client_bridge *bridge, size_t frames);

#endif
