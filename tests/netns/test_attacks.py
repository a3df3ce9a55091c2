"""A stranger's client (local filters off: lanparty-client-unsafe) against somebody's LAN, judged by tshark on the LAN's
cable. Relay and gateway each stop everything alone. And the proof that this test can fail: with every
filter off, all of them are on the LAN's cable and at the other client."""
import time

from frames import attacks, friendly, seen
from lab import ROUTER_ADDRESS, wait_for
from party import CLIENT_MACS, TAP, PartyCase
from wire import Capture, Tshark, send_frames

MAC = CLIENT_MACS['client1']
SPOOF_MAC = '02:66:66:66:66:66'


class AttackCase(PartyCase):
    lan, unsafe = 'direct', ('client1', 'client2')

    def attack(self):
        """Sends every attack, then the friendly frames. Returns the names of attacks seen on the LAN's cable and at
        client2, once all friendly ones have arrived at both."""
        bad, good = attacks(MAC), friendly(MAC)
        wire, other = Tshark(self.lab, 'wire', 'eth0'), Capture(self.lab, 'client2', TAP)
        self.addCleanup(wire.close)
        self.addCleanup(other.close)
        send_frames(self.lab, 'client1', TAP, [*bad.values(), *good.values()])
        for capture, where in ((wire, 'on the LAN'), (other, 'at client2')):
            wait_for(lambda capture=capture: seen(good, capture.frames()) == set(good), 10, f'friendly frames {where}')
        return seen(bad, wire.frames()), seen(bad, other.frames())


class TestPolicyOn(AttackCase):
    def test_nothing_reaches_lan_or_clients(self):
        on_lan, at_client = self.attack()
        self.assertEqual(on_lan, set())
        self.assertEqual(at_client, set())
        drops = self.party.peer('client1')['rx']['drops']
        for rule in ('switch_control', 'vlan', 'llc_encapsulation', 'arp', 'dhcp4_server', 'dhcp6_server',
                     'router_advertisement', 'ipv6_fragment', 'ipv6_chain', 'ip_malformed'):
            self.assertGreater(drops.get(rule, 0), 0, f'the relay names the rule {rule}')

    def test_forged_source(self):
        """Well-behaved frames, but from another MAC than the one bound to the client."""
        forged, good = friendly(SPOOF_MAC), friendly(MAC)
        wire = Tshark(self.lab, 'wire', 'eth0')
        self.addCleanup(wire.close)
        send_frames(self.lab, 'client1', TAP, [*forged.values(), good['mdns']])
        wait_for(lambda: 'mdns' in seen(good, wire.frames()), 10, 'the honest frame on the LAN')
        source = bytes.fromhex(SPOOF_MAC.replace(':', ''))
        self.assertEqual([frame for frame in wire.frames() if frame[6:12] == source], [])
        self.assertGreaterEqual(self.party.peer('client1')['rx']['drops'].get('forged_source', 0), len(forged))

    def test_arp_spoof_of_the_router(self):
        """A remote client says it is the LAN's router; the router's own address is held by a LAN station."""
        from scapy.all import ARP, Ether
        self.lab.ping('client1', ROUTER_ADDRESS)  # the router has been heard on the LAN
        spoof = [bytes(Ether(src=MAC, dst='ff:ff:ff:ff:ff:ff') / ARP(op=op, hwsrc=MAC, psrc=ROUTER_ADDRESS,
                                                                      pdst=ROUTER_ADDRESS)).ljust(60, b'\0')
                 for op in (1, 2)]
        good = friendly(MAC)
        wire = Tshark(self.lab, 'wire', 'eth0')
        self.addCleanup(wire.close)
        send_frames(self.lab, 'client1', TAP, [*spoof, good['mdns']])
        wait_for(lambda: seen(good, wire.frames()), 10, 'the frame sent after them')
        self.assertEqual([frame for frame in spoof if any(got.startswith(frame[:42]) for got in wire.frames())], [])


    def test_dhcp_for_another_machine(self):
        """Requests with made-up hardware addresses would use up the LAN's leases."""
        from scapy.all import BOOTP, DHCP, IP, UDP, Ether

        def discover(mac):
            return bytes(Ether(src=MAC, dst='ff:ff:ff:ff:ff:ff') / IP(src='0.0.0.0', dst='255.255.255.255') /
                         UDP(sport=68, dport=67) / BOOTP(chaddr=bytes.fromhex(mac.replace(':', '')), xid=7) /
                         DHCP(options=[('message-type', 'discover'), 'end']))

        wire = Tshark(self.lab, 'wire', 'eth0')
        self.addCleanup(wire.close)
        own, other = discover(MAC), discover('00:11:22:33:44:55')
        send_frames(self.lab, 'client1', TAP, [other, own])
        wait_for(lambda: own in wire.frames(), 10, 'the honest request on the LAN')
        self.assertNotIn(other, wire.frames())


class TestNewcomer(PartyCase):
    """A LAN machine that looks for a free address (RFC 5227), and a remote machine that says of any that it has it."""
    clients, lan = ('client1',), 'direct'
    ADDRESS = '192.168.77.88'
    PROBE_S, TENURE_S = 3, 10  # GATEWAY_GUARD_PROBE_NS, GATEWAY_TENURE_NS

    def is_free(self):
        return self.lab.run('wire', 'arping', '-D', '-c', '3', '-w', '5', '-I', 'eth0', self.ADDRESS,
                            check=False).returncode == 0

    def test_finds_a_free_address(self):
        self.lab.ping('client1', ROUTER_ADDRESS)
        self.lab.run('client1', 'ip', 'addr', 'add', f'{self.ADDRESS}/32', 'dev', TAP)  # its kernel answers now
        self.assertTrue(self.is_free())
        # But not one that somebody has had for a while.
        time.sleep(self.PROBE_S + 1)
        self.lab.run('client1', 'arping', '-U', '-c', '1', '-I', TAP, self.ADDRESS, check=False)
        time.sleep(self.TENURE_S + 1)
        self.assertFalse(self.is_free())


class TestOwnMachine(AttackCase):
    """The gateway's own machine is a station of the LAN too, though what it sends is not captured."""
    ADDRESS = '192.168.77.3'

    @classmethod
    def prepare(cls):
        cls.lab.run('gateway', 'ip', 'addr', 'add', f'{cls.ADDRESS}/24', 'dev', 'eth0')

    def test_arp_spoof_of_its_address(self):
        from scapy.all import ARP, Ether
        spoof = bytes(Ether(src=MAC, dst='ff:ff:ff:ff:ff:ff') / ARP(op=2, hwsrc=MAC, psrc=self.ADDRESS,
                                                                    pdst=self.ADDRESS)).ljust(60, b'\0')
        good = friendly(MAC)
        wire = Tshark(self.lab, 'wire', 'eth0')
        self.addCleanup(wire.close)
        send_frames(self.lab, 'client1', TAP, [spoof, good['mdns']])
        wait_for(lambda: seen(good, wire.frames()), 10, 'the frame sent after it')
        self.assertEqual([frame for frame in wire.frames() if frame.startswith(spoof[:42])], [])


class TestGatewayAlone(AttackCase):
    relay_options = ('--unsafe-no-policy',)

    def test_lan_is_safe_and_the_test_can_fail(self):
        on_lan, at_client = self.attack()
        self.assertEqual(on_lan, set(), 'the gateway filters again')
        self.assertEqual(set(attacks(MAC)) - at_client, set(), 'with the policy off, this capture must see them all')


class TestNobodyFilters(AttackCase):
    unsafe, relay_options = ('client1', 'client2', 'gateway'), ('--unsafe-no-policy',)

    def test_the_lan_sees_every_attack(self):
        """With every filter off, the test above must fail: tshark on the LAN's cable sees what was sent."""
        on_lan, at_client = self.attack()
        self.assertEqual(set(attacks(MAC)) - on_lan, set())
        self.assertEqual(set(attacks(MAC)) - at_client, set())

    def test_a_newcomer_finds_no_address(self):
        """The same of TestNewcomer."""
        self.lab.run('client1', 'ip', 'addr', 'add', f'{TestNewcomer.ADDRESS}/32', 'dev', TAP)
        found = self.lab.run('wire', 'arping', '-D', '-c', '3', '-w', '5', '-I', 'eth0', TestNewcomer.ADDRESS, check=False)
        self.assertEqual(found.returncode, 1)


class TestLocalFilter(AttackCase):
    """The client itself, with its filters on and nobody's else's: relay without policy, second client unsafe."""
    unsafe, relay_options = ('client2',), ('--unsafe-no-policy',)

    def test_an_honest_client_sends_none(self):
        on_lan, at_client = self.attack()
        self.assertEqual(on_lan | at_client, set())


class TestStolenMac(AttackCase):
    """A client with the MAC of a LAN station would draw that station's traffic to the gateway's switch port."""
    clients, lan, unsafe = ('client1',), 'direct', ()

    def steal(self, mac, program, pattern, told=''):
        self.lab.ping('client1', ROUTER_ADDRESS)  # the router has been heard on the LAN
        wire = Tshark(self.lab, 'wire', 'eth0')
        self.addCleanup(wire.close)
        thief = self.lab.start('client2', 'thief', *self.party.peer_command('lanparty-client', 'client2', TAP,
                                                                            '--virtual-mac', mac))
        self.addCleanup(thief.stop)
        (program or thief).wait_log(pattern)
        thief.wait_log(told)
        self.lab.ping('client1', ROUTER_ADDRESS)  # the others go on
        wait_for(wire.frames, 10, 'their frames on the LAN')
        refreshed = [frame[6:12].hex(':') for frame in wire.frames() if b'CAM refresh' in frame]
        self.assertNotIn(mac, refreshed)

    def test_the_router_s(self):
        self.steal(self.lab.mac('wire', 'eth0'), None, 'duplicate_mac.*a station of the LAN')

    def test_the_gateway_port_s(self):
        self.steal(self.lab.mac('gateway', 'eth0'), self.party.gateway, 'remote_shut_out.*a station of the LAN',
                   'gateway: connected.*, but shuts us out')
