"""What goes wrong on a Windows PC: the message that says so, the exit status, and everything put back."""
import os
import signal
import unittest

from lab import UPLINKS, Lab
from party import Party
from test_join import RELAY, ROUTER, changes, join, restores
from winlab import MAC, TOOL_PORT, WindowsPc

NO_ANSWER = '203.0.113.99:4433'


class TestFailures(unittest.TestCase):
    def fails(self, pc, party, status, message, *options, **changes):
        got, _, err = pc.run_client(*pc.options(party, '--no-retry', *options, **changes))
        self.assertEqual(got, status, err)
        self.assertRegex(err, message)

    def test_before_and_while_joining(self):
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
                self.fails(pc, party, 6, 'certificate', certificate=other)
            with self.subTest('refused: the MAC is taken'):
                taken = lab.start('client2', 'other', *party.client_command('client2', '--virtual-mac', MAC)[:-4],
                                  '--virtual-mac', MAC)
                taken.wait_log('session_joined')
                self.fails(pc, party, 7, 'MAC')
                taken.stop()
            with self.subTest('route creation denied'):
                pc.fail_calls('CreateIpForwardEntry2 5')
                self.fails(pc, party, 8, 'route_pin')
                pc.fail_calls()
            with self.subTest('no settings for the adapter'):
                pc.fail_calls('SetIpInterfaceEntry 5')
                self.fails(pc, party, 8, 'tap_settings')
                pc.fail_calls()
            self.assertEqual([line for line in pc.calls() if line.startswith('Create') and line.endswith('-> 0')].__len__(),
                             len([line for line in pc.calls() if line.startswith('Delete')]))
            with self.subTest('media status refused'):
                self.set_fake(lab, 'fail_media=0xc0000001')
                self.fails(pc, party, 3, '(?i)media|connect')
                self.set_fake(lab, 'fail_media=0')

    @staticmethod
    def set_fake(lab, text):
        lab.run('client1', 'python3', '-c', f'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto('
                f'b"set {text}", ("127.0.0.1", {TOOL_PORT}))')

    def test_read_error_ends_the_bridge_and_restores(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            _, client, mtu = join(lab, pc)
            client.expected_end = True
            self.set_fake(lab, 'fail_read=0xc000009d')
            lab.run('client1', 'ping', '-c', '1', '-W', '1', '-I', 'tapx', '192.168.77.2', check=False)
            self.assertEqual(client.popen.wait(20), 3)
            self.assertIn('tap_failed', client.log())
            self.assertEqual(pc.calls(), changes(mtu) + restores(mtu))

    def test_an_existing_route_is_left_alone(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            lab.ip('client1', 'route', 'add', f'{RELAY}/32', 'via', ROUTER, 'dev', 'up0')
            _, client, mtu = join(lab, pc)
            client.wait_log('relay route: pinned')
            self.assertEqual(pc.interrupt(client), 0)
            self.assertEqual(pc.calls(), changes(mtu)[1:] + restores(mtu)[:-1])

    def test_adapters(self):
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            with WindowsPc(lab, adapters=0) as pc:
                self.fails(pc, party, 3, 'no TAP-Windows6 adapter is installed; get the driver from https://')
            lab.ip('client1', 'link', 'del', 'tapx')
            os.rename(lab.path('program'), lab.path('program.0'))
            os.rename(lab.path('ip-helper'), lab.path('ip-helper.0'))
            with WindowsPc(lab, adapters=2) as pc:
                self.fails(pc, party, 2, '--tap-instance-id')
                status, out, _ = pc.run_client('--list-tap-adapters')
                self.assertEqual(status, 0)
                for text in (*pc.guids, 'Ethernet 2', 'Ethernet 3', '9.27.0.0'):
                    self.assertIn(text, out)
                self.fails(pc, party, 3, '(?i)no|not', '--tap-instance-id', '{00000000-1111-2222-3333-444444444444}')
                client = pc.start_client(party, '--tap-instance-id', pc.guids[0])
                client.wait_log('media.*=connected', 20)
                second = pc.run_client(*pc.options(party))
                self.assertEqual(second[0], 3)
                self.assertIn('another lanparty-client runs', second[2])
                self.assertEqual(pc.interrupt(client), 0)

    def test_the_driver_has_another_mac(self):
        with Lab() as lab, WindowsPc(lab, mac='02:4c:50:00:00:77') as pc:
            party = Party(lab)
            party.start_relay()
            self.fails(pc, party, 3, f'has the MAC address 02:4c:50:00:00:77 and not {MAC}.*ncpa.cpl')
            self.assertEqual(pc.calls(), [])
