"""Rooms are walls: two parties at one relay never see each other's frames, and every room has one gateway at most."""
import signal
import unittest

from frames import friendly, seen
from lab import Lab, wait_for
from party import CLIENT_MACS, TAP, Party
from wire import Capture, send_frames


class TestRooms(unittest.TestCase):
    def test_rooms_do_not_see_each_other(self):
        self.walls('ROOM2', same_shard=True)

    def test_rooms_on_two_shards(self):
        self.walls('ROOM3', same_shard=False)

    def walls(self, other, same_shard):
        """ROOM1 with the gateway and client1, the other room with client2."""
        with Lab() as lab:
            party = Party(lab, relay_options=['--shards', '2'])
            party.start_relay()
            party.start_gateway()
            party.start_client('client1')
            party.start_client('client2', room=other)
            party.wait_joined(['client1'])
            wait_for(lambda: party.peers(other), 20, f'client2 in {other}')
            shards = {party.room_status(room)['shard'] for room in ('ROOM1', other)}
            self.assertEqual(len(shards), 1 if same_shard else 2)
            status = party.status()
            self.assertEqual([len(status['shards']), status['joined']], [2, 3])
            self.assertEqual(sum(shard['joined'] for shard in status['shards']), 3)
            self.assertEqual(status['totals']['rejected'], {}, 'nobody came to the wrong shard')
            wait_for(lambda: lab.has_carrier('client2', TAP), 5, 'client2\'s TAP device')
            captures = {host: Capture(lab, host, device) for host, device in
                        (('host', 'eth0'), ('client1', TAP), ('client2', TAP))}
            ours = friendly(CLIENT_MACS['client1'])
            send_frames(lab, 'client1', TAP, ours.values())
            wait_for(lambda: seen(ours, captures['host'].frames()) == set(ours), 5, 'the frames at the own LAN')
            self.assertEqual(seen(ours, captures['client2'].frames()), set())
            # and the other way: nothing of the other room reaches ROOM1
            before = {host: len(captures[host].frames()) for host in ('host', 'client1')}
            theirs = friendly(CLIENT_MACS['client2'])
            send_frames(lab, 'client2', TAP, theirs.values())
            source = bytes.fromhex(CLIENT_MACS['client2'].replace(':', ''))
            wait_for(lambda: party.peers(other)[0]['rx'].get('tunnel_rx_datagrams', 0) >= len(theirs), 10,
                     'the frames at the relay')
            for host, count in before.items():
                self.assertEqual([frame for frame in captures[host].frames()[count:] if frame[6:12] == source], [])

    def test_second_gateway_and_duplicate_mac_are_refused(self):
        with Lab() as lab:
            party = Party(lab).start(['client1'])
            command = party.client_command('client2', '--no-retry')
            command[command.index('--virtual-mac') + 1] = CLIENT_MACS['client1']
            run = lab.run('client2', *command, check=False, timeout=30)
            self.assertEqual(run.returncode, 7, run.stderr)
            self.assertIn('duplicate_mac', run.stderr)
            lab.ip('client2', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1')
            for device in ('eth0', 'eth1'):
                lab.ip('client2', 'link', 'set', device, 'up')
            command = party.peer_command('lanparty-gateway', 'client2', 'eth0', '--no-retry')
            run = lab.run('client2', *command, check=False, timeout=30)
            self.assertEqual(run.returncode, 7, run.stderr)
            self.assertIn('gateway_exists', run.stderr)
            party.check_programs()

    def test_a_join_goes_before_frames_that_wait(self):
        """GTW-7: what waits at the LAN port while somebody joins is for the newcomer already."""
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            party.start_gateway()
            party.wait_joined()
            party.gateway.signal(signal.SIGSTOP)
            source = bytes.fromhex(lab.mac('host', 'eth0').replace(':', ''))
            newcomer = bytes.fromhex(CLIENT_MACS['client1'].replace(':', ''))
            wanted = {newcomer + source + b'\x88\xb5' + bytes([number]) * 46 for number in range(8)}
            send_frames(lab, 'host', 'eth0', wanted)
            party.start_client('client1')
            party.wait_joined(['client1'])
            capture = Capture(lab, 'client1', TAP)
            party.gateway.signal(signal.SIGCONT)
            wait_for(lambda: wanted <= set(capture.frames()), 5, 'the frames that waited')
            party.check_programs()
