/* policy/control.c: what a switch would act upon, known by destination, EtherType or LLC header; and LLC headers that
 * hide what the other rules look for. The lists err on the strict side: no game and no desktop protocol uses any of
 * this, and one spanning tree frame from a stranger can take a LAN down. */
#include "policy/rules.h"

#include "base/bytes.h"

#define LLC_BYTES 3
#define SNAP_BYTES 8  /* LLC, OUI, protocol */
#define SAP_MASK 0xfe /* without the group bit of a DSAP, the command/response bit of an SSAP */

enum llc_sap {
	SAP_IP = 0x06,
	SAP_STP = 0x42,
	SAP_ARP = 0x98,
	SAP_SNAP = 0xaa,
	SAP_OSI = 0xfe,
};

bool policy_control_destination(struct proto_mac dst) {
	/* Whole group address blocks: what is assigned in them later will be a switch protocol again. */
	switch (base_get_u32(dst.b) >> 8) {
	case 0x0180c2: /* IEEE 802.1: STP, pause, LACP, 802.1X, LLDP, GARP/MRP, CFM, TRILL, IS-IS */
	case 0x01000c: /* Cisco: CDP, VTP, DTP, PAgP, UDLD, PVST+, CGMP, ISL */
	case 0x010081: /* Nortel SONMP */
	case 0x01001d: /* Enterasys discovery */
	case 0x010fe2: /* H3C and Huawei neighbour discovery, loop detection */
	case 0x01154e: /* IEC 62439 media redundancy */
	case 0x0119a7: /* ITU-T G.8032 ring protection */
	case 0x01e052: /* Foundry FDP */
		return true;
	default:
		return false;
	}
}

bool policy_control_type(uint16_t type) {
	switch (type) {
	case 0x22ea: /* MSRP */
	case 0x22f3: /* TRILL */
	case 0x22f4: /* IS-IS between switches */
	case 0x4305: /* B.A.T.M.A.N. mesh */
	case 0x8808: /* pause and other MAC control */
	case 0x8809: /* slow protocols: LACP, OAM */
	case 0x8870: /* LLC of frames too long for a length: IS-IS */
	case 0x887b: /* HomePlug 1.0: powerline adapters are bridges, and take commands from anybody */
	case 0x888e: /* 802.1X */
	case 0x8899: /* Realtek: remote control (RRCP) and loop detection */
	case 0x88a7: /* H3C and Huawei cluster management */
	case 0x88bf: /* MikroTik RoMON */
	case 0x88cc: /* LLDP */
	case 0x88e1: /* HomePlug AV */
	case 0x88e3: /* media redundancy */
	case 0x88e5: /* MACsec: between a port and its switch, and opaque to every rule below */
	case 0x88ee: /* E-LMI */
	case 0x88f5: /* MVRP */
	case 0x88f6: /* MMRP */
	case 0x88fb: /* PRP and HSR supervision */
	case 0x8902: /* CFM, Y.1731, G.8032 */
	case 0x8912: /* mediaXtream powerline */
	case 0x892f: /* HSR */
	case 0x893a: /* IEEE 1905.1 */
	case 0x8940: /* edge control protocol */
	case 0x9000: /* loopback, used for loop detection */
		return true;
	default:
		return false;
	}
}

bool policy_switch_tag_type(uint16_t type) {
	switch (type) {
	case 0x88e7: /* 802.1ah */
	case 0x8926: /* VN-Tag */
	case 0x893f: /* 802.1BR */
	case 0x9300: /* Q-in-Q of some vendors */
	case 0xf1c1: /* 802.1CB */
		return true;
	default:
		return false;
	}
}

/* A protocol number that is an EtherType. Only those that belong here may pass: for everything else the other rules
 * would have to be asked again, and a station that speaks it would use Ethernet II. */
static enum policy_rule check_encapsulated_type(uint16_t type) {
	switch (type) {
	case 0x809b: /* AppleTalk */
	case 0x80f3: /* AppleTalk ARP */
	case 0x8137: /* IPX */
	case 0x8138:
		return POLICY_PASS;
	default:
		return policy_control_type(type) ? POLICY_SWITCH_CONTROL : POLICY_LLC_ENCAPSULATION;
	}
}

static enum policy_rule check_snap(struct slice llc) {
	/* Some receivers skip a second control byte for other frame kinds and then find a SNAP header that we would not. */
	if (llc.len < SNAP_BYTES || llc.data[0] != SAP_SNAP || llc.data[1] != SAP_SNAP || llc.data[2] != 0x03)
		return POLICY_LLC_ENCAPSULATION;
	switch (base_get_u32(llc.data + LLC_BYTES) >> 8) {
	case 0x000000: /* RFC 1042 */
	case 0x0000f8: /* 802.1H bridge tunnel */
		return check_encapsulated_type(base_get_u16(llc.data + 6));
	case 0x00000c: /* Cisco */
	case 0x000081: /* Nortel SONMP */
	case 0x0080c2: /* 802.1: bridged frames and BPDUs */
	case 0x00e02b: /* Extreme EDP, EAPS, ESRP */
	case 0x00e052: /* Foundry FDP */
		return POLICY_SWITCH_CONTROL;
	default:
		return POLICY_PASS; /* a protocol of its owner (AppleTalk), not an EtherType */
	}
}

enum policy_rule policy_llc(struct slice llc) {
	uint8_t dsap, ssap;

	if (llc.len < 2)
		return POLICY_PASS; /* not even two service access points */
	dsap = llc.data[0] & SAP_MASK;
	ssap = llc.data[1] & SAP_MASK;
	if (dsap == SAP_STP || ssap == SAP_STP)
		return POLICY_SWITCH_CONTROL;
	if (dsap == SAP_SNAP || ssap == SAP_SNAP)
		return check_snap(llc);
	if (dsap == SAP_IP || ssap == SAP_IP || dsap == SAP_ARP || ssap == SAP_ARP)
		return POLICY_LLC_ENCAPSULATION;
	/* IS-IS, whose routes may be of IP. Not by the masked values, with which raw IPX (ff ff) looks the same. */
	if (llc.data[0] == SAP_OSI || llc.data[1] == SAP_OSI)
		return POLICY_ROUTER_ADVERTISEMENT;
	return POLICY_PASS; /* IPX raw (ff ff) or 802.2 (e0 e0), NetBIOS (f0 f0) and the like */
}
