"""The hosts of the benchmark, in network namespaces joined by veth pairs:

    client --- internet (bridge) --- relay
                    |
                 gateway --lan0---- lan (10.60.0.10)

Addresses: 10.50.0.0/24 on the internet side, 10.60.0.0/24 on the LAN. The client's place on the LAN is 10.60.0.77.
"""

import os
import subprocess


class Host:
    def __init__(self, name, log):
        self.name, self.log = name, log
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.run("ip", "link", "set", "lo", "up")

    def _argv(self, argv):
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv):
        subprocess.run(self._argv(argv), check=True, stdout=self.log, stderr=self.log)

    def call(self, *argv):
        return subprocess.run(self._argv(argv), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode

    def output(self, *argv):
        return subprocess.run(self._argv(argv), check=True, stdout=subprocess.PIPE, stderr=self.log, text=True).stdout

    def popen(self, *argv, capture=False):
        # setns happens in a helper that replaces itself, so the pid is the program's own.
        return subprocess.Popen(self._argv(argv), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE if capture else self.log, stderr=self.log, text=True)


class Lab:
    relay_address = "10.50.0.1"
    lan_port = "lan0"

    def __init__(self, log):
        tag = f"lpb{os.getpid()}"
        self.hosts = []
        try:
            self.internet, self.relay, self.gateway, self.client, self.lan = (
                self._host(f"{tag}-{name}", log) for name in ("net", "relay", "gw", "client", "lan"))
            self.internet.run("ip", "link", "add", "br0", "type", "bridge")
            self.internet.run("ip", "link", "set", "br0", "up")
            for index, host in enumerate((self.relay, self.gateway, self.client), 1):
                self._wire(host, "eth0", self.internet, f"port{index}")
                self.internet.run("ip", "link", "set", f"port{index}", "master", "br0")
                host.run("ip", "addr", "add", f"10.50.0.{index}/24", "dev", "eth0")
            self._wire(self.gateway, self.lan_port, self.lan, "eth0")
            self.lan.run("ip", "addr", "add", "10.60.0.10/24", "dev", "eth0")
        except BaseException:
            self.close()
            raise

    def _host(self, name, log):
        host = Host(name, log)
        self.hosts.append(host)
        return host

    @staticmethod
    def _wire(a, a_name, b, b_name):
        subprocess.run(["ip", "link", "add", a_name, "netns", a.name, "type", "veth", "peer", "name", b_name,
                        "netns", b.name], check=True)
        a.run("ip", "link", "set", a_name, "up")
        b.run("ip", "link", "set", b_name, "up")

    def close(self):
        for host in self.hosts:
            subprocess.run(["ip", "netns", "del", host.name])
