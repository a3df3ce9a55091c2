"""The systems that the benchmark compares: each knows how to put clients, relay host and gateway on one LAN.

Every system gets the same topology and the same hosts (tests/netns/lab.py draws them): a client reaches the LAN only
through the relay host, also where a peer could do without. Each is set up as its own manual recommends for speed, with
encryption and authentication as far as it has them.
"""

import os
import subprocess
import time

from lab import UPLINKS, wait_for

RELAY = UPLINKS["relay"][0]
GATEWAY = UPLINKS["gateway"][0]
CLIENT = "client1"
TUNNEL = "tun0"  # a client's interface on the LAN, in every system


class Started:
    """The daemons of one running system; their CPU time is what the tunnel costs."""

    def __init__(self):
        self.processes, self.relay = [], None

    def add(self, process):
        self.processes.append(process)
        return process

    def tasks(self):
        return [int(task) for process in self.processes for task in os.listdir(f"/proc/{process.pid}/task")]

    def cpu_seconds(self):
        return sum(process_cpu_seconds(process.pid) for process in self.processes)

    def resident_kib(self):
        return sum(resident_kib(process.pid) for process in self.processes)


def process_cpu_seconds(pid):
    """User and system time of all threads, from the scheduler's own account: ns, not ticks."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat") as stat:
            total += int(stat.read().split()[0])
    return total / 1e9


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def bridge(lab, *interfaces, host="gateway"):
    """What a gateway does that has a TAP and a LAN port: one kernel bridge over both."""
    lab.ip(host, "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    lab.ip(host, "link", "set", "br0", "up")
    for interface in interfaces:
        lab.ip(host, "link", "set", interface, "master", "br0", "up")


def wait_device(lab, host, name):
    wait_for(lambda: lab.device_exists(host, name), 10, f"{name} on {host}")


class System:
    name = ""
    note = None  # what a reader of the table must know about this system
    is_ceiling = False

    def __init__(self, lab, binaries, extra=()):
        self.lab, self.binaries, self.extra = lab, binaries, list(extra)
        self.started = Started()

    def start(self, clients):
        self.prepare(clients)
        self.started.relay = self.start_relay()
        self.start_gateway()
        for host in clients:
            self.start_client(host)
            wait_device(self.lab, host, TUNNEL)
        return self.started

    def prepare(self, clients):
        pass

    def run(self, host, label, *command):
        return self.started.add(self.lab.start(host, label, *command))

    def file(self, name, text):
        path = self.lab.path(name)
        with open(path, "w") as file:
            file.write(text)
        return path


class Lanparty(System):
    name = "lanparty"
    peer_extra = ()

    def start_relay(self):
        self.cert = self.lab.path("relay.der")
        relay = self.run("relay", "lanparty-relay", f"{self.binaries}/relay/lanparty-relay", "--listen", "4433/udp",
                         "--dev-cert-der-out", self.cert, *self.extra)
        wait_for(lambda: os.path.exists(self.cert), 10, "the relay's certificate")
        return relay

    def peer(self, host, program, interface, *options):
        self.run(host, f"lanparty-{program[0]}", os.path.join(self.binaries, program[1]), "--relay", f"{RELAY}:4433",
                 "--server-name", "localhost", "--relay-ca-cert", self.cert, "--room", "BENCH", "--interface", interface,
                 "--identity", self.lab.path(f"{host}.json"), *options, *self.extra, *self.peer_extra)

    def start_gateway(self):
        self.peer("gateway", ("gateway", "gateway/lanparty-gateway"), "eth0")

    def start_client(self, host):
        self.peer(host, ("client", "client-linux/lanparty-client"), TUNNEL, "--no-dhcp")


class LanpartyRealtime(Lanparty):
    name = "lanparty-realtime"

    def __init__(self, lab, binaries, extra=()):
        super().__init__(lab, binaries, [*extra, "--priority=realtime"])


class LanpartyCubic(Lanparty):
    name = "lanparty-cubic"

    def __init__(self, lab, binaries, extra=()):
        super().__init__(lab, binaries, [*extra, "--congestion=cubic"])


class LanpartyRoomKey(Lanparty):
    name = "lanparty-room-key"
    peer_extra = ("--room-key", "correct horse battery staple")


class LanpartyPlain(Lanparty):
    name = "lanparty-no-offload"

    def __init__(self, lab, binaries, extra=()):
        super().__init__(lab, binaries, [*extra, "--no-offload"])


class OpenVpn(System):
    name = "OpenVPN (tap)"
    note = "AES-128-GCM, --client-to-client, the kernel's bridge on the gateway"
    COMMON = ["openvpn", "--dev-type", "tap", "--proto", "udp4", "--verb", "1", "--data-ciphers", "AES-128-GCM",
              "--sndbuf", "4194304", "--rcvbuf", "4194304", "--txqueuelen", "1000", "--keepalive", "10", "60"]

    def _certificate(self, name):
        key, cert = self.lab.path(f"{name}.key"), self.lab.path(f"{name}.crt")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-keyout", key, "-out", cert, "-subj", f"/CN={name}", "-days", "2"],
                       check=True, stderr=subprocess.DEVNULL)
        text = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-fingerprint", "-sha256"],
                              check=True, capture_output=True, text=True).stdout
        return ["--cert", cert, "--key", key], text.strip().split("=", 1)[1]

    def prepare(self, clients):
        self.certificates = {name: self._certificate(name) for name in ("relay", "gateway", *clients)}

    def start_relay(self):
        fingerprints = [word for name, (_, fingerprint) in self.certificates.items() if name != "relay"
                        for word in ("--peer-fingerprint", fingerprint)]
        relay = self.run("relay", "openvpn", *self.COMMON, "--mode", "server", "--tls-server", "--dev", "tap9", "--dh",
                         "none", "--port", "1194", "--client-to-client", *self.certificates["relay"][0], *fingerprints)
        wait_device(self.lab, "relay", "tap9")
        self.lab.ip("relay", "link", "set", "tap9", "up")
        return relay

    def _peer(self, host, device):
        self.run(host, "openvpn", *self.COMMON, "--client", "--nobind", "--fast-io", "--dev", device, "--remote", RELAY,
                 "1194", *self.certificates[host][0], "--peer-fingerprint", self.certificates["relay"][1])

    def start_gateway(self):
        self._peer("gateway", "tap9")
        wait_device(self.lab, "gateway", "tap9")
        bridge(self.lab, "eth0", "tap9")

    def start_client(self, host):
        self._peer(host, TUNNEL)


class Tinc(System):
    name = "tinc (switch)"
    note = "1.0: AES-128-CBC with SHA-1 (it has no AEAD); IndirectData, so that it does not go past the relay host"

    def _home(self, name):
        return self.lab.path(f"tinc-{name}")

    def _node(self, name):
        home = self._home(name)
        os.makedirs(os.path.join(home, "hosts"))
        with open(os.path.join(home, "tinc.conf"), "w") as conf:
            conf.write(f"Name = {name}\nMode = switch\nDeviceType = tap\nInterface = {TUNNEL}\n"
                       f"UDPRcvBuf = 4194304\nUDPSndBuf = 4194304\n" + ("" if name == "relay" else "ConnectTo = relay\n"))
        with open(os.path.join(home, "hosts", name), "w") as host:
            host.write("Cipher = aes-128-cbc\nDigest = sha1\nCompression = 0\nIndirectData = yes\n"
                       + (f"Address = {RELAY}\n" if name == "relay" else ""))
        subprocess.run(["tincd", "-c", home, "-K2048"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def prepare(self, clients):
        names = ("relay", "gateway", *clients)
        for name in names:
            self._node(name)
        for name in names:
            with open(os.path.join(self._home(name), "hosts", name)) as source:
                text = source.read()
            for other in names:
                with open(os.path.join(self._home(other), "hosts", name), "w") as target:
                    target.write(text)

    def _start(self, host):
        process = self.run(host, "tincd", "tincd", "-c", self._home(host), "-D", f"--pidfile={self._home(host)}/pid")
        wait_device(self.lab, host, TUNNEL)
        self.lab.ip(host, "link", "set", TUNNEL, "up")
        return process

    def start_relay(self):
        relay = self._start("relay")
        time.sleep(0.5)
        return relay

    def start_gateway(self):
        self._start("gateway")
        bridge(self.lab, "eth0", TUNNEL)

    def start_client(self, host):
        self._start(host)


class N2n(System):
    name = "n2n"
    note = ("1.3 of Debian: Twofish; the edges cannot reach each other past the supernode (routes that say so), the "
            "kernel's bridge on the gateway")
    PORT = "7654"

    def start_relay(self):
        relay = self.run("relay", "supernode", "supernode", "-l", self.PORT)
        time.sleep(0.3)
        return relay

    def _edge(self, host, device, address):
        self.run(host, "edge", "edge", "-d", device, "-a", address, "-s", "255.255.255.0", "-c", "bench", "-k", "secret",
                 "-l", f"{RELAY}:{self.PORT}", "-r", "-u", "0", "-g", "0")
        wait_device(self.lab, host, device)

    def start_gateway(self):
        self._edge("gateway", TUNNEL, "192.168.77.250")
        bridge(self.lab, "eth0", TUNNEL)

    def start_client(self, host):
        self.lab.ip(host, "route", "add", "unreachable", GATEWAY)
        self.lab.ip("gateway", "route", "add", "unreachable", self.lab.addresses(host, "up0")[0])
        self._edge(host, TUNNEL, "192.168.77.77")  # it wants one; the bench gives the right one
        self.lab.ip(host, "addr", "flush", "dev", TUNNEL)


class Fastd(System):
    name = "fastd"
    note = "aes128-ctr+umac, forward mode on the relay host, the kernel's bridge on the gateway"
    PORT = 10000
    method = "aes128-ctr+umac"

    def prepare(self, clients):
        self.keys = {}
        for name in ("relay", "gateway", *clients):
            text = subprocess.run(["fastd", "--generate-key", "--machine-readable"], check=True, capture_output=True,
                                  text=True).stdout
            secret = text.split()[0]
            path = self.file(f"fastd-{name}-key.conf", f'secret "{secret}";\n')
            public = subprocess.run(["fastd", "--config", path, "--show-key", "--machine-readable"], check=True,
                                    capture_output=True, text=True).stdout.strip()
            self.keys[name] = (secret, public)

    def _start(self, host):
        text = (f'mode tap;\ninterface "{TUNNEL}";\nmtu 1426;\nmethod "{self.method}";\nlog level warn;\n'
                f'secret "{self.keys[host][0]}";\n')
        if host == "relay":
            text += f"bind any:{self.PORT};\nforward yes;\n"
            for name, (_, public) in self.keys.items():
                text += "" if name == host else f'peer "{name}" {{ key "{public}"; }}\n'
        else:
            text += f'peer "relay" {{ remote {RELAY}:{self.PORT}; key "{self.keys["relay"][1]}"; }}\n'
        process = self.run(host, "fastd", "fastd", "--config", self.file(f"fastd-{host}.conf", text))
        wait_device(self.lab, host, TUNNEL)
        self.lab.ip(host, "link", "set", TUNNEL, "up")
        return process

    def start_relay(self):
        return self._start("relay")

    def start_gateway(self):
        self._start("gateway")
        bridge(self.lab, "eth0", TUNNEL)

    def start_client(self, host):
        self._start(host)


class Veth(System):
    name = "plain veth"
    note = "no tunnel: cables between the same hosts' bridges, the ceiling of this machine"
    is_ceiling = True

    def start_relay(self):
        self.lab.ip("relay", "link", "add", "lan0", "type", "veth", "peer", "name", TUNNEL, "netns", self.lab.ns("gateway"))
        bridge(self.lab, "lan0", host="relay")

    def start_gateway(self):
        bridge(self.lab, "eth0", TUNNEL)

    def start_client(self, host):
        self.lab.ip("relay", "link", "add", host, "type", "veth", "peer", "name", TUNNEL, "netns", self.lab.ns(host))
        self.lab.ip("relay", "link", "set", host, "master", "br0", "up")


ALL = [Lanparty, OpenVpn, Tinc, N2n, Fastd, Veth]
OPTIONAL = [LanpartyRealtime, LanpartyCubic, LanpartyRoomKey, LanpartyPlain]  # only when named
