/* Every rule in both directions: what it must stop and what it must let through, from a remote client and from the LAN.
 */
#include "policy/drop.h"

#include "tests/policy/frames.h"

#include <stdlib.h>

struct policy_case {
	const char *label;
	const char *frame;
	enum policy_rule remote, lan;
};

#define BOTH(rule) POLICY_##rule, POLICY_##rule
#define REMOTE_ONLY(rule) POLICY_##rule, POLICY_PASS
#define PASSES POLICY_PASS, POLICY_PASS

static const struct policy_case framing_cases[] = {
    {"nothing", "", BOTH(MALFORMED)},
    {"13 bytes", BROADCAST ME "08", BOTH(MALFORMED)},
    {"header alone", BROADCAST ME "0842", PASSES},
    {"tag cut off", BROADCAST ME "8100 0000 08", BOTH(MALFORMED)},
    {"five tags", BROADCAST ME "81000000 81000000 81000000 81000000 81000000 0842", BOTH(MALFORMED)},
    {"802.3 length too large", BROADCAST ME "0005 e0e003", BOTH(MALFORMED)},
    {"type 1501", BROADCAST ME "05dd z0700", BOTH(MALFORMED)},
    {"type 1535", BROADCAST ME "05ff z0700", BOTH(MALFORMED)},
    {"source zero", BROADCAST "000000000000 0842", BOTH(SOURCE)},
    {"source broadcast", BROADCAST BROADCAST "0842", BOTH(SOURCE)},
    {"source multicast", BROADCAST "01005e000001 0842", BOTH(SOURCE)},
    {"source IPv6 multicast", BROADCAST "333300000001 0842", BOTH(SOURCE)},
    {"malformed comes before source", BROADCAST BROADCAST "05ff", BOTH(MALFORMED)},
    {"1514 bytes", HOST ME "0842 z05dc", PASSES},
    {"1515 bytes", HOST ME "0842 z05dd", BOTH(JUMBO)},
    {"1518 bytes with a priority tag", HOST ME "8100 0000 0842 z05dc", POLICY_VLAN, POLICY_PASS},
    {"1519 bytes with a priority tag", HOST ME "8100 0000 0842 z05dd", BOTH(JUMBO)},
    {"1522 bytes with two tags", HOST ME "8100 0000 8100 0000 0842 z05dc", BOTH(JUMBO)},
    {"source comes before jumbo", BROADCAST BROADCAST "0842 z0800", BOTH(SOURCE)},
    {"jumbo comes before switch control", "0180c2000000" ME "0842 z0800", BOTH(JUMBO)},
};

static const struct policy_case control_cases[] = {
    {"STP", "0180c2000000" ME "( 424203 0000000000", BOTH(SWITCH_CONTROL)},
    {"pause", "0180c2000001" ME "8808 0001 ffff z002a", BOTH(SWITCH_CONTROL)},
    {"LACP", "0180c2000002" ME "8809 01", BOTH(SWITCH_CONTROL)},
    {"802.1X", "0180c2000003" ME "888e 0101", BOTH(SWITCH_CONTROL)},
    {"provider bridges", "0180c2000008" ME "0800 00", BOTH(SWITCH_CONTROL)},
    {"LLDP", "0180c200000e" ME "88cc 0207", BOTH(SWITCH_CONTROL)},
    {"last of the block", "0180c200000f" ME "0842", BOTH(SWITCH_CONTROL)},
    {"bridge management", "0180c2000010" ME "0842", BOTH(SWITCH_CONTROL)},
    {"GMRP", "0180c2000020" ME "( 424203 0001", BOTH(SWITCH_CONTROL)},
    {"GVRP, MVRP", "0180c2000021" ME "88f5 00", BOTH(SWITCH_CONTROL)},
    {"CFM", "0180c2000030" ME "8902 00", BOTH(SWITCH_CONTROL)},
    {"CDP", "01000ccccccc" ME "( aaaa03 00000c 2000 02b4", BOTH(SWITCH_CONTROL)},
    {"PVST+", "01000ccccccd" ME "( aaaa03 00000c 010b 0000", BOTH(SWITCH_CONTROL)},
    {"Cisco shared STP", "01000ccdcdcd" ME "( aaaa03 00000c 010b 0000", BOTH(SWITCH_CONTROL)},
    {"Cisco ISL", "01000c000000" ME "0842", BOTH(SWITCH_CONTROL)},
    {"CGMP", "01000cdddddd" ME "( aaaa03 00000c 2001 10", BOTH(SWITCH_CONTROL)},
    {"FDP", "01e052cccccc" ME "( aaaa03 00e052 2000 01", BOTH(SWITCH_CONTROL)},
    {"SONMP", "010081000100" ME "( aaaa03 000081 01a2 00", BOTH(SWITCH_CONTROL)},
    {"H3C loop detection", "010fe2000007" ME "9001 00", BOTH(SWITCH_CONTROL)},
    {"ring protection", "0119a7000001" ME "8902 00", BOTH(SWITCH_CONTROL)},
    {"media redundancy", "01154e000001" ME "88e3 00", BOTH(SWITCH_CONTROL)},

    {"pause to broadcast", BROADCAST ME "8808 0001 ffff", BOTH(SWITCH_CONTROL)},
    {"LACP to a host", HOST ME "8809 01", BOTH(SWITCH_CONTROL)},
    {"802.1X to a host", HOST ME "888e 0101", BOTH(SWITCH_CONTROL)},
    {"LLDP to broadcast", BROADCAST ME "88cc 0207", BOTH(SWITCH_CONTROL)},
    {"MVRP to a host", HOST ME "88f5 00", BOTH(SWITCH_CONTROL)},
    {"MMRP to a host", HOST ME "88f6 00", BOTH(SWITCH_CONTROL)},
    {"MSRP to a host", HOST ME "22ea 00", BOTH(SWITCH_CONTROL)},
    {"CFM to a host", HOST ME "8902 00", BOTH(SWITCH_CONTROL)},
    {"MACsec", HOST ME "88e5 00", BOTH(SWITCH_CONTROL)},
    {"Realtek remote control", BROADCAST ME "8899 0100", BOTH(SWITCH_CONTROL)},
    {"loopback", "cf0000000000" ME "9000 0000", BOTH(SWITCH_CONTROL)},
    {"powerline", BROADCAST ME "88e1 00", BOTH(SWITCH_CONTROL)},
    {"RoMON", BROADCAST ME "88bf 00", BOTH(SWITCH_CONTROL)},
    {"TRILL", BROADCAST ME "22f3 00", BOTH(SWITCH_CONTROL)},
    {"HSR", BROADCAST ME "892f 00", BOTH(SWITCH_CONTROL)},
    {"B.A.T.M.A.N.", BROADCAST ME "4305 00", BOTH(SWITCH_CONTROL)},
    {"IS-IS, jumbo", "09002b000005" ME "8870 fefe03 83", BOTH(SWITCH_CONTROL)},
    {"IS-IS to the groups of 802.1", "0180c2000014" ME "( fefe03 83", BOTH(SWITCH_CONTROL)},

    {"STP to broadcast", BROADCAST ME "( 424203 0000000000", BOTH(SWITCH_CONTROL)},
    {"STP to a host", HOST ME "( 424203 0000000000", BOTH(SWITCH_CONTROL)},
    {"STP by its destination SAP", HOST ME "( 420003 00", BOTH(SWITCH_CONTROL)},
    {"STP by its source SAP", HOST ME "( 004203 00", BOTH(SWITCH_CONTROL)},
    {"STP to the group SAP", HOST ME "( 434203 00", BOTH(SWITCH_CONTROL)},
    {"STP as a response", HOST ME "( 004303 00", BOTH(SWITCH_CONTROL)},
    {"STP in padding", HOST ME "( . 424203 0000", BOTH(SWITCH_CONTROL)},
    {"CDP to a host", HOST ME "( aaaa03 00000c 2000 02b4", BOTH(SWITCH_CONTROL)},
    {"VTP to broadcast", BROADCAST ME "( aaaa03 00000c 2003 01", BOTH(SWITCH_CONTROL)},
    {"DTP to broadcast", BROADCAST ME "( aaaa03 00000c 2004 01", BOTH(SWITCH_CONTROL)},
    {"PAgP to broadcast", BROADCAST ME "( aaaa03 00000c 0104 01", BOTH(SWITCH_CONTROL)},
    {"UDLD to broadcast", BROADCAST ME "( aaaa03 00000c 0111 01", BOTH(SWITCH_CONTROL)},
    {"PVST+ to broadcast", BROADCAST ME "( aaaa03 00000c 010b 0000", BOTH(SWITCH_CONTROL)},
    {"EDP", "00e02b000000" ME "( aaaa03 00e02b 00bb 01", BOTH(SWITCH_CONTROL)},
    {"BPDU as a bridged frame", BROADCAST ME "( aaaa03 0080c2 000e 00", BOTH(SWITCH_CONTROL)},
    {"LLDP in SNAP", BROADCAST ME "( aaaa03 000000 88cc 02", BOTH(SWITCH_CONTROL)},
    {"LACP in the bridge tunnel", BROADCAST ME "( aaaa03 0000f8 8809 01", BOTH(SWITCH_CONTROL)},
    {"SONMP's group", "010081000100" ME "0842", BOTH(SWITCH_CONTROL)},
    {"SONMP to a host", HOST ME "( aaaa03 000081 01a2 00", BOTH(SWITCH_CONTROL)},
    {"FDP's group", "01e052cccccc" ME "0842", BOTH(SWITCH_CONTROL)},
    {"FDP to a host", HOST ME "( aaaa03 00e052 2000 01", BOTH(SWITCH_CONTROL)},
    {"Enterasys discovery", "01001d000000" ME "0842", BOTH(SWITCH_CONTROL)},
    {"media redundancy's group", "01154e000001" ME "0842", BOTH(SWITCH_CONTROL)},
    {"G.8032's group", "0119a7000001" ME "0842", BOTH(SWITCH_CONTROL)},
    {"IS-IS between switches to a host", HOST ME "22f4 00", BOTH(SWITCH_CONTROL)},
    {"HomePlug 1.0 to a host", HOST ME "887b 00", BOTH(SWITCH_CONTROL)},
    {"H3C cluster management to a host", HOST ME "88a7 00", BOTH(SWITCH_CONTROL)},
    {"media redundancy to a host", HOST ME "88e3 00", BOTH(SWITCH_CONTROL)},
    {"E-LMI to a host", HOST ME "88ee 00", BOTH(SWITCH_CONTROL)},
    {"PRP supervision to a host", HOST ME "88fb 00", BOTH(SWITCH_CONTROL)},
    {"mediaXtream to a host", HOST ME "8912 00", BOTH(SWITCH_CONTROL)},
    {"IEEE 1905.1 to a host", HOST ME "893a 00", BOTH(SWITCH_CONTROL)},
    {"edge control protocol to a host", HOST ME "8940 00", BOTH(SWITCH_CONTROL)},

    {"STP behind a tag", "0180c2000000" ME "8100 0005 ( 424203 00", BOTH(SWITCH_CONTROL)},
    {"STP to a host behind a priority tag", HOST ME "8100 0000 ( 424203 00", BOTH(SWITCH_CONTROL)},
    {"LLDP to a host behind two tags", HOST ME "88a8 0000 8100 0000 88cc 02", BOTH(SWITCH_CONTROL)},
    {"PVST+ behind a tag", "01000ccccccd" ME "8100 0005 ( aaaa03 00000c 010b 00", BOTH(SWITCH_CONTROL)},

    {"nearly the block", "0180c3000000" ME "0842", PASSES},
    {"nearly Cisco", "01000dcccccc" ME "0842", PASSES},
    {"unicast of the 802.1 vendor", "0080c2000000" ME "0842", PASSES},
    {"IPv4 multicast", IP4_MC ME "0842", PASSES},
    {"LLDP's number as an 802.3 length is none", HOST ME "( e0e003 88cc", PASSES},
};

static const struct policy_case vlan_cases[] = {
    {"802.1Q", HOST ME "8100 0005 0842", BOTH(VLAN)},
    {"802.1ad", HOST ME "88a8 0005 0842", BOTH(VLAN)},
    {"old Q-in-Q", HOST ME "9100 0005 0842", BOTH(VLAN)},
    {"older Q-in-Q", HOST ME "9200 0005 0842", BOTH(VLAN)},
    {"stacked", HOST ME "88a8 0005 8100 0006 0842", BOTH(VLAN)},
    {"VID under a priority tag", HOST ME "8100 0000 8100 0005 0842", BOTH(VLAN)},
    {"highest VID", HOST ME "8100 0fff 0842", BOTH(VLAN)},
    {"priority tag", HOST ME "8100 e000 0842", REMOTE_ONLY(VLAN)},
    {"priority tags stacked", HOST ME "8100 0000 88a8 0000 0842", REMOTE_ONLY(VLAN)},
    {"802.1ah", HOST ME "88e7 00000001", BOTH(VLAN)},
    {"802.1BR", HOST ME "893f 00000001", BOTH(VLAN)},
    {"VN-Tag", HOST ME "8926 00000001", BOTH(VLAN)},
    {"802.1CB", HOST ME "f1c1 00000001", BOTH(VLAN)},
    {"9300", HOST ME "9300 0005 0842", BOTH(VLAN)},
    {"ARP under a priority tag", BROADCAST ME "8100 0000 0806" ARP("0001", ME), REMOTE_ONLY(VLAN)},
    {"bad ARP under a priority tag", BROADCAST ME "8100 0000 0806 0001", POLICY_VLAN, POLICY_ARP},
    {"untagged", HOST ME "0842", PASSES},
};

static const struct policy_case llc_cases[] = {
    {"IPv4 in SNAP", HOST ME "( aaaa03 000000 0800" IP4("0000", "11") UDP("4000", "4001"),
     REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"ARP in SNAP", BROADCAST ME "( aaaa03 000000 0806" ARP("0001", ME), REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"RARP in SNAP", BROADCAST ME "( aaaa03 000000 8035 0001", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"IPv6 in SNAP", HOST ME "( aaaa03 000000 86dd" IP6("3a") ICMP6("86"), REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"VLAN in SNAP", HOST ME "( aaaa03 000000 8100 0005 0800", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"802.1ad in SNAP", HOST ME "( aaaa03 000000 88a8 0005 0800", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"PPPoE in SNAP", HOST ME "( aaaa03 000000 8864 11", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"IPv4 in the bridge tunnel", HOST ME "( aaaa03 0000f8 0800 45", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"ARP in the bridge tunnel", HOST ME "( aaaa03 0000f8 0806 00", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"IPv6 in the bridge tunnel", HOST ME "( aaaa03 0000f8 86dd 60", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP as a response", HOST ME "( aaab03 000000 8137 ff", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP to the group SAP", HOST ME "( abaa03 000000 8137 ff", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP with another control byte", HOST ME "( aaaaf3 000000 8137 ff", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP behind two control bytes, posing as private", HOST ME "( aaaa0008 000000 8137 ff",
     REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP behind two control bytes", HOST ME "( aaaa0000 000000 8137 ff", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP from another SAP", HOST ME "( aa0003 000000 8137 ff", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP to another SAP", HOST ME "( 00aa03 000000 8137 ff", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP cut off", HOST ME "( aaaa03 000000 86", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"SNAP behind a short length", HOST ME "( . aaaa03 000000 86dd 60", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"IP by LLC", HOST ME "( 060603 45", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"IP by LLC as a response", HOST ME "( 000703 45", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"IP by LLC to its SAP", HOST ME "( 060003 45", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"ARP by LLC", HOST ME "( 989803 00", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"ARP by LLC to its SAP", HOST ME "( 980003 00", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"ARP by LLC from its SAP", HOST ME "( 009803 00", REMOTE_ONLY(LLC_ENCAPSULATION)},
    {"IPv6 in SNAP under a priority tag", HOST ME "8100 0000 ( aaaa03 000000 86dd 60", REMOTE_ONLY(VLAN)},
    {"IS-IS", "09002b000005" ME "( fefe03 83", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"IS-IS to a host", HOST ME "( fefe03 83", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"IS-IS to all SAPs", BROADCAST ME "( fffe03 83", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"IS-IS as a response", HOST ME "( feff03 83", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"IS-IS in padding", HOST ME "( . fefe03 83", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},

    {"IPX, Ethernet II", BROADCAST ME "8137 ffff 0022 0004 00000000 ffffffffffff 0451", PASSES},
    {"IPX, raw 802.3", BROADCAST ME "( ffff 0022 0004 00000000 ffffffffffff 0451", PASSES},
    {"IPX, 802.2", BROADCAST ME "( e0e003 ffff 0022 0004 00000000 ffffffffffff 0451", PASSES},
    {"IPX, SNAP", BROADCAST ME "( aaaa03 000000 8137 ffff 0022 0004 00000000", PASSES},
    {"IPX, raw 802.3, padded", BROADCAST ME "( ffff 0022 0004 00000000 . z0020", PASSES},
    {"IPX, bridge tunnel", BROADCAST ME "( aaaa03 0000f8 8137 ffff 0022", PASSES},
    {"NetBIOS frames", "030000000001" ME "( f0f003 2c00ffef08", PASSES},
    {"NetBIOS frames, response", HOST ME "( f0f103 2c00ffef08", PASSES},
    {"AppleTalk", "090007ffffff" ME "( aaaa03 080007 809b 0011", PASSES},
    {"AppleTalk by its EtherType", "090007ffffff" ME "( aaaa03 000000 809b 0011", PASSES},
    {"Novell's second EtherType in SNAP", BROADCAST ME "( aaaa03 000000 8138 ffff", PASSES},
    {"AppleTalk ARP", "090007ffffff" ME "( aaaa03 000000 80f3 0001", PASSES},
    {"AppleTalk ARP, bridge tunnel", "090007ffffff" ME "( aaaa03 0000f8 80f3 0001", PASSES},
    {"LLC test", HOST ME "( 0000f3", PASSES},
    {"LLC of one byte", HOST ME "( 00", PASSES},
    {"802.3 without payload", HOST ME "(", PASSES},
};

static const struct policy_case arp_cases[] = {
    {"request", BROADCAST ME "0806" ARP("0001", ME), PASSES},
    {"request, padded", BROADCAST ME "0806" ARP("0001", ME) "z0012", PASSES},
    {"reply", HOST ME "0806" ARP("0002", ME), PASSES},
    {"probe", BROADCAST ME "0806" ARP_HEAD "0001" ME "00000000 000000000000 c0a80032", PASSES},
    {"sender is another", BROADCAST ME "0806" ARP("0001", HOST), REMOTE_ONLY(ARP)},
    {"reply for another", HOST ME "0806" ARP("0002", HOST), REMOTE_ONLY(ARP)},
    {"sender zero", BROADCAST ME "0806" ARP("0001", "000000000000"), REMOTE_ONLY(ARP)},
    {"empty", BROADCAST ME "0806", BOTH(ARP)},
    {"one byte short", BROADCAST ME "0806" ARP_HEAD "0001" ME "c0a80032 000000000000 c0a800", BOTH(ARP)},
    {"hardware type", BROADCAST ME "0806 0006 0800 06 04 0001" ME "z000e", BOTH(ARP)},
    {"protocol type", BROADCAST ME "0806 0001 86dd 06 04 0001" ME "z000e", BOTH(ARP)},
    {"hardware length", BROADCAST ME "0806 0001 0800 08 04 0001" ME "z0020", BOTH(ARP)},
    {"protocol length", BROADCAST ME "0806 0001 0800 06 10 0001" ME "z0020", BOTH(ARP)},
    {"operation 0", BROADCAST ME "0806" ARP("0000", ME), BOTH(ARP)},
    {"operation of RARP", BROADCAST ME "0806" ARP("0003", ME), BOTH(ARP)},
    {"operation of inverse ARP", BROADCAST ME "0806" ARP("0008", ME), BOTH(ARP)},
    {"RARP request, as hypervisors announce", BROADCAST ME "8035" ARP("0003", ME), PASSES},
    {"RARP request for another", BROADCAST ME "8035" ARP("0003", HOST), REMOTE_ONLY(ARP)},
    {"RARP reply", HOST ME "8035" ARP("0004", ME), REMOTE_ONLY(ARP)},
    {"RARP with ARP's operation", HOST ME "8035" ARP("0001", ME), BOTH(ARP)},
    {"RARP cut off", BROADCAST ME "8035 0001", BOTH(ARP)},
};

static const struct policy_case ipv4_cases[] = {
    {"DHCP offer", BROADCAST ME "0800" IP4("0000", "11") UDP("0043", "0044"), REMOTE_ONLY(DHCP4_SERVER)},
    {"DHCP offer, padded", BROADCAST ME "0800" IP4("0000", "11") UDP("0043", "0044") ". z0020",
     REMOTE_ONLY(DHCP4_SERVER)},
    {"from the server port to any", HOST ME "0800" IP4("0000", "11") UDP("0043", "1000"), REMOTE_ONLY(DHCP4_SERVER)},
    {"from any port to the client's", HOST ME "0800" IP4("0000", "11") UDP("1000", "0044"), REMOTE_ONLY(DHCP4_SERVER)},
    {"between servers", HOST ME "0800" IP4("0000", "11") UDP("0043", "0043"), REMOTE_ONLY(DHCP4_SERVER)},
    {"behind options", BROADCAST ME "0800 4600 [ 0001 0000 4011 0000 c0a80032 c0a80001 01010100" UDP("0043", "0044"),
     REMOTE_ONLY(DHCP4_SERVER)},
    {"behind the most options",
     BROADCAST ME "0800 4f00 [ 0001 0000 4011 0000 c0a80032 c0a80001 z0028" UDP("0043", "0044"),
     REMOTE_ONLY(DHCP4_SERVER)},
    {"options made to look like harmless ports",
     BROADCAST ME "0800 4700 [ 0001 0000 4011 0000 c0a80032 c0a80001 0044004300100000" UDP("0043", "0044"),
     REMOTE_ONLY(DHCP4_SERVER)},
    {"first fragment", BROADCAST ME "0800" IP4("2000", "11") UDP("0043", "0044"), REMOTE_ONLY(DHCP4_SERVER)},
    {"first fragment of 8 bytes", BROADCAST ME "0800" IP4("2000", "11") "0043 0044 0100 0000",
     REMOTE_ONLY(DHCP4_SERVER)},
    {"first fragment with options",
     BROADCAST ME "0800 4600 [ 0001 2000 4011 0000 c0a80032 c0a80001 01010100 0043 0044 0100 0000",
     REMOTE_ONLY(DHCP4_SERVER)},
    {"don't fragment", BROADCAST ME "0800" IP4("4000", "11") UDP("0043", "0044"), REMOTE_ONLY(DHCP4_SERVER)},

    {"DHCP discover", BROADCAST ME "0800" IP4("0000", "11") UDP("0044", "0043"), PASSES},
    {"DHCP from a high port", HOST ME "0800" IP4("0000", "11") UDP("c000", "0043"), PASSES},
    {"UDP", HOST ME "0800" IP4("0000", "11") UDP("4000", "4001"), PASSES},
    {"UDP behind options", HOST ME "0800 4600 [ 0001 0000 4011 0000 c0a80032 c0a80001 01010100" UDP("4000", "4001"),
     PASSES},
    {"UDP with server ports as payload", HOST ME "0800" IP4("0000", "11") "4000 4001 000c 0000 0043 0044", PASSES},
    {"TCP with the server's port", HOST ME "0800" IP4("0000", "06") "0043 0044 z0010", PASSES},
    {"UDP, first fragment", HOST ME "0800" IP4("2000", "11") UDP("4000", "4001"), PASSES},
    {"UDP, first fragment of 8 bytes", HOST ME "0800" IP4("2000", "11") "4000 4001 0100 0000", PASSES},
    {"UDP, second fragment at 8", HOST ME "0800" IP4("2001", "11") "0043 0044 0100 0000", PASSES},
    {"UDP, middle fragment", HOST ME "0800" IP4("20b9", "11") "0043 0044 0100 0000", PASSES},
    {"UDP, last fragment of one byte", HOST ME "0800" IP4("0172", "11") "00", PASSES},
    {"UDP, last fragment to the last byte", HOST ME "0800" IP4("1fff", "11") "00000000000000", PASSES},
    {"ICMP echo", HOST ME "0800" IP4("0000", "01") "0800 0000 0001 0001", PASSES},
    {"ICMP echo whose checksum is a DHCP client's port", HOST ME "0800" IP4("0000", "01") "0800 0044 0001 0001",
     PASSES},
    {"ICMP echo whose checksum is RIP's port", HOST ME "0800" IP4("0000", "01") "0800 0208 0001 0001", PASSES},
    {"UDP whose source port begins as a redirect", HOST ME "0800" IP4("0000", "11") UDP("0514", "4001"), PASSES},
    {"ICMP unreachable", HOST ME "0800" IP4("0000", "01") "0304 0000 0000 0578", PASSES},
    {"ICMP router solicitation", HOST ME "0800" IP4("0000", "01") "0a00 0000 0000 0000", PASSES},
    {"ICMP redirect", HOST ME "0800" IP4("0000", "01") "0501 0000 c0a80032", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"ICMP router advertisement", HOST ME "0800" IP4("0000", "01") "0900 0000 0102 0708",
     REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"ICMP redirect, first fragment", HOST ME "0800" IP4("2000", "01") "0501 0000 c0a80032",
     REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"ICMP, second fragment", HOST ME "0800" IP4("0001", "01") "0501 0000 c0a80032", PASSES},
    {"ICMP without a whole header", HOST ME "0800" IP4("0000", "01") "0501 0000 c0a800", REMOTE_ONLY(IP_MALFORMED)},
    {"IGMP leave", "01005e000002" ME "0800 4600 [ 0001 0000 0102 0000 c0a80032 e0000002 94040000 1700 0000 e00000fb",
     PASSES},
    {"IGMP query", "01005e000001" ME "0800 4600 [ 0001 0000 0102 0000 c0a80032 e0000001 94040000 1164 0000 00000000",
     REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"multicast router advertisement", "01005e00006a" ME "0800" IP4("0000", "02") "3014 0000 0000 0000",
     REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"IGMP of another kind", "01005e000004" ME "0800" IP4("0000", "02") "1301 0000 0000 0000",
     REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"IGMP report of version 1", IP4_MC ME "0800" IP4("0000", "02") "1200 0000 e00000fb", PASSES},
    {"IGMP report of version 2", IP4_MC ME "0800" IP4("0000", "02") "1600 0000 e00000fb", PASSES},
    {"multicast router solicitation", "01005e000002" ME "0800" IP4("0000", "02") "3100 0000 0000 0000", PASSES},
    {"EIGRP", "01005e00000a" ME "0800" IP4("0000", "58") "0205 0000", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"OSPF", "01005e000005" ME "0800" IP4("0000", "59") "0201 0030", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"OSPF to a host", HOST ME "0800" IP4("0000", "59") "0202 0020", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"OSPF, second fragment", HOST ME "0800" IP4("0001", "59") "00", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"PIM", "01005e00000d" ME "0800" IP4("0000", "67") "2000 0000", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"IS-IS over IPv4", HOST ME "0800" IP4("0000", "7c") "83", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"RIP", "01005e000009" ME "0800" IP4("0000", "11") UDP("0208", "0208"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"RIP to a host, from any port", HOST ME "0800" IP4("0000", "11") UDP("c000", "0208"),
     REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"RIP, first fragment", BROADCAST ME "0800" IP4("2000", "11") UDP("0208", "0208"),
     REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"HSRP", "01005e000002" ME "0800" LINK4("11") UDP("07c1", "07c1"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"HSRP to a host's MAC", HOST ME "0800" LINK4("11") UDP("c000", "07c1"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"GLBP", "01005e000066" ME "0800" LINK4("11") UDP("0c96", "0c96"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"a game's server to HSRP's port", HOST ME "0800" IP4("0000", "11") UDP("6987", "07c1"), PASSES},
    {"a game's client from GLBP's port", HOST ME "0800" IP4("0000", "11") UDP("0c96", "6987"), PASSES},
    {"a game's broadcast to GLBP's port",
     BROADCAST ME "0800 4500 [ 0001 0000 4011 0000 c0a80032 ffffffff" UDP("0c96", "0c96"), PASSES},
    {"a game's group with HSRP's port",
     "01005e000066" ME "0800 4500 [ 0001 0000 4011 0000 c0a80032 ef000066" UDP("07c1", "07c1"), PASSES},
    {"LLMNR", "01005e0000fc" ME "0800" LINK4("11") UDP("c000", "14eb"), PASSES},
    {"PPPoE discovery", HOST ME "8863 1107 0000 0000", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"PPPoE session", HOST ME "8864 1100 0001 0000", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"VRRP", "01005e000012" ME "0800" IP4("0000", "70") "2101 ff01 0001 0000 c0a80001",
     REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"VRRP, second fragment", "01005e000012" ME "0800" IP4("0001", "70") "00", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"IGMP report", "01005e000016" ME "0800 4600 [ 0001 0000 0102 0000 c0a80032 e0000016 94040000 2200 0000 0000 0001",
     PASSES},
    {"mDNS", IP4_MC ME "0800" IP4("0000", "11") UDP("14e9", "14e9"), PASSES},
    {"SSDP", "01005e7ffffa" ME "0800" IP4("0000", "11") UDP("c001", "076c"), PASSES},
    {"NetBIOS name service", BROADCAST ME "0800" IP4("0000", "11") UDP("0089", "0089"), PASSES},
    {"NetBIOS datagram", BROADCAST ME "0800" IP4("0000", "11") UDP("008a", "008a"), PASSES},
    {"Wake-on-LAN by UDP", BROADCAST ME "0800" IP4("0000", "11") UDP("c001", "0009"), PASSES},
    {"Wake-on-LAN", BROADCAST ME "0842 ffffffffffff 020000000002", PASSES},
    {"6in4", HOST ME "0800" IP4("0000", "29") IP6("3a") ICMP6("86"), PASSES},
    {"padded", HOST ME "0800" IP4("0000", "11") UDP("4000", "4001") ". z0010", PASSES},
    {"header alone", HOST ME "0800" IP4("0000", "fd"), PASSES},

    {"empty", HOST ME "0800", REMOTE_ONLY(IP_MALFORMED)},
    {"cut off", HOST ME "0800 4500 0014 0001 0000 4001 0000 c0a80032 c0a800", REMOTE_ONLY(IP_MALFORMED)},
    {"version 6", HOST ME "0800 6500 [ 0001 0000 40fd 0000 c0a80032 c0a80001", REMOTE_ONLY(IP_MALFORMED)},
    {"header length 16", HOST ME "0800 4400 [ 0001 0000 40fd 0000 c0a80032 c0a80001", REMOTE_ONLY(IP_MALFORMED)},
    {"header length over the packet", HOST ME "0800 4600 [ 0001 0000 40fd 0000 c0a80032 c0a80001",
     REMOTE_ONLY(IP_MALFORMED)},
    {"total length under the header", HOST ME "0800 4500 0013 0001 0000 40fd 0000 c0a80032 c0a80001 z0010",
     REMOTE_ONLY(IP_MALFORMED)},
    {"total length 0", HOST ME "0800 4500 0000 0001 0000 4011 0000 c0a80032 c0a80001" UDP("4000", "4001"),
     REMOTE_ONLY(IP_MALFORMED)},
    {"total length over the frame", HOST ME "0800 4500 0025 0001 0000 4011 0000 c0a80032 c0a80001" UDP("4000", "4001"),
     REMOTE_ONLY(IP_MALFORMED)},
    {"UDP header behind the total length", BROADCAST ME "0800" IP4("0000", "11") "." UDP("0043", "0044"),
     REMOTE_ONLY(IP_MALFORMED)},
    {"tiny first fragment", BROADCAST ME "0800" IP4("2000", "11") "4000 4001", REMOTE_ONLY(IP_MALFORMED)},
    {"empty first fragment", BROADCAST ME "0800" IP4("2000", "11"), REMOTE_ONLY(IP_MALFORMED)},
    {"UDP without a whole header", BROADCAST ME "0800" IP4("0000", "11") "4000 4001 0008 00",
     REMOTE_ONLY(IP_MALFORMED)},
    {"fragment not of eights", HOST ME "0800" IP4("2001", "11") "00", REMOTE_ONLY(IP_MALFORMED)},
    {"fragment past 65535", HOST ME "0800" IP4("1fff", "11") "0000000000000000", REMOTE_ONLY(IP_MALFORMED)},
};

/* A prefix (RFC 4861 section 4.6.2) of so many bits, with flags, 2000:: */
#define PREFIX(bits, flags) "0304" bits flags "ffffffff ffffffff 00000000 2000 z000e"
#define ADVERTISED(options) IP6_MC ME "86dd" IP6("3a") ICMP6("86") options

static const struct policy_case ipv6_cases[] = {
    {"2000::/3 on the link", ADVERTISED(PREFIX("03", "c0")), BOTH(ROUTER_ADVERTISEMENT)},
    {"without addresses of it", ADVERTISED(PREFIX("00", "80")), BOTH(ROUTER_ADVERTISEMENT)},
    {"behind other options", ADVERTISED("0101 020000000001" PREFIX("40", "c0") PREFIX("2f", "80")),
     BOTH(ROUTER_ADVERTISEMENT)},
    {"behind an extension header", IP6_MC ME "86dd" IP6("00") "3a00 0502 0000 0100" ICMP6("86") PREFIX("03", "80"),
     BOTH(ROUTER_ADVERTISEMENT)},
    {"2000::/48 on the link", ADVERTISED(PREFIX("30", "80")), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"2000::/64 on the link", ADVERTISED(PREFIX("40", "c0")), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"2000::/3 beyond the link", ADVERTISED(PREFIX("03", "40")), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"a route to 2000::/3", ADVERTISED("1803 0300 ffffffff 2000 z000e"), BOTH(ROUTER_ADVERTISEMENT)},
    {"a route to 2000::/47", ADVERTISED("1803 2f00 ffffffff 2000 z000e"), BOTH(ROUTER_ADVERTISEMENT)},
    {"a route to 2000::/48", ADVERTISED("1803 3000 ffffffff 2000 z000e"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"a default route", ADVERTISED("1801 0000 ffffffff"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"an option of no length", ADVERTISED("0100" PREFIX("03", "c0")), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"a prefix in a router solicitation", IP6_MC ME "86dd" IP6("3a") ICMP6("85") PREFIX("03", "c0"), PASSES},
    {"router advertisement", IP6_MC ME "86dd" IP6("3a") ICMP6("86"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"redirect", HOST ME "86dd" IP6("3a") ICMP6("89"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"MLD query", IP6_MC ME "86dd" IP6("00") "3a00 0502 0000 0100" ICMP6("82"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"multicast router advertisement", IP6_MC ME "86dd" IP6("3a") ICMP6("97"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"multicast router solicitation", IP6_MC ME "86dd" IP6("3a") ICMP6("98"), PASSES},
    {"multicast router termination", IP6_MC ME "86dd" IP6("3a") ICMP6("99"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"VRRP", IP6_MC ME "86dd" IP6("70") "3101 ff01 0064 0000", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"EIGRP", "33330000000a" ME "86dd" IP6("58") "0205 0000", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"OSPF", "333300000005" ME "86dd" IP6("59") "0301 0024", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"PIM", "33330000000d" ME "86dd" IP6("67") "2000 0000", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"RIPng", "333300000009" ME "86dd" IP6("11") UDP("0209", "0209"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"HSRP", "333300000066" ME "86dd" IP6("11") UDP("07ed", "07ed"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"GLBP", "333300000066" ME "86dd" IP6("11") UDP("0c96", "0c96"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
    {"a game's server to HSRP's port",
     HOST ME
     "86dd 60000000 { 11ff fe800000000000000000000000000001 fe800000000000000000000000000002" UDP("6987", "07ed"),
     PASSES},
    {"DHCPv6 reply", HOST ME "86dd" IP6("11") UDP("0223", "0222"), REMOTE_ONLY(DHCP6_SERVER)},
    {"DHCPv6 reply to any port", HOST ME "86dd" IP6("11") UDP("0223", "1000"), REMOTE_ONLY(DHCP6_SERVER)},
    {"DHCPv6 reply from any port", HOST ME "86dd" IP6("11") UDP("1000", "0222"), REMOTE_ONLY(DHCP6_SERVER)},
    {"DHCPv6 relay reply to a relay agent", HOST ME "86dd" IP6("11") "1000 0223 0010 0000 0d00 z0006",
     REMOTE_ONLY(DHCP6_SERVER)},
    {"DHCPv6 reply to a relay agent", HOST ME "86dd" IP6("11") "1000 0223 0010 0000 0700 z0006",
     REMOTE_ONLY(DHCP6_SERVER)},
    {"DHCPv6 reconfigure to a relay agent", HOST ME "86dd" IP6("11") "1000 0223 0010 0000 0a00 z0006",
     REMOTE_ONLY(DHCP6_SERVER)},
    {"DHCPv6 advertise to a relay agent", HOST ME "86dd" IP6("11") "0222 0223 0010 0000 0200 z0006",
     REMOTE_ONLY(DHCP6_SERVER)},
    {"DHCPv6 request", HOST ME "86dd" IP6("11") "0222 0223 0010 0000 0300 z0006", PASSES},
    {"DHCPv6 without a message", HOST ME "86dd" IP6("11") "0222 0223 0008 0000", PASSES},
    {"DHCPv6 between relays", HOST ME "86dd" IP6("11") UDP("0223", "0223"), REMOTE_ONLY(DHCP6_SERVER)},
    {"fragment", HOST ME "86dd" IP6("2c") "11 00 0001 00000001" UDP("4000", "4001"), REMOTE_ONLY(IPV6_FRAGMENT)},
    {"atomic fragment", HOST ME "86dd" IP6("2c") "11 00 0000 00000001" UDP("4000", "4001"), REMOTE_ONLY(IPV6_FRAGMENT)},
    {"fragment header cut off", HOST ME "86dd" IP6("2c") "11", REMOTE_ONLY(IPV6_FRAGMENT)},

    {"neighbour solicitation", "3333ff000001" ME "86dd" IP6("3a") ICMP6("87"), PASSES},
    {"neighbour advertisement", HOST ME "86dd" IP6("3a") ICMP6("88"), PASSES},
    {"router solicitation", "333300000002" ME "86dd" IP6("3a") ICMP6("85"), PASSES},
    {"MLDv2 report", "333300000016" ME "86dd" IP6("00") "3a00 0502 0000 0100" ICMP6("8f"), PASSES},
    {"MLD report", "333300000016" ME "86dd" IP6("00") "3a00 0502 0000 0100" ICMP6("83"), PASSES},
    {"MLD done", "333300000002" ME "86dd" IP6("00") "3a00 0502 0000 0100" ICMP6("84"), PASSES},
    {"echo", HOST ME "86dd" IP6("3a") ICMP6("80"), PASSES},
    {"packet too big", HOST ME "86dd" IP6("3a") ICMP6("02"), PASSES},
    {"mDNS", "3333000000fb" ME "86dd" IP6("11") UDP("14e9", "14e9"), PASSES},
    {"DHCPv6 solicit", "333300010002" ME "86dd" IP6("11") UDP("0222", "0223"), PASSES},
    {"UDP", HOST ME "86dd" IP6("11") UDP("4000", "4001"), PASSES},
    {"UDP behind destination options", HOST ME "86dd" IP6("3c") "1100 010400000000" UDP("4000", "4001"), PASSES},
    {"TCP", HOST ME "86dd" IP6("06") "0223 0222 z0010", PASSES},
    {"no next header", HOST ME "86dd" IP6("3b"), PASSES},
    {"no next header with bytes behind", HOST ME "86dd" IP6("3b") "8600", PASSES},
    {"ESP", HOST ME "86dd" IP6("32") "00000001 00000001", PASSES},
    {"AH before TCP",
     HOST ME "86dd" IP6("33") "0604 0000 00000001 00000001 z000c"
                              "0050 1000 z0010",
     PASSES},
    {"4in6", HOST ME "86dd" IP6("04") IP4("0000", "11") UDP("0043", "0044"), PASSES},
    {"SCTP", HOST ME "86dd" IP6("84") "0223 0222 00000000", PASSES},
    {"padded", HOST ME "86dd" IP6("3b") ". z0010", PASSES},

    {"undecidable: 253", HOST ME "86dd" IP6("fd") "3a00 0000 00000000" ICMP6("86"), REMOTE_ONLY(IPV6_CHAIN)},
    {"undecidable: 254", HOST ME "86dd" IP6("fe") "3a00 0000 00000000" ICMP6("86"), REMOTE_ONLY(IPV6_CHAIN)},
    {"undecidable: 255", HOST ME "86dd" IP6("ff") "3a00 0000 00000000" ICMP6("86"), REMOTE_ONLY(IPV6_CHAIN)},
    {"undecidable: unassigned", HOST ME "86dd" IP6("94") "3a00 0000 00000000" ICMP6("86"), REMOTE_ONLY(IPV6_CHAIN)},
    {"highest assigned", HOST ME "86dd" IP6("93") "3a00 0000 00000000", PASSES},
    {"hop-by-hop twice", HOST ME "86dd" IP6("00") "0000 010400000000 3a00 010400000000" ICMP6("87"),
     REMOTE_ONLY(IPV6_CHAIN)},
    {"hop-by-hop in second place", HOST ME "86dd" IP6("3c") "0000 010400000000 3a00 010400000000" ICMP6("87"),
     REMOTE_ONLY(IPV6_CHAIN)},
    {"ICMPv6 without a byte", HOST ME "86dd" IP6("3a"), REMOTE_ONLY(IPV6_CHAIN)},
    {"ICMPv6 of three bytes", HOST ME "86dd" IP6("3a") "870000", REMOTE_ONLY(IPV6_CHAIN)},
    {"ICMPv6 behind the payload length", HOST ME "86dd" IP6("3a") "." ICMP6("86"), REMOTE_ONLY(IPV6_CHAIN)},
    {"UDP of seven bytes", HOST ME "86dd" IP6("11") "40004001000800", REMOTE_ONLY(IPV6_CHAIN)},
    {"extension header cut off", HOST ME "86dd" IP6("3c") "3a", REMOTE_ONLY(IPV6_CHAIN)},
    {"extension header over the end",
     HOST ME "86dd" IP6("3c") "3a01 010400000000"
                              "0104000000",
     REMOTE_ONLY(IPV6_CHAIN)},
    {"extension header one byte over the end",
     HOST ME "86dd" IP6("3c") "0601 010400000000"
                              "01040000000000",
     REMOTE_ONLY(IPV6_CHAIN)},
    {"longest extension header", HOST ME "86dd" IP6("3c") "3aff 0104 z0004", REMOTE_ONLY(IPV6_CHAIN)},
    {"chain to the last byte, nothing behind", HOST ME "86dd" IP6("3c") "3a00 010400000000", REMOTE_ONLY(IPV6_CHAIN)},
    {"UDP header alone", HOST ME "86dd" IP6("11") "4000 4001 0008 0000", PASSES},
    {"ICMPv6 header alone", HOST ME "86dd" IP6("3a") "80 00 0000", PASSES},

    {"empty", HOST ME "86dd", REMOTE_ONLY(IP_MALFORMED)},
    {"cut off", HOST ME "86dd 60000000 0000 3bff z001f", REMOTE_ONLY(IP_MALFORMED)},
    {"version 4", HOST ME "86dd 40000000 { 3bff z0020", REMOTE_ONLY(IP_MALFORMED)},
    {"payload length over the frame", HOST ME "86dd 60000000 0001 3bff z0020", REMOTE_ONLY(IP_MALFORMED)},
    {"jumbogram", HOST ME "86dd 60000000 0000 00ff z0020 3a00 c204 00010000", REMOTE_ONLY(IP_MALFORMED)},
};

static uint8_t *exact_copy(const uint8_t *bytes, size_t len) {
	uint8_t *copy = malloc(len > 0 ? len : 1); /* so that sanitizers see any overrun */

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	return copy;
}

static enum policy_rule verdict(const struct test_frame *frame, enum policy_origin origin) {
	uint8_t *copy = exact_copy(frame->bytes, frame->len);
	enum policy_rule rule = policy_check(slice_of(copy, frame->len), origin);

	free(copy);
	return rule;
}

static void expect(const struct test_frame *frame, enum policy_origin origin, enum policy_rule expected,
                   const char *label, const char *how) {
	enum policy_rule rule = verdict(frame, origin);

	if (rule != expected)
		fail_msg("%s, %s, from %s: %s instead of %s", label, how, origin == POLICY_FROM_LAN ? "LAN" : "remote",
		         policy_rule_name(rule), policy_rule_name(expected));
}

static void check_cases(const struct policy_case *cases, size_t count) {
	for (size_t i = 0; i < count; i++) {
		struct test_frame frame;

		test_frame_build(&frame, cases[i].frame);
		expect(&frame, POLICY_FROM_REMOTE, cases[i].remote, cases[i].label, "as it is");
		expect(&frame, POLICY_FROM_LAN, cases[i].lan, cases[i].label, "as it is");
		for (; frame.len > 0; frame.len--) { /* each prefix: judged without a look past its end */
			verdict(&frame, POLICY_FROM_REMOTE);
			verdict(&frame, POLICY_FROM_LAN);
		}
	}
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TABLE_TEST(name)                                \
	static void test_##name(void **state) {             \
		(void)state;                                    \
		check_cases(name##_cases, COUNT(name##_cases)); \
	}

TABLE_TEST(framing)
TABLE_TEST(control)
TABLE_TEST(vlan)
TABLE_TEST(llc)
TABLE_TEST(arp)
TABLE_TEST(ipv4)
TABLE_TEST(ipv6)

static void insert(struct test_frame *frame, size_t at, const uint8_t *bytes, size_t len) {
	assert_true(frame->len + len <= FRAME_TEST_BYTES_MAX);
	memmove(frame->bytes + at + len, frame->bytes + at, frame->len - at);
	memcpy(frame->bytes + at, bytes, len);
	frame->len += len;
}

/* A tag in front saves no frame: the remote client's is dropped whatever it carries, the LAN's is judged as without. */
static void check_tagged(const struct policy_case *cases, size_t count) {
	static const uint8_t types[][2] = {{0x81, 0x00}, {0x88, 0xa8}, {0x91, 0x00}, {0x92, 0x00}};

	for (size_t i = 0; i < count; i++) {
		for (size_t t = 0; t < COUNT(types); t++) {
			uint8_t tag[4] = {types[t][0], types[t][1], 0, 0};
			struct test_frame frame, plain;

			test_frame_build(&plain, cases[i].frame);
			frame = plain;
			insert(&frame, 12, tag, sizeof(tag));
			expect(&frame, POLICY_FROM_LAN, cases[i].lan, cases[i].label, "priority tag");
			if (verdict(&frame, POLICY_FROM_REMOTE) == POLICY_PASS)
				fail_msg("%s: a priority tag lets it pass", cases[i].label);
			frame = plain;
			tag[3] = 5;
			insert(&frame, 12, tag, sizeof(tag));
			if (verdict(&frame, POLICY_FROM_REMOTE) == POLICY_PASS || verdict(&frame, POLICY_FROM_LAN) == POLICY_PASS)
				fail_msg("%s: a VLAN tag lets it pass", cases[i].label);
		}
	}
}

static void test_tags_hide_nothing(void **state) {
	(void)state;
	check_tagged(llc_cases, COUNT(llc_cases));
	check_tagged(arp_cases, COUNT(arp_cases));
	check_tagged(ipv4_cases, COUNT(ipv4_cases));
	check_tagged(ipv6_cases, COUNT(ipv6_cases));
	check_tagged(control_cases, COUNT(control_cases));
}

/* Puts an extension header of `len` bytes right behind the IPv6 header of an untagged frame. */
static void prepend_extension(struct test_frame *frame, uint8_t protocol, size_t len) {
	uint8_t header[64] = {0};
	uint8_t *next = frame->bytes + 14 + 6;
	uint8_t *payload_len = frame->bytes + 14 + 4;

	header[0] = *next;
	header[1] = (uint8_t)(protocol == 51 ? len / 4 - 2 : len / 8 - 1);
	*next = protocol;
	base_put_u16(payload_len, (uint16_t)(base_get_u16(payload_len) + len));
	insert(frame, 14 + 40, header, len);
}

/* Whatever stands first in the payload of an IPv6 packet is judged the same behind any decidable chain. */
static void test_extension_headers_hide_nothing(void **state) {
	static const uint8_t chains[][6] = {
	    {60}, {43},        {51}, {135}, {139}, {140}, {60, 60}, {60, 43, 60}, {51, 60}, {60, 51, 43, 135, 140},
	    {0},  {0, 60, 43},
	};
	static const struct policy_case cases[] = {
	    {"router advertisement", IP6_MC ME "86dd" IP6("3a") ICMP6("86"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
	    {"redirect", HOST ME "86dd" IP6("3a") ICMP6("89"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
	    {"MLD query", HOST ME "86dd" IP6("3a") ICMP6("82"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
	    {"VRRP", HOST ME "86dd" IP6("70") "3101 ff01 0064 0000", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
	    {"OSPF", HOST ME "86dd" IP6("59") "0301 0024", REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
	    {"RIPng", HOST ME "86dd" IP6("11") UDP("0209", "0209"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
	    {"HSRP", HOST ME "86dd" IP6("11") UDP("07ed", "07ed"), REMOTE_ONLY(ROUTER_ADVERTISEMENT)},
	    {"DHCPv6 reply", HOST ME "86dd" IP6("11") UDP("0223", "0222"), REMOTE_ONLY(DHCP6_SERVER)},
	    {"fragment", HOST ME "86dd" IP6("2c") "11 00 0001 00000001" UDP("4000", "4001"), REMOTE_ONLY(IPV6_FRAGMENT)},
	    {"ICMPv6 cut off", HOST ME "86dd" IP6("3a") "86", REMOTE_ONLY(IPV6_CHAIN)},
	    {"unassigned", HOST ME "86dd" IP6("c8") "0000", REMOTE_ONLY(IPV6_CHAIN)},
	    {"neighbour solicitation", HOST ME "86dd" IP6("3a") ICMP6("87"), PASSES},
	    {"MLD report", HOST ME "86dd" IP6("3a") ICMP6("8f"), PASSES},
	    {"UDP", HOST ME "86dd" IP6("11") UDP("4000", "4001"), PASSES},
	    {"no next header", HOST ME "86dd" IP6("3b"), PASSES},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t c = 0; c < COUNT(chains); c++) {
			for (size_t len = 8; len <= 24; len += 8) {
				struct test_frame frame;

				test_frame_build(&frame, cases[i].frame);
				for (size_t h = sizeof(chains[c]); h-- > 0;) { /* the last header of the chain first */
					if (chains[c][h] != 0 || h == 0)
						prepend_extension(&frame, chains[c][h], len);
				}
				expect(&frame, POLICY_FROM_REMOTE, cases[i].remote, cases[i].label, "behind a chain");
				expect(&frame, POLICY_FROM_LAN, POLICY_PASS, cases[i].label, "behind a chain");
				/* cut anywhere behind the Ethernet header, it is never taken for a whole one */
				while (--frame.len > 14)
					unit_assert_int(verdict(&frame, POLICY_FROM_REMOTE), POLICY_IP_MALFORMED, cases[i].label);
			}
		}
	}
}

/* As many headers as fit: still decided, by the last of them. */
static void test_longest_chain(void **state) {
	struct test_frame frame;

	(void)state;
	test_frame_build(&frame, HOST ME "86dd" IP6("3a") ICMP6("86"));
	while (frame.len + 8 <= 1514)
		prepend_extension(&frame, 60, 8);
	expect(&frame, POLICY_FROM_REMOTE, POLICY_ROUTER_ADVERTISEMENT, "longest chain", "RA");
	test_frame_build(&frame, HOST ME "86dd" IP6("3a") ICMP6("87"));
	while (frame.len + 8 <= 1514)
		prepend_extension(&frame, 60, 8);
	expect(&frame, POLICY_FROM_REMOTE, POLICY_PASS, "longest chain", "NS");
}

/* What header and length alone tell, as the whole frame would have it. */
static void test_header(void **state) {
	static const struct {
		const char *label, *header;
		size_t len;
		enum policy_rule expected;
	} cases[] = {
	    {"IPv4", HOST ME "0800", 60, POLICY_PASS},
	    {"IPv6 to a group", "333300000001" ME "86dd", 90, POLICY_PASS},
	    {"shortest", HOST ME "0842", 14, POLICY_PASS},
	    {"longest", HOST ME "0800", 1514, POLICY_PASS},
	    {"too long", HOST ME "0800", 1515, POLICY_JUMBO},
	    {"802.3, all of it", HOST ME "002e", 60, POLICY_PASS},
	    {"802.3, padded", HOST ME "0003", 60, POLICY_PASS},
	    {"802.3, cut off", HOST ME "002f", 60, POLICY_MALFORMED},
	    {"longest length", HOST ME "05dc", 1514, POLICY_PASS},
	    {"no length", HOST ME "05dd", 1514, POLICY_MALFORMED},
	    {"no type", HOST ME "05ff", 1514, POLICY_MALFORMED},
	    {"group source",
	     HOST "030000000001"
	          "0800",
	     60, POLICY_SOURCE},
	    {"zero source",
	     HOST "000000000000"
	          "0800",
	     60, POLICY_SOURCE},
	    {"to a bridge group", "0180c2000000" ME "002e", 60, POLICY_SWITCH_CONTROL},
	    {"pause", HOST ME "8808", 60, POLICY_SWITCH_CONTROL},
	    {"802.1Q", HOST ME "8100", 60, POLICY_VLAN},
	    {"802.1ad", HOST ME "88a8", 60, POLICY_VLAN},
	    {"older 802.1ad", HOST ME "9200", 60, POLICY_VLAN},
	    {"802.1BR", HOST ME "893f", 60, POLICY_VLAN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test_frame frame;

		test_frame_build(&frame, cases[i].header);
		unit_assert_int(frame.len, POLICY_HEADER_BYTES, cases[i].label);
		unit_assert_int(policy_check_header(frame.bytes, cases[i].len), cases[i].expected, cases[i].label);
	}
}

static void test_names(void **state) {
	(void)state;
	for (size_t i = 0; i < POLICY_RULE_COUNT; i++)
		assert_true(strlen(policy_rule_name((enum policy_rule)i)) > 0);
	assert_string_equal(policy_rule_name(POLICY_PASS), "pass");
	assert_string_equal(policy_rule_name(POLICY_IP_MALFORMED), "ip_malformed");
}

/* Each rule is counted under its own name. */
static void test_drop_of_every_rule(void **state) {
	(void)state;
	for (int rule = POLICY_PASS + 1; rule < POLICY_RULE_COUNT; rule++)
		assert_string_equal(obs_drop_name(policy_drop((enum policy_rule)rule)),
		                    policy_rule_name((enum policy_rule)rule));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_framing),
	    cmocka_unit_test(test_control),
	    cmocka_unit_test(test_vlan),
	    cmocka_unit_test(test_llc),
	    cmocka_unit_test(test_arp),
	    cmocka_unit_test(test_ipv4),
	    cmocka_unit_test(test_ipv6),
	    cmocka_unit_test(test_tags_hide_nothing),
	    cmocka_unit_test(test_extension_headers_hide_nothing),
	    cmocka_unit_test(test_longest_chain),
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_drop_of_every_rule),
	};

	return cmocka_run_group_tests_name("policy/policy", tests, NULL, NULL);
}
