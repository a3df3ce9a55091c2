"""The Windows client as a service: installed, renewed, crashed, removed, each time with the routes as they should be."""
import os
import re
import shutil
import signal
import subprocess
import unittest

from lab import Lab, wait_for
from test_join import changes, make_party, restores
from winlab import HOST, STATE, WindowsPc, windows_path

KEY = r'HKLM\System\CurrentControlSet\Services\lanparty-client'


class TestService(unittest.TestCase):
    def wait_calls(self, pc, calls):
        try:
            wait_for(lambda: pc.calls() == calls, 20, 'the calls of the service')
        finally:
            self.assertEqual(pc.calls(), calls)

    @staticmethod
    def options(pc, party, *more):
        """With the certificate where nobody else can change it."""
        certificate = os.path.join(pc.folder, 'relay-cert')
        shutil.copy(party.certificate, certificate)
        return pc.options(party, *more, certificate=certificate)

    def install(self, pc, party, *more):
        status, out, err = pc.run_client('--service', 'install', *self.options(pc, party, *more))
        self.assertEqual((status, err), (0, ''))
        self.assertIn(r'runs, and starts with Windows. Its log: C:\ProgramData\lanparty\client.log', out)

    @staticmethod
    def kill(lab):
        """A crash, as hard as it gets."""
        for pid in subprocess.run(['ip', 'netns', 'pids', lab.ns(HOST)], capture_output=True, text=True).stdout.split():
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                if b'--service\0run' in file.read():
                    os.kill(int(pid), signal.SIGKILL)
                    return
        raise AssertionError('the service has no process')

    def test_install_renew_crash_remove(self):
        with Lab() as lab, WindowsPc(lab) as pc:
            party = make_party(lab, lasting_certificate=True)
            party.start_relay()
            party.start_gateway()
            party.wait_joined()
            self.install(pc, party)
            wait_for(lambda: party.peer(HOST), 20, 'the service in the room')
            mtu = party.room_status()['mtu']
            self.wait_calls(pc, changes(mtu))
            self.assertRegex(pc.read_state('client.log'), r'lan message="room ROOM1, peer \d+, MTU \d+, gateway: connected')
            command = pc.run('reg', 'query', KEY, '/v', 'ImagePath')[1]
            self.assertRegex(command, r'lanparty-client\.exe --relay .* --room ROOM1 .* --service run')
            self.assertIn('0x2', pc.run('reg', 'query', KEY, '/v', 'Start')[1])  # with Windows
            status, _, err = pc.run_client(*pc.options(party))
            self.assertEqual(status, 3, err)
            self.assertIn('another lanparty-client runs on this PC (perhaps as a service)', err)
            # Other options: the one that runs leaves, and a new one joins.
            self.install(pc, party, '--name', 'renewed')
            wait_for(lambda: (party.peer(HOST) or {}).get('name') == 'renewed', 20, 'the renewed service in the room')
            self.wait_calls(pc, changes(mtu) + restores(mtu) + changes(mtu))
            # A crash, and the next start.
            self.kill(lab)
            self.assertIn('pin', pc.read_state('route-state.txt'))
            pc.run('net', 'start', 'lanparty-client')
            self.wait_calls(pc, (changes(mtu) + restores(mtu)) * 2 + changes(mtu))
            self.assertIn('route_recover ', pc.read_state('client.log'))
            self.assertEqual(pc.run_client('--service', 'remove')[:2], (0, 'The service lanparty-client is removed.\n'))
            self.wait_calls(pc, (changes(mtu) + restores(mtu)) * 3)
            wait_for(lambda: not party.peer(HOST), 5, 'the relay saw it leave')
            self.assertEqual(len(re.findall('mac=02:4c:50:00:00:01 reason=quit', party.relay.log())), 2)
            self.assertNotEqual(pc.run('reg', 'query', KEY, check=False)[0], 0)
            self.assertIn('There is no service', pc.run_client('--service', 'remove')[1])

    def test_not_beside_a_client_in_a_window(self):
        """It would not run, whatever is said, and be started again and again."""
        with Lab() as lab, WindowsPc(lab) as pc:
            party = make_party(lab, lasting_certificate=True)
            client = pc.start_client(party)  # there is no relay yet
            client.wait_log('relay_connecting')
            status, out, err = pc.run_client('--service', 'install', *self.options(pc, party))
            self.assertEqual((status, out), (3, ''))
            self.assertIn('another lanparty-client runs on this PC, in a window; end that one first', err)
            self.assertNotEqual(pc.run('reg', 'query', KEY, check=False)[0], 0)
            self.assertEqual(pc.interrupt(client), 0)
            self.install(pc, party)
            self.assertEqual(pc.run_client('--service', 'remove')[0], 0)

    def test_not_from_where_others_can_write(self):
        with Lab() as lab, WindowsPc(lab, adapters=0) as pc:
            party = make_party(lab)
            party.start_relay()
            for path, name in ((pc.client, 'change C:'), (pc.folder, 'change the folder of C:'), (pc.above, 'change the folder C:')):
                mode = os.stat(path).st_mode
                os.chmod(path, 0o777)
                status, _, err = pc.run_client('--service', 'install', *self.options(pc, party))
                os.chmod(path, mode)
                self.assertEqual(status, 2, err)
                self.assertIn(f'others than administrators can {name}', err)
                self.assertNotEqual(pc.run('reg', 'query', KEY, check=False)[0], 0)
                self.assertEqual(pc.read_state('client-identity.json'), '')

    def test_not_with_files_that_others_can_change(self):
        """They say where it connects to, and whom it trusts."""
        with Lab() as lab, WindowsPc(lab, adapters=0) as pc:
            party = make_party(lab)
            party.start_relay()
            options = self.options(pc, party)
            certificate, config = (os.path.join(pc.folder, name) for name in ('relay-cert', 'party.conf'))
            with open(config, 'w', encoding='utf-8') as file:
                file.write('log-level = debug\n')
            for path in (certificate, config):
                os.chmod(path, 0o666)
                status, _, err = pc.run_client('--service', 'install', *options, '--config', windows_path(config))
                os.chmod(path, 0o644)
                self.assertEqual(status, 2, err)
                self.assertIn(f'others than administrators can change {windows_path(path)}, ', err)
            with self.subTest('it runs in another folder'):
                with open(config, 'w', encoding='utf-8') as file:
                    file.write('relay = 127.0.0.1:9\nroom = R\nrelay-ca-cert = relay-cert\n')
                status, _, err = pc.run('cmd', '/c', f'cd /d {windows_path(pc.folder)} && lanparty-client --service install '
                                        '--config party.conf', check=False)
                self.assertEqual(status, 2, err)
                self.assertIn("party.conf:3: relay-ca-cert 'relay-cert': a service needs the full path", err)
            self.assertNotEqual(pc.run('reg', 'query', KEY, check=False)[0], 0)

    def test_what_the_service_lacks_is_said_at_once(self):
        with Lab() as lab, WindowsPc(lab, adapters=0) as pc:
            party = make_party(lab)
            party.start_relay()
            status, _, err = pc.run_client('--service', 'install', *pc.options(party, certificate='/nowhere'))
            self.assertEqual(status, 6)
            self.assertIn('--relay-ca-cert', err)
            status, _, err = pc.run_client('--service', 'install', '--room', 'R')
            self.assertEqual(status, 2)
            self.assertIn('--relay: is needed', err)
            self.assertNotEqual(pc.run('reg', 'query', KEY, check=False)[0], 0)
            # An adapter may come later: the service runs into that by itself, and says so in its log.
            self.install(pc, party)
            wait_for(lambda: 'no TAP-Windows6 adapter is installed' in pc.read_state('client.log'), 20, 'the log')
            # So does a folder that is moved aside, with all that the service needs.
            os.chmod(STATE, 0o777)
            pc.run('net', 'start', 'lanparty-client', check=False)
            wait_for(lambda: 'others than administrators could write to' in pc.read_state('client.log'), 20, 'the reason')
            self.assertEqual(pc.run_client('--service', 'remove')[0], 0)
