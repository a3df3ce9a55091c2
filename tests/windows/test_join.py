"""The unmodified lanparty-client.exe joins a real relay and a real gateway, and puts back what it changed."""
import re
import unittest

from lab import HOST_ADDRESS, UPLINKS, Lab, wait_for
from party import SERVER_NAME, Party
from winlab import HOST, WindowsPc

RELAY, ROUTER = UPLINKS['relay'][0], UPLINKS[HOST][2]
PIN = f'CreateIpForwardEntry2 {RELAY}/32 via {ROUTER} if=up0 metric=0 -> 0'
UNPIN = f'DeleteIpForwardEntry2 {RELAY}/32 via {ROUTER} if=up0 -> 0'


def settings(family, automatic, metric, mtu, nodefaults):
    return (f'SetIpInterfaceEntry if=tapx family={family} automatic={automatic} metric={metric} mtu={mtu} '
            f'nodefaults={nodefaults} -> 0')


def changes(mtu):
    """Everything that a run changes, in order."""
    return [PIN] + [settings(family, *values) for family in (4, 6)
                    for values in ((1, 25, mtu, 0), (0, 3, mtu, 0), (0, 3, mtu, 1))]


def restores(mtu):
    return [settings(family, *values) for family in (6, 4)
            for values in ((0, 3, mtu, 0), (1, 25, mtu, 0), (1, 25, 1500, 0))] + [UNPIN]


def join(lab, pc, *options, relay_options=(), certificate=None):
    party = Party(lab, relay_options=relay_options)
    party.certificate = certificate or party.certificate
    party.start_relay()
    party.start_gateway()
    client = pc.start_client(party, *options)
    pc.wait_joined(party)
    mtu = int(re.search(r'MTU (\d+),', client.log()).group(1))
    return party, client, mtu


class TestJoin(unittest.TestCase):
    def test_a_whole_evening(self):
        """Lease, ping and TCP both ways, broadcast; each call to the IP Helper in its order; Ctrl-C restores."""
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc)
            client.wait_log(r'gateway: connected \(peer \d+\)')
            self.assertEqual(pc.calls(), changes(mtu))
            lab.start_dnsmasq()
            lab.ip(HOST, 'link', 'set', 'tapx', 'mtu', str(mtu))  # what the call above does on Windows
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
            self.assertEqual(pc.calls(), changes(mtu))
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu))
            wait_for(lambda: not party.peer(HOST), 5, 'the relay saw it leave')
            self.assertIn('reason=quit', party.relay.log())

    def test_a_crash_is_cleaned_up_at_the_next_start(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc)
            client.kill()
            self.assertEqual(pc.calls(), changes(mtu))
            client = pc.start_client(party)
            client.wait_log('media.*=connected', 20)
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu) + changes(mtu))
            client.kill()
            status, _, _ = pc.run_client('--recover-routes')
            self.assertEqual(status, 0)
            self.assertEqual(pc.calls(), (changes(mtu) + restores(mtu)) * 2)

    def test_the_adapter_stays_through_an_outage(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            certificate, key = lab.path('relay.pem'), lab.path('relay.key')
            lab.run('relay', 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                    '-nodes', '-days', '2', '-subj', f'/CN={SERVER_NAME}', '-addext', f'subjectAltName=DNS:{SERVER_NAME}',
                    '-out', certificate, '-keyout', key)
            party, client, mtu = join(lab, pc, relay_options=['--cert', certificate, '--key', key], certificate=certificate)
            party.relay.kill()
            client.wait_log('status.*relay: not connected', 40)
            party.start_relay()
            client.wait_log('session_joined', 40, count=2)
            self.assertEqual(len(re.findall('media message', client.log())), 1)
            self.assertEqual(pc.calls(), changes(mtu))
            self.assertEqual(pc.interrupt(client), 0)


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
