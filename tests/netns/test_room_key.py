"""Rooms with a key: everything works as without, the relay cannot read the frames, and who has not the key stays out."""
import os
import re
import time

from frames import friendly, seen
from lab import HOST_ADDRESS, UPLINKS, Lab, wait_for
from party import CLIENT_ADDRESSES, CLIENT_MACS, TAP, Party, PartyCase
from test_attacks import AttackCase
from wire import Capture, Tshark, send_frames

KEY, OTHER_KEY = 'correct horse battery staple', 'incorrect horse battery staple'
MARK = b'<what the relay must not see>'
MARKED = 64


def memory_holds(pid, text):
    """Whether a process has these bytes anywhere in its own memory."""
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps, open(f'/proc/{pid}/mem', 'rb', buffering=0) as memory:
        for line in maps:
            start, end, rights = re.match(r'([0-9a-f]+)-([0-9a-f]+) (\S+)', line).groups()
            if not rights.startswith('rw'):
                continue
            memory.seek(int(start, 16))
            try:
                if text in memory.read(int(end, 16) - int(start, 16)):
                    return True
            except OSError:  # [vvar] and the like
                continue
    return False


class RelaySees(PartyCase):
    """client1 sends marked frames to the LAN and to client2; is the mark in the relay's memory then?"""
    clients = ('client1', 'client2')

    def sees(self):
        source, other = (bytes.fromhex(CLIENT_MACS[host].replace(':', '')) for host in ('client1', 'client2'))
        frames = [target + source + b'\x88\xb5' + MARK + bytes([number]) * 40
                  for target in (b'\xff' * 6, other) for number in range(MARKED)]
        wire, peer = Capture(self.lab, 'host', 'eth0'), Capture(self.lab, 'client2', TAP)
        self.addCleanup(wire.close)
        self.addCleanup(peer.close)
        send_frames(self.lab, 'client1', TAP, frames)
        wait_for(lambda: set(frames[:MARKED]) <= set(wire.frames()), 10, 'the marked broadcasts on the LAN')
        wait_for(lambda: set(frames) <= set(peer.frames()), 10, 'all marked frames at client2')
        return memory_holds(self.party.relay.pid, MARK)


class TestWithoutKey(RelaySees):
    def test_the_relay_can_read(self):
        self.assertTrue(self.sees(), 'if it is not found here, the test with a key proves nothing')
        self.assertFalse(self.party.room_status()['sealed'])


class TestWithKey(RelaySees):
    room_key = KEY

    def test_the_relay_cannot_read(self):
        self.assertFalse(self.sees())
        self.assertTrue(self.party.room_status()['sealed'])
        self.assertFalse(memory_holds(self.party.relay.pid, KEY.encode()))

    def test_traffic(self):
        """Ping all ways, TCP both ways (super-frames and merging), and packets as long as the MTU."""
        self.lab.ping('client1', HOST_ADDRESS)
        self.lab.ping('host', CLIENT_ADDRESSES['client2'])
        self.lab.ping('client1', CLIENT_ADDRESSES['client2'])
        server = self.lab.start_iperf3('host', HOST_ADDRESS)
        self.addCleanup(server.kill)
        for options in ((), ('--reverse',)):
            self.lab.run('client1', 'iperf3', '--client', HOST_ADDRESS, '--time', '2', *options, timeout=30)
        mtu = self.party.room_status()['mtu']
        self.assertEqual(mtu, 1320, '1344 less the 24 bytes that sealing takes')
        self.lab.run('client1', 'ping', '-M', 'do', '-s', str(mtu - 28), '-c', '3', '-i', '0.2', '-w', '5', HOST_ADDRESS)
        done = time.monotonic()

        def reported():
            """What all have said since then."""
            peers = self.party.peers()
            news = [peer for peer in peers if peer.get('stats', {}).get('age_ms', 1e9) / 1000 < time.monotonic() - done]
            return peers if len(news) == 3 else None

        for peer in wait_for(reported, 15, 'what everybody has counted'):
            self.assertEqual(peer['rx'].get('drops', {}).get('bad_datagram', 0), 0, peer['role'])
            for reason in ('bad_datagram', 'not_opened', 'replay'):
                self.assertEqual(peer['stats']['counters'].get('drops', {}).get(reason, 0), 0, f'{peer["role"]}: {reason}')

    def test_others_stay_out(self):
        """Who has not the key meets nobody, and is told why."""
        for number, (options, why) in enumerate((([], 'with a room key: give it with --room-key'),
                                                 (['--room-key', OTHER_KEY], 'with another room key'))):
            device = f'lanparty{number + 8}'
            command = Party(self.lab).peer_command('lanparty-client', f'outsider{number}', TAP, '--virtual-mac',
                                                   f'02:4c:50:00:00:0{number + 8}', *options)
            command[command.index('--relay-ca-cert') + 1] = self.party.certificate
            command[command.index('--interface') + 1] = device
            outsider = self.lab.start('client2', f'outsider{number}', *command)
            outsider.wait_log(r'other_room_key.*' + why, 20)
            self.lab.ip('client2', 'addr', 'replace', '192.168.77.88/24', 'dev', device)
            run = self.lab.run('client2', 'ping', '-I', device, '-c', '3', '-i', '0.3', '-w', '3', HOST_ADDRESS, check=False)
            self.assertEqual(run.returncode, 1, run.stdout)
            self.assertNotIn(OTHER_KEY, outsider.log())
            outsider.kill()

    def test_reconnect(self):
        """Each life has keys of its own: after a gateway and a client came back, everybody reads everybody."""
        self.party.gateway.kill()
        self.party.start_gateway()
        self.lab.wait_ping('client1', HOST_ADDRESS, 45)
        self.party.clients['client2'].kill()
        self.party.start_client('client2')
        self.party.wait_joined(['client2'])
        self.lab.ip('client2', 'addr', 'replace', f'{CLIENT_ADDRESSES["client2"]}/24', 'dev', TAP)
        self.lab.wait_ping('client2', CLIENT_ADDRESSES['client1'], 45)
        self.lab.wait_ping('client2', HOST_ADDRESS, 45)


class TestKeyedRoomIsSafe(AttackCase):
    """The relay sees Ethernet headers only; what a member's client sends is stopped by gateway and clients."""
    unsafe, room_key = ('client1',), KEY

    def test_nothing_reaches_lan_or_clients(self):
        on_lan, at_client = self.attack()
        self.assertEqual(on_lan, set())
        self.assertEqual(at_client, set())
        drops = self.party.peer('client1')['rx']['drops']
        for rule in ('switch_control', 'vlan'):
            self.assertGreater(drops.get(rule, 0), 0, f'the relay names the rule {rule}')
        for rule in ('arp', 'dhcp4_server', 'router_advertisement'):
            self.assertEqual(drops.get(rule, 0), 0, 'the relay cannot know')
