"""tests/windows/winlab.py: the unmodified lanparty-client.exe under Wine, as a client in the lab of tests/netns.

                              client1 (one Wine prefix)
     inet ── up0 ── lanparty-client.exe ── faketap.sys ── faketap_tool.exe
                                                                │ UDP on loopback
                       dhclient, ping: tapx ── tapy ── Wire (this file, AF_PACKET)

Wine's GUID for a network interface of Linux holds its index, and the fake adapter gets the GUID of tapx: so tapx is
Windows' network stack on the adapter. Routes and settings of interfaces, which Wine cannot change, are written by the
iphlpapi.dll of the tests to a log.
"""
import fcntl
import functools
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

from lab import ROOT, UPLINKS, LabError, die_with_parent, wait_for
from party import CLIENT_MACS, RELAY_PORT, SERVER_NAME

BUILD = os.path.join(ROOT, 'build', 'windows')
CLIENT = os.path.join(BUILD, 'src', 'client-win', 'lanparty-client.exe')
FAKES = os.path.join(BUILD, 'tests', 'windows')
TOOL = os.path.join(FAKES, 'faketap_tool.exe')
WINE_HOME = os.path.join(ROOT, 'build', 'cross')
PREFIX = os.path.join(WINE_HOME, 'wine')
DRIVE_C = os.path.join(PREFIX, 'drive_c')
STATE = os.path.join(DRIVE_C, 'ProgramData', 'lanparty')
HOST = 'client1'
MAC = CLIENT_MACS[HOST]
SUBKEY = '0181'
ADAPTER_SECTIONS = re.compile(r'(?i)\[[^]]*(\\\\Services\\\\(faketap-|lanparty-client)|\{4D36E972-E325-11CE-BFC1-08002BE10318\}\\\\'
                              r'(018\d\]|\{[0-9A-F]{8}-0000-0000-0000-4E6574446576\}))')
TOOL_PORT, WIRE_PORT, MIRROR_PORT = 5701, 5702, 5703
# About one start in 1500 (seen on Debian 12, whatever the program) Wine 8 ends before the program has begun, with status 1, and
# says nothing or what its start.exe says; the next one goes well.
WINE_STARTS = 3
MIRROR = os.path.join(ROOT, 'tests', 'windows', 'iphlpapi', 'mirror.py')

USER_SECTIONS = re.compile(r'\[Software\\\\Wine\\\\(Drivers|AppDefaults\\\\lanparty-client\.exe\\\\DllOverrides)\]')
USER_SETTINGS = r'''
[Software\\Wine\\Drivers]
"Graphics"="null"

[Software\\Wine\\AppDefaults\\lanparty-client.exe\\DllOverrides]
"iphlpapi"="native,builtin"
'''


def wine_binary(name):
    found = glob.glob(f'/usr/lib/wine/{name}') + glob.glob(f'/usr/lib/*/wine/{name}')
    if not found:
        raise LabError(f'{name} is not installed: run tools/setup windows')
    return found[0]


def environment(**more):
    return {'HOME': WINE_HOME, 'WINEPREFIX': PREFIX, 'WINEDEBUG': '-all', 'WINEDLLOVERRIDES': 'mscoree,mshtml=', **more}


@functools.cache
def _prefix_lock():
    return open(os.path.join(WINE_HOME, 'wine.lock'), 'w', encoding='utf-8')


def stop_wine():
    """Ends every program of our prefix, and its server: the next one belongs to the namespace of who starts it."""
    subprocess.run([wine_binary('wineserver64'), '-k'], env={**os.environ, **environment()}, capture_output=True)
    subprocess.run([wine_binary('wineserver64'), '-w'], env={**os.environ, **environment()}, capture_output=True,
                   timeout=20)


def start_wine(prefix=()):
    """Wine's services and drivers go with the last program, and do not come back well when the next one is already there:
    so one program stays until stop_wine(). One run at a time: there is one prefix."""
    fcntl.flock(_prefix_lock(), fcntl.LOCK_EX)
    stop_wine()
    if not os.path.exists(os.path.join(PREFIX, 'user.reg')):
        subprocess.run([wine_binary('wine64'), 'wineboot', '--init'], env={**os.environ, **environment()}, timeout=120,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stop_wine()
    _prepare_registry()
    said = []
    while failure := _hold(prefix):
        stop_wine()
        said.append(failure)
        if len(said) == WINE_STARTS:
            raise LabError('Wine does not start: ' + '; '.join(said))


def _hold(prefix):
    """Starts the program that stays. '' when it runs, otherwise what became of it."""
    with tempfile.TemporaryFile('w+', errors='replace') as err:  # no pipe: what Wine starts along would keep it open
        holder = subprocess.Popen([*prefix, wine_binary('wine64'), TOOL, 'hold'], env={**os.environ, **environment()},
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
                                  preexec_fn=die_with_parent)
        said = holder.stdout.readline().strip()
        if said == b'ready':
            return ''
        holder.kill()
        err.seek(0)
        return f'status {holder.wait()}, {said!r}, {err.read().strip()!r}'


def windows_path(path):
    if path.startswith(DRIVE_C + '/'):
        return 'C:' + path[len(DRIVE_C):].replace('/', '\\')
    return 'Z:' + path.replace('/', '\\')


def has_not_begun(status, out, err):
    """Right for programs that say why they end with status 1."""
    return status == 1 and (out + err == '' or 'ShellExecuteEx failed: Internal error' in out)


def run_wine(command, env, timeout, failed=has_not_begun):
    """To its end; status, standard output and error."""
    for _ in range(WINE_STARTS):
        result = _run_once(command, env, timeout)
        if not failed(*result):
            break
        print(f'Wine did not start {" ".join(command)}', file=sys.stderr)
    return result


def _run_once(command, env, timeout):
    """Through files: what Wine starts along may keep a pipe open."""
    with tempfile.TemporaryFile('w+', errors='replace') as out, tempfile.TemporaryFile('w+', errors='replace') as err:
        run = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env={**os.environ, **env})
        try:
            status = run.wait(timeout)
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            raise LabError(f'{" ".join(command)}: not done within {timeout} s') from None
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().replace('\r', ''))
        return status, *texts


def wine(*command, timeout=90, failed=has_not_begun):
    """A Windows program to its end, outside of any lab."""
    return run_wine([wine_binary('wine64'), *command], environment(), timeout, failed)


def _rewrite_registry(name, drop, add=''):
    path = os.path.join(PREFIX, name)
    with open(path, encoding='utf-8', errors='surrogateescape') as file:
        sections = re.split(r'(?m)^(?=\[)', file.read())
    with open(path, 'w', encoding='utf-8', errors='surrogateescape') as file:
        file.write(''.join(section for section in sections if not drop.match(section)) + add)


def _prepare_registry():
    """In its files, while no program of the prefix runs. What a run that was killed left goes: its drivers would hold up the
    next start of Wine. Windows that nobody sees are allowed, and the client takes the iphlpapi.dll beside it when there is
    one, also as a service, which gets no environment of ours."""
    _rewrite_registry('system.reg', ADAPTER_SECTIONS)
    _rewrite_registry('user.reg', USER_SECTIONS, USER_SETTINGS)


class WineCase(unittest.TestCase):
    """Tests of programs that need no network."""
    @classmethod
    def setUpClass(cls):
        start_wine()
        cls.addClassCleanup(stop_wine)


class Wire:
    """Copies frames between tapy and the wire side of the fake adapter."""

    def __init__(self, lab):
        self.stopped = False
        self.packets = self._in_namespace(lab, self._open)
        self.packets[0].settimeout(0.2)
        self.packets[1].settimeout(0.2)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._to_adapter, self._from_adapter)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _open():
        packet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        packet.bind(('tapy', 0))
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(('127.0.0.1', WIRE_PORT))
        return packet, datagrams

    @staticmethod
    def _in_namespace(lab, work):
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        own = os.open('/proc/self/ns/net', os.O_RDONLY)
        there = os.open(f'/var/run/netns/{lab.ns(HOST)}', os.O_RDONLY)
        try:
            if libc.setns(there, 0x40000000) != 0:
                raise LabError('setns failed')
            return work()
        finally:
            libc.setns(own, 0x40000000)
            os.close(own)
            os.close(there)

    def _copy(self, receive, send):
        while not self.stopped:
            try:
                frame = receive()
            except TimeoutError:
                continue
            except OSError:
                return
            if frame:
                try:
                    send(frame)
                except OSError:
                    pass  # nobody there yet

    def _to_adapter(self):
        def receive():
            frame, (_, _, kind, *_) = self.packets[0].recvfrom(2048)
            return frame if kind != socket.PACKET_OUTGOING else None
        self._copy(receive, lambda frame: self.packets[1].sendto(frame, ('127.0.0.1', TOOL_PORT)))

    def _from_adapter(self):
        self._copy(lambda: self.packets[1].recv(2048), self.packets[0].send)

    def close(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()
        for each in self.packets:
            each.close()


class WindowsPc:
    """client1 of a lab as a Windows PC. Use as a context manager, inside of the lab's."""

    def __init__(self, lab, adapters=1, mac=MAC):
        self.lab, self.adapter_count, self.mac = lab, adapters, mac
        self.wire = self.tool = None
        self.guids = []
        # On drive C: a service must not run below a folder in which everybody can write, such as /tmp.
        self.above = os.path.join(DRIVE_C, os.path.basename(lab.folder))
        self.folder = os.path.join(self.above, 'program')
        self.ip_helper = os.path.join(self.folder, 'ip-helper')
        self.env = environment()

    def __enter__(self):
        for folder in glob.glob(STATE + '*'):
            shutil.rmtree(folder, ignore_errors=True)
        ip = self.lab.ip
        ip(HOST, 'link', 'add', 'tapx', 'type', 'veth', 'peer', 'name', 'tapy')
        ip(HOST, 'link', 'set', 'tapx', 'address', self.mac)
        for device in ('tapx', 'tapy'):
            self.lab.run(HOST, 'ethtool', '-K', device, 'tx', 'off', 'gro', 'off', check=False)
            self.lab.write(HOST, f'/proc/sys/net/ipv6/conf/{device}/disable_ipv6', '1')
            ip(HOST, 'link', 'set', device, 'up')
        start_wine(self.lab.exec_prefix(HOST))
        for folder in glob.glob(os.path.join(DRIVE_C, 'lanparty-*')):  # of runs that were killed: the prefix is ours now
            shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(self.ip_helper)
        shutil.copy(CLIENT, self.folder)
        shutil.copy(os.path.join(FAKES, 'iphlpapi', 'iphlpapi.dll'), self.folder)
        for number in range(self.adapter_count):
            self._install(number)
        if self.adapter_count:
            self.wire = Wire(self.lab)
            self.tool = self.start('wire-tool', TOOL, 'bridge', self.guids[0], str(TOOL_PORT), str(WIRE_PORT))
            self.tool.wait_log('ready', 20)
        return self

    def __exit__(self, *_):
        if self.wire:
            self.wire.close()
        if self.tool:
            self.tool.kill()
        stop_wine()
        _prepare_registry()
        shutil.rmtree(self.above, ignore_errors=True)

    @staticmethod
    def _subkey(number):
        return f'{int(SUBKEY) + number:04d}'

    def _install(self, number):
        index = self.lab.ip_json(HOST, 'link', 'show', 'dev', 'tapx')[0]['ifindex'] + number
        guid = '{%08X-0000-0000-0000-4E6574446576}' % index
        driver = self.lab.path(f'faketap{number}.sys')  # Wine loads a file once
        shutil.copy(os.path.join(FAKES, 'faketap.sys'), driver)
        self.run(TOOL, 'install', windows_path(driver), guid, self._subkey(number),
                 f'Ethernet {number + 2}', self.mac.replace(':', ''), '9.27.0.0')
        self.guids.append(guid)

    def run(self, program, *arguments, check=True, timeout=60):
        """A Windows program to its end, in the PC's namespace."""
        result = run_wine([*self.lab.exec_prefix(HOST), wine_binary('wine64'), program, *arguments], self.env, timeout)
        if check and result[0] != 0:
            raise LabError(f'{program} {" ".join(arguments)}: status {result[0]}\n{result[1]}{result[2]}')
        return result

    def start(self, label, program, *arguments, **env):
        """A program that soon says something, and goes on."""
        for _ in range(WINE_STARTS):
            process = self.lab.start(HOST, label, wine_binary('wine64'), program, *arguments, env={**self.env, **env})
            wait_for(lambda: process.log() or process.died(), 20, f'the first words of {label}')
            if not has_not_begun(process.exit_status(), process.log(), ''):
                break
            process.expected_end = True
        return process

    @property
    def client(self):
        return os.path.join(self.folder, 'lanparty-client.exe')

    def options(self, party, *more, relay=None, certificate=None, mac=MAC):
        identity = ['--virtual-mac', mac] if mac else []
        return ['--relay', relay or f'{UPLINKS["relay"][0]}:{RELAY_PORT}', '--server-name', SERVER_NAME, '--relay-ca-cert',
                windows_path(certificate or party.certificate), '--room', party.room, *identity, *more]

    def start_client(self, party, *more, **changes):
        client = self.start('lanparty-client.exe', self.client, *self.options(party, *more, **changes))
        party.clients[HOST] = client
        return client

    def run_client(self, *arguments, timeout=60):
        return self.run(self.client, *arguments, check=False, timeout=timeout)

    def interrupt(self, client, seconds=15):
        """Ctrl-C; the exit status."""
        client.expected_end = True
        client.signal(signal.SIGINT)
        return client.popen.wait(seconds)

    def calls(self):
        """What was changed through the IP Helper, one line each, in order."""
        path = os.path.join(self.ip_helper, 'calls.txt')
        if not os.path.exists(path):
            return []
        with open(path, encoding='utf-8') as file:
            return [line.strip() for line in file]

    def start_mirror(self):
        """From now on what the client changes is made in Linux, too."""
        self.env['FAKE_IPHLPAPI_MIRROR'] = str(MIRROR_PORT)
        mirror = self.lab.start(HOST, 'mirror', 'python3', MIRROR, str(MIRROR_PORT))
        wait_for(lambda: f':{MIRROR_PORT} ' in self.lab.run(HOST, 'ss', '-uln').stdout, 5, 'the mirror', dead=mirror.died)

    def take_route(self, address):
        """Somebody takes out a host route that the client made."""
        path = os.path.join(self.ip_helper, 'table.txt')
        with open(path, encoding='utf-8') as file:
            lines = file.readlines()
        with open(path, 'w', encoding='utf-8') as file:
            file.writelines(line for line in lines if not (line.startswith('route ') and f' {address} ' in line))

    def add_route_into_tunnel(self, address, hop):
        """A host route on the adapter, as Windows makes it when a DHCP server names one."""
        path = os.path.join(self.ip_helper, 'table.txt')
        with open(path, encoding='utf-8') as file:
            luid = next(line.split()[1] for line in file if line.startswith('setting '))
        with open(path, 'a', encoding='utf-8') as file:
            file.write(f'route {luid} 2 {address} 32 {hop} 0\n')

    def forget_settings(self, family):
        """Somebody switches IPv4 or IPv6 off and on again on the adapter: Windows begins anew with its settings."""
        path = os.path.join(self.ip_helper, 'table.txt')
        with open(path, encoding='utf-8') as file:
            lines = file.readlines()
        with open(path, 'w', encoding='utf-8') as file:
            file.writelines(line for line in lines if line.split()[:3:2] != ['setting', {4: '2', 6: '23'}[family]])

    def set_driver(self, text):
        """A switch of the fake driver, such as "asleep=1"."""
        self.send_wire(f'set {text}'.encode())

    def send_wire(self, frame):
        """A frame as it is, to the wire side of the adapter."""
        self.lab.run(HOST, 'python3', '-c', 'import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto('
                     f'bytes.fromhex("{frame.hex()}"), ("127.0.0.1", {TOOL_PORT}))')

    def read_state(self, name):
        """A file of the state folder, as text."""
        path = os.path.join(STATE, name)
        if not os.path.exists(path):
            return ''
        with open(path, encoding='utf-8') as file:
            return file.read()

    def fail_calls(self, *lines):
        """From now on these calls of the IP Helper fail: "FUNCTION CODE"; none: all succeed."""
        with open(os.path.join(self.ip_helper, 'fail.txt'), 'w', encoding='utf-8') as file:
            file.writelines(f'{line}\n' for line in lines)

    def wait_joined(self, party):
        wait_for(lambda: party.peer(HOST), 30, 'the Windows client in the room', dead=party.clients[HOST].died)
        party.clients[HOST].wait_log('media message=connected', 15)
