"""Discovery: broadcasts, multicasts and old protocols arrive byte for byte, both ways and between clients."""
import os
import sys
import time
import unittest

from frames import friendly
from lab import HERE, HOST_ADDRESS, ROUTER_ADDRESS, Lab, wait_for
from party import CLIENT_ADDRESSES, CLIENT_MACS, TAP, Party, PartyCase
from wire import Capture, send_frames

GAME = [sys.executable, '-B', os.path.join(HERE, 'game.py')]
MDNS = [sys.executable, '-B', os.path.join(HERE, 'mdns.py')]


class TestBroadcast(PartyCase):
    def serve(self, host, device, name):
        server = self.lab.start(host, 'game-server', *GAME, 'serve', device, name)
        server.wait_log('serving', 5)
        self.addCleanup(server.kill)

    def query(self, host, device):
        return self.lab.run(host, *GAME, 'query', device, '8').stdout.split()

    def test_game_on_the_lan_is_found(self):
        self.serve('host', 'eth0', 'on-the-lan')
        for host in ('client1', 'client2'):
            self.assertEqual(self.query(host, TAP)[0], 'on-the-lan')

    def test_game_of_a_client_is_found(self):
        self.serve('client1', TAP, 'far-away')
        for host, device in (('host', 'eth0'), ('client2', TAP)):
            self.assertEqual(self.query(host, device)[0], 'far-away')

    def test_mdns_service_is_found_both_ways(self):
        for source, address, finders in (
                ('host', HOST_ADDRESS, CLIENT_ADDRESSES.items()),
                ('client1', CLIENT_ADDRESSES['client1'],
                 (('host', HOST_ADDRESS), ('client2', CLIENT_ADDRESSES['client2'])))):
            server = self.lab.start(source, 'mdns', *MDNS, 'announce', address, f'from-{source}')
            server.wait_log('announced', 10)
            for finder, own in finders:
                with self.subTest(source=source, finder=finder):
                    found = self.lab.run(finder, *MDNS, 'browse', own, '8').stdout.split()
                    self.assertEqual(found, [f'from-{source}', address])
            server.kill()

    def arrive(self, source, device, mac, targets):
        frames = friendly(mac)
        captures = {target: Capture(self.lab, *target) for target in targets}
        own = Capture(self.lab, source, device)
        for capture in (own, *captures.values()):
            self.addCleanup(capture.close)
        send_frames(self.lab, source, device, frames.values())
        for target, capture in captures.items():
            def missing(capture=capture):
                return set(frames.values()) - set(capture.frames())
            try:
                wait_for(lambda: not missing(), 5, 'every frame')
            except Exception:
                names = sorted(name for name, frame in frames.items() if frame in missing())
                self.fail(f'{source} to {target}: not as sent, or not at all: {names}')
            for name, frame in frames.items():
                self.assertEqual(capture.frames().count(frame), 1, f'{name} at {target}: more than once')
        back = [name for name, frame in frames.items() if frame in own.frames()]
        self.assertEqual(back, [], 'a frame came back to its sender')

    def test_client_to_lan_and_client(self):
        self.arrive('client1', TAP, CLIENT_MACS['client1'], [('host', 'eth0'), ('router', 'eth0'), ('client2', TAP)])

    def test_lan_to_clients(self):
        self.arrive('host', 'eth0', self.lab.mac('host', 'eth0'), [('client1', TAP), ('client2', TAP)])

    def test_lan_unicast_stays_on_the_lan(self):
        """What one LAN host sends another is no business of the tunnel."""
        self.lab.ping('host', ROUTER_ADDRESS)
        capture = Capture(self.lab, 'client1', TAP)
        self.lab.ping('host', ROUTER_ADDRESS)
        source = bytes.fromhex(self.lab.mac('host', 'eth0').replace(':', ''))
        leaked = [frame for frame in capture.frames() if frame[6:12] == source and not frame[0] & 1]
        capture.close()
        self.assertEqual(leaked, [])


class TestCamRefresh(unittest.TestCase):
    def test_switches_are_told_at_once_and_again(self):
        """GTW-6: before a remote machine says anything, while it is there, and not any longer."""
        with Lab() as lab:
            party = Party(lab, log_level='debug')
            party.start_relay()
            gateway = party.start_gateway('--cam-refresh', '1')
            party.wait_joined()
            capture = Capture(lab, 'host', 'eth0')
            source = bytes.fromhex(CLIENT_MACS['client1'].replace(':', ''))

            def refreshes():
                return [frame for frame in capture.frames() if frame[6:12] == source and b'CAM refresh' in frame]

            client = party.start_client('client1')
            gateway.wait_log(r'cam_refresh peer=\d+ mac=' + CLIENT_MACS['client1'] + ' reason=peer_joined', 20)
            gateway.wait_log(r'cam_refresh .*reason=periodic', 10, count=2)
            wait_for(lambda: len(refreshes()) >= 3, 5, 'the refreshes on the LAN')
            self.assertEqual({frame[:6] for frame in refreshes()}, {b'\xff' * 6})
            client.stop()
            gateway.wait_log('peer_left', 10)
            time.sleep(0.5)  # the capture has the last one
            before = len(refreshes())
            time.sleep(2.5)
            self.assertEqual(len(refreshes()), before)
            capture.close()
