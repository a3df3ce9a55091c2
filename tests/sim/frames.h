/* tests/sim/frames.h: the frames of the simulation. Each one carries a number of its own in its last bytes, so that
 * wherever one turns up it can be told which it is, and whether it is whole.
 *
 * What may pass is stated here per kind, independently of src/policy. */
#ifndef TESTS_SIM_FRAMES_H
#define TESTS_SIM_FRAMES_H

#include "proto/ether.h"
#include "proto/mac.h"

#define SIM_FRAME_BYTES_MIN 96 /* any kind fits with its number */
#define SIM_FRAME_BYTES_MAX 2000

enum sim_kind {
	/* pass in both directions */
	SIM_PLAIN,
	SIM_IPV4_UDP,
	SIM_IPV6_UDP,
	SIM_ARP,
	SIM_IPX,
	SIM_KINDS_HARMLESS, /* so many */
	/* the LAN's own right, never a remote client's */
	SIM_DHCP4_SERVER = SIM_KINDS_HARMLESS,
	SIM_DHCP6_SERVER,
	SIM_ROUTER_ADVERTISEMENT,
	SIM_IPV6_FRAGMENT,
	SIM_SNAP_IPV4,
	SIM_PRIORITY_TAG, /* arrives without its tag */
	/* nobody's */
	SIM_STP,
	SIM_LLDP,
	SIM_PAUSE,
	SIM_VLAN,
	SIM_QINQ,
	SIM_GROUP_SOURCE,
	SIM_ZERO_SOURCE,
	SIM_KIND_COUNT
};

struct sim_frame_spec {
	enum sim_kind kind;
	struct proto_mac dst, src; /* a kind may overrule either */
	size_t len;                /* SIM_FRAME_BYTES_MIN and more */
	uint32_t ip;               /* the sender's, in ARP and IPv4 */
	uint64_t number;
};

bool sim_kind_passes(enum sim_kind kind, bool from_lan);
const char *sim_kind_name(enum sim_kind kind);

/* Writes the frame; returns its length, which is the spec's, 4 more with a tag. */
size_t sim_frame_build(const struct sim_frame_spec *spec, uint8_t buf[static SIM_FRAME_BYTES_MAX]);
/* The number of a frame of ours; false for any other frame. */
bool sim_frame_number(struct slice frame, uint64_t *ret);

#endif
