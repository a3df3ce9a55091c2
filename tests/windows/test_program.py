"""lanparty-client.exe as a command line: every end before the tunnel, with its message and exit status."""
import os
import subprocess
import time

from winlab import CLIENT, STATE, WineCase, windows_path, wine


class TestCommandLine(WineCase):
    def test_messages_and_exit_statuses(self):
        cases = (
            (['--version'], 0, r'^lanparty-client \d', ''),
            (['--help'], 0, r'--list-tap-adapters(.|\n)*ProgramData.lanparty.client-identity.json', ''),
            (['--rom', 'R'], 2, '', 'unknown option .*did you mean --room'),
            (['--room', 'R'], 2, '', '--relay: is needed'),
            (['--relay', 'r'], 2, '', '--room: is needed'),
            (['--relay', 'r', '--room', 'ä'], 2, '', "--room 'ä': must be"),
            (['--service', 'start'], 2, '', "--service 'start': must be install, remove or run"),
            (['--service', 'run'], 2, '', 'only Windows starts this'),
            (['--config', r'Z:\nowhere\party.conf'], 2, '', 'party.conf'),
            (['--relay', '127.0.0.1', '--room', 'R', '--virtual-mac', 'ff:ff:ff:ff:ff:ff'], 2, '', '--virtual-mac'),
            (['--relay', '127.0.0.1', '--room', 'R', '--relay-ca-cert', r'Z:\nowhere'], 6, '', '--relay-ca-cert'),
            (['--list-tap-adapters'], 3, 'no TAP-Windows6 adapter', ''),
            (['--relay', '127.0.0.1', '--room', 'R'], 3, '', 'no TAP-Windows6 adapter is installed'),
            (['--recover-routes'], 0, '', ''),
            (['--service', 'remove'], 0, 'There is no service', ''),
        )
        for arguments, status, out, err in cases:
            with self.subTest(' '.join(arguments)):
                got = wine(CLIENT, *arguments)
                self.assertEqual(got[0], status, got[2])
                for text, expected in ((got[1], out), (got[2], err)):
                    self.assertRegex(text, expected or r'\A\Z')

    def test_a_failure_in_a_window(self):
        """The window stays a while for who reads it; others need not wait for that."""
        state = os.path.join(STATE, 'route-state.txt')
        os.makedirs(STATE, 0o700, exist_ok=True)
        with open(state, 'w', encoding='utf-8') as file:
            file.write('damaged\n')
        self.addCleanup(os.unlink, state)
        wine('cmd', '/c', 'start', '', windows_path(CLIENT), '--recover-routes')
        time.sleep(3)
        status, _, err = wine(CLIENT, '--recover-routes')
        self.assertEqual(status, 1, err)
        self.assertIn('this is no route state file', err)
        self.assertIn('lanparty-client.exe --recover-routes', subprocess.run(['ps', '-eo', 'args'], capture_output=True, text=True).stdout)
