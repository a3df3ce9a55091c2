"""tests/netns/party.py: the real binaries in a lab, with the command lines of the README.

    with Lab() as lab:
        party = Party(lab)
        party.start()                    # relay, gateway, both clients, and wait until everyone has joined
        lab.ping('client1', HOST_ADDRESS)
"""
import json
import os
import socket
import unittest

from lab import ROOT, UPLINKS, Lab, LabError, wait_for

BUILD = os.environ.get('LANPARTY_BUILD', os.path.join(ROOT, 'build', 'native'))
SERVER_NAME = 'lanparty-relay.local'
RELAY_PORT = 4433
TAP = 'lanparty0'
CLIENT_MACS = {'client1': '02:4c:50:00:00:01', 'client2': '02:4c:50:00:00:02'}
CLIENT_ADDRESSES = {'client1': '192.168.77.11', 'client2': '192.168.77.12'}  # for tests that need no DHCP
JOIN_SECONDS = 20  # generous: path MTU discovery takes its time, and sanitized builds are slow
SANITIZERS = {'ASAN_OPTIONS': 'abort_on_error=1:detect_leaks=1', 'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'}

FOLDERS = {'lanparty-relay': 'relay', 'lanparty-gateway': 'gateway', 'lanparty-client': 'client-linux',
           'lanparty-client-unsafe': 'client-linux', 'lanparty-gateway-unsafe': 'gateway'}


def binary(name, build=None):
    path = os.path.join(build or BUILD, 'src', FOLDERS[name], name)
    if not os.path.exists(path):
        raise LabError(f'{path} is not there; has the build finished?')
    return path


class Party:
    def __init__(self, lab, room='ROOM1', build=None, relay_options=(), log_level='info', room_key=None, dhcp=False):
        """`dhcp`: clients ask for their addresses themselves."""
        self.lab, self.room, self.build, self.room_key, self.dhcp = lab, room, build or BUILD, room_key, dhcp
        self.relay_options, self.log_level = list(relay_options), log_level
        self.certificate = lab.path('relay-cert.der')
        self.status_path = lab.path('relay.status')
        self.relay = self.gateway = None
        self.clients = {}

    # Command lines

    def relay_command(self):
        certificate = ['--dev-cert-der-out', self.certificate, '--dev-cert-name', SERVER_NAME]
        if '--cert' in self.relay_options:
            certificate = []
        return [binary('lanparty-relay', self.build), '--listen', f'[::]:{RELAY_PORT}', *certificate, '--status-socket',
                self.status_path, '--log-level', self.log_level, *self.relay_options]

    def peer_command(self, name, host, interface, *options, relay=None, room=None):
        return [binary(name, self.build), '--relay', relay or f'{UPLINKS["relay"][0]}:{RELAY_PORT}', '--server-name',
                SERVER_NAME, '--relay-ca-cert', self.certificate, '--room', room or self.room, '--interface', interface,
                '--identity', self.lab.path(f'{host}-identity.json'), '--log-level', self.log_level,
                *(['--room-key', self.room_key] if self.room_key else []), *options]

    def gateway_command(self, *options, unsafe=False, **changes):
        return self.peer_command('lanparty-gateway-unsafe' if unsafe else 'lanparty-gateway', 'gateway', 'eth0', *options, **changes)

    def client_command(self, host, *options, unsafe=False, **changes):
        return self.peer_command('lanparty-client-unsafe' if unsafe else 'lanparty-client', host, TAP, '--virtual-mac',
                                 CLIENT_MACS[host], *([] if self.dhcp else ['--no-dhcp']), *options, **changes)

    # Starting and waiting

    def start_relay(self):
        if os.path.exists(self.status_path):
            os.unlink(self.status_path)
        self.relay = self.lab.start('relay', 'relay', *self.relay_command(), env=SANITIZERS)
        wait_for(self.status, 10, 'the relay answers on its status socket', dead=self.relay.died)
        return self.relay

    def start_gateway(self, *options, **changes):
        self.gateway = self.lab.start('gateway', 'gateway', *self.gateway_command(*options, **changes), env=SANITIZERS)
        return self.gateway

    def start_client(self, host, *options, **changes):
        client = self.lab.start(host, host, *self.client_command(host, *options, **changes), env=SANITIZERS)
        self.clients[host] = client
        return client

    def start(self, clients=('client1', 'client2'), unsafe=(), static=False):
        """Everything, and waits until all have joined. `static`: clients get CLIENT_ADDRESSES without DHCP."""
        self.start_relay()
        self.start_gateway(unsafe='gateway' in unsafe)
        for host in clients:
            self.start_client(host, unsafe=host in unsafe)
        self.wait_joined(clients)
        for host in clients if static else ():
            self.lab.ip(host, 'addr', 'add', f'{CLIENT_ADDRESSES[host]}/24', 'dev', TAP)
        return self

    def wait_joined(self, clients=(), gateway=True, seconds=JOIN_SECONDS):
        """Until the relay has them in the room and their TAP devices are up."""
        wanted = {CLIENT_MACS[host] for host in clients}
        programs = [program for program in (self.relay, self.gateway, *self.clients.values()) if program]

        def dead():
            return next((program.died() for program in programs if program.died() and not program.expected_end), None)

        def joined():
            peers = self.peers()
            return (wanted <= {peer.get('mac') for peer in peers} and
                    (not gateway or any(peer['role'] == 'gateway' for peer in peers)))

        wait_for(joined, seconds, f'{" ".join(clients)}{" and the gateway" if gateway else ""} in the room', dead=dead)
        for host in clients:
            wait_for(lambda host=host: self.lab.has_carrier(host, TAP), 5, f'{host}: {TAP} up', dead=dead)

    # What the relay says

    def status(self):
        """The relay's own snapshot, or None when it does not answer."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.settimeout(5)
                link.connect(self.status_path)
                text = b''
                while piece := link.recv(65536):
                    text += piece
        except OSError:
            return None
        try:
            return json.loads(text)
        except ValueError:
            raise LabError(f'the status socket gave no JSON: {text[:200]!r}') from None

    def room_status(self, room=None):
        rooms = (self.status() or {}).get('rooms', [])
        return next((each for each in rooms if each['room'] == (room or self.room)), {})

    def peers(self, room=None):
        return self.room_status(room).get('peers', [])

    def peer(self, host):
        return next((peer for peer in self.peers() if peer.get('mac') == CLIENT_MACS.get(host)), None)

    def check_programs(self):
        """Every program still runs, unless the test ended it."""
        for program in self.lab.processes:
            if not program.expected_end and program.died():
                raise LabError(program.died())

    def stop(self):
        """Ends clients, gateway and relay; each has to leave with status 0."""
        for program in [*self.clients.values(), self.gateway, self.relay]:
            if program and not program.expected_end:
                status = program.stop()
                if status != 0:
                    raise LabError(f'{program.label} ended with status {status} on SIGTERM')


class PartyCase(unittest.TestCase):
    """Tests that share one party, started once; each finds every program alive and leaves it so."""
    lan, clients, unsafe, static, relay_options, build = 'bridge', ('client1', 'client2'), (), True, (), None
    room_key = None

    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(lan=cls.lan)
        cls.addClassCleanup(cls.lab.close)
        cls.lab.__enter__()
        cls.party = Party(cls.lab, relay_options=cls.relay_options, build=cls.build, room_key=cls.room_key)
        cls.prepare()
        cls.party.start(cls.clients, unsafe=cls.unsafe, static=cls.static)

    @classmethod
    def prepare(cls):
        """What a class needs before anything starts."""

    def tearDown(self):
        self.party.check_programs()
