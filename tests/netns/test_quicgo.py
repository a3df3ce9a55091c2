"""An independent QUIC implementation (Debian's quic-go) at our relay: a whole party, then every kind of misbehaviour.
After each the relay still runs and still serves."""
import os
import subprocess
import unittest

from lab import HERE, ROOT, Lab, wait_for
from party import RELAY_PORT, SERVER_NAME, UPLINKS, Party

SOURCE = os.path.join(HERE, 'quicgo')
LIBRARIES = {'quicgo050': 'github.com/quic-go/quic-go', 'quicgo029': 'github.com/lucas-clemente/quic-go'}

# scenario: what the relay must have answered (a regular expression over all that was printed)
ANSWERS = {
    'no-datagram': r'closed: (application|transport) .*(DATAGRAM|datagram)',
    'wrong-alpn': r'closed: transport 0x178 ',  # CRYPTO_ERROR, no_application_protocol (RFC 9001 section 8.1)
    'datagrams-before-hello': r'relay: .*"welcome"|closed: application 1 ',
    'malformed-datagrams': r'closed: application \d+ remote=true',
    'oversized-control': r'"bad_hello".*size limit.*\n.*closed: application 2 remote=true',
    'zero-length-control': r'"bad_hello".*length 0.*\n.*closed: application 2 remote=true',
    'half-hello-and-end': r'"bad_hello".*middle of a message.*\n.*closed: application 2 remote=true',
    'half-hello-and-silence': r'closed: application 4 remote=true',
    'slow-hello': r'relay: .*"welcome"',
    'silence': r'closed: application 4 remote=true',
    'garbage-json': r'relay: .*"reject".*"bad_hello"',
    'bad-room': r'relay: .*"reject".*"bad_hello".*room',
    'other-version': r'relay: .*"reject".*"version"',
    # Refused while the first is being decided, or disconnected if it was admitted at once: the packets' timing decides.
    'two-hellos': r'"bad_hello".*not allowed.*\n.*closed: application 2 remote=true'
                  r'|"protocol_error".*\n.*closed: application 1 remote=true hello is not allowed now',
    'wrong-shard': r'relay: .*"(wrong_shard".*\n(.*\n)*there: .*"welcome|welcome)"',
    'unknown-message': r'done: unknown message',
    'many-streams': r'closed: application \d+ remote=true|closed: transport',
}


def build_peer():
    """Offline, from the packaged sources; kept in build/ while it is newer than its own source."""
    tag = next((tag for tag, path in LIBRARIES.items() if os.path.isdir(f'/usr/share/gocode/src/{path}')), None)
    if tag is None:
        raise unittest.SkipTest('Debian\'s quic-go is not installed (tools/setup test)')
    folder = os.path.join(ROOT, 'build', 'quicgo')
    program = os.path.join(folder, f'quicpeer-{tag}')
    sources = [os.path.join(SOURCE, name) for name in os.listdir(SOURCE)]
    if os.path.exists(program) and os.path.getmtime(program) > max(map(os.path.getmtime, sources)):
        return program
    os.makedirs(folder, exist_ok=True)
    environment = {**os.environ, 'GO111MODULE': 'off', 'GOPATH': '/usr/share/gocode', 'GOFLAGS': '',
                   'GOCACHE': os.path.join(folder, 'cache'), 'GOPROXY': 'off', 'HOME': folder}
    subprocess.run(['go', 'build', '-tags', tag, '-o', program, '.'], cwd=SOURCE, env=environment, check=True)
    return program


class TestQuicGo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = build_peer()
        cls.lab = Lab()
        cls.addClassCleanup(cls.lab.close)
        cls.lab.__enter__()
        cls.party = Party(cls.lab, log_level='debug')
        cls.party.start_relay()

    def run_peer(self, scenario):
        run = self.lab.run('client1', self.program, f'{UPLINKS["relay"][0]}:{RELAY_PORT}', self.party.certificate,
                           SERVER_NAME, scenario, timeout=40)
        self.party.check_programs()
        return run.stdout

    def check_party(self):
        wait_for(lambda: not self.party.peers('QUICGO'), 40, 'the room of the last scenario is empty')
        seen = self.run_peer('party')
        for line in (r'b frame: version=1 flags=0 length=(\d+) of \1 peer=\d+ to everybody',
                     r'gateway frame: version=1 flags=0 .* to everybody', r'a frame: .* to a$',
                     r'gateway frame: .* to a stranger', r'b: .*"peer_left"', 'done: party'):
            self.assertRegex(seen, f'(?m){line}')

    def test_party(self):
        self.check_party()


def add_scenario(name, answer):
    def test(self):
        self.assertRegex(self.run_peer(name), answer)
        self.check_party()
    setattr(TestQuicGo, 'test_' + name.replace('-', '_'), test)


for _name, _answer in ANSWERS.items():
    add_scenario(_name, _answer)
