"""tests/netns/frames.py: frames for the policy tests, made with scapy. Each carries its own mark in the payload, so that
it is recognised on a wire whatever a capture does to its headers."""
import logging
import struct

logging.getLogger('scapy').setLevel(logging.ERROR)

from scapy.all import (ARP, BOOTP, DHCP, ICMP, IP, IPv6, LLC, SNAP, STP, UDP, Dot1AD, Dot1Q, Dot3,  # noqa: E402
                       Ether, ICMPv6MLQuery, ICMPv6MLReport2, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6NDOptPrefixInfo,
                       ICMPv6NDOptRouteInfo, ICMPv6NDOptSrcLLAddr, IPOption_NOP, IPOption_Router_Alert, IPOption_RR,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, Raw, RouterAlert)
from scapy.layers.dhcp6 import DHCP6_Advertise, DHCP6_Reply  # noqa: E402

BROADCAST = 'ff:ff:ff:ff:ff:ff'
ALL_NODES = '33:33:00:00:00:01'
LINK_LOCAL = 'fe80::4c50:ff:fe00:1'


def mark(name):
    return b'<lanparty ' + name.encode() + b'>'


def _build(layers, src):
    """name -> bytes: source MAC set, mark appended, and long enough to need no padding (a Linux bridge with br_netfilter
    cuts padding off IPv4)."""
    frames = {}
    for name, layer in layers.items():
        layer.src = src
        text = mark(name)
        text += b'.' * (60 - len(bytes(layer / Raw(text))))
        if IP in layer and layer[IP].flags == 'MF':  # all fragments but the last are multiples of eight
            text += b'.' * (-(len(bytes(layer / Raw(text))) - 14 - 20) % 8)
        frames[name] = bytes(layer / Raw(text))
    return frames


def _ip6(*headers, dst='ff02::1'):
    packet = Ether(dst=ALL_NODES) / IPv6(src=LINK_LOCAL, dst=dst, hlim=255)
    for header in headers:
        packet = packet / header
    return packet


def router_advertisement(src, prefix, bits, route=None):
    """A default router, a prefix for addresses on the link, and perhaps a route (`prefix`, bits) beyond it."""
    options = ICMPv6NDOptPrefixInfo(prefix=prefix, prefixlen=bits)
    if route:
        options /= ICMPv6NDOptRouteInfo(prefix=route[0], plen=route[1], rtlifetime=1800)
    frame = _ip6(ICMPv6ND_RA(routerlifetime=1800), options)
    frame.src = src
    return bytes(frame)


def _dhcp_offer(**ip):
    return (Ether(dst=BROADCAST) / IP(src='192.168.77.66', dst='255.255.255.255', **ip) / UDP(sport=67, dport=68) /
            BOOTP(op=2, yiaddr='192.168.77.99', siaddr='192.168.77.66') /
            DHCP(options=[('message-type', 'offer'), ('router', '192.168.77.66'), 'end']))


def _snap(ethertype, payload, dst=BROADCAST):
    return Dot3(dst=dst) / LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP(OUI=0, code=ethertype) / payload


def attacks(src):
    """What a stranger's client must not bring onto a LAN, by name. All are group-addressed, so that they would be seen
    everywhere."""
    ra = ICMPv6ND_RA(routerlifetime=9000) / ICMPv6NDOptSrcLLAddr(lladdr=src)
    udp4 = IP(src='192.168.77.11', dst='255.255.255.255') / UDP(sport=1, dport=9)
    udp6 = UDP(sport=1, dport=9)
    arp = ARP(op=1, hwsrc=src, psrc='192.168.77.11', pdst='192.168.77.2')
    whole_ra = bytes(IPv6(src=LINK_LOCAL, dst='ff02::1', hlim=255) / ra)[40:]
    layers = {
        'ra': _ip6(ra),
        'ra-hop-by-hop': _ip6(IPv6ExtHdrHopByHop(), ra),
        'ra-destination-options': _ip6(IPv6ExtHdrDestOpt(), ra),
        'ra-two-extensions': _ip6(IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), ra),
        'ra-routing': _ip6(IPv6ExtHdrRouting(segleft=0, addresses=[]), ra),
        'ra-atomic-fragment': _ip6(IPv6ExtHdrFragment(m=0, offset=0, nh=58), Raw(whole_ra)),
        'ra-first-fragment': _ip6(IPv6ExtHdrFragment(m=1, offset=0, nh=58), Raw(whole_ra[:8])),
        'ra-hidden-in-second-fragment': _ip6(IPv6ExtHdrFragment(m=0, offset=1, nh=60), Raw(whole_ra)),
        'ra-no-next-header-chain': _ip6(*[IPv6ExtHdrDestOpt() for _ in range(40)], ra),
        'redirect': _ip6(ICMPv6ND_Redirect(tgt='fe80::1', dst='2001:db8::1')),
        'ip6-udp-fragment': _ip6(IPv6ExtHdrFragment(m=0, offset=0, nh=17), udp6),
        'ip6-chain-cut-off': Ether(dst=ALL_NODES, type=0x86dd) / Raw(
            bytes(IPv6(src=LINK_LOCAL, dst='ff02::1', nh=60, plen=8)) + bytes([58, 200, 0, 0, 0, 0, 0, 0])),
        'mld-query': _ip6(IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)]), ICMPv6MLQuery()),
        'icmp-redirect': Ether(dst=BROADCAST) / IP(src='192.168.77.1', dst='255.255.255.255') /
                         ICMP(type=5, code=1, gw='192.168.77.11') / IP(src='192.168.77.2', dst='192.0.2.1'),
        'igmp-query': Ether(dst='01:00:5e:00:00:01') / IP(src='0.0.0.0', dst='224.0.0.1', ttl=1, proto=2,
                                                          options=[IPOption_Router_Alert()]) / Raw(b'\x11\x64' + bytes(6)),
        'vrrp': Ether(dst='01:00:5e:00:00:12') / IP(src='192.168.77.11', dst='224.0.0.18', ttl=255, proto=112) /
                Raw(b'\x21\x01\xff\x01\x00\x01\x00\x00' + bytes([192, 168, 77, 1])),
        'ospf': Ether(dst='01:00:5e:00:00:05') / IP(src='192.168.77.11', dst='224.0.0.5', ttl=1, proto=89) / Raw(b'\x02\x01'),
        'hsrp': Ether(dst='01:00:5e:00:00:02') / IP(src='192.168.77.11', dst='224.0.0.2', ttl=1) / UDP(sport=1985, dport=1985),
        'ripng': _ip6(UDP(sport=521, dport=521), dst='ff02::9'),
        'is-is': Dot3(dst='09:00:2b:00:00:05') / LLC(dsap=0xfe, ssap=0xfe, ctrl=3) / Raw(b'\x83'),
        'dhcp-offer': _dhcp_offer(),
        'dhcp-offer-ip-options': _dhcp_offer(options=[IPOption_NOP()] * 4 + [IPOption_RR()]),
        'dhcp-offer-first-fragment': _dhcp_offer(flags='MF'),
        'dhcp6-advertise': _ip6(UDP(sport=547, dport=546), DHCP6_Advertise()),
        'dhcp6-reply-behind-options': _ip6(IPv6ExtHdrDestOpt(), UDP(sport=547, dport=546), DHCP6_Reply()),
        'stp': Dot3(dst='01:80:c2:00:00:00') / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(rootid=0, bridgeid=0),
        'pvst': Dot3(dst='01:00:0c:cc:cc:cd') / LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP(OUI=0x00000c, code=0x010b),
        'cdp': Dot3(dst='01:00:0c:cc:cc:cc') / LLC(dsap=0xaa, ssap=0xaa, ctrl=3) / SNAP(OUI=0x00000c, code=0x2000),
        'lldp': Ether(dst='01:80:c2:00:00:0e', type=0x88cc) / Raw(b'\x02\x07\x04' + bytes(6)),
        'lldp-to-everybody': Ether(dst=BROADCAST, type=0x88cc) / Raw(b'\x02\x07\x04' + bytes(6)),
        'pause': Ether(dst='01:80:c2:00:00:01', type=0x8808) / Raw(b'\x00\x01\xff\xff'),
        'lacp': Ether(dst='01:80:c2:00:00:02', type=0x8809) / Raw(b'\x01\x01'),
        'eapol': Ether(dst='01:80:c2:00:00:03', type=0x888e) / Raw(b'\x02\x01\x00\x00'),
        'bridge-block-end': Ether(dst='01:80:c2:00:00:0f', type=0x88b5) / Raw(b'x'),
        'vlan': Ether(dst=BROADCAST) / Dot1Q(vlan=5) / udp4,
        'vlan-priority': Ether(dst=BROADCAST) / Dot1Q(vlan=0, prio=7) / udp4,
        'vlan-stacked': Ether(dst=BROADCAST) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / udp4,
        'vlan-8021ad': Ether(dst=BROADCAST) / Dot1AD(vlan=5) / udp4,
        'vlan-hiding-dhcp': Ether(dst=BROADCAST) / Dot1Q(vlan=0) / _dhcp_offer()[IP],
        'snap-ip': _snap(0x0800, udp4),
        'snap-arp': _snap(0x0806, arp),
        'snap-ip6-ra': _snap(0x86dd, _ip6(ra)[IPv6]),
        'llc-ip': Dot3(dst=BROADCAST) / LLC(dsap=0x06, ssap=0x06, ctrl=3) / udp4,
        'arp-of-another-mac': Ether(dst=BROADCAST) / ARP(op=2, hwsrc='02:66:66:66:66:66', psrc='192.168.77.1',
                                                         hwdst=BROADCAST, pdst='192.168.77.1'),
        'ip-version-lie': Ether(dst=BROADCAST, type=0x0800) / Raw(bytes(_ip6(udp6)[IPv6])),
        'ip-length-lie': Ether(dst=BROADCAST) / IP(src='192.168.77.11', dst='255.255.255.255', len=1400) / UDP(dport=9),
    }
    return _build(layers, src)


def friendly(src, address='192.168.77.11'):
    """What a party needs and must get through, by name."""
    def udp(dst, mac, dport, **ip):
        return Ether(dst=mac) / IP(src=address, dst=dst, **ip) / UDP(sport=dport, dport=dport)

    ipx = b'\xff\xff\x00\x30\x00\x04' + bytes(4) + b'\xff' * 6 + b'\x04\x55' + bytes(4) + b'\x02' * 6 + b'\x04\x55'
    mld = (Ether(dst='33:33:00:00:00:16') / IPv6(src=LINK_LOCAL, dst='ff02::16', hlim=1) /
           IPv6ExtHdrHopByHop(options=[RouterAlert(value=0)]) / ICMPv6MLReport2(records_number=0))
    layers = {
        'ipx-ethernet-ii': Ether(dst=BROADCAST, type=0x8137) / Raw(ipx),
        'ipx-raw-802.3': Dot3(dst=BROADCAST) / Raw(ipx),
        'ipx-802.2': Dot3(dst=BROADCAST) / LLC(dsap=0xe0, ssap=0xe0, ctrl=3) / Raw(ipx),
        'ipx-snap': _snap(0x8137, Raw(ipx)),
        'mld': mld,
        'igmp': Ether(dst='01:00:5e:00:00:16') / IP(src=address, dst='224.0.0.22', proto=2, ttl=1) / Raw(
            struct.pack('!BBHHH', 0x22, 0, 0xddff, 0, 0)),
        'mdns': udp('224.0.0.251', '01:00:5e:00:00:fb', 5353, ttl=255),
        'mdns-ip6': Ether(dst='33:33:00:00:00:fb') / IPv6(src=LINK_LOCAL, dst='ff02::fb') / UDP(sport=5353, dport=5353),
        'ssdp': udp('239.255.255.250', '01:00:5e:7f:ff:fa', 1900),
        'port-of-hsrp': udp('255.255.255.255', BROADCAST, 1985),
        'netbios-name': udp('192.168.77.255', BROADCAST, 137),
        'netbios-datagram': udp('192.168.77.255', BROADCAST, 138),
        'wake-on-lan': Ether(dst=BROADCAST, type=0x0842) / Raw(b'\xff' * 6 + b'\x02\x11\x22\x33\x44\x55' * 16),
        'wake-on-lan-udp': udp('255.255.255.255', BROADCAST, 9) / Raw(b'\xff' * 6 + b'\x02\x11\x22\x33\x44\x55' * 16),
        'dhcp-discover': (Ether(dst=BROADCAST) / IP(src='0.0.0.0', dst='255.255.255.255') / UDP(sport=68, dport=67) /
                          BOOTP(op=1, chaddr=bytes.fromhex(src.replace(':', ''))) /
                          DHCP(options=[('message-type', 'discover'), 'end'])),
        'ip-fragment-first': udp('255.255.255.255', BROADCAST, 7777, flags='MF', id=7),
        'ip-fragment-second': Ether(dst=BROADCAST) / IP(src=address, dst='255.255.255.255', proto=17, frag=3, id=7) / Raw(
            b'x' * 8),
        'arp-request': Ether(dst=BROADCAST) / ARP(op=1, hwsrc=src, psrc=address, pdst='192.168.77.222'),
        'unknown-ethertype': Ether(dst=BROADCAST, type=0x88b5) / Raw(b'experimental'),
    }
    return _build(layers, src)


def seen(frames, captured):
    """The names of those of `frames` whose mark is in any captured frame."""
    blob = b'\0'.join(captured)
    return {name for name in frames if mark(name) in blob}
