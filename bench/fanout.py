"""A broadcast stream of the LAN host to eight clients: how much arrives, and what the relay pays for it."""

import json

from lab import UPLINKS, Lab
from measure import FRAME_BYTES, wait_end
from peers import TUNNEL, process_cpu_seconds

CLIENTS = 8
PORT = "7003"
LAN_BROADCAST = "192.168.77.255"
RATE = 1000  # frames a second: half of what the relay lets a gateway broadcast

COLUMNS = [
    (f"broadcasts that arrive at {CLIENTS} clients, frames/s each", ("per_second",), 0, True),
    ("lost by the worst of them, %", ("worst_lost_percent",), 2, False),
    ("relay CPU per delivered frame, us", ("relay_us_per_frame",), 2, False),
]


class FanoutLab(Lab):
    """The lab with more clients, whose uplinks are like client1's."""

    def _build(self):
        super()._build()
        self.clients = [name for name in UPLINKS if name.startswith("client")]
        for number in range(len(self.clients) + 1, CLIENTS + 1):
            self.clients.append(f"client{number}")
            self._add_client(f"client{number}", f"10.9.{number}")

    def _add_client(self, name, net):
        self.add_host(name)
        self.ip("inet", "link", "add", name, "type", "veth", "peer", "name", "up0", "netns", self.ns(name))
        for host, device, address in (("inet", name, f"{net}.1"), (name, "up0", f"{net}.2")):
            self.ip(host, "addr", "add", f"{address}/24", "dev", device)
            self.ip(host, "link", "set", device, "up")
        self.ip(name, "route", "add", "default", "via", f"{net}.1")


def run_once(lab, started, tools, seconds):
    counters = [lab.start(host, "count", tools["stream"], "count", TUNNEL, PORT, str(seconds + 2)) for host in lab.clients]
    relay = started.relay.pid if started.relay else None
    cpu = process_cpu_seconds(relay) if relay else 0
    sender = lab.start("host", "send", tools["stream"], "send", LAN_BROADCAST, PORT, str(RATE), str(FRAME_BYTES - 42),
                       str(seconds))
    sent = json.loads(wait_end(sender, seconds + 10))["sent"]
    counts = [json.loads(wait_end(counter, seconds + 10))["count"] for counter in counters]
    cpu = (process_cpu_seconds(relay) if relay else 0) - cpu
    return {"per_second": sum(counts) / len(counts) / seconds, "worst_lost_percent": 100 * (1 - min(counts) / sent),
            "relay_us_per_frame": 1e6 * cpu / max(1, sum(counts)), "counts": counts, "sent": sent}
