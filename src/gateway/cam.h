/* gateway/cam.h: the CAM refresh frame (GTW-6): from a remote client's MAC, so that the LAN's switches learn that the
 * client is behind the gateway's port before anybody sends to it, and again before they forget. Pure.
 *
 * It goes to the broadcast address, as hypervisors do after they moved a machine: a unicast would be learnt only by the
 * switches on its way, and a switch further off that still knows the client elsewhere would go on sending there. The
 * EtherType is IEEE 802's local experimental one, which no station answers; the payload says who sent it. */
#ifndef GATEWAY_CAM_H
#define GATEWAY_CAM_H

#include "proto/mac.h"

#include <stdbool.h>

#define GATEWAY_CAM_FRAME_BYTES 60
#define GATEWAY_CAM_ETHERTYPE 0x88b5

void gateway_cam_frame(struct proto_mac remote, uint8_t out[static GATEWAY_CAM_FRAME_BYTES]);

/* How many newcomers the LAN has been shown: a relay may tell of others as fast as the line carries it, and switches
 * remember some thousand addresses. Zeros at first. */
struct gateway_cam_allowance {
	uint64_t since;
	unsigned shown;
};

/* Whether one more may be shown now, and counts it: GATEWAY_CAM_NEW_MAX in GATEWAY_CAM_NEW_NS. */
bool gateway_cam_take(struct gateway_cam_allowance *allowance, uint64_t now);

#endif
