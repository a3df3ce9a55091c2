"""The unmodified lanparty-client.exe joins a real relay and a real gateway, and puts back what it changed."""
import re
import time
import unittest

from lab import HOST_ADDRESS, UPLINKS, Lab, wait_for
from party import SERVER_NAME, Party
from winlab import HOST, MAC, TOOL, WindowsPc

RELAY, ROUTER = UPLINKS['relay'][0], UPLINKS[HOST][2]
PIN = f'CreateIpForwardEntry2 {RELAY}/32 via {ROUTER} if=up0 metric=0 -> 0'
UNPIN = f'DeleteIpForwardEntry2 {RELAY}/32 via {ROUTER} if=up0 -> 0'


def settings(family, automatic, metric, mtu, nodefaults):
    return (f'SetIpInterfaceEntry if=tapx family={family} automatic={automatic} metric={metric} mtu={mtu} '
            f'nodefaults={nodefaults} -> 0')


def changes(mtu):
    """Everything that a run changes, in order."""
    return [PIN] + [settings(family, *values) for family in (4, 6)
                    for values in ((1, 25, mtu, 0), (0, 1, mtu, 0), (0, 1, mtu, 1))]


def restores(mtu):
    return [settings(family, *values) for family in (6, 4)
            for values in ((0, 1, mtu, 0), (1, 25, mtu, 0), (1, 25, 1500, 0))] + [UNPIN]


def make_party(lab, lasting_certificate=False):
    """With a lasting certificate, a relay that is started anew is still the same one."""
    if not lasting_certificate:
        return Party(lab)
    certificate, key = lab.path('relay.pem'), lab.path('relay.key')
    lab.run('relay', 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days',
            '2', '-subj', f'/CN={SERVER_NAME}', '-addext', f'subjectAltName=DNS:{SERVER_NAME}', '-out', certificate, '-keyout',
            key)
    party = Party(lab, relay_options=['--cert', certificate, '--key', key])
    party.certificate = certificate
    return party


def join(lab, pc, *options, lasting_certificate=False):
    party = make_party(lab, lasting_certificate)
    party.start_relay()
    party.start_gateway()
    client = pc.start_client(party, *options)
    pc.wait_joined(party)
    mtu = int(re.search(r'MTU (\d+),', client.log()).group(1))
    return party, client, mtu


def in_order(test, text, *patterns):
    """Each pattern is found after the one before it."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.M).search(text, at)
        test.assertIsNotNone(found, f'/{pattern}/ not after {text[:at][-200:]!r}')
        at = found.end()


class TestJoin(unittest.TestCase):
    def test_a_whole_evening(self):
        """Lease, ping and TCP both ways, broadcast; each call to the IP Helper in its order; Ctrl-C restores."""
        with Lab() as lab, WindowsPc(lab) as pc:
            pc.start_mirror()
            party, client, mtu = join(lab, pc)
            client.wait_log(r'gateway: connected \(peer \d+\)')
            self.assertEqual(pc.calls(), changes(mtu))
            in_order(self, client.log(), 'tap_opened .*mac=' + MAC, 'relay_connecting', 'session_joined', 'lan message=',
                     'route_pinned .*interface=[1-9]', 'route_change what=mtu', 'media message=connected')
            for family in ('IPv4', 'IPv6'):
                self.assertRegex(client.log(), fr'warn .*tap_settings message="default routes \({family}\)')
            self.assertEqual(lab.ip_json(HOST, 'link', 'show', 'dev', 'tapx')[0]['mtu'], mtu)
            self.assertIn(ROUTER, lab.ip(HOST, 'route', 'show', RELAY))
            lab.start_dnsmasq()
            address = lab.lease(HOST, 'tapx', 30)
            client.wait_log(f'address: {address} ', 15)
            for _ in range(3):
                lab.ping(HOST, HOST_ADDRESS, device='tapx')
                lab.ping('host', address)
            lab.start_iperf3('host', HOST_ADDRESS)
            for direction in ((), ('--reverse',)):
                lab.run(HOST, 'iperf3', '--client', HOST_ADDRESS, '--bytes', '2M', *direction)
            # A game's question to everybody, and the answer of a station of the LAN.
            query = lab.start('host', 'game', 'python3', '-c', GAME_SERVER)
            query.wait_log('ready')
            self.assertIn('here', lab.run(HOST, 'python3', '-c', GAME_CLIENT).stdout)
            client.wait_log('network_profile .*treats the LAN as a public network.* --private-network')
            stats = wait_for(lambda: (party.peer(HOST).get('stats') or {}) if (party.peer(HOST).get('stats') or {}).get('tap_address')
                             else None, 30, 'what the client reports')
            self.assertEqual((stats['tap_ready'], stats['route_pinned']), (True, True))
            self.assertEqual(pc.calls(), changes(mtu))
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu))
            self.assertEqual(lab.ip(HOST, 'route', 'show', RELAY), '')
            wait_for(lambda: not party.peer(HOST), 5, 'the relay saw it leave')
            self.assertIn('reason=quit', party.relay.log())

    def test_a_room_with_a_key(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party = Party(lab, room_key='correct horse')
            party.start_relay()
            party.start_gateway()
            client = pc.start_client(party, '--room-key', 'correct horse')
            pc.wait_joined(party)
            self.assertRegex(client.log(), 'session_joined .*sealed=true')
            lab.ip(HOST, 'addr', 'add', '192.168.77.11/24', 'dev', 'tapx')
            lab.wait_ping(HOST, HOST_ADDRESS, 15)
            lab.ping('host', '192.168.77.11')
            self.assertEqual(pc.interrupt(client), 0)

    def test_a_crash_is_cleaned_up_at_the_next_start(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc)
            client.kill()
            self.assertEqual(pc.calls(), changes(mtu))
            self.assertIn('metric', pc.read_state('route-state.txt'))
            client = pc.start_client(party)
            client.wait_log('media.*=connected', 20)
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu) + changes(mtu))
            in_order(self, client.log(), 'route_recover ', 'tap_opened', 'route_pinned')
            client.kill()
            status, _, _ = pc.run_client('--recover-routes')
            self.assertEqual(status, 0)
            self.assertEqual(pc.calls(), (changes(mtu) + restores(mtu)) * 2)

    def test_logoff_and_shutdown_restore(self):
        """Windows ends the process when the hidden window has answered: by then everything is back."""
        for how, options, pins in (('logoff', (), 1), ('shutdown', ('--no-route-pin',), 0)):
            with self.subTest(how), Lab() as lab, WindowsPc(lab) as pc:
                party, client, mtu = join(lab, pc, *options)
                client.expected_end = True
                pc.run(TOOL, 'end-session', 'lanparty-client', how)
                self.assertEqual(pc.calls(), changes(mtu)[1 - pins:] + restores(mtu)[:6 + pins])
                self.assertEqual(client.popen.wait(10), 0)
                self.assertIn('reason=quit', party.relay.log())

    def test_by_ipv6_on_an_adapter_without_it(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            relay, router = UPLINKS['relay'][3] + '2', UPLINKS[HOST][3] + '1'
            pc.fail_calls('GetIpInterfaceEntry/6 1168')
            party = make_party(lab, lasting_certificate=True)
            client = pc.start_client(party, relay=f'[{relay}]:4433')
            with self.subTest('Ctrl-C before anything is connected'):
                client.wait_log('relay_connecting')
                self.assertEqual(pc.interrupt(client), 0)
                self.assertEqual(pc.calls(), [])
            party.start_relay()
            client = pc.start_client(party, relay=f'[{relay}]:4433')
            client.wait_log('status message="gateway: not connected')
            mtu = party.room_status()['mtu']
            self.assertRegex(client.log(), 'tap_settings message="IPv6 is switched off on the adapter')
            pin = [line.replace(f'{RELAY}/32', f'{relay}/128').replace(ROUTER, router) for line in (PIN, UNPIN)]
            self.assertEqual(pc.calls(), pin[:1] + changes(mtu)[1:4])
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls()[4:], restores(mtu)[3:6] + pin[1:])

    def test_the_adapter_stays_through_an_outage(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc, lasting_certificate=True)
            party.relay.stop()
            client.wait_log('status.*relay: not connected', 20)
            party.start_relay()
            client.wait_log('session_joined', 20, count=2)
            client.wait_log('gateway: connected', 20, count=2)
            self.assertEqual(len(re.findall('media message', client.log())), 1)
            self.assertEqual(pc.calls(), changes(mtu))
            self.assertEqual(pc.interrupt(client), 0)

    def test_a_long_outage_in_another_network(self):
        """The cable goes out after half a minute, not before; the pin still follows the network, or nobody would find back."""
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc, lasting_certificate=True)
            client.wait_log('relay route: pinned')
            party.relay.stop()
            client.wait_log('status.*relay: not connected', 20)
            start = time.monotonic()
            client.wait_log('media message=disconnected', 45)
            self.assertGreater(time.monotonic() - start, 28)
            self.assertEqual(pc.calls(), changes(mtu))
            other = '192.0.2.61'
            lab.ip(HOST, 'route', 'change', 'default', 'via', other, 'dev', 'up0')
            moved = [UNPIN, PIN.replace(ROUTER, other)]
            wait_for(lambda: pc.calls()[len(changes(mtu)):] == moved, 15, 'the pin by the other router')
            lab.ip(HOST, 'route', 'change', 'default', 'via', ROUTER, 'dev', 'up0')
            moved += [UNPIN.replace(ROUTER, other), PIN]
            wait_for(lambda: pc.calls()[len(changes(mtu)):] == moved, 15, 'the pin by the router of before')
            party.start_relay()
            client.wait_log('media message=connected', 30, count=2)
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls()[len(changes(mtu)) + len(moved):], [UNPIN] + restores(mtu)[:-1])

    def test_what_others_change_meanwhile(self):
        """The pin comes back when somebody takes it out; a home network with the LAN's addresses is said."""
        with Lab() as lab, WindowsPc(lab) as pc:
            _, client, mtu = join(lab, pc, '--private-network')
            # Wine's networks stay public.
            client.wait_log('network_profile .*did not make the LAN a private network.*error="SetCategory: 0x80004001"')
            pc.take_route(RELAY)
            wait_for(lambda: len(pc.calls()) > len(changes(mtu)), 10, 'the pin is back')
            self.assertEqual([line for line in pc.calls()[len(changes(mtu)):] if line.endswith('-> 0')], [PIN])
            lab.ip(HOST, 'addr', 'add', '192.168.77.60/24', 'dev', 'up0')
            lab.ip(HOST, 'addr', 'add', '192.168.77.61/24', 'dev', 'tapx')
            client.wait_log(r'same_network .*192\.168\.77\.60/24.*192\.168\.77\.61/24')
            client.wait_log('address: 192.168.77.61 ')
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls()[-7:], [UNPIN] + restores(mtu)[:-1])  # the pin is the latest change now

    def test_a_host_route_into_the_tunnel(self):
        """The LAN's DHCP server names the relay's address: the tunnel must not run through itself."""
        with Lab() as lab, WindowsPc(lab) as pc:
            _, client, mtu = join(lab, pc)
            pc.add_route_into_tunnel(RELAY, HOST_ADDRESS)
            client.wait_log('route_into_tunnel_removed .*relay=' + RELAY, 10)
            removed = f'DeleteIpForwardEntry2 {RELAY}/32 via {HOST_ADDRESS} if=tapx -> 0'
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls(), changes(mtu) + [removed] + restores(mtu))

    def test_settings_that_windows_makes_anew(self):
        """Default routes of the LAN stay off when IPv6 was switched off and on again, and what was first comes back."""
        with Lab() as lab, WindowsPc(lab) as pc:
            _, client, mtu = join(lab, pc)
            pc.forget_settings(6)
            again = changes(mtu)[4:]
            wait_for(lambda: pc.calls() == changes(mtu) + again, 10, 'the settings again')
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls(), changes(mtu) + again + restores(mtu))


GAME_SERVER = '''
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 27015))
print("ready", flush=True)
while True:
    question, who = s.recvfrom(2000)
    s.sendto(b"here", who)
'''
GAME_CLIENT = '''
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"tapx")
s.settimeout(5)
s.sendto(b"who is there?", ("255.255.255.255", 27015))
print(s.recvfrom(2000)[0].decode())
'''
