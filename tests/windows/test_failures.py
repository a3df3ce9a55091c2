"""What goes wrong on a Windows PC: the message that says so, the exit status, and everything put back."""
import json
import re
import unittest

from lab import HOST_ADDRESS, Lab, wait_for
from party import CLIENT_ADDRESSES, Party
from test_join import PIN, RELAY, ROUTER, UNPIN, changes, join, make_party, restores
from winlab import HOST, MAC, TOOL, WindowsPc

NO_ANSWER = '203.0.113.99:4433'
NET_CLASS = r'HKLM\SYSTEM\CurrentControlSet\Control\Class\{4D36E972-E325-11CE-BFC1-08002BE10318}'

# More frames than the driver may keep of the client at a time.
FLOOD = """
import socket, sys, time
to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(1200):
    to.sendto(bytes(20), (sys.argv[1], 9))
    time.sleep(0.001)
"""


class FailureCase(unittest.TestCase):
    def fails(self, pc, party, status, message, *options, **how):
        got, _, err = pc.run_client(*pc.options(party, '--no-retry', *options, **how))
        self.assertEqual(got, status, err)
        self.assertRegex(err, message)
        return err


class TestWhileJoining(FailureCase):
    def test_relay_and_certificate(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party = Party(lab)
            party.start_relay()
            with self.subTest('relay does not answer'):
                self.fails(pc, party, 5, NO_ANSWER.split(':')[0], relay=NO_ANSWER)
            with self.subTest('name not found'):
                self.fails(pc, party, 4, 'nowhere.invalid', relay='nowhere.invalid')
            with self.subTest('certificate of somebody else'):
                other = lab.path('other.pem')
                lab.run('relay', 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                        '-keyout', lab.path('other.key'), '-out', other, '-subj', '/CN=other', '-days', '2')
                self.fails(pc, party, 6, 'certificate is neither pinned nor', certificate=other)
            self.assertEqual(pc.calls(), [])  # nothing is touched before the room is joined
            # The adapter had its MAC before that (TAP-2).
            status, out, _ = pc.run('reg', 'query', NET_CLASS + r'\0181', '/v', 'NetworkAddress')
            self.assertIn(MAC.replace(':', ''), out.lower())

    def refused(self, relay_options, code, prepare):
        with Lab() as lab, WindowsPc(lab) as pc:
            party = Party(lab, relay_options=relay_options)
            party.start_relay()
            prepare(lab, party)
            err = self.fails(pc, party, 7, code)
            self.assertEqual(pc.calls(), [])
            return err

    def test_reject_codes(self):
        """Those that an honest client of this version can meet."""
        def other(room=None, mac=None):
            def start(lab, party):
                command = party.client_command('client2', room=room)
                if mac:
                    command[command.index('--virtual-mac') + 1] = mac
                lab.start('client2', 'other', *command).wait_log('session_joined', 20)
            return start

        def narrow(lab, party):
            other()(lab, party)  # fixes the room's MTU
            for host, device in ((HOST, 'up0'), ('inet', HOST)):
                lab.ip(host, 'link', 'set', device, 'mtu', '1300')

        for code, options, prepare in (
                ('duplicate_mac', (), other(mac=MAC)),
                ('room_full', ('--max-peers-per-room', '2'), lambda lab, party: (other()(lab, party), party.start_gateway(),
                                                                                 party.wait_joined())),
                ('too_many_rooms', ('--max-rooms', '1'), other(room='ROOM2')),
                ('rate', ('--address-join-rate', '1', '--max-peers-per-room', '2'), lambda lab, party: self.join_often(lab, party)),
                ('mtu', (), narrow)):
            with self.subTest(code):
                self.refused(options, code, prepare)

    @staticmethod
    def join_often(lab, party):
        """client1's own address has used up its joins."""
        for number in range(3):
            command = party.client_command(HOST, '--no-retry')
            command[command.index('--virtual-mac') + 1] = f'02:4c:50:00:01:{number:02x}'
            client = lab.start(HOST, 'often', *command)
            wait_for(lambda client=client: 'session_joined' in client.log() or client.exit_status() is not None, 20, 'a join')
            client.expected_end = True
            client.stop()

    def test_windows_says_no(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party = Party(lab)
            party.start_relay()
            with self.subTest('route creation denied'):
                pc.fail_calls('CreateIpForwardEntry2 5')
                self.fails(pc, party, 8, 'route_pin')
                self.assertEqual(pc.calls(), [PIN.replace('-> 0', '-> 5')])
            with self.subTest('no settings for the adapter'):
                pc.fail_calls('SetIpInterfaceEntry 5')
                self.fails(pc, party, 8, 'tap_settings')
                self.assertEqual([line for line in pc.calls() if line.endswith('-> 0')], [PIN, UNPIN])
            with self.subTest('no settings for IPv6: what was changed for IPv4 is put back'):
                pc.fail_calls('SetIpInterfaceEntry/6 5')
                self.fails(pc, party, 8, 'tap_settings')
                undone = [line for line in pc.calls() if line.endswith('-> 0')][2:]
                mtu = int(re.search(r'mtu=(\d+)', undone[1]).group(1))
                self.assertEqual(undone, changes(mtu)[:4] + restores(mtu)[3:])
            pc.fail_calls()
            with self.subTest('media status refused'):
                pc.set_driver('fail_media=0xc000009d')
                self.fails(pc, party, 3, "disconnecting the TAP adapter's media: .*1167")
                pc.set_driver('fail_media=0')

    def test_the_driver_refuses_in_the_room(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party = make_party(lab, lasting_certificate=True)
            client = pc.start_client(party)  # there is no relay yet
            client.expected_end = True
            client.wait_log('relay_connecting')
            pc.set_driver('fail_media=0xc000009d')
            party.start_relay()
            self.assertEqual(client.popen.wait(30), 3)
            self.assertRegex(client.log(), 'tap_failed .*refuses to connect the adapter')
            self.assertEqual(len(pc.calls()), 14)
            self.assertEqual(pc.calls()[-1], UNPIN)

    def test_no_administrator(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            status, _, err = pc.run(TOOL, 'unprivileged', pc.client, '--relay', RELAY, '--room', 'R', check=False)
            self.assertEqual((status, err), (8, 'lanparty-client: this needs administrator rights: open the Start menu, type '
                                                '"cmd", choose "Run as administrator", and start it there\n'))
            self.assertEqual(pc.run(TOOL, 'unprivileged', pc.client, '--list-tap-adapters')[0], 0)


class TestAdapters(FailureCase):
    def test_none(self):
        with Lab() as lab, WindowsPc(lab, adapters=0) as pc:
            party = Party(lab)
            party.start_relay()
            self.fails(pc, party, 3, 'no TAP-Windows6 adapter is installed; get the driver from https://')

    def test_two(self):
        with Lab() as lab, WindowsPc(lab, adapters=2) as pc:
            party = Party(lab)
            party.start_relay()
            self.fails(pc, party, 2, '--tap-instance-id')
            status, out, _ = pc.run_client('--list-tap-adapters')
            self.assertEqual(status, 0)
            for text in (*pc.guids, 'Ethernet 2', 'Ethernet 3', '9.27.0.0'):
                self.assertIn(text, out)
            self.fails(pc, party, 3, '(?i)no|not', '--tap-instance-id', '{00000000-1111-2222-3333-444444444444}')
            client = pc.start_client(party, '--tap-instance-id', pc.guids[0])
            client.wait_log('media.*=connected', 20)
            self.assertRegex(client.log(), 'tap_opened adapter="Ethernet 2"')
            second = pc.run_client(*pc.options(party))
            self.assertEqual(second[0], 3)
            self.assertIn('another lanparty-client runs', second[2])
            second = pc.run_client('--recover-routes')
            self.assertEqual(second[0], 3)
            self.assertEqual(pc.interrupt(client), 0)

    def test_in_use(self):
        """Another VPN goes on undisturbed: its adapter is neither restarted nor given another MAC."""
        with Lab() as lab, WindowsPc(lab) as pc:
            party = Party(lab)
            party.start_relay()
            other = pc.start('other-vpn', TOOL, 'hold', pc.guids[0])
            other.wait_log('ready')
            err = self.fails(pc, party, 3, r'in use by another program \(another VPN client\?\)')
            self.assertNotIn('tap_restart', err)
            _, out, _ = pc.run('reg', 'query', NET_CLASS + r'\0181', '/v', 'NetworkAddress', check=False)
            self.assertNotIn(MAC.replace(':', ''), out.lower())
            self.assertEqual(pc.calls(), [])
            other.kill()

    def test_the_driver_has_another_mac(self):
        """It is restarted, looked at again, and then the person is told; also with the MAC of the identity file."""
        with Lab() as lab, WindowsPc(lab, mac='02:4c:50:00:00:77') as pc:
            party = Party(lab)
            party.start_relay()
            for options in ({}, {}, {'mac': None}):  # the second time the registry is right already
                mac = MAC if not options else '[0-9a-f:]{17}'
                err = self.fails(pc, party, 3, f'has the MAC address 02:4c:50:00:00:77 and not {mac}.*ncpa.cpl', **options)
                self.assertIn('tap_restart', err)
            self.assertEqual(pc.calls(), [])
            identity = json.loads(pc.read_state('client-identity.json'))
            self.assertIn(identity['mac'], err)


class TestWhileBridging(FailureCase):
    def test_read_error_ends_the_bridge_and_restores(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc)
            client.expected_end = True
            pc.set_driver('fail_read=0xc000009d')
            lab.run(HOST, 'ping', '-c', '1', '-W', '1', '-I', 'tapx', HOST_ADDRESS, check=False)
            self.assertEqual(client.popen.wait(20), 3)
            self.assertRegex(client.log(), 'error tap_failed .*reading from the TAP adapter')
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu))
            wait_for(lambda: 'reason=device_error' in party.relay.log(), 5, 'the relay heard why')

    def test_write_error_ends_the_bridge_and_restores(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            _, client, mtu = join(lab, pc)
            client.expected_end = True
            pc.set_driver('fail_write=0xc000009d')
            lab.run('host', 'ping', '-c', '3', '-W', '1', '192.168.77.99', check=False)  # asks everybody
            self.assertEqual(client.popen.wait(20), 3)
            self.assertRegex(client.log(), 'error tap_failed .*writing to the TAP adapter')
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu))

    def test_the_adapter_is_disabled(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc)
            client.expected_end = True
            pc.set_driver('gone=1')
            self.assertEqual(client.popen.wait(20), 3)
            self.assertRegex(client.log(), 'error tap_failed .*reading from the TAP adapter: not there; is the adapter enabled')
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu))
            wait_for(lambda: 'reason=device_error' in party.relay.log(), 5, 'the relay heard why')
            self.fails(pc, party, 3, 'opening the TAP adapter: not there; is the adapter enabled')
            pc.set_driver('gone=0')

    def test_what_the_bridge_survives(self):
        """Frames that are none, a driver that takes no more, a driver that sleeps: counted, and it goes on."""
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc)
            own = CLIENT_ADDRESSES[HOST]
            lab.ip(HOST, 'addr', 'add', f'{own}/24', 'dev', 'tapx')
            lab.wait_ping(HOST, HOST_ADDRESS, 10)
            for frame in (b'\x01', b'\xff' * 13, bytes(14)):
                pc.send_wire(frame)
            pc.set_driver('hold_writes=1000000')
            lab.run('host', 'python3', '-c', FLOOD, own)
            pc.set_driver('hold_writes=0')
            self.assertLess(lab.wait_ping(HOST, HOST_ADDRESS, 10), 10)
            pc.set_driver('asleep=1')
            self.assertIsNone(lab.ping(HOST, HOST_ADDRESS, 1, check=False, deadline=1))
            pc.set_driver('asleep=0')
            self.assertLess(lab.wait_ping(HOST, HOST_ADDRESS, 10), 10)

            def drops():
                counted = ((party.peer(HOST).get('stats') or {}).get('counters') or {}).get('drops', {})
                return counted if counted.get('device_full', 0) > 20 and counted.get('malformed', 0) >= 2 else None
            wait_for(drops, 30, 'the drops in what the client reports')
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu))

    def test_windows_says_no_after_a_long_outage(self):
        """The network may still be settling, after a night's sleep for instance: it goes on, and tries again."""
        with Lab() as lab, WindowsPc(lab) as pc:
            party, client, mtu = join(lab, pc, lasting_certificate=True)
            client.wait_log('relay route: pinned')
            party.relay.stop()
            client.wait_log('media message=disconnected', 75)
            pc.fail_calls('CreateIpForwardEntry2 5', 'SetIpInterfaceEntry 5')
            pc.take_route(RELAY)
            pc.forget_settings(4)
            client.wait_log('route_not_pinned', 10)
            pc.set_driver('fail_media=0xc000009d')
            party.start_relay()
            client.wait_log("media message=\"connecting the TAP adapter's media: ", 30)
            self.assertRegex(client.log(), r'warn +route_pin (.|\n)*warn +tap_settings message="SetIpInterfaceEntry')
            pc.set_driver('fail_media=0')
            client.wait_log('media message=connected', 10, count=2)
            before = len(pc.calls())
            pc.fail_calls()
            settings = changes(mtu)[1:4]
            # Windows may begin to say yes in the middle of a look at both.
            wait_for(lambda: [call for call in pc.calls()[before:] if call.endswith('-> 0')] in (
                [PIN, *settings], [*settings, PIN]), 15, 'pin and settings')
            self.assertEqual(pc.interrupt(client), 0)

    def test_asleep_when_the_cable_goes_in(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party = make_party(lab, lasting_certificate=True)
            client = pc.start_client(party)  # there is no relay yet
            client.wait_log('relay_connecting')
            pc.set_driver('asleep=1')
            party.start_relay()
            party.start_gateway()
            client.wait_log('media message=connected', 30)
            pc.set_driver('asleep=0')
            lab.ip(HOST, 'addr', 'add', f'{CLIENT_ADDRESSES[HOST]}/24', 'dev', 'tapx')
            lab.wait_ping(HOST, HOST_ADDRESS, 15)
            self.assertEqual(pc.interrupt(client), 0)

    def test_an_existing_route_is_left_alone(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            lab.ip(HOST, 'route', 'add', f'{RELAY}/32', 'via', ROUTER, 'dev', 'up0')
            _, client, mtu = join(lab, pc)
            client.wait_log('relay route: pinned')
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls(), changes(mtu)[1:] + restores(mtu)[:-1])
