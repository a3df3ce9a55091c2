"""The relay alone: what a frame costs it, and what an idle peer does.

Relay and load generator (bench/relay_load.c, which speaks our protocol) sit at the two ends of one cable, each on cores
of its own as far as there are any, and with a real-time priority: a relay that others keep off its core finds its caches
cold. The relay's user and system time is the scheduler's; what the kernel does for it in
between, such as receiving what it sends, is in it, as it would not be with a real network card.
"""

import contextlib
import ctypes
import json
import os
import time

from lab import Lab, wait_for
from measure import FIRST, wait_end
from peers import Started, process_cpu_seconds, resident_kib

RELAY, LOAD = "10.8.0.1", "10.8.0.2"
PORT = "4433"
FRAME_BYTES, SMALL_FRAME_BYTES = 1400, 200
BURST = 32
ROOM_MTU = FRAME_BYTES - 14
IDLE_PEERS = (1, 200)
ATTEMPTS = 3

COLUMNS = [
    ("relay CPU per 1400-byte frame, us", ("large", "us_per_frame"), 2, False),
    ("frames/s per core of the relay", ("large", "per_core_second"), 0, True),
    ("forwarded, frames/s", ("large", "per_second"), 0, True),
    ("relay CPU per 200-byte frame, us", ("small", "us_per_frame"), 2, False),
]


class SmallRoom(Exception):
    """Its first peer joined before it was known that the path carries full packets."""


class RelayLab(Lab):
    def _build(self):
        for name in ("relay", "load"):
            self.add_host(name)
        self.ip("relay", "link", "add", "up0", "type", "veth", "peer", "name", "up0", "netns", self.ns("load"))
        for name, address in (("relay", RELAY), ("load", LOAD)):
            self.ip(name, "addr", "add", f"{address}/24", "dev", "up0")
            self.ip(name, "link", "set", "up0", "up")


def cryptos():
    """As src/seal looks for libipsec-mb; without, the relay's figures are those of GnuTLS alone, and the bars say so."""
    for name in ("libIPSec_MB.so.2", "libIPSec_MB.so.1"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)
            return ["gnutls", "ipsec-mb"]
    return ["gnutls"]


def start_relay(lab, binaries, cores, extra=()):
    cert = lab.path("relay.der")
    relay = lab.start("relay", "lanparty-relay", *FIRST, "taskset", "-c", cores, f"{binaries}/relay/lanparty-relay", "--listen",
                      f"{PORT}/udp", "--dev-cert-der-out", cert, "--room-mtu", str(ROOM_MTU), *extra)
    wait_for(lambda: os.path.exists(cert), 10, "the relay's certificate")
    return relay, cert


class Load:
    """One forwarding room of two peers."""

    def __init__(self, lab, tools, cert, room, shard, shards, frame_bytes, seconds, cores):
        self.lab, self.seconds = lab, seconds
        self.go = lab.path(f"go-{room}-{shard}")
        os.mkfifo(self.go)
        self.process = lab.start("load", f"load-{room}-{shard}", "sh", "-c", 'read_from=$1; shift; exec "$@" <"$read_from"', "sh",
                                 self.go, *FIRST, "taskset", "-c", cores, tools["relay-load"], "forward", f"{RELAY}:{PORT}", cert,
                                 room, str(shard), str(shards), str(frame_bytes), str(BURST), "0",
                                 str(seconds))
        self.start_line = open(self.go, "w")
        self.process.wait_log("^joined", 20)

    def start(self):
        self.start_line.write("go\n")
        self.start_line.close()

    def result(self):
        return json.loads(wait_end(self.process, self.seconds + 20).splitlines()[-1])


def one_load(lab, tools, relay, cert, name, frame_bytes, seconds, shards, cores):
    loads = [Load(lab, tools, cert, name, shard, shards, frame_bytes, seconds, cores) for shard in range(shards)]
    cpu = process_cpu_seconds(relay.pid)
    for load in loads:
        load.start()
    results = [load.result() for load in loads]
    cpu = process_cpu_seconds(relay.pid) - cpu
    if any(result["refused"] for result in results):
        raise SmallRoom("the room carries smaller frames: the machine was too busy to find the path's MTU in time")
    received = sum(result["received"] for result in results)
    sent = sum(result["sent"] for result in results)
    return {"us_per_frame": 1e6 * cpu / received, "per_core_second": received / cpu,
            "per_second": received / max(result["seconds"] for result in results),
            "lost_percent": 100 * (1 - received / sent)}


def run_once(tools, binaries, extra, shards, seconds):
    """A pair of peers for each shard, at once."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(SmallRoom):
            return run_attempt(tools, binaries, extra, shards, seconds)
    return run_attempt(tools, binaries, extra, shards, seconds)


def run_attempt(tools, binaries, extra, shards, seconds):
    cores = os.cpu_count()
    relay_cores = f"0-{min(shards, cores) - 1}"
    load_cores = f"{min(shards, cores - 1)}-{cores - 1}"
    with RelayLab() as lab:
        relay, cert = start_relay(lab, binaries, relay_cores, extra)
        return {"large": one_load(lab, tools, relay, cert, "LARGE", FRAME_BYTES, seconds, shards, load_cores),
                "small": one_load(lab, tools, relay, cert, "SMALL", SMALL_FRAME_BYTES, seconds, shards, load_cores)}


def floor(tools, library, seconds):
    """The same machine and cable without QUIC: a process that only receives and sends, and seals and opens each packet
    with the library, unless it is "none"."""
    found = {}
    with RelayLab() as lab:
        for key, size, port in (("large", FRAME_BYTES, "5001"), ("small", SMALL_FRAME_BYTES, "5002")):
            relay = lab.start("relay", "udp-io", *FIRST, "taskset", "-c", "0", tools["udp-io"], "forward", f"{RELAY}:{port}",
                              f"{LOAD}:5000", str(seconds), "offload", library)
            time.sleep(0.1)
            lab.run("load", *FIRST, "taskset", "-c", f"1-{max(1, os.cpu_count() - 1)}", tools["udp-io"], "send",
                    f"{RELAY}:{port}", str(size), str(BURST), str(seconds), "offload")
            result = json.loads(wait_end(relay, 10))
            found[key] = {"us_per_frame": result["cpu_ns_per_packet"] / 1000,
                          "per_core_second": 1e9 / result["cpu_ns_per_packet"], "per_second": result["per_second"]}
    return found


def memory(tools, binaries, counts):
    """What one more idle peer takes of the relay's memory."""
    resident = []
    with RelayLab() as lab:
        relay, cert = start_relay(lab, binaries, "0", ["--max-connections-per-address", "1000", "--room-join-rate",
                                                   "0", "--address-join-rate", "0"])
        joined = 0
        for wanted in counts:
            load = lab.start("load", f"idle-{wanted}", tools["relay-load"], "idle", f"{RELAY}:{PORT}", cert,
                             str(wanted - joined), "60")
            load.wait_log("^joined", 60)
            joined = wanted
            resident.append(resident_kib(relay.pid))
    slope = (resident[-1] - resident[0]) / (counts[-1] - counts[0])
    return {"kib_per_peer": slope, "resident_kib": dict(zip(counts, resident))}
