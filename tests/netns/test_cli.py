"""What people type wrong: a clear message that names the part, the documented exit status, and nothing left behind."""
import os
import subprocess
import unittest

from lab import Lab
from party import SERVER_NAME, TAP, Party, binary

PROGRAMS = ('lanparty-relay', 'lanparty-gateway', 'lanparty-client')
DEV = ['--dev-cert-der-out', '{folder}/relay-cert.der']
PEER = ['--relay', '203.0.113.2', '--room', 'ROOM1']
FAILURE, USAGE, DEVICE, RESOLVE, UNREACHABLE, TLS, PRIVILEGE = 1, 2, 3, 4, 5, 6, 8

# program, arguments, exit status, what the message must contain
BAD = [
    ('lanparty-relay', [*DEV, '--listen', 'nonsense'], USAGE, 'nonsense'),
    ('lanparty-relay', [*DEV, '--listen', '443/tcp'], USAGE, 'tcp'),
    ('lanparty-relay', [*DEV, '--listen', '[::1]:99999'], USAGE, '99999'),
    ('lanparty-relay', ['--listen', '[::]:4433', '--no-such-option'], USAGE, 'no-such-option'),
    ('lanparty-relay', ['--listen', '[::]:4433', '--cert', '/nonexistent.pem'], USAGE, 'key'),
    ('lanparty-relay', ['--listen', '[::]:4433', '--cert', '/nonexistent.pem', '--key', '/nonexistent.key'], None,
     '/nonexistent'),
    ('lanparty-relay', [*DEV, '--log-level', 'loud'], USAGE, 'loud'),
    ('lanparty-relay', [*DEV, '--log-format', 'xml'], USAGE, 'xml'),
    ('lanparty-relay', ['--listen', '[::]:4433'], USAGE, '--dev-cert-der-out'),
    ('lanparty-relay', ['--dev-cert-der-out', '/proc/nonexistent/relay-cert.der'], None, '/proc/nonexistent'),
    ('lanparty-relay', [*DEV, '--status-socket', '/proc/nonexistent/status'], None, '/proc/nonexistent/status'),
    ('lanparty-relay', ['--config', '/nonexistent.conf'], USAGE, '/nonexistent.conf'),
    ('lanparty-relay', ['stray'], USAGE, 'stray'),
    ('lanparty-gateway', [], USAGE, 'relay'),
    ('lanparty-gateway', [*PEER, '--interface', 'nosuch0'], DEVICE, 'nosuch0'),
    ('lanparty-gateway', [*PEER, '--interface', 'an-interface-name-too-long'], None, 'an-interface-name-too-long'),
    ('lanparty-gateway', ['--relay', '203.0.113.2', '--interface', 'up0'], USAGE, 'room'),
    ('lanparty-gateway', ['--relay', 'host:port', '--room', 'R', '--interface', 'up0'], USAGE, 'port'),
    ('lanparty-gateway', ['--relay', '203.0.113.2', '--room', 'bad room!', '--interface', 'up0'], USAGE, 'room'),
    ('lanparty-client', [], USAGE, 'relay'),
    ('lanparty-client', ['--relay', '[::1', '--room', 'R'], USAGE, '[::1'),
    ('lanparty-client', ['--relay', '', '--room', 'R'], USAGE, 'relay'),
    ('lanparty-client', ['--relay', '203.0.113.2:0', '--room', 'R'], USAGE, '0'),
    ('lanparty-client', [*PEER, '--virtual-mac', '01:00:5e:00:00:01'], USAGE, '01:00:5e:00:00:01'),
    ('lanparty-client', [*PEER, '--virtual-mac', '02:00:00:00:00'], USAGE, '02:00:00:00:00'),
    ('lanparty-client', [*PEER, '--virtual-mac', 'ff:ff:ff:ff:ff:ff'], USAGE, 'ff:ff:ff:ff:ff:ff'),
    ('lanparty-client', [*PEER, '--relay-ca-cert', '/nonexistent.der'], None, '/nonexistent.der'),
    ('lanparty-client', [*PEER, '--relay-ca-cert', '/etc/hostname'], None, '/etc/hostname'),
    ('lanparty-client', [*PEER, '--relay-fingerprint', 'abc'], None, 'abc'),
    ('lanparty-client', ['--relay'], USAGE, 'relay'),
    ('lanparty-client', [*PEER, '--room', 'R2'], USAGE, 'room'),
]


def text(run):
    return run.stdout + run.stderr


class TestCommandLine(unittest.TestCase):
    def test_help_and_version(self):
        for program in PROGRAMS:
            with self.subTest(program=program):
                run = subprocess.run([binary(program), '--help'], capture_output=True, text=True, timeout=10)
                self.assertEqual((run.returncode, run.stderr), (0, ''))
                for word in (program, '--config', '--log-level', '--version', 'Exit status'):
                    self.assertIn(word.lower(), run.stdout.lower())
                self.assertLessEqual(max(map(len, run.stdout.splitlines())), 110, 'help fits a terminal')
                with open('/dev/full', 'w', encoding='ascii') as full:
                    run = subprocess.run([binary(program), '--help'], stdout=full, timeout=10)
                self.assertEqual(run.returncode, FAILURE)
                run = subprocess.run([binary(program), '--version'], capture_output=True, text=True, timeout=10)
                self.assertEqual((run.returncode, run.stderr), (0, ''))
                self.assertRegex(run.stdout, r'\d+\.\d+\.\d+')

    def test_bad_arguments(self):
        with Lab() as lab:
            for program, arguments, status, word in BAD:
                with self.subTest(program=program, arguments=arguments):
                    arguments = [word.format(folder=lab.folder) for word in arguments]
                    identity = [] if program == 'lanparty-relay' else ['--no-retry', '--identity', lab.path('identity')]
                    run = lab.run('client1', binary(program), *arguments, *identity, check=False, timeout=15)
                    self.assertGreater(run.returncode, 0, text(run))
                    self.assertLess(run.returncode, 64, text(run))
                    if status is not None:
                        self.assertEqual(run.returncode, status, text(run))
                    self.assertIn(word, run.stderr)
                    self.assertEqual(f"Try '{program} --help'." in run.stderr, run.returncode == USAGE, run.stderr)
                    self.assertFalse(lab.device_exists('client1', TAP))

    def test_needs_root(self):
        """Who may not do it is told so before anything is written, and after what is wrong with the command line."""
        with Lab() as lab:
            for program, capability in (('lanparty-client', 'CAP_NET_ADMIN'), ('lanparty-gateway', 'CAP_NET_RAW')):
                with self.subTest(program=program):
                    command = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', binary(program), *PEER,
                               '--interface', 'up0', '--identity', lab.path('new/identity')]
                    run = lab.run('client1', *command, check=False, timeout=10)
                    self.assertEqual(run.returncode, PRIVILEGE, text(run))
                    self.assertIn(f'needs root, or {capability}', run.stderr)
                    self.assertFalse(os.path.exists(lab.path('new')))
                    run = lab.run('client1', *command, '--log-level', 'loud', check=False, timeout=10)
                    self.assertEqual(run.returncode, USAGE, text(run))

    def test_identity_file(self):
        """Others must not be able to read it, nor another instance to use it."""
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            party.start_client('client1')
            party.wait_joined(['client1'], gateway=False)
            identity = lab.path('client1-identity.json')
            command = party.client_command('client1')
            command[command.index(TAP)] = 'second0'
            run = lab.run('client1', *command, check=False, timeout=10)
            self.assertEqual(run.returncode, FAILURE, text(run))
            self.assertRegex(run.stderr, f'--identity.*{identity}: another process uses it')
            self.assertFalse(lab.device_exists('client1', 'second0'))
            party.clients['client1'].stop()
            os.chmod(identity, 0o640)
            run = lab.run('client1', *command, check=False, timeout=10)
            self.assertEqual(run.returncode, FAILURE, text(run))
            self.assertRegex(run.stderr, f'{identity}: others may read or write it .mode 0640.: chmod 600')

    def test_config_file(self):
        with Lab() as lab:
            path = lab.path('client.conf')
            for content, word in (('relay = "203.0.113.2"\nroom = R\nvirtual-mac = zz\n', 'zz'),
                                  ('relay 203.0.113.2\n', ':1'), ('room = R\n\nnonsense = 1\n', ':3'),
                                  ('room = "unclosed\n', ':1'), ('help = yes\n', 'help')):
                with self.subTest(content=content):
                    with open(path, 'w', encoding='utf-8') as file:
                        file.write(content)
                    run = lab.run('client1', binary('lanparty-client'), '--config', path, check=False, timeout=10)
                    self.assertEqual(run.returncode, USAGE, text(run))
                    self.assertIn(word, run.stderr)

    def test_port_in_use(self):
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            command = [word for word in party.relay_command()]
            command[command.index('--status-socket') + 1] = lab.path('other.status')
            run = lab.run('relay', *command, check=False, timeout=10)
            self.assertGreater(run.returncode, 0)
            self.assertRegex(run.stderr, r'4433|in use')
            party.check_programs()

    def test_interfaces_that_cannot_bridge(self):
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            lab.ip('lan', 'link', 'set', 'gateway', 'down')
            run = lab.run('gateway', *party.gateway_command('--no-retry'), check=False, timeout=15)
            self.assertEqual(run.returncode, DEVICE, text(run))
            self.assertRegex(run.stderr, 'eth0.*(carrier|link|cable)')
            self.assertEqual(party.peers(), [], 'a gateway that cannot bridge never shows up')

    def test_no_device_before_the_relay_is_resolved(self):
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            client = party.start_client('client1', relay='relay.invalid:4433')
            client.wait_log('session_attempt_failed error="relay.invalid', 30)
            self.assertFalse(lab.device_exists('client1', TAP))
            party.check_programs()

    def test_interface_that_exists(self):
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            lab.ip('client1', 'link', 'add', TAP, 'type', 'veth', 'peer', 'name', 'other0')
            run = lab.run('client1', *party.client_command('client1'), check=False, timeout=15)
            self.assertEqual(run.returncode, DEVICE, text(run))
            self.assertRegex(run.stderr, f"'{TAP}'.*exists already.*--interface")

    def make_certificate(self, lab, name, *options):
        paths = lab.path(f'{name}.pem'), lab.path(f'{name}.key')
        lab.run('relay', 'openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                '-days', '2', '-subj', f'/CN={name}', '-out', paths[0], '-keyout', paths[1], *options)
        return paths

    def refused(self, lab, party, option, value, status):
        command = party.client_command('client1', '--no-retry')
        command[command.index(option) + 1] = value
        run = lab.run('client1', *command, check=False, timeout=60)
        self.assertEqual(run.returncode, status, text(run))
        self.assertFalse(lab.device_exists('client1', TAP))

    def test_trust(self):
        """Not the pinned certificate, no relay at all, no such name: each its own status."""
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            for option, value, status in (('--relay-ca-cert', self.make_certificate(lab, 'other')[0], TLS),
                                          ('--relay', '203.0.113.77:4433', UNREACHABLE),
                                          ('--relay', 'no-such-host.invalid', RESOLVE)):
                with self.subTest(option=option, value=value):
                    self.refused(lab, party, option, value, status)

    def test_trust_in_an_authority(self):
        """A certificate signed by a CA that the peers trust: good for its own name only."""
        with Lab() as lab:
            authority, authority_key = self.make_certificate(lab, 'authority')
            certificate, key = self.make_certificate(lab, SERVER_NAME, '-CA', authority, '-CAkey', authority_key, '-addext',
                                                     f'subjectAltName=DNS:{SERVER_NAME}')
            party = Party(lab, relay_options=['--cert', certificate, '--key', key])
            party.certificate = authority
            party.start_relay()
            self.refused(lab, party, '--server-name', 'wrong.example', TLS)
            party.start_client('client1')
            party.wait_joined(['client1'], gateway=False)
            party.stop()

    def test_fingerprint_pin(self):
        with Lab() as lab:
            party = Party(lab)
            party.start_relay()
            digest = lab.run('relay', 'openssl', 'x509', '-inform', 'der', '-in', party.certificate, '-noout',
                             '-fingerprint', '-sha256').stdout.strip().split('=')[1]
            command = party.client_command('client1')
            place = command.index('--relay-ca-cert')
            command[place:place + 2] = ['--relay-fingerprint', digest]
            client = lab.start('client1', 'pinned', *command)
            party.clients['client1'] = client
            party.wait_joined(['client1'], gateway=False)
            client.stop()

    def test_json_log(self):
        import json
        with Lab() as lab:
            party = Party(lab, relay_options=['--log-format', 'json'])
            party.start_relay()
            party.start_client('client1', '--log-format', 'json')
            party.wait_joined(['client1'], gateway=False)
            party.stop()
            for program in (party.relay, party.clients['client1']):
                lines = program.log().splitlines()
                self.assertGreater(len(lines), 0)
                for line in lines:
                    self.assertIsInstance(json.loads(line), dict, line)
