#include "gateway/cam.h"

#include "base/bytes.h"
#include "gateway/limits.h"
#include "proto/ether.h"

#include <string.h>

static const char cam_mark[] = "lanparty CAM refresh";

void gateway_cam_frame(struct proto_mac remote, uint8_t out[static GATEWAY_CAM_FRAME_BYTES]) {
	memset(out, 0, GATEWAY_CAM_FRAME_BYTES);
	memset(out, 0xff, PROTO_MAC_BYTES);
	memcpy(out + PROTO_MAC_BYTES, remote.b, PROTO_MAC_BYTES);
	base_put_u16(out + 12, GATEWAY_CAM_ETHERTYPE);
	memcpy(out + PROTO_ETHER_HEADER_BYTES, cam_mark, sizeof(cam_mark) - 1);
}

bool gateway_cam_take(struct gateway_cam_allowance *allowance, uint64_t now) {
	if (now - allowance->since >= GATEWAY_CAM_NEW_NS)
		*allowance = (struct gateway_cam_allowance){.since = now};
	if (allowance->shown == GATEWAY_CAM_NEW_MAX)
		return false;
	allowance->shown++;
	return true;
}
