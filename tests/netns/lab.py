"""tests/netns/lab.py: a small internet and a LAN in network namespaces, for the demo, the end-to-end tests and the bench.

                        inet (router)
        ┌───────────┬────────┴─────┬──────────────┐
     up0│        up0│           up0│           up0│        IPv4            IPv6
      relay      gateway        client1        client2     relay    203.0.113.2   2001:db8:1::2
                    │eth0          ┆              ┆        gateway  198.51.100.2  2001:db8:2::2
                    │          lanparty0      lanparty0    client1  192.0.2.2     2001:db8:3::2
              lan (switch br0)   (TAP)          (TAP)      client2  192.0.2.66    2001:db8:4::2
                    │                                      inet has the .1 / .65 / ::1 of each
             ┌──────┴──────┐
         eth0│         eth0│
           router        host          router 192.168.77.1: dnsmasq, the LAN's DHCP server
                                       host   192.168.77.2: another station of the LAN

With lan='direct' there is no switch (a Linux bridge swallows some link-local destinations): gateway eth0 and wire eth0
(192.168.77.1) are the two ends of one cable. Offloads stay as the kernel has them, so super-frames and checksums that
are not filled in reach the gateway as on real machines. A "shaped" client reaches inet through a Shaper (loss).

Names carry the process id: parallel runs do not meet. Everything is removed at exit, on signals too; what a run killed
with -9 left is removed by the next one. Needs root. Nothing leaves the namespaces.
"""
import atexit
import ctypes
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# name: (IPv4 address, prefix length, router, IPv6 net)
UPLINKS = {
    'relay': ('203.0.113.2', 24, '203.0.113.1', '2001:db8:1::'),
    'gateway': ('198.51.100.2', 24, '198.51.100.1', '2001:db8:2::'),
    'client1': ('192.0.2.2', 26, '192.0.2.1', '2001:db8:3::'),
    'client2': ('192.0.2.66', 26, '192.0.2.65', '2001:db8:4::'),
}
LAN_PREFIX = 24
ROUTER_ADDRESS, HOST_ADDRESS = '192.168.77.1', '192.168.77.2'
DHCP_FIRST, DHCP_LAST = '192.168.77.100', '192.168.77.150'

_numbers = itertools.count(1)
_labs = []
_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1


class LabError(Exception):
    """Something of the lab itself, or of a program in it, did not do what it should."""


def die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for(condition, seconds, what, interval=0.1, dead=lambda: None):
    """Polls until condition() is truthy and returns that; LabError with `what` after `seconds`, or when dead() says
    why it can't come true any more."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        reason = dead()
        if reason:
            raise LabError(f'{what}: {reason}')
        if time.monotonic() > deadline:
            raise LabError(f'{what}: not within {seconds} s')
        time.sleep(interval)


class Process:
    """A program running in a namespace; its output goes to a log file of the lab."""

    def __init__(self, lab, host, label, command, env=None):
        self.label, self.command, self.host = label, list(command), host
        self.log_path = os.path.join(lab.folder, f'{next(lab.log_numbers):02d}-{label}.log')
        with open(self.log_path, 'wb') as log:
            self.popen = subprocess.Popen(lab.exec_prefix(host) + self.command, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, start_new_session=True,
                                          preexec_fn=die_with_parent, env={**os.environ, **(env or {})})
        self.pid = self.popen.pid
        self.expected_end = False

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as file:
            return file.read()

    def exit_status(self):
        """None while it runs."""
        return self.popen.poll()

    def died(self):
        """For wait_for: why this program is no use any more, or None."""
        status = self.exit_status()
        return None if status is None else f'{self.label} ended with status {status}'

    def wait_log(self, pattern, seconds=15, count=1):
        """Waits until the log holds `count` matches of the regular expression; returns the last one."""
        def enough():
            found = list(re.finditer(pattern, self.log(), re.M))
            return found[-1] if len(found) >= count else None
        return wait_for(enough, seconds, f'{self.label}: log line /{pattern}/', dead=self.died)

    def signal(self, number):
        if self.exit_status() is None:
            self.popen.send_signal(number)

    def stop(self, seconds=10):
        """SIGTERM, then its exit status; SIGKILL and an error when it does not end."""
        self.expected_end = True
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f'{self.label} did not end within {seconds} s of SIGTERM') from None

    def kill(self):
        self.expected_end = True
        if self.exit_status() is None:
            self.popen.kill()
            self.popen.wait()


class Lab:
    """The topology above. Use as a context manager; on an exception the logs are printed."""

    def __init__(self, lan='bridge', shaped=()):
        if os.geteuid() != 0:
            raise LabError('network namespaces need root')
        assert lan in ('bridge', 'direct')
        self.lan, self.shaped = lan, tuple(shaped)
        self.prefix = f'lp{os.getpid()}x{next(_numbers)}-'
        self.folder = None
        self.hosts, self.processes, self.shapers = [], [], {}
        self.log_numbers = itertools.count(1)
        self.failed = False

    # Construction and removal

    def __enter__(self):
        _remove_stale()
        _labs.append(self)
        try:
            self.folder = tempfile.mkdtemp(prefix=f'lanparty-{self.prefix}')
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and not issubclass(kind, (KeyboardInterrupt, SystemExit)):
            self.print_logs()
        self.close()

    def close(self):
        """Ends every process and removes every namespace and file. May be called twice."""
        for process in self.processes:
            process.signal(signal.SIGTERM)
        deadline = time.monotonic() + 3
        for process in self.processes:
            try:
                process.popen.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        for shaper in self.shapers.values():
            shaper.close()
        for host in self.hosts:
            _remove_namespace(self.prefix + host)
        self.processes, self.shapers, self.hosts = [], {}, []
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None
        if self in _labs:
            _labs.remove(self)

    def _build(self):
        for name in ['inet', *UPLINKS, *(['lan', 'router', 'host'] if self.lan == 'bridge' else ['wire'])]:
            self.add_host(name)
        self.write('inet', '/proc/sys/net/ipv4/ip_forward', '1')
        self.write('inet', '/proc/sys/net/ipv6/conf/all/forwarding', '1')
        for name in UPLINKS:
            self._add_uplink(name)
        if self.lan == 'bridge':
            self.ip('lan', 'link', 'add', 'br0', 'type', 'bridge', 'forward_delay', '0', 'stp_state', '0',
                    'mcast_snooping', '0')
            self.ip('lan', 'link', 'set', 'br0', 'up')
            for name, address in (('router', ROUTER_ADDRESS), ('host', HOST_ADDRESS), ('gateway', None)):
                self.plug(name, address)
        else:
            self.ip('gateway', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', self.ns('wire'))
            self.ip('wire', 'addr', 'add', f'{ROUTER_ADDRESS}/{LAN_PREFIX}', 'dev', 'eth0')
            for name in ('gateway', 'wire'):
                self.ip(name, 'link', 'set', 'eth0', 'up')

    def add_host(self, name):
        run = subprocess.run(['ip', 'netns', 'add', self.ns(name)], capture_output=True, text=True)
        if run.returncode != 0:
            raise LabError(f'this machine makes no network namespace: {run.stderr.strip()}')
        self.hosts.append(name)
        for family in ('all', 'default'):
            self.write(name, f'/proc/sys/net/ipv6/conf/{family}/accept_dad', '0')
        self.ip(name, 'link', 'set', 'lo', 'up')

    def _add_uplink(self, name):
        address, length, router, net6 = UPLINKS[name]
        if name in self.shaped:
            self.shapers[name] = self.make_shaper(('inet', name), (name, 'up0'))
        else:
            self.ip('inet', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'up0', 'netns', self.ns(name))
        for host, device, own4, own6 in (('inet', name, router, f'{net6}1'), (name, 'up0', address, f'{net6}2')):
            self.ip(host, 'addr', 'add', f'{own4}/{length}', 'dev', device)
            self.ip(host, 'addr', 'add', f'{own6}/64', 'dev', device, 'nodad')
            self.ip(host, 'link', 'set', device, 'up')
        self.ip(name, 'route', 'add', 'default', 'via', router)
        self.ip(name, '-6', 'route', 'add', 'default', 'via', f'{net6}1')

    def make_shaper(self, *ends):
        from shaper import Shaper
        return Shaper(self, *ends)

    def plug(self, name, address=None):
        """A new cable from eth0 of the host to the LAN switch."""
        self.ip('lan', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', self.ns(name))
        self.ip('lan', 'link', 'set', name, 'master', 'br0', 'up')
        if address:
            self.ip(name, 'addr', 'add', f'{address}/{LAN_PREFIX}', 'dev', 'eth0')
        self.ip(name, 'link', 'set', 'eth0', 'up')

    # What tests do in it

    def ns(self, host):
        return self.prefix + host

    def exec_prefix(self, host):
        return ['ip', 'netns', 'exec', self.ns(host)]

    def ip(self, host, *arguments):
        run = subprocess.run(['ip', '-n', self.ns(host), *arguments], capture_output=True, text=True)
        if run.returncode != 0:
            raise LabError(f'{host}: ip {" ".join(arguments)}: {run.stderr.strip()}')
        return run.stdout

    def ip_json(self, host, *arguments):
        return json.loads(self.ip(host, '-j', *arguments) or '[]')

    def write(self, host, path, text):
        self.run(host, 'sh', '-c', f'echo {text} >{path}')

    def run(self, host, *command, check=True, timeout=60, env=None):
        """Runs a program to its end; LabError with its output when it fails (unless check=False) or takes too long."""
        try:
            run = subprocess.run(self.exec_prefix(host) + list(command), capture_output=True, text=True, timeout=timeout,
                                 stdin=subprocess.DEVNULL, preexec_fn=die_with_parent, errors='replace',
                                 env={**os.environ, **(env or {})})
        except subprocess.TimeoutExpired:
            raise LabError(f'{host}: {" ".join(command)}: not done within {timeout} s') from None
        if check and run.returncode != 0:
            raise LabError(f'{host}: {" ".join(command)}: status {run.returncode}\n{run.stdout}{run.stderr}')
        return run

    def start(self, host, label, *command, env=None):
        process = Process(self, host, label, command, env)
        self.processes.append(process)
        return process

    def path(self, name):
        """A file of this lab; removed with it."""
        return os.path.join(self.folder, name)

    def addresses(self, host, device, family='inet'):
        links = self.ip_json(host, 'addr', 'show', 'dev', device)
        return [info['local'] for link in links for info in link.get('addr_info', ()) if info['family'] == family]

    def mac(self, host, device):
        return self.ip_json(host, 'link', 'show', 'dev', device)[0]['address']

    def device_exists(self, host, device):
        return subprocess.run(['ip', '-n', self.ns(host), 'link', 'show', 'dev', device],
                              capture_output=True).returncode == 0

    def has_carrier(self, host, device):
        run = subprocess.run(['ip', '-n', self.ns(host), '-j', 'link', 'show', 'dev', device], capture_output=True)
        return run.returncode == 0 and 'LOWER_UP' in json.loads(run.stdout)[0]['flags']

    def start_dnsmasq(self, host='router', device='eth0', options=()):
        self.dhcp_leases = self.path('dnsmasq.leases')
        process = self.start(host, 'dnsmasq', 'dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0',
                             f'--interface={device}', '--bind-interfaces', '--no-ping', '--dhcp-authoritative',
                             f'--dhcp-range={DHCP_FIRST},{DHCP_LAST},2m', '--dhcp-option=3', '--log-dhcp',
                             f'--dhcp-leasefile={self.dhcp_leases}', '--pid-file=', '--user=root', '--log-facility=-',
                             *options)
        process.wait_log('DHCP, IP range', 5)
        return process

    def start_dhclient(self, host, device):
        """ISC dhclient, which stays to renew; the script only sets the address, and the MTU if the server names one."""
        config = self.path(f'dhclient-{host}.conf')
        with open(config, 'w', encoding='utf-8') as file:
            file.write('timeout 30;\nretry 1;\ninitial-interval 1;\nbackoff-cutoff 2;\n')
        return self.start(host, f'dhclient-{host}', 'dhclient', '-4', '-d', '-v', '-cf', config, '-sf',
                          os.path.join(HERE, 'dhclient-script'), '-lf', self.path(f'dhclient-{host}.leases'), '-pf',
                          self.path(f'dhclient-{host}.pid'), device)

    def lease(self, host, device, seconds=20):
        """Starts dhclient and waits for the address."""
        dhclient = self.start_dhclient(host, device)
        dhclient.wait_log(r'^bound to (\S+)', seconds)
        return wait_for(lambda: self.addresses(host, device), 5, f'{host}: address on {device}')[0]

    def start_iperf3(self, host, address):
        server = self.start(host, 'iperf3-server', 'iperf3', '--server', '--bind', address, '--forceflush')
        server.wait_log('listening', 5)
        return server

    def ping(self, host, address, count=3, device=None, check=True, interval=0.2, deadline=10, size=None):
        """Mean round trip in milliseconds; None (or LabError with check) without any answer."""
        command = ['ping', '-n', '-c', str(count), '-i', str(interval), '-W', '2', '-w', str(deadline)]
        command += ['-I', device] if device else []
        command += ['-M', 'do', '-s', str(size)] if size else []
        run = self.run(host, *command, address, check=False)
        match = re.search(r'= [\d.]+/([\d.]+)/', run.stdout)
        if match:
            return float(match.group(1))
        if check:
            raise LabError(f'{host}: no answer from {address}\n{run.stdout}{run.stderr}')
        return None

    def wait_ping(self, host, address, seconds, device=None):
        """Pings until an answer comes; returns after how many seconds it did."""
        started = time.monotonic()
        wait_for(lambda: self.ping(host, address, 1, device, check=False, deadline=1) is not None, seconds,
                 f'{host}: an answer from {address}')
        return time.monotonic() - started

    def print_logs(self, lines=60):
        for process in self.processes:
            text = process.log().splitlines()
            status = process.exit_status()
            state = 'running' if status is None else f'status {status}'
            print(f'---- {process.label} on {process.host} ({state}): {" ".join(process.command)}', file=sys.stderr)
            for line in text[-lines:]:
                print(f'     {line}', file=sys.stderr)


def _remove_namespace(name):
    pids = subprocess.run(['ip', 'netns', 'pids', name], capture_output=True, text=True).stdout.split()
    for pid in pids:
        try:
            os.kill(int(pid), signal.SIGKILL)
        except ProcessLookupError:
            pass
    subprocess.run(['ip', 'netns', 'del', name], capture_output=True)


def _remove_stale():
    """Namespaces and folders of runs that no longer exist (killed with -9)."""
    names = subprocess.run(['ip', 'netns', 'list'], capture_output=True, text=True).stdout
    for name in re.findall(r'^lp\d+x\d+-\w+', names, re.M):
        if not os.path.exists('/proc/' + re.match(r'lp(\d+)', name).group(1)):
            _remove_namespace(name)
    for name in os.listdir(tempfile.gettempdir()):
        match = re.match(r'lanparty-lp(\d+)x\d+-', name)
        if match and not os.path.exists('/proc/' + match.group(1)):
            shutil.rmtree(os.path.join(tempfile.gettempdir(), name), ignore_errors=True)


def print_open_logs():
    """Of every lab that is still there: for a test runner that meets a failure."""
    for lab in _labs:
        lab.print_logs()


def _close_all():
    for lab in list(_labs):
        lab.close()


def end_on_signals():
    """SIGINT, SIGTERM and SIGHUP end the program the ordinary way, so that labs are removed."""
    def end(number, _frame):
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)  # removal is not to be interrupted
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


atexit.register(_close_all)
