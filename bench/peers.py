"""The systems that the benchmark compares: each knows how to put client, relay host and gateway on one LAN.

Every system gets the same topology and the same hosts (bench/README.md draws it): the client reaches the LAN only through
the relay host, also where a peer could do without. Each is set up as its own manual recommends for speed, with
AES-128-GCM (tinc 1.0: AES-128-CBC and SHA-1, it has no AEAD).
"""

import os
import subprocess
import time

from lab import UPLINKS, wait_for

RELAY = UPLINKS["relay"][0]
CLIENT = "client1"
TUNNEL = "tun0"  # the client's interface on the LAN, in every system


class Started:
    """The daemons of one running system; their CPU time is what the tunnel costs."""

    def __init__(self):
        self.processes = []

    def add(self, process):
        self.processes.append(process)
        return process

    def cpu_seconds(self):
        ticks = os.sysconf("SC_CLK_TCK")
        total = 0
        for process in self.processes:
            with open(f"/proc/{process.pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / ticks

    def resident_kib(self):
        total = 0
        for process in self.processes:
            with open(f"/proc/{process.pid}/status") as status:
                total += next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        return total



def bridge(lab, tunnel):
    """What a gateway does that has a TAP and a LAN port: one kernel bridge over both."""
    lab.ip("gateway", "link", "add", "br0", "type", "bridge")
    for interface in ("eth0", tunnel, "br0"):
        if interface != "br0":
            lab.ip("gateway", "link", "set", interface, "master", "br0")
        lab.ip("gateway", "link", "set", interface, "up")


def wait_device(lab, host, name):
    wait_for(lambda: lab.device_exists(host, name), 10, f"{name} on {host}")


class OpenVpn:
    name = "OpenVPN (tap)"

    def __init__(self, folder, **_):
        self.folder = folder

    def _certificate(self, name):
        key, cert = (os.path.join(self.folder, f"{name}.{end}") for end in ("key", "crt"))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", cert, "-subj", f"/CN={name}", "-days", "2"],
            check=True, stderr=subprocess.DEVNULL)
        text = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-fingerprint", "-sha256"],
                              check=True, capture_output=True, text=True).stdout
        return ["--cert", cert, "--key", key], text.strip().split("=", 1)[1]

    def start(self, lab):
        started = Started()
        server, server_print = self._certificate("server")
        gateway, gateway_print = self._certificate("gateway")
        client, client_print = self._certificate("client")
        common = ["openvpn", "--dev-type", "tap", "--proto", "udp4", "--verb", "1", "--data-ciphers", "AES-128-GCM",
                  "--sndbuf", "4194304", "--rcvbuf", "4194304", "--txqueuelen", "1000", "--keepalive", "10", "60"]
        started.add(lab.start("relay", "openvpn", *common, "--mode", "server", "--tls-server", "--dev", "tap9", "--dh", "none",
                                    "--port", "1194", "--client-to-client", *server, "--peer-fingerprint",
                                    gateway_print, "--peer-fingerprint", client_print))
        wait_device(lab, "relay", "tap9")
        lab.ip("relay", "link", "set", "tap9", "up")
        for host, device, peer in (("gateway", "tap9", gateway), (CLIENT, TUNNEL, client)):
            started.add(lab.start(host, "openvpn", *common, "--client", "--nobind", "--fast-io", "--dev", device, "--remote",
                                   RELAY, "1194", *peer, "--peer-fingerprint", server_print))
        wait_device(lab, "gateway", "tap9")
        wait_device(lab, CLIENT, TUNNEL)
        bridge(lab, "tap9")
        return started


class Tinc:
    name = "tinc (switch)"

    def __init__(self, folder, **_):
        self.folder = folder

    def _node(self, name, address, connect_to):
        home = os.path.join(self.folder, f"tinc-{name}")
        os.makedirs(os.path.join(home, "hosts"))
        with open(os.path.join(home, "tinc.conf"), "w") as conf:
            conf.write(f"Name = {name}\nMode = switch\nDeviceType = tap\nInterface = {TUNNEL}\n"
                       f"UDPRcvBuf = 4194304\nUDPSndBuf = 4194304\n")
            if connect_to:
                conf.write(f"ConnectTo = {connect_to}\n")
        with open(os.path.join(home, "hosts", name), "w") as host:
            # IndirectData keeps the nodes from talking past the relay host: the topology all systems share.
            host.write("Cipher = aes-128-cbc\nDigest = sha1\nCompression = 0\nIndirectData = yes\n")
            if address:
                host.write(f"Address = {address}\n")
        subprocess.run(["tincd", "-c", home, "-K2048"], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return home

    def start(self, lab):
        started = Started()
        homes = {"relay": self._node("relay", RELAY, None),
                 "gateway": self._node("gateway", None, "relay"),
                 "client": self._node("client", None, "relay")}
        for name, home in homes.items():
            for other, other_home in homes.items():
                if other != name:
                    with open(os.path.join(home, "hosts", name)) as source:
                        with open(os.path.join(other_home, "hosts", name), "w") as target:
                            target.write(source.read())
        for name, host in (("relay", "relay"), ("gateway", "gateway"), ("client", CLIENT)):
            started.add(lab.start(host, "tincd", "tincd", "-c", homes[name], "-D", f"--pidfile={homes[name]}/pid"))
            wait_device(lab, host, TUNNEL)
            lab.ip(host, "link", "set", TUNNEL, "up")
            time.sleep(0.5)
        bridge(lab, TUNNEL)
        return started


class Lanparty:
    name = "lanparty"

    def __init__(self, folder, binaries, extra=()):
        self.folder, self.binaries, self.extra = folder, binaries, list(extra)

    def start(self, lab):
        started = Started()
        cert = os.path.join(self.folder, "relay.der")
        started.add(lab.start("relay", "lanparty-relay", f"{self.binaries}/relay/lanparty-relay", "--listen",
                              "4433/udp", "--dev-cert-der-out", cert, *self.extra))
        wait_for(lambda: os.path.exists(cert), 10, "the relay's certificate")
        peer = ["--relay", f"{RELAY}:4433", "--server-name", "localhost", "--relay-ca-cert", cert, "--room", "BENCH",
                *self.extra]
        started.add(lab.start("gateway", "lanparty-gateway", f"{self.binaries}/gateway/lanparty-gateway", *peer,
                              "--interface", "eth0", "--identity", os.path.join(self.folder, "gateway.json")))
        started.add(lab.start(CLIENT, "lanparty-client", f"{self.binaries}/client-linux/lanparty-client", *peer,
                              "--interface", TUNNEL, "--identity", os.path.join(self.folder, "client.json")))
        wait_device(lab, CLIENT, TUNNEL)
        return started


ALL = [Lanparty, OpenVpn, Tinc]
